/* Address spaces: a root table, an ordered tree of regions, faults, fork, copying.
 *
 * Locks: aspace->lock (spin) guards the regions, the tables and the counters, and is held for one
 * bounded step.  Operations that change regions over a long range run in steps: the first call
 * checks, commits the regions and does a bounded part; if it returns MM_MORE, the caller goes on
 * with mm_work_step() until that returns 0, and meanwhile the space is `busy`: other region
 * operations return MM_BUSY and their threads wait for mm_wake (kernel/linux/sys_mm.c).  Faults and copies
 * go on meanwhile.  Order: aspaces by address, then memobj, leaf, frames. */
#pragma once

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/lib/list.h>
#include <kernel/lib/spinlock.h>
#include <mm/frame.h>
#include <mm/memobj.h>
#include <tern/abi.h>

#define MM_MORE 1
#define MM_BUSY 2

struct region {
	va_t start, end; /* page-aligned; aspace->lock, all fields */
	u8 prot, max_prot; /* PROT_* */
	u16 flags;	   /* REGION_* */
	struct memobj *memobj; /* NULL: anonymous private */
	u64 offset;	       /* of start in the memobj, page-aligned */
	struct aspace *aspace;
	struct list in_memobj; /* memobj->lock */
	/* tree and order: region.c */
	struct region *left, *right, *parent;
	struct region *prev, *next; /* by address; next also links what was taken out */
	u64 gap, max_gap; /* the hole below this region; the largest one of this subtree */
	u32 priority;
};
#define REGION_SHARED 1
#define REGION_GROWSDOWN 2
#define REGION_STACK 4
#define REGION_HEAP 8
#define REGION_VDSO 16
#define REGION_NORESERVE 32
#define REGION_DONTFORK 64
#define REGION_WIPEONFORK 128
#define REGION_LOCKED 256
#define REGION_COPIED 512 /* of a memobj: may hold private copies of its pages */
#define REGION_HUGE 1024  /* madvise: pages of 2 MiB are wanted; or not */
#define REGION_NOHUGE 2048

/* A long operation, kept in the thread that runs it (thread.work). */
struct mm_work {
	u8 kind; /* 0: none; private to mm */
	u8 phase;
	u32 flags;
	struct aspace *aspace, *other;
	va_t start, cursor, end;
	va_t target; /* remap: where to; fork: how far regions are copied */
	va_t tail;   /* remap: end of the old place */
	u64 arg;
	struct region *place; /* to be put in at the end */
	struct region *spare;
	long result;
};

struct aspace {
	u32 refs; /* atomic: processes, handles */
	struct spinlock lock;
	pfn_t root_pfn;
	pte_t *root;
	u64 asid_gen; /* generation << 16 | asid; 0: none yet */
	u64 mmu_state; /* what mmu_load takes, of asid_gen's number */
	u32 ran;      /* mask of harts whose TLB may hold its entries; atomic */
	u64 icache_generation; /* its harts have done a fence.i since that one began */
	struct region *tree, *head, *tail;
	struct region *last; /* cache of the last hit */
	struct region *dead; /* taken out, to be freed once the lock is dropped */
	u32 nregions;
	struct mm_work *busy; /* the long operation under way */
	/* layout, set by exec */
	struct tern_layout layout;
	va_t brk;
	va_t mmap_top;	 /* mappings go downward from here */
	va_t stack_top;
	va_t vdso;
	/* counters, pages */
	u64 mapped;   /* all regions */
	u64 data;     /* private and writable, no stacks */
	u64 stack, exec; /* stacks; executable, no stacks, not writable */
	u64 locked;   /* in regions that mlock named */
	u64 resident, resident_anon, tables, peak_mapped, peak_resident;
	u32 shared; /* of its leaf tables: those that a fork shared and it has not claimed since */
	u32 huge;   /* of its leaf tables: those that are huge pages' */
	u64 minflt, majflt;
	u32 promised; /* frames that its first faults after fork will take: frames_promise() */
	u64 limit_as, limit_stack, limit_data; /* bytes; copies of the process's limits */
	bool lock_future; /* mlockall(MCL_FUTURE): mmap locks what it places */
	bool no_huge;	  /* prctl(PR_SET_THP_DISABLE) */
};

/* Bytes of the kernel's that describe it. */
static inline u64 aspace_kernel_bytes(const struct aspace *as)
{
	return READ_ONCE(as->tables) * PAGE_SIZE + READ_ONCE(as->nregions) * sizeof(struct region);
}
/* It may have more of them. */
static inline bool aspace_has_room(const struct aspace *as)
{
	return aspace_kernel_bytes(as) < kernel_share;
}

struct aspace *must_check aspace_create(void); /* refs 1; NULL */
void aspace_get(struct aspace *as);
/* The last reference must be given up through aspace_destroy first, or the put frees at once
 * whatever is left (unbounded: only for small, failed spaces). */
void aspace_put(struct aspace *as);
/* Starts unmapping everything; MM_MORE as above; to be called by the last thread, after which
 * the space has no regions and no user frames. */
int aspace_destroy(struct aspace *as, struct mm_work *w);

/* mmap(2)'s rules.  addr 0 or a hint, MAP_FIXED, MAP_FIXED_NOREPLACE; len > 0 is rounded up.
 * memobj NULL: anonymous (MAP_SHARED then makes an anonymous memobj).  The memobj reference is
 * the caller's: the region takes its own.  flags: MAP_* bits.  *out = address.
 * 0, MM_MORE (with *out set), MM_BUSY, EINVAL, ENOMEM, EEXIST, EACCES (prot exceeds max_prot),
 * EOVERFLOW. */
int must_check aspace_map(struct aspace *as, va_t addr, u64 len, unsigned prot, unsigned max_prot,
			  unsigned flags, struct memobj *m, u64 offset, struct mm_work *w, va_t *out);
int must_check aspace_unmap(struct aspace *as, va_t addr, u64 len, struct mm_work *w);
int must_check aspace_protect(struct aspace *as, va_t addr, u64 len, u64 prot, struct mm_work *w);
/* The new break in *out (unchanged on failure, as brk(2)).  0, MM_MORE, MM_BUSY. */
int must_check aspace_brk(struct aspace *as, va_t want, struct mm_work *w, va_t *out);
int must_check aspace_remap(struct aspace *as, va_t old, u64 old_len, u64 new_len, u64 flags,
			    va_t new_addr, struct mm_work *w, va_t *out);
/* madvise(2); and what mlock and munlock leave at the regions. */
#define MADV_LOCK 0x100
#define MADV_UNLOCK 0x101
#define MADV_POPULATE_LOCKED 0x102
int must_check aspace_advise(struct aspace *as, va_t addr, u64 len, int advice, struct mm_work *w);
/* msync(2)'s answer: ENOMEM, or EBUSY (MS_INVALIDATE of something locked). */
int must_check aspace_sync(struct aspace *as, va_t addr, u64 len, int flags);
/* One byte a page into vec (kernel memory). ENOMEM for holes. */
int must_check aspace_mincore(struct aspace *as, va_t addr, u64 pages, u8 *vec);
/* dst is fresh and empty; becomes the copy.  The child must not run before this returned 0. */
int must_check aspace_fork(struct aspace *src, struct aspace *dst, struct mm_work *w);
/* Goes on: 0 done, MM_MORE, negative: failed and undone. Bounded: about 50 microseconds. */
int must_check mm_work_step(struct mm_work *w);
/* Whoever does w is to end: it leaves out what nobody needs then, filling memory. */
void mm_work_cut(struct mm_work *w);

/* Maps a kernel-made memobj (the vDSO) at a fixed place: read and execute, private. */
int must_check aspace_map_vdso(struct aspace *as, va_t at, struct memobj *m);

enum fault_access { FAULT_READ = 1, FAULT_WRITE = 2, FAULT_EXEC = 4 };
enum fault_result {
	FAULT_OK,
	FAULT_MAPERR, /* SIGSEGV, SEGV_MAPERR */
	FAULT_ACCERR, /* SIGSEGV, SEGV_ACCERR */
	FAULT_BUS,    /* SIGBUS, BUS_ADRERR: past the object's end */
	FAULT_NOMEM,
	FAULT_PAGER,  /* its pager must bring it */
	FAULT_MORE,   /* aspace_fault_huge() should be tried; the same again gives a small page */
};
/* Demand-zero, file page, copy-on-write, stack growth, or the reason why not.  Takes and drops
 * aspace->lock. */
enum fault_result aspace_fault(struct aspace *as, va_t va, enum fault_access access);
/* The same; after FAULT_PAGER *missing says which page was not there. */
struct page_missing {
	struct memobj *memobj; /* counted */
	u64 index;
	u32 comings; /* the object's, as it was looked: while it is the same, the page is still not there */
};
enum fault_result aspace_fault_missing(struct aspace *as, va_t va, enum fault_access access,
				       struct page_missing *missing);
/* After FAULT_MORE: starts making the huge page: MM_MORE, mm_work_step() goes on with it; 0: it cannot be. */
int must_check aspace_fault_huge(struct aspace *as, va_t va, struct mm_work *w);
/* The pager-backed object, counted, and the page of it that lies at va and may be missing; NULL: no
 * such object. */
struct memobj *must_check aspace_missing(struct aspace *as, va_t va, u64 *index);

/* Copying, a page at a time, resolving faults in place.  Bytes done: less than n only where the
 * user side faults (so 0 means EFAULT) or memory is out.  User ranges may be hostile. */
size_t must_check copy_from_user(struct aspace *as, void *to, va_t from, size_t n);
size_t must_check copy_to_user(struct aspace *as, va_t to, const void *from, size_t n);
size_t must_check aspace_copy(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from, size_t n);
/* Copies up to size bytes, ending behind a NUL.  Length without the NUL; size if no NUL was in
 * reach; EFAULT. */
long must_check aspace_copy_string(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from,
				   size_t size);
/* Copies that fault nothing in, so that a caller may hold locks which come before aspace->lock: of a string
 * (its length; -1: no NUL within size or within its page), and of bytes of one page (true: done). */
long must_check aspace_try_string(struct aspace *as, char *to, va_t from, size_t size);
bool must_check aspace_try_copy_in(struct aspace *as, void *to, va_t from, size_t n);
bool must_check aspace_try_copy_out(struct aspace *as, va_t to, const void *from, size_t n);
/* The frame, referenced, of the writable page at va, which is there and a shared anonymous object's: so neither
 * fork nor a write gives the space another frame in its place.  0: it is not so. */
pfn_t must_check aspace_shared_page(struct aspace *as, va_t va);
/* Fast single words (aligned).  0 or EFAULT. */
int must_check user_read_u32(struct aspace *as, va_t va, u32 *v);
int must_check user_read_u64(struct aspace *as, va_t va, u64 *v);
int must_check user_write_u32(struct aspace *as, va_t va, u32 v);
/* The user half: [va, va + n) lies in it. */
static inline bool user_range_ok(va_t va, u64 n) { return n <= USER_MAX && va <= USER_MAX - n; }

/* A futex word's identity: private {space, address} or shared {memobj, offset}; faults the page
 * in for the shared kind.  The memobj is not referenced: compare addresses only while mapped.
 * 0, EFAULT, EINVAL (not aligned). */
struct futex_key {
	u64 object, offset;
};
int must_check aspace_futex_key(struct aspace *as, va_t va, bool shared, struct futex_key *key);
/* Compare-and-exchange on a user word, for robust lists, PI and clear_child_tid.  0, EFAULT. */
int must_check user_cmpxchg_u32(struct aspace *as, va_t va, u32 expect, u32 want, u32 *seen);

/* Which space a hart uses; written by itself.  From the first store to the second it may read entries of both. */
struct hart_space {
	struct aspace *entering, *loaded;
	u64 generation; /* its TLB holds nothing of older ones; ~0: a new one has begun since */
	u32 bit;	/* the hart's in aspace.ran; 0: the short way is closed, for a fence.i is due */
	u64 icache;	/* icache_generation at its last fence.i */
} __attribute__((aligned(64)));
extern struct hart_space running[MAX_HARTS];
#ifdef TERN_HOST
static inline struct hart_space *hart_space(void) { return &running[hart_index()]; }
#endif
void aspace_activate_slowly(struct aspace *as);
/* Makes as, not NULL, this hart's space if that takes the short way; false: it is not.  Locks as for
 * aspace_activate(). */
static inline bool aspace_try_activate(struct aspace *as)
{
	struct hart_space *here = hart_space();

	WRITE_ONCE(here->entering, as);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* asid.c says for what */
	if (unlikely(as->asid_gen >> 16 != here->generation || !(READ_ONCE(as->ran) & here->bit))) {
		WRITE_ONCE(here->entering, here->loaded);
		return false;
	}
	mmu_load(as->mmu_state);
	WRITE_ONCE(here->loaded, as);
	return true;
}
/* Makes the space this hart's, if it is not (mmu_activate with a valid ASID); NULL: the kernel's own
 * table.  The kernel lock is held, or nothing else runs: new generations begin under it too. */
static inline void aspace_activate(struct aspace *as)
{
	struct hart_space *here = hart_space();

	if (here->loaded == as || (likely(as) && aspace_try_activate(as)))
		return;
	WRITE_ONCE(here->entering, as);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* asid.c says for what */
	aspace_activate_slowly(as);
	WRITE_ONCE(here->loaded, as);
}
u32 aspace_harts(const struct aspace *as); /* mask of those that use it now */
/* Instructions were stored: the space's threads fetch them. */
void aspace_sync_icache(struct aspace *as);

/* Looking: for TERN_ASPACE_QUERY, WALK, PAGEMAP. */
struct tern_region_info;
struct tern_walk;
unsigned aspace_query(struct aspace *as, va_t from, struct tern_region_info *v, unsigned max);
/* Of an address in the kernel's half only the root's entry is told. */
void aspace_walk(struct aspace *as, va_t va, struct tern_walk *w);
void aspace_pagemap(struct aspace *as, va_t va, u64 *v, unsigned count);

/* Called by mm when a long operation ends and threads may wait for the space (kernel/linux/sys_mm.c; a
 * stub in host tests).  No lock held. */
void mm_wake(struct aspace *as);

/* System-wide, for /proc: approximate, by atomic adds. */
extern struct tern_mm_counters mm_counters;

void mm_init(void); /* caches; after frames_init */
