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
#include <kernel/sched.h>
#include <kernel/string.h>
#include <kernel/sys.h>

#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_TAI 11
#define CLOCK_TICK_NS 10000000ull /* of times(2): 100 Hz */

static struct tern_timeval timeval_of(u64 ns)
{
	return (struct tern_timeval){ .tv_sec = (s64)(ns / NSEC_PER_SEC),
				      .tv_usec = (s64)(ns % NSEC_PER_SEC / 1000) };
}

/* ---- CPU time ---- */

u64 process_cpu_ns(const struct process *p, u64 *user, u64 *system)
{
	u64 u = arch_ticks_to_ns(p->dead_user_ticks), s = arch_ticks_to_ns(p->dead_system_ticks);

	list_for_each(l, &p->threads) {
		const struct thread *t = list_entry(l, struct thread, in_process);

		u += thread_user_ns(t);
		s += thread_system_ns(t);
	}
	if (user)
		*user = u;
	if (system)
		*system = s;
	return u + s;
}

static struct process *process_by_pid(u32 pid)
{
	list_for_each(l, &all_processes) {
		struct process *p = list_entry(l, struct process, all);

		if (p->pid == pid && p->state == PROCESS_ALIVE)
			return p;
	}
	return NULL;
}

/* Clock ids below 0 name a process or thread: ~pid << 3 | per thread << 2 | 0 both, 1 user, 2 both.
 * 0 or EINVAL. */
static s64 cpu_clock(struct thread *t, s32 clock, u64 *ns)
{
	u32 id = ~(u32)(clock >> 3);
	struct process *p = t->process;
	struct thread *who = t;
	s64 r = 0;
	u64 user;

	if ((clock & 3) == 3)
		return -EINVAL;
	kernel_lock();
	if (clock & 4) {
		if (id)
			who = process_find_thread(p, id);
		if (!who)
			r = -EINVAL;
		else if ((clock & 3) == 1)
			*ns = thread_user_ns(who);
		else
			*ns = thread_user_ns(who) + thread_system_ns(who);
	} else {
		if (id && id != p->pid)
			p = process_by_pid(id);
		if (!p) {
			r = -EINVAL;
		} else {
			*ns = process_cpu_ns(p, &user, NULL);
			if ((clock & 3) == 1)
				*ns = user;
		}
	}
	kernel_unlock();
	return r;
}

#define CPU_CLOCK_PROCESS ((s32)(~0u << 3 | 2))
#define CPU_CLOCK_THREAD ((s32)(~0u << 3 | 6))

static s64 clock_read(struct thread *t, s32 clock, u64 *ns)
{
	switch (clock) {
	case TERN_CLOCK_REALTIME:
	case TERN_CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = arch_now_ns() + (u64)READ_ONCE(realtime_offset_ns);
		return 0;
	case TERN_CLOCK_MONOTONIC:
	case TERN_CLOCK_MONOTONIC_RAW:
	case TERN_CLOCK_MONOTONIC_COARSE:
	case TERN_CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = arch_now_ns();
		return 0;
	case TERN_CLOCK_PROCESS_CPUTIME_ID:
		return cpu_clock(t, CPU_CLOCK_PROCESS, ns);
	case TERN_CLOCK_THREAD_CPUTIME_ID:
		return cpu_clock(t, CPU_CLOCK_THREAD, ns);
	}
	return clock < 0 ? cpu_clock(t, clock, ns) : -EINVAL;
}

s64 sys_clock_gettime(struct thread *t, u64 *a)
{
	u64 ns;
	s64 r = clock_read(t, (s32)a[0], &ns);

	return r ? r : timespec_put(t, a[1], ns);
}

s64 sys_clock_getres(struct thread *t, u64 *a)
{
	s32 clock = (s32)a[0];
	u64 ns;
	s64 r = clock_read(t, clock, &ns);

	if (r || !a[1])
		return r;
	ns = clock == TERN_CLOCK_REALTIME_COARSE || clock == TERN_CLOCK_MONOTONIC_COARSE ? 4000000 : 1;
	return timespec_put(t, a[1], ns);
}

/* ---- setting ---- */

static void sleep_arm(struct thread *t);

/* The servers with timers that go by real time hear of it: SYS_PASS. */
static s64 realtime_set(struct thread *t, u64 ns)
{
	if (!capable(t, CAP_SYS_TIME))
		return -EPERM;
	kernel_lock();
	kernel_set_realtime((s64)(ns - arch_now_ns()));
	/* Who sleeps until a point of real time has a new way to go. */
	list_for_each(l, &all_processes) {
		struct process *p = list_entry(l, struct process, all);

		list_for_each(m, &p->threads) {
			struct thread *s = list_entry(m, struct thread, in_process);

			if (s->state == THREAD_BLOCKED && s->wait == WAIT_SLEEP && s->again.args[0])
				sleep_arm(s);
		}
	}
	kernel_unlock();
	return SYS_PASS;
}

s64 sys_clock_settime(struct thread *t, u64 *a)
{
	s32 clock = (s32)a[0];
	u64 ns;
	s64 r;

	if (clock != TERN_CLOCK_REALTIME)
		return -EINVAL;
	r = timespec_get(t, a[1], &ns);
	return r ? r : realtime_set(t, ns);
}

s64 sys_gettimeofday(struct thread *t, u64 *a)
{
	struct tern_timeval tv = timeval_of(arch_now_ns() + (u64)READ_ONCE(realtime_offset_ns));
	u64 zone = 0;

	if (a[0] && put_user(t, a[0], &tv, sizeof tv))
		return -EFAULT;
	return a[1] ? put_user(t, a[1], &zone, sizeof zone) : 0;
}

s64 sys_settimeofday(struct thread *t, u64 *a)
{
	struct tern_timeval tv;
	u64 zone;

	if (a[0]) {
		if (get_user(t, &tv, a[0], sizeof tv))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_sec > 0x1ffffffff || (u64)tv.tv_usec > 1000000)
			return -EINVAL;
	}
	if (a[1] && get_user(t, &zone, a[1], sizeof zone))
		return -EFAULT;
	if (!capable(t, CAP_SYS_TIME))
		return -EPERM;
	return a[0] ? realtime_set(t, (u64)tv.tv_sec * NSEC_PER_SEC + (u64)tv.tv_usec * 1000) : 0;
}

/* struct timex, 208 bytes, as far as reading it makes sense: nothing disciplines the clock. */
struct timex {
	u32 modes, pad0;
	s64 offset, freq, maxerror, esterror;
	s32 status, pad1;
	s64 constant, precision, tolerance;
	struct tern_timeval time;
	s64 tick, ppsfreq, jitter;
	s32 shift, pad2;
	s64 stabil, jitcnt, calcnt, errcnt, stbcnt;
	s32 tai, pad3[11];
};
_Static_assert(sizeof(struct timex) == 208, "timex");
#define STA_UNSYNC 0x40
#define TIME_ERROR 5
#define ADJ_OFFSET_SS_READ 0xa001

static s64 adjust(struct thread *t, va_t va)
{
	struct timex x;

	if (get_user(t, &x, va, sizeof x))
		return -EFAULT;
	if (x.modes && x.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	memset(&x, 0, sizeof x);
	x.maxerror = x.esterror = 16000000;
	x.status = STA_UNSYNC;
	x.constant = 2;
	x.precision = 1;
	x.tolerance = 32768000;
	x.time = timeval_of(arch_now_ns() + (u64)READ_ONCE(realtime_offset_ns));
	x.tick = 10000;
	return put_user(t, va, &x, sizeof x) ? -EFAULT : TIME_ERROR;
}

s64 sys_adjtimex(struct thread *t, u64 *a) { return adjust(t, a[0]); }

s64 sys_clock_adjtime(struct thread *t, u64 *a)
{
	u64 ns;

	if ((s32)a[0] == TERN_CLOCK_REALTIME)
		return adjust(t, a[1]);
	return clock_read(t, (s32)a[0], &ns) ? -EINVAL : -EOPNOTSUPP;
}

/* ---- sleeping ---- */

static void sleep_fired(struct timer *timer)
{
	thread_wake(container_of(timer, struct thread, timer), 0);
}

/* Interrupted: the time left, where it is wanted. */
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
	timer_cancel(&t->timer);
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
	timer_init(&t->timer, sleep_fired);
	sleep_arm(t);
	t->again.fn = sleep_until_deadline;
	return wait_block(t, WAIT_SLEEP, true, sleep_cancel);
}

static s64 sleep_for(struct thread *t, u64 ns, va_t rem)
{
	t->again.deadline_ns = deadline_after(ns);
	t->again.args[0] = 0;
	t->again.args[1] = rem;
	t->restart = RESTART_BLOCK;
	return sleep_until_deadline(t);
}

s64 sys_nanosleep(struct thread *t, u64 *a)
{
	u64 ns;
	s64 r = timespec_get(t, a[0], &ns);

	return r ? r : sleep_for(t, ns, a[1]);
}

s64 sys_clock_nanosleep(struct thread *t, u64 *a)
{
	s32 clock = (s32)a[0];
	bool real = false;
	u64 ns;
	s64 r;

	switch (clock) {
	case TERN_CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		real = true;
		break;
	case TERN_CLOCK_MONOTONIC:
	case TERN_CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		break;
	case TERN_CLOCK_MONOTONIC_RAW:
	case TERN_CLOCK_REALTIME_COARSE:
	case TERN_CLOCK_MONOTONIC_COARSE:
	case TERN_CLOCK_PROCESS_CPUTIME_ID:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	r = timespec_get(t, a[2], &ns);
	if (r)
		return r;
	if (!(a[1] & TERN_TIMER_ABSTIME))
		return sleep_for(t, ns, a[3]);
	t->again.args[0] = real;
	t->again.args[1] = 0;
	t->again.args[2] = ns;
	t->again.deadline_ns = ns;
	t->restart = RESTART_NOHAND;
	return sleep_until_deadline(t);
}

s64 sys_restart_syscall(struct thread *t, u64 *a)
{
	(void)a;
	return t->again.fn ? t->again.fn(t) : -EINTR;
}

/* ---- accounting ---- */

s64 sys_times(struct thread *t, u64 *a)
{
	struct process *p = t->process;
	u64 v[4];

	if (a[0]) {
		kernel_lock();
		(void)process_cpu_ns(p, &v[0], &v[1]);
		v[2] = p->child_user_ns;
		v[3] = p->child_system_ns;
		kernel_unlock();
		for (unsigned i = 0; i < 4; i++)
			v[i] /= CLOCK_TICK_NS;
		if (put_user(t, a[0], v, sizeof v))
			return -EFAULT;
	}
	return (s64)(arch_now_ns() / CLOCK_TICK_NS);
}

struct rusage {
	struct tern_timeval utime, stime;
	s64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv,
		nsignals, nvcsw, nivcsw;
};
_Static_assert(sizeof(struct rusage) == 144, "rusage");
#define RUSAGE_SELF 0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD 1

s64 sys_getrusage(struct thread *t, u64 *a)
{
	struct process *p = t->process;
	struct rusage u = { 0 };
	u64 user, system;
	s32 who = (s32)a[0];

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	kernel_lock();
	switch (who) {
	case RUSAGE_SELF:
		(void)process_cpu_ns(p, &user, &system);
		u.minflt = (s64)(p->dead_minflt + t->aspace->minflt);
		u.majflt = (s64)(p->dead_majflt + t->aspace->majflt);
		u.nvcsw = (s64)p->dead_nvcsw;
		u.nivcsw = (s64)p->dead_nivcsw;
		list_for_each(l, &p->threads) {
			const struct thread *o = list_entry(l, struct thread, in_process);

			u.nvcsw += (s64)o->nvcsw;
			u.nivcsw += (s64)o->nivcsw;
		}
		break;
	case RUSAGE_THREAD:
		user = thread_user_ns(t);
		system = thread_system_ns(t);
		u.nvcsw = (s64)t->nvcsw;
		u.nivcsw = (s64)t->nivcsw;
		break;
	default:
		user = p->child_user_ns;
		system = p->child_system_ns;
		u.minflt = (s64)p->child_minflt;
		u.majflt = (s64)p->child_majflt;
	}
	if (who != RUSAGE_CHILDREN)
		u.maxrss = (s64)(MAX(t->aspace->peak_resident, t->aspace->resident) *
				 (PAGE_SIZE / 1024));
	kernel_unlock();
	u.utime = timeval_of(user);
	u.stime = timeval_of(system);
	return put_user(t, a[1], &u, sizeof u);
}
