/* Page tables: finding and making leaf entries, and going over ranges of them.
 *
 * frame.used of a table counts the entries in use, so it is known at once when a table becomes
 * empty: it is unlinked and, as it is all zero, kept as a zeroed frame.  Leaf tables that a fork
 * shares are leaf.c's.
 *
 * A frame may be put only when no hart's TLB has an entry for it any more.  So entries are changed
 * and collected in a batch; batch_flush() fences every hart that may hold the old ones, and only
 * then puts the frames.  Whenever the space's lock is free, no hart can use an entry that allows
 * more than the tables do.
 * Lock: the space's. */
#include "mm_priv.h"

/* ---- fences ---- */

#define FENCE_PAGES_MAX 8

struct tern_mm_counters mm_counters;

void aspace_fence(struct aspace *as, va_t lo, va_t hi, bool upper)
{
	u32 self = 1u << hart_index(), ran;
	u16 asid;

	/* We have stored the entries, and read `ran` after: which harts may have read them.  A
	 * hart that enters a space does the reverse (aspace_activate), so one of the two sees
	 * the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	asid = (u16)__atomic_load_n(&as->asid_gen, __ATOMIC_ACQUIRE);
	ran = __atomic_load_n(&as->ran, __ATOMIC_RELAXED);
	if (ran & self) {
		if (upper || hi - lo > FENCE_PAGES_MAX * PAGE_SIZE)
			mmu_fence_asid(asid);
		else
			for (va_t va = lo; va < hi; va += PAGE_SIZE)
				mmu_fence_page(va, asid);
	}
	if (unlikely(ran & ~self)) {
		u32 others = asid_where_to_fence(as, ran & ~self);

		if (!others)
			return;
		__atomic_fetch_add(&mm_counters.shootdowns, 1, __ATOMIC_RELAXED);
		mmu_fence_remote(others, lo, upper || hi - lo > 64 * PAGE_SIZE ? 0 : hi - lo, asid);
	}
}

bool aspace_is_elsewhere(const struct aspace *as)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return READ_ONCE(as->ran) & ~(1u << hart_index());
}

void batch_flush(struct batch *b)
{
	if (b->upper || b->lo < b->hi)
		aspace_fence(b->as, b->lo, b->hi, b->upper);
	for (u32 i = 0; i < b->n; i++) {
		if (b->frame[i] & BATCH_TABLE)
			table_put(b->frame[i] & ~BATCH_TABLE);
		else
			frame_put(b->frame[i]);
	}
	batch_init(b, b->as);
}

static inline void batch_add(struct batch *b, u32 frame)
{
	if (unlikely(b->n == BATCH_FRAMES))
		batch_flush(b);
	b->frame[b->n++] = frame;
}

/* ---- tables ---- */

pte_t *pt_make_upper(struct aspace *as, va_t va)
{
	pte_t *l2 = &as->root[pt_index(va, 2)];
	pfn_t mid;

	if (!pte_valid(*l2)) {
		mid = frame_alloc(0, FRAME_TABLE, FRAME_ZERO);
		if (!mid)
			return NULL;
		as->tables++;
		mmu_publish();
		WRITE_ONCE(*l2, pte_table(mid));
	}
	return &pte_next_table(*l2)[pt_index(va, 1)];
}

/* Takes the middle table of va out, if it has become empty. */
static void trim_middle(struct batch *b, va_t va)
{
	pte_t *l2 = &b->as->root[pt_index(va, 2)];
	u32 mid = (u32)pte_pfn(*l2);

	if (frame_of(mid)->used)
		return;
	WRITE_ONCE(*l2, 0);
	b->as->tables--;
	b->upper = true;
	batch_add(b, mid | BATCH_TABLE);
}

pte_t *pt_make_slowly(struct aspace *as, va_t va, pte_t need, bool *upper)
{
	pte_t *up = pt_make_upper(as, va), e;
	pfn_t leaf;

	if (!up)
		return NULL;
	*upper = true;
	if (*up & PTE_SHARED) {
		e = pte_next_table(*up)[pt_index(va, 0)];
		if (!(pte_valid(e) && (e & need) && !(*up & PTE_STALE) && leaf_link(up)) &&
		    leaf_own(as, va, up))
			return NULL;
	} else if (!*up) {
		leaf = aspace_has_room(as) ? frame_alloc(0, FRAME_TABLE, FRAME_ZERO) : 0;
		if (!leaf) {
			struct batch b;

			batch_init(&b, as);
			trim_middle(&b, va);
			batch_flush(&b);
			return NULL;
		}
		as->tables++;
		pt_frame(up)->used++;
		mmu_publish();
		WRITE_ONCE(*up, pte_table(leaf));
	}
	return pt_leaf(*up) + pt_index(va, 0);
}

/* Takes out the leaf table of *upper, which is empty or shared, or the huge page, with all that it
 * holds. */
static void unlink_leaf(struct batch *b, va_t va, pte_t *upper)
{
	pte_t e = *upper;
	u32 pages = frame_of(pte_pfn(e))->pages;

	WRITE_ONCE(*upper, 0);
	pt_frame(upper)->used--;
	b->as->tables--;
	b->as->shared -= !!(e & PTE_SHARED);
	b->as->resident -= pages;
	b->as->resident_anon -= pages;
	if (pte_valid(e)) {
		b->upper = true;
		batch_add(b, (u32)pte_pfn(e) | BATCH_TABLE);
		b->upper = true;
	} else {
		table_put(pte_pfn(e)); /* needs no fence: whoever unlinked it did one */
	}
	trim_middle(b, va);
}

void pt_trim(struct aspace *as, va_t va)
{
	struct batch b;
	pte_t *slot = pt_find(as, va);

	if (!slot || pt_frame(slot)->used)
		return;
	batch_init(&b, as);
	unlink_leaf(&b, va, pt_upper(as, va));
	batch_flush(&b);
}

/* ---- ranges ---- */

pte_t *pt_upper_in(const struct aspace *as, va_t va, va_t end, va_t *stop)
{
	pte_t *upper = pt_upper(as, va);
	va_t next = (va | (pt_span(upper ? 1 : 2) - 1)) + 1;

	*stop = MIN(end, next);
	return upper && *upper ? upper : NULL;
}

/* Takes a run of entries from va to `stop` out of the budget.  Returns where it ends: sooner, if
 * less is left. */
static va_t pt_spend(va_t va, va_t stop, unsigned *budget)
{
	u64 pages = (stop - va) >> PAGE_SHIFT;

	if (pages > *budget)
		pages = *budget;
	*budget -= (unsigned)pages;
	return va + (pages << PAGE_SHIFT);
}

/* Clears the entries of [va, stop), which lie in one leaf table from p on; with keep_private, none
 * with PTE_ANON. */
static inline __attribute__((always_inline)) void zap_run(struct batch *b, pte_t *p, va_t va, va_t stop,
							   bool keep_private)
{
	pte_t *end = p + ((stop - va) >> PAGE_SHIFT), *first = p, e;
	struct frame *table = pt_frame(p);
	u32 entries = 0, pages = 0, anon = 0, used = table->used;
	va_t lo = stop, hi = va;

	/* Ends early once as many entries were cleared as the table has. */
	for (; p < end && entries < used; p++) {
		e = *p;
		if (!e || (keep_private && (e & PTE_ANON)))
			continue;
		if (unlikely(b->n == BATCH_FRAMES)) {
			b->lo = MIN(b->lo, lo);
			b->hi = MAX(b->hi, hi);
			batch_flush(b);
			lo = stop;
		}
		WRITE_ONCE(*p, 0);
		hi = va + ((va_t)(p - first + 1) << PAGE_SHIFT);
		if (hi - PAGE_SIZE < lo)
			lo = hi - PAGE_SIZE;
		entries++;
		if (e & PTE_SPECIAL)
			continue;
		pages++;
		anon += (u32)((e & PTE_ANON) / PTE_ANON);
		b->frame[b->n++] = (u32)pte_pfn(e);
	}
	if (!entries)
		return;
	table->used -= entries;
	table->pages -= pages;
	b->as->resident -= pages;
	b->as->resident_anon -= anon;
	b->lo = MIN(b->lo, lo);
	b->hi = MAX(b->hi, hi);
}

/* Puts shared leaf tables that lie in the range as a whole: that of *upper, which ends at `stop`,
 * and those that follow it.  Returns the address that it reached. */
static va_t drop_leaves(struct batch *b, pte_t *upper, va_t va, va_t stop, va_t end, unsigned *budget)
{
	u64 n = MIN((end - stop) / pt_span(1), PT_ENTRIES - 1 - pt_index(va, 1));

	n = leaf_drop(b->as, upper, 1 + MIN(n, *budget));
	if (!n) {
		unlink_leaf(b, va, upper); /* it is linked, so it has to be fenced first */
		return stop;
	}
	*budget -= (unsigned)n - 1;
	trim_middle(b, va);
	return stop + (n - 1) * pt_span(1);
}

/* Takes out a huge page if [va, stop) covers it, else only splits it.  Returns the address that it
 * reached: after a split, va. */
static va_t zap_huge(struct batch *b, pte_t *upper, va_t va, va_t stop, unsigned *budget)
{
	if (stop - va < pt_span(1)) {
		huge_split(b, upper);
		return va;
	}
	*budget -= MIN(*budget, PT_ENTRIES / 8);
	b->as->huge--;
	unlink_leaf(b, va, upper);
	return stop;
}

/* A move of mremap is under way, which has made tables for the entries that it moves.  They stay,
 * even if they are empty, because an object shrank meanwhile. */
static bool tables_are_wanted(const struct aspace *as)
{
	const struct mm_work *w = as->busy;

	return unlikely(w != NULL) && w->kind == MM_WORK_MOVE &&
	       (w->phase == MOVE_PREPARE || w->phase == MOVE_ENTRIES);
}

/* The part of table t from va on to `stop`, as far as the budget bears.  Where it stopped. */
static inline va_t zap_table(struct batch *b, pte_t *t, va_t va, va_t stop, bool keep_private, unsigned *budget)
{
	u32 used = pt_frame(t)->used;

	if (unlikely(used > *budget / 8))
		stop = MIN(stop, va + (*budget / ZAP_COST + 1) * PAGE_SIZE);
	stop = pt_spend(va, stop, budget);
	zap_run(b, t + pt_index(va, 0), va, stop, keep_private);
	if (used != pt_frame(t)->used)
		*budget -= MIN(*budget, (used - pt_frame(t)->used) * ZAP_COST);
	return stop;
}

#define ZAPPED_AT_ONCE 16u /* entries */

/* All of the table around va, of a space that goes: after a fork that failed perhaps not every region of it
 * came.  False: the budget ended, and what went is passed over next time. */
static __attribute__((noinline)) bool zap_whole(struct batch *b, pte_t *t, va_t va, unsigned *budget)
{
	va_t base = va & ~(pt_span(1) - 1);
	u32 used;

	for (u64 i = 0; i < PT_ENTRIES && (used = pt_frame(t)->used) != 0; i += ZAPPED_AT_ONCE) {
		if (!*budget)
			return false;
		zap_run(b, t + i, base + i * PAGE_SIZE, base + (i + ZAPPED_AT_ONCE) * PAGE_SIZE, false);
		*budget -= MIN(*budget, (used - pt_frame(t)->used) * ZAP_COST);
	}
	return true;
}

va_t pt_zap(struct batch *b, va_t start, va_t end, enum zap what, unsigned *budget)
{
	va_t va = start, stop;
	pte_t *upper, *t;

	while (va < end && *budget) {
		upper = pt_upper_in(b->as, va, end, &stop);
		if (!upper) {
			(*budget)--;
			va = stop;
			continue;
		}
		if (leaf_is_shared(*upper)) {
			(*budget)--;
			if (what == ZAP_SPACE || stop - va == pt_span(1))
				stop = drop_leaves(b, upper, va, stop, end, budget);
			va = stop;
			continue;
		}
		if (unlikely(pte_is_huge(*upper))) {
			va = zap_huge(b, upper, va, stop, budget);
			continue;
		}
		t = pte_next_table(*upper);
		if (what == ZAP_SPACE && (*upper & PTE_SHARED)) {
			if (!zap_whole(b, t, va, budget))
				return va;
			stop = (va & ~(pt_span(1) - 1)) + pt_span(1);
		} else {
			stop = zap_table(b, t, va, stop, what == ZAP_KEEP_PRIVATE, budget);
		}
		va = stop;
		if (pt_frame(t)->used == 0 && !tables_are_wanted(b->as))
			unlink_leaf(b, va - PAGE_SIZE, upper);
	}
	return va;
}

/* What entry e becomes under the rights `prot`.  It gets no W if a write has to copy the page
 * first. */
static pte_t pte_protected(pte_t e, unsigned prot, bool shared)
{
	if ((prot & PROT_WRITE) && !shared &&
	    (!(e & PTE_ANON) || (e & PTE_SPECIAL) || frame_refs(pte_pfn(e)) != 1))
		prot = (prot & ~(unsigned)PROT_WRITE) | PROT_READ;
	return pte_make(pte_pfn(e), prot, pte_soft(e));
}

void pt_protect_run(struct batch *b, pte_t *p, va_t va, va_t stop, unsigned prot, bool shared)
{
	pte_t e, new;

	for (; va < stop; va += PAGE_SIZE, p++) {
		e = *p;
		if (!e)
			continue;
		new = pte_protected(e, prot, shared);
		if (new == e)
			continue;
		/* A page that becomes executable and is not FRAME_SYNCED gets no X here: its first
		 * fetch faults, and the fault does the fence.i that is due. */
		if ((new & PTE_X) && pte_valid(new) && !(e & PTE_X) && !(e & PTE_SPECIAL) &&
		    !is_synced(pte_pfn(e)))
			new = (new & ~PTE_X) & ((new & PTE_R) ? ~0ul : ~PTE_V);
		if (new & PTE_X)
			icache_sync(b->as);
		WRITE_ONCE(*p, new);
		batch_touch(b, va);
	}
}

va_t pt_protect(struct batch *b, va_t start, va_t end, unsigned prot, bool shared,
		unsigned *budget)
{
	va_t va = start, stop;
	pte_t *upper;

	while (va < end && *budget) {
		upper = pt_upper_in(b->as, va, end, &stop);
		if (!upper || (*upper & (PTE_SHARED | PTE_R))) {
			if (upper && pte_is_huge(*upper)) {
				huge_split(b, upper);
				continue;
			}
			(*budget)--;
			va = stop;
			if (!upper)
				continue;
			/* A shared table's entries must not change: whoever uses it next updates
			 * them, leaf_own(). */
			b->upper |= pte_valid(*upper);
			WRITE_ONCE(*upper, (*upper & ~PTE_V) | PTE_STALE);
			continue;
		}
		stop = pt_spend(va, stop, budget);
		pt_protect_run(b, pte_next_table(*upper) + pt_index(va, 0), va, stop, prot, shared);
		va = stop;
	}
	return va;
}

va_t pt_move_prepare(struct aspace *as, va_t from, va_t cursor, va_t end, va_t to,
		     unsigned *budget, bool *failed)
{
	va_t va = cursor, stop, last;
	bool linked = false;
	pte_t *upper;

	while (va < end && *budget) {
		(*budget)--;
		upper = pt_upper_in(as, va, end, &stop);
		if (upper) {
			last = to + (stop - PAGE_SIZE - from);
			if (*upper & PTE_SHARED)
				*budget -= MIN(*budget, PT_ENTRIES);
			if (!pt_make(as, va, 0, &linked) ||
			    !pt_make(as, to + (va - from), 0, &linked) ||
			    !pt_make(as, last, 0, &linked)) {
				*failed = true;
				break;
			}
		}
		va = stop;
	}
	if (linked)
		aspace_fence_new(as, 0, true);
	return va;
}

/* Moves the entries of [va, stop), which lie in one leaf table from p on, to `to`, which has its
 * tables. */
static void move_run(struct batch *b, pte_t *p, va_t va, va_t stop, va_t to)
{
	for (; va < stop; va += PAGE_SIZE, to += PAGE_SIZE, p++) {
		pte_t e = *p, *slot;

		if (!e)
			continue;
		slot = pt_find(b->as, to);
		assert(slot && !*slot);
		WRITE_ONCE(*p, 0);
		pt_frame(p)->used--;
		pt_frame(p)->pages -= !(e & PTE_SPECIAL);
		batch_touch(b, va);
		pt_frame(slot)->used++;
		pt_frame(slot)->pages += !(e & PTE_SPECIAL);
		WRITE_ONCE(*slot, e);
		batch_touch(b, to); /* a hart may have cached the invalid entry that was there */
	}
}

va_t pt_move(struct batch *b, va_t from, va_t cursor, va_t end, va_t to, unsigned *budget)
{
	va_t va = cursor, stop, base;
	pte_t *upper, *t;

	while (va < end && *budget) {
		upper = pt_upper_in(b->as, va, end, &stop);
		if (!upper) {
			(*budget)--;
			va = stop;
			continue;
		}
		assert(!(*upper & PTE_SHARED)); /* pt_move_prepare() made it the space's own */
		if (pte_is_huge(*upper))
			huge_split(b, upper);
		t = pte_next_table(*upper);
		stop = pt_spend(va, stop, budget);
		move_run(b, t + pt_index(va, 0), va, stop, to + (va - from));
		va = stop;
		/* An empty table goes, unless the new place lies in its range, too. */
		base = (va - 1) & ~(pt_span(1) - 1);
		if (pt_frame(t)->used == 0 &&
		    (base >= to + (end - from) || base + pt_span(1) <= to))
			unlink_leaf(b, va - PAGE_SIZE, upper);
	}
	return va;
}
