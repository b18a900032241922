/* The mount table: which file system's root is seen at which place.
 *
 * A mount hangs on a place (its parent mount and a node there).  References: one by each
 * description and each mount that stands in it.  A mount that is unmounted lazily is taken out of
 * the tree at once and freed with its last reference; a tmpfs goes with its last mount, and its
 * open files with their descriptions.
 */
#include "vfs.h"

#include <stdio.h>
#include <stdlib.h>

#define MNT_FORCE 1
#define MNT_DETACH 2
#define MNT_EXPIRE 4
#define UMOUNT_NOFOLLOW 8

struct mount *mounts, *root_mount;
static uint32_t next_id = 1;
static struct fs *dev_fs, *proc_fs, *sys_fs, *pts_fs;
static struct node *dev_root, *proc_root, *sys_root, *pts_root;

void mount_unused(struct mount *mt)
{
	struct mount **p = &mounts;
	struct fs *fs = mt->fs;

	while (*p && *p != mt)
		p = &(*p)->next;
	if (*p)
		*p = mt->next;
	fs->mounts--;
	/* The last mount of a file system has gone, so nobody can reach its names any more. */
	if (!fs->mounts && fs->root) {
		fs_clear(fs->root);
		node_put(fs->root);
		fs->root = NULL;
	}
	node_put(mt->root);
	fs_try_free(fs);
	free(mt);
}

struct mount *mount_add(struct fs *fs, struct node *root, struct place on, const char *source)
{
	struct mount *mt = calloc(1, sizeof *mt), **p = &mounts;

	if (!mt)
		return NULL;
	mt->fs = fs;
	mt->root = root;
	mt->flags = MS_RELATIME;
	mt->id = next_id++;
	snprintf(mt->source, sizeof mt->source, "%s", source);
	node_get(root);
	fs->mounts++;
	while (*p)
		p = &(*p)->next;
	*p = mt;
	if (on.mount) {
		mt->parent = on.mount;
		mt->point = on.node;
		mount_get(on.mount);
		node_get(on.node);
		mt->on_next = on.node->mounts;
		on.node->mounts = mt;
	}
	return mt;
}

/* Takes the mount from its point.  It is freed at once if nothing stands in it, else with the
 * last reference. */
static void mount_detach(struct mount *mt)
{
	struct mount **p = &mt->point->mounts;

	while (*p != mt)
		p = &(*p)->on_next;
	*p = mt->on_next;
	node_put(mt->point);
	mount_put(mt->parent);
	mt->parent = NULL;
	mt->point = NULL;
	mt->detached = true;
	mt->refs++;
	mount_put(mt);
}

void mount_cross(struct place *at)
{
	struct mount *mt = at->node->mounts;

	while (mt) {
		if (mt->parent == at->mount) {
			at->mount = mt;
			at->node = mt->root;
			mt = at->node->mounts;
		} else {
			mt = mt->on_next;
		}
	}
}

struct mount *mount_of(const struct node *n)
{
	for (struct mount *mt = mounts; mt; mt = mt->next)
		if (mt->fs == n->fs)
			return mt;
	return NULL;
}

static struct node *new_root(struct fs *fs, uint32_t mode)
{
	struct node *n = fs ? node_create(fs, S_IFDIR | mode, 0, 0) : NULL;

	if (!n)
		server_panic("no memory for its file systems");
	node_get(n);
	fs->fixed = true;
	return n;
}

/* Makes a directory at the top of the root file system and mounts fs there, as vfs starts. */
static void mount_at_start(const char *name, struct fs *fs, struct node *root, const char *source)
{
	struct node *dir = node_create(root_mount->fs, S_IFDIR | 0755, 0, 0);
	uint32_t len = (uint32_t)strlen(name);
	struct place on = { dir, root_mount };

	if (!dir || dir_link(root_mount->root, name, len, name_hash(name, len), dir) < 0 ||
	    !mount_add(fs, root, on, source))
		server_panic("no memory for its file systems");
}

void mount_init(void)
{
	struct place nowhere = { 0 }, on;
	struct fs *fs = fs_create("tmpfs", TMPFS_MAGIC);
	struct node *root = new_root(fs, 0755);

	root_mount = mount_add(fs, root, nowhere, "tmpfs");
	if (!root_mount)
		server_panic("no memory for its file systems");
	dev_fs = fs_create("devtmpfs", TMPFS_MAGIC);
	dev_root = new_root(dev_fs, 0755);
	proc_fs = proc_init(&proc_root);
	node_get(proc_root);
	sys_fs = fs_create("sysfs", SYSFS_MAGIC);
	sys_root = new_root(sys_fs, 0555);
	mount_at_start("dev", dev_fs, dev_root, "devtmpfs");
	mount_at_start("proc", proc_fs, proc_root, "proc");
	mount_at_start("sys", sys_fs, sys_root, "sysfs");
	on.node = dev_init(dev_fs, dev_root);
	on.mount = mount_of(on.node);
	pts_fs = fs_create("devpts", DEVPTS_MAGIC);
	pts_root = new_root(pts_fs, 0755);
	pts_init(pts_fs, pts_root);
	if (!mount_add(pts_fs, pts_root, on, "devpts"))
		server_panic("no memory for its file systems");
}

/* Sets the options mode=, uid= and gid= at the root of a new tmpfs; others, as size=, are
 * ignored. */
static void tmpfs_options(struct node *root, const char *text)
{
	const char *p = text;

	while (*p) {
		if (!strncmp(p, "mode=", 5))
			root->mode = S_IFDIR | ((uint32_t)strtoul(p + 5, NULL, 8) & 07777);
		else if (!strncmp(p, "uid=", 4))
			root->uid = (uint32_t)strtoul(p + 4, NULL, 10);
		else if (!strncmp(p, "gid=", 4))
			root->gid = (uint32_t)strtoul(p + 4, NULL, 10);
		while (*p && *p != ',')
			p++;
		if (*p)
			p++;
	}
}

static long mount_tmpfs(struct request *r, struct place on, const char *type, const char *source)
{
	static char options[4096];
	struct mount *mt;
	struct fs *fs;
	struct node *root;
	long n;

	fs = fs_create(!strcmp(type, "ramfs") ? "ramfs" : "tmpfs", TMPFS_MAGIC);
	root = fs ? node_create(fs, S_IFDIR | 01777, 0, 0) : NULL;
	if (!root) {
		free(fs);
		return -ENOMEM;
	}
	if (r->m->args[4]) {
		n = tern_copy_in(r->m->token, 3, 0, options, sizeof options - 1);
		options[n > 0 ? n : 0] = '\0';
		tmpfs_options(root, options);
	}
	fs->root = root;
	node_get(root);
	mt = mount_add(fs, root, on, source);
	if (!mt) {
		fs->root = NULL;
		node_put(root);
		return -ENOMEM;
	}
	mt->flags = mount_flags_of(r->m->args[3]);
	fs->readonly = mt->flags & MS_RDONLY;
	return 0;
}

static long mount_bind(struct request *r, struct place on, const char *source)
{
	struct walk w;
	struct mount *mt;
	long err = walk(r, 0, source, WALK_FOLLOW, &w);

	if (err < 0)
		return err;
	if (IS_DIR(w.at.node) != IS_DIR(on.node))
		return -ENOTDIR;
	mt = mount_add(w.at.node->fs, w.at.node, on, w.at.mount->source);
	if (!mt)
		return -ENOMEM;
	mt->flags = w.at.mount->flags;
	return 0;
}

/* Mounts a file system of which there is only one (proc, sysfs, devtmpfs, devpts).  To mount it
 * where it is mounted already is no error. */
static long mount_single(struct place on, struct fs *fs, struct node *root, const char *source,
			 uint64_t flags)
{
	struct mount *mt;

	if (on.node == root)
		return 0;
	mt = mount_add(fs, root, on, source);
	if (!mt)
		return -ENOMEM;
	mt->flags = mount_flags_of(flags);
	return 0;
}

/* mount(source, target, type, flags, data). */
long vfs_mount(struct tern_msg *m)
{
	static char source[PATH_MAX], type[64];
	uint64_t flags = m->args[3];
	struct request r;
	struct walk w;
	long n;

	request_begin(&r, m);
	/* Old programs put the magic number MS_MGC_VAL into the upper half of the flags. */
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(uint64_t)MS_MGC_MSK;
	source[0] = type[0] = '\0';
	if (m->args[0]) {
		n = tern_copy_str(m->token, 0, source, sizeof source);
		if (n < 0)
			return n;
	}
	if (m->args[2] && !(flags & (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED_OR_PRIVATE))) {
		n = tern_copy_str(m->token, 2, type, sizeof type);
		if (n < 0)
			return n == -ENAMETOOLONG ? -ENODEV : n;
	}
	n = walk_window(&r, 0, 1, WALK_FOLLOW, &w);
	if (n < 0)
		return n;
	if (!capable(r.cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & MS_REMOUNT)
		return w.at.node == w.at.mount->root ? mount_remount(w.at.mount, flags) : -EINVAL;
	if (flags & MS_SHARED_OR_PRIVATE)
		return w.at.node == w.at.mount->root ? 0 : -EINVAL;
	if (flags & MS_MOVE)
		return -EINVAL;
	if (flags & MS_BIND)
		return mount_bind(&r, w.at, source);
	if (!type[0])
		return -EINVAL;
	if (!IS_DIR(w.at.node))
		return -ENOTDIR;
	if (!source[0])
		strcpy(source, "none");
	if (!strcmp(type, "proc"))
		return mount_single(w.at, proc_fs, proc_root, source, flags);
	if (!strcmp(type, "devtmpfs"))
		return mount_single(w.at, dev_fs, dev_root, source, flags);
	if (!strcmp(type, "devpts"))
		return mount_single(w.at, pts_fs, pts_root, source, flags);
	if (!strcmp(type, "sysfs"))
		return mount_single(w.at, sys_fs, sys_root, source, flags);
	if (!strcmp(type, "tmpfs") || !strcmp(type, "ramfs"))
		return mount_tmpfs(&r, w.at, type, source);
	return -ENODEV;
}

static bool has_children(const struct mount *mt)
{
	for (const struct mount *c = mounts; c; c = c->next)
		if (c->parent == mt)
			return true;
	return false;
}

/* umount2(target, flags). */
long vfs_umount2(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[1];
	struct request r;
	struct walk w;
	struct mount *mt;
	long n;

	request_begin(&r, m);
	if (flags & ~(unsigned)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if (flags & MNT_EXPIRE && flags & (MNT_FORCE | MNT_DETACH))
		return -EINVAL;
	n = walk_window(&r, 0, 0, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	if (n < 0)
		return n;
	if (!capable(r.cred, CAP_SYS_ADMIN))
		return -EPERM;
	mt = w.at.mount;
	if (w.at.node != mt->root || !mt->parent)
		return -EINVAL;
	if (flags & MNT_DETACH) {
		/* A lazy unmount takes all mounts below it along, the deepest first. */
		for (;;) {
			struct mount *c = mt, *x;

			do {
				for (x = mounts; x && x->parent != c; x = x->next)
					;
				if (x)
					c = x;
			} while (x);
			mount_detach(c);
			if (c == mt)
				return 0;
		}
	}
	if (mt->refs || has_children(mt))
		return -EBUSY;
	if (flags & MNT_EXPIRE)
		return -EAGAIN;
	mount_detach(mt);
	return 0;
}

/* Writes /proc/<pid>/mounts, or mountinfo if `info`, of the mounts below the caller's root.
 * Returns the length. */
size_t mount_text(struct request *r, bool info, char *buf, size_t size)
{
	static char path[PATH_MAX], sub[PATH_MAX];
	size_t used = 0;

	for (struct mount *mt = mounts; mt; mt = mt->next) {
		struct place at = { mt->root, mt }, top;
		const char *p, *s = "/";
		bool reached;
		int n;

		p = place_path(at, r->root, path, sizeof path, &reached);
		if (mt->detached || !p || !reached)
			continue;
		if (info) {
			/* mountinfo shows which part of its file system a mount shows: the path
			 * of the mount's root from the root of the file system. */
			top.mount = mt;
			top.node = mt->root;
			while (node_parent(top.node) != top.node)
				top.node = node_parent(top.node);
			if (top.node != mt->root) {
				struct mount whole = { .root = top.node, .fs = mt->fs };

				at.mount = &whole;
				top.mount = &whole;
				s = place_path(at, top, sub, sizeof sub, &reached);
			}
			n = snprintf(buf + used, size - used,
				     "%u %u 0:%u %s %s %s%s - %s %s %s\n", (unsigned)mt->id,
				     (unsigned)(mt->parent ? mt->parent->id : mt->id),
				     (unsigned)mt->fs->dev, s ? s : "/", p,
				     mt->flags & MS_RDONLY ? "ro" : "rw", mount_flags_text(mt),
				     mt->fs->type, mt->source, mt->fs->readonly ? "ro" : "rw");
		} else {
			n = snprintf(buf + used, size - used, "%s %s %s %s%s 0 0\n", mt->source, p,
				     mt->fs->type, mount_writable(mt) < 0 ? "ro" : "rw",
				     mount_flags_text(mt));
		}
		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return used;
}
