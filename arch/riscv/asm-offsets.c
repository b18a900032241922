/* Offsets of structures for assembly: lines marked "->" become generated/asm-offsets.h. */
#include <kernel/hart.h>
#include <kernel/thread.h>

#define DEFINE(sym, val) __asm__ volatile("\n->" #sym " %0" : : "i"(val))

void asm_offsets(void);
void asm_offsets(void)
{
	DEFINE(T_HART, offsetof(struct thread, hart));
	DEFINE(T_WORK, offsetof(struct thread, work));
	DEFINE(T_ON_HART, offsetof(struct thread, on_hart));
	DEFINE(T_NO_SAVE, offsetof(struct thread, no_save));
	DEFINE(T_FPU, offsetof(struct thread, fpu));
	DEFINE(H_CURRENT, offsetof(struct hart, current));
	DEFINE(H_KERNEL_SP, offsetof(struct hart, kernel_sp));
}
