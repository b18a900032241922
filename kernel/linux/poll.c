/*
 * Waiting for readiness: ppoll and pselect6.
 *
 * Readiness is a word of bits; nobody is asked.  A call scans its descriptors under the kernel
 * lock; if nothing is ready it hangs one entry for each on the words' lists of waiters and blocks,
 * without dropping the lock in between, so no edge is lost.  Whatever ends the wait - an edge, the
 * deadline, a signal - undoes the entries and has the thread scan again (t->resume): the arguments
 * are in its registers, the deadline in t->again.
 * An entry holds a reference to what it hangs on.
 * Kernel lock.
 */
#include <arch/cpu.h>
#include <kernel/lib/bits.h>
#include <kernel/linux/poll.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/signal.h>
#include <kernel/lib/string.h>
#include <kernel/linux/sys.h>
#include <linux/poll.h>
#include <mm/slab.h>

#define POLL_ALWAYS (POLLERR | POLLHUP)
#define SMALL_POLL 8
/* Under one hold of the lock: descriptors; waiters that are told of news, with what waking one costs. */
#define POLL_AT_ONCE 128u
#define WAKE_AT_ONCE 700u
#define WAKE_COSTS 30u

struct poll_wait {
	s64 (*resume)(struct thread *t);
	u32 n, bytes;
	bool notified; /* since the first entry was there */
	struct poll_entry entry[];
};

/* ---- objects ---- */

u32 object_poll_bits(struct thread *t, enum handle_type type, void *object)
{
	struct ready *r;

	if (likely(type == HANDLE_SESSION))
		return session_ready_bits(object);
	r = object_ready(type, object);
	return r ? r->own->bits(t, r) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

u32 object_poll_mask(enum handle_type type, const void *object)
{
	return type == HANDLE_SESSION ? ((const struct session *)object)->sees : ~0u;
}

struct ready *object_ready(enum handle_type type, void *object)
{
	switch (type) {
	case HANDLE_SESSION:
		return ((struct session *)object)->ready;
	case HANDLE_WAITSET:
	case HANDLE_SIGNALFD:
		return object; /* it begins with it */
	default:
		return NULL;
	}
}

/* ---- entries ---- */

/* Takes what hangs on words off them.  No lock held. */
static void poll_undo(struct thread *t)
{
	struct poll_wait *w = t->poll;

	kernel_lock();
	for (u32 i = 0; i < w->n; i++) {
		list_del(&w->entry[i].link);
		ready_put(w->entry[i].ready);
		if (i % POLL_AT_ONCE == POLL_AT_ONCE - 1)
			kernel_relax();
	}
	kernel_unlock();
	t->poll = NULL;
	kfree_for(t->process, w, w->bytes);
}

void poll_forget(struct thread *t)
{
	if (t->poll)
		poll_undo(t);
}

/* The thread's own second half of a wait. */
static s64 poll_resume(struct thread *t)
{
	s64 (*resume)(struct thread *t) = t->poll->resume;

	poll_undo(t);
	return resume(t);
}

static void poll_cancel(struct thread *t) { wait_resumes(t, poll_resume); }

static bool poll_notified(struct poll_entry *e, u32 bits)
{
	struct thread *t = e->owner;

	(void)bits;
	t->poll->notified = true;
	if (t->wait != WAIT_POLL)
		return false; /* it has not begun to wait, or has been woken */
	poll_cancel(t);
	thread_wake(t, 0);
	return true;
}

u64 poll_event = 1;

/* Tells waiters of the news until it has been much.  An entry may unlink any other, and the word itself lives
 * as long as one hangs on it.  A set of epoll's passes the event on to its own word: so this is
 * recursive, as deep as sets are nested, and all of it counts as one step. */
static bool poll_wake_step(struct steps *s)
{
	struct ready *r = container_of(s, struct ready, waking);
	static unsigned depth, spent;
	struct list *p;

	if (!depth++)
		spent = 0;
	while (spent < WAKE_AT_ONCE && (p = r->waiters.next) != &r->told) {
		struct poll_entry *e = list_entry(p, struct poll_entry, link);

		list_del(p);
		list_add_tail(&r->waiters, p);
		spent++;
		if (e->events & r->news && !(r->taken && e->exclusive)) {
			bool exclusive = e->exclusive;

			spent += WAKE_COSTS;
			r->taken |= e->notify(e, r->news) && exclusive;
		}
	}
	if (!--depth)
		poll_event++;
	if (r->waiters.next != &r->told)
		return false;
	list_del(&r->told);
	ready_put(r); /* poll_wake()'s */
	return true;
}

void poll_wake(struct ready *r, u32 set)
{
	if (list_empty(&r->waiters))
		return;
	if (unlikely(!r->waking.step)) {
		steps_init(&r->waking, poll_wake_step);
		list_init(&r->told);
	}
	if (list_empty(&r->told)) {
		r->news = 0;
		r->taken = false;
		ready_get(r);
	}
	r->news |= set;
	list_del(&r->told);
	list_add_tail(&r->waiters, &r->told);
	if (list_empty(&r->waking.link) && !poll_wake_step(&r->waking))
		steps_begin(&r->waking);
}

static void poll_watch(struct thread *t, struct poll_wait *w, struct ready *r, u32 events)
{
	struct poll_entry *e = &w->entry[w->n++];

	e->ready = r;
	e->events = events;
	e->notify = poll_notified;
	e->owner = t;
	list_add_tail(&r->waiters, &e->link);
	ready_get(r);
}

static struct poll_wait *poll_alloc(struct thread *t, unsigned n, s64 (*resume)(struct thread *t))
{
	u32 bytes = (u32)(sizeof(struct poll_wait) + n * sizeof(struct poll_entry));
	struct poll_wait *w = kmalloc_for(t->process, bytes);

	t->poll = w;
	if (w) {
		w->bytes = bytes;
		w->resume = resume;
	}
	return w;
}

/* Blocks; the lock is dropped. */
static s64 poll_block(struct thread *t, u64 deadline)
{
	return wait_block(t, WAIT_POLL, deadline, poll_cancel);
}

s64 poll_wait_ready(struct thread *t, struct ready *r, u32 events, u64 deadline,
		    s64 (*resume)(struct thread *t))
{
	struct poll_wait *w = poll_alloc(t, 1, resume);

	if (!w) {
		kernel_unlock();
		return -ENOMEM;
	}
	poll_watch(t, w, r, events | POLL_ALWAYS);
	return poll_block(t, deadline);
}

/* ---- scanning ---- */

/* Fills revents: how many are not 0.  Kernel lock, which others may have on the way. */
static s64 scan(struct thread *t, struct pollfd *v, unsigned n)
{
	s64 ready = 0;

	for (unsigned i = 0; i < n; i++) {
		struct handle *h;
		u32 bits;

		if (unlikely(i && i % POLL_AT_ONCE == 0))
			kernel_relax();
		v[i].revents = 0;
		if (v[i].fd < 0)
			continue;
		h = handle_find(t->process->handles, (u32)v[i].fd);
		bits = POLLNVAL;
		if (likely(h))
			bits = unlikely(h->rights & TERN_R_PATH) ? POLLNVAL :
			       likely(h->type == HANDLE_SESSION) ?
				       session_ready_bits(h->object) :
				       object_poll_bits(t, h->type, h->object);
		bits &= (u16)v[i].events | POLL_ALWAYS | POLLNVAL;
		v[i].revents = (s16)bits;
		ready += bits != 0;
	}
	return ready;
}

/* Hangs an entry on the word of each.  Likewise. */
static void watch(struct thread *t, struct poll_wait *w, const struct pollfd *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct handle *h = v[i].fd < 0 ? NULL : handle_find(t->process->handles, (u32)v[i].fd);
		struct ready *r = h ? object_ready(h->type, h->object) : NULL;

		if (r) /* else it never changes */
			poll_watch(t, w, r,
				   ((u16)v[i].events | POLL_ALWAYS) &
					   object_poll_mask(h->type, h->object));
		if (unlikely(i % POLL_AT_ONCE == POLL_AT_ONCE - 1))
			kernel_relax();
	}
}

/* Scans and, if there is nothing, waits: how many are ready, 0 when the time is over,
 * ERESTARTNOHAND, ENOMEM, or SYS_BLOCKED. No lock held. */
static s64 scan_or_wait(struct thread *t, struct pollfd *v, unsigned n, u64 deadline,
			s64 (*resume)(struct thread *t))
{
	struct poll_wait *w;
	s64 ready;

	for (;;) {
		kernel_lock();
		ready = scan(t, v, n);
		if (likely(ready) || !deadline || deadline_passed(deadline))
			break;
		ready = -ERESTARTNOHAND;
		if (signal_pending(t))
			break;
		ready = -ENOMEM;
		if (unlikely(n >= POLL_AT_ONCE)) /* what is large is zeroed for long */
			kernel_unlock();
		w = poll_alloc(t, n, resume);
		if (unlikely(n >= POLL_AT_ONCE))
			kernel_lock();
		if (!w)
			break;
		watch(t, w, v, n);
		/* Of many, some may have become ready before their entry was there. */
		if (n < POLL_AT_ONCE || (!scan(t, v, n) && !w->notified))
			return poll_block(t, deadline);
		kernel_unlock();
		poll_undo(t);
	}
	kernel_unlock();
	return ready;
}

s64 poll_mask_set(struct thread *t, va_t va, u64 size)
{
	u64 mask;

	if (!va)
		return 0;
	if (size != 8)
		return -EINVAL;
	if (get_user(t, &mask, va, 8))
		return -EFAULT;
	kernel_lock();
	signal_set_temporary_mask(t, mask);
	kernel_unlock();
	return 0;
}

s64 poll_mask_back(struct thread *t, s64 r)
{
	if (r != SYS_BLOCKED && r != -ERESTARTNOHAND && r != -EINTR) {
		kernel_lock();
		signal_restore_mask(t);
		kernel_unlock();
	}
	return r;
}

/* The common begin: the time, and the mask. */
static inline s64 poll_begin(struct thread *t, va_t time, va_t mask, u64 size)
{
	s64 r = timeout_get(t, time);

	t->orig_a0 = t->regs.x[REG_A0];
	return r || !mask ? r : poll_mask_set(t, mask, size);
}

/* The time left is written back: a result, or what becomes of it where that cannot be. */
static s64 time_left(struct thread *t, s64 r, va_t time)
{
	u64 deadline = t->again.deadline_ns, now = arch_now_ns();

	if (timespec_put(t, time, now < deadline ? deadline - now : 0) && r == -ERESTARTNOHAND)
		return -EINTR;
	return r;
}

/* The common end. */
static inline s64 poll_done(struct thread *t, s64 r, va_t time)
{
	if (time && t->again.deadline_ns && r != SYS_BLOCKED)
		r = time_left(t, r, time);
	return poll_mask_end(t, r);
}

/* ---- ppoll ---- */

static s64 ppoll_run(struct thread *t)
{
	u64 *a = &t->regs.x[REG_A0];
	va_t fds = a[0];
	unsigned n = (u32)a[1];
	struct pollfd small[SMALL_POLL] __attribute__((aligned(8))), *v = small;
	s64 r;

	if (unlikely(n > SMALL_POLL)) {
		r = -EINVAL;
		if (n > process_limit(t->process, RLIMIT_NOFILE))
			goto out;
		r = -ENOMEM;
		v = kmalloc((u64)n * sizeof *v);
		if (!v)
			goto out;
	}
	r = -EFAULT;
	if (likely(n == 1 && !(fds & 7))) {
		if (unlikely(user_read_u64(t->aspace, fds, (u64 *)v)))
			goto out;
	} else if (unlikely(get_user(t, v, fds, (u64)n * sizeof *v))) {
		goto out;
	}
	r = scan_or_wait(t, v, n, t->again.deadline_ns, ppoll_run);
	if (r < 0 || !n)
		goto out;
	if (likely(n == 1 && !(fds & 7))) {
		/* events, as it was, and revents */
		if (user_write_u32(t->aspace, fds + 4, ((u32 *)v)[1]))
			r = -EFAULT;
	} else if (put_user(t, fds, v, (u64)n * sizeof *v)) {
		r = -EFAULT;
	}
out:
	if (v != small)
		kfree(v);
	return poll_done(t, r, a[2]);
}

s64 sys_ppoll(struct thread *t, u64 *a)
{
	s64 r = poll_begin(t, a[2], a[3], a[4]);

	return r ? r : ppoll_run(t);
}

/* ---- pselect6 ---- */

#define IN_BITS (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define OUT_BITS (POLLWRNORM | POLLWRBAND | POLLOUT | POLLERR)
#define EX_BITS POLLPRI

/* The three sets (`words` words of them each, for n descriptors) as poll entries: how many. */
static unsigned sets_to_fds(const u64 *sets, unsigned words, unsigned n, struct pollfd *v)
{
	const u64 *in = sets, *out = sets + words, *ex = sets + 2 * words;
	struct pollfd *next = v;

	for (unsigned w = 0; w < words; w++) {
		u64 left = in[w] | out[w] | ex[w];

		if (w == words - 1 && n % 64)
			left &= ~(~0ull << n % 64);
		for (; left; left &= left - 1) {
			u64 bit = left & -left;

			next->fd = (s32)(w * 64 + lowest_bit(left));
			next->events = (s16)((in[w] & bit ? IN_BITS : 0) | (out[w] & bit ? OUT_BITS : 0) |
					     (ex[w] & bit ? EX_BITS : 0));
			next++;
		}
	}
	return (unsigned)(next - v);
}

/* One set's part of the result for a descriptor in it: 1, or 0 and its bit goes. */
static inline unsigned set_result(u64 *set, s32 fd, unsigned ready)
{
	if (likely(ready))
		return 1;
	set[fd / 64] &= ~(1ull << (fd % 64));
	return 0;
}

static bool is_open(struct thread *t, s32 fd)
{
	bool open;

	kernel_lock();
	open = handle_find(t->process->handles, (u32)fd);
	kernel_unlock();
	return open;
}

static s64 pselect_run(struct thread *t)
{
	u64 *a = &t->regs.x[REG_A0];
	s32 nfds = (s32)a[0];
	unsigned words, n, count;
	struct pollfd *v;
	u64 *sets = NULL;
	s64 r = -EINVAL;

	if (nfds < 0)
		goto out;
	n = MIN((unsigned)nfds, MAX(t->process->handles->nchunks, 1u) * HANDLES_PER_CHUNK);
	words = (n + 63) / 64;
	sets = kmalloc((u64)words * 24 + (u64)n * sizeof *v + 8);
	r = -ENOMEM;
	if (!sets)
		goto out;
	v = (struct pollfd *)(sets + 3 * words);
	r = -EFAULT;
	for (unsigned s = 0; s < 3; s++)
		if (a[1 + s] && get_user(t, sets + s * words, a[1 + s], words * 8ul))
			goto out;
	count = sets_to_fds(sets, words, n, v);
	r = scan_or_wait(t, v, count, t->again.deadline_ns, pselect_run);
	if (r < 0)
		goto out;
	/* The result counts bits, not descriptors. */
	r = 0;
	for (const struct pollfd *end = v + count; v < end; v++) {
		unsigned got = (u16)v->revents;

		if (unlikely(got & POLLNVAL) && !is_open(t, v->fd)) {
			r = -EBADF;
			goto out;
		}
		if (v->events & POLLIN)
			r += set_result(sets, v->fd, got & IN_BITS);
		if (v->events & POLLOUT)
			r += set_result(sets + words, v->fd, got & OUT_BITS);
		if (v->events & POLLPRI)
			r += set_result(sets + 2 * words, v->fd, got & EX_BITS);
	}
	for (unsigned s = 0; s < 3; s++)
		if (a[1 + s] && put_user(t, a[1 + s], sets + s * words, words * 8ul))
			r = -EFAULT;
out:
	kfree(sets);
	return poll_done(t, r, a[4]);
}

s64 sys_pselect6(struct thread *t, u64 *a)
{
	struct {
		va_t mask;
		u64 size;
	} sig = { 0 };
	s64 r;

	if (a[5] && get_user(t, &sig, a[5], sizeof sig))
		return -EFAULT;
	r = poll_begin(t, a[4], sig.mask, sig.size);
	return r ? r : pselect_run(t);
}
