/* Page faults.
 *
 * The cases, by what the leaf entry holds:
 *   nothing, anonymous      a read maps the page of zeroes, a write a zeroed frame
 *   nothing, of an object   its page is mapped, read-only if the region is private; a write
 *                           to a private region gets a copy at once; a read also maps the pages
 *                           around it that the object has
 *   enough for the access   a spurious fault, since this hart cached an entry that another hart has
 *                           changed, or an invalid one: it fences
 *   a private page, write   if the page is this space's alone (PTE_ANON and one reference), the
 *                           entry gets W, else the page is copied
 *   a shared page, write    the entry gets W
 *   a page without rights   the entry gets the region's rights, W only as in the two cases above
 * A private page with more than one reference never changes; whoever wants to change it copies it.
 * Lock: the space's; the object's below it. */
#include <kernel/lib/trace.h>

#include "mm_priv.h"

#define AROUND 16u

pfn_t zero_pfn;

/* If va lies below a stack that may grow, grows it down to va.  NULL: there is no such stack. */
static struct region *grow_stack(struct aspace *as, va_t va)
{
	struct region *r = region_next(as, va);
	u64 limit;

	if (!r || !(r->flags & REGION_GROWSDOWN) || va < USER_MIN || r->memobj)
		return NULL;
	if (r->end - va > as->limit_stack)
		return NULL;
	if (r->prev && r->prev->end > va)
		return NULL;
	if (r->prev && !(r->prev->flags & REGION_GROWSDOWN) && va - r->prev->end < STACK_GAP)
		return NULL;
	limit = as->limit_as >> PAGE_SHIFT;
	if (as->mapped + ((r->start - va) >> PAGE_SHIFT) > limit)
		return NULL;
	region_set_bounds(as, r, va, r->end);
	return r;
}

/* Before a frame is mapped executable: makes instruction fetches see what was stored in it. */
static void sync_frame(struct aspace *as, pfn_t pfn)
{
	if (!frame_is_ram(pfn))
		return;
	if (unlikely(!is_synced(pfn))) {
		icache_written();
		frame_of(pfn)->flags |= FRAME_SYNCED;
	}
	icache_sync(as);
}

/* Replaces the entry of a page that was copied, and puts the reference of the old frame, if it held
 * one. */
static void fault_replace(struct aspace *as, pte_t *slot, va_t va, pte_t new)
{
	pte_t old = *slot;

	/* No hart may write the new page while another one still reads the old one.  The entry is
	 * cleared before we look which harts run the space, so that no other hart can load it
	 * after. */
	if (pte_valid(old)) {
		WRITE_ONCE(*slot, 0);
		if (aspace_is_elsewhere(as))
			aspace_fence(as, va, va + PAGE_SIZE, false);
	}
	mmu_publish();
	WRITE_ONCE(*slot, new);
	aspace_fence_new(as, va, false);
	if (old & PTE_SPECIAL) {
		pt_frame(slot)->pages++;
		as->resident++;
		as->resident_anon++;
		return;
	}
	as->resident_anon += !(old & PTE_ANON);
	frame_put(pte_pfn(old));
}

static enum fault_result write_private(struct aspace *as, struct region *r, pte_t *slot, va_t va)
{
	pte_t e = *slot;
	pfn_t pfn;

	if ((e & (PTE_ANON | PTE_SPECIAL)) == PTE_ANON && frame_refs(pte_pfn(e)) == 1) {
		if (r->prot & PROT_EXEC)
			sync_frame(as, pte_pfn(e));
		WRITE_ONCE(*slot, pte_make(pte_pfn(e), r->prot, PTE_ANON));
		aspace_fence_new(as, va, false);
		return FAULT_OK;
	}
	if (e & PTE_SPECIAL) {
		if (!(e & PTE_ANON))
			return FAULT_ACCERR; /* a private copy of device memory makes no sense */
		pfn = frame_alloc(0, FRAME_USER, FRAME_ZERO);
		if (!pfn)
			return FAULT_NOMEM;
		__atomic_fetch_add(&mm_counters.zero_fills, 1, __ATOMIC_RELAXED);
	} else {
		pfn = frame_alloc(0, FRAME_USER, 0);
		if (!pfn)
			return FAULT_NOMEM;
		page_copy(pfn_to_virt(pfn), pfn_to_virt(pte_pfn(e)));
		trace(TERN_TRACE_COPY, va, pfn);
		__atomic_fetch_add(&mm_counters.cow_copies, 1, __ATOMIC_RELAXED);
	}
	if (r->memobj)
		r->flags |= REGION_COPIED;
	if (r->prot & PROT_EXEC)
		sync_frame(as, pfn);
	fault_replace(as, slot, va, pte_make(pfn, r->prot, PTE_ANON));
	return FAULT_OK;
}

/* A fault where the leaf entry is not empty. */
static enum fault_result fault_present(struct aspace *as, struct region *r, pte_t *slot, va_t va,
				       enum fault_access access)
{
	pte_t e = *slot, need = (pte_t)access << 1, new; /* FAULT_* << 1 are PTE_R, W, X */
	unsigned prot = r->prot;

	if (pte_valid(e) && (e & need)) {
		if (READ_ONCE(as->ran) & 1u << hart_index())
			/* all levels: the stale entry may be an upper one */
			mmu_fence_asid((u16)as->asid_gen);
		return FAULT_OK;
	}
	if (access == FAULT_WRITE && !(r->flags & REGION_SHARED))
		return write_private(as, r, slot, va);
	if (access == FAULT_WRITE)
		WRITE_ONCE(r->memobj->written, arch_ticks());
	if (!(r->flags & REGION_SHARED) && (prot & PROT_WRITE) && !(e & PTE_W))
		prot = (prot & ~(unsigned)PROT_WRITE) | PROT_READ;
	if (prot & PROT_EXEC)
		sync_frame(as, pte_pfn(e));
	new = pte_make(pte_pfn(e), prot, pte_soft(e));
	assert((new & need) && (new & e & PTE_RIGHTS) == (e & PTE_RIGHTS));
	WRITE_ONCE(*slot, new);
	aspace_fence_new(as, va, false);
	return FAULT_OK;
}

/* Maps an object's page, that of tree slot `page`, at p.  A page that would need a fence.i first is
 * left out.  False: the object does not have the page, or p is in use, so the caller stops. */
static inline bool map_one(struct aspace *as, pte_t *p, const union radix_slot *page, pte_t rights,
			   u64 *filled)
{
	pfn_t pfn = page->value;

	if (!pfn || *p)
		return false;
	if ((rights & PTE_X) && (!is_synced(pfn) || icache_generation != as->icache_generation))
		return true;
	__atomic_fetch_add(&frame_of(pfn)->refs, 1, __ATOMIC_RELAXED);
	WRITE_ONCE(*p, rights | pfn << PTE_PFN_SHIFT);
	++*filled;
	return true;
}

/* Maps the object's pages on both sides of va, which is page `index`: up to the first one that is
 * missing or mapped already, within AROUND pages, the leaf table, the region and one node of the
 * object's tree.  m->lock held. */
static void map_around(struct aspace *as, struct region *r, pte_t *slot, va_t va, u64 index, unsigned prot)
{
	struct memobj *m = r->memobj;
	va_t lo = va & ~(AROUND * PAGE_SIZE - 1), hi = MIN(lo + AROUND * PAGE_SIZE, r->end);
	u64 n, up, down, filled = 0;
	const union radix_slot *page = radix_run(&m->pages, index, &n);
	pte_t rights = pte_make(0, prot, 0);

	up = MIN(n, MIN((hi - va) >> PAGE_SHIFT, (PAGE_UP(m->size) >> PAGE_SHIFT) - index));
	down = MIN(RADIX_SLOTS - n, (va - MAX(lo, r->start)) >> PAGE_SHIFT);
	for (u64 i = 1; i < up && map_one(as, slot + i, page + i, rights, &filled); i++)
		;
	for (u64 i = 1; i <= down && map_one(as, slot - i, page - i, rights, &filled); i++)
		;
	pt_frame(slot)->used += (u32)filled;
	pt_frame(slot)->pages += (u32)filled;
	as->resident += filled;
}

/* A fault where the leaf entry is empty, in a region that maps an object. */
static __attribute__((noinline)) enum fault_result fault_object(struct aspace *as, struct region *r, pte_t *slot, va_t va,
				      enum fault_access access, struct page_missing *missing)
{
	struct memobj *m = r->memobj;
	u64 index = (r->offset + (va - r->start)) >> PAGE_SHIFT;
	bool shared = r->flags & REGION_SHARED, copy = !shared && access == FAULT_WRITE, grows;
	unsigned prot = r->prot;
	pfn_t pfn = 0, own = 0;

	if (copy) {
		own = frame_alloc(0, FRAME_USER, 0);
		if (!own)
			return FAULT_NOMEM;
	}
	spin_lock(&m->lock);
	if (index >= PAGE_UP(m->size) >> PAGE_SHIFT) {
		spin_unlock(&m->lock);
		if (own)
			frame_put(own);
		return FAULT_BUS;
	}
	/* A file stops growing before memory is out, as its pages stay when processes are ended. */
	grows = m->kind != MEMOBJ_PAGER && memobj_may_grow(m) && (!m->ident || !frames_scarce(FILE_SHARE));
	pfn = memobj_page_locked(m, index, !copy && grows);
	if (!pfn && m->kind == MEMOBJ_PAGER) {
		if (missing) {
			memobj_get(m);
			*missing = (struct page_missing){ m, index, m->comings };
		}
		spin_unlock(&m->lock);
		if (own)
			frame_put(own);
		return FAULT_PAGER;
	}
	if (copy) {
		if (pfn && m->kind != MEMOBJ_PHYS)
			page_copy(pfn_to_virt(own), pfn_to_virt(pfn));
		else
			page_zero(pfn_to_virt(own));
		spin_unlock(&m->lock);
		__atomic_fetch_add(&mm_counters.cow_copies, 1, __ATOMIC_RELAXED);
		r->flags |= REGION_COPIED;
		if (prot & PROT_EXEC)
			sync_frame(as, own);
		pt_fill(as, slot, pte_make(own, prot, PTE_ANON));
		return FAULT_OK;
	}
	if (!pfn) {
		spin_unlock(&m->lock);
		return grows ? FAULT_NOMEM : FAULT_BUS;
	}
	if (!shared && (prot & PROT_WRITE))
		prot = (prot & ~(unsigned)PROT_WRITE) | PROT_READ;
	if (m->kind == MEMOBJ_PHYS) {
		pt_fill(as, slot, pte_make(pfn, prot, PTE_SPECIAL));
		spin_unlock(&m->lock);
		return FAULT_OK;
	}
	if (prot & PROT_EXEC)
		sync_frame(as, pfn);
	frame_get(pfn);
	pt_fill(as, slot, pte_make(pfn, prot, 0));
	if (access == FAULT_WRITE)
		WRITE_ONCE(m->written, arch_ticks());
	else
		map_around(as, r, slot, va, index, prot);
	spin_unlock(&m->lock);
	return FAULT_OK;
}

enum fault_result fault_locked(struct aspace *as, va_t va, enum fault_access access,
			       struct page_missing *missing)
{
	struct region *r;
	enum fault_result res = FAULT_OK;
	unsigned rights;
	bool upper = false;
	pte_t *slot;
	pfn_t pfn;

	va = PAGE_DOWN(va);
	if (unlikely(va >= USER_MAX))
		return FAULT_MAPERR;
	if (unlikely(as->busy != NULL)) {
		if (as->busy->kind == MM_WORK_DESTROY)
			return FAULT_MAPERR; /* the space ends, and must not get pages any more */
		if (!work_help(as, va, va + PAGE_SIZE))
			return FAULT_AGAIN;
	}
	r = region_find(as, va);
	if (unlikely(!r)) {
		r = grow_stack(as, va);
		if (!r)
			return FAULT_MAPERR;
	}
	rights = r->prot;
	if (rights & PROT_WRITE)
		rights |= PROT_READ;
	if (unlikely(!(rights & access)))
		return FAULT_ACCERR;
	as->minflt++;
	if (unlikely(as->promised)) {
		as->promised--;
		frames_promise(-1);
	}
	__atomic_fetch_add(&mm_counters.faults, 1, __ATOMIC_RELAXED);
	slot = pt_make(as, va, access == FAULT_WRITE ? 0 : (pte_t)access << 1, &upper);
	if (unlikely(!slot))
		return FAULT_NOMEM;
	if (*slot) {
		res = fault_present(as, r, slot, va, access);
		if (unlikely(upper))
			aspace_fence_new(as, va, true);
		return res;
	}
	if (unlikely(upper) && access == FAULT_WRITE && huge_is_wanted(as, r, va, slot))
		return FAULT_MORE;
	if (r->memobj) {
		res = fault_object(as, r, slot, va, access, missing);
	} else if (access == FAULT_WRITE) {
		pfn = frame_alloc(0, FRAME_USER, FRAME_ZERO);
		if (likely(pfn)) {
			__atomic_fetch_add(&mm_counters.zero_fills, 1, __ATOMIC_RELAXED);
			if (rights & PROT_EXEC)
				sync_frame(as, pfn);
			pt_fill(as, slot, pte_make(pfn, rights, PTE_ANON));
		} else {
			res = FAULT_NOMEM;
		}
	} else {
		pt_fill(as, slot,
			pte_make(zero_pfn, rights & ~(unsigned)PROT_WRITE, PTE_ANON | PTE_SPECIAL));
	}
	if (likely(res == FAULT_OK)) {
		aspace_fence_new(as, va, upper);
		if (as->resident > as->peak_resident)
			as->peak_resident = as->resident;
	} else if (upper) {
		pt_trim(as, va);
	}
	return res;
}

enum fault_result aspace_fault_missing(struct aspace *as, va_t va, enum fault_access access,
				       struct page_missing *missing)
{
	enum fault_result res;

	spin_lock(&as->lock);
	res = fault_locked(as, va, access, missing);
	spin_unlock(&as->lock);
	return res;
}

enum fault_result aspace_fault(struct aspace *as, va_t va, enum fault_access access)
{
	return aspace_fault_missing(as, va, access, NULL);
}

struct memobj *aspace_missing(struct aspace *as, va_t va, u64 *index)
{
	struct memobj *m = NULL;
	struct region *r;

	spin_lock(&as->lock);
	r = va < USER_MAX ? region_find(as, va) : NULL;
	if (r && r->memobj && r->memobj->kind == MEMOBJ_PAGER) {
		m = r->memobj;
		memobj_get(m);
		*index = (r->offset + (va - r->start)) >> PAGE_SHIFT;
	}
	spin_unlock(&as->lock);
	return m;
}
