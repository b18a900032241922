/*
 * Threads: making, blocking, waking, interrupting, ending, and what is done before user mode.
 *
 * References: the process's list holds one until the thread is dead; events on their way to pm
 * and GONE hold one.  A thread's memory is freed only after the hart it ended on has left it
 * (on_hart), from a list that the scheduler reaps.
 *
 * The end of a thread is its own work, in bounded steps: user words (robust futexes), then it
 * leaves the process; the last one closes the handles, gives the space back and tells pm.
 */
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/trap.h>
#include <kernel/lib/bits.h>
#include <kernel/exec.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/syscall.h>
#include <linux/capability.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

static struct slab_cache cache;
struct list threads_ended = LIST_INIT(threads_ended); /* refs 0, not yet freed; kernel lock */

static void wait_timed_out(struct timer *timer)
{
	struct thread *t = container_of(timer, struct thread, timer);

	if (t->wait_cancel)
		t->wait_cancel(t);
	thread_wake(t, t->wait == WAIT_SLEEP ? 0 : -ETIMEDOUT);
}

struct thread *thread_create(struct process *p, u32 tid, const struct cred *c)
{
	struct list *before;
	struct thread *t;

	if (!cache.name)
		slab_cache_init(&cache, "thread", sizeof(struct thread));
	t = slab_alloc(&cache);
	if (!t)
		return NULL;
	if (!call_init(&t->call, t)) {
		slab_free(&cache, t);
		return NULL;
	}
	t->refs = 1;
	t->tid = tid;
	t->process = p;
	t->aspace = p->aspace;
	thread_set_cred(t, c);
	t->affinity = ~0ull;
	t->hart = this_hart();
	t->lent = PRIO_RT_COUNT;
	list_init(&t->pi_waiters);
	list_init(&t->entry.link);
	list_init(&t->wait_link);
	list_init(&t->page.link);
	list_init(&t->async_made);
	list_init(&t->exit_node.link);
	t->exit_node.kind = NODE_THREAD;
	timer_init(&t->timer, wait_timed_out);
	sigpending_init(&t->sig_pending);
	t->sig_stack.flags = SS_DISABLE;
	process_get(p);
	/* In the order of their numbers, which only begin anew when all have been used. */
	for (before = p->threads.prev; before != &p->threads; before = before->prev)
		if (list_entry(before, struct thread, in_process)->tid < tid)
			break;
	list_add_head(before, &t->in_process);
	p->nthreads++;
	return t;
}

void thread_get(struct thread *t) { t->refs++; }

void thread_set_cred(struct thread *t, const struct cred *c)
{
	cred_get(c);
	cred_put(t->cred);
	t->cred = c;
	t->who = t->process->pid | (u64)c->c.id << 32;
	if (unlikely(!(c->c.cap_permitted >> CAP_SYS_ADMIN & 1)))
		t->process->authority &= ~TERN_AUTH_SERVE;
}

void thread_put(struct thread *t)
{
	if (--t->refs > 0)
		return;
	assert(t->state == THREAD_DEAD);
	list_add_tail(&threads_ended, &t->in_process);
}

void threads_reap(void)
{
	list_for_each_safe(p, n, &threads_ended) {
		struct thread *t = list_entry(p, struct thread, in_process);
		struct process *owner = t->process;

		if (__atomic_load_n(&t->on_hart, __ATOMIC_ACQUIRE))
			continue;
		list_del(&t->in_process);
		call_fini(&t->call);
		sched_forget(t);
		cred_put(t->cred);
		slab_free(&cache, t);
		process_put(owner);
	}
}

s64 restart_code(unsigned restart_class)
{
	switch (restart_class) {
	case RESTART_RESTART:
		return -ERESTARTSYS;
	case RESTART_NOHAND:
		return -ERESTARTNOHAND;
	case RESTART_BLOCK:
		return -ERESTART_RESTARTBLOCK;
	}
	return -EINTR;
}

/* ---- waiting ---- */

void thread_block(struct thread *t, enum wait_kind wait, bool interruptible,
		  void (*cancel)(struct thread *t))
{
	u64 nr = t->regs.x[REG_A7];

	assert_kernel_locked();
	t->orig_a0 = t->regs.x[REG_A0];
	t->interrupted = restart_code(nr < NR_SYSCALLS ? syscalls[nr].restart : RESTART_NEVER);
	if (unlikely(t->work & WORK_RESCHED)) /* whom it woke runs now; it need not give way later */
		thread_clear_work(t, WORK_RESCHED);
	t->state = THREAD_BLOCKED;
	t->wait = (u8)wait;
	t->interruptible = interruptible;
	t->wait_cancel = cancel;
	if (unlikely(t->work & WORK_KILLED))
		thread_kill(t);
	else if (unlikely(interruptible && signal_pending(t)))
		thread_interrupt(t);
}

void thread_wake(struct thread *t, s64 result)
{
	assert_kernel_locked();
	assert(t->state == THREAD_BLOCKED);
	timer_cancel(&t->timer);
	t->wait = WAIT_NONE;
	t->wait_cancel = NULL;
	t->interruptible = false; /* the waits of calls and of recv do not go through thread_block() */
	t->regs.x[REG_A0] = (u64)result;
	sched_ready(t);
}

/* It runs in user mode, perhaps elsewhere: makes it enter the kernel. */
static void nudge(struct thread *t)
{
	if (t->state == THREAD_RUNNING && t->hart != this_hart())
		this_hart()->ipi_wanted |= 1u << t->hart->index;
}

void thread_interrupt(struct thread *t)
{
	assert_kernel_locked();
	endpoint_receiver_held(t);
	if (t->state != THREAD_BLOCKED) {
		nudge(t);
		return;
	}
	if (t->wait == WAIT_CALL) {
		call_interrupt(&t->call);
	} else if (t->wait == WAIT_RECV) {
		thread_add_work(t, WORK_SIGNAL);
		thread_wake(t, 0);
	} else if (t->interruptible) {
		if (t->wait_cancel)
			t->wait_cancel(t);
		/* Whoever delivers signals also decides about the restart. */
		thread_add_work(t, WORK_SIGNAL);
		thread_wake(t, t->interrupted);
	}
}

void thread_kill(struct thread *t)
{
	assert_kernel_locked();
	thread_add_work(t, WORK_KILLED);
	/* A server on its way to recv takes the long way, and sees it there. */
	endpoint_receiver_held(t);
	switch (t->state) {
	case THREAD_BLOCKED:
		if (t->wait == WAIT_CALL) {
			call_abandon(&t->call);
			if (t->call.dying)
				return; /* the unpin wakes it */
		} else if (t->wait_cancel) {
			t->wait_cancel(t);
		}
		thread_wake(t, -EINTR);
		break;
	case THREAD_STOPPED:
		sched_ready(t);
		break;
	default:
		nudge(t);
	}
}

/* ---- the end ---- */

void thread_exit_self(struct thread *t)
{
	thread_add_work(t, WORK_EXIT);
}

static void wake_execer(struct process *p)
{
	struct thread *t = p->execing;

	if (t && p->nthreads == 1 && t->state == THREAD_BLOCKED && t->wait == WAIT_OTHERS)
		thread_wake(t, 0);
}

/* t, which runs here, is no more among its process's threads: what it used is the process's now. */
static void unlink_thread(struct process *p, struct thread *t)
{
	sched_charge(this_hart(), arch_ticks(), this_hart()->charge);
	p->dead_user_ticks += t->user_ticks;
	p->dead_system_ticks += t->system_ticks;
	p->dead_nvcsw += t->nvcsw;
	p->dead_nivcsw += t->nivcsw;
	p->nthreads--;
	if (p->told == &t->in_process)
		p->told = t->in_process.next;
	list_del(&t->in_process);
}

/* Kernel lock held. True if others live on: t is dead then. */
static bool leave_process(struct thread *t)
{
	struct process *p = t->process;
	bool last = p->nthreads == 1;

	sigpending_remove(p, &t->sig_pending, ALL_SIGNALS);
	if (!last) {
		signal_thread_leaves(t);
		unlink_thread(p, t);
		if (p->leader == t)
			p->leader = NULL;
		wake_execer(p);
		return true;
	}
	if (p->state == PROCESS_ALIVE)
		p->state = PROCESS_DYING;
	return false;
}

/* Kernel lock held and dropped: the thread is no more. */
static struct thread *die(struct thread *t)
{
	timer_cancel(&t->timer);
	assert(list_empty(&t->pi_waiters));
	sched_exit(t);
	t->work = 0;
	t->state = THREAD_DEAD;
	thread_put(t);
	return sched_next();
}

static void leave_aspace(struct thread *t)
{
	t->aspace = NULL;
	aspace_activate(NULL);
}

static struct thread *exit_user_words(struct thread *t)
{
	poll_forget(t);
	if (t->aspace)
		futex_thread_exit(t);
	fpu_forget(t);
	t->exit_phase++;
	return t;
}

static struct thread *exit_leave(struct thread *t)
{
	kernel_lock();
	if (!calls_thread_died(t) || !endpoints_thread_died(t, t->process->nthreads == 1)) {
		kernel_unlock();
		return t; /* again, when what has begun is done */
	}
	pair_forget(t);
	if (t->map_memobj)
		memobj_put(t->map_memobj);
	if (leave_process(t)) {
		leave_aspace(t);
		thread_ended_event(t);
		return die(t);
	}
	kernel_unlock();
	t->exit_phase++;
	return t;
}

static struct thread *exit_handles(struct thread *t)
{
	struct process *p = t->process;

	kernel_lock();
	if (p->handles->refs > 1 || handle_table_close_some(p->handles, 16, &t->exit_cursor)) {
		handle_table_put(p->handles);
		p->handles = NULL;
		name_context_put(p->names);
		p->names = NULL;
		sighand_put(p->sighand);
		p->sighand = NULL;
		sigpending_remove(p, &p->sig_pending, ALL_SIGNALS);
		t->exit_phase++;
	}
	kernel_unlock();
	return t;
}

static struct thread *exit_space(struct thread *t)
{
	struct process *p = t->process;
	struct aspace *as = t->aspace;

	if (!as) {
		t->exit_phase++;
		return t;
	}
	if (!t->mm_work.kind) {
		p->dead_peak_rss = MAX(as->peak_resident, as->resident);
		p->dead_minflt = as->minflt;
		p->dead_majflt = as->majflt;
	}
	if (!aspace_empty_step(as, &t->mm_work))
		return t;
	t->exit_phase++;
	leave_aspace(t);
	kernel_lock();
	p->aspace = NULL; /* pm may have been looking at it */
	kernel_unlock();
	aspace_put(as);
	return t;
}

static struct thread *exit_tell(struct thread *t)
{
	struct process *p = t->process;

	kernel_lock();
	p->state = PROCESS_DEAD;
	unlink_thread(p, t);
	p->leader = NULL;
	p->events.status = p->never_ran ? TERN_STATUS_NEVER_RAN : p->exit_status;
	process_event(p, PROCESS_EV_EXITED);
	return die(t);
}

/* What is left of t's end after an exec that had committed is the old space, then its own. */
static struct thread *exit_step(struct thread *t)
{
	static struct thread *(*const phases[])(struct thread *t) = {
		exit_user_words, exit_leave, exit_handles, exit_space, exit_tell,
	};

	return t->exec ? process_exec_step(t) : phases[t->exit_phase](t);
}

/* ---- before user mode ---- */

static struct thread *begin_exit(struct thread *t)
{
	thread_clear_work(t, WORK_KILLED | WORK_STOP | WORK_SIGNAL | WORK_RETRY | WORK_RESUME |
				     WORK_MAP | WORK_PAIR);
	process_exec_abort(t);
	thread_exit_self(t);
	return t;
}

/* The late result of a system call. */
static struct thread *result(struct thread *t, s64 r)
{
	if (r == SYS_BLOCKED)
		return sched_after_block();
	if (r != SYS_DONE)
		t->regs.x[REG_A0] = (u64)r;
	return t;
}

static struct thread *place_map(struct thread *t)
{
	struct memobj *m = t->map_memobj;
	s64 r;

	thread_clear_work(t, WORK_MAP);
	t->map_memobj = NULL;
	r = mmap_finish(t, m, t->map_offset, t->map_max_prot);
	memobj_put(m);
	return result(t, r);
}

static struct thread *resume_call(struct thread *t)
{
	thread_clear_work(t, WORK_RESUME);
	t->regs.x[REG_A0] = t->orig_a0;
	return result(t, t->resume(t));
}

static struct thread *retry_call(struct thread *t)
{
	thread_clear_work(t, WORK_RETRY);
	t->regs.x[REG_A0] = t->orig_a0;
	t->regs.x[REG_PC] -= 4;
	return t;
}

static struct thread *stop(struct thread *t)
{
	kernel_lock();
	thread_clear_work(t, WORK_STOP);
	if (t->process->stopped && !(t->work & WORK_KILLED)) {
		t->state = THREAD_STOPPED;
		return sched_next();
	}
	kernel_unlock();
	return t;
}

static struct thread *take_signal(struct thread *t)
{
	signal_deliver(t);
	return t;
}

static struct thread *give_memory(struct thread *t)
{
	thread_clear_work(t, WORK_MEMORY);
	(void)process_out_of_memory(t);
	return t;
}

bool mm_defer(void)
{
	struct thread *t = current_thread();

	if (!t || (t->work & WORK_IDLE))
		return false;
	thread_add_work(t, WORK_REAP);
	return true;
}

static struct thread *reap(struct thread *t)
{
	thread_clear_work(t, WORK_REAP);
	steps_run();
	if (memobj_reap())
		thread_add_work(t, WORK_REAP);
	return t;
}

/* By the bit's number. Each does a bounded step and returns who runs next. */
static struct thread *(*const works[])(struct thread *t) = {
	sched_idle, mm_work_run, reap, exit_step, process_fork_step, begin_exit, process_exec_step,
	place_map, resume_call, retry_call, pair_step, stop, take_signal, give_memory, sched_preempt,
};

static struct thread *exit_work(struct thread *t)
{
	u32 w;

	while ((w = READ_ONCE(t->work)) != 0) {
		struct thread *next = works[lowest_bit(w)](t);

		if (next != t)
			return next;
		if (w & (WORK_MM | WORK_REAP | WORK_EXIT | WORK_FORK | WORK_EXEC | WORK_RESUME)) {
			arch_poll_interrupts();
			if (READ_ONCE(t->work) & WORK_RESCHED)
				return sched_preempt(t);
		}
	}
	return t;
}

struct thread *thread_exit_work(struct thread *t)
{
	return likely(t->work == WORK_RESCHED) ? sched_preempt(t) : exit_work(t);
}
