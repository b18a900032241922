/* Address spaces: a root table, an ordered tree of regions, faults, fork, copying.
 *
 * Locks: aspace->lock (spin) guards the regions, the tables and the counters, and is held for one
 * bounded step.  Operations that change regions over a long range run in steps: the first call
 * checks, commits the regions and does a bounded part.  If it returns MM_MORE, the caller goes on
 * with mm_work_step() until that returns 0.  Meanwhile the space is `busy`: other operations on
 * regions return MM_BUSY, and their threads wait for mm_wake() (kernel/linux/sys_mm.c), while
 * faults and copies go on.  Order: spaces by address, then memory objects, frames. */
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
	va_t start, end; /* page-aligned; all fields: aspace->lock */
	u8 prot, max_prot; /* PROT_* */
	u16 flags;	   /* REGION_* */
	struct memobj *memobj; /* NULL: anonymous private */
	u64 offset;	       /* where `start` lies in the memobj, page-aligned */
	struct aspace *aspace;
	struct list in_memobj; /* in memobj.regions; memobj->lock */
	/* The tree and the list of regions: region.c. */
	struct region *left, *right, *parent;
	/* by address; `next` also links retired regions (aspace.dead) */
	struct region *prev, *next;
	u64 gap, max_gap; /* the hole below this region; the largest such hole in its subtree */
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
#define REGION_COPIED 512 /* maps a memobj, and may hold private copies of its pages */
#define REGION_HUGE 1024  /* madvise wants pages of 2 MiB here */
#define REGION_NOHUGE 2048 /* madvise, or MAP_STACK, refuses them */

/* A long operation under way.  It lies in the thread that runs it (thread.mm_work). */
struct mm_work {
	u8 kind; /* enum work_kind, private to mm; 0: none */
	u8 phase;
	u32 flags;
	struct aspace *aspace, *other;
	va_t start, cursor, end;
	va_t target; /* remap: the new place; fork: up to where regions have been copied */
	va_t tail;   /* remap: end of the old place */
	u64 arg;
	struct region *place; /* the new region, which is put in once its range is empty */
	struct region *spare; /* for the upper rest, if the end cuts a region in two */
	long result;
};

struct aspace {
	u32 refs; /* atomic: processes, handles */
	struct spinlock lock;
	pfn_t root_pfn;
	pte_t *root;
	u64 asid_gen; /* generation << 16 | asid; 0: none yet */
	u64 mmu_state; /* what mmu_load() takes, made of the root and asid_gen's number */
	u32 ran;      /* mask of harts whose TLB may hold its entries; atomic */
	u64 icache_generation; /* the harts that run it did a fence.i after this generation began */
	struct region *tree, *head, *tail;
	struct region *last; /* the one that region_find() found last, or NULL */
	struct region *dead; /* retired ones, which aspace_unlock() frees */
	u32 nregions;
	struct mm_work *busy; /* the long operation under way */
	/* layout, set by exec */
	struct tern_layout layout;
	va_t brk;
	va_t mmap_top;	 /* mappings go downward from here */
	va_t stack_top;
	va_t vdso;
	/* counters, pages */
	u64 mapped;   /* in all regions */
	u64 data;     /* in regions that are private and writable, but no stacks */
	u64 stack, exec; /* in stacks; in other regions that are executable and not writable */
	u64 locked;   /* in regions that mlock named */
	u64 resident, resident_anon, tables, peak_mapped, peak_resident;
	u32 shared; /* leaf tables that a fork shared and the space has not claimed since */
	u32 huge;   /* huge pages */
	u64 minflt, majflt;
	u32 promised; /* frames that its first faults after a fork will take, of frames_promise() */
	u64 limit_as, limit_stack, limit_data; /* bytes; copies of the process's limits */
	bool lock_future; /* mlockall(MCL_FUTURE): mmap locks what it places */
	bool no_huge;	  /* prctl(PR_SET_THP_DISABLE) */
};

/* Bytes that the kernel keeps to describe the space: its tables and regions. */
static inline u64 aspace_kernel_bytes(const struct aspace *as)
{
	return READ_ONCE(as->tables) * PAGE_SIZE + READ_ONCE(as->nregions) * sizeof(struct region);
}
/* The space may have more tables and regions: they have not reached the bound for one process. */
static inline bool aspace_has_room(const struct aspace *as)
{
	return aspace_kernel_bytes(as) < kernel_share;
}

struct aspace *must_check aspace_create(void); /* with one reference; NULL: no memory */
void aspace_get(struct aspace *as);
/* Before the last reference is put, aspace_destroy() must have emptied the space: aspace_put()
 * would free what is left at once, without a bound, which only a small space whose making failed
 * may do. */
void aspace_put(struct aspace *as);
/* Unmaps everything, called by the space's last thread.  MM_MORE: mm_work_step() goes on.  When it
 * is done, the space has no regions and no user frames. */
int aspace_destroy(struct aspace *as, struct mm_work *w);

/* mmap(2).  addr is 0, a hint, or the place itself (MAP_FIXED, MAP_FIXED_NOREPLACE); len > 0 is
 * rounded up; flags are MAP_* bits.  m NULL: anonymous memory (with MAP_SHARED, an anonymous memobj
 * is made).  The caller keeps its reference of m, the region takes its own.  The address comes in
 * *out.  0, MM_MORE (with *out set), MM_BUSY, EINVAL, ENOMEM, EEXIST, EACCES (prot exceeds
 * max_prot), EOVERFLOW. */
int must_check aspace_map(struct aspace *as, va_t addr, u64 len, unsigned prot, unsigned max_prot,
			  unsigned flags, struct memobj *m, u64 offset, struct mm_work *w, va_t *out);
int must_check aspace_unmap(struct aspace *as, va_t addr, u64 len, struct mm_work *w);
int must_check aspace_protect(struct aspace *as, va_t addr, u64 len, u64 prot, struct mm_work *w);
/* brk(2): moves the break to `want`.  *out is the break then, the old one on failure.  0, MM_MORE,
 * MM_BUSY. */
int must_check aspace_brk(struct aspace *as, va_t want, struct mm_work *w, va_t *out);
int must_check aspace_remap(struct aspace *as, va_t old, u64 old_len, u64 new_len, u64 flags,
			    va_t new_addr, struct mm_work *w, va_t *out);
/* madvise(2), with three advices of ours for mlock(2) and munlock(2): MADV_LOCK and MADV_UNLOCK
 * mark the regions, MADV_POPULATE_LOCKED brings the pages. */
#define MADV_LOCK 0x100
#define MADV_UNLOCK 0x101
#define MADV_POPULATE_LOCKED 0x102
int must_check aspace_advise(struct aspace *as, va_t addr, u64 len, int advice, struct mm_work *w);
/* Checks what msync(2) checks, as there is nothing to write back: 0, ENOMEM (a hole), or EBUSY
 * (MS_INVALIDATE of a locked region). */
int must_check aspace_sync(struct aspace *as, va_t addr, u64 len, int flags);
/* mincore(2): stores one byte for each page into vec (kernel memory).  ENOMEM: there is a hole. */
int must_check aspace_mincore(struct aspace *as, va_t addr, u64 pages, u8 *vec);
/* Makes the fresh, empty dst a copy of src.  The child must not run before this, or mm_work_step()
 * after MM_MORE, has returned 0. */
int must_check aspace_fork(struct aspace *src, struct aspace *dst, struct mm_work *w);
/* Does the next step of w, of about 50 microseconds at most.  0: w is done; MM_MORE: it is not;
 * negative: it failed and was undone. */
int must_check mm_work_step(struct mm_work *w);
/* The thread that does w is to end: w leaves out bringing pages, which nobody needs any more. */
void mm_work_cut(struct mm_work *w);

/* Maps the vDSO's object at `at`: private, for reading and executing.  EEXIST: something is mapped
 * there. */
int must_check aspace_map_vdso(struct aspace *as, va_t at, struct memobj *m);

enum fault_access { FAULT_READ = 1, FAULT_WRITE = 2, FAULT_EXEC = 4 };
enum fault_result {
	FAULT_OK,
	FAULT_MAPERR, /* SIGSEGV, SEGV_MAPERR */
	FAULT_ACCERR, /* SIGSEGV, SEGV_ACCERR */
	FAULT_BUS,    /* SIGBUS, BUS_ADRERR: past the object's end */
	FAULT_NOMEM,
	FAULT_PAGER,  /* the object's pager must bring the page */
	/* the range is being changed: a step of that was done, and the fault is to be tried again */
	FAULT_AGAIN,
	/* It can be a huge page: aspace_fault_huge(), and if that fails the fault once more. */
	FAULT_MORE,
};
/* Handles a fault at va: brings the page (zeroed, or of an object), copies it before a write, or
 * grows a stack; or says why it cannot.  Takes and drops aspace->lock. */
enum fault_result aspace_fault(struct aspace *as, va_t va, enum fault_access access);
/* The same, but after FAULT_PAGER *missing says which page was not there. */
struct page_missing {
	struct memobj *memobj; /* with a reference, which the caller puts */
	u64 index;
	/* memobj.comings at the fault: while that is the same, the page is still missing */
	u32 comings;
};
enum fault_result aspace_fault_missing(struct aspace *as, va_t va, enum fault_access access,
				       struct page_missing *missing);
/* After FAULT_MORE: begins to make the huge page.  MM_MORE: mm_work_step() goes on; 0: no block is
 * free. */
int must_check aspace_fault_huge(struct aspace *as, va_t va, struct mm_work *w);
/* The pager-backed object at va, with a reference, and in *index the page of it that lies there and
 * may be missing.  NULL: no such object is mapped at va. */
struct memobj *must_check aspace_missing(struct aspace *as, va_t va, u64 *index);

/* Copies of n bytes, a page at a time, which handle faults on the way.  They return the bytes
 * copied: fewer than n only if a user page cannot be had (so 0 means EFAULT) or memory is out.
 * User ranges may be any. */
size_t must_check copy_from_user(struct aspace *as, void *to, va_t from, size_t n);
size_t must_check copy_to_user(struct aspace *as, va_t to, const void *from, size_t n);
size_t must_check aspace_copy(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from, size_t n);
/* Copies a string, its NUL included, of at most `size` bytes.  Its length without the NUL; `size`
 * if there was no NUL among them; EFAULT. */
long must_check aspace_copy_string(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from,
				   size_t size);
/* Copies that handle no faults, so the caller may hold locks that come before aspace->lock.  Of a
 * string: its length, or -1 (a page is missing, or no NUL comes within `size` or within the page).
 * Of n bytes, which lie in one page: whether they were copied. */
long must_check aspace_try_string(struct aspace *as, char *to, va_t from, size_t size);
bool must_check aspace_try_copy_in(struct aspace *as, void *to, va_t from, size_t n);
bool must_check aspace_try_copy_out(struct aspace *as, va_t to, const void *from, size_t n);
/* The frame, with a reference, of the page at va, if it is present, writable, and a shared
 * anonymous object's: neither a fork nor a write gives the space another frame in its place.  0: it
 * is not so. */
pfn_t must_check aspace_shared_page(struct aspace *as, va_t va);
/* Read and write one aligned word of user memory.  0 or EFAULT. */
int must_check user_read_u32(struct aspace *as, va_t va, u32 *v);
int must_check user_read_u64(struct aspace *as, va_t va, u64 *v);
int must_check user_write_u32(struct aspace *as, va_t va, u32 v);
/* [va, va + n) lies in the user half. */
static inline bool user_range_ok(va_t va, u64 n) { return n <= USER_MAX && va <= USER_MAX - n; }

/* What makes two futex words the same: {space, address} of a private one, {the memobj's serial
 * number, offset} of a shared one, whose page is faulted in.  The key holds no reference, and needs
 * none: a serial number is never used again.  0, EFAULT, EINVAL (not aligned). */
struct futex_key {
	u64 object, offset;
};
int must_check aspace_futex_key(struct aspace *as, va_t va, bool shared, struct futex_key *key);
/* Compares and exchanges a user word, for robust lists, PI and clear_child_tid; *seen is what it
 * was.  0, EFAULT. */
int must_check user_cmpxchg_u32(struct aspace *as, va_t va, u32 expect, u32 want, u32 *seen);

/* Which space a hart uses; the hart writes it.  A switch stores `entering` first and `loaded` last:
 * in between the hart may read entries of both. */
struct hart_space {
	struct aspace *entering, *loaded;
	u64 generation; /* of ASIDs: its TLB holds nothing older; ~0: a newer one has begun since */
	u32 bit;	/* the hart's in aspace.ran; 0: a fence.i is due, so no short way */
	u64 icache;	/* icache_generation at the hart's last fence.i */
} __attribute__((aligned(64)));
extern struct hart_space running[MAX_HARTS];
#ifdef TERN_HOST
static inline struct hart_space *hart_space(void) { return &running[hart_index()]; }
#endif
void aspace_activate_slowly(struct aspace *as);
/* Makes the space, not NULL, this hart's if the short way will do: the hart has run it before in
 * this generation of ASIDs, and owes no fence.  False: nothing was done.  Locks as for
 * aspace_activate(). */
static inline bool aspace_try_activate(struct aspace *as)
{
	struct hart_space *here = hart_space();

	WRITE_ONCE(here->entering, as);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the order that asid.c's head explains */
	if (unlikely(as->asid_gen >> 16 != here->generation || !(READ_ONCE(as->ran) & here->bit))) {
		WRITE_ONCE(here->entering, here->loaded);
		return false;
	}
	mmu_load(as->mmu_state);
	WRITE_ONCE(here->loaded, as);
	return true;
}
/* Makes the space this hart's, if it is not yet, and gives it an ASID; NULL: the kernel's own
 * table.  The kernel lock is held, or no other hart runs, as new generations of ASIDs begin under
 * that lock, too. */
static inline void aspace_activate(struct aspace *as)
{
	struct hart_space *here = hart_space();

	if (here->loaded == as || (likely(as) && aspace_try_activate(as)))
		return;
	WRITE_ONCE(here->entering, as);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the order that asid.c's head explains */
	aspace_activate_slowly(as);
	WRITE_ONCE(here->loaded, as);
}
u32 aspace_harts(const struct aspace *as); /* mask of the harts that use it now */
/* Instructions were stored: makes the space's threads fetch them on every hart. */
void aspace_sync_icache(struct aspace *as);

/* What TERN_ASPACE_QUERY, WALK and PAGEMAP show of a space. */
struct tern_region_info;
struct tern_walk;
unsigned aspace_query(struct aspace *as, va_t from, struct tern_region_info *v, unsigned max);
/* Of an address in the kernel's half it shows only the root's entry. */
void aspace_walk(struct aspace *as, va_t va, struct tern_walk *w);
void aspace_pagemap(struct aspace *as, va_t va, u64 *v, unsigned count);

/* mm calls this, with no lock held, when a long operation ends: threads may wait for the space.  It
 * is in kernel/linux/sys_mm.c, in host tests a stub. */
void mm_wake(struct aspace *as);

/* Counts for all of the system, which /proc shows; changed by atomic adds, and read without a
 * lock. */
extern struct tern_mm_counters mm_counters;

void mm_init(void); /* makes mm's slab caches; call it after frames_init() */
