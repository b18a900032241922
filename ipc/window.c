/*
 * Windows: the caller's memory that a server may touch while it holds the call.
 *
 * A window is worked out from the line in kernel/linux/syscalls.def and the caller's arguments at copy
 * time; at delivery only its range is checked.  An iovec array is seen as one window by offset.
 * Copies run without the kernel lock, the call pinned.
 */
#include <arch/cpu.h>
#include <kernel/native.h>
#include <kernel/lib/string.h>
#include <linux/uio.h>
#include <mm/frame.h>

#include "call_priv.h"

/* A straight piece of a window. */
struct piece {
	va_t at;
	u64 len;
};

/* Size and direction of an ioctl's argument from its request number; the old terminal numbers
 * say nothing, so they get a bound. */
static u64 ioctl_length(u64 request, unsigned *dir)
{
	u64 size = (request >> 16) & 0x3fff;
	unsigned d = (unsigned)(request >> 30) & 3;

	if (size == 0 || d == 0) {
		*dir = WINDOW_IN | WINDOW_OUT;
		return 128;
	}
	*dir = d == 1 ? WINDOW_IN : d == 2 ? WINDOW_OUT : WINDOW_IN | WINDOW_OUT;
	return size;
}

s64 windows_check(const struct syscall_line *line, const u64 *a)
{
	for (const struct window *w = line->win, *end = w + line->nwin; w < end; w++) {
		u64 n;

		switch (w->kind) {
		case WIN_IN:
		case WIN_OUT:
		case WIN_IO:
			/* Fixed sizes are bounds; what is not there shows when it is copied. */
			if (w->len == LEN_CONST)
				break;
			n = window_bytes(w, a);
			if (unlikely(n && !user_range_ok(a[w->arg], n)))
				return -EFAULT;
			break;
		case WIN_IOV_IN:
		case WIN_IOV_OUT:
			if (a[w->len] > UIO_MAXIOV)
				return -EINVAL;
			if (!user_range_ok(a[w->arg], a[w->len] * sizeof(struct iovec)))
				return -EFAULT;
			break;
		}
	}
	return 0;
}

/* The piece of an iovec's buffers that holds byte `off` of them: likewise. */
static s64 iovec_piece(struct call *c, const struct window *w, u64 off, struct piece *p)
{
	u64 count = (u32)c->args[w->len], total = 0;
	struct iovec v[8];

	for (u64 i = 0; i < count; i++) {
		const struct iovec *e = &v[i % ARRAY_SIZE(v)];
		u64 n = MIN(count - i, ARRAY_SIZE(v)), len;

		if (i % ARRAY_SIZE(v) == 0 &&
		    copy_from_user(c->thread->aspace, v, c->args[w->arg] + i * sizeof v[0],
				   n * sizeof v[0]) != n * sizeof v[0])
			return -EFAULT;
		if ((s64)e->iov_len < 0)
			return -EINVAL;
		len = MIN(e->iov_len, MAX_TRANSFER - total);
		total += len;
		if (off < len) {
			p->at = (va_t)e->iov_base + off;
			p->len = len - off;
			return 1;
		}
		off -= len;
	}
	return 0;
}

/* The piece of window w that holds byte `off`: 1, 0 at its end, or an errno. */
static s64 window_piece(struct call *c, const struct window *w, unsigned dir, u64 off,
			struct piece *p)
{
	const u64 *a = c->args;
	va_t base = a[w->arg];
	unsigned allowed = w->kind;
	u64 len;

	switch (w->kind) {
	case WIN_IOV_IN:
	case WIN_IOV_OUT:
		return (allowed & dir) != dir ? -EACCES : iovec_piece(c, w, off, p);
	case WIN_ANY:
		p->at = off;
		p->len = MAX_TRANSFER;
		return 1;
	case WIN_IOC:
		len = ioctl_length(base, &allowed);
		base = a[w->len];
		break;
	default:
		len = window_bytes(w, a);
	}
	if (unlikely((allowed & dir) != dir))
		return -EACCES;
	if (off >= len)
		return 0;
	p->at = base + off;
	p->len = len - off;
	return 1;
}

static const struct window *find_window(struct call *c, unsigned win)
{
	return win < c->line->nwin ? &c->line->win[win] : NULL;
}

static s64 window_length(struct call *c, unsigned win)
{
	const struct window *w = find_window(c, win);
	struct piece p;
	u64 total = 0;
	s64 r;

	if (!w)
		return -EINVAL;
	if (w->kind <= WIN_IO)
		return (s64)window_bytes(w, c->args);
	if (w->kind != WIN_IOV_IN && w->kind != WIN_IOV_OUT)
		return -EINVAL;
	while ((r = iovec_piece(c, w, total, &p)) > 0)
		total += p.len;
	return r < 0 ? r : (s64)total;
}

s64 native_window_length(struct thread *t, struct call *c, u64 *a)
{
	(void)t;
	return window_length(c, (unsigned)a[1]);
}

/* ---- copying ---- */

typedef size_t (*copy_fn)(struct call *c, unsigned dir, va_t at, void *arg, u64 done, u64 n);

static s64 for_pieces(struct call *c, unsigned win, unsigned dir, u64 off, u64 n, copy_fn fn,
		      void *arg)
{
	const struct window *w = find_window(c, win);
	u64 done = 0;

	if (unlikely(!w))
		return -EINVAL;
	if (unlikely(!c->thread->aspace))
		return -EFAULT;
	while (done < n) {
		struct piece p;
		s64 r = window_piece(c, w, dir, off + done, &p);
		u64 want, got;

		if (r <= 0) {
			if (r < 0 && !done)
				return r;
			break;
		}
		want = MIN(MIN(p.len, n - done), COPY_STEP);
		got = fn(c, dir, p.at, arg, done, want);
		done += got;
		if (got == COPY_STEP) {
			arch_poll_interrupts();
			if (c->dying || current_thread()->work & WORK_KILLED)
				break; /* nobody is there any more to whom it matters */
		}
		if (got < want)
			return done ? (s64)done : pager_copy_short(c, p.at + got);
	}
	return (s64)done;
}

struct local_arg {
	struct aspace *as;
	u64 at;
};

static size_t copy_local(struct call *c, unsigned dir, va_t at, void *arg, u64 done, u64 n)
{
	struct local_arg *l = arg;

	if (unlikely(c->buffer))
		return dir == WINDOW_IN ? copy_to_user(l->as, l->at + done, c->buffer + at, n) :
					  copy_from_user(l->as, c->buffer + at, l->at + done, n);
	return dir == WINDOW_IN ? aspace_copy(l->as, l->at + done, c->thread->aspace, at, n) :
				  aspace_copy(c->thread->aspace, at, l->as, l->at + done, n);
}

s64 window_copy_pieces(struct call *c, unsigned win, unsigned dir, u64 off, struct aspace *as,
		       u64 local, u64 n)
{
	return for_pieces(c, win, dir, off, n, copy_local, &(struct local_arg){ as, local });
}

/* Which way a native operation copies; 0: it does not say. */
static unsigned direction(u64 win)
{
	return win & TERN_COPY_IN ? WINDOW_IN : win & TERN_COPY_OUT ? WINDOW_OUT : 0;
}

s64 native_copy(struct thread *t, struct call *c, u64 *a)
{
	unsigned dir = direction(a[1]);

	return dir ? window_copy(c, a[1] & 0xff, dir, a[2], t->aspace, a[3], a[4]) : -EINVAL;
}

struct memobj_arg {
	struct memobj *m;
	u64 off;
};

static size_t copy_memobj(struct call *c, unsigned dir, va_t at, void *arg, u64 done, u64 n)
{
	struct memobj_arg *m = arg;
	u64 off = m->off + done;
	long r;

	if (unlikely(c->buffer))
		r = dir == WINDOW_IN ? memobj_write(m->m, off, c->buffer + at, n) :
				       memobj_read(m->m, off, c->buffer + at, n);
	else
		r = dir == WINDOW_IN ? memobj_copy_in(m->m, off, c->thread->aspace, at, n) :
				       memobj_copy_out(m->m, off, c->thread->aspace, at, n);
	return r < 0 ? 0 : (size_t)r;
}

s64 window_copy_memobj_pieces(struct call *c, unsigned win, unsigned dir, u64 off, struct memobj *m,
			      u64 obj_off, u64 n)
{
	return for_pieces(c, win, dir, off, n, copy_memobj, &(struct memobj_arg){ m, obj_off });
}

s64 native_copy_memobj(struct thread *t, struct call *c, u64 *a)
{
	unsigned dir = direction(a[1]);
	struct memobj *m;
	s64 r;

	if (!dir)
		return -EINVAL;
	/* Files leave some memory to those who run. */
	if (dir == WINDOW_IN && frames_scarce(12))
		return -ENOMEM;
	m = memobj_of(t, a[3], dir == WINDOW_IN ? TERN_R_WRITE : TERN_R_READ);
	if (!m)
		return -EBADF;
	r = window_copy_memobj(c, a[1] & 0xff, dir, a[2], m, a[4], a[5]);
	memobj_put(m);
	return r;
}

struct move_arg {
	struct call *to;
	unsigned win;
	u64 off;
	s64 err;
};

static size_t copy_call(struct call *c, unsigned dir, va_t at, void *arg, u64 done, u64 n)
{
	struct move_arg *m = arg;
	s64 r = window_copy(m->to, m->win, WINDOW_OUT, m->off + done, c->thread->aspace, at, n);

	(void)dir;
	if (r < 0) {
		m->err = r;
		return 0;
	}
	return (size_t)r;
}

/* From memory of the kernel's. */
static size_t copy_kernel(struct call *c, unsigned dir, va_t at, void *arg, u64 done, u64 n)
{
	(void)dir;
	if (!c->buffer)
		return copy_to_user(c->thread->aspace, at, (char *)arg + done, n);
	memcpy(c->buffer + at, (char *)arg + done, n);
	return n;
}

/* One copy from a writer to a reader.  A short result may be the destination's end; whether
 * source or destination faulted is found by touching the source. */
static s64 window_move(struct call *from, unsigned fwin, u64 foff, struct call *to, unsigned twin,
		       u64 toff, u64 n)
{
	struct move_arg m = { to, twin, toff, 0 };
	s64 room = window_length(to, twin), r;
	u8 byte;
	struct piece p;

	if (room < 0)
		return -TERN_EDEST;
	if (toff >= (u64)room || n == 0)
		return 0;
	n = MIN(n, (u64)room - toff);
	if (from->buffer) {
		u64 there = window_length(from, fwin);

		n = foff < there ? MIN(n, there - foff) : 0;
		r = for_pieces(to, twin, WINDOW_OUT, toff, n, copy_kernel,
			       from->buffer + from->args[1] + foff);
		return r == -EFAULT ? -TERN_EDEST : r;
	}
	r = for_pieces(from, fwin, WINDOW_IN, foff, n, copy_call, &m);
	if (r != -EFAULT)
		return r;
	if (window_piece(from, find_window(from, fwin), WINDOW_IN, foff, &p) == 1 &&
	    copy_from_user(from->thread->aspace, &byte, p.at, 1) == 1)
		return -TERN_EDEST;
	return -EFAULT;
}

s64 native_move(struct thread *t, struct call *from, u64 *a)
{
	struct call *to;
	s64 r;

	kernel_lock();
	to = call_lookup(t, a[2]);
	if (to)
		call_pin(to);
	kernel_unlock();
	if (!to)
		return -TERN_EDEST;
	r = window_move(from, a[1] & 0xff, a[1] >> 8, to, a[3] & 0xff, a[3] >> 8, a[4]);
	kernel_lock();
	call_unpin(to);
	kernel_unlock();
	return r;
}

/* A caller's string, as aspace_copy_string() returns it, or EAGAIN. */
static s64 copy_string(struct call *c, struct aspace *as, u64 to, va_t from, u64 size)
{
	s64 r = aspace_copy_string(as, to, c->thread->aspace, from, size);
	va_t end = from < USER_MAX ? from + MIN(size, USER_MAX - from) : 0;

	/* It may be any of the pages up to the NUL. */
	for (va_t at = from; r == -EFAULT && at < end; at = PAGE_DOWN(at) + PAGE_SIZE)
		r = pager_copy_short(c, at);
	return r;
}

s64 native_copy_str(struct thread *t, struct call *c, u64 *a)
{
	const struct window *w = find_window(c, (unsigned)a[1]);
	u64 size = a[3];
	s64 r;

	if (!w || (w->kind != WIN_STR && w->kind != WIN_ANY))
		return -EINVAL;
	if (!c->thread->aspace)
		return -EFAULT;
	r = copy_string(c, t->aspace, a[2], c->args[w->arg], size);
	return r < 0 || (u64)r < size ? r : -ENAMETOOLONG;
}

/* A NULL-ended vector of strings, packed: each with its NUL, one behind the other. */
s64 native_copy_strv(struct thread *t, struct call *c, u64 *a)
{
	const struct window *w = find_window(c, (unsigned)a[1]);
	u64 size = a[3], done = 0, count = 0;
	va_t at, string;
	s64 r;

	if (!w || w->kind != WIN_STRV)
		return -EINVAL;
	if (!c->thread->aspace)
		return -EFAULT;
	for (at = c->args[w->arg]; at; at += 8, count++) {
		if (copy_from_user(c->thread->aspace, &string, at, 8) != 8)
			return pager_copy_short(c, at);
		if (!string)
			break;
		r = copy_string(c, t->aspace, a[2] + done, string, size - done);
		if (r < 0)
			return r;
		if ((u64)r == size - done)
			return -E2BIG;
		done += (u64)r + 1;
	}
	return a[4] && put_user(t, a[4], &count, sizeof count) ? -EFAULT : (s64)done;
}
