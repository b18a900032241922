/* Messages on their way: what queues on an endpoint, and the call that carries a request. */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/timer.h>
#include <kernel/lib/types.h>

struct thread;
struct process;
struct session;
struct endpoint;
struct memobj;
struct syscall_line;

/* Everything that waits on an endpoint is such a node inside the object it is about: queueing
 * never allocates. */
enum ipc_node_kind {
	NODE_CALL, NODE_CALL_EVENT, NODE_CLOSED, NODE_DONE, NODE_NOTE,
	NODE_PROCESS, NODE_THREAD, NODE_TIMER, NODE_SYNC, NODE_PAGER,
};
struct ipc_node {
	struct list link; /* endpoint->queue; self-linked: not queued */
	u8 kind;
};

enum call_state {
	CALL_IDLE,
	CALL_QUEUED,   /* on session->endpoint, not received */
	CALL_RECEIVED, /* a server holds its token */
	CALL_DONE,     /* asynchronous: answered, DONE is queued */
};

/* The lowest goes first. */
#define CALL_EVENT_CANCEL 1
#define CALL_EVENT_PAGED 2
#define CALL_EVENT_TIMEOUT 4
#define CALL_EVENT_GONE 8

#define CALL_MORE_PARKED 1 /* it has, or had, a deadline */
#define CALL_MORE_NAMES 2  /* pending_cwd or pending_root */
#define CALL_MORE_HANDLE 4 /* fwd_object */
#define CALL_MORE_PAIR 8   /* args and buffer are the kernel's (kernel/linux/pair.c) */
#define CALL_MORE_PAGE 16  /* a copy met a page that its pager is to bring */

/* One request.  A thread embeds one; asynchronous ones are made for servers.  Kernel lock. */
struct call {
	struct ipc_node node; /* request, or DONE */
	u8 state;
	/* All zero for a plain call, which then ends on the short path (ipc/fastpath.c). */
	union {
		struct {
			u8 forwarded, async;
			u8 pins;   /* copies under way: its end waits for them */
			u8 events; /* CALL_EVENT_* pending */
			u8 cancel_sent, dying;
			u8 nfds;   /* descriptors reserved */
			u8 more;   /* CALL_MORE_* */
		};
		u64 special;
	};
	struct ipc_node event;	 /* CALL_EVENT_* */
	s32 fds[2];	 /* reserved descriptor numbers in `table` */
	u64 token;	 /* generation << 32 | index (kernel/idtable.h); new for each delivery */
	u64 sent_token, sent_badge; /* of a plain call, for entry.S: it reads them without the lock */
	struct idslot *slot; /* where the token is looked up */
	u64 gone_token;	 /* the token that GONE tells of */
	u64 gone_badge;
	const struct syscall_line *line;
	u32 op;
	u64 *args;		 /* the caller's saved a0…a5, or own_args, or a pair's */
	char *buffer;		 /* NULL, or what its windows are, instead of the caller's memory */
	struct thread *thread;	 /* the caller; asynchronous: the server's thread */
	struct session *session; /* where it went: counted in session->calls */
	struct session *pending_cwd, *pending_root; /* given, not committed */
	struct timer park;
	u64 ref[2], root; /* V, S lines: references as they were when the call was made */
	/* forwarding */
	u64 word[2];
	void *fwd_object; /* a handle that comes along */
	u8 fwd_type;
	u8 fwd_rights;
	/* asynchronous only */
	u64 own_args[6];
	u64 cookie;
	struct thread *subject; /* whose references and credentials count, or NULL; referenced */
	u64 subject_token;
	s64 result;
	s64 result_fds[2];
	struct endpoint *reply_to;
	struct memobj *memobj; /* REPLY_MAP's */
	u8 memobj_rights;
};

/* Prepares an embedded call; false when memory for its number is out. */
bool must_check call_init(struct call *c, struct thread *t);
void call_fini(struct call *c);

/* Whose references, credentials and descriptors count. */
static inline struct thread *call_subject(const struct call *c)
{
	return c->subject ? c->subject : c->thread;
}

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
/* Every call that this endpoint's server held gets EIO; t's own asynchronous ones lose their maker.
 * False: one is being copied from or to, so t's space must stay a little longer. */
void calls_endpoint_died(struct endpoint *ep);
bool must_check calls_thread_died(struct thread *t);
/* The server that holds it, or has it in its queue, hears of it. */
void call_event(struct call *c, unsigned event);
/* A signal wants the caller; SIGKILL or exit wants it now. */
void call_interrupt(struct call *c);
void call_abandon(struct call *c);
/* Fills the receiver's registers from a queued node (which is unlinked); NULL: its endpoint died,
 * and the node is dropped. */
void message_load(struct thread *receiver, struct ipc_node *n);
/* t waits for the next message, or has it: who runs next.  Drops the kernel lock. */
struct thread *endpoint_receive(struct thread *t);
/* Hands a held call on to another session. */
void call_forward(struct call *c, struct session *s, u64 w0, u64 w1);
/* Reserves the descriptors that a line makes.  0, EMFILE, ENOMEM. */
s64 must_check call_reserve(struct call *c, struct thread *t, const struct syscall_line *line);

/* ipc/window.c: copies between a window of a held, pinned call and memory, no lock held. */
struct aspace;
#define WINDOW_IN 1
#define WINDOW_OUT 2
/* Of any kind of window; a memobj's end is checked before.  Plain ones: ipc/window_priv.h. */
s64 window_copy_pieces(struct call *c, unsigned win, unsigned dir, u64 off, struct aspace *as,
		       u64 local, u64 n);
s64 window_copy_memobj_pieces(struct call *c, unsigned win, unsigned dir, u64 off, struct memobj *m,
			      u64 obj_off, u64 n);
/* The range checks of delivery: 0, EFAULT, EINVAL. */
s64 must_check windows_check(const struct syscall_line *line, const u64 *args);
