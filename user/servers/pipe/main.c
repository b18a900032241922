/* The pipe server: pipes, FIFOs, eventfds and timerfds.
 *
 * This file is the table from operation to function and what all kinds share: flags, stat, ioctl,
 * and the events of waiting calls.  The objects are in pipe_ops.c (pipes), fifo.c (making and
 * opening) and eventfd.c.  All state hangs on `server`.
 */
#include <linux/mman.h>
#include <stdlib.h>
#include <string.h>
#include <server/stat.h>
#include <server/termios.h>
#include <tern/linux/time.h>

#include "pipe_priv.h"

const char server_name[] = "pipe";
const unsigned server_bind_flags = TERN_BIND_BYTES;
struct pipe_server *server;

#define SETTABLE (O_APPEND | O_NONBLOCK)
#define RWF_KNOWN 0x3fu
#define SPLICE_F_NONBLOCK 2u

/* The desc of the call's session.  NULL: the call is about an object of the kernel's (epoll,
 * signalfd), whose rarer calls the kernel sends to this server. */
static struct desc *desc_of(struct tern_msg *m)
{
	return pool_lookup(&server->descs, m->badge);
}

static long read_any(struct desc *d, uint64_t token, uint64_t len, bool nonblock)
{
	if (d->kind == DESC_PIPE)
		return pipe_read(d, token, len, nonblock);
	return event_read(d, token, len, nonblock);
}

/* came: how many of the bytes to be written lie in the message page already: all of them, or 0. */
static long write_any(struct desc *d, uint64_t token, uint64_t len, uint64_t came, bool nonblock)
{
	if (d->kind == DESC_PIPE)
		return pipe_write(d, token, len, came, nonblock);
	return event_write(d, token, len, came, nonblock);
}

#define LENGTH_MAX 0x7ffff000ull

static uint64_t length(struct tern_msg *m)
{
	return m->args[2] < LENGTH_MAX ? m->args[2] : LENGTH_MAX;
}

static long do_read(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	if (!d)
		return server_default(m);
	return read_any(d, m->token, length(m), d->flags & O_NONBLOCK);
}

static long do_write(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	if (!d)
		return server_default(m);
	return write_any(d, m->token, length(m), server_came(m), d->flags & O_NONBLOCK);
}

static long vector(struct tern_msg *m, bool write, bool nonblock)
{
	struct desc *d = desc_of(m);
	long n;

	if (!d)
		return server_default(m);
	n = tern_window_length(m->token, 0);
	if (n < 0)
		return n;
	nonblock = nonblock || d->flags & O_NONBLOCK;
	return write ? write_any(d, m->token, (uint64_t)n, 0, nonblock) :
		       read_any(d, m->token, (uint64_t)n, nonblock);
}

static long do_readv(struct tern_msg *m)
{
	return vector(m, false, false);
}

static long do_writev(struct tern_msg *m)
{
	return vector(m, true, false);
}

/* preadv2 and pwritev2: with the offset -1 they do what readv and writev do; a pipe has no
 * other. */
static long vector2(struct tern_msg *m, bool write)
{
	struct desc *d = desc_of(m);
	unsigned flags = (unsigned)m->args[5];

	if (!d)
		return server_default(m);
	if (m->args[3] != ~0ull)
		return -ESPIPE;
	if (flags & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	return vector(m, write, flags & RWF_NOWAIT);
}

static long do_preadv2(struct tern_msg *m)
{
	return vector2(m, false);
}

static long do_pwritev2(struct tern_msg *m)
{
	return vector2(m, true);
}

/* vmsplice waits while the pipe is full; where there is some room it writes what fits and waits
 * for no more. */
static long do_vmsplice(struct tern_msg *m)
{
	struct desc *d = desc_of(m);
	uint32_t room;
	long n;

	if (!d || d->kind != DESC_PIPE || !(d->mode & MODE_W))
		return -EBADF;
	n = tern_window_length(m->token, 0);
	if (n < 0)
		return n;
	room = d->pipe->capacity - d->pipe->used;
	return write_any(d, m->token, (uint64_t)n, 0,
			 m->args[3] & SPLICE_F_NONBLOCK || room >= (n < PIPE_BUF ? n : PIPE_BUF));
}

static long do_pwrite(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	/* Only the kernel sends a write to a reading end: a splice gives back bytes that it has
	 * read from this pipe and could not write (kernel/linux/pair.c). */
	if (d && d->kind == DESC_PIPE && d->mode == MODE_R)
		return pipe_take_back(d->pipe, m->token, length(m));
	return server_default(m);
}

static long do_lseek(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	if ((uint32_t)m->args[2] > SEEK_HOLE)
		return -EINVAL;
	return d && d->kind == DESC_PIPE ? -ESPIPE : 0;
}

static long do_fallocate(struct tern_msg *m)
{
	struct desc *d = desc_of(m);
	long r = server_default(m);

	return r == -ENODEV && d && d->kind == DESC_PIPE ? -ESPIPE : r;
}

/* A pipe cannot be mapped: ENODEV; but, as on Linux, an end that may not be read or written so
 * is told EACCES first. */
static long do_mmap(struct tern_msg *m)
{
	struct desc *d = desc_of(m);
	bool shared = (m->args[3] & MAP_TYPE) != MAP_PRIVATE;

	if (d && d->kind == DESC_PIPE &&
	    (!(d->mode & MODE_R) || (shared && m->args[2] & PROT_WRITE && !(d->mode & MODE_W))))
		return -EACCES;
	return -ENODEV;
}

static long do_fcntl(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	if (!d)
		return server_default(m);
	switch ((uint32_t)m->args[1]) {
	case F_GETFL:
		return d->flags;
	case F_SETFL:
		if (m->args[2] & O_DIRECT)
			return -EINVAL;
		d->flags = (d->flags & ~(unsigned)SETTABLE) | ((unsigned)m->args[2] & SETTABLE);
		return 0;
	case F_SETPIPE_SZ:
		return d->kind == DESC_PIPE ? pipe_resize(m, d->pipe, (uint32_t)m->args[2]) :
					      -EBADF;
	case F_GETPIPE_SZ:
		return d->kind == DESC_PIPE ? (long)d->pipe->capacity : -EBADF;
	default:
		return server_fcntl(m);
	}
}

static long do_ioctl(struct tern_msg *m)
{
	struct desc *d = desc_of(m);
	int32_t v;

	if (!d)
		return server_default(m);
	switch ((uint32_t)m->args[1]) {
	case FIONREAD:
		if (d->kind != DESC_PIPE)
			return -ENOTTY;
		v = (int32_t)d->pipe->used;
		return server_out(m, 0, &v, sizeof v, 0);
	case FIONBIO:
		if (tern_copy_in(m->token, 0, 0, &v, sizeof v) != (long)sizeof v)
			return -EFAULT;
		d->flags = v ? d->flags | O_NONBLOCK : d->flags & ~(unsigned)O_NONBLOCK;
		return 0;
	default:
		return server_ioctl(m);
	}
}

static void fill_stat(struct desc *d, uint64_t badge, struct stat *st)
{
	struct pipe *p = d->pipe;

	if (d->kind != DESC_PIPE) {
		server_fill_stat(st, 0600, badge, 0, 0);
		return;
	}
	if (!p->born)
		p->born = tern_clock_ns(TERN_CLOCK_REALTIME);
	server_fill_stat(st, S_IFIFO | p->mode, p->ident, p->uid, p->gid);
	st->st_atime = st->st_mtime = st->st_ctime = (int64_t)(p->born / 1000000000u);
	st->st_atime_nsec = st->st_mtime_nsec = st->st_ctime_nsec = p->born % 1000000000u;
}

static long do_fstat(struct tern_msg *m)
{
	struct desc *d = desc_of(m);
	struct stat st;

	if (!d)
		return server_default(m);
	fill_stat(d, m->badge, &st);
	return server_give_stat(m, &st);
}

/* The pipe that a chmod or chown is about.  NULL: with *err 0 it is no pipe and nothing changes,
 * with -EPERM the caller is not its owner. */
static struct pipe *pipe_of_owner(struct tern_msg *m, long *err)
{
	struct desc *d = desc_of(m);

	*err = 0;
	if (!d || d->kind != DESC_PIPE)
		return NULL;
	owner_learn(m);
	if (server->uid == d->pipe->uid || server->privileged)
		return d->pipe;
	*err = -EPERM;
	return NULL;
}

static long do_fchmod(struct tern_msg *m)
{
	long err;
	struct pipe *p = pipe_of_owner(m, &err);

	if (p)
		p->mode = (uint32_t)m->args[1] & 07777;
	return err;
}

static long do_fchown(struct tern_msg *m)
{
	uint32_t uid = (uint32_t)m->args[1], gid = (uint32_t)m->args[2];
	long err;
	struct pipe *p = pipe_of_owner(m, &err);

	if (!p)
		return err;
	if (!server->privileged && ((uid != ~0u && uid != p->uid) || (gid != ~0u && gid != server->gid)))
		return -EPERM;
	if (uid != ~0u)
		p->uid = uid;
	if (gid != ~0u)
		p->gid = gid;
	return 0;
}

static long do_fadvise(struct tern_msg *m)
{
	struct desc *d = desc_of(m);

	return d && d->kind == DESC_PIPE ? -ESPIPE : server_default(m);
}

/* ---- events ---- */

static void closed(uint64_t badge, uint64_t sid)
{
	struct desc *d = pool_lookup(&server->descs, badge);

	(void)sid;
	if (d)
		desc_drop(d);
	reply_done();
}

/* Takes a waiting read or write out of its queue and frees its req; *done: the bytes that it has
 * moved. False: no such call waits, as it has been answered meanwhile. */
static bool withdraw(uint64_t badge, uint64_t token, uint64_t *done)
{
	struct desc *d = pool_lookup(&server->descs, badge);
	struct queue *q;
	struct req *r;

	if (!d)
		return false;
	q = d->kind == DESC_PIPE ? &d->pipe->rq : &d->rq;
	r = queue_find(q, token);
	if (!r) {
		q = d->kind == DESC_PIPE ? &d->pipe->wq : &d->wq;
		r = queue_find(q, token);
	}
	if (!r)
		return false;
	*done = d->kind == DESC_PIPE ? r->done : 0;
	queue_remove(q, r);
	req_free(r);
	return true;
}

static void say_again(struct desc *d)
{
	if (d && d->kind == DESC_PIPE)
		pipe_sync_again(d->pipe);
	else if (d)
		word_again(&d->word);
}

static void end_waiting(uint64_t badge, uint64_t token, bool gone)
{
	struct desc *d;
	uint64_t done;

	if (!withdraw(badge, token, &done)) {
		/* The caller was killed before it got its answer, so the readiness bits that the
		 * answer carried are lost and are set once more. */
		if (!fifo_cancel(token, gone) && gone)
			say_again(pool_lookup(&server->descs, badge));
		reply_done();
		return;
	}
	/* A writer behind the one that went may need less room than it, and go on now. */
	d = pool_lookup(&server->descs, badge);
	if (d->kind == DESC_PIPE && d->pipe->wq.first) {
		pipe_refill(d->pipe);
		pipe_sync(d->pipe, false);
	}
	if (!gone)
		tern_reply(token, done ? (long)done : -TERN_ECANCELLED);
	reply_done();
}

static void cancel(uint64_t badge, uint64_t token)
{
	end_waiting(badge, token, false);
}

static void gone(uint64_t badge, uint64_t token)
{
	end_waiting(badge, token, true);
}

static void event(struct tern_msg *m)
{
	if (TERN_MSG_OP(m->op) == TERN_EV_TIMER)
		timerfd_event();
	else if (TERN_MSG_OP(m->op) == TERN_EV_COPY_SHORT)
		pipe_fell_short(m->token, (int64_t)m->args[0]);
}

/* ---- the table ---- */

static const server_handler calls[512] = {
	[__NR_eventfd2] = event_create,
	[__NR_fcntl] = do_fcntl,
	[__NR_ioctl] = do_ioctl,
	[__NR_fallocate] = do_fallocate,
	[__NR_fchmod] = do_fchmod,
	[__NR_fchown] = do_fchown,
	[__NR_openat] = pipe_open,
	[__NR_pipe2] = pipe_pipe2,
	[__NR_lseek] = do_lseek,
	[__NR_read] = do_read,
	[__NR_write] = do_write,
	[__NR_readv] = do_readv,
	[__NR_writev] = do_writev,
	[__NR_pwrite64] = do_pwrite,
	[__NR_vmsplice] = do_vmsplice,
	[__NR_newfstatat] = do_fstat,
	[__NR_fstat] = do_fstat,
	[__NR_timerfd_create] = timerfd_create,
	[__NR_timerfd_settime] = timerfd_settime,
	[__NR_clock_settime] = timerfd_clock_set, /* forwarded by pm */
	[__NR_settimeofday] = timerfd_clock_set,
	[__NR_adjtimex] = timerfd_clock_set,
	[__NR_clock_adjtime] = timerfd_clock_set,
	[__NR_timerfd_gettime] = timerfd_gettime,
	[__NR_mmap] = do_mmap,
	[__NR_fadvise64] = do_fadvise,
	[__NR_preadv2] = do_preadv2,
	[__NR_pwritev2] = do_pwritev2,
	[__NR_statx] = do_fstat,
	[__NR_openat2] = pipe_open,
};

const struct server_ops pipe_server_ops = {
	.calls = calls,
	.closed = closed,
	.cancel = cancel,
	.gone = gone,
	.event = event,
};

void pipe_server_init(void)
{
	server = calloc(1, sizeof *server);
	if (!server)
		server_panic("no memory");
	pool_init(&server->descs, sizeof(struct desc));
	pool_init(&server->pipes, sizeof(struct pipe));
	pool_init(&server->reqs, sizeof(struct req));
}

int main(void)
{
	pipe_server_init();
	server_run(&pipe_server_ops);
}
