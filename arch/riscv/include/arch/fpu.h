/* Floating-point state of threads: a hart loads it when the thread first uses the unit after a
 * switch (sstatus.FS is off until then), and saves it only if the unit is dirty. */
#pragma once

#include <kernel/lib/types.h>

struct thread;
struct hart;

/* Another thread is about to run on this hart: saves the old one's registers if they are dirty, and
 * turns the unit off.  fpu_leave (entry.S) has a calling convention of its own, so that the
 * straight path of messages needs no stack. */
static inline void fpu_switch(struct thread *old)
{
	register struct thread *t1 __asm__("t1") = old;
	u64 status;

	__asm__ volatile("csrr %0, sstatus" : "=r"(status));
	if (unlikely((s64)(status << 49) < 0)) /* FS is Clean or Dirty; we never set Initial */
		__asm__ volatile("call t0, fpu_leave" : "+r"(t1) : : "t0", "t2", "memory");
}
/* Saves the registers in t->fpu[], if they are dirty.  t runs on this hart. */
void fpu_save_current(struct thread *t);
/* t->fpu[] was changed: turns the unit off, so that the next use loads it.  t runs on this hart. */
void fpu_discard(struct thread *t);
/* After an illegal instruction: if the unit is off, turns it on with t's state.  False: it was on,
 * so the instruction is illegal indeed. */
bool fpu_enable(struct thread *t);
/* Copies the parent's state to the child.  The parent is blocked in a call, so its state is in
 * memory. */
void fpu_copy(struct thread *child, struct thread *parent);
/* Clears t's state, as it ends or execs. */
void fpu_forget(struct thread *t);
