/*
 * Interrupts of a hart: calls the kernel's handlers until no interrupt is pending.
 *
 * The kernel runs with sstatus.SIE off and takes interrupts in user mode (through the trap vector)
 * and in the idle loop (arch_wait); both come here.  A hart that panics sends the others an
 * inter-processor interrupt, so after one a panic is looked for first.  No locks.
 */
#include <arch/cpu.h>
#include <arch/sbi.h>
#include <kernel/boot.h>
#include <kernel/hart.h>
#include <kernel/lib/log.h>
#include <kernel/lib/trace.h>

#include "arch_priv.h"

u32 online_mask(void)
{
	u32 mask = 0;

	for (unsigned i = 0; i < nharts; i++)
		if (READ_ONCE(harts[i].online))
			mask |= 1u << i;
	return mask;
}

void arch_ipi(u32 hart_mask)
{
	hart_mask &= online_mask();
	if (!hart_mask)
		return;
	/* The interrupted harts must see what we stored before. */
	__asm__ volatile("fence rw, rw" ::: "memory");
	sbi_send_ipi(hart_mask);
}

void arch_wait(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

void arch_poll_interrupts(void)
{
	u64 pending;

	while ((pending = csr_read(sip) & csr_read(sie)) != 0) {
		trace(TERN_TRACE_INTERRUPT, pending, 0);
		if (pending & SIP_SOFT) {
			csr_clear(sip, SIP_SOFT);
			panic_check();
			arch_trace_vector();
			kernel_ipi();
		}
		if (pending & SIP_TIMER) {
			/* It would stay pending: silence the timer until it is armed again. */
			if (boot_facts.sstc)
				arch_timer_arm(~0ul);
			else
				csr_clear(sie, SIP_TIMER);
			kernel_timer_interrupt();
		}
		if (pending & SIP_EXTERNAL)
			plic_interrupt();
	}
}
