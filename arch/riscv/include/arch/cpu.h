/* The hart we run on. */
#pragma once

#include <kernel/lib/types.h>

struct hart;

#ifdef TERN_HOST
unsigned hart_index(void); /* the test chooses it */
struct hart *this_hart(void);
#else
/* How struct hart (kernel/hart.h) begins.  In the kernel, tp always points at this hart's. */
struct hart_head {
	u32 index;
	u32 online; /* atomic */
	struct hart_space *space; /* mm/aspace.h */
};
register struct hart *hart_in_tp __asm__("tp");
static inline struct hart *this_hart(void) { return hart_in_tp; }
static inline unsigned hart_index(void) { return ((const struct hart_head *)hart_in_tp)->index; }
static inline struct hart_space *hart_space(void)
{
	return ((const struct hart_head *)hart_in_tp)->space;
}
#endif

#ifndef TERN_HOST
/* The two operations of spin locks, in fewer instructions than the compiler's atomics take.  This
 * one stores v in *p and returns the old value, sign-extended; later accesses stay behind it. */
static inline s64 arch_swap_acquire(u32 *p, u32 v)
{
	s64 old;

	__asm__ volatile("amoswap.w.aq %0, %2, %1" : "=r"(old), "+A"(*p) : "r"(v) : "memory");
	return old;
}
/* Stores v in *p, after all earlier accesses. */
static inline void arch_store_release(u32 *p, u32 v)
{
	__asm__ volatile("fence rw, w" ::: "memory");
	WRITE_ONCE(*p, v);
}
#endif

/* The time in ticks of the counter, which counts from some point on and is the same on every
 * hart. */
#ifdef TERN_HOST
u64 arch_ticks(void);
#else
static inline u64 arch_ticks(void)
{
	u64 v;

	__asm__ volatile("csrr %0, time" : "=r"(v));
	return v;
}
#endif
/* How many instructions this hart has executed. */
static inline u64 arch_instructions(void)
{
	u64 v;

	__asm__ volatile("csrr %0, instret" : "=r"(v));
	return v;
}
u64 arch_ticks_to_ns(u64 ticks);
u64 arch_ns_to_ticks(u64 ns);
static inline u64 arch_now_ns(void);
/* Arms this hart's timer for an absolute tick value; ~0ull disarms. */
void arch_timer_arm(u64 ticks);

/* Interrupts the harts of the mask of indices, so that they enter the kernel.  The caller does not
 * hold the kernel lock. */
void arch_ipi(u32 hart_mask);
/* Waits, with interrupts off, until one is pending. */
void arch_wait(void);
/* Calls the kernel's handlers below for every interrupt (timer, IPI, external) that is pending on
 * this hart, until none is.  The idle loop does so after arch_wait(). */
void arch_poll_interrupts(void);

/* Resets the machine, or ends it; QEMU's exit status is `code` then (0: success). */
_Noreturn void arch_power(unsigned code, bool reset);
void arch_console_write(const char *s, size_t n); /* waits for the device; in any context */
/* Waits for *word, a lock that was taken a moment ago, and returns when it may be free.  If another
 * hart panics meanwhile, this one prints its backtrace and stops.  spin_wait has a calling
 * convention of its own, so that taking a free lock costs no registers. */
#ifdef TERN_HOST
static inline void arch_spin_wait(const u32 *word) { (void)word; }
#else
static inline void arch_spin_wait(const u32 *word)
{
	register const u32 *t1 __asm__("t1") = word;

	__asm__ volatile("call t0, spin_wait" : : "r"(t1) : "t0", "t2", "memory");
}
#endif
/* Nanoseconds since 1970 by the board's real-time clock; 0: it has none. */
u64 arch_rtc_ns(void);

/* Sets this hart's trap vector: the one that notes events, if trace_on says so. */
void arch_trace_vector(void);
/* Prints a backtrace of this hart, with names of functions: of the caller, if sp and pc are 0, else
 * of the code that a trap interrupted there. */
void arch_backtrace(u64 sp, u64 pc);
/* The name of the kernel's function that an address lies in, and in *offset how far behind its
 * beginning; "?": it lies in none. */
const char *arch_symbol(u64 address, u64 *offset);

/* The kernel's handlers of interrupts, which arch calls with interrupts off and no lock held. */
void kernel_timer_interrupt(void);
void kernel_ipi(void);
void kernel_external_interrupt(unsigned irq); /* claimed, and masked at the PLIC */
/* Unmasks and masks an interrupt at the PLIC. */
void arch_irq_enable(unsigned irq);
void arch_irq_disable(unsigned irq);

static inline u64 arch_now_ns(void) { return arch_ticks_to_ns(arch_ticks()); }
