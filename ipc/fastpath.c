/*
 * The straight path of messages, entered from entry.S alone.
 *
 * This file is compiled with s1-s11 as registers that any call may clobber (see
 * kernel/CMakeLists.txt): entry.S has saved the caller's before it comes here, or need not keep
 * them (a server in reply_recv), so nothing is saved twice.  No C code may call these functions.
 */
#include <arch/trap.h>
#include <kernel/syscall.h>

#include "reply_priv.h"

/* A system call of a line that is not the kernel's own. */
struct thread *entry_route_call(struct thread *t, const struct syscall_line *line, u32 op,
				unsigned route)
{
	if (route == ROUTE_METHOD)
		__builtin_unreachable();
	return route_call_inline(t, line, op, route);
}

/* TERN_METHOD… without windows. */
struct thread *entry_method_call(struct thread *t, u32 op)
{
	return route_call_inline(t, &method_line, op, ROUTE_METHOD);
}

/* TERN_REPLY_RECV: every register but sp, gp and tp is void. */
struct thread *entry_reply_recv(struct thread *t)
{
	struct endpoint *ep = t->endpoint;
	u64 *x = t->regs.x;
	struct hart *h = this_hart();
	struct thread *next;
	struct call *c;

	if (unlikely(!ep)) {
		x[REG_A0] = (u64)-EINVAL;
		return THREAD_RELOAD(t);
	}
	kernel_lock();
	c = ep->last;
	if (unlikely(!c || c->token != x[REPLY_TOKEN]))
		return reply_recv_slowly(t);
	if (x[REPLY_FLAGS]) {
		if (unlikely(!reply_extras(t, c, x))) {
			kernel_unlock();
			return THREAD_RELOAD(t);
		}
		if (unlikely(c->token != x[REPLY_TOKEN] || x[REPLY_FLAGS]))
			return reply_recv_slowly(t);
	}
	if (unlikely(c->special)) {
		if (c->nfds == 1 && !c->async)
			x[REPLY_RESULT] = (u64)call_settle(c, (s64)x[REPLY_RESULT]);
		if (c->special)
			return reply_recv_slowly(t);
	}
	next = c->thread;
	if (unlikely((s64)x[REPLY_RESULT] == -TERN_ECANCELLED || !list_empty(&ep->queue) ||
		     !sched_may_switch(h, next)))
		return reply_recv_slowly(t);
	next->regs.x[REG_A0] = x[REPLY_RESULT];
	next->wait = WAIT_NONE;
	if (unlikely(call_end_plain(c, ep)) && !list_empty(&ep->queue)) {
		/* CLOSED is there. */
		sched_ready(next);
		return endpoint_receive(t);
	}
	return reply_hand_over(t, ep, h, next);
}
