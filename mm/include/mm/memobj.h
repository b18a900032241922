/* Memory objects: pages by offset.  An object is anonymous (a missing page reads as zero and is
 * made by a write), physical (device memory), or pager-backed (a server is asked for a missing
 * page).
 *
 * A radix tree has its pages; a slot of it holds one frame reference.  memobj->lock guards the
 * tree, the size and the list of regions that map the object.  In the fields below, "lock" is that
 * one. */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/log.h>
#include <kernel/lib/spinlock.h>
#include <mm/account.h>
#include <mm/radix.h>

enum memobj_kind {
	MEMOBJ_ANON,
	MEMOBJ_PHYS,
	MEMOBJ_PAGER,
};

struct memobj {
	u32 refs; /* handles, regions, mappings under way; atomic */
	u8 kind;
	struct spinlock lock;
	u64 size;     /* bytes; lock */
	u64 ident;    /* names it where regions are listed; 0: it is no file's; constant */
	u64 resident; /* pages; lock */
	u32 comings;  /* counts the pages that came, and changes of size; lock */
	u64 written;  /* ticks at the last write fault in a shared mapping; 0: there was none */
	pa_t phys;    /* MEMOBJ_PHYS: where it begins */
	struct radix pages; /* lock */
	struct list regions; /* struct region.in_memobj; lock */
	/* regions: all; shared, writable ones; executable ones; lock */
	u32 nregions, nwritable, nexec;
	struct pager *pager; /* MEMOBJ_PAGER: ipc/pager.c; constant */
	u64 serial;	     /* names the object in keys of futexes; used once; constant */
	/* Who made the object, and pays for it (MEMOBJ_BYTES) and for its pages, or NULL.  Set
	 * before anybody else can reach the object. */
	struct account *payer;
	/* Is told when no region maps the object any more, or NULL; kernel lock; set once. */
	struct note *watch;
	/* In mm/memobj.c's list of objects whose `watch` is still to be told. */
	struct list unmapped;
	struct list in_paged; /* MEMOBJ_PAGER: in the list of mm/reclaim.c, under its lock */
	/* For a regular file that the kernel reads and writes itself (ipc/file.c); kernel lock. */
	u64 length;	       /* of the file in bytes; its server may have made `size` larger */
	/* Real time in ns of the kernel's last write, and of its read that was to set the access
	 * time; or 0. */
	u64 modified, accessed;
	u32 copies;	       /* the kernel's reads and writes under way; atomic */
	/* TERN_FILE_READ, WRITE, DUE; 0: the server is asked for everything */
	u8 direct;
	/* Somebody other than its pager may have written to it, so its pages stay; lock. */
	bool dirty;
	/* Shrinks and holes under way, which take pages out of every region; all of them: lock.
	 * `zapping` counts those under way, `stamp` those that ever began.  zap_next is the region
	 * that is next (&regions: no more; NULL: nothing is under way), done up to page zap_cursor
	 * of the object.  From page zap_all_from on every entry goes, from zap_shared_from on every
	 * one that is no private copy. */
	u32 zapping, stamp;
	struct list *zap_next;
	u64 zap_cursor;
	u64 zap_all_from, zap_shared_from;
};

#define MEMOBJ_BYTES sizeof(struct memobj)
#define FILE_SHARE 12 /* files do not grow while less than a twelfth of memory is free */

/* anonymous, refs 1; NULL: no memory */
struct memobj *must_check memobj_create(u64 size, u64 ident);
/* A pager-backed object.  It begins without pages and makes none itself: accesses wait until pages
 * are supplied or written.  The object owns the pager from now on, which mm_pager_gone() frees
 * (with no lock held). */
struct memobj *must_check memobj_create_paged(u64 size, u64 ident, struct pager *p);
void mm_pager_gone(struct pager *p);
/* mm tells a watcher: the last region of the object has gone; the object itself has gone.  Both are
 * in ipc/note.c (in host tests, stubs), and are called with no lock held. */
void mm_unmapped(struct note *n);
void mm_unwatch(struct note *n);
/* Has memobj_reap() tell m's watcher that the last region has gone.  m->lock held. */
void memobj_last_region(struct memobj *m);
/* Somebody other than the pager is about to write n bytes at off: marks the object dirty, so that
 * its pages are never reclaimed.  Returns how many of the n bytes lie in pages that are present. */
u64 memobj_soil(struct memobj *m, u64 off, u64 n);
/* The page is present, or lies behind the object's end. */
bool memobj_has(struct memobj *m, u64 index);
struct memobj *must_check memobj_create_phys(pa_t start, u64 size);
/* An anonymous object whose pages are the adopted frames [start, start + size): frames_adopt(). */
struct memobj *must_check memobj_create_frames(pa_t start, u64 size);
static inline void memobj_get(struct memobj *m)
{
	assert(m->refs);
	__atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
}
/* The last reference of m has been put: frees it, or leaves that to memobj_reap(), if it has many
 * pages, a pager or a watcher. */
void memobj_last(struct memobj *m);
static inline void memobj_put(struct memobj *m)
{
	assert(m->refs);
	if (unlikely(!__atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL)))
		memobj_last(m);
}
/* Frees some pages of objects without references, and tells one watcher.  True: there is more to
 * do.  Called with no lock held. */
bool memobj_reap(void);
/* mm asks for memobj_reap() to be called before long.  False: nobody can.  It is in
 * kernel/thread.c, in host tests a stub; the kernel lock may be held. */
bool mm_defer(void);
/* Changes the size.  A shrink frees the pages behind the new end, takes them out of every space,
 * and zeroes the rest of the last page.  Takes the spaces' locks, so the caller holds none.  0,
 * EFBIG. */
int must_check memobj_resize(struct memobj *m, u64 size);
/* Copy between an object and kernel memory.  Bytes done (fewer at the object's end), ENOMEM,
 * EINVAL. */
long memobj_read(struct memobj *m, u64 off, void *buf, size_t n);
long memobj_write(struct memobj *m, u64 off, const void *buf, size_t n);
/* Copy between an object and user memory, a page at a time, as aspace_copy() does.  Bytes done. */
struct aspace;
long memobj_copy_out(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n);
long memobj_copy_in(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n);
/* Copies in as one, under both locks, if the n bytes lie in few pages and all of these are present
 * on both sides.  False: they do not, and nothing was copied. */
bool memobj_copy_in_there(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n);
/* Moves src's pages of a page-aligned range to where dst has none.  Bytes gone over, EINVAL. */
long memobj_supply(struct memobj *dst, u64 doff, struct memobj *src, u64 soff, u64 n);
/* Moves page `from` of src to page `to` of dst, if src has it, dst does not, and no region maps
 * src.  True: done.  It wakes nobody, so the kernel lock may be held. */
bool memobj_try_supply(struct memobj *dst, u64 to, struct memobj *src, u64 from);
/* Punches a hole: frees the pages of a range, which reads as zero then, and zeroes its parts of the
 * first and last page.  0, EINVAL (physical). */
int memobj_punch(struct memobj *m, u64 off, u64 n);
/* Drops pages that pagers can bring again.  False: there are none.  Called with no lock held. */
bool memobj_reclaim(void);
/* The object may get another page: its payer may have one, and, unless a pager can bring the page
 * again, enough memory is left for those who run. */
static inline bool memobj_may_grow(const struct memobj *m)
{
	return likely(!m->payer) || (account_has_pages(m->payer) &&
				     (m->kind == MEMOBJ_PAGER || !frames_scarce(FILE_SHARE)));
}
/* memobj_page_locked() finds the frame of page `index`; with `make`, memobj_page_make() makes a
 * missing one, zeroed.  0: it is missing or, with `make`, memory is out, or the object's payer may
 * not have more.  m->lock is held.  The reference is the tree's: the caller takes its own. */
pfn_t memobj_page_make(struct memobj *m, u64 index);
static inline pfn_t memobj_page_locked(struct memobj *m, u64 index, bool make)
{
	pfn_t pfn;

	if (unlikely(m->kind == MEMOBJ_PHYS))
		return (m->phys >> PAGE_SHIFT) + index;
	pfn = radix_get(&m->pages, index);
	return likely(pfn) || !make ? pfn : memobj_page_make(m, index);
}
