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
s64 must_check futex_touch(struct thread *t, va_t va, u32 *word);

/* What w waits for: 0, EFAULT, EINVAL. */
s64 must_check futex_waiter_init(struct thread *t, struct futex_waiter *w, va_t at, u32 value,
				 u32 bits, bool shared);
/* To another word's queue, or woken.  Kernel lock. */
void futex_waiter_move(struct futex_waiter *w, const struct futex_key *k);
void futex_waiter_wake(struct futex_waiter *w);
/* Waits until one of n words is woken, or t->again's deadline.  `code`: the result if a signal
 * comes, or 0: as the call's line says.  futex_block: they are queued; kernel lock held, and
 * dropped. */
s64 must_check futex_wait_words(struct thread *t, struct futex_waiter *w, u32 n, s64 code);
s64 must_check futex_block(struct thread *t, u32 n, s64 code);

s64 must_check pi_lock(struct thread *t, va_t va, bool shared, bool try_only);
s64 must_check pi_unlock(struct thread *t, va_t va, bool shared);
/* Gives the word, seen to be `word`, to the best waiter, or frees it: 0, EAGAIN if it has changed,
 * EFAULT.  Kernel lock. */
s64 must_check pi_hand_over(struct aspace *as, va_t va, const struct futex_key *key, u32 word,
			    u32 flags);
/* Waits on one word to be moved to a lock, and for that. */
s64 must_check pi_wait(struct thread *t, u64 *a, bool shared);
/* The best waiters that wait for it get the lock, if it is free, or are moved to its queue. */
s64 must_check pi_requeue(struct thread *t, u64 *a, bool shared);
/* Some process has such a thread.  Kernel lock. */
bool tid_exists(u32 tid);
