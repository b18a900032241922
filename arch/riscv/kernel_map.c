/*
 * The kernel's own page table: direct map, image, vmap GiB.
 *
 * The boot hart builds kernel_root once.  It has an entry for each GiB of the direct map that has
 * RAM (a page of 1 GiB, or a table if RAM begins or ends inside), one for vmap and one for the
 * image.  They never change, and every process's root has the same ones.  Tables come from a small
 * pool in bss, or, when that is used up and frames exist, from the frames; none is ever freed.
 *
 * No page is both writable and executable: text and rodata are read-only in the direct map, too.
 * RAM below the image is the firmware's and is not mapped.  One hart does all this at start-up.
 */
#include <arch/mmu.h>
#include <kernel/boot.h>
#include <kernel/lib/log.h>
#include <tern/abi.h>
#include <tern/linux/errno.h>

#include "arch_priv.h"

#define POOL_TABLES 14
#define PTE_KERNEL (PTE_V | PTE_A | PTE_D | PTE_G)

typedef pte_t table_t[PT_ENTRIES];

static table_t kernel_root __attribute__((aligned(4096), section(".bss.page")));
static table_t pool[POOL_TABLES] __attribute__((aligned(4096), section(".bss.page")));
static unsigned pool_used;
/* [first, end) of root entries: the direct map's */
static unsigned direct_first = PT_ENTRIES, direct_end;
static va_t next_device = VMAP_DEVICES;
pa_t image_pa;

/* The entries of a table.  One of the pool is reached through the image, as the direct map may not
 * have it yet. */
static pte_t *table_at(pfn_t pfn)
{
	pa_t pa = pfn << PAGE_SHIFT;

	if (pa >= image_pa && pa < image_pa + MEGA_SIZE)
		return (pte_t *)(_start_va + (pa - image_pa));
	return pfn_to_virt(pfn);
}

/* Allocates an empty table, from the pool while it lasts, then from the frames.  0: there is
 * none. */
static pfn_t table_new(void)
{
	if (pool_used < POOL_TABLES)
		return image_to_phys(pool[pool_used++]) >> PAGE_SHIFT;
	return frames ? frame_alloc(0, FRAME_TABLE, FRAME_ZERO) : 0;
}

/* The entry of va at a level, after making the tables that lead to it.  NULL: out of memory. */
static pte_t *entry_at(va_t va, int level)
{
	pte_t *table = kernel_root;

	for (int l = PT_LEVELS - 1; l > level; l--) {
		pte_t *e = &table[pt_index(va, l)];

		if (!pte_valid(*e)) {
			pfn_t pfn = table_new();

			if (!pfn)
				return NULL;
			mmu_publish();
			*e = pte_table(pfn);
		}
		assert(pte_is_table(*e));
		table = table_at(pte_pfn(*e));
	}
	return &table[pt_index(va, level)];
}

/* Maps [va, va + len) to pa, with the largest pages that fit.  0 or ENOMEM. */
static int map_range(va_t va, pa_t pa, u64 len, pte_t flags)
{
	while (len) {
		int level = PT_LEVELS - 1;
		pte_t *e;

		while (((va | pa) & (pt_span(level) - 1)) || len < pt_span(level))
			level--;
		e = entry_at(va, level);
		if (!e)
			return -ENOMEM;
		assert(!pte_valid(*e));
		*e = (pa >> PAGE_SHIFT << PTE_PFN_SHIFT) | PTE_KERNEL | flags;
		va += pt_span(level);
		pa += pt_span(level);
		len -= pt_span(level);
	}
	return 0;
}

static void must_map(va_t va, pa_t pa, u64 len, pte_t flags)
{
	if (map_range(va, pa, len, flags) < 0)
		panic("kernel page tables: none left for %lx at %lx", pa, va);
}

static void map_direct(pa_t start, pa_t end, pte_t flags)
{
	va_t va = (va_t)phys_to_virt(start);

	if (start >= end)
		return;
	must_map(va, start, end - start, flags);
	direct_first = MIN(direct_first, pt_index(va, 2));
	direct_end = MAX(direct_end, pt_index(va + (end - start) - 1, 2) + 1);
}

/* Maps one range of RAM in the direct map.  The image's text and rodata are read-only there. */
static void map_ram(pa_t start, pa_t end)
{
	pa_t fixed = image_to_phys(_rodata_end);

	if (image_pa < start || image_pa >= end) {
		map_direct(start, end, PTE_R | PTE_W);
		return;
	}
	map_direct(start, image_pa, PTE_R | PTE_W);
	map_direct(image_pa, fixed, PTE_R);
	map_direct(fixed, end, PTE_R | PTE_W);
}

static void map_image(const char *start, const char *end, pte_t flags)
{
	must_map((va_t)start, image_to_phys(start), (u64)(end - start), flags);
}

void kernel_map_init(void)
{
	map_image(_text_start, _text_end, PTE_R | PTE_X);
	map_image(_rodata_start, _rodata_end, PTE_R);
	map_image(_data_start, _end_va, PTE_R | PTE_W);
	for (unsigned i = 0; i < boot_facts.nram; i++)
		map_ram(boot_facts.ram[i].start, boot_facts.ram[i].end);
	/* This makes vmap's table below the root, so that root entries never change later. */
	if (stack_map(0, image_to_phys(boot_stack)) < 0)
		panic("no page table for the boot stack");
	kernel_satp = (8ul << 60) | mmu_kernel_root();
	csr_write(satp, kernel_satp);
	mmu_fence_all();
}

pfn_t mmu_kernel_root(void) { return image_to_phys(kernel_root) >> PAGE_SHIFT; }

void mmu_init_root(pte_t *root)
{
	for (unsigned i = direct_first; i < direct_end; i++)
		root[i] = kernel_root[i];
	for (unsigned i = pt_index(VMAP_BASE, 2); i < PT_ENTRIES; i++)
		root[i] = kernel_root[i];
}

int stack_map(unsigned i, pa_t pa)
{
	return map_range(stack_top(i) - STACK_SIZE, pa, STACK_SIZE, PTE_R | PTE_W);
}

void *kernel_map_device(pa_t pa, u64 size)
{
	pa_t start = PAGE_DOWN(pa), end = PAGE_UP(pa + size);
	va_t va;

	if (!pa)
		return NULL;
	/* To get pages of 2 MiB, a large device must lie at the same offset in them as its physical
	 * address. */
	if (end - start >= MEGA_SIZE)
		next_device = ((next_device + MEGA_SIZE - 1) & ~(MEGA_SIZE - 1)) +
			      (start & (MEGA_SIZE - 1));
	va = next_device;
	assert(va + (end - start) <= VMAP_END);
	must_map(va, start, end - start, PTE_R | PTE_W);
	next_device = va + (end - start);
	mmu_fence_all();
	return (void *)(va + (pa - start));
}

unsigned kernel_mappings(struct tern_kernel_mapping *v, unsigned max)
{
	struct tern_kernel_mapping *last = NULL;
	unsigned n = 0;

	for (va_t va = VMAP_BASE; va < next_device;) {
		int level = PT_LEVELS - 1;
		pte_t *table = kernel_root, e;

		while (e = table[pt_index(va, level)], pte_valid(e) && pte_is_table(e)) {
			table = table_at(pte_pfn(e));
			level--;
		}
		if (pte_valid(e)) {
			pa_t pa = pte_pfn(e) << PAGE_SHIFT;

			if (!last || last->start + last->size != va || last->phys + last->size != pa) {
				if (n == max)
					break;
				last = &v[n++];
				*last = (struct tern_kernel_mapping){ .start = va, .phys = pa };
			}
			last->size += pt_span(level);
		}
		va = (va & ~(pt_span(level) - 1)) + pt_span(level);
	}
	return n;
}
