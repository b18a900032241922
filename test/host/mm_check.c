/* Walks that assert what mm/ keeps true of its frames, trees and spaces: the tests call them between
 * steps; the kernel itself has no use for them. */
#include "../../mm/mm_priv.h"
#include "../../mm/radix.h"
#include <kernel/log.h>

void frame_check(void)
{
	struct frame_stats s;
	u64 seen[FRAME_USER + 1] = { 0 }, blocks[FRAME_ORDERS] = { 0 };

	frame_stats(&s);
	for (pfn_t pfn = frame_base; pfn < frame_limit;) {
		struct frame *f = frame_of(pfn);
		u64 n = 1;

		assert(f->kind <= FRAME_USER);
		if (f->flags & FRAME_IN_BUDDY) {
			n = 1ul << f->order;
			assert(f->kind == FRAME_FREE && !(pfn & (n - 1)));
			blocks[f->order]++;
			for (pfn_t p = pfn + 1; p < pfn + n; p++)
				assert(frame_of(p)->kind == FRAME_FREE && !frame_of(p)->flags);
			if (f->order < FRAME_ORDERS - 1 && frame_is_ram(pfn ^ n))
				assert(!(frame_of(pfn ^ n)->flags & FRAME_IN_BUDDY) ||
				       frame_of(pfn ^ n)->order != f->order);
		} else if (f->kind != FRAME_FREE && f->kind != FRAME_RESERVED) {
			n = 1ul << f->order;
		}
		assert((f->kind == FRAME_FREE || f->kind == FRAME_RESERVED) == !f->refs);
		seen[f->kind] += n;
		pfn += n;
	}
	assert(seen[FRAME_FREE] == s.free && seen[FRAME_USER] == s.user);
	assert(seen[FRAME_KERNEL] == s.kernel && seen[FRAME_SLAB] == s.slab);
	assert(seen[FRAME_TABLE] == s.table);
	for (unsigned o = 0; o < FRAME_ORDERS; o++)
		assert(blocks[o] == s.free_blocks[o]);
}

void radix_check(const struct radix *t)
{
	u64 index = 0, last = 0;
	bool first = true;

	for (; radix_next(t, &index); index++) {
		assert(first || index > last);
		assert(radix_get(t, index));
		last = index;
		first = false;
	}
	assert(t->root || t->height == 0 || first);
}

void memobj_check(struct memobj *m)
{
	struct radix t = { .root = m->root, .height = m->height };
	u64 n = 0, index = 0;
	u32 regions = 0;
	pfn_t pfn;

	spin_lock(&m->lock);
	assert(m->refs);
	radix_check(&t);
	for (; (pfn = radix_next(&t, &index)); index++, n++) {
		assert(index < PAGE_UP(m->size) >> PAGE_SHIFT);
		assert(frame_of(pfn)->kind == FRAME_USER && frame_of(pfn)->refs);
	}
	assert(n == m->resident);
	list_for_each(e, &m->regions) {
		assert(list_entry(e, struct region, in_memobj)->memobj == m);
		regions++;
	}
	assert(regions == m->nregions && m->refs >= regions);
	spin_unlock(&m->lock);
}

static void check_region(const struct aspace *as, struct region *r)
{
	u64 gap;

	assert(r->aspace == as && r->start < r->end);
	assert(!((r->start | r->end) & PAGE_MASK) && r->start >= USER_MIN && r->end <= USER_MAX);
	assert(!(r->prot & ~r->max_prot) || (r->flags & REGION_VDSO));
	assert(!r->left || (r->left->parent == r && r->left->start < r->start));
	assert(!r->right || (r->right->parent == r && r->right->start > r->start));
	assert(!r->parent || r->parent->priority >= r->priority);
	gap = r->prev ? r->start - r->prev->end : r->start - USER_MIN;
	if (r->flags & REGION_GROWSDOWN)
		gap = gap > STACK_GAP ? gap - STACK_GAP : 0;
	assert(gap == r->gap);
	if (r->left)
		gap = MAX(gap, r->left->max_gap);
	if (r->right)
		gap = MAX(gap, r->right->max_gap);
	assert(gap == r->max_gap);
	assert(!!r->memobj == !list_empty(&r->in_memobj));
}

void aspace_check(struct aspace *as)
{
	struct region *prev = NULL;
	u64 mapped = 0, data = 0;
	u32 n = 0;

	spin_lock(&as->lock);
	for (struct region *r = as->head; r; prev = r, r = r->next) {
		u64 pages = (r->end - r->start) >> PAGE_SHIFT;

		assert(r->prev == prev && (!prev || prev->end <= r->start));
		check_region(as, r);
		assert(region_next(as, r->start) == r);
		mapped += pages;
		if ((r->prot & PROT_WRITE) && !(r->flags & (REGION_SHARED | REGION_GROWSDOWN)))
			data += pages;
		n++;
	}
	assert(as->tail == prev && n == as->nregions);
	assert(mapped == as->mapped && data == as->data);
	pt_check(as);
	spin_unlock(&as->lock);
}
