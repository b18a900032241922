/* A radix tree of 64-way nodes from page index to a frame number (never 0).
 *
 * Height 0: the root is the entry of index 0 itself; height h reaches indices below 64^h.  The owner
 * locks. */
#pragma once

#include <kernel/lib/types.h>

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)

union radix_slot {
	struct radix_node *child;
	u64 value; /* at the lowest level */
};

struct radix_node {
	union radix_slot slot[RADIX_SLOTS];
	u32 used; /* of them */
};

struct radix {
	union radix_slot root;
	struct radix_node *last; /* of the lowest level: where one looked last; NULL: nowhere */
	u64 last_run;		 /* its indices, without their lowest bits */
	u8 height;
};

void radix_init(void); /* its cache */
u64 radix_get_slowly(const struct radix *t, u64 index);
/* 0: none. */
static inline u64 radix_get(const struct radix *t, u64 index)
{
	if (likely(t->last && t->last_run == index >> RADIX_BITS))
		return t->last->slot[index % RADIX_SLOTS].value;
	return t->height || index ? radix_get_slowly(t, index) : t->root.value;
}
/* The entries of a run: where that of index stands, and how many follow in the same place (at least
 * 1); NULL: there are none in that run, which is *n long. */
const union radix_slot *radix_run(const struct radix *t, u64 index, u64 *n);
/* Sets an entry that is not there yet. 0, EEXIST, ENOMEM (nothing changed). */
int must_check radix_set(struct radix *t, u64 index, u64 value);
u64 radix_clear(struct radix *t, u64 index); /* what was there; empty nodes go */
/* The first entry at or after *index: its value, *index moved there; 0: none. */
u64 radix_next(const struct radix *t, u64 *index);
