/* Time structures and clock ids of riscv64 Linux. */
#pragma once
#include <stdint.h>

struct tern_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

struct tern_timeval {
	int64_t tv_sec;
	int64_t tv_usec;
};

#define TERN_CLOCK_REALTIME 0
#define TERN_CLOCK_MONOTONIC 1
#define TERN_CLOCK_PROCESS_CPUTIME_ID 2
#define TERN_CLOCK_THREAD_CPUTIME_ID 3
#define TERN_CLOCK_MONOTONIC_RAW 4
#define TERN_CLOCK_REALTIME_COARSE 5
#define TERN_CLOCK_MONOTONIC_COARSE 6
#define TERN_CLOCK_BOOTTIME 7
#define TERN_CLOCK_REALTIME_ALARM 8
#define TERN_CLOCK_BOOTTIME_ALARM 9
#define TERN_CLOCK_TAI 11
#define TERN_TIMER_ABSTIME 1
