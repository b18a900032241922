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
/* s gets the call that the current thread has just sent: plain, received, its session set. */
#define THREAD_DELIVER(s) ((struct thread *)((u64)(s) | 2))
struct thread *trap_syscall(struct thread *t);
struct thread *trap_result(struct thread *t, s64 r); /* what a K function returned, if special */
/* ipc/fastpath.c: for entry.S alone. */
struct syscall_line;
struct thread *entry_route_call(struct thread *t, const struct syscall_line *line, u32 op,
				unsigned route);
struct thread *entry_method_call(struct thread *t, u32 op);
struct thread *entry_reply_recv(struct thread *t);
struct thread *trap_other(struct thread *t, u64 scause, u64 stval);
_Noreturn void trap_from_kernel(u64 scause, u64 stval, u64 sepc, u64 sp, u64 ra);

/* Leaves the boot path: this hart begins with its idle thread.  Never returns. */
_Noreturn void enter_first(struct thread *idle);
/* Sets stvec, sscratch, scounteren and the interrupt enables of this hart. */
void trap_init(void);
