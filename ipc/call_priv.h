/* The straight path of a call and its answer, inlined where it is taken: ipc/route.c (there) and
 * ipc/sys_ipc.c (back).  docs/design.md counts its instructions. */
#pragma once

#include <arch/trap.h>
#include <ipc/call.h>
#include <ipc/session.h>
#include <kernel/idtable.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <tern/linux/errno.h>

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
	struct call *c = id_find(&calls, token);

	if (unlikely(!c || c->state != CALL_RECEIVED || c->session->endpoint != t->endpoint))
		return NULL;
	return c;
}

void call_end_slowly(struct call *c);
/* A signal or the end came while the caller was on its way in. */
void call_overtaken(struct thread *t);
/* The rest of load_call: names, and what a forwarded or an asynchronous call carries. */
void load_call_more(struct thread *r, struct call *c);

static inline __attribute__((always_inline)) void load_call(struct thread *r, struct call *c)
{
	u64 *x = r->regs.x;
	const u64 *a = c->args;

	c->state = CALL_RECEIVED;
	x[10] = a[0];
	x[11] = a[1];
	x[12] = a[2];
	x[13] = a[3];
	x[14] = a[4];
	x[15] = a[5];
	x[16] = c->token;
	x[17] = c->op;
	x[5] = c->session->badge;
	x[6] = c->thread->who;
	x[7] = x[28] = x[29] = x[30] = x[31] = 0;
	x[18] = ~0ull;
	x[19] = c->thread->tid;
	if (unlikely(c->special))
		load_call_more(r, c);
}

/* The end of a plain call: nothing given, parked, forwarded, interrupted or copied. */
static inline void call_end_plain(struct call *c)
{
	struct session *s = c->session;

	c->state = CALL_IDLE;
	new_token(c);
	c->session = NULL;
	if (unlikely(--s->calls == 0) && unlikely(s->handles == 0)) {
		s->calls = 1;
		session_end_call(s);
	}
}

/* Sends t's request to s: kernel lock held and dropped.  Returns who runs next. */
static inline __attribute__((always_inline)) struct thread *
call_send_inline(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	struct call *c = &t->call;
	struct endpoint *ep = s->endpoint;

	c->line = line;
	c->op = op;
	c->session = s;
	s->calls++;
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_CALL;
	if (likely(ep->waiting)) {
		struct thread *r = ep->receiver;
		struct hart *h = this_hart();
		u64 now = arch_ticks();

		ep->waiting = false;
		r->wait = WAIT_NONE;
		load_call(r, c);
		sched_charge(h, now, &t->system_ticks);
		t->slept_since = now;
		sched_hand_over(h, t, r);
		if (unlikely(t->work & (WORK_SIGNAL | WORK_KILLED)))
			call_overtaken(t);
		kernel_unlock();
		return r;
	}
	c->state = CALL_QUEUED;
	list_add_tail(&ep->queue, &c->node.link);
	ep->queued++;
	if (unlikely(t->work & (WORK_SIGNAL | WORK_KILLED)))
		call_overtaken(t);
	return sched_next();
}
