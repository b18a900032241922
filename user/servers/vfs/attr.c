/* What is known about a node: stat, mode, owner, times, access, file system totals.
 *
 * Calls by path and by descriptor meet in functions on a node.  A descriptor of another server's
 * is answered here if it has a node (terminals, FIFOs), else its owner is asked.
 */
#include "vfs.h"

#include <stdlib.h>

#define AT_STATX_SYNC 0x6000
#define STATX_BASIC 0x7ffu
#define STATX_BTIME 0x800u
#define STATX_MNT_ID 0x1000u
#define STATX_ATTR_MOUNT_ROOT 0x2000u
#define ACCESS_MODE 07777u

/* How many blocks of 512 bytes n has.  The kernel's answer also says when its pages were last
 * read and written without vfs, so n's times are right only after this call. */
static uint64_t blocks_of(struct node *n)
{
	struct tern_memobj_info info;

	if (!IS_REG(n) || n->flags & NODE_PROC || n->memobj < 0)
		return 0;
	if (n->flags & (NODE_SPARSE | NODE_UNLEARNT) && tern_memobj_count(n->memobj, &info) >= 0) {
		node_learn(n, &info);
		if (n->flags & NODE_SPARSE)
			return info.resident * (PAGE / 512);
	}
	return (n->size + PAGE - 1) / PAGE * (PAGE / 512);
}

static uint64_t size_of(const struct node *n)
{
	if (IS_DIR(n))
		return n->flags & NODE_PROC ? 0 : (n->dir.count + 2) * 20ull;
	return n->size;
}

/* Has the reply carry the struct stat of n into window `win`. */
static long give_stat(struct node *n, unsigned win)
{
	static struct stat answer;
	struct stat *st = &answer;

	st->st_blocks = (int64_t)blocks_of(n);
	st->st_dev = n->fs->dev;
	st->st_ino = n->ino;
	st->st_mode = n->mode;
	st->st_nlink = n->nlink;
	st->st_uid = n->uid;
	st->st_gid = n->gid;
	st->st_rdev = n->rdev;
	st->st_size = (int64_t)size_of(n);
	st->st_blksize = PAGE;
	st->st_atime = n->atime.tv_sec;
	st->st_atime_nsec = (uint64_t)n->atime.tv_nsec;
	st->st_mtime = n->mtime.tv_sec;
	st->st_mtime_nsec = (uint64_t)n->mtime.tv_nsec;
	st->st_ctime = n->ctime.tv_sec;
	st->st_ctime_nsec = (uint64_t)n->ctime.tv_nsec;
	return server_out_kept(win, st, sizeof *st, 0);
}

long vfs_fstat(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);

	if (!f)
		return vfs_no_file(m);
	return give_stat(f->at.node, 0);
}

/* The node behind a descriptor of the caller's that another server owns; NULL: it has none, as a
 * pipe. */
static struct node *foreign_node(struct request *r, int fd)
{
	struct tern_handle_info info;

	if (fd < 0 || tern_caller_handles(r->m->token, (unsigned)fd, &info, 1) != 1 ||
	    info.fd != (uint32_t)fd)
		return NULL;
	switch (info.kind) {
	case TERN_KIND_FILE:
	case TERN_KIND_FIFO:
	case TERN_KIND_TTY:
		return pool_lookup(&nodes, info.ident);
	case TERN_KIND_PROC:
		return proc_node_by_ident(info.ident);
	default:
		return NULL;
	}
}

/* Whether the path is NULL and AT_EMPTY_PATH makes that mean the descriptor itself. */
static bool names_descriptor(const struct tern_msg *m, unsigned flags)
{
	return !m->args[1] && flags & AT_EMPTY_PATH && (int32_t)m->args[0] >= 0;
}

/* Walks to the node that a stat call means.  SERVER_NO_REPLY: the call went on to the server
 * that owns the descriptor.  0 with at->node NULL: server_default() has filled in the answer. */
static long stat_walk(struct request *r, unsigned flags, bool null_path, struct place *at)
{
	unsigned how = WALK_FOREIGN | (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		       (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct walk w;
	long err;

	err = null_path ? walk(r, 0, "", how, &w) : walk_window(r, 0, 0, how, &w);
	if (err < 0)
		return err;
	*at = w.at;
	if (w.foreign_fd < 0)
		return 0;
	at->node = foreign_node(r, w.foreign_fd);
	at->mount = root_mount;
	if (at->node)
		return 0;
	err = tern_forward_fd(r->m->token, w.foreign_fd, 0, flags);
	if (err == -EBADF || err == -ELOOP)
		return server_default(r->m); /* an object of the kernel's, or inotify */
	return err < 0 ? err : SERVER_NO_REPLY;
}

/* newfstatat(dirfd, path, stat, flags). */
long vfs_newfstatat(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[3];
	struct request r;
	struct place at;
	long err;

	request_begin(&r, m);
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC))
		return -EINVAL;
	err = stat_walk(&r, flags, names_descriptor(m, flags), &at);
	if (err || !at.node)
		return err;
	return give_stat(at.node, 1);
}

static void stamp(struct tern_statx_timestamp *to, const struct tern_timespec *from)
{
	to->tv_sec = from->tv_sec;
	to->tv_nsec = (uint32_t)from->tv_nsec;
}

/* statx(dirfd, path, flags, mask, statx). */
long vfs_statx(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[2];
	struct tern_statx sx = { 0 };
	struct request r;
	struct place at;
	struct node *n;
	long err;

	request_begin(&r, m);
	if ((uint32_t)m->args[3] & 0x80000000u)
		return -EINVAL;
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC) ||
	    (flags & AT_STATX_SYNC) == AT_STATX_SYNC)
		return -EINVAL;
	err = stat_walk(&r, flags, names_descriptor(m, flags), &at);
	if (err || !at.node)
		return err;
	n = at.node;
	sx.stx_mask = STATX_BASIC | STATX_BTIME | STATX_MNT_ID;
	sx.stx_blksize = PAGE;
	sx.stx_nlink = n->nlink;
	sx.stx_uid = n->uid;
	sx.stx_gid = n->gid;
	sx.stx_mode = (uint16_t)n->mode;
	sx.stx_ino = n->ino;
	sx.stx_size = size_of(n);
	sx.stx_blocks = blocks_of(n);
	sx.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
	if (n == at.mount->root)
		sx.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	stamp(&sx.stx_atime, &n->atime);
	stamp(&sx.stx_btime, &n->btime);
	stamp(&sx.stx_ctime, &n->ctime);
	stamp(&sx.stx_mtime, &n->mtime);
	sx.stx_rdev_major = (uint32_t)(n->rdev >> 8) & 0xfff;
	sx.stx_rdev_minor = (uint32_t)((n->rdev & 0xff) | (n->rdev >> 12 & 0xfff00));
	sx.stx_dev_minor = n->fs->dev;
	sx.stx_mnt_id = at.mount->id;
	return server_out(m, 1, &sx, sizeof sx, 0);
}

/* ---- access ---- */

/* The credentials by which access(2) judges: the real ids in place of the effective ones. */
static void real_ids(struct tern_cred *to, const struct tern_cred *from)
{
	*to = *from;
	to->fsuid = from->uid;
	to->fsgid = from->gid;
	to->cap_effective = from->uid == 0 ? from->cap_permitted : 0;
}

/* Whether a write to n changes its file system: one to a device or a FIFO does not. */
static bool keeps_bytes(const struct node *n) { return IS_REG(n) || IS_DIR(n) || IS_LNK(n); }

static long do_access(struct tern_msg *m, unsigned mode, unsigned flags)
{
	static struct tern_cred real;
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	if (mode & ~7u || flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & AT_EACCESS)) {
		real_ids(&real, r.cred);
		r.cred = &real;
	}
	err = walk_window(&r, 0, 0,
			  WALK_FOREIGN | (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  &w);
	if (err < 0)
		return err;
	if (w.foreign_fd >= 0) {
		w.at.node = foreign_node(&r, w.foreign_fd);
		/* Pipes and the like have no node, so no permissions: who has a descriptor may
		 * use it. */
		if (!w.at.node)
			return mode & X_OK ? -EACCES : 0;
	}
	err = mode ? node_access(w.at.node, mode, r.cred) : 0;
	if (err == 0 && mode & W_OK && w.foreign_fd < 0 && keeps_bytes(w.at.node))
		err = mount_writable(w.at.mount);
	return err;
}

long vfs_faccessat(struct tern_msg *m)
{
	return do_access(m, (unsigned)m->args[2], 0);
}

long vfs_faccessat2(struct tern_msg *m)
{
	return do_access(m, (unsigned)m->args[2], (unsigned)m->args[3]);
}

/* ---- changing ---- */

static long set_mode(struct node *n, uint32_t mode, const struct tern_cred *c)
{
	if (n->flags & NODE_PROC)
		return -EPERM;
	if (!is_owner(n, c))
		return -EPERM;
	if (IS_LNK(n))
		return -EOPNOTSUPP;
	mode &= ACCESS_MODE;
	if (n->seals & 32 && (mode ^ n->mode) & 0111) /* SEAL_EXEC */
		return -EPERM;
	if (!in_group(c, n->gid) && !capable(c, CAP_FSETID))
		mode &= ~(uint32_t)S_ISGID;
	node_withdraw(n);
	n->mode = (n->mode & S_IFMT) | mode;
	n->ctime = vfs_now();
	notify(n, IN_ATTRIB);
	return 0;
}

/* 0 or -EROFS.  A descriptor of another server's counts as writable, because vfs does not know
 * through which mount it was opened. */
static long writable_at(const struct walk *w)
{
	return w->foreign_fd >= 0 ? 0 : mount_writable(w->at.mount);
}

static long do_chmod(struct tern_msg *m, unsigned flags)
{
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = walk_window(&r, 0, 0,
			  (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY | WALK_FOREIGN : 0),
			  &w);
	if (err < 0)
		return err;
	if (w.foreign_fd >= 0) {
		w.at.node = foreign_node(&r, w.foreign_fd);
		if (!w.at.node)
			return 0;
	}
	err = writable_at(&w);
	return err < 0 ? err : set_mode(w.at.node, (uint32_t)m->args[2], r.cred);
}

long vfs_fchmodat(struct tern_msg *m)
{
	return do_chmod(m, 0);
}

long vfs_fchmodat2(struct tern_msg *m)
{
	return do_chmod(m, (unsigned)m->args[3]);
}

long vfs_fchmod(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	long err;

	if (!f)
		return vfs_no_file(m);
	err = mount_writable(f->at.mount);
	return err < 0 ? err : set_mode(f->at.node, (uint32_t)m->args[1], cred_of(m));
}

static long set_owner(struct node *n, uint32_t uid, uint32_t gid, const struct tern_cred *c)
{
	bool privileged = capable(c, CAP_CHOWN);

	if (n->flags & NODE_PROC)
		return -EPERM;
	if (uid != ~0u && !privileged && (c->fsuid != n->uid || uid != n->uid))
		return -EPERM;
	if (gid != ~0u && !privileged && (c->fsuid != n->uid || (gid != n->gid && !in_group(c, gid))))
		return -EPERM;
	node_withdraw(n);
	if (uid != ~0u)
		n->uid = uid;
	if (gid != ~0u)
		n->gid = gid;
	if (!IS_DIR(n) && (uid != ~0u || gid != ~0u)) {
		n->mode &= ~(uint32_t)S_ISUID;
		if (n->mode & 0010)
			n->mode &= ~(uint32_t)S_ISGID;
	}
	n->ctime = vfs_now();
	notify(n, IN_ATTRIB);
	return 0;
}

/* fchownat(dirfd, path, uid, gid, flags). */
long vfs_fchownat(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[4];
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = walk_window(&r, 0, 0,
			  (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY | WALK_FOREIGN : 0),
			  &w);
	if (err < 0)
		return err;
	if (w.foreign_fd >= 0) {
		w.at.node = foreign_node(&r, w.foreign_fd);
		if (!w.at.node)
			return 0;
	}
	err = writable_at(&w);
	if (err < 0)
		return err;
	return set_owner(w.at.node, (uint32_t)m->args[2], (uint32_t)m->args[3], r.cred);
}

long vfs_fchown(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	long err;

	if (!f)
		return vfs_no_file(m);
	err = mount_writable(f->at.mount);
	if (err < 0)
		return err;
	return set_owner(f->at.node, (uint32_t)m->args[1], (uint32_t)m->args[2], cred_of(m));
}

static bool bad_nsec(const struct tern_timespec *t)
{
	return t->tv_nsec != TERN_UTIME_NOW && t->tv_nsec != TERN_UTIME_OMIT &&
	       (t->tv_nsec < 0 || t->tv_nsec > 999999999);
}

static long set_times(struct tern_msg *m, struct node *n, const struct tern_timespec t[2],
		      const struct tern_cred *c)
{
	struct tern_timespec now = vfs_now();
	bool both_now = t[0].tv_nsec == TERN_UTIME_NOW && t[1].tv_nsec == TERN_UTIME_NOW;

	(void)m;
	if (n->flags & NODE_PROC)
		return -EPERM;
	if (!is_owner(n, c)) {
		/* Who may write to the file may set both times to now; all else is for the
		 * owner. */
		if (!both_now)
			return -EPERM;
		if (node_access(n, 2, c) < 0)
			return -EACCES;
	}
	node_withdraw(n);
	/* Learns the times of earlier reads and writes, so that they cannot replace these later. */
	(void)blocks_of(n);
	if (t[0].tv_nsec != TERN_UTIME_OMIT)
		n->atime = t[0].tv_nsec == TERN_UTIME_NOW ? now : t[0];
	if (t[1].tv_nsec != TERN_UTIME_OMIT)
		n->mtime = t[1].tv_nsec == TERN_UTIME_NOW ? now : t[1];
	n->ctime = now;
	notify(n, t[0].tv_nsec == TERN_UTIME_OMIT   ? IN_MODIFY
		  : t[1].tv_nsec == TERN_UTIME_OMIT ? IN_ACCESS
						    : IN_ATTRIB);
	return 0;
}

/* utimensat(dirfd, path, times[2], flags); path NULL means the descriptor itself. */
long vfs_utimensat(struct tern_msg *m)
{
	struct tern_timespec t[2] = { { 0, TERN_UTIME_NOW }, { 0, TERN_UTIME_NOW } };
	unsigned flags = (unsigned)m->args[3];
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	if (m->args[2]) {
		if (tern_copy_in(m->token, 1, 0, t, sizeof t) != sizeof t)
			return -EFAULT;
		if (t[0].tv_nsec == TERN_UTIME_OMIT && t[1].tv_nsec == TERN_UTIME_OMIT)
			return 0;
	}
	if (!m->args[1]) {
		if (flags)
			return -EINVAL;
		if ((int32_t)m->args[0] == AT_FDCWD)
			return -EFAULT;
		err = walk(&r, 0, "", WALK_EMPTY | WALK_FOREIGN, &w);
	} else {
		if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
			return -EINVAL;
		err = walk_window(&r, 0, 0,
				  (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
					  (flags & AT_EMPTY_PATH ? WALK_EMPTY | WALK_FOREIGN : 0),
				  &w);
	}
	if (err < 0)
		return err;
	if (w.foreign_fd >= 0) {
		w.at.node = foreign_node(&r, w.foreign_fd);
		if (!w.at.node)
			return 0;
	}
	err = writable_at(&w);
	if (err == 0 && (bad_nsec(&t[0]) || bad_nsec(&t[1])))
		err = -EINVAL;
	return err < 0 ? err : set_times(m, w.at.node, t, r.cred);
}

/* ---- statfs ---- */

struct statfs64 {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree;
	uint32_t fsid[2];
	uint64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct statfs64) == 120, "struct statfs");

static long give_statfs(struct tern_msg *m, unsigned win, const struct place *at)
{
	const struct node *n = at->node;
	struct statfs64 s = { .type = n->fs->magic, .bsize = PAGE, .namelen = NAME_MAX,
			      .frsize = PAGE, .flags = mount_statfs_flags(at->mount) };
	struct tern_memory_info mem;

	s.fsid[0] = n->fs->dev;
	if (n->fs->magic == TMPFS_MAGIC &&
	    tern_system_info(TERN_INFO_MEMORY, &mem, sizeof mem) >= 0) {
		s.blocks = mem.frames.total;
		s.bfree = s.bavail = mem.frames.free;
		s.files = mem.frames.total;
		s.ffree = mem.frames.free;
	}
	return server_out(m, win, &s, sizeof s, 0);
}

long vfs_statfs(struct tern_msg *m)
{
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	err = walk_window(&r, 0, 0, WALK_FOLLOW, &w);
	return err < 0 ? err : give_statfs(m, 1, &w.at);
}

long vfs_fstatfs(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);

	return f ? give_statfs(m, 0, &f->at) : vfs_no_file(m);
}

/* ---- TERN_VFS_PATHS: pm asks for the paths of idents, which /proc/<pid>/maps shows ---- */

long vfs_paths(struct tern_msg *m)
{
	static char buf[PATH_MAX];
	uint64_t ident, count = m->args[1] / sizeof ident, used = 0;

	if (m->badge != TERN_BADGE_FROM_PM)
		return -ENOSYS;
	node_reap();
	for (uint64_t i = 0; i < count; i++) {
		struct node *n;
		const char *p = NULL;
		size_t len;

		if (tern_copy_in(m->token, 0, i * sizeof ident, &ident, sizeof ident) !=
		    sizeof ident)
			return -EFAULT;
		n = pool_lookup(&nodes, ident);
		if (n)
			p = node_path(n, buf, sizeof buf);
		if (!p)
			p = "";
		len = strlen(p) + 1;
		if (len > m->args[3] - used)
			break;
		if (tern_copy_out(m->token, 1, used, p, len) != (long)len)
			return -EFAULT;
		used += len;
	}
	return (long)used;
}
