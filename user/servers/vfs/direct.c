/* Files that the kernel reads and writes without vfs.
 *
 * A reply of vfs to a read or write that carries a copy of the file's object also tells the
 * kernel how to answer the next ones by itself (file_direct): the offset of the description is
 * the kernel's from then on (FILE_DIRECT), and the kernel keeps the node's length and what may
 * be done with the object (NODE_DIRECT).  vfs takes the offset back when a call that needs it
 * comes to vfs all the same (file_take).  It withdraws the node before it changes anything that
 * the kernel goes by or would have to see: length, mode, owner, seals, times, names, watches
 * (node_withdraw).  Of what the kernel did meanwhile only the times are recorded; vfs learns
 * them when it withdraws the node, and when somebody asks for them.
 *
 * The kernel is told nothing of files that are watched, and no writes are left to it of
 * descriptions that append, or while there is a seal against writing or a set-id bit, which the
 * first write removes.
 */
#include "vfs.h"

static bool later(const struct tern_timespec *a, const struct tern_timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/* Whether a read moves the access time by the rule of relatime: once after each change of the
 * file. */
bool access_due(const struct node *n)
{
	return !later(&n->atime, &n->mtime) || !later(&n->atime, &n->ctime);
}

bool file_direct(struct file *f, uint64_t len, uint64_t most)
{
	unsigned node_may = TERN_FILE_READ, file_may = TERN_FILE_READ;
	struct node *n = f->at.node;

	if (len > most)
		return false;
	if (!(n->mode & (S_ISUID | S_ISGID)) && !(n->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)))
		node_may |= TERN_FILE_WRITE;
	if (access_due(n))
		node_may |= TERN_FILE_DUE;
	if (!(f->flags & O_APPEND))
		file_may |= TERN_FILE_WRITE;
	if (file_keeps_atime(f))
		file_may |= TERN_FILE_NOATIME;
	n->flags |= NODE_DIRECT;
	if (n->writers || node_may & TERN_FILE_DUE)
		n->flags |= NODE_UNLEARNT;
	f->state |= FILE_DIRECT;
	server_reply_file(f->offset, n->size, node_may | file_may << TERN_FILE_SESSION_SHIFT);
	return true;
}

/* The kernel does not have the offset if the reply that was to give it to the kernel found its
 * caller dead; then f->offset is right already. */
void file_take_slowly(struct tern_msg *m, struct file *f)
{
	long off = tern_file_take(m->token, -1, 0);

	f->state &= ~(uint32_t)FILE_DIRECT;
	if (off >= 0)
		f->offset = (uint64_t)off;
}

long file_take_fd(struct tern_msg *m, struct file *f, int fd)
{
	long off = f->state & FILE_DIRECT ? tern_file_take(m->token, fd, pool_badge(&files, f)) : -ENOENT;

	if (off == -EBADF)
		return off;
	f->state &= ~(uint32_t)FILE_DIRECT;
	if (off >= 0)
		f->offset = (uint64_t)off;
	return 0;
}

void node_learn(struct node *n, const struct tern_memobj_info *info)
{
	struct tern_timespec read = { (int64_t)(info->accessed / 1000000000u), (int64_t)(info->accessed % 1000000000u) };
	struct tern_timespec at = { (int64_t)(info->written / 1000000000u), (int64_t)(info->written % 1000000000u) };

	if (later(&read, &n->atime))
		n->atime = read;
	if (info->written != n->mapped_write && later(&at, &n->mtime))
		n->mtime = n->ctime = at;
	n->mapped_write = info->written;
	if (!n->writers && !access_due(n))
		n->flags &= ~(uint32_t)NODE_UNLEARNT;
}

void node_withdraw_slowly(struct node *n)
{
	struct tern_memobj_info info;

	n->flags &= ~(uint32_t)NODE_DIRECT;
	if (tern_memobj_withdraw(n->memobj) == 0 && n->flags & NODE_UNLEARNT &&
	    tern_memobj_count(n->memobj, &info) == 0)
		node_learn(n, &info);
}

void node_withdraw_watched(struct node *n)
{
	node_withdraw(n);
	if (IS_DIR(n) && !(n->flags & NODE_PROC))
		for (struct dentry *d = n->dir.first; d; d = d->next)
			node_withdraw(d->node);
}
