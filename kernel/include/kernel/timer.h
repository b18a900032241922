/* One-shot timers, in a queue per hart, by absolute monotonic ticks.  Kernel lock. */
#pragma once

#include <kernel/lib/list.h>

struct timer {
	struct list link; /* in a hart's timers, by expiry; self-linked: not armed */
	u64 expiry;	  /* ticks */
	void (*fire)(struct timer *t); /* kernel lock held; the timer is already unlinked */
};

static inline void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	list_init(&t->link);
	t->fire = fire;
}
void timer_set(struct timer *t, u64 expiry); /* arms or re-arms on this hart */
void timer_cancel(struct timer *t);
/* Fires what is due on this hart and arms the hardware for the next (slice end included). */
void timers_run(void);
void timers_program(void);
/* Realtime = monotonic + this. */
extern s64 realtime_offset_ns; /* kernel lock to write */
void kernel_set_realtime(s64 offset_ns); /* the vDSO's copy too; kernel/start.c */
