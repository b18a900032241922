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
#define STACK_GAP (256 * PAGE_SIZE) /* kept free below a stack that may still grow */
#ifndef STEP_ENTRIES
#define STEP_ENTRIES 440u /* about how many entries one step looks at; tests make it fewer */
#endif

/* Leaf entries.  A valid one is what pte_user() makes, with two bits of ours.  PTE_ANON: the frame
 * does not belong to a memobj.  PTE_SPECIAL: the entry holds no reference of its frame, which is
 * the page of zeroes (then with PTE_ANON) or device memory.  A parked entry (not 0, but its valid
 * bit is off) names a page that may not be accessed at all, for PROT_NONE. */
#define PTE_ANON PTE_SW0
#define PTE_SPECIAL PTE_SW1
#define PTE_RIGHTS (PTE_R | PTE_W | PTE_X)

/* Upper entries, which name leaf tables.  "Linked" means valid: the machine follows the entry.
 *   linked, no other bit   the table belongs to this space alone
 *   PTE_SHARED             a fork gave the table to other spaces as well, which may have gone since
 *                          (frame.refs counts who is left); it still is as the fork found it, and
 *                          is linked only once it is FRAME_READ_ONLY
 *   PTE_STALE              mprotect changed the regions, and the table's entries still have the
 *                          older rights; never linked
 *   PTE_R                  the entry maps a page of 2 MiB and names no table (huge.c) */
#define PTE_SHARED PTE_SW0
#define PTE_STALE PTE_SW1

extern pfn_t zero_pfn; /* the page of zeroes, which untouched anonymous pages share for reading */

/* An entry for page pfn with the rights `prot`; a parked one if prot allows nothing. */
static inline pte_t pte_make(pfn_t pfn, unsigned prot, pte_t soft)
{
	if (unlikely(!(prot & (PROT_READ | PROT_WRITE | PROT_EXEC))))
		return (pfn << PTE_PFN_SHIFT) | soft;
	return pte_user(pfn, prot) | soft;
}
static inline pte_t pte_soft(pte_t e) { return e & (PTE_ANON | PTE_SPECIAL); }
static inline pte_t *pte_next_table(pte_t e) { return pfn_to_virt(pte_pfn(e)); }
static inline bool pte_is_huge(pte_t upper) { return upper & PTE_R; }
/* The entry links a leaf table: V is set and R (a huge page) is not, tested in two instructions. */
static inline bool pte_is_linked(pte_t upper) { return (s64)(upper << 62) > 0; }

/* ---- region.c: aspace->lock held ---- */
void region_init(void);
struct region *region_alloc(void); /* NULL: no memory */
/* Makes the fresh region r a copy of t, which need not be in a tree; r takes its own memobj
 * reference. */
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
/* Has aspace_unlock() free r, which is in no tree, once it has dropped the lock.  r may be NULL. */
void region_retire(struct aspace *as, struct region *r);
int aspace_unlock_slowly(struct aspace *as, int result);
/* Drops the lock, frees the retired regions, and returns `result`, so that callers can end with
 * it. */
static inline int aspace_unlock(struct aspace *as, int result)
{
	if (unlikely(as->dead))
		return aspace_unlock_slowly(as, result);
	spin_unlock(&as->lock);
	return result;
}
/* The space may get n regions more. */
static inline bool region_room(const struct aspace *as, u32 n)
{
	return as->nregions + n <= REGIONS_MAX && aspace_has_room(as);
}
/* the lowest one with end > va, or NULL */
struct region *region_next(const struct aspace *as, va_t va);
struct region *region_find_slow(struct aspace *as, va_t va);
/* The region that va lies in, or NULL. */
static inline struct region *region_find(struct aspace *as, va_t va)
{
	struct region *r = as->last;

	if (likely(r && r->start <= va && va < r->end))
		return r;
	return region_find_slow(as, va);
}
/* Puts r into the tree, its memobj's list and the counters.  The memobj reference in r is r's from
 * now on. */
void region_insert(struct aspace *as, struct region *r);
/* Takes r out of the tree, its memobj's list and the counters, and retires it. */
void region_erase(struct aspace *as, struct region *r);
void region_set_bounds(struct aspace *as, struct region *r, va_t start, va_t end);
/* Changes rights and flags, and the counters that depend on them. */
void region_set_prot(struct aspace *as, struct region *r, unsigned prot, unsigned flags);
/* Joins r with its neighbours on either side that it continues.  Returns the region that
 * remains. */
struct region *region_merge(struct aspace *as, struct region *r);
/* The same for every region that meets [start, end) or begins at end. */
void region_merge_all(struct aspace *as, va_t start, va_t end);
/* Has a neighbour grow over the free range of the template t.  False: t continues no neighbour. */
bool region_extend(struct aspace *as, const struct region *t);
/* Splits the regions that start and end cut, so that [start, end) is made of whole regions.
 * 0, ENOMEM (nothing changed). */
int must_check region_isolate(struct aspace *as, va_t start, va_t end);
/* The end of some of the regions in [start, end), from start on: as many as one hold of the lock bears. */
#define REGIONS_AT_ONCE 16u
va_t region_some_slow(const struct aspace *as, va_t start, va_t end);
static inline va_t region_some(const struct aspace *as, va_t start, va_t end)
{
	return likely(end - start <= REGIONS_AT_ONCE * PAGE_SIZE) ? end : region_some_slow(as, start, end);
}
/* region_cut() takes [start, end) out of the tree and cannot fail.  It consumes `spare`, which it
 * needs for the upper rest if one region reaches beyond both ends: region_cut_needs(); else it may
 * be NULL. */
bool region_cut_needs(const struct aspace *as, va_t start, va_t end);
void region_cut(struct aspace *as, va_t start, va_t end, struct region *spare);
/* Such a region counts for RLIMIT_DATA. */
static inline bool is_data(unsigned prot, unsigned flags)
{
	return (prot & PROT_WRITE) && !(flags & (REGION_SHARED | REGION_GROWSDOWN));
}
/* The mapping may come to own memory, so it counts for Committed_AS: it is private and writable, or
 * shared and no file's.  MAP_NORESERVE exempts it. */
static inline bool is_committed(unsigned prot, unsigned flags, const struct memobj *m)
{
	if (flags & REGION_NORESERVE)
		return false;
	return flags & REGION_SHARED ? m && m->kind == MEMOBJ_ANON && !m->ident : prot & PROT_WRITE;
}
/* The space's limits and the size of memory allow `pages` more, while `replaced` mapped ones go. */
static inline bool within_limits(const struct aspace *as, u64 pages, u64 replaced, unsigned prot,
				 unsigned flags, const struct memobj *m)
{
	if (is_committed(prot, flags, m) && pages > frames_total())
		/* more than all of memory: refused as in mode 0 of Linux's overcommit_memory */
		return false;
	if (as->mapped + pages - replaced > as->limit_as >> PAGE_SHIFT)
		return false;
	if (is_data(prot, flags) &&
	    as->data + pages - MIN(replaced, as->data) > as->limit_data >> PAGE_SHIFT)
		return false;
	return true;
}
/* The highest free place for len bytes in [low, high), in *at.  False: there is none. */
bool region_find_gap(const struct aspace *as, u64 len, va_t low, va_t high, va_t *at);
/* The same where mmap looks: downwards from mmap_top, and above it only if nothing is free
 * there. */
static inline bool region_find_place(const struct aspace *as, u64 len, va_t *at)
{
	return region_find_gap(as, len, USER_MIN, as->mmap_top, at) ||
	       region_find_gap(as, len, USER_MIN, USER_MAX, at);
}
/* No region lies in [start, end), and a mapping there would leave the stack above it its gap. */
bool region_is_free(const struct aspace *as, va_t start, va_t end);
u64 region_pages_in(const struct aspace *as, va_t start, va_t end); /* how many lie in regions */

/* ---- pagetable.c: aspace->lock held ---- */
#define BATCH_FRAMES 128
/* The range of entries that an operation changed, and the frames and tables that it took out of
 * them: these are dropped by batch_flush(), after a fence, when no hart can use the old entries any
 * more. */
struct batch {
	struct aspace *as;
	va_t lo, hi; /* changed leaf entries lie in [lo, hi) */
	u32 n;
	bool upper;  /* a table was unlinked, so the fence covers upper entries too */
	u32 frame[BATCH_FRAMES]; /* frame numbers, with BATCH_TABLE for a table or a huge page */
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
void batch_flush(struct batch *b); /* fences, then drops the frames, and leaves b empty */
/* Makes every hart forget the entries of [lo, hi) that it caches, with `upper` also its upper
 * ones. */
void aspace_fence(struct aspace *as, va_t lo, va_t hi, bool upper);
/* After an entry of va became valid or stronger: makes this hart forget the old one.  Others may
 * keep it: they take a spurious fault and fence then.  upper: a table was linked. */
static inline void aspace_fence_new(struct aspace *as, va_t va, bool upper)
{
	if (!(READ_ONCE(as->ran) & 1u << hart_index()))
		return;
	if (unlikely(upper))
		mmu_fence_asid((u16)as->asid_gen);
	else
		mmu_fence_page(va, (u16)as->asid_gen);
}
/* Harts other than this one may hold entries of the space in their TLBs. */
bool aspace_is_elsewhere(const struct aspace *as);

/* The upper entry of va, which names its leaf table or is 0; NULL if there is no middle table for
 * it. */
static inline pte_t *pt_upper(const struct aspace *as, va_t va)
{
	pte_t e = as->root[pt_index(va, 2)];

	return likely(pte_valid(e)) ? &pte_next_table(e)[pt_index(va, 1)] : NULL;
}
/* The leaf table that an upper entry, not 0, names, linked or not; of a huge page, the deposited
 * one. */
static inline pte_t *pt_leaf(pte_t upper)
{
	return pte_is_huge(upper) ? frame_of(pte_pfn(upper))->owner : pte_next_table(upper);
}
/* The slot of va in its leaf table, if that is linked or a huge page's; NULL if not. */
static inline pte_t *pt_find(const struct aspace *as, va_t va)
{
	pte_t *upper = pt_upper(as, va);

	if (unlikely(!upper || !pte_valid(*upper)))
		return NULL;
	return pt_leaf(*upper) + pt_index(va, 0);
}
/* The value of va's leaf entry, whether its table is linked or not; 0: there is none. */
static inline pte_t pt_peek(const struct aspace *as, va_t va)
{
	pte_t *upper = pt_upper(as, va);

	return upper && *upper ? pt_leaf(*upper)[pt_index(va, 0)] : 0;
}
static inline struct frame *pt_frame(const pte_t *slot) { return frame_of(virt_to_pfn(slot)); }
/* pt_make() finds the slot of va for an access that needs the rights `need` (PTE_R ...) in its
 * entry, and makes and links the tables that lead to it.  A shared leaf table stays shared only if
 * the entry has these rights already; else, and always for need 0, it becomes the space's own.  A
 * slot of a huge page's table may be read, not changed.  *upper becomes true if a table may have
 * been linked: aspace_fence_new() wants to know.  NULL: out of memory, nothing changed. */
pte_t *pt_make_slowly(struct aspace *as, va_t va, pte_t need, bool *upper);
static inline pte_t *pt_make(struct aspace *as, va_t va, pte_t need, bool *upper)
{
	pte_t *up = pt_upper(as, va);

	if (likely(up && (*up & (PTE_V | PTE_R | PTE_SHARED)) == PTE_V))
		return pte_next_table(*up) + pt_index(va, 0);
	return pt_make_slowly(as, va, need, upper);
}
/* As pt_upper(), but makes the middle table if there is none.  NULL: no memory. */
pte_t *pt_make_upper(struct aspace *as, va_t va);
void pt_trim(struct aspace *as, va_t va); /* unlinks the leaf table of va if it is empty */
/* Stores entry e in an empty slot, and counts it. */
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
	ZAP_KEEP_PRIVATE, /* entries with PTE_ANON, private copies, stay */
	ZAP_SPACE,	  /* the whole space ends, so what lies beside the range goes, too */
};
/* Each of these looks at no more than *budget entries, lowers *budget by those that it looked at,
 * and returns the address that it reached.  A shared leaf table counts as one entry, since it
 * changes as a whole; so the caller has made those that are only partly in the range the space's
 * own (leaf_own_edges). */
va_t pt_zap(struct batch *b, va_t start, va_t end, enum zap what, unsigned *budget);
va_t pt_protect(struct batch *b, va_t start, va_t end, unsigned prot, bool shared,
		unsigned *budget);
void pt_protect_run(struct batch *b, pte_t *p, va_t va, va_t stop, unsigned prot, bool shared);
/* The upper entry of va if it is not 0, and in *stop the end of its table's range, or `end` if that
 * is lower.  NULL: there is none, and *stop is the next address that may have one. */
pte_t *pt_upper_in(const struct aspace *as, va_t va, va_t end, va_t *stop);
/* Moving [from, end) to `to` takes two passes, each from `cursor` on: pt_move_prepare() makes
 * tables at the new place wherever the old one has some, so that pt_move(), which moves the
 * entries, cannot fail. */
va_t pt_move_prepare(struct aspace *as, va_t from, va_t cursor, va_t end, va_t to,
		     unsigned *budget, bool *failed);
va_t pt_move(struct batch *b, va_t from, va_t cursor, va_t end, va_t to, unsigned *budget);

/* ---- memobj.c and reclaim.c ---- */
/* The frame of the first page that m has at or after *index; *index becomes that page's.  0: there
 * is none.  m->lock held. */
pfn_t memobj_next(struct memobj *m, u64 *index);
void memobj_drop(struct memobj *m, u64 index); /* removes a page that m has; m->lock held */
/* A shrink of m that would visit r next goes on to the region after it.  m->lock held. */
static inline void memobj_zapped(struct memobj *m, struct region *r)
{
	if (m->zap_next != &r->in_memobj)
		return;
	m->zap_next = r->in_memobj.next;
	m->zap_cursor = 0;
}
/* Takes m's pages out of every space's tables.  m->lock is held by the caller and dropped here. */
void memobj_unmap(struct memobj *m);
void reclaim_init(void);
void reclaim_add(struct memobj *m);
void reclaim_remove(struct memobj *m);

/* ---- leaf.c: aspace->lock held ---- */
/* Makes the shared leaf table of *upper the space's own and links it.  If no other space has it any
 * more it stays the same table, else it is copied.  0, ENOMEM. */
int must_check leaf_own(struct aspace *as, va_t va, pte_t *upper);
/* The same for the one or two tables that [start, end) covers partly, before a change of it.  0,
 * ENOMEM. */
int must_check leaf_own_ends(struct aspace *as, va_t start, va_t end);
static inline int must_check leaf_own_edges(struct aspace *as, va_t start, va_t end)
{
	return likely(!as->shared) ? 0 : leaf_own_ends(as, start, end);
}
/* Links a shared leaf table for reading.  False: no other space has it any more, so use
 * leaf_own(). */
bool leaf_link(pte_t *upper);
/* Puts the space's reference of a table, or frees a huge page, which no hart can reach through it
 * any more. */
void table_put(pfn_t pfn);
/* Puts the shared leaf tables that the n entries from `upper` on name, up to the first one that is
 * linked or that no other space has.  Returns how many. */
u64 leaf_drop(struct aspace *as, pte_t *upper, u64 n);
/* fork: makes the leaf tables that the n upper entries from `from` on name (b->as) dst's as well,
 * at `to`. */
void leaf_share(struct batch *b, struct aspace *dst, pte_t *from, pte_t *to, u64 n);
/* fork: copies the entries of [va, stop), which lie in one leaf table, to dst.  0, ENOMEM. */
int must_check leaf_copy(struct batch *b, struct aspace *dst, pte_t *upper, va_t va, va_t stop);
/* Other spaces have the leaf table as well, or may have it. */
static inline bool leaf_is_shared(pte_t upper)
{
	return (upper & PTE_SHARED) &&
	       __atomic_load_n(&frame_of(pte_pfn(upper))->refs, __ATOMIC_ACQUIRE) > 1;
}

/* ---- huge.c: aspace->lock held ---- */
/* A write fault at va in region r, whose leaf table, just made, has `slot`, should get a huge
 * page. */
bool huge_is_wanted_here(const struct aspace *as, const struct region *r, va_t va, const pte_t *slot);
static inline bool huge_is_wanted(const struct aspace *as, const struct region *r, va_t va,
				  const pte_t *slot)
{
	return r->end - r->start >= pt_span(1) && huge_is_wanted_here(as, r, va, slot);
}
/* Takes a free block for the huge page around w->cursor; huge_step() zeroes it.  False: there is
 * none. */
bool huge_begin(struct mm_work *w);
/* Zeroes a part of the block.  True: it is whole, and mapped, or given back as another page came
 * first. */
bool huge_step(struct mm_work *w, unsigned *budget);
void huge_split(struct batch *b, pte_t *upper); /* links the leaf table in place of the huge page */
/* A leaf table of a former huge page (FRAME_WHOLE) has become the space's own again: makes it a
 * huge page once more.  False: an entry is missing or its rights are stale. */
bool huge_rejoin(struct aspace *as, pte_t *upper);
/* frees the block and its leaf table, which no hart can use any more */
void huge_free(pfn_t block);

/* ---- memobj.c ---- */
void memobj_init(void);

/* ---- fault.c ---- */
enum fault_result fault_locked(struct aspace *as, va_t va, enum fault_access access,
			       struct page_missing *missing);

/* ---- work.c ---- */
enum work_kind {
	MM_WORK_NONE,
	/* zaps the range; then inserts `place`, if any, and brings its pages, if asked */
	MM_WORK_UNMAP,
	MM_WORK_PROTECT, /* gives the range's entries the rights in `arg` */
	MM_WORK_POPULATE,
	MM_WORK_MOVE,
	MM_WORK_FORK,
	MM_WORK_DESTROY,
	MM_WORK_HUGE, /* a fault's; the space is not `busy` meanwhile, so other operations go on */
	MM_WORK_DONE,
};
#define MM_WORK_FILL 1	      /* MM_WORK_UNMAP: populate what was placed */
#define MM_WORK_FILL_WRITE 2  /* MM_WORK_POPULATE: every page as if written */
/* MM_WORK_POPULATE: the first fault that fails ends it with its error */
#define MM_WORK_FILL_STRICT 4
/* MM_WORK_MOVE: the old region stays: MREMAP_DONTUNMAP, or an old size of 0 */
#define MM_WORK_KEEP 8
/* MM_WORK_POPULATE, with STRICT: writable private pages are made as if written, as mlock wants
 * them */
#define MM_WORK_FILL_OWN 16
/* What of a step's budget is taken by a region that is changed or goes, an entry that goes with its
 * page, and a page that is made. */
#define REGION_COST 10u
#define ZAP_COST 8u
#define POPULATE_COST 30u
#define STEP_PAGES 48u /* so many can go in one step */
void work_init(struct mm_work *w, enum work_kind kind, struct aspace *as, va_t start, va_t end);
/* Does the first step of w, and ends it if nothing is left.  aspace->lock is held by the caller and
 * dropped here.  MM_MORE: mm_work_step() goes on; else the operation's result. */
int work_start(struct mm_work *w);
/* A fault meets a long operation that is removing, changing or moving something of [lo, hi): does one
 * step of it, under the lock that the caller holds.  False: that was not all, and the fault is to be tried
 * again, until it finds the tables as they will be. */
bool must_check work_help(struct aspace *as, va_t lo, va_t hi);
enum move_phase {
	MOVE_CLEAR,   /* zaps the new place, [target, target + arg) */
	MOVE_CUT,     /* zaps the old place behind `end`, which mremap cuts off */
	MOVE_PREPARE, /* makes the new place's tables */
	MOVE_ENTRIES, /* moves the entries */
	MOVE_UNDO,    /* no memory for tables: takes the new place out again */
};
/* Steps of remap.c and fork.c.  True: the operation is done. */
bool move_step(struct mm_work *w, unsigned *budget);
bool fork_step(struct mm_work *w, unsigned *budget);

/* ---- aspace.c ---- */
bool aspace_try_get(struct aspace *as);
/* munmap of bounds that the caller has checked.  aspace->lock is held by the caller and dropped
 * here. */
int aspace_unmap_locked(struct aspace *as, va_t start, va_t end, struct mm_work *w);
/* ---- asid.c ---- */
void asid_init(void);
/* Called before a space that no hart runs any more is freed.  If a new generation just begins,
 * it may have seen a hart run the space and still read it: waits until it has begun. */
void asid_end(void);

/* Instruction fetches.  icache_generation counts how often memory got new instructions:
 * icache_written() is called after they were stored.  A hart does the fence.i that it owes when it
 * next enters a space.  Before an entry of a space allows to execute them, icache_sync() has the
 * harts that run the space do theirs.  Lock: the space's. */
extern u64 icache_generation;
void icache_written(void);
/* icache_generation as it is when no icache_written() is half done: whatever it counts, no hart
 * enters a space any more without the fence.i for it. */
u64 icache_now(void);
void icache_sync_slowly(struct aspace *as);
/* The frame's contents were counted as new instructions.  Acquire: who sees the flag also sees the
 * icache_generation that counts them. */
static inline bool is_synced(pfn_t pfn)
{
	return __atomic_load_n(&frame_of(pfn)->flags, __ATOMIC_ACQUIRE) & FRAME_SYNCED;
}
static inline void icache_sync(struct aspace *as)
{
	if (unlikely(as->icache_generation != READ_ONCE(icache_generation)))
		icache_sync_slowly(as);
}
/* The harts, of those in `ran`, which may hold old entries, that must be interrupted to forget
 * them: they run the space.  The others' bits in as->ran are cleared, so that they forget them when
 * they enter it again.  Lock: the space's. */
u32 asid_where_to_fence(struct aspace *as, u32 ran);
