/*
 * Out of memory: a fault cannot be served, so somebody must give memory back.
 *
 * The choice: the process with the most resident pages, servers and pid 1 never; among those that
 * have at least half of that, the youngest - so a process that took it all goes, and of a crowd of
 * equals the last to come.  One at a time: while a victim is on its way out, or has been chosen, who
 * faults yields and tries again.  The choice is one line on the console.
 * Kernel lock.
 */
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/thread.h>
#include <mm/frame.h>

static u64 pages_of(const struct process *p)
{
	if (p->authority & TERN_AUTH_SERVER || p->pid <= 1 || p->state != PROCESS_ALIVE || !p->aspace)
		return 0;
	return p->aspace->resident;
}

static struct process *choose(void)
{
	struct process *best = NULL;
	u64 most = 0;

	list_for_each(l, &all_processes) {
		u64 n = pages_of(list_entry(l, struct process, all));

		most = MAX(most, n);
	}
	list_for_each(l, &all_processes) {
		struct process *p = list_entry(l, struct process, all);

		if (most && pages_of(p) >= (most + 1) / 2 && (!best || p->start_ns > best->start_ns))
			best = p;
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

void process_out_of_memory(struct thread *t)
{
	struct process *p;

	kernel_lock();
	if (!one_is_ending()) {
		p = choose();
		if (!p)
			panic("out of memory, and nobody to end: %s (%u) faulted", t->comm,
			      t->process->pid);
		klog("out of memory: process %u (%s) with %lu pages ended\n", p->pid,
		     p->leader ? p->leader->comm : "?", p->aspace->resident);
		process_kill(p, TERN_W_SIGNAL(SIGKILL));
	}
	/* The others first, the one that ends among them. */
	thread_add_work(t, WORK_RESCHED);
	t->slice = 0;
	kernel_unlock();
}
