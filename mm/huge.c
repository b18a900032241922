/* Pages of 2 MiB: one entry of a middle table maps a block of 512 frames, in place of a leaf table.
 *
 * The leaf table is deposited all the same when the page is made, and is full of entries for the
 * block's frames, each with its one reference; only the machine does not look at it.  pt_leaf()
 * finds it by the block's first frame.  So software looks a page of the range up as ever; a split
 * only links the table, and cannot fail; and fork shares the table.  Whoever changes an entry
 * splits first; whoever drops the whole range gives the block back as one.
 *
 * A write gets a huge page if its leaf table is empty and the table's whole range lies in one
 * anonymous region.  Where the program asked (MADV_HUGEPAGE) any such write does, while a quarter
 * of memory is free.  Where it did not, half must be free, and the write be to the range's first
 * page: a program that goes through memory in order begins there, while one that touches pages here
 * and there, and would own far more than it uses, seldom does.  The block is zeroed in steps; if
 * another thread brings a page of the range meanwhile, the block is given back.
 * Lock: the space's. */
#include "mm_priv.h"

#define SHARE_ASKED 4
#define SHARE_UNASKED 2

/* The 2 MiB around va may be one page: they lie in one region r that allows it. */
static bool huge_fits(const struct aspace *as, const struct region *r, va_t va)
{
	va_t base = va & ~(pt_span(1) - 1);

	return r && r->start <= base && base + pt_span(1) <= r->end && !r->memobj &&
	       (r->prot & (PROT_WRITE | PROT_EXEC)) == PROT_WRITE && !as->no_huge &&
	       !(r->flags & REGION_NOHUGE);
}

bool huge_is_wanted_here(const struct aspace *as, const struct region *r, va_t va, const pte_t *slot)
{
	bool asked = r->flags & REGION_HUGE;

	return !pt_frame(slot)->used && huge_fits(as, r, va) && (asked || !pt_index(va, 0)) &&
	       !frames_scarce(asked ? SHARE_ASKED : SHARE_UNASKED);
}

bool huge_begin(struct mm_work *w)
{
	w->arg = frame_alloc_block(PT_BITS);
	w->tail = 0;
	return w->arg;
}

int aspace_fault_huge(struct aspace *as, va_t va, struct mm_work *w)
{
	work_init(w, MM_WORK_HUGE, as, va, va);
	if (huge_begin(w))
		return MM_MORE;
	w->kind = MM_WORK_NONE;
	return 0;
}

/* The upper entry that maps the block whose frames the entries of leaf table t name. */
static pte_t huge_entry(const pte_t *t) { return t[0] & ~PTE_ANON; }

static void huge_fill(struct aspace *as, pte_t *upper, const struct region *r, pfn_t block)
{
	pte_t *t = pte_next_table(*upper), e = pte_make(block, r->prot, PTE_ANON);

	frame_of(block)->owner = t;
	frame_of(block)->pages = PT_ENTRIES;
	mmu_publish();
	for (unsigned i = 0; i < PT_ENTRIES; i++)
		WRITE_ONCE(t[i], e + ((pte_t)i << PTE_PFN_SHIFT));
	pt_frame(t)->used = pt_frame(t)->pages = PT_ENTRIES;
	pt_frame(t)->flags = FRAME_WHOLE;
	as->resident += PT_ENTRIES;
	as->resident_anon += PT_ENTRIES;
	as->peak_resident = MAX(as->peak_resident, as->resident);
	as->huge++;
	WRITE_ONCE(*upper, huge_entry(t));
	__atomic_fetch_add(&mm_counters.zero_fills, PT_ENTRIES, __ATOMIC_RELAXED);
	__atomic_fetch_add(&mm_counters.huge_fills, 1, __ATOMIC_RELAXED);
}

static void huge_install(struct mm_work *w)
{
	struct aspace *as = w->aspace;
	struct region *r;
	va_t base = w->cursor & ~(pt_span(1) - 1);
	pte_t *upper;

	upper = pt_upper(as, base);
	r = region_find(as, base);
	if (huge_fits(as, r, base) && upper && (*upper & (PTE_V | PTE_R | PTE_SHARED)) == PTE_V &&
	    !pt_frame(pte_next_table(*upper))->used) {
		huge_fill(as, upper, r, w->arg);
		aspace_fence_new(as, base, true);
	} else {
		frame_free_block(w->arg, PT_BITS);
		pt_trim(as, base);
	}
	w->arg = 0;
}

bool huge_step(struct mm_work *w, unsigned *budget)
{
	va_t base = w->cursor & ~(pt_span(1) - 1);

	for (; w->tail < PT_ENTRIES && *budget; w->tail++) {
		page_zero(pfn_to_virt(w->arg + w->tail));
		*budget -= MIN(*budget, POPULATE_COST);
	}
	if (w->tail < PT_ENTRIES || !work_help(w->aspace, base, base + pt_span(1)))
		return false;
	huge_install(w);
	return true;
}

void huge_split(struct batch *b, pte_t *upper)
{
	pte_t *t = pt_leaf(*upper);

	pt_frame(t)->flags = 0;
	WRITE_ONCE(*upper, pte_table(virt_to_pfn(t)));
	b->as->huge--;
	b->upper = true;
	__atomic_fetch_add(&mm_counters.huge_splits, 1, __ATOMIC_RELAXED);
}

bool huge_rejoin(struct aspace *as, pte_t *upper)
{
	const pte_t *t = pte_next_table(*upper);

	if (pt_frame(t)->used != PT_ENTRIES || (*upper & PTE_STALE))
		return false;
	as->huge++;
	WRITE_ONCE(*upper, huge_entry(t));
	return true;
}

void huge_free(pfn_t block)
{
	pte_t *t = frame_of(block)->owner;

	frame_free_block(block, PT_BITS);
	pt_frame(t)->used = 0;
	frame_free(virt_to_pfn(t), 0);
}
