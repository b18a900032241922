/* Floating-point state: loaded at the first use after a switch (sstatus.FS is off until then),
 * saved only when dirty. */
#pragma once

#include <kernel/lib/types.h>

struct thread;
struct hart;

/* Another thread is about to run on this hart: saves the old one's registers if dirty and turns
 * the unit off.  fpu_leave (entry.S) has a convention of its own, so that the straight path of messages
 * needs no stack. */
static inline void fpu_switch(struct thread *old)
{
	register struct thread *t1 __asm__("t1") = old;
	u64 status;

	__asm__ volatile("csrr %0, sstatus" : "=r"(status));
	if (unlikely((s64)(status << 49) < 0)) /* FS is Clean or Dirty; Initial is not used */
		__asm__ volatile("call t0, fpu_leave" : "+r"(t1) : : "t0", "t2", "memory");
}
/* Makes t->fpu[] current (t runs here). */
void fpu_save_current(struct thread *t);
/* t->fpu[] was changed or is void: it is to be loaded again at the next use (t runs here). */
void fpu_discard(struct thread *t);
/* An illegal instruction with the unit off: loads t's state.  False: it was on already. */
bool fpu_enable(struct thread *t);
/* The child gets a copy of the parent's state (parent is not running: blocked in a call). */
void fpu_copy(struct thread *child, struct thread *parent);
/* t ends or execs. */
void fpu_forget(struct thread *t);
