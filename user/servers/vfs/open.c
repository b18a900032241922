/* Opening, and the places a process stands at: open file descriptions, root, working directory.
 *
 * A description is a session whose badge is a struct file; it is freed by CLOSED and by nothing
 * else once the kernel has its session.  What another server serves (terminals, FIFOs, contents of
 * /proc) is forwarded with a handle on a description of vfs's own, which becomes the meta session.
 */
#include "vfs.h"

#include <linux/mman.h>
#include <stdlib.h>

#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
#define OPEN_VALID                                                                        \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |       \
	 O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | \
	 O_CLOEXEC | O_PATH | TMPFILE_BIT)
/* The flags that the description keeps; the others only matter while it is opened. */
#define OPEN_KEPT                                                                          \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_NOATIME | O_PATH | \
	 O_DIRECTORY | O_NOFOLLOW)

struct pool files;
static uint32_t closing_matters_to;

void closing_matters(int more)
{
	bool was = closing_matters_to;

	closing_matters_to += (uint32_t)more;
	if (was != (bool)closing_matters_to)
		tern_close_later(was);
}

struct file *file_create(struct place at, uint32_t flags)
{
	struct file *f = pool_alloc(&files);

	if (!f)
		return NULL;
	f->at = at;
	f->flags = flags;
	node_get(at.node);
	mount_get(at.mount);
	if (IS_REG(at.node) && !(flags & O_PATH) && file_writes(f)) {
		at.node->writers++;
		if (at.node->flags & NODE_DIRECT)
			at.node->flags |= NODE_UNLEARNT;
		at.mount->writers++;
	}
	if (!(flags & O_PATH))
		notify(at.node, IN_OPEN);
	return f;
}

void file_destroy(struct file *f)
{
	struct place at = f->at;

	if (at.node->locks || f->state & FILE_HIDDEN)
		lock_owner_closed(f);
	if (IS_REG(at.node) && !(f->flags & O_PATH) && file_writes(f)) {
		at.node->writers--;
		at.mount->writers--;
	}
	if (!(f->flags & O_PATH))
		notify(at.node, file_writes(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (f->state & FILE_PTMX)
		pts_remove(f->offset);
	free(f->text);
	pool_free(&files, f);
	mount_put(at.mount);
	node_put(at.node);
}

/* Has the running handler's reply give a new session of f: as the descriptor that the call makes
 * (slot 0), or as a place of the name context.  Returns 0, for the handler to return. */
long file_give(struct file *f, unsigned slot)
{
	unsigned rights = TERN_R_TRANSFER;

	/* A file without a name ends with its description, so the kernel tells that end at once. */
	if (f->at.node->links)
		rights |= TERN_R_CLOSE_LATER;
	if (f->flags & O_PATH) {
		rights |= TERN_R_PATH;
	} else {
		rights |= TERN_R_IO | TERN_R_MAP;
		if (file_reads(f))
			rights |= TERN_R_READ;
		if (file_writes(f))
			rights |= TERN_R_WRITE;
	}
	server_reply_give(slot, rights, TERN_KIND_FILE, pool_badge(&files, f), node_ident(f->at.node));
	return 0;
}

static long give_place(struct place at, uint32_t flags, unsigned slot)
{
	struct file *f = file_create(at, flags);

	return f ? file_give(f, slot) : -ENOMEM;
}

long forward_open(struct request *r, struct place at, uint32_t flags, int server, uint64_t w0,
		  uint64_t w1)
{
	struct file *f;

	if (server < 0)
		return -ENXIO;
	f = file_create(at, flags & OPEN_KEPT);
	return f ? forward_file(r, f, server, w0, w1) : -ENOMEM;
}

long forward_file(struct request *r, struct file *f, int server, uint64_t w0, uint64_t w1)
{
	long sid, h, err;

	f->state |= FILE_META;
	sid = tern_session_create(-1, pool_badge(&files, f), TERN_KIND_FILE, node_ident(f->at.node), 0,
				  -1);
	h = sid < 0 ? sid
		    : tern_session_handle((uint64_t)sid, TERN_R_READ | TERN_R_WRITE | TERN_R_IO |
								 TERN_R_MAP | TERN_R_TRANSFER);
	if (h < 0) {
		file_destroy(f);
		return h;
	}
	err = tern_forward(r->m->token, server, w0, w1, (int)h);
	if (err < 0) {
		tern_close((int)h); /* closing the only handle brings CLOSED, which frees f */
		return err;
	}
	return SERVER_NO_REPLY;
}

long node_busy_text(const struct node *n)
{
	struct tern_memobj_info info;

	if (!(n->flags & NODE_EXECUTED) || n->memobj < 0)
		return 0;
	if (tern_memobj_count(n->memobj, &info) < 0)
		return 0;
	return info.exec_spaces ? -ETXTBSY : 0;
}

/* The permission bits, as node_access() has them, that an open with these flags needs. */
static unsigned access_of(uint32_t flags)
{
	static const unsigned char bits[4] = { 4, 2, 6, 6 };

	return bits[flags & O_ACCMODE] | (flags & O_TRUNC ? 2 : 0);
}

/* Opens a node that exists, after the permissions have been checked. */
static long open_allowed(struct request *r, struct place at, uint32_t flags)
{
	struct node *n = at.node;
	long err;

	if (IS_REG(n) && !(n->flags & NODE_PROC)) {
		if (access_of(flags) & 2) {
			err = node_busy_text(n);
			if (err < 0)
				return err;
		}
		if (flags & O_TRUNC && n->size && n->seals & SEAL_SHRINK)
			return -EPERM;
		if (flags & O_TRUNC && n->size) {
			err = node_resize(n, 0);
			if (err < 0)
				return err;
		}
		if (flags & O_TRUNC)
			node_withdraw(n);
		if (flags & O_TRUNC)
			n->mtime = n->ctime = vfs_now();
		err = give_place(at, flags & OPEN_KEPT, 0);
		if (err == 0 && flags & O_TRUNC)
			notify(n, IN_MODIFY);
		return err;
	}
	if (IS_DIR(n))
		return give_place(at, flags & OPEN_KEPT, 0);
	if (n->flags & NODE_PROC)
		return proc_open(r, at, flags);
	if (IS_FIFO(n))
		return forward_open(r, at, flags, server_boot->pipe, 0xF1F0, node_ident(n));
	if (IS_CHR(n))
		return dev_open(r, at, flags);
	return -ENXIO;
}

long open_place(struct request *r, struct place at, uint32_t flags)
{
	struct node *n = at.node;
	long err;

	if (flags & O_DIRECTORY && !IS_DIR(n))
		return -ENOTDIR;
	if (flags & O_PATH)
		return give_place(at, flags & OPEN_KEPT, 0);
	if (IS_LNK(n))
		return -ELOOP;
	if (IS_DIR(n) && access_of(flags) & 2)
		return -EISDIR;
	if (IS_SOCK(n))
		return -ENXIO;
	if (at.mount->flags & MS_NODEV && (IS_CHR(n) || IS_BLK(n)))
		return -EACCES;
	err = node_access(n, access_of(flags), r->cred);
	if (err == 0 && IS_REG(n) && access_of(flags) & 2)
		err = mount_writable(at.mount);
	if (err < 0)
		return err;
	if (flags & O_NOATIME && !is_owner(n, r->cred))
		return -EPERM;
	return open_allowed(r, at, flags);
}

static long open_tmpfile(struct request *r, struct place dir, uint32_t flags, uint32_t mode)
{
	struct node *n;
	long err;

	if (!IS_DIR(dir.node))
		return -ENOTDIR;
	if (dir.node->flags & NODE_PROC)
		return -EOPNOTSUPP;
	err = mount_writable(dir.mount);
	if (err == 0)
		err = node_access(dir.node, 3, r->cred);
	if (err < 0)
		return err;
	n = make_anonymous(r, dir.node, S_IFREG | mode);
	if (!n)
		return -ENOSPC;
	if (!(flags & O_EXCL))
		n->flags |= NODE_TMPFILE;
	dir.node = n;
	return give_place(dir, flags & OPEN_KEPT & ~(uint32_t)O_DIRECTORY, 0);
}

static long do_open(struct request *r, uint32_t flags, uint32_t mode, unsigned how)
{
	struct file *f;
	struct walk w;
	struct node *n;
	long err;

	if (flags & O_PATH) {
		flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
	} else if (flags & TMPFILE_BIT) {
		if (!(flags & O_DIRECTORY) || flags & O_CREAT || !(flags & O_ACCMODE))
			return -EINVAL;
	} else if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
		return -EINVAL;
	}
	how |= WALK_FOREIGN;
	if (!(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		how |= WALK_FOLLOW;
	if (flags & O_CREAT)
		how |= WALK_CREATE | (how & WALK_FOLLOW ? 0 : WALK_PARENT);
	err = walk_window(r, 0, 0, how, &w);
	if (err < 0)
		return err;
	if (w.foreign_fd >= 0) {
		if (flags & O_CREAT && flags & O_EXCL)
			return -EEXIST;
		if (flags & O_DIRECTORY)
			return -ENOTDIR;
		err = tern_forward_fd(r->m->token, w.foreign_fd, 0xFD00, flags);
		if (err == -EBADF) /* the descriptor is of an object of the kernel's, as epoll */
			return -ENXIO;
		return err < 0 ? err : SERVER_NO_REPLY;
	}
	if (flags & O_CREAT && w.slash)
		return -EISDIR;
	n = w.at.node;
	if (flags & TMPFILE_BIT)
		return open_tmpfile(r, w.at, flags, mode);
	if (n) {
		if (flags & O_CREAT) {
			if (flags & O_EXCL)
				return -EEXIST;
			if (IS_DIR(n))
				return -EISDIR;
		}
		return open_place(r, w.at, flags);
	}
	if (w.dir.node->flags & NODE_PROC) /* programs make no files in /proc */
		return -ENOENT;
	err = mount_writable(w.dir.mount);
	if (err == 0)
		err = make_node(r, &w, S_IFREG | mode, 0, &n);
	if (err < 0)
		return err;
	w.at.node = n;
	w.at.mount = w.dir.mount;
	f = file_create(w.at, flags & OPEN_KEPT);
	if (!f)
		return -ENOMEM;
	f->state = FILE_CREATED;
	return file_give(f, 0);
}

/* openat(dirfd, path, flags, mode). */
long vfs_openat(struct tern_msg *m)
{
	uint32_t flags = (uint32_t)m->args[2] & OPEN_VALID;
	struct request r;

	request_begin(&r, m);
	return do_open(&r, flags, (uint32_t)m->args[3] & 07777 & ~TERN_MSG_UMASK(m->op), 0);
}

/* openat2(dirfd, path, struct open_how, size). */
long vfs_openat2(struct tern_msg *m)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { 0 };
	uint64_t size = m->args[3];
	unsigned walk_how = 0;
	struct request r;

	request_begin(&r, m);
	if (size < sizeof how)
		return -EINVAL;
	if (size > PAGE)
		return -E2BIG;
	if (tern_copy_in(m->token, 1, 0, &how, sizeof how) != sizeof how)
		return -EFAULT;
	for (uint64_t at = sizeof how; at < size; at += 64) {
		char more[64] = { 0 };
		size_t n = size - at < sizeof more ? (size_t)(size - at) : sizeof more;

		if (tern_copy_in(m->token, 1, at, more, n) != (long)n)
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (more[i])
				return -E2BIG;
	}
	if (how.flags & ~(uint64_t)OPEN_VALID || how.mode & ~07777ull || how.resolve & ~0x1full)
		return -EINVAL;
	if (how.mode && !(how.flags & (O_CREAT | TMPFILE_BIT)))
		return -EINVAL;
	if (how.flags & O_PATH &&
	    how.flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	if ((how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) ==
	    (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.resolve & RESOLVE_NO_XDEV)
		walk_how |= WALK_NO_XDEV;
	if (how.resolve & RESOLVE_NO_MAGICLINKS)
		walk_how |= WALK_NO_MAGIC;
	if (how.resolve & RESOLVE_NO_SYMLINKS)
		walk_how |= WALK_NO_SYMLINKS;
	if (how.resolve & RESOLVE_BENEATH)
		walk_how |= WALK_BENEATH;
	if (how.resolve & RESOLVE_IN_ROOT)
		walk_how |= WALK_IN_ROOT;
	return do_open(&r, (uint32_t)how.flags,
		       (uint32_t)how.mode & 07777 & ~TERN_MSG_UMASK(m->op), walk_how);
}

#define MFD_CLOEXEC 1u
#define MFD_ALLOW_SEALING 2u
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 16u

/* memfd_create(name, flags): makes a file without a name in any directory; its node keeps `name`
 * for /proc. */
long vfs_memfd_create(struct tern_msg *m)
{
	static char name[256];
	uint32_t flags = (uint32_t)m->args[1];
	struct request r;
	struct place at;
	struct node *n;
	long len;

	request_begin(&r, m);
	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) ||
	    (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL))
		return -EINVAL;
	len = tern_copy_str(m->token, 0, name, sizeof name);
	if (len == -ENAMETOOLONG || len > 249)
		return -EINVAL;
	if (len < 0)
		return len;
	n = node_create(root_mount->fs, S_IFREG | (flags & MFD_NOEXEC_SEAL ? 0666 : 0777),
			r.cred->fsuid, r.cred->fsgid);
	if (!n)
		return -ENOMEM;
	node_mark(n);
	n->flags |= NODE_MEMFD;
	n->target = strdup(name);
	if (!n->target)
		return -ENOMEM;
	n->seals = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) ? 0 : SEAL_SEAL;
	at.node = n;
	at.mount = root_mount;
	return give_place(at, O_RDWR, 0);
}

static long change_place(struct request *r, struct place at, unsigned slot)
{
	long err;

	if (!IS_DIR(at.node))
		return -ENOTDIR;
	err = node_access(at.node, 1, r->cred);
	if (err < 0)
		return err;
	if (slot == TERN_SLOT_ROOT && !capable(r->cred, CAP_SYS_CHROOT))
		return -EPERM;
	return give_place(at, O_PATH | O_DIRECTORY, slot);
}

long vfs_chdir(struct tern_msg *m)
{
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	err = walk_window(&r, 0, 0, WALK_FOLLOW, &w);
	return err < 0 ? err : change_place(&r, w.at, TERN_SLOT_CWD);
}

long vfs_fchdir(struct tern_msg *m)
{
	struct request r;
	struct place at;
	long err;

	request_begin(&r, m);
	/* Other calls take -100 (AT_FDCWD) for the working directory; to fchdir it is no
	 * descriptor. */
	if ((int32_t)m->args[0] < 0)
		return -EBADF;
	err = request_start(&r, 0, &at);
	return err < 0 ? err : change_place(&r, at, TERN_SLOT_CWD);
}

long vfs_chroot(struct tern_msg *m)
{
	struct request r;
	struct walk w;
	long err;

	request_begin(&r, m);
	err = walk_window(&r, 0, 0, WALK_FOLLOW, &w);
	return err < 0 ? err : change_place(&r, w.at, TERN_SLOT_ROOT);
}

/* getcwd(buffer, size); returns the length with the NUL. */
long vfs_getcwd(struct tern_msg *m)
{
	static const char unreachable[] = "(unreachable)";
	static char buf[PATH_MAX + sizeof unreachable];
	struct request r;
	struct place at;
	bool reached;
	size_t len;
	char *p;
	long err;

	request_begin(&r, m);
	err = request_start(&r, 0, &at);
	if (err < 0)
		return -ENOENT;
	if (!at.node->nlink)
		return -ENOENT;
	p = place_path(at, r.root, buf + sizeof unreachable - 1, PATH_MAX, &reached);
	if (!p)
		return -ENAMETOOLONG;
	if (!reached) {
		p -= sizeof unreachable - 1;
		memcpy(p, unreachable, sizeof unreachable - 1);
	}
	len = strlen(p) + 1;
	if (len > m->args[1])
		return -ERANGE;
	return server_out(m, 0, p, len, (long)len);
}

/* Tells pm, in window 1, whose ids the program gets by its set-id bits; it writes nothing if
 * there are none.  S_ISGID counts only together with S_IXGRP. */
static long tell_owner(struct tern_msg *m, const struct node *n, const struct mount *mt)
{
	struct tern_exec_owner o = { .mode = n->mode & S_ISUID, .uid = n->uid, .gid = n->gid };

	if ((n->mode & (S_ISGID | 010)) == (S_ISGID | 010))
		o.mode |= S_ISGID;
	if (mt->flags & MS_NOSUID)
		o.mode = 0;
	if (o.mode && tern_copy_out(m->token, 1, 0, &o, sizeof o) != (long)sizeof o)
		return -EFAULT;
	return 0;
}

/* TERN_VFS_EXEC_OPEN (dirfd, path, flags, owner): pm opens a program on behalf of a process that
 * calls execve. */
long vfs_exec_open(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[2];
	struct request r;
	struct walk w;
	struct node *n;
	long err;

	if (m->badge != TERN_BADGE_FROM_PM || !(m->op & TERN_MSG_ASYNC))
		return -ENOSYS;
	request_begin(&r, m);
	if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	err = walk_window(&r, 0, 0,
			  (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  &w);
	if (err < 0)
		return err;
	n = w.at.node;
	if (IS_LNK(n))
		return -ELOOP;
	if (!IS_REG(n) || n->flags & NODE_PROC || w.at.mount->flags & MS_NOEXEC)
		return -EACCES;
	err = node_access(n, 1, r.cred);
	if (err < 0)
		return err;
	if (n->writers)
		return -ETXTBSY;
	err = node_expose(n);
	if (err >= 0)
		err = tell_owner(m, n, w.at.mount);
	if (err < 0)
		return err;
	n->flags |= NODE_EXECUTED;
	notify(n, IN_OPEN);
	notify(n, IN_ACCESS);
	err = tern_reply_map(m->token, n->memobj, 0, PROT_READ | PROT_WRITE | PROT_EXEC,
			     (long)node_ident(n));
	return err < 0 ? err : SERVER_NO_REPLY;
}
