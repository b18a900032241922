/* What changes and lists directories: create, remove, link, rename, getdents64.
 *
 * Every function first walks to all it needs and checks everything in the order of Linux, then
 * does it; the steps that can fail for want of memory come before those that take something away.
 */
#include "vfs.h"

#include <stdlib.h>

static void touched(struct node *dir)
{
	dir->mtime = dir->ctime = vfs_now();
}

/* Frees nodes that have just lost their last name now and not at the next request, so that their
 * watches are told before the call is answered. */
static void tell_ends(void)
{
	if (watches)
		node_reap();
}

static void tell_moved(struct node *n, const struct walk *from, const struct walk *to, struct node *over)
{
	uint32_t cookie = notify_cookie(), kind = notify_kind(n);

	notify_name(from->dir.node, from->name, from->len, IN_MOVED_FROM | kind, cookie);
	notify_name(to->dir.node, to->name, to->len, IN_MOVED_TO | kind, cookie);
	if (over && !IS_DIR(over))
		notify_self(over, IN_ATTRIB);
	notify_self(n, IN_MOVE_SELF);
}

/* Creates a node in the file system of dir, without a name.  In a directory with S_ISGID it gets
 * the directory's group, else the caller's. */
static struct node *new_node(struct request *r, struct node *dir, uint32_t mode)
{
	uint32_t gid = r->cred->fsgid;

	if (dir->mode & S_ISGID) {
		gid = dir->gid;
		if ((mode & S_IFMT) == S_IFDIR)
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010) &&
			 !in_group(r->cred, gid) && !capable(r->cred, CAP_FSETID))
			mode &= ~(uint32_t)S_ISGID;
	}
	return node_create(dir->fs, mode, r->cred->fsuid, gid);
}

struct node *make_anonymous(struct request *r, struct node *dir, uint32_t mode)
{
	struct node *n = new_node(r, dir, mode);

	if (n)
		node_mark(n);
	return n;
}

long make_node(struct request *r, struct walk *w, uint32_t mode, uint64_t rdev, struct node **out)
{
	long err = may_create(w->dir.node, r->cred);
	struct node *n;

	if (err < 0)
		return err;
	n = new_node(r, w->dir.node, mode);
	if (!n)
		return -ENOSPC;
	n->rdev = rdev;
	err = dir_link(w->dir.node, w->name, w->len, w->hash, n);
	if (err < 0) {
		node_mark(n);
		return err;
	}
	w->dir.node->mtime = w->dir.node->ctime = n->mtime;
	notify_name(w->dir.node, w->name, w->len, IN_CREATE | notify_kind(n), 0);
	*out = n;
	return 0;
}

/* Walks to a name that is to be made; an error if it exists or nothing may be made there. */
static long walk_new(struct request *r, unsigned ref, unsigned win, struct walk *w, bool is_dir)
{
	long err = walk_window(r, ref, win, WALK_PARENT | WALK_CREATE, w);

	if (err < 0)
		return err;
	if (w->at.node || w->last != LAST_NORM)
		return -EEXIST;
	if (w->dir.node->flags & NODE_PROC) /* programs make no files in /proc */
		return -ENOENT;
	return w->slash && !is_dir ? -ENOENT : mount_writable(w->dir.mount);
}

long vfs_mkdirat(struct tern_msg *m)
{
	struct request r;
	struct walk w;
	struct node *n;
	long err;

	request_begin(&r, m);
	err = walk_new(&r, 0, 0, &w, true);
	if (err < 0)
		return err;
	return make_node(&r, &w, S_IFDIR | ((uint32_t)m->args[2] & 01777 & ~TERN_MSG_UMASK(m->op)), 0,
			 &n);
}

/* mknodat(dirfd, path, mode, dev). */
long vfs_mknodat(struct tern_msg *m)
{
	uint32_t mode = (uint32_t)m->args[2], type = mode & S_IFMT;
	uint32_t dev = (uint32_t)m->args[3];
	struct request r;
	struct walk w;
	struct node *n;
	long err;

	request_begin(&r, m);
	if (!type)
		type = S_IFREG;
	switch (type) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	err = walk_new(&r, 0, 0, &w, false);
	if (err < 0)
		return err;
	if (type == S_IFCHR || type == S_IFBLK) {
		err = may_create(w.dir.node, r.cred);
		if (err < 0)
			return err;
		if (!capable(r.cred, CAP_MKNOD))
			return -EPERM;
	} else {
		dev = 0;
	}
	return make_node(&r, &w, type | (mode & 07777 & ~TERN_MSG_UMASK(m->op)), dev, &n);
}

long vfs_symlinkat(struct tern_msg *m)
{
	static char target[PATH_MAX];
	struct request r;
	struct walk w;
	struct node *n;
	char *text;
	long len, err;

	request_begin(&r, m);
	len = tern_copy_str(m->token, 0, target, sizeof target);
	if (len <= 0)
		return len < 0 ? len : -ENOENT;
	err = walk_new(&r, 0, 1, &w, false);
	if (err < 0)
		return err;
	err = may_create(w.dir.node, r.cred);
	if (err < 0)
		return err;
	text = strdup(target);
	if (!text)
		return -ENOSPC;
	err = make_node(&r, &w, S_IFLNK | 0777, 0, &n);
	if (err < 0) {
		free(text);
		return err;
	}
	n->target = text;
	n->size = (uint64_t)len;
	return 0;
}

/* linkat(olddirfd, oldpath, newdirfd, newpath, flags). */
long vfs_linkat(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[4];
	struct request r;
	struct walk from, to;
	struct node *n;
	long err;

	request_begin(&r, m);
	if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = walk_window(&r, 0, 0,
			  (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  &from);
	if (err < 0)
		return err;
	if (flags & AT_EMPTY_PATH && !walk_path[0][0] &&
	    !capable(r.cred, CAP_DAC_READ_SEARCH))
		return -ENOENT;
	n = from.at.node;
	err = walk_new(&r, 1, 1, &to, false);
	if (err < 0)
		return err;
	if (from.at.mount != to.dir.mount || n->fs != to.dir.node->fs)
		return -EXDEV;
	err = may_create(to.dir.node, r.cred);
	if (err < 0)
		return err;
	if (IS_DIR(n) || n->flags & NODE_PROC)
		return -EPERM;
	if (!n->nlink && !(n->flags & NODE_TMPFILE))
		return -ENOENT;
	if (n->nlink >= 0x7fffffff)
		return -EMLINK;
	err = dir_link(to.dir.node, to.name, to.len, to.hash, n);
	if (err < 0)
		return -ENOSPC;
	node_withdraw(n);
	n->flags &= ~(uint32_t)NODE_TMPFILE;
	touched(to.dir.node);
	n->ctime = to.dir.node->ctime;
	notify_self(n, IN_ATTRIB);
	notify_name(to.dir.node, to.name, to.len, IN_CREATE, 0);
	return 0;
}

/* unlinkat(dirfd, path, flags). */
long vfs_unlinkat(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[2];
	struct request r;
	struct walk w;
	struct dentry *d;
	struct node *n;
	uint32_t kind;
	long err;

	request_begin(&r, m);
	if (flags & ~(unsigned)AT_REMOVEDIR)
		return -EINVAL;
	err = walk_window(&r, 0, 0, WALK_PARENT | WALK_CREATE, &w);
	if (err < 0)
		return err;
	if (w.last != LAST_NORM) {
		if (!(flags & AT_REMOVEDIR))
			return -EISDIR;
		return w.last == LAST_DOT ? -EINVAL : w.last == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
	}
	err = mount_writable(w.dir.mount);
	if (err < 0)
		return err;
	n = w.at.node;
	if (!n)
		return -ENOENT;
	if (w.slash && !IS_DIR(n))
		return -ENOTDIR;
	if (w.dir.node->flags & NODE_PROC)
		return may_delete(w.dir.node, n, r.cred);
	d = dir_find(w.dir.node, w.name, w.len, w.hash);
	if (!d)
		return -ENOENT;
	n = d->node;
	err = may_delete(w.dir.node, n, r.cred);
	if (err < 0)
		return err;
	if (flags & AT_REMOVEDIR) {
		if (!IS_DIR(n))
			return -ENOTDIR;
		if (n->mounts || (n == r.root.node && w.dir.mount == r.root.mount))
			return -EBUSY;
		if (n->dir.count)
			return -ENOTEMPTY;
	} else {
		if (IS_DIR(n))
			return -EISDIR;
		if (n->mounts)
			return -EBUSY;
	}
	node_withdraw(n);
	touched(w.dir.node);
	n->ctime = w.dir.node->ctime;
	kind = notify_kind(n);
	dir_unlink(d);
	if (!kind)
		notify_self(n, IN_ATTRIB);
	tell_ends();
	notify_name(w.dir.node, w.name, w.len, IN_DELETE | kind, 0);
	return 0;
}

/* Whether the caller may move n away from the directory of w into `to`. */
static long may_move(struct request *r, const struct walk *w, struct node *n, const struct node *to)
{
	long err = may_delete(w->dir.node, n, r->cred);

	if (err < 0)
		return err;
	/* A directory that gets another parent is changed itself: its ".." becomes another. */
	if (IS_DIR(n) && w->dir.node != to)
		return node_access(n, 2, r->cred);
	return 0;
}

static long rename_check(struct request *r, struct walk *a, struct walk *b, unsigned flags,
			 struct node *from, struct node *to)
{
	bool exchange = flags & RENAME_EXCHANGE;
	long err;

	if (!IS_DIR(from) && (a->slash || (!exchange && b->slash)))
		return -ENOTDIR;
	if (exchange && !IS_DIR(to) && b->slash)
		return -ENOTDIR;
	if (IS_DIR(from) && node_is_under(b->dir.node, from))
		return -EINVAL;
	if (to && IS_DIR(to) && node_is_under(a->dir.node, to))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (from == to)
		return 0;
	err = may_move(r, a, from, b->dir.node);
	if (err < 0)
		return err;
	if (!to)
		return may_create(b->dir.node, r->cred);
	if (exchange) {
		err = may_move(r, b, to, a->dir.node);
		if (err < 0)
			return err;
	} else {
		err = may_delete(b->dir.node, to, r->cred);
		if (err < 0)
			return err;
		if (IS_DIR(from) && !IS_DIR(to))
			return -ENOTDIR;
		if (!IS_DIR(from) && IS_DIR(to))
			return -EISDIR;
	}
	if (from->mounts || to->mounts)
		return -EBUSY;
	return !exchange && IS_DIR(to) && to->dir.count ? -ENOTEMPTY : 0;
}

/* renameat2(olddirfd, oldpath, newdirfd, newpath, flags). */
long vfs_renameat2(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[4];
	struct request r;
	struct walk a, b;
	struct dentry *da, *db;
	struct node *from, *to;
	long err;

	request_begin(&r, m);
	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = walk_window(&r, 0, 0, WALK_PARENT | WALK_CREATE, &a);
	if (err < 0)
		return err;
	err = walk_window(&r, 1, 1, WALK_PARENT | WALK_CREATE, &b);
	if (err < 0)
		return err;
	if (a.dir.mount != b.dir.mount)
		return -EXDEV;
	if (a.last != LAST_NORM)
		return -EBUSY;
	if (b.last != LAST_NORM)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	err = mount_writable(a.dir.mount);
	if (err < 0)
		return err;
	if (a.dir.node->flags & NODE_PROC || b.dir.node->flags & NODE_PROC)
		return a.at.node ? -EPERM : -ENOENT;
	da = dir_find(a.dir.node, a.name, a.len, a.hash);
	if (!da)
		return -ENOENT;
	from = da->node;
	db = dir_find(b.dir.node, b.name, b.len, b.hash);
	to = db ? db->node : NULL;
	if (to && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!to && flags & RENAME_EXCHANGE)
		return -ENOENT;
	err = rename_check(&r, &a, &b, flags, from, to);
	if (err < 0 || from == to)
		return err;
	if (from->mounts)
		return -EBUSY;
	node_withdraw(from);
	if (to)
		node_withdraw(to);
	if (flags & RENAME_EXCHANGE) {
		dir_exchange(da, db);
		touched(a.dir.node);
		touched(b.dir.node);
		from->ctime = to->ctime = b.dir.node->ctime;
		tell_moved(from, &a, &b, NULL);
		tell_moved(to, &b, &a, NULL);
		return 0;
	}
	err = dir_move(da, b.dir.node, b.name, b.len, b.hash);
	if (err < 0)
		return -ENOSPC;
	if (db)
		dir_unlink(db); /* the replaced name: dir_move() made another like it */
	touched(a.dir.node);
	touched(b.dir.node);
	from->ctime = b.dir.node->ctime;
	if (to)
		to->ctime = from->ctime;
	tell_moved(from, &a, &b, to);
	tell_ends();
	return 0;
}

/* readlinkat(dirfd, path, buffer, size). */
long vfs_readlinkat(struct tern_msg *m)
{
	static char buf[PATH_MAX];
	struct request r;
	struct walk w;
	struct node *n;
	const char *text;
	size_t len;
	long err;

	request_begin(&r, m);
	if ((int32_t)m->args[3] <= 0)
		return -EINVAL;
	err = walk_window(&r, 0, 0, WALK_EMPTY, &w);
	if (err < 0)
		return err;
	n = w.at.node;
	if (!IS_LNK(n))
		return walk_path[0][0] ? -EINVAL : -ENOENT;
	if (n->flags & NODE_PROC) {
		err = proc_readlink(&r, n, buf, sizeof buf);
		if (err < 0)
			return err;
		text = buf;
		len = (size_t)err;
	} else {
		text = n->target;
		len = n->size;
	}
	if (len > (uint32_t)m->args[3])
		len = (uint32_t)m->args[3];
	return server_out(m, 1, text, len, (long)len);
}

/* ---- getdents64 ---- */

#define DIRENT_HEAD 19 /* the bytes before the name: d_ino, d_off, d_reclen, d_type */

static char dirent_buffer[32 * 1024];

bool dirents_add(struct dirents *d, uint64_t ino, uint64_t next, unsigned type, const char *name,
		 size_t len)
{
	size_t size = (DIRENT_HEAD + len + 1 + 7) & ~(size_t)7;
	char *p = d->buf + d->used;
	uint16_t reclen = (uint16_t)size;

	if (size > d->size - d->used)
		return false;
	memset(p + size - 8, 0, 8);
	memcpy(p, &ino, 8);
	memcpy(p + 8, &next, 8);
	memcpy(p + 16, &reclen, 2);
	p[18] = (char)type;
	memcpy(p + DIRENT_HEAD, name, len);
	p[DIRENT_HEAD + len] = '\0';
	d->used += size;
	return true;
}

/* Fills `out` with names of f, beginning at the offset.  Offset 0 is ".", 1 is "..", from 2 on
 * it is the cookie of a name. */
static void list_names(struct file *f, struct dirents *out)
{
	struct node *dir = f->at.node;
	struct dentry *d;

	if (f->offset == 0) {
		if (!dirents_add(out, dir->ino, 1, DT_DIR, ".", 1))
			return;
		f->offset = 1;
	}
	if (f->offset == 1) {
		struct place up = f->at;

		if (up.node == up.mount->root && up.mount->parent)
			up.node = up.mount->point;
		if (!dirents_add(out, node_parent(up.node)->ino, 2, DT_DIR, "..", 2))
			return;
		f->offset = 2;
	}
	if (f->resume && f->resume_offset == f->offset && f->removals == dir->dir.removals)
		d = f->resume;
	else
		d = dir_from(dir, f->offset);
	for (; d; d = d->next) {
		if (!dirents_add(out, d->node->ino, d->cookie + 1, (d->node->mode & S_IFMT) >> 12,
				 d->name, d->len))
			break;
		f->offset = d->cookie + 1;
	}
	f->resume = d;
	f->resume_offset = f->offset;
	f->removals = dir->dir.removals;
}

long vfs_getdents(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	struct dirents out = { dirent_buffer, 0, sizeof dirent_buffer };
	uint64_t start;
	uint32_t size = (uint32_t)m->args[2];
	struct request r;
	long err = 0;

	if (!f)
		return vfs_no_file(m);
	if (!IS_DIR(f->at.node))
		return -ENOTDIR;
	if (!f->at.node->nlink)
		return -ENOENT;
	notify(f->at.node, IN_ACCESS);
	if (size < out.size)
		out.size = size;
	start = f->offset;
	if (f->at.node->flags & NODE_PROC) {
		request_begin(&r, m);
		err = proc_getdents(&r, f, &out);
		if (err < 0)
			return err;
	} else {
		list_names(f, &out);
		/* Names are left, but not even one record fits. */
		if (!out.used && f->resume)
			err = 1;
	}
	if (!out.used)
		return err || f->offset < 2 ? -EINVAL : 0;
	if (tern_copy_out(m->token, 0, 0, out.buf, out.used) != (long)out.used) {
		f->offset = start;
		return -EFAULT;
	}
	return (long)out.used;
}
