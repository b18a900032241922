/*
 * The doors to processes: pm's operations on process handles and on the callers that wait for it.
 */
#include <arch/fpu.h>
#include <ipc/session.h>
#include <kernel/exec.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/syscall.h>
#include <mm/frame.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#define FORK_SHARE 24 /* no new process or thread when less than a 24th of memory is free */

/* The thread that waits for the answer to a call that t holds; NULL: a stale token, or a call that
 * nobody waits for.  Kernel lock held. */
static struct thread *waiting_caller(struct thread *t, u64 token)
{
	struct call *c = call_find(t, token);

	return c && !c->async ? c->thread : NULL;
}

/* ---- making the first threads of servers and init ---- */

static s64 give_first_handles(struct thread *t, struct process *p, const struct tern_process_args *g)
{
	for (u32 i = 0; i < g->nfds; i++) {
		struct handle *h;
		long r;

		if (g->fds[i] < 0)
			continue;
		h = handle_find(t->process->handles, (u32)g->fds[i]);
		if (!h)
			return -EBADF;
		r = handle_reserve(p->handles, i, i + 1);
		if (r < 0)
			return r;
		handle_ref(h->type, h->object);
		handle_fill(p->handles, i, h->type, h->object, h->rights, false);
		if (h->type == HANDLE_ENDPOINT && (h->rights & TERN_R_MANAGE))
			endpoint_set_owner(h->object, p);
	}
	return 0;
}

static s64 set_session(struct thread *t, struct session **slot, s32 h)
{
	struct session *s;

	if (h < 0)
		return 0;
	s = handle_object(t->process->handles, (u32)h, HANDLE_SESSION, 0);
	if (!s)
		return -EBADF;
	session_get(s);
	name_context_set(slot, s);
	return 0;
}

static s64 fill_process(struct thread *t, struct process *p, const struct tern_process_args *g)
{
	s64 r;

	p->ppid = g->ppid;
	p->pgid = g->pgid;
	p->sid = g->sid;
	p->badge = g->badge;
	p->authority = g->authority;
	memcpy(p->limits, g->limits, sizeof p->limits);
	p->events_at = t->endpoint;
	endpoint_get(t->endpoint);
	p->handles = handle_table_create();
	p->names = name_context_create();
	p->sighand = sighand_create();
	if (!p->handles || !p->names || !p->sighand)
		return -ENOMEM;
	p->names->umask = g->umask & 0777;
	r = give_first_handles(t, p, g);
	if (!r)
		r = set_session(t, &p->names->root, g->root);
	if (!r)
		r = set_session(t, &p->names->cwd, g->cwd);
	for (u32 i = 0; i < TERN_NSERVICES && !r; i++)
		r = set_session(t, &p->names->service[i], g->service[i]);
	return r;
}

static s64 first_thread(struct process *p, const struct tern_process_args *g, struct cred *cred)
{
	struct thread *n = thread_create(p, p->pid, cred);

	if (!n)
		return -ENOMEM;
	p->leader = n;
	thread_start_image(n, &g->image);
	n->regs.x[REG_A0] = g->a0;
	return 0;
}

/* pm's handle of a process that is complete. On failure nobody knows of it and it ends. */
static s64 process_publish(struct thread *t, struct process *p)
{
	s64 r = handle_add(t->process->handles, HANDLES_MAX, HANDLE_PROCESS, p, TERN_R_MANAGE, true);

	if (r < 0) {
		endpoint_put(p->events_at);
		p->events_at = NULL;
		fork_abort(p->leader);
	}
	return r;
}

/* Kernel lock held. */
static s64 start_process(struct thread *t, struct aspace *as, struct cred *cred,
			 const struct tern_process_args *g)
{
	struct process *p = process_create(g->pid);
	s64 r;

	if (!p)
		return -ENOMEM;
	aspace_get(as);
	p->aspace = as;
	r = fill_process(t, p, g);
	if (!r)
		r = first_thread(p, g, cred);
	if (r) {
		process_put(p);
		return r;
	}
	r = process_publish(t, p);
	if (r >= 0)
		sched_ready(p->leader);
	return r;
}

s64 native_process_create(struct thread *t, u64 *a)
{
	struct tern_process_args g;
	struct aspace *as;
	struct cred *cred;
	s64 r;

	if (get_user(t, &g, a[0], sizeof g))
		return -EFAULT;
	if (g.nfds > ARRAY_SIZE(g.fds) || !t->endpoint)
		return -EINVAL;
	as = aspace_of_handle(t, (u32)g.aspace, HANDLE_ASPACE, &r);
	if (!as)
		return r;
	cred = cred_create(&g.cred);
	r = cred ? process_map_vdso(as) : -ENOMEM;
	if (!r) {
		kernel_lock();
		r = start_process(t, as, cred, &g);
		kernel_unlock();
	}
	cred_put(cred);
	aspace_put(as);
	return r;
}

/* ---- fork ---- */

/* Makes the process of a fork.  The handle table becomes the process's, or is put if there is no
 * memory for one. */
static struct process *fork_process(struct thread *t, struct thread *parent,
				    const struct tern_fork_args *g, struct handle_table *handles)
{
	struct process *from = parent->process, *p = process_create(g->pid);

	if (!p) {
		handle_table_put(handles);
		return NULL;
	}
	p->handles = handles;
	p->ppid = g->ppid;
	p->pgid = from->pgid;
	p->sid = from->sid;
	p->badge = g->badge;
	p->events_at = t->endpoint;
	endpoint_get(t->endpoint);
	p->authority = from->authority & TERN_AUTH_SERVE;
	p->personality = from->personality;
	p->no_huge = from->no_huge;
	memcpy(p->limits, from->limits, sizeof p->limits);
	if (g->flags & CLONE_FS) {
		p->names = from->names;
		name_context_get(p->names);
	} else {
		p->names = name_context_copy(from->names);
	}
	if (g->flags & CLONE_SIGHAND) {
		p->sighand = from->sighand;
		p->sighand->refs++;
	} else {
		p->sighand = sighand_copy(from->sighand);
	}
	if (g->flags & CLONE_VM) {
		p->aspace = from->aspace;
		aspace_get(p->aspace);
	} else {
		p->aspace = aspace_create();
	}
	if (!p->names || !p->sighand || !p->aspace) {
		process_put(p);
		return NULL;
	}
	if ((g->flags & CLONE_CLEAR_SIGHAND) && !(g->flags & CLONE_SIGHAND))
		for (unsigned i = 0; i < _NSIG; i++)
			if (p->sighand->action[i].sa_handler != SIG_IGN)
				p->sighand->action[i] = (struct sigaction){ 0 };
	return p;
}

static struct thread *fork_thread(struct process *p, struct thread *parent,
				  const struct tern_fork_args *g)
{
	struct thread *n = thread_create(p, g->pid, parent->cred);

	if (!n)
		return NULL;
	n->regs = parent->regs;
	n->regs.x[REG_A0] = 0;
	if (g->sp)
		n->regs.x[REG_SP] = g->sp;
	if (g->flags & CLONE_SETTLS)
		n->regs.x[REG_TP] = g->tls;
	fpu_copy(n, parent);
	n->sig_mask = parent->sig_mask;
	if (!(g->flags & CLONE_VM) || (g->flags & CLONE_VFORK))
		n->sig_stack = parent->sig_stack;
	sched_fork(parent, n, g->reset_sched);
	memcpy(n->comm, parent->comm, sizeof n->comm);
	if (g->flags & CLONE_PARENT_SETTID)
		n->parent_tid_at = g->parent_tid;
	if (g->flags & CLONE_CHILD_SETTID)
		n->child_tid_at = g->child_tid;
	if (g->flags & CLONE_CHILD_CLEARTID)
		n->clear_child_tid = g->child_tid;
	return n;
}

/* A space shared at once: nothing to copy, the child may start now. */
static void start_sharing(struct thread *parent, struct thread *child)
{
	/* The numbers are written without the lock: neither thread can end meanwhile, since the
	 * one waits in its call (pinned) and the other has not begun. */
	call_pin(&parent->call);
	kernel_unlock();
	fork_write_tids(parent->aspace, child);
	kernel_lock();
	call_unpin(&parent->call);
	fork_start(child);
}

/* The space is copied by the caller, which goes on meanwhile in the kernel only; but a vfork waits
 * in its call, so there the child does it. */
static void start_copying(struct thread *parent, struct thread *child, bool vfork)
{
	struct thread *copier = vfork ? child : parent;

	aspace_get(parent->aspace);
	child->fork_from = parent->aspace;
	copier->fork_child = child;
	thread_add_work(copier, WORK_FORK);
	if (vfork)
		fork_start(child);
}

/* Kernel lock held.  `handles` is the new process's table and consumed; NULL for a thread. */
static s64 fork_from(struct thread *t, struct thread *parent, const struct tern_fork_args *g,
		     struct handle_table *handles)
{
	struct process *p = parent->process;
	struct thread *n;
	s64 r = 0;

	/* It may still be on its way out of its hart, its last registers not yet in memory. */
	while (__atomic_load_n(&parent->on_hart, __ATOMIC_ACQUIRE))
		;
	if (p->state != PROCESS_ALIVE || p->execing) {
		if (handles)
			handle_table_put(handles);
		return -EAGAIN;
	}
	if (handles)
		p = fork_process(t, parent, g, handles);
	else if ((p->nthreads + 1) * sizeof *n > kernel_share)
		return -EAGAIN;
	if (!p)
		return -ENOMEM;
	n = fork_thread(p, parent, g);
	if (!(g->flags & CLONE_THREAD)) {
		p->leader = n;
		if (n)
			r = process_publish(t, p);
		else
			process_put(p);
	}
	if (!n)
		return -ENOMEM;
	if (r < 0)
		return r;
	if (g->flags & CLONE_VM)
		start_sharing(parent, n);
	else
		start_copying(parent, n, g->flags & CLONE_VFORK);
	return r;
}

/* The table of a process that `parent` forks; NULL: memory is out.  The lock may be dropped on the way: the
 * parent's call is pinned meanwhile, and to be looked up again. */
static struct handle_table *fork_handles(struct thread *parent, const struct tern_fork_args *g)
{
	struct handle_table *table = parent->process->handles;

	if (g->flags & CLONE_FILES) {
		handle_table_get(table);
		return table;
	}
	call_pin(&parent->call);
	table = handle_table_copy(table);
	call_unpin(&parent->call);
	return table;
}

s64 native_process_fork(struct thread *t, u64 *a)
{
	struct handle_table *handles = NULL;
	struct tern_fork_args g;
	struct thread *parent;
	s64 r = -ESRCH;

	if (get_user(t, &g, a[1], sizeof g))
		return -EFAULT;
	/* What is left is for the faults of those who run already. */
	if (frames_scarce(FORK_SHARE))
		return -ENOMEM;
	kernel_lock();
	parent = waiting_caller(t, a[0]);
	if (parent && !(g.flags & CLONE_THREAD)) {
		handles = fork_handles(parent, &g);
		parent = waiting_caller(t, a[0]);
	}
	if (parent && (handles || g.flags & CLONE_THREAD))
		r = fork_from(t, parent, &g, handles);
	else if (handles)
		handle_table_put(handles);
	else if (parent)
		r = -ENOMEM;
	kernel_unlock();
	return r;
}

/* ---- exec ---- */

/* All that can fail, before the caller's call is touched. */
static s64 exec_prepare(struct thread *t, struct exec_request *q, u32 aspace, va_t args)
{
	s64 r;

	if (get_user(t, &q->args, args, sizeof q->args))
		return -EFAULT;
	if (q->args.image.pc >= USER_MAX || q->args.image.sp >= USER_MAX)
		return -EINVAL;
	q->aspace = aspace_of_handle(t, aspace, HANDLE_ASPACE, &r);
	if (!q->aspace)
		return r;
	r = process_map_vdso(q->aspace);
	if (r)
		return r;
	q->sighand = sighand_create();
	if (q->args.set_cred)
		q->cred = cred_create(&q->args.cred);
	return q->sighand && (q->cred || !q->args.set_cred) ? 0 : -ENOMEM;
}

s64 native_process_exec(struct thread *t, u64 *a)
{
	struct exec_request *q;
	struct thread *caller;
	s64 r;

	q = kmalloc(sizeof *q);
	if (!q)
		return -ENOMEM;
	r = exec_prepare(t, q, (u32)a[1], a[2]);
	if (!r) {
		kernel_lock();
		caller = waiting_caller(t, a[0]);
		r = !caller ? -ESRCH : caller->process->execing ? -EBUSY : 0;
		if (!r) {
			caller->process->execing = caller;
			caller->exec = q;
			thread_add_work(caller, WORK_EXEC);
		}
		kernel_unlock();
	}
	if (r)
		exec_request_free(q);
	return r;
}

s64 native_cred_set(struct thread *t, u64 *a)
{
	struct tern_cred v;
	struct thread *caller;
	struct cred *n;

	if (get_user(t, &v, a[1], sizeof v))
		return -EFAULT;
	if (v.ngroups > ARRAY_SIZE(v.groups))
		return -EINVAL;
	n = cred_create(&v);
	if (!n)
		return -ENOMEM;
	kernel_lock();
	caller = waiting_caller(t, a[0]);
	if (caller)
		thread_set_cred(caller, n);
	kernel_unlock();
	cred_put(n);
	return caller ? 0 : -ESRCH;
}
