/*
 * Futexes as locks that inherit priority: the word holds the owner's number.
 *
 * Waiters are served by priority, and the word is handed over at unlock; priorities are not lent.
 * Who waits for a condition (WAITER_MOVES) is moved to the lock's queue, or gets the lock, by
 * whoever signals it.
 * Kernel lock.
 */
#include <kernel/process.h>
#include <kernel/sched.h>

#include "futex_priv.h"

/* The best of those that wait for a lock or, with a target, to be moved to that lock. */
static struct futex_waiter *best_waiter(const struct futex_key *key, const struct futex_key *target,
					bool *more)
{
	struct futex_waiter *best = NULL;

	*more = false;
	list_for_each(p, futex_bucket(key)) {
		struct futex_waiter *w = list_entry(p, struct futex_waiter, link);

		if (!futex_same(&w->key, key) || w->kind == WAITER_PLAIN ||
		    (w->kind == WAITER_MOVES) != (target != NULL))
			continue;
		if (target && !futex_same(&w->thread->wait_on.futex.target, target))
			continue;
		*more = best != NULL;
		if (!best || sched_urgency(w->thread) < sched_urgency(best->thread))
			best = w;
	}
	return best;
}

bool tid_exists(u32 tid)
{
	list_for_each(l, &all_processes)
		if (process_find_thread(list_entry(l, struct process, all), tid))
			return true;
	return false;
}

s64 futex_touch(struct thread *t, va_t va, u32 *word)
{
	if (user_read_u32(t->aspace, va, word))
		return -EFAULT;
	return user_cmpxchg_u32(t->aspace, va, *word, *word, word) ? -EFAULT : 0;
}

/* Takes the lock for a thread, or with `wait` sees to it that FUTEX_WAITERS is set: 0 taken, EAGAIN
 * owned, ESRCH owned by nobody that lives, EDEADLK.  Kernel lock. */
static s64 pi_try(struct aspace *as, va_t va, u32 tid, bool wait)
{
	u32 seen, old, want;

	if (user_read_u32(as, va, &seen))
		return -EFAULT;
	do {
		u32 owner = seen & FUTEX_TID_MASK;

		old = seen;
		if (owner == tid)
			return -EDEADLK;
		if (owner && !wait)
			return -EAGAIN;
		if (owner && !tid_exists(owner))
			return -ESRCH;
		want = owner ? old | FUTEX_WAITERS : tid | (old & ~FUTEX_TID_MASK);
		if (user_cmpxchg_u32(as, va, old, want, &seen))
			return -EFAULT;
	} while (seen != old);
	return old & FUTEX_TID_MASK ? -EAGAIN : 0;
}

s64 pi_lock(struct thread *t, va_t va, bool shared, bool try_only)
{
	struct futex_waiter *w = &t->wait_on.futex.one;
	s64 r = futex_waiter_init(t, w, va, 0, FUTEX_BITSET_MATCH_ANY, shared);

	if (!r)
		r = futex_touch(t, va, &w->value);
	if (r)
		return r;
	kernel_lock();
	r = pi_try(t->aspace, va, t->tid, !try_only);
	if (r == -EAGAIN && !try_only && deadline_passed(t->again.deadline_ns))
		r = -ETIMEDOUT;
	if (r != -EAGAIN || try_only) {
		kernel_unlock();
		return r;
	}
	w->kind = WAITER_LOCKS;
	list_add_tail(futex_bucket(&w->key), &w->link);
	return futex_block(t, 1, -ERESTARTNOINTR);
}

s64 pi_hand_over(struct aspace *as, va_t va, const struct futex_key *key, u32 word, u32 flags)
{
	bool more;
	struct futex_waiter *w = best_waiter(key, NULL, &more);
	u32 seen;

	if (w)
		flags |= w->thread->tid | (more ? FUTEX_WAITERS : 0);
	if (user_cmpxchg_u32(as, va, word, flags, &seen))
		return -EFAULT;
	if (seen != word)
		return -EAGAIN;
	if (w)
		futex_waiter_wake(w);
	return 0;
}

s64 pi_unlock(struct thread *t, va_t va, bool shared)
{
	struct futex_key key;
	u32 word;
	s64 r = aspace_futex_key(t->aspace, va, shared, &key);

	while (!r) {
		r = futex_touch(t, va, &word);
		if (r)
			break;
		if ((word & FUTEX_TID_MASK) != t->tid)
			return -EPERM;
		kernel_lock();
		r = pi_hand_over(t->aspace, va, &key, word, 0);
		kernel_unlock();
		if (r != -EAGAIN)
			break;
		r = 0;
	}
	return r;
}

s64 pi_wait(struct thread *t, u64 *a, bool shared)
{
	struct futex_waiter *w = &t->wait_on.futex.one;
	s64 r = futex_waiter_init(t, w, a[0], (u32)a[2], 0, shared);

	if (!r)
		r = aspace_futex_key(t->aspace, a[4], shared, &t->wait_on.futex.target);
	if (r)
		return r;
	if (futex_same(&w->key, &t->wait_on.futex.target))
		return -EINVAL;
	w->kind = WAITER_MOVES;
	return futex_wait_words(t, w, 1, -ERESTARTNOINTR);
}

s64 pi_requeue(struct thread *t, u64 *a, bool shared)
{
	u32 word;
	s32 limit = (s32)a[3];
	struct futex_key k[2];
	s64 done = 0, r;

	if ((s32)a[2] != 1 || limit < 0)
		return -EINVAL;
	r = futex_keys(t, a[0], shared, a[4], shared, k);
	if (!r && futex_same(&k[0], &k[1]))
		r = -EINVAL;
	if (!r)
		r = futex_touch(t, a[4], &word);
	if (!r)
		r = futex_compare(t->aspace, a[0], (u32)a[5]);
	if (r)
		return r;
	kernel_lock();
	r = futex_compare(t->aspace, a[0], (u32)a[5]);
	while (!r && done <= limit) {
		bool more;
		struct futex_waiter *w = best_waiter(&k[0], &k[1], &more);

		if (!w)
			break;
		r = pi_try(t->aspace, a[4], w->thread->tid, true);
		if (r == 0) {
			futex_waiter_wake(w);
		} else if (r == -EAGAIN) {
			w->kind = WAITER_MOVED;
			futex_waiter_move(w, &k[1]);
			r = 0;
		}
		done += r == 0;
	}
	kernel_unlock();
	return r ? r : done;
}
