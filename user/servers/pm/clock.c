/* Setting the real-time clock, and who must hear of it: the kernel's sleepers do by the operation
 * itself, timers of ours are armed anew, and the pipe server, whose the timerfds are, ends the call. */
#include "pm.h"
#include <string.h>

#define CLOCK_SGI_CYCLE 10
#define CLOCK_TAI 11
#define SECONDS_MAX ((int64_t)(INT64_MAX / NSEC - 30ull * 365 * 24 * 3600)) /* Linux's limit */

static long set_clock(struct tern_msg *m, uint64_t ns)
{
	struct tern_cred c;

	if (!caller_cred(m, &c))
		return -ESRCH;
	if (!cred_capable(&c, CAP_SYS_TIME))
		return -EPERM;
	if (ns < tern_clock_ns(TERN_CLOCK_MONOTONIC))
		return -EINVAL;
	tern_clock_set(ns);
	ptimers_clock_set();
	return tern_forward(m->token, pm.pipe, 0, 0, -1) < 0 ? 0 : SERVER_NO_REPLY;
}

long pm_clock_settime(struct tern_msg *m)
{
	struct tern_timespec ts;

	if ((int32_t)m->args[0] != TERN_CLOCK_REALTIME)
		return -EINVAL;
	if (tern_copy_in(m->token, 0, 0, &ts, sizeof ts) != (long)sizeof ts)
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_sec >= SECONDS_MAX || (uint64_t)ts.tv_nsec >= NSEC)
		return -EINVAL;
	return set_clock(m, (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec);
}

long pm_settimeofday(struct tern_msg *m)
{
	struct tern_timeval tv = { 0 };
	uint64_t zone;

	if (m->args[0]) {
		if (tern_copy_in(m->token, 0, 0, &tv, sizeof tv) != (long)sizeof tv)
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_sec >= SECONDS_MAX || (uint64_t)tv.tv_usec > 1000000)
			return -EINVAL;
	}
	if (m->args[1] && tern_copy_in(m->token, 1, 0, &zone, sizeof zone) != (long)sizeof zone)
		return -EFAULT;
	if (!m->args[0]) {
		struct tern_cred c;

		if (!caller_cred(m, &c))
			return -ESRCH;
		return cred_capable(&c, CAP_SYS_TIME) ? 0 : -EPERM;
	}
	return set_clock(m, (uint64_t)tv.tv_sec * NSEC + (uint64_t)tv.tv_usec * 1000);
}

/* struct timex, as far as reading it makes sense: nothing disciplines the clock. */
struct timex {
	uint32_t modes, pad0;
	int64_t offset, freq, maxerror, esterror;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct tern_timeval time;
	int64_t tick, ppsfreq, jitter;
	int32_t shift, pad2;
	int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
	int32_t tai, pad3[11];
};
_Static_assert(sizeof(struct timex) == 208, "timex");
#define STA_UNSYNC 0x40
#define TIME_ERROR 5
#define ADJ_OFFSET_SS_READ 0xa001

long pm_adjtimex(struct tern_msg *m)
{
	uint64_t now = tern_clock_ns(TERN_CLOCK_REALTIME);
	struct timex x;

	if (tern_copy_in(m->token, 0, 0, &x, sizeof x) != (long)sizeof x)
		return -EFAULT;
	if (x.modes && x.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	memset(&x, 0, sizeof x);
	x.maxerror = x.esterror = 16000000;
	x.status = STA_UNSYNC;
	x.constant = 2;
	x.precision = 1;
	x.tolerance = 32768000;
	x.time.tv_sec = (int64_t)(now / NSEC);
	x.time.tv_usec = (int64_t)(now % NSEC / 1000);
	x.tick = 10000;
	return server_out(m, 0, &x, sizeof x, TIME_ERROR);
}

/* Only the real-time clock could be adjusted; of the others, a process's clock must be one's. */
long pm_clock_adjtime(struct tern_msg *m)
{
	int32_t clock = (int32_t)m->args[0];

	if (clock == TERN_CLOCK_REALTIME)
		return pm_adjtimex(m);
	if (clock < 0) {
		uint32_t id = ~(uint32_t)(clock >> 3);

		return (clock & 3) != 3 && (!id || proc_of_tid(&pm.tree, id)) ? -EOPNOTSUPP : -EINVAL;
	}
	return clock <= CLOCK_TAI && clock != CLOCK_SGI_CYCLE ? -EOPNOTSUPP : -EINVAL;
}
