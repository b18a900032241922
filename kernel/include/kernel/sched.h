/* The scheduler.  Kernel lock held, unless said. */
#pragma once

#include <arch/fpu.h>
#include <kernel/thread.h>

void sched_init(void);
/* Puts a thread that may run into a queue and asks for a switch where it should run. */
void sched_ready(struct thread *t);
/* The same, but if t is better than cur, which runs here, the hart is t's at once and cur waits in the
 * queue: true. */
bool sched_ready_over(struct thread *t, struct thread *cur);
/* Takes it out of its queue (it is READY), or notes a change of priority. */
void sched_dequeue(struct thread *t);
/* t counts as one of the real-time level `lent` if that is better than its own. */
void sched_lend(struct thread *t, u64 lent);
void sched_set_policy(struct thread *t, int policy, int rt_prio, int nice, u64 affinity);
/* For whoever orders waiters: the real-time level, its own or lent; PRIO_RT_COUNT for all ordinary threads. */
u64 sched_urgency(const struct thread *t);
/* The current thread has blocked, yielded or ended: who is next.  Drops the kernel lock. */
struct thread *sched_next(void);
/* sched_yield: to the end of its priority's queue (others: with a new turn). */
void sched_yield_current(struct thread *t);
/* t, which maker makes, is scheduled as maker is (`reset`: but never better than an ordinary thread), and gets
 * half of its slice; t ends. */
void sched_fork(struct thread *maker, struct thread *t, bool reset);
void sched_exit(struct thread *t);
/* Charges the time since the last charge to whom it was, and from now on to `next`. */
static inline void sched_charge(struct hart *h, u64 now, u64 *next)
{
	*h->charge += now - h->charged_at;
	h->charged_at = now;
	h->charge = next;
}
/* A server, which runs here, begins what somebody else wants of it. */
static inline void sched_charge_server(const struct thread *server, u64 *next)
{
	struct hart *h = this_hart();
	u64 now = arch_ticks();

	if (h->charge != &server->user_ticks)
		h->stat.system_ns += now - h->charged_at;
	sched_charge(h, now, next);
}
/* t, whose space is the hart's already, gets the hart from old.  entry.S does the registers. */
static inline void sched_take_over(struct hart *h, struct thread *old, struct thread *t)
{
	t->state = THREAD_RUNNING;
	t->hart = h; /* under the lock: whoever finds it RUNNING must interrupt the right hart */
	fpu_switch(old);
}
static inline void sched_hand_over(struct hart *h, struct thread *old, struct thread *t)
{
	/* An idle hart must not keep a table that another one may free: its aspace is NULL. */
	aspace_activate(t->aspace);
	sched_take_over(h, old, t);
}
void sched_forget(struct thread *t);
/* The slice of the current thread is over (timer). */
void sched_tick(void);
u64 thread_user_ns(const struct thread *t), thread_system_ns(const struct thread *t);
/* The idle thread's work: waits until there is someone to run.  No lock held. */
struct thread *sched_idle(struct thread *idle);
/* After a K function blocked the current thread and dropped the lock: who is next. */
struct thread *sched_after_block(void);
/* May t run here right now without going through the queues (affinity, nobody better ready)? */
static inline bool sched_may_switch(const struct hart *h, const struct thread *t)
{
	return likely(t->affinity >> h->index & 1) && likely(!runq_has_better(&h->runq, t->key));
}
struct thread *sched_preempt(struct thread *t); /* WORK_RESCHED; no lock held */
/* Frees threads that ended and have left their hart.  Kernel lock held. */
extern struct list threads_ended;
void threads_reap(void);
