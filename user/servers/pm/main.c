/* pm, the process manager: the table from call number to function, events, asynchronous calls.
 *
 * pm holds the process tree and decides what is policy about processes: who may signal whom, what
 * waits return, what a program's space looks like at its start.  The kernel does the work.  pm is
 * one thread and never blocks for another server: answers to its own calls come as events.  State
 * is in `pm` and in pools; when memory is out, the caller who asked for more gets ENOMEM.
 */
#include "pm.h"
#include <string.h>

const char server_name[] = "pm";
const bool server_heap_bounded = false;
struct pm pm;

struct async {
	async_fn fn;
	void *arg;
};
static struct pool asyncs;

struct proc *caller_of(const struct tern_msg *m)
{
	struct proc *p = proc_find(&pm.tree, TERN_MSG_PID(m->who));

	return p && p->state == PROC_ALIVE ? p : NULL;
}

bool caller_cred(const struct tern_msg *m, struct tern_cred *c)
{
	struct tern_caller info;

	if (tern_caller(m->token, &info) < 0)
		return false;
	*c = info.cred;
	return true;
}

bool cred_capable(const struct tern_cred *c, int cap)
{
	return (c->cap_effective >> cap) & 1;
}

long async_call(int session, uint32_t op, uint64_t subject, const uint64_t args[6], async_fn fn,
		void *arg)
{
	struct async *a = pool_alloc(&asyncs);
	long r;

	if (!a)
		return -ENOMEM;
	a->fn = fn;
	a->arg = arg;
	r = tern_call_async(pool_badge(&asyncs, a), session, op, subject, args);
	if (r < 0)
		pool_free(&asyncs, a);
	return r < 0 ? r : 0;
}

static void on_done(uint64_t cookie, long result, int handle, int handle2)
{
	struct async *a = pool_lookup(&asyncs, cookie), copy;

	if (handle2 >= 0)
		tern_close(handle2);
	if (!a) {
		if (handle >= 0)
			tern_close(handle);
		return;
	}
	copy = *a;
	pool_free(&asyncs, a);
	copy.fn(copy.arg, result, handle);
}

void pidmap_update(const struct proc *p)
{
	struct tern_pid_entry *e;

	if (!pm.pidmap || p->pid >= TERN_PID_MAX)
		return;
	e = &pm.pidmap[p->pid];
	e->uid = p->undumpable ? 0 : p->euid;
	e->gid = p->undumpable ? 0 : p->egid;
	e->exe = p->exe;
	e->state = p->state == PROC_ZOMBIE ? 2 : p->state == PROC_SERVER ? 3 : 1;
}

void pidmap_clear(const struct proc *p)
{
	if (pm.pidmap)
		pm.pidmap[p->pid] = (struct tern_pid_entry){ 0 };
}

static long method(struct tern_msg *m)
{
	struct proc *p;

	if (m->badge != TERN_BADGE_FROM_TTY && m->badge != TERN_BADGE_FROM_VFS &&
	    m->badge != TERN_BADGE_FROM_PIPE)
		return -ENOSYS;
	switch (TERN_MSG_OP(m->op)) {
	case TERN_PM_SIGNAL_GROUP:
		return signal_group_method(m);
	case TERN_PM_TERMINAL:
		return session_terminal(m);
	case TERN_PM_SESSION_TTY:
		p = proc_find(&pm.tree, (int32_t)m->args[0]);
		return p ? (long)proc_sid(p) : -ESRCH;
	}
	return -ENOSYS;
}

static long refuse_setns(struct tern_msg *m)
{
	(void)m;
	return -EINVAL;
}

static long proc_fsync(struct tern_msg *m)
{
	(void)m;
	return -EINVAL;
}

static const server_handler calls[512] = {
	[__NR_fcntl] = pm_fcntl,
	[__NR_ioprio_set] = pm_ioprio_set,
	[__NR_ioprio_get] = pm_ioprio_get,
	[__NR_openat] = proc_open, /* vfs forwards opens of files of /proc */
	[__NR_lseek] = proc_lseek,
	[__NR_read] = proc_read,
	[__NR_write] = proc_write,
	[__NR_readv] = proc_readv,
	[__NR_writev] = proc_writev,
	[__NR_pread64] = proc_pread,
	[__NR_preadv] = proc_preadv,
	[__NR_fsync] = proc_fsync,
	[__NR_capget] = pm_capget,
	[__NR_capset] = pm_capset,
	[__NR_waitid] = pm_waitid,
	[__NR_unshare] = pm_unshare,
	[__NR_getitimer] = pm_getitimer,
	[__NR_setitimer] = pm_setitimer,
	[__NR_timer_create] = pm_timer_create,
	[__NR_clock_nanosleep] = pm_clock_nanosleep,
	[__NR_clock_gettime] = pm_clock_gettime,
	[__NR_clock_getres] = pm_clock_getres,
	[__NR_gettimeofday] = pm_gettimeofday,
	[__NR_timer_gettime] = pm_timer_gettime,
	[__NR_timer_getoverrun] = pm_timer_getoverrun,
	[__NR_timer_settime] = pm_timer_settime,
	[__NR_timer_delete] = pm_timer_delete,
	[__NR_clock_settime] = pm_clock_settime,
	[__NR_syslog] = pm_syslog,
	[__NR_sched_setparam] = pm_sched_setparam,
	[__NR_sched_setscheduler] = pm_sched_setscheduler,
	[__NR_sched_getscheduler] = pm_sched_getscheduler,
	[__NR_sched_getparam] = pm_sched_getparam,
	[__NR_sched_setaffinity] = pm_sched_setaffinity,
	[__NR_sched_getaffinity] = pm_sched_getaffinity,
	[__NR_sched_get_priority_max] = pm_sched_get_priority_max,
	[__NR_sched_get_priority_min] = pm_sched_get_priority_min,
	[__NR_sched_rr_get_interval] = pm_sched_rr_get_interval,
	[__NR_kill] = pm_kill,
	[__NR_tkill] = pm_tkill,
	[__NR_tgkill] = pm_tgkill,
	[__NR_rt_sigqueueinfo] = pm_rt_sigqueueinfo,
	[__NR_setpriority] = pm_setpriority,
	[__NR_getpriority] = pm_getpriority,
	[__NR_reboot] = pm_reboot,
	[__NR_setregid] = pm_setregid,
	[__NR_setgid] = pm_setgid,
	[__NR_setreuid] = pm_setreuid,
	[__NR_setuid] = pm_setuid,
	[__NR_setresuid] = pm_setresuid,
	[__NR_getresuid] = pm_getresuid,
	[__NR_setresgid] = pm_setresgid,
	[__NR_getresgid] = pm_getresgid,
	[__NR_setfsuid] = pm_setfsuid,
	[__NR_setfsgid] = pm_setfsgid,
	[__NR_times] = pm_times,
	[__NR_setpgid] = pm_setpgid,
	[__NR_getpgid] = pm_getpgid,
	[__NR_getsid] = pm_getsid,
	[__NR_setsid] = pm_setsid,
	[__NR_getgroups] = pm_getgroups,
	[__NR_setgroups] = pm_setgroups,
	[__NR_uname] = pm_uname,
	[__NR_sethostname] = pm_sethostname,
	[__NR_setdomainname] = pm_setdomainname,
	[__NR_getrlimit] = pm_getrlimit,
	[__NR_setrlimit] = pm_setrlimit,
	[__NR_getrusage] = pm_getrusage,
	[__NR_prctl] = pm_prctl,
	[__NR_settimeofday] = pm_settimeofday,
	[__NR_adjtimex] = pm_adjtimex,
	[__NR_sysinfo] = pm_sysinfo,
	[__NR_clone] = pm_clone,
	[__NR_execve] = pm_execve,
	[__NR_mbind] = pm_mbind,
	[__NR_get_mempolicy] = pm_get_mempolicy,
	[__NR_set_mempolicy] = pm_set_mempolicy,
	[__NR_rt_tgsigqueueinfo] = pm_rt_tgsigqueueinfo,
	[__NR_riscv_hwprobe] = pm_riscv_hwprobe,
	[__NR_wait4] = pm_wait4,
	[__NR_prlimit64] = pm_prlimit64,
	[__NR_clock_adjtime] = pm_clock_adjtime,
	[__NR_setns] = refuse_setns,
	[__NR_sched_setattr] = pm_sched_setattr,
	[__NR_sched_getattr] = pm_sched_getattr,
	[__NR_execveat] = pm_execveat,
	[__NR_preadv2] = proc_preadv2,
	[__NR_pidfd_send_signal] = pm_pidfd_send_signal,
	[__NR_pidfd_open] = pm_pidfd_open,
	[__NR_pidfd_getfd] = pm_pidfd_getfd,
	[__NR_clone3] = pm_clone3,
	[__NR_openat2] = proc_open, /* likewise */
};

static const struct server_ops ops = {
	.calls = calls,
	.method = method,
	.closed = pm_closed,
	.cancel = wait_cancel,
	.gone = wait_gone,
	.done = on_done,
	.event = pm_event,
};

int main(void)
{
	tree_init(&pm.tree);
	pool_init(&pm.procs, sizeof(struct proc));
	pool_init(&asyncs, sizeof(struct async));
	pm.cad_enabled = true;
	timer_init();
	proc_files_init();
	boot();
	loadavg_init();
	init_start();
	server_run(&ops);
}
