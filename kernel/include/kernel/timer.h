/* One-shot timers, in a heap per hart, by absolute monotonic ticks.  Kernel lock. */
#pragma once

#include <kernel/lib/types.h>

struct hart;

struct timer {
	struct hart *hart; /* in whose heap it is; NULL: not armed */
	struct timer *up, *left, *right;
	u32 rank; /* kernel/timer.c */
	u64 expiry;	  /* ticks */
	void (*fire)(struct timer *t); /* kernel lock held; the timer is not armed any more */
};

static inline void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	t->hart = NULL;
	t->fire = fire;
}
void timer_set(struct timer *t, u64 expiry); /* arms or re-arms on this hart */
void timer_cancel(struct timer *t);
/* Arms the hardware for the next timer or the slice's end. */
void timers_program(void);
/* Realtime = monotonic + this. */
extern s64 realtime_offset_ns; /* kernel lock to write */
void kernel_set_realtime(s64 offset_ns); /* the vDSO's copy too; kernel/start.c */
