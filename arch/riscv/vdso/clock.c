/*
 * Clocks without a system call: the time CSR, scaled by the data page that the kernel fills.
 *
 * Every clock here but the realtime ones is the monotonic one, as the machine is never suspended.
 * For other clocks (CPU time) these functions make the system call.  Nothing is locked: arch/vdso.h
 * says why.
 */
#include <arch/vdso.h>
#include <asm/unistd.h>
#include <linux/time.h>
#include <stdbool.h>

#define NS_PER_S 1000000000ul

#define BIT(clock) (1ul << (clock))
#define REAL_CLOCKS (BIT(CLOCK_REALTIME) | BIT(CLOCK_REALTIME_COARSE))
#define CLOCKS                                                                               \
	(REAL_CLOCKS | BIT(CLOCK_MONOTONIC) | BIT(CLOCK_MONOTONIC_RAW) |                     \
	 BIT(CLOCK_MONOTONIC_COARSE) | BIT(CLOCK_BOOTTIME))

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
	return (unsigned)clock <= CLOCK_BOOTTIME && (CLOCKS & BIT(clock));
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
		return (int)system_call(__NR_clock_gettime, clock, ts);
	ns = REAL_CLOCKS & BIT(clock) ? real_ns() : monotonic_ns();
	ts->tv_sec = (int64_t)(ns / NS_PER_S);
	ts->tv_nsec = (int64_t)(ns % NS_PER_S);
	return 0;
}

int __vdso_clock_getres(int clock, struct timespec *ts)
{
	if (!is_ours(clock))
		return (int)system_call(__NR_clock_getres, clock, ts);
	if (ts) {
		ts->tv_sec = 0;
		ts->tv_nsec = _vdso_data.resolution_ns;
	}
	return 0;
}

int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	if (tv) {
		uint64_t ns = real_ns();

		tv->tv_sec = (int64_t)(ns / NS_PER_S);
		tv->tv_usec = (int64_t)(ns % NS_PER_S / 1000);
	}
	if (tz)
		tz->tz_minuteswest = tz->tz_dsttime = 0;
	return 0;
}
