/* What the device tree says of the machine, and start-up. */
#pragma once

#include <kernel/lib/types.h>
#include <mm/frame.h>
#include <tern/abi.h>

struct boot_facts {
	struct phys_range ram[8];
	unsigned nram;
	struct phys_range reserved[16]; /* firmware, kernel image, device tree, boot archive */
	unsigned nreserved;
	struct phys_range initrd; /* page-rounded; info.initrd_size is exact */
	u64 hartid[MAX_HARTS];
	bool sstc;
	pa_t plic, sifive_test, rtc;
	u64 plic_size;
	u32 plic_ndev;
	u32 plic_context[MAX_HARTS]; /* S-mode context of each hart */
	u8 rng_seed[64];
	u32 rng_seed_len;
	struct tern_boot_info info; /* what pm is told, too */
};
extern struct boot_facts boot_facts;

/* Parses a flattened device tree of `size` readable bytes.  0, or EINVAL with one line logged by
 * the caller.  Pure: safe on hostile input. */
int must_check fdt_parse(const void *fdt, size_t size, struct boot_facts *f);

/* Finds a file in (concatenated) newc archives: its data's place in `base`. 0, ENOENT, EINVAL.
 * Pure: safe on hostile input. */
int must_check archive_find(const void *base, size_t size, const char *path, size_t *off, size_t *len);

/* Takes the seed out of boot_facts; once, at start-up. */
void random_init(void);

/* arch/riscv/start.S -> arch_start() (page tables, facts, frames, harts) -> kernel_main() on the
 * boot hart, then kernel_secondary() on the others once kernel_main released them. */
_Noreturn void kernel_main(void);
_Noreturn void kernel_secondary(void);
/* One line on the console, and the end of the machine. */
_Noreturn void cannot_start(const char *why);
/* Lets the other harts go. */
void arch_start_secondaries(void);
/* The vDSO image (page-aligned, whole pages) and its data page's frame. */
extern const char vdso_start[], vdso_end[];
