/* Endpoints, sessions and readiness words.  Kernel lock guards all of it. */
#pragma once

#include <ipc/call.h>
#include <kernel/idtable.h>
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>
#include <kernel/steps.h>
#include <linux/poll.h>

struct memobj;
struct process;
struct thread;

struct endpoint {
	u32 refs; /* handles, sessions, readiness words, the receiver, process events */
	bool dead; /* its owner ended: calls get EIO, polls ERR|HUP */
	struct account *payer; /* of whom it was made by */
	struct process *owner; /* who may make sessions on it; not referenced: cleared at its end */
	struct list in_owner;	 /* owner->endpoints */
	struct thread *receiver; /* bound, or NULL */
	bool waiting;	       /* the receiver waits in recv, and nothing is queued */
	/* It waits in recv though one node is queued, the end of a session that may be told of with the
	 * next message (TERN_R_CLOSE_LATER). */
	bool dozing;
	bool close_later;      /* TERN_CLOSE_LATER: such ends may wait */
	struct list queue;     /* struct ipc_node, in order */
	struct call *last;     /* delivered last and still held, or NULL: most replies are to it */
	/* The message page: where it lies in the receiver's space and in the kernel's; NULL: there is none.
	 * The frame is referenced. */
	va_t page_at;
	char *page;
	bool takes_bytes; /* short input windows come in it, too */
	struct list readies; /* struct ready.in_endpoint */
	struct list pagers;  /* struct pager.in_endpoint */
	struct steps ending; /* when it is dead */
	u32 phase, cursor;   /* how far that has come */
	struct timer timer;  /* TERN_TIMER */
	u64 timer_cookie;
	struct ipc_node timer_node;
};

/* A readiness word and who waits for it.  Also how an object of the kernel's own that one can wait
 * for begins (an epoll set, a signalfd): it uses refs, nonblock and waiters. */
struct ready {
	u64 id;
	u32 refs; /* the server's, one a session, one an entry of a poll */
	u32 bits; /* POLL* */
	bool destroyed; /* the server's reference is gone */
	bool nonblock; /* O_NONBLOCK */
	/* NULL: the bits are a server's */
	const struct ready_own {
		u32 (*bits)(struct thread *t, struct ready *r); /* as t sees them */
		void (*free)(struct ready *r);
	} *own;
	struct endpoint *endpoint;
	struct account *maker; /* who pays for the word, or for the object that begins with it */
	u64 charged; /* bytes that its server keeps */
	struct account *payer; /* NULL: nothing is charged */
	struct list in_endpoint;
	/* Who has an end of what the word is about: [0] may read, [1] may write.  The bits `gone` are
	 * set while no session has that end any more; both 0: the word has no ends. */
	struct ready_end {
		u32 sessions;
		u16 gone;
	} end[2];
	/* NULL, or (referenced) the word that gets the bits of end[0], which all sessions count at. */
	struct ready *tells;
	struct list waiters; /* struct poll_entry.link (kernel/linux/poll.h) */
	struct steps waking; /* poll_wake() under way, of the bits `news`, up to `told` among the waiters */
	struct list told;
	u32 news;
	bool taken; /* one of those that are woken one at a time has been */
};

struct session {
	union {
		struct {
			u32 calls;   /* in flight */
			u32 handles; /* handles, name-context slots, metas of others, pending gives */
		};
		u64 uses; /* both: 1 is a call, and it is the last use */
	};
	struct endpoint *endpoint; /* referenced */
	u64 badge;
	struct account *payer; /* of whom it was made for */
	struct session *meta; /* counted in meta->handles */
	struct ready *ready;  /* referenced; NULL: always readable and writable */
	u64 ident;
	u64 sid; /* 0: none but TERN_SESSION_CREATE's have one */
	/* A regular file that the kernel reads and writes itself (ipc/file.c), referenced, or NULL. */
	struct memobj *file;
	u64 offset; /* of the open file description, while `file` is there */
	u8 direct;  /* TERN_FILE_READ, WRITE: what the kernel may do with it; NOATIME */
	u8 kind; /* enum tern_kind */
	u8 ends; /* TERN_R_READ, TERN_R_WRITE: those of its readiness word that it counts at */
	u16 sees; /* bits of its readiness word that concern it */
	bool close_later; /* TERN_R_CLOSE_LATER */
	struct session *next_hidden; /* in a handle table's list */
	struct ipc_node closed; /* the CLOSED event */
};

/* handles + 1; - 1 and, at the end, CLOSED. */
static inline void session_get(struct session *s) { s->handles++; }
void session_put(struct session *s);
void session_end_call(struct session *s); /* calls - 1, likewise */
/* NULL: out of memory, or the payer has too much. */
struct session *must_check session_create(struct endpoint *ep, u64 badge, unsigned kind, u64 ident,
					  struct ready *ready, struct session *meta,
					  struct process *payer);
bool must_check session_number(struct session *s); /* gives it a sid; false: out of memory */
struct session *session_find(u64 sid);
/* A session that nobody has yet is to be given with these rights: it has those ends of its word. */
void session_take_ends(struct session *s, unsigned rights);

/* p owns it and pays for it. */
struct endpoint *must_check endpoint_create(struct process *p);
void endpoint_set_owner(struct endpoint *ep, struct process *p);
void endpoint_free(struct endpoint *ep);
static inline void endpoint_get(struct endpoint *ep) { ep->refs++; }
static inline void endpoint_put(struct endpoint *ep)
{
	if (--ep->refs == 0)
		endpoint_free(ep);
}
void endpoint_kill(struct endpoint *ep); /* its owner ended */
/* Queues a node and, if the receiver waits, makes it ready with the message in its registers. */
void endpoint_post(struct endpoint *ep, struct ipc_node *n);

struct ready *must_check ready_create(struct endpoint *ep, u32 bits);
static inline void ready_get(struct ready *r) { r->refs++; }
void ready_put(struct ready *r);
/* What its server keeps for it is `bytes` now, and p pays, or whoever paid before.  0, ENOMEM. */
s64 must_check ready_charge(struct ready *r, struct process *p, u64 bytes);
static inline u32 session_ready_bits(const struct session *s)
{
	if (s->endpoint->dead)
		return POLLERR | POLLHUP;
	return s->ready ? s->ready->bits & s->sees : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}
/* Sets and clears bits, and wakes who polls for those set. */
static inline void ready_change(struct ready *r, u32 set, u32 clear)
{
	r->bits = (r->bits & ~clear) | set;
	if (!set)
		return;
	if (!list_empty(&r->waiters))
		poll_wake(r, set);
}

extern struct idtable readies;
static inline struct ready *ready_find(u64 rid) { return id_find(&readies, rid); }
void session_free(struct session *s); /* after CLOSED was delivered */
