/* Nodes and their names: the in-memory tree that everything in vfs stands on.
 *
 * All names are in one hash table, keyed by directory and name; each directory also has its own
 * names in a list ordered by cookie, which getdents goes along.  A new name goes to the end of
 * the list and cookies only grow, so a position stays good whatever is removed.
 *
 * These hold one reference each of a node: a name of it, a description, a mount whose root or
 * point it is, a ghost whose directory it is.  nlink follows POSIX and does not decide when a
 * node is freed.  A node whose last name goes while it is in use keeps that name as its ghost,
 * for /proc's " (deleted)" and for "..".
 */
#include "vfs.h"

#include <stdlib.h>

#if TERN_DEBUG
#define TREE_ASSERT(x) ((x) ? (void)0 : server_panic("tree: %s", #x))
#else
#define TREE_ASSERT(x) ((void)0)
#endif

struct pool nodes;
static struct dentry **buckets;
static uint32_t nbuckets, nnames;
static uint64_t next_ino = 1;
static uint32_t next_dev = 20;
struct node *node_zombies;

static struct tern_timespec clock_now(void)
{
	struct tern_timespec ts = { 0, 0 };

	tern_syscall(113, TERN_CLOCK_REALTIME, TERN_PTR(&ts), 0, 0, 0, 0);
	return ts;
}

#ifdef __riscv
/* The real time.  Every write needs it, so the kernel is asked only once in half a second, and
 * the time counter tells how much later it is now. */
struct tern_timespec vfs_now(void)
{
	static struct tern_timespec base;
	static uint64_t base_ticks;
	uint64_t hz = server_boot->boot.timebase_hz, ticks;
	struct tern_timespec ts;

	__asm__ volatile("rdtime %0" : "=r"(ticks));
	if (!base_ticks || !hz || ticks - base_ticks > hz / 2) {
		base = clock_now();
		/* The counter is read after the clock, so the times given here are rather a little
		 * behind than ahead of what programs read from the clock. */
		__asm__ volatile("rdtime %0" : "=r"(base_ticks));
		return base;
	}
	ts = base;
	ts.tv_nsec += (int64_t)((ticks - base_ticks) * 1000000000u / hz);
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}
#else
struct tern_timespec vfs_now(void)
{
	return clock_now();
}
#endif

void tree_init(void)
{
	pool_init(&nodes, sizeof(struct node));
	nbuckets = 1024;
	buckets = calloc(nbuckets, sizeof *buckets);
	if (!buckets)
		server_panic("no memory for its names");
}

struct fs *fs_create(const char *type, uint32_t magic)
{
	struct fs *fs = calloc(1, sizeof *fs);

	if (!fs)
		return NULL;
	fs->type = type;
	fs->magic = magic;
	fs->dev = next_dev++;
	return fs;
}

void fs_try_free(struct fs *fs)
{
	if (!fs->fixed && !fs->mounts && !fs->nodes)
		free(fs);
}

struct node *node_create(struct fs *fs, uint32_t mode, uint32_t uid, uint32_t gid)
{
	struct node *n = pool_alloc(&nodes);

	if (!n)
		return NULL;
	n->mode = mode;
	n->uid = uid;
	n->gid = gid;
	n->fs = fs;
	n->memobj = -1;
	if (!fs->proc) {
		n->ino = next_ino++;
		n->atime = n->mtime = n->ctime = n->btime = vfs_now();
	}
	if (IS_DIR(n)) {
		n->nlink = 2;
		if (!fs->proc)
			n->dir.next_cookie = 2;
	}
	fs->nodes++;
	return n;
}

static void ghost_end(struct node *n)
{
	if (!n->ghost)
		return;
	node_put(n->ghost->dir);
	free(n->ghost);
	n->ghost = NULL;
	closing_matters(-1);
}

void node_destroy(struct node *n)
{
	struct fs *fs = n->fs;

	lock_node_freed(n);
	xattrs_free(n);
	if (n->watches)
		notify_end(n);
	if (n->memobj >= 0)
		tern_close(n->memobj);
	if (n->flags & NODE_PROC)
		proc_forget(n);
	else if (IS_LNK(n) || n->flags & NODE_MEMFD)
		free(n->target);
	ghost_end(n);
	pool_free(&nodes, n);
	fs->nodes--;
	fs_try_free(fs);
}

void node_mark(struct node *n)
{
	if (n->flags & NODE_ZOMBIE)
		return;
	n->flags |= NODE_ZOMBIE;
	n->zombie_next = node_zombies;
	node_zombies = n;
}

void node_put(struct node *n)
{
	if (--n->refs == 0)
		node_mark(n);
}

void node_reap_all(void)
{
	while (node_zombies) {
		struct node *n = node_zombies;

		node_zombies = n->zombie_next;
		n->flags &= ~(uint32_t)NODE_ZOMBIE;
		if (!n->refs)
			node_destroy(n);
	}
}

struct node *node_parent(struct node *n)
{
	if (n->flags & NODE_PROC)
		return proc_parent(n);
	if (n->links)
		return n->links->dir;
	return n->ghost ? n->ghost->dir : n;
}

bool node_is_under(struct node *n, struct node *ancestor)
{
	for (;;) {
		struct node *parent;

		if (n == ancestor)
			return true;
		parent = node_parent(n);
		if (parent == n)
			return false;
		n = parent;
	}
}

/* ---- names ---- */

uint32_t name_hash(const char *name, uint32_t len)
{
	uint32_t h = 0;

	for (uint32_t i = 0; i < len; i++)
		h = name_hash_add(h, (unsigned char)name[i]);
	return h;
}

static inline uint32_t spread(const struct node *dir, uint32_t hash)
{
	uint32_t h = (hash ^ (uint32_t)dir->ino * 0x85ebca6bu) * 0x9e3779b1u;

	return h ^ h >> 15;
}

/* Names are short and not aligned, so they are compared by bytes, four a turn. */
static inline bool same_name(const char *a, const char *b, uint32_t n)
{
	for (; n >= 4; n -= 4, a += 4, b += 4)
		if (a[0] != b[0] || a[1] != b[1] || a[2] != b[2] || a[3] != b[3])
			return false;
	for (; n; n--)
		if (*a++ != *b++)
			return false;
	return true;
}

struct dentry *dir_find(const struct node *dir, const char *name, uint32_t len, uint32_t hash)
{
	uint32_t h = spread(dir, hash);
	struct dentry *d = buckets[h & (nbuckets - 1)];

	for (; d; d = d->hash_next)
		if (d->hash == h && d->dir == dir && d->len == len && same_name(d->name, name, len))
			return d;
	return NULL;
}

/* Doubles the buckets when there are more names than buckets.  Without memory for that the table
 * goes on with longer chains. */
static void table_grow(void)
{
	struct dentry **bigger;

	if (nnames < nbuckets || nbuckets >= 1u << 24)
		return;
	bigger = calloc(nbuckets * 2, sizeof *bigger);
	if (!bigger)
		return;
	for (uint32_t i = 0; i < nbuckets; i++) {
		while (buckets[i]) {
			struct dentry *d = buckets[i];

			buckets[i] = d->hash_next;
			d->hash_next = bigger[d->hash & (nbuckets * 2 - 1)];
			bigger[d->hash & (nbuckets * 2 - 1)] = d;
		}
	}
	free(buckets);
	buckets = bigger;
	nbuckets *= 2;
}

/* Puts d into the hash table and at the end of its directory's list. */
static void name_insert(struct dentry *d)
{
	struct node *dir = d->dir;

	table_grow();
	d->hash_next = buckets[d->hash & (nbuckets - 1)];
	buckets[d->hash & (nbuckets - 1)] = d;
	nnames++;
	d->cookie = dir->dir.next_cookie++;
	d->next = NULL;
	d->prev = dir->dir.last;
	if (dir->dir.last)
		dir->dir.last->next = d;
	else
		dir->dir.first = d;
	dir->dir.last = d;
	dir->dir.count++;
}

static void name_remove(struct dentry *d)
{
	struct node *dir = d->dir;
	struct dentry **p = &buckets[d->hash & (nbuckets - 1)];

	while (*p != d)
		p = &(*p)->hash_next;
	*p = d->hash_next;
	nnames--;
	if (d->prev)
		d->prev->next = d->next;
	else
		dir->dir.first = d->next;
	if (d->next)
		d->next->prev = d->prev;
	else
		dir->dir.last = d->prev;
	dir->dir.count--;
	dir->dir.removals++;
}

static void link_remove(struct dentry *d)
{
	struct dentry **p = &d->node->links;

	while (*p != d)
		p = &(*p)->link_next;
	*p = d->link_next;
}

static void link_insert(struct dentry *d, struct node *n)
{
	d->node = n;
	d->link_next = n->links;
	n->links = d;
}

static struct dentry *name_create(struct node *dir, const char *name, uint32_t len, uint32_t hash)
{
	struct dentry *d = malloc(sizeof *d + len + 1);

	if (!d)
		return NULL;
	memset(d, 0, sizeof *d);
	d->dir = dir;
	d->hash = spread(dir, hash);
	d->len = len;
	memcpy(d->name, name, len);
	d->name[len] = '\0';
	return d;
}

long dir_link(struct node *dir, const char *name, uint32_t len, uint32_t hash, struct node *n)
{
	struct dentry *d = name_create(dir, name, len, hash);

	if (!d)
		return -ENOMEM;
	ghost_end(n);
	name_insert(d);
	link_insert(d, n);
	node_get(n);
	if (IS_DIR(n))
		dir->nlink++;
	else
		n->nlink++;
	return 0;
}

void dir_unlink(struct dentry *d)
{
	struct node *n = d->node, *dir = d->dir;

	name_remove(d);
	link_remove(d);
	if (IS_DIR(n)) {
		dir->nlink--;
		n->nlink = 0;
	} else {
		n->nlink--;
	}
	if (!n->links && n->refs > 1 && !n->ghost) {
		n->ghost = d;
		node_get(dir);
		closing_matters(1);
	} else {
		free(d);
	}
	node_put(n);
}

long dir_move(struct dentry *d, struct node *dir, const char *name, uint32_t len, uint32_t hash)
{
	struct dentry *to = name_create(dir, name, len, hash);
	struct node *n = d->node;

	if (!to)
		return -ENOMEM;
	name_remove(d);
	link_remove(d);
	name_insert(to);
	link_insert(to, n);
	if (IS_DIR(n)) {
		d->dir->nlink--;
		dir->nlink++;
	}
	free(d);
	return 0;
}

void dir_exchange(struct dentry *a, struct dentry *b)
{
	struct node *na = a->node, *nb = b->node;

	link_remove(a);
	link_remove(b);
	link_insert(a, nb);
	link_insert(b, na);
	if (IS_DIR(na) != IS_DIR(nb)) {
		a->dir->nlink += IS_DIR(nb) ? 1u : -1u;
		b->dir->nlink += IS_DIR(na) ? 1u : -1u;
	}
}

struct dentry *dir_from(const struct node *dir, uint64_t cookie)
{
	struct dentry *d = dir->dir.first;

	while (d && d->cookie < cookie)
		d = d->next;
	return d;
}

void fs_clear(struct node *root)
{
	struct node *dir = root;

	for (;;) {
		struct dentry *d = dir->dir.first;

		if (!d) {
			if (dir == root)
				return;
			dir = node_parent(dir);
			dir_unlink(dir->dir.first);
		} else if (IS_DIR(d->node) && d->node->dir.first) {
			/* Goes down.  d is the first name of its directory and stays it, so the
			 * way back (above) finds and unlinks it by that. */
			dir = d->node;
		} else {
			dir_unlink(d);
		}
	}
}

void tree_check(const struct node *dir)
{
	uint64_t last = 1;
	uint32_t count = 0, subdirs = 0;

	for (const struct dentry *d = dir->dir.first; d; d = d->next) {
		TREE_ASSERT(d->dir == dir);
		TREE_ASSERT(d->cookie > last);
		TREE_ASSERT(d->node->refs > 0);
		TREE_ASSERT(d->next ? d->next->prev == d : dir->dir.last == d);
		TREE_ASSERT(dir_find(dir, d->name, d->len, name_hash(d->name, d->len)) == d);
		last = d->cookie;
		count++;
		subdirs += IS_DIR(d->node);
	}
	TREE_ASSERT(count == dir->dir.count);
	TREE_ASSERT(last < dir->dir.next_cookie);
	TREE_ASSERT(dir->nlink == 2 + subdirs || dir->nlink == 0);
	(void)last;
	(void)count;
	(void)subdirs;
}
