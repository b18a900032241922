/* eventfd(2) and timerfd: counters that can be waited for.
 *
 * The counter is the desc itself: such objects have one description.  timerfds that are armed lie
 * in server->timers by their time; the endpoint's one kernel timer is set to the first.  A
 * periodic timer that has expired is not armed again before somebody looks at it, and the
 * expirations that it has missed are counted then: so even the shortest period costs this server no
 * more than its readers do.  timerfds that are set to a point of real time are in server->wall,
 * too: when the clock is set they get a new monotonic time, and the next read of one with
 * TFD_TIMER_CANCEL_ON_SET fails with ECANCELED.
 */
#include <string.h>
#include <tern/linux/time.h>

#include "pipe_priv.h"

#define EFD_SEMAPHORE 1u
#define EVENT_MAX (~0ull - 1)
#define TFD_TIMER_ABSTIME 1u
#define TFD_TIMER_CANCEL_ON_SET 2u
#define NS 1000000000ull
#define TIMER_COOKIE 1
#define FOREVER (1ull << 62)

struct itimerspec {
	struct tern_timespec interval, value;
};

static unsigned event_bits(const struct desc *d)
{
	unsigned bits = d->count ? POLLIN : 0;

	if (d->kind == DESC_EVENT && d->count < EVENT_MAX)
		bits |= POLLOUT;
	return bits;
}

static long create(struct tern_msg *m, enum desc_kind kind, unsigned flags, struct desc *init)
{
	struct desc *d = pool_alloc(&server->descs);
	long r;

	if (!d)
		return -ENOMEM;
	d->kind = kind;
	d->mode = MODE_R | MODE_W;
	d->flags = O_RDWR | (flags & O_NONBLOCK);
	d->count = init->count;
	d->semaphore = init->semaphore;
	d->clock = init->clock;
	if (!word_make(&d->word, event_bits(d), 0, 0)) {
		pool_free(&server->descs, d);
		return -ENOMEM;
	}
	r = tern_give_session(m->token, 0,
			      TERN_R_IO | TERN_R_TRANSFER | TERN_R_READ | TERN_R_WRITE, TERN_KIND_EVENT,
			      pool_badge(&server->descs, d), ++server->last_ident,
			      (uint64_t)d->word.rid, -1);
	if (r < 0) {
		event_drop(d);
		pool_free(&server->descs, d);
		return r;
	}
	return 0;
}

long event_create(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[1];
	struct desc init = { .count = (uint32_t)m->args[0], .semaphore = flags & EFD_SEMAPHORE };

	if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	return create(m, DESC_EVENT, flags, &init);
}

static void timers_set(void)
{
	tern_timer(server->timers ? server->timers->expires : 0, TIMER_COOKIE);
}

static void timer_insert(struct desc *d)
{
	struct desc **at = &server->timers;

	while (*at && (*at)->expires <= d->expires)
		at = &(*at)->timer_next;
	d->timer_next = *at;
	*at = d;
}

/* Counts the expirations that a periodic timer has missed since it expired, and arms it again. */
static void timer_go_on(struct desc *d)
{
	uint64_t missed;

	if (!d->expired)
		return;
	d->expired = false;
	missed = (tern_clock_ns(TERN_CLOCK_MONOTONIC) - d->expires) / d->interval;
	d->count += missed;
	d->expires += (missed + 1) * d->interval;
	if (d->real)
		d->real += (missed + 1) * d->interval;
	timer_insert(d);
	if (d == server->timers)
		timers_set();
}

/* The number that a read would get now. */
static uint64_t readable(struct desc *d)
{
	timer_go_on(d);
	return d->semaphore ? 1 : d->count;
}

/* The clock was set: one reader gets ECANCELED for it, and the expirations so far are dropped. */
static void take_cancelled(struct desc *d)
{
	timer_go_on(d);
	d->cancelled = false;
	d->count = 0;
}

/* Completes parked reads and writes as long as one of them can be: a write may make a read
 * possible, and the other way round. */
static void progress(struct desc *d)
{
	struct req *q;

	for (;;) {
		if ((q = d->rq.first) && d->cancelled) {
			take_cancelled(d);
			req_complete(&d->rq, q, -ECANCELED);
		} else if ((q = d->rq.first) && d->count) {
			uint64_t v = readable(d);
			long r = tern_copy_out(q->token, 0, 0, &v, sizeof v);

			if (r == (long)sizeof v)
				d->count -= v;
			req_complete(&d->rq, q, r == (long)sizeof v ? r : -EFAULT);
		} else if ((q = d->wq.first) && EVENT_MAX - d->count >= q->len) {
			d->count += q->len;
			req_complete(&d->wq, q, 8);
		} else {
			return;
		}
	}
}

static long finish(struct desc *d, long result)
{
	progress(d);
	if (server->done.first) {
		word_set(&d->word, event_bits(d), false);
		reply_done();
	} else {
		word_set(&d->word, event_bits(d), result != SERVER_NO_REPLY);
	}
	return result;
}

long event_read(struct desc *d, uint64_t token, uint64_t len, bool nonblock)
{
	if (len < 8)
		return -EINVAL;
	if (d->cancelled) {
		take_cancelled(d);
		return finish(d, -ECANCELED);
	}
	if (!d->count) {
		if (nonblock)
			return -EAGAIN;
		return req_park(&d->rq, d, token, 8, 0) ? SERVER_NO_REPLY : -ENOMEM;
	}
	d->value = readable(d);
	d->count -= d->value;
	server_reply_copy(0, &d->value, sizeof d->value);
	server_reply_whole();
	return finish(d, 8);
}

long event_write(struct desc *d, uint64_t token, uint64_t len, uint64_t came, bool nonblock)
{
	uint64_t v;
	long r;

	if (d->kind == DESC_TIMER || len != 8)
		return -EINVAL;
	if (came == sizeof v) {
		memcpy(&v, server_page, sizeof v);
	} else {
		r = tern_copy_in(token, 0, 0, &v, sizeof v);
		if (r != (long)sizeof v)
			return r < 0 ? r : -EFAULT;
	}
	if (v == ~0ull)
		return -EINVAL;
	if (EVENT_MAX - d->count < v) {
		if (nonblock)
			return -EAGAIN;
		return req_park(&d->wq, d, token, v, 0) ? SERVER_NO_REPLY : -ENOMEM;
	}
	d->count += v;
	return finish(d, 8);
}

/* ---- timers ---- */

static void timer_remove(struct desc *d)
{
	struct desc **at = &server->timers;

	while (*at && *at != d)
		at = &(*at)->timer_next;
	if (*at)
		*at = d->timer_next;
}

static void timer_fire(struct desc *d)
{
	d->count++;
	if (d->interval)
		d->expired = true;
	else
		d->expires = d->real = 0;
}

/* The monotonic time at which the real time will be `at`; `now` if that is past. */
static uint64_t from_real(uint64_t at, uint64_t now)
{
	uint64_t real = tern_clock_ns(TERN_CLOCK_REALTIME);

	return at > real ? at - real + now : now;
}

static void wall_remove(struct desc *d)
{
	struct desc **at = &server->wall;

	while (*at && *at != d)
		at = &(*at)->wall_next;
	if (*at)
		*at = d->wall_next;
	d->real = 0;
	d->cancel_on_set = d->cancelled = false;
}

long timerfd_clock_set(struct tern_msg *m)
{
	uint64_t now = tern_clock_ns(TERN_CLOCK_MONOTONIC);

	if (m->badge != TERN_BADGE_FROM_PM)
		return -ENOSYS;
	for (struct desc *d = server->wall; d; d = d->wall_next) {
		if (d->real) {
			timer_go_on(d);
			timer_remove(d);
			d->expires = from_real(d->real, now);
			timer_insert(d);
		}
		if (d->cancel_on_set) {
			d->cancelled = true;
			d->count++;
			finish(d, SERVER_NO_REPLY);
		}
	}
	timerfd_event();
	return (long)m->word[0]; /* the result that pm sent with the call, for the caller */
}

void timerfd_event(void)
{
	uint64_t now = tern_clock_ns(TERN_CLOCK_MONOTONIC);
	struct desc *d;

	while ((d = server->timers) && d->expires <= now) {
		server->timers = d->timer_next;
		timer_fire(d);
		finish(d, SERVER_NO_REPLY);
	}
	timers_set();
}

void event_drop(struct desc *d)
{
	if (d->expires) {
		timer_remove(d);
		timers_set();
	}
	wall_remove(d);
	if (d->word.rid)
		tern_ready_destroy((uint64_t)d->word.rid);
}

long timerfd_create(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[1];
	struct desc init = { .clock = (uint32_t)m->args[0] };

	if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	/* The machine never suspends, so there is nothing that an alarm clock would have to
	 * wake. */
	if (init.clock == TERN_CLOCK_REALTIME_ALARM)
		init.clock = TERN_CLOCK_REALTIME;
	if (init.clock == TERN_CLOCK_BOOTTIME_ALARM)
		init.clock = TERN_CLOCK_BOOTTIME;
	if (init.clock != TERN_CLOCK_REALTIME && init.clock != TERN_CLOCK_MONOTONIC &&
	    init.clock != TERN_CLOCK_BOOTTIME)
		return -EINVAL;
	return create(m, DESC_TIMER, flags, &init);
}

static bool valid(const struct tern_timespec *t)
{
	return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < (int64_t)NS;
}

static uint64_t to_ns(const struct tern_timespec *t)
{
	if ((uint64_t)t->tv_sec >= FOREVER / NS)
		return FOREVER;
	return (uint64_t)t->tv_sec * NS + (uint64_t)t->tv_nsec;
}

static struct tern_timespec from_ns(uint64_t ns)
{
	struct tern_timespec t = { (int64_t)(ns / NS), (int64_t)(ns % NS) };

	return t;
}

static void current(const struct desc *d, uint64_t now, struct itimerspec *out)
{
	out->interval = from_ns(d->interval);
	/* 0 would mean disarmed, so an armed timer whose time has come shows 1 ns. */
	out->value = from_ns(!d->expires ? 0 : d->expires > now ? d->expires - now : 1);
}

static struct desc *timer_of(struct tern_msg *m)
{
	struct desc *d = pool_lookup(&server->descs, m->badge);

	return d && d->kind == DESC_TIMER ? d : NULL;
}

long timerfd_settime(struct tern_msg *m)
{
	struct desc *d = timer_of(m);
	unsigned flags = (unsigned)m->args[1];
	struct itimerspec new, old;
	uint64_t now, at, real = 0;

	if (tern_copy_in(m->token, 0, 0, &new, sizeof new) != (long)sizeof new)
		return -EFAULT;
	if (!d || flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) || !valid(&new.value) ||
	    !valid(&new.interval))
		return -EINVAL;
	timer_go_on(d);
	now = tern_clock_ns(TERN_CLOCK_MONOTONIC);
	current(d, now, &old);
	at = to_ns(&new.value);
	if (at && !(flags & TFD_TIMER_ABSTIME)) {
		at += now;
	} else if (at && d->clock == TERN_CLOCK_REALTIME) {
		real = at;
		at = from_real(real, now);
	}
	if (d->expires)
		timer_remove(d);
	wall_remove(d);
	if (real) {
		d->real = real;
		d->cancel_on_set = flags & TFD_TIMER_CANCEL_ON_SET;
		d->wall_next = server->wall;
		server->wall = d;
	}
	d->count = 0;
	d->expires = at;
	d->interval = to_ns(&new.interval);
	if (at && at <= now)
		timer_fire(d);
	else if (at)
		timer_insert(d);
	timers_set();
	if (m->args[3] &&
	    tern_copy_out(m->token, 1, 0, &old, sizeof old) != (long)sizeof old)
		return finish(d, -EFAULT);
	return finish(d, 0);
}

long timerfd_gettime(struct tern_msg *m)
{
	struct desc *d = timer_of(m);
	struct itimerspec now;

	if (!d)
		return -EINVAL;
	timer_go_on(d);
	current(d, tern_clock_ns(TERN_CLOCK_MONOTONIC), &now);
	return server_out(m, 0, &now, sizeof now, 0);
}
