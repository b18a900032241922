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
#include <ipc/note.h>
#include <kernel/lib/log.h>
#include <kernel/syscall.h>

#include "reply_priv.h"

#define STRAIGHT static inline __attribute__((always_inline))

/* Sends t's request to s, and does not return, if s's server waits.  Its one plain
 * window, if it has such a one: n bytes at `at`. */
STRAIGHT void straight_call(struct thread *t, const struct syscall_line *line, u64 op,
			    struct session *s, va_t at, u64 n)
{
	struct endpoint *ep = s->endpoint;
	u64 badge = s->badge, token, bytes = 0;
	struct call *c = &t->call;
	struct thread *r;

	assert(!c->special);
	if (unlikely(!ep->waiting || t->work))
		return;
	r = ep->receiver;
	if (unlikely(!aspace_try_activate(r->aspace)))
		return;
	if (n && ep->takes_bytes)
		bytes = bytes_to_page(ep, t, line->win, at, n);
	call_begin(t, line, (u32)op, s);
	if (n) {
		c->window_at = at;
		c->window_len = n;
	}
	c->state = CALL_RECEIVED;
	ep->last = c;
	token = c->token; /* without the lock, whoever kills t may change it */
	call_charge(t, ep, r);
	sched_take_over(this_hart(), t, r);
	kernel_unlock_quietly();
	trap_deliver(t, r, token, op, badge, bytes);
}

/* A system call of a line that is not the kernel's own. */
struct thread *entry_route_call(struct thread *t, const struct syscall_line *line, u64 op,
				unsigned route)
{
	u64 *a = &t->regs.x[CALL_ARGS];
	struct session *s;
	va_t at = 0;
	u64 n = 0;

	kernel_lock();
	if (likely(route <= ROUTE_M && !line->fd_mode)) {
		s = handle_object(t->process->handles, (u32)a[line->arg], HANDLE_SESSION, line->rights);
		if (likely(s && (!line->nwin || windows_check_inline(line, a, &at, &n)))) {
			if (unlikely(s->file) && route == ROUTE_H)
				return file_call(t, line, op, s);
			straight_call(t, line, op, route == ROUTE_M && s->meta ? s->meta : s, at, n);
		}
	}
	return route_call_locked(t, line, (u32)op, route);
}

/* TERN_METHOD… without windows. */
struct thread *entry_method_call(struct thread *t, u64 op)
{
	struct session *s;

	kernel_lock();
	s = handle_object(t->process->handles, (u32)t->regs.x[CALL_SESSION], HANDLE_SESSION, TERN_R_IO);
	if (likely(s))
		straight_call(t, &method_line, op, s, 0, 0);
	return route_call_locked(t, &method_line, (u32)op, ROUTE_METHOD);
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
static __attribute__((noinline)) struct thread *reply_in_memory(struct thread *t)
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
		 * end, which must not wait then; the endpoint may be dead. */
		if (unlikely(t->endpoint != ep || ep->last != c || x[REPLY_FLAGS]))
			return reply_recv_slowly(t);
	}
	if (unlikely(c->special) && c->nfds == 1 && !c->async)
		x[REPLY_RESULT] = (u64)call_settle(c, (s64)x[REPLY_RESULT]);
	/* Changed readiness may have woken threads of other harts, or more than can be at once. */
	if (likely(!this_hart()->ipi_wanted && !t->work))
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
	return reply_in_memory(t);
}

/* The same with extras, all words being in memory. */
struct thread *entry_reply_extras(struct thread *t)
{
	if (unlikely(!t->endpoint))
		return receive_nowhere(t);
	kernel_lock();
	return reply_in_memory(t);
}

/* TERN_NOTE_SIGNAL: a receiver that waits, and is better than t, has the event at once. */
struct thread *entry_note_signal(struct thread *t)
{
	u64 *a = &t->regs.x[CALL_ARGS];
	struct endpoint *ep;
	struct thread *r;
	struct note *n;
	u64 bits;

	kernel_lock();
	n = handle_object(t->process->handles, (u32)a[0], HANDLE_NOTE, TERN_R_WRITE);
	bits = a[1];
	a[0] = n ? 0 : (u64)-EBADF;
	if (unlikely(!n))
		goto out;
	ep = n->endpoint;
	if (unlikely(!ep->waiting || n->bits)) {
		note_signal(n, bits);
		goto out;
	}
	if (unlikely(!bits))
		goto out;
	r = ep->receiver;
	ep->waiting = false;
	if (likely(sched_ready_over(r, t))) {
		u64 badge = n->badge;

		r->wait = WAIT_NONE;
		kernel_unlock();
		trap_deliver_event(t, r, TERN_EV_NOTE, badge, bits);
	}
	r->wait = WAIT_NONE;
	message_event(r, TERN_EV_NOTE, n->badge, bits, 0);
out:
	kernel_unlock();
	return t;
}

/* TERN_RECV. */
struct thread *entry_recv(struct thread *t)
{
	if (unlikely(!t->endpoint))
		return receive_nowhere(t);
	kernel_lock();
	return endpoint_receive(t);
}
