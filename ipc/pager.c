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
#include <kernel/process.h>
#include <kernel/sched.h>
#include <mm/memobj.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#include "call_priv.h"

struct pager {
	struct ipc_node node;
	struct endpoint *endpoint; /* referenced */
	struct list in_endpoint;
	struct memobj *memobj; /* whose pager it is, which outlives it */
	u64 badge;
	struct list waiting; /* struct thread.page.link */
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

/* Somebody who waits for a page that nobody has asked for, or NULL. */
static struct page_wait *unasked(const struct pager *p)
{
	list_for_each(l, &p->waiting) {
		struct page_wait *w = list_entry(l, struct page_wait, link);

		if (!w->asked)
			return w;
	}
	return NULL;
}

static void ask(struct pager *p)
{
	if (unasked(p) && list_empty(&p->node.link))
		endpoint_post(p->endpoint, &p->node);
}

void pager_load(struct thread *r, struct ipc_node *n)
{
	struct pager *p = container_of(n, struct pager, node);
	u64 index;

	if (!r)
		return;
	index = unasked(p)->index;
	list_for_each(l, &p->waiting) {
		struct page_wait *w = list_entry(l, struct page_wait, link);

		w->asked |= w->index == index;
	}
	message_event(r, TERN_EV_PAGE_IN, p->badge, index << PAGE_SHIFT, 0);
	ask(p);
}

/* Consumes the reference of m.  False: the page is there now, or never will be. */
static bool wait_for_page(struct thread *t, struct memobj *m, u64 index)
{
	struct pager *p = m->pager;

	if (p->endpoint->dead || memobj_has(m, index)) {
		memobj_put(m);
		return false;
	}
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
	ask(p);
	return true;
}

void page_wait_end(struct thread *t)
{
	struct pager *p = t->page.pager;

	list_del(&t->page.link);
	if (!unasked(p))
		list_del(&p->node.link);
	memobj_put(p->memobj);
}

void pager_supplied(struct memobj *m)
{
	struct pager *p = m->pager;

	list_for_each_safe(l, next, &p->waiting) {
		struct thread *t = list_entry(l, struct thread, page.link);

		if (!p->endpoint->dead && !memobj_has(m, t->page.index))
			continue;
		page_wait_end(t);
		if (t->wait == WAIT_PAGER)
			thread_wake(t, (s64)t->regs.x[REG_A0]);
		else
			call_event(&t->call, CALL_EVENT_PAGED);
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

void pagers_endpoint_died(struct endpoint *ep)
{
	list_for_each(l, &ep->pagers)
		pager_supplied(list_entry(l, struct pager, in_endpoint)->memobj);
}

struct thread *pager_fault(struct thread *t, va_t va)
{
	u64 index;
	struct memobj *m = aspace_missing(t->aspace, va, &index);
	struct pager *p;

	if (!m)
		return t;
	p = m->pager;
	kernel_lock();
	if (unlikely(p->endpoint->dead) && !memobj_has(m, index)) {
		kernel_unlock();
		memobj_put(m);
		signal_fault(t, SIGBUS, BUS_ADRERR, va, true);
		return t;
	}
	if (!wait_for_page(t, m, index)) {
		kernel_unlock();
		return t;
	}
	thread_block(t, WAIT_PAGER, false, page_wait_end);
	return sched_next();
}

s64 pager_copy_short(struct call *c, va_t va)
{
	struct thread *t = c->thread;
	u64 index;
	struct memobj *m = aspace_missing(t->aspace, va, &index);
	bool waits;

	if (!m || c->async || c->more & CALL_MORE_PAIR) {
		if (m)
			memobj_put(m);
		return -EFAULT;
	}
	kernel_lock();
	waits = !c->dying && wait_for_page(t, m, index);
	if (waits)
		c->more |= CALL_MORE_PAGE;
	kernel_unlock();
	return waits ? -EAGAIN : -EFAULT;
}
