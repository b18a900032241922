/* The straight path of a call and its answer, inlined where it is taken: ipc/route.c (there) and
 * ipc/fastpath.c (back).  docs/design.md counts its instructions. */
#pragma once

#include <arch/trap.h>
#include <ipc/call.h>
#include <ipc/session.h>
#include <kernel/idtable.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <tern/linux/errno.h>
#include <tern/registers.h>

#include "window_priv.h"

/* t waits in recv. */
static inline void receive_block(struct thread *t, struct endpoint *ep)
{
	ep->waiting = true;
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_RECV;
	t->no_save = 1;
}

extern struct idtable calls; /* call.c; kernel lock */

/* The token of the delivery that ends is void from now on. */
static inline void new_token(struct call *c)
{
	u32 g = c->slot->generation + 1;

	if (!g)
		g = 1;
	c->slot->generation = g;
	c->token = (u64)g << 32 | (u32)c->token;
}

static inline struct call *call_lookup(struct thread *t, u64 token)
{
	struct call *c;

	if (likely(t->endpoint)) {
		c = t->endpoint->last;
		if (likely(c && c->token == token))
			return c;
	}
	c = id_find(&calls, token);
	if (unlikely(!c || c->state != CALL_RECEIVED || c->session->endpoint != t->endpoint))
		return NULL;
	return c;
}

/* Commits what the server gave (result >= 0), or gives it back: the result, which may be a number. */
s64 call_settle(struct call *c, s64 result);
/* The caller's reserved descriptor number i. */
static inline struct handle *call_reserved(const struct call *c, unsigned i)
{
	u32 fd = (u32)c->fds[i];

	return &c->thread->process->handles->chunks[fd / HANDLES_PER_CHUNK]->h[fd % HANDLES_PER_CHUNK];
}

/* The end of a plain call: nothing given, parked, forwarded, interrupted or copied.  True: it was
 * its session's last use. */
static inline bool call_end_plain(struct call *c, struct endpoint *ep)
{
	struct session *s = c->session;

	ep->last = NULL;
	c->state = CALL_IDLE;
	new_token(c);
	c->session = NULL;
	if (unlikely(--s->calls == 0) && unlikely(s->handles == 0)) {
		s->calls = 1;
		session_end_call(s);
		return true;
	}
	return false;
}

/* A server busy, dead callers, names to carry: everything that is not the straight path. */
struct thread *call_send_slowly(struct thread *t, struct session *s);

/* Begins a message in r's saved registers: its head, and nothing in what only some carry.  What is left
 * to be set: the arguments, WHO and TID. */
static inline u64 *message_begin(struct thread *r, u64 op, u64 badge, u64 token)
{
	u64 *x = r->regs.x;

	x[MSG_TOKEN] = token;
	x[MSG_OP] = op;
	x[MSG_BADGE] = badge;
	x[MSG_REF0] = x[MSG_REF1] = x[MSG_ROOT] = x[MSG_WORD0] = x[MSG_WORD1] = 0;
	x[MSG_HANDLE] = ~0ull;
	return x;
}

/* An event as a message; r NULL: its endpoint died. */
static inline void message_event(struct thread *r, u64 op, u64 badge, u64 a0, u64 token)
{
	u64 *x;

	if (!r)
		return;
	x = message_begin(r, op, badge, token);
	x[MSG_ARGS] = a0;
	for (unsigned i = 1; i < 6; i++)
		x[MSG_ARGS + i] = 0;
	x[MSG_WHO] = x[MSG_TID] = 0;
}

/* ep's waiting server gets the hart from t, which waits for its answer.  Who runs next. */
static inline struct thread *call_hand_over(struct thread *t, struct endpoint *ep)
{
	struct thread *r = ep->receiver;
	struct hart *h = this_hart();
	u64 now = arch_ticks();

	ep->waiting = false;
	r->wait = WAIT_NONE;
	sched_charge(h, now, &t->system_ticks);
	t->slept_since = now;
	sched_hand_over(h, t, r);
	return r;
}

static inline void call_begin(struct thread *t, const struct syscall_line *line, u32 op,
			      struct session *s)
{
	struct call *c = &t->call;

	c->line = line;
	c->op = op;
	c->session = s;
	s->calls++;
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_CALL;
}

/* Sends t's request without references to s: kernel lock held and dropped.  Returns who runs
 * next. */
static inline __attribute__((always_inline)) struct thread *
call_send_inline(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	struct call *c = &t->call;
	struct endpoint *ep = s->endpoint;

	call_begin(t, line, op, s);
	if (unlikely(!ep->waiting || c->special || t->work))
		return call_send_slowly(t, s);
	c->state = CALL_RECEIVED;
	ep->last = c;
	c->sent_token = c->token;
	c->sent_badge = s->badge;
	t = call_hand_over(t, ep);
	kernel_unlock();
	return THREAD_DELIVER(t);
}

/* route.c: a call that cannot be sent, kernel objects behind descriptors, and routes other than a
 * handle's session without descriptors to make.  Kernel lock held, dropped. */
struct thread *route_fail(struct thread *t, s64 err);
struct thread *route_refuse(struct thread *t, const struct syscall_line *line, u32 op,
			    const struct handle *h);
struct thread *route_own_object(struct thread *t, const struct syscall_line *line, u32 op,
				struct handle *h);
struct thread *route_others(struct thread *t, const struct syscall_line *line, u32 op,
			    unsigned route);
/* reply.c: every reply that does not end with the caller running here at once. Likewise. */
struct thread *reply_recv_slowly(struct thread *t);

static inline __attribute__((always_inline)) struct thread *
route_call_inline(struct thread *t, const struct syscall_line *line, u32 op, unsigned route)
{
	u64 *a = &t->regs.x[REG_A0];
	u32 fd;
	struct session *s;
	struct handle *h;

	kernel_lock();
	if (unlikely(route > ROUTE_M && route != ROUTE_METHOD))
		return route_others(t, line, op, route);
	fd = (u32)(route == ROUTE_METHOD ? t->regs.x[CALL_SESSION] : a[line->arg]);
	h = handle_find(t->process->handles, fd);
	if (unlikely(!h || ((route == ROUTE_METHOD ? TERN_R_IO : line->rights) & ~h->rights)))
		return route_refuse(t, line, op, h);
	if (unlikely(h->type != HANDLE_SESSION))
		return route_own_object(t, line, op, h);
	s = h->object;
	if (route == ROUTE_M && s->meta)
		s = s->meta;
	if (route != ROUTE_METHOD && unlikely(line->fd_mode))
		return route_others(t, line, op, route);
	if ((route != ROUTE_METHOD || line != &method_line) && line->nwin) {
		s64 err = windows_check_inline(line, a);

		if (unlikely(err))
			return route_fail(t, err);
	}
	if (unlikely(s->endpoint->dead))
		return route_fail(t, -EIO);
	return call_send_inline(t, line, op, s);
}
