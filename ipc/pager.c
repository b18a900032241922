/*
 * Objects whose pages a server brings.
 *
 * A page that is missing is asked of the pager's endpoint (PAGE_IN), once however many want it; the
 * pager is the node on the queue, and is there while somebody wants a page that was not asked for
 * yet.  Who waits is a thread: in its own fault, or in a call whose server met the page in a copy
 * (-EAGAIN).  When the page is there, or never will be, the fault is tried again; the server gets
 * PAGED, or, if it has ended the call with -EAGAIN, the call is made again.
 * A waiting thread holds the object.  Kernel lock.
 */
#include <ipc/pager.h>
#include <ipc/session.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <mm/memobj.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#include "reply_priv.h"

#define DECIDED_AT_ONCE 32u

struct pager {
	struct ipc_node node;
	struct endpoint *endpoint; /* referenced */
	struct list in_endpoint;
	struct memobj *memobj; /* whose pager it is, which outlives it */
	u64 badge;
	struct list waiting; /* struct thread.page.link */
	u32 nwaiting;
};

struct memobj *pager_create(struct endpoint *ep, u64 size, u64 ident, u64 badge)
{
	struct pager *p = kmalloc(sizeof *p);
	struct memobj *m = p ? memobj_create_paged(size, ident, p) : NULL;

	if (!m) {
		kfree(p);
		return NULL;
	}
	p->node.kind = NODE_PAGER;
	list_init(&p->node.link);
	list_init(&p->waiting);
	p->memobj = m;
	p->badge = badge;
	p->endpoint = ep;
	endpoint_get(ep);
	list_add_tail(&ep->pagers, &p->in_endpoint);
	return m;
}

void mm_pager_gone(struct pager *p)
{
	kernel_lock();
	list_del(&p->in_endpoint);
	endpoint_put(p->endpoint);
	kernel_unlock();
	kfree(p);
}

/* A thread's wait for a page that the pager has not been asked for yet, or NULL. */
static struct page_wait *pager_unasked(const struct pager *p)
{
	list_for_each(l, &p->waiting) {
		struct page_wait *w = list_entry(l, struct page_wait, link);

		if (!w->asked)
			return w;
	}
	return NULL;
}

static void pager_ask(struct pager *p)
{
	if (pager_unasked(p) && list_empty(&p->node.link))
		endpoint_post(p->endpoint, &p->node);
}

void pager_load(struct thread *r, struct ipc_node *n)
{
	struct pager *p = container_of(n, struct pager, node);
	u64 index;

	if (!r)
		return;
	index = pager_unasked(p)->index;
	list_for_each(l, &p->waiting) {
		struct page_wait *w = list_entry(l, struct page_wait, link);

		w->asked |= w->index == index;
	}
	message_event(r, TERN_EV_PAGE_IN, p->badge, index << PAGE_SHIFT, 0);
	pager_ask(p);
}

/* Adds t to the threads that wait for pages of p's object.  The reference of the object that the
 * caller holds is the wait's from then on. */
static void wait_begin(struct thread *t, struct pager *p, u64 index)
{
	if (!list_empty(&t->page.link))
		page_wait_end(t);
	t->page.pager = p;
	t->page.index = index;
	t->page.asked = false;
	list_for_each(l, &p->waiting) {
		struct page_wait *w = list_entry(l, struct page_wait, link);

		t->page.asked |= w->asked && w->index == index;
	}
	list_add_tail(&p->waiting, &t->page.link);
	p->nwaiting++;
}

void page_wait_end(struct thread *t)
{
	struct pager *p = t->page.pager;

	list_del(&t->page.link);
	p->nwaiting--;
	if (!t->page.asked && !pager_unasked(p))
		list_del(&p->node.link);
	memobj_put(p->memobj);
}

/* Ends t's wait: its page has come, or never will. */
static void page_decided(struct thread *t)
{
	page_wait_end(t);
	if (t->wait == WAIT_PAGER)
		thread_wake(t, (s64)t->regs.x[REG_A0]);
	else
		call_event(&t->call, CALL_EVENT_PAGED);
}

/* Each that is looked at goes to the list's end, so all that are there now are, whoever leaves or comes
 * meanwhile. */
void pager_supplied(struct memobj *m)
{
	struct pager *p = m->pager;

	for (u32 i = 0, n = p->nwaiting; i < n && !list_empty(&p->waiting); i++) {
		struct thread *t = list_entry(p->waiting.next, struct thread, page.link);

		list_del(&t->page.link);
		list_add_tail(&p->waiting, &t->page.link);
		if (p->endpoint->dead || memobj_has(m, t->page.index))
			page_decided(t);
		if (i % DECIDED_AT_ONCE == DECIDED_AT_ONCE - 1)
			kernel_relax();
	}
}

void pager_changed(struct memobj *m)
{
	if (likely(!m->pager))
		return;
	kernel_lock();
	pager_supplied(m);
	kernel_unlock();
}

bool pagers_endpoint_died(struct endpoint *ep)
{
	for (unsigned i = 0; i < DECIDED_AT_ONCE && !list_empty(&ep->pagers); i++) {
		struct pager *p = list_entry(ep->pagers.next, struct pager, in_endpoint);

		if (list_empty(&p->waiting))
			list_del(&p->in_endpoint);
		else
			page_decided(list_entry(p->waiting.next, struct thread, page.link));
	}
	return list_empty(&ep->pagers);
}

/* Gives the question for t's page, and t's hart, at once to the pager, which waits in recv.
 * Returns the thread that runs next, which is the pager's; drops the kernel lock. */
static struct thread *ask_over(struct thread *t, struct pager *p)
{
	struct endpoint *ep = p->endpoint;
	struct thread *r = ep->receiver;

	t->page.asked = true;
	message_event(r, TERN_EV_PAGE_IN, p->badge, t->page.index << PAGE_SHIFT, 0);
	call_charge(t, ep, r);
	sched_hand_over(this_hart(), t, r);
	kernel_unlock();
	return r;
}

/* As thread_block(), but no system call is to be restarted. */
static void wait_blocks(struct thread *t)
{
	t->state = THREAD_BLOCKED;
	t->wait = WAIT_PAGER;
	t->interruptible = false;
	t->wait_cancel = page_wait_end;
	if (unlikely(t->work & WORK_KILLED))
		thread_kill(t);
}

struct thread *pager_fault(struct thread *t, va_t va, unsigned access,
			   const struct page_missing *missing)
{
	struct memobj *m = missing->memobj;
	struct pager *p = m->pager;
	bool came, dead;

	kernel_lock();
	came = READ_ONCE(m->comings) != missing->comings;
	dead = p->endpoint->dead;
	if (unlikely(came || dead)) {
		kernel_unlock();
		memobj_put(m);
		if (!came)
			signal_fault(t, SIGBUS, BUS_ADRERR, va, true);
		return t;
	}
	t->page.va = va;
	t->page.access = (u8)access;
	wait_begin(t, p, missing->index);
	wait_blocks(t);
	if (likely(p->endpoint->waiting && t->state == THREAD_BLOCKED && !t->page.asked &&
		   sched_may_switch(this_hart(), p->endpoint->receiver)))
		return ask_over(t, p);
	pager_ask(p);
	return sched_next();
}

/* Page `index` has come: wakes all threads that wait for it but the first that faulted on it.
 * That one is returned and is in no queue, so that the caller can switch to it; NULL: none
 * faulted there. */
static struct thread *page_came(struct pager *p, u64 index)
{
	struct thread *first = NULL;

	list_for_each_safe(l, next, &p->waiting) {
		struct thread *t = list_entry(l, struct thread, page.link);

		if (t->page.index != index)
			continue;
		page_wait_end(t);
		if (t->wait != WAIT_PAGER) {
			call_event(&t->call, CALL_EVENT_PAGED);
		} else if (first) {
			thread_wake(t, (s64)t->regs.x[REG_A0]);
		} else {
			t->wait = WAIT_NONE;
			t->wait_cancel = NULL;
			first = t;
		}
	}
	return first;
}

/* What is not one page of an object that nothing maps goes the way of MEMOBJ_SUPPLY.  Kernel lock held,
 * dropped. */
static struct thread *supply_slowly(struct thread *t, struct memobj *dst, u64 *a)
{
	s64 r = -EBADF;

	if (likely(dst)) {
		memobj_get(dst);
		kernel_unlock();
		r = native_memobj_supply(t, dst, a);
		memobj_put(dst);
		kernel_lock();
	}
	if (likely(r == (s64)a[4]))
		return endpoint_receive(t);
	message_event(t, TERN_EV_COPY_SHORT, 0, (u64)r, 0);
	kernel_unlock();
	return t;
}

/* Resolves the fault of t, which this hart runs next, before t is in user mode again.  If that
 * fails, t faults once more. */
static void fault_again(struct thread *t)
{
	struct page_missing missing;

	if (aspace_fault_missing(t->aspace, t->page.va, t->page.access, &missing) == FAULT_PAGER)
		memobj_put(missing.memobj);
}

struct thread *entry_supply_recv(struct thread *t)
{
	struct handle_table *handles = t->process->handles;
	u64 *a = &t->regs.x[CALL_ARGS], index = a[1] >> PAGE_SHIFT;
	struct endpoint *ep = t->endpoint;
	struct memobj *dst, *src;
	struct thread *next;

	if (unlikely(!ep)) {
		a[0] = (u64)-EINVAL;
		return t;
	}
	kernel_lock();
	dst = handle_object(handles, (u32)a[0], HANDLE_MEMOBJ, TERN_R_WRITE);
	src = handle_object(handles, (u32)a[2], HANDLE_MEMOBJ, TERN_R_WRITE);
	if (unlikely(!dst || !src || !dst->pager || ((a[1] | a[3]) & PAGE_MASK) || a[4] != PAGE_SIZE ||
		     !memobj_try_supply(dst, index, src, a[3] >> PAGE_SHIFT)))
		return supply_slowly(t, dst, a);
	next = page_came(dst->pager, index);
	if (likely(next && list_empty(&ep->queue) && !(t->work & WORK_NO_RECEIVE) &&
		   sched_may_switch(this_hart(), next))) {
		reply_charge(t, ep, next);
		sched_hand_over(this_hart(), t, next);
		kernel_unlock();
		fault_again(next);
		return next;
	}
	if (next)
		sched_ready(next);
	return endpoint_receive(t);
}

s64 pager_copy_short(struct call *c, va_t va)
{
	struct thread *t = c->thread;
	u64 index;
	struct memobj *m = aspace_missing(t->aspace, va, &index);
	bool waits = false;

	if (m && !c->async && !(c->more & CALL_MORE_PAIR)) {
		kernel_lock();
		waits = !c->dying && !m->pager->endpoint->dead && !memobj_has(m, index);
		if (waits) {
			wait_begin(t, m->pager, index);
			pager_ask(m->pager);
			c->more |= CALL_MORE_PAGE;
		}
		kernel_unlock();
	}
	if (m && !waits)
		memobj_put(m);
	return waits ? -EAGAIN : -EFAULT;
}
