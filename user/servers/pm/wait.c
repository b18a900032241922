/* wait4 and waitid look for a child that has something to report, and park the call if none has
 * yet.
 *
 * A parked wait is in its process's list, and in a hash by token where CANCEL and GONE find it.  A
 * child's status is consumed only if the reply that carries it succeeded: if the waiting thread was
 * killed meanwhile, another one can still get the status.  The end, a stop and a continue of a
 * child are each reported once.
 */
#include "pm.h"
#include <string.h>

struct waiter {
	struct link link;
	struct waiter *hash_next;
	struct proc *proc;
	uint64_t token;
	uint32_t id, options;
	int idtype;
	bool waitid, want_info, want_status, want_usage;
	bool nonblock; /* the wait is by a pidfd with O_NONBLOCK */
};

#define BUCKETS 64
static struct waiter *by_token[BUCKETS];
static struct pool waiters;

static struct waiter **bucket(uint64_t token)
{
	return &by_token[(token ^ token >> 7) % BUCKETS];
}

static struct waiter *waiter_find(uint64_t token)
{
	struct waiter *w = *bucket(token);

	while (w && w->token != token)
		w = w->hash_next;
	return w;
}

static void waiter_free(struct waiter *w)
{
	struct waiter **at = bucket(w->token);

	while (*at != w)
		at = &(*at)->hash_next;
	*at = w->hash_next;
	link_remove(&w->link);
	pool_free(&waiters, w);
}

static void child_usage(const struct proc *child, struct rusage *u)
{
	struct rusage_sum sum = child->self;

	if (child->state != PROC_ZOMBIE)
		(void)usage_now(child, 0, &sum);
	usage_add(&sum, &child->reaped);
	usage_fill(u, &sum);
}

static void fill_info(siginfo_t *info, const struct proc *child, enum wait_event event)
{
	int signal = child->status & 0x7f;

	memset(info, 0, sizeof *info);
	info->si_signo = SIGCHLD;
	info->si_pid = (int32_t)child->pid;
	info->si_uid = child->uid;
	switch (event) {
	case WAIT_EXITED:
		info->si_code = signal == 0 ? CLD_EXITED
			     : child->status & TERN_W_COREFLAG ? CLD_DUMPED : CLD_KILLED;
		info->si_status = signal ? signal : (child->status >> 8) & 0xff;
		break;
	case WAIT_STOPPED:
		info->si_code = CLD_STOPPED;
		info->si_status = child->stop_signal;
		break;
	default:
		info->si_code = CLD_CONTINUED;
		info->si_status = SIGCONT;
		break;
	}
}

static int status_word(const struct proc *child, enum wait_event event)
{
	return event == WAIT_EXITED    ? child->status
	       : event == WAIT_STOPPED ? TERN_W_STOP(child->stop_signal)
				       : TERN_W_CONT;
}

static void consume(struct proc *child, enum wait_event event, uint32_t options)
{
	if (options & WNOWAIT)
		return;
	if (event == WAIT_EXITED)
		process_reap(child);
	else if (event == WAIT_STOPPED)
		child->report_stop = false;
	else
		child->report_continue = false;
}

/* Writes what the child has to report to the caller's memory; returns the wait's result.  If one
 * output cannot be written that is EFAULT, but the other is written all the same. */
static long report(const struct waiter *w, const struct proc *child, enum wait_event event)
{
	bool ok = true;

	if (w->waitid && w->want_info) {
		siginfo_t info;

		fill_info(&info, child, event);
		ok &= tern_copy_out(w->token, 0, 0, &info, sizeof info) == (long)sizeof info;
	} else if (w->want_status) {
		int32_t word = status_word(child, event);

		ok &= tern_copy_out(w->token, 0, 0, &word, sizeof word) == (long)sizeof word;
	}
	if (w->want_usage) {
		struct rusage u;

		child_usage(child, &u);
		ok &= tern_copy_out(w->token, 1, 0, &u, sizeof u) == (long)sizeof u;
	}
	if (!ok)
		return -EFAULT;
	return w->waitid ? 0 : (long)child->pid;
}

/* Answers a WNOHANG wait when no child has anything to report: 0, and an empty siginfo. */
static long report_nothing(const struct waiter *w)
{
	static const siginfo_t none;

	if (w->waitid && w->want_info &&
	    tern_copy_out(w->token, 0, 0, &none, sizeof none) != (long)sizeof none)
		return -EFAULT;
	return 0;
}

static long park(const struct waiter *w)
{
	struct waiter *kept;
	struct waiter **at = bucket(w->token);

	if (!waiters.size)
		pool_init(&waiters, sizeof(struct waiter));
	kept = pool_alloc(&waiters);
	if (!kept)
		return -ENOMEM;
	*kept = *w;
	kept->hash_next = *at;
	*at = kept;
	link_append(&w->proc->waiters, &kept->link);
	return SERVER_NO_REPLY;
}

static long wait_common(struct waiter *w)
{
	enum wait_event event;
	bool any;
	struct proc *child = wait_find(&pm.tree, w->proc, w->idtype, w->id, w->options, &event, &any);
	long r;

	if (!child) {
		if (!any)
			return -ECHILD;
		if (w->options & WNOHANG)
			return report_nothing(w);
		return w->nonblock ? -EAGAIN : park(w);
	}
	r = report(w, child, event);
	consume(child, event, w->options);
	return r;
}

long pm_wait4(struct tern_msg *m)
{
	int32_t pid = (int32_t)m->args[0];
	uint32_t options = (uint32_t)m->args[2];
	struct waiter w = { .proc = caller_of(m), .token = m->token };

	if (!w.proc)
		return -ESRCH;
	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WAIT_ALL | WAIT_CLONE | WAIT_NOTHREAD))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	w.options = options | WEXITED;
	w.want_status = m->args[1] != 0;
	w.want_usage = m->args[3] != 0;
	w.idtype = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	w.id = pid > 0 ? (uint32_t)pid : pid == 0 ? proc_pgid(w.proc) : (uint32_t)-pid;
	return wait_common(&w);
}

static long waitid(struct tern_msg *m, struct waiter *w)
{
	int32_t id = (int32_t)m->args[1];
	uint32_t options = (uint32_t)m->args[3];
	long r;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WAIT_ALL |
			WAIT_CLONE | WAIT_NOTHREAD))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	w->idtype = (int)m->args[0];
	switch (w->idtype) {
	case P_ALL:
		break;
	case P_PID:
		if (id <= 0)
			return -EINVAL;
		break;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		if (id == 0)
			id = (int32_t)proc_pgid(w->proc);
		break;
	case P_PIDFD:
		r = pidfd_wait_target(m, id, &w->nonblock);
		if (r < 0)
			return r;
		w->idtype = P_PID;
		id = (int32_t)r;
		break;
	default:
		return -EINVAL;
	}
	w->id = (uint32_t)id;
	w->options = options;
	w->want_usage = m->args[4] != 0;
	return wait_common(w);
}

/* waitid(2).  As on Linux, a call that fails writes an empty siginfo, too. */
long pm_waitid(struct tern_msg *m)
{
	struct waiter w = { .proc = caller_of(m), .token = m->token, .waitid = true };
	long r;

	if (!w.proc)
		return -ESRCH;
	w.want_info = m->args[2] != 0;
	r = waitid(m, &w);
	return r < 0 && r != SERVER_NO_REPLY && report_nothing(&w) < 0 ? -EFAULT : r;
}

void wait_wake(struct proc *parent)
{
	LINK_EACH_SAFE (l, &parent->waiters) {
		struct waiter *w = LINK_OF(l, struct waiter, link);
		enum wait_event event;
		bool any;
		struct proc *child =
			wait_find(&pm.tree, parent, w->idtype, w->id, w->options, &event, &any);
		long r;

		if (!child && any)
			continue;
		r = child ? report(w, child, event) : -ECHILD;
		if (child && event == WAIT_EXITED && !(w->options & WNOWAIT))
			pidmap_clear(child); /* before the waiter runs: it must not see the child */
		r = tern_reply(w->token, r);
		if (child && r != -ESRCH)
			consume(child, event, w->options);
		else if (child)
			pidmap_update(child);
		waiter_free(w);
	}
}

void wait_cancel(uint64_t badge, uint64_t token)
{
	struct waiter *w = waiter_find(token);

	(void)badge;
	if (!w) {
		(void)sleeper_ends(token, false);
		return;
	}
	waiter_free(w);
	tern_reply(token, -TERN_ECANCELLED);
}

void wait_gone(uint64_t badge, uint64_t token)
{
	struct waiter *w = waiter_find(token);

	(void)badge;
	if (w)
		waiter_free(w);
	else
		(void)sleeper_ends(token, true);
}

void wait_drop_all(struct proc *p)
{
	while (!link_empty(&p->waiters))
		waiter_free(LINK_OF(p->waiters.next, struct waiter, link));
}
