/* Private to the pipe server: its objects and what its files offer each other.
 *
 * A desc is an open file description: what one session's badge names.  Descs of pipes and FIFOs
 * share a struct pipe; an eventfd or timerfd is its desc.  A req is a call that waits. */
#pragma once

#include <linux/poll.h>
#include <server/server.h>
#include <stdbool.h>
#include <server/fcntl.h>

#define PIPE_DEFAULT 65536u
#define PIPE_MAX (1u << 26)
#define TURN (256u << 10) /* bytes copied at most in one turn for a reader */

#define MODE_R 1u
#define MODE_W 2u

enum req_type {
	REQ_IO,
	REQ_OPEN, /* an open of a FIFO that waits for its other side */
};

struct desc;

/* In exactly one queue: of its object, or of those that are ready to be answered. */
struct req {
	struct req *next, *prev;
	struct desc *desc;
	uint64_t token; /* 0: free (the one inside a desc) */
	uint64_t len, done;
	int64_t result;
	uint32_t type;
	int32_t meta; /* REQ_OPEN: the node's metadata session */
	int32_t signal;
};

struct queue {
	struct req *first, *last;
};

/* A readiness word and what it was last set to. */
#define WORD_BITS (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM) /* those that this server sets */
struct word {
	int64_t rid;
	uint32_t bits;
};

/* Invariants: parked readers mean an empty ring and no parked writers; size is 0 or a power of
 * two <= capacity; readers and writers count descs, opens that wait included. */
struct pipe {
	uint8_t *ring;
	uint32_t size, capacity, head, used;
	uint32_t readers, writers;
	bool fifo;
	struct queue rq, wq, openers;
	struct word word; /* both ends'; the kernel sees to HUP and ERR */
	uint64_t ident;
	struct user *user;
	uint32_t uid, gid, mode;
	uint64_t born; /* ns, 0: nobody has asked yet */
	struct pipe *hash_next;
};

enum desc_kind { DESC_PIPE = 1, DESC_EVENT, DESC_TIMER };

struct desc {
	uint8_t kind;
	uint8_t mode;	/* MODE_* */
	uint32_t flags; /* as F_GETFL shows them, access mode included */
	struct pipe *pipe;
	struct req first; /* saves most waits an allocation */
	/* eventfd, timerfd */
	struct word word;
	struct queue rq, wq;
	uint64_t count; /* of the eventfd; expirations of the timerfd */
	uint64_t value; /* what is being copied out */
	bool semaphore;
	uint32_t clock;
	uint64_t expires, interval; /* monotonic ns; 0: disarmed */
	bool expired; /* periodic, and not armed again yet */
	struct desc *timer_next;
	/* timerfd of a point of real time, which can be set: in server->wall */
	uint64_t real; /* when it expires, real ns; 0: disarmed, or not of this kind */
	bool cancel_on_set, cancelled;
	struct desc *wall_next;
};

#define FIFO_BUCKETS 64
struct pipe_server {
	struct pool descs, pipes, reqs;
	struct queue done; /* answered as the current turn ends */
	struct desc *timers; /* by expires */
	struct desc *wall;   /* all that a set clock changes */
	void *pages;	     /* free rings of a page */
	uint64_t last_ident;
	struct {
		struct pipe *pipe;
		uint32_t head, read, written; /* written 0: a read */
	} last; /* of the short ways, to be undone if its copy falls short */
	struct user *users;
	uint32_t cred, uid, gid, ruid; /* of the credentials last asked for */
	bool resource, privileged;   /* they have CAP_SYS_RESOURCE; or CAP_SYS_ADMIN */
	struct pipe *fifos[FIFO_BUCKETS];
};
extern struct pipe_server *server;

static inline void queue_add(struct queue *q, struct req *r)
{
	r->next = NULL;
	r->prev = q->last;
	if (q->last)
		q->last->next = r;
	else
		q->first = r;
	q->last = r;
}

static inline void queue_remove(struct queue *q, struct req *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		q->first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		q->last = r->prev;
}

static inline struct req *queue_find(const struct queue *q, uint64_t token)
{
	struct req *r = q->first;

	while (r && r->token != token)
		r = r->next;
	return r;
}

/* pipe_ops.c */
struct req *req_park(struct queue *q, struct desc *d, uint64_t token, uint64_t len, uint64_t done);
void req_free(struct req *r);
/* Takes the call out of its queue; it is answered as the turn ends. */
void req_complete(struct queue *q, struct req *r, int64_t result);
void reply_done(void);
bool word_make(struct word *w, unsigned bits, unsigned no_reader, unsigned no_writer);
void word_change(struct word *w, unsigned bits, bool in_reply);
static inline void word_set(struct word *w, unsigned bits, bool in_reply)
{
	if (bits != w->bits)
		word_change(w, bits, in_reply);
}
/* Says it again: the reply that carried it never went out, its caller being dead. */
void word_again(const struct word *w);
struct pipe *pipe_create(struct tern_msg *m, uint64_t ident, bool fifo); /* without any end; NULL: no memory */
void pipe_destroy(struct pipe *p);
void pipe_sync(struct pipe *p, bool in_reply);
void pipe_sync_again(struct pipe *p);
long pipe_read(struct desc *d, uint64_t token, uint64_t len, bool nonblock);
/* came: of the bytes written, how many lie in the message page: all, or 0. */
long pipe_write(struct desc *d, uint64_t token, uint64_t len, uint64_t came, bool nonblock);
long pipe_take_back(struct pipe *p, uint64_t token, uint64_t len);
void pipe_fell_short(uint64_t token, int64_t copied);
void pipe_refill(struct pipe *p);
long pipe_resize(struct tern_msg *m, struct pipe *p, uint32_t size);
/* A desc's last moment: its end of the pipe goes, and others learn it. */
void desc_drop(struct desc *d);

/* fifo.c */
long pipe_pipe2(struct tern_msg *m);
long pipe_open(struct tern_msg *m);
long fifo_opened(struct req *r);
bool fifo_cancel(uint64_t token, bool gone);
void fifo_forget(struct pipe *p);

/* eventfd.c */
long event_create(struct tern_msg *m);
long event_read(struct desc *d, uint64_t token, uint64_t len, bool nonblock);
long event_write(struct desc *d, uint64_t token, uint64_t len, uint64_t came, bool nonblock);
void event_drop(struct desc *d);
long timerfd_create(struct tern_msg *m);
long timerfd_settime(struct tern_msg *m);
long timerfd_gettime(struct tern_msg *m);
long timerfd_clock_set(struct tern_msg *m); /* real time has jumped, says pm */
void timerfd_event(void);

/* users.c */
void owner_learn(struct tern_msg *m);	     /* whose call it is, into server */
bool user_join(struct pipe *p);		     /* of server->ruid; false: no memory */
bool user_may_have(const struct pipe *p, uint32_t capacity); /* as the caller's, learnt before */
void user_resize(struct pipe *p, uint32_t capacity);
void user_leave(struct pipe *p);

/* main.c: the table, for the tests too */
void pipe_server_init(void);
extern const struct server_ops pipe_server_ops;
