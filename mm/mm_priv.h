/* What the files of mm share: regions, tables, batches of fences, steps of long operations. */
#pragma once

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/lib/log.h>
#include <kernel/lib/string.h>
#include <linux/mman.h>
#include <mm/aspace.h>
#include <mm/frame.h>
#include <mm/memobj.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#define REGIONS_MAX 65530u
#define STACK_GAP (256 * PAGE_SIZE) /* below a stack that may grow */
#ifndef STEP_ENTRIES
#define STEP_ENTRIES 512u /* entries a step looks at, about; tests take less */
#endif

/* Leaf entries.  Valid: as pte_user() makes them, and PTE_ANON: the frame is no memobj's;
 * PTE_SPECIAL: there is no frame reference behind it (the zero page, with PTE_ANON, or device
 * memory).  Parked (valid bit off, not 0): the same with no right at all, for PROT_NONE. */
#define PTE_ANON PTE_SW0
#define PTE_SPECIAL PTE_SW1
#define PTE_RIGHTS (PTE_R | PTE_W | PTE_X)

/* Entries for leaf tables.  Linked (valid) and nothing more: the space's own.  PTE_SHARED: a fork
 * made it other spaces' as well, though they may have gone since (frame.refs).  The table is as
 * it was then, and linked only once it is FRAME_READ_ONLY.  PTE_STALE, never linked: the rights in
 * it are older than its regions'.  With PTE_R: no table but a page of 2 MiB (huge.c). */
#define PTE_SHARED PTE_SW0
#define PTE_STALE PTE_SW1

extern pfn_t zero_pfn; /* the page of zeroes */

/* An entry for a page that the caller may give these rights; parked if there are none. */
static inline pte_t pte_make(pfn_t pfn, unsigned prot, pte_t soft)
{
	if (unlikely(!(prot & (PROT_READ | PROT_WRITE | PROT_EXEC))))
		return (pfn << PTE_PFN_SHIFT) | soft;
	return pte_user(pfn, prot) | soft;
}
static inline pte_t pte_soft(pte_t e) { return e & (PTE_ANON | PTE_SPECIAL); }
static inline pte_t *pte_next_table(pte_t e) { return pfn_to_virt(pte_pfn(e)); }
static inline bool pte_is_huge(pte_t upper) { return upper & PTE_R; }
/* Valid and no huge page: V without R, in two instructions. */
static inline bool pte_is_linked(pte_t upper) { return (s64)(upper << 62) > 0; }

/* ---- region.c: aspace->lock held ---- */
void region_init(void);
struct region *region_alloc(void); /* NULL */
/* Makes a fresh region one as t, which may be in no tree; it takes a memobj reference of its own. */
static inline void region_like(struct region *r, const struct region *t)
{
	r->start = t->start;
	r->end = t->end;
	r->prot = t->prot;
	r->max_prot = t->max_prot;
	r->flags = t->flags;
	r->memobj = t->memobj;
	r->offset = t->offset;
	if (r->memobj)
		memobj_get(r->memobj);
}
/* Frees a region that is in no tree, or NULL, when the lock is dropped with aspace_unlock(). */
void region_retire(struct aspace *as, struct region *r);
int aspace_unlock_slowly(struct aspace *as, int result);
static inline int aspace_unlock(struct aspace *as, int result) /* the result */
{
	if (unlikely(as->dead))
		return aspace_unlock_slowly(as, result);
	spin_unlock(&as->lock);
	return result;
}
static inline bool region_room(const struct aspace *as, u32 n) /* for n more */
{
	return as->nregions + n <= REGIONS_MAX && aspace_has_room(as);
}
struct region *region_next(const struct aspace *as, va_t va); /* the lowest with end > va */
struct region *region_find_slow(struct aspace *as, va_t va);
/* The region that va lies in, or NULL. */
static inline struct region *region_find(struct aspace *as, va_t va)
{
	struct region *r = as->last;

	if (likely(r && r->start <= va && va < r->end))
		return r;
	return region_find_slow(as, va);
}
/* Into the tree, its memobj's list and the counters; takes the memobj reference that r holds. */
void region_insert(struct aspace *as, struct region *r);
/* Out of all these; retired. */
void region_erase(struct aspace *as, struct region *r);
void region_set_bounds(struct aspace *as, struct region *r, va_t start, va_t end);
/* Changes rights and flags, and the counters that depend on them. */
void region_set_prot(struct aspace *as, struct region *r, unsigned prot, unsigned flags);
/* Joins r with what it continues on either side.  The survivor. */
struct region *region_merge(struct aspace *as, struct region *r);
void region_merge_all(struct aspace *as, va_t start, va_t end); /* those that lie or begin there */
/* Lets a neighbour grow over what t describes, where nothing is.  False: t continues none. */
bool region_extend(struct aspace *as, const struct region *t);
/* Splits at both ends, so that [start, end) is made of whole regions.  0, ENOMEM (as before). */
int must_check region_isolate(struct aspace *as, va_t start, va_t end);
/* Takes [start, end) out; a spare region (may be NULL unless region_cut_needs says so) is used up. */
bool region_cut_needs(const struct aspace *as, va_t start, va_t end);
void region_cut(struct aspace *as, va_t start, va_t end, struct region *spare);
/* Counts for RLIMIT_DATA. */
static inline bool is_data(unsigned prot, unsigned flags)
{
	return (prot & PROT_WRITE) && !(flags & (REGION_SHARED | REGION_GROWSDOWN));
}
/* Memory that the mapping may come to own, and that overcommitting is about: private and writable,
 * or shared and nobody's file; not with MAP_NORESERVE. */
static inline bool is_committed(unsigned prot, unsigned flags, const struct memobj *m)
{
	if (flags & REGION_NORESERVE)
		return false;
	return flags & REGION_SHARED ? m && m->kind == MEMOBJ_ANON && !m->ident : prot & PROT_WRITE;
}
/* The limits and all of memory allow that many pages more, when others go in turn. */
static inline bool within_limits(const struct aspace *as, u64 pages, u64 replaced, unsigned prot,
				 unsigned flags, const struct memobj *m)
{
	if (is_committed(prot, flags, m) && pages > frames_total())
		return false; /* never to be had: mode 0 of Linux's overcommit_memory */
	if (as->mapped + pages - replaced > as->limit_as >> PAGE_SHIFT)
		return false;
	if (is_data(prot, flags) &&
	    as->data + pages - MIN(replaced, as->data) > as->limit_data >> PAGE_SHIFT)
		return false;
	return true;
}
/* The highest place for len bytes in [low, high). */
bool region_find_gap(const struct aspace *as, u64 len, va_t low, va_t high, va_t *at);
/* The same where mmap looks for it. */
static inline bool region_find_place(const struct aspace *as, u64 len, va_t *at)
{
	return region_find_gap(as, len, USER_MIN, as->mmap_top, at) ||
	       region_find_gap(as, len, USER_MIN, USER_MAX, at);
}
/* Nothing lies in [start, end), nor would a stack above lose its gap. */
bool region_is_free(const struct aspace *as, va_t start, va_t end);
u64 region_pages_in(const struct aspace *as, va_t start, va_t end); /* mapped pages */

/* ---- pagetable.c: aspace->lock held ---- */
#define BATCH_FRAMES 128
/* Entries that were changed and what can be dropped once no hart can use them any more. */
struct batch {
	struct aspace *as;
	va_t lo, hi; /* changed leaf entries lie in [lo, hi) */
	u32 n;
	bool upper; /* a table was unlinked */
	u32 frame[BATCH_FRAMES]; /* numbers; BATCH_TABLE: a leaf or middle table, or a huge page */
};
#define BATCH_TABLE (1u << 31)
static inline void batch_init(struct batch *b, struct aspace *as)
{
	b->as = as;
	b->lo = ~0ul;
	b->hi = 0;
	b->n = 0;
	b->upper = false;
}
static inline void batch_touch(struct batch *b, va_t va)
{
	if (va < b->lo)
		b->lo = va;
	if (va + PAGE_SIZE > b->hi)
		b->hi = va + PAGE_SIZE;
}
void batch_flush(struct batch *b); /* fences, then drops */
/* Makes every hart forget its entries of [lo, hi); upper: non-leaf ones too. */
void aspace_fence(struct aspace *as, va_t lo, va_t hi, bool upper);
/* After an invalid or weaker entry became valid or stronger: for this hart alone. */
static inline void aspace_fence_new(struct aspace *as, va_t va, bool upper)
{
	if (!(READ_ONCE(as->ran) & 1u << hart_index()))
		return;
	if (unlikely(upper))
		mmu_fence_asid((u16)as->asid_gen);
	else
		mmu_fence_page(va, (u16)as->asid_gen);
}
/* Other harts may hold entries of the space. */
bool aspace_is_elsewhere(const struct aspace *as);

/* The entry for the leaf table of va; NULL if there is no table for it either. */
static inline pte_t *pt_upper(const struct aspace *as, va_t va)
{
	pte_t e = as->root[pt_index(va, 2)];

	return likely(pte_valid(e)) ? &pte_next_table(e)[pt_index(va, 1)] : NULL;
}
/* The leaf table behind an entry for one that is not 0, linked or not. */
static inline pte_t *pt_leaf(pte_t upper)
{
	return pte_is_huge(upper) ? frame_of(pte_pfn(upper))->owner : pte_next_table(upper);
}
/* The leaf entry of va, if its table is linked or a huge page's; NULL if not. */
static inline pte_t *pt_find(const struct aspace *as, va_t va)
{
	pte_t *upper = pt_upper(as, va);

	if (unlikely(!upper || !pte_valid(*upper)))
		return NULL;
	return pt_leaf(*upper) + pt_index(va, 0);
}
/* The leaf entry of va, linked or not, to look at. */
static inline pte_t pt_peek(const struct aspace *as, va_t va)
{
	pte_t *upper = pt_upper(as, va);

	return upper && *upper ? pt_leaf(*upper)[pt_index(va, 0)] : 0;
}
static inline struct frame *pt_frame(const pte_t *slot) { return frame_of(virt_to_pfn(slot)); }
/* The slot of va for an access that needs `need` of its entry: in a linked table, and one of the space's
 * own unless the entry has those rights already (need 0: in any case).  Of a huge page the slot is
 * to look at only.  *upper: a table was linked, or may have been: aspace_fence_new().  NULL: out of
 * memory, nothing changed. */
pte_t *pt_make_slowly(struct aspace *as, va_t va, pte_t need, bool *upper);
static inline pte_t *pt_make(struct aspace *as, va_t va, pte_t need, bool *upper)
{
	pte_t *up = pt_upper(as, va);

	if (likely(up && (*up & (PTE_V | PTE_R | PTE_SHARED)) == PTE_V))
		return pte_next_table(*up) + pt_index(va, 0);
	return pt_make_slowly(as, va, need, upper);
}
/* The entry for the leaf table of va, which may be 0, in a table that is made. NULL: no memory. */
pte_t *pt_make_upper(struct aspace *as, va_t va);
void pt_trim(struct aspace *as, va_t va); /* unlinks the leaf table of va if it is empty */
/* Fills an empty slot; counts. */
static inline void pt_fill(struct aspace *as, pte_t *slot, pte_t e)
{
	struct frame *table = pt_frame(slot);

	table->used++;
	if (!(e & PTE_SPECIAL)) {
		table->pages++;
		as->resident++;
		as->resident_anon += !!(e & PTE_ANON);
	}
	mmu_publish();
	WRITE_ONCE(*slot, e);
}
enum zap {
	ZAP_ALL,
	ZAP_KEEP_PRIVATE, /* entries with PTE_ANON stay */
	ZAP_SPACE,	  /* all of the space goes: also what lies beside the range */
};
/* Each looks at no more than *budget entries, lowers it, and returns where it stopped.  A shared leaf
 * is one entry; of one that is only partly in the range, nothing may be in it (leaf_own_edges). */
va_t pt_zap(struct batch *b, va_t start, va_t end, enum zap what, unsigned *budget);
va_t pt_protect(struct batch *b, va_t start, va_t end, unsigned prot, bool shared,
		unsigned *budget);
void pt_protect_run(struct batch *b, pte_t *p, va_t va, va_t stop, unsigned prot, bool shared);
/* The entry, not 0, for the leaf table around va and where its range ends within [va, end); without one:
 * NULL and the next address that may have one. */
pte_t *pt_upper_in(const struct aspace *as, va_t va, va_t end, va_t *stop);
/* Makes tables at `to` for all that has tables at `from`, and then moves the entries. */
va_t pt_move_prepare(struct aspace *as, va_t from, va_t cursor, va_t end, va_t to,
		     unsigned *budget, bool *failed);
va_t pt_move(struct batch *b, va_t from, va_t cursor, va_t end, va_t to, unsigned *budget);

/* ---- memobj.c and reclaim.c ---- */
/* The first page from *index on, which becomes its index; 0: none.  m->lock held. */
pfn_t memobj_next(struct memobj *m, u64 *index);
void memobj_drop(struct memobj *m, u64 index); /* the page is there; m->lock held */
/* A shrink under way is done with r, or need not be.  m->lock held. */
static inline void memobj_zapped(struct memobj *m, struct region *r)
{
	if (m->zap_next != &r->in_memobj)
		return;
	m->zap_next = r->in_memobj.next;
	m->zap_cursor = 0;
}
/* Takes the object's pages out of every space; m->lock held, dropped. */
void memobj_unmap(struct memobj *m);
void reclaim_init(void);
void reclaim_add(struct memobj *m);
void reclaim_remove(struct memobj *m);

/* ---- leaf.c: aspace->lock held ---- */
/* Makes a shared leaf table the space's own, and links it: the one it is if nobody else has it, else a
 * copy. 0, ENOMEM. */
int must_check leaf_own(struct aspace *as, va_t va, pte_t *upper);
/* The same for those that a change of [start, end) is about to cover partly. 0, ENOMEM. */
int must_check leaf_own_ends(struct aspace *as, va_t start, va_t end);
static inline int must_check leaf_own_edges(struct aspace *as, va_t start, va_t end)
{
	return likely(!as->shared) ? 0 : leaf_own_ends(as, start, end);
}
bool leaf_link(pte_t *upper); /* a shared one, for reading; false: it is to be owned, nobody else has it */
/* Drops the space's part of a table, or a huge page, that no hart can use through it. */
void table_put(pfn_t pfn);
/* Gives back, from `upper` on, what of n tables others have as well and is not linked.  How many. */
u64 leaf_drop(struct aspace *as, pte_t *upper, u64 n);
/* fork: n tables of b->as become dst's as well, at the same places. */
void leaf_share(struct batch *b, struct aspace *dst, pte_t *from, pte_t *to, u64 n);
/* fork: copies the part of a leaf table that begins at va. 0, ENOMEM. */
int must_check leaf_copy(struct batch *b, struct aspace *dst, pte_t *upper, va_t va, va_t stop);
/* A leaf table that others have as well, or may have. */
static inline bool leaf_is_shared(pte_t upper)
{
	return (upper & PTE_SHARED) &&
	       __atomic_load_n(&frame_of(pte_pfn(upper))->refs, __ATOMIC_ACQUIRE) > 1;
}

/* ---- huge.c: aspace->lock held ---- */
/* For a write fault at va in r, in the fresh leaf table of `slot`. */
bool huge_is_wanted_here(const struct aspace *as, const struct region *r, va_t va, const pte_t *slot);
static inline bool huge_is_wanted(const struct aspace *as, const struct region *r, va_t va,
				  const pte_t *slot)
{
	return r->end - r->start >= pt_span(1) && huge_is_wanted_here(as, r, va, slot);
}
/* Takes a block for the page around w->cursor, which huge_step() zeroes. False: none is there. */
bool huge_begin(struct mm_work *w);
bool huge_step(struct mm_work *w, unsigned *budget); /* true: it is mapped, or was for nothing */
void huge_split(struct batch *b, pte_t *upper);	     /* links its table instead */
/* Of a table that is FRAME_WHOLE and the space's own again: makes it the huge page that it was, if
 * nothing is missing. */
bool huge_rejoin(struct aspace *as, pte_t *upper);
void huge_free(pfn_t block); /* with its table: no hart can use them any more */

/* ---- memobj.c ---- */
void memobj_init(void);

/* ---- fault.c ---- */
enum fault_result fault_locked(struct aspace *as, va_t va, enum fault_access access,
			       struct page_missing *missing);

/* ---- work.c ---- */
enum work_kind {
	MM_WORK_NONE,
	MM_WORK_UNMAP,	 /* zap [cursor, end), then put `place` in, then populate if asked */
	MM_WORK_PROTECT, /* arg: prot */
	MM_WORK_POPULATE,
	MM_WORK_MOVE,
	MM_WORK_FORK,
	MM_WORK_DESTROY,
	MM_WORK_HUGE, /* a fault's; the space is not busy with it */
	MM_WORK_DONE,
};
#define MM_WORK_FILL 1	      /* MM_WORK_UNMAP: populate what was placed */
#define MM_WORK_FILL_WRITE 2  /* MM_WORK_POPULATE: as a write */
#define MM_WORK_FILL_STRICT 4 /* MM_WORK_POPULATE: a fault that fails is the result */
#define MM_WORK_KEEP 8	      /* MM_WORK_MOVE: MREMAP_DONTUNMAP */
/* MM_WORK_POPULATE: strictly, but private pages so that a write finds them, too */
#define MM_WORK_FILL_OWN 16
#define POPULATE_COST 16u /* of a step's budget, for a page that is made */
void work_init(struct mm_work *w, enum work_kind kind, struct aspace *as, va_t start, va_t end);
/* aspace->lock held, dropped: does the first step and, if that was all, the end. MM_MORE, result. */
int work_start(struct mm_work *w);
/* A fault meets a long operation that is moving or removing something of [lo, hi): finishes it. */
void work_help(struct aspace *as, va_t lo, va_t hi);
enum move_phase {
	MOVE_CLEAR,   /* zap [target, target + arg) */
	MOVE_CUT,     /* zap what is behind `end` of the old place */
	MOVE_PREPARE, /* tables */
	MOVE_ENTRIES,
	MOVE_UNDO, /* no memory for tables */
};
bool move_step(struct mm_work *w, unsigned *budget); /* remap.c; true: done */
bool fork_step(struct mm_work *w, unsigned *budget); /* fork.c */

/* ---- aspace.c ---- */
bool aspace_try_get(struct aspace *as);
/* munmap of checked bounds. Lock held, dropped. */
int aspace_unmap_locked(struct aspace *as, va_t start, va_t end, struct mm_work *w);
/* ---- asid.c ---- */
void asid_init(void);
/* No hart runs a space any more: returns when a new generation that saw one run it is done with it. */
void asid_end(void);

/* Instruction fetches, counted as "kernel memory holds new instructions" (icache_written, after they were
 * stored): a hart that uses no space then, or another one, does its fence.i when it enters one.
 * icache_sync: before entries of the space allow to execute, its harts have done theirs.  Lock: the space's. */
extern u64 icache_generation;
void icache_written(void);
u64 icache_now(void); /* the short ways were closed for that one and those before */
void icache_sync_slowly(struct aspace *as);
/* Who sees the flag sees the count, too. */
static inline bool is_synced(pfn_t pfn)
{
	return __atomic_load_n(&frame_of(pfn)->flags, __ATOMIC_ACQUIRE) & FRAME_SYNCED;
}
static inline void icache_sync(struct aspace *as)
{
	if (unlikely(as->icache_generation != READ_ONCE(icache_generation)))
		icache_sync_slowly(as);
}
/* Of the harts that may hold old entries: which must forget them now.  The others do when they enter the
 * space again: their bits in as->ran are cleared.  Lock: the space's. */
u32 asid_where_to_fence(struct aspace *as, u32 ran);
