/*
 * Calls: requests on their way to a server and back.
 *
 * A thread embeds one call; servers have more made to call others without waiting.  States:
 * IDLE -> QUEUED (on the session's endpoint) -> RECEIVED (a server holds the token) -> IDLE; a
 * forward goes back to QUEUED.  The token is an index and a generation that changes whenever a
 * delivery ends, so a stale token names nothing.
 *
 * While a copy runs without the kernel lock the call is pinned: whoever wants to end it for a
 * dying caller only marks it, and the unpin does it.
 * Kernel lock guards all of it.
 */
#include <arch/trap.h>
#include <ipc/call.h>
#include <ipc/pager.h>
#include <ipc/poll.h>
#include <ipc/session.h>
#include <kernel/idtable.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/string.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>
#include <tern/linux/fcntl.h>

#include "call_priv.h"

struct idtable calls;

static void park_fired(struct timer *timer)
{
	struct call *c = container_of(timer, struct call, park);

	if (c->state != CALL_RECEIVED)
		return;
	c->events |= CALL_EVENT_TIMEOUT;
	if (list_empty(&c->event.link))
		endpoint_post(c->session->endpoint, &c->event);
}

bool call_init(struct call *c, struct thread *t)
{
	u64 id = id_alloc(&calls, c);

	if (!id)
		return false;
	c->token = id;
	c->slot = &calls.chunks[(u32)id / IDS_PER_CHUNK][(u32)id % IDS_PER_CHUNK];
	c->thread = t;
	c->args = &t->regs.x[REG_A0];
	c->node.kind = NODE_CALL;
	c->event.kind = NODE_CALL_EVENT;
	list_init(&c->node.link);
	list_init(&c->event.link);
	c->fds[0] = c->fds[1] = -1;
	timer_init(&c->park, park_fired);
	return true;
}

void call_fini(struct call *c)
{
	assert(c->state == CALL_IDLE || c->state == CALL_DONE);
	id_free(&calls, c->token);
}

struct call *call_find(struct thread *t, u64 token) { return call_lookup(t, token); }

void call_unpin_dying(struct call *c)
{
	c->dying = 0;
	call_abandon(c);
	if (!c->async)
		thread_wake(c->thread, -EINTR);
}

/* ---- descriptors ---- */

bool call_wants_cloexec(const struct call *c)
{
	const struct syscall_line *line = c->line;
	const u64 *args = c->args;

	switch (line->fd_mode) {
	case FD_MODE_ONE:
	case FD_MODE_TWO:
		return args[line->fd_arg] & O_CLOEXEC;
	case FD_MODE_CLOEXEC:
		return true;
	case FD_MODE_BIT0:
		return args[line->fd_arg] & 1;
	default:
		return false;
	}
}

s64 call_reserve(struct call *c, struct thread *t, const struct syscall_line *line)
{
	struct handle_table *table = t->process->handles;
	u32 limit = process_fd_limit(t->process);
	long fd;

	if (c->async)
		limit = HANDLES_MAX;
	c->nfds = 0;
	fd = handle_reserve(table, 0, limit);
	if (fd < 0)
		return fd;
	c->fds[c->nfds++] = (s32)fd;
	if (line->fd_mode == FD_MODE_TWO) {
		fd = handle_reserve(table, 0, limit);
		if (fd < 0) {
			call_release(c);
			return fd;
		}
		c->fds[c->nfds++] = (s32)fd;
	}
	return 0;
}

static void drop_names(struct call *c)
{
	if (c->pending_cwd)
		session_put(c->pending_cwd);
	if (c->pending_root)
		session_put(c->pending_root);
	c->pending_cwd = c->pending_root = NULL;
}

void call_release(struct call *c)
{
	struct handle_table *table = c->thread->process->handles;

	for (unsigned i = 0; i < c->nfds; i++) {
		struct handle *h = call_reserved(c, i);
		u8 type = h->pending_type;
		void *object = h->object;

		handle_unreserve(table, (u32)c->fds[i]);
		c->fds[i] = -1;
		if (type)
			handle_unref(type, object);
	}
	c->nfds = 0;
	drop_names(c);
}

/* Makes what the server gave the caller's own; the result is the first number if a line of one
 * descriptor got one. */
static s64 call_commit(struct call *c, s64 result)
{
	struct process *p = c->thread->process;

	for (unsigned i = 0; i < c->nfds; i++) {
		struct handle *h = call_reserved(c, i);

		if (h->pending_type) {
			h->type = h->pending_type;
			h->pending_type = 0;
			c->result_fds[i] = c->fds[i];
			if (c->nfds == 1 && c->line->fd_mode != FD_MODE_NONE)
				result = c->fds[i];
		} else {
			handle_unreserve(p->handles, (u32)c->fds[i]);
			c->result_fds[i] = -1;
		}
		c->fds[i] = -1;
	}
	c->nfds = 0;
	/* The maker of an asynchronous call may have ended meanwhile. */
	if (!p->names) {
		drop_names(c);
		return result;
	}
	if (c->pending_cwd)
		name_context_set(&p->names->cwd, c->pending_cwd);
	if (c->pending_root)
		name_context_set(&p->names->root, c->pending_root);
	c->pending_cwd = c->pending_root = NULL;
	return result;
}

/* ---- delivery ---- */

void load_call_more(struct thread *r, struct call *c)
{
	u64 *x = r->regs.x;
	struct thread *who = c->subject ? c->subject : c->thread;

	if (c->async || c->line->route == ROUTE_V || c->line->route == ROUTE_S)
		load_references(r, c, who);
	x[6] = who->who;
	x[19] = who->tid;
	x[17] |= (c->forwarded ? TERN_MSG_FORWARDED : 0) | (c->async ? TERN_MSG_ASYNC : 0);
	x[30] = c->word[0];
	x[31] = c->word[1];
	if (c->fwd_object) {
		long fd = handle_add(r->process->handles, HANDLES_MAX, c->fwd_type,
				     c->fwd_object, c->fwd_rights, true);

		c->fwd_object = NULL;
		x[18] = fd < 0 ? ~0ull : (u64)fd;
	}
}

static void load_event(struct thread *r, u64 op, u64 badge, u64 a0, u64 a1, u64 a2, u64 token)
{
	u64 *x;

	if (!r)
		return;
	x = r->regs.x;
	x[10] = a0;
	x[11] = a1;
	x[12] = a2;
	x[13] = x[14] = x[15] = 0;
	x[16] = token;
	x[17] = op;
	x[5] = badge;
	x[6] = x[7] = x[28] = x[29] = x[30] = x[31] = x[19] = 0;
	x[18] = ~0ull;
}

void message_event(struct thread *r, u64 op, u64 badge, u64 a0, u64 token)
{
	load_event(r, op, badge, a0, 0, 0, token);
}

/* One of the pending events; the node goes back if there are more. */
static void load_call_event(struct thread *r, struct call *c)
{
	struct endpoint *ep = r ? r->endpoint : NULL;

	if (c->events & CALL_EVENT_GONE) {
		c->events = 0;
		load_event(r, TERN_EV_GONE, c->gone_badge, 0, 0, 0, c->gone_token);
		thread_put(c->thread); /* taken by call_abandon */
		return;
	}
	if (c->events & CALL_EVENT_CANCEL) {
		c->events &= (u8)~CALL_EVENT_CANCEL;
		load_event(r, TERN_EV_CANCEL, c->session->badge, c->cancel_signal, 0, 0, c->token);
	} else if (c->events & CALL_EVENT_PAGED) {
		c->events &= (u8)~CALL_EVENT_PAGED;
		load_event(r, TERN_EV_PAGED, c->session->badge, 0, 0, 0, c->token);
	} else {
		c->events &= (u8)~CALL_EVENT_TIMEOUT;
		load_event(r, TERN_EV_TIMEOUT, c->session->badge, 0, 0, 0, c->token);
	}
	if (c->events && ep) {
		list_add_tail(&ep->queue, &c->event.link);
		ep->queued++;
	}
}

static void load_process(struct thread *r, struct process *p)
{
	struct process_events *e = &p->events;
	struct endpoint *ep = r ? r->endpoint : NULL;

	/* Stops and continues happened before the end. */
	if (e->pending & 2) {
		e->pending &= ~2u;
		load_event(r, TERN_EV_STOPPED, p->badge, (u64)e->stop_signal, 0, 0, 0);
	} else if (e->pending & 4) {
		e->pending &= ~4u;
		load_event(r, TERN_EV_CONTINUED, p->badge, 0, 0, 0, 0);
	} else {
		e->pending &= ~1u;
		load_event(r, TERN_EV_EXITED, p->badge, (u64)(s64)e->status, 0, 0, 0);
	}
	if (e->pending && ep) {
		list_add_tail(&ep->queue, &e->node.link);
		ep->queued++;
		return;
	}
	process_put(p);
}

void note_load(struct thread *r, struct ipc_node *n);
void async_load(struct thread *r, struct call *c);

/* r NULL: the endpoint died; the node is dropped. */
void message_load(struct thread *r, struct ipc_node *n)
{
	struct session *s;
	struct endpoint *ep;
	struct thread *t;

	switch (n->kind) {
	case NODE_CALL:
		load_call(r, container_of(n, struct call, node));
		break;
	case NODE_CALL_EVENT:
		load_call_event(r, container_of(n, struct call, event));
		break;
	case NODE_CLOSED:
		s = container_of(n, struct session, closed);
		load_event(r, TERN_EV_CLOSED, s->badge, s->sid, 0, 0, 0);
		session_free(s);
		break;
	case NODE_DONE:
		async_load(r, container_of(n, struct call, node));
		break;
	case NODE_NOTE:
		note_load(r, n);
		break;
	case NODE_PROCESS:
		load_process(r, container_of(n, struct process, events.node));
		break;
	case NODE_THREAD:
		t = container_of(n, struct thread, exit_node);
		load_event(r, TERN_EV_THREAD_EXITED, t->process->badge, t->tid, 0, 0, 0);
		thread_put(t);
		break;
	case NODE_SYNC:
		poll_settled(n);
		break;
	case NODE_PAGER:
		pager_load(r, n);
		break;
	case NODE_TIMER:
		ep = container_of(n, struct endpoint, timer_node);
		load_event(r, TERN_EV_TIMER, ep->timer_cookie, 0, 0, 0, 0);
		break;
	}
}

void async_load(struct thread *r, struct call *c)
{
	load_event(r, TERN_EV_DONE, c->cookie, (u64)c->result, (u64)c->result_fds[0],
		   (u64)c->result_fds[1], c->subject_token);
	call_free_async(c);
}

/* A signal, or the end, came while the caller was on its way in: it finds the call now. */
static void call_overtaken(struct thread *t)
{
	if (t->work & WORK_KILLED)
		thread_kill(t);
	else if (signal_pending(t))
		thread_interrupt(t);
}

/* A short path that is there comes with the message; if it does not, the server copies it. */
static void deliver_path(struct thread *r, const struct call *c)
{
	const struct window *w = c->line->win;
	va_t to = r->endpoint->path_at;

	if (c->line->route != ROUTE_V || w->kind != WIN_STR || !to || !r->aspace)
		return;
	r->regs.x[30] = (u64)(aspace_try_string(r->aspace, to, c->thread->aspace, c->args[w->arg],
						TERN_PATH_MAX) + 1);
}

struct thread *call_send_slowly(struct thread *t, struct session *s)
{
	struct call *c = &t->call;
	struct endpoint *ep = s->endpoint;

	if (likely(ep->waiting)) {
		struct thread *r = ep->receiver;
		u64 now = arch_ticks();

		ep->waiting = false;
		r->wait = WAIT_NONE;
		load_call(r, c);
		deliver_path(r, c);
		sched_charge(this_hart(), now, &t->system_ticks);
		t->slept_since = now;
		sched_hand_over(this_hart(), t, r);
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

/* Nobody holds it any more. */
static void call_unheld(struct call *c)
{
	if (c->session->endpoint->last == c)
		c->session->endpoint->last = NULL;
}

static void call_drop_event(struct call *c)
{
	endpoint_unqueue(c->session->endpoint, &c->event);
	c->events = 0;
}

static void call_drop_page(struct call *c)
{
	if (c->more & CALL_MORE_PAGE && !list_empty(&c->thread->page.link))
		page_wait_end(c->thread);
}

/* A forwarder hands the call on: what was pending for it there is void. */
void call_requeue(struct call *c, struct session *s, u64 w0, u64 w1)
{
	bool cancelled = c->cancel_sent;

	call_unheld(c);
	timer_cancel(&c->park);
	if (c->events)
		call_drop_event(c);
	new_token(c);
	c->forwarded = 1;
	c->cancel_sent = 0;
	c->word[0] = w0;
	c->word[1] = w1;
	c->session = s;
	s->calls++;
	c->state = CALL_QUEUED;
	endpoint_post(s->endpoint, &c->node);
	if (cancelled)
		call_interrupt(c, (int)c->cancel_signal);
}

/* ---- the end of a call ---- */

void call_end_slowly(struct call *c)
{
	struct session *s = c->session;

	call_unheld(c);
	timer_cancel(&c->park);
	call_drop_event(c);
	if (c->fwd_object) {
		handle_unref(c->fwd_type, c->fwd_object);
		c->fwd_object = NULL;
	}
	call_drop_page(c);
	c->forwarded = c->cancel_sent = c->more = 0;
	c->state = CALL_IDLE;
	new_token(c);
	c->session = NULL;
	session_end_call(s);
}

s64 call_settle(struct call *c, s64 result)
{
	if (result >= 0)
		return call_commit(c, result);
	call_release(c);
	return result;
}

void call_paged(struct call *c)
{
	c->events |= CALL_EVENT_PAGED;
	if (list_empty(&c->event.link))
		endpoint_post(c->session->endpoint, &c->event);
}

/* Its server could not go on for a page that was missing: the call is made again with the page. */
static struct thread *call_again(struct call *c, bool direct)
{
	struct thread *t = c->thread;

	t->orig_a0 = t->regs.x[REG_A0];
	thread_add_work(t, WORK_RETRY);
	if (!list_empty(&t->page.link)) {
		c->more &= (u8)~CALL_MORE_PAGE; /* the wait outlasts the call */
		call_end_slowly(c);
		t->wait = WAIT_PAGER;
		t->wait_cancel = page_wait_end;
		return NULL;
	}
	call_end_slowly(c);
	t->wait = WAIT_NONE;
	if (direct)
		return t;
	sched_ready(t);
	return NULL;
}

struct thread *call_finish(struct call *c, s64 result, int sig, bool direct)
{
	struct thread *t = c->thread;

	if (unlikely(c->nfds || c->pending_cwd || c->pending_root))
		result = call_settle(c, result);
	if (unlikely(c->async)) {
		call_finish_async(c, result);
		return NULL;
	}
	if (unlikely(c->more & CALL_MORE_PAGE && result == -EAGAIN))
		return call_again(c, direct);
	if (unlikely(result == -TERN_ECANCELLED)) {
		result = restart_code(c->line->restart);
		t->orig_a0 = t->regs.x[REG_A0];
		thread_add_work(t, WORK_SIGNAL);
	}
	if (likely(!c->special))
		(void)call_end_plain(c, c->session->endpoint);
	else
		call_end_slowly(c);
	t->regs.x[REG_A0] = (u64)result;
	t->wait = WAIT_NONE;
	if (unlikely(sig))
		signal_raise_locked(t, sig);
	if (direct && likely(!(t->work & WORK_STOP)))
		return t;
	t->nvcsw++;
	sched_ready(t);
	return NULL;
}

void call_interrupt(struct call *c, int sig)
{
	if (c->line->restart == RESTART_NEVER)
		return;
	/* Also to a server that has not received it yet: CANCEL comes behind it.  What does not wait
	 * is then done, and only what parks is interrupted, as it would be if it had been at once. */
	if ((c->state == CALL_QUEUED || c->state == CALL_RECEIVED) && !c->cancel_sent) {
		c->cancel_sent = 1;
		c->cancel_signal = (u32)sig;
		c->events |= CALL_EVENT_CANCEL;
		if (list_empty(&c->event.link))
			endpoint_post(c->session->endpoint, &c->event);
	}
}

/* The caller dies: the token is stale at once; who held it is told.  The caller is not woken. */
void call_abandon(struct call *c)
{
	struct endpoint *ep;

	if (c->state != CALL_QUEUED && c->state != CALL_RECEIVED)
		return;
	if (c->pins) {
		c->dying = 1;
		return;
	}
	ep = c->session->endpoint;
	call_unheld(c);
	call_drop_event(c); /* a call that is still queued may have been interrupted, too */
	if (c->state == CALL_QUEUED) {
		list_del(&c->node.link);
		ep->queued--;
	} else if (!ep->dead) {
		u64 token = c->token, badge = c->session->badge;

		new_token(c);
		c->gone_token = token;
		c->gone_badge = badge;
		c->events = CALL_EVENT_GONE;
		thread_get(c->thread);
		endpoint_post(ep, &c->event);
	}
	call_release(c);
	{
		/* call_end, but the GONE event stays. */
		struct session *s = c->session;

		timer_cancel(&c->park);
		if (c->fwd_object) {
			handle_unref(c->fwd_type, c->fwd_object);
			c->fwd_object = NULL;
		}
		call_drop_page(c);
		c->forwarded = c->cancel_sent = c->more = 0;
		c->state = CALL_IDLE;
		c->session = NULL;
		new_token(c);
		session_end_call(s);
	}
}

/* ---- asynchronous calls ---- */

void call_free_async(struct call *c)
{
	struct thread *t = c->thread;

	t->async_calls--;
	call_fini(c);
	kfree(c);
	object_counts[TERN_OBJ_CALL]--;
	thread_put(t);
}

void call_finish_async(struct call *c, s64 result)
{
	struct endpoint *to = c->reply_to;
	struct thread *subject = c->subject;

	if (result == -TERN_ECANCELLED)
		result = -EINTR;
	if (c->memobj) {
		/* REPLY_MAP's answer: a handle of the object. */
		struct memobj *m = c->memobj;

		c->memobj = NULL;
		if (c->thread->state == THREAD_DEAD || !c->thread->process->handles) {
			memobj_put(m);
		} else {
			long fd = handle_add(c->thread->process->handles, HANDLES_MAX, HANDLE_MEMOBJ,
					     m, c->memobj_rights | TERN_R_MAP | TERN_R_READ, true);

			if (fd < 0)
				result = fd;
			else
				c->result_fds[0] = fd;
		}
	}
	call_end_slowly(c);
	c->state = CALL_DONE;
	c->result = result;
	c->subject = NULL;
	if (subject)
		thread_put(subject);
	c->node.kind = NODE_DONE;
	if (to && !to->dead)
		endpoint_post(to, &c->node);
	else
		call_free_async(c);
	if (to)
		endpoint_put(to);
}

void calls_endpoint_died(struct endpoint *ep)
{
	for (u32 i = 0; i < calls.nchunks * IDS_PER_CHUNK; i++) {
		struct call *c = calls.chunks[i / IDS_PER_CHUNK][i % IDS_PER_CHUNK].object;

		if (c && c->state == CALL_RECEIVED && c->session->endpoint == ep && !c->pins)
			(void)call_finish(c, -EIO, 0, false);
	}
}

bool calls_thread_died(struct thread *t)
{
	bool pinned = false;

	if (!t->async_calls)
		return true;
	for (u32 i = 0; i < calls.nchunks * IDS_PER_CHUNK; i++) {
		struct call *c = calls.chunks[i / IDS_PER_CHUNK][i % IDS_PER_CHUNK].object;

		if (!c || !c->async || c->thread != t || c->state == CALL_DONE)
			continue;
		c->line = &method_line; /* without windows: no copy begins any more */
		pinned |= c->pins != 0;
		if (c->reply_to) {
			call_release(c);
			endpoint_put(c->reply_to);
			c->reply_to = NULL;
		}
	}
	return !pinned;
}

/* TERN_CALL_ASYNC: kernel lock held. */
s64 call_async(struct thread *t, u64 cookie, struct session *s, u32 op, u64 subject,
	       const u64 args[6])
{
	const struct syscall_line *line = syscall_line(op);
	struct call *c, *held = NULL;
	s64 err;

	if (!line || !t->endpoint)
		return -EINVAL;
	if (subject) {
		held = call_find(t, subject);
		if (!held)
			return -ESRCH;
	}
	if (s->endpoint->dead)
		return -EPIPE;
	c = kmalloc(sizeof *c);
	if (!c)
		return -ENOMEM;
	if (!call_init(c, t)) {
		kfree(c);
		return -ENOMEM;
	}
	object_counts[TERN_OBJ_CALL]++;
	thread_get(t);
	t->async_calls++;
	c->async = 1;
	memcpy(c->own_args, args, sizeof c->own_args);
	c->args = c->own_args;
	c->cookie = cookie;
	c->subject_token = subject;
	c->result_fds[0] = c->result_fds[1] = -1;
	c->line = line;
	c->op = op;
	if (held) {
		c->subject = held->subject ? held->subject : held->thread;
		thread_get(c->subject);
	}
	if (line->route == ROUTE_V)
		route_references(c, c->subject ? c->subject : t, line);
	if (line->fd_mode) {
		err = call_reserve(c, t, line);
		if (err) {
			if (c->subject)
				thread_put(c->subject);
			call_free_async(c);
			return err;
		}
	}
	c->reply_to = t->endpoint;
	endpoint_get(t->endpoint);
	c->session = s;
	s->calls++;
	c->state = CALL_QUEUED;
	endpoint_post(s->endpoint, &c->node);
	return 0;
}
