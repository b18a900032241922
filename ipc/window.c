/*
 * Windows: the caller's memory that a server may touch while it holds the call.
 *
 * A window is worked out from the line in kernel/linux/syscalls.def and the caller's arguments at copy
 * time; at delivery only its range is checked.  An iovec array is seen as one window by offset.
 * A window is looked at without the kernel lock, the call pinned.
 */
#include <kernel/native.h>
#include <linux/uio.h>

#include "call_priv.h"

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

/* The piece of an iovec's buffers that holds byte `off` of them: 1, 0 at their end, or an errno. */
static s64 iovec_piece(struct call *c, const struct window *w, u64 off, va_t *at, u64 *n)
{
	u64 count = (u32)c->args[w->len], total = 0;
	struct iovec v[8];

	for (u64 i = 0; i < count; i++) {
		const struct iovec *e = &v[i % ARRAY_SIZE(v)];
		u64 some = MIN(count - i, ARRAY_SIZE(v)), len;

		if (i % ARRAY_SIZE(v) == 0 &&
		    copy_from_user(c->thread->aspace, v, c->args[w->arg] + i * sizeof v[0],
				   some * sizeof v[0]) != some * sizeof v[0])
			return -EFAULT;
		if ((s64)e->iov_len < 0)
			return -EINVAL;
		len = MIN(e->iov_len, MAX_TRANSFER - total);
		total += len;
		if (off < len) {
			*at = (va_t)e->iov_base + off;
			*n = len - off;
			return 1;
		}
		off -= len;
	}
	return 0;
}

const struct window *window_of(const struct call *c, unsigned win)
{
	return win < c->line->nwin ? &c->line->win[win] : NULL;
}

s64 window_piece(struct call *c, unsigned win, unsigned dir, u64 off, va_t *at, u64 *n)
{
	const struct window *w = window_of(c, win);
	const u64 *a = c->args;
	unsigned allowed;
	va_t base;
	u64 len;

	if (unlikely(!w))
		return -EINVAL;
	allowed = w->kind;
	base = a[w->arg];
	switch (w->kind) {
	case WIN_IOV_IN:
	case WIN_IOV_OUT:
		return (allowed & dir) != dir ? -EACCES : iovec_piece(c, w, off, at, n);
	case WIN_ANY:
		*at = off;
		*n = MAX_TRANSFER;
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
	*at = base + off;
	*n = len - off;
	return 1;
}

s64 native_window_length(struct thread *t, struct call *c, u64 *a)
{
	const struct window *w = window_of(c, (unsigned)a[1]);
	u64 total = 0, n;
	va_t at;
	s64 r;

	(void)t;
	if (!w)
		return -EINVAL;
	if (w->kind <= WIN_IO)
		return (s64)window_bytes(w, c->args);
	if ((w->kind != WIN_IOV_IN && w->kind != WIN_IOV_OUT) || !c->thread->aspace)
		return -EINVAL;
	while ((r = iovec_piece(c, w, total, &at, &n)) > 0)
		total += n;
	return r < 0 ? r : (s64)total;
}
