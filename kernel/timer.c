/*
 * One-shot timers.
 *
 * Each hart has a list of timers ordered by expiry; a new one is looked for from the tail, since
 * most deadlines are set in the order in which they pass.  The hart's hardware timer is armed for
 * the earlier of the first expiry and the end of the running thread's slice; when it is armed
 * earlier already, it is left alone and the interrupt finds nothing to do.
 * Invariants: a list is ordered; harts[].timer_armed is what the hardware was told, ~0 if nothing.
 * Kernel lock.
 */
#include <arch/cpu.h>
#include <kernel/hart.h>
#include <kernel/lock.h>
#include <kernel/lib/log.h>
#include <kernel/sched.h>
#include <kernel/timer.h>

s64 realtime_offset_ns;

static void arm(struct hart *h, u64 expiry)
{
	if (expiry < h->timer_armed) {
		h->timer_armed = expiry;
		arch_timer_arm(expiry);
	}
}

void timer_set(struct timer *t, u64 expiry)
{
	struct hart *h = this_hart();
	struct list *p;

	list_del(&t->link);
	t->expiry = expiry;
	for (p = h->timers.prev; p != &h->timers; p = p->prev)
		if (list_entry(p, struct timer, link)->expiry <= expiry)
			break;
	list_add_head(p, &t->link);
	if (p == &h->timers)
		arm(h, expiry);
}

void timer_cancel(struct timer *t) { list_del(&t->link); }

void timers_program(void)
{
	struct hart *h = this_hart();
	u64 expiry = h->slice_end;

	if (!list_empty(&h->timers))
		expiry = MIN(expiry, list_entry(h->timers.next, struct timer, link)->expiry);
	arm(h, expiry);
}

void timers_run(void)
{
	struct hart *h = this_hart();
	u64 now = arch_ticks();

	while (!list_empty(&h->timers)) {
		struct timer *t = list_entry(h->timers.next, struct timer, link);

		if (t->expiry > now)
			break;
		list_del(&t->link);
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
	timers_run();
	kernel_unlock();
}
