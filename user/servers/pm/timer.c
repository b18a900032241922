/* Timers: the kernel gives an endpoint one timer, so pm keeps a list of its own timers, sorted
 * by time, and sets the kernel's to the first of them. */
#include "pm.h"

#define BATCH 16

static struct link timers;
static uint64_t armed;

void timer_init(void)
{
	link_init(&timers);
}

static void arm(void)
{
	uint64_t when = link_empty(&timers) ? 0 : LINK_OF(timers.next, struct timer, link)->when;

	if (when == armed)
		return;
	armed = when;
	tern_timer(when, 0);
}

static void insert(struct timer *t)
{
	struct link *at = timers.prev;

	while (at != &timers && LINK_OF(at, struct timer, link)->when > t->when)
		at = at->prev;
	link_insert(at, &t->link);
}

void timer_set(struct timer *t, uint64_t when)
{
	if (t->when)
		link_remove(&t->link);
	t->when = when;
	if (when)
		insert(t);
	arm();
}

void timers_run(void)
{
	uint64_t now = tern_clock_ns(TERN_CLOCK_MONOTONIC);

	armed = 0;
	/* If more than BATCH are due, arm() has the event come again at once, and requests that
	 * wait are handled in between. */
	for (unsigned n = 0; n < BATCH && !link_empty(&timers); n++) {
		struct timer *t = LINK_OF(timers.next, struct timer, link);

		if (t->when > now)
			break;
		link_remove(&t->link);
		t->when = 0;
		t->fire(t);
	}
	arm();
}

bool timespec_valid(const struct tern_timespec *t)
{
	return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < (int64_t)NSEC;
}

uint64_t timespec_to_ns(const struct tern_timespec *t)
{
	if (t->tv_sec > 4000000000)
		return 4000000000 * NSEC;
	return (uint64_t)t->tv_sec * NSEC + (uint64_t)t->tv_nsec;
}

void timespec_of_ns(uint64_t ns, struct tern_timespec *t)
{
	t->tv_sec = (int64_t)(ns / NSEC);
	t->tv_nsec = (int64_t)(ns % NSEC);
}
