/* CPU clocks: which one a clock id names, what it shows, and sleeping by it (clock_nanosleep).
 *
 * The kernel does not tell pm when a CPU clock reaches a value, so pm looks.  It looks again
 * when all harts together could have used up the time that is left, but not sooner than after
 * CPU_STEP. */
#include "pm.h"
#include <stdlib.h>

#define CPU_STEP 1000000ull /* ns: the shortest time between two looks at a clock */
#define PER_THREAD 4
#define USER_ONLY 1

struct sleeper {
	struct timer timer;
	struct link link;
	uint64_t token, deadline;
	struct cpu_clock clock;
	bool relative;
};
static struct link sleepers = { &sleepers, &sleepers };

long cpu_clock_find(struct tern_msg *m, int32_t id, struct cpu_clock *c)
{
	struct proc *p = caller_of(m), *of = p;
	int32_t number = ~(id >> 3);

	*c = (struct cpu_clock){ .user = id < 0 && (id & 3) == USER_ONLY };
	if (!p)
		return -ESRCH;
	if (id == TERN_CLOCK_THREAD_CPUTIME_ID || (id < 0 && id & PER_THREAD)) {
		c->tid = id >= 0 || !number ? m->tid : (uint32_t)number;
		of = proc_of_tid(&pm.tree, c->tid);
		if (of != p)
			return -EINVAL;
	} else if (id < 0 && number) {
		of = proc_find(&pm.tree, number);
	} else if (id >= 0 && id != TERN_CLOCK_PROCESS_CPUTIME_ID) {
		return -EINVAL;
	}
	if (!of || (id < 0 && (id & 3) == 3))
		return -EINVAL;
	c->pid = of->pid;
	return 0;
}

bool cpu_clock_now(const struct cpu_clock *c, uint64_t *ns)
{
	struct proc *p = proc_find(&pm.tree, c->pid);
	struct tern_process_stat st;

	if (!p || p->state == PROC_ZOMBIE || tern_process_stat(p->handle, c->tid, &st) < 0)
		return false;
	*ns = st.user_ns + (c->user ? 0 : st.system_ns);
	return true;
}

static long ns_out(struct tern_msg *m, uint64_t ns)
{
	struct tern_timespec ts;

	timespec_of_ns(ns, &ts);
	return tern_copy_out(m->token, 0, 0, &ts, sizeof ts) == sizeof ts ? 0 : -EFAULT;
}

long pm_clock_gettime(struct tern_msg *m)
{
	struct cpu_clock clock;
	uint64_t ns;
	long r = cpu_clock_find(m, (int32_t)m->args[0], &clock);

	if (r)
		return r;
	return cpu_clock_now(&clock, &ns) ? ns_out(m, ns) : -EINVAL;
}

long pm_clock_getres(struct tern_msg *m)
{
	int32_t id = (int32_t)m->args[0];
	bool coarse = id == TERN_CLOCK_REALTIME_COARSE || id == TERN_CLOCK_MONOTONIC_COARSE;
	struct cpu_clock clock;
	long r = 0;

	if (id < 0 || id == TERN_CLOCK_PROCESS_CPUTIME_ID || id == TERN_CLOCK_THREAD_CPUTIME_ID)
		r = cpu_clock_find(m, id, &clock);
	else if (id > CLOCK_TAI || id == CLOCK_SGI_CYCLE)
		r = -EINVAL;
	return r || !m->args[1] ? r : ns_out(m, coarse ? 4000000 : 1);
}

void cpu_clock_arm(struct timer *t, uint64_t left)
{
	left /= pm.boot.nharts ? pm.boot.nharts : 1;
	timer_set(t, tern_clock_ns(TERN_CLOCK_MONOTONIC) + (left > CPU_STEP ? left : CPU_STEP));
}

static void sleeper_free(struct sleeper *s)
{
	timer_set(&s->timer, 0);
	link_remove(&s->link);
	free(s);
}

/* A sleeper's timer fires: looks whether its CPU clock has reached the deadline.  The sleep also
 * ends when the clock's process has ended, as the clock goes no further then. */
static void look(struct timer *t)
{
	struct sleeper *s = LINK_OF(t, struct sleeper, timer);
	uint64_t now;

	if (cpu_clock_now(&s->clock, &now) && now < s->deadline) {
		cpu_clock_arm(t, s->deadline - now);
		return;
	}
	tern_reply(s->token, 0);
	sleeper_free(s);
}

long pm_clock_nanosleep(struct tern_msg *m)
{
	struct tern_timespec ts;
	struct cpu_clock clock;
	struct sleeper *s;
	uint64_t now, until;
	long r = cpu_clock_find(m, (int32_t)m->args[0], &clock);

	if (r < 0)
		return r;
	if (tern_copy_in(m->token, 0, 0, &ts, sizeof ts) != (long)sizeof ts)
		return -EFAULT;
	if (!timespec_valid(&ts) || clock.tid)
		return -EINVAL;
	if (!cpu_clock_now(&clock, &now))
		return -EINVAL;
	until = timespec_to_ns(&ts) + (m->args[1] & TERN_TIMER_ABSTIME ? 0 : now);
	if (until <= now)
		return 0;
	s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->token = m->token;
	s->clock = clock;
	s->deadline = until;
	s->relative = !(m->args[1] & TERN_TIMER_ABSTIME) && m->args[3];
	s->timer.fire = look;
	link_append(&sleepers, &s->link);
	cpu_clock_arm(&s->timer, until - now);
	return SERVER_NO_REPLY;
}

bool sleeper_ends(uint64_t token, bool gone)
{
	LINK_EACH(l, &sleepers) {
		struct sleeper *s = LINK_OF(l, struct sleeper, link);
		struct tern_timespec left;
		uint64_t now;
		long r = -EINTR;

		if (s->token != token)
			continue;
		if (!gone && s->relative && cpu_clock_now(&s->clock, &now)) {
			timespec_of_ns(now < s->deadline ? s->deadline - now : 0, &left);
			if (tern_copy_out(token, 1, 0, &left, sizeof left) != (long)sizeof left)
				r = -EFAULT;
		}
		if (!gone)
			tern_reply(token, r);
		sleeper_free(s);
		return true;
	}
	return false;
}
