/* Making pipes and opening FIFOs.
 *
 * A FIFO's pipe exists while anyone has the node open or waits to; it is found by the ident of
 * vfs's node.  An open that waits for the other side (fifo(7)) counts as that side already, so
 * that two which wait for each other both go on; its req lies in pipe->openers and takes its
 * session when it is answered.  An open through /proc/<pid>/fd/<n> makes a new description.
 */
#include <server/stat.h>

#include "pipe_priv.h"

#define O_NEEDED_PIPE2 (O_CLOEXEC | O_NONBLOCK)
#define REOPEN 0xFD00u
#define OP_OPENAT2 437

static struct pipe **bucket(uint64_t ident)
{
	return &server->fifos[(ident ^ ident >> 6 ^ ident >> 32) % FIFO_BUCKETS];
}

static struct pipe *fifo_find(uint64_t ident)
{
	struct pipe *p = *bucket(ident);

	while (p && p->ident != ident)
		p = p->hash_next;
	return p;
}

void fifo_forget(struct pipe *p)
{
	struct pipe **at = bucket(p->ident);

	while (*at != p)
		at = &(*at)->hash_next;
	*at = p->hash_next;
}

/* Makes an open file description of p; it counts at once among the readers or writers of p. */
static struct desc *desc_create(struct pipe *p, unsigned mode, unsigned flags)
{
	struct desc *d = pool_alloc(&server->descs);

	if (!d)
		return NULL;
	d->kind = DESC_PIPE;
	d->mode = (uint8_t)mode;
	d->flags = flags;
	d->pipe = p;
	if (mode & MODE_R)
		p->readers++;
	if (mode & MODE_W)
		p->writers++;
	return d;
}

static long give(uint64_t token, unsigned slot, struct desc *d, int meta)
{
	struct pipe *p = d->pipe;
	unsigned rights = TERN_R_IO | TERN_R_TRANSFER | (d->mode & MODE_R ? TERN_R_READ : 0) |
			  (d->mode & MODE_W ? TERN_R_WRITE : 0);

	return tern_give_session(token, slot, rights, p->fifo ? TERN_KIND_FIFO : TERN_KIND_PIPE,
				 pool_badge(&server->descs, d), p->ident,
				 (uint64_t)p->word.rid, meta);
}

long pipe_pipe2(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[1];
	struct desc *r, *w;
	struct pipe *p;
	long result;

	if (flags & ~(unsigned)O_NEEDED_PIPE2)
		return -EINVAL;
	p = pipe_create(m, ++server->last_ident, false);
	if (!p)
		return -ENOMEM;
	r = desc_create(p, MODE_R, O_RDONLY | (flags & O_NONBLOCK));
	if (!r) {
		pipe_destroy(p);
		return -ENOMEM;
	}
	w = desc_create(p, MODE_W, O_WRONLY | (flags & O_NONBLOCK));
	if (!w) {
		desc_drop(r);
		return -ENOMEM;
	}
	result = give(m->token, 0, r, -1);
	if (result < 0)
		desc_drop(r);
	else
		result = give(m->token, 1, w, -1);
	/* The read end's session exists if the first give succeeded: its CLOSED frees the desc,
	 * also when the pipe2 fails here. */
	if (result < 0) {
		desc_drop(w);
		return result;
	}
	return 0;
}

/* ---- opening ---- */

static bool must_wait(const struct pipe *p, unsigned mode)
{
	return mode == MODE_R ? !p->writers : mode == MODE_W ? !p->readers : false;
}

static void wake_openers(struct pipe *p)
{
	struct req *q = p->openers.first, *next;

	for (; q; q = next) {
		next = q->next;
		if (!must_wait(p, q->desc->mode))
			req_complete(&p->openers, q, 0);
	}
}

/* Ends an open that waited for the other side: gives its caller the session.  Consumes r. */
long fifo_opened(struct req *r)
{
	struct desc *d = r->desc;
	long result = give(r->token, 0, d, r->meta);

	if (r->meta >= 0)
		tern_close(r->meta);
	req_free(r);
	if (result < 0) {
		desc_drop(d);
		return result;
	}
	return 0;
}

bool fifo_cancel(uint64_t token, bool gone)
{
	for (unsigned i = 0; i < FIFO_BUCKETS; i++) {
		for (struct pipe *p = server->fifos[i]; p; p = p->hash_next) {
			struct req *r = queue_find(&p->openers, token);
			struct desc *d;

			if (!r)
				continue;
			d = r->desc;
			queue_remove(&p->openers, r);
			if (r->meta >= 0)
				tern_close(r->meta);
			req_free(r);
			desc_drop(d);
			if (!gone)
				tern_reply(token, -TERN_ECANCELLED);
			return true;
		}
	}
	return false;
}

static long open_end(struct tern_msg *m, struct pipe *p, unsigned flags, bool waits)
{
	static const uint8_t modes[4] = { MODE_R, MODE_W, MODE_R | MODE_W, 0 };
	unsigned mode = modes[flags & O_ACCMODE];
	struct desc *d;
	struct req *r;
	long result;

	if (!mode)
		return -EINVAL;
	if (waits && mode == MODE_W && (flags & O_NONBLOCK) && !p->readers)
		return -ENXIO;
	d = desc_create(p, mode,
			(flags & (O_ACCMODE | O_NONBLOCK | O_APPEND)) | O_LARGEFILE);
	if (!d)
		return -ENOMEM;
	wake_openers(p);
	if (waits && !(flags & O_NONBLOCK) && must_wait(p, mode)) {
		r = req_park(&p->openers, d, m->token, 0, 0);
		r->type = REQ_OPEN; /* not NULL: the req inside a new desc is free */
		r->meta = (int32_t)m->handle;
		m->handle = -1;
		result = SERVER_NO_REPLY;
	} else {
		result = give(m->token, 0, d, (int)m->handle);
		if (result < 0)
			desc_drop(d);
		else
			result = 0;
		if (result < 0)
			return result;
	}
	pipe_sync(p, false);
	return result;
}

long pipe_open(struct tern_msg *m)
{
	uint64_t flags = m->args[2];
	struct pipe *p = NULL;
	struct desc *d;
	long result = -ENXIO;

	if (!(m->op & TERN_MSG_FORWARDED))
		return -ENOSYS;
	if (TERN_MSG_OP(m->op) == OP_OPENAT2 && tern_copy_in(m->token, 1, 0, &flags, 8) != 8) {
		result = -EFAULT;
	} else if (m->word[0] == REOPEN && m->op & TERN_MSG_TRUSTED) {
		d = pool_lookup(&server->descs, m->badge);
		if (d && d->kind == DESC_PIPE) {
			p = d->pipe;
			result = open_end(m, p, (unsigned)m->word[1], p->fifo);
		}
	} else if (m->badge == TERN_BADGE_FROM_VFS) {
		p = fifo_find(m->word[1]);
		if (!p) {
			p = pipe_create(m, m->word[1], true);
			if (p) {
				p->hash_next = *bucket(p->ident);
				*bucket(p->ident) = p;
			}
		}
		result = p ? open_end(m, p, (unsigned)flags, true) : -ENOMEM;
		/* The open failed before the pipe got an end: no desc_drop() would ever free the
		 * pipe. */
		if (result < 0 && result != SERVER_NO_REPLY) {
			p = fifo_find(m->word[1]);
			if (p && !p->readers && !p->writers)
				pipe_destroy(p);
		}
	}
	if (m->handle >= 0)
		tern_close((int)m->handle);
	reply_done();
	return result;
}
