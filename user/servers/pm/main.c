/* pm, the process manager: the table from operation to function, events, asynchronous calls.
 *
 * pm holds the process tree and decides all that is policy about processes: who may signal whom,
 * what waits return, what a program's space looks like at its start.  The kernel does the work.
 * It is one thread and never waits; the only answers it waits for are events.  State is in `pm`
 * and in pools; memory that runs out is -ENOMEM to the caller who asked.
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
	[25] = pm_fcntl,
	[30] = pm_ioprio_set,
	[31] = pm_ioprio_get,
	[56] = proc_open,  /* openat, forwarded by vfs */
	[62] = proc_lseek,
	[63] = proc_read,
	[64] = proc_write,
	[65] = proc_readv,
	[66] = proc_writev,
	[67] = proc_pread,
	[69] = proc_preadv,
	[82] = proc_fsync,
	[90] = pm_capget,
	[91] = pm_capset,
	[95] = pm_waitid,
	[97] = pm_unshare,
	[102] = pm_getitimer,
	[103] = pm_setitimer,
	[107] = pm_timer_create,
	[115] = pm_clock_nanosleep,
	[108] = pm_timer_gettime,
	[109] = pm_timer_getoverrun,
	[110] = pm_timer_settime,
	[111] = pm_timer_delete,
	[112] = pm_clock_settime,
	[116] = pm_syslog,
	[118] = pm_sched_setparam,
	[119] = pm_sched_setscheduler,
	[120] = pm_sched_getscheduler,
	[121] = pm_sched_getparam,
	[122] = pm_sched_setaffinity,
	[123] = pm_sched_getaffinity,
	[125] = pm_sched_get_priority_max,
	[126] = pm_sched_get_priority_min,
	[127] = pm_sched_rr_get_interval,
	[129] = pm_kill,
	[130] = pm_tkill,
	[131] = pm_tgkill,
	[138] = pm_rt_sigqueueinfo,
	[140] = pm_setpriority,
	[141] = pm_getpriority,
	[142] = pm_reboot,
	[143] = pm_setregid,
	[144] = pm_setgid,
	[145] = pm_setreuid,
	[146] = pm_setuid,
	[147] = pm_setresuid,
	[148] = pm_getresuid,
	[149] = pm_setresgid,
	[150] = pm_getresgid,
	[151] = pm_setfsuid,
	[152] = pm_setfsgid,
	[153] = pm_times,
	[154] = pm_setpgid,
	[155] = pm_getpgid,
	[156] = pm_getsid,
	[157] = pm_setsid,
	[158] = pm_getgroups,
	[159] = pm_setgroups,
	[160] = pm_uname,
	[161] = pm_sethostname,
	[162] = pm_setdomainname,
	[163] = pm_getrlimit,
	[164] = pm_setrlimit,
	[165] = pm_getrusage,
	[167] = pm_prctl,
	[170] = pm_settimeofday,
	[171] = pm_adjtimex,
	[179] = pm_sysinfo,
	[220] = pm_clone,
	[221] = pm_execve,
	[235] = pm_mbind,
	[236] = pm_get_mempolicy,
	[237] = pm_set_mempolicy,
	[240] = pm_rt_tgsigqueueinfo,
	[258] = pm_riscv_hwprobe,
	[260] = pm_wait4,
	[261] = pm_prlimit64,
	[266] = pm_clock_adjtime,
	[268] = refuse_setns,
	[274] = pm_sched_setattr,
	[275] = pm_sched_getattr,
	[281] = pm_execveat,
	[286] = proc_preadv2,
	[424] = pm_pidfd_send_signal,
	[434] = pm_pidfd_open,
	[438] = pm_pidfd_getfd,
	[435] = pm_clone3,
	[437] = proc_open, /* openat2 likewise */
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
