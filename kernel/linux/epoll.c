/*
 * epoll: sets of descriptors that are watched for longer than one call.
 *
 * An item hangs an entry on its object's readiness word for as long as it lives; an edge puts it
 * into the set's list of items that may be ready, and collecting looks at each there: what is not
 * ready any more is dropped, what is level-triggered goes to the list's end.  An item is named by
 * (descriptor, object), holds no reference, and ends with the object: items hang in a hash by object.
 * A set is itself such an object; chains of sets are at most MAX_NESTS long and never a ring, and
 * neither a search along them nor an event takes one of their links twice.
 * Kernel lock.
 */
#include <arch/cpu.h>
#include <kernel/linux/poll.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/signal.h>
#include <kernel/lib/string.h>
#include <kernel/linux/sys.h>
#include <linux/eventpoll.h>
#include <linux/poll.h>
#include <mm/slab.h>
#include <tern/linux/fcntl.h>

#define EPOLL_PRIVATE (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)
#define EPOLLEXCLUSIVE_OK                                                                    \
	(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM | EPOLLWAKEUP |      \
	 EPOLLET | EPOLLEXCLUSIVE)
#define MAX_NESTS 5
#define BATCH 32 /* events one call returns at most */
#define BUCKETS 1024
#define ITEMS_AT_ONCE 64u /* under one hold of the lock */
#define ITEMS_OF_ONE 128u /* of one object, as all of them end with it */

struct waitset {
	struct ready ready; /* first */
	u64 event; /* poll_event when it last passed one on: once, on however many ways it comes */
	u64 looked; /* chain(): the search that saw it last, and found this */
	unsigned chain;
	struct list items;
	struct list ready_items;
	struct steps ending;
};

struct item {
	struct poll_entry entry;
	struct list in_set, in_ready, in_hash;
	struct waitset *set;
	void *object;
	u8 type;
	s32 fd;
	u32 events; /* with EPOLL_PRIVATE; only these when a one-shot has fired */
	u64 data;
};

_Static_assert(sizeof(struct epoll_event) == 16, "struct epoll_event");

static struct list buckets[BUCKETS];
static u32 items_total;

static struct list *bucket_of(const void *object)
{
	struct list *b = &buckets[((u64)object >> 4 ^ (u64)object >> 10) % BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

static void item_free(struct item *i)
{
	list_del(&i->entry.link);
	list_del(&i->in_set);
	list_del(&i->in_ready);
	list_del(&i->in_hash);
	items_total--;
	account_discharge(i->set->ready.maker, sizeof *i);
	kfree(i);
}

void poll_object_gone(const void *object)
{
	struct list *b;

	if (likely(!items_total))
		return;
	b = bucket_of(object);
	list_for_each_safe(p, n, b) {
		struct item *i = list_entry(p, struct item, in_hash);

		if (i->object == object)
			item_free(i);
	}
}

static bool waitset_end_step(struct steps *s)
{
	struct waitset *w = container_of(s, struct waitset, ending);

	for (unsigned i = 0; i < ITEMS_AT_ONCE && !list_empty(&w->items); i++)
		item_free(list_entry(w->items.next, struct item, in_set));
	if (!list_empty(&w->items))
		return false;
	object_counts[TERN_OBJ_WAITSET]--;
	account_discharge(w->ready.maker, sizeof *w);
	kfree(w);
	return true;
}

static void waitset_free(struct ready *r)
{
	struct waitset *w = container_of(r, struct waitset, ready);

	if (!waitset_end_step(&w->ending))
		steps_begin(&w->ending);
}

static u32 item_bits(struct thread *t, const struct item *i)
{
	if (!(i->events & ~EPOLL_PRIVATE))
		return 0;
	return object_poll_bits(t, i->type, i->object) & (i->events | POLLERR | POLLHUP);
}

/* Nested sets make this recursive, MAX_NESTS deep. */
static u32 waitset_bits(struct thread *t, struct ready *r)
{
	struct waitset *w = container_of(r, struct waitset, ready);

	for (unsigned n = 0; !list_empty(&w->ready_items); n++) {
		struct item *i = list_entry(w->ready_items.next, struct item, in_ready);

		/* Of so many, one may well be; epoll_wait finds out. */
		if (n == ITEMS_AT_ONCE || item_bits(t, i))
			return POLLIN | POLLRDNORM;
		list_del(&i->in_ready);
	}
	return 0;
}

static const struct ready_own waitset_own = { waitset_bits, waitset_free };

/* Whether somebody woke. */
static bool item_maybe_ready(struct item *i)
{
	struct waitset *w = i->set;

	if (list_empty(&i->in_ready))
		list_add_tail(&w->ready_items, &i->in_ready);
	if (list_empty(&w->ready.waiters) || w->event == poll_event)
		return false;
	w->event = poll_event;
	poll_wake(&w->ready, POLLIN | POLLRDNORM);
	return true;
}

static bool item_notified(struct poll_entry *e, u32 bits)
{
	struct item *i = container_of(e, struct item, entry);

	return i->events & ~EPOLL_PRIVATE && bits & (i->events | POLLERR | POLLHUP) &&
	       item_maybe_ready(i);
}

/* *others: how many more the object has. */
static struct item *item_find(const struct waitset *w, s32 fd, const void *object, u32 *others)
{
	struct list *b = bucket_of(object);

	list_for_each(p, b) {
		struct item *i = list_entry(p, struct item, in_hash);

		*others += i->object == object;
		if (i->object == object && i->set == w && i->fd == fd)
			return i;
	}
	return NULL;
}

/* The longest chain of sets from w down, or up if `target` is NULL; more than MAX_NESTS if it leads
 * down to the target.  `search` is new each time: nothing is looked at twice. */
static unsigned chain(struct waitset *w, const struct waitset *target, u64 search)
{
	unsigned most = 0;

	if (w == target)
		return MAX_NESTS + 1;
	if (w->looked == search)
		return w->chain;
	if (target) {
		list_for_each(p, &w->items) {
			struct item *i = list_entry(p, struct item, in_set);

			if (i->type == HANDLE_WAITSET)
				most = MAX(most, chain(i->object, target, search));
		}
	} else {
		list_for_each(p, &w->ready.waiters) {
			struct poll_entry *e = list_entry(p, struct poll_entry, link);

			if (p != &w->ready.told && e->notify == item_notified)
				most = MAX(most, chain(container_of(e, struct item, entry)->set, NULL,
						       search));
		}
	}
	w->looked = search;
	w->chain = most + 1;
	return w->chain;
}

static s64 item_add(struct thread *t, struct waitset *w, s32 fd, const struct handle *h,
		    const struct epoll_event *ev)
{
	struct ready *r = object_ready(h->type, h->object);
	static u64 search;
	struct item *i;

	search += 2;
	if (h->type == HANDLE_WAITSET &&
	    chain(h->object, w, search) + chain(w, NULL, search + 1) > MAX_NESTS)
		return -ELOOP;
	if (!account_charge(w->ready.maker, sizeof *i))
		return -ENOMEM;
	i = kmalloc(sizeof *i);
	if (!i) {
		account_discharge(w->ready.maker, sizeof *i);
		return -ENOMEM;
	}
	i->set = w;
	i->object = h->object;
	i->type = h->type;
	i->fd = fd;
	i->events = ev->events;
	i->data = ev->data;
	i->entry.ready = r;
	i->entry.events = object_poll_mask(h->type, h->object);
	i->entry.exclusive = ev->events & EPOLLEXCLUSIVE;
	i->entry.notify = item_notified;
	i->entry.owner = i;
	list_init(&i->in_ready);
	list_init(&i->entry.link);
	list_add_tail(&w->items, &i->in_set);
	list_add_tail(bucket_of(h->object), &i->in_hash);
	items_total++;
	if (r)
		list_add_tail(&r->waiters, &i->entry.link);
	if (item_bits(t, i))
		item_maybe_ready(i);
	return 0;
}

static s64 ctl_locked(struct thread *t, u64 *a, const struct epoll_event *ev)
{
	struct handle_table *table = t->process->handles;
	struct handle *e = handle_find(table, (u32)a[0]), *h = handle_find(table, (u32)a[2]);
	u32 op = (u32)a[1], others = 0;
	struct waitset *w;
	struct item *i;

	if (!e || !h || e->rights & TERN_R_PATH || h->rights & TERN_R_PATH)
		return -EBADF;
	if (h->type == HANDLE_SESSION) {
		struct session *s = h->object;

		if (!s->ready && s->kind == TERN_KIND_FILE)
			return -EPERM;
	} else if (h->type != HANDLE_WAITSET && h->type != HANDLE_SIGNALFD) {
		return -EPERM;
	}
	if (e->type != HANDLE_WAITSET || e->object == h->object)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE &&
	    (op == EPOLL_CTL_MOD || h->type == HANDLE_WAITSET || ev->events & ~EPOLLEXCLUSIVE_OK))
		return -EINVAL;
	w = e->object;
	i = item_find(w, (s32)a[2], h->object, &others);
	switch (op) {
	case EPOLL_CTL_ADD:
		if (!i && others >= ITEMS_OF_ONE)
			return -ENOSPC;
		return i ? -EEXIST : item_add(t, w, (s32)a[2], h, ev);
	case EPOLL_CTL_DEL:
		if (!i)
			return -ENOENT;
		item_free(i);
		return 0;
	case EPOLL_CTL_MOD:
		if (!i)
			return -ENOENT;
		if (i->events & EPOLLEXCLUSIVE)
			return -EINVAL;
		i->events = ev->events;
		i->data = ev->data;
		if (item_bits(t, i))
			item_maybe_ready(i);
		return 0;
	}
	return -EINVAL;
}

s64 sys_epoll_ctl(struct thread *t, u64 *a)
{
	struct epoll_event ev = { 0 };
	s64 r;

	if ((u32)a[1] != EPOLL_CTL_DEL && get_user(t, &ev, a[3], sizeof ev))
		return -EFAULT;
	kernel_lock();
	r = ctl_locked(t, a, &ev);
	kernel_unlock();
	return r;
}

s64 sys_epoll_create1(struct thread *t, u64 *a)
{
	struct waitset *w;
	s64 r;

	if ((u32)a[0] & ~(u32)O_CLOEXEC)
		return -EINVAL;
	w = kmalloc_for(t->process, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->ready.refs = 1;
	w->ready.own = &waitset_own;
	list_init(&w->ready.waiters);
	list_init(&w->items);
	list_init(&w->ready_items);
	steps_init(&w->ending, waitset_end_step);
	kernel_lock();
	w->ready.maker = t->process->account;
	object_counts[TERN_OBJ_WAITSET]++;
	r = handle_add(t->process->handles, process_fd_limit(t->process), HANDLE_WAITSET, w,
		       TERN_R_READ | TERN_R_WRITE | TERN_R_IO | TERN_R_TRANSFER, a[0] & O_CLOEXEC);
	kernel_unlock();
	return r;
}

/* ---- waiting ---- */

/* Looks at no more than ITEMS_AT_ONCE; *more: there are others that may be ready. */
static unsigned collect(struct thread *t, struct waitset *w, struct epoll_event *v, unsigned max, bool *more)
{
	struct list again = LIST_INIT(again);
	unsigned n = 0;

	for (unsigned looked = 0; looked < ITEMS_AT_ONCE && n < max && !list_empty(&w->ready_items); looked++) {
		struct item *i = list_entry(w->ready_items.next, struct item, in_ready);
		u32 bits = item_bits(t, i);

		list_del(&i->in_ready);
		if (!bits)
			continue;
		v[n++] = (struct epoll_event){ .events = bits, .data = i->data };
		if (i->events & EPOLLONESHOT)
			i->events &= EPOLL_PRIVATE;
		else if (!(i->events & EPOLLET))
			list_add_tail(&again, &i->in_ready);
	}
	*more = !list_empty(&w->ready_items);
	/* What was not looked at comes first next time. */
	while (!list_empty(&again)) {
		struct list *p = again.next;

		list_del(p);
		list_add_tail(&w->ready_items, p);
	}
	return n;
}

static s64 epoll_again(struct thread *t);

static s64 epoll_run(struct thread *t)
{
	u64 *a = &t->regs.x[REG_A0], deadline = t->again.deadline_ns;
	struct epoll_event v[BATCH];
	s32 max = (s32)a[2];
	struct waitset *w;
	struct handle *h;
	unsigned n;
	bool more;
	s64 r;

	if (max <= 0 || max > (s32)(0x7fffffff / sizeof v[0]))
		return -EINVAL;
	if (!user_range_ok(a[1], (u64)max * sizeof v[0]))
		return -EFAULT;
	kernel_lock();
	h = handle_find(t->process->handles, (u32)a[0]);
	r = -EBADF;
	if (!h || h->rights & TERN_R_PATH)
		goto out_unlock;
	r = -EINVAL;
	if (h->type != HANDLE_WAITSET)
		goto out_unlock;
	w = h->object;
	ready_get(&w->ready);
	while (!(n = collect(t, w, v, MIN((unsigned)max, (unsigned)BATCH), &more)) && more)
		kernel_relax();
	ready_put(&w->ready);
	if (n) {
		kernel_unlock();
		return put_user(t, a[1], v, n * sizeof v[0]) ? -EFAULT : (s64)n;
	}
	r = 0;
	if (!deadline || deadline_passed(deadline))
		goto out_unlock;
	r = -EINTR;
	if (signal_pending(t))
		goto out_unlock;
	return poll_wait_ready(t, &w->ready, POLLIN | POLLRDNORM, deadline, epoll_again);
out_unlock:
	kernel_unlock();
	return r;
}

static s64 epoll_again(struct thread *t) { return poll_mask_end(t, epoll_run(t)); }

static s64 epoll_begin(struct thread *t, u64 *a)
{
	s64 r = poll_mask_set(t, a[4], a[5]);

	return r ? r : epoll_again(t);
}

s64 sys_epoll_pwait(struct thread *t, u64 *a)
{
	s32 ms = (s32)a[3];

	t->again.deadline_ns = ms < 0 ? NO_DEADLINE : ms ? deadline_after((u64)ms * 1000000) : 0;
	return epoll_begin(t, a);
}

s64 sys_epoll_pwait2(struct thread *t, u64 *a)
{
	s64 r = timeout_get(t, a[3]);

	return r ? r : epoll_begin(t, a);
}
