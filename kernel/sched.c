/*
 * The scheduler: who runs on each hart.
 *
 * Each hart has a run queue (kernel/runq.c); an idle one takes from the others.  A thread's
 * priority is 100 - rt_prio for SCHED_FIFO and SCHED_RR, 0 for a server's, else 120 + nice with a
 * bonus of up to five either way: sleepers rise, processor-bound ones sink.  A slice that ends puts
 * it into the expired array, unless it is interactive and nobody has waited there for long.
 *
 * A hart's timer is armed for a slice only while somebody else waits in its queue, so there is no
 * tick on an idle hart, nor on one with one thread to run.
 * Kernel lock guards all of it.
 */
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <kernel/lock.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/timer.h>
#include <mm/aspace.h>
#include <mm/frame.h>

#define NEVER_TICKS (~0ull)
#define MAX_SLEEP_MS 1000
#define STARVING_MS 500 /* interactive threads step back when others have waited for so long */

static u64 ticks_per_ms = 10000;

static u64 slice_of(const struct thread *t)
{
	unsigned p = (unsigned)(NICE_TO_PRIO(t->nice));
	u64 ms = t->policy == SCHED_RR ? 100 : p < PRIO_DEFAULT ? (140 - p) * 20 : (140 - p) * 5;

	return ms * ticks_per_ms;
}

static bool is_server(const struct thread *t) { return t->process->authority & TERN_AUTH_SERVER; }

static unsigned prio_of(const struct thread *t)
{
	int p, bonus;

	/* What a server does is short and somebody waits for it, perhaps one with real-time
	 * priority: who spins with one must not keep a server from ending it. */
	if (is_server(t))
		return 0;
	if (t->policy == SCHED_FIFO || t->policy == SCHED_RR)
		return 100u - t->rt_prio;
	if (t->policy == SCHED_IDLE)
		return PRIO_COUNT - 1;
	bonus = (int)(t->sleep_avg * 10 / (MAX_SLEEP_MS * ticks_per_ms)) - 5;
	if (t->policy == SCHED_BATCH && bonus > 0)
		bonus = 0;
	p = NICE_TO_PRIO(t->nice) - bonus;
	return (unsigned)(p < PRIO_RT_COUNT ? PRIO_RT_COUNT : p >= PRIO_COUNT ? PRIO_COUNT - 1 : p);
}

void sched_init(void)
{
	ticks_per_ms = arch_ns_to_ticks(1000000);
	for (unsigned i = 0; i < MAX_HARTS; i++) {
		runq_init(&harts[i].runq);
		list_init(&harts[i].timers);
		harts[i].timer_armed = NEVER_TICKS;
		harts[i].slice_end = NEVER_TICKS;
		harts[i].space = &running[i];
		harts[i].charge = &harts[i].uncharged;
	}
}

static void kick(struct hart *h)
{
	if (h != this_hart())
		this_hart()->ipi_wanted |= 1u << h->index;
}

/* The hart to queue t on: its last one, or an idle one if that is busy. */
static struct hart *choose_hart(struct thread *t)
{
	struct hart *last = t->hart ? t->hart : this_hart();

	if (likely(nharts == 1))
		return this_hart();
	if ((t->affinity >> last->index & 1) && last->current == last->idle)
		return last;
	for (unsigned i = 0; i < nharts; i++)
		if ((t->affinity >> i & 1) && harts[i].online && harts[i].current == harts[i].idle &&
		    harts[i].runq.count == 0)
			return &harts[i];
	if (t->affinity >> last->index & 1)
		return last;
	for (unsigned i = 0; i < nharts; i++)
		if ((t->affinity >> i & 1) && harts[i].online)
			return &harts[i];
	return last;
}

/* Accounts for the outgoing thread, and makes t this hart's. */
static inline void switch_to(struct hart *h, struct thread *t)
{
	struct thread *old = h->current;
	u64 now = arch_ticks(), ran = now - h->last_switch;

	if (old != h->idle && h->charge != &old->user_ticks)
		h->stat.system_ns += now - h->charged_at; /* a server, for somebody else */
	sched_charge(h, now, t == h->idle ? &h->stat.idle_ns : &t->user_ticks);
	h->last_switch = now;
	if (old != h->idle) {
		h->stat.busy_ns += ran;
		if (h->slice_end != NEVER_TICKS)
			old->slice = h->slice_end > now ? h->slice_end - now : 0;
		old->sleep_avg = old->sleep_avg > ran ? old->sleep_avg - ran : 0;
		if (old->state == THREAD_BLOCKED)
			old->slept_since = now;
	}
	t->slept_since = 0;
	h->stat.switches++;
	sched_hand_over(h, old, t);
}

/* Makes t this hart's and drops the lock. */
static struct thread *run(struct hart *h, struct thread *t)
{
	assert_kernel_locked();
	if (unlikely(!list_empty(&threads_ended)))
		threads_reap();
	if (unlikely(t->slice == 0))
		t->slice = slice_of(t);
	switch_to(h, t);
	if (!h->runq.count) {
		h->slice_end = NEVER_TICKS;
		h->fair_since = h->last_switch;
	} else if (h->slice_end == NEVER_TICKS || !is_server(t)) {
		/* A server goes on in the slice that was running: it hands the hart to whom it
		 * answers. */
		h->slice_end = h->last_switch + t->slice;
	}
	timers_program();
	kernel_unlock();
	return t;
}

/* t may run again: what its sleep was worth. */
static void awake(struct thread *t)
{
	assert_kernel_locked();
	assert(t->state != THREAD_READY && t->state != THREAD_DEAD);
	if (unlikely(t->state == THREAD_BLOCKED && t->slept_since)) {
		u64 slept = arch_ticks() - t->slept_since;

		t->slept_since = 0;
		t->sleep_avg = MIN(t->sleep_avg + slept, MAX_SLEEP_MS * ticks_per_ms);
	}
	t->prio = (u8)prio_of(t);
	t->state = THREAD_READY;
}

static void enqueue(struct thread *t, struct hart *h)
{
	struct thread *cur = h->current;

	t->hart = h;
	runq_add(&h->runq, &t->entry, t->prio, false, false);
	if (cur == h->idle) {
		kick(h);
	} else if (cur->state == THREAD_RUNNING && t->prio < cur->prio) {
		thread_add_work(cur, WORK_RESCHED);
		kick(h);
	} else if (h->slice_end == NEVER_TICKS) {
		/* It ran alone: from now on its slice counts. */
		h->slice_end = arch_ticks() + (cur->slice ? cur->slice : 10 * ticks_per_ms);
		if (h == this_hart())
			timers_program();
		else
			kick(h);
	}
}

void sched_ready(struct thread *t)
{
	awake(t);
	enqueue(t, choose_hart(t));
}

struct thread *sched_ready_over(struct thread *t, struct thread *cur)
{
	struct hart *h;

	awake(t);
	h = choose_hart(t);
	if (h != this_hart() || t->prio >= cur->prio || !sched_may_switch(h, t)) {
		enqueue(t, h);
		kernel_unlock();
		return cur;
	}
	t->hart = h;
	cur->nivcsw++;
	cur->state = THREAD_READY;
	runq_add(&h->runq, &cur->entry, cur->prio, false, true);
	return run(h, t);
}

void sched_dequeue(struct thread *t)
{
	if (t->state == THREAD_READY && t->entry.array) {
		for (unsigned i = 0; i < nharts; i++)
			if (t->entry.array == &harts[i].runq.arrays[0] ||
			    t->entry.array == &harts[i].runq.arrays[1]) {
				runq_remove(&harts[i].runq, &t->entry);
				return;
			}
	}
}

void sched_set_policy(struct thread *t, int policy, int rt_prio, int nice, u64 affinity)
{
	bool queued = t->state == THREAD_READY && t->entry.array;

	if (queued)
		sched_dequeue(t);
	if (policy >= 0) {
		t->policy = (u8)policy;
		t->rt_prio = (u8)rt_prio;
	}
	t->nice = (int8_t)nice;
	if (affinity)
		t->affinity = affinity;
	t->prio = (u8)prio_of(t);
	t->slice = slice_of(t);
	if (queued) {
		t->state = THREAD_NEW;
		sched_ready(t);
	} else if (t->state == THREAD_RUNNING) {
		thread_add_work(t, WORK_RESCHED);
		if (t->hart != this_hart())
			kick(t->hart);
	}
}

/* A thread's memory goes: no hart may charge it any more. */
void sched_forget(struct thread *t)
{
	for (unsigned i = 0; i < nharts; i++) {
		u64 *c = harts[i].charge;

		if (c == &t->user_ticks || c == &t->system_ticks)
			harts[i].charge = &harts[i].uncharged;
	}
}

static bool may_run_here(struct runq_entry *e, void *arg)
{
	struct thread *t = container_of(e, struct thread, entry);

	return t->affinity >> ((struct hart *)arg)->index & 1;
}

static struct thread *pick(struct hart *h)
{
	struct runq_entry *e = runq_take(&h->runq);

	if (unlikely(!e)) {
		struct hart *busiest = NULL;

		for (unsigned i = 0; i < nharts; i++)
			if (&harts[i] != h && harts[i].runq.count &&
			    (!busiest || harts[i].runq.count > busiest->runq.count))
				busiest = &harts[i];
		if (!busiest)
			return NULL;
		e = runq_steal(&busiest->runq, may_run_here, h);
		if (!e)
			return NULL;
		runq_remove(&busiest->runq, e);
	}
	return container_of(e, struct thread, entry);
}

struct thread *sched_next(void)
{
	struct hart *h = this_hart();
	struct thread *t = pick(h);

	return run(h, t ? t : h->idle);
}

struct thread *sched_after_block(void)
{
	this_hart()->current->nvcsw++;
	kernel_lock();
	return sched_next();
}

void sched_tick(void)
{
	struct thread *t = this_hart()->current;

	if (is_server(t) || t->policy == SCHED_FIFO) {
		/* Not its own slice: whoever runs after it pays, also one that it hands the hart to. */
		this_hart()->slice_end = arch_ticks() + ticks_per_ms;
		return;
	}
	this_hart()->slice_end = NEVER_TICKS;
	if (t != this_hart()->idle) {
		t->slice = 0;
		thread_add_work(t, WORK_RESCHED);
	}
}

/* The active array has not been emptied for long: its lower priorities may wait for ever. */
static bool somebody_starves(struct hart *h, u64 now)
{
	if (h->swaps != h->runq.swaps) {
		h->swaps = h->runq.swaps;
		h->fair_since = now;
	}
	return now - h->fair_since > STARVING_MS * ticks_per_ms;
}

/* WORK_RESCHED and sched_yield: back into the queue, by what is left of the slice. */
static void requeue(struct thread *t, bool yield)
{
	struct hart *h = this_hart();
	u64 now = arch_ticks();
	bool rt = t->policy == SCHED_FIFO || t->policy == SCHED_RR || is_server(t);
	/* A SCHED_FIFO thread has no slice: who preempts it leaves it at the head of its queue. */
	bool over = t->policy != SCHED_FIFO && t->slice <= now - h->last_switch;
	bool expired = false;

	if (!yield && !over && likely(t->affinity >> h->index & 1)) {
		t->state = THREAD_READY;
		runq_add(&h->runq, &t->entry, t->prio, false, true);
		return;
	}
	t->prio = (u8)prio_of(t);
	if (over)
		t->slice = 0;
	if (!rt && yield) {
		/* Behind all others: many that do nothing but yield do not hold up who is below them. */
		expired = true;
	} else if (!rt && over) {
		/* Interactive threads stay among the active ones while nobody starves. */
		bool interactive = t->prio < NICE_TO_PRIO(t->nice) - 1;

		expired = !interactive || h->runq.expired->count > 0 || somebody_starves(h, now);
	}
	if (unlikely(!(t->affinity >> h->index & 1))) {
		t->state = THREAD_NEW;
		sched_ready(t);
		return;
	}
	t->state = THREAD_READY;
	runq_add(&h->runq, &t->entry, t->prio, expired, false);
}

void sched_yield_current(struct thread *t)
{
	t->nvcsw++;
	requeue(t, true);
}

struct thread *sched_preempt(struct thread *t)
{
	struct hart *h = this_hart();
	struct thread *better = NULL;

	kernel_lock();
	thread_clear_work(t, WORK_RESCHED);
	t->nivcsw++;
	/* Taken out first, it leaves an empty queue to t most of the time. */
	if (runq_has_better(&h->runq, t->prio))
		better = pick(h);
	requeue(t, false);
	return better ? run(h, better) : sched_next();
}

void kernel_ipi(void)
{
	struct hart *h = this_hart();

	h->irq_counts[1]++;
	kernel_lock();
	/* Whoever queued a thread here may have taken this hart for idle. */
	if (h->current != h->idle && h->runq.count && h->slice_end == NEVER_TICKS)
		h->slice_end = arch_ticks() + 10 * ticks_per_ms;
	timers_program();
	if (h->current != h->idle && h->runq.count &&
	    runq_has_better(&h->runq, h->current->prio))
		thread_add_work(h->current, WORK_RESCHED);
	kernel_unlock();
}

struct thread *sched_idle(struct thread *idle)
{
	for (;;) {
		struct thread *t;

		kernel_lock();
		t = sched_next();
		if (t != idle)
			return t;
		if (!frames_prepare())
			arch_wait();
		arch_poll_interrupts();
	}
}

static u64 running_now(const u64 *counter)
{
	for (unsigned i = 0; i < nharts; i++)
		if (harts[i].charge == counter)
			return arch_ticks() - harts[i].charged_at;
	return 0;
}

u64 thread_user_ns(const struct thread *t)
{
	return arch_ticks_to_ns(t->user_ticks + running_now(&t->user_ticks));
}

u64 thread_system_ns(const struct thread *t)
{
	return arch_ticks_to_ns(t->system_ticks + running_now(&t->system_ticks));
}
