/* A machine of several harts for the host tests of mm: physical memory, and translation caches that
 * are as unhelpful as the specification allows. */
#pragma once

#include <arch/mmu.h>
#include <kernel/lib/types.h>
#include <mm/aspace.h>

#define MODEL_HARTS 4u
#define MODEL_RAM 0x80000000ul

extern u32 model_asids;			  /* how many ASIDs the machine has */
extern u32 (*model_random)(void);	  /* the test's source of randomness */
extern void (*model_meanwhile)(void);	  /* called between the steps of a fault; NULL: nothing */
extern void (*model_publishing)(void); /* before an entry is stored that says more than the one before */
void model_peek(va_t va); /* the current hart reads the entries of va */
extern void (*model_on_watch)(struct note *n, bool gone); /* mm_unmapped, mm_unwatch */
extern bool mm_defers;			  /* what mm_defer() answers */
extern u64 model_fences, model_remote;	  /* fences asked for, and of other harts */
extern u64 model_fetch_fences[MODEL_HARTS]; /* fence.i on each hart */
extern unsigned model_spurious;		  /* faults that a stale entry caused */

/* A fresh machine with `pages` of RAM; frames and mm are initialised in it. */
void model_start(unsigned pages);
void model_hart(unsigned hart); /* hart_index() from now on */
bool model_runs(unsigned hart, const struct aspace *as);
/* Some hart reads some entry of what it runs ahead of time. */
void model_speculate(void);
/* An access by the running hart to the space it has activated: through whatever entry the hart may
 * use, faulting as long as that resolves.  Fails the test if the entry allows more than the tables,
 * or another frame.  *byte: where the byte is. */
enum fault_result model_access(struct aspace *as, va_t va, enum fault_access access, u8 **byte);
