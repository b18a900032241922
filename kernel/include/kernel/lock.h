/* The kernel lock: objects, handles, IPC and scheduling.  Memory has its own locks below it, and
 * nothing of memory may be held when it is taken.  No SBI call is made under it: wake-ups of
 * other harts are noted and sent as it is dropped. */
#pragma once

#include <kernel/hart.h>
#include <kernel/lib/log.h>
#include <kernel/lib/spinlock.h>

extern struct spinlock the_kernel_lock;

static inline void kernel_lock(void) { spin_lock(&the_kernel_lock); }
void kernel_send_ipis(void); /* clears and sends this hart's wanted IPIs */
static inline void kernel_unlock(void)
{
	spin_unlock(&the_kernel_lock);
	if (unlikely(this_hart()->ipi_wanted))
		kernel_send_ipis();
}
/* The same where no other hart can have been woken under the lock. */
static inline void kernel_unlock_quietly(void)
{
	assert(!this_hart()->ipi_wanted);
	spin_unlock(&the_kernel_lock);
}
/* In the middle of something long: lets interrupts in, and other harts have the lock.  Whatever it
 * guards may have changed then.  kernel/steps.c */
void kernel_relax(void);
#define assert_kernel_locked() assert(spin_is_locked(&the_kernel_lock))
