/* What the kernel's pure files need of the rest, for host tests: memory that can fail, panic,
 * a source of numbers. */
#pragma once

#include <kernel/lib/types.h>

/* The n-th allocation from now on fails, and those after it; -1: none. */
extern long fake_allocs_left;
extern long fake_allocs_live; /* allocated and not freed */

static inline u64 fake_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
