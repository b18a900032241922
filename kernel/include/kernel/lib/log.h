/* The kernel's log, assertions and panic. */
#pragma once

#include <kernel/lib/types.h>

/* Writes a line of at most 512 bytes into the log's ring and onto the console.  It knows %s %d %u
 * %x %ld %lu %lx %p %%, and widths, padded with spaces or zeroes.  May be called in any context;
 * takes only the console lock. */
void klog(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "PANIC: hart N: text", registers, a symbolised backtrace of every hart, and stops the
 * machine with a failing exit code. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Index + 1 of the hart that panics; 0: none does. */
extern u32 panic_hart;
/* Called on an inter-processor interrupt.  If another hart panics, this one waits for its turn,
 * prints its backtrace, and never returns. */
void panic_check(void);
/* A hart that waits for a lock calls this when another one panics: prints its backtrace, and
 * stops. */
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

/* For TERN_LOG_READ: copies up to n bytes of the log from position *pos on, or from the oldest byte
 * kept if that one is gone, and moves *pos behind them.  Returns how many. */
size_t log_read(u64 *pos, char *buf, size_t n);
void log_write(const char *text, size_t n); /* writes text as it is to log and console */
