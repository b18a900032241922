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
#include <kernel/exec.h>
#include <kernel/hart.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
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
static void never_run(struct thread *child)
{
	struct process *p = child->process;

	p->never_ran = true;
	if (p->state == PROCESS_ALIVE)
		p->state = PROCESS_DYING;
	/* It takes the ordinary way out, from its first step on. */
	child->clear_child_tid = 0;
	child->robust_list = 0;
	thread_add_work(child, WORK_EXIT);
}

void fork_abort(struct thread *child)
{
	never_run(child);
	sched_ready(child);
}

/* A fault there is nobody's error. */
void fork_write_tids(struct aspace *from, struct thread *child)
{
	if (child->parent_tid_at)
		(void)!user_write_u32(from, child->parent_tid_at, child->tid);
	if (child->child_tid_at)
		(void)!user_write_u32(child->aspace, child->child_tid_at, child->tid);
}

void fork_start(struct thread *child)
{
	if (child->process->state != PROCESS_ALIVE)
		thread_add_work(child, WORK_KILLED);
	if (child->process->stopped)
		thread_add_work(child, WORK_STOP);
	sched_ready(child);
}

struct thread *process_fork_step(struct thread *t)
{
	struct thread *child = t->fork_child;
	struct aspace *from = child->fork_from;
	int r;

	if (t->mm_work.kind)
		r = mm_work_step(&t->mm_work);
	else if (t->work & WORK_KILLED)
		r = -EINTR;
	else
		r = aspace_fork(from, child->aspace, &t->mm_work);
	if (r == MM_MORE)
		return t;
	if (r == MM_BUSY)
		return mm_wait(t);
	t->fork_child = NULL;
	thread_clear_work(t, WORK_FORK);
	if (r == 0)
		fork_write_tids(from, child);
	child->fork_from = NULL;
	kernel_lock();
	if (child == t) {
		if (r)
			never_run(child);
	} else if (r == 0) {
		fork_start(child);
	} else {
		t->regs.x[REG_A0] = (u64)-ENOMEM;
		fork_abort(child);
	}
	kernel_unlock();
	aspace_put(from);
	return t;
}

/* ---- exec ---- */

bool aspace_empty_step(struct aspace *as, struct mm_work *w)
{
	int r = 0;

	if (w->kind)
		r = mm_work_step(w);
	else if (__atomic_load_n(&as->refs, __ATOMIC_ACQUIRE) == 1)
		r = aspace_destroy(as, w);
	return r != MM_MORE;
}

void exec_request_free(struct exec_request *q)
{
	if (q->sighand) {
		kernel_lock();
		sighand_put(q->sighand);
		kernel_unlock();
	}
	if (q->aspace)
		aspace_put(q->aspace);
	cred_put(q->cred);
	kfree(q);
}

void process_exec_abort(struct thread *t)
{
	struct exec_request *q = t->exec;

	if (!q || q->committed) /* then only the old space's end is left: exit_step() */
		return;
	t->exec = NULL;
	thread_clear_work(t, WORK_EXEC);
	kernel_lock();
	if (t->process->execing == t)
		t->process->execing = NULL;
	kernel_unlock();
	exec_request_free(q);
}

/* True when this is the only thread.  Else the others are told to end, and when that is done t waits. */
static bool alone(struct thread *t, struct exec_request *q)
{
	struct process *p = t->process;

	assert_kernel_locked();
	if (p->nthreads == 1)
		return true;
	if (!q->others_told) {
		q->others_told = true;
		process_tell(p);
		return false;
	}
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_OTHERS;
	t->interruptible = false;
	t->wait_cancel = NULL;
	return false;
}

void thread_start_image(struct thread *t, const struct tern_image *i)
{
	struct aspace *as = t->aspace;

	as->layout = i->layout;
	as->brk = i->layout.brk_start;
	process_apply_limits(t->process);
	memcpy(t->comm, i->comm, sizeof t->comm - 1);
	memset(&t->regs, 0, sizeof t->regs);
	t->regs.x[REG_PC] = i->pc;
	t->regs.x[REG_SP] = i->sp;
}

/* Closes what is to be closed, in a table of its own, which nobody else changes.  0, ENOMEM.  The lock
 * is dropped on the way. */
static int exec_close(struct process *p)
{
	int r = process_unshare_handles(p);

	for (u32 fd = 0; !r && !handle_close_on_exec(p->handles, &fd);)
		kernel_relax();
	return r;
}

static void commit(struct thread *t, struct exec_request *q)
{
	struct process *p = t->process;
	struct aspace *as = q->aspace;

	sighand_exec(p, q->sighand);
	q->sighand = NULL;
	t->sig_stack = (struct tern_stack){ .flags = SS_DISABLE };
	t->clear_child_tid = 0;
	t->robust_list = 0;
	t->pi_closed = false;
	p->execing = NULL;
	p->leader = t;
	t->tid = p->pid;
	if (q->cred)
		thread_set_cred(t, q->cred);
	fpu_forget(t);
	q->old = p->aspace;
	p->aspace = t->aspace = as;
	thread_start_image(t, &q->args.image);
	q->aspace = NULL;
	q->committed = true;
	aspace_activate(as);
}

/* Up to the commit: the others end, futexes are let go, and the new image takes over. */
static struct thread *take_over(struct thread *t, struct exec_request *q)
{
	kernel_lock();
	/* Another thread's exec, perhaps: two must not wait for each other. */
	if (unlikely(t->work & WORK_KILLED)) {
		kernel_unlock();
		return t;
	}
	if (!alone(t, q)) {
		if (t->state == THREAD_BLOCKED)
			return sched_next();
		kernel_unlock();
		return t; /* the others are told first */
	}
	if (!q->released) {
		q->released = true;
		kernel_unlock();
		futex_thread_exit(t);
		return t;
	}
	if (exec_close(t->process))
		process_kill(t->process, TERN_W_SIGNAL(SIGKILL));
	else if (likely(!(t->work & WORK_KILLED)))
		commit(t, q);
	kernel_unlock();
	return t;
}

struct thread *process_exec_step(struct thread *t)
{
	struct exec_request *q = t->exec;

	if (!q->committed)
		return take_over(t, q);
	if (!aspace_empty_step(q->old, &t->mm_work))
		return t;
	aspace_put(q->old);
	t->exec = NULL;
	thread_clear_work(t, WORK_EXEC);
	exec_request_free(q);
	return t;
}
