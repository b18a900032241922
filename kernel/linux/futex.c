/*
 * Futexes: waiting on words of memory.  Locks that inherit priority: kernel/linux/futex_pi.c.
 *
 * Waiters hang in a hash of buckets by the word's identity (struct futex_key: space and address, or
 * object and offset).  The word is compared and the waiter queued under the kernel lock, and every
 * wake takes it, so a wake cannot slip in between; the page was touched before, so that reading it
 * there does not fault but for a race with the program itself.
 * A wait is for one word (thread.wait_on.futex.one) or, futex_waitv, for several (many, NULL else),
 * until t->again's deadline; a waiter's link points at itself once it was woken.
 * Kernel lock.
 */
#include <kernel/process.h>
#include <kernel/signal.h>
#include <mm/slab.h>

#include "futex_priv.h"

#define SIZE_MASK 3u /* FUTEX2_SIZE_MASK, which headers before Linux 6.7 lack */
#define FUTEX2_FLAGS (SIZE_MASK | FUTEX_PRIVATE_FLAG)

#define BUCKETS 1024
static struct list buckets[BUCKETS];

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&buckets[i]);
}

struct list *futex_bucket(const struct futex_key *k)
{
	u64 h = (k->object >> 4 ^ k->offset >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> 54];
}

void futex_waiter_move(struct futex_waiter *w, const struct futex_key *k)
{
	list_del(&w->link);
	w->key = *k;
	list_add_tail(futex_bucket(k), &w->link);
}

/* ---- waiting ---- */

/* Takes every word of the thread's wait out: which was woken, or 0. */
static s64 unqueue(struct thread *t)
{
	struct futex_waiter *w = t->wait_on.futex.many ? t->wait_on.futex.many : &t->wait_on.futex.one;
	s64 woken = 0;

	if (w->owner)
		pi_leave(w);
	for (u32 i = t->wait_on.futex.count; i-- > 0;) {
		if (list_empty(&w[i].link))
			woken = i;
		list_del(&w[i].link);
	}
	kfree_for(t->process, t->wait_on.futex.many, t->wait_on.futex.count * sizeof *w);
	t->wait_on.futex.many = NULL;
	return woken;
}

void futex_waiter_wake(struct futex_waiter *w)
{
	list_del(&w->link);
	thread_wake(w->thread, unqueue(w->thread));
}

void futex_waiter_end(struct futex_waiter *w, s64 result)
{
	(void)unqueue(w->thread);
	thread_wake(w->thread, result);
}

static void wait_cancel(struct thread *t)
{
	(void)unqueue(t);
	if (t->wait_on.futex.interrupted)
		t->interrupted = t->wait_on.futex.interrupted;
	if (t->wait_on.futex.one.kind == WAITER_MOVED)
		t->interrupted = -EAGAIN;
}

s64 futex_block(struct thread *t, u32 n, s64 code)
{
	t->wait_on.futex.count = n;
	t->wait_on.futex.interrupted = (s32)code;
	return wait_block(t, WAIT_FUTEX, t->again.deadline_ns, wait_cancel);
}

s64 futex_waiter_init(struct thread *t, struct futex_waiter *w, va_t at, u32 value, u32 bits,
		       bool shared)
{
	w->thread = t;
	w->at = at;
	w->value = value;
	w->bitset = bits;
	w->kind = WAITER_PLAIN;
	w->owner = NULL;
	list_init(&w->link);
	list_init(&w->in_owner);
	return aspace_futex_key(t->aspace, at, shared, &w->key);
}

s64 futex_compare(struct aspace *as, va_t va, u64 value)
{
	u32 seen;

	if (value == ANY_VALUE)
		return 0;
	if (user_read_u32(as, va, &seen))
		return -EFAULT;
	return seen == value ? 0 : -EAGAIN;
}

s64 futex_wait_words(struct thread *t, struct futex_waiter *w, u32 n, s64 code)
{
	s64 r = 0;

	for (u32 i = 0; i < n && !r; i++)
		r = futex_compare(t->aspace, w[i].at, w[i].value);
	if (r)
		return r;
	kernel_lock();
	for (u32 i = 0; i < n && !r; i++) {
		r = futex_compare(t->aspace, w[i].at, w[i].value);
		if (!r)
			list_add_tail(futex_bucket(&w[i].key), &w[i].link);
	}
	if (!r && deadline_passed(t->again.deadline_ns))
		r = -ETIMEDOUT;
	if (!r)
		return futex_block(t, n, code);
	for (u32 i = 0; i < n; i++)
		list_del(&w[i].link);
	kernel_unlock();
	return r;
}

static s64 wait(struct thread *t, va_t va, u32 value, u32 bits, bool shared, s64 code)
{
	struct futex_waiter *w = &t->wait_on.futex.one;
	s64 r = bits ? futex_waiter_init(t, w, va, value, bits, shared) : -EINVAL;

	return r ? r : futex_wait_words(t, w, 1, code);
}

/* restart_syscall of FUTEX_WAIT.  The program may call it at any time, so only t->again counts, and
 * every word in it is checked as if it were new. */
static s64 wait_again(struct thread *t)
{
	return wait(t, t->again.args[0], (u32)t->again.args[1], FUTEX_BITSET_MATCH_ANY, t->again.args[2],
		    -ERESTART_RESTARTBLOCK);
}

/* FUTEX_WAIT's time is relative: interrupted, it goes on from there, if no handler runs. */
static s64 wait_relative(struct thread *t, va_t va, u32 value, bool shared)
{
	t->again.fn = wait_again;
	t->again.args[0] = va;
	t->again.args[1] = value;
	t->again.args[2] = shared;
	return wait(t, va, value, FUTEX_BITSET_MATCH_ANY, shared,
		    t->again.deadline_ns == NO_DEADLINE ? 0 : -ERESTART_RESTARTBLOCK);
}

/* ---- waking ---- */

/* A walk over those who wait for a word now, under the lock, which it lets others have on the way.  Its
 * place, and the end of those that were there when it began, are waiters of no word. */
struct futex_walk {
	struct futex_waiter at, end;
	u32 spent; /* since the lock was taken: about ten instructions each */
};
#define WALK_AT_ONCE 512u
#define WAKE_COSTS 24u

static void futex_walk_begin(struct futex_walk *walk, const struct futex_key *key)
{
	struct list *b = futex_bucket(key);

	walk->at.key = walk->end.key = (struct futex_key){ 0 };
	walk->spent = 0;
	list_add_head(b, &walk->at.link);
	list_add_tail(b, &walk->end.link);
}

static void futex_walk_end(struct futex_walk *walk)
{
	list_del(&walk->at.link);
	list_del(&walk->end.link);
}

/* The next who waits for the word plainly, or NULL; `costs` was spent on the one before. */
static struct futex_waiter *futex_walk_next(struct futex_walk *walk, const struct futex_key *key, u32 costs)
{
	struct list *p = walk->at.link.next;

	for (walk->spent += costs; p != &walk->end.link; p = p->next) {
		struct futex_waiter *w = list_entry(p, struct futex_waiter, link);
		bool rest = ++walk->spent > WALK_AT_ONCE, found = !rest && futex_same(&w->key, key) && w->kind == WAITER_PLAIN;

		if (likely(!rest && !found))
			continue;
		list_del(&walk->at.link);
		list_add_head(found ? p : p->prev, &walk->at.link);
		if (found)
			return w;
		walk->spent = 0;
		kernel_relax();
		p = &walk->at.link;
	}
	return NULL;
}

/* Wakes up to n waiters of a word; how many. */
static s64 wake(const struct futex_key *key, u32 bits, s32 n)
{
	struct futex_walk walk;
	struct futex_waiter *w;
	s64 woken = 0;
	u32 costs = 0;

	if (list_empty(futex_bucket(key)))
		return 0;
	futex_walk_begin(&walk, key);
	while (woken < n && (w = futex_walk_next(&walk, key, costs))) {
		costs = 0;
		if (!(w->bitset & bits))
			continue;
		costs = WAKE_COSTS + w->thread->wait_on.futex.count;
		futex_waiter_wake(w);
		woken++;
	}
	futex_walk_end(&walk);
	return woken;
}

static s64 wake_word(struct thread *t, va_t va, bool shared, u32 bits, s32 n)
{
	struct futex_key key;
	s64 r;

	if (!bits)
		return -EINVAL;
	r = aspace_futex_key(t->aspace, va, shared, &key);
	if (r)
		return r;
	kernel_lock();
	r = wake(&key, bits, n);
	kernel_unlock();
	return r;
}

s64 futex_keys(struct thread *t, va_t one, bool one_shared, va_t two, bool two_shared,
	       struct futex_key k[2])
{
	s64 r = aspace_futex_key(t->aspace, one, one_shared, &k[0]);

	return r ? r : aspace_futex_key(t->aspace, two, two_shared, &k[1]);
}

/* Wakes n waiters of the first word and moves up to `move` of the others to the second. */
static s64 requeue(struct thread *t, va_t one, bool one_shared, va_t two, bool two_shared, s32 n,
		   s32 move, u64 value)
{
	struct futex_key k[2];
	s64 r, done;

	if (n < 0 || move < 0)
		return -EINVAL;
	r = futex_keys(t, one, one_shared, two, two_shared, k);
	if (!r)
		r = futex_compare(t->aspace, one, value);
	if (r)
		return r;
	kernel_lock();
	r = futex_compare(t->aspace, one, value);
	done = r ? 0 : wake(&k[0], FUTEX_BITSET_MATCH_ANY, n);
	if (!r && !futex_same(&k[0], &k[1])) {
		struct futex_walk walk;
		struct futex_waiter *w;

		futex_walk_begin(&walk, &k[0]);
		for (; move > 0 && (w = futex_walk_next(&walk, &k[0], 4)); move--, done++)
			futex_waiter_move(w, &k[1]);
		futex_walk_end(&walk);
	}
	kernel_unlock();
	return r ? r : done;
}

/* FUTEX_WAKE_OP's change of a word: 4 bits of operation, 4 of comparison, 12 of operand, 12 of
 * comparand.  Whether the old value compares. */
static s64 word_op(struct thread *t, va_t va, u32 code, bool *holds)
{
	u32 op = code >> 28 & 7, cmp = code >> 24 & 15, old, seen;
	s32 arg = (s32)(code << 8) >> 20, with = (s32)(code << 20) >> 20;

	if (code >> 31)
		arg = (s32)(1u << (arg & 31));
	if (op > 4 || cmp > 5)
		return -ENOSYS;
	if (user_read_u32(t->aspace, va, &seen))
		return -EFAULT;
	do {
		const u32 wanted[] = { (u32)arg, seen + (u32)arg, seen | (u32)arg, seen & ~(u32)arg,
				       seen ^ (u32)arg };

		old = seen;
		if (user_cmpxchg_u32(t->aspace, va, old, wanted[op], &seen))
			return -EFAULT;
	} while (seen != old);
	const bool compares[] = { (s32)old == with, (s32)old != with, (s32)old < with,
				  (s32)old <= with, (s32)old > with, (s32)old >= with };

	*holds = compares[cmp];
	return 0;
}

static s64 wake_op(struct thread *t, u64 *a, bool shared)
{
	struct futex_key k[2];
	bool holds = false;
	s64 r = futex_keys(t, a[0], shared, a[4], shared, k);

	if (!r)
		r = word_op(t, a[4], (u32)a[5], &holds);
	if (r)
		return r;
	kernel_lock();
	r = wake(&k[0], FUTEX_BITSET_MATCH_ANY, (s32)a[2]);
	if (holds)
		r += wake(&k[1], FUTEX_BITSET_MATCH_ANY, (s32)a[3]);
	kernel_unlock();
	return r;
}

/* ---- futex(2) ---- */

/* An absolute time as t->again's deadline; va 0: none.  0, EFAULT, EINVAL. */
static s64 time_get(struct thread *t, va_t va, bool realtime)
{
	u64 *deadline = &t->again.deadline_ns;
	s64 r;

	*deadline = NO_DEADLINE;
	if (!va)
		return 0;
	r = timespec_get(t, va, deadline);
	if (!r && realtime)
		*deadline = deadline_of_realtime(*deadline);
	return r;
}

s64 sys_futex(struct thread *t, u64 *a)
{
	u32 op = (u32)a[1], cmd = op & (u32)FUTEX_CMD_MASK, value = (u32)a[5];
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	s64 r = 0;

	switch (cmd) {
	case FUTEX_WAIT:
		r = timeout_get(t, a[3]);
		break;
	case FUTEX_LOCK_PI:
		r = time_get(t, a[3], true);
		break;
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		r = time_get(t, a[3], realtime);
		realtime = false;
		break;
	}
	if (r)
		return r;
	if (realtime)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
		return wait_relative(t, a[0], (u32)a[2], shared);
	case FUTEX_WAIT_BITSET:
		return wait(t, a[0], (u32)a[2], value, shared, 0);
	case FUTEX_WAKE:
		return wake_word(t, a[0], shared, FUTEX_BITSET_MATCH_ANY, (s32)a[2]);
	case FUTEX_WAKE_BITSET:
		return wake_word(t, a[0], shared, value, (s32)a[2]);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return requeue(t, a[0], shared, a[4], shared, (s32)a[2], (s32)a[3],
			       cmd == FUTEX_CMP_REQUEUE ? value : ANY_VALUE);
	case FUTEX_WAKE_OP:
		return wake_op(t, a, shared);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_TRYLOCK_PI:
		return pi_lock(t, a[0], shared, cmd == FUTEX_TRYLOCK_PI);
	case FUTEX_UNLOCK_PI:
		return pi_unlock(t, a[0], shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return pi_wait(t, a, shared);
	case FUTEX_CMP_REQUEUE_PI:
		return pi_requeue(t, a, shared);
	}
	return -ENOSYS;
}

/* ---- the futex2 calls ---- */

static bool flags_ok(u64 flags)
{
	return !(flags & ~(u64)FUTEX2_FLAGS) && (flags & SIZE_MASK) == FUTEX_32;
}

/* An absolute time of a clock, likewise. */
static s64 clock_get(struct thread *t, va_t va, s32 clock)
{
	if (va && clock != TERN_CLOCK_REALTIME && clock != TERN_CLOCK_MONOTONIC)
		return -EINVAL;
	return time_get(t, va, clock == TERN_CLOCK_REALTIME);
}

s64 sys_futex_wake(struct thread *t, u64 *a)
{
	if (!flags_ok((u32)a[3]) || a[1] & ~(u64)FUTEX_BITSET_MATCH_ANY)
		return -EINVAL;
	return wake_word(t, a[0], !(a[3] & FUTEX_PRIVATE_FLAG), (u32)a[1], (s32)a[2]);
}

s64 sys_futex_wait(struct thread *t, u64 *a)
{
	s64 r;

	if (!flags_ok((u32)a[3]) || (a[1] | a[2]) & ~(u64)FUTEX_BITSET_MATCH_ANY)
		return -EINVAL;
	r = clock_get(t, a[4], (s32)a[5]);
	return r ? r : wait(t, a[0], (u32)a[1], (u32)a[2], !(a[3] & FUTEX_PRIVATE_FLAG), 0);
}

static s64 waitv_get(struct thread *t, va_t va, struct futex_waitv *v)
{
	if (get_user(t, v, va, sizeof *v))
		return -EFAULT;
	return flags_ok(v->flags) && !v->__reserved ? 0 : -EINVAL;
}

s64 sys_futex_requeue(struct thread *t, u64 *a)
{
	struct futex_waitv v[2];
	s64 r;

	if (a[1] || !a[0])
		return -EINVAL;
	r = waitv_get(t, a[0], &v[0]);
	if (!r)
		r = waitv_get(t, a[0] + sizeof v[0], &v[1]);
	if (r)
		return r;
	return requeue(t, v[0].uaddr, !(v[0].flags & FUTEX_PRIVATE_FLAG), v[1].uaddr,
		       !(v[1].flags & FUTEX_PRIVATE_FLAG), (s32)a[2], (s32)a[3], (u32)v[0].val);
}

s64 sys_futex_waitv(struct thread *t, u64 *a)
{
	u32 n = (u32)a[1];
	struct futex_waiter *w;
	s64 r;

	if (a[2] || !n || n > FUTEX_WAITV_MAX || !a[0])
		return -EINVAL;
	r = clock_get(t, a[3], (s32)a[4]);
	if (r)
		return r;
	w = kmalloc_for(t->process, n * sizeof *w);
	if (!w)
		return -ENOMEM;
	for (u32 i = 0; i < n && !r; i++) {
		struct futex_waitv v;

		r = waitv_get(t, a[0] + i * sizeof v, &v);
		if (!r)
			r = futex_waiter_init(t, &w[i], v.uaddr, (u32)v.val, FUTEX_BITSET_MATCH_ANY,
					      !(v.flags & FUTEX_PRIVATE_FLAG));
	}
	if (!r) {
		t->wait_on.futex.one.kind = WAITER_PLAIN;
		t->wait_on.futex.many = w;
		r = futex_wait_words(t, w, n, 0);
	}
	if (r != SYS_BLOCKED) {
		t->wait_on.futex.many = NULL;
		kfree_for(t->process, w, n * sizeof *w);
	}
	return r;
}

/* ---- thread end ---- */

s64 sys_set_tid_address(struct thread *t, u64 *a)
{
	t->clear_child_tid = a[0];
	return t->tid;
}

s64 sys_set_robust_list(struct thread *t, u64 *a)
{
	if (a[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	t->robust_list = a[0];
	return 0;
}

s64 sys_get_robust_list(struct thread *t, u64 *a)
{
	u64 head = 0, size = sizeof(struct robust_list_head);
	u32 tid = (u32)a[0];
	struct thread *o;
	s64 r = 0;

	kernel_lock();
	o = tid ? process_find_thread(t->process, tid) : t;
	if (o)
		head = o->robust_list;
	else
		r = tid_find(tid) ? -EPERM : -ESRCH;
	kernel_unlock();
	if (r)
		return r;
	return put_user(t, a[2], &size, 8) || put_user(t, a[1], &head, 8) ? -EFAULT : 0;
}

/* The owner of a robust futex died: says so in the word, and wakes one.  Whether it is a lock that
 * inherits priority, its waiters say: bit 0 of the list's entry (`pi`) is glibc's, but not musl's. */
static void robust_word(struct thread *t, va_t va, bool pi, bool pending)
{
	struct futex_key key;
	u32 word, seen;
	s64 r;

	if (va & 3 || user_read_u32(t->aspace, va, &word))
		return;
	/* Died between unlocking it and waking the next: do that. */
	if (pending && !pi && !word)
		(void)wake_word(t, va, true, FUTEX_BITSET_MATCH_ANY, 1);
	if ((word & FUTEX_TID_MASK) != t->tid || aspace_futex_key(t->aspace, va, true, &key))
		return;
	do {
		if (futex_touch(t->aspace, va, &word) || (word & FUTEX_TID_MASK) != t->tid)
			return;
		kernel_lock();
		pi |= pi_contended(&key);
		if (pi && word & FUTEX_WAITERS) {
			r = pi_hand_over(t, t->aspace, va, &key, word, FUTEX_OWNER_DIED);
		} else {
			r = user_cmpxchg_u32(t->aspace, va, word,
					     (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen);
			if (!r && seen != word)
				r = -EAGAIN;
		}
		kernel_unlock();
	} while (r == -EAGAIN);
	if (!r && !pi && word & FUTEX_WAITERS)
		(void)wake_word(t, va, true, FUTEX_BITSET_MATCH_ANY, 1);
}

/* The list ends where it begins; a hostile one after ROBUST_LIST_LIMIT entries. */
static void robust_walk(struct thread *t)
{
	va_t head = t->robust_list, entry;
	u64 h[3]; /* next, offset of the word, the operation under way */

	t->robust_list = 0;
	if (get_user(t, h, head, sizeof h))
		return;
	entry = h[0];
	for (unsigned i = 0; i < ROBUST_LIST_LIMIT && (entry & ~1ull) != head; i++) {
		u64 next;
		bool more = !get_user(t, &next, entry & ~1ull, 8);

		if (entry != h[2])
			robust_word(t, (entry & ~1ull) + h[1], entry & 1, false);
		if (!more)
			break;
		entry = next;
	}
	if (h[2])
		robust_word(t, (h[2] & ~1ull) + h[1], h[2] & 1, true);
}

/* Tells whoever joins the thread, unless nobody else can look: the space goes with it. */
static void clear_tid(struct thread *t)
{
	va_t va = t->clear_child_tid;

	t->clear_child_tid = 0;
	if (!va || va & 3 ||
	    (t->process->nthreads == 1 && __atomic_load_n(&t->aspace->refs, __ATOMIC_RELAXED) == 1))
		return;
	if (!user_write_u32(t->aspace, va, 0))
		(void)wake_word(t, va, true, FUTEX_BITSET_MATCH_ANY, 1);
}

void futex_thread_exit(struct thread *t)
{
	if (t->robust_list)
		robust_walk(t);
	pi_thread_exit(t);
	clear_tid(t);
	if (t->process->nthreads > 1) {
		kernel_lock();
		signal_thread_leaves(t);
		kernel_unlock();
	}
}
