/* clone and clone3: new processes and threads; and the reply that vfork waits for.
 *
 * All that can fail in pm (number, process, user count) is made before the kernel is asked, and the
 * child is in the tree before it runs.  The caller itself copies the space, in the kernel, after
 * pm's reply; if that fails, the child ends with TERN_STATUS_NEVER_RAN.  With CLONE_VFORK pm keeps
 * the parent's token in the child, and answers it when the child execs or exits.
 */
#include "pm.h"
#include <linux/mman.h>
#include <string.h>

#define NAMESPACES                                                                       \
	(CLONE_NEWNS | 0x02000000u | 0x04000000u | 0x08000000u | 0x10000000u | 0x20000000u | \
	 0x40000000u)

struct clone_request {
	uint64_t flags, sp, tls, parent_tid, child_tid;
	uint32_t exit_signal;
	/* With CLONE_PIDFD: the window and the offset there that the pidfd's number is written
	 * to. */
	unsigned pidfd_win;
	uint64_t pidfd_at;
};

struct proc *process_new(struct number *n, struct proc *parent, bool server)
{
	struct proc *p = pool_alloc(&pm.procs);

	if (p && !user_add(parent ? parent->uid : 0)) {
		pool_free(&pm.procs, p);
		p = NULL;
	}
	if (!p) {
		number_put(&pm.tree, n);
		return NULL;
	}
	p->handle = -1;
	p->exit_signal = SIGCHLD;
	if (parent) {
		p->uid = parent->uid;
		p->euid = parent->euid;
		p->suid = parent->suid;
		p->gid = parent->gid;
		p->egid = parent->egid;
		p->ambient = parent->ambient;
		p->exe = parent->exe;
		memcpy(p->comm, parent->comm, sizeof p->comm);
		p->auxv = parent->auxv;
		p->auxv_size = parent->auxv_size;
		p->no_new_privs = parent->no_new_privs;
		p->no_huge = parent->no_huge;
		p->keep_caps = parent->keep_caps;
		p->undumpable = parent->undumpable;
		p->ioprio = parent->ioprio;
		p->oom_adj = parent->oom_adj;
		p->oom_adj_min = parent->oom_adj_min;
	}
	proc_insert(&pm.tree, p, n, parent, server);
	return p;
}

void process_destroy(struct proc *p)
{
	pidmap_clear(p);
	if (p->handle >= 0)
		tern_close(p->handle);
	wait_drop_all(p);
	itimers_drop(p);
	ptimers_drop(p);
	pidfds_drop(p);
	user_remove(p->uid);
	proc_remove(&pm.tree, p);
	pool_free(&pm.procs, p);
}

void vfork_release(struct proc *p)
{
	uint64_t token = p->vfork_token;

	p->vfork_token = 0;
	if (token)
		tern_reply(token, p->pid);
}

static long check_flags(const struct proc *caller, const struct tern_msg *m, uint64_t flags)
{
	struct tern_cred cred;

	if ((flags & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_CLEAR_SIGHAND) && (flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_PARENT) && caller == pm.init)
		return -EINVAL;
	if (flags & CLONE_INTO_CGROUP || ((flags & CLONE_PIDFD) && (flags & CLONE_THREAD)))
		return -EINVAL;
	if (flags & NAMESPACES) {
		if (!caller_cred(m, &cred))
			return -ESRCH;
		return cred_capable(&cred, CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	}
	return 0;
}

static long over_limit(struct proc *caller)
{
	struct tern_process_stat st;
	long r;

	if (caller->uid == 0)
		return 0;
	r = tern_process_stat(caller->handle, 0, &st);
	if (r < 0)
		return r;
	if (user_count(caller->uid) < st.limits[RLIMIT_NPROC][0])
		return 0;
	if (st.cred.cap_effective & (1ull << CAP_SYS_RESOURCE | 1ull << CAP_SYS_ADMIN))
		return 0;
	return -EAGAIN;
}

static void fill_args(struct tern_fork_args *a, const struct clone_request *q, uint32_t number)
{
	memset(a, 0, sizeof *a);
	a->flags = q->flags;
	a->pid = number;
	a->sp = q->sp;
	a->tls = q->tls;
	a->parent_tid = q->parent_tid;
	a->child_tid = q->child_tid;
}

/* Gives a new thread what it takes over from the one that makes it: the timer slack, and the
 * priority unless that thread has SCHED_RESET_ON_FORK. */
static void inherit(const struct tern_msg *m, struct number *n, struct tern_fork_args *a)
{
	struct number *from = number_find(&pm.tree, (int64_t)m->tid);

	if (!from)
		return;
	n->slack = n->default_slack = from->slack;
	a->reset_sched = from->reset_on_fork;
}

static long new_thread(struct tern_msg *m, struct proc *caller, const struct clone_request *q)
{
	struct number *n = number_create(&pm.tree);
	struct tern_fork_args a;
	long r;

	if (!n)
		return -EAGAIN;
	thread_insert(caller, n);
	fill_args(&a, q, n->nr);
	inherit(m, n, &a);
	r = tern_process_fork(m->token, &a);
	if (r < 0) {
		thread_remove(&pm.tree, n);
		return r;
	}
	return (long)n->nr;
}

static long new_process(struct tern_msg *m, struct proc *caller, const struct clone_request *q)
{
	struct number *n = number_create(&pm.tree);
	struct tern_fork_args a;
	struct proc *p;
	long r;

	if (!n)
		return -EAGAIN;
	p = process_new(n, caller, false);
	if (!p)
		return -ENOMEM;
	p->exit_signal = (uint8_t)q->exit_signal;
	if (q->flags & CLONE_PARENT) {
		p->exit_signal = caller->exit_signal;
		proc_set_parent(p, caller->parent);
	}
	if (!cpu_limit_reserve(p, caller)) {
		process_destroy(p);
		return -ENOMEM;
	}
	fill_args(&a, q, p->pid);
	a.ppid = p->parent ? p->parent->pid : 0;
	a.badge = pool_badge(&pm.procs, p);
	inherit(m, n, &a);
	pidmap_update(p); /* before the child runs: one that shares the space does so at once */
	r = q->flags & CLONE_PIDFD ? pidfd_of_child(m, p, q->pidfd_win, q->pidfd_at) : 0;
	if (r >= 0)
		r = tern_process_fork(m->token, &a);
	if (r < 0) {
		process_destroy(p);
		return r;
	}
	p->handle = (int)r;
	if (p->itimers)
		(void)cpu_limit_changed(p); /* cannot fail: cpu_limit_reserve() has allocated */
	if (q->flags & CLONE_VFORK) {
		p->vfork_token = m->token;
		return SERVER_NO_REPLY;
	}
	return (long)p->pid;
}

static long clone_common(struct tern_msg *m, const struct clone_request *q)
{
	struct proc *caller = caller_of(m);
	long r;

	if (!caller)
		return -ESRCH;
	r = check_flags(caller, m, q->flags);
	if (r < 0)
		return r;
	if ((q->flags & CLONE_SETTLS) && q->tls >= TERN_USER_TOP)
		return -EPERM;
	r = over_limit(caller);
	if (r < 0)
		return r;
	return q->flags & CLONE_THREAD ? new_thread(m, caller, q) : new_process(m, caller, q);
}

long pm_clone(struct tern_msg *m)
{
	struct clone_request q = {
		.flags = (uint32_t)m->args[0] & ~(uint64_t)CSIGNAL,
		.sp = m->args[1],
		.parent_tid = m->args[2],
		.tls = m->args[3],
		.child_tid = m->args[4],
		.exit_signal = m->args[0] & CSIGNAL,
	};

	/* clone(2) stores the number of a pidfd at parent_tid, so the two exclude each other. */
	if ((q.flags & CLONE_PIDFD) && (q.flags & (CLONE_PARENT_SETTID | CLONE_DETACHED)))
		return -EINVAL;
	q.flags &= ~(uint64_t)CLONE_DETACHED;
	return clone_common(m, &q);
}

static long read_clone_args(struct tern_msg *m, struct clone_args *a)
{
	uint64_t size = m->args[1];
	uint8_t rest[256];

	if (size > 4096)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(a, 0, sizeof *a);
	for (uint64_t at = sizeof *a; at < size; at += sizeof rest) {
		size_t n = size - at < sizeof rest ? size - at : sizeof rest;

		if (tern_copy_in(m->token, 0, m->args[0] + at, rest, n) != (long)n)
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	if (size > sizeof *a)
		size = sizeof *a;
	if (tern_copy_in(m->token, 0, m->args[0], a, size) != (long)size)
		return -EFAULT;
	return 0;
}

long pm_clone3(struct tern_msg *m)
{
	struct clone_request q = { 0 };
	struct clone_args a;
	long r = read_clone_args(m, &a);

	if (r < 0)
		return r;
	if (a.flags & ~(0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return -EINVAL;
	if (a.flags & (CLONE_DETACHED | (CSIGNAL & ~0x80u)))
		return -EINVAL;
	if (a.flags & 0x80) /* CLONE_NEWTIME */
		return -EINVAL;
	if (a.set_tid_size > 32 || a.set_tid || a.set_tid_size)
		return -EINVAL;
	if ((a.flags & CLONE_PIDFD) && (a.flags & CLONE_PARENT_SETTID) && a.pidfd == a.parent_tid)
		return -EINVAL;
	if (a.exit_signal > _NSIG)
		return -EINVAL;
	if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal)
		return -EINVAL;
	if ((a.stack == 0) != (a.stack_size == 0))
		return -EINVAL;
	if (a.stack && (a.stack >= TERN_USER_TOP || a.stack_size > TERN_USER_TOP - a.stack))
		return -EINVAL;
	q.pidfd_at = a.pidfd;
	q.flags = a.flags;
	q.sp = a.stack ? a.stack + a.stack_size : 0;
	q.tls = a.tls;
	q.parent_tid = a.parent_tid;
	q.child_tid = a.child_tid;
	q.exit_signal = (uint32_t)a.exit_signal;
	return clone_common(m, &q);
}

/* unshare(2).  In Tern descriptors, names and signal actions belong to a process, and one thread
 * cannot have its own: a process with several threads gets EINVAL. */
long pm_unshare(struct tern_msg *m)
{
	const uint64_t known = CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_VM | CLONE_THREAD |
			       CLONE_SIGHAND | NAMESPACES;
	uint64_t flags = m->args[0];
	struct proc *caller = caller_of(m);
	struct tern_cred cred;

	if (!caller)
		return -ESRCH;
	if (flags & ~known)
		return -EINVAL;
	if (flags & NAMESPACES) {
		if (!caller_cred(m, &cred))
			return -ESRCH;
		return cred_capable(&cred, CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	}
	if (flags & ~(uint64_t)CLONE_SYSVSEM && !link_empty(&caller->threads))
		return -EINVAL;
	return flags & (CLONE_FILES | CLONE_FS) ? tern_process_unshare(caller->handle, flags) : 0;
}
