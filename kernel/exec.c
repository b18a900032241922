/*
 * fork and exec: the part that the calling thread does itself, on its own time.
 *
 * fork: pm made the child's process and thread (TERN_PROCESS_FORK); the caller copies the space in
 * bounded steps (WORK_FORK) and only then starts the child.  If memory is out, the caller gets
 * ENOMEM, the child never ran, and pm is told so.
 *
 * exec: pm built a space (TERN_PROCESS_EXEC); the caller ends the other threads, waits for their
 * end, and then commits: close-on-exec, signals, the new space, registers; last the old space is
 * given back in steps.
 */
#include <arch/fpu.h>
#include <ipc/futex.h>
#include <kernel/exec.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

struct memobj *vdso_memobj;

int process_map_vdso(struct aspace *as)
{
	int r = vdso_memobj ? aspace_map_vdso(as, TERN_VDSO_BASE, vdso_memobj) : 0;

	/* Its first page is the data page, the image follows. */
	if (!r)
		as->vdso = TERN_VDSO_BASE + PAGE_SIZE;
	return r;
}

/* ---- fork ---- */

/* The child never runs.  Kernel lock held. */
void fork_abort(struct thread *child)
{
	struct process *p = child->process;

	p->never_ran = true;
	if (p->state == PROCESS_ALIVE)
		p->state = PROCESS_DYING;
	/* It takes the ordinary way out, from its first step on. */
	child->clear_child_tid = 0;
	child->robust_list = 0;
	thread_add_work(child, WORK_EXIT);
	sched_ready(child);
}

/* Writes the thread numbers that clone's flags ask for; a fault there is nobody's error. */
void fork_write_tids(struct thread *parent, struct thread *child)
{
	int r = 0;

	if (child->parent_tid_at)
		r |= user_write_u32(parent->aspace, child->parent_tid_at, child->tid);
	if (child->child_tid_at)
		r |= user_write_u32(child->aspace, child->child_tid_at, child->tid);
	(void)r;
}

void fork_start(struct thread *child)
{
	if (child->process->state != PROCESS_ALIVE)
		thread_add_work(child, WORK_KILLED);
	sched_ready(child);
}

void process_fork_step(struct thread *t)
{
	struct thread *child = t->fork_child;
	int r;

	if (t->mm_work.kind == 0 && (t->work & WORK_KILLED))
		r = -EINTR;
	else if (t->mm_work.kind)
		r = mm_work_step(&t->mm_work);
	else
		r = aspace_fork(t->aspace, child->aspace, &t->mm_work);
	if (r == MM_MORE || r == MM_BUSY)
		return;
	t->fork_child = NULL;
	thread_clear_work(t, WORK_FORK);
	if (r == 0)
		fork_write_tids(t, child);
	kernel_lock();
	if (r == 0) {
		fork_start(child);
	} else {
		t->regs.x[REG_A0] = (u64)-ENOMEM;
		fork_abort(child);
	}
	kernel_unlock();
}

/* ---- exec ---- */

static void request_free(struct exec_request *q)
{
	if (q->aspace)
		aspace_put(q->aspace);
	if (q->sighand)
		sighand_put(q->sighand);
	if (q->cred)
		cred_put(q->cred);
	kfree(q);
}

void process_exec_abort(struct thread *t)
{
	struct exec_request *q = t->exec;

	if (!q)
		return;
	if (q->committed)
		return; /* only the old space's end is left: WORK_EXIT comes after */
	t->exec = NULL;
	thread_clear_work(t, WORK_EXEC);
	kernel_lock();
	t->process->execing = false;
	request_free(q);
	kernel_unlock();
}

/* True when this is the only thread; else the others are told to end and t waits. */
static bool alone(struct thread *t)
{
	struct process *p = t->process;

	assert_kernel_locked();
	if (p->nthreads == 1)
		return true;
	if (!p->execing) {
		p->execing = true;
		list_for_each(l, &p->threads) {
			struct thread *o = list_entry(l, struct thread, in_process);

			if (o != t)
				thread_kill(o);
		}
	}
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_OTHERS;
	t->interruptible = false;
	t->wait_cancel = NULL;
	return false;
}

static bool commit(struct thread *t, struct exec_request *q)
{
	struct process *p = t->process;
	struct aspace *as = q->aspace;

	if (p->handles->refs > 1) {
		struct handle_table *own = handle_table_copy(p->handles);

		if (!own)
			return false;
		handle_table_put(p->handles);
		p->handles = own;
	}
	handle_close_on_exec(p->handles);
	sighand_exec(p, q->sighand);
	q->sighand = NULL;
	t->sig_stack = (struct tern_stack){ .flags = SS_DISABLE };
	t->clear_child_tid = 0;
	t->robust_list = 0;
	p->execing = false;
	p->leader = t;
	t->tid = p->pid;
	if (q->cred) {
		cred_put(t->cred);
		thread_set_cred(t, q->cred);
		q->cred = NULL;
	}
	as->brk_start = as->brk = q->args.brk_start;
	as->arg_start = q->args.arg_start;
	as->arg_end = q->args.arg_end;
	as->env_start = q->args.env_start;
	as->env_end = q->args.env_end;
	as->limit_as = process_limit(p, RLIMIT_AS);
	as->limit_data = process_limit(p, RLIMIT_DATA);
	as->limit_stack = process_limit(p, RLIMIT_STACK);
	memcpy(t->comm, q->args.comm, sizeof t->comm);
	t->comm[sizeof t->comm - 1] = 0;
	memset(&t->regs, 0, sizeof t->regs);
	t->regs.x[REG_PC] = q->args.pc;
	t->regs.x[REG_SP] = q->args.sp;
	fpu_forget(t);
	q->old = p->aspace;
	p->aspace = t->aspace = as;
	q->aspace = NULL;
	q->committed = true;
	aspace_activate(as);
	this_hart()->aspace = as;
	return true;
}

struct thread *process_exec_step(struct thread *t)
{
	struct exec_request *q = t->exec;
	int r = 0;

	if (!q->committed) {
		bool ok;

		kernel_lock();
		if (unlikely(t->work & WORK_KILLED)) {
			/* Another thread's exec, perhaps: two must not wait for each other. */
			kernel_unlock();
			return t;
		}
		if (!alone(t))
			return sched_next();
		kernel_unlock();
		if (q->committed == false && !q->released) {
			futex_thread_exit(t);
			q->released = true;
		}
		kernel_lock();
		ok = commit(t, q);
		if (!ok)
			process_kill(t->process, TERN_W_SIGNAL(SIGKILL));
		kernel_unlock();
		return t;
	}
	if (t->mm_work.kind) {
		r = mm_work_step(&t->mm_work);
	} else if (q->old && __atomic_load_n(&q->old->refs, __ATOMIC_ACQUIRE) == 1 && !q->destroying) {
		q->destroying = true;
		r = aspace_destroy(q->old, &t->mm_work);
	}
	if (r == MM_MORE)
		return t;
	aspace_put(q->old);
	t->exec = NULL;
	thread_clear_work(t, WORK_EXEC);
	kernel_lock();
	request_free(q);
	kernel_unlock();
	return t;
}
