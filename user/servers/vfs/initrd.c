/* The root file system from the boot archive.
 *
 * The archive is mapped to read its headers, names, link texts and the ends of files; whole pages
 * of a file that begin on a page of the archive are then moved into the file's memory object
 * without a copy.  Moving comes last, when nothing reads the mapping any more.
 * A later entry replaces an earlier one of its name, directories excepted: they keep what is in
 * them.  Missing parents are made.
 */
#include "vfs.h"

#include <linux/mman.h>
#include <stdlib.h>

/* A file whose pages are still to be moved. */
struct moving {
	struct node *node;
	uint64_t data;
};
/* A file with several names, whose data comes with the last of them. */
struct hard {
	uint32_t ino, dev;
	struct node *node;
};

struct loader {
	const char *archive;
	struct moving *moving;
	size_t nmoving, moving_room;
	struct hard *hard;
	size_t nhard, hard_room;
	unsigned skipped;
};

static void *grow(void *p, size_t n, size_t *room, size_t size)
{
	void *q;

	if (n < *room)
		return p;
	q = realloc(p, (*room ? *room * 2 : 64) * size);
	if (q)
		*room = *room ? *room * 2 : 64;
	return q;
}

/* Leaves an entry out and counts it; 0 lets cpio_read() go on with the next. */
static long skip(struct loader *l)
{
	l->skipped++;
	return 0;
}

/* The directory that the entry's name is in, made with its parents if need be; *last: the last
 * component of the name.  NULL: no good name, or no memory. */
static struct node *find_dir(const char *name, const char **last, uint32_t *last_len)
{
	struct place at = { root_mount->root, root_mount };

	mount_cross(&at);
	for (;;) {
		const char *end = name;
		struct dentry *d;
		struct node *n;
		uint32_t len;

		while (*name == '/')
			name++;
		for (end = name; *end && *end != '/'; end++)
			;
		len = (uint32_t)(end - name);
		if (!len || end - name > NAME_MAX || (len == 1 && name[0] == '.') ||
		    (len == 2 && name[0] == '.' && name[1] == '.'))
			return NULL;
		while (*end == '/')
			end++;
		if (at.node->flags & NODE_PROC)
			return NULL;
		if (!*end) {
			*last = name;
			*last_len = len;
			return at.node;
		}
		d = dir_find(at.node, name, len, name_hash(name, len));
		n = d ? d->node : NULL;
		if (!n) {
			n = node_create(at.node->fs, S_IFDIR | 0755, 0, 0);
			if (!n || dir_link(at.node, name, len, name_hash(name, len), n) < 0)
				return NULL;
		}
		if (!IS_DIR(n))
			return NULL;
		at.node = n;
		mount_cross(&at);
		name = end;
	}
}

static bool load_data(struct loader *l, struct node *n, const struct cpio_entry *e)
{
	uint64_t whole = e->size & ~(PAGE - 1);

	if (!e->size)
		return true;
	if (node_resize(n, e->size) < 0)
		return false;
	n->flags &= ~(uint32_t)NODE_SPARSE;
	if (e->data % PAGE)
		whole = 0;
	if (whole) {
		struct moving *v = grow(l->moving, l->nmoving, &l->moving_room, sizeof *v);

		if (!v) {
			whole = 0;
		} else {
			l->moving = v;
			v[l->nmoving].node = n;
			v[l->nmoving++].data = e->data;
		}
	}
	/* The bytes that will not be moved are written now. */
	return e->size == whole ||
	       node_write(n, whole, l->archive + e->data + whole, (size_t)(e->size - whole)) == 0;
}

static struct node *find_hard(struct loader *l, const struct cpio_entry *e)
{
	for (size_t i = 0; i < l->nhard; i++)
		if (l->hard[i].ino == e->ino && l->hard[i].dev == e->dev)
			return l->hard[i].node;
	return NULL;
}

static void note_hard(struct loader *l, const struct cpio_entry *e, struct node *n)
{
	struct hard *v = grow(l->hard, l->nhard, &l->hard_room, sizeof *v);

	if (!v)
		return;
	l->hard = v;
	v[l->nhard].ino = e->ino;
	v[l->nhard].dev = e->dev;
	v[l->nhard++].node = n;
}

static struct node *make(struct loader *l, struct node *dir, const struct cpio_entry *e)
{
	struct node *n = node_create(dir->fs, e->mode, e->uid, e->gid);

	if (!n)
		return NULL;
	node_mark(n);
	switch (e->mode & S_IFMT) {
	case S_IFLNK:
		if (!e->size || e->size >= PATH_MAX)
			return NULL;
		n->target = strndup(l->archive + e->data, (size_t)e->size);
		if (!n->target)
			return NULL;
		n->size = strlen(n->target);
		break;
	case S_IFCHR:
	case S_IFBLK:
		n->rdev = TERN_MKDEV(e->rdev_major, e->rdev_minor);
		break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return NULL;
	}
	return n;
}

static void set_attributes(struct node *n, const struct cpio_entry *e)
{
	n->mode = (n->mode & S_IFMT) | (e->mode & 07777);
	n->uid = e->uid;
	n->gid = e->gid;
	n->mtime.tv_sec = n->atime.tv_sec = e->mtime;
	n->mtime.tv_nsec = n->atime.tv_nsec = 0;
}

static long load_entry(void *ctx, const struct cpio_entry *e)
{
	struct loader *l = ctx;
	bool is_dir = (e->mode & S_IFMT) == S_IFDIR;
	struct node *dir, *n = NULL;
	struct dentry *old;
	const char *name;
	uint32_t len, hash;

	if (!*e->name) {
		if (is_dir)
			set_attributes(root_mount->root, e);
		return 0;
	}
	dir = find_dir(e->name, &name, &len);
	if (!dir)
		return skip(l);
	hash = name_hash(name, len);
	old = dir_find(dir, name, len, hash);
	if (old && IS_DIR(old->node)) {
		/* A mount hides the directory, so the archive's attributes are not set. */
		if (is_dir && !old->node->mounts)
			set_attributes(old->node, e);
		return is_dir ? 0 : skip(l);
	}
	if (!is_dir && e->nlink > 1)
		n = find_hard(l, e);
	if (old && old->node == n && n) {
		old = NULL;
	} else {
		if (old)
			dir_unlink(old);
		if (!n) {
			n = make(l, dir, e);
			if (n && e->nlink > 1 && (e->mode & S_IFMT) == S_IFREG)
				note_hard(l, e, n);
		}
		if (!n || dir->fs != n->fs || dir_link(dir, name, len, hash, n) < 0)
			return skip(l);
	}
	if ((e->mode & S_IFMT) == S_IFREG && IS_REG(n) && !n->size && !load_data(l, n, e)) {
		server_log("boot archive: no memory for %s", e->name);
		return skip(l);
	}
	set_attributes(n, e);
	return 0;
}

static void move_pages(const struct loader *l, int archive)
{
	for (size_t i = 0; i < l->nmoving; i++) {
		struct node *n = l->moving[i].node;
		uint64_t whole = n->size & ~(PAGE - 1), done = 0;
		long r;

		while (done < whole && (r = tern_memobj_supply(n->memobj, done, archive, l->moving[i].data + done,
							       whole - done)) > 0)
			done += (uint64_t)r;
		while (done < whole) {
			static char page[PAGE];

			if (tern_memobj_read(archive, l->moving[i].data + done, page, PAGE) !=
				    (long)PAGE ||
			    node_write(n, done, page, PAGE) < 0) {
				server_log("boot archive: no memory for all of it");
				return;
			}
			done += PAGE;
		}
	}
}

void initrd_load(void)
{
	struct loader l = { 0 };
	int archive = server_boot->initrd;
	uint64_t size = server_boot->initrd_size;
	long at, r;

	if (archive < 0 || !size)
		return;
	at = tern_aspace_map(-1, 0, size, PROT_READ, PROT_READ, MAP_SHARED, archive, 0);
	if (at < 0) {
		server_log("boot archive: cannot be mapped (error %ld)", -at);
		return;
	}
	l.archive = (const char *)at;
	r = cpio_read(l.archive, (size_t)size, load_entry, &l);
	if (r < 0)
		server_log("boot archive: it is damaged; what came before is there");
	if (l.skipped)
		server_log("boot archive: %u entries left out", l.skipped);
	tern_aspace_unmap(-1, (uint64_t)at, size);
	/* Files that a later entry has replaced are still marked and not freed (node_reap
	 * below), so every node in l.moving exists. */
	move_pages(&l, archive);
	node_reap();
	free(l.moving);
	free(l.hard);
	tern_close(archive);
}
