/* Futexes: waiting on a word of memory (futex(2)). */
#pragma once

#include <kernel/thread.h>

/* Thread end: the robust list's owners die, clear_child_tid is zeroed and woken.  No lock held;
 * the thread's space is still there. */
void futex_thread_exit(struct thread *t);
void futex_init(void);
