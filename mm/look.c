/* What /proc shows of a space: its regions, the page-table walk of an address, pagemap.  Nothing
 * here changes the space.  Its lock is held for a call, which gives about a page of results. */
#include "mm_priv.h"

#include <tern/abi.h>

/* How many mappings a page has, one of which is entry e.  The reference of an object's slot is no
 * mapping.  If e's table is shared, e is a mapping of each space that has the table.  (Of other
 * shared tables that have the page we do not know; each counts as one mapping.) */
static u32 count_mappings(pte_t upper, pte_t e)
{
	u32 n = frame_refs(pte_pfn(e)) - !(e & PTE_ANON);

	if (leaf_is_shared(upper))
		n += frame_refs(pte_pfn(upper)) - 1;
	return MAX(n, 1u); /* other harts may be putting references meanwhile, but ours is there */
}

static u32 flags_out(unsigned f)
{
	return (f & REGION_SHARED ? TERN_REGION_SHARED : 0) | (f & REGION_STACK ? TERN_REGION_STACK : 0) |
	       (f & REGION_HEAP ? TERN_REGION_HEAP : 0) | (f & REGION_VDSO ? TERN_REGION_VDSO : 0) |
	       (f & REGION_GROWSDOWN ? TERN_REGION_GROWSDOWN : 0) |
	       (f & REGION_LOCKED ? TERN_REGION_LOCKED : 0) |
	       (f & REGION_HUGE ? TERN_REGION_HUGE : 0) |
	       (f & REGION_NOHUGE ? TERN_REGION_NOHUGE : 0);
}

unsigned aspace_query(struct aspace *as, va_t from, struct tern_region_info *v, unsigned max)
{
	struct region *r;
	unsigned n = 0;

	spin_lock(&as->lock);
	for (r = region_next(as, from); r && n < max; r = r->next)
		v[n++] = (struct tern_region_info){
			.start = r->start,
			.end = r->end,
			.offset = r->memobj ? r->offset : 0,
			.ident = r->memobj ? r->memobj->ident : 0,
			.prot = r->prot,
			.max_prot = r->max_prot,
			.flags = flags_out(r->flags),
		};
	spin_unlock(&as->lock);
	return n;
}

/* Fills in which accesses leaf entry e allows now, and how many spaces and objects have its page.
 * Lock held. */
static void walk_leaf(struct aspace *as, pte_t upper, pte_t e, struct tern_walk *w)
{
	struct region *r = region_find(as, w->va);
	bool shared = leaf_is_shared(upper);

	w->pa = (pte_pfn(e) << PAGE_SHIFT) | (w->va & PAGE_MASK);
	w->effective = (e >> 1) & 7 & (shared ? ~(unsigned)PROT_WRITE : ~0u);
	if ((upper & PTE_STALE) && r)
		w->effective &= r->prot & PROT_WRITE ? r->prot | PROT_READ : r->prot;
	if (frame_is_ram(pte_pfn(e)))
		w->refs = frame_refs(pte_pfn(e)) + (shared ? frame_refs(pte_pfn(upper)) - 1 : 0);
}

void aspace_walk(struct aspace *as, va_t va, struct tern_walk *w)
{
	pfn_t table = as->root_pfn;
	pte_t e = 0, upper = 0;

	memset(w, 0, sizeof(*w));
	w->va = va;
	if (va >= USER_MAX && va < KERNEL_HALF)
		return;
	spin_lock(&as->lock);
	for (int level = PT_LEVELS - 1; level >= 0; level--) {
		unsigned i = (unsigned)(PT_LEVELS - 1 - level);

		upper = e;
		e = ((pte_t *)pfn_to_virt(table))[pt_index(va, level)];
		w->level[i].table = table << PAGE_SHIFT;
		w->level[i].index = pt_index(va, level);
		w->level[i].entry = e;
		w->level[i].unlinked = level == 1 && !pte_valid(e) && (e & PTE_SHARED);
		if (!pte_valid(e) && !w->level[i].unlinked)
			break;
		w->levels++;
		if (va >= KERNEL_HALF)
			break;
		if (level == 1 && pte_is_huge(e)) {
			walk_leaf(as, 0, pt_leaf(e)[pt_index(va, 0)], w);
			break;
		}
		table = pte_pfn(e);
	}
	if (w->levels == PT_LEVELS)
		walk_leaf(as, upper, e, w);
	spin_unlock(&as->lock);
}

#define PAGEMAP_PRESENT (1ul << 63)
#define PAGEMAP_FILE (1ul << 61)
#define PAGEMAP_EXCLUSIVE (1ul << 56)

/* The word that /proc/<pid>/pagemap has for the page at va, whose entry is e.  Lock held. */
static u64 pagemap_word(struct aspace *as, va_t va, pte_t e)
{
	u64 v = PAGEMAP_PRESENT | pte_pfn(e) | (e & PTE_ANON ? 0 : PAGEMAP_FILE);
	pte_t upper = *pt_upper(as, va);
	u32 n;

	if (e & PTE_SPECIAL)
		return v;
	n = count_mappings(upper, e);
	return v | (n == 1 ? PAGEMAP_EXCLUSIVE : 0) | (e & (PTE_ANON | PTE_W) ? TERN_PAGEMAP_DIRTY : 0) |
	       (pte_is_huge(upper) ? TERN_PAGEMAP_HUGE : 0) |
	       (u64)MIN(n, TERN_PAGEMAP_MOST) << TERN_PAGEMAP_COUNT;
}

void aspace_pagemap(struct aspace *as, va_t va, u64 *v, unsigned count)
{
	spin_lock(&as->lock);
	for (unsigned i = 0; i < count; i++, va += PAGE_SIZE) {
		pte_t e = va < USER_MAX ? pt_peek(as, va) : 0;

		v[i] = e ? pagemap_word(as, va, e) : 0;
	}
	spin_unlock(&as->lock);
}
