/*
 * sendfile and splice: the kernel makes the reads and writes itself.
 *
 * The calling thread sends read to the one server and write to the other, in turns, as if the
 * program did; the window of both is a buffer of the kernel's (call.buffer) in place of the program's
 * memory.  Between two answers the thread is in thread_exit_work (WORK_PAIR), where pair_step() makes
 * the next message of what came back.  First it asks what the kernel does not know of files: whether
 * the target appends.  What was read and could not be written goes back: by moving a file's offset, or by writing it to the end of the pipe that is read, which
 * the pipe server takes for that; a pipe is read once a call.
 * Only its own thread touches a pair.
 */
#include <arch/trap.h>
#include <asm/unistd.h>
#include <kernel/process.h>
#include <kernel/lib/string.h>
#include <kernel/linux/sys.h>
#include <linux/poll.h>
#include <mm/slab.h>
#include <tern/linux/fcntl.h>

#include "../../ipc/call_priv.h"

#define SEEK_CUR 1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_FLAGS 15

/* One side.  `at`: where the program keeps the offset; 0: the descriptor's own counts. */
struct end {
	s32 fd;
	va_t at;
	u64 offset;
	u64 ident;
	u8 kind; /* enum tern_kind */
	u8 rights;
	u32 ready;
};

struct pair {
	struct end in, out;
	u64 first; /* the call's argument 0 */
	u64 left, done;
	u64 have, sent; /* in the buffer; of them written */
	s64 error;	/* TURNING_BACK: what ended it */
	enum { BEGINNING, ASKED_FLAGS, READING, WRITING, TURNING_BACK } phase;
	u64 args[6]; /* of the message */
	char buffer[16 * 1024];
};

static bool is_pipe(const struct end *e)
{
	return e->kind == TERN_KIND_PIPE || e->kind == TERN_KIND_FIFO;
}

static bool has_offset(const struct end *e)
{
	return e->kind == TERN_KIND_FILE || e->kind == TERN_KIND_PROC;
}

static void pair_free(struct thread *t)
{
	thread_clear_work(t, WORK_PAIR);
	t->call.args = &t->regs.x[REG_A0];
	t->call.buffer = NULL;
	kfree_for(t->process, t->pair, sizeof *t->pair);
	t->pair = NULL;
}

void pair_forget(struct thread *t)
{
	if (t->pair)
		pair_free(t);
}

static s64 offset_put(struct thread *t, const struct end *e)
{
	return e->at ? put_user(t, e->at, &e->offset, sizeof e->offset) : 0;
}

static struct thread *finish(struct thread *t, s64 error)
{
	struct pair *p = t->pair;
	s64 r = p->done ? (s64)p->done : error;

	if (r >= 0 && (offset_put(t, &p->in) || offset_put(t, &p->out)))
		r = -EFAULT;
	pair_free(t);
	t->regs.x[REG_A0] = (u64)r;
	return t;
}

/* Sends call nr(fd, buffer at `from` or word, word, offset). */
static struct thread *send(struct thread *t, u32 nr, s32 fd, u64 a1, u64 a2, u64 a3)
{
	const struct syscall_line *line = &syscalls[nr];
	struct pair *p = t->pair;
	struct session *s;

	t->regs.x[REG_A0] = p->first;
	p->args[0] = (u32)fd;
	p->args[1] = a1;
	p->args[2] = a2;
	p->args[3] = a3;
	kernel_lock();
	s = handle_object(t->process->handles, (u32)fd, HANDLE_SESSION,
			  p->phase == TURNING_BACK ? 0 : line->rights);
	if (!s || s->endpoint->dead) {
		kernel_unlock();
		return finish(t, s ? -EIO : -EBADF);
	}
	t->call.more |= CALL_MORE_PAIR;
	call_begin(t, line, nr, s);
	return call_send_slowly(t, s);
}

static struct thread *read_more(struct thread *t)
{
	struct pair *p = t->pair;
	u64 n = MIN(p->left, sizeof p->buffer);

	p->phase = READING;
	return send(t, p->in.at ? __NR_pread64 : __NR_read, p->in.fd, 0, n, p->in.offset);
}

static struct thread *write_on(struct thread *t)
{
	struct pair *p = t->pair;

	p->phase = WRITING;
	return send(t, p->out.at ? __NR_pwrite64 : __NR_write, p->out.fd, p->sent, p->have - p->sent,
		    p->out.offset);
}

/* The end; what was read in vain goes back. */
static struct thread *turn_back(struct thread *t, s64 error)
{
	struct pair *p = t->pair;

	if (p->in.at || p->sent == p->have)
		return finish(t, error);
	p->phase = TURNING_BACK;
	p->error = error;
	if (is_pipe(&p->in))
		return send(t, __NR_pwrite64, p->in.fd, p->sent, p->have - p->sent, 0);
	return send(t, __NR_lseek, p->in.fd, p->sent - p->have, SEEK_CUR, 0);
}

struct thread *pair_step(struct thread *t)
{
	s64 r = (s64)t->regs.x[REG_A0];
	struct pair *p = t->pair;

	/* The servers may be anybody's: none gets or gives more than it was asked for. */
	if ((p->phase == READING || p->phase == WRITING) && r > (s64)p->args[2])
		return finish(t, -EIO);
	switch (p->phase) {
	case BEGINNING:
		if (p->out.kind != TERN_KIND_FILE)
			return read_more(t);
		p->phase = ASKED_FLAGS;
		return send(t, __NR_fcntl, p->out.fd, F_GETFL, 0, 0);
	case ASKED_FLAGS:
		return r < 0 ? finish(t, r) : r & O_APPEND ? finish(t, -EINVAL) : read_more(t);
	case READING:
		if (r <= 0)
			return finish(t, r == -EISDIR ? -EINVAL : r);
		p->have = (u64)r;
		p->sent = 0;
		return write_on(t);
	case WRITING:
		if (r <= 0)
			return turn_back(t, r);
		p->sent += (u64)r;
		p->done += (u64)r;
		p->left -= (u64)r;
		p->in.offset += (u64)r;
		p->out.offset += (u64)r;
		if (p->sent < p->have)
			return write_on(t);
		return p->left && !is_pipe(&p->in) ? read_more(t) : finish(t, 0);
	default:
		return finish(t, p->error);
	}
}

/* ---- the calls ---- */

/* What fd names.  EBADF, also without the right; EINVAL for objects of the kernel's own. */
static s64 end_init(struct thread *t, struct end *e, u64 fd, unsigned right)
{
	struct handle *h;
	struct session *s;
	s64 r = 0;

	e->fd = (s32)fd;
	kernel_lock();
	h = handle_find(t->process->handles, (u32)fd);
	if (!h || h->rights & TERN_R_PATH || (right & ~h->rights)) {
		r = -EBADF;
	} else if (h->type != HANDLE_SESSION) {
		r = -EINVAL;
	} else {
		s = h->object;
		e->rights = (u8)h->rights;
		e->kind = s->kind;
		e->ident = s->ident;
		e->ready = session_ready_bits(s);
	}
	kernel_unlock();
	return r;
}

/* The offset that the program keeps. */
static s64 offset_get(struct thread *t, struct end *e)
{
	return e->at ? get_user(t, &e->offset, e->at, sizeof e->offset) : 0;
}

/* No file has count bytes from the offset on. */
static bool is_beyond(const struct end *e, u64 count)
{
	return (s64)count < 0 || (s64)e->offset < 0 || (s64)(e->offset + count) < 0;
}

/* The turns begin on the way to user mode. */
static s64 pair_begin(struct thread *t, const struct end *in, const struct end *out, u64 count)
{
	struct pair *p;

	if (!count)
		return 0;
	p = kmalloc_for(t->process, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->in = *in;
	p->out = *out;
	p->first = t->regs.x[REG_A0];
	p->left = MIN(count, 0x7ffff000ull);
	/* A server may say that it has read, and not have. */
	memset(p->buffer, 0, MIN(p->left, sizeof p->buffer));
	p->done = 0;
	p->phase = BEGINNING;
	t->pair = p;
	t->call.args = p->args;
	t->call.buffer = p->buffer;
	thread_add_work(t, WORK_PAIR);
	return 0;
}

/* The checks of each call are in Linux's order. */
s64 sys_sendfile(struct thread *t, u64 *a)
{
	struct end in = { .at = a[2] }, out = { .at = 0 };
	s64 r = offset_get(t, &in);

	if (!r)
		r = end_init(t, &in, a[1], TERN_R_READ);
	if (r)
		return r;
	if (in.at && !has_offset(&in))
		return -ESPIPE;
	if (is_beyond(&in, a[3]))
		return -EINVAL;
	r = end_init(t, &out, a[0], TERN_R_WRITE);
	if (r)
		return r;
	return has_offset(&in) ? pair_begin(t, &in, &out, a[3]) : -EINVAL;
}

s64 sys_splice(struct thread *t, u64 *a)
{
	struct end in = { .at = a[1] }, out = { .at = a[3] };
	s64 r;

	if (!a[4])
		return 0;
	if (a[5] & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	r = end_init(t, &in, a[0], 0);
	if (!r)
		r = end_init(t, &out, a[2], 0);
	if (r)
		return r;
	if ((is_pipe(&in) && in.at) || (is_pipe(&out) && out.at))
		return -ESPIPE;
	if (offset_get(t, &in) || offset_get(t, &out))
		return -EFAULT;
	if (!(in.rights & TERN_R_READ) || !(out.rights & TERN_R_WRITE))
		return -EBADF;
	if ((!is_pipe(&in) && !is_pipe(&out)) || (in.kind == out.kind && in.ident == out.ident))
		return -EINVAL;
	if (is_beyond(is_pipe(&in) ? &out : &in, a[4]))
		return -EINVAL;
	if (a[5] & SPLICE_F_NONBLOCK && !(in.ready & (POLLIN | POLLHUP) && out.ready & POLLOUT))
		return -EAGAIN;
	return pair_begin(t, &in, &out, a[4]);
}

/* There is no reading without taking out. */
s64 sys_tee(struct thread *t, u64 *a)
{
	struct end in, out;
	s64 r;

	if (a[3] & ~(u64)SPLICE_FLAGS)
		return -EINVAL;
	if (!a[2])
		return 0;
	r = end_init(t, &in, a[0], TERN_R_READ);
	if (!r)
		r = end_init(t, &out, a[1], TERN_R_WRITE);
	return r ? r : -EINVAL;
}
