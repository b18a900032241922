/*
 * Traps from user mode that are not system calls, and traps of the kernel itself.
 *
 * The address space handles a page fault (aspace_fault); if it cannot, the thread gets a signal.
 * Interrupts come in user mode and in the idle loop only, as the kernel runs with them off.
 */
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/trap.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>
#include <kernel/lib/trace.h>

#include "arch_priv.h"

#define SCAUSE_INTERRUPT (1ul << 63)

enum {
	CAUSE_FETCH_MISALIGNED = 0,
	CAUSE_FETCH_ACCESS = 1,
	CAUSE_ILLEGAL = 2,
	CAUSE_BREAKPOINT = 3,
	CAUSE_LOAD_MISALIGNED = 4,
	CAUSE_LOAD_ACCESS = 5,
	CAUSE_STORE_MISALIGNED = 6,
	CAUSE_STORE_ACCESS = 7,
	CAUSE_ECALL = 8,
	CAUSE_FETCH_PAGE = 12,
	CAUSE_LOAD_PAGE = 13,
	CAUSE_STORE_PAGE = 15,
};

void trap_init(void)
{
	/* Software, timer and external interrupts. */
	u64 sie = (1ul << 1) | (1ul << 5) | (1ul << 9);

	__asm__ volatile("csrw stvec, %0" : : "r"(trap_entry));
	__asm__ volatile("csrw sscratch, zero");
	/* Programs may read cycle, time and instret. */
	__asm__ volatile("csrw scounteren, %0" : : "r"(7ul));
	/* SPP: the first sret goes to user mode; FS off; SUM never set; SIE off in the kernel. */
	__asm__ volatile("csrc sstatus, %0" : : "r"((1ul << 8) | (3ul << 13) | (1ul << 18) | (1ul << 1)));
	__asm__ volatile("csrw sie, %0" : : "r"(sie));
}

void arch_trace_vector(void)
{
	__asm__ volatile("csrw stvec, %0" : : "r"(trace_on ? trap_entry_traced : trap_entry));
}

/* Notes a trap in the event trace; trap_entry_traced (entry.S) calls it before the trap is
 * handled. */
void trap_trace(struct thread *t, u64 scause, u64 stval)
{
	static const u8 kinds[16] = {
		[CAUSE_FETCH_PAGE] = TERN_TRACE_FETCH_FAULT,
		[CAUSE_LOAD_PAGE] = TERN_TRACE_READ_FAULT,
		[CAUSE_STORE_PAGE] = TERN_TRACE_WRITE_FAULT,
	};
	const u64 *x = t->regs.x;

	if (scause == CAUSE_ECALL)
		trace(TERN_TRACE_CALL, x[REG_A7], x[REG_A0 + (x[REG_A7] == TERN_REPLY_RECV)]);
	else if (scause < ARRAY_SIZE(kinds) && kinds[scause])
		trace(kinds[scause], stval, csr_read(sepc));
	else if (!(scause & SCAUSE_INTERRUPT))
		trace(TERN_TRACE_TRAP, scause, csr_read(sepc));
}

static struct thread *page_fault(struct thread *t, va_t va, enum fault_access access)
{
	struct page_missing missing;

	switch (aspace_fault_missing(t->aspace, va, access, &missing)) {
	case FAULT_OK:
	case FAULT_AGAIN:
		break;
	case FAULT_MAPERR:
		signal_fault(t, SIGSEGV, SEGV_MAPERR, va, true);
		break;
	case FAULT_ACCERR:
		signal_fault(t, SIGSEGV, SEGV_ACCERR, va, true);
		break;
	case FAULT_BUS:
		signal_fault(t, SIGBUS, BUS_ADRERR, va, true);
		break;
	case FAULT_MORE:
		if (aspace_fault_huge(t->aspace, va, &t->mm_work) == MM_MORE)
			thread_add_work(t, WORK_MM);
		break;
	case FAULT_PAGER:
		return pager_fault(t, va, access, &missing);
	case FAULT_NOMEM:
		if (!process_out_of_memory(t))
			panic("out of memory, and nobody to end: %s (%u) faulted", t->comm,
			      t->process->pid);
		break;
	}
	return t;
}

struct thread *trap_other(struct thread *t, u64 scause, u64 stval)
{
	if (scause & SCAUSE_INTERRUPT) {
		arch_poll_interrupts();
		return t;
	}
	switch (scause) {
	case CAUSE_LOAD_PAGE:
		return page_fault(t, stval, FAULT_READ);
	case CAUSE_STORE_PAGE:
		return page_fault(t, stval, FAULT_WRITE);
	case CAUSE_FETCH_PAGE:
		return page_fault(t, stval, FAULT_EXEC);
	case CAUSE_ILLEGAL:
		if (!fpu_enable(t))
			signal_fault(t, SIGILL, ILL_ILLOPC, t->regs.x[REG_PC], true);
		return t;
	case CAUSE_BREAKPOINT:
		signal_fault(t, SIGTRAP, TRAP_BRKPT, t->regs.x[REG_PC], true);
		return t;
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED:
		signal_fault(t, SIGBUS, BUS_ADRALN, stval, true);
		return t;
	case CAUSE_FETCH_ACCESS:
	case CAUSE_LOAD_ACCESS:
	case CAUSE_STORE_ACCESS:
		/* For an address between the two halves some harts report an access fault, no page
		 * fault. */
		if (stval >= USER_MAX)
			signal_fault(t, SIGSEGV, SEGV_MAPERR, stval, true);
		else
			signal_fault(t, SIGBUS, BUS_ADRERR, stval, true);
		return t;
	}
	panic("unexpected trap %lx from user mode, stval %lx", scause, stval);
}

_Noreturn void trap_from_kernel(u64 scause, u64 stval, u64 sepc, u64 sp, u64 ra)
{
	struct thread *t = this_hart()->current;

	klog("\nkernel trap: scause %lx stval %lx sepc %lx sp %lx ra %lx\n", scause, stval, sepc, sp,
	     ra);
	if (t && t->process)
		klog("thread %u of process %u (%s), pc %lx, a7 %lu\n", t->tid, t->process->pid,
		     t->comm, t->regs.x[REG_PC], t->regs.x[REG_A7]);
	arch_backtrace(sp, sepc);
	panic("trap in the kernel: scause %lx, stval %lx, pc %lx", scause, stval, sepc);
}
