/* A radix tree of 64-way nodes from page index to a frame number (never 0).
 *
 * At height 0 the root is the entry of index 0 itself; height h reaches indices below 64^h.  The
 * tree's owner has a lock for it. */
#pragma once

#include <kernel/lib/types.h>

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)

union radix_slot {
	struct radix_node *child;
	u64 value; /* at the lowest level: the frame number; 0: no entry */
};

struct radix_node {
	union radix_slot slot[RADIX_SLOTS];
	u32 used; /* slots that are not empty */
};

struct radix {
	union radix_slot root;
	struct radix_node *last; /* the lowest-level node that was looked at last, or NULL */
	/* the indices in that node, without their RADIX_BITS lowest bits */
	u64 last_run;
	u8 height;
};

void radix_init(void); /* makes the slab cache of nodes */
u64 radix_get_slowly(const struct radix *t, u64 index);
/* The value at index; 0: none. */
static inline u64 radix_get(const struct radix *t, u64 index)
{
	if (likely(t->last && t->last_run == index >> RADIX_BITS))
		return t->last->slot[index % RADIX_SLOTS].value;
	return t->height || index ? radix_get_slowly(t, index) : t->root.value;
}
/* The slot of index, and in *n how many slots there are from it to the end of its node (at least
 * 1), so that the caller may go through them.  NULL: the node does not exist, so these *n indices
 * have no entries. */
const union radix_slot *radix_run(const struct radix *t, u64 index, u64 *n);
/* Adds the entry of index, which must not exist.  0, EEXIST, ENOMEM (nothing changed). */
int must_check radix_set(struct radix *t, u64 index, u64 value);
/* removes the entry and returns it; 0: there was none */
u64 radix_clear(struct radix *t, u64 index);
/* The value of the first entry at or after *index, and in *index where it is; 0: none. */
u64 radix_next(const struct radix *t, u64 *index);
