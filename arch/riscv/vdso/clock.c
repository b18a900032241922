/*
 * Clocks without a system call: the time CSR, scaled by the data page that the kernel fills.
 *
 * All clocks but realtime are the monotonic one, as the machine is never suspended.  Others (CPU
 * time) go to the kernel.  Nothing is locked: see arch/vdso.h.
 */
#include <arch/vdso.h>
#include <stdbool.h>

#define NR_CLOCK_GETTIME 113
#define NR_CLOCK_GETRES 114
#define NS_PER_S 1000000000ul

enum {
	REALTIME = 0,
	MONOTONIC = 1,
	MONOTONIC_RAW = 4,
	REALTIME_COARSE = 5,
	MONOTONIC_COARSE = 6,
	BOOTTIME = 7,
};
#define BIT(clock) (1ul << (clock))
#define REAL_CLOCKS (BIT(REALTIME) | BIT(REALTIME_COARSE))
#define CLOCKS                                                                               \
	(REAL_CLOCKS | BIT(MONOTONIC) | BIT(MONOTONIC_RAW) | BIT(MONOTONIC_COARSE) | BIT(BOOTTIME))

struct timespec {
	int64_t seconds, nanoseconds;
};
struct timeval {
	int64_t seconds, microseconds;
};
struct timezone {
	int minutes_west, dst;
};

extern const struct vdso_data _vdso_data __attribute__((visibility("hidden")));

int __vdso_clock_gettime(int clock, struct timespec *ts);
int __vdso_clock_getres(int clock, struct timespec *ts);
int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz);

static long system_call(long nr, long arg0, void *arg1)
{
	register long a0 __asm__("a0") = arg0;
	register void *a1 __asm__("a1") = arg1;
	register long a7 __asm__("a7") = nr;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
	return a0;
}

static inline bool is_ours(int clock)
{
	return (unsigned)clock <= BOOTTIME && (CLOCKS & BIT(clock));
}

static inline uint64_t monotonic_ns(void)
{
	uint64_t ticks;

	__asm__ volatile("rdtime %0" : "=r"(ticks));
	return (uint64_t)((unsigned __int128)ticks * _vdso_data.mult >> (_vdso_data.shift & 63));
}

static inline uint64_t real_ns(void)
{
	return monotonic_ns() + (uint64_t)*(const volatile int64_t *)&_vdso_data.realtime_offset_ns;
}

int __vdso_clock_gettime(int clock, struct timespec *ts)
{
	uint64_t ns;

	if (!is_ours(clock))
		return (int)system_call(NR_CLOCK_GETTIME, clock, ts);
	ns = REAL_CLOCKS & BIT(clock) ? real_ns() : monotonic_ns();
	ts->seconds = (int64_t)(ns / NS_PER_S);
	ts->nanoseconds = (int64_t)(ns % NS_PER_S);
	return 0;
}

int __vdso_clock_getres(int clock, struct timespec *ts)
{
	if (!is_ours(clock))
		return (int)system_call(NR_CLOCK_GETRES, clock, ts);
	if (ts) {
		ts->seconds = 0;
		ts->nanoseconds = _vdso_data.resolution_ns;
	}
	return 0;
}

int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	if (tv) {
		uint64_t ns = real_ns();

		tv->seconds = (int64_t)(ns / NS_PER_S);
		tv->microseconds = (int64_t)(ns % NS_PER_S / 1000);
	}
	if (tz)
		tz->minutes_west = tz->dst = 0;
	return 0;
}
