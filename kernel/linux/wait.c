/*
 * What the kernel's own waits share: deadlines, and the second half of a call.
 *
 * A wait that ends with a copy to user memory cannot do that where it is woken (under the kernel
 * lock, in another space): its cancel function leaves t->resume behind, and the thread runs that
 * itself on its way out, as if it were the system call.  It may block again.
 */
#include <arch/cpu.h>
#include <kernel/sched.h>
#include <kernel/linux/sys.h>

s64 timespec_get(struct thread *t, va_t va, u64 *ns)
{
	struct tern_timespec ts;

	if (get_user(t, &ts, va, sizeof ts))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if ((u64)ts.tv_sec >= (1ull << 63) / NSEC_PER_SEC)
		*ns = 1ull << 63;
	else
		*ns = (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
	return 0;
}

s64 timespec_put(struct thread *t, va_t va, u64 ns)
{
	struct tern_timespec ts;

	ts.tv_sec = (s64)(ns / NSEC_PER_SEC);
	ts.tv_nsec = (s64)(ns % NSEC_PER_SEC);
	return put_user(t, va, &ts, sizeof ts);
}

u64 deadline_after(u64 ns)
{
	u64 d = arch_now_ns() + ns;

	return d < ns ? NO_DEADLINE : d;
}

s64 timeout_get(struct thread *t, va_t va)
{
	u64 ns;
	s64 r;

	t->again.deadline_ns = NO_DEADLINE;
	if (!va)
		return 0;
	r = timespec_get(t, va, &ns);
	if (!r)
		t->again.deadline_ns = ns ? deadline_after(ns) : 0;
	return r;
}

u64 deadline_of_realtime(u64 ns)
{
	s64 d = (s64)(ns - (u64)READ_ONCE(realtime_offset_ns));

	if (d >= 0)
		return (u64)d;
	return ns < (u64)realtime_offset_ns ? 0 : 1ull << 62;
}

u64 deadline_ticks(u64 ns)
{
	/* Beyond a century nobody can tell the difference. */
	return arch_ns_to_ticks(MIN(ns, 1ull << 62)) + 1;
}
