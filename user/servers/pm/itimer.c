/* setitimer and getitimer.  The timer REAL counts time; VIRTUAL and PROF count the process's CPU
 * time.  A fourth one, which no program sees, counts CPU time up to RLIMIT_CPU.
 *
 * The kernel has no alarm for CPU time.  So pm sets a timer to the earliest moment at which the CPU
 * time could be used up, if all the process's threads ran, and looks then how much is really left.
 */
#include "pm.h"
#include <stdlib.h>
#include <string.h>

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, CPU_LIMIT, NITIMERS };
#define CPU_STEP 4000000ull /* ns: the shortest time between two looks at CPU time */
#define SHORTEST 50000ull   /* ns: the shortest interval, so that pm gets to do other things */

struct itimer {
	struct timer timer;
	struct proc *proc;
	int which;
	uint64_t deadline; /* of REAL: monotonic time; of others: the process's CPU time; 0: off */
	uint64_t interval;
};
struct itimers {
	struct itimer v[NITIMERS];
};
struct itimerval {
	struct tern_timeval interval, value;
};

static uint64_t clock_of(const struct itimer *it, uint32_t *threads)
{
	struct tern_process_stat st;

	*threads = 1;
	if (it->which == ITIMER_REAL)
		return tern_clock_ns(TERN_CLOCK_MONOTONIC);
	if (tern_process_stat(it->proc->handle, 0, &st) < 0)
		return 0;
	*threads = st.nthreads ? st.nthreads : 1;
	return it->which == ITIMER_VIRTUAL ? st.user_ns : st.user_ns + st.system_ns;
}

static void arm(struct itimer *it, uint64_t now, uint32_t threads)
{
	uint64_t left;

	if (it->which == ITIMER_REAL || it->deadline == 0) {
		timer_set(&it->timer, it->deadline);
		return;
	}
	left = it->deadline > now ? (it->deadline - now) / threads : 0;
	timer_set(&it->timer,
		  tern_clock_ns(TERN_CLOCK_MONOTONIC) + (left > CPU_STEP ? left : CPU_STEP));
}

static uint64_t seconds(uint64_t limit)
{
	return limit > INT64_MAX / NSEC ? INT64_MAX : limit * NSEC;
}

/* Sets the timer of RLIMIT_CPU to the CPU time at which the soft or the hard limit is reached; a
 * soft limit of 0 is reached at once. */
static void aim_at_limits(struct itimer *it, const struct tern_process_stat *st)
{
	uint64_t soft = st->limits[RLIMIT_CPU][0], hard = st->limits[RLIMIT_CPU][1];
	uint32_t threads;
	uint64_t now = clock_of(it, &threads);

	it->deadline = soft == RLIM_INFINITY ? 0 : seconds(soft < hard ? soft : hard);
	if (soft == 0)
		it->deadline = 1;
	arm(it, now, threads);
}

/* The timer of RLIMIT_CPU fires.  At the hard limit the process gets SIGKILL.  At the soft one
 * it gets SIGXCPU, and the soft limit becomes a second more, so that the signal comes each
 * second. */
static void limit_fired(struct timer *t)
{
	struct itimer *it = LINK_OF(t, struct itimer, timer);
	struct tern_process_stat st;
	uint64_t used, *limit = st.limits[RLIMIT_CPU];

	if (tern_process_stat(it->proc->handle, 0, &st) < 0)
		return;
	used = st.user_ns + st.system_ns;
	if (used >= seconds(limit[1])) {
		signal_process(it->proc, SIGKILL);
		return;
	}
	if (limit[0] != RLIM_INFINITY && used >= seconds(limit[0])) {
		signal_process(it->proc, SIGXCPU);
		limit[0]++;
		tern_process_set(it->proc->handle, TERN_PW_RLIMIT, RLIMIT_CPU, limit[0]);
	}
	aim_at_limits(it, &st);
}

static void fired(struct timer *t)
{
	static const int signals[CPU_LIMIT] = { SIGALRM, SIGVTALRM, SIGPROF };
	struct itimer *it = LINK_OF(t, struct itimer, timer);
	uint32_t threads;
	uint64_t now = clock_of(it, &threads);

	if (now >= it->deadline) {
		if (it->interval)
			it->deadline += ((now - it->deadline) / it->interval + 1) * it->interval;
		else
			it->deadline = 0;
		signal_process(it->proc, signals[it->which]);
	}
	arm(it, now, threads);
}

static struct itimers *itimers_of(struct proc *p)
{
	if (!p->itimers) {
		p->itimers = calloc(1, sizeof *p->itimers);
		for (int i = 0; p->itimers && i < NITIMERS; i++) {
			p->itimers->v[i].proc = p;
			p->itimers->v[i].which = i;
			p->itimers->v[i].timer.fire = i == CPU_LIMIT ? limit_fired : fired;
		}
	}
	return p->itimers;
}

void itimers_drop(struct proc *p)
{
	for (int i = 0; p->itimers && i < NITIMERS; i++)
		timer_set(&p->itimers->v[i].timer, 0);
	free(p->itimers);
	p->itimers = NULL;
}

bool cpu_limit_reserve(struct proc *p, const struct proc *parent)
{
	bool limited = parent->itimers && parent->itimers->v[CPU_LIMIT].deadline;

	return !limited || itimers_of(p);
}

bool cpu_limit_changed(struct proc *p)
{
	struct tern_process_stat st;

	if (tern_process_stat(p->handle, 0, &st) < 0)
		return true;
	if (!p->itimers && st.limits[RLIMIT_CPU][0] == RLIM_INFINITY)
		return true;
	if (!itimers_of(p))
		return false;
	aim_at_limits(&p->itimers->v[CPU_LIMIT], &st);
	return true;
}

static bool valid(const struct tern_timeval *t)
{
	return t->tv_sec >= 0 && t->tv_usec >= 0 && t->tv_usec < 1000000;
}

static uint64_t to_ns(const struct tern_timeval *t)
{
	/* A time that no clock reaches is cut, so that sums with it do not overflow. */
	if (t->tv_sec > INT64_MAX / 2 / (int64_t)NSEC)
		return INT64_MAX / 2;
	return (uint64_t)t->tv_sec * NSEC + (uint64_t)t->tv_usec * 1000;
}

static void to_timeval(uint64_t ns, struct tern_timeval *t)
{
	t->tv_sec = (int64_t)(ns / NSEC);
	t->tv_usec = (int64_t)(ns % NSEC / 1000);
}

static void current(struct proc *p, int which, struct itimerval *v)
{
	struct itimer *it = p->itimers ? &p->itimers->v[which] : NULL;
	uint32_t threads;

	memset(v, 0, sizeof *v);
	if (!it)
		return;
	to_timeval(it->interval, &v->interval);
	if (it->deadline) {
		uint64_t now = clock_of(it, &threads);
		uint64_t left = it->deadline > now ? it->deadline - now : 0;

		to_timeval(left < 1000 ? 1000 : left, &v->value);
	}
}

long pm_getitimer(struct tern_msg *m)
{
	uint32_t which = (uint32_t)m->args[0];
	struct proc *p = caller_of(m);
	struct itimerval v;

	if (!p)
		return -ESRCH;
	if (which > ITIMER_PROF)
		return -EINVAL;
	current(p, (int)which, &v);
	return server_out(m, 0, &v, sizeof v, 0);
}

long pm_setitimer(struct tern_msg *m)
{
	uint32_t which = (uint32_t)m->args[0], threads;
	struct proc *p = caller_of(m);
	struct itimerval new = { 0 }, old;
	struct itimers *all;
	struct itimer *it;
	uint64_t now, value;

	if (!p)
		return -ESRCH;
	if (m->args[1] && tern_copy_in(m->token, 0, 0, &new, sizeof new) != (long)sizeof new)
		return -EFAULT;
	if (which > ITIMER_PROF || !valid(&new.interval) || !valid(&new.value))
		return -EINVAL;
	current(p, (int)which, &old);
	value = to_ns(&new.value);
	if (value || p->itimers) {
		all = itimers_of(p);
		if (!all)
			return -ENOMEM;
		it = &all->v[which];
		now = clock_of(it, &threads);
		it->deadline = value ? now + value : 0;
		it->interval = value ? to_ns(&new.interval) : 0;
		if (it->interval && it->interval < SHORTEST)
			it->interval = SHORTEST;
		arm(it, now, threads);
	}
	if (m->args[2])
		return server_out(m, 1, &old, sizeof old, 0);
	return 0;
}
