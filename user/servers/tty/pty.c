/* Pseudo-terminals (pty(7)): a terminal whose line is not a device but another descriptor, its
 * master.
 *
 * What is written to the master is input of the terminal; what the terminal sends is read from the
 * master.  At an open of /dev/ptmx vfs chooses the number N and shows the terminal as /dev/pts/N as
 * long as the meta session lives that it sent along; that ends when the master is closed.  The
 * terminal is hung up then, and freed with its last descriptor.  While all descriptors of the
 * terminal are closed again, reads of the master fail with EIO.
 */
#include <linux/poll.h>
#include <stdlib.h>
#include <server/fcntl.h>
#include <server/stat.h>
#include <tern/linux/signal.h>

#include "tty_priv.h"

/* Tells whether a read of the master finds something: output, or packet mode's status byte. */
static bool has_output(const struct pty *p)
{
	return ldisc_transmittable(&p->t.l) || p->status;
}

static bool is_left(const struct pty *p)
{
	return p->opened && !p->slaves;
}

static void set_bits(struct pty *p)
{
	uint32_t bits = 0;

	if (has_output(p))
		bits |= POLLIN | POLLRDNORM;
	if (p->status)
		bits |= POLLPRI;
	if (is_left(p))
		bits |= POLLHUP;
	if (ldisc_input_room(&p->t.l))
		bits |= POLLOUT | POLLWRNORM;
	if (bits != p->bits)
		tern_ready_set((uint64_t)p->rid, bits & ~p->bits, p->bits & ~bits);
	p->bits = bits;
}

/* ---- reading the master ---- */

/* Copies output to the read of the master; the bytes copied or an errno.  In packet mode the
 * first byte is 0 and output follows, or it is the status byte, which comes alone. */
static long take_output(struct pty *p, uint64_t token, uint64_t len)
{
	uint32_t room = sizeof server->stage, n = 0;
	long r;

	if (len < room)
		room = (uint32_t)len;
	if (p->packet)
		server->stage[n++] = p->status;
	if (!p->status)
		n += ldisc_peek_output(&p->t.l, server->stage + n, room - n);
	r = tern_copy_out(token, 0, 0, server->stage, n);
	if (r <= 0)
		return r ? r : -EFAULT;
	if (p->status)
		p->status = 0;
	else
		ldisc_sent(&p->t.l, (uint32_t)r - p->packet);
	return r;
}

static void serve_readers(struct pty *p)
{
	struct req *r;

	while ((r = p->readers.first) && (has_output(p) || is_left(p))) {
		long n = has_output(p) ? take_output(p, r->token, r->len) : -EIO;

		req_answer(r, n);
	}
}

static long pty_read(struct desc *d, struct tern_msg *m, uint64_t len, bool nonblock)
{
	struct pty *p = d->tty->pty;
	struct req *r;
	long n;

	if (!len)
		return 0;
	if (!p->readers.first && has_output(p)) {
		n = take_output(p, m->token, len);
		tty_update(&p->t);
		return n;
	}
	if (is_left(p))
		return -EIO;
	if (nonblock)
		return -EAGAIN;
	r = req_create(d, m, REQ_READ);
	if (!r)
		return -ENOMEM;
	r->len = len;
	req_queue(&p->readers, r);
	return SERVER_NO_REPLY;
}

/* ---- writing to the master ---- */

/* Makes the bytes of a write to the master input of the terminal, from byte `done` on and as
 * many as there is room for.  The new count of bytes done; an errno if the first ones cannot be
 * copied. */
static long type_in(struct pty *p, uint64_t token, uint64_t len, uint64_t done)
{
	while (done < len && ldisc_input_room(&p->t.l)) {
		uint64_t want = len - done < sizeof server->stage ? len - done : sizeof server->stage;
		long r = tern_copy_in(token, 0, done, server->stage, want);

		if (r <= 0)
			return done ? (long)done : r ? r : -EFAULT;
		for (long i = 0; i < r && ldisc_input_room(&p->t.l); i++, done++)
			ldisc_input(&p->t.l, server->stage[i]);
	}
	return (long)done;
}

static void serve_writers(struct pty *p)
{
	struct req *r;

	while ((r = p->writers.first) && ldisc_input_room(&p->t.l)) {
		long n = type_in(p, r->token, r->len, r->done);

		if (n > 0)
			r->done = (uint64_t)n;
		if (n >= 0 && r->done < r->len)
			return;
		req_answer(r, n);
	}
}

static long pty_write(struct desc *d, struct tern_msg *m, uint64_t len, bool nonblock)
{
	struct pty *p = d->tty->pty;
	struct req *r;
	long n = 0;

	if (!p->writers.first) {
		n = type_in(p, m->token, len, 0);
		tty_update(&p->t);
	}
	if (n < 0 || (uint64_t)n == len)
		return n;
	if (nonblock)
		return n ? n : -EAGAIN;
	r = req_create(d, m, REQ_WRITE);
	if (!r)
		return n ? n : -ENOMEM;
	r->len = len;
	r->done = (uint64_t)n;
	req_queue(&p->writers, r);
	p->t.unthrottle(&p->t); /* tty_update() may have let a reader make room in the meantime */
	return SERVER_NO_REPLY;
}

long pty_transfer(struct desc *d, struct tern_msg *m, uint64_t len, bool write, bool nonblock)
{
	return write ? pty_write(d, m, len, nonblock) : pty_read(d, m, len, nonblock);
}

/* ---- what the terminal does with its line ---- */

/* tty.kick of a pty: the terminal's output is ready, so reads that wait at the master get it. */
static void kick(struct tty *t)
{
	struct pty *p = t->pty;

	if (p->packet && p->was_stopped != t->l.stopped)
		p->status = t->l.stopped ? TIOCPKT_STOP : TIOCPKT_START;
	p->was_stopped = t->l.stopped;
	serve_readers(p);
	set_bits(p);
}

static void unthrottle(struct tty *t)
{
	struct pty *p = t->pty;

	if (p->writers.first && ldisc_input_room(&t->l)) {
		serve_writers(p);
		/* tty_update() calls this function again; that ends, since each time the writers
		 * have less left to write. */
		tty_update(t);
	}
	set_bits(p);
}

/* ---- ioctls that are the master's ---- */

static long int_out(struct tern_msg *m, int32_t v)
{
	return server_out(m, 0, &v, sizeof v, 0);
}

long pty_ioctl(struct desc *d, struct tern_msg *m)
{
	struct pty *p = d->tty->pty;
	int32_t v = 0;

	switch ((uint32_t)m->args[1]) {
	case TIOCGPTN:
		return int_out(m, (int32_t)p->index);
	case TIOCGPTLCK:
		return int_out(m, p->locked);
	case TIOCGPKT:
		return int_out(m, p->packet);
	case TIOCSPTLCK:
	case TIOCPKT:
		if (tern_copy_in(m->token, 0, 0, &v, sizeof v) != (long)sizeof v)
			return -EFAULT;
		if ((uint32_t)m->args[1] == TIOCSPTLCK)
			p->locked = v != 0;
		else
			p->packet = v != 0;
		p->status = 0;
		set_bits(p);
		return 0;
	case TIOCSIG:
		if (m->args[2] < 1 || m->args[2] > _NSIG)
			return -EINVAL;
		tty_signal(&p->t, p->t.pgrp, (uint32_t)m->args[2]);
		return 0;
	case FIONREAD:
		return int_out(m, (int32_t)ldisc_output_used(&p->t.l));
	case TIOCOUTQ:
		return int_out(m, 0);
	case TCFLSH: /* drops output alone: what the master wrote is the terminal's input already */
		if (m->args[2] > 2)
			return -EINVAL;
		if (m->args[2] != 1)
			ldisc_flush_output(&p->t.l);
		tty_update(&p->t);
		return 0;
	case TCSBRK:
	case TCSBRKP:
	case TCXONC:
		return 0;
	default:
		return SERVER_NO_REPLY;
	}
}

/* ---- from the first open to the last close ---- */

struct tty *pty_find(uint32_t index)
{
	struct pty *p = index < PTYS_MAX ? server->ptys[index] : NULL;

	return p && !p->hung ? &p->t : NULL;
}

static struct pty *create(uint32_t index)
{
	struct pty *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->rid = tern_ready_create(POLLOUT | POLLWRNORM);
	p->bits = POLLOUT | POLLWRNORM;
	if (p->rid < 0 || !tty_init(&p->t, (uint64_t)p->rid)) {
		if (p->rid >= 0)
			tern_ready_destroy((uint64_t)p->rid);
		free(p);
		return NULL;
	}
	p->t.pty = p;
	p->t.l.t.c_cflag &= ~(uint32_t)HUPCL;
	p->t.rdev = TERN_MKDEV(PTS_MAJOR, index);
	p->t.kick = kick;
	p->t.unthrottle = unthrottle;
	p->index = index;
	p->locked = true;
	server->ptys[index] = p;
	return p;
}

void pty_try_free(struct pty *p)
{
	if (!p->hung || p->slaves || p->t.asked)
		return;
	tern_ready_destroy((uint64_t)p->rid);
	tern_ready_destroy((uint64_t)p->t.rid);
	free(p);
}

struct desc *pty_open_master(uint32_t index, uint64_t flags, uint64_t ident)
{
	struct pty *p = index < PTYS_MAX && !server->ptys[index] ? create(index) : NULL;
	struct desc *d = p ? desc_create(&p->t, flags, ident) : NULL;

	if (d) {
		d->master = true;
	} else if (p) {
		server->ptys[index] = NULL;
		p->hung = true;
		pty_try_free(p);
	}
	return d;
}

void pty_opened(struct pty *p)
{
	p->slaves++;
	p->opened = true;
	set_bits(p);
}

static void drop(struct queue *q, long result)
{
	while (q->first)
		req_answer(q->first, q->first->done ? (long)q->first->done : result);
}

static void hang_up(struct pty *p)
{
	struct tty *t = &p->t;

	server->ptys[p->index] = NULL;
	p->hung = true;
	tty_hang_up(t);
	drop(&t->readers, -EIO);
	drop(&t->writers, -EIO);
	drop(&t->drainers, -EIO);
	tern_ready_set((uint64_t)t->rid, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP, 0);
	pty_try_free(p);
}

void pty_closed(struct pty *p, bool master)
{
	if (master) {
		hang_up(p);
	} else if (!--p->slaves) {
		tty_leave_session(&p->t);
		serve_readers(p);
		set_bits(p);
		pty_try_free(p);
	}
}
