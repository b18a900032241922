/* The kernel's log, assertions and panic. */
#pragma once

#include <kernel/lib/types.h>

/* A line (%s %d %u %x %ld %lu %lx %p %%; widths, padded with spaces or zeroes; at most 512 bytes)
 * into the log ring and onto the console.  Any context; takes the console lock only. */
void klog(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "PANIC: hart N: text", registers, a symbolised backtrace of every hart, and stops the
 * machine with a failing exit code. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Index + 1 of the hart that panics, or 0. */
extern u32 panic_hart;
/* On an inter-processor interrupt: if another hart panics, prints where this one is, in turn, and
 * does not return. */
void panic_check(void);
/* From a wait for a lock, when some hart panics. */
_Noreturn void panic_in_wait(void);

#if TERN_DEBUG || defined(TERN_HOST)
#define assert(x)                                                                            \
	do {                                                                                 \
		if (unlikely(!(x)))                                                          \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #x);        \
	} while (0)
#else
#define assert(x) ((void)sizeof(!(x)))
#endif

/* The log as bytes, for TERN_LOG_READ: copies up to n bytes from position *pos (moved forward to
 * the oldest kept) and advances it.  Returns bytes. */
size_t log_read(u64 *pos, char *buf, size_t n);
void log_write(const char *text, size_t n); /* raw text: log and console */
