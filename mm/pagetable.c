/* Page tables: finding and making leaf entries, and going over ranges of them.
 *
 * frame.value of a table counts the entries in use, so a table that becomes empty is known at once,
 * unlinked and, being all zero, kept as a zeroed frame.
 *
 * What the translation caches may still hold decides when a frame is dropped: entries are changed,
 * collected in a batch, fenced on every hart that may hold the old ones, and then their frames
 * are put (batch_flush).  So whenever the space's lock is free, no hart can use an entry that
 * allows more than the tables do.
 * Lock: the space's. */
#include "mm_priv.h"

/* ---- fences ---- */

#define FENCE_PAGES_MAX 8

struct mm_counters mm_counters;

void aspace_fence(struct aspace *as, va_t lo, va_t hi, bool upper)
{
	u32 self = 1u << hart_index(), ran;
	u16 asid;

	/* The entries first, then who may have read them: aspace_activate does the reverse. */
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
		__atomic_fetch_add(&mm_counters.shootdowns, 1, __ATOMIC_RELAXED);
		mmu_fence_remote(ran & ~self, lo,
				 upper || hi - lo > 64 * PAGE_SIZE ? 0 : hi - lo, asid);
	}
}

void aspace_fence_new(struct aspace *as, va_t va, bool upper)
{
	if (!(READ_ONCE(as->ran) & 1u << hart_index()))
		return;
	if (unlikely(upper))
		mmu_fence_asid((u16)as->asid_gen);
	else
		mmu_fence_page(va, (u16)as->asid_gen);
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
			frame_free_zeroed(b->frame[i] & ~BATCH_TABLE);
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

static pfn_t table_alloc(struct aspace *as)
{
	pfn_t pfn = frame_alloc(0, FRAME_TABLE, FRAME_ZERO);

	if (pfn)
		as->tables++;
	return pfn;
}

pte_t *pt_make(struct aspace *as, va_t va, bool *upper)
{
	pte_t *l2 = &as->root[pt_index(va, 2)], *l1, e = *l2;
	pfn_t mid = 0, leaf;

	if (unlikely(!pte_valid(e))) {
		mid = table_alloc(as);
		if (!mid)
			return NULL;
		e = pte_table(mid);
	}
	l1 = &pte_next_table(e)[pt_index(va, 1)];
	if (unlikely(!pte_valid(*l1))) {
		leaf = table_alloc(as);
		if (!leaf) {
			if (mid) { /* not linked yet */
				as->tables--;
				frame_free_zeroed(mid);
			}
			return NULL;
		}
		pt_frame(l1)->value++;
		mmu_publish();
		WRITE_ONCE(*l1, pte_table(leaf));
		if (mid) {
			mmu_publish();
			WRITE_ONCE(*l2, e);
		}
		*upper = true;
	}
	return &pte_next_table(*l1)[pt_index(va, 0)];
}

/* Unlinks a table that has become empty, and the one above if it does, too. */
static void unlink_leaf(struct batch *b, va_t va)
{
	pte_t *l2 = &b->as->root[pt_index(va, 2)];
	pte_t *l1 = &pte_next_table(*l2)[pt_index(va, 1)];
	u32 leaf = (u32)pte_pfn(*l1), mid = (u32)pte_pfn(*l2);

	WRITE_ONCE(*l1, 0);
	b->as->tables--;
	if (b->n + 2 > BATCH_FRAMES) {
		b->upper = true;
		batch_flush(b);
	}
	b->upper = true;
	batch_add(b, leaf | BATCH_TABLE);
	if (--frame_of(mid)->value == 0) {
		WRITE_ONCE(*l2, 0);
		b->as->tables--;
		batch_add(b, mid | BATCH_TABLE);
	}
}

void pt_trim(struct aspace *as, va_t va)
{
	struct batch b;
	pte_t *slot = pt_find(as, va);

	if (!slot || pt_frame(slot)->value)
		return;
	batch_init(&b, as);
	unlink_leaf(&b, va);
	batch_flush(&b);
}

void pt_free_all(struct aspace *as)
{
	if (as->tables == 1) /* the root: all else went as it became empty */
		return;
	for (unsigned i = 0; i < pt_index(USER_MAX - 1, 2) + 1; i++) {
		pte_t e = as->root[i], *l1;

		if (!pte_valid(e))
			continue;
		l1 = pte_next_table(e);
		for (unsigned j = 0; j < PT_ENTRIES; j++)
			if (pte_valid(l1[j])) {
				assert(frame_of(pte_pfn(l1[j]))->value == 0);
				frame_free(pte_pfn(l1[j]), 0);
				as->tables--;
			}
		frame_free(pte_pfn(e), 0);
		as->tables--;
		as->root[i] = 0;
	}
}

/* ---- ranges ---- */

/* The table of leaf entries around va and where its range ends within [va, end); without one:
 * NULL and the next address that may have one. */
static pte_t *leaf_at(const struct aspace *as, va_t va, va_t end, va_t *stop)
{
	pte_t e = as->root[pt_index(va, 2)];
	va_t next;

	if (!pte_valid(e)) {
		next = (va | (pt_span(2) - 1)) + 1;
		*stop = MIN(end, next);
		return NULL;
	}
	next = (va | (pt_span(1) - 1)) + 1;
	*stop = MIN(end, next);
	e = pte_next_table(e)[pt_index(va, 1)];
	return pte_valid(e) ? pte_next_table(e) : NULL;
}

/* Bounds a run by what is left of the budget. */
static va_t spend(va_t va, va_t stop, unsigned *budget)
{
	u64 pages = (stop - va) >> PAGE_SHIFT;

	if (pages > *budget)
		pages = *budget;
	*budget -= (unsigned)pages;
	return va + (pages << PAGE_SHIFT);
}

/* One leaf table's part. */
static void zap_run(struct batch *b, pte_t *p, va_t va, va_t stop, bool keep_private)
{
	pte_t *end = p + ((stop - va) >> PAGE_SHIFT), *first = p, e;
	u64 entries = 0, pages = 0, anon = 0, value = pt_frame(p)->value;
	va_t lo = stop, hi = va;

	/* The table's count tells when there is nothing more to find. */
	for (; p < end && entries < value; p++) {
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
		anon += (e & PTE_ANON) / PTE_ANON;
		b->frame[b->n++] = (u32)pte_pfn(e);
	}
	if (!entries)
		return;
	pt_frame(first)->value -= entries;
	b->as->resident -= pages;
	b->as->resident_anon -= anon;
	b->lo = MIN(b->lo, lo);
	b->hi = MAX(b->hi, hi);
}

va_t pt_zap(struct batch *b, va_t start, va_t end, bool keep_private, unsigned *budget)
{
	struct aspace *as = b->as;
	va_t va = start, stop;
	pte_t *t;

	while (va < end && *budget) {
		t = leaf_at(as, va, end, &stop);
		if (!t) {
			(*budget)--;
			va = stop;
			continue;
		}
		stop = spend(va, stop, budget);
		zap_run(b, t + pt_index(va, 0), va, stop, keep_private);
		va = stop;
		if (pt_frame(t)->value == 0)
			unlink_leaf(b, va - PAGE_SIZE);
	}
	return va;
}

/* The entry that an existing one becomes under new rights: W is only given where nobody shares. */
static pte_t protected(pte_t e, unsigned prot, bool shared)
{
	if ((prot & PROT_WRITE) && !shared &&
	    (!(e & PTE_ANON) || (e & PTE_SPECIAL) || frame_refs(pte_pfn(e)) != 1))
		prot = (prot & ~(unsigned)PROT_WRITE) | PROT_READ;
	return pte_make(pte_pfn(e), prot, pte_soft(e));
}

va_t pt_protect(struct batch *b, va_t start, va_t end, unsigned prot, bool shared,
		unsigned *budget)
{
	va_t va = start, stop;
	pte_t *t, e, new;

	while (va < end && *budget) {
		t = leaf_at(b->as, va, end, &stop);
		if (!t) {
			(*budget)--;
			va = stop;
			continue;
		}
		stop = spend(va, stop, budget);
		for (pte_t *p = t + pt_index(va, 0); va < stop; va += PAGE_SIZE, p++) {
			e = *p;
			if (!e)
				continue;
			new = protected(e, prot, shared);
			if (new == e)
				continue;
			/* A page that may be executed now goes through a fault, which looks after
			 * instruction fetches. */
			if ((new & PTE_X) && pte_valid(new) && !(e & PTE_X) &&
			    !(e & PTE_SPECIAL) && !(frame_of(pte_pfn(e))->flags & FRAME_SYNCED))
				new = (new & ~PTE_X) & ((new & PTE_R) ? ~0ul : ~PTE_V);
			WRITE_ONCE(*p, new);
			batch_touch(b, va);
		}
	}
	return va;
}

/* One leaf table's part of a fork. False: no memory. */
static bool copy_run(struct batch *b, struct aspace *dst, pte_t *from, va_t va, va_t stop)
{
	bool upper = false;
	pte_t *to = NULL, e;

	for (; va < stop; va += PAGE_SIZE, from++) {
		e = *from;
		if (!e)
			continue;
		if (!to) {
			to = pt_make(dst, va, &upper);
			if (!to)
				return false;
			to -= pt_index(va, 0);
		}
		if (e & PTE_W) {
			e &= ~(PTE_W | PTE_D);
			WRITE_ONCE(*from, e);
			batch_touch(b, va);
		}
		if (!(e & PTE_SPECIAL))
			frame_get(pte_pfn(e));
		pt_fill(dst, &to[pt_index(va, 0)], e);
	}
	return true;
}

va_t pt_copy(struct batch *b, struct aspace *dst, va_t start, va_t end, unsigned *budget,
	     bool *failed)
{
	va_t va = start, stop;
	pte_t *t;

	while (va < end && *budget) {
		t = leaf_at(b->as, va, end, &stop);
		if (!t) {
			(*budget)--;
			va = stop;
			continue;
		}
		stop = spend(va, stop, budget);
		if (!copy_run(b, dst, t + pt_index(va, 0), va, stop)) {
			*failed = true;
			return va;
		}
		va = stop;
	}
	return va;
}

va_t pt_move_prepare(struct aspace *as, va_t from, va_t cursor, va_t end, va_t to,
		     unsigned *budget, bool *failed)
{
	va_t va = cursor, stop, last;
	bool upper = false;

	while (va < end && *budget) {
		(*budget)--;
		if (leaf_at(as, va, end, &stop)) {
			last = to + (stop - PAGE_SIZE - from);
			if (!pt_make(as, to + (va - from), &upper) || !pt_make(as, last, &upper)) {
				*failed = true;
				break;
			}
		}
		va = stop;
	}
	if (upper)
		aspace_fence_new(as, 0, true);
	return va;
}

va_t pt_move(struct batch *b, va_t from, va_t cursor, va_t end, va_t to, unsigned *budget)
{
	va_t va = cursor, stop;
	pte_t *t, *slot, e;

	while (va < end && *budget) {
		t = leaf_at(b->as, va, end, &stop);
		if (!t) {
			(*budget)--;
			va = stop;
			continue;
		}
		stop = spend(va, stop, budget);
		for (pte_t *p = t + pt_index(va, 0); va < stop; va += PAGE_SIZE, p++) {
			e = *p;
			if (!e)
				continue;
			slot = pt_find(b->as, to + (va - from));
			assert(slot && !*slot);
			WRITE_ONCE(*p, 0);
			pt_frame(t)->value--;
			batch_touch(b, va);
			pt_frame(slot)->value++;
			WRITE_ONCE(*slot, e);
			batch_touch(b, to + (va - from)); /* an invalid entry may be cached */
		}
		if (pt_frame(t)->value == 0)
			unlink_leaf(b, va - PAGE_SIZE);
	}
	return va;
}

/* ---- checking ---- */

static u64 check_leaf(struct aspace *as, const pte_t *t, va_t base, u64 *resident, u64 *anon)
{
	u64 used = 0;

	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		pte_t e = t[i];
		struct region *r;
		unsigned rights;

		if (!e)
			continue;
		used++;
		r = region_next(as, base + i * PAGE_SIZE);
		if (!as->busy) {
			assert(r && r->start <= base + i * PAGE_SIZE);
			rights = r->prot & PROT_WRITE ? r->prot | PROT_READ : r->prot;
			assert(((e >> 1) & 7 & ~rights) == 0);
			assert(!(e & PTE_ANON) || !(r->flags & REGION_SHARED));
		}
		if (e & PTE_SPECIAL)
			continue;
		(*resident)++;
		*anon += !!(e & PTE_ANON);
		assert(frame_of(pte_pfn(e))->kind == FRAME_USER && frame_refs(pte_pfn(e)) >= 1);
		if ((e & PTE_W) && (e & PTE_ANON))
			assert(frame_refs(pte_pfn(e)) == 1);
		if (!(e & PTE_ANON) && r && !(r->flags & REGION_SHARED))
			assert(!(e & PTE_W));
	}
	return used;
}

void pt_check(struct aspace *as)
{
	u64 resident = 0, anon = 0, tables = 1;

	for (unsigned i = 0; i < pt_index(USER_MAX - 1, 2) + 1; i++) {
		u64 used = 0;
		pte_t *l1;

		if (!pte_valid(as->root[i]))
			continue;
		l1 = pte_next_table(as->root[i]);
		tables++;
		for (unsigned j = 0; j < PT_ENTRIES; j++) {
			if (!pte_valid(l1[j]))
				continue;
			used++;
			tables++;
			assert(frame_of(pte_pfn(l1[j]))->value ==
			       check_leaf(as, pte_next_table(l1[j]),
					  ((u64)i << 30) + ((u64)j << 21), &resident, &anon));
		}
		assert(frame_of(pte_pfn(as->root[i]))->value == used);
	}
	assert(resident == as->resident && anon == as->resident_anon && tables == as->tables);
}
