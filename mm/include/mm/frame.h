/* Physical memory: frames of 4 KiB from a buddy allocator.
 *
 * One struct frame describes each frame of RAM.  frame.refs counts the page-table entries and
 * memobj slots that name the frame, and nothing else ever; of a table, the upper entries that name
 * it.  A newly allocated frame has refs = 1, for whoever asked. */
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
	u8 order;  /* of the free block that it heads, or of the allocation that it begins */
	u16 flags; /* FRAME_* */
	union {
		struct list link; /* in a list of free blocks */
		/* Of a slab, its cache; of a huge page's first frame, its leaf table. */
		void *owner;
	};
	u32 used;  /* of a table: entries in use */
	u32 pages; /* of a leaf table: entries that hold a reference of a frame */
};
_Static_assert(sizeof(struct frame) == 32, "indexing frames by a shift");
#define FRAME_IN_BUDDY 1 /* heads a free block of the buddy allocator; buddy_lock */
#define FRAME_SYNCED 2	 /* what it holds was counted as new instructions: icache_written() */
#define FRAME_READ_ONLY 4 /* a shared leaf table, no entry of which allows writing */
/* The leaf table of a page of 2 MiB, whose entries still are as they were made. */
#define FRAME_WHOLE 8

extern struct frame *frames;	      /* frames[pfn - frame_base] */
extern pfn_t frame_base, frame_limit; /* [base, limit) */
static inline struct frame *frame_of(pfn_t pfn) { return &frames[pfn - frame_base]; }
static inline pfn_t frame_pfn(const struct frame *f) { return (pfn_t)(f - frames) + frame_base; }
static inline bool frame_is_ram(pfn_t pfn) { return pfn >= frame_base && pfn < frame_limit; }

struct phys_range {
	pa_t start, end;
};
/* Puts the frame array into RAM itself; what else of `ram` is not in `reserved` becomes free.
 * Called once, by the boot hart, with the direct map in place. */
void frames_init(const struct phys_range *ram, unsigned nram, const struct phys_range *reserved,
		 unsigned nreserved);
/* Makes frames that were reserved at boot (the boot archive's) allocated ones: refs 1,
 * FRAME_USER. */
void frames_adopt(pa_t start, pa_t end);

#define FRAME_ORDERS TERN_FRAME_ORDERS
#define FRAME_ZERO 1u
/* 2^order contiguous frames, aligned to their size; pfn, or 0 when memory is out. */
pfn_t must_check frame_alloc(unsigned order, enum frame_kind kind, unsigned flags);
/* 2^order contiguous frames, not zeroed, each a FRAME_USER with refs 1, which can be put one by one
 * or given back together by frame_free_block().  The first pfn; 0: no such block is free. */
pfn_t must_check frame_alloc_block(unsigned order);
void frame_free_block(pfn_t pfn, unsigned order); /* each frame has refs 1, the caller's */
/* Frees an allocation whose refs are 0 or 1. */
void frame_free(pfn_t pfn, unsigned order);
/* Frees one frame that holds nothing but zeroes, which spares a FRAME_ZERO allocation the
 * zeroing. */
void frame_free_zeroed(pfn_t pfn);
/* What idle harts do: zeroes one free frame for later.  False: enough are zeroed, or too few are
 * free. */
bool frames_prepare(void);
void frame_get(pfn_t pfn);
/* Drops a reference; the last one frees the frame (order 0 only). */
void frame_put(pfn_t pfn);
static inline u32 frame_refs(pfn_t pfn) { return __atomic_load_n(&frame_of(pfn)->refs, __ATOMIC_RELAXED); }

u64 frames_total(void);
/* Bytes that the kernel keeps for one process at most: an eighth of memory (kernel/charge.c). */
extern u64 kernel_share;
/* Less than 1/share of all frames is free and not promised: refuse what can be refused without
 * harm. */
bool frames_scarce(unsigned share);
/* Somebody will surely take n frames more, or (n negative) has taken them or will not.  Nothing is
 * set aside, but frames_scarce() counts promised frames as gone. */
void frames_promise(s64 n);
/* mm calls this when memory is nearly out: what is left should go to those who cannot wait (the
 * kernel's own copies, servers) until somebody gives some back.  It is in kernel/oom.c, in host
 * tests a stub, and is called with locks of mm's held, perhaps the kernel lock too. */
void mm_low(void);
void frame_stats(struct tern_frame_stats *s);

#ifdef TERN_HOST
/* Host tests set it: when it returns true, the allocation of a frame or an object that asked
 * fails. */
extern bool (*mm_fail_hook)(void);
static inline bool mm_fail_now(void) { return mm_fail_hook && mm_fail_hook(); }
#else
static inline bool mm_fail_now(void) { return false; }
#endif
