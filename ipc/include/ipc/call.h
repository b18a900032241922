/* Messages on their way: what queues on an endpoint, and the call that carries a request. */
#pragma once

#include <kernel/list.h>
#include <kernel/timer.h>
#include <kernel/types.h>

struct thread;
struct process;
struct session;
struct endpoint;
struct memobj;
struct syscall_line;

/* Everything that waits on an endpoint is such a node inside the object it is about: queueing
 * never allocates. */
enum ipc_node_kind { NODE_CALL, NODE_CALL_EVENT, NODE_CLOSED, NODE_DONE, NODE_NOTE, NODE_PROCESS, NODE_THREAD, NODE_TIMER };
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

#define CALL_EVENT_CANCEL 1
#define CALL_EVENT_GONE 2
#define CALL_EVENT_TIMEOUT 4

/* One request.  A thread embeds one; asynchronous ones are made for servers.  Kernel lock. */
struct call {
	struct ipc_node node; /* request, or DONE */
	u8 state;
	u8 forwarded, async;
	u8 pins; /* copies under way: its end waits for them */
	struct ipc_node event;	 /* CANCEL, GONE, TIMEOUT */
	u8 events;		 /* CALL_EVENT_* pending */
	u8 cancel_sent, dying, nfds;
	s32 fds[2];	 /* reserved descriptor numbers in `table` */
	u64 token;	 /* index | sequence << 32: of the delivery in progress */
	u64 gone_token;	 /* the token that GONE tells of */
	u64 gone_badge;
	const struct syscall_line *line;
	u32 op;
	u32 cancel_signal;
	u64 *args;		 /* the caller's saved a0…a5, or own_args */
	struct thread *thread;	 /* the caller; asynchronous: the server's thread */
	struct session *session; /* where it went: counted in session->calls */
	struct session *pending_cwd, *pending_root; /* given, not committed */
	struct timer park;
	u64 progress;
	/* forwarding */
	u64 word[2];
	void *fwd_object; /* a handle that comes along */
	u8 fwd_type;
	u8 fwd_rights;
	s32 signal; /* that asked for CANCEL */
	/* asynchronous only */
	u64 own_args[6];
	u64 cookie;
	struct thread *subject; /* whose references and credentials count, or NULL; referenced */
	u64 subject_token;
	s64 result;
	struct endpoint *reply_to;
	struct memobj *memobj; /* REPLY_MAP's */
	u8 memobj_rights;
};
