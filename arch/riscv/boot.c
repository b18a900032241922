/*
 * From the first C code of the boot hart to kernel_main(): facts, page tables, devices, frames.
 *
 * arch_start() runs on the boot stack with start.S's early table, which maps the image and the two
 * GiB that hold the device tree.  It copies what the kernel wants of the device tree into
 * boot_facts, so that the tree's memory is free afterwards.  If Tern cannot start, it prints one
 * line that says why, and stops.  The boot hart gets index 0 whatever its hart id.  Only the boot
 * hart runs here, so nothing is locked.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/sbi.h>
#include <arch/trap.h>
#include <kernel/boot.h>
#include <kernel/hart.h>
#include <kernel/lib/log.h>
#include <kernel/lib/string.h>

#include "arch_priv.h"

#define FDT_MAGIC 0xd00dfeedu
#define FDT_MAX (2ul << 20)
#define DIRECT_MAP_SPAN (VMAP_BASE - DIRECT_MAP)
#define LEAST_RAM (16ul << 20)

struct boot_facts boot_facts;

_Noreturn void cannot_start(const char *why)
{
	klog("Tern cannot start: %s\n", why);
	arch_power(1, false);
}

/* Why Tern cannot start, if it is found before the board's test device is mapped: reported only
 * then, so that QEMU's exit status says failure. */
static const char *problem;
static void cannot_go_on(const char *why)
{
	if (!problem)
		problem = why;
}

/* Reads the device tree at pa; the early table maps the GiB of pa and the next one. */
static void parse_fdt(pa_t pa)
{
	const u32 *fdt = phys_to_virt(pa);
	u64 size;

	if (pa == 0 || pa % 8 || pa >= DIRECT_MAP_SPAN - (1ul << 30))
		cannot_start("the firmware passed no device tree");
	if (__builtin_bswap32(fdt[0]) != FDT_MAGIC)
		cannot_start("the device tree has a bad magic number");
	size = __builtin_bswap32(fdt[1]);
	if (size > FDT_MAX)
		cannot_start("the device tree is larger than 2 MiB");
	if (fdt_parse(fdt, size, &boot_facts) != 0)
		cannot_start("the device tree is malformed, or lacks memory, harts or the timebase");
}

/* Gives the harts their indices, the boot hart 0. */
static void order_harts(u64 hartid)
{
	struct boot_facts *f = &boot_facts;
	unsigned i = 0;

	while (i < f->info.nharts && f->hartid[i] != hartid)
		i++;
	if (i == f->info.nharts)
		cannot_start("the boot hart is not among the first 8 of the device tree");
	f->hartid[i] = f->hartid[0];
	f->hartid[0] = hartid;
	u32 context = f->plic_context[i];
	f->plic_context[i] = f->plic_context[0];
	f->plic_context[0] = context;

	nharts = f->info.nharts;
	for (i = 0; i < nharts; i++) {
		harts[i].index = i;
		harts[i].hartid = f->hartid[i];
	}
}

static bool in_ram(pa_t start, pa_t end)
{
	for (unsigned i = 0; i < boot_facts.nram; i++)
		if (start >= boot_facts.ram[i].start && end <= boot_facts.ram[i].end)
			return true;
	return false;
}

/* Trims the ranges of RAM to whole pages that the kernel may use: the range of the image begins
 * with the image, as the firmware is below it, and what the direct map cannot reach is left out. */
static void trim_ram(void)
{
	struct boot_facts *f = &boot_facts;
	unsigned n = 0;
	u64 total = 0;

	for (unsigned i = 0; i < f->nram; i++) {
		struct phys_range r = { PAGE_UP(f->ram[i].start), PAGE_DOWN(f->ram[i].end) };

		if (r.start <= image_pa && image_pa < r.end)
			r.start = image_pa;
		r.end = MIN(r.end, DIRECT_MAP_SPAN);
		if (r.start >= r.end)
			continue;
		total += r.end - r.start;
		f->ram[n++] = r;
	}
	f->nram = n;
	if (total < LEAST_RAM)
		cannot_go_on("less than 16 MiB of memory");
	if (!in_ram(image_pa, image_pa + MEGA_SIZE))
		cannot_go_on("the kernel was not loaded into memory that the device tree names");
}

static void boot_reserve(pa_t start, pa_t end)
{
	if (boot_facts.nreserved == ARRAY_SIZE(boot_facts.reserved)) {
		cannot_go_on("too many reserved ranges");
		return;
	}
	boot_facts.reserved[boot_facts.nreserved++] = (struct phys_range){ start, end };
}

static void reserve_ranges(void)
{
	const struct phys_range *initrd = &boot_facts.initrd;

	boot_reserve(image_pa, image_to_phys(_end_va));
	if (!boot_facts.info.initrd_size)
		return;
	if (initrd->start % PAGE_SIZE || !in_ram(initrd->start, initrd->end))
		cannot_go_on("the boot archive is not page-aligned in memory");
	if (initrd->start < image_to_phys(_end_va) && initrd->end > image_pa)
		cannot_go_on("the boot archive overlaps the kernel");
	boot_reserve(initrd->start, initrd->end);
}

_Noreturn void arch_start(u64 hartid, pa_t fdt, pa_t image)
{
	const char *why;

	image_pa = image;
	this_hart()->index = 0;
	this_hart()->online = 1;
	if (sbi_init(&why) != 0) {
		klog("Tern cannot start: the firmware is too old: %s\n", why);
		arch_power(1, false);
	}
	if (image % MEGA_SIZE)
		cannot_start("the kernel was not loaded at a multiple of 2 MiB");
	parse_fdt(fdt);
	order_harts(hartid);
	trim_ram();
	reserve_ranges();
	kernel_map_init();
	mmu_init();
	timer_init_boot();
	console_init();
	power_init();
	if (problem)
		cannot_start(problem);
	plic_init();
	frames_init(boot_facts.ram, boot_facts.nram, boot_facts.reserved, boot_facts.nreserved);
	frames_adopt(boot_facts.initrd.start, boot_facts.initrd.end);

	harts[0].kernel_sp = stack_top(0);
	plic_init_hart();
	timer_init_hart();
	trap_init();
	start_on_stack(harts[0].kernel_sp, kernel_main);
}

void arch_start_secondaries(void)
{
	for (unsigned i = 1; i < nharts; i++) {
		pfn_t stack = frame_alloc(2, FRAME_KERNEL, 0);

		if (!stack || stack_map(i, stack << PAGE_SHIFT) != 0) {
			klog("hart %u: no memory for its stack\n", i);
			continue;
		}
		harts[i].kernel_sp = stack_top(i);
		mmu_fence_all();
		s64 error = sbi_hart_start(harts[i].hartid, image_to_phys(secondary_start),
					   (u64)&harts[i]);
		if (error)
			klog("hart %u (id %lu) does not start: SBI error %ld\n", i,
			     harts[i].hartid, error);
	}
}

_Noreturn void arch_secondary(void)
{
	mmu_fence_all();
	plic_init_hart();
	timer_init_hart();
	trap_init();
	__atomic_store_n(&this_hart()->online, 1, __ATOMIC_RELEASE);
	kernel_secondary();
}
