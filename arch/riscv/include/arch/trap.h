/* From the trap vector (arch/riscv/entry.S) into C, and back. */
#pragma once

#include <kernel/lib/types.h>

struct thread;

/* The trap vectors, to which stvec points; the second one while events are traced. */
extern char trap_entry[], trap_entry_traced[];
void trap_trace(struct thread *t, u64 scause, u64 stval); /* entry.S calls it, to note a trap */

/* entry.S calls these functions with the caller-saved registers and the pc in t->regs.  They return
 * the thread that runs next, t or another one.  s0…s11 and gp are still in the machine: entry.S
 * saves them if another thread runs next, or before thread_exit_work().  THREAD_RELOAD(t): t runs
 * next, but all its registers are to be loaded from memory, which has new ones. */
#define THREAD_RELOAD(t) ((struct thread *)((u64)(t) | 1))
struct thread *trap_syscall(struct thread *t);
struct thread *trap_result(struct thread *t, s64 r); /* r: a special result of a K function */
/* Only entry.S calls these functions, of ipc/fastpath.c.  They return the thread that runs next, or
 * end in one of the functions below. */
struct syscall_line;
struct thread *entry_route_call(struct thread *t, const struct syscall_line *line, u64 op,
				unsigned route);
struct thread *entry_method_call(struct thread *t, u64 op);
struct thread *entry_recv(struct thread *t);
struct thread *entry_reply_recv(u64 token, s64 result, struct thread *t);
struct thread *entry_reply_extras(struct thread *t);
struct thread *entry_note_signal(struct thread *t);
struct thread *entry_supply_recv(struct thread *t); /* ipc/pager.c */
#ifndef TERN_HOST
/* Switches from `from`, whose registers are in memory as far as they are kept, to `to`, which loads
 * its own from memory.  Nothing is popped off the stack: the next trap begins at its top. */
static inline _Noreturn void trap_leave(struct thread *from, struct thread *to)
{
	register struct thread *t0 __asm__("t0") = from, *a0 __asm__("a0") = to;

	__asm__ volatile("j leave" : : "r"(t0), "r"(a0) : "memory");
	__builtin_unreachable();
}
/* Switches to the server `to`, which waits in recv, and hands it from's call in registers.  The
 * call is a plain one: no descriptor or path comes with it. */
static inline _Noreturn void trap_deliver(struct thread *from, struct thread *to, u64 token, u64 op,
					  u64 badge, u64 word0)
{
	register struct thread *t2 __asm__("t2") = from, *t3 __asm__("t3") = to;
	register u64 a6 __asm__("a6") = token, a7 __asm__("a7") = op, t0 __asm__("t0") = badge;
	register u64 t5 __asm__("t5") = word0;

	__asm__ volatile("j deliver"
			 :
			 : "r"(t2), "r"(t3), "r"(a6), "r"(a7), "r"(t0), "r"(t5)
			 : "memory");
	__builtin_unreachable();
}
/* The same with an event of one word in place of a call. */
static inline _Noreturn void trap_deliver_event(struct thread *from, struct thread *to, u64 op,
						u64 badge, u64 word)
{
	register struct thread *t2 __asm__("t2") = from, *t3 __asm__("t3") = to;
	register u64 a0 __asm__("a0") = word, a7 __asm__("a7") = op, t0 __asm__("t0") = badge;

	__asm__ volatile("j deliver_event" : : "r"(t2), "r"(t3), "r"(a0), "r"(a7), "r"(t0) : "memory");
	__builtin_unreachable();
}
#endif
struct thread *trap_other(struct thread *t, u64 scause, u64 stval);
_Noreturn void trap_from_kernel(u64 scause, u64 stval, u64 sepc, u64 sp, u64 ra);

/* Ends the boot path of this hart: it runs its idle thread from now on. */
_Noreturn void enter_first(struct thread *idle);
/* Sets up this hart's traps: stvec, sscratch, scounteren, and which interrupts are enabled. */
void trap_init(void);
