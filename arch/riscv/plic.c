/*
 * The platform-level interrupt controller (PLIC), which brings the interrupts of devices, its
 * sources, to harts: their S-mode contexts.
 *
 * We mask a source by priority 0 and not by its enable bit: the PLIC ignores a completion for a
 * source that is not enabled in the context, so the source would stay claimed for ever.  An
 * interrupt is claimed, masked, completed and handed to the kernel; its driver's acknowledgement
 * unmasks it.
 * Source: RISC-V platform-level interrupt controller specification 1.0.
 * Lock: plic_lock for enable words; priorities and claims are single stores and loads.
 */
#include <arch/cpu.h>
#include <kernel/boot.h>
#include <kernel/lib/log.h>
#include <kernel/lib/spinlock.h>

#include "arch_priv.h"

#define MAX_SOURCES 128u
#define ENABLE(context) (0x2000 + (u64)(context) * 0x80)
#define THRESHOLD(context) (0x200000 + (u64)(context) * 0x1000)
#define CLAIM(context) (THRESHOLD(context) + 4)
#define NO_CONTEXT (~0u)
#define BOOT_HART 0 /* the index of the hart that takes the interrupts of all sources */

static volatile u8 *plic;
static unsigned nsources;
static struct spinlock plic_lock = SPINLOCK_INIT;

static u32 plic_read(u64 at) { return *(volatile u32 *)(plic + at); }
static void plic_write(u64 at, u32 v) { *(volatile u32 *)(plic + at) = v; }

void plic_init(void)
{
	plic = kernel_map_device(boot_facts.plic, boot_facts.plic_size);
	if (!plic)
		return;
	nsources = MIN(boot_facts.plic_ndev + 1, MAX_SOURCES);
	for (unsigned irq = 1; irq < nsources; irq++)
		plic_write(irq * 4ul, 0);
}

void plic_init_hart(void)
{
	u32 context = boot_facts.plic_context[hart_index()];

	if (!plic || context == NO_CONTEXT)
		return;
	for (unsigned i = 0; i < (nsources + 31) / 32; i++)
		plic_write(ENABLE(context) + i * 4, 0);
	plic_write(THRESHOLD(context), 0);
}

void arch_irq_enable(unsigned irq)
{
	u32 context = boot_facts.plic_context[BOOT_HART];
	u64 at = ENABLE(context) + irq / 32 * 4;

	if (!plic || irq == 0 || irq >= nsources || context == NO_CONTEXT)
		return;
	spin_lock(&plic_lock);
	plic_write(at, plic_read(at) | 1u << (irq % 32));
	spin_unlock(&plic_lock);
	plic_write(irq * 4ul, 1);
}

void arch_irq_disable(unsigned irq)
{
	if (plic && irq && irq < nsources)
		plic_write(irq * 4ul, 0);
}

void plic_interrupt(void)
{
	u32 context = boot_facts.plic_context[hart_index()];
	u32 irq;

	assert(plic && context != NO_CONTEXT);
	while ((irq = plic_read(CLAIM(context))) != 0) {
		plic_write(irq * 4ul, 0);
		plic_write(CLAIM(context), irq);
		kernel_external_interrupt(irq);
	}
}
