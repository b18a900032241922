/*
 * TERN_COPY: bytes from one typed end to another.
 *
 * An end is the server's own memory, a window of a call that it holds, a memory object or a space
 * (enum tern_end); it is opened, and its rights and direction are checked, with the kernel lock, which
 * also pins a window's call and counts a reference of what a handle names.  The copy runs without the
 * lock, piece by piece: each end says where its bytes lie in one piece from an offset on (struct place).
 * The copy of a reply takes the short way of ipc/window_priv.h where there is one, else copy_ends().
 */
#include <arch/cpu.h>
#include <kernel/lib/string.h>
#include <kernel/native.h>
#include <mm/frame.h>

#include "call_priv.h"

/* Bytes that lie in one piece: in a space, in an object, or in a buffer of the kernel's. */
struct place {
	struct aspace *as;
	struct memobj *m;
	char *kernel;
	u64 at, len;
};

/* What e has from `done` bytes on: 1, 0 at its end, or an errno. */
static s64 end_place(const struct copy_end *e, unsigned dir, u64 done, struct place *p)
{
	u64 size;

	p->m = e->m;
	p->as = e->as;
	p->kernel = NULL;
	p->at = e->off + done;
	p->len = MAX_TRANSFER;
	if (e->call) {
		p->kernel = e->call->buffer;
		p->as = p->kernel ? NULL : e->call->thread->aspace;
		if (!p->as && !p->kernel)
			return -EFAULT;
		return window_piece(e->call, e->win, dir, p->at, &p->at, &p->len);
	}
	if (!e->m)
		return 1;
	size = READ_ONCE(e->m->size);
	if (p->at >= size)
		return 0;
	p->len = size - p->at;
	return 1;
}

/* Bytes, fewer than n where one of the places ends; or an errno. */
static long place_copy(const struct place *to, const struct place *from, u64 n)
{
	if (to->m && from->m)
		return -EINVAL;
	if (from->m)
		return to->as ? memobj_copy_out(from->m, from->at, to->as, to->at, n) :
				memobj_read(from->m, from->at, to->kernel + to->at, n);
	if (to->m)
		return from->as ? memobj_copy_in(to->m, to->at, from->as, from->at, n) :
				  memobj_write(to->m, to->at, from->kernel + from->at, n);
	if (to->as && from->as)
		return (long)aspace_copy(to->as, to->at, from->as, from->at, n);
	if (to->as)
		return (long)copy_to_user(to->as, to->at, from->kernel + from->at, n);
	if (from->as)
		return (long)copy_from_user(from->as, to->kernel + to->at, from->at, n);
	memcpy(to->kernel + to->at, from->kernel + from->at, n);
	return (long)n;
}

/* Why nothing at all could be copied between these places.  Of two windows it is the destination's
 * fault if the source can be read. */
static s64 copy_fault(const struct copy_end *from, const struct place *f, const struct copy_end *to,
		      const struct place *t)
{
	u8 byte;

	if (!from->call)
		return to->call && t->as ? pager_copy_short(to->call, t->at) : -EFAULT;
	if (to->call && (!f->as || copy_from_user(f->as, &byte, f->at, 1) == 1))
		return -TERN_EDEST;
	return f->as ? pager_copy_short(from->call, f->at) : -EFAULT;
}

static bool is_dying(const struct copy_end *e) { return e->call && e->call->dying; }

s64 copy_ends(const struct copy_end *from, const struct copy_end *to, u64 n)
{
	struct place f, t;
	u64 done = 0, part;
	long got;
	s64 r;

	while (done < n) {
		r = end_place(from, WINDOW_IN, done, &f);
		if (r > 0) {
			r = end_place(to, WINDOW_OUT, done, &t);
			if (r < 0 && from->call && to->call)
				r = -TERN_EDEST;
		}
		if (r <= 0)
			return done ? (s64)done : r;
		part = MIN(MIN(n - done, COPY_STEP), MIN(f.len, t.len));
		got = place_copy(&t, &f, part);
		if (got > 0)
			done += (u64)got;
		if (got == COPY_STEP) {
			arch_poll_interrupts();
			if (is_dying(from) || is_dying(to) || current_thread()->work & WORK_KILLED)
				return (s64)done; /* an end has died: nobody reads it */
		}
		if (got < (long)part)
			return done ? (s64)done : got ? got : copy_fault(from, &f, to, &t);
	}
	return (s64)done;
}

/* ---- strings ---- */

/* The caller's string at `from`, as aspace_copy_string() returns it, or EAGAIN. */
static s64 copy_string(struct call *c, struct aspace *as, u64 to, va_t from, u64 size)
{
	s64 r = aspace_copy_string(as, to, c->thread->aspace, from, size);
	va_t end = from < USER_MAX ? from + MIN(size, USER_MAX - from) : 0;

	/* The page that is missing may be any of those up to the NUL. */
	for (va_t at = from; r == -EFAULT && at < end; at = PAGE_DOWN(at) + PAGE_SIZE)
		r = pager_copy_short(c, at);
	return r;
}

/* A NULL-ended vector of strings, packed: each with its NUL, one behind the other. */
static s64 copy_vector(struct call *c, va_t at, const struct copy_end *to, u64 size)
{
	u64 done = 0, count = 0;
	va_t string;
	s64 r;

	for (; at; at += 8, count++) {
		if (copy_from_user(c->thread->aspace, &string, at, 8) != 8)
			return pager_copy_short(c, at);
		if (!string)
			break;
		r = copy_string(c, to->as, to->off + done, string, size - done);
		if (r < 0)
			return r;
		if ((u64)r == size - done)
			return -E2BIG;
		done += (u64)r + 1;
	}
	return (s64)(count << 32 | done);
}

static s64 copy_strings(const struct copy_end *from, const struct copy_end *to, u64 size)
{
	const struct window *w = from->call ? window_of(from->call, from->win) : NULL;
	va_t at;
	s64 r;

	if (!w || !to->as || (w->kind != WIN_STR && w->kind != WIN_STRV) || size > MAX_TRANSFER)
		return -EINVAL;
	if (!from->call->thread->aspace)
		return -EFAULT;
	at = from->call->args[w->arg];
	if (w->kind == WIN_STRV)
		return copy_vector(from->call, at, to, size);
	r = copy_string(from->call, to->as, to->off, at, size);
	return r < 0 || (u64)r < size ? r : -ENAMETOOLONG;
}

/* ---- opening ---- */

/* The end behind a handle: an object's, or a space's. */
static s64 end_open_handle(struct thread *t, struct copy_end *e, u32 h, unsigned kind, unsigned dir)
{
	u32 authority = dir == WINDOW_IN ? TERN_AUTH_INFO : TERN_AUTH_SYSTEM;
	s64 r;

	if (kind == TERN_END_MEMOBJ) {
		e->m = handle_object(t->process->handles, h, HANDLE_MEMOBJ,
				     dir == WINDOW_IN ? TERN_R_READ : TERN_R_WRITE);
		if (!e->m)
			return -EBADF;
		memobj_get(e->m);
		return 0;
	}
	if (kind != TERN_END_SPACE)
		return -EINVAL;
	if (!(t->process->authority & authority))
		return -EPERM;
	r = native_space(t, h, dir == WINDOW_IN ? HANDLE_PROCESS : HANDLE_ASPACE, &e->space);
	e->as = e->space;
	return r;
}

/* The end that `what` (TERN_FROM) and ref name, for a copy from it (WINDOW_IN) or to it.  Kernel lock
 * held. */
static inline s64 end_open(struct thread *t, struct copy_end *e, u64 ref, u64 off, unsigned what,
			   unsigned dir)
{
	e->as = e->space = NULL;
	e->call = NULL;
	e->m = NULL;
	e->off = off;
	e->win = what >> 4;
	switch (what & 15) {
	case TERN_END_OWN:
		e->as = t->aspace;
		return 0;
	case TERN_END_WINDOW:
		e->call = call_lookup(t, ref);
		if (unlikely(!e->call))
			return t->process->authority & TERN_AUTH_SERVE ? -ESRCH : -EPERM;
		call_pin(e->call);
		return 0;
	}
	return end_open_handle(t, e, (u32)ref, what & 15, dir);
}

/* Lets go of what was opened.  A space is put without the lock, as its last reference takes long. */
static inline void ends_close(struct copy_end *from, struct copy_end *to)
{
	if (from->call || to->call) {
		kernel_lock();
		if (from->call)
			call_unpin(from->call);
		if (to->call)
			call_unpin(to->call);
		kernel_unlock();
	}
	for (struct copy_end *e = from; e; e = e == from ? to : NULL) {
		if (unlikely(e->space))
			aspace_put(e->space);
		if (e->m)
			memobj_put(e->m);
	}
}

/* Where e lies in one piece of a space, with *n cut down to it; NULL: copy_ends() finds out. */
static inline struct aspace *end_straight(const struct copy_end *e, unsigned dir, u64 *n, va_t *at)
{
	if (e->call)
		return window_straight(e->call, e->win, dir, e->off, n, at) ? e->call->thread->aspace : NULL;
	*at = e->off;
	return e->as;
}

/* The part of n that may be written to e's object: files leave some memory to those who run, and a
 * pager's pages are written where they are. */
static s64 copy_limit(const struct copy_end *e, u64 n)
{
	u64 size = READ_ONCE(e->m->size);

	if (frames_scarce(12))
		return -ENOMEM;
	n = e->off < size ? MIN(n, size - e->off) : 0;
	return (s64)(e->m->kind == MEMOBJ_PAGER ? memobj_soil(e->m, e->off, n) : n);
}

/* Between two spaces it is one copy, mostly. */
static inline s64 copy_any(const struct copy_end *from, const struct copy_end *to, u64 n)
{
	struct aspace *source, *target;
	va_t from_at, to_at;
	u64 part = n, got;

	source = end_straight(from, WINDOW_IN, &part, &from_at);
	target = source ? end_straight(to, WINDOW_OUT, &part, &to_at) : NULL;
	if (unlikely(!target || part > COPY_STEP))
		return copy_ends(from, to, n);
	got = aspace_copy(target, to_at, source, from_at, part);
	return likely(got) ? (s64)got : copy_ends(from, to, n);
}

s64 native_copy(struct thread *t, u64 *a)
{
	u64 n = MIN(a[4], MAX_TRANSFER);
	struct copy_end from, to = { 0 };
	s64 r;

	kernel_lock();
	r = end_open(t, &from, a[0], a[1], a[5] & 0xff, WINDOW_IN);
	if (likely(!r)) {
		r = end_open(t, &to, a[2], a[3], a[5] >> 8 & 0xff, WINDOW_OUT);
		if (unlikely(r == -ESRCH && from.call))
			r = -TERN_EDEST;
	}
	kernel_unlock();
	if (!r && to.m && from.call) {
		r = copy_limit(&to, n);
		n = r < 0 ? n : (u64)r;
	}
	if (likely(r >= 0))
		r = unlikely(a[5] & TERN_COPY_STRING) ? copy_strings(&from, &to, n) : copy_any(&from, &to, n);
	/* Who brings a page writes it from memory of its own. */
	if (r > 0 && to.m && !from.call)
		pager_changed(to.m);
	ends_close(&from, &to);
	return r;
}
