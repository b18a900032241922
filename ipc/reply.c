/*
 * Replies that are not the straight path: those that give descriptors, raise a signal, answer
 * somebody else than the last caller, or find the next message waiting already.
 * The straight path is entry_reply_recv() in ipc/fastpath.c.
 */
#include <arch/trap.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <tern/linux/errno.h>

#include "reply_priv.h"

/* Writes the numbers of the two descriptors that the call's line makes into the caller's window 0,
 * before they are committed. */
static s64 write_fds(struct call *c)
{
	u32 v[2] = { (u32)c->fds[0], (u32)c->fds[1] };
	struct aspace *as = c->thread->aspace;
	size_t n;

	call_pin(c);
	kernel_unlock();
	n = copy_to_user(as, c->args[c->line->win[0].arg], v, sizeof v);
	kernel_lock();
	call_unpin(c);
	return n == sizeof v ? 0 : -EFAULT;
}

#define REPLY_EVENT 1 /* do_reply: t's registers hold an event about the reply itself */

/* Does everything of a reply but the switch, with the kernel lock held.  *next is the thread to
 * switch to, or NULL. */
static s64 do_reply(struct thread *t, u64 *x, bool direct, struct thread **next)
{
	struct call *c = call_lookup(t, x[REPLY_TOKEN]);
	s64 result;

	*next = NULL;
	if (unlikely(!c)) {
		/* The server undoes what it did for a copy that did not happen, so it must hear of it. */
		if (x[REPLY_FLAGS] & TERN_REPLY_EXACT) {
			message_event(t, TERN_EV_COPY_SHORT, 0, (u64)-ESRCH, x[REPLY_TOKEN]);
			return REPLY_EVENT;
		}
		/* The session that was to be given has ended with the caller. */
		if (x[REPLY_FLAGS] & TERN_REPLY_GIVE) {
			message_event(t, TERN_EV_CLOSED, x[REPLY_FROM], 0, 0);
			return REPLY_EVENT;
		}
		/* The readiness words are the server's and change although the caller is gone. */
		if (x[REPLY_FLAGS] & TERN_REPLY_READY)
			reply_readies(t, x);
		return -ESRCH;
	}
	if (unlikely(!reply_extras(t, c, x)))
		return REPLY_EVENT;
	if (unlikely(call_lookup(t, x[REPLY_TOKEN]) != c))
		return -ESRCH;
	result = (s64)x[REPLY_RESULT];
	if (c->nfds == 2 && result >= 0 && !c->async) {
		s64 err = write_fds(c);

		if (call_lookup(t, x[REPLY_TOKEN]) != c)
			return -ESRCH;
		if (err)
			result = err;
	}
	*next = call_finish(c, result, (int)x[REPLY_FLAGS], direct);
	return 0;
}

s64 native_reply(struct thread *t, u64 *a)
{
	bool copies = t->regs.x[REPLY_FLAGS] & (TERN_REPLY_COPY | TERN_REPLY_COPY_MEMOBJ);
	struct thread *next;
	s64 r;

	(void)a;
	t->regs.x[REPLY_FLAGS] &= ~(u64)(TERN_REPLY_EXACT | TERN_REPLY_GIVE);
	r = do_reply(t, t->regs.x, false, &next);
	return copies && !r ? (s64)t->regs.x[REPLY_RESULT] : r;
}

struct thread *reply_recv_slowly(struct thread *t)
{
	struct endpoint *ep = t->endpoint;
	bool direct = ep && list_empty(&ep->queue);
	struct hart *h = this_hart();
	struct thread *next;

	if (unlikely(do_reply(t, t->regs.x, direct, &next) == REPLY_EVENT)) {
		kernel_unlock();
		return t;
	}
	if (!next)
		return endpoint_receive(t);
	/* The reply itself may have queued something here, a slice may be over, or the endpoint have died
	 * while it copied. */
	if (t->endpoint != ep || !ep || !list_empty(&ep->queue) || t->work & WORK_NO_RECEIVE || h->over ||
	    !sched_may_switch(h, next)) {
		sched_ready(next);
		return endpoint_receive(t);
	}
	reply_charge(t, ep, next);
	sched_hand_over(h, t, next);
	kernel_unlock();
	return next;
}
