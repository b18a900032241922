/* Waiting for readiness: ppoll, pselect6, epoll (kernel/linux/poll.c, kernel/linux/epoll.c). */
#pragma once

#include <ipc/session.h>
#include <kernel/handle.h>
#include <kernel/thread.h>

/* One watched word of a wait or of an epoll item, in ready->waiters.  Kernel lock. */
struct poll_entry {
	struct list link;
	struct ready *ready; /* not referenced: unlinked when its session goes */
	u32 events;
	bool exclusive; /* not notified by an event that has woken such a one already */
	bool (*notify)(struct poll_entry *e, u32 bits); /* whether somebody woke; may end it */
	void *owner;
};
/* Bits of an object that a handle may name, as thread t sees it; its readiness word or NULL. */
u32 object_poll_bits(struct thread *t, enum handle_type type, void *object);
struct ready *object_ready(enum handle_type type, void *object);
/* Those of the word's bits that concern it. */
u32 object_poll_mask(enum handle_type type, const void *object);
/* Waits until r gets one of the events or the deadline passed; then, or if a signal comes, the
 * thread runs `resume`.  Kernel lock held, and dropped.  SYS_BLOCKED, ENOMEM. */
s64 must_check poll_wait_ready(struct thread *t, struct ready *r, u32 events, u64 deadline_ns,
			       s64 (*resume)(struct thread *t));
/* The mask (size must be 8) at va, if it is not 0, counts during the wait: 0, EINVAL, EFAULT.  After
 * the wait, with its result: back to the old one, unless a signal is to be delivered first. */
s64 must_check poll_mask_set(struct thread *t, va_t va, u64 size);
s64 poll_mask_back(struct thread *t, s64 r);
static inline s64 poll_mask_end(struct thread *t, s64 r)
{
	return unlikely(t->sig_restore_mask) ? poll_mask_back(t, r) : r;
}
extern u64 poll_event; /* the number of the event that poll_wake spreads */
