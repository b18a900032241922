/* The event trace (kernel/trace.c). */
#pragma once

#include <kernel/lib/types.h>
#include <tern/abi.h>

#ifdef TERN_HOST
static inline void trace(unsigned kind, u64 a, u64 b) { (void)kind, (void)a, (void)b; }
#else
extern bool trace_on;
void trace_note(unsigned kind, u64 a, u64 b);
/* Notes an event of this hart (enum tern_trace_kind and two words), if tracing is on. */
static inline void trace(unsigned kind, u64 a, u64 b)
{
	if (unlikely(READ_ONCE(trace_on)))
		trace_note(kind, a, b);
}
#endif
void trace_print_last(void); /* prints this hart's last events, in a panic */
