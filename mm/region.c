/* Regions: what of a space is mapped, to what, with which rights.
 *
 * A space has its regions in a treap ordered by address (with random priorities, so that its depth
 * is logarithmic whatever programs do) and in a list in the same order.  Every node knows the
 * largest hole below a region of its subtree, so one walk finds the highest hole that is large
 * enough.  The hole below a stack that may grow counts as smaller by the gap that must stay free.
 *
 * Regions that are taken out are retired: they stay with the space until aspace_unlock() frees them
 * without its lock, as putting a memobj may take long.
 *
 * Invariants: regions do not overlap; max_gap is exact; a region of a memobj is in the memobj's
 * list and holds one reference of it.  Lock: the space's, and the memobj's for its list. */
#include "mm_priv.h"

static struct slab_cache region_cache;
static u32 random_state = 2463534242u;

void region_init(void) { slab_cache_init(&region_cache, "region", sizeof(struct region)); }

struct region *region_alloc(void)
{
	struct region *r = slab_alloc(&region_cache);

	if (r)
		list_init(&r->in_memobj);
	return r;
}

void region_retire(struct aspace *as, struct region *r)
{
	if (!r)
		return;
	r->next = as->dead;
	as->dead = r;
}

int aspace_unlock_slowly(struct aspace *as, int result)
{
	struct region *r = as->dead, *next;

	as->dead = NULL;
	spin_unlock(&as->lock);
	for (; r; r = next) {
		struct memobj *m = r->memobj;

		assert(list_empty(&r->in_memobj));
		next = r->next;
		slab_free(&region_cache, r);
		if (m)
			memobj_put(m);
	}
	return result;
}

/* ---- looking up ---- */

struct region *region_next(const struct aspace *as, va_t va)
{
	struct region *r = as->tree, *best = NULL;

	while (r) {
		if (r->end > va) {
			best = r;
			if (r->start <= va)
				break;
			r = r->left;
		} else {
			r = r->right;
		}
	}
	return best;
}

struct region *region_find_slow(struct aspace *as, va_t va)
{
	struct region *r = region_next(as, va);

	if (!r || r->start > va)
		return NULL;
	as->last = r;
	return r;
}

u64 region_pages_in(const struct aspace *as, va_t start, va_t end)
{
	u64 n = 0;

	for (struct region *r = region_next(as, start); r && r->start < end; r = r->next)
		n += (MIN(r->end, end) - MAX(r->start, start)) >> PAGE_SHIFT;
	return n;
}

bool region_is_free(const struct aspace *as, va_t start, va_t end)
{
	struct region *r = region_next(as, start);

	if (!r)
		return true;
	return end <= r->start - (r->flags & REGION_GROWSDOWN ? MIN(STACK_GAP, r->start) : 0);
}

/* ---- holes ---- */

static u64 gap_of(const struct region *r)
{
	va_t below = r->prev ? r->prev->end : USER_MIN;
	u64 gap = r->start > below ? r->start - below : 0;

	if (r->flags & REGION_GROWSDOWN)
		gap = gap > STACK_GAP ? gap - STACK_GAP : 0;
	return gap;
}

static inline u64 max_gap_of(const struct region *r)
{
	u64 gap = r->gap;

	if (r->left && r->left->max_gap > gap)
		gap = r->left->max_gap;
	if (r->right && r->right->max_gap > gap)
		gap = r->right->max_gap;
	return gap;
}

/* Recomputes max_gap on the way from r to the root: up to `past` in any case (NULL: none), then
 * until one does not change. */
static void gaps_changed(struct region *r, const struct region *past)
{
	for (; r; r = r->parent) {
		u64 gap = max_gap_of(r);

		if (r == past)
			past = NULL;
		if (gap == r->max_gap && !past)
			return;
		r->max_gap = gap;
	}
}

/* Recomputes the holes below r and above it, whose sizes changed with r's bounds. */
static void bounds_changed(struct region *r)
{
	r->gap = gap_of(r);
	gaps_changed(r, NULL);
	if (r->next) {
		r->next->gap = gap_of(r->next);
		gaps_changed(r->next, NULL);
	}
}

/* The highest region of r's subtree with a hole of at least len below it; the caller knows that
 * there is one. */
static const struct region *highest_gap(const struct region *r, u64 len)
{
	for (;;) {
		if (r->right && r->right->max_gap >= len)
			r = r->right;
		else if (r->gap >= len)
			return r;
		else
			r = r->left;
	}
}

bool region_find_gap(const struct aspace *as, u64 len, va_t low, va_t high, va_t *at)
{
	const struct region *above = region_next(as, high), *r;
	va_t end = high, below;

	if (above && above->start < high) { /* `high` lies inside a region, so no hole ends there */
		r = above;
	} else {
		if (above && (above->flags & REGION_GROWSDOWN))
			end = MIN(high, above->start - MIN(STACK_GAP, above->start));
		r = above ? above->prev : as->tail;
		below = MAX(low, r ? r->end : 0);
		if (end >= below && end - below >= len) {
			*at = end - len;
			return true;
		}
	}
	/* Go on to the highest region, at or before r, that has a large enough hole below it. */
	while (r && r->gap < len) {
		if (r->left && r->left->max_gap >= len) {
			r = highest_gap(r->left, len);
			break;
		}
		while (r->parent && r->parent->left == r)
			r = r->parent;
		r = r->parent;
	}
	if (!r)
		return false;
	end = r->start - (r->flags & REGION_GROWSDOWN ? STACK_GAP : 0);
	if (end < len || end - len < low)
		return false;
	*at = end - len;
	return true;
}

/* ---- the tree ---- */

static void replace_child(struct aspace *as, struct region *parent, struct region *old,
			  struct region *new)
{
	if (!parent)
		as->tree = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
	if (new)
		new->parent = parent;
}

/* Rotates r up, above its parent. */
static void rotate_up(struct aspace *as, struct region *r)
{
	struct region *p = r->parent;

	replace_child(as, p->parent, p, r);
	if (p->left == r) {
		p->left = r->right;
		if (r->right)
			r->right->parent = p;
		r->right = p;
	} else {
		p->right = r->left;
		if (r->left)
			r->left->parent = p;
		r->left = p;
	}
	p->parent = r;
	r->max_gap = p->max_gap; /* r's subtree has the regions now that p's had */
	p->max_gap = max_gap_of(p);
}

static u32 random_priority(void)
{
	u32 x = random_state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return random_state = x;
}

static void tree_insert(struct aspace *as, struct region *r)
{
	struct region *p = as->tree, *up = NULL, *next = NULL;

	while (p) {
		up = p;
		assert(r->end <= p->start || r->start >= p->end);
		if (r->start < p->start) {
			next = p;
			p = p->left;
		} else {
			p = p->right;
		}
	}
	r->left = r->right = NULL;
	r->parent = up;
	r->priority = random_priority();
	r->next = next;
	r->prev = next ? next->prev : as->tail;
	if (r->prev)
		r->prev->next = r;
	else
		as->head = r;
	if (next)
		next->prev = r;
	else
		as->tail = r;
	if (!up)
		as->tree = r;
	else if (r->start < up->start)
		up->left = r;
	else
		up->right = r;
	r->gap = r->max_gap = gap_of(r);
	if (next)
		next->gap = gap_of(next);
	gaps_changed(up, next); /* `next` is an ancestor of r, which has no children */
	while (r->parent && r->parent->priority < r->priority)
		rotate_up(as, r); /* which leaves the sets of regions further up as they are */
}

static void tree_erase(struct aspace *as, struct region *r)
{
	struct region *next = r->next, *up, *child;

	while (r->left && r->right)
		rotate_up(as, r->left->priority > r->right->priority ? r->left : r->right);
	up = r->parent;
	child = r->left ? r->left : r->right;
	replace_child(as, up, r, child);
	if (r->prev)
		r->prev->next = next;
	else
		as->head = next;
	if (next)
		next->prev = r->prev;
	else
		as->tail = r->prev;
	if (next)
		next->gap = gap_of(next);
	/* `next`, whose hole changed, is the lowest region of what was r's right subtree, or above
	 * r. */
	if (next && child && child == r->right)
		gaps_changed(next, up);
	else
		gaps_changed(up, next);
	if (as->last == r)
		as->last = NULL;
	r->next = r->prev = NULL;
}

/* ---- counters and objects ---- */

static void region_account(struct aspace *as, const struct region *r, u64 bytes, bool add)
{
	u64 pages = bytes >> PAGE_SHIFT, sign = add ? pages : -pages;

	as->mapped += sign;
	if (as->mapped > as->peak_mapped)
		as->peak_mapped = as->mapped;
	if (r->flags & REGION_GROWSDOWN)
		as->stack += sign;
	else if ((r->prot & (PROT_EXEC | PROT_WRITE)) == PROT_EXEC)
		as->exec += sign;
	if (is_data(r->prot, r->flags))
		as->data += sign;
	if (is_committed(r->prot, r->flags, r->memobj))
		__atomic_fetch_add(&mm_counters.committed, sign, __ATOMIC_RELAXED);
	if (r->flags & REGION_LOCKED)
		as->locked += sign;
}

/* Adds r to the object's counts of regions by rights, or takes it off (sign -1).  m->lock held. */
static void count_rights(struct memobj *m, const struct region *r, u32 sign)
{
	if ((r->flags & REGION_SHARED) && (r->prot & PROT_WRITE))
		m->nwritable += sign;
	if (m->nwritable)
		m->dirty = true;
	if (r->prot & PROT_EXEC)
		m->nexec += sign;
}

/* Adds r at the end of the object's list, where a shrink under way will still come to it.  m->lock
 * held. */
static void region_hang(struct memobj *m, struct region *r)
{
	list_add_tail(&m->regions, &r->in_memobj);
	if (unlikely(m->zap_next == &m->regions))
		m->zap_next = &r->in_memobj;
}

static void region_unhang(struct memobj *m, struct region *r)
{
	memobj_zapped(m, r);
	list_del(&r->in_memobj);
}

static void region_attach(struct region *r)
{
	struct memobj *m = r->memobj;

	if (!m)
		return;
	spin_lock(&m->lock);
	region_hang(m, r);
	m->nregions++;
	count_rights(m, r, 1);
	spin_unlock(&m->lock);
}

static void region_detach(struct region *r)
{
	struct memobj *m = r->memobj;

	if (!m)
		return;
	spin_lock(&m->lock);
	region_unhang(m, r);
	count_rights(m, r, -1u);
	if (--m->nregions == 0 && unlikely(m->watch))
		memobj_last_region(m);
	spin_unlock(&m->lock);
}

void region_insert(struct aspace *as, struct region *r)
{
	assert(r->start < r->end && r->start >= USER_MIN && r->end <= USER_MAX);
	r->aspace = as;
	tree_insert(as, r);
	as->nregions++;
	region_account(as, r, r->end - r->start, true);
	region_attach(r);
}

void region_erase(struct aspace *as, struct region *r)
{
	region_detach(r);
	tree_erase(as, r);
	as->nregions--;
	region_account(as, r, r->end - r->start, false);
	region_retire(as, r);
}

void region_set_bounds(struct aspace *as, struct region *r, va_t start, va_t end)
{
	region_account(as, r, r->end - r->start, false);
	/* the object's lock is not needed: a shrink reads bounds under the space's */
	if (r->memobj)
		r->offset += start - r->start;
	r->start = start;
	r->end = end;
	region_account(as, r, end - start, true);
	bounds_changed(r);
}

void region_set_prot(struct aspace *as, struct region *r, unsigned prot, unsigned flags)
{
	struct memobj *m = r->memobj;

	region_account(as, r, r->end - r->start, false);
	if (m) {
		spin_lock(&m->lock);
		count_rights(m, r, -1u);
	}
	r->prot = (u8)prot;
	r->flags = (u16)flags;
	if (m) {
		count_rights(m, r, 1);
		spin_unlock(&m->lock);
	}
	region_account(as, r, r->end - r->start, true);
}

/* ---- cutting and joining ---- */

/* Cuts r in two at `at`; the region `fresh` becomes the upper part. */
static void region_split(struct aspace *as, struct region *r, va_t at, struct region *fresh)
{
	assert(r->start < at && at < r->end);
	region_like(fresh, r);
	fresh->start = at;
	if (r->memobj)
		fresh->offset += at - r->start;
	region_set_bounds(as, r, r->start, at);
	region_insert(as, fresh);
}

/* Region b continues a, so that they can be one.  Inlined, as every mmap asks, mostly in vain. */
static inline __attribute__((always_inline)) bool continues(const struct region *a,
							    const struct region *b)
{
	return a->end == b->start && a->prot == b->prot && a->max_prot == b->max_prot &&
	       ((a->flags ^ b->flags) & ~REGION_COPIED) == 0 && a->memobj == b->memobj &&
	       !(a->flags & REGION_VDSO) &&
	       (!a->memobj || a->offset + (a->end - a->start) == b->offset);
}

static void region_swallow(struct aspace *as, struct region *a, struct region *b)
{
	struct memobj *m = a->memobj;
	va_t end = b->end;

	a->flags |= b->flags & REGION_COPIED;
	region_erase(as, b);
	region_set_bounds(as, a, a->start, end);
	if (m) { /* a shrink under way may not have come to b: have it look at a once more */
		spin_lock(&m->lock);
		region_unhang(m, a);
		region_hang(m, a);
		spin_unlock(&m->lock);
	}
}

struct region *region_merge(struct aspace *as, struct region *r)
{
	if (r->next && continues(r, r->next))
		region_swallow(as, r, r->next);
	if (r->prev && continues(r->prev, r)) {
		r = r->prev;
		region_swallow(as, r, r->next);
	}
	return r;
}

void region_merge_all(struct aspace *as, va_t start, va_t end)
{
	for (struct region *r = region_next(as, start); r && r->start <= end; r = r->next)
		r = region_merge(as, r);
}

bool region_extend(struct aspace *as, const struct region *t)
{
	struct region *next = region_next(as, t->start), *prev = next ? next->prev : as->tail;

	if (prev && continues(prev, t)) {
		region_set_bounds(as, prev, prev->start, t->end);
		(void)region_merge(as, prev);
		return true;
	}
	if (next && continues(t, next)) {
		region_set_bounds(as, next, t->start, next->end);
		return true;
	}
	return false;
}

int region_isolate(struct aspace *as, va_t start, va_t end)
{
	struct region *a = region_next(as, start), *b = region_next(as, end - 1);
	bool lower = a && a->start < start, upper = b && b->start < end && b->end > end;
	struct region *x, *y;

	if (!lower && !upper)
		return 0;
	if (!region_room(as, (u32)lower + upper))
		return -ENOMEM;
	x = lower ? region_alloc() : NULL;
	y = upper ? region_alloc() : NULL;
	if ((lower && !x) || (upper && !y)) {
		region_retire(as, x);
		region_retire(as, y);
		return -ENOMEM;
	}
	if (upper)
		region_split(as, b, end, y);
	if (lower)
		region_split(as, a, start, x);
	return 0;
}

bool region_cut_needs(const struct aspace *as, va_t start, va_t end)
{
	const struct region *r = region_next(as, start);

	return r && r->start < start && r->end > end;
}

va_t region_some_slow(const struct aspace *as, va_t start, va_t end)
{
	const struct region *r = region_next(as, start);

	for (unsigned i = 0; r && r->start < end && i < REGIONS_AT_ONCE; i++)
		r = r->next;
	return r && r->start < end ? r->start : end;
}

void region_cut(struct aspace *as, va_t start, va_t end, struct region *spare)
{
	struct region *r = region_next(as, start), *next;

	if (r && r->start < start && r->end > end)
		region_split(as, r, end, spare);
	else
		region_retire(as, spare);
	for (; r && r->start < end; r = next) {
		next = r->next;
		if (r->start < start)
			region_set_bounds(as, r, r->start, start);
		else if (r->end > end)
			region_set_bounds(as, r, end, r->end);
		else
			region_erase(as, r);
	}
}
