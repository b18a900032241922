/* Page tables and translation caches, as the portable memory code sees them.
 *
 * Sv39: three levels, level 2 is the root, level 0 the leaf table; 512 entries a table.  The host
 * tests link an adversarial model of this header's functions (test/host/tlb_model.c) that
 * remembers every translation ever made and forgets only what was exactly fenced.
 * Source: RISC-V privileged specification, "Sv39", "sfence.vma". */
#pragma once

#include <kernel/lib/types.h>

typedef u64 pte_t;

#define PT_LEVELS 3
#ifndef PT_BITS
#define PT_BITS 9 /* how many bits of an address a level translates; host tests make it fewer */
#endif
#define PT_ENTRIES (1u << PT_BITS)
#define USER_MIN 0x10000ul	    /* the first 64 KiB are never mapped */
#define USER_MAX 0x4000000000ul	    /* 256 GiB: the first address past the user half */
#define KERNEL_HALF 0xffffffc000000000ul
#define DIRECT_MAP KERNEL_HALF /* all of RAM: physical address pa is at DIRECT_MAP + pa */
#define MEGA_SIZE (2ul << 20)
/* One GiB of kernel mappings outside the direct map: the harts' stacks and device registers. */
#define VMAP_BASE 0xffffffff00000000ul
#define VMAP_END (VMAP_BASE + (1ul << 30))

#define PTE_V (1ul << 0)
#define PTE_R (1ul << 1)
#define PTE_W (1ul << 2)
#define PTE_X (1ul << 3)
#define PTE_U (1ul << 4)
#define PTE_G (1ul << 5)
#define PTE_A (1ul << 6)
#define PTE_D (1ul << 7)
#define PTE_SW0 (1ul << 8) /* SW0 and SW1: the machine ignores them, also in valid entries */
#define PTE_SW1 (1ul << 9)
#define PTE_PFN_SHIFT 10

static inline unsigned pt_index(va_t va, int level)
{
	return (unsigned)(va >> (PAGE_SHIFT + PT_BITS * level)) & (PT_ENTRIES - 1);
}
/* How many bytes an entry of the level covers. */
static inline u64 pt_span(int level) { return PAGE_SIZE << (PT_BITS * level); }
static inline bool pte_valid(pte_t e) { return e & PTE_V; }
static inline bool pte_is_table(pte_t e) { return (e & (PTE_V | PTE_R | PTE_W | PTE_X)) == PTE_V; }
/* No mask is needed: the bits above the frame number, for Svpbmt and Svnapot, are zero in every
 * entry. */
static inline pfn_t pte_pfn(pte_t e) { return e >> PTE_PFN_SHIFT; }
static inline pte_t pte_table(pfn_t pfn) { return (pfn << PTE_PFN_SHIFT) | PTE_V; }
/* A valid leaf entry for a user page with the rights `prot` (PROT_*, not PROT_NONE).  Write without
 * read becomes read-write, as Sv39 has no write-only pages.  A is set, and D if the page is
 * writable. */
static inline pte_t pte_user(pfn_t pfn, unsigned prot)
{
	pte_t e = (pfn << PTE_PFN_SHIFT) | PTE_V | PTE_U | PTE_A;

	if (prot & 1)
		e |= PTE_R;
	if (prot & 2)
		e |= PTE_R | PTE_W | PTE_D;
	if (prot & 4)
		e |= PTE_X;
	return e;
}

#ifdef TERN_HOST
/* In host tests, "physical" memory is an array. */
void *phys_to_virt(pa_t pa);
pa_t virt_to_phys(const void *p);
#else
static inline void *phys_to_virt(pa_t pa)
{
	void *p = (void *)(pa + DIRECT_MAP);

	if (!p) /* lets the compiler leave out tests of the result for NULL */
		__builtin_unreachable();
	return p;
}
/* p is in the direct map */
static inline pa_t virt_to_phys(const void *p) { return (pa_t)p - DIRECT_MAP; }
#endif
static inline void *pfn_to_virt(pfn_t pfn) { return phys_to_virt(pfn << PAGE_SHIFT); }
static inline pfn_t virt_to_pfn(const void *p) { return virt_to_phys(p) >> PAGE_SHIFT; }

/* Orders the writes that filled a table before the write that links it. */
#ifdef TERN_HOST
void mmu_publish(void);
#else
static inline void mmu_publish(void) { __asm__ volatile("fence w, w" ::: "memory"); }
#endif

/* Makes this hart forget the leaf entry of one page of one space (sfence.vma va, asid). */
void mmu_fence_page(va_t va, u16 asid);
/* Makes this hart forget every entry of one space, upper ones too (sfence.vma x0, asid). */
void mmu_fence_asid(u16 asid);
/* Makes this hart forget every entry of every space, global ones too. */
void mmu_fence_all(void);
/* Makes the harts of a mask of indices, perhaps this one among them, forget the entries of [va, va
 * + len), or, with len 0, of the whole space.  Returns when all have done so.  The caller does not
 * hold the kernel lock. */
void mmu_fence_remote(u32 hart_mask, va_t va, u64 len, u16 asid);
/* Makes `root` this hart's root table. */
void mmu_activate(pfn_t root, u16 asid);
/* The same in two steps, which makes switches shorter: mmu_state() makes the word that names a
 * table and an ASID to the machine, mmu_load() loads it.  Only where mmu_asid_count() > 1, as it
 * does not fence. */
#ifdef TERN_HOST
u64 mmu_state(pfn_t root, u16 asid);
void mmu_load(u64 state);
#else
static inline u64 mmu_state(pfn_t root, u16 asid) { return 8ul << 60 | (u64)asid << 44 | root; }
static inline void mmu_load(u64 state) { __asm__ volatile("csrw satp, %0" : : "r"(state) : "memory"); }
#endif
/* Stores the kernel half's entries in a new root table, which is all zero. */
void mmu_init_root(pte_t *root);
/* The kernel's own root table, which a hart without a space uses, with ASID 0. */
pfn_t mmu_kernel_root(void);
/* How many ASIDs the machine has: a power of two.  1: none, so that every switch must fence. */
u32 mmu_asid_count(void);
/* Lists the ranges mapped between VMAP_BASE and VMAP_END in v, at most max.  Returns how many. */
struct tern_kernel_mapping;
unsigned kernel_mappings(struct tern_kernel_mapping *v, unsigned max);

/* Does a fence.i on every hart of the mask, so that their instruction fetches see what was
 * stored. */
void mmu_sync_icache(u32 hart_mask);
