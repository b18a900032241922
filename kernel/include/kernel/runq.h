/* The O(1) run queue: 140 priorities (0–99 real time, 100–139 from nice), a bitmap each, an
 * active and an expired array.  Picking takes the same instructions with 1 and 10,000 threads.
 * Pure: builds on the host.  Caller's lock: the kernel lock. */
#pragma once

#include <kernel/lib/list.h>

#define PRIO_COUNT 140
#define PRIO_RT_COUNT 100
#define PRIO_DEFAULT 120
#define NICE_TO_PRIO(nice) (PRIO_DEFAULT + (nice))

struct prio_array {
	u64 bitmap[3];
	u32 count;
	struct list queue[PRIO_COUNT];
};

struct runq {
	struct prio_array *active, *expired;
	struct runq_entry *first; /* the best of the active array, in none of its lists, or NULL */
	u32 count; /* ready threads, the running one not among them */
	u32 swaps; /* how often the arrays changed places */
	u32 best;  /* the best priority in the active array, PRIO_COUNT if there is none */
	struct prio_array arrays[2];
};

struct runq_entry {
	struct list link;
	struct prio_array *array; /* NULL: not queued */
	u8 prio;
};

void runq_init(struct runq *q);
void runq_add(struct runq *q, struct runq_entry *e, unsigned prio, bool expired, bool head);
void runq_remove(struct runq *q, struct runq_entry *e);
/* The first of the best priority, still queued; NULL if none.  Swaps the arrays when the active
 * one is empty. */
struct runq_entry *runq_best(struct runq *q);
/* The same, and takes it out. */
struct runq_entry *runq_take(struct runq *q);
/* Is one of a better priority than this queued in the active array? */
static inline bool runq_has_better(const struct runq *q, unsigned prio) { return q->best < prio; }
/* A thread that another hart may take: allowed(e, arg); NULL if none. Bounded search. */
struct runq_entry *runq_steal(struct runq *q, bool (*allowed)(struct runq_entry *, void *), void *arg);
