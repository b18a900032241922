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
#define TURN (256u << 10) /* the most bytes that one read or one reader is given at a time */

#define MODE_R 1u
#define MODE_W 2u

enum req_type {
	REQ_IO,
	REQ_OPEN, /* an open of a FIFO that waits for its other side */
};

struct desc;

/* A call that waits.  It is in exactly one queue: of the object that it waits for, or, once its
 * result is known, in server->done. */
struct req {
	struct req *next, *prev;
	struct desc *desc;
	uint64_t token; /* names the held call; 0: the req inside a desc is not in use */
	uint64_t len, done;
	int64_t result;
	uint32_t type;
	int32_t meta; /* REQ_OPEN: the handle of the meta session that vfs sent, or -1 */
	int32_t signal; /* raised in the caller with the answer: SIGPIPE, or 0 for none */
};

struct queue {
	struct req *first, *last;
};

/* The bits of readiness words that this server sets. */
#define WORD_BITS (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM)
/* A readiness word: its number in the kernel, and the bits that the server last set. */
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
	struct word word; /* one word with two ends; the kernel itself sets HUP and ERR in it */
	uint64_t ident;
	struct user *user;
	uint32_t uid, gid, mode;
	uint64_t born; /* the time that stat shows, in ns; 0: nobody has asked for it yet */
	struct pipe *hash_next;
};

enum desc_kind { DESC_PIPE = 1, DESC_EVENT, DESC_TIMER };

struct desc {
	uint8_t kind;
	uint8_t mode;	/* MODE_* */
	uint32_t flags; /* as F_GETFL shows them, access mode included */
	struct pipe *pipe;
	struct req first; /* for the first call that waits, so that most waits allocate nothing */
	/* eventfd, timerfd */
	struct word word;
	struct queue rq, wq;
	uint64_t count; /* an eventfd's counter, or a timerfd's expirations not read yet */
	uint64_t value; /* what the reply under way copies to the reader */
	bool semaphore;
	uint32_t clock;
	uint64_t expires, interval; /* monotonic ns; 0: disarmed */
	bool expired; /* a periodic timer has expired and is not armed again yet */
	struct desc *timer_next;
	/* A timerfd set to a point of real time is in the list server->wall, as somebody may set
	 * the clock. */
	uint64_t real; /* when it expires, in ns of real time; 0: disarmed, or no such timerfd */
	bool cancel_on_set, cancelled;
	struct desc *wall_next;
};

#define FIFO_BUCKETS 64
struct pipe_server {
	struct pool descs, pipes, reqs;
	struct queue done; /* calls whose results are known: reply_done() answers them */
	struct desc *timers; /* the armed timerfds, the first to expire first */
	struct desc *wall;   /* the timerfds that have to do something when the clock is set */
	void *pages;	     /* a list of free rings of one page, linked by their first words */
	uint64_t last_ident;
	/* What the last short way (pipe_read, pipe_write) did: undone if its copy falls short. */
	struct {
		struct pipe *pipe;
		uint32_t head, read, written; /* written 0: it was a read */
	} last;
	struct user *users;
	uint32_t cred, uid, gid, ruid; /* those of the caller whom owner_learn() saw last */
	bool resource, privileged;   /* that caller has CAP_SYS_RESOURCE; CAP_SYS_ADMIN */
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
/* Moves the waiting call from q to server->done with its result; reply_done() answers it. */
void req_complete(struct queue *q, struct req *r, int64_t result);
void reply_done(void);
bool word_make(struct word *w, unsigned bits, unsigned no_reader, unsigned no_writer);
void word_change(struct word *w, unsigned bits, bool in_reply);
static inline void word_set(struct word *w, unsigned bits, bool in_reply)
{
	if (bits != w->bits)
		word_change(w, bits, in_reply);
}
/* Tells the kernel the word's bits once more, because the reply that carried them was lost with its
 * caller. */
void word_again(const struct word *w);
/* A pipe of m's caller that has no ends yet; NULL: no memory. */
struct pipe *pipe_create(struct tern_msg *m, uint64_t ident, bool fifo);
void pipe_destroy(struct pipe *p);
void pipe_sync(struct pipe *p, bool in_reply);
void pipe_sync_again(struct pipe *p);
long pipe_read(struct desc *d, uint64_t token, uint64_t len, bool nonblock);
/* came: how many of the bytes to be written lie in the message page already: all of them, or 0. */
long pipe_write(struct desc *d, uint64_t token, uint64_t len, uint64_t came, bool nonblock);
long pipe_take_back(struct pipe *p, uint64_t token, uint64_t len);
void pipe_fell_short(uint64_t token, int64_t copied);
void pipe_refill(struct pipe *p);
long pipe_resize(struct tern_msg *m, struct pipe *p, uint32_t size);
/* Frees a desc whose session is closed or was never made.  With the last reader the parked
 * writers fail, with the last writer the parked readers get the end of the file, with both the
 * pipe goes. */
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
long timerfd_clock_set(struct tern_msg *m); /* pm forwards the call that set the clock */
void timerfd_event(void);

/* users.c */
void owner_learn(struct tern_msg *m);	     /* the caller's ids and capabilities, into server */
bool user_join(struct pipe *p);		     /* counts p for server->ruid; false: no memory */
bool user_may_have(const struct pipe *p, uint32_t capacity); /* of the last owner_learn() */
void user_resize(struct pipe *p, uint32_t capacity);
void user_leave(struct pipe *p);

/* main.c; the tests on the host call the table of operations, too */
void pipe_server_init(void);
extern const struct server_ops pipe_server_ops;
