/* kill, tkill, tgkill and the sigqueue calls: who may signal whom, and signals to groups.
 *
 * There are three rules besides kill(2)'s.  pid 1 gets only signals that it catches or blocks.
 * Servers get none.  SIGTSTP, SIGTTIN and SIGTTOU are dropped for processes of an orphaned group
 * that neither catch nor block them.
 */
#include "pm.h"
#include <string.h>

#define STOP_SIGNALS (TERN_SIGBIT(SIGTSTP) | TERN_SIGBIT(SIGTTIN) | TERN_SIGBIT(SIGTTOU))

static bool deliverable(struct proc *p, int sig)
{
	struct tern_process_stat st;
	bool stop = sig <= SIGSYS && (TERN_SIGBIT(sig) & STOP_SIGNALS) != 0;

	if (p != pm.init && !(stop && group_orphaned(p->group, NULL)))
		return true;
	if (tern_process_stat(p->handle, 0, &st) < 0)
		return false;
	return ((st.sig_caught | st.sig_blocked) & TERN_SIGBIT(sig)) != 0;
}

long signal_post(struct proc *p, uint32_t tid, const siginfo_t *si)
{
	if (p->state != PROC_ALIVE || p->handle < 0)
		return 0;
	if (!deliverable(p, si->si_signo))
		return 0;
	return tern_signal_send(p->handle, tid, si);
}

void signal_process(struct proc *p, int sig)
{
	siginfo_t si = { .si_signo = sig, .si_code = SI_KERNEL };

	signal_post(p, 0, &si);
}

static void add_result(long r, long *result)
{
	/* One success makes the whole call a success; else its result is the first error. */
	if (r == 0)
		*result = 0;
	else if (*result == -ESRCH)
		*result = r;
}

/* Processes that get one signal by one operation of the kernel's (tern_signal_send_all), so that
 * none of them can act on it before the others have it. */
struct targets {
	siginfo_t info;
	long result;
	uint32_t n;
	int32_t handle[TERN_SIGNAL_MANY];
};

static void targets_send(struct targets *g)
{
	if (g->n)
		add_result(tern_signal_send_all(g->handle, g->n, &g->info), &g->result);
	g->n = 0;
}

static void targets_add(struct targets *g, struct proc *p)
{
	if (!g->info.si_signo || p->state != PROC_ALIVE || p->handle < 0 ||
	    !deliverable(p, g->info.si_signo)) {
		add_result(0, &g->result);
		return;
	}
	g->handle[g->n++] = p->handle;
	if (g->n == TERN_SIGNAL_MANY)
		targets_send(g);
}

void signal_group(struct number *group, int sig)
{
	struct targets g = { .info = { .si_signo = sig, .si_code = SI_KERNEL } };

	LINK_EACH_SAFE (l, &group->members)
		targets_add(&g, LINK_OF(l, struct proc, in_group));
	targets_send(&g);
}

void signal_if_orphaned(struct number *group, const struct proc *without)
{
	if (group && group_has_stopped(group) && group_orphaned(group, without)) {
		signal_group(group, SIGHUP);
		signal_group(group, SIGCONT);
	}
}

bool signal_parent(struct proc *p, int code, int status)
{
	siginfo_t si = { .si_signo = p->exit_signal, .si_code = code };
	struct proc *parent = p->parent;
	struct tern_process_stat st;
	bool ended = p->state == PROC_ZOMBIE;

	if (!parent || parent->state != PROC_ALIVE)
		return ended;
	if (!ended)
		si.si_signo = SIGCHLD;
	if (si.si_signo == 0)
		return false;
	si.si_pid = (int32_t)p->pid;
	si.si_uid = p->uid;
	si.si_status = status;
	si.si_utime = (int64_t)TICKS(p->self.user_ns);
	si.si_stime = (int64_t)TICKS(p->self.system_ns);
	/* The kernel answers 1 if SIGCHLD's action is SIG_IGN or has SA_NOCLDWAIT: the parent wants
	 * no zombies. */
	if (tern_signal_send(parent->handle, 0, &si) == 1)
		return ended;
	return ended && si.si_signo == SIGCHLD && tern_process_stat(parent->handle, 0, &st) == 0 &&
	       (st.sig_ignored & TERN_SIGBIT(SIGCHLD));
}

long signal_sender(struct sender *s, struct tern_msg *m, int sig, int code)
{
	s->proc = caller_of(m);
	if (!s->proc || !caller_cred(m, &s->cred))
		return -ESRCH;
	if (sig < 0 || sig > _NSIG)
		return -EINVAL;
	memset(&s->info, 0, sizeof s->info);
	s->info.si_signo = sig;
	s->info.si_code = code;
	s->info.si_pid = (int32_t)s->proc->pid;
	s->info.si_uid = s->cred.uid;
	return 0;
}

static bool may_signal(const struct sender *s, struct proc *p)
{
	return p == s->proc || kill_allowed(s->cred.euid, s->cred.uid, cred_capable(&s->cred, CAP_KILL),
					    proc_sid(s->proc), p, s->info.si_signo);
}

long signal_send_one(const struct sender *s, struct proc *p, uint32_t tid)
{
	if (!may_signal(s, p))
		return -EPERM;
	return s->info.si_signo == 0 ? 0 : signal_post(p, tid, &s->info);
}

static void targets_ask(struct targets *g, const struct sender *s, struct proc *p)
{
	if (may_signal(s, p))
		targets_add(g, p);
	else
		add_result(-EPERM, &g->result);
}

long signal_send_group(const struct sender *s, struct number *group)
{
	struct targets g = { .info = s->info, .result = -ESRCH };

	if (!group)
		return -ESRCH;
	LINK_EACH_SAFE (l, &group->members)
		targets_ask(&g, s, LINK_OF(l, struct proc, in_group));
	targets_send(&g);
	return g.result;
}

static long send_all(const struct sender *s)
{
	struct targets g = { .info = s->info, .result = -ESRCH };

	LINK_EACH_SAFE (l, &pm.tree.all) {
		struct proc *p = LINK_OF(l, struct proc, all);

		if (p != pm.init && p != s->proc)
			targets_ask(&g, s, p);
	}
	targets_send(&g);
	return g.result;
}

long pm_kill(struct tern_msg *m)
{
	int32_t pid = (int32_t)m->args[0];
	struct sender s;
	struct proc *p;
	long r = signal_sender(&s, m, (int)m->args[1], SI_USER);

	if (r < 0)
		return r;
	if (pid > 0) {
		p = proc_of_tid(&pm.tree, pid);
		return p ? signal_send_one(&s, p, 0) : -ESRCH;
	}
	if (pid == -1)
		return send_all(&s);
	if (pid == INT32_MIN)
		return -ESRCH;
	return signal_send_group(&s, pid == 0 ? s.proc->group : number_find(&pm.tree, -(int64_t)pid));
}

static long send_thread(const struct sender *s, int32_t tgid, int32_t tid)
{
	struct proc *p = proc_of_tid(&pm.tree, tid);

	if (!p || (tgid > 0 && p->pid != (uint32_t)tgid) ||
	    (p->state == PROC_ZOMBIE && p->pid != (uint32_t)tid))
		return -ESRCH;
	return signal_send_one(s, p, (uint32_t)tid);
}

long pm_tkill(struct tern_msg *m)
{
	struct sender s;
	long r;

	if ((int32_t)m->args[0] <= 0)
		return -EINVAL;
	r = signal_sender(&s, m, (int)m->args[1], SI_TKILL);
	return r < 0 ? r : send_thread(&s, 0, (int32_t)m->args[0]);
}

long pm_tgkill(struct tern_msg *m)
{
	struct sender s;
	long r;

	if ((int32_t)m->args[0] <= 0 || (int32_t)m->args[1] <= 0)
		return -EINVAL;
	r = signal_sender(&s, m, (int)m->args[2], SI_TKILL);
	return r < 0 ? r : send_thread(&s, (int32_t)m->args[0], (int32_t)m->args[1]);
}

/* Reads the siginfo of a sigqueue call.  Only if a thread signals itself may that say that the
 * signal is the kernel's or tkill's. */
static long take_info(struct sender *s, struct tern_msg *m, int sig, int32_t target)
{
	long r = signal_sender(s, m, sig, SI_QUEUE);

	if (r < 0)
		return r;
	if (tern_copy_in(m->token, 0, 0, &s->info, sizeof s->info) != (long)sizeof s->info)
		return -EFAULT;
	s->info.si_signo = sig;
	if ((s->info.si_code >= 0 || s->info.si_code == SI_TKILL) && (uint32_t)target != m->tid)
		return -EPERM;
	return 0;
}

long pm_rt_sigqueueinfo(struct tern_msg *m)
{
	struct sender s;
	struct proc *p;
	long r = take_info(&s, m, (int)m->args[1], (int32_t)m->args[0]);

	if (r < 0)
		return r;
	p = proc_of_tid(&pm.tree, (int32_t)m->args[0]);
	return p ? signal_send_one(&s, p, 0) : -ESRCH;
}

long pm_rt_tgsigqueueinfo(struct tern_msg *m)
{
	struct sender s;
	long r;

	if ((int32_t)m->args[0] <= 0 || (int32_t)m->args[1] <= 0)
		return -EINVAL;
	r = take_info(&s, m, (int)m->args[2], (int32_t)m->args[1]);
	return r < 0 ? r : send_thread(&s, (int32_t)m->args[0], (int32_t)m->args[1]);
}

long signal_group_method(struct tern_msg *m)
{
	struct number *group = number_find(&pm.tree, (int32_t)m->args[0]);
	int sig = (int)m->args[1];
	long n = 0;

	if (sig < 0 || sig > _NSIG)
		return -EINVAL;
	if (!group || link_empty(&group->members))
		return -ESRCH;
	if (sig && sig <= SIGSYS && (TERN_SIGBIT(sig) & STOP_SIGNALS) && group_orphaned(group, NULL))
		return -EIO;
	LINK_EACH_SAFE (l, &group->members)
		n++;
	if (sig)
		signal_group(group, sig);
	return n;
}
