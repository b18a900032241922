/* The ioctls of terminals (ioctl_tty(2)).  Only the foreground group may change a terminal: a
 * process of another group gets SIGTTOU instead.  TCSETSW, TCSETSF and TCSBRK wait until all
 * output has been sent. */
#include <server/cred.h>
#include <server/fcntl.h>
#include <tern/linux/signal.h>

#include "tty_priv.h"

#define TIOCM_LINES 0x166 /* the modem lines DTR, RTS, CTS, CD and DSR are always on */
#define SPEED 38400u

/* Linux's struct termios2.  The terminal keeps the first part, which is struct termios, and has
 * always the same speeds. */
struct both_termios {
	struct tern_termios t;
	uint32_t ispeed, ospeed;
};

static long int_out(struct tern_msg *m, int32_t v)
{
	return server_out(m, 0, &v, sizeof v, 0);
}

static bool int_in(struct tern_msg *m, int32_t *v)
{
	return tern_copy_in(m->token, 0, 0, v, sizeof *v) == (long)sizeof *v;
}

/* ---- settings, and what waits for the output to go ---- */

static void apply(struct tty *t, uint32_t op, const struct tern_termios *termios)
{
	if (op == TCSETSF || op == TCSETSF2)
		ldisc_flush_input(&t->l);
	if (op != TCSBRK)
		ldisc_set_termios(&t->l, termios);
}

void tty_drained(struct req *r)
{
	uint64_t token = r->token;

	apply(r->tty, r->op, &r->termios);
	req_destroy(r);
	tern_reply(token, 0);
}

static long when_drained(struct desc *d, struct tern_msg *m, uint32_t op,
			 const struct tern_termios *termios)
{
	struct tty *t = d->tty;
	struct req *r;

	t->kick(t);
	/* A pty does not wait: its output has been sent once it is in the ring. */
	if (t->pty || !ldisc_output_used(&t->l)) {
		apply(t, op, termios);
		tty_update(t);
		return 0;
	}
	r = req_create(d, m, REQ_DRAIN);
	if (!r)
		return -ENOMEM;
	r->op = op;
	r->termios = *termios;
	req_queue(&t->drainers, r);
	return SERVER_NO_REPLY;
}

static long set_termios(struct desc *d, struct tern_msg *m, uint32_t op)
{
	struct tern_termios termios;

	/* struct termios2 begins with struct termios, so TCSETS2 and its like read that part
	 * alone. */
	if (tern_copy_in(m->token, 0, 0, &termios, sizeof termios) != (long)sizeof termios)
		return -EFAULT;
	if (op == TCSETS || op == TCSETS2) {
		ldisc_set_termios(&d->tty->l, &termios);
		tty_update(d->tty);
		return 0;
	}
	return when_drained(d, m, op, &termios);
}

static long get_termios2(struct desc *d, struct tern_msg *m)
{
	struct both_termios t = { .t = d->tty->l.t, .ispeed = SPEED, .ospeed = SPEED };

	return server_out(m, 0, &t, sizeof t, 0);
}

/* ---- the others that act ---- */

static long flush(struct tty *t, uint64_t which)
{
	if (which > 2)
		return -EINVAL;
	if (which != 1) /* TCIFLUSH, TCIOFLUSH */
		ldisc_flush_input(&t->l);
	if (which != 0) /* TCOFLUSH, TCIOFLUSH */
		ldisc_flush_output(&t->l);
	tty_update(t);
	return 0;
}

static long flow(struct tty *t, uint64_t action)
{
	switch (action) {
	case 0: /* TCOOFF */
		ldisc_stop(&t->l);
		break;
	case 1: /* TCOON */
		ldisc_start(&t->l);
		break;
	case 2: /* TCIOFF */
		t->l.xchar = t->l.t.c_cc[VSTOP];
		break;
	case 3: /* TCION */
		t->l.xchar = t->l.t.c_cc[VSTART];
		break;
	default:
		return -EINVAL;
	}
	tty_update(t);
	return 0;
}

static long set_size(struct tty *t, struct tern_msg *m)
{
	struct tern_winsize new;

	if (tern_copy_in(m->token, 0, 0, &new, sizeof new) != (long)sizeof new)
		return -EFAULT;
	if (new.ws_row == t->size.ws_row && new.ws_col == t->size.ws_col &&
	    new.ws_xpixel == t->size.ws_xpixel && new.ws_ypixel == t->size.ws_ypixel)
		return 0;
	t->size = new;
	tty_signal(t, t->pgrp, SIGWINCH);
	return 0;
}

/* TIOCSTI: takes a character of the caller's as if it had been typed at the terminal. */
static long type_char(struct tty *t, struct tern_msg *m)
{
	struct tern_caller who;
	uint8_t c;
	long r = tern_caller(m->token, &who);

	if (r < 0)
		return r;
	if ((!t->session || who.sid != t->session) && !cred_capable(&who.cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (tern_copy_in(m->token, 0, 0, &c, 1) != 1)
		return -EFAULT;
	ldisc_input(&t->l, c);
	tty_update(t);
	return 0;
}

static bool foreground_only(uint32_t op)
{
	switch (op) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
	case TCFLSH:
	case TCXONC:
	case TCSBRK:
	case TCSBRKP:
		return true;
	default:
		return false;
	}
}

long tty_ioctl(struct tern_msg *m)
{
	struct desc *d = pool_lookup(&server->descs, m->badge);
	static const struct tern_termios none;
	uint32_t op = (uint32_t)m->args[1];
	struct tty *t;
	int32_t v;
	long r;

	if (!d)
		return -EBADF;
	t = d->tty;
	if (t->pty && t->pty->hung && !d->master)
		return op == TIOCSPGRP ? -ENOTTY : -EIO;
	if (d->master) {
		r = pty_ioctl(d, m);
		if (r != SERVER_NO_REPLY)
			return r;
	} else if (foreground_only(op) && !tty_foreground(d, m, SIGTTOU, &r)) {
		return r;
	}
	switch (op) {
	case TCGETS:
		return server_out(m, 0, &t->l.t, sizeof t->l.t, 0);
	case TCGETS2:
		return get_termios2(d, m);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_termios(d, m, op);
	case TCSBRK: /* never sends a break, only waits for the output, as tcdrain() wants it */
	case TCSBRKP:
		return when_drained(d, m, TCSBRK, &none);
	case TCFLSH:
		return flush(t, m->args[2]);
	case TCXONC:
		return flow(t, m->args[2]);
	case TIOCGWINSZ:
		return server_out(m, 0, &t->size, sizeof t->size, 0);
	case TIOCSWINSZ:
		return set_size(t, m);
	case TIOCGPGRP:
		return tty_get_pgrp(d, m);
	case TIOCSPGRP:
		return tty_set_pgrp(d, m);
	case TIOCGSID:
		return tty_get_session(d, m);
	case TIOCSCTTY:
		return tty_take(d, m);
	case TIOCNOTTY:
		return tty_leave(d, m);
	case FIONREAD:
		return int_out(m, (int32_t)ldisc_count(&t->l));
	case TIOCOUTQ:
		return int_out(m, (int32_t)ldisc_output_used(&t->l));
	case TIOCEXCL:
		t->exclusive = true;
		return 0;
	case TIOCNXCL:
		t->exclusive = false;
		return 0;
	case TIOCGEXCL:
		return int_out(m, t->exclusive);
	case TIOCGDEV:
		return int_out(m, (int32_t)t->rdev);
	case TIOCMGET:
		return t->pty ? -ENOTTY : int_out(m, TIOCM_LINES);
	case TIOCGETD:
		return int_out(m, 0);
	case TIOCSETD:
		if (!int_in(m, &v))
			return -EFAULT;
		return v == 0 ? 0 : -EINVAL;
	case TIOCSTI:
		return type_char(t, m);
	case FIONBIO:
		if (!int_in(m, &v))
			return -EFAULT;
		d->flags = v ? d->flags | O_NONBLOCK : d->flags & ~(uint32_t)O_NONBLOCK;
		return 0;
	case FIOASYNC:
		return int_in(m, &v) ? 0 : -EFAULT;
	default:
		return -ENOTTY;
	}
}
