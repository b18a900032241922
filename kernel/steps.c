/*
 * Long lists in bounded steps.
 *
 * What is begun under the kernel lock, perhaps deep inside something else, and would hold it for
 * long - telling all threads of a process, closing a large table, waking a crowd - does what one hold bears and
 * leaves the rest here.  The thread that began it goes on with it, the lock dropped and interrupts
 * let in after each step, before it returns to user mode or waits for a message (WORK_REAP); the idle
 * thread does it for whoever could not.
 * Kernel lock.
 */
#include <arch/cpu.h>
#include <kernel/process.h>
#include <kernel/steps.h>

static struct list under_way = LIST_INIT(under_way); /* struct steps.link */

void kernel_relax(void)
{
	kernel_unlock();
	arch_poll_interrupts();
	kernel_lock();
}

bool steps_under_way(void) { return READ_ONCE(under_way.next) != &under_way; }

void steps_begin(struct steps *s)
{
	assert_kernel_locked();
	if (list_empty(&s->link))
		list_add_tail(&under_way, &s->link);
	(void)mm_defer();
}

/* One step of what has waited longest. */
static void steps_one(void)
{
	struct steps *s;

	kernel_lock();
	if (!list_empty(&under_way)) {
		s = list_entry(under_way.next, struct steps, link);
		list_del(&s->link);
		if (!s->step(s) && list_empty(&s->link))
			list_add_tail(&under_way, &s->link);
	}
	kernel_unlock();
}

void steps_run(void)
{
	while (steps_under_way()) {
		steps_one();
		arch_poll_interrupts();
	}
}
