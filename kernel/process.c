/*
 * Processes: making, killing, stopping, and the events that tell pm.
 *
 * References: handles (pm's), threads, and an event on its way.  pm holds a handle until it has
 * reaped the process, so the object outlives its threads; everything else - handles, names, space -
 * is given back by the last thread before EXITED is queued.
 */
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

static struct slab_cache cache;
struct list all_processes = LIST_INIT(all_processes);

#define TOLD_AT_ONCE 16

static void process_tell_thread(struct process *p, struct thread *t)
{
	if (p->state != PROCESS_ALIVE && t->state == THREAD_NEW) {
		thread_add_work(t, WORK_KILLED); /* whoever makes it ends it */
	} else if (p->state != PROCESS_ALIVE || (p->execing && p->execing != t)) {
		thread_kill(t);
	} else if (p->stopped) {
		thread_add_work(t, WORK_STOP);
		thread_interrupt(t);
	} else {
		thread_clear_work(t, WORK_STOP);
		if (t->state == THREAD_STOPPED)
			sched_ready(t);
	}
}

static bool process_tell_some(struct steps *s)
{
	struct process *p = container_of(s, struct process, telling);

	for (unsigned i = 0; i < TOLD_AT_ONCE && p->told != &p->threads; i++) {
		struct thread *t = list_entry(p->told, struct thread, in_process);

		p->told = p->told->next;
		process_tell_thread(p, t);
	}
	if (p->told != &p->threads)
		return false;
	process_put(p); /* process_tell()'s */
	return true;
}

void process_tell(struct process *p)
{
	p->told = p->threads.next; /* what is under way begins anew */
	if (!list_empty(&p->telling.link))
		return;
	process_get(p);
	if (!process_tell_some(&p->telling))
		steps_begin(&p->telling);
}

struct process *process_create(u32 pid)
{
	struct process *p;

	if (!cache.name)
		slab_cache_init(&cache, "process", sizeof(struct process));
	p = slab_alloc(&cache);
	if (!p)
		return NULL;
	p->refs = 1;
	p->pid = pid;
	list_init(&p->threads);
	p->told = &p->threads;
	steps_init(&p->telling, process_tell_some);
	list_init(&p->endpoints);
	sigpending_init(&p->sig_pending);
	p->events.node.kind = NODE_PROCESS;
	list_init(&p->events.node.link);
	p->start_ns = arch_now_ns();
	list_add_tail(&all_processes, &p->all);
	return p;
}

void process_free(struct process *p)
{
	list_del(&p->all);
	/* Only a process that never got so far as to run still has these. */
	if (p->handles)
		handle_table_put(p->handles);
	if (p->names)
		name_context_put(p->names);
	if (p->sighand)
		sighand_put(p->sighand);
	if (p->aspace)
		aspace_put(p->aspace);
	if (p->events_at)
		handle_unref(HANDLE_ENDPOINT, p->events_at);
	if (p->account)
		account_leave(p);
	slab_free(&cache, p);
}

void process_apply_limits(struct process *p)
{
	struct aspace *as = p->aspace;

	if (!as)
		return;
	as->limit_as = process_limit(p, RLIMIT_AS);
	as->limit_data = process_limit(p, RLIMIT_DATA);
	as->limit_stack = process_limit(p, RLIMIT_STACK);
	as->no_huge = p->no_huge;
}

void process_kill(struct process *p, s32 status)
{
	assert_kernel_locked();
	if (p->state != PROCESS_ALIVE)
		return;
	p->state = PROCESS_DYING;
	p->exit_status = status;
	p->stopped = false;
	process_tell(p);
}

void process_stop(struct process *p, int sig)
{
	if (p->stopped || p->state != PROCESS_ALIVE)
		return;
	p->stopped = true;
	process_tell(p);
	p->events.stop_signal = sig;
	p->events.pending &= ~PROCESS_EV_CONTINUED;
	process_event(p, PROCESS_EV_STOPPED);
}

void process_continue(struct process *p)
{
	if (!p->stopped)
		return;
	p->stopped = false;
	process_tell(p);
	process_event(p, PROCESS_EV_CONTINUED);
}

struct thread *process_find_thread(struct process *p, u32 tid)
{
	for_each_thread(t, p)
		if (t->tid == tid)
			return t;
	return NULL;
}

struct thread *process_any_thread(struct process *p)
{
	if (likely(p->leader) || list_empty(&p->threads))
		return p->leader;
	return list_entry(p->threads.next, struct thread, in_process);
}

int process_unshare_handles(struct process *p)
{
	struct handle_table *own;
	int r;

	if (p->handles->refs == 1)
		return 0;
	/* Another thread's call may have numbers reserved in the table. */
	if (p->nthreads > 1)
		return -EINVAL;
	process_get(p);
	own = handle_table_copy(p->handles);
	r = own ? 0 : -ENOMEM;
	if (own && p->handles) {
		handle_table_put(p->handles);
		p->handles = own;
	} else if (own) { /* p ended meanwhile */
		handle_table_put(own);
		r = -ESRCH;
	}
	process_put(p);
	return r;
}
