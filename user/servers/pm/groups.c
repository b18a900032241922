/* setpgid, getpgid, setsid, getsid: tree.c has the rules; the kernel is told the new numbers, of
 * which it keeps a copy. */
#include "pm.h"

static void store(struct proc *p)
{
	tern_process_set(p->handle, TERN_PW_PGID, proc_pgid(p), 0);
	tern_process_set(p->handle, TERN_PW_SID, proc_sid(p), 0);
}

long pm_setpgid(struct tern_msg *m)
{
	int32_t pid = (int32_t)m->args[0];
	struct proc *caller = caller_of(m), *p;
	long r;

	if (!caller)
		return -ESRCH;
	r = tree_setpgid(&pm.tree, caller, pid, (int32_t)m->args[1]);
	if (r < 0)
		return r;
	p = pid == 0 ? caller : proc_find(&pm.tree, pid);
	if (p && p->state == PROC_ALIVE)
		store(p);
	return 0;
}

long pm_setsid(struct tern_msg *m)
{
	struct proc *caller = caller_of(m);
	long r;

	if (!caller)
		return -ESRCH;
	r = tree_setsid(&pm.tree, caller);
	if (r >= 0)
		store(caller);
	return r;
}

static struct proc *named(struct tern_msg *m)
{
	int32_t pid = (int32_t)m->args[0];

	return pid == 0 ? caller_of(m) : proc_of_tid(&pm.tree, pid);
}

long pm_getpgid(struct tern_msg *m)
{
	struct proc *p = named(m);

	return p ? (long)proc_pgid(p) : -ESRCH;
}

long pm_getsid(struct tern_msg *m)
{
	struct proc *p = named(m);

	return p ? (long)proc_sid(p) : -ESRCH;
}

/* TERN_PM_TERMINAL: tty says which terminal a session has and its foreground group, for /proc. */
long session_terminal(struct tern_msg *m)
{
	struct number *n = number_find(&pm.tree, (int64_t)m->args[0]);

	if (m->badge != TERN_BADGE_FROM_TTY || !n)
		return -ESRCH;
	n->terminal = (uint32_t)m->args[1];
	n->foreground = (uint32_t)m->args[2];
	return 0;
}
