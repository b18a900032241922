/*
 * Endpoints, where servers wait, and sessions, what clients' handles point at.
 *
 * Everything that an endpoint queues is a node inside the object it is about (struct ipc_node), so
 * queueing cannot fail; requests and events keep one order.  A session counts its handles (name
 * contexts, metas and pending gives among them) and its calls in flight; when both are 0 it queues
 * itself as CLOSED, and delivering that event frees it.
 * Kernel lock guards all of it.
 */
#include <arch/trap.h>
#include <ipc/pager.h>
#include <ipc/session.h>
#include <kernel/idtable.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/thread.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#include "call_priv.h"

static bool endpoint_end_step(struct steps *s);
static struct slab_cache session_cache, endpoint_cache, ready_cache;
static struct idtable sessions;
struct idtable readies;

/* ---- readiness words ---- */

struct ready *ready_create(struct endpoint *ep, u32 bits)
{
	struct account *maker = process_charge(ep->owner, sizeof(struct ready));
	struct ready *r;

	if (!ready_cache.name)
		slab_cache_init(&ready_cache, "ready", sizeof(struct ready));
	if (!maker)
		return NULL;
	r = slab_alloc(&ready_cache);
	if (!r)
		goto out_charge;
	r->id = id_alloc(&readies, r);
	if (!r->id)
		goto out_ready;
	r->refs = 1;
	r->bits = bits;
	r->maker = maker;
	r->endpoint = ep;
	endpoint_get(ep);
	list_init(&r->waiters);
	list_add_tail(&ep->readies, &r->in_endpoint);
	return r;
out_ready:
	slab_free(&ready_cache, r);
out_charge:
	account_discharge(maker, sizeof *r);
	return NULL;
}

void ready_put(struct ready *r)
{
	if (--r->refs > 0)
		return;
	if (r->own) {
		poll_object_gone(r);
		r->own->free(r);
		return;
	}
	assert(list_empty(&r->waiters));
	if (r->payer)
		account_discharge(r->payer, r->charged);
	if (r->tells)
		ready_put(r->tells); /* which tells nobody itself */
	id_free(&readies, r->id);
	list_del(&r->in_endpoint);
	endpoint_put(r->endpoint);
	account_discharge(r->maker, sizeof *r);
	slab_free(&ready_cache, r);
}

s64 ready_charge(struct ready *r, struct process *p, u64 bytes)
{
	u64 more = bytes > r->charged ? bytes - r->charged : 0;

	if (!r->payer)
		r->payer = process_charge(p, more);
	else if (!account_charge(r->payer, more))
		return -ENOMEM;
	if (!r->payer)
		return -ENOMEM;
	account_discharge(r->payer, r->charged + more - bytes);
	r->charged = bytes;
	if (!bytes)
		r->payer = NULL;
	return 0;
}

/* ---- sessions ---- */

/* What one costs: itself, its share of a readiness word, and about what its server keeps of it. */
#define SESSION_BYTES (sizeof(struct session) + sizeof(struct ready) + 256)

struct session *session_create(struct endpoint *ep, u64 badge, unsigned kind, u64 ident,
			       struct ready *ready, struct session *meta, struct process *p)
{
	struct account *payer = process_charge(p, SESSION_BYTES);
	struct session *s;

	if (!session_cache.name)
		slab_cache_init(&session_cache, "session", sizeof(struct session));
	if (!payer)
		return NULL;
	s = slab_alloc(&session_cache);
	if (!s)
		goto out_charge;
	s->payer = payer;
	s->endpoint = ep;
	endpoint_get(ep);
	s->badge = badge;
	s->kind = (u8)kind;
	s->ident = ident;
	s->sees = 0xffff;
	s->ready = ready;
	if (ready)
		ready_get(ready);
	s->meta = meta;
	if (meta)
		session_get(meta);
	s->closed.kind = NODE_CLOSED;
	list_init(&s->closed.link);
	return s;
out_charge:
	account_discharge(payer, SESSION_BYTES);
	return NULL;
}

/* One more session (n: 1), or one less (-1), has the ends that s has. */
static void session_count_ends(const struct session *s, int n)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->ready->end); i++) {
		struct ready *told = s->ready->tells ? s->ready->tells : s->ready;
		struct ready_end *e = &s->ready->end[i];

		if (!(s->ends & TERN_R_READ << i))
			continue;
		e->sessions += (u32)n;
		if (!e->sessions)
			ready_change(told, e->gone, 0);
		else if (e->sessions == 1)
			ready_change(told, 0, e->gone);
	}
}

void session_take_ends(struct session *s, unsigned rights)
{
	const struct ready_end *end = s->ready ? s->ready->end : NULL;

	if (!end || !(end[0].gone | end[1].gone))
		return;
	s->ends = s->ready->tells ? TERN_R_READ : rights & (TERN_R_READ | TERN_R_WRITE);
	if (!s->ready->tells)
		s->sees = (s->ends & TERN_R_READ ? POLLIN | POLLRDNORM | end[1].gone : 0) |
			  (s->ends & TERN_R_WRITE ? POLLOUT | POLLWRNORM | end[0].gone : 0);
	session_count_ends(s, 1);
}

bool session_number(struct session *s)
{
	s->sid = id_alloc(&sessions, s);
	return s->sid;
}

struct session *session_find(u64 sid) { return id_find(&sessions, sid); }

/* Frees a session that nothing refers to, and on dead endpoints the metas that hung on it alone. */
void session_free(struct session *s)
{
	while (s) {
		struct session *meta = s->meta;

		if (s->sid)
			id_free(&sessions, s->sid);
		if (s->ready)
			ready_put(s->ready);
		if (s->file)
			file_detach(s);
		endpoint_put(s->endpoint);
		account_discharge(s->payer, SESSION_BYTES);
		slab_free(&session_cache, s);
		s = NULL;
		if (!meta || --meta->handles > 0)
			return;
		poll_object_gone(meta);
		if (meta->calls)
			return;
		if (meta->endpoint->dead)
			s = meta;
		else
			endpoint_post(meta->endpoint, &meta->closed);
	}
}

static void session_maybe_close(struct session *s)
{
	if (s->handles || s->calls)
		return;
	if (s->ends)
		session_count_ends(s, -1);
	if (s->endpoint->dead) {
		session_free(s);
	} else if (s->close_later && s->endpoint->close_later && s->endpoint->waiting) {
		s->endpoint->waiting = false;
		s->endpoint->dozing = true;
		list_add_tail(&s->endpoint->queue, &s->closed.link);
	} else {
		endpoint_post(s->endpoint, &s->closed);
	}
}

void session_put(struct session *s)
{
	assert(s->handles > 0);
	if (--s->handles == 0) {
		poll_object_gone(s);
		session_maybe_close(s);
	}
}

void session_end_call(struct session *s)
{
	assert(s->calls > 0);
	if (--s->calls == 0 && s->handles == 0)
		session_maybe_close(s);
}

/* ---- endpoints ---- */

static void endpoint_timer_fired(struct timer *timer)
{
	struct endpoint *ep = container_of(timer, struct endpoint, timer);

	if (list_empty(&ep->timer_node.link))
		endpoint_post(ep, &ep->timer_node);
}

struct endpoint *endpoint_create(struct process *p)
{
	struct account *payer = process_charge(p, sizeof(struct endpoint));
	struct endpoint *ep;

	if (!endpoint_cache.name)
		slab_cache_init(&endpoint_cache, "endpoint", sizeof(struct endpoint));
	if (!payer)
		return NULL;
	ep = slab_alloc(&endpoint_cache);
	if (!ep) {
		account_discharge(payer, sizeof *ep);
		return NULL;
	}
	ep->payer = payer;
	ep->refs = 1;
	list_init(&ep->queue);
	list_init(&ep->in_owner);
	list_init(&ep->readies);
	list_init(&ep->pagers);
	steps_init(&ep->ending, endpoint_end_step);
	timer_init(&ep->timer, endpoint_timer_fired);
	ep->timer_node.kind = NODE_TIMER;
	list_init(&ep->timer_node.link);
	endpoint_set_owner(ep, p);
	return ep;
}

void endpoint_free(struct endpoint *ep)
{
	timer_cancel(&ep->timer);
	list_del(&ep->in_owner);
	if (ep->page)
		frame_put(virt_to_pfn(ep->page));
	account_discharge(ep->payer, sizeof *ep);
	slab_free(&endpoint_cache, ep);
}

void endpoint_post(struct endpoint *ep, struct ipc_node *n)
{
	struct thread *r = ep->receiver;

	if (ep->dead)
		return;
	if (!ep->waiting) {
		list_add_tail(&ep->queue, &n->link);
		if (!ep->dozing)
			return;
		n = list_entry(ep->queue.next, struct ipc_node, link);
		list_del(&n->link);
	}
	ep->waiting = ep->dozing = false;
	message_load(r, n);
	r->wait = WAIT_NONE;
	sched_ready(r);
}

void endpoint_set_owner(struct endpoint *ep, struct process *p)
{
	list_del(&ep->in_owner);
	ep->owner = p;
	if (p)
		list_add_tail(&p->endpoints, &ep->in_owner);
}

/* ---- an endpoint's end ----
 *
 * It is dead at once; what hangs on it is let go in steps, each of which takes the next of these until
 * there is nothing left.  What is looked for in a table of all comes no more once the endpoint is dead. */

#define ENDED_AT_ONCE 16u
#define LOOKED_AT_AT_ONCE 256u

/* Queued requests get EIO, queued events are dropped. */
static bool endpoint_end_queue(struct endpoint *ep)
{
	for (unsigned i = 0; i < ENDED_AT_ONCE && !list_empty(&ep->queue); i++) {
		struct ipc_node *n = list_entry(ep->queue.next, struct ipc_node, link);

		list_del(&n->link);
		if (n->kind == NODE_CALL)
			(void)call_finish(container_of(n, struct call, node), -EIO, 0, false);
		else
			message_load(NULL, n);
	}
	return list_empty(&ep->queue);
}

static bool endpoint_end_readies(struct endpoint *ep)
{
	for (unsigned i = 0; i < ENDED_AT_ONCE && !list_empty(&ep->readies); i++) {
		struct ready *r = list_entry(ep->readies.next, struct ready, in_endpoint);

		list_del(&r->in_endpoint);
		ready_get(r); /* whom it wakes may let go of it */
		ready_change(r, POLLERR | POLLHUP, 0);
		if (!r->destroyed) {
			r->destroyed = true;
			ready_put(r);
		}
		ready_put(r);
	}
	return list_empty(&ep->readies);
}

/* Sessions that were made and never got a handle: nobody else will free them. */
static void session_end_if_never_given(struct endpoint *ep, void *object)
{
	struct session *s = object;

	if (s && s->endpoint == ep && !s->handles && !s->calls)
		session_free(s);
}

/* Looks at the next objects of a table from ep->cursor on. */
static bool endpoint_end_in_table(struct endpoint *ep, struct idtable *t,
				  void (*end)(struct endpoint *ep, void *object))
{
	for (unsigned i = 0; i < LOOKED_AT_AT_ONCE && ep->cursor < t->nchunks * IDS_PER_CHUNK; i++, ep->cursor++)
		end(ep, id_object(t, ep->cursor));
	if (ep->cursor < t->nchunks * IDS_PER_CHUNK)
		return false;
	ep->cursor = 0;
	return true;
}

static bool endpoint_end_calls(struct endpoint *ep)
{
	return endpoint_end_in_table(ep, &calls, call_endpoint_died);
}

static bool endpoint_end_sessions(struct endpoint *ep)
{
	return endpoint_end_in_table(ep, &sessions, session_end_if_never_given);
}

static bool endpoint_end_step(struct steps *s)
{
	static bool (*const phases[])(struct endpoint *ep) = {
		endpoint_end_queue, endpoint_end_calls, pagers_endpoint_died, endpoint_end_readies,
		endpoint_end_sessions,
	};
	struct endpoint *ep = container_of(s, struct endpoint, ending);

	if (phases[ep->phase](ep))
		ep->phase++;
	if (ep->phase < ARRAY_SIZE(phases))
		return false;
	endpoint_put(ep); /* the reference that endpoint_kill() took */
	return true;
}

void endpoint_kill(struct endpoint *ep)
{
	struct thread *r = ep->receiver;

	if (ep->dead)
		return;
	endpoint_get(ep);
	ep->dead = true;
	ep->waiting = ep->dozing = false;
	endpoint_set_owner(ep, NULL);
	timer_cancel(&ep->timer);
	if (r) {
		ep->receiver = NULL;
		r->endpoint = NULL;
		endpoint_put(ep);
		if (r->state == THREAD_BLOCKED && r->wait == WAIT_RECV)
			thread_wake(r, -EINVAL);
	}
	steps_begin(&ep->ending);
}

/* t's next instruction is the receive again: of the registers that it keeps only pc changes. */
static void receive_again(struct thread *t)
{
	t->regs.x[REG_A7] = TERN_RECV;
	t->regs.x[REG_PC] -= 4;
}

struct thread *endpoint_receive(struct thread *t)
{
	struct endpoint *ep = t->endpoint;

	assert_kernel_locked();
	if (unlikely(!ep)) { /* its owner ended, which may be another process */
		t->regs.x[REG_A0] = (u64)-EINVAL;
	} else if (!list_empty(&ep->queue)) {
		struct ipc_node *n = list_entry(ep->queue.next, struct ipc_node, link);

		list_del(&n->link);
		message_load(t, n);
		if (n->kind == NODE_CALL)
			sched_charge_server(t, &container_of(n, struct call, node)->thread->system_ticks);
	} else if (unlikely(t->work & WORK_NO_RECEIVE)) {
		receive_again(t);
	} else {
		receive_block(t, ep);
		return sched_next();
	}
	kernel_unlock();
	return t;
}

/* ---- what becomes of threads and processes ---- */

void process_event(struct process *p, u32 bits)
{
	bool queued = !list_empty(&p->events.node.link);

	if (!p->events_at || p->events_at->dead)
		return;
	p->events.pending |= bits;
	if (!queued) {
		process_get(p); /* the reference of the endpoint's queue */
		endpoint_post(p->events_at, &p->events.node);
	}
}

void thread_ended_event(struct thread *t)
{
	struct endpoint *pm = t->process->events_at;

	if (!pm || pm->dead)
		return;
	thread_get(t); /* the reference of the endpoint's queue */
	endpoint_post(pm, &t->exit_node);
}

void endpoint_receiver_held(struct thread *t)
{
	struct endpoint *ep = t->endpoint;

	if (!ep)
		return;
	ep->last = NULL;
	if (t->state == THREAD_BLOCKED && t->wait == WAIT_RECV) {
		ep->waiting = ep->dozing = false;
		receive_again(t);
	}
}

bool endpoints_thread_died(struct thread *t, bool last)
{
	struct list *owned = &t->process->endpoints;

	if (t->endpoint)
		endpoint_kill(t->endpoint); /* drops t->endpoint's reference */
	else if (last && !list_empty(owned))
		endpoint_kill(list_entry(owned->next, struct endpoint, in_owner));
	else
		return true;
	return false;
}
