/*
 * Futexes as locks that inherit priority: the word holds the owner's number.
 *
 * Waiters are served by priority, and the word is handed over at unlock.  Who waits for a condition
 * (WAITER_MOVES) is moved to the lock's queue, or gets the lock, by whoever signals it.
 * A waiter hangs in a list of the thread that its lock's word named (`owner`): that one runs at least
 * at the real-time level of the best in the list, and so does whoever it waits for itself, PI_CHAIN
 * links far; a longer chain, or one that ends at its beginning, is EDEADLK.  When the owner ends, the
 * list is what it held.  Ordinary threads lend nothing, as on Linux: nice values are not urgency.
 * Kernel lock.
 */
#include <kernel/process.h>
#include <kernel/sched.h>

#include "futex_priv.h"

#define PI_CHAIN 64

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

struct thread *tid_find(u32 tid)
{
	struct thread *t = NULL;

	for (struct list *l = all_processes.next; l != &all_processes && !t; l = l->next)
		t = process_find_thread(list_entry(l, struct process, all), tid);
	return t;
}

s64 futex_touch(struct aspace *as, va_t va, u32 *word)
{
	if (user_read_u32(as, va, word))
		return -EFAULT;
	return user_cmpxchg_u32(as, va, *word, *word, word) ? -EFAULT : 0;
}

/* ---- owners ---- */

struct thread *pi_owner_of(const struct thread *t)
{
	return t->state == THREAD_BLOCKED && t->wait == WAIT_FUTEX && !t->wait_on.futex.many
		       ? t->wait_on.futex.one.owner : NULL;
}

void pi_lend(struct thread *owner)
{
	for (unsigned n = 0; owner && n < PI_CHAIN; n++, owner = pi_owner_of(owner)) {
		u64 lent = PRIO_RT_COUNT;

		list_for_each_entry(w, &owner->pi_waiters, struct futex_waiter, in_owner)
			lent = MIN(lent, sched_urgency(w->thread));
		if (lent == owner->lent)
			return;
		sched_lend(owner, lent);
	}
}

/* w begins to wait for a lock of owner's. */
static s64 pi_join(struct futex_waiter *w, struct thread *owner)
{
	unsigned n = 0;

	for (struct thread *o = owner; o; o = pi_owner_of(o))
		if (o == w->thread || ++n > PI_CHAIN)
			return -EDEADLK;
	w->owner = owner;
	list_add_tail(&owner->pi_waiters, &w->in_owner);
	pi_lend(owner);
	return 0;
}

void pi_leave(struct futex_waiter *w)
{
	struct thread *owner = w->owner;

	w->owner = NULL;
	list_del(&w->in_owner);
	pi_lend(owner);
}

bool pi_contended(const struct futex_key *key)
{
	bool more;

	return best_waiter(key, NULL, &more) != NULL;
}

/* ---- the lock ---- */

/* Takes the lock for a thread, or with `wait` sees to it that FUTEX_WAITERS is set: 0 taken, EAGAIN
 * owned (*owner: by whom, if `wait`), ESRCH owned by nobody that lives, EPERM by a server, EDEADLK.
 * Kernel lock. */
static s64 pi_try(struct aspace *as, va_t va, u32 tid, bool wait, struct thread **owner)
{
	u32 seen, old, want;

	if (user_read_u32(as, va, &seen))
		return -EFAULT;
	do {
		u32 holder = seen & FUTEX_TID_MASK;

		old = seen;
		if (holder == tid)
			return -EDEADLK;
		if (holder && !wait)
			return -EAGAIN;
		*owner = holder ? tid_find(holder) : NULL;
		if (holder && (!*owner || (*owner)->pi_closed))
			return -ESRCH;
		if (holder && (*owner)->process->authority & TERN_AUTH_SERVER)
			return -EPERM;
		want = holder ? old | FUTEX_WAITERS : tid | (old & ~FUTEX_TID_MASK);
		if (user_cmpxchg_u32(as, va, old, want, &seen))
			return -EFAULT;
	} while (seen != old);
	return old & FUTEX_TID_MASK ? -EAGAIN : 0;
}

s64 pi_lock(struct thread *t, va_t va, bool shared, bool try_only)
{
	struct futex_waiter *w = &t->wait_on.futex.one;
	struct thread *owner;
	s64 r = futex_waiter_init(t, w, va, 0, FUTEX_BITSET_MATCH_ANY, shared);

	if (!r)
		r = futex_touch(t->aspace, va, &w->value);
	if (r)
		return r;
	kernel_lock();
	r = pi_try(t->aspace, va, t->tid, !try_only, &owner);
	if (r == -EAGAIN && !try_only)
		r = deadline_passed(t->again.deadline_ns) ? -ETIMEDOUT : pi_join(w, owner);
	else if (!r)
		r = 1; /* taken */
	if (r) {
		kernel_unlock();
		return r < 0 ? r : 0;
	}
	w->kind = WAITER_LOCKS;
	list_add_tail(futex_bucket(&w->key), &w->link);
	return futex_block(t, 1, -ERESTARTNOINTR);
}

s64 pi_hand_over(struct thread *owner, struct aspace *as, va_t va, const struct futex_key *key,
		 u32 word, u32 flags)
{
	bool more;
	struct futex_waiter *heir = best_waiter(key, NULL, &more);
	u32 seen;

	if (heir)
		flags |= heir->thread->tid | (more ? FUTEX_WAITERS : 0);
	if (user_cmpxchg_u32(as, va, word, flags, &seen))
		return -EFAULT;
	if (seen != word)
		return -EAGAIN;
	if (!heir)
		return 0;
	/* The others wait for the heir from now on. */
	list_for_each_safe(p, next, &owner->pi_waiters) {
		struct futex_waiter *w = list_entry(p, struct futex_waiter, in_owner);

		if (w == heir || !futex_same(&w->key, key))
			continue;
		w->owner = heir->thread;
		list_del(&w->in_owner);
		list_add_tail(&heir->thread->pi_waiters, &w->in_owner);
	}
	futex_waiter_wake(heir); /* which lowers owner first */
	pi_lend(heir->thread);
	return 0;
}

void pi_thread_exit(struct thread *t)
{
	kernel_lock();
	while (!list_empty(&t->pi_waiters)) {
		struct futex_waiter *w = list_entry(t->pi_waiters.next, struct futex_waiter, in_owner);
		struct aspace *as = w->thread->aspace;
		struct futex_key key = w->key;
		va_t at = w->at;
		u32 word;
		s64 r;

		aspace_get(as);
		kernel_unlock();
		r = futex_touch(as, at, &word);
		kernel_lock();
		w = list_entry(t->pi_waiters.next, struct futex_waiter, in_owner);
		if (!list_empty(&t->pi_waiters) && futex_same(&w->key, &key)) {
			if (!r)
				r = pi_hand_over(t, as, at, &key, word,
						 FUTEX_OWNER_DIED);
			if (r)
				futex_waiter_end(w, r);
		}
		kernel_unlock();
		aspace_put(as);
		kernel_lock();
	}
	t->pi_closed = true;
	kernel_unlock();
}

s64 pi_unlock(struct thread *t, va_t va, bool shared)
{
	struct futex_key key;
	u32 word;
	s64 r = aspace_futex_key(t->aspace, va, shared, &key);

	while (!r) {
		r = futex_touch(t->aspace, va, &word);
		if (r)
			break;
		if ((word & FUTEX_TID_MASK) != t->tid)
			return -EPERM;
		kernel_lock();
		r = pi_hand_over(t, t->aspace, va, &key, word, 0);
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
	t->wait_on.futex.target_at = a[4];
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
		r = futex_touch(t->aspace, a[4], &word);
	if (!r)
		r = futex_compare(t->aspace, a[0], (u32)a[5]);
	if (r)
		return r;
	kernel_lock();
	r = futex_compare(t->aspace, a[0], (u32)a[5]);
	while (!r && done <= limit) {
		bool more;
		struct futex_waiter *w = best_waiter(&k[0], &k[1], &more);
		struct thread *owner;

		if (!w)
			break;
		r = pi_try(t->aspace, a[4], w->thread->tid, true, &owner);
		if (r == 0) {
			futex_waiter_wake(w);
		} else if (r == -EAGAIN && !(r = pi_join(w, owner))) {
			w->kind = WAITER_MOVED;
			w->at = w->thread->wait_on.futex.target_at;
			futex_waiter_move(w, &k[1]);
		}
		done += r == 0;
	}
	kernel_unlock();
	return r ? r : done;
}
