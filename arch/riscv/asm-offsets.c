/* Offsets in structures, for assembly: the build makes generated/asm-offsets.h of the lines marked
 * "->" in the compiler's output for this file. */
#include <kernel/hart.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>

#include "arch_priv.h"

#define DEFINE(sym, val) __asm__ volatile("\n->" #sym " %0" : : "i"(val))

void asm_offsets(void);
void asm_offsets(void)
{
	DEFINE(T_HART, offsetof(struct thread, hart));
	DEFINE(T_WORK, offsetof(struct thread, work));
	DEFINE(T_ON_HART, offsetof(struct thread, on_hart));
	DEFINE(T_FPU, offsetof(struct thread, fpu));
	DEFINE(T_WHO, offsetof(struct thread, who));
	DEFINE(T_TID, offsetof(struct thread, tid));
	DEFINE(L_SIZE_SHIFT, __builtin_ctz(sizeof(struct syscall_line)));
	DEFINE(L_FN, offsetof(struct syscall_line, fn));
	DEFINE(L_ROUTE, offsetof(struct syscall_line, route));
	DEFINE(L_COUNT, NR_SYSCALLS);
	DEFINE(NR_RECV, TERN_RECV);
	DEFINE(NR_NOTE_SIGNAL, TERN_NOTE_SIGNAL);
	DEFINE(NR_SUPPLY_RECV, TERN_SUPPLY_RECV);
	DEFINE(NR_REPLY_RECV, TERN_REPLY_RECV);
	DEFINE(NR_METHOD, TERN_METHOD);
	DEFINE(SYS_LAST_SPECIAL, (long)SYS_LAST_SPECIAL);
	DEFINE(STACK_SIZE, STACK_SIZE);
	DEFINE(H_CURRENT, offsetof(struct hart, current));
	DEFINE(H_KERNEL_SP, offsetof(struct hart, kernel_sp));
}
