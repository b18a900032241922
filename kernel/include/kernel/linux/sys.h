/* What the sys_ doors and the waits of kernel/linux share. */
#pragma once

#include <arch/cpu.h>
#include <kernel/linux/signal.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>
#include <tern/linux/errno.h>
#include <tern/linux/time.h>

/* The functions of kernel/linux/syscalls.def's K lines. */
#define CALL(nr, name, ...) s64 sys_##name(struct thread *t, u64 *a);
#include "../../../linux/syscalls.def"
#undef CALL

#define NSEC_PER_SEC 1000000000ull
#define NO_DEADLINE (~0ull)

static inline bool capable(const struct thread *t, unsigned cap)
{
	return t->cred->c.cap_effective >> cap & 1;
}

/* A kernel wait is over one way or the other: t->resume will say what came of it. */
static inline void wait_resumes(struct thread *t, s64 (*fn)(struct thread *t))
{
	t->resume = fn;
	thread_add_work(t, WORK_RESUME);
}

/* 0; EFAULT; EINVAL unless 0 <= nanoseconds < 10^9 and seconds >= 0. *ns saturates. */
s64 must_check timespec_get(struct thread *t, va_t va, u64 *ns);
s64 must_check timespec_put(struct thread *t, va_t va, u64 ns);
/* The relative time at va (0: none) as t->again's deadline; 0 stays 0.  0, EFAULT, EINVAL. */
s64 must_check timeout_get(struct thread *t, va_t va);
/* now + ns, saturating at NO_DEADLINE. */
u64 deadline_after(u64 ns);
/* The same time in monotonic ns, as the clocks stand now. */
u64 deadline_of_realtime(u64 ns);
/* Ticks of a deadline in monotonic ns, rounded up so that it has passed when the timer fires. */
u64 deadline_ticks(u64 ns);
static inline bool deadline_passed(u64 ns) { return ns != NO_DEADLINE && arch_now_ns() >= ns; }

/* The end of a K function that waits until a deadline or a signal: thread_block() and
 * kernel_unlock(). */
static inline s64 wait_block(struct thread *t, enum wait_kind kind, u64 deadline_ns,
			     void (*cancel)(struct thread *t))
{
	if (deadline_ns != NO_DEADLINE)
		timer_set(&t->timer, deadline_ticks(deadline_ns));
	thread_block(t, kind, true, cancel);
	kernel_unlock();
	return SYS_BLOCKED;
}
