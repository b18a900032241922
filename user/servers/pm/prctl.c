/* prctl(2): attributes of a process or thread.  What pointers point at is reached through window 0,
 * which is the caller's whole space: the offsets are addresses. */
#include "pm.h"
#include <linux/prctl.h>
#include <string.h>

static long put_int(struct tern_msg *m, int32_t v)
{
	return tern_copy_out(m->token, 0, m->args[1], &v, sizeof v) == (long)sizeof v ? 0 : -EFAULT;
}

static long set_name(struct tern_msg *m, struct proc *p)
{
	struct number *n = number_find(&pm.tree, (int64_t)m->tid);
	char name[16] = { 0 };
	uint64_t w[2];
	long r;

	/* The string may be shorter than 15 bytes and lie at the end of the last mapped page: then
	 * fewer bytes come, but its NUL is among them. */
	r = tern_copy_in(m->token, 0, m->args[1], name, 15);
	if (r <= 0 || (r < 15 && !memchr(name, 0, (size_t)r)))
		return -EFAULT;
	memset(name + strlen(name), 0, sizeof name - strlen(name));
	if (n && n->thread_of == p) {
		memcpy(n->comm, name, sizeof name);
		return 0;
	}
	memcpy(p->comm, name, sizeof name);
	memcpy(w, name, sizeof w);
	return tern_process_set(p->handle, TERN_PW_COMM, w[0], w[1]);
}

static long get_name(struct tern_msg *m, struct proc *p)
{
	struct number *n = number_find(&pm.tree, (int64_t)m->tid);
	struct tern_process_stat st;
	const char *name = st.comm;

	if (n && n->thread_of == p && n->comm[0])
		name = n->comm;
	else if (tern_process_stat(p->handle, 0, &st) < 0)
		return -ESRCH;
	return tern_copy_out(m->token, 0, m->args[1], name, 16) == 16 ? 0 : -EFAULT;
}

/* TERN_PR_SERVE: gives or takes the process's right to serve (TERN_AUTH_SERVE).  It needs
 * CAP_SYS_ADMIN; there is no other way for a program to get the right. */
static long set_serve(struct tern_msg *m, struct proc *p)
{
	struct tern_cred c;

	if (m->args[1] > 1 || m->args[2] || m->args[3] || m->args[4])
		return -EINVAL;
	if (!caller_cred(m, &c))
		return -ESRCH;
	if (!cred_capable(&c, CAP_SYS_ADMIN))
		return -EPERM;
	return tern_process_set(p->handle, TERN_PW_SERVE, m->args[1], 0);
}

static long drop_bounding(struct tern_msg *m)
{
	struct tern_cred c;

	if (!caller_cred(m, &c))
		return -ESRCH;
	if (m->args[1] > CAP_LAST_CAP)
		return -EINVAL;
	if (!cred_capable(&c, CAP_SETPCAP))
		return -EPERM;
	c.cap_bounding &= ~(1ull << m->args[1]);
	return tern_cred_set(m->token, &c);
}

static long read_bounding(struct tern_msg *m)
{
	struct tern_cred c;

	if (m->args[1] > CAP_LAST_CAP)
		return -EINVAL;
	return caller_cred(m, &c) ? (long)(c.cap_bounding >> m->args[1] & 1) : -ESRCH;
}

enum { AMBIENT_IS_SET = 1, AMBIENT_RAISE, AMBIENT_LOWER, AMBIENT_CLEAR_ALL };

/* PR_CAP_AMBIENT.  Only a capability that is permitted and inheritable can become ambient. */
static long ambient(struct tern_msg *m, struct proc *p)
{
	uint64_t op = m->args[1], cap = m->args[2], bit;
	struct tern_cred c;

	if (m->args[3] || m->args[4] || (op == AMBIENT_CLEAR_ALL ? cap != 0 : cap > CAP_LAST_CAP))
		return -EINVAL;
	if (!caller_cred(m, &c))
		return -ESRCH;
	bit = op == AMBIENT_CLEAR_ALL ? 0 : 1ull << cap;
	switch (op) {
	case AMBIENT_IS_SET:
		return (p->ambient & bit) != 0;
	case AMBIENT_RAISE:
		if (!(c.cap_permitted & c.cap_inheritable & bit))
			return -EPERM;
		p->ambient |= bit;
		return 0;
	case AMBIENT_LOWER:
		p->ambient &= ~bit;
		return 0;
	case AMBIENT_CLEAR_ALL:
		p->ambient = 0;
		return 0;
	default:
		return -EINVAL;
	}
}

long pm_prctl(struct tern_msg *m)
{
	struct number *n = number_find(&pm.tree, (int64_t)m->tid);
	struct proc *p = caller_of(m);
	uint64_t a = m->args[1];
	bool rest = m->args[2] || m->args[3] || m->args[4];

	if (!p)
		return -ESRCH;
	switch ((int32_t)m->args[0]) {
	case PR_SET_PDEATHSIG:
		if (a > _NSIG)
			return -EINVAL;
		p->pdeathsig = (uint8_t)a;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_int(m, p->pdeathsig);
	case PR_GET_DUMPABLE:
		return p->undumpable ? 0 : 1;
	case PR_SET_DUMPABLE:
		if (a > 1)
			return -EINVAL;
		p->undumpable = a == 0;
		pidmap_update(p);
		return 0;
	case PR_GET_KEEPCAPS:
		return p->keep_caps;
	case PR_SET_KEEPCAPS:
		if (a > 1)
			return -EINVAL;
		p->keep_caps = a != 0;
		return 0;
	case PR_GET_TIMING:
	case PR_GET_SECCOMP:
	case PR_GET_SECUREBITS:
		return 0;
	case PR_SET_TIMING:
		return a == 0 ? 0 : -EINVAL;
	case PR_SET_NAME:
		return set_name(m, p);
	case PR_GET_NAME:
		return get_name(m, p);
	case PR_CAPBSET_READ:
		return read_bounding(m);
	case PR_CAPBSET_DROP:
		return drop_bounding(m);
	case PR_SET_TIMERSLACK:
		if (!n)
			return -ESRCH;
		n->slack = (int64_t)a > 0 ? a : n->default_slack;
		return 0;
	case PR_GET_TIMERSLACK:
		return n ? (long)(n->slack < INT64_MAX ? n->slack : INT64_MAX) : -ESRCH;
	case PR_SET_CHILD_SUBREAPER:
		p->subreaper = a != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_int(m, p->subreaper);
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1 || rest)
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a || rest ? -EINVAL : p->no_new_privs;
	case PR_SET_THP_DISABLE:
		if (rest)
			return -EINVAL;
		p->no_huge = a != 0;
		return tern_process_set(p->handle, TERN_PW_NO_HUGE, a != 0, 0);
	case PR_GET_THP_DISABLE:
		return a || rest ? -EINVAL : p->no_huge;
	case PR_CAP_AMBIENT:
		return ambient(m, p);
	case TERN_PR_SERVE:
		return set_serve(m, p);
	case PR_SET_VMA:
		return a == 0 ? 0 : -EINVAL; /* gives a mapping a name, which nothing shows */
	}
	return -EINVAL;
}
