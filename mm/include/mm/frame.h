/* Physical memory: frames of 4 KiB from a buddy allocator.
 *
 * One struct frame describes each frame of RAM.  frame.refs counts page-table entries and memobj
 * slots that name the frame, and nothing else ever; a table frame counts the upper entries that
 * name it.  Whoever allocates gets refs = 1. */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/types.h>
#include <tern/abi.h>

enum frame_kind {
	FRAME_RESERVED, /* not RAM, firmware, kernel image */
	FRAME_FREE,
	FRAME_KERNEL,
	FRAME_SLAB,
	FRAME_TABLE,
	FRAME_USER, /* anonymous or in a memobj */
};

struct frame {
	u32 refs; /* atomic */
	u8 kind;
	u8 order;  /* of the free block it heads, or of the allocation */
	u16 flags; /* FRAME_* */
	union {
		struct list link; /* free blocks */
		void *owner;	  /* slab: its cache */
	};
	u32 used;  /* table: entries in use */
	u32 pages; /* leaf table: entries that hold a reference of a frame */
};
_Static_assert(sizeof(struct frame) == 32, "indexing frames by a shift");
#define FRAME_IN_BUDDY 1 /* heads a free block of the buddy allocator; its lock */
#define FRAME_SYNCED 2	 /* instruction fetches see what it holds */
#define FRAME_READ_ONLY 4 /* a shared leaf table: no entry of it allows writing */
#define FRAME_WHOLE 8	 /* a leaf table deposited for a page of 2 MiB; its entries are as they were made */

extern struct frame *frames;	      /* frames[pfn - frame_base] */
extern pfn_t frame_base, frame_limit; /* [base, limit) */
static inline struct frame *frame_of(pfn_t pfn) { return &frames[pfn - frame_base]; }
static inline pfn_t frame_pfn(const struct frame *f) { return (pfn_t)(f - frames) + frame_base; }
static inline bool frame_is_ram(pfn_t pfn) { return pfn >= frame_base && pfn < frame_limit; }

struct phys_range {
	pa_t start, end;
};
/* Builds the frame array inside the RAM range itself; everything in `ram` that is not in
 * `reserved` becomes free.  Called once, by the boot hart, with the direct map in place. */
void frames_init(const struct phys_range *ram, unsigned nram, const struct phys_range *reserved,
		 unsigned nreserved);
/* Frames that were reserved at boot (the boot archive) become owned frames of refs 1, kind USER. */
void frames_adopt(pa_t start, pa_t end);

#define FRAME_ORDERS TERN_FRAME_ORDERS
#define FRAME_ZERO 1u
/* 2^order contiguous frames, aligned to their size; pfn, or 0 when memory is out. */
pfn_t must_check frame_alloc(unsigned order, enum frame_kind kind, unsigned flags);
/* 2^order contiguous frames, not zeroed, each a user's page with refs 1, to be put one by one or given
 * back together; pfn, or 0 unless such a block is there at once. */
pfn_t must_check frame_alloc_block(unsigned order);
void frame_free_block(pfn_t pfn, unsigned order); /* nobody else has any of them */
/* Frees an allocation whatever its refs (they must be 0 or 1). */
void frame_free(pfn_t pfn, unsigned order);
/* Frees one frame that holds nothing but zeroes: FRAME_ZERO allocations take such first. */
void frame_free_zeroed(pfn_t pfn);
/* An idle hart's work: zeroes one free frame for later; false: there are enough, or too few free. */
bool frames_prepare(void);
void frame_get(pfn_t pfn);
/* Drops a reference; the last one frees the frame (order 0 only). */
void frame_put(pfn_t pfn);
static inline u32 frame_refs(pfn_t pfn) { return __atomic_load_n(&frame_of(pfn)->refs, __ATOMIC_RELAXED); }

u64 frames_total(void);
/* Bytes that the kernel keeps for one process at most: an eighth of memory (kernel/charge.c). */
extern u64 kernel_share;
/* Fewer than one frame in `share` is free and promised to nobody: what can be refused without harm
 * should be. */
bool frames_scarce(unsigned share);
/* n frames more will be wanted for sure, or n fewer: nothing is set aside, but frames_scarce()
 * counts them as gone. */
void frames_promise(s64 n);
/* Called by mm when memory is nearly out, and what is left should go to those who cannot wait - the
 * kernel's own copies, servers - until somebody gives some back (kernel/oom.c; a stub in host
 * tests).  Locks of mm's held, perhaps the kernel lock. */
void mm_low(void);
void frame_stats(struct tern_frame_stats *s);

#ifdef TERN_HOST
/* Host tests: makes the next allocation of a frame or an object fail when it returns true. */
extern bool (*mm_fail_hook)(void);
static inline bool mm_fail_now(void) { return mm_fail_hook && mm_fail_hook(); }
#else
static inline bool mm_fail_now(void) { return false; }
#endif
