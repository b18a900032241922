/* POSIX timers: timer_create(2) with SIGEV_SIGNAL, SIGEV_THREAD_ID and SIGEV_NONE on the real-time,
 * monotonic and boot clocks and on the process's CPU time.
 *
 * While a timer's signal is still pending, further expirations only count as overruns, so a timer
 * never fills its process's queue of signals.  When a timer on CPU time fires, pm looks whether
 * that time has really passed (cputime.c).  If the real-time clock is set, a timer that waits for a
 * point of real time (TIMER_ABSTIME) follows it; one that waits for a span of time does not.
 */
#include "pm.h"
#include <stdlib.h>
#include <string.h>

#define MAX_TIMERS 1024 /* timers that one process may have */
#define SHORTEST 50000ull

struct ptimer {
	struct timer timer;
	struct link link, all;
	struct proc *proc;
	bool real; /* the deadline is a point of real time; else of monotonic or CPU time */
	int id, clock, notify, signo;
	struct cpu_clock cpu; /* the CPU clock that it runs on; pid 0: another clock */
	uint32_t tid;
	uint64_t value; /* sigev_value */
	uint64_t deadline, interval;
	int64_t overruns, last_overrun; /* of the pending signal; of the signal taken before it */
};
static struct link ptimers = { &ptimers, &ptimers };

struct itimerspec {
	struct tern_timespec interval, value;
};

static uint64_t clock_now(const struct ptimer *t)
{
	uint64_t ns;

	if (t->cpu.pid)
		return cpu_clock_now(&t->cpu, &ns) ? ns : 0;
	return tern_clock_ns(t->real ? TERN_CLOCK_REALTIME : TERN_CLOCK_MONOTONIC);
}

static void arm(struct ptimer *t, uint64_t now)
{
	uint64_t left, mono;

	if (!t->deadline) {
		timer_set(&t->timer, 0);
		return;
	}
	left = t->deadline > now ? t->deadline - now : 0;
	if (t->cpu.pid) {
		cpu_clock_arm(&t->timer, left);
		return;
	}
	mono = tern_clock_ns(TERN_CLOCK_MONOTONIC);
	timer_set(&t->timer, mono + left);
}

static bool still_pending(const struct ptimer *t)
{
	struct tern_process_stat st;
	bool thread = t->notify == SIGEV_THREAD_ID;

	if (tern_process_stat(t->proc->handle, thread ? t->tid : 0, &st) < 0)
		return false;
	return ((thread ? st.sig_pending : st.sig_shared_pending) & TERN_SIGBIT(t->signo)) != 0;
}

static int32_t clamp(int64_t n)
{
	return n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

static void notify(struct ptimer *t, uint64_t missed)
{
	siginfo_t si = { .si_signo = t->signo, .si_code = SI_TIMER };

	if (t->notify == SIGEV_NONE)
		return;
	if (still_pending(t)) {
		t->overruns += (int64_t)missed + 1;
		return;
	}
	t->last_overrun = t->overruns;
	t->overruns = (int64_t)missed;
	si.si_tid = t->id;
	si.si_overrun = clamp(t->overruns);
	si.si_ptr = (void *)t->value;
	signal_post(t->proc, t->notify == SIGEV_THREAD_ID ? t->tid : 0, &si);
}

static void fired(struct timer *base)
{
	struct ptimer *t = LINK_OF(base, struct ptimer, timer);
	uint64_t now = clock_now(t), missed = 0;

	if (now >= t->deadline) {
		if (t->interval) {
			missed = (now - t->deadline) / t->interval;
			t->deadline += (missed + 1) * t->interval;
		} else {
			t->deadline = 0;
		}
		notify(t, missed);
	}
	arm(t, now);
	/* A timer fires at most once in SHORTEST, however short its interval, so that pm gets to do
	 * other things; expirations in between count as overruns. */
	if (t->timer.when && t->timer.when < tern_clock_ns(TERN_CLOCK_MONOTONIC) + SHORTEST)
		timer_set(&t->timer, tern_clock_ns(TERN_CLOCK_MONOTONIC) + SHORTEST);
}

static struct ptimer *find(struct tern_msg *m)
{
	struct proc *p = caller_of(m);

	if (!p)
		return NULL;
	LINK_EACH(l, &p->ptimers) {
		struct ptimer *t = LINK_OF(l, struct ptimer, link);

		if (t->id == (int32_t)m->args[0])
			return t;
	}
	return NULL;
}

static void ptimer_free(struct ptimer *t)
{
	timer_set(&t->timer, 0);
	link_remove(&t->link);
	link_remove(&t->all);
	free(t);
}

void ptimers_drop(struct proc *p)
{
	while (!link_empty(&p->ptimers))
		ptimer_free(LINK_OF(p->ptimers.next, struct ptimer, link));
}

static long check_event(struct proc *p, const struct sigevent *e)
{
	if (e->sigev_notify == SIGEV_NONE)
		return 0;
	if (e->sigev_notify != SIGEV_SIGNAL && e->sigev_notify != SIGEV_THREAD && e->sigev_notify != SIGEV_THREAD_ID)
		return -EINVAL;
	if (e->sigev_signo < 1 || e->sigev_signo > _NSIG)
		return -EINVAL;
	if (e->sigev_notify == SIGEV_THREAD_ID && proc_of_tid(&pm.tree, (uint32_t)e->sigev_notify_thread_id) != p)
		return -EINVAL;
	return 0;
}

/* Maps a clock to the one that Tern has for it: as there is no standby to wake from, the ALARM
 * clocks are the plain ones; as the offset of International Atomic Time is not set, TAI is real
 * time. */
static int32_t same_clock(int32_t clock)
{
	switch (clock) {
	case TERN_CLOCK_REALTIME_ALARM:
	case TERN_CLOCK_TAI:
		return TERN_CLOCK_REALTIME;
	case TERN_CLOCK_BOOTTIME_ALARM:
		return TERN_CLOCK_BOOTTIME;
	default:
		return clock;
	}
}

static long check_clock(struct tern_msg *m, int clock, struct cpu_clock *cpu)
{
	struct tern_cred c;

	*cpu = (struct cpu_clock){ 0 };
	switch (clock) {
	case TERN_CLOCK_REALTIME_ALARM:
	case TERN_CLOCK_BOOTTIME_ALARM:
		return caller_cred(m, &c) && cred_capable(&c, CAP_WAKE_ALARM) ? 0 : -EPERM;
	case TERN_CLOCK_REALTIME:
	case TERN_CLOCK_MONOTONIC:
	case TERN_CLOCK_BOOTTIME:
	case TERN_CLOCK_TAI:
		return 0;
	case TERN_CLOCK_MONOTONIC_RAW:
	case TERN_CLOCK_REALTIME_COARSE:
	case TERN_CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	}
	return cpu_clock_find(m, clock, cpu);
}

long pm_timer_create(struct tern_msg *m)
{
	struct sigevent e = { .sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL };
	struct proc *p = caller_of(m);
	struct cpu_clock cpu;
	struct ptimer *t;
	int32_t id;
	long r;

	if (!p)
		return -ESRCH;
	if (m->args[1] && tern_copy_in(m->token, 0, 0, &e, sizeof e) != (long)sizeof e)
		return -EFAULT;
	r = check_clock(m, (int32_t)m->args[0], &cpu);
	if (r < 0)
		return r;
	if (m->args[1]) {
		r = check_event(p, &e);
		if (r < 0)
			return r;
	}
	if (p->next_timer_id >= INT32_MAX)
		return -EAGAIN;
	r = 0;
	LINK_EACH(l, &p->ptimers)
		r++;
	t = r < MAX_TIMERS ? calloc(1, sizeof *t) : NULL;
	if (!t)
		return -EAGAIN;
	id = (int32_t)p->next_timer_id++;
	t->id = id;
	t->proc = p;
	t->clock = same_clock((int32_t)m->args[0]);
	t->cpu = cpu;
	t->notify = e.sigev_notify;
	t->signo = e.sigev_signo;
	t->tid = (uint32_t)e.sigev_notify_thread_id;
	t->value = m->args[1] ? (uint64_t)e.sigev_value.sival_ptr : (uint64_t)id;
	t->timer.fire = fired;
	link_append(&p->ptimers, &t->link);
	link_append(&ptimers, &t->all);
	if (tern_copy_out(m->token, 1, 0, &id, sizeof id) == (long)sizeof id)
		return 0;
	ptimer_free(t);
	return -EFAULT;
}

static void current(const struct ptimer *t, struct itimerspec *v)
{
	memset(v, 0, sizeof *v);
	timespec_of_ns(t->interval, &v->interval);
	if (t->deadline) {
		uint64_t now = clock_now(t);

		timespec_of_ns(t->deadline > now ? t->deadline - now : 1, &v->value);
	}
}

long pm_timer_settime(struct tern_msg *m)
{
	struct ptimer *t = find(m);
	struct itimerspec new, old;
	uint64_t now, value;

	if (m->args[2] == 0)
		return -EINVAL;
	if (tern_copy_in(m->token, 0, 0, &new, sizeof new) != (long)sizeof new)
		return -EFAULT;
	if (!t || !timespec_valid(&new.interval) || !timespec_valid(&new.value))
		return -EINVAL;
	current(t, &old);
	value = timespec_to_ns(&new.value);
	t->real = t->clock == TERN_CLOCK_REALTIME && m->args[1] & TERN_TIMER_ABSTIME;
	now = clock_now(t);
	t->overruns = t->last_overrun = 0;
	t->interval = value ? timespec_to_ns(&new.interval) : 0;
	t->deadline = !value ? 0 : m->args[1] & TERN_TIMER_ABSTIME ? value : now + value;
	arm(t, now);
	if (m->args[3])
		return server_out(m, 1, &old, sizeof old, 0);
	return 0;
}

void ptimers_clock_set(void)
{
	LINK_EACH(l, &ptimers) {
		struct ptimer *t = LINK_OF(l, struct ptimer, all);

		if (t->real)
			arm(t, clock_now(t));
	}
}

long pm_timer_gettime(struct tern_msg *m)
{
	struct ptimer *t = find(m);
	struct itimerspec v;

	if (!t)
		return -EINVAL;
	current(t, &v);
	return server_out(m, 0, &v, sizeof v, 0);
}

long pm_timer_getoverrun(struct tern_msg *m)
{
	struct ptimer *t = find(m);

	if (!t)
		return -EINVAL;
	if (t->notify == SIGEV_NONE)
		return 0;
	/* timer_getoverrun() tells the overruns of the signal last taken: if none is pending,
	 * that is the last one sent. */
	if (!still_pending(t))
		t->last_overrun = t->overruns;
	return clamp(t->last_overrun);
}

long pm_timer_delete(struct tern_msg *m)
{
	struct ptimer *t = find(m);

	if (!t)
		return -EINVAL;
	ptimer_free(t);
	return 0;
}
