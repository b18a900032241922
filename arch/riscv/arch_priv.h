/* Declarations that only the files of arch/riscv use. */
#pragma once

#include <arch/mmu.h>
#include <kernel/lib/types.h>

/* The vmap GiB: the harts' stacks, then device registers. */
#define VMAP_STACKS VMAP_BASE
#define VMAP_DEVICES (VMAP_BASE + (16ul << 20))
#define STACK_SIZE (16ul << 10)
#define STACK_SLOT (2 * STACK_SIZE) /* of which the lower half, the guard, stays unmapped */

/* Access to a control and status register by its name or number, as in csr_read(time). */
#define csr_read(csr)                                                                        \
	({                                                                                   \
		u64 v_;                                                                      \
		__asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory");                     \
		v_;                                                                          \
	})
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"r"((u64)(v)) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" ::"r"((u64)(v)) : "memory")
#define csr_clear(csr, v) __asm__ volatile("csrc " #csr ", %0" ::"r"((u64)(v)) : "memory")
#define SIP_SOFT (1ul << 1)
#define SIP_TIMER (1ul << 5)
#define SIP_EXTERNAL (1ul << 9)

extern char _start_va[], _end_va[], _text_start[], _text_end[], _rodata_start[], _rodata_end[],
	_data_start[];

/* kernel_map.c */
extern pa_t image_pa;
static inline pa_t image_to_phys(const void *p) { return (pa_t)p - (pa_t)_start_va + image_pa; }
/* Builds the kernel's table from boot_facts.ram and the image, and makes it this hart's. */
void kernel_map_init(void);
/* Maps device registers in the vmap GiB.  NULL: pa is 0, as there is no such device. */
void *kernel_map_device(pa_t pa, u64 size);
/* Where hart i's stack begins, to grow down through its pages. */
static inline va_t stack_top(unsigned i) { return VMAP_STACKS + (i + 1) * STACK_SLOT; }
/* Maps the STACK_SIZE bytes from pa on as hart i's stack.  0 or ENOMEM. */
int must_check stack_map(unsigned i, pa_t pa);

/* mmu.c */
void mmu_init(void);
/* timer.c, console.c, plic.c, power.c.  The boot hart calls each init once, when boot_facts is
 * filled; every hart calls those of a hart. */
extern u64 spin_sleep;
void timer_init_boot(void);
void timer_init_hart(void);
void console_init(void);
void plic_init(void);
void plic_init_hart(void);
/* Hands every external interrupt that is pending for this hart to the kernel. */
void plic_interrupt(void);
void power_init(void);

/* Mask of the indices of running harts. */
u32 online_mask(void);
/* boot.c, start.S */
_Noreturn void arch_start(u64 hartid, pa_t fdt, pa_t image);
_Noreturn void arch_secondary(void);
_Noreturn void start_on_stack(va_t sp, void (*fn)(void));
extern char secondary_start[], boot_stack[];
extern u64 kernel_satp;
