/* Controlling terminals and job control: which group may read, which gets the signals; and opening
 * terminals, as an open can make one a controlling terminal.
 *
 * The terminal knows its session and foreground group by their numbers only.  Which processes these
 * are, pm knows; it is asked by asynchronous calls.  Until pm answers, the client's call waits as a
 * req that lies in no queue; the cookie of the answer is the req's badge.
 */
#include <server/cred.h>
#include <server/fcntl.h>
#include <tern/linux/signal.h>

#include "tty_priv.h"

#define DEV_TTY 0x500
#define DEV_PTMX 0x502
#define DEV_CONSOLE 0x440 /* ttyS0 */
#define REOPEN 0xFD00u

/* ---- signals ---- */

static long signal_call(uint64_t cookie, uint32_t pgid, uint32_t sig)
{
	uint64_t args[6] = { pgid, sig };

	return tern_call_async(cookie, server_boot->pm, TERN_PM_SIGNAL_GROUP, 0, args);
}

void tty_signal(struct tty *t, uint32_t pgid, uint32_t sig)
{
	(void)t;
	if (!pgid)
		return;
	if (signal_call(0, pgid, sig) < 0 && server->nkept < SIGNALS_KEPT) {
		server->kept[server->nkept].pgid = pgid;
		server->kept[server->nkept++].signal = sig;
	}
}

void tty_signals_retry(void)
{
	uint32_t i, left = 0;

	for (i = 0; i < server->nkept; i++)
		if (signal_call(0, server->kept[i].pgid, server->kept[i].signal) < 0)
			server->kept[left++] = server->kept[i];
	server->nkept = left;
}

/* ---- asking pm ---- */

/* Asks pm, whose answer goes to tty_answered(r): SERVER_NO_REPLY.  If that fails, r is destroyed
 * and the result is an errno. */
static long ask(struct req *r, uint32_t op, uint64_t a0, uint64_t a1)
{
	uint64_t args[6] = { a0, a1 };

	if (tern_call_async(pool_badge(&server->reqs, r), server_boot->pm, op, 0, args) < 0) {
		req_destroy(r);
		return -ENOMEM;
	}
	r->tty->asked++;
	return SERVER_NO_REPLY;
}

bool tty_foreground(struct desc *d, struct tern_msg *m, uint32_t sig, long *result)
{
	struct tty *t = d->tty;
	struct tern_caller who;
	struct req *r;

	if (!t->session || !t->pgrp)
		return true;
	*result = tern_caller(m->token, &who);
	if (*result < 0)
		return false;
	if (who.sid != t->session || who.pgid == t->pgrp)
		return true;
	if ((who.sigmask | who.sigignored) & TERN_SIGBIT(sig)) {
		*result = -EIO;
		return sig != SIGTTIN;
	}
	r = req_create(d, m, REQ_BACKGROUND);
	*result = r ? ask(r, TERN_PM_SIGNAL_GROUP, who.pgid, sig) : -ENOMEM;
	return false;
}

/* ---- the controlling terminal ---- */

static bool is_leader(const struct tern_caller *who)
{
	return who->sid && who->pid == who->sid;
}

/* Tells pm which terminal a session has, or none.  pm only shows that in /proc, so neither its
 * answer nor a failure for want of memory matters. */
static void tell_pm(uint32_t session, uint32_t device, uint32_t pgrp)
{
	uint64_t args[6] = { session, device, pgrp };

	if (session)
		(void)tern_call_async(0, server_boot->pm, TERN_PM_TERMINAL, 0, args);
}

static void set_pgrp(struct tty *t, uint32_t pgrp)
{
	t->pgrp = pgrp;
	tell_pm(t->session, t->pty ? PTS_MAJOR << 8 | t->pty->index : DEV_CONSOLE, pgrp);
}

static void take(struct tty *t, uint32_t session, uint32_t pgrp)
{
	if (t->session != session)
		tell_pm(t->session, 0, 0);
	t->session = session;
	set_pgrp(t, pgrp);
}

long tty_take(struct desc *d, struct tern_msg *m)
{
	struct tty *t = d->tty;
	struct tern_caller who;
	struct req *r;
	long result = tern_caller(m->token, &who);

	if (result < 0)
		return result;
	if (!is_leader(&who))
		return -EPERM;
	if (t->session == who.sid)
		return 0;
	if (tty_of_session(who.sid))
		return -EPERM;
	if (!t->session || (m->args[2] == 1 && cred_capable(&who.cred, CAP_SYS_ADMIN))) {
		take(t, who.sid, who.pgid);
		return 0;
	}
	r = req_create(d, m, REQ_SET_TTY);
	if (!r)
		return -ENOMEM;
	r->sid = who.sid;
	r->pgid = who.pgid;
	r->pid = t->session;
	return ask(r, TERN_PM_SESSION_TTY, t->session, 0);
}

struct tty *tty_of_session(uint32_t session)
{
	if (!session)
		return NULL;
	if (server->console.session == session)
		return &server->console;
	for (uint32_t i = 0; i < PTYS_MAX; i++)
		if (server->ptys[i] && server->ptys[i]->t.session == session)
			return &server->ptys[i]->t;
	return NULL;
}

void tty_leave_session(struct tty *t)
{
	if (t->session)
		take(t, 0, 0);
}

/* The session's leader gives the terminal up, or has ended: the foreground group is signalled. */
static void disassociate(struct tty *t)
{
	tty_signal(t, t->pgrp, SIGHUP);
	tty_signal(t, t->pgrp, SIGCONT);
	take(t, 0, 0);
}

/* The line of the terminal is gone: the session's leader is signalled, by the group whose number is
 * the session's, which is the leader's. */
void tty_hang_up(struct tty *t)
{
	tty_signal(t, t->session, SIGHUP);
	tty_signal(t, t->session, SIGCONT);
	tty_leave_session(t);
}

long tty_leave(struct desc *d, struct tern_msg *m)
{
	struct tty *t = d->tty;
	struct tern_caller who;
	long result = tern_caller(m->token, &who);

	if (result < 0)
		return result;
	if (!t->session || who.sid != t->session)
		return -ENOTTY;
	if (is_leader(&who))
		disassociate(t);
	return 0;
}

/* pm's method TERN_TTY_SESSION_END: the leader of a session has ended, so the session's terminal
 * becomes free. */
long tty_session_end(struct tern_msg *m)
{
	struct tty *t = tty_of_session((uint32_t)m->args[0]);

	if (TERN_MSG_OP(m->op) != TERN_TTY_SESSION_END || m->badge != TERN_BADGE_FROM_PM)
		return -ENOSYS;
	if (t)
		disassociate(t);
	return 0;
}

long tty_get_pgrp(struct desc *d, struct tern_msg *m)
{
	struct tern_caller who;
	long result = tern_caller(m->token, &who);

	if (result < 0)
		return result;
	if (!d->master && (!d->tty->session || who.sid != d->tty->session))
		return -ENOTTY;
	return server_out(m, 0, &d->tty->pgrp, sizeof d->tty->pgrp, 0);
}

long tty_get_session(struct desc *d, struct tern_msg *m)
{
	struct tern_caller who;
	long result = tern_caller(m->token, &who);

	if (result < 0)
		return result;
	if (!d->tty->session || (!d->master && who.sid != d->tty->session))
		return -ENOTTY;
	return server_out(m, 0, &d->tty->session, sizeof d->tty->session, 0);
}

long tty_set_pgrp(struct desc *d, struct tern_msg *m)
{
	struct tty *t = d->tty;
	struct tern_caller who;
	struct req *r;
	int32_t pgid;
	long result;

	if (!tty_foreground(d, m, SIGTTOU, &result))
		return result;
	result = tern_caller(m->token, &who);
	if (result < 0)
		return result;
	if (!t->session || who.sid != t->session)
		return -ENOTTY;
	if (tern_copy_in(m->token, 0, 0, &pgid, sizeof pgid) != (long)sizeof pgid)
		return -EFAULT;
	if (pgid < 0)
		return -EINVAL;
	if ((uint32_t)pgid == who.pgid) {
		set_pgrp(t, who.pgid);
		return 0;
	}
	r = req_create(d, m, REQ_SET_PGRP);
	if (!r)
		return -ENOMEM;
	r->pgid = (uint32_t)pgid;
	r->sid = who.sid;
	return ask(r, TERN_PM_SESSION_TTY, (uint64_t)pgid, 0);
}

/* ---- opening ---- */

static long give(struct desc *d, uint64_t token, int meta)
{
	static const unsigned modes[4] = { TERN_R_READ, TERN_R_WRITE, TERN_R_READ | TERN_R_WRITE,
					   0 };
	long r = tern_give_session(token, 0, modes[d->flags & O_ACCMODE] | TERN_R_IO | TERN_R_TRANSFER,
				   TERN_KIND_TTY, pool_badge(&server->descs, d), d->ident,
				   (uint64_t)(d->master ? d->tty->pty->rid : d->tty->rid), meta);

	if (meta >= 0)
		tern_close(meta);
	if (r < 0)
		desc_free(d);
	return r < 0 ? r : 0;
}

struct desc *desc_create(struct tty *t, uint64_t flags, uint64_t ident)
{
	struct desc *d = pool_alloc(&server->descs);

	if (d) {
		d->tty = t;
		d->flags = ((uint32_t)flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)) | O_LARGEFILE;
		d->ident = ident;
	}
	return d;
}

void desc_free(struct desc *d)
{
	struct pty *p = d->tty->pty;
	bool master = d->master;

	pool_free(&server->descs, d);
	if (p)
		pty_closed(p, master);
}

/* Opens /dev/ptmx; vfs has chosen the number of the new pty. */
static long open_master(struct tern_msg *m, uint64_t flags)
{
	struct desc *d = pty_open_master((uint32_t)(m->word[0] >> 32), flags, m->word[1]);
	int meta = (int)m->handle;

	if (!d)
		return -ENOMEM;
	m->handle = -1;
	return give(d, m->token, meta);
}

/* Finds the terminal that a device number names; /dev/tty is the session's own. */
static struct tty *tty_of_device(uint64_t device, uint32_t session)
{
	if (device == DEV_TTY)
		return tty_of_session(session);
	return device >> 8 == PTS_MAJOR ? pty_find(device & 0xff) : &server->console;
}

/* Opens a terminal by its device number.  If that succeeds or waits, it consumes the handle that
 * came with m (the meta session). */
static long open_device(struct tern_msg *m, uint64_t flags)
{
	struct tern_caller who;
	struct desc *d;
	struct req *r;
	struct tty *t;
	int meta = (int)m->handle;
	long result = tern_caller(m->token, &who);

	if (result < 0)
		return result;
	t = tty_of_device(m->word[0], who.sid);
	if (!t)
		return m->word[0] == DEV_TTY ? -ENXIO : -EIO;
	if (t->pty && t->pty->locked)
		return -EIO;
	if (t->exclusive && !cred_capable(&who.cred, CAP_SYS_ADMIN))
		return -EBUSY;
	d = desc_create(t, flags, m->word[1]);
	if (!d)
		return -ENOMEM;
	if (t->pty)
		pty_opened(t->pty);
	if (!(flags & O_NOCTTY) && !(m->op & TERN_MSG_ASYNC) && is_leader(&who) &&
	    !tty_of_session(who.sid)) {
		if (!t->session) {
			take(t, who.sid, who.pgid);
		} else if ((r = req_create(d, m, REQ_OPEN))) {
			r->sid = who.sid;
			r->pgid = who.pgid;
			r->pid = t->session;
			r->meta = meta;
			/* If pm cannot be asked, the terminal is opened without becoming the
			 * caller's controlling terminal. */
			if (ask(r, TERN_PM_SESSION_TTY, t->session, 0) == SERVER_NO_REPLY) {
				m->handle = -1;
				return SERVER_NO_REPLY;
			}
		}
	}
	m->handle = -1;
	return give(d, m->token, meta);
}

static long open_again(struct tern_msg *m, struct desc *d)
{
	if (d->tty->pty && d->tty->pty->hung)
		return -EIO;
	d = desc_create(d->tty, m->word[1], d->ident);
	if (d && d->tty->pty)
		pty_opened(d->tty->pty);
	return d ? give(d, m->token, -1) : -ENOMEM;
}

long tty_open(struct tern_msg *m)
{
	uint64_t flags = m->args[2];
	long result = -ENXIO;
	struct desc *d;

	if (!(m->op & TERN_MSG_FORWARDED))
		return -ENOSYS;
	if (m->word[0] == REOPEN && m->op & TERN_MSG_TRUSTED) {
		d = pool_lookup(&server->descs, m->badge);
		if (d && !d->master)
			result = open_again(m, d);
	} else if (m->badge == TERN_BADGE_FROM_VFS) {
		if (TERN_MSG_OP(m->op) == __NR_openat2 &&
		    tern_copy_in(m->token, 1, 0, &flags, sizeof flags) != (long)sizeof flags)
			result = -EFAULT;
		else if ((uint32_t)m->word[0] == DEV_PTMX)
			result = open_master(m, flags);
		else
			result = open_device(m, flags);
	}
	if (m->handle >= 0)
		tern_close((int)m->handle);
	return result;
}

/* ---- pm's answers ---- */

static bool owner_died(const struct req *r, const struct tty *t, long result)
{
	return !t->session || (t->session == r->pid && result != (long)r->pid);
}

void tty_answered(struct req *r, long result)
{
	struct tty *t = r->tty;
	uint64_t token = r->token;
	long reply = 0;

	switch (r->type) {
	case REQ_BACKGROUND:
		/* pm has signalled the caller's group by now: the call counts as interrupted
		 * with nothing done, so it is made again if the signal lets it. */
		reply = result < 0 ? -EIO : -TERN_ECANCELLED;
		break;
	case REQ_SET_PGRP:
		if (t->session != r->sid)
			reply = -ENOTTY;
		else if (result == -ESRCH)
			reply = -ESRCH;
		else if (result >= 0 && result != (long)r->sid)
			reply = -EPERM;
		else
			set_pgrp(t, r->pgid);
		break;
	case REQ_SET_TTY:
		if (owner_died(r, t, result))
			take(t, r->sid, r->pgid);
		else if (t->session != r->sid)
			reply = -EPERM;
		break;
	case REQ_OPEN:
		if (owner_died(r, t, result))
			take(t, r->sid, r->pgid);
		reply = give(r->desc, token, r->meta);
		break;
	default:
		return;
	}
	req_destroy(r);
	tern_reply(token, reply);
	t->asked--;
	if (t->pty)
		pty_try_free(t->pty);
}
