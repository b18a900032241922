/*
 * Panic: what happened, where every hart is, and the end of the machine with a failing status.
 *
 * The first hart to panic owns the console (log.c lets it pass without the lock).  It stops the
 * others by an interrupt and gives each its turn to print; a hart that does not answer in time
 * spins somewhere with interrupts off, and is reported as such.  A panic inside the panic stops
 * at once.  No locks; panic_hart, stopped and turn are atomic.
 */
#include <arch/cpu.h>
#include <kernel/hart.h>
#include <kernel/process.h>
#include <kernel/thread.h>
#include <kernel/lib/trace.h>

#include "lib/log_priv.h"

#define EXIT_STATUS 101
#define ANSWER_NS 50000000ul
#define PRINT_NS 500000000ul

u32 panic_hart;
static u32 stopped;   /* mask of harts that answered */
static u32 turn;      /* index + 1 of the hart that is to print; 0: done */

static void print_hart(void)
{
	struct hart *h = this_hart();
	struct thread *t = h->current;

	if (t && t->process && t != h->idle)
		klog("hart %u: thread %u of process %u (%s), user pc %lx sp %lx, a7 %lu\n", h->index,
		     t->tid, t->process->pid, t->comm, t->regs.x[REG_PC], t->regs.x[REG_SP],
		     t->regs.x[REG_A7]);
	else
		klog("hart %u: %s\n", h->index, t && t == h->idle ? "idle" : "no thread");
	arch_backtrace(0, 0);
}

static _Noreturn void stop_here(void)
{
	for (;;)
		__asm__ volatile("" ::: "memory");
}

void panic_check(void)
{
	u32 owner = READ_ONCE(panic_hart), me = hart_index();

	if (likely(!owner) || owner == me + 1)
		return;
	__atomic_fetch_or(&stopped, 1u << me, __ATOMIC_RELEASE);
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != me + 1)
		;
	print_hart();
	__atomic_store_n(&turn, 0, __ATOMIC_RELEASE);
	stop_here();
}

_Noreturn void panic_in_wait(void)
{
	panic_check();
	panic("waits for a lock inside a panic");
}

/* Waits until (*word & mask) == value, at most that long. */
static bool wait_for(const u32 *word, u32 mask, u32 value, u64 ns)
{
	u64 end = arch_ticks() + arch_ns_to_ticks(ns);

	while ((__atomic_load_n(word, __ATOMIC_ACQUIRE) & mask) != value)
		if (arch_ticks() > end)
			return false;
	return true;
}

static void print_others(void)
{
	u32 others = 0, answered;

	for (unsigned i = 0; i < nharts; i++)
		if (i != hart_index() && READ_ONCE(harts[i].online))
			others |= 1u << i;
	arch_ipi(others);
	(void)wait_for(&stopped, others, others, ANSWER_NS);
	answered = __atomic_load_n(&stopped, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < nharts; i++) {
		if (!(others & 1u << i))
			continue;
		if (!(answered & 1u << i)) {
			klog("hart %u: does not answer; it is in the kernel, interrupts off\n", i);
			continue;
		}
		__atomic_store_n(&turn, i + 1, __ATOMIC_RELEASE);
		if (!wait_for(&turn, ~0u, 0, PRINT_NS))
			klog("hart %u: gave no backtrace\n", i);
	}
}

_Noreturn void panic(const char *fmt, ...)
{
	u32 me = hart_index() + 1, none = 0;
	va_list ap;

	if (!__atomic_compare_exchange_n(&panic_hart, &none, me, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		if (none != me)
			for (;;)
				panic_check();
		arch_console_write("\nPANIC inside a panic\n", 22);
		arch_power(EXIT_STATUS, false);
	}
	/* The terminal's line may be half full. */
	klog("\nPANIC: hart %u: ", me - 1);
	va_start(ap, fmt);
	log_vprint(fmt, &ap);
	va_end(ap);
	klog("\n");
	print_hart();
	trace_print_last();
	print_others();
	arch_power(EXIT_STATUS, false);
}
