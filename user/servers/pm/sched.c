/* Priorities and scheduling policies: pm checks whether the caller may change them, and the
 * kernel's TERN_THREAD_SCHED changes them.
 *
 * A pid in these calls names a thread (0: the caller).  The rules are sched(7)'s: to change another
 * user's thread takes CAP_SYS_NICE; a real-time policy or a better priority takes CAP_SYS_NICE, or
 * a limit (RLIMIT_RTPRIO, RLIMIT_NICE) that allows it.
 */
#include "pm.h"
#include <string.h>

struct target {
	struct proc *proc;
	uint32_t tid;
	struct number *number; /* the thread's */
	struct tern_process_stat st; /* what the kernel says of the thread */
	struct tern_cred caller;
};

static long find(struct tern_msg *m, int32_t pid, struct target *t)
{
	if (pid < 0)
		return -EINVAL;
	if (!caller_cred(m, &t->caller))
		return -ESRCH;
	t->tid = pid == 0 ? (uint32_t)m->tid : (uint32_t)pid;
	t->proc = pid == 0 ? caller_of(m) : proc_of_tid(&pm.tree, pid);
	if (!t->proc || t->proc->handle < 0)
		return -ESRCH;
	t->number = number_find(&pm.tree, t->tid);
	if (!t->number)
		return -ESRCH;
	if (tern_process_stat(t->proc->handle, t->tid, &t->st) >= 0)
		return 0;
	/* If a process's first thread has ended, the process is asked about instead, as on
	 * Linux: the thread is there until somebody has waited for the process. */
	return t->tid == t->proc->pid && tern_process_stat(t->proc->handle, 0, &t->st) >= 0 ? 0 : -ESRCH;
}

static bool may_change(const struct target *t)
{
	return t->proc->state != PROC_SERVER &&
	       (t->caller.euid == t->st.cred.uid || t->caller.euid == t->st.cred.euid ||
		cred_capable(&t->caller, CAP_SYS_NICE));
}

static long set_policy(struct target *t, int policy, int prio, bool reset)
{
	bool realtime;
	long r;

	realtime = policy == SCHED_FIFO || policy == SCHED_RR;
	if (policy < 0 || policy > SCHED_IDLE || policy == SCHED_ISO)
		return -EINVAL;
	if (realtime ? prio < 1 || prio > 99 : prio != 0)
		return -EINVAL;
	if (!may_change(t))
		return -EPERM;
	if (realtime && !cred_capable(&t->caller, CAP_SYS_NICE) &&
	    (uint64_t)prio > t->st.limits[RLIMIT_RTPRIO][0] && (uint32_t)prio > t->st.rt_prio)
		return -EPERM;
	if (t->number->reset_on_fork && !reset && !cred_capable(&t->caller, CAP_SYS_NICE))
		return -EPERM;
	r = tern_thread_sched(t->proc->handle, t->tid, policy, prio, (int32_t)t->st.nice, 0);
	if (r == 0)
		t->number->reset_on_fork = reset;
	return r;
}

long pm_sched_setscheduler(struct tern_msg *m)
{
	struct target t;
	int32_t prio;
	long r;

	if ((int32_t)m->args[1] < 0 || m->args[2] == 0)
		return -EINVAL;
	if (tern_copy_in(m->token, 0, 0, &prio, sizeof prio) != (long)sizeof prio)
		return -EFAULT;
	r = find(m, (int32_t)m->args[0], &t);
	return r < 0 ? r : set_policy(&t, (int)m->args[1] & ~SCHED_RESET_ON_FORK, prio,
				      m->args[1] & SCHED_RESET_ON_FORK);
}

long pm_sched_setparam(struct tern_msg *m)
{
	struct target t;
	int32_t prio;
	long r;

	if (m->args[1] == 0)
		return -EINVAL;
	if (tern_copy_in(m->token, 0, 0, &prio, sizeof prio) != (long)sizeof prio)
		return -EFAULT;
	r = find(m, (int32_t)m->args[0], &t);
	return r < 0 ? r : set_policy(&t, (int)t.st.policy, prio, t.number->reset_on_fork);
}

long pm_sched_getscheduler(struct tern_msg *m)
{
	struct target t;
	long r = find(m, (int32_t)m->args[0], &t);

	if (r < 0)
		return r;
	return (long)t.st.policy | (t.number->reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long pm_sched_getparam(struct tern_msg *m)
{
	struct target t;
	int32_t prio;
	long r;

	if (m->args[1] == 0)
		return -EINVAL;
	r = find(m, (int32_t)m->args[0], &t);
	if (r < 0)
		return r;
	prio = (int32_t)t.st.rt_prio;
	return server_out(m, 0, &prio, sizeof prio, 0);
}

long pm_sched_rr_get_interval(struct tern_msg *m)
{
	struct tern_timespec ts = { 0, 100000000 };
	struct target t;
	long r = find(m, (int32_t)m->args[0], &t);

	if (r < 0)
		return r;
	if (t.st.policy == SCHED_FIFO)
		ts.tv_nsec = 0;
	return server_out(m, 0, &ts, sizeof ts, 0);
}

static uint64_t all_harts(void)
{
	return pm.boot.nharts >= 64 ? ~0ull : (1ull << pm.boot.nharts) - 1;
}

/* Finds the thread for a call that does not check the pid: a negative one is just not found. */
static long find_any(struct tern_msg *m, int32_t pid, struct target *t)
{
	return pid < 0 ? -ESRCH : find(m, pid, t);
}

long pm_sched_setaffinity(struct tern_msg *m)
{
	uint64_t mask = 0, n = m->args[1] < 8 ? m->args[1] : 8;
	struct target t;
	long r;

	if (n && tern_copy_in(m->token, 0, 0, &mask, n) != (long)n)
		return -EFAULT;
	r = find_any(m, (int32_t)m->args[0], &t);
	if (r < 0)
		return r;
	if (!may_change(&t))
		return -EPERM;
	mask &= all_harts();
	if (!mask)
		return -EINVAL;
	return tern_thread_sched(t.proc->handle, t.tid, -1, 0, (int32_t)t.st.nice, mask);
}

long pm_sched_getaffinity(struct tern_msg *m)
{
	struct target t;
	uint64_t mask;
	long r;

	if ((uint32_t)m->args[1] * 8ull < pm.boot.nharts || (m->args[1] & 7))
		return -EINVAL;
	r = find_any(m, (int32_t)m->args[0], &t);
	if (r < 0)
		return r;
	mask = t.st.affinity & all_harts();
	return server_out(m, 0, &mask, sizeof mask, sizeof mask);
}

static long priority_end(uint32_t policy, long of_real_time)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return of_real_time;
	return policy <= SCHED_EXT && policy != SCHED_ISO ? 0 : -EINVAL;
}

long pm_sched_get_priority_max(struct tern_msg *m)
{
	return priority_end((uint32_t)m->args[0], 99);
}

long pm_sched_get_priority_min(struct tern_msg *m)
{
	return priority_end((uint32_t)m->args[0], 1);
}

#define SCHED_FLAGS_KNOWN 0x7full

struct sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};
#define SCHED_ATTR_FIRST 48

static long set_nice(struct target *t, int nice)
{
	nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
	if (t->proc->state == PROC_SERVER)
		return -EPERM;
	if (t->caller.euid != t->st.cred.uid && t->caller.euid != t->st.cred.euid &&
	    !cred_capable(&t->caller, CAP_SYS_NICE))
		return -EPERM;
	if (nice < (int32_t)t->st.nice && !cred_capable(&t->caller, CAP_SYS_NICE) &&
	    (uint64_t)(20 - nice) > t->st.limits[RLIMIT_NICE][0])
		return -EACCES;
	return tern_thread_sched(t->proc->handle, t->tid, -1, 0, nice, 0);
}

long pm_sched_setattr(struct tern_msg *m)
{
	struct sched_attr a = { 0 };
	struct target t;
	uint8_t rest[256];
	uint32_t size;
	long r;

	if (m->args[1] == 0 || (int32_t)m->args[0] < 0 || m->args[2])
		return -EINVAL;
	if (tern_copy_in(m->token, 0, 0, &size, 4) != 4)
		return -EFAULT;
	if (size == 0)
		size = SCHED_ATTR_FIRST;
	if (size < SCHED_ATTR_FIRST || size > sizeof rest)
		return -E2BIG;
	if (tern_copy_in(m->token, 0, 0, rest, size) != (long)size)
		return -EFAULT;
	for (uint32_t i = sizeof a; i < size; i++)
		if (rest[i])
			return -E2BIG;
	memcpy(&a, rest, size < sizeof a ? size : sizeof a);
	r = find(m, (int32_t)m->args[0], &t);
	if (r < 0)
		return r;
	if ((int32_t)a.policy < 0 || a.policy > SCHED_IDLE || a.flags & ~SCHED_FLAGS_KNOWN)
		return -EINVAL;
	r = set_policy(&t, (int)a.policy, (int)a.priority, a.flags & SCHED_FLAG_RESET_ON_FORK);
	if (r == 0 && (a.policy == SCHED_NORMAL || a.policy == SCHED_BATCH) &&
	    a.nice != (int32_t)t.st.nice)
		r = set_nice(&t, a.nice);
	return r;
}

long pm_sched_getattr(struct tern_msg *m)
{
	struct sched_attr a = { .size = sizeof a };
	struct target t;
	uint32_t size = (uint32_t)m->args[2];
	long r;

	if (m->args[1] == 0 || size < SCHED_ATTR_FIRST || size > 4096 || m->args[3])
		return -EINVAL;
	r = find(m, (int32_t)m->args[0], &t);
	if (r < 0)
		return r;
	a.policy = t.st.policy;
	a.flags = t.number->reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	a.nice = (int32_t)t.st.nice;
	a.priority = t.st.rt_prio;
	if (size < sizeof a)
		a.size = size;
	else
		size = sizeof a;
	return server_out(m, 0, &a, size, 0);
}

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

/* Calls fn for each target of getpriority or setpriority.  ESRCH: there is none.  getpriority (arg
 * INT32_MAX) gets the largest result, setpriority 0 or the last error. */
static long each_priority(struct tern_msg *m, long (*fn)(struct target *, long), long arg)
{
	uint32_t which = (uint32_t)m->args[0];
	int32_t who = (int32_t)m->args[1];
	struct proc *caller = caller_of(m);
	struct target t;
	long r, result = -ESRCH;

	if (which > PRIO_USER)
		return -EINVAL;
	if (!caller || !caller_cred(m, &t.caller))
		return -ESRCH;
	if (which == PRIO_PROCESS) {
		r = find(m, who, &t);
		return r < 0 ? -ESRCH : fn(&t, arg);
	}
	if (which == PRIO_PGRP && who == 0)
		who = (int32_t)proc_pgid(caller);
	if (which == PRIO_USER && who == 0)
		who = (int32_t)t.caller.uid;
	LINK_EACH_SAFE (l, &pm.tree.all) {
		struct proc *p = LINK_OF(l, struct proc, all);

		if (p->state != PROC_ALIVE || p->handle < 0)
			continue;
		if (which == PRIO_PGRP ? proc_pgid(p) != (uint32_t)who : p->uid != (uint32_t)who)
			continue;
		t.proc = p;
		t.tid = p->pid;
		if (tern_process_stat(p->handle, 0, &t.st) < 0)
			continue;
		r = fn(&t, arg);
		if (result == -ESRCH || (arg == INT32_MAX ? r > result : r < 0))
			result = r;
	}
	return result;
}

static long one_set(struct target *t, long nice)
{
	return set_nice(t, (int)nice);
}

static long one_get(struct target *t, long arg)
{
	(void)arg;
	return 20 - (int32_t)t->st.nice;
}

long pm_setpriority(struct tern_msg *m)
{
	int32_t nice = (int32_t)m->args[2];

	return each_priority(m, one_set, nice < -20 ? -20 : nice > 19 ? 19 : nice);
}

long pm_getpriority(struct tern_msg *m)
{
	return each_priority(m, one_get, INT32_MAX);
}

/* ioprio_set(2).  The I/O priority is kept and can be asked for again, but nothing acts on it. */
long pm_ioprio_set(struct tern_msg *m)
{
	uint32_t which = (uint32_t)m->args[0], class = ((uint32_t)m->args[2] >> 13) & 7;
	int32_t who = (int32_t)m->args[1];
	struct proc *p;

	if (which < 1 || which > 3 || class > 3)
		return -EINVAL;
	if (class == 0 && (uint32_t)m->args[2] & 7) /* without a class there can be no level */
		return -EINVAL;
	if (which != 1)
		return 0;
	p = who == 0 ? caller_of(m) : proc_of_tid(&pm.tree, who);
	if (!p)
		return -ESRCH;
	p->ioprio = (uint32_t)m->args[2] & 0xffff;
	return 0;
}

long pm_ioprio_get(struct tern_msg *m)
{
	uint32_t which = (uint32_t)m->args[0];
	int32_t who = (int32_t)m->args[1];
	struct proc *p;

	if (which < 1 || which > 3)
		return -EINVAL;
	p = which != 1 || who == 0 ? caller_of(m) : proc_of_tid(&pm.tree, who);
	return p ? (long)p->ioprio : -ESRCH;
}
