/* inotify(7): programs are told what happens to files.
 *
 * A watch hangs on a node and belongs to an instance.  What happens to a node is told to its own
 * watches and, with its name, to those of the directories that have it.  A watch does not keep
 * a node from being freed: then its watches end, too, and are told so.  While there are no watches
 * at all, notify() costs no more than a look at `watches`.
 *
 * An instance is a session with a readiness word; its badge has a bit that no description's has.
 */
#include "vfs.h"

#include <asm-generic/ioctls.h>

#include <linux/poll.h>
#include <stdio.h>
#include <stdlib.h>

#define INOTIFY_BADGE (1ull << 63)
#define ALL_BITS (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
		  IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT)
#define ALWAYS (IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW)
#define NR_FCNTL 25
#define NR_IOCTL 29
#define NR_LSEEK 62
#define NR_READ 63
#define NR_READV 65

struct event {
	struct event *next;
	int32_t wd;
	uint32_t mask, cookie, len; /* len: of the name with NULs to a multiple of 16; 0: none */
	char name[];
};
#define HEAD_SIZE 16u /* of struct inotify_event before its name: four words */

struct watch {
	struct watch *on_node, *of_instance; /* the next watch of the node; of the instance */
	struct node *node;
	struct inotify *in;
	uint32_t mask;
	int32_t wd;
};

/* A held call that reads and waits for an event. */
struct waiter {
	struct waiter *next;
	uint64_t token, len;
};

struct inotify {
	struct inotify *next; /* in the list of all instances */
	struct watch *watches;
	struct event *first, *last;
	struct waiter *readers; /* the calls that wait, the first to come first */
	uint64_t rid;
	uint32_t events, nwatches, flags, uid;
	int32_t last_wd;
};

uint32_t watches; /* the number of watches of all instances */
static struct pool pool;
static struct inotify *all;

static struct inotify *inotify_of(uint64_t badge)
{
	return badge & INOTIFY_BADGE && pool.size ? pool_lookup(&pool, badge & ~INOTIFY_BADGE) : NULL;
}

/* ---- the queue ---- */

static uint32_t size_of(const struct event *e)
{
	return HEAD_SIZE + e->len;
}

static void drop_first(struct inotify *in)
{
	struct event *e = in->first;

	in->first = e->next;
	if (!in->first)
		in->last = NULL;
	in->events--;
	free(e);
}

/* Copies as many whole events as there is room for in the window, and takes them off the queue.
 * Returns how many bytes were copied; -EINVAL: not even the first event fits. */
static long take(struct inotify *in, uint64_t token, uint64_t len)
{
	uint64_t done = 0;

	while (in->first && size_of(in->first) <= len - done) {
		struct event *e = in->first;

		if (tern_copy_out(token, 0, done, &e->wd, size_of(e)) != (long)size_of(e))
			return done ? (long)done : -EFAULT;
		done += size_of(e);
		drop_first(in);
	}
	if (!in->first)
		tern_ready_set(in->rid, 0, POLLIN | POLLRDNORM);
	return done ? (long)done : -EINVAL;
}

static void serve(struct inotify *in)
{
	while (in->readers && in->first) {
		struct waiter *w = in->readers;

		in->readers = w->next;
		tern_reply(w->token, take(in, w->token, w->len));
		free(w);
	}
}

static bool same(const struct event *a, const struct event *b)
{
	return a->wd == b->wd && a->mask == b->mask && a->cookie == b->cookie && a->len == b->len &&
	       !memcmp(a->name, b->name, a->len);
}

/* Appends an event to the queue, unless the last one is the same.  If the queue is full,
 * IN_Q_OVERFLOW is appended in its place; without memory the event is lost. */
static void queue(struct inotify *in, int32_t wd, uint32_t mask, uint32_t cookie, const char *name,
		  uint32_t len)
{
	uint32_t room = name ? (len + 1 + HEAD_SIZE - 1) & ~(HEAD_SIZE - 1) : 0;
	struct event *e;

	if (in->events >= INOTIFY_EVENTS_MAX) {
		if (in->last->mask == IN_Q_OVERFLOW)
			return;
		wd = -1;
		mask = IN_Q_OVERFLOW;
		cookie = room = 0;
	}
	e = calloc(1, sizeof *e + room);
	if (!e)
		return;
	e->wd = wd;
	e->mask = mask;
	e->cookie = cookie;
	e->len = room;
	if (room)
		memcpy(e->name, name, len);
	if (in->last && same(in->last, e)) {
		free(e);
		return;
	}
	if (in->last)
		in->last->next = e;
	else
		in->first = e;
	in->last = e;
	in->events++;
	/* Set even if it is set: each event is an edge for edge-triggered epoll. */
	tern_ready_set(in->rid, POLLIN | POLLRDNORM, 0);
	serve(in);
}

/* ---- watches ---- */

static void watch_free(struct watch *w)
{
	struct watch **p = &w->node->watches;

	while (*p != w)
		p = &(*p)->on_node;
	*p = w->on_node;
	for (p = &w->in->watches; *p != w;)
		p = &(*p)->of_instance;
	*p = w->of_instance;
	w->in->nwatches--;
	watches--;
	closing_matters(-1);
	if (w->node->flags & NODE_PROC)
		node_put(w->node);
	free(w);
}

static void watch_end(struct watch *w)
{
	struct inotify *in = w->in;
	int32_t wd = w->wd;

	watch_free(w);
	queue(in, wd, IN_IGNORED, 0, NULL, 0);
}

/* Queues an event for each watch of n that asked for one of the bits of mask and has none of
 * those in `except`. */
static void tell(struct node *n, uint32_t mask, uint32_t cookie, const char *name, uint32_t len, uint32_t except)
{
	for (struct watch *w = n->watches, *next; w; w = next) {
		bool once = w->mask & IN_ONESHOT;

		next = w->on_node;
		if (!(w->mask & mask & IN_ALL_EVENTS) || w->mask & except)
			continue;
		queue(w->in, w->wd, mask, cookie, name, len);
		if (once)
			watch_end(w);
	}
}

void notify_name(struct node *dir, const char *name, uint32_t len, uint32_t mask, uint32_t cookie)
{
	if (watches)
		tell(dir, mask, cookie, name, len, 0);
}

void notify_self(struct node *n, uint32_t mask)
{
	if (!(mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
		mask |= notify_kind(n);
	tell(n, mask, 0, NULL, 0, 0);
}

void notify_all(struct node *n, uint32_t mask)
{
	if (!(n->flags & NODE_PROC))
		for (struct dentry *d = n->links; d; d = d->link_next)
			if (d->dir->watches)
				notify_name(d->dir, d->name, d->len, mask | notify_kind(n), 0);
	if (!n->links && n->ghost)
		tell(n->ghost->dir, mask | notify_kind(n), 0, n->ghost->name, n->ghost->len,
		     IN_EXCL_UNLINK);
	notify_self(n, mask);
}

bool node_is_watched(const struct node *n)
{
	if (n->watches || (!n->links && n->ghost && n->ghost->dir->watches))
		return true;
	for (const struct dentry *d = n->links; d; d = d->link_next)
		if (d->dir->watches)
			return true;
	return false;
}

uint32_t notify_cookie(void)
{
	static uint32_t last;

	return ++last;
}

void notify_end(struct node *n)
{
	notify_self(n, IN_DELETE_SELF);
	while (n->watches)
		watch_end(n->watches);
}

/* ---- the calls ---- */

/* inotify_init1(flags). */
long vfs_inotify_init1(struct tern_msg *m)
{
	uint32_t flags = (uint32_t)m->args[0], uid = cred_of(m)->uid, count = 0;
	struct inotify *in;
	long r;

	if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	for (in = all; in; in = in->next)
		count += in->uid == uid;
	if (count >= INOTIFY_INSTANCES_MAX)
		return -EMFILE;
	if (!pool.size)
		pool_init(&pool, sizeof(struct inotify));
	in = pool_alloc(&pool);
	if (!in)
		return -ENOMEM;
	r = tern_ready_create(0);
	if (r < 0) {
		pool_free(&pool, in);
		return r;
	}
	in->rid = (uint64_t)r;
	in->flags = flags & O_NONBLOCK;
	in->uid = uid;
	r = tern_give_session(m->token, 0, TERN_R_READ | TERN_R_IO | TERN_R_TRANSFER, TERN_KIND_OBJECT,
			      pool_badge(&pool, in) | INOTIFY_BADGE, 0, in->rid, -1);
	if (r < 0) {
		tern_ready_destroy(in->rid);
		pool_free(&pool, in);
		return r;
	}
	in->next = all;
	all = in;
	return 0;
}

static struct watch *find_watch(struct inotify *in, const struct node *n)
{
	struct watch *w = n->watches;

	while (w && w->in != in)
		w = w->on_node;
	return w;
}

static long change_watch(struct watch *w, uint32_t mask)
{
	uint32_t kept = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);

	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	w->mask = mask & IN_MASK_ADD ? w->mask | kept : kept;
	return w->wd;
}

static long add_watch(struct inotify *in, struct node *n, uint32_t mask)
{
	struct watch *w = find_watch(in, n);

	if (w)
		return change_watch(w, mask);
	w = in->nwatches < INOTIFY_WATCHES_MAX && in->last_wd < INT32_MAX ? calloc(1, sizeof *w) : NULL;
	if (!w)
		return -ENOSPC;
	node_withdraw_watched(n);
	w->node = n;
	w->in = in;
	w->mask = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
	w->wd = ++in->last_wd;
	w->on_node = n->watches;
	n->watches = w;
	w->of_instance = in->watches;
	in->watches = w;
	in->nwatches++;
	watches++;
	closing_matters(1);
	if (n->flags & NODE_PROC) /* nothing else keeps a node of /proc, so the watch has to */
		node_get(n);
	return w->wd;
}

/* inotify_add_watch(fd, path, mask). */
long vfs_inotify_add_watch(struct tern_msg *m)
{
	uint32_t mask = (uint32_t)m->args[2], fd = (uint32_t)m->args[0];
	struct tern_handle_info info;
	struct inotify *in;
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	if (!(mask & ALL_BITS))
		return -EINVAL;
	if ((int32_t)fd < 0 || tern_caller_handles(m->token, fd, &info, 1) != 1 || info.fd != fd)
		return -EBADF;
	in = inotify_of(info.badge);
	if (!in || (mask & IN_MASK_ADD && mask & IN_MASK_CREATE))
		return -EINVAL;
	err = walk_window(&r, 0, 0, mask & IN_DONT_FOLLOW ? 0 : WALK_FOLLOW, &w);
	if (err < 0)
		return err;
	if (mask & IN_ONLYDIR && !IS_DIR(w.at.node))
		return -ENOTDIR;
	err = node_access(w.at.node, 4, r.cred);
	return err < 0 ? err : add_watch(in, w.at.node, mask);
}

/* inotify_rm_watch(fd, wd). */
long vfs_inotify_rm_watch(struct tern_msg *m)
{
	struct inotify *in = inotify_of(m->badge);

	if (!in)
		return -EINVAL;
	for (struct watch *w = in->watches; w; w = w->of_instance)
		if (w->wd == (int32_t)m->args[1]) {
			watch_end(w);
			return 0;
		}
	return -EINVAL;
}

static long read_events(struct inotify *in, struct tern_msg *m, uint64_t len)
{
	struct waiter **p = &in->readers, *w;

	if (in->first)
		return take(in, m->token, len);
	if (in->flags & O_NONBLOCK)
		return -EAGAIN;
	w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->token = m->token;
	w->len = len;
	while (*p)
		p = &(*p)->next;
	*p = w;
	return SERVER_NO_REPLY;
}

static long readable(const struct inotify *in, struct tern_msg *m)
{
	int32_t n = 0;

	for (const struct event *e = in->first; e; e = e->next)
		n += (int32_t)size_of(e);
	return server_out(m, 0, &n, sizeof n, 0);
}

static long inotify_ioctl(struct inotify *in, struct tern_msg *m)
{
	int32_t on;

	switch ((uint32_t)m->args[1]) {
	case FIONREAD:
		return readable(in, m);
	case FIONBIO:
		if (tern_copy_in(m->token, 0, 0, &on, sizeof on) != sizeof on)
			return -EFAULT;
		in->flags = on ? O_NONBLOCK : 0;
		return 0;
	default:
		return server_ioctl(m);
	}
}

long vfs_no_file(struct tern_msg *m)
{
	struct inotify *in = inotify_of(m->badge);
	long n;

	if (!in)
		return -EBADF;
	switch (TERN_MSG_OP(m->op)) {
	case NR_READ:
		return read_events(in, m, m->args[2]);
	case NR_READV:
		n = tern_window_length(m->token, 0);
		return n < 0 ? n : read_events(in, m, (uint64_t)n);
	case NR_FCNTL:
		if ((int32_t)m->args[1] == F_GETFL)
			return (long)in->flags;
		if ((int32_t)m->args[1] != F_SETFL)
			return server_fcntl(m);
		in->flags = (uint32_t)m->args[2] & O_NONBLOCK;
		return 0;
	case NR_LSEEK:
		return (uint32_t)m->args[2] > SEEK_HOLE ? -EINVAL : 0;
	case NR_IOCTL:
		return inotify_ioctl(in, m);
	default:
		return server_default(m);
	}
}

size_t inotify_text(uint64_t badge, char *buf, size_t size)
{
	struct inotify *in = inotify_of(badge);
	size_t used = 0;

	for (struct watch *w = in ? in->watches : NULL; w; w = w->of_instance) {
		int n = snprintf(buf + used, size - used, "inotify wd:%x ino:%lx sdev:%x mask:%x ignored_mask:0\n",
				 (unsigned)w->wd, (unsigned long)w->node->ino,
				 (unsigned)w->node->fs->dev, (unsigned)w->mask);

		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return used;
}

/* ---- the end of an instance, and of a read that waits ---- */

void inotify_closed(uint64_t badge)
{
	struct inotify *in = inotify_of(badge), **p = &all;

	if (!in)
		return;
	while (in->watches)
		watch_free(in->watches);
	while (in->first)
		drop_first(in);
	while (*p != in)
		p = &(*p)->next;
	*p = in->next;
	tern_ready_destroy(in->rid);
	pool_free(&pool, in);
}

bool inotify_withdraw(uint64_t badge, uint64_t token)
{
	struct inotify *in = inotify_of(badge);

	for (struct waiter **p = in ? &in->readers : NULL; p && *p; p = &(*p)->next)
		if ((*p)->token == token) {
			struct waiter *w = *p;

			*p = w->next;
			free(w);
			return true;
		}
	return false;
}
