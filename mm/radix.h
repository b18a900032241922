/* A radix tree of 64-way nodes from page index to a frame number (never 0).
 *
 * Height 0: the root is the entry of index 0 itself; height h reaches indices below 64^h.  The owner
 * locks. */
#pragma once

#include <kernel/types.h>

struct radix {
	void *root;
	u8 height;
};

void radix_init(void); /* its cache */
u64 radix_get(const struct radix *t, u64 index); /* 0: none */
/* The same without a call where one node is all: a node begins with its slots. */
static inline u64 radix_get_small(const void *root, unsigned height, u64 index)
{
	return height == 1 && index < 64 ? ((const u64 *)root)[index] :
	       height == 0 && index == 0 ? (u64)(uintptr_t)root : 0;
}
/* The entries of a run: where that of index stands, and how many follow in the same place (at least
 * 1); NULL: there are none in that run, which is *n long. */
const u64 *radix_run(const struct radix *t, u64 index, u64 *n);
/* Sets an entry that is not there yet. 0, ENOMEM (nothing changed). */
int must_check radix_set(struct radix *t, u64 index, u64 value);
u64 radix_clear(struct radix *t, u64 index); /* what was there; empty nodes go */
/* The first entry at or after *index: its value, *index moved there; 0: none. */
u64 radix_next(const struct radix *t, u64 *index);
