/* What comes before the result of a reply, a copy and changes of readiness, inlined in both ways of
 * replying: ipc/fastpath.c and ipc/reply.c.  Kernel lock held. */
#pragma once

#include <kernel/thread.h>
#include <mm/frame.h>

#include "call_priv.h"
#include "window_priv.h"

/* t, ep's server, receives again, and next, whom it has answered, goes on. */
static inline void reply_charge(struct thread *t, struct endpoint *ep, struct thread *next)
{
	struct hart *h = this_hart();
	u64 now = arch_ticks();

	receive_block(t, ep);
	h->stat.system_ns += now - h->charged_at;
	sched_charge(h, now, &next->user_ticks);
}

static inline void reply_ready(struct thread *t, u64 rid, u64 bits)
{
	struct ready *r = rid ? ready_find(rid) : NULL;

	if (likely(r && r->endpoint == t->endpoint))
		ready_change(r, (u32)bits, (u32)(bits >> 32));
}

static inline void reply_readies(struct thread *t, const u64 *x)
{
	reply_ready(t, x[REPLY_RID1], x[REPLY_BITS1]);
	if (unlikely(x[REPLY_RID2]))
		reply_ready(t, x[REPLY_RID2], x[REPLY_BITS2]);
}

#define PAGE_REPLY_MAX 512 /* bytes that are copied with the kernel lock held */

/* Copies at most PAGE_REPLY_MAX bytes of the server's message page into the caller's window,
 * without a look at the server's space.  False, and nothing is copied: the bytes are too many,
 * lie elsewhere or begin in the page's last PAGE_REPLY_MAX; or the window is not plain, or its
 * page is missing. */
static inline bool reply_from_page(const struct endpoint *ep, struct call *c, const u64 *x, s64 *copied)
{
	u64 off = x[REPLY_FROM] - ep->page_at, n = x[REPLY_LENGTH];
	va_t at;

	if (!ep->page || n > PAGE_REPLY_MAX || off > PAGE_SIZE - PAGE_REPLY_MAX ||
	    !window_straight(c, (unsigned)x[REPLY_WIN], WINDOW_OUT, 0, &n, &at) ||
	    !aspace_try_copy_out(c->thread->aspace, at, ep->page + off, n))
		return false;
	*copied = (s64)n;
	return true;
}

/* Makes the copy that a reply asks for: the bytes copied, or an errno.  The kernel lock is
 * dropped during all but a short copy from the message page, so the caller may be gone
 * afterwards. */
static inline s64 reply_copy(struct thread *t, struct call *c, const u64 *x)
{
	unsigned dir = x[REPLY_FLAGS] & TERN_REPLY_IN ? WINDOW_IN : WINDOW_OUT;
	struct memobj *m = NULL;
	s64 r;

	if (x[REPLY_FLAGS] & TERN_REPLY_COPY_MEMOBJ) {
		struct handle *h = handle_find(t->process->handles, (u32)x[REPLY_MEMOBJ]);

		if (unlikely(!h || h->type != HANDLE_MEMOBJ ||
			     !(h->rights & (dir == WINDOW_IN ? TERN_R_WRITE : TERN_R_READ))))
			return -EBADF;
		/* Files leave some memory to those who run. */
		if (dir == WINDOW_IN && unlikely(frames_scarce(12)))
			return -ENOMEM;
		m = h->object;
		memobj_get(m);
	} else if (dir == WINDOW_OUT && reply_from_page(t->endpoint, c, x, &r)) {
		return r;
	}
	call_pin(c);
	kernel_unlock();
	if (m) {
		r = window_copy_memobj(c, (unsigned)x[REPLY_WIN], dir, m, x[REPLY_FROM], x[REPLY_LENGTH]);
		memobj_put(m);
	} else {
		r = window_copy(c, (unsigned)x[REPLY_WIN], dir, t->aspace, x[REPLY_FROM], x[REPLY_LENGTH]);
	}
	kernel_lock();
	call_unpin(c);
	return r;
}

/* TERN_REPLY_GIVE.  False: there is no memory for the session; the call has ended with ENOMEM, and the
 * registers hold the CLOSED event of its badge.  Kernel lock held. */
bool must_check reply_give(struct thread *t, struct call *c, u64 *x);

/* Takes the extras out of the reply in t's registers x: the result is then the copy's where it is
 * to be, and the flags are the signal alone.  The call may be gone then.  False: the copy was to be
 * exact and is not, or what was to be given could not be made; the registers hold the event that says
 * so. */
static inline bool reply_extras(struct thread *t, struct call *c, u64 *x)
{
	u64 flags = x[REPLY_FLAGS];

	if (flags & (TERN_REPLY_COPY | TERN_REPLY_COPY_MEMOBJ)) {
		s64 copied = reply_copy(t, c, x);

		if (flags & TERN_REPLY_KEEP) {
			if (unlikely((u64)copied != x[REPLY_LENGTH]))
				x[REPLY_RESULT] = (u64)(copied == -EAGAIN ? -EAGAIN : -EFAULT);
		} else if (unlikely(flags & TERN_REPLY_EXACT && (u64)copied != x[REPLY_LENGTH])) {
			message_event(t, TERN_EV_COPY_SHORT, 0, (u64)copied, x[REPLY_TOKEN]);
			return false;
		} else {
			x[REPLY_RESULT] = (u64)copied;
		}
		if (flags & TERN_REPLY_FILE && likely(c->token == x[REPLY_TOKEN]))
			file_attach(t, c, x);
	} else if (flags & TERN_REPLY_GIVE && unlikely(!reply_give(t, c, x))) {
		return false;
	}
	x[REPLY_FLAGS] = flags & TERN_REPLY_SIGNAL;
	if (flags & TERN_REPLY_READY)
		reply_readies(t, x);
	return true;
}
