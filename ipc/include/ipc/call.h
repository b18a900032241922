/* Calls on their way: pins, answers, forwards, delivery, windows. */
#pragma once

#include <kernel/call.h>
#include <kernel/hooks.h>

/* The held call that a token names, for its receiver t; NULL: stale. */
struct call *call_find(struct thread *t, u64 token);
/* Keeps the caller's memory and registers in place while the kernel lock is dropped; kernel lock
 * held in both.  The unpin may end a call that was to die meanwhile. */
static inline void call_pin(struct call *c) { c->pins++; }
void call_unpin_dying(struct call *c);
static inline void call_unpin(struct call *c)
{
	if (--c->pins == 0 && unlikely(c->dying))
		call_unpin_dying(c);
}

/* Ends the call with a result: commits or releases descriptors, wakes or tells the caller.
 * Returns the thread to switch to directly, or NULL (it was made ready, or it is asynchronous). */
struct thread *call_finish(struct call *c, s64 result, int sig, bool direct);
/* The references of a V line's directory arguments, as `who` has them now (ipc/route.c). */
void route_references(struct call *c, struct thread *who, const struct syscall_line *line);
/* Every call that this endpoint's server held gets EIO. */
void call_endpoint_died(struct endpoint *ep, void *call);
/* The server that holds it, or has it in its queue, hears of it. */
void call_event(struct call *c, unsigned event);
/* Fills the receiver's registers from a queued node (which is unlinked); NULL: its endpoint died,
 * and the node is dropped. */
void message_load(struct thread *receiver, struct ipc_node *n);
/* How many deliveries of requests ended, and events were delivered, since the start.  A delivery is counted by
 * the generation of its call's number, which it changes anyway: nothing is added to its way.  No lock held; by
 * chunks of numbers, so calls meanwhile may or may not count. */
u64 messages_counted(void);
/* t waits for the next message, or has it: who runs next.  Drops the kernel lock. */
struct thread *endpoint_receive(struct thread *t);
/* Hands a held call on to another session. */
void call_forward(struct call *c, struct session *s, u64 w0, u64 w1);
/* Reserves the descriptors that a line makes.  0, EMFILE, ENOMEM. */
s64 must_check call_reserve(struct call *c, struct thread *t, const struct syscall_line *line);

/* Windows of a held, pinned call (ipc/window.c): directions of a copy, as enum window_kind has them. */
#define WINDOW_IN 1
#define WINDOW_OUT 2
/* The range checks of delivery: 0, EFAULT, EINVAL. */
s64 must_check windows_check(const struct syscall_line *line, const u64 *args);
