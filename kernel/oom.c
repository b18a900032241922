/*
 * Out of memory: pages that a pager can bring again go first (mm/reclaim.c).  If there are none,
 * somebody must give some back.  The choice is made when a 64th is left (mm_low), so
 * that meanwhile the kernel's copies and the servers, who cannot wait, still find frames; and when
 * a fault finds none at all.
 *
 * What counts is resident pages and what is kept for the process (charge.c), pages of its memory
 * objects among it, mapped or not; servers and pid 1 are
 * never chosen.  Of those who hold at least a quarter of what the holder of a typical page does,
 * the youngest goes: one process that took it all, however many small ones there are beside it, and
 * of a crowd of equals the last to come, not the shell that they come from.  One at a time: while a
 * victim is on its way out, who faults yields and tries again.  The choice is one line on the
 * console.
 * Kernel lock.
 */
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/thread.h>
#include <mm/frame.h>
#include <mm/memobj.h>

static u64 pages_of(const struct process *p)
{
	struct tern_kept k;

	if (p->authority & TERN_AUTH_SERVER || p->pid <= 1 || p->state != PROCESS_ALIVE || !p->aspace)
		return 0;
	process_kept(p, &k);
	return p->aspace->resident +
	       (k.space + k.descriptors + k.threads + k.objects + k.memory) / PAGE_SIZE;
}

static struct process *choose(void)
{
	struct process *best = NULL;
	u64 sum = 0, squares = 0, typical;

	list_for_each(l, &all_processes) {
		u64 n = pages_of(list_entry(l, struct process, all));

		sum += n;
		squares += n * n;
	}
	typical = sum ? squares / sum : 0; /* the mean over pages of what their holders hold */
	list_for_each(l, &all_processes) {
		struct process *p = list_entry(l, struct process, all);
		u64 n = pages_of(p);

		if (n && n >= typical / 4)
			best = p; /* they are in the order of their start */
	}
	return best;
}

/* Somebody who has been told to end still holds memory. */
static bool one_is_ending(void)
{
	list_for_each(l, &all_processes) {
		struct process *p = list_entry(l, struct process, all);

		if (p->state == PROCESS_DYING && p->aspace)
			return true;
	}
	return false;
}

void mm_low(void)
{
	struct thread *t = current_thread();

	if (t)
		thread_add_work(t, WORK_MEMORY);
}

bool process_out_of_memory(struct thread *t)
{
	struct process *p = NULL;
	bool hope;

	if (memobj_reclaim())
		return true;
	kernel_lock();
	hope = one_is_ending();
	if (!hope) {
		/* Nobody else must go for one who has all the tables that he may have. */
		p = aspace_has_room(t->aspace) ? choose() : t->process;
		hope = p != NULL;
	}
	if (p) {
		klog("out of memory: process %u (%s) with %lu pages ended\n", p->pid,
		     p->leader ? p->leader->comm : "?", pages_of(p));
		process_kill(p, TERN_W_SIGNAL(SIGKILL));
	}
	/* The others first, the one that ends among them. */
	if (hope) {
		thread_add_work(t, WORK_RESCHED);
		sched_tick();
	}
	kernel_unlock();
	return hope;
}
