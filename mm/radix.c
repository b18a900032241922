/* Radix trees: page index to frame number, for memory objects.
 *
 * Nodes have 64 slots and the number of slots in use; the lowest level's slots are values, the
 * others' nodes.  A node exists only while it has an entry, so a sparse object costs what it holds.
 * The tree grows at the root when an index is out of reach, and falls back to nothing when the
 * last entry goes.  The owner's lock guards it. */
#include "radix.h"

#include <kernel/log.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)
#define RADIX_HEIGHT_MAX 9 /* 54 bits of index */

struct node {
	union {
		struct node *child;
		u64 value;
	} slot[RADIX_SLOTS];
	u32 used;
};

_Static_assert(RADIX_SLOTS == 64 && offsetof(struct node, slot) == 0, "radix_get_small");

static struct slab_cache node_cache;

void radix_init(void) { slab_cache_init(&node_cache, "radix-node", sizeof(struct node)); }

static bool in_reach(unsigned height, u64 index)
{
	return height >= 11 || !(index >> (RADIX_BITS * height));
}
static unsigned slot_at(u64 index, unsigned level)
{
	return (unsigned)(index >> (RADIX_BITS * level)) & (RADIX_SLOTS - 1);
}

u64 radix_get(const struct radix *t, u64 index)
{
	const struct node *n = t->root;

	if (!in_reach(t->height, index) || !n)
		return 0;
	if (t->height == 0)
		return (u64)(uintptr_t)t->root;
	for (unsigned level = t->height - 1u; level > 0; level--) {
		n = n->slot[slot_at(index, level)].child;
		if (!n)
			return 0;
	}
	return n->slot[slot_at(index, 0)].value;
}

const u64 *radix_run(const struct radix *t, u64 index, u64 *n)
{
	const struct node *node = t->root;

	*n = RADIX_SLOTS - slot_at(index, 0);
	if (!in_reach(t->height, index) || !node)
		return NULL;
	if (t->height == 0) {
		*n = 1;
		return (const u64 *)&t->root;
	}
	for (unsigned level = t->height - 1u; level > 0 && node; level--)
		node = node->slot[slot_at(index, level)].child;
	return node ? &node->slot[slot_at(index, 0)].value : NULL;
}

/* Puts roots on top until the index is in reach. */
static int grow(struct radix *t, u64 index)
{
	while (!in_reach(t->height, index)) {
		if (t->root) {
			struct node *n = slab_alloc(&node_cache);

			if (!n)
				return -ENOMEM;
			n->slot[0].child = t->root; /* at height 0: the value, of the same size */
			n->used = 1;
			t->root = n;
		}
		t->height++;
	}
	return 0;
}

/* Frees empty nodes on the way to an index. */
static void prune(struct radix *t, u64 index)
{
	struct node *path[RADIX_HEIGHT_MAX];
	struct node *n = t->root;
	unsigned level;

	for (level = t->height; level > 0 && n; level--) {
		path[level - 1] = n;
		n = level > 1 ? n->slot[slot_at(index, level - 1)].child : NULL;
	}
	for (; level < t->height; level++) {
		n = path[level];
		if (n->used)
			return;
		slab_free(&node_cache, n);
		if (level + 1u == t->height) {
			t->root = NULL;
		} else {
			path[level + 1]->slot[slot_at(index, level + 1)].child = NULL;
			path[level + 1]->used--;
		}
	}
	if (!t->root)
		t->height = 0;
}

int radix_set(struct radix *t, u64 index, u64 value)
{
	struct node *n, *child;

	assert(value && !(index >> (RADIX_BITS * RADIX_HEIGHT_MAX)));
	if (grow(t, index))
		return -ENOMEM;
	if (t->height == 0) {
		assert(!t->root);
		t->root = (void *)(uintptr_t)value;
		return 0;
	}
	if (!t->root) {
		t->root = slab_alloc(&node_cache);
		if (!t->root) {
			t->height = 0;
			return -ENOMEM;
		}
	}
	n = t->root;
	for (unsigned level = t->height - 1u; level > 0; level--) {
		unsigned i = slot_at(index, level);

		child = n->slot[i].child;
		if (!child) {
			child = slab_alloc(&node_cache);
			if (!child) {
				prune(t, index);
				return -ENOMEM;
			}
			n->slot[i].child = child;
			n->used++;
		}
		n = child;
	}
	assert(!n->slot[slot_at(index, 0)].value);
	n->slot[slot_at(index, 0)].value = value;
	n->used++;
	return 0;
}

u64 radix_clear(struct radix *t, u64 index)
{
	struct node *n = t->root;
	u64 value;

	if (!in_reach(t->height, index) || !n)
		return 0;
	if (t->height == 0) {
		t->root = NULL;
		return (u64)(uintptr_t)n;
	}
	for (unsigned level = t->height - 1u; level > 0 && n; level--)
		n = n->slot[slot_at(index, level)].child;
	if (!n)
		return 0;
	value = n->slot[slot_at(index, 0)].value;
	if (!value)
		return 0;
	n->slot[slot_at(index, 0)].value = 0;
	if (--n->used == 0)
		prune(t, index);
	return value;
}

u64 radix_next(const struct radix *t, u64 *index)
{
	u64 at = *index;

	if (!t->root)
		return 0;
	if (t->height == 0)
		return at == 0 ? (u64)(uintptr_t)t->root : 0;
	while (in_reach(t->height, at)) {
		const struct node *n = t->root;
		unsigned level = t->height - 1u;

		for (;;) {
			unsigned i = slot_at(at, level);

			while (i < RADIX_SLOTS && !n->slot[i].value)
				i++;
			if (i != slot_at(at, level)) {
				/* The next one that may exist, in or behind this node. */
				at = (at >> (RADIX_BITS * (level + 1)) << (RADIX_BITS * (level + 1))) +
				     ((u64)i << (RADIX_BITS * level));
				if (i == RADIX_SLOTS)
					break;
			}
			if (level == 0) {
				*index = at;
				return n->slot[i].value;
			}
			n = n->slot[i].child;
			level--;
		}
	}
	return 0;
}
