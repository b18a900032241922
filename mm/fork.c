/* Copying a space for fork.
 *
 * A fork goes region by region: it clones the region, then makes the region's leaf tables the
 * child's as well (leaf.c).  Of a table that also serves objects' regions, or regions that are not
 * inherited, it copies the entries of private pages instead and takes W from both sides, so that
 * whoever writes first copies the page.  Regions that only show an object's pages (shared, or
 * private without copies) get no entries: the child's faults find the pages in the object.  Each
 * step fences the parent before it drops the locks, so that no thread of the parent can write
 * through an old entry, nor copy a page that still changes.
 * Locks: both spaces'. */
#include "mm_priv.h"

/* Where a region has at most this much of a table, fork copies the entries at once.  Such a
 * region is mostly a stack, which both sides write soon: a shared table would be copied in a
 * fault then. */
#define SMALL_PART (pt_span(1) / 8)

/* Frames that child and parent surely take to go on: copies of the pages that both write (stack,
 * data, thread block), and tables for them.  Programs with glibc take 8 to 14. */
#define FORK_TOUCHES 16u

static struct region *clone_region(struct aspace *dst, const struct region *r)
{
	struct region *c = region_alloc();

	if (!c)
		return NULL;
	region_like(c, r);
	c->flags &= (u16)~REGION_LOCKED;
	region_insert(dst, c);
	return c;
}

static bool has_private_pages(const struct region *r)
{
	if (r->flags & (REGION_SHARED | REGION_WIPEONFORK))
		return false;
	return !r->memobj || (r->flags & REGION_COPIED);
}

static bool is_inherited(const struct region *r)
{
	return !(r->flags & REGION_DONTFORK) && !(r->memobj && r->memobj->kind == MEMOBJ_PHYS);
}

/* The leaf table of va serves only regions that the child inherits unchanged, none of them an
 * object's. */
static bool is_shareable(const struct region *r, va_t va)
{
	va_t base = va & ~(pt_span(1) - 1), end = base + pt_span(1);

	while (r->prev && r->prev->end > base)
		r = r->prev;
	for (; r && r->start < end; r = r->next)
		if (r->memobj || (r->flags & (REGION_SHARED | REGION_DONTFORK | REGION_WIPEONFORK)))
			return false;
	return true;
}

/* Shares with dst the leaf table of *upper, whose range ends at `stop`, and those of r that follow
 * it under the same middle table.  Returns the address that it reached; 0: out of memory. */
static va_t share_tables(struct batch *b, struct aspace *dst, const struct region *r, pte_t *upper,
			 va_t va, va_t stop, unsigned *budget)
{
	u64 whole = MIN((r->end - stop) / pt_span(1), PT_ENTRIES - 1 - pt_index(va, 1));
	pte_t *to = pt_make_upper(dst, va);

	if (!to)
		return 0;
	whole = MIN(whole, *budget);
	*budget -= (unsigned)whole;
	leaf_share(b, dst, upper, to, 1 + whole);
	return stop + whole * pt_span(1);
}

/* Shares or copies the leaf tables of r from va on.  Returns the address that it reached. */
static va_t copy_tables(struct batch *b, struct aspace *dst, const struct region *r, va_t va,
			unsigned *budget, bool *failed)
{
	pte_t *upper, *to;
	va_t stop;

	for (; va < r->end && *budget && !*failed; va = stop) {
		(*budget)--;
		upper = pt_upper_in(b->as, va, r->end, &stop);
		if (!upper)
			continue;
		to = pt_upper(dst, va);
		if (to && (*to & PTE_SHARED))
			continue; /* shared already, for the region before this one */
		if (!(to && *to) && stop - va > SMALL_PART && is_shareable(r, va)) {
			stop = share_tables(b, dst, r, upper, va, stop, budget);
			*failed = !stop;
		} else {
			*budget -= MIN(*budget, (unsigned)((stop - va) >> PAGE_SHIFT));
			*failed = leaf_copy(b, dst, upper, va, stop);
		}
	}
	return va;
}

bool fork_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *src = w->aspace, *dst = w->other;
	bool failed = false;
	struct region *r;
	struct batch b;

	batch_init(&b, src);
	while ((r = region_next(src, w->cursor)) && *budget && !failed) {
		(*budget)--;
		if (!is_inherited(r)) {
			w->cursor = r->end;
			continue;
		}
		if (r->end > w->target) { /* dst does not have r yet */
			if (!clone_region(dst, r)) {
				failed = true;
				break;
			}
			w->target = r->end;
		} else if (dst->tail->start > r->start) { /* r, a stack, has grown since */
			region_set_bounds(dst, dst->tail, r->start, r->end);
		}
		if (!has_private_pages(r)) {
			w->cursor = r->end;
			continue;
		}
		w->cursor = copy_tables(&b, dst, r, MAX(w->cursor, r->start), budget, &failed);
	}
	batch_flush(&b);
	icache_sync(dst); /* dst may run already: a vfork's child does its own fork's steps */
	if (failed)
		w->result = -ENOMEM;
	return failed || !r;
}

int aspace_fork(struct aspace *src, struct aspace *dst, struct mm_work *w)
{
	assert(src != dst && !dst->tree);
	spin_lock(src < dst ? &src->lock : &dst->lock);
	spin_lock(src < dst ? &dst->lock : &src->lock);
	if (src->busy) {
		spin_unlock(&src->lock);
		spin_unlock(&dst->lock);
		return MM_BUSY;
	}
	dst->layout = src->layout;
	dst->brk = src->brk;
	dst->mmap_top = src->mmap_top;
	dst->stack_top = src->stack_top;
	dst->vdso = src->vdso;
	dst->limit_as = src->limit_as;
	dst->limit_stack = src->limit_stack;
	dst->limit_data = src->limit_data;
	dst->no_huge = src->no_huge;
	dst->promised = (u32)MIN(FORK_TOUCHES, src->resident_anon);
	frames_promise(dst->promised);
	__atomic_fetch_add(&mm_counters.forks, 1, __ATOMIC_RELAXED);
	work_init(w, MM_WORK_FORK, src, 0, USER_MAX);
	w->other = dst;
	return work_start(w);
}
