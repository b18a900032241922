/* Memory objects: pages by offset.  Anonymous (a missing page reads as zero and is made by a
 * write), physical (device memory), or pager-backed (a missing page is asked of a server).
 *
 * Pages hang in a radix tree; a slot holds one frame reference.  memobj->lock guards the tree, the
 * size and the list of regions that map it. */
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
	u32 refs; /* atomic: handles, regions, mappings under way */
	u8 kind;
	struct spinlock lock;
	u64 size;     /* bytes; lock */
	u64 ident;    /* names it in region lists; constant */
	u64 resident; /* pages; lock */
	u32 comings;  /* counts pages that come, and changes of size; lock */
	u64 written;  /* ticks at the last fault of a write through a shared mapping, 0: none */
	pa_t phys;    /* MEMOBJ_PHYS: where it begins */
	struct radix pages; /* lock */
	struct list regions; /* struct region.in_memobj; lock */
	u32 nregions, nwritable, nexec; /* lock */
	struct pager *pager; /* MEMOBJ_PAGER: ipc/pager.c; constant */
	u64 serial;	     /* names it in the keys of futexes, and is never used again; constant */
	/* Who made it and pays for it (MEMOBJ_BYTES) and for its pages, or NULL; set before anybody else
	 * knows of it. */
	struct account *payer;
	struct note *watch;  /* told when the last region has gone, or NULL; kernel lock; set once */
	struct list unmapped; /* the last region has gone and `watch` does not know; mm/memobj.c */
	struct list in_paged; /* MEMOBJ_PAGER: mm/reclaim.c; its lock */
	/* Of a regular file that the kernel reads and writes itself (ipc/file.c); kernel lock. */
	u64 length;	       /* in bytes, apart from `size`, which its server may have made larger */
	u64 modified, accessed; /* real time in ns of the last such write; of a read that made it due; or 0 */
	u32 copies;	       /* such reads and writes under way; atomic */
	u8 direct;	       /* TERN_FILE_READ, WRITE, DUE; 0: its server is asked for everything */
	bool dirty; /* somebody other than its pager may have written to it, ever; lock */
	/* Shrinking and punching under way: how many, how many ever began, the region that is next
	 * (.regions: none; NULL: nothing is under way) and the page of the object up to which it is
	 * done, and the lowest pages from which on every entry, or every one but private copies, goes;
	 * lock. */
	u32 zapping, stamp;
	struct list *zap_next;
	u64 zap_cursor;
	u64 zap_all_from, zap_shared_from;
};

#define MEMOBJ_BYTES sizeof(struct memobj)
#define FILE_SHARE 12 /* files do not grow when less than a twelfth of memory is free */

struct memobj *must_check memobj_create(u64 size, u64 ident); /* anonymous, refs 1; NULL */
/* One that begins without pages and never makes any: accesses wait for what is supplied or written.
 * Takes over the pager, which mm_pager_gone() frees (kernel lock not held, nor any other). */
struct memobj *must_check memobj_create_paged(u64 size, u64 ident, struct pager *p);
void mm_pager_gone(struct pager *p);
/* Called by mm (ipc/note.c; stubs in host tests), kernel lock not held, nor any other: the last region
 * of an object that is watched has gone; the object itself has gone. */
void mm_unmapped(struct note *n);
void mm_unwatch(struct note *n);
/* The last region of an object that is watched has gone.  Lock held. */
void memobj_last_region(struct memobj *m);
/* Somebody other than its pager writes n bytes at off of a pager-backed object, whose pages are never
 * dropped from now on: how many of them lie in pages that are there. */
u64 memobj_soil(struct memobj *m, u64 off, u64 n);
/* The page is there, or lies behind the end. */
bool memobj_has(struct memobj *m, u64 index);
struct memobj *must_check memobj_create_phys(pa_t start, u64 size);
/* Takes over adopted frames [start, start + size) (see frames_adopt) as its pages. */
struct memobj *must_check memobj_create_frames(pa_t start, u64 size);
static inline void memobj_get(struct memobj *m)
{
	assert(m->refs);
	__atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
}
/* The last one frees the pages; those of a large object are left to memobj_reap() if mm_defer(). */
void memobj_last(struct memobj *m);
static inline void memobj_put(struct memobj *m)
{
	assert(m->refs);
	if (unlikely(!__atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL)))
		memobj_last(m);
}
/* Drops some pages of objects that are no more, tells one watcher; true: there is more to do.  No
 * lock held. */
bool memobj_reap(void);
/* Called by mm: whether somebody will call memobj_reap() before long (kernel/thread.c; a stub in
 * host tests).  Perhaps the kernel lock held. */
bool mm_defer(void);
/* 0, ENOMEM (nothing changed), EFBIG.  Shrinking unmaps, fences, frees, zeroes the rest of the
 * last page.  Takes the spaces' locks: none may be held. */
int must_check memobj_resize(struct memobj *m, u64 size);
/* Bytes done (short at the object's end), ENOMEM.  Kernel memory. */
long memobj_read(struct memobj *m, u64 off, void *buf, size_t n);
long memobj_write(struct memobj *m, u64 off, const void *buf, size_t n);
/* Bytes done: between an object and user memory, a page at a time (see aspace_copy). */
struct aspace;
long memobj_copy_out(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n);
long memobj_copy_in(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n);
/* The same if n bytes need no more than a few pages that are there on both sides, under the locks as one:
 * else false, and nothing has changed. */
bool memobj_copy_in_there(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n);
/* Moves src's frames of a page-aligned range into empty places of dst.  Bytes, EINVAL. */
long memobj_supply(struct memobj *dst, u64 doff, struct memobj *src, u64 soff, u64 n);
/* Moves one page, by numbers, if it is there, its place is empty, and nothing maps src: true.  Calls
 * nobody, so the kernel lock may be held. */
bool memobj_try_supply(struct memobj *dst, u64 to, struct memobj *src, u64 from);
/* Gives the pages of a range back, which reads as zero then; zeroes the parts of its first and last
 * page.  0, EINVAL (physical). */
int memobj_punch(struct memobj *m, u64 off, u64 n);
/* Drops pages that pagers can bring again; false: there are none.  No lock held. */
bool memobj_reclaim(void);
/* Its payer may have another page.  What no pager can bring again leaves some memory to those who run. */
static inline bool memobj_may_grow(const struct memobj *m)
{
	return likely(!m->payer) || (account_has_pages(m->payer) &&
				     (m->kind == MEMOBJ_PAGER || !frames_scarce(FILE_SHARE)));
}
/* The frame of page `index`, made (zeroed) if missing and `make`; 0 if missing, or out of memory, or
 * more than its payer may have (tell by make).  memobj->lock held; the slot keeps its reference, the caller takes its own. */
pfn_t memobj_page_make(struct memobj *m, u64 index);
static inline pfn_t memobj_page_locked(struct memobj *m, u64 index, bool make)
{
	pfn_t pfn;

	if (unlikely(m->kind == MEMOBJ_PHYS))
		return (m->phys >> PAGE_SHIFT) + index;
	pfn = radix_get(&m->pages, index);
	return likely(pfn) || !make ? pfn : memobj_page_make(m, index);
}
