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
	NODE_PROCESS, NODE_THREAD, NODE_TIMER, NODE_PAGER,
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
#define CALL_MORE_SERVER 32 /* who forwarded it last has TERN_AUTH_SERVER */
#define CALL_MORE_PAGE 16  /* a copy met a page that its pager is to bring */

/* One request.  A thread embeds one; asynchronous ones are made for servers.  Kernel lock. */
struct call {
	struct ipc_node node; /* request, or DONE */
	u8 state;
	/* All zero for a plain call, which then ends on the short path (ipc/fastpath.c). */
	union {
		struct {
			u8 forwarded; /* how often */
			u8 async;
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
	u64 token;	 /* an odd generation << 32 | index in `calls`; new for each delivery */
	u64 gone_token;	 /* the token that GONE tells of */
	u64 gone_badge;
	const struct syscall_line *line;
	u32 op;
	va_t window_at;		 /* window 0 as the straight path has checked it */
	u64 window_len;		 /* 0: window_straight() works it out */
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
	struct list made; /* thread->async_made, until its thread ends */
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

/* Whose references, credentials and descriptors count. */
static inline struct thread *call_subject(const struct call *c)
{
	return c->subject ? c->subject : c->thread;
}
