/* The kernel's events about processes: exits, stops, continues, threads that ended; and the event
 * of pm's timer.
 *
 * EXITED comes when everything of the process has been given back.  Then pm, in this order, drops
 * the process's timers, waits and thread numbers; gives its children a new parent; makes it a
 * zombie; answers a parent that waits in vfork; makes its pidfds readable; signals groups that have
 * become orphaned; tells tty if a session has ended; and tells the parent.
 */
#include "pm.h"
#include <stdio.h>
#include <string.h>

static void power_off_failed(void)
{
	tern_power(1 << 8 | 2);
}

static void describe(char *buf, size_t n, int status)
{
	if ((status & 0x7f) == 0)
		snprintf(buf, n, "status %d", (status >> 8) & 0xff);
	else
		snprintf(buf, n, "signal %d", status & 0x7f);
}

static void server_died(struct proc *p, int status)
{
	static const char *const names[] = { [PID_PM] = "pm", [PID_VFS] = "vfs", [PID_TTY] = "tty",
					     [PID_PIPE] = "pipe" };
	const char *name = p->pid < sizeof names / sizeof names[0] ? names[p->pid] : NULL;
	char how[32];

	/* Restarting the server, with a fresh image in the same process object, would begin
	 * here. */
	describe(how, sizeof how, status);
	server_log("PANIC: server %s died (%s)", name ? name : "?", how);
	power_off_failed();
}

void process_reap(struct proc *p)
{
	struct proc *parent = p->parent;

	if (parent && parent->state == PROC_ALIVE) {
		struct rusage_sum sum = p->reaped;

		usage_add(&sum, &p->self);
		usage_add(&parent->reaped, &sum);
	}
	process_destroy(p);
}

/* Tells p's parent that p, a zombie, has ended; a parent that wants no zombies gets none. */
static void tell_parent(struct proc *p)
{
	struct proc *parent = p->parent;
	int status = p->status, signal = status & 0x7f;
	int code = signal == 0 ? CLD_EXITED : status & TERN_W_COREFLAG ? CLD_DUMPED : CLD_KILLED;
	bool unwanted = signal_parent(p, code, signal ? signal : (status >> 8) & 0xff);

	if (!parent || unwanted)
		process_destroy(p); /* nobody waits for p, so its times are added to nobody's */
	if (parent)
		wait_wake(parent);
}

static void give_children_away(struct proc *p)
{
	LINK_EACH_SAFE (l, &p->children) {
		struct proc *child = LINK_OF(l, struct proc, sibling);
		struct number *group = child->group;
		bool was_orphaned = group_orphaned(group, NULL);

		proc_set_parent(child, proc_reaper(p, pm.init));
		if (child->state == PROC_ZOMBIE) {
			child->exit_signal = SIGCHLD;
			tell_parent(child);
			continue;
		}
		child->exit_signal = SIGCHLD;
		tern_process_set(child->handle, TERN_PW_PPID, child->parent ? child->parent->pid : 0, 0);
		if (child->pdeathsig)
			signal_process(child, child->pdeathsig);
		if (!was_orphaned)
			signal_if_orphaned(group, NULL);
	}
}

static void ignore_answer(void *arg, long result, int handle)
{
	(void)arg;
	(void)result;
	if (handle >= 0)
		tern_close(handle);
}

static void session_ended(uint32_t sid)
{
	uint64_t args[6] = { sid, 0, 0, 0, 0, 0 };

	async_call(pm.tty, TERN_TTY_SESSION_END, 0, args, ignore_answer, NULL);
}

static void init_ended(int status)
{
	char how[32];

	describe(how, sizeof how, status);
	server_log("init exited with %s", how);
	power_off_failed();
}

static void exited(struct proc *p, int status)
{
	bool was_orphaned;

	if (p->state == PROC_SERVER) {
		server_died(p, status);
		return;
	}
	if (status == TERN_STATUS_NEVER_RAN) {
		/* The kernel has answered the fork that waited for the copy of the space; but a
		 * vfork's answer is kept by pm. */
		uint64_t token = p->vfork_token;

		process_destroy(p);
		if (token)
			tern_reply(token, -ENOMEM);
		return;
	}
	(void)usage_now(p, 0, &p->self);
	itimers_drop(p);
	ptimers_drop(p);
	wait_drop_all(p);
	while (!link_empty(&p->threads))
		thread_remove(&pm.tree, LINK_OF(p->threads.next, struct number, thread));
	if (p == pm.init) {
		init_ended(status);
		return;
	}
	was_orphaned = group_orphaned(p->group, NULL);
	p->status = status;
	/* The new parent of p's zombies may be waiting for p as well.  It is woken here and must
	 * not find p yet, as much is still to be done: so p becomes a zombie only afterwards. */
	give_children_away(p);
	proc_make_zombie(p);
	pidmap_update(p);
	vfork_release(p);
	pidfds_ended(p);
	if (!was_orphaned)
		signal_if_orphaned(p->group, p);
	if (proc_sid(p) == p->pid)
		session_ended(p->pid);
	tell_parent(p);
}

static void stopped(struct proc *p, int sig)
{
	if (p->state != PROC_ALIVE)
		return;
	p->stopped = true;
	p->stop_signal = (uint8_t)sig;
	p->report_stop = true;
	p->report_continue = false;
	signal_parent(p, CLD_STOPPED, sig);
	if (p->parent)
		wait_wake(p->parent);
}

static void continued(struct proc *p)
{
	if (p->state != PROC_ALIVE)
		return;
	p->stopped = false;
	p->report_stop = false;
	p->report_continue = true;
	signal_parent(p, CLD_CONTINUED, SIGCONT);
	if (p->parent)
		wait_wake(p->parent);
}

static void thread_ended(struct proc *p, uint64_t tid)
{
	struct number *n = number_find(&pm.tree, (int64_t)tid);

	if (n && n->thread_of == p)
		thread_remove(&pm.tree, n);
}

void pm_event(struct tern_msg *m)
{
	uint32_t op = TERN_MSG_OP(m->op);
	struct proc *p;

	if (op == TERN_EV_TIMER) {
		timers_run();
		return;
	}
	p = pool_lookup(&pm.procs, m->badge);
	if (!p)
		return;
	switch (op) {
	case TERN_EV_EXITED:
		exited(p, (int)m->args[0]);
		return;
	case TERN_EV_STOPPED:
		stopped(p, (int)m->args[0]);
		return;
	case TERN_EV_CONTINUED:
		continued(p);
		return;
	case TERN_EV_THREAD_EXITED:
		thread_ended(p, m->args[0]);
		return;
	}
}
