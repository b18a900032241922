/* What the files of ipc share about calls. */
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

/* What a thread sees to before it waits in recv. */
#define WORK_NO_RECEIVE (WORK_KILLED | WORK_SIGNAL | WORK_STOP | WORK_REAP)

/* t waits in recv. */
static inline void receive_block(struct thread *t, struct endpoint *ep)
{
	ep->waiting = true;
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_RECV;
}

extern struct idtable calls; /* call.c; kernel lock */

/* The token of the delivery that ends is void from now on. */
static inline void new_token(struct call *c)
{
	c->token += 2ull << 32; /* an odd generation never becomes 0 */
}

static inline struct call *call_lookup(struct thread *t, u64 token)
{
	struct call *c;

	if (likely(t->endpoint)) {
		c = t->endpoint->last;
		if (likely(c && c->token == token))
			return c;
	}
	c = id_object(&calls, (u32)token);
	if (unlikely(!c || c->token != token || c->state != CALL_RECEIVED || c->session->endpoint != t->endpoint))
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

/* The end of a plain call: nothing given, parked, forwarded, interrupted or copied. */
static inline void call_end_plain(struct call *c, struct endpoint *ep)
{
	ep->last = NULL;
	c->state = CALL_IDLE;
	new_token(c);
}

/* Copies window w of t's call, which lies at `at`, if it is input, short and there, into ep's message
 * page, whose server waits: the bytes, or 0. */
static inline u64 bytes_to_page(const struct endpoint *ep, struct thread *t, const struct window *w,
				va_t at, u64 n)
{
	if (w->kind != WIN_IN || n - 1 >= TERN_PATH_MAX || !aspace_try_copy_in(t->aspace, ep->page, at, n))
		return 0;
	return n;
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

/* r, ep's server, receives no more but works for t from now on. */
static inline void call_charge(struct thread *t, struct endpoint *ep, struct thread *r)
{
	u64 now = arch_ticks();

	ep->waiting = false;
	r->wait = WAIT_NONE;
	sched_charge(this_hart(), now, &t->system_ticks);
}

static inline void call_begin(struct thread *t, const struct syscall_line *line, u32 op,
			      struct session *s)
{
	struct call *c = &t->call;

	c->line = line;
	c->op = op;
	c->window_len = 0;
	c->session = s;
	s->calls++;
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_CALL;
}

/* route.c: the general way of a call.  Kernel lock held, dropped.  Who runs next. */
struct thread *route_call_locked(struct thread *t, const struct syscall_line *line, u32 op,
				 unsigned route);
/* reply.c: every reply that does not end with the caller running here at once. Likewise; the reply's
 * words are in t's saved registers. */
struct thread *reply_recv_slowly(struct thread *t);

/* file.c.  A call of an H line on s, which has a file: answered, or sent on the general way.  Kernel lock
 * held, dropped. */
struct thread *file_call(struct thread *t, const struct syscall_line *line, u32 op, struct session *s);
/* TERN_REPLY_FILE, in t's reply to c with registers x. */
void file_attach(struct thread *t, struct call *c, const u64 *x);
void file_detach(struct session *s);
