/*
 * One-shot timers.
 *
 * Each hart's timers are a leftist heap by expiry: a node is never later than its children, and its
 * right child's rank (the length of the way right, down to nobody) is never above its left one's.  So ways
 * right are at most log2 of all long, and two heaps become one along them; setting and cancelling
 * are that, wherever the node is.
 * The hart's hardware timer is armed for the earlier of the first expiry and the end of the
 * running thread's slice; when it is armed earlier already, it is left alone and the interrupt
 * finds nothing to do.  However many timers expire, one hold of the lock fires TIMERS_AT_ONCE, and
 * the interrupt comes again for the others.
 * Invariant: harts[].timer_armed is what the hardware was told, ~0 if nothing.
 * Kernel lock.
 */
#include <arch/cpu.h>
#include <kernel/hart.h>
#include <kernel/lock.h>
#include <kernel/lib/log.h>
#include <kernel/sched.h>
#include <kernel/timer.h>

#define TIMERS_AT_ONCE 16

s64 realtime_offset_ns;

static void timer_arm(struct hart *h, u64 expiry)
{
	if (expiry < h->timer_armed) {
		h->timer_armed = expiry;
		arch_timer_arm(expiry);
	}
}

static u32 timer_rank(const struct timer *t) { return t ? t->rank : 0; }

/* A child of t has changed: puts the lower rank right.  Whether t's own rank changed. */
static bool timer_lean(struct timer *t)
{
	u32 old = t->rank;

	if (timer_rank(t->left) < timer_rank(t->right)) {
		struct timer *left = t->left;

		t->left = t->right;
		t->right = left;
	}
	t->rank = timer_rank(t->right) + 1;
	return t->rank != old;
}

/* One heap of two, either of which may be empty. */
static struct timer *timer_merge(struct timer *a, struct timer *b)
{
	struct timer *root = NULL, *up = NULL, **place = &root;

	while (a && b) {
		struct timer *first = b->expiry < a->expiry ? b : a;

		if (first == b)
			b = a;
		a = first->right;
		first->up = up;
		up = *place = first;
		place = &first->right;
	}
	*place = a ? a : b;
	if (*place)
		(*place)->up = up;
	for (; up; up = up->up)
		(void)timer_lean(up);
	return root;
}

void timer_cancel(struct timer *t)
{
	struct timer *rest, *up = t->up, **place;

	if (likely(!t->hart))
		return;
	rest = timer_merge(t->left, t->right);
	place = !up ? &t->hart->timers : up->left == t ? &up->left : &up->right;
	*place = rest;
	if (rest)
		rest->up = up;
	while (up && timer_lean(up))
		up = up->up;
	t->hart = NULL;
}

void timer_set(struct timer *t, u64 expiry)
{
	struct hart *h = this_hart();

	timer_cancel(t);
	t->left = t->right = NULL;
	t->rank = 1;
	t->expiry = expiry;
	t->hart = h;
	h->timers = timer_merge(h->timers, t);
	if (h->timers == t)
		timer_arm(h, expiry);
}

void timers_program(void)
{
	struct hart *h = this_hart();

	timer_arm(h, h->timers ? MIN(h->slice_end, h->timers->expiry) : h->slice_end);
}

/* Fires what is due, some of it if that is much, and arms the hardware for the next. */
static void timers_run(struct hart *h, u64 now)
{
	struct timer *t;

	for (unsigned n = 0; n < TIMERS_AT_ONCE && (t = h->timers) && t->expiry <= now; n++) {
		timer_cancel(t);
		t->fire(t);
	}
	timers_program();
}

void kernel_timer_interrupt(void)
{
	struct hart *h = this_hart();

	kernel_lock();
	h->irq_counts[0]++;
	/* Whatever it was armed for has come; the interrupt stays pending until it is armed anew. */
	h->timer_armed = ~0ull;
	arch_timer_arm(~0ull);
	if (arch_ticks() >= h->slice_end)
		sched_tick();
	timers_run(h, arch_ticks());
	kernel_unlock();
}
