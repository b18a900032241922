/* prlimit64, getrlimit and setrlimit, as far as the kernel does not answer them itself (for another
 * process's limits, for instance). */
#include "pm.h"

static long set_limit(struct proc *p, const struct tern_cred *c, uint32_t which,
		      const struct tern_rlimit *old, const struct tern_rlimit *new)
{
	long r;

	if (new->cur > new->max)
		return -EINVAL;
	if (new->max > old->max && !cred_capable(c, CAP_SYS_RESOURCE))
		return -EPERM;
	if (which == RLIMIT_NOFILE && new->max > NR_OPEN)
		return -EPERM;
	r = tern_process_set(p->handle, TERN_PW_RLIMIT, which | 1 << 8, new->max);
	if (r >= 0)
		r = tern_process_set(p->handle, TERN_PW_RLIMIT, which, new->cur);
	if (r >= 0 && which == RLIMIT_CPU && !cpu_limit_changed(p))
		return -ENOMEM;
	return r;
}

static bool may_touch(const struct tern_cred *c, const struct tern_cred *t)
{
	return cred_capable(c, CAP_SYS_RESOURCE) ||
	       (c->uid == t->euid && c->uid == t->suid && c->uid == t->uid && c->gid == t->egid &&
		c->gid == t->sgid && c->gid == t->gid);
}

static long limits(struct tern_msg *m, int32_t pid, uint32_t which, int in_win, int out_win)
{
	struct tern_rlimit old, new;
	struct tern_process_stat st;
	struct tern_cred c;
	struct proc *p = pid == 0 ? caller_of(m) : proc_of_tid(&pm.tree, pid);
	long r = 0;

	if (in_win >= 0 &&
	    tern_copy_in(m->token, (unsigned)in_win, 0, &new, sizeof new) != (long)sizeof new)
		return -EFAULT;
	if (!p || p->handle < 0 || !caller_cred(m, &c) || tern_process_stat(p->handle, 0, &st) < 0)
		return -ESRCH;
	if (p->pid != TERN_MSG_PID(m->who) && !may_touch(&c, &st.cred))
		return -EPERM;
	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	old.cur = st.limits[which][0];
	old.max = st.limits[which][1];
	if (in_win >= 0) {
		if (p->state == PROC_SERVER)
			return -EPERM;
		r = set_limit(p, &c, which, &old, &new);
	}
	if (r >= 0 && out_win >= 0)
		r = server_out(m, (unsigned)out_win, &old, sizeof old, 0);
	return r;
}

long pm_prlimit64(struct tern_msg *m)
{
	return limits(m, (int32_t)m->args[0], (uint32_t)m->args[1], m->args[2] ? 0 : -1,
		      m->args[3] ? 1 : -1);
}

long pm_getrlimit(struct tern_msg *m)
{
	return limits(m, 0, (uint32_t)m->args[0], -1, 0);
}

long pm_setrlimit(struct tern_msg *m)
{
	return limits(m, 0, (uint32_t)m->args[0], 0, -1);
}
