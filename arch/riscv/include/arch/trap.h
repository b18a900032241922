/* From the trap vector (arch/riscv/entry.S) into C, and back. */
#pragma once

#include <kernel/lib/types.h>

struct thread;

/* Where stvec points; the second while events are traced. */
extern char trap_entry[], trap_entry_traced[];
void trap_trace(struct thread *t, u64 scause, u64 stval); /* for entry.S */

/* Called by entry.S with the caller-saved registers (and pc) in t->regs; they return the thread
 * that runs next, t or another.  s0…s11 and gp are still in the machine: entry.S saves them if
 * another thread comes, or before thread_exit_work(). */
#define THREAD_RELOAD(t) ((struct thread *)((u64)(t) | 1)) /* t goes on, all registers from memory */
struct thread *trap_syscall(struct thread *t);
struct thread *trap_result(struct thread *t, s64 r); /* what a K function returned, if special */
/* ipc/fastpath.c: for entry.S alone.  They return who runs next, or end in one of the two below. */
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
/* The hart goes from `from`, whose registers are in memory as far as it keeps them, to a thread that
 * loads its own from there.  The stack is left as it is: the next trap begins it anew. */
static inline _Noreturn void trap_leave(struct thread *from, struct thread *to)
{
	register struct thread *t0 __asm__("t0") = from, *a0 __asm__("a0") = to;

	__asm__ volatile("j leave" : : "r"(t0), "r"(a0) : "memory");
	__builtin_unreachable();
}
/* The same to a server that waits in recv, and gets from's call, a plain one, in its registers. */
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
/* The same with an event of one word. */
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

/* Leaves the boot path: this hart begins with its idle thread.  Never returns. */
_Noreturn void enter_first(struct thread *idle);
/* Sets stvec, sscratch, scounteren and the interrupt enables of this hart. */
void trap_init(void);
