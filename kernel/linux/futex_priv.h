/* What futexes (kernel/linux/futex.c) and locks that inherit priority (kernel/linux/futex_pi.c) share. */
#pragma once

#include <kernel/linux/sys.h>
#include <kernel/thread.h>
#include <linux/futex.h>

#define ANY_VALUE (1ull << 32) /* to futex_compare() */

struct list *futex_bucket(const struct futex_key *k);
static inline bool futex_same(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}
/* The keys of two words: 0, EFAULT, EINVAL. */
s64 must_check futex_keys(struct thread *t, va_t one, bool one_shared, va_t two, bool two_shared,
			  struct futex_key k[2]);
/* 0 if the word has the value; EAGAIN, EFAULT.  With the kernel lock held after it was without. */
s64 must_check futex_compare(struct aspace *as, va_t va, u64 value);
/* Makes the word's page writable, and reads it: 0, EFAULT. */
s64 must_check futex_touch(struct aspace *as, va_t va, u32 *word);

/* What w waits for: 0, EFAULT, EINVAL. */
s64 must_check futex_waiter_init(struct thread *t, struct futex_waiter *w, va_t at, u32 value,
				 u32 bits, bool shared);
/* To another word's queue, or woken.  Kernel lock. */
void futex_waiter_move(struct futex_waiter *w, const struct futex_key *k);
void futex_waiter_wake(struct futex_waiter *w);
/* The same, with this result. */
void futex_waiter_end(struct futex_waiter *w, s64 result);
/* Waits until one of n words is woken, or t->again's deadline.  `code`: the result if a signal
 * comes, or 0: as the call's line says.  futex_block: they are queued; kernel lock held, and
 * dropped. */
s64 must_check futex_wait_words(struct thread *t, struct futex_waiter *w, u32 n, s64 code);
s64 must_check futex_block(struct thread *t, u32 n, s64 code);

s64 must_check pi_lock(struct thread *t, va_t va, bool shared, bool try_only);
s64 must_check pi_unlock(struct thread *t, va_t va, bool shared);
/* `owner`, who gives the word up, which was seen to be `word`: it goes to the best waiter, or is free, with
 * `flags` in it: 0, EAGAIN if it has changed, EFAULT.  Kernel lock. */
s64 must_check pi_hand_over(struct thread *owner, struct aspace *as, va_t va,
			    const struct futex_key *key, u32 word, u32 flags);
/* Does somebody wait in the kernel for the PI lock at this word?  Kernel lock. */
bool pi_contended(const struct futex_key *key);
/* Whose PI lock t waits for, or NULL; and what its waiters lend `owner` (NULL: nobody) and those that it
 * waits for itself, anew.  Kernel lock. */
struct thread *pi_owner_of(const struct thread *t);
void pi_lend(struct thread *owner);
/* w waits no more. Kernel lock. */
void pi_leave(struct futex_waiter *w);
/* t ends or execs: the PI locks of its that are waited for, on its robust list or not, go to their best
 * waiters, with FUTEX_OWNER_DIED.  No lock held. */
void pi_thread_exit(struct thread *t);
/* Waits on one word to be moved to a lock, and for that. */
s64 must_check pi_wait(struct thread *t, u64 *a, bool shared);
/* The best waiters that wait for it get the lock, if it is free, or are moved to its queue. */
s64 must_check pi_requeue(struct thread *t, u64 *a, bool shared);
/* The thread of some process with this number, or NULL.  Kernel lock. */
struct thread *tid_find(u32 tid);
