/*
 * Clocks and sleeping.
 *
 * Monotonic time is the counter; real time is that plus realtime_offset_ns.  A CPU clock is the
 * time that a thread or all threads of a process ran.  A sleeper waits with t->timer alone;
 * t->again holds its deadline for restart_syscall, args[0] says that it is an absolute real time
 * (args[2]), args[1] is where an interrupted sleep leaves the remainder.
 * Kernel lock for what belongs to threads.
 */
#include <arch/cpu.h>
#include <kernel/native.h>
#include <kernel/sched.h>
#include <kernel/linux/sys.h>

/* ---- reading ---- */

static u64 thread_cpu_ns(const struct thread *t) { return thread_user_ns(t) + thread_system_ns(t); }

static u64 process_cpu_ns(const struct process *p)
{
	u64 ns;

	kernel_lock();
	ns = arch_ticks_to_ns(p->dead_user_ticks + p->dead_system_ticks);
	for_each_thread(t, p)
		ns += thread_cpu_ns(t);
	kernel_unlock();
	return ns;
}

static u64 realtime_ns(void) { return arch_now_ns() + (u64)READ_ONCE(realtime_offset_ns); }

static s64 clock_read(struct thread *t, s32 clock, u64 *ns)
{
	switch (clock) {
	case TERN_CLOCK_REALTIME:
	case TERN_CLOCK_REALTIME_COARSE:
	case TERN_CLOCK_REALTIME_ALARM:
	case TERN_CLOCK_TAI:
		*ns = realtime_ns();
		return 0;
	case TERN_CLOCK_MONOTONIC:
	case TERN_CLOCK_MONOTONIC_RAW:
	case TERN_CLOCK_MONOTONIC_COARSE:
	case TERN_CLOCK_BOOTTIME:
	case TERN_CLOCK_BOOTTIME_ALARM:
		*ns = arch_now_ns();
		return 0;
	case TERN_CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_cpu_ns(t->process);
		return 0;
	case TERN_CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_cpu_ns(t);
		return 0;
	}
	return clock < 0 ? SYS_PASS : -EINVAL; /* one of a process or thread, that pm looks up */
}

s64 sys_clock_gettime(struct thread *t, u64 *a)
{
	u64 ns;
	s64 r = clock_read(t, (s32)a[0], &ns);

	return r ? r : timespec_put(t, a[1], ns);
}

/* ---- sleeping ---- */

/* Interrupted or over: the time left, where it is wanted. */
static s64 sleep_resume(struct thread *t)
{
	u64 now = arch_now_ns();

	if (now >= t->again.deadline_ns)
		return 0;
	if (timespec_put(t, t->again.args[1], t->again.deadline_ns - now))
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

static void sleep_cancel(struct thread *t)
{
	if (t->again.args[1])
		wait_resumes(t, sleep_resume);
}

/* The (new) deadline of a sleeper; kernel lock. */
static void sleep_arm(struct thread *t)
{
	if (t->again.args[0])
		t->again.deadline_ns = deadline_of_realtime(t->again.args[2]);
	timer_set(&t->timer, deadline_ticks(t->again.deadline_ns));
}

static s64 sleep_until_deadline(struct thread *t)
{
	if (!t->again.args[0] && arch_now_ns() >= t->again.deadline_ns)
		return 0;
	kernel_lock();
	sleep_arm(t);
	t->again.fn = sleep_until_deadline;
	return wait_block(t, WAIT_SLEEP, NO_DEADLINE, sleep_cancel);
}

static s64 sleep_for(struct thread *t, va_t time, va_t rem)
{
	u64 ns;
	s64 r = timespec_get(t, time, &ns);

	if (r)
		return r;
	t->again.deadline_ns = deadline_after(ns);
	t->again.args[0] = 0;
	t->again.args[1] = rem;
	return sleep_until_deadline(t);
}

s64 sys_nanosleep(struct thread *t, u64 *a) { return sleep_for(t, a[0], a[1]); }

s64 sys_clock_nanosleep(struct thread *t, u64 *a)
{
	bool real = false;
	u64 ns;
	s64 r;

	switch ((s32)a[0]) {
	case TERN_CLOCK_REALTIME:
	case TERN_CLOCK_REALTIME_ALARM:
	case TERN_CLOCK_TAI:
		real = true;
		break;
	case TERN_CLOCK_MONOTONIC:
	case TERN_CLOCK_BOOTTIME:
	case TERN_CLOCK_BOOTTIME_ALARM:
		break;
	case TERN_CLOCK_MONOTONIC_RAW:
	case TERN_CLOCK_REALTIME_COARSE:
	case TERN_CLOCK_MONOTONIC_COARSE:
	case TERN_CLOCK_THREAD_CPUTIME_ID:
		return -EOPNOTSUPP;
	default:
		if ((s32)a[0] >= 0 && (s32)a[0] != TERN_CLOCK_PROCESS_CPUTIME_ID)
			return -EINVAL;
		t->again.fn = NULL; /* pm's sleeps are not gone on with */
		return SYS_PASS;
	}
	if (!(a[1] & TERN_TIMER_ABSTIME))
		return sleep_for(t, a[2], a[3]);
	r = timespec_get(t, a[2], &ns);
	if (r)
		return r;
	t->again.args[0] = real;
	t->again.args[1] = 0;
	t->again.args[2] = t->again.deadline_ns = ns;
	return sleep_until_deadline(t);
}

s64 sys_restart_syscall(struct thread *t, u64 *a)
{
	(void)a;
	return t->again.fn ? t->again.fn(t) : -EINTR;
}

/* ---- setting ---- */

/* Who sleeps until a point of real time has a new way to go. */
s64 native_clock_set(struct thread *t, u64 *a)
{
	(void)t;
	kernel_set_realtime((s64)(a[0] - arch_now_ns()));
	list_for_each(l, &all_processes)
		for_each_thread(s, list_entry(l, struct process, all))
			if (s->state == THREAD_BLOCKED && s->wait == WAIT_SLEEP && s->again.args[0])
				sleep_arm(s);
	return 0;
}
