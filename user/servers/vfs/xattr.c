/* Extended attributes (xattr(7)) of what lies in a tmpfs: a list of names and values at the
 * node.
 *
 * Names that begin with "user." are for all who may read or write the file, "trusted." only for
 * CAP_SYS_ADMIN; "security." may be read by all.  vfs keeps them but nothing acts by them: a
 * program with security.capability gets no capabilities.
 */
#include "vfs.h"

#include <linux/xattr.h>
#include <stdlib.h>

#define NAME_ROOM 257		/* XATTR_NAME_MAX, a NUL, and one more to see that it is too long */
#define SIZE_MAX_VALUE 65536ull /* XATTR_SIZE_MAX, XATTR_LIST_MAX */

struct xattr {
	struct xattr *next;
	uint32_t size, name_len;
	char bytes[]; /* the name with its NUL, then the value */
};

/* The file that a call is about, whether it was named by a path, a path not to be followed, or a
 * descriptor. */
struct target {
	struct request r;
	struct place at;
	unsigned win; /* the window of the name or the list; the next one is the value's */
};

enum way { BY_PATH, BY_LINK, BY_FD };

static long find_target(struct tern_msg *m, enum way way, struct target *t)
{
	struct walk w;
	long err;

	request_begin(&t->r, m);
	t->win = way == BY_FD ? 0 : 1;
	if (way == BY_FD) {
		t->at = file_of(m->badge)->at;
		return 0;
	}
	err = walk_window(&t->r, 0, 0, way == BY_PATH ? WALK_FOLLOW : 0, &w);
	t->at = w.at;
	return err;
}

/* Copies the attribute's name and checks its length; as on Linux, before the path is walked. */
static long get_name(struct tern_msg *m, enum way way, char *name)
{
	long n = tern_copy_str(m->token, way == BY_FD ? 0 : 1, name, NAME_ROOM);

	if (n == -ENAMETOOLONG || n == 0 || n > 255)
		return -ERANGE;
	return n < 0 ? n : 0;
}

static bool begins(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* Whether c may read or write the attribute `name` of n; `mask` as for node_access(). */
static long permitted(const struct node *n, const char *name, unsigned mask, const struct tern_cred *c)
{
	bool write = mask & 2;

	if (begins(name, "security.") || begins(name, "system."))
		return 0;
	if (begins(name, "trusted."))
		return capable(c, CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
	if (begins(name, "user.")) {
		if (!IS_REG(n) && !IS_DIR(n))
			return write ? -EPERM : -ENODATA;
		if (write && IS_DIR(n) && n->mode & S_ISVTX && !is_owner(n, c))
			return -EPERM;
	}
	return node_access(n, mask, c);
}

/* 0 if n can have an attribute of that name. */
static long supported(const struct node *n, const char *name)
{
	static const char *const prefixes[] = { "security.", "trusted.", "user." };

	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (begins(name, prefixes[i]))
			return n->fs->magic != TMPFS_MAGIC ? -EOPNOTSUPP : name[strlen(prefixes[i])] ? 0 : -EINVAL;
	return -EOPNOTSUPP;
}

static long may_change(const struct target *t, const char *name)
{
	const struct tern_cred *c = t->r.cred;
	long err = mount_writable(t->at.mount);

	if (err == 0)
		err = permitted(t->at.node, name, 2, c);
	if (err == 0)
		err = supported(t->at.node, name);
	if (err == 0 && begins(name, "security.") &&
	    !capable(c, strcmp(name, "security.capability") ? CAP_SYS_ADMIN : CAP_SETFCAP))
		err = -EPERM;
	return err;
}

/* The pointer in the list that leads to the attribute; if there is none, the NULL at the end. */
static struct xattr **find(struct node *n, const char *name)
{
	struct xattr **p = &n->xattrs;

	while (*p && strcmp((*p)->bytes, name))
		p = &(*p)->next;
	return p;
}

static void drop(struct xattr **p)
{
	struct xattr *x = *p;

	*p = x->next;
	free(x);
}

void xattrs_free(struct node *n)
{
	while (n->xattrs)
		drop(&n->xattrs);
}

/* ---- set, remove ---- */

/* Makes an attribute with the value that is in the caller's window `win`. */
static long make(struct tern_msg *m, unsigned win, const char *name, uint64_t size, struct xattr **out)
{
	uint32_t len = (uint32_t)strlen(name);
	struct xattr *x = malloc(sizeof *x + len + 1 + size);

	if (!x)
		return -ENOSPC;
	x->size = (uint32_t)size;
	x->name_len = len;
	memcpy(x->bytes, name, len + 1);
	if (size && tern_copy_in(m->token, win, 0, x->bytes + len + 1, size) != (long)size) {
		free(x);
		return -EFAULT;
	}
	*out = x;
	return 0;
}

static long put(struct node *n, struct xattr *x, unsigned flags)
{
	struct xattr **p = find(n, x->bytes);

	if (*p ? flags & XATTR_CREATE : flags & XATTR_REPLACE)
		return *p ? -EEXIST : -ENODATA;
	if (*p)
		drop(p);
	x->next = *p;
	*p = x;
	node_withdraw(n);
	n->ctime = vfs_now();
	notify(n, IN_ATTRIB);
	return 0;
}

static long set(struct tern_msg *m, enum way way)
{
	unsigned flags = (unsigned)m->args[4];
	char name[NAME_ROOM];
	struct target t;
	struct xattr *x;
	long err = flags & ~3u ? -EINVAL : get_name(m, way, name);

	if (err < 0)
		return err;
	if (m->args[3] > SIZE_MAX_VALUE)
		return -E2BIG;
	err = make(m, way == BY_FD ? 1 : 2, name, m->args[3], &x);
	if (err < 0)
		return err;
	err = find_target(m, way, &t);
	if (err == 0)
		err = may_change(&t, name);
	if (err == 0)
		err = put(t.at.node, x, flags);
	if (err < 0)
		free(x);
	return err;
}

static long clear(struct tern_msg *m, enum way way)
{
	char name[NAME_ROOM];
	struct xattr **p;
	struct target t;
	long err = get_name(m, way, name);

	if (err == 0)
		err = find_target(m, way, &t);
	if (err == 0)
		err = may_change(&t, name);
	if (err < 0)
		return err;
	p = find(t.at.node, name);
	if (!*p)
		return -ENODATA;
	drop(p);
	node_withdraw(t.at.node);
	t.at.node->ctime = vfs_now();
	notify(t.at.node, IN_ATTRIB);
	return 0;
}

/* ---- get, list ---- */

/* Copies an answer to the caller; with size 0 the caller only asks for its length. */
static long give(struct tern_msg *m, unsigned win, const char *from, uint64_t len, uint64_t size)
{
	if (!size || !len)
		return (long)len;
	return server_out(m, win, from, len, (long)len);
}

static long get(struct tern_msg *m, enum way way)
{
	uint64_t size = m->args[3];
	char name[NAME_ROOM];
	struct target t;
	struct xattr *x;
	long err = get_name(m, way, name);

	if (err == 0)
		err = find_target(m, way, &t);
	if (err == 0)
		err = permitted(t.at.node, name, 4, t.r.cred);
	if (err == 0)
		err = supported(t.at.node, name);
	if (err < 0)
		return err;
	x = *find(t.at.node, name);
	if (!x)
		return -ENODATA;
	if (size && x->size > size)
		return -ERANGE;
	return give(m, t.win + 1, x->bytes + x->name_len + 1, x->size, size);
}

static long list(struct tern_msg *m, enum way way)
{
	static char names[SIZE_MAX_VALUE];
	uint64_t size = m->args[2], len = 0;
	struct target t;
	long err = find_target(m, way, &t);

	if (err < 0)
		return err;
	for (struct xattr *x = t.at.node->xattrs; x; x = x->next) {
		if (begins(x->bytes, "trusted.") && !capable(t.r.cred, CAP_SYS_ADMIN))
			continue;
		if (x->name_len + 1 > sizeof names - len)
			return -E2BIG;
		memcpy(names + len, x->bytes, x->name_len + 1);
		len += x->name_len + 1;
	}
	return size && len > size ? -ERANGE : give(m, t.win, names, len, size);
}

long vfs_setxattr(struct tern_msg *m) { return set(m, BY_PATH); }
long vfs_lsetxattr(struct tern_msg *m) { return set(m, BY_LINK); }
long vfs_fsetxattr(struct tern_msg *m) { return file_of(m->badge) ? set(m, BY_FD) : vfs_no_file(m); }
long vfs_getxattr(struct tern_msg *m) { return get(m, BY_PATH); }
long vfs_lgetxattr(struct tern_msg *m) { return get(m, BY_LINK); }
long vfs_fgetxattr(struct tern_msg *m) { return file_of(m->badge) ? get(m, BY_FD) : vfs_no_file(m); }
long vfs_listxattr(struct tern_msg *m) { return list(m, BY_PATH); }
long vfs_llistxattr(struct tern_msg *m) { return list(m, BY_LINK); }
long vfs_flistxattr(struct tern_msg *m) { return file_of(m->badge) ? list(m, BY_FD) : vfs_no_file(m); }
long vfs_removexattr(struct tern_msg *m) { return clear(m, BY_PATH); }
long vfs_lremovexattr(struct tern_msg *m) { return clear(m, BY_LINK); }
long vfs_fremovexattr(struct tern_msg *m) { return file_of(m->badge) ? clear(m, BY_FD) : vfs_no_file(m); }
