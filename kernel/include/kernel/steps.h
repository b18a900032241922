/* Long lists in bounded steps (kernel/steps.c).  Kernel lock. */
#pragma once

#include <kernel/lib/list.h>

/* Something under way, inside the object that it is about. */
struct steps {
	struct list link; /* self-linked: nothing is under way */
	/* Does as much as one hold of the lock bears: true if that was the last, and s may be gone then. */
	bool (*step)(struct steps *s);
};

static inline void steps_init(struct steps *s, bool (*step)(struct steps *s))
{
	list_init(&s->link);
	s->step = step;
}
/* The rest of it is to be done, soon; harmless if it is under way already. */
void steps_begin(struct steps *s);
bool steps_under_way(void);
/* Does what is under way, to its end.  No lock held. */
void steps_run(void);
