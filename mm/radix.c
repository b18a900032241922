/* Radix trees: page index to frame number, for memory objects.
 *
 * Nodes have 64 slots and the number of slots in use; the lowest level's slots are values, the
 * others' nodes.  A node exists only while it has an entry, so a sparse object costs what it holds.
 * The tree grows at the root when an index is out of reach, and falls back to nothing when the
 * last entry goes.  A search leaves the lowest node that it came to in `last`, as the next one is
 * mostly for a neighbour; `last` is cleared when a node is freed.  The owner's lock guards all of
 * it. */
#include <kernel/lib/log.h>
#include <mm/radix.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#define RADIX_HEIGHT_MAX 9 /* levels for 54 bits of index */

static struct slab_cache node_cache;

void radix_init(void) { slab_cache_init(&node_cache, "radix-node", sizeof(struct radix_node)); }

static bool in_reach(unsigned height, u64 index)
{
	return height >= 11 || !(index >> (RADIX_BITS * height));
}
static unsigned slot_at(u64 index, unsigned level)
{
	return (unsigned)(index >> (RADIX_BITS * level)) & (RADIX_SLOTS - 1);
}

static inline bool is_last(const struct radix *t, u64 index)
{
	return t->last && t->last_run == index >> RADIX_BITS;
}

/* Leaves the lowest-level node in t->last that has s, the slot of index. */
static void radix_remember(const struct radix *t, u64 index, const union radix_slot *s)
{
	struct radix *cache = (struct radix *)t;

	cache->last = container_of(s - slot_at(index, 0), struct radix_node, slot[0]);
	cache->last_run = index >> RADIX_BITS;
}

/* The slot of index, searched from the root; NULL: there is no node for it. */
static const union radix_slot *find_slowly(const struct radix *t, u64 index)
{
	const union radix_slot *s = &t->root;

	if (!in_reach(t->height, index))
		return NULL;
	for (unsigned level = t->height; level > 0; level--) {
		if (!s->child)
			return NULL;
		s = &s->child->slot[slot_at(index, level - 1)];
	}
	if (t->height)
		radix_remember(t, index, s);
	return s;
}

static inline const union radix_slot *radix_find(const struct radix *t, u64 index)
{
	return likely(is_last(t, index)) ? &t->last->slot[slot_at(index, 0)] : find_slowly(t, index);
}

u64 radix_get_slowly(const struct radix *t, u64 index)
{
	const union radix_slot *s = find_slowly(t, index);

	return s ? s->value : 0;
}

const union radix_slot *radix_run(const struct radix *t, u64 index, u64 *n)
{
	*n = t->height || index ? RADIX_SLOTS - slot_at(index, 0) : 1;
	return radix_find(t, index);
}

/* Puts new roots on top of the tree until index is in reach. */
static int radix_grow(struct radix *t, u64 index)
{
	while (!in_reach(t->height, index)) {
		if (t->root.value) {
			struct radix_node *n = slab_alloc(&node_cache);

			if (!n)
				return -ENOMEM;
			n->slot[0] = t->root;
			n->used = 1;
			t->root.child = n;
		}
		t->height++;
	}
	return 0;
}

/* Frees the nodes without entries from n down to index.  Returns n, or NULL if n went as well. */
static struct radix_node *prune_node(struct radix_node *n, unsigned level, u64 index)
{
	struct radix_node **child = &n->slot[slot_at(index, level)].child;

	if (level && *child) {
		*child = prune_node(*child, level - 1, index);
		n->used -= !*child;
	}
	if (n->used)
		return n;
	slab_free(&node_cache, n);
	return NULL;
}

static void radix_prune(struct radix *t, u64 index)
{
	t->last = NULL;
	if (t->height && t->root.child)
		t->root.child = prune_node(t->root.child, t->height - 1u, index);
	if (!t->root.child)
		t->height = 0;
}

/* Stores an entry in slot s of node n. */
static int node_set(struct radix_node *n, union radix_slot *s, u64 value)
{
	if (unlikely(s->value))
		return -EEXIST;
	s->value = value;
	n->used++;
	return 0;
}

static __attribute__((noinline)) int set_slowly(struct radix *t, u64 index, u64 value)
{
	u32 none = 0, *used = &none; /* the count of the node that has s; the root is in none */
	union radix_slot *s = &t->root;

	if (radix_grow(t, index))
		return -ENOMEM;
	for (unsigned level = t->height; level > 0; level--) {
		if (!s->child) {
			s->child = slab_alloc(&node_cache);
			if (!s->child) {
				radix_prune(t, index);
				return -ENOMEM;
			}
			++*used;
		}
		used = &s->child->used;
		s = &s->child->slot[slot_at(index, level - 1)];
	}
	if (t->height) {
		radix_remember(t, index, s);
		return node_set(t->last, s, value);
	}
	if (s->value)
		return -EEXIST;
	s->value = value;
	return 0;
}

int radix_set(struct radix *t, u64 index, u64 value)
{
	assert(value && !(index >> (RADIX_BITS * RADIX_HEIGHT_MAX)));
	if (likely(is_last(t, index)))
		return node_set(t->last, &t->last->slot[slot_at(index, 0)], value);
	return set_slowly(t, index, value);
}

u64 radix_clear(struct radix *t, u64 index)
{
	union radix_slot *s = (union radix_slot *)radix_find(t, index);
	u64 value = s ? s->value : 0;

	if (!value)
		return 0;
	s->value = 0;
	if (t->height && --container_of(s - slot_at(index, 0), struct radix_node, slot[0])->used == 0)
		radix_prune(t, index);
	return value;
}

u64 radix_next(const struct radix *t, u64 *index)
{
	u64 at = *index;

	if (t->height == 0)
		return at == 0 ? t->root.value : 0;
	while (in_reach(t->height, at)) {
		const struct radix_node *n = t->root.child;
		unsigned level = t->height - 1u;

		for (;;) {
			unsigned i = slot_at(at, level);

			while (i < RADIX_SLOTS && !n->slot[i].value)
				i++;
			if (i != slot_at(at, level)) {
				/* The next index that may have an entry: in this node, or behind
				 * it. */
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
