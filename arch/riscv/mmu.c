/*
 * Translation fences, address-space identifiers and the active table (arch/mmu.h).
 *
 * A fence on this hart is one instruction; on others it is one SBI call, which returns when they
 * have done it.  sfence.vma with an address is for leaf entries only; without one, for all levels
 * of the space.  With an ASID it leaves global entries, which only the kernel half has.  The only
 * state here is the number of ASIDs.
 */
#include <arch/mmu.h>
#include <arch/sbi.h>
#include <kernel/hart.h>

#include "arch_priv.h"

#define SATP_SV39 (8ul << 60)
#define SATP_ASID_SHIFT 44
#define FENCE_PAGES 16 /* for more pages than this, fence the whole space at once */

static u32 asid_count = 1;

/* Finds how many ASIDs there are, as satp keeps only the ASID bits that exist.  satp names the
 * kernel's root here. */
void mmu_init(void)
{
	u64 satp = csr_read(satp);

	csr_write(satp, satp | (0xfffful << SATP_ASID_SHIFT));
	asid_count = (u32)((csr_read(satp) >> SATP_ASID_SHIFT) & 0xffff) + 1;
	csr_write(satp, satp);
	mmu_fence_all();
}

u32 mmu_asid_count(void) { return asid_count; }

void mmu_fence_page(va_t va, u16 asid)
{
	__asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"((u64)asid) : "memory");
}

void mmu_fence_asid(u16 asid)
{
	__asm__ volatile("sfence.vma zero, %0" ::"r"((u64)asid) : "memory");
}

void mmu_fence_all(void) { __asm__ volatile("sfence.vma" ::: "memory"); }

static void fence_here(va_t va, u64 len, u16 asid)
{
	if (len == 0 || len > FENCE_PAGES * PAGE_SIZE) {
		mmu_fence_asid(asid);
		return;
	}
	for (va_t end = va + len; va < end; va += PAGE_SIZE)
		mmu_fence_page(va, asid);
}

void mmu_fence_remote(u32 hart_mask, va_t va, u64 len, u16 asid)
{
	u32 here = 1u << hart_index(), others = hart_mask & ~here & online_mask();

	if (hart_mask & here)
		fence_here(PAGE_DOWN(va), len, asid);
	if (!others)
		return;
	/* The other harts must see the changed entries before they fence. */
	__asm__ volatile("fence rw, rw" ::: "memory");
	if (len == 0 || len > FENCE_PAGES * PAGE_SIZE)
		sbi_remote_sfence_asid(others, 0, 0, asid);
	else
		sbi_remote_sfence_asid(others, PAGE_DOWN(va), len, asid);
}

void mmu_activate(pfn_t root, u16 asid)
{
	csr_write(satp, SATP_SV39 | (u64)asid << SATP_ASID_SHIFT | root);
	if (unlikely(asid_count == 1))
		mmu_fence_asid(0);
}

void mmu_sync_icache(u32 hart_mask)
{
	u32 here = 1u << hart_index(), others = hart_mask & ~here & online_mask();

	/* The other harts must see the stored instructions before they do their fence.i. */
	__asm__ volatile("fence rw, rw" ::: "memory");
	if (hart_mask & here)
		__asm__ volatile("fence.i" ::: "memory");
	if (others)
		sbi_remote_fence_i(others);
}
