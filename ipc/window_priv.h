/* The short way of windows: plain bytes, inlined where a message is sent and where a copy begins.
 * What it does not know, ipc/window.c and ipc/copy.c do. */
#pragma once

#include <ipc/call.h>
#include <ipc/pager.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>
#include <tern/linux/errno.h>

#define MAX_TRANSFER 0x7ffff000ul
#define COPY_STEP (64ul << 10) /* after so much it is looked whether both ends still live */

/* Bytes of a plain window. */
static inline u64 window_bytes(const struct window *w, const u64 *a)
{
	u64 n;

	if (w->len == LEN_CONST)
		return w->plus;
	n = a[w->len];
	if (unlikely(n > MAX_TRANSFER))
		n = MAX_TRANSFER;
	return (likely(w->times == 1) ? n : n * w->times) + w->plus;
}

/* Where byte `off` of a plain window is, with *n cut down to what the window has from there on.
 * False: the long way finds out. */
static inline bool window_straight(struct call *c, unsigned win, unsigned dir, u64 off, u64 *n,
				   va_t *at)
{
	const struct window *w = &c->line->win[win];
	u64 len = c->window_len;
	va_t base = c->window_at;

	if (win || !len) {
		if (unlikely(win >= c->line->nwin || w->kind > WIN_IO || c->buffer || !c->thread->aspace))
			return false;
		len = window_bytes(w, c->args);
		base = c->args[w->arg];
	}
	if (unlikely((w->kind & dir) != dir || off > len))
		return false;
	*n = MIN(*n, len - off);
	if (unlikely(*n > COPY_STEP))
		return false;
	*at = base + off;
	return true;
}

/* windows_check(); true: it found nothing.  Where the one plain window of a line is, if it has bytes;
 * else *len is 0. */
static inline bool windows_check_inline(const struct syscall_line *line, const u64 *a, va_t *at, u64 *len)
{
	const struct window *w = line->win;

	*len = 0;
	if (unlikely(line->nwin != 1 || w->kind > WIN_IO))
		return !windows_check(line, a);
	*len = window_bytes(w, a);
	*at = a[w->arg];
	return w->len == LEN_CONST || likely(!*len || user_range_ok(*at, *len));
}

/* What TERN_COPY and a reply copy from or to (ipc/copy.c): one of call, as and m is there. */
struct copy_end {
	struct call *call; /* its window `win`; held and pinned */
	struct aspace *as, *space; /* space: as, if it is counted */
	struct memobj *m; /* counted */
	u64 off; /* or address */
	unsigned win;
};
/* Bytes; an errno if there are none: EFAULT, EACCES (direction), EINVAL (no such window), EAGAIN (its
 * pager brings the page), ENOMEM, -TERN_EDEST (of two windows the second failed).  No lock held. */
s64 copy_ends(const struct copy_end *from, const struct copy_end *to, u64 n);
/* The window's piece from byte `off` on: 1, 0 at its end, or an errno.  No lock held (ipc/window.c). */
s64 window_piece(struct call *c, unsigned win, unsigned dir, u64 off, va_t *at, u64 *n);
/* NULL: the call has no such window. */
const struct window *window_of(const struct call *c, unsigned win);

/* Copies of a reply between the window from its beginning and the server's memory, or its object. */
static inline s64 window_copy(struct call *c, unsigned win, unsigned dir, struct aspace *as, u64 local,
			      u64 n)
{
	struct aspace *client = c->thread->aspace;
	u64 got;
	va_t at;

	if (unlikely(!window_straight(c, win, dir, 0, &n, &at))) {
		struct copy_end w = { .call = c, .win = win }, own = { .as = as, .off = local };

		return dir == WINDOW_IN ? copy_ends(&w, &own, n) : copy_ends(&own, &w, n);
	}
	got = dir == WINDOW_IN ? aspace_copy(as, local, client, at, n) :
				 aspace_copy(client, at, as, local, n);
	return likely(got || !n) ? (s64)got : pager_copy_short(c, at);
}

static inline s64 window_copy_memobj(struct call *c, unsigned win, unsigned dir, struct memobj *m,
				     u64 obj_off, u64 n)
{
	struct aspace *client = c->thread->aspace;
	u64 size = READ_ONCE(m->size);
	long got;
	va_t at;

	if (unlikely(obj_off >= size))
		return 0;
	n = MIN(n, size - obj_off);
	if (unlikely(m->kind == MEMOBJ_PAGER && dir == WINDOW_IN))
		n = memobj_soil(m, obj_off, n);
	if (unlikely(!window_straight(c, win, dir, 0, &n, &at))) {
		struct copy_end w = { .call = c, .win = win }, object = { .m = m, .off = obj_off };

		return dir == WINDOW_IN ? copy_ends(&w, &object, n) : copy_ends(&object, &w, n);
	}
	got = dir == WINDOW_IN ? memobj_copy_in(m, obj_off, client, at, n) :
				 memobj_copy_out(m, obj_off, client, at, n);
	return likely(got || !n) ? got : pager_copy_short(c, at);
}
