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
#include <ipc/note.h>
#include <ipc/pager.h>
#include <ipc/session.h>
#include <kernel/lib/bits.h>
#include <kernel/idtable.h>
#include <kernel/lib/log.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#include "call_priv.h"

#define ORPHANED_AT_ONCE 32u

struct idtable calls;

void call_event(struct call *c, unsigned event)
{
	c->events |= (u8)event;
	if (list_empty(&c->event.link))
		endpoint_post(c->session->endpoint, &c->event);
}

static void park_fired(struct timer *timer)
{
	struct call *c = container_of(timer, struct call, park);

	if (c->state == CALL_RECEIVED)
		call_event(c, CALL_EVENT_TIMEOUT);
}

bool call_init(struct call *c, struct thread *t)
{
	u64 id = id_alloc(&calls, c);

	if (!id)
		return false;
	c->token = id | 1ull << 32;
	c->thread = t;
	c->args = &t->regs.x[REG_A0];
	c->node.kind = NODE_CALL;
	c->event.kind = NODE_CALL_EVENT;
	list_init(&c->node.link);
	list_init(&c->event.link);
	list_init(&c->made);
	c->fds[0] = c->fds[1] = -1;
	timer_init(&c->park, park_fired);
	return true;
}

void call_fini(struct call *c)
{
	assert(c->state == CALL_IDLE || c->state == CALL_DONE);
	id_free(&calls, c->token);
}

struct thread *call_thread(u32 index)
{
	struct call *c = index / IDS_PER_CHUNK < calls.nchunks
				 ? calls.chunks[index / IDS_PER_CHUNK][index % IDS_PER_CHUNK].object
				 : NULL;

	return c && !c->async ? c->thread : NULL;
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

static void drop_names(struct call *c)
{
	name_context_set(&c->pending_cwd, NULL);
	name_context_set(&c->pending_root, NULL);
}

static void call_release(struct call *c)
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

s64 call_reserve(struct call *c, struct thread *t, const struct syscall_line *line)
{
	u8 wanted = line->fd_mode == FD_MODE_TWO ? 2 : 1;

	for (c->nfds = 0; c->nfds < wanted; c->nfds++) {
		long fd = handle_reserve(t->process->handles, 0, process_fd_limit(t->process));

		if (fd < 0) {
			call_release(c);
			return fd;
		}
		c->fds[c->nfds] = (s32)fd;
	}
	return 0;
}

static void commit_name(struct session **name, struct session **pending)
{
	if (*pending)
		name_context_set(name, *pending);
	*pending = NULL;
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
	if (p->names) {
		commit_name(&p->names->cwd, &c->pending_cwd);
		commit_name(&p->names->root, &c->pending_root);
	} else {
		drop_names(c); /* the maker of an asynchronous call ended meanwhile */
	}
	return result;
}

/* ---- delivery ---- */

/* References, root and umask of who: of V and S lines, and whatever a server calls. */
static inline void load_references(struct thread *r, const struct call *c, const struct thread *who)
{
	u64 *x = r->regs.x;

	x[MSG_REF0] = c->ref[0];
	x[MSG_REF1] = c->ref[1];
	x[MSG_ROOT] = c->root;
	/* The maker of an asynchronous call may have ended meanwhile. */
	if (likely(who->process->names))
		x[MSG_OP] |= (u64)who->process->names->umask << 48;
}

/* What a forwarded or an asynchronous call carries besides. */
static void load_call_more(struct thread *r, struct call *c)
{
	u64 *x = r->regs.x;
	struct thread *who = call_subject(c);

	if (c->async || c->line->route == ROUTE_V || c->line->route == ROUTE_S)
		load_references(r, c, who);
	x[MSG_WHO] = who->who;
	x[MSG_TID] = who->tid;
	x[MSG_OP] |= (c->forwarded ? TERN_MSG_FORWARDED : 0) | (c->async ? TERN_MSG_ASYNC : 0) |
		     (c->more & CALL_MORE_SERVER ? TERN_MSG_TRUSTED : 0);
	x[MSG_WORD0] = c->word[0];
	x[MSG_WORD1] = c->word[1];
	if (c->fwd_object) {
		long fd = handle_add(r->process->handles, HANDLES_MAX, c->fwd_type,
				     c->fwd_object, c->fwd_rights, true);

		c->fwd_object = NULL;
		x[MSG_HANDLE] = fd < 0 ? ~0ull : (u64)fd;
	}
}

static inline __attribute__((always_inline)) void load_call(struct thread *r, struct call *c)
{
	u64 *x = message_begin(r, c->op, c->session->badge, c->token);
	const u64 *args = c->args;

	c->state = CALL_RECEIVED;
	c->session->endpoint->last = c;
#pragma GCC unroll 6
	for (unsigned i = 0; i < 6; i++)
		x[MSG_ARGS + i] = args[i];
	x[MSG_WHO] = c->thread->who;
	x[MSG_TID] = c->thread->tid;
	if (unlikely(c->forwarded | c->async))
		load_call_more(r, c);
	else if (c->line->route == ROUTE_V || c->line->route == ROUTE_S)
		load_references(r, c, c->thread);
}

static void load_request(struct thread *r, struct ipc_node *n)
{
	load_call(r, container_of(n, struct call, node));
}

/* One of the pending events; the node goes back if there are more. */
static void load_call_event(struct thread *r, struct ipc_node *n)
{
	static const u32 ops[] = { TERN_EV_CANCEL, TERN_EV_PAGED, TERN_EV_TIMEOUT };
	struct call *c = container_of(n, struct call, event);
	unsigned first = lowest_bit(c->events);

	if (c->events & CALL_EVENT_GONE) {
		c->events = 0;
		message_event(r, TERN_EV_GONE, c->gone_badge, 0, c->gone_token);
		thread_put(c->thread); /* the reference that call_abandon() took */
		return;
	}
	c->events &= (u8)~(1u << first);
	message_event(r, ops[first], c->session->badge, 0, c->token);
	if (c->events && r)
		list_add_tail(&r->endpoint->queue, &n->link);
}

static void load_closed(struct thread *r, struct ipc_node *n)
{
	struct session *s = container_of(n, struct session, closed);

	message_event(r, TERN_EV_CLOSED, s->badge, s->sid, 0);
	session_free(s);
}

/* The session whose end has waited for a message: c's comes now, and tells r of it. */
static __attribute__((noinline)) void load_closed_later(struct thread *r, struct endpoint *ep)
{
	struct ipc_node *n = list_entry(ep->queue.next, struct ipc_node, link);
	struct session *s = container_of(n, struct session, closed);

	ep->dozing = false;
	list_del(&n->link);
	r->regs.x[MSG_OP] |= TERN_MSG_CLOSED;
	r->regs.x[MSG_CLOSED] = s->badge;
	session_free(s);
}

static void free_async(struct call *c)
{
	struct thread *t = c->thread;

	list_del(&c->made);
	call_fini(c);
	kfree_for(t->process, c, sizeof *c);
	object_counts[TERN_OBJ_CALL]--;
	thread_put(t);
}

static void load_done(struct thread *r, struct ipc_node *n)
{
	struct call *c = container_of(n, struct call, node);

	message_event(r, TERN_EV_DONE, c->cookie, (u64)c->result, c->subject_token);
	if (r) {
		r->regs.x[MSG_ARGS + 1] = (u64)c->result_fds[0];
		r->regs.x[MSG_ARGS + 2] = (u64)c->result_fds[1];
	}
	free_async(c);
}

/* As of a call's, one of the pending events. */
static void load_process(struct thread *r, struct ipc_node *n)
{
	static const u32 ops[] = { TERN_EV_STOPPED, TERN_EV_CONTINUED, TERN_EV_EXITED };
	struct process *p = container_of(n, struct process, events.node);
	const s32 args[] = { p->events.stop_signal, 0, p->events.status };
	unsigned first = lowest_bit(p->events.pending);

	p->events.pending &= ~(1u << first);
	message_event(r, ops[first], p->badge, (u64)(s64)args[first], 0);
	if (p->events.pending && r)
		list_add_tail(&r->endpoint->queue, &n->link);
	else
		process_put(p);
}

static void load_thread(struct thread *r, struct ipc_node *n)
{
	struct thread *t = container_of(n, struct thread, exit_node);

	message_event(r, TERN_EV_THREAD_EXITED, t->process->badge, t->tid, 0);
	thread_put(t);
}

static void load_timer(struct thread *r, struct ipc_node *n)
{
	struct endpoint *ep = container_of(n, struct endpoint, timer_node);

	message_event(r, TERN_EV_TIMER, ep->timer_cookie, 0, 0);
}

static u64 events_loaded;

u64 messages_counted(void)
{
	u64 sum = 0;

	for (u32 k = 0;; k++) {
		kernel_lock();
		if (k == calls.nchunks)
			break;
		for (u32 i = 0; i < IDS_PER_CHUNK; i++) {
			const struct idslot *slot = &calls.chunks[k][i];
			const struct call *c = slot->object;

			/* A delivery adds 2, as does the way from one call with this number to the next. */
			sum += (c ? (u32)(c->token >> 32) : slot->generation) / 2;
		}
		kernel_unlock();
	}
	sum += events_loaded - calls.freed;
	kernel_unlock();
	return sum;
}

void message_load(struct thread *r, struct ipc_node *n)
{
	static void (*const loads[])(struct thread *r, struct ipc_node *n) = {
		[NODE_CALL] = load_request, [NODE_CALL_EVENT] = load_call_event,
		[NODE_CLOSED] = load_closed, [NODE_DONE] = load_done, [NODE_NOTE] = note_load,
		[NODE_PROCESS] = load_process, [NODE_THREAD] = load_thread,
		[NODE_TIMER] = load_timer, [NODE_PAGER] = pager_load,
	};

	if (n->kind != NODE_CALL)
		events_loaded++;
	loads[n->kind](r, n);
}

/* A signal, or the end, came while the caller was on its way in: it finds the call now. */
static void call_overtaken(struct thread *t)
{
	if (t->work & WORK_KILLED)
		thread_kill(t);
	else if (signal_pending(t))
		thread_interrupt(t);
}

/* Puts into the message page what comes with the message, a short path or, if the server wants
 * them, the bytes of a short input window, and returns how many bytes these are.  The server
 * copies the rest. */
static u64 load_page(const struct endpoint *ep, const struct call *c)
{
	const struct window *w = c->line->win;

	if (ep->takes_bytes && c->line->nwin && !c->buffer)
		return bytes_to_page(ep, c->thread, w, c->args[w->arg], window_bytes(w, c->args));
	if (c->line->route != ROUTE_V || w->kind != WIN_STR || !ep->page)
		return 0;
	return (u64)(aspace_try_string(c->thread->aspace, ep->page, c->args[w->arg], TERN_PATH_MAX) + 1);
}

struct thread *call_send_slowly(struct thread *t, struct session *s)
{
	struct call *c = &t->call;
	struct endpoint *ep = s->endpoint;

	/* Who is to give way gives the hart to nobody but the best of the queue. */
	if (likely((ep->waiting || ep->dozing) && !(t->work & WORK_RESCHED))) {
		struct thread *r = ep->receiver;

		load_call(r, c);
		r->regs.x[MSG_WORD0] = load_page(ep, c);
		if (ep->dozing)
			load_closed_later(r, ep);
		call_charge(t, ep, r);
		sched_hand_over(this_hart(), t, r);
		if (unlikely(t->work & (WORK_SIGNAL | WORK_KILLED)))
			call_overtaken(t);
		kernel_unlock();
		return r;
	}
	c->state = CALL_QUEUED;
	endpoint_post(ep, &c->node);
	if (unlikely(t->work & (WORK_SIGNAL | WORK_KILLED)))
		call_overtaken(t);
	return sched_next();
}

/* No server holds the call any more, so the events that were pending for the one that did are
 * void. */
static void call_unheld(struct call *c)
{
	if (c->session->endpoint->last == c)
		c->session->endpoint->last = NULL;
	timer_cancel(&c->park);
	list_del(&c->event.link);
	c->events = 0;
}

void call_forward(struct call *c, struct session *s, u64 w0, u64 w1)
{
	struct session *old = c->session;
	bool cancelled = c->cancel_sent;

	call_unheld(c);
	new_token(c);
	c->forwarded++;
	c->cancel_sent = 0;
	c->word[0] = w0;
	c->word[1] = w1;
	c->session = s;
	s->calls++;
	c->state = CALL_QUEUED;
	endpoint_post(s->endpoint, &c->node);
	if (cancelled)
		call_interrupt(c);
	session_end_call(old);
}

/* ---- the end of a call ---- */

/* Everything but session_end_call() for the session that it was in. */
static struct session *call_leave(struct call *c)
{
	struct session *s = c->session;

	call_unheld(c);
	if (c->fwd_object) {
		handle_unref(c->fwd_type, c->fwd_object);
		c->fwd_object = NULL;
	}
	if (c->more & CALL_MORE_PAGE && !list_empty(&c->thread->page.link))
		page_wait_end(c->thread);
	c->forwarded = c->cancel_sent = c->more = 0;
	c->state = CALL_IDLE;
	new_token(c);
	c->session = NULL;
	return s;
}

static void call_end_slowly(struct call *c) { session_end_call(call_leave(c)); }

s64 call_settle(struct call *c, s64 result)
{
	if (result >= 0)
		return call_commit(c, result);
	call_release(c);
	return result;
}

/* DONE goes to the maker, or the call is freed if that one ended. */
static void finish_async(struct call *c, s64 result)
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
		free_async(c);
	if (to)
		endpoint_put(to);
}

struct thread *call_finish(struct call *c, s64 result, int sig, bool direct)
{
	struct thread *t = c->thread;

	if (unlikely(c->nfds || c->pending_cwd || c->pending_root))
		result = call_settle(c, result);
	if (unlikely(c->async)) {
		finish_async(c, result);
		return NULL;
	}
	/* Its server could not go on for a page that was missing: again, when the page is there. */
	if (unlikely(c->more & CALL_MORE_PAGE && result == -EAGAIN)) {
		t->orig_a0 = t->regs.x[REG_A0];
		thread_add_work(t, WORK_RETRY);
		if (!list_empty(&t->page.link)) {
			c->more = 0; /* the wait outlasts the call */
			call_end_slowly(c);
			t->wait = WAIT_PAGER;
			t->wait_cancel = page_wait_end;
			return NULL;
		}
	}
	if (unlikely(result == -TERN_ECANCELLED)) {
		result = restart_code(c->line->restart);
		t->orig_a0 = t->regs.x[REG_A0];
		thread_add_work(t, WORK_SIGNAL);
	}
	if (likely(!c->special && c->session->uses > 1)) {
		c->session->calls--;
		call_end_plain(c, c->session->endpoint);
	} else {
		call_end_slowly(c);
	}
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

void call_interrupt(struct call *c)
{
	if (c->line->restart == RESTART_NEVER)
		return;
	/* Also to a server that has not received it yet: CANCEL comes behind it.  What does not wait
	 * is then done, and only what parks is interrupted, as it would be if it had been at once. */
	if ((c->state == CALL_QUEUED || c->state == CALL_RECEIVED) && !c->cancel_sent) {
		c->cancel_sent = 1;
		call_event(c, CALL_EVENT_CANCEL);
	}
}

/* The caller dies: the token is stale at once; who held it is told.  The caller is not woken. */
void call_abandon(struct call *c)
{
	bool held = c->state == CALL_RECEIVED;
	struct session *s;

	if (c->state != CALL_QUEUED && !held)
		return;
	if (c->pins) {
		c->dying = 1;
		return;
	}
	list_del(&c->node.link);
	c->gone_token = c->token;
	s = call_leave(c);
	call_release(c);
	if (held && !s->endpoint->dead) {
		c->gone_badge = s->badge;
		c->events = CALL_EVENT_GONE;
		thread_get(c->thread);
		endpoint_post(s->endpoint, &c->event);
	}
	session_end_call(s);
}

/* ---- asynchronous calls ---- */

void call_endpoint_died(struct endpoint *ep, void *object)
{
	struct call *c = object;

	if (c && c->state == CALL_RECEIVED && c->session->endpoint == ep && !c->pins)
		(void)call_finish(c, -EIO, 0, false);
}

bool calls_thread_died(struct thread *t)
{
	for (unsigned i = 0; i < ORPHANED_AT_ONCE && !list_empty(&t->async_made); i++) {
		struct call *c = list_entry(t->async_made.next, struct call, made);

		if (c->state == CALL_DONE) {
			list_del(&c->made);
			continue;
		}
		c->line = &method_line; /* without windows: no copy begins any more */
		if (c->pins)
			return false;
		list_del(&c->made);
		if (c->reply_to) {
			call_release(c);
			endpoint_put(c->reply_to);
			c->reply_to = NULL;
		}
	}
	return list_empty(&t->async_made);
}

/* TERN_CALL_ASYNC, with the kernel lock. */
static s64 call_async(struct thread *t, u64 *a, const struct syscall_line *line, const u64 args[6])
{
	struct call *c, *held = NULL;
	struct session *s;
	s64 err;

	s = handle_object(t->process->handles, (u32)a[1], HANDLE_SESSION, line->rights);
	if (!s)
		return -EBADF;
	if (!t->endpoint)
		return -EINVAL;
	if (a[3]) {
		held = call_lookup(t, a[3]);
		if (!held)
			return -ESRCH;
	}
	if (s->endpoint->dead)
		return -EPIPE;
	c = kmalloc_for(t->process, sizeof *c);
	if (!c)
		return -ENOMEM;
	if (!call_init(c, t)) {
		kfree_for(t->process, c, sizeof *c);
		return -ENOMEM;
	}
	object_counts[TERN_OBJ_CALL]++;
	thread_get(t);
	list_add_tail(&t->async_made, &c->made);
	c->async = 1;
	memcpy(c->own_args, args, sizeof c->own_args);
	c->args = c->own_args;
	c->cookie = a[0];
	c->subject_token = a[3];
	c->result_fds[0] = c->result_fds[1] = -1;
	c->line = line;
	c->op = (u32)a[2];
	if (held) {
		c->subject = call_subject(held);
		thread_get(c->subject);
	}
	if (line->route == ROUTE_V)
		route_references(c, call_subject(c), line);
	if (line->fd_mode) {
		err = call_reserve(c, t, line);
		if (err) {
			if (c->subject)
				thread_put(c->subject);
			free_async(c);
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

s64 native_call_async(struct thread *t, u64 *a)
{
	const struct syscall_line *line = syscall_line((u32)a[2]);
	u64 args[6];
	s64 r = get_user(t, args, a[4], sizeof args);

	if (r)
		return r;
	if (!line)
		return -EINVAL;
	if (line->route != ROUTE_METHOD && !(t->process->authority & TERN_AUTH_SERVER))
		return -EPERM;
	r = windows_check(line, args);
	if (r)
		return r;
	kernel_lock();
	r = call_async(t, a, line, args);
	kernel_unlock();
	return r;
}
