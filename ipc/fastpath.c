/*
 * The straight path of messages, entered from entry.S alone: a plain call to a server that waits, and
 * the answer to a caller that may run here at once.  Everything else goes the general way, ipc/route.c
 * and ipc/reply.c, from its beginning: nothing is changed here before all conditions are seen to hold.
 *
 * This file is compiled with s1-s11 as registers that any call may clobber (see
 * kernel/CMakeLists.txt): entry.S has saved the caller's before it comes here, or need not keep
 * them (a server that receives), so nothing is saved twice.  No C code may call these functions.
 * docs/design.md counts their instructions.
 */
#include <arch/trap.h>
#include <kernel/lib/log.h>
#include <kernel/syscall.h>

#include "reply_priv.h"

#define STRAIGHT static inline __attribute__((always_inline))

/* The session that a plain call through descriptor fd may go to, or NULL. */
STRAIGHT struct session *straight_session(struct thread *t, u32 fd, unsigned rights)
{
	struct handle *h = handle_find(t->process->handles, fd);

	return likely(h && h->type == HANDLE_SESSION && !(rights & ~h->rights)) ? h->object : NULL;
}

/* Sends t's request to s, and does not return, if s's server waits. */
STRAIGHT void straight_call(struct thread *t, const struct syscall_line *line, u32 op,
			    struct session *s)
{
	struct endpoint *ep = s->endpoint;
	u64 badge = s->badge, token;
	struct call *c = &t->call;
	struct thread *r;

	assert(!c->special);
	if (unlikely(!ep->waiting || t->work))
		return;
	r = ep->receiver;
	if (unlikely(!aspace_try_activate(r->aspace)))
		return;
	call_begin(t, line, op, s);
	c->state = CALL_RECEIVED;
	ep->last = c;
	token = c->token; /* without the lock, whoever kills t may change it */
	call_charge(t, ep, r);
	sched_take_over(this_hart(), t, r);
	kernel_unlock_quietly();
	trap_deliver(t, r, token, op, badge);
}

/* A system call of a line that is not the kernel's own. */
struct thread *entry_route_call(struct thread *t, const struct syscall_line *line, u32 op,
				unsigned route)
{
	u64 *a = &t->regs.x[CALL_ARGS];
	struct session *s;

	kernel_lock();
	if (likely(route <= ROUTE_M && !line->fd_mode)) {
		s = straight_session(t, (u32)a[line->arg], line->rights);
		if (likely(s && (!line->nwin || !windows_check_inline(line, a)))) {
			if (unlikely(s->file) && route == ROUTE_H)
				return file_call(t, line, op, s);
			straight_call(t, line, op, route == ROUTE_M && s->meta ? s->meta : s);
		}
	}
	return route_call_locked(t, line, op, route);
}

/* TERN_METHOD… without windows. */
struct thread *entry_method_call(struct thread *t, u32 op)
{
	struct session *s;

	kernel_lock();
	s = straight_session(t, (u32)t->regs.x[CALL_SESSION], TERN_R_IO);
	if (likely(s))
		straight_call(t, &method_line, op, s);
	return route_call_locked(t, &method_line, op, ROUTE_METHOD);
}

/* Ends t's answer to c, and does not return, if c's caller may run here at once and no message waits
 * for t.  Kernel lock held. */
STRAIGHT void straight_reply(struct thread *t, struct endpoint *ep, struct call *c, s64 result)
{
	struct thread *next = c->thread;
	struct session *s = c->session;
	struct hart *h = this_hart();

	if (unlikely(c->special || result == -TERN_ECANCELLED || !list_empty(&ep->queue) || s->uses == 1 ||
		     !sched_may_switch(h, next) || !aspace_try_activate(next->aspace)))
		return;
	next->regs.x[REG_A0] = (u64)result;
	next->wait = WAIT_NONE;
	s->calls--;
	call_end_plain(c, ep);
	reply_charge(t, ep, next);
	sched_take_over(h, t, next);
	kernel_unlock_quietly();
	trap_leave(t, next);
}

/* A reply whose words are in t's saved registers.  Kernel lock held, dropped. */
static __attribute__((noinline)) struct thread *reply_recv(struct thread *t)
{
	struct endpoint *ep = t->endpoint;
	u64 *x = t->regs.x;
	struct call *c = ep->last;

	if (unlikely(!c || c->token != x[REPLY_TOKEN]))
		return reply_recv_slowly(t);
	if (x[REPLY_FLAGS]) {
		if (unlikely(!reply_extras(t, c, x))) {
			kernel_unlock();
			return t;
		}
		/* The lock may have been dropped: c is `last` no more if it has ended, or if t is to
		 * end, which must not wait then. */
		if (unlikely(ep->last != c || x[REPLY_FLAGS]))
			return reply_recv_slowly(t);
	}
	if (c->nfds == 1 && !c->async)
		x[REPLY_RESULT] = (u64)call_settle(c, (s64)x[REPLY_RESULT]);
	/* Changed readiness may have woken threads of other harts. */
	if (likely(!this_hart()->ipi_wanted))
		straight_reply(t, ep, c, (s64)x[REPLY_RESULT]);
	return reply_recv_slowly(t);
}

/* Who receives without an endpoint gets EINVAL. */
static struct thread *receive_nowhere(struct thread *t)
{
	t->regs.x[REG_A0] = (u64)-EINVAL;
	return t;
}

/* TERN_REPLY_RECV without extras: every register but sp, gp and tp is void. */
struct thread *entry_reply_recv(u64 token, s64 result, struct thread *t)
{
	struct endpoint *ep = t->endpoint;
	struct call *c;

	if (unlikely(!ep))
		return receive_nowhere(t);
	kernel_lock();
	c = ep->last;
	if (likely(c && c->token == token))
		straight_reply(t, ep, c, result);
	t->regs.x[REPLY_TOKEN] = token;
	t->regs.x[REPLY_RESULT] = (u64)result;
	t->regs.x[REPLY_FLAGS] = 0;
	return reply_recv(t);
}

/* The same with extras, all words being in memory. */
struct thread *entry_reply_extras(struct thread *t)
{
	if (unlikely(!t->endpoint))
		return receive_nowhere(t);
	kernel_lock();
	return reply_recv(t);
}

/* TERN_RECV. */
struct thread *entry_recv(struct thread *t)
{
	if (unlikely(!t->endpoint))
		return receive_nowhere(t);
	kernel_lock();
	return endpoint_receive(t);
}
