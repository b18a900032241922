/* The contents of the files under /proc/<pid> and task/<tid>, in the formats of proc(5).
 *
 * They are made at the moment of reading, from what the kernel answers.  pm's tree adds parent,
 * group and session, and what was kept of a zombie. */
#include "proc_priv.h"
#include <string.h>
#include <server/proc.h>

#define UL(x) ((unsigned long)(x))
#define KB(bytes) UL((bytes) / 1024)

/* Fills *st with all that kernel and tree know of a process or thread.  If the kernel has no
 * answer (for pm itself), its part is zero. */
static void get_stat(struct proc *p, uint32_t tid, struct tern_process_stat *st)
{
	struct number *n = number_find(&pm.tree, tid);

	if (tern_process_stat(p->handle, tid == p->pid ? 0 : tid, st) < 0) {
		memset(st, 0, sizeof *st);
		st->state = 'S';
		memcpy(st->comm, p->pid == PID_PM ? "pm" : "?", 3);
	}
	/* The thread that reads this file waits for pm's answer; on Linux it would be running. */
	if (st->state == 'S' && pm.reader == tid)
		st->state = 'R';
	st->pid = p->pid;
	st->ppid = p->parent ? p->parent->pid : 0;
	st->pgid = proc_pgid(p);
	st->sid = proc_sid(p);
	st->comm[sizeof st->comm - 1] = 0;
	if (p->state == PROC_ZOMBIE) {
		st->state = 'Z';
		memcpy(st->comm, p->comm, sizeof p->comm);
		st->cred.uid = p->uid;
		st->cred.euid = st->cred.fsuid = p->euid;
		st->cred.suid = p->suid;
		st->cred.gid = st->cred.sgid = p->gid;
		st->cred.egid = st->cred.fsgid = p->egid;
	}
	if (n && n->thread_of == p && n->comm[0])
		memcpy(st->comm, n->comm, sizeof st->comm);
}

static const char *state_name(uint32_t state)
{
	switch (state) {
	case 'R': return "R (running)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 'Z': return "Z (zombie)";
	case 'X': return "X (dead)";
	}
	return "S (sleeping)";
}

/* Returns the size of the program's own code in whole pages (Linux's VmExe); what else is
 * executable counts as libraries (VmLib). */
static uint64_t size_code(const struct tern_process_stat *st)
{
	uint64_t n = ((st->layout.code_end + 4095) & ~4095ull) - (st->layout.code_start & ~4095ull);

	return n < st->size_exec ? n : st->size_exec;
}

static void status_memory(struct text *t, const struct tern_process_stat *st)
{
	text_printf(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8u kB\n",
		    KB(st->peak_vsize), KB(st->vsize), KB(st->size_locked), 0u);
	text_printf(t, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8u kB\n",
		    UL(st->peak_rss * 4), UL(st->rss * 4), UL(st->rss_anon * 4),
		    UL((st->rss - st->rss_anon) * 4), 0u);
	text_printf(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n",
		    KB(st->size_data), KB(st->size_stack), KB(size_code(st)),
		    KB(st->size_exec - size_code(st)));
	text_printf(t, "VmPTE:\t%8lu kB\nVmSwap:\t%8u kB\n", KB(st->size_pt), 0u);
}

static void status(struct text *t, struct proc *p, uint32_t tid)
{
	struct tern_process_stat st;

	get_stat(p, tid, &st);
	text_printf(t, "Name:\t%s\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n",
		    st.comm, state_name(st.state), st.pid, tid, st.ppid);
	text_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", st.cred.uid,
		    st.cred.euid, st.cred.suid, st.cred.fsuid, st.cred.gid, st.cred.egid,
		    st.cred.sgid, st.cred.fsgid, (st.nfds + 63) & ~63u);
	for (uint32_t i = 0; i < st.cred.ngroups && i < 32; i++)
		text_printf(t, "%u ", st.cred.groups[i]);
	text_printf(t, "\nNStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\n", st.pid, tid, st.pgid,
		    st.sid);
	if (p->state != PROC_ZOMBIE)
		status_memory(t, &st);
	text_printf(t, "Threads:\t%u\nSigQ:\t%lu/%lu\n", st.nthreads ? st.nthreads : 1,
		    UL(st.sig_queued), UL(st.limits[RLIMIT_SIGPENDING][0]));
	text_printf(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
		    UL(st.sig_pending), UL(st.sig_shared_pending), UL(st.sig_blocked),
		    UL(st.sig_ignored), UL(st.sig_caught));
	text_printf(t, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
		    UL(st.cred.cap_inheritable), UL(st.cred.cap_permitted),
		    UL(st.cred.cap_effective), UL(st.cred.cap_bounding), UL(p->ambient));
	text_printf(t, "NoNewPrivs:\t%d\nSeccomp:\t0\nCpus_allowed:\t%lx\nCpus_allowed_list:\t0-%u\n",
		    p->no_new_privs, UL(st.affinity), pm.boot.nharts ? pm.boot.nharts - 1 : 0);
	text_printf(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", UL(st.nvcsw),
		    UL(st.nivcsw));
}

static void stat(struct text *t, struct proc *p, uint32_t tid)
{
	struct tern_process_stat st;
	struct number *session;
	bool realtime;
	int priority;

	get_stat(p, tid, &st);
	session = number_find(&pm.tree, st.sid);
	if (p->state == PROC_ZOMBIE) {
		st.user_ns = p->self.user_ns;
		st.system_ns = p->self.system_ns;
		st.vsize = st.rss = 0;
	}
	realtime = st.policy == SCHED_FIFO || st.policy == SCHED_RR;
	priority = realtime ? -1 - (int)st.rt_prio : 20 + (int)st.nice;
	text_printf(t, "%u (%s) %c %u %u %u ", tid, st.comm, (char)st.state, st.ppid, st.pgid,
		    st.sid);
	text_printf(t, "%u %d %u ", session ? session->terminal : 0,
		    session && session->terminal ? (int)session->foreground : -1, p->state == PROC_SERVER ? 0x200000u : 0x400000u);
	text_printf(t, "%lu %lu %lu %lu %lu %lu %lu %lu ", UL(st.minflt), UL(p->reaped.minflt),
		    UL(st.majflt), UL(p->reaped.majflt), UL(TICKS(st.user_ns)),
		    UL(TICKS(st.system_ns)), UL(TICKS(p->reaped.user_ns)),
		    UL(TICKS(p->reaped.system_ns)));
	text_printf(t, "%d %d %u 0 %lu %lu %lu %lu ", priority, (int)st.nice,
		    st.nthreads ? st.nthreads : 1, UL(TICKS(st.start_ns)), UL(st.vsize), UL(st.rss),
		    UL(st.limits[RLIMIT_RSS][0]));
	text_printf(t, "%lu %lu %lu %lu %lu %lu %lu %lu %lu 0 0 0 %u %u %u %u 0 0 0 ",
		    UL(st.layout.code_start), UL(st.layout.code_end),
		    UL(st.layout.stack_start), UL(st.sp), UL(st.pc), UL(st.sig_pending & 0x7fffffff),
		    UL(st.sig_blocked & 0x7fffffff), UL(st.sig_ignored & 0x7fffffff),
		    UL(st.sig_caught & 0x7fffffff), p->exit_signal, st.hart, st.rt_prio, st.policy);
	text_printf(t, "0 0 %lu %lu %lu %lu %lu %d\n", UL(st.layout.brk_start), UL(st.layout.arg_start),
		    UL(st.layout.arg_end), UL(st.layout.env_start), UL(st.layout.env_end),
		    p->state == PROC_ZOMBIE ? p->status : 0);
}

static void statm(struct text *t, struct proc *p)
{
	struct tern_process_stat st;

	get_stat(p, p->pid, &st);
	if (p->state == PROC_ZOMBIE) {
		text_printf(t, "0 0 0 0 0 0 0\n");
		return;
	}
	text_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", UL(st.vsize / 4096), UL(st.rss),
		    UL(st.rss - st.rss_anon), UL(size_code(&st) / 4096),
		    UL((st.size_data + st.size_stack) / 4096));
}

/* Appends a range of the process's memory as it is. */
static void memory(struct text *t, struct proc *p, uint64_t from, uint64_t to)
{
	if (p->state == PROC_ZOMBIE || from == 0)
		return;
	while (from < to && !t->failed) {
		uint64_t n = to - from < 4096 ? to - from : 4096;
		char *room = text_room(t, n);
		long r = room ? tern_aspace_read(p->handle, from, room, n) : 0;

		if (r <= 0)
			return;
		t->length += (size_t)r;
		from += (uint64_t)r;
	}
}

static void cmdline(struct text *t, struct proc *p, bool env)
{
	struct tern_process_stat st;

	get_stat(p, p->pid, &st);
	if (env)
		memory(t, p, st.layout.env_start, st.layout.env_end);
	else
		memory(t, p, st.layout.arg_start, st.layout.arg_end);
}

static void limit_value(struct text *t, uint64_t v)
{
	if (v == RLIM_INFINITY)
		text_printf(t, "%-20s ", "unlimited");
	else
		text_printf(t, "%-20lu ", UL(v));
}

static void limits(struct text *t, struct proc *p)
{
	static const struct {
		const char *name, *unit;
	} rows[RLIM_NLIMITS] = {
		{ "Max cpu time", "seconds" },	     { "Max file size", "bytes" },
		{ "Max data size", "bytes" },	     { "Max stack size", "bytes" },
		{ "Max core file size", "bytes" },   { "Max resident set", "bytes" },
		{ "Max processes", "processes" },    { "Max open files", "files" },
		{ "Max locked memory", "bytes" },    { "Max address space", "bytes" },
		{ "Max file locks", "locks" },	     { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" },    { "Max nice priority", "" },
		{ "Max realtime priority", "" },     { "Max realtime timeout", "us" },
	};
	struct tern_process_stat st;

	get_stat(p, p->pid, &st);
	text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		text_printf(t, "%-25s ", rows[i].name);
		limit_value(t, st.limits[i][0]);
		limit_value(t, st.limits[i][1]);
		text_printf(t, "%-10s\n", rows[i].unit);
	}
}

static void comm(struct text *t, struct proc *p, uint32_t tid)
{
	struct tern_process_stat st;

	get_stat(p, tid, &st);
	text_printf(t, "%s\n", st.comm);
}

/* task/<tid>/children.  In Tern children belong to a process, so its first thread shows them
 * all. */
static void children(struct text *t, struct proc *p)
{
	LINK_EACH(l, &p->children)
		text_printf(t, "%u ", LINK_OF(l, struct proc, sibling)->pid);
}

static void wchan(struct text *t, struct proc *p, uint32_t tid)
{
	struct tern_process_stat st;

	get_stat(p, tid, &st);
	if (st.state == 'S' && (int32_t)st.syscall >= 0)
		text_printf(t, "syscall_%u", st.syscall);
	else
		text_printf(t, "0");
}

void proc_text_process(struct text *t, int number, struct proc *p, uint32_t tid)
{
	switch (number) {
	case TERN_PROC_PID_STATUS:
		status(t, p, p->pid);
		break;
	case TERN_PROC_TASK_STATUS:
		status(t, p, tid);
		break;
	case TERN_PROC_PID_STAT:
		stat(t, p, p->pid);
		break;
	case TERN_PROC_TASK_STAT:
		stat(t, p, tid);
		break;
	case TERN_PROC_PID_STATM:
	case TERN_PROC_TASK_STATM:
		statm(t, p);
		break;
	case TERN_PROC_PID_CMDLINE:
	case TERN_PROC_TASK_CMDLINE:
		cmdline(t, p, false);
		break;
	case TERN_PROC_PID_ENVIRON:
		cmdline(t, p, true);
		break;
	case TERN_PROC_PID_COMM:
		comm(t, p, p->pid);
		break;
	case TERN_PROC_TASK_COMM:
		comm(t, p, tid);
		break;
	case TERN_PROC_PID_SMAPS_ROLLUP:
		if (p->state != PROC_ZOMBIE)
			proc_text_rollup(t, p);
		break;
	case TERN_PROC_PID_LIMITS:
	case TERN_PROC_TASK_LIMITS:
		limits(t, p);
		break;
	case TERN_PROC_PID_AUXV:
		memory(t, p, p->auxv, p->auxv + p->auxv_size);
		break;
	case TERN_PROC_PID_WCHAN:
		wchan(t, p, p->pid);
		break;
	case TERN_PROC_TASK_WCHAN:
		wchan(t, p, tid);
		break;
	case TERN_PROC_PID_CGROUP:
	case TERN_PROC_TASK_CGROUP:
		text_printf(t, "0::/\n");
		break;
	case TERN_PROC_PID_OOM_SCORE:
	case TERN_PROC_TASK_OOM_SCORE:
		text_printf(t, "0\n");
		break;
	case TERN_PROC_TASK_CHILDREN:
		if (tid == p->pid)
			children(t, p);
		break;
	case TERN_PROC_PID_OOM_SCORE_ADJ:
		text_printf(t, "%d\n", p->oom_adj);
		break;
	case TERN_PROC_PID_TIMERSLACK:
		text_printf(t, "%lu\n", UL(p->number->slack));
		break;
	}
}

void proc_text_ptwalk(struct text *t, struct proc *p, uint64_t va)
{
	static const char *const flags = "VRWXUGAD";
	struct tern_walk w;
	uint32_t i;

	memset(&w, 0, sizeof w);
	if (p->state == PROC_ZOMBIE || tern_aspace_walk(p->handle, va, &w) < 0) {
		text_printf(t, "%016lx: no space\n", UL(va));
		return;
	}
	text_printf(t, "address %016lx  offset %03lx\n", UL(va), UL(va & 0xfff));
	/* The last line shows the entry at which the walk ended, also if it is not valid. */
	for (i = 0; i < 3 && w.level[i].table; i++) {
		char bits[9];

		for (int b = 0; b < 8; b++)
			bits[b] = w.level[i].entry >> b & 1 ? flags[b] : '-';
		bits[8] = 0;
		text_printf(t, "level %u  table %010lx  index %3u  entry %016lx  %s  ppn %09lx%s\n",
			    2 - i, UL(w.level[i].table), w.level[i].index, UL(w.level[i].entry),
			    bits, UL(w.level[i].entry >> 10 & 0xfffffffffff),
			    w.level[i].unlinked ? "  shared table, not linked" : "");
	}
	text_printf(t, "physical %010lx  access %c%c%c  references %u\n", UL(w.pa),
		    w.effective & 1 ? 'r' : '-', w.effective & 2 ? 'w' : '-',
		    w.effective & 4 ? 'x' : '-', w.refs);
}
