/*
 * The scheduler: who runs on each hart.
 *
 * Each hart has a run queue (kernel/runq.c); an idle one takes from the others.  A thread's key is
 * 0 for a server's, 100 - rt_prio for SCHED_FIFO and SCHED_RR, else its turn: the slot of time in
 * which it is to run at the latest if nobody else is late.  A slice comes with a turn that lies
 * ahead by what the nice value says; a thread that has used its slice gets the next one with a new
 * turn.  Who sleeps keeps slice and turn, but the turn of a thread that wakes is never earlier than
 * now.  So
 *   - who uses little is before those who use much, as its turn is older;
 *   - whatever the others do (fork, wake each other, exec, end), a waiting thread whose turn has
 *     come has nobody before it but those that are queued already, each with one slice.
 * A new thread has half of its maker's slice and its turn, and what is left when it ends is its
 * maker's again.
 *
 * A slice runs on while the hart goes from a caller to servers and back without the queue, and is
 * its payer's: of the thread that was last taken from the queue.  When it is over (`over`) while a
 * server has the hart, the server's next answer goes through the queue; a server that has the hart
 * for SERVER_MS longer gives way to the best of the others.  And when servers that events wake
 * (timers, interrupts, callers elsewhere) have taken a hart from others for SERVER_MS more than
 * these had it, the next of these has a turn of SERVER_MS in which no server interrupts it: such
 * servers have half of a hart at most while somebody waits there.
 *
 * A hart's timer is armed for a slice only while somebody else waits in its queue, so there is no
 * tick on an idle hart, nor on one with one thread to run.
 * Kernel lock guards all of it.
 */
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <kernel/hooks.h>
#include <kernel/lib/log.h>
#include <kernel/lock.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/timer.h>
#include <mm/aspace.h>
#include <mm/frame.h>

#define NEVER_TICKS (~0ull)
#define SLOT_MS 32   /* a slot is the longest power of two of ticks that is not longer */
#define SERVER_MS 10 /* what a slice that is over still leaves to a server */

static u64 ticks_per_ms = 10000;
static unsigned slot_shift;

static u64 slot_now(void) { return (arch_ticks() >> slot_shift) + PRIO_RT_COUNT; }

static u64 slice_of(const struct thread *t)
{
	int left = t->policy == SCHED_IDLE ? 1 : 20 - t->nice; /* 1 … 40 */
	int ms = t->policy == SCHED_RR ? 100 : left > 20 ? left * 4 : left;

	return (u64)ms * ticks_per_ms;
}

/* The turn that comes with t's next slice. */
static u64 next_turn(const struct thread *t)
{
	int slots = t->policy == SCHED_IDLE ? (int)RUNQ_SLOTS - 1 : 33 + t->nice * 3 / 2; /* 3 … 61 */

	return slot_now() + (u64)slots;
}

static bool is_server(const struct thread *t) { return t->process->authority & TERN_AUTH_SERVER; }

u64 sched_urgency(const struct thread *t)
{
	u64 own = t->policy == SCHED_FIFO || t->policy == SCHED_RR ? PRIO_RT_COUNT - t->rt_prio
								   : PRIO_RT_COUNT;

	return MIN(own, t->lent);
}

/* t's key for a queue that it enters now. */
static u64 key_of(struct thread *t)
{
	/* What a server does is short and somebody waits for it, perhaps one with real-time
	 * priority: who spins with one must not keep a server from ending it. */
	if (is_server(t))
		return 0;
	if (!t->slice) {
		t->slice = slice_of(t);
		t->slice_of_maker = false;
		t->key = next_turn(t);
	}
	if (sched_urgency(t) < PRIO_RT_COUNT)
		return sched_urgency(t);
	/* SCHED_BATCH and SCHED_IDLE are not earlier for having slept. */
	return t->policy == SCHED_NORMAL ? MAX(t->key, slot_now()) : next_turn(t);
}

void sched_init(void)
{
	ticks_per_ms = arch_ns_to_ticks(1000000);
	while (2ull << slot_shift <= SLOT_MS * ticks_per_ms)
		slot_shift++;
	for (unsigned i = 0; i < MAX_HARTS; i++) {
		runq_init(&harts[i].runq);
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
static inline struct hart *choose_hart(struct thread *t)
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

	if (old->key == 0)
		h->served += ran;
	else if (unlikely(h->served))
		h->served -= MIN(h->served, ran);
	if (old != h->idle && h->charge != &old->user_ticks)
		h->stat.system_ns += now - h->charged_at; /* a server, for somebody else */
	sched_charge(h, now, t == h->idle ? &h->stat.idle_ns : &t->user_ticks);
	if (old != h->idle)
		h->stat.busy_ns += ran;
	h->last_switch = now;
	h->stat.switches++;
	sched_hand_over(h, old, t);
}

/* What is left of the slice on h is its payer's again. */
static void slice_stop(struct hart *h, u64 now)
{
	if (h->slice_end != NEVER_TICKS && !h->over)
		h->payer->slice = h->slice_end > now ? h->slice_end - now : 0;
	h->slice_end = NEVER_TICKS;
	h->over = false;
}

/* Somebody waits on h from now on, or who runs there has changed: the slice counts. */
static void slice_start(struct hart *h, u64 now)
{
	u64 left = MAX(h->payer->slice, ticks_per_ms);

	/* Servers let the payer in for a short turn. */
	if (unlikely(h->payer->key == 0) || h->payer->policy == SCHED_FIFO)
		left = SERVER_MS * ticks_per_ms;
	h->slice_end = now + left;
}

/* Makes t this hart's. */
static void choose(struct hart *h, struct thread *t)
{
	bool server = t->key == 0;
	u64 now;

	assert_kernel_locked();
	if (unlikely(!list_empty(&threads_ended)))
		threads_reap();
	switch_to(h, t);
	now = h->last_switch;
	/* A server goes on in the slice that was running: it hands the hart to whom it answers. */
	if (!h->runq.count || !server)
		slice_stop(h, now);
	if (!server)
		h->payer = t;
	if (unlikely(h->served > SERVER_MS * ticks_per_ms) && !server && t != h->idle) {
		h->served = 0;
		t->key = 0; /* until its slice, or its wait, ends */
	}
	if (h->runq.count && h->slice_end == NEVER_TICKS)
		slice_start(h, now);
	timers_program();
}

/* The same, and drops the lock. */
static struct thread *run(struct hart *h, struct thread *t)
{
	choose(h, t);
	kernel_unlock();
	return t;
}

/* t may run again. */
static inline void awake(struct thread *t)
{
	assert_kernel_locked();
	assert(t->state != THREAD_READY && t->state != THREAD_DEAD);
	t->key = key_of(t);
	t->state = THREAD_READY;
}

static void enqueue(struct thread *t, struct hart *h)
{
	struct thread *cur = h->current;

	t->hart = h;
	runq_add(&h->runq, &t->entry, t->key, slot_now(), false);
	if (cur == h->idle) {
		kick(h);
	} else if (cur->state == THREAD_RUNNING && runq_has_better(&h->runq, cur->key)) {
		thread_add_work(cur, WORK_RESCHED);
		kick(h);
	} else if (h->slice_end == NEVER_TICKS) {
		/* It ran alone: from now on its slice counts. */
		slice_start(h, arch_ticks());
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

bool sched_ready_over(struct thread *t, struct thread *cur)
{
	struct hart *h;

	awake(t);
	h = choose_hart(t);
	if (h != this_hart() || t->key >= cur->key || !sched_may_switch(h, t)) {
		enqueue(t, h);
		return false;
	}
	t->hart = h;
	cur->nivcsw++;
	cur->state = THREAD_READY;
	runq_add(&h->runq, &cur->entry, cur->key, slot_now(), true);
	choose(h, t);
	return true;
}

void sched_dequeue(struct thread *t)
{
	if (t->state == THREAD_READY && t->entry.queued)
		runq_remove(&t->hart->runq, &t->entry);
}

/* t's place among the others may be another one now. */
static void sched_rank(struct thread *t)
{
	if (t->state == THREAD_READY && t->entry.queued) {
		sched_dequeue(t);
		t->state = THREAD_NEW;
		sched_ready(t);
		return;
	}
	t->key = key_of(t);
	if (t->state == THREAD_RUNNING) {
		thread_add_work(t, WORK_RESCHED);
		kick(t->hart);
	}
}

void sched_lend(struct thread *t, u64 lent)
{
	t->lent = (u8)lent;
	sched_rank(t);
}

void sched_set_policy(struct thread *t, int policy, int rt_prio, int nice, u64 affinity)
{
	if (policy >= 0) {
		t->policy = (u8)policy;
		t->rt_prio = (u8)rt_prio;
	}
	t->nice = (int8_t)nice;
	if (affinity)
		t->affinity = affinity;
	t->slice = MIN(t->slice, slice_of(t));
	sched_rank(t);
}

void sched_fork(struct thread *maker, struct thread *t, bool reset)
{
	struct hart *h = this_hart();
	u64 now = arch_ticks();

	t->policy = maker->policy;
	t->rt_prio = maker->rt_prio;
	t->nice = maker->nice;
	t->affinity = maker->affinity;
	if (reset && sched_urgency(t) < PRIO_RT_COUNT)
		t->policy = t->rt_prio = 0; /* SCHED_NORMAL */
	if (reset)
		t->nice = MAX(t->nice, 0);
	if (h->payer == maker)
		slice_stop(h, now);
	t->key = maker->key;
	t->slice = maker->slice / 2;
	maker->slice -= t->slice;
	t->slice_of_maker = true;
	t->maker = (u32)maker->call.token;
	t->maker_tid = maker->tid;
	if (h->payer == maker && h->runq.count) {
		slice_start(h, now);
		timers_program();
	}
}

void sched_exit(struct thread *t)
{
	struct thread *maker = call_thread(t->maker);

	if (this_hart()->payer == t)
		slice_stop(this_hart(), arch_ticks());
	if (t->slice_of_maker && maker && maker->tid == t->maker_tid)
		maker->slice = MIN(maker->slice + t->slice, slice_of(maker));
	t->slice_of_maker = false;
}

/* A thread's memory goes: no hart may charge it any more. */
void sched_forget(struct thread *t)
{
	for (unsigned i = 0; i < nharts; i++) {
		u64 *c = harts[i].charge;

		if (c == &t->user_ticks || c == &t->system_ticks)
			harts[i].charge = &harts[i].uncharged;
		if (harts[i].payer == t)
			harts[i].payer = harts[i].idle;
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
	struct hart *h = this_hart();
	struct thread *t = h->current;

	if (!h->over)
		h->payer->slice = 0;
	if (is_server(t)) {
		/* Whom it answers next does not go on here at once. */
		endpoint_receiver_held(t);
		if (h->over)
			thread_add_work(t, WORK_RESCHED);
	} else if (t->policy != SCHED_FIFO || runq_has_better(&h->runq, t->key)) {
		thread_add_work(t, WORK_RESCHED);
	}
	h->over = true;
	/* Whoever gets the hart without the queue does not keep it either. */
	h->slice_end = arch_ticks() + SERVER_MS * ticks_per_ms;
}

/* WORK_RESCHED and sched_yield: back into the queue, by what is left of the slice. */
static void requeue(struct thread *t, bool yield)
{
	struct hart *h = this_hart();
	/* A SCHED_FIFO thread has no slice: who preempts it leaves it at the head of its queue. */
	bool head = !yield && (!h->over || (t->policy == SCHED_FIFO && !is_server(t)));

	/* Who yields is behind all others: many that do nothing else hold nobody up. */
	if (yield && t->key >= PRIO_RT_COUNT)
		t->key = next_turn(t);
	else if (!head || !t->key)
		t->key = key_of(t);
	if (unlikely(!(t->affinity >> h->index & 1))) {
		t->state = THREAD_NEW;
		sched_ready(t);
		return;
	}
	t->state = THREAD_READY;
	runq_add(&h->runq, &t->entry, t->key, slot_now(), head);
}

void sched_yield_current(struct thread *t)
{
	t->nvcsw++;
	requeue(t, true);
}

struct thread *sched_preempt(struct thread *t)
{
	struct hart *h = this_hart();
	struct runq_entry *better = NULL;

	kernel_lock();
	thread_clear_work(t, WORK_RESCHED);
	t->nivcsw++;
	/* Taken out first, it leaves an empty queue to t most of the time. */
	if (h->over && is_server(t))
		better = runq_take_below_servers(&h->runq);
	else if (runq_has_better(&h->runq, t->key))
		better = runq_take(&h->runq);
	requeue(t, false);
	return better ? run(h, container_of(better, struct thread, entry)) : sched_next();
}

void kernel_ipi(void)
{
	struct hart *h = this_hart();

	h->irq_counts[1]++;
	kernel_lock();
	/* Whoever queued a thread here may have taken this hart for idle. */
	if (h->current != h->idle && h->runq.count && h->slice_end == NEVER_TICKS)
		slice_start(h, arch_ticks());
	timers_program();
	if (h->current != h->idle && runq_has_better(&h->runq, h->current->key))
		thread_add_work(h->current, WORK_RESCHED);
	kernel_unlock();
}

struct thread *sched_idle(struct thread *idle)
{
	for (;;) {
		struct thread *t;

		steps_run();
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
