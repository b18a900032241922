/* What processes have used of CPU time and memory: getrusage, times, and the usage that wait4 and
 * waitid report. */
#include "pm.h"
#include <string.h>

static void timeval_from(struct tern_timeval *tv, uint64_t ns)
{
	tv->tv_sec = (int64_t)(ns / NSEC);
	tv->tv_usec = (int64_t)(ns % NSEC / 1000);
}

void usage_add(struct rusage_sum *to, const struct rusage_sum *from)
{
	to->user_ns += from->user_ns;
	to->system_ns += from->system_ns;
	to->minflt += from->minflt;
	to->majflt += from->majflt;
	to->nvcsw += from->nvcsw;
	to->nivcsw += from->nivcsw;
	if (from->maxrss_pages > to->maxrss_pages)
		to->maxrss_pages = from->maxrss_pages;
}

long usage_now(const struct proc *p, uint32_t tid, struct rusage_sum *sum)
{
	struct tern_process_stat st;
	long r = tern_process_stat(p->handle, tid, &st);

	memset(sum, 0, sizeof *sum);
	if (r < 0)
		return r;
	sum->user_ns = st.user_ns;
	sum->system_ns = st.system_ns;
	sum->minflt = st.minflt;
	sum->majflt = st.majflt;
	sum->nvcsw = st.nvcsw;
	sum->nivcsw = st.nivcsw;
	sum->maxrss_pages = st.peak_rss;
	return 0;
}

void usage_fill(struct rusage *u, const struct rusage_sum *sum)
{
	memset(u, 0, sizeof *u);
	timeval_from(&u->utime, sum->user_ns);
	timeval_from(&u->stime, sum->system_ns);
	u->maxrss = (int64_t)sum->maxrss_pages * 4;
	u->minflt = (int64_t)sum->minflt;
	u->majflt = (int64_t)sum->majflt;
	u->nvcsw = (int64_t)sum->nvcsw;
	u->nivcsw = (int64_t)sum->nivcsw;
}

enum { USAGE_CHILDREN = -1, USAGE_SELF, USAGE_THREAD };

long pm_getrusage(struct tern_msg *m)
{
	struct proc *p = caller_of(m);
	int32_t who = (int32_t)m->args[0];
	struct rusage_sum sum;
	struct rusage u;

	if (who < USAGE_CHILDREN || who > USAGE_THREAD)
		return -EINVAL;
	if (!p)
		return -ESRCH;
	sum = p->reaped;
	if (who != USAGE_CHILDREN && usage_now(p, who == USAGE_THREAD ? (uint32_t)m->tid : 0, &sum) < 0)
		return -ESRCH;
	usage_fill(&u, &sum);
	return server_out(m, 0, &u, sizeof u, 0);
}

long pm_times(struct tern_msg *m)
{
	long ticks = (long)TICKS(tern_clock_ns(TERN_CLOCK_MONOTONIC));
	struct proc *p = caller_of(m);
	struct rusage_sum sum;
	uint64_t times[4];

	if (!p || usage_now(p, 0, &sum) < 0)
		return -ESRCH;
	times[0] = TICKS(sum.user_ns);
	times[1] = TICKS(sum.system_ns);
	times[2] = TICKS(p->reaped.user_ns);
	times[3] = TICKS(p->reaped.system_ns);
	return m->args[0] ? server_out(m, 0, times, sizeof times, ticks) : ticks;
}
