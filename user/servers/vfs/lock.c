/* flock(2), POSIX record locks and OFD locks.
 *
 * Every node has one list of its locks; the calls that wait are in one list for all nodes.
 * Locks of flock and record locks do not exclude each other.  A lock of flock and of OFD belongs
 * to a description (its badge).
 *
 * A POSIX lock belongs to a descriptor table, and is gone when that table closes any descriptor
 * of the file.  So its owner is a hidden session in the table (TERN_GIVE_HIDDEN): the kernel
 * closes it then, and its CLOSED tells vfs.
 */
#include "vfs.h"

#include <stdlib.h>

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#define L_RDLCK 0
#define L_WRLCK 1
#define L_UNLCK 2
#define OFFSET_MAX 0x7fffffffffffffffll
#define CHAIN_MAX 32 /* how many waiting owners the search for a deadlock follows */

enum lock_kind { LOCK_FLOCK, LOCK_POSIX, LOCK_OFD };

struct lock {
	struct lock *next;
	enum lock_kind kind;
	int type;	/* L_RDLCK, L_WRLCK */
	uint64_t owner; /* badge of the description, or of the hidden session */
	uint32_t pid;	/* what F_GETLK shows */
	int64_t start, end; /* inclusive */
};

/* A held call that waits for a lock. */
struct waiter {
	struct waiter *next;
	struct node *node;
	struct lock want;
	uint64_t token;
	uint64_t blocker; /* the owner that it waits for */
};

/* All calls that wait, of all nodes, in the order in which they came; they are few. */
static struct waiter *waiters;

static bool same_owner(const struct lock *a, const struct lock *b)
{
	return a->kind == b->kind && a->owner == b->owner;
}

static bool conflict(const struct lock *have, const struct lock *want)
{
	if ((have->kind == LOCK_FLOCK) != (want->kind == LOCK_FLOCK) || same_owner(have, want))
		return false;
	if (have->end < want->start || want->end < have->start)
		return false;
	return have->type == L_WRLCK || want->type == L_WRLCK;
}

/* Of the locks that exclude `want`, the one that starts first; or NULL. */
static struct lock *find_conflict(const struct node *n, const struct lock *want)
{
	struct lock *first = NULL;

	for (struct lock *l = n->locks; l; l = l->next)
		if (conflict(l, want) && (!first || l->start < first->start))
			first = l;
	return first;
}

/* Gives the owner of `want` a lock of its type on its range, or none (L_UNLCK).  The owner's
 * other locks are split, cut and merged as needed.  -ENOLCK: no memory, and nothing has changed. */
static long set_range(struct node *n, const struct lock *want)
{
	struct lock *fresh = malloc(sizeof *fresh), *split = malloc(sizeof *split), **p;
	struct lock range = *want;

	if (!fresh || !split) {
		free(fresh);
		free(split);
		return -ENOLCK;
	}
	for (p = &n->locks; *p;) {
		struct lock *l = *p;
		bool touches;

		if (!same_owner(l, &range)) {
			p = &l->next;
			continue;
		}
		touches = l->start <= range.end && range.start <= l->end;
		if (l->type == want->type) {
			/* A lock of the same type that overlaps or adjoins becomes one with the
			 * new one. */
			if (touches || (l->end != OFFSET_MAX && l->end + 1 == range.start) ||
			    (range.end != OFFSET_MAX && range.end + 1 == l->start)) {
				if (l->start < range.start)
					range.start = l->start;
				if (l->end > range.end)
					range.end = l->end;
				*p = l->next;
				free(l);
			} else {
				p = &l->next;
			}
			continue;
		}
		if (!touches) {
			p = &l->next;
		} else if (l->start < range.start && l->end > range.end) {
			*split = *l;
			split->start = range.end + 1;
			l->end = range.start - 1;
			split->next = l->next;
			l->next = split;
			p = &split->next;
			split = NULL;
		} else if (l->start < range.start) {
			l->end = range.start - 1;
			p = &l->next;
		} else if (l->end > range.end) {
			l->start = range.end + 1;
			p = &l->next;
		} else {
			*p = l->next;
			free(l);
		}
	}
	if (want->type != L_UNLCK) {
		*fresh = range;
		fresh->next = n->locks;
		n->locks = fresh;
		fresh = NULL;
	}
	free(fresh);
	free(split);
	return 0;
}

/* Whether `owner`, if it waited for `holder`, would in the end wait for itself. */
static bool deadlock(uint64_t owner, uint64_t holder)
{
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		struct lock *have = NULL;

		if (holder == owner)
			return true;
		for (struct waiter *w = waiters; w && !have; w = w->next)
			if (w->want.kind == LOCK_POSIX && w->want.owner == holder)
				have = find_conflict(w->node, &w->want);
		if (!have || have->kind != LOCK_POSIX)
			return false;
		holder = have->owner;
	}
	return false;
}

/* Gives a waiting call its lock if nothing excludes it now.  Returns what to answer; -EAGAIN: it
 * waits on.  If it waits for another owner now than before, that one may be waiting for it:
 * -EDEADLK. */
static long try_again(struct waiter *w)
{
	struct lock *have = find_conflict(w->node, &w->want);

	if (!have)
		return set_range(w->node, &w->want);
	if (have->owner != w->blocker && w->want.kind == LOCK_POSIX && have->kind == LOCK_POSIX &&
	    deadlock(w->want.owner, have->owner))
		return -EDEADLK;
	w->blocker = have->owner;
	return -EAGAIN;
}

static void waiter_free(struct waiter *w)
{
	free(w);
	closing_matters(-1);
}

/* Gives their locks to the calls that wait at n and can have them now, the first to come first. */
static void wake(struct node *n)
{
	struct waiter **p = &waiters;

	while (*p) {
		struct waiter *w = *p;
		long r = w->node == n ? try_again(w) : -EAGAIN;

		if (r == -EAGAIN) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		/* If its caller was killed, the reply fails, and the event GONE will find no
		 * waiter any more; so the lock is given back here. */
		if (tern_reply(w->token, r) < 0 && r == 0) {
			struct lock none = w->want;

			none.type = L_UNLCK;
			(void)set_range(n, &none);
			p = &waiters;
		}
		waiter_free(w);
	}
}

static long wait_for(struct tern_msg *m, struct node *n, const struct lock *want,
		     const struct lock *have)
{
	struct waiter *w = malloc(sizeof *w), **p = &waiters;

	if (!w)
		return -ENOLCK;
	w->next = NULL;
	w->node = n;
	w->want = *want;
	w->blocker = have->owner;
	w->token = m->token;
	while (*p)
		p = &(*p)->next;
	*p = w;
	closing_matters(1);
	return SERVER_NO_REPLY;
}

/* flock(fd, operation). */
long vfs_flock(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	unsigned op = (unsigned)m->args[1];
	struct lock want = { .kind = LOCK_FLOCK, .end = OFFSET_MAX };
	struct lock mine;
	struct node *n;
	long r;

	if (!f)
		return vfs_no_file(m);
	n = f->at.node;
	want.owner = m->badge;
	want.pid = TERN_MSG_PID(m->who);
	switch (op & ~(unsigned)LOCK_NB) {
	case LOCK_SH:
		want.type = L_RDLCK;
		break;
	case LOCK_EX:
		want.type = L_WRLCK;
		break;
	case LOCK_UN:
		want.type = L_UNLCK;
		r = set_range(n, &want);
		wake(n);
		return r;
	default:
		return -EINVAL;
	}
	if (!find_conflict(n, &want)) {
		r = set_range(n, &want);
		wake(n); /* an exclusive lock that became shared lets other shared ones in */
		return r;
	}
	/* The new lock cannot be had at once.  As on Linux, its owner has lost the old one by
	 * then. */
	mine = want;
	mine.type = L_UNLCK;
	(void)set_range(n, &mine);
	wake(n);
	if (op & LOCK_NB)
		return -EAGAIN;
	return wait_for(m, n, &want, find_conflict(n, &want));
}

/* Sets the range of l to the one that the struct flock means. */
static long range_of(struct tern_msg *m, struct file *f, const struct flock *fl, struct lock *l)
{
	int64_t start = fl->l_start, base = 0;

	switch (fl->l_whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		file_take(m, f);
		base = (int64_t)f->offset;
		break;
	case SEEK_END:
		base = (int64_t)f->at.node->size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (fl->l_len > 0) {
		if (fl->l_len - 1 > OFFSET_MAX - start)
			return -EOVERFLOW;
		l->start = start;
		l->end = start + fl->l_len - 1;
	} else if (fl->l_len < 0) {
		if (fl->l_len < -start)
			return -EINVAL;
		l->start = start + fl->l_len;
		l->end = start - 1;
	} else {
		l->start = start;
		l->end = OFFSET_MAX;
	}
	return 0;
}

/* The badge of the hidden session that owns the caller's POSIX locks of f's node, made if `create`;
 * 0: there is none. */
static long posix_owner(struct tern_msg *m, const struct file *f, bool create, uint64_t *owner)
{
	uint64_t ident = node_ident(f->at.node);
	long r = tern_give_hidden(m->token, ident, 0);
	struct file *hidden;

	*owner = r > 0 ? (uint64_t)r : 0;
	if (r != -ENOENT || !create)
		return r == -ENOENT ? 0 : r;
	hidden = file_create(f->at, O_PATH);
	if (!hidden)
		return -ENOLCK;
	hidden->state = FILE_HIDDEN;
	r = tern_give_hidden(m->token, ident, pool_badge(&files, hidden));
	if (r < 0)
		file_destroy(hidden);
	*owner = (uint64_t)r;
	return r == -ENOMEM ? -ENOLCK : r;
}

long lock_fcntl(struct tern_msg *m, struct file *f, int cmd)
{
	bool ofd = cmd >= F_OFD_GETLK, get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	bool sleeps = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	struct node *n = f->at.node;
	struct flock fl;
	struct lock want = { 0 }, *have;
	long r;

	if (tern_copy_in(m->token, 0, 0, &fl, sizeof fl) != sizeof fl)
		return -EFAULT;
	if (fl.l_type != L_RDLCK && fl.l_type != L_WRLCK && (get || fl.l_type != L_UNLCK))
		return -EINVAL;
	if (ofd && fl.l_pid)
		return -EINVAL;
	r = range_of(m, f, &fl, &want);
	if (r < 0)
		return r;
	if (!get && ((fl.l_type == L_RDLCK && !file_reads(f)) || (fl.l_type == L_WRLCK && !file_writes(f))))
		return -EBADF;
	want.type = fl.l_type;
	want.kind = ofd ? LOCK_OFD : LOCK_POSIX;
	want.pid = TERN_MSG_PID(m->who);
	want.owner = m->badge;
	if (!ofd) {
		r = posix_owner(m, f, !get && fl.l_type != L_UNLCK, &want.owner);
		if (r < 0)
			return r;
	}
	if (get) {
		have = find_conflict(n, &want);
		if (!have) {
			fl.l_type = L_UNLCK;
		} else {
			fl.l_type = (int16_t)have->type;
			fl.l_whence = SEEK_SET;
			fl.l_start = have->start;
			fl.l_len = have->end == OFFSET_MAX ? 0 : have->end - have->start + 1;
			fl.l_pid = have->kind == LOCK_POSIX ? (int32_t)have->pid : -1;
		}
		return server_out(m, 0, &fl, sizeof fl, 0);
	}
	if (fl.l_type != L_UNLCK) {
		have = find_conflict(n, &want);
		if (have) {
			if (!sleeps)
				return -EAGAIN;
			if (!ofd && have->kind == LOCK_POSIX && deadlock(want.owner, have->owner))
				return -EDEADLK;
			return wait_for(m, n, &want, have);
		}
	}
	r = set_range(n, &want);
	wake(n);
	return r;
}

/* Ends the waiting calls of an owner that is no more, because another thread has closed the
 * file: their locks would be gone as soon as they had them. */
static void end_waiters(uint64_t owner)
{
	for (struct waiter **p = &waiters; *p;) {
		struct waiter *w = *p;

		if (w->want.owner != owner) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		tern_reply(w->token, -EBADF);
		waiter_free(w);
	}
}

void lock_owner_closed(struct file *f)
{
	uint64_t badge = pool_badge(&files, f);
	struct node *n = f->at.node;
	struct lock **p = &n->locks;

	end_waiters(badge);
	while (*p) {
		struct lock *l = *p;

		if (l->owner == badge) {
			*p = l->next;
			free(l);
		} else {
			p = &l->next;
		}
	}
	wake(n);
}

void lock_node_freed(struct node *n)
{
	while (n->locks) {
		struct lock *l = n->locks;

		n->locks = l->next;
		free(l);
	}
}

/* Takes the waiter with this token out of the list; NULL: there is none. */
static struct waiter *take_waiter(uint64_t token)
{
	for (struct waiter **p = &waiters; *p; p = &(*p)->next) {
		struct waiter *w = *p;

		if (w->token == token) {
			*p = w->next;
			return w;
		}
	}
	return NULL;
}

void lock_cancel(uint64_t badge, uint64_t token)
{
	struct waiter *w = take_waiter(token);

	(void)badge;
	if (!w)
		return;
	tern_reply(token, -TERN_ECANCELLED);
	waiter_free(w);
}

void lock_gone(uint64_t badge, uint64_t token)
{
	struct waiter *w = take_waiter(token);

	(void)badge;
	if (w)
		waiter_free(w);
}
