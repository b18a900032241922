/* Reading from and writing to terminals, readiness, and the table of operations.
 *
 * A handler changes the line discipline's state and ends with tty_update(), which sends the
 * signals that input raised, completes the calls that can go on, starts the transmission and sets
 * the readiness word.  Waiting calls are answered in the order in which they came.
 */
#include <linux/poll.h>
#include <stdlib.h>
#include <string.h>
#include <server/fcntl.h>
#include <tern/linux/signal.h>
#include <server/stat.h>
#include <tern/linux/time.h>

#include "tty_priv.h"

#define LENGTH_MAX 0x7ffff000ull
#define SETTABLE (O_APPEND | O_NONBLOCK)
#define RWF_KNOWN 0x3fu
#define DECISECOND 100000000ull
#define WRITERS_RESUME (LDISC_OUT / 2) /* writers that wait go on once this much room is free */
#define POLLOUT_ON 8192u
#define POLLOUT_OFF 256u

/* ---- waiting calls ---- */

struct req *req_create(struct desc *d, struct tern_msg *m, enum req_type type)
{
	struct req *r = pool_alloc(&server->reqs);

	if (!r)
		return NULL;
	r->tty = d->tty;
	r->desc = d;
	r->token = m->token;
	r->type = type;
	r->meta = -1;
	return r;
}

void req_queue(struct queue *q, struct req *r)
{
	r->queue = q;
	r->next = NULL;
	r->prev = q->last;
	if (q->last)
		q->last->next = r;
	else
		q->first = r;
	q->last = r;
}

void req_destroy(struct req *r)
{
	struct queue *q = r->queue;

	if (q) {
		if (r->prev)
			r->prev->next = r->next;
		else
			q->first = r->next;
		if (r->next)
			r->next->prev = r->prev;
		else
			q->last = r->prev;
	}
	pool_free(&server->reqs, r);
}

void req_answer(struct req *r, long result)
{
	uint64_t token = r->token;

	req_destroy(r);
	tern_reply(token, result);
}

/* Tells whether the terminal is a pty's whose master has been closed: nothing comes or goes
 * then. */
static bool is_hung(const struct tty *t)
{
	return t->pty && t->pty->hung;
}

/* ---- reading ---- */

static bool canonical(const struct tty *t)
{
	return t->l.t.c_lflag & ICANON;
}

/* Tells whether a blocking read of `len` bytes can be answered now. */
static bool read_ready(const struct tty *t, uint64_t len)
{
	uint32_t min = t->l.t.c_cc[VMIN];

	if (canonical(t))
		return ldisc_readable(&t->l, 1);
	if (!min)
		return !t->l.t.c_cc[VTIME] || ldisc_readable(&t->l, 1);
	return ldisc_readable(&t->l, len < min ? (uint32_t)len : min);
}

/* Sets the deadline of a raw read that waits (MIN and TIME of termios(3)): with MIN, TIME after
 * each further character; without, TIME after the read began (`starts`). */
static void read_timer(struct tty *t, struct req *r, bool starts)
{
	uint32_t min = t->l.t.c_cc[VMIN], time = t->l.t.c_cc[VTIME];

	if (canonical(t) || !time)
		return;
	if (min ? r->seen != t->l.head && t->l.head != t->l.tail : starts)
		tern_park(r->token, tern_clock_ns(TERN_CLOCK_MONOTONIC) + time * DECISECOND);
	r->seen = t->l.head;
}

/* Answers a read that waits with the input that there is. */
static void read_complete(struct tty *t, struct req *r)
{
	uint32_t used, n;
	long done = 0;

	n = ldisc_peek(&t->l, server->stage, r->len < LDISC_IN ? (uint32_t)r->len : LDISC_IN, &used);
	if (n) {
		done = tern_copy_out(r->token, 0, 0, server->stage, n);
		if (done == -ESRCH) { /* the caller was killed: the input stays for others */
			req_destroy(r);
			return;
		}
		if (done == 0)
			done = -EFAULT;
	}
	ldisc_consume(&t->l, used);
	req_answer(r, done);
}

static void serve_readers(struct tty *t)
{
	struct req *r;

	while ((r = t->readers.first) && read_ready(t, r->len))
		read_complete(t, r);
	if (r)
		read_timer(t, r, false);
}

static long read_now(struct tty *t, uint64_t len)
{
	uint32_t used, n;

	n = ldisc_peek(&t->l, server->reply, len < LDISC_IN ? (uint32_t)len : LDISC_IN, &used);
	ldisc_consume(&t->l, used);
	if (n)
		server_reply_copy(0, server->reply, n);
	tty_update(t);
	return n;
}

static long tty_read(struct desc *d, struct tern_msg *m, uint64_t len, bool nonblock)
{
	struct tty *t = d->tty;
	struct req *r;
	long result;

	if (d->master)
		return pty_transfer(d, m, len, false, nonblock);
	if (is_hung(t))
		return 0;
	if (!tty_foreground(d, m, SIGTTIN, &result))
		return result;
	if (!len)
		return 0;
	if (!t->readers.first && (read_ready(t, len) || (nonblock && ldisc_readable(&t->l, 1))))
		return read_now(t, len);
	if (nonblock)
		return -EAGAIN;
	r = req_create(d, m, REQ_READ);
	if (!r)
		return -ENOMEM;
	r->len = len;
	r->seen = t->l.tail;
	req_queue(&t->readers, r);
	read_timer(t, r, true);
	return SERVER_NO_REPLY;
}

/* ---- writing ---- */

/* The room for programs' output.  While output is stopped, a pty takes none, but the console takes
 * as much as fits into its ring. */
static uint32_t output_room(const struct tty *t)
{
	return t->pty && t->l.stopped ? 0 : ldisc_output_room(&t->l);
}

/* Outputs the bytes of a write from byte `done` on, as many as there is room for.  The new count of
 * bytes done; an errno if the first ones cannot be copied.  *full: there was no room for all. */
static long push(struct tty *t, uint64_t token, uint64_t len, uint64_t done, bool *full)
{
	*full = false;
	while (done < len) {
		uint64_t want = len - done;
		uint32_t taken, room = output_room(t);
		long r;

		if (room < 8) {
			*full = true;
			break;
		}
		if (want > room)
			want = room;
		if (want > sizeof server->stage)
			want = sizeof server->stage;
		r = tern_copy_in(token, 0, done, server->stage, want);
		if (r <= 0)
			return done ? (long)done : r ? r : -EFAULT;
		taken = ldisc_output(&t->l, server->stage, (uint32_t)r);
		done += taken;
		if (taken < (uint32_t)r) {
			*full = true;
			break;
		}
	}
	return (long)done;
}

static void serve_writers(struct tty *t)
{
	struct req *r;

	while ((r = t->writers.first) && output_room(t) >= WRITERS_RESUME) {
		bool full;
		long done = push(t, r->token, r->len, r->done, &full);

		if (done > 0)
			r->done = (uint64_t)done;
		if (full && done >= 0)
			return;
		req_answer(r, done);
	}
}

static long tty_write(struct desc *d, struct tern_msg *m, uint64_t len, bool nonblock)
{
	struct tty *t = d->tty;
	bool full = true;
	struct req *r;
	long done = 0;

	if (d->master)
		return pty_transfer(d, m, len, true, nonblock);
	if (is_hung(t))
		return -EIO;
	if ((t->l.t.c_lflag & TOSTOP) && !tty_foreground(d, m, SIGTTOU, &done))
		return done;
	if (!len)
		return 0;
	done = 0;
	if (!t->writers.first) {
		done = push(t, m->token, len, 0, &full);
		tty_update(t);
	}
	if (done < 0 || !full)
		return done;
	if (nonblock)
		return done ? done : -EAGAIN;
	r = req_create(d, m, REQ_WRITE);
	if (!r)
		return done ? done : -ENOMEM;
	r->len = len;
	r->done = (uint64_t)done;
	req_queue(&t->writers, r);
	/* The transmission that tty_update() started may have made room already. */
	serve_writers(t);
	return SERVER_NO_REPLY;
}

/* ---- what follows a change ---- */

static void send_signals(struct tty *t)
{
	uint32_t s = t->l.signals;

	t->l.signals = 0;
	if (s & LDISC_SIGINT)
		tty_signal(t, t->pgrp, SIGINT);
	if (s & LDISC_SIGQUIT)
		tty_signal(t, t->pgrp, SIGQUIT);
	if (s & LDISC_SIGTSTP)
		tty_signal(t, t->pgrp, SIGTSTP);
}

static void set_bits(struct tty *t)
{
	uint32_t least = t->l.t.c_cc[VTIME] || !t->l.t.c_cc[VMIN] ? 1 : t->l.t.c_cc[VMIN];
	uint32_t room = output_room(t), bits = 0;

	if (ldisc_readable(&t->l, least))
		bits |= POLLIN | POLLRDNORM;
	if (room >= ((t->bits & POLLOUT) ? POLLOUT_OFF : POLLOUT_ON))
		bits |= POLLOUT | POLLWRNORM;
	if (bits == t->bits)
		return;
	tern_ready_set((uint64_t)t->rid, bits & ~t->bits, t->bits & ~bits);
	t->bits = bits;
}

void tty_update(struct tty *t)
{
	struct req *r;

	if (is_hung(t))
		return;
	if (t->l.signals)
		send_signals(t);
	t->kick(t);
	if (t->writers.first) {
		serve_writers(t);
		t->kick(t);
	}
	while ((r = t->drainers.first) && !ldisc_output_used(&t->l))
		tty_drained(r);
	set_bits(t);
	if (t->readers.first) {
		serve_readers(t);
		set_bits(t);
	}
	t->unthrottle(t);
}

bool tty_init(struct tty *t, uint64_t master)
{
	ldisc_init(&t->l);
	t->bits = POLLOUT | POLLWRNORM;
	t->rid = master ? tern_ready_create_telling(t->bits, POLLHUP, master) : tern_ready_create(t->bits);
	return t->rid >= 0;
}

/* ---- operations ---- */

static struct desc *desc_of(struct tern_msg *m)
{
	return pool_lookup(&server->descs, m->badge);
}

static uint64_t length(struct tern_msg *m)
{
	return m->args[2] < LENGTH_MAX ? m->args[2] : LENGTH_MAX;
}

static long do_read(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	return d ? tty_read(d, m, length(m), d->flags & O_NONBLOCK) : -EBADF;
}

static long do_write(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	return d ? tty_write(d, m, length(m), d->flags & O_NONBLOCK) : -EBADF;
}

static long vector(struct tern_msg *m, bool write, bool nonblock)
{
	struct desc *d = desc_of(m);
	long n;

	if (!d)
		return -EBADF;
	n = tern_window_length(m->token, 0);
	if (n < 0)
		return n;
	nonblock = nonblock || d->flags & O_NONBLOCK;
	return write ? tty_write(d, m, (uint64_t)n, nonblock) :
		       tty_read(d, m, (uint64_t)n, nonblock);
}

static long do_readv(struct tern_msg *m)
{
	return vector(m, false, false);
}

static long do_writev(struct tern_msg *m)
{
	return vector(m, true, false);
}

/* preadv2 and pwritev2: a terminal has no offsets, but with offset -1 they are readv and writev. */
static long vector2(struct tern_msg *m, bool write)
{
	if (m->args[3] != ~0ull)
		return -ESPIPE;
	if ((uint32_t)m->args[5] & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	return vector(m, write, m->args[5] & RWF_NOWAIT);
}

static long do_preadv2(struct tern_msg *m)
{
	return vector2(m, false);
}

static long do_pwritev2(struct tern_msg *m)
{
	return vector2(m, true);
}

static long do_fcntl(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	if (!d)
		return -EBADF;
	switch ((uint32_t)m->args[1]) {
	case F_GETFL:
		return d->flags;
	case F_SETFL:
		if (m->args[2] & O_DIRECT)
			return -EINVAL;
		d->flags = (d->flags & ~(unsigned)SETTABLE) | ((unsigned)m->args[2] & SETTABLE);
		return 0;
	default:
		return server_fcntl(m);
	}
}

static void fill_stat(struct desc *d, struct stat *st)
{
	server_fill_stat(st, S_IFCHR | 0620, d->ident, 0, 5);
	st->st_rdev = d->tty->rdev;
}

static long do_fstat(struct tern_msg *m)
{
	struct desc *d = desc_of(m);
	struct stat st;

	if (!d)
		return -EBADF;
	fill_stat(d, &st);
	return server_give_stat(m, &st);
}

/* ---- events ---- */

static void closed(uint64_t badge, uint64_t sid)
{
	struct desc *d = pool_lookup(&server->descs, badge);

	(void)sid;
	if (d)
		desc_free(d);
}

static struct req *find_in(const struct queue *q, uint64_t token)
{
	struct req *r = q->first;

	while (r && r->token != token)
		r = r->next;
	return r;
}

static struct req *find_waiting(struct tty *t, uint64_t token)
{
	struct req *r = find_in(&t->readers, token);

	if (!r)
		r = find_in(&t->writers, token);
	if (!r)
		r = find_in(&t->drainers, token);
	if (!r && t->pty)
		r = find_in(&t->pty->readers, token);
	return r || !t->pty ? r : find_in(&t->pty->writers, token);
}

/* Interrupts a call that waits in a queue.  One that waits for pm's answer is not interrupted, as
 * that answer comes soon. */
static void cancel(uint64_t badge, uint64_t token)
{
	struct desc *d = pool_lookup(&server->descs, badge);
	struct tty *t = d ? d->tty : &server->console;
	struct req *r = find_waiting(t, token);

	if (!r)
		return;
	if (r->type == REQ_READ && r->queue == &t->readers && !canonical(t) && ldisc_readable(&t->l, 1))
		read_complete(t, r); /* the read gets the input there is, if fewer bytes than MIN */
	else
		req_answer(r, r->done ? (long)r->done : -TERN_ECANCELLED);
	tty_update(t);
}

static void gone(uint64_t badge, uint64_t token)
{
	struct desc *d = pool_lookup(&server->descs, badge);
	struct tty *t = d ? d->tty : &server->console;
	struct req *r = find_waiting(t, token);

	if (!r)
		return;
	req_destroy(r);
	tty_update(t);
}

static void timeout(uint64_t badge, uint64_t token)
{
	struct desc *d = pool_lookup(&server->descs, badge);
	struct tty *t = d ? d->tty : &server->console;
	struct req *r = find_in(&t->readers, token);

	if (!r || canonical(t))
		return;
	/* With MIN the timer began at the first character.  If another reader has taken that, this
	 * read waits on. */
	if (t->l.t.c_cc[VMIN] && !ldisc_readable(&t->l, 1))
		return;
	read_complete(t, r);
	tty_update(t);
}

static void note(uint64_t badge, uint64_t bits)
{
	(void)bits;
	if (badge != UART_BADGE)
		return;
	uart_interrupt(&server->console);
	tty_update(&server->console);
}

static void done(uint64_t cookie, long result, int handle, int handle2)
{
	struct req *r = pool_lookup(&server->reqs, cookie);

	if (handle >= 0)
		tern_close(handle);
	if (handle2 >= 0)
		tern_close(handle2);
	if (r)
		tty_answered(r, result);
	tty_signals_retry();
}

static const server_handler calls[512] = {
	[__NR_fcntl] = do_fcntl,
	[__NR_ioctl] = tty_ioctl,
	[__NR_openat] = tty_open,
	[__NR_read] = do_read,
	[__NR_write] = do_write,
	[__NR_readv] = do_readv,
	[__NR_writev] = do_writev,
	[__NR_newfstatat] = do_fstat,
	[__NR_fstat] = do_fstat,
	[__NR_preadv2] = do_preadv2,
	[__NR_pwritev2] = do_pwritev2,
	[__NR_statx] = do_fstat,
	[__NR_openat2] = tty_open,
};

const struct server_ops tty_server_ops = {
	.calls = calls,
	.method = tty_session_end,
	.closed = closed,
	.cancel = cancel,
	.gone = gone,
	.done = done,
	.timeout = timeout,
	.note = note,
};

void tty_server_init(void)
{
	server = calloc(1, sizeof *server);
	if (!server)
		server_panic("no memory");
	pool_init(&server->descs, sizeof(struct desc));
	pool_init(&server->reqs, sizeof(struct req));
	if (!tty_init(&server->console, 0))
		server_panic("no readiness word");
	server->console.size.ws_row = 24;
	server->console.size.ws_col = 80;
	server->console.rdev = TERN_MKDEV(5, 1);
}
