/* What the lower rooms of the core ask of the rooms above them.  kernel/ calls ipc/ and kernel/linux/,
 * and ipc/ calls kernel/linux/, through these functions and no others (tools/check-rooms);
 * docs/locking.md says with which locks.  Kernel lock held, unless it says otherwise. */
#pragma once

#include <kernel/lib/types.h>

struct aspace;
struct call;
struct endpoint;
struct memobj;
struct process;
struct ready;
struct session;
struct sighand;
struct sigpending;
struct thread;
struct ipc_node;

/* ---- of ipc/ ---- */

/* Prepares an embedded call; false when memory for its number is out. */
bool must_check call_init(struct call *c, struct thread *t);
void call_fini(struct call *c);
/* A signal wants the caller; SIGKILL or exit wants it now. */
void call_interrupt(struct call *c);
void call_abandon(struct call *c);
/* The thread that has the embedded call of this number (its token's lower half), or NULL. */
struct thread *call_thread(u32 index);
/* t ends: its own asynchronous calls lose their maker.  False: one is being copied from or to, so t's
 * space must stay a little longer. */
bool must_check calls_thread_died(struct thread *t);
/* t answers by the long way next time, and its wait in recv gets no message any more: it begins anew,
 * once t is woken, if t goes on. */
void endpoint_receiver_held(struct thread *t);
/* t ends: the endpoint that it receives at dies, and with `last` those that its process owns, one with each call.
 * True: there is none left. */
bool must_check endpoints_thread_died(struct thread *t, bool last);
/* Queues an event of p's (PROCESS_EV_*) or t's end for pm. */
void process_event(struct process *p, u32 bits);
void thread_ended_event(struct thread *t);
/* t's access to va found no page of a pager's: it waits, or gets SIGBUS; who runs next.  No lock held
 * before and after. */
struct page_missing;
struct thread *pager_fault(struct thread *t, va_t va, unsigned access,
			   const struct page_missing *missing);

/* ---- of kernel/linux/ ---- */

void futex_init(void); /* at start-up */
/* t ends or execs: the robust list's owners die, clear_child_tid is zeroed and woken.  No lock held;
 * the thread's space is still there. */
void futex_thread_exit(struct thread *t);
/* WORK_PAIR: the answer to the last message is in a0; the next one goes out.  Who runs next.  No lock
 * held. */
struct thread *pair_step(struct thread *t);
void pair_forget(struct thread *t); /* t ends */
/* WORK_MAP: places the object that a file's server has answered an mmap with; the call's result.  No
 * lock held. */
s64 must_check mmap_finish(struct thread *t, struct memobj *m, u64 offset, unsigned max_prot);

/* t's read(2) of a signalfd.  The lock is dropped. */
struct signalfd;
s64 signalfd_read(struct thread *t, struct signalfd *s);

/* A word's bits `set` came: wakes who polls for them. */
void poll_wake(struct ready *r, u32 set);
/* t ends, perhaps in a poll.  No lock held. */
void poll_forget(struct thread *t);
/* The last handle of an object went: epoll items of it end. */
void poll_object_gone(const void *object);

void sigpending_init(struct sigpending *p);
/* Takes the signals of a set out, with their siginfos. */
void sigpending_remove(struct process *owner, struct sigpending *p, u64 set);
struct sighand *must_check sighand_create(void);
struct sighand *must_check sighand_copy(const struct sighand *s);
void sighand_put(struct sighand *s);
/* exec: caught signals become default, ignored stay. The table becomes the process's own:
 * `fresh` is an allocated one used if it was shared (else freed). */
void sighand_exec(struct process *p, struct sighand *fresh);
/* A fault of the current thread's own: unblocked by force if it is blocked or ignored (`force`).
 * Takes the kernel lock itself. */
void signal_fault(struct thread *t, int sig, int code, u64 addr, bool force);
/* A reply raises a signal in its caller: any number, and nothing comes of what is no signal. */
void signal_raise_locked(struct thread *t, int sig);
/* Is one pending that t's mask lets through? */
bool signal_pending(const struct thread *t);
/* WORK_SIGNAL: takes the next signal, acts (handler frame, default action), decides about a
 * restart.  No lock held. */
void signal_deliver(struct thread *t);
/* A thread ends: process signals that it was to take go to another. */
void signal_thread_leaves(struct thread *t);
