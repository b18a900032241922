/* Setting and adjusting the real-time clock.  Three have to hear of it: the kernel, which sees
 * to its sleepers in TERN_CLOCK_SET itself; pm's own timers, which are armed anew; and the pipe
 * server, which has the timerfds: the call is forwarded to it, and it answers the caller. */
#include "pm.h"
#include <string.h>


/* The latest time that can be set, in seconds: Linux's limit, 30 years before a count of ns in
 * 64 bits overflows. */
#define SECONDS_MAX ((int64_t)(INT64_MAX / NSEC - 30ull * 365 * 24 * 3600))

/* Sets the clock; the caller will get `result`, from the pipe server. */
static long set_clock(struct tern_msg *m, uint64_t ns, long result)
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
	return tern_forward(m->token, pm.pipe, (uint64_t)result, 0, -1) < 0 ? result : SERVER_NO_REPLY;
}

long pm_gettimeofday(struct tern_msg *m)
{
	uint64_t now = tern_clock_ns(TERN_CLOCK_REALTIME), zone = 0;
	struct tern_timeval tv = { .tv_sec = (int64_t)(now / NSEC),
				   .tv_usec = (int64_t)(now % NSEC / 1000) };

	if (m->args[0] && tern_copy_out(m->token, 0, 0, &tv, sizeof tv) != sizeof tv)
		return -EFAULT;
	if (m->args[1] && tern_copy_out(m->token, 1, 0, &zone, sizeof zone) != sizeof zone)
		return -EFAULT;
	return 0;
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
	return set_clock(m, (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec, 0);
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
	return set_clock(m, (uint64_t)tv.tv_sec * NSEC + (uint64_t)tv.tv_usec * 1000, 0);
}

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
#define ADJ_OFFSET 0x1
#define ADJ_FREQUENCY 0x2
#define ADJ_MAXERROR 0x4
#define ADJ_ESTERROR 0x8
#define ADJ_STATUS 0x10
#define ADJ_TIMECONST 0x20
#define ADJ_TAI 0x80
#define ADJ_SETOFFSET 0x100
#define ADJ_MICRO 0x1000
#define ADJ_NANO 0x2000
#define ADJ_TICK 0x4000
#define ADJ_ADJTIME 0x8000 /* the call is adjtime(3)'s: only OFFSET and READONLY go with it */
#define ADJ_READONLY 0x2000
#define STA_PLL 0x1
#define STA_UNSYNC 0x40
#define STA_CLOCKERR 0x1000
#define STA_NANO 0x2000
#define STA_READONLY 0xff00
#define TIME_ERROR 5
#define TICK 10000 /* microseconds */
#define FREQUENCY_MAX 32768000 /* 500 ppm; larger frequencies are cut to this */
#define FREQUENCY_LIMIT (INT64_MAX / 65536000) /* frequencies beyond this are EINVAL, as on Linux */
#define PHASE_MAX 16000000
#define OFFSET_MAX_US 500000
#define CONSTANT_MAX 10
#define TAI_MAX 100000

/* The values that adjtimex sets.  They are checked, kept and shown again, but nothing makes the
 * clock faster or slower by them; only ADJ_SETOFFSET moves the clock. */
static struct {
	int64_t offset, adjust, freq, maxerror, esterror, constant, tick;
	int32_t status, tai;
} ntp = { .maxerror = PHASE_MAX,
	  .esterror = PHASE_MAX,
	  .constant = 2,
	  .tick = TICK,
	  .status = STA_UNSYNC };

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static long timex_check(const struct timex *x, bool may_set)
{
	int64_t fraction = x->modes & ADJ_NANO ? (int64_t)NSEC : 1000000;

	if (x->modes & ADJ_ADJTIME) {
		if (!(x->modes & ADJ_OFFSET))
			return -EINVAL;
		return may_set || x->modes & ADJ_READONLY ? 0 : -EPERM;
	}
	if (x->modes && !may_set)
		return -EPERM;
	if (x->modes & ADJ_TICK && (x->tick < TICK - TICK / 10 || x->tick > TICK + TICK / 10))
		return -EINVAL;
	if (x->modes & ADJ_FREQUENCY && (x->freq > FREQUENCY_LIMIT || x->freq < -FREQUENCY_LIMIT))
		return -EINVAL;
	if (x->modes & ADJ_SETOFFSET && (x->time.tv_usec < 0 || x->time.tv_usec >= fraction))
		return -EINVAL;
	return 0;
}

static void timex_set(const struct timex *x)
{
	int64_t scale;

	if (x->modes & ADJ_STATUS) {
		if (ntp.status & STA_PLL && !(x->status & STA_PLL))
			ntp.status = STA_UNSYNC;
		ntp.status = (ntp.status & STA_READONLY) | (x->status & ~STA_READONLY);
	}
	if (x->modes & ADJ_NANO)
		ntp.status |= STA_NANO;
	if (x->modes & ADJ_MICRO)
		ntp.status &= ~STA_NANO;
	scale = ntp.status & STA_NANO ? 1000 : 1;
	if (x->modes & ADJ_FREQUENCY)
		ntp.freq = clamp(x->freq, -FREQUENCY_MAX, FREQUENCY_MAX);
	if (x->modes & ADJ_MAXERROR)
		ntp.maxerror = clamp(x->maxerror, 0, PHASE_MAX);
	if (x->modes & ADJ_ESTERROR)
		ntp.esterror = clamp(x->esterror, 0, PHASE_MAX);
	if (x->modes & ADJ_TIMECONST)
		ntp.constant = clamp(clamp(x->constant, 0, CONSTANT_MAX) + (scale == 1 ? 4 : 0), 0,
				     CONSTANT_MAX);
	if (x->modes & ADJ_TAI && x->constant >= 0 && x->constant <= TAI_MAX)
		ntp.tai = (int32_t)x->constant;
	if (x->modes & ADJ_OFFSET && ntp.status & STA_PLL)
		ntp.offset = clamp(x->offset, -OFFSET_MAX_US * scale, OFFSET_MAX_US * scale) *
			     (1000 / scale);
	if (x->modes & ADJ_TICK)
		ntp.tick = x->tick;
}

/* Fills all values that adjtimex returns; `offset` is the one that adjtime(3) gets. */
static void timex_fill(struct timex *x, uint64_t now, int64_t offset)
{
	bool nano = ntp.status & STA_NANO;
	uint32_t modes = x->modes;

	memset(x, 0, sizeof *x);
	x->modes = modes;
	x->offset = modes & ADJ_ADJTIME ? offset : nano ? ntp.offset : ntp.offset / 1000;
	x->freq = ntp.freq;
	x->maxerror = ntp.maxerror;
	x->esterror = ntp.esterror;
	x->status = ntp.status;
	x->constant = ntp.constant;
	x->precision = 1;
	x->tolerance = FREQUENCY_MAX;
	x->time.tv_sec = (int64_t)(now / NSEC);
	x->time.tv_usec = (int64_t)(now % NSEC / (nano ? 1 : 1000));
	x->tick = ntp.tick;
	x->tai = ntp.tai;
}

long pm_adjtimex(struct tern_msg *m)
{
	uint64_t now = tern_clock_ns(TERN_CLOCK_REALTIME);
	int64_t step = 0, adjust = ntp.adjust;
	struct tern_cred c;
	struct timex x;
	long r;

	if (tern_copy_in(m->token, 0, 0, &x, sizeof x) != (long)sizeof x)
		return -EFAULT;
	if (!caller_cred(m, &c))
		return -ESRCH;
	r = timex_check(&x, cred_capable(&c, CAP_SYS_TIME));
	if (r < 0)
		return r;
	if (!(x.modes & ADJ_ADJTIME)) {
		if (x.modes & ADJ_SETOFFSET) {
			if (x.time.tv_sec <= -SECONDS_MAX || x.time.tv_sec >= SECONDS_MAX)
				return -EINVAL;
			step = x.time.tv_sec * (int64_t)NSEC +
			       x.time.tv_usec * (x.modes & ADJ_NANO ? 1 : 1000);
			if (now + (uint64_t)step >= (uint64_t)SECONDS_MAX * NSEC)
				return -EINVAL;
		}
		timex_set(&x);
	} else if (!(x.modes & ADJ_READONLY)) {
		ntp.adjust = x.offset;
	}
	timex_fill(&x, now + (uint64_t)step, adjust);
	if (tern_copy_out(m->token, 0, 0, &x, sizeof x) != (long)sizeof x)
		return -EFAULT;
	r = ntp.status & (STA_UNSYNC | STA_CLOCKERR) ? TIME_ERROR : 0;
	return step ? set_clock(m, now + (uint64_t)step, r) : r;
}

/* clock_adjtime(2).  Only the real-time clock can be adjusted. */
long pm_clock_adjtime(struct tern_msg *m)
{
	int32_t clock = (int32_t)m->args[0];

	struct timex x;

	if (clock == TERN_CLOCK_REALTIME)
		return pm_adjtimex(m);
	if (tern_copy_in(m->token, 0, 0, &x, sizeof x) != (long)sizeof x)
		return -EFAULT;
	if (clock < 0)
		return (clock & 7) == 3 ? -EINVAL : -EOPNOTSUPP; /* 3: a device's clock */
	return clock <= CLOCK_TAI && clock != CLOCK_SGI_CYCLE ? -EOPNOTSUPP : -EINVAL;
}
