/* What comes before the result of a reply, a copy and changes of readiness, inlined in both ways of
 * replying: ipc/fastpath.c and ipc/reply.c.  Kernel lock held. */
#pragma once

#include <kernel/thread.h>
#include <mm/frame.h>

#include "call_priv.h"
#include "window_priv.h"

/* The caller that t has answered goes on, on this hart; t waits in recv.  Who runs next. */
static inline struct thread *reply_hand_over(struct thread *t, struct endpoint *ep, struct hart *h,
					     struct thread *next)
{
	u64 now = arch_ticks();

	receive_block(t, ep);
	h->stat.system_ns += now - h->charged_at;
	sched_charge(h, now, &next->user_ticks);
	sched_hand_over(h, t, next);
	kernel_unlock();
	return next;
}

static inline void reply_ready(struct thread *t, u64 rid, u64 bits)
{
	struct ready *r = rid ? ready_find(rid) : NULL;

	if (likely(r && r->endpoint == t->endpoint))
		ready_change(r, (u32)bits, (u32)(bits >> 32));
}

static inline void reply_readies(struct thread *t, const u64 *x)
{
	reply_ready(t, x[5], x[6]);
	if (unlikely(x[7]))
		reply_ready(t, x[7], x[28]);
}

/* Bytes, or an errno.  The lock is dropped meanwhile, and the caller may be gone afterwards. */
static inline s64 reply_copy(struct thread *t, struct call *c, const u64 *x)
{
	unsigned dir = x[12] & TERN_REPLY_IN ? WINDOW_IN : WINDOW_OUT;
	struct memobj *m = NULL;
	s64 r;

	if (x[12] & TERN_REPLY_COPY_MEMOBJ) {
		struct handle *h = handle_find(t->process->handles, (u32)x[16]);

		if (unlikely(!h || h->type != HANDLE_MEMOBJ ||
			     !(h->rights & (dir == WINDOW_IN ? TERN_R_WRITE : TERN_R_READ))))
			return -EBADF;
		/* Files leave some memory to those who run. */
		if (dir == WINDOW_IN && unlikely(frames_scarce(12)))
			return -ENOMEM;
		m = h->object;
		memobj_get(m);
	}
	call_pin(c);
	kernel_unlock();
	if (m) {
		r = window_copy_memobj(c, (unsigned)x[15], dir, 0, m, x[13], x[14]);
		memobj_put(m);
	} else {
		r = window_copy(c, (unsigned)x[15], dir, 0, t->aspace, x[13], x[14]);
	}
	kernel_lock();
	call_unpin(c);
	return r;
}

/* Takes the extras out of the reply in t's registers x: x[11] is then the result, and x[12] the
 * signal alone.  The call may be gone then.  False: the copy was to be exact and is not; the
 * registers hold the event that says so. */
static inline bool reply_extras(struct thread *t, struct call *c, u64 *x)
{
	u64 flags = x[12];

	if (flags & (TERN_REPLY_COPY | TERN_REPLY_COPY_MEMOBJ)) {
		s64 copied = reply_copy(t, c, x);

		if (flags & TERN_REPLY_KEEP) {
			if (unlikely((u64)copied != x[14]))
				x[11] = (u64)(copied == -EAGAIN ? -EAGAIN : -EFAULT);
		} else if (unlikely(flags & TERN_REPLY_EXACT && (u64)copied != x[14])) {
			message_event(t, TERN_EV_COPY_SHORT, 0, (u64)copied, x[10]);
			return false;
		} else {
			x[11] = (u64)copied;
		}
	}
	x[12] = flags & TERN_REPLY_SIGNAL;
	if (flags & TERN_REPLY_READY)
		reply_readies(t, x);
	return true;
}
