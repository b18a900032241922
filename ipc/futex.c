/*
 * Futexes: waiting on a word of memory.
 *
 * Waiters hang in a hash of buckets by the word's identity (struct futex_key: space and address, or
 * object and offset).  The word is compared and the waiter queued under the kernel lock, and every
 * wake takes it, so a wake cannot slip in between; the page was touched before, so that reading it
 * there does not fault but for a race with the program itself.
 * A waiter's link points at itself once it was woken.  Priority-inheriting futexes queue by priority
 * and hand the word over at unlock; priorities are not lent.
 * Kernel lock.
 */
#include <arch/cpu.h>
#include <ipc/futex.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/signal.h>
#include <kernel/string.h>
#include <kernel/sys.h>
#include <mm/slab.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP 5
#define FUTEX_LOCK_PI 6
#define FUTEX_UNLOCK_PI 7
#define FUTEX_TRYLOCK_PI 8
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_LOCK_PI2 13
#define FUTEX_PRIVATE 128
#define FUTEX_REALTIME 256
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu
#define BITSET_ALL 0xffffffffu

#define FUTEX2_SIZE_MASK 3
#define FUTEX2_SIZE_U32 2
#define FUTEX2_FLAGS (FUTEX2_SIZE_MASK | FUTEX_PRIVATE)
#define WAITV_MAX 128
#define ROBUST_MAX 2048

#define BUCKETS 256
static struct list buckets[BUCKETS];

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&buckets[i]);
}

static inline struct list *bucket_of(const struct futex_key *k)
{
	u64 h = (k->object >> 4 ^ k->offset >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> 56];
}

static inline bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}

/* The word's key, with its page made present. */
static s64 key_get(struct thread *t, va_t va, bool shared, struct futex_key *k)
{
	if (unlikely(va & 3))
		return -EINVAL;
	return aspace_futex_key(t->aspace, va, shared, k);
}

/* ---- queueing ---- */

static void waiter_queue(struct futex_waiter *w, struct thread *t, const struct futex_key *k, u32 bits)
{
	struct list *b = bucket_of(k);

	w->key = *k;
	w->thread = t;
	w->bitset = bits;
	w->pi = false;
	list_add_tail(b, &w->link);
}

/* Takes every word of the thread's wait out: which was woken, or -1. */
static s64 unqueue(struct thread *t)
{
	s64 woken = -1;

	if (likely(!t->wait_on.futex.many)) {
		list_del(&t->wait_on.futex.one.link);
		return -1;
	}
	for (u32 i = 0; i < t->wait_on.futex.count; i++) {
		struct futex_waiter *w = &t->wait_on.futex.many[i];

		if (list_empty(&w->link) && woken < 0)
			woken = i;
		list_del(&w->link);
	}
	kfree(t->wait_on.futex.many);
	t->wait_on.futex.many = NULL;
	return woken;
}

static void waiter_wake(struct futex_waiter *w)
{
	struct thread *t = w->thread;
	s64 index;

	list_del(&w->link);
	index = unqueue(t);
	thread_wake(t, index < 0 ? 0 : index);
}

static void wait_fired(struct timer *timer)
{
	struct thread *t = container_of(timer, struct thread, timer);

	(void)unqueue(t);
	thread_wake(t, -ETIMEDOUT);
}

/* Interrupted with a deadline: goes on from there, if no handler runs. */
static s64 wait_interrupted(struct thread *t)
{
	(void)t;
	return -ERESTART_RESTARTBLOCK;
}
static s64 lock_interrupted(struct thread *t)
{
	(void)t;
	return -ERESTARTNOINTR;
}

static void wait_cancel(struct thread *t)
{
	(void)unqueue(t);
	if (t->again.args[3] && timer_armed(&t->timer))
		wait_resumes(t, wait_interrupted);
	timer_cancel(&t->timer);
}

static void lock_cancel(struct thread *t)
{
	(void)unqueue(t);
	timer_cancel(&t->timer);
	wait_resumes(t, lock_interrupted);
}

/* Blocks; kernel lock held and dropped. */
static s64 futex_block(struct thread *t, u64 deadline, void (*cancel)(struct thread *t))
{
	timer_init(&t->timer, wait_fired);
	if (deadline != NO_DEADLINE)
		timer_set(&t->timer, deadline_ticks(deadline));
	return wait_block(t, WAIT_FUTEX, true, cancel);
}

static s64 wait_again(struct thread *t);

/* again: the deadline, args[0] the value, args[1] the bit set, args[2] shared, args[3] restarts
 * through restart_syscall (else by running the call again: its deadline is absolute). */
static s64 wait(struct thread *t, va_t va)
{
	u32 seen, value = (u32)t->again.args[0];
	struct futex_key key;
	s64 r = key_get(t, va, t->again.args[2], &key);

	if (unlikely(r))
		return r;
	if (unlikely(user_read_u32(t->aspace, va, &seen)))
		return -EFAULT;
	if (seen != value)
		return -EAGAIN;
	kernel_lock();
	r = user_read_u32(t->aspace, va, &seen) ? -EFAULT : seen != value ? -EAGAIN : 0;
	if (unlikely(r)) {
		kernel_unlock();
		return r;
	}
	if (t->again.deadline_ns != NO_DEADLINE && arch_now_ns() >= t->again.deadline_ns) {
		kernel_unlock();
		return -ETIMEDOUT;
	}
	t->wait_on.futex.many = NULL;
	waiter_queue(&t->wait_on.futex.one, t, &key, (u32)t->again.args[1]);
	t->again.fn = wait_again;
	return futex_block(t, t->again.deadline_ns, wait_cancel);
}

static s64 wait_again(struct thread *t) { return wait(t, t->regs.x[REG_A0]); }

/* Wakes up to n waiters of a word; how many. Kernel lock. */
static s64 wake(const struct futex_key *key, u32 bits, s32 n)
{
	struct list *b = bucket_of(key);
	s64 woken = 0;

	/* A waiter of several words may unlink others of this list: begin again after each. */
	for (struct list *p = b->next; p != b && woken < n;) {
		struct futex_waiter *w = list_entry(p, struct futex_waiter, link);

		p = p->next;
		if (!same_key(&w->key, key) || !(w->bitset & bits) || w->pi)
			continue;
		if (unlikely(w->thread->wait_on.futex.many))
			p = b;
		waiter_wake(w);
		woken++;
		if (unlikely(p == b))
			p = b->next;
	}
	return woken;
}

static s64 wake_word(struct thread *t, va_t va, bool shared, u32 bits, s32 n)
{
	struct futex_key key;
	s64 r;

	if (!bits)
		return -EINVAL;
	r = key_get(t, va, shared, &key);
	if (r)
		return r;
	kernel_lock();
	r = wake(&key, bits, n);
	kernel_unlock();
	return r;
}

/* Wakes n waiters of the first word and moves up to `move` of the others to the second. */
static s64 requeue(struct thread *t, va_t from, va_t to, bool from_shared, bool to_shared, s32 n,
		   s32 move, bool compare, u32 value)
{
	struct futex_key fkey, tkey;
	struct list *fb, *tb;
	s64 r, done;
	u32 seen;

	if (n < 0 || move < 0)
		return -EINVAL;
	r = key_get(t, from, from_shared, &fkey);
	if (!r)
		r = key_get(t, to, to_shared, &tkey);
	if (r)
		return r;
	if (compare && user_read_u32(t->aspace, from, &seen))
		return -EFAULT;
	kernel_lock();
	if (compare) {
		r = user_read_u32(t->aspace, from, &seen) ? -EFAULT : seen != value ? -EAGAIN : 0;
		if (r) {
			kernel_unlock();
			return r;
		}
	}
	done = wake(&fkey, BITSET_ALL, n);
	fb = bucket_of(&fkey);
	tb = bucket_of(&tkey);
	if (!same_key(&fkey, &tkey)) {
		list_for_each_safe(p, next, fb) {
			struct futex_waiter *w = list_entry(p, struct futex_waiter, link);

			if (move == 0)
				break;
			if (!same_key(&w->key, &fkey) || w->pi)
				continue;
			list_del(&w->link);
			w->key = tkey;
			list_add_tail(tb, &w->link);
			move--;
			done++;
		}
	}
	kernel_unlock();
	return done;
}

/* FUTEX_WAKE_OP: op 4 bits, comparison 4, operand 12, comparand 12. */
static s64 word_op(struct thread *t, va_t va, u32 code, bool *holds)
{
	u32 op = code >> 28 & 7, cmp = code >> 24 & 15, old, want, seen;
	s32 arg = (s32)(code << 8) >> 20, with = (s32)(code << 20) >> 20;

	if (code >> 31)
		arg = (s32)(1u << (arg & 31));
	if (user_read_u32(t->aspace, va, &old))
		return -EFAULT;
	for (;;) {
		switch (op) {
		case 0:
			want = (u32)arg;
			break;
		case 1:
			want = old + (u32)arg;
			break;
		case 2:
			want = old | (u32)arg;
			break;
		case 3:
			want = old & ~(u32)arg;
			break;
		case 4:
			want = old ^ (u32)arg;
			break;
		default:
			return -ENOSYS;
		}
		if (user_cmpxchg_u32(t->aspace, va, old, want, &seen))
			return -EFAULT;
		if (seen == old)
			break;
		old = seen;
	}
	switch (cmp) {
	case 0:
		*holds = (s32)old == with;
		return 0;
	case 1:
		*holds = (s32)old != with;
		return 0;
	case 2:
		*holds = (s32)old < with;
		return 0;
	case 3:
		*holds = (s32)old <= with;
		return 0;
	case 4:
		*holds = (s32)old > with;
		return 0;
	case 5:
		*holds = (s32)old >= with;
		return 0;
	}
	return -ENOSYS;
}

static s64 wake_op(struct thread *t, u64 *a, bool shared)
{
	struct futex_key one, two;
	bool holds = false;
	s64 r = key_get(t, a[0], shared, &one);

	if (!r)
		r = key_get(t, a[4], shared, &two);
	if (!r)
		r = word_op(t, a[4], (u32)a[5], &holds);
	if (r)
		return r;
	kernel_lock();
	r = wake(&one, BITSET_ALL, (s32)a[2]);
	if (holds)
		r += wake(&two, BITSET_ALL, (s32)a[3]);
	kernel_unlock();
	return r;
}

/* ---- priority-inheriting locks: the word holds the owner's tid ---- */

static struct futex_waiter *pi_best(const struct futex_key *key, bool *more)
{
	struct list *b = bucket_of(key);
	struct futex_waiter *best = NULL;

	*more = false;
	list_for_each(p, b) {
		struct futex_waiter *w = list_entry(p, struct futex_waiter, link);

		if (!w->pi || !same_key(&w->key, key))
			continue;
		if (best)
			*more = true;
		if (!best || w->thread->prio < best->thread->prio)
			best = w;
	}
	return best;
}

static bool tid_exists(u32 tid)
{
	list_for_each(l, &all_processes)
		if (process_find_thread(list_entry(l, struct process, all), tid))
			return true;
	return false;
}

/* Takes the lock or makes sure that FUTEX_WAITERS is set: 0 taken, EAGAIN to wait, or an error.
 * Kernel lock. */
static s64 pi_try(struct thread *t, va_t va, u32 *word)
{
	u32 old, want;

	if (user_read_u32(t->aspace, va, &old))
		return -EFAULT;
	for (;;) {
		u32 owner = old & FUTEX_TID_MASK;

		if (owner == t->tid)
			return -EDEADLK;
		want = owner ? old | FUTEX_WAITERS : t->tid | (old & ~FUTEX_TID_MASK);
		if (user_cmpxchg_u32(t->aspace, va, old, want, word))
			return -EFAULT;
		if (*word == old) {
			*word = want;
			return owner ? -EAGAIN : 0;
		}
		old = *word;
	}
}

static s64 pi_lock(struct thread *t, va_t va, bool shared, bool try_only, u64 deadline)
{
	struct futex_key key;
	u32 word = 0, seen;
	s64 r = key_get(t, va, shared, &key);

	if (r)
		return r;
	if (user_read_u32(t->aspace, va, &word))
		return -EFAULT;
	/* The common case needs no lock, and makes the page writable. */
	if (word == 0) {
		if (user_cmpxchg_u32(t->aspace, va, 0, t->tid, &seen))
			return -EFAULT;
		if (seen == 0)
			return 0;
	} else if (user_cmpxchg_u32(t->aspace, va, word, word, &seen)) {
		return -EFAULT;
	}
	if (try_only) {
		if ((seen & FUTEX_TID_MASK) == t->tid)
			return -EDEADLK;
		if (seen & FUTEX_TID_MASK)
			return -EAGAIN;
	}
	kernel_lock();
	r = pi_try(t, va, &word);
	if (r == -EAGAIN && !try_only && !tid_exists(word & FUTEX_TID_MASK))
		r = -ESRCH;
	if (r != -EAGAIN || try_only) {
		kernel_unlock();
		return r;
	}
	if (deadline != NO_DEADLINE && arch_now_ns() >= deadline) {
		kernel_unlock();
		return -ETIMEDOUT;
	}
	t->wait_on.futex.many = NULL;
	waiter_queue(&t->wait_on.futex.one, t, &key, BITSET_ALL);
	t->wait_on.futex.one.pi = true;
	return futex_block(t, deadline, lock_cancel);
}

/* Gives the word to the best waiter, or frees it: kernel lock. */
static s64 pi_hand_over(struct aspace *as, va_t va, const struct futex_key *key, u32 word, u32 flags)
{
	bool more;
	struct futex_waiter *w = pi_best(key, &more);
	u32 want = flags, seen;

	if (w)
		want |= w->thread->tid | (more ? FUTEX_WAITERS : 0);
	if (user_cmpxchg_u32(as, va, word, want, &seen))
		return -EFAULT;
	if (seen != word)
		return -EAGAIN;
	if (w)
		waiter_wake(w);
	return 0;
}

static s64 pi_unlock(struct thread *t, va_t va, bool shared)
{
	struct futex_key key;
	u32 word, seen;
	s64 r = key_get(t, va, shared, &key);

	if (r)
		return r;
	if (user_read_u32(t->aspace, va, &word) ||
	    user_cmpxchg_u32(t->aspace, va, word, word, &seen))
		return -EFAULT;
	do {
		kernel_lock();
		r = -EFAULT;
		if (!user_read_u32(t->aspace, va, &word))
			r = (word & FUTEX_TID_MASK) != t->tid ?
				    -EPERM :
				    pi_hand_over(t->aspace, va, &key, word, 0);
		kernel_unlock();
	} while (r == -EAGAIN);
	return r;
}

/* ---- futex(2) ---- */

static u64 real_deadline(u64 ns)
{
	s64 d = (s64)(ns - (u64)realtime_offset_ns);

	return d < 0 ? (ns < (u64)realtime_offset_ns ? 0 : 1ull << 62) : (u64)d;
}

s64 sys_futex(struct thread *t, u64 *a)
{
	u32 op = (u32)a[1], cmd = op & ~(u32)(FUTEX_PRIVATE | FUTEX_REALTIME);
	bool shared = !(op & FUTEX_PRIVATE);
	u64 deadline = NO_DEADLINE;
	s64 r;

	if (op & FUTEX_REALTIME && cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET &&
	    cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	if (a[3] && (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
		     cmd == FUTEX_LOCK_PI2)) {
		u64 ns;

		r = timespec_get(t, a[3], &ns);
		if (r)
			return r;
		/* WAIT is relative, the others absolute; LOCK_PI always real time. */
		if (cmd == FUTEX_WAIT)
			deadline = deadline_after(ns);
		else
			deadline = op & FUTEX_REALTIME || cmd == FUTEX_LOCK_PI ? real_deadline(ns) :
										  ns;
	}
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		t->again.args[1] = cmd == FUTEX_WAIT ? BITSET_ALL : (u32)a[5];
		if (!t->again.args[1])
			return -EINVAL;
		t->again.deadline_ns = deadline;
		t->again.args[0] = a[2];
		t->again.args[2] = shared;
		t->again.args[3] = 1;
		return wait(t, a[0]);
	case FUTEX_WAKE:
		return wake_word(t, a[0], shared, BITSET_ALL, (s32)a[2]);
	case FUTEX_WAKE_BITSET:
		return wake_word(t, a[0], shared, (u32)a[5], (s32)a[2]);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return requeue(t, a[0], a[4], shared, shared, (s32)a[2], (s32)a[3],
			       cmd == FUTEX_CMP_REQUEUE, (u32)a[5]);
	case FUTEX_WAKE_OP:
		return wake_op(t, a, shared);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return pi_lock(t, a[0], shared, false, deadline);
	case FUTEX_TRYLOCK_PI:
		return pi_lock(t, a[0], shared, true, NO_DEADLINE);
	case FUTEX_UNLOCK_PI:
		return pi_unlock(t, a[0], shared);
	}
	return -ENOSYS;
}

/* ---- the futex2 calls ---- */

static bool flags_ok(u64 flags)
{
	return !(flags & ~(u64)FUTEX2_FLAGS) && (flags & FUTEX2_SIZE_MASK) == FUTEX2_SIZE_U32;
}

/* An absolute time of a clock: 0, EFAULT, EINVAL. */
static s64 clock_deadline(struct thread *t, va_t va, u64 clock, u64 *deadline)
{
	u64 ns;
	s64 r;

	*deadline = NO_DEADLINE;
	if (!va)
		return 0;
	if ((s32)clock != TERN_CLOCK_REALTIME && (s32)clock != TERN_CLOCK_MONOTONIC)
		return -EINVAL;
	r = timespec_get(t, va, &ns);
	if (!r)
		*deadline = (s32)clock == TERN_CLOCK_REALTIME ? real_deadline(ns) : ns;
	return r;
}

s64 sys_futex_wake(struct thread *t, u64 *a)
{
	if (!flags_ok((u32)a[3]) || a[1] & ~(u64)BITSET_ALL)
		return -EINVAL;
	return wake_word(t, a[0], !(a[3] & FUTEX_PRIVATE), (u32)a[1], (s32)a[2]);
}

s64 sys_futex_wait(struct thread *t, u64 *a)
{
	s64 r;

	if (!flags_ok((u32)a[3]) || (a[1] | a[2]) & ~(u64)BITSET_ALL || !a[2])
		return -EINVAL;
	r = clock_deadline(t, a[4], a[5], &t->again.deadline_ns);
	if (r)
		return r;
	t->again.args[0] = a[1];
	t->again.args[1] = a[2];
	t->again.args[2] = !(a[3] & FUTEX_PRIVATE);
	t->again.args[3] = 0;
	return wait(t, a[0]);
}

struct waitv {
	u64 value, addr;
	u32 flags, reserved;
};

s64 sys_futex_requeue(struct thread *t, u64 *a)
{
	struct waitv v[2];

	if (a[1])
		return -EINVAL;
	if (!a[0])
		return -EINVAL;
	if (get_user(t, v, a[0], sizeof v))
		return -EFAULT;
	for (unsigned i = 0; i < 2; i++)
		if (!flags_ok(v[i].flags) || v[i].reserved)
			return -EINVAL;
	return requeue(t, v[0].addr, v[1].addr, !(v[0].flags & FUTEX_PRIVATE),
		       !(v[1].flags & FUTEX_PRIVATE), (s32)a[2], (s32)a[3], true, (u32)v[0].value);
}

static s64 waitv_again(struct thread *t);

/* again: the deadline. */
static s64 waitv(struct thread *t, va_t va)
{
	unsigned n = (unsigned)t->regs.x[REG_A0 + 1];
	struct futex_waiter *w = kmalloc(n * sizeof *w);
	s64 r = 0;

	if (!w)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		struct waitv v;
		u32 seen;

		list_init(&w[i].link);
		if (get_user(t, &v, va + i * sizeof v, sizeof v))
			r = -EFAULT;
		else if (!flags_ok(v.flags) || v.reserved)
			r = -EINVAL;
		else
			r = key_get(t, v.addr, !(v.flags & FUTEX_PRIVATE), &w[i].key);
		if (!r && user_read_u32(t->aspace, v.addr, &seen))
			r = -EFAULT;
		if (r)
			goto out_free;
	}
	kernel_lock();
	for (unsigned i = 0; i < n && !r; i++) {
		struct waitv v;
		u32 seen;

		if (get_user(t, &v, va + i * sizeof v, sizeof v) ||
		    user_read_u32(t->aspace, v.addr, &seen))
			r = -EFAULT;
		else if (seen != (u32)v.value)
			r = -EAGAIN;
		else
			waiter_queue(&w[i], t, &w[i].key, BITSET_ALL);
	}
	if (!r && t->again.deadline_ns != NO_DEADLINE && arch_now_ns() >= t->again.deadline_ns)
		r = -ETIMEDOUT;
	if (r) {
		for (unsigned i = 0; i < n; i++)
			list_del(&w[i].link);
		kernel_unlock();
		goto out_free;
	}
	list_init(&t->wait_on.futex.one.link);
	t->again.args[3] = 0;
	t->wait_on.futex.many = w;
	t->wait_on.futex.count = n;
	t->again.fn = waitv_again;
	return futex_block(t, t->again.deadline_ns, wait_cancel);
out_free:
	kfree(w);
	return r;
}

static s64 waitv_again(struct thread *t) { return waitv(t, t->regs.x[REG_A0]); }

s64 sys_futex_waitv(struct thread *t, u64 *a)
{
	s64 r;

	if (a[2] || !(u32)a[1] || (u32)a[1] > WAITV_MAX || !a[0])
		return -EINVAL;
	a[1] = (u32)a[1];
	r = clock_deadline(t, a[3], a[4], &t->again.deadline_ns);
	return r ? r : waitv(t, a[0]);
}

/* ---- thread end ---- */

s64 sys_set_tid_address(struct thread *t, u64 *a)
{
	t->clear_child_tid = a[0];
	return t->tid;
}

#define ROBUST_HEAD_SIZE 24

s64 sys_set_robust_list(struct thread *t, u64 *a)
{
	if (a[1] != ROBUST_HEAD_SIZE)
		return -EINVAL;
	t->robust_list = a[0];
	return 0;
}

s64 sys_get_robust_list(struct thread *t, u64 *a)
{
	u32 tid = (u32)a[0];
	u64 head = 0, size = ROBUST_HEAD_SIZE;
	struct thread *o = t;
	s64 r = 0;

	kernel_lock();
	if (tid && tid != t->tid) {
		o = process_find_thread(t->process, tid);
		if (!o)
			r = tid_exists(tid) ? -EPERM : -ESRCH;
	}
	if (o)
		head = o->robust_list;
	kernel_unlock();
	if (r)
		return r;
	return put_user(t, a[2], &size, 8) || put_user(t, a[1], &head, 8) ? -EFAULT : 0;
}

/* The owner of a robust futex died: says so in the word, and wakes one. */
static void robust_word(struct thread *t, va_t va, bool pi, bool pending)
{
	struct futex_key key;
	u32 word, seen;

	if (va & 3 || user_read_u32(t->aspace, va, &word))
		return;
	/* Died between unlocking it and waking the next: do that. */
	if (pending && !pi && !word) {
		(void)wake_word(t, va, true, BITSET_ALL, 1);
		return;
	}
	if (key_get(t, va, true, &key))
		return;
	while ((word & FUTEX_TID_MASK) == t->tid) {
		if (user_cmpxchg_u32(t->aspace, va, word, word, &seen))
			return;
		if (pi && word & FUTEX_WAITERS) {
			s64 r;

			kernel_lock();
			r = pi_hand_over(t->aspace, va, &key, word, FUTEX_OWNER_DIED);
			kernel_unlock();
			if (r != -EAGAIN || user_read_u32(t->aspace, va, &word))
				return;
			continue;
		}
		if (user_cmpxchg_u32(t->aspace, va, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED,
				     &seen))
			return;
		if (seen == word) {
			if (word & FUTEX_WAITERS)
				(void)wake_word(t, va, true, BITSET_ALL, 1);
			return;
		}
		word = seen;
	}
}

/* The list ends where it begins; a hostile one after ROBUST_MAX entries. */
static void robust_walk(struct thread *t)
{
	va_t head = t->robust_list, entry;
	u64 h[3]; /* next, offset of the word, the operation under way */

	t->robust_list = 0;
	if (get_user(t, h, head, sizeof h))
		return;
	entry = h[0];
	for (unsigned i = 0; i < ROBUST_MAX && (entry & ~1ull) != head; i++) {
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

void futex_thread_exit(struct thread *t)
{
	if (t->robust_list)
		robust_walk(t);
	if (t->clear_child_tid) {
		va_t va = t->clear_child_tid;
		u32 seen;

		t->clear_child_tid = 0;
		/* Nobody else can look if the space goes with this thread. */
		if (t->process->nthreads > 1 ||
		    __atomic_load_n(&t->aspace->refs, __ATOMIC_RELAXED) > 1) {
			if (!(va & 3) && !user_read_u32(t->aspace, va, &seen) &&
			    !user_write_u32(t->aspace, va, 0))
				(void)wake_word(t, va, true, BITSET_ALL, 1);
		}
	}
	if (t->process->nthreads > 1) {
		kernel_lock();
		signal_thread_leaves(t);
		kernel_unlock();
	}
}
