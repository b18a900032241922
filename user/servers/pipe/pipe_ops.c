/* Pipes: reading, writing, closing.
 *
 * The bytes lie in a ring that is made at the first write and grows by need up to the capacity.
 * A write that finds parked readers moves straight into their windows; a read that empties the
 * ring goes on with the parked writers' windows.  What is left of a parked write comes into the
 * ring as room appears (pipe_refill), in the order in which the writers came.
 *
 * Others whose calls end by it are collected in server->done and answered as the turn ends, after
 * the readiness words are right; when there are none, the words travel with the caller's own
 * reply.  A failed move or copy never takes bytes out of the pipe.
 */
#include <linux/mman.h>
#include <stdlib.h>
#include <string.h>
#include <tern/linux/signal.h>

#include "pipe_priv.h"

#define PAGE 4096u
#define PAGES_AT_ONCE 8u

/* ---- waiting calls ---- */

struct req *req_park(struct queue *q, struct desc *d, uint64_t token, uint64_t len, uint64_t done)
{
	struct req *r = d->first.token ? pool_alloc(&server->reqs) : &d->first;

	if (!r)
		return NULL;
	r->desc = d;
	r->token = token;
	r->len = len;
	r->done = done;
	r->type = REQ_IO;
	r->meta = -1;
	r->signal = 0;
	queue_add(q, r);
	return r;
}

void req_free(struct req *r)
{
	if (r == &r->desc->first)
		r->token = 0;
	else
		pool_free(&server->reqs, r);
}

void req_complete(struct queue *q, struct req *r, int64_t result)
{
	queue_remove(q, r);
	r->result = result;
	queue_add(&server->done, r);
}

void reply_done(void)
{
	struct req *r;

	while ((r = server->done.first)) {
		queue_remove(&server->done, r);
		if (r->type == REQ_OPEN) {
			uint64_t token = r->token;
			long result = fifo_opened(r); /* consumes r */

			tern_reply(token, result);
			continue;
		}
		if (r->signal) {
			struct tern_reply extra = { .flags = (uint64_t)r->signal };

			tern_reply_with(r->token, r->result, &extra);
		} else {
			tern_reply(r->token, r->result);
		}
		req_free(r);
	}
}

/* ---- readiness ---- */

bool word_make(struct word *w, unsigned bits, unsigned no_reader, unsigned no_writer)
{
	w->rid = tern_ready_create_ends(bits, no_reader, no_writer);
	w->bits = bits;
	return w->rid >= 0;
}

void word_change(struct word *w, unsigned bits, bool in_reply)
{
	unsigned set = bits & ~w->bits, clear = w->bits & ~bits;

	w->bits = bits;
	if (in_reply)
		server_reply_ready((uint64_t)w->rid, set, clear);
	else
		tern_ready_set((uint64_t)w->rid, set, clear);
}

void word_again(const struct word *w)
{
	tern_ready_set((uint64_t)w->rid, w->bits, WORD_BITS & ~w->bits);
}

static unsigned pipe_bits(const struct pipe *p)
{
	return (p->used ? POLLIN | POLLRDNORM : 0) |
	       (p->capacity - p->used >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0);
}

static inline void sync_word(struct pipe *p, bool in_reply)
{
	word_set(&p->word, pipe_bits(p), in_reply);
}

void pipe_sync(struct pipe *p, bool in_reply)
{
	sync_word(p, in_reply);
}

void pipe_sync_again(struct pipe *p)
{
	word_again(&p->word);
}

/* Ends what a handler did to p: if other calls were completed by it, the readiness word is set
 * first and they are answered then; else the new bits travel with the handler's own reply, if
 * there is one. Returns the handler's result. */
static long finish(struct pipe *p, long result)
{
	if (server->done.first) {
		pipe_sync(p, false);
		reply_done();
	} else {
		sync_word(p, result != SERVER_NO_REPLY);
	}
	return result;
}

/* ---- the ring ---- */

static void *ring_alloc(uint32_t size)
{
	void **page;

	if (size > PAGE) {
		/* MAP_POPULATE, so that a lack of memory is an error of this call and no fault
		 * of a later copy. */
		long r = TERN_OP6(222, 0, size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		return r < 0 ? NULL : (void *)r;
	}
	if (!server->pages) {
		char *more = malloc(PAGES_AT_ONCE * PAGE);

		if (!more)
			return NULL;
		for (uint32_t i = 0; i < PAGES_AT_ONCE; i++) {
			page = (void **)(void *)(more + (size_t)i * PAGE);
			*page = server->pages;
			server->pages = page;
		}
	}
	page = server->pages;
	server->pages = *page;
	return page;
}

static void ring_free(void *ring, uint32_t size)
{
	if (!ring)
		return;
	if (size > PAGE) {
		tern_munmap(ring, size);
	} else {
		*(void **)ring = server->pages;
		server->pages = ring;
	}
}

/* The process that writes first pays for the ring. */
static bool ring_charge(struct pipe *p, uint32_t size, uint64_t token)
{
	return tern_charge(token, (uint64_t)p->word.rid, size) >= 0;
}

/* Moves the pipe's bytes into a new ring of `size` bytes, which is charged on behalf of the call
 * `token`. False: no memory, and nothing has changed. */
static bool ring_resize(struct pipe *p, uint32_t size, uint64_t token)
{
	uint8_t *ring;
	uint32_t part;

	if (!ring_charge(p, size, token))
		return false;
	ring = ring_alloc(size);
	if (!ring) {
		ring_charge(p, p->size, token);
		return false;
	}
	part = p->size - p->head < p->used ? p->size - p->head : p->used;
	if (p->used) {
		memcpy(ring, p->ring + p->head, part);
		memcpy(ring + part, p->ring, p->used - part);
	}
	ring_free(p->ring, p->size);
	p->ring = ring;
	p->size = size;
	p->head = 0;
	return true;
}

/* How many more bytes the ring has room for; it is made larger first, if it can be, where `want`
 * bytes have none. */
static uint32_t ring_room(struct pipe *p, uint64_t want, uint64_t token)
{
	if (want > p->size - p->used && p->size < p->capacity) {
		uint32_t size = PAGE;

		if (p->used + want > PAGE) {
			size = PIPE_DEFAULT;
			while (size < p->used + want && size < p->capacity)
				size *= 2;
		}
		if (size > p->capacity)
			size = p->capacity;
		/* Where memory is short, a ring of one page does the same in more steps. */
		if (size > p->size && !ring_resize(p, size, token) && size > PAGE && p->size < PAGE)
			ring_resize(p, PAGE, token);
	}
	return p->size - p->used;
}

/* Copies n bytes of a writer's window, from `off`, behind the last byte of the ring.  The caller
 * adds what came to p->used.  Returns how many bytes came, or an errno if none did. */
static long ring_fill(struct pipe *p, uint64_t token, uint64_t off, uint32_t n)
{
	uint32_t done = 0;

	if (!p->used)
		p->head = 0;
	while (done < n) {
		uint32_t at = (p->head + p->used + done) & (p->size - 1);
		uint32_t part = p->size - at < n - done ? p->size - at : n - done;
		long r = tern_copy_in(token, 0, off + done, p->ring + at, part);

		if (r <= 0)
			return done ? (long)done : r ? r : -EFAULT;
		done += (uint32_t)r;
	}
	return done;
}

static void ring_consume(struct pipe *p, uint32_t n)
{
	p->head = (p->head + n) & (p->size - 1);
	p->used -= n;
}

/* Copies n bytes of the ring into a reader's window and takes them out of the ring.  Returns how
 * many bytes went, or an errno if none did. */
static long ring_drain(struct pipe *p, uint64_t token, uint32_t n)
{
	uint32_t done = 0;

	while (done < n) {
		uint32_t part = p->size - p->head < n - done ? p->size - p->head : n - done;
		long r = tern_copy_out(token, 0, done, p->ring + p->head, part);

		if (r <= 0)
			return done ? (long)done : r ? r : -EFAULT;
		ring_consume(p, (uint32_t)r);
		done += (uint32_t)r;
	}
	return done;
}

/* ---- life ---- */

struct pipe *pipe_create(struct tern_msg *m, uint64_t ident, bool fifo)
{
	struct pipe *p = pool_alloc(&server->pipes);

	if (!p)
		return NULL;
	owner_learn(m);
	p->uid = server->uid;
	p->gid = server->gid;
	p->mode = 0600;
	p->capacity = PIPE_DEFAULT;
	if (!word_make(&p->word, pipe_bits(p), POLLERR, POLLHUP))
		goto out_pool;
	if (!user_join(p))
		goto out_word;
	p->ident = ident;
	p->fifo = fifo;
	return p;
out_word:
	tern_ready_destroy((uint64_t)p->word.rid);
out_pool:
	pool_free(&server->pipes, p);
	return NULL;
}

void pipe_destroy(struct pipe *p)
{
	tern_ready_destroy((uint64_t)p->word.rid);
	ring_free(p->ring, p->size);
	if (p->fifo)
		fifo_forget(p);
	user_leave(p);
	pool_free(&server->pipes, p);
}

static void all_writers_fail(struct pipe *p)
{
	struct req *r;

	while ((r = p->wq.first)) {
		r->signal = SIGPIPE;
		req_complete(&p->wq, r, r->done ? (int64_t)r->done : -EPIPE);
	}
}

void desc_drop(struct desc *d)
{
	struct pipe *p = d->pipe;

	if (d->kind != DESC_PIPE) {
		event_drop(d);
		pool_free(&server->descs, d);
		return;
	}
	if (d->mode & MODE_R)
		p->readers--;
	if (d->mode & MODE_W)
		p->writers--;
	pool_free(&server->descs, d);
	if (!p->readers && !p->writers) {
		pipe_destroy(p);
		return;
	}
	if (!p->readers)
		all_writers_fail(p);
	if (!p->writers)
		while (p->rq.first)
			req_complete(&p->rq, p->rq.first, 0);
	pipe_sync(p, false);
}

/* ---- write ---- */

/* Copies a writer's bytes straight into the windows of parked readers.  Returns how many bytes
 * went, or an errno if none did because the writer's own window failed. */
static long deliver(struct pipe *p, uint64_t token, uint64_t len)
{
	uint64_t done = 0;
	struct req *q;

	while (done < len && (q = p->rq.first)) {
		uint64_t want = len - done < q->len ? len - done : q->len;
		long r;

		if (want > TURN)
			want = TURN;
		r = tern_move(token, 0, done, q->token, 0, 0, want);
		if (r > 0) {
			done += (uint64_t)r;
			req_complete(&p->rq, q, r);
		} else if (r == -TERN_EDEST) {
			req_complete(&p->rq, q, -EFAULT);
		} else if (r == -ESRCH && tern_park(token, 0) >= 0) {
			/* The writer's token is still good (tern_park), so the reader was
			 * killed; the kernel ignores this answer to it. */
			req_complete(&p->rq, q, -EFAULT);
		} else {
			return done ? (long)done : r ? r : -EFAULT;
		}
	}
	return (long)done;
}

/* Puts into the ring what there is room for of a write of `len` bytes, of which `done` were
 * written before; a write of up to PIPE_BUF bytes goes in whole or not at all.  Returns the new
 * count of bytes written, or an errno if that would be 0.  *wait: what is left can wait for
 * room; false: it cannot, because the writer's window or the memory failed. */
static long store(struct pipe *p, uint64_t token, uint64_t len, uint64_t done, bool *wait)
{
	bool atomic = len <= PIPE_BUF;
	uint64_t rest = len - done, least = atomic ? rest : 1;
	uint32_t room, n;
	long r;

	*wait = true;
	/* A write of more than PIPE_BUF goes behind the writers that wait already. */
	if (!atomic && p->wq.first)
		return (long)done;
	room = ring_room(p, rest, token);
	if (room < least) {
		if (p->capacity - p->used < least)
			return (long)done;
		*wait = false;
		return done ? (long)done : -ENOMEM;
	}
	n = rest < room ? (uint32_t)rest : room;
	r = ring_fill(p, token, done, n);
	if (r < (long)n)
		*wait = false;
	if (r < 0 || (atomic && r < (long)n))
		return done ? (long)done : r < 0 ? r : -EFAULT;
	p->used += (uint32_t)r;
	return (long)done + r;
}

__attribute__((noinline)) static long write_any(struct desc *d, uint64_t token, uint64_t len,
						bool nonblock)
{
	struct pipe *p = d->pipe;
	bool wait = false;
	long done = 0;

	if (!len)
		return 0;
	if (!p->readers) {
		server_reply_signal(SIGPIPE);
		return -EPIPE;
	}
	if (p->rq.first) {
		/* What the reader leaves of an atomic write goes into the ring, so room for it
		 * is made first: such a write must not fail half done. */
		if (len > p->rq.first->len && len <= PIPE_BUF && ring_room(p, len, token) < len)
			return -ENOMEM;
		done = deliver(p, token, len);
		if (done < 0 || p->rq.first)
			return finish(p, done);
	}
	if ((uint64_t)done < len)
		done = store(p, token, len, (uint64_t)done, &wait);
	if (done < 0 || (uint64_t)done == len || !wait)
		return finish(p, done);
	if (nonblock)
		return finish(p, done ? done : -EAGAIN);
	if (!req_park(&p->wq, d, token, len, (uint64_t)done))
		return finish(p, done ? done : -ENOMEM);
	return finish(p, SERVER_NO_REPLY);
}

/* Answers the first parked reader with the bytes of a small write, which the message page has.
 * False: that reader wants less or could not be answered, and none of the bytes have been used. */
static bool hand_on(struct pipe *p, uint64_t len)
{
	struct req *q = p->rq.first;
	struct tern_reply extra = {
		.flags = TERN_REPLY_COPY | TERN_REPLY_KEEP,
		.from = TERN_PTR(server_page), .length = len,
	};
	long r;

	if (q->len < len || server->done.first)
		return false;
	queue_remove(&p->rq, q);
	r = tern_reply_with(q->token, (long)len, &extra);
	req_free(q);
	return r == (long)len;
}

__attribute__((noinline)) static long write_waited_for(struct desc *d, uint64_t token, uint64_t len,
						       uint64_t came, bool nonblock)
{
	if (len && came == len && hand_on(d->pipe, len))
		return (long)len;
	return write_any(d, token, len, nonblock);
}

/* The short way is for a small write that fits into the ring in one piece while nobody waits to
 * read; write_any() does all others. */
long pipe_write(struct desc *d, uint64_t token, uint64_t len, uint64_t came, bool nonblock)
{
	struct pipe *p = d->pipe;
	uint32_t at = (p->head + p->used) & (p->size - 1);

	if (p->rq.first)
		return write_waited_for(d, token, len, came, nonblock);

	if (len - 1 < PIPE_BUF && p->readers && len <= p->size - p->used &&
	    len <= p->size - at) {
		if (came == len) {
			memcpy(p->ring + at, server_page, len);
		} else {
			server_reply_take(0, p->ring + at, len);
			server_reply_exact();
			server->last.pipe = p;
			server->last.written = (uint32_t)len;
		}
		p->used += (uint32_t)len;
		sync_word(p, true);
		/* The bit is set already, and is set again: each write is an edge for
		 * edge-triggered epoll. */
		if (p->used > len)
			server_reply_ready((uint64_t)p->word.rid, POLLIN | POLLRDNORM, 0);
		return (long)len;
	}
	return write_any(d, token, len, nonblock);
}

void pipe_refill(struct pipe *p)
{
	struct req *q;

	while ((q = p->wq.first)) {
		uint64_t left = q->len - q->done;
		bool atomic = q->len <= PIPE_BUF;
		uint64_t least = atomic || left < PIPE_BUF ? left : PIPE_BUF;
		uint32_t room = ring_room(p, left, q->token), n;
		long r;

		if (room < least) {
			if (p->used)
				return;
			/* The pipe is empty and there is no memory for a ring: no read would
			 * ever make room for this writer, so it is answered. */
			req_complete(&p->wq, q, q->done ? (int64_t)q->done : -ENOMEM);
			continue;
		}
		n = left < room ? (uint32_t)left : room;
		r = ring_fill(p, q->token, q->done, n);
		if (r > 0 && !(atomic && (uint32_t)r < n)) {
			p->used += (uint32_t)r;
			q->done += (uint64_t)r;
		}
		if (r < (long)n)
			req_complete(&p->wq, q, q->done ? (int64_t)q->done : r < 0 ? r : -EFAULT);
		else if (q->done == q->len)
			req_complete(&p->wq, q, (int64_t)q->len);
	}
}

/* ---- read ---- */

/* Copies straight from the windows of parked writers into a reader's, which has `got` bytes
 * already; the ring is empty.  Returns how many bytes the reader has in all, or an errno if it
 * has none. */
static long collect(struct pipe *p, uint64_t token, uint64_t limit, uint64_t got)
{
	struct req *q;

	while (got < limit && (q = p->wq.first)) {
		uint64_t left = q->len - q->done;
		long r = tern_move(q->token, 0, q->done, token, 0, got,
				   left < limit - got ? left : limit - got);

		if (r > 0) {
			q->done += (uint64_t)r;
			got += (uint64_t)r;
			if (q->done == q->len)
				req_complete(&p->wq, q, (int64_t)q->len);
		} else if (r == -TERN_EDEST || (r == -ESRCH && tern_park(token, 0) < 0)) {
			return got ? (long)got : -EFAULT;
		} else {
			req_complete(&p->wq, q, q->done ? (int64_t)q->done : -EFAULT);
		}
	}
	return (long)got;
}

__attribute__((noinline)) static long read_any(struct desc *d, uint64_t token, uint64_t len,
					       bool nonblock)
{
	struct pipe *p = d->pipe;
	uint64_t limit = len < TURN ? len : TURN;
	uint32_t n = limit < p->used ? (uint32_t)limit : p->used;
	long got = 0;

	if (!len)
		return 0;
	if (n)
		got = ring_drain(p, token, n);
	if (got >= 0 && !p->used)
		got = collect(p, token, limit, (uint64_t)got);
	pipe_refill(p);
	if (got)
		return finish(p, got);
	/* The pipe is empty, and no parked writer could be read from. */
	if (!p->writers)
		return finish(p, 0);
	if (nonblock)
		return finish(p, -EAGAIN);
	return finish(p, req_park(&p->rq, d, token, len, 0) ? SERVER_NO_REPLY : -ENOMEM);
}

/* The kernel reports (COPY_SHORT) that the copy of a short way's reply stopped after `copied`
 * bytes at the caller's bad memory, or that the caller was killed before it.  The bytes of a
 * read that did not go stay in the pipe; a small write happens whole or not at all.
 * server->last still describes that reply, because the event is the very next message after it. */
void pipe_fell_short(uint64_t token, int64_t copied)
{
	struct pipe *p = server->last.pipe;
	uint32_t n = copied > 0 ? (uint32_t)copied : 0;

	if (server->last.written) {
		p->used -= server->last.written;
		n = 0;
	} else {
		p->head = (server->last.head + n) & (p->size - 1);
		p->used += server->last.read - n;
	}
	pipe_sync(p, false);
	pipe_sync_again(p);
	tern_reply(token, n ? (long)n : -EFAULT);
}

/* The short way is for a read whose bytes lie in one piece in the ring while nobody waits to write;
 * read_any() does all others. */
long pipe_read(struct desc *d, uint64_t token, uint64_t len, bool nonblock)
{
	struct pipe *p = d->pipe;
	uint32_t n = len < p->used ? (uint32_t)len : p->used;

	if (n && !p->wq.first && n <= p->size - p->head && n <= TURN) {
		const uint8_t *from = p->ring + p->head;

		if (n <= SERVER_OUT_MAX)
			from = memcpy(server_page + SERVER_PAGE_OUT, from, n);
		server_reply_copy(0, from, n);
		server_reply_exact();
		server->last.pipe = p;
		server->last.written = 0;
		server->last.head = p->head;
		server->last.read = n;
		ring_consume(p, n);
		/* An empty ring begins at its start again, so that the next bytes lie in one
		 * piece. */
		if (!p->used)
			p->head = 0;
		sync_word(p, true);
		return n;
	}
	return read_any(d, token, len, nonblock);
}

/* ---- bytes that a splice gives back ---- */

/* Puts back `len` bytes that a splice read from the pipe and could not write to the other side:
 * before the bytes that are in the pipe now.  If writers have used the room meanwhile, the pipe
 * is made larger. */
long pipe_take_back(struct pipe *p, uint64_t token, uint64_t len)
{
	uint32_t size = p->size ? p->size : PAGE, done, n, part;
	long r = p->rq.first ? deliver(p, token, len) : 0;

	if (r < 0 || (uint64_t)r == len)
		return finish(p, r);
	done = (uint32_t)r;
	n = (uint32_t)len - done;
	while (size < p->used + n)
		size *= 2;
	if (size > p->size && !ring_resize(p, size, token))
		return finish(p, -ENOMEM);
	if (size > p->capacity)
		user_resize(p, size);
	p->head = (p->head - n) & (p->size - 1);
	part = p->size - p->head < n ? p->size - p->head : n;
	if (tern_copy_in(token, 0, done, p->ring + p->head, part) != (long)part ||
	    tern_copy_in(token, 0, done + part, p->ring, n - part) != (long)(n - part)) {
		p->head = (p->head + n) & (p->size - 1);
		return finish(p, -EFAULT);
	}
	p->used += n;
	return finish(p, (long)len);
}

/* ---- F_SETPIPE_SZ ---- */

long pipe_resize(struct tern_msg *m, struct pipe *p, uint32_t want)
{
	uint32_t size = PAGE;

	if (want > 1u << 31)
		return -EINVAL;
	while (size < want)
		size *= 2;
	if (size > p->capacity) {
		owner_learn(m);
		if (!user_may_have(p, size) || (size > TERN_PIPE_MAX_SIZE && !server->resource))
			return -EPERM;
		if (size > PIPE_MAX)
			return -ENOMEM;
	}
	if (size < p->used)
		return -EBUSY;
	if (p->size > size && !ring_resize(p, size, m->token))
		return -ENOMEM;
	user_resize(p, size);
	pipe_refill(p);
	return finish(p, (long)size);
}
