/* The walk from a path to a node, and back from a node to its path.
 *
 * The walk stands at a place (node and mount).  What is left to walk is the rest of the path and,
 * when a symbolic link was met, a stack of rests; link texts live in their nodes and are walked
 * where they are.  Nothing is allocated and no reference is held: nothing is freed before the next
 * request.  A path that ends in a slash names a directory and follows a link, except where the
 * name itself is meant (WALK_PARENT).
 */
#include "vfs.h"

#define LINKS_MAX 40

const char *walk_path[2];

void request_begin(struct request *r, struct tern_msg *m)
{
	struct file *root = m->root >= TERN_REF_FOREIGN ? NULL : file_of(m->root);

	node_reap();
	r->m = m;
	r->cred = cred_of(m);
	if (root) {
		r->root = root->at;
	} else {
		r->root.mount = root_mount;
		r->root.node = root_mount->root;
		mount_cross(&r->root);
	}
}

/* The place that reference 0 or 1 stands for. */
long request_start(struct request *r, unsigned ref, struct place *at)
{
	uint64_t badge = r->m->ref[ref];
	struct file *f;

	if (badge == TERN_REF_BAD) {
		/* Only pm may call without any root: when it starts init, there is none yet. */
		if (r->m->badge != TERN_BADGE_FROM_PM || r->m->root != TERN_REF_BAD)
			return -EBADF;
		*at = r->root;
		return 0;
	}
	if (badge == TERN_REF_FOREIGN)
		return -ENOTDIR;
	f = file_of(badge);
	if (!f)
		return -ENOTDIR; /* a session of vfs's that is no file description: inotify */
	*at = f->at;
	return 0;
}

static inline bool same_place(struct place a, struct place b)
{
	return a.node == b.node && a.mount == b.mount;
}

static void go_up(struct place *cur, struct place root)
{
	for (;;) {
		if (same_place(*cur, root))
			return;
		if (cur->node != cur->mount->root) {
			cur->node = node_parent(cur->node);
			break;
		}
		if (!cur->mount->parent)
			return;
		cur->node = cur->mount->point;
		cur->mount = cur->mount->parent;
	}
	if (cur->node->mounts)
		mount_cross(cur);
}

static inline struct node *find_child(struct request *r, struct node *dir, const char *name,
				      uint32_t len, uint32_t hash, long *error)
{
	struct dentry *d;

	*error = 0;
	if (dir->flags & NODE_PROC)
		return proc_lookup(r, dir, name, len, error);
	d = dir_find(dir, name, len, hash);
	return d ? d->node : NULL;
}

long walk(struct request *r, unsigned ref, const char *path, unsigned flags, struct walk *w)
{
	const char *stack[LINKS_MAX];
	unsigned depth = 0, links = 0;
	const char *p = path;
	struct place cur, start = { 0 }, root = r->root;
	long err;

	w->foreign_fd = -1;
	w->slash = false;
	w->last = LAST_ROOT;
	if (*p != '/' || flags & (WALK_IN_ROOT | WALK_BENEATH)) {
		err = request_start(r, ref, &start);
		if (err < 0) {
			/* The empty path means the descriptor itself, and it is another
			 * server's. */
			if (err == -ENOTDIR && !*p && flags & WALK_EMPTY && flags & WALK_FOREIGN) {
				w->foreign_fd = (int)(int32_t)r->m->args[0];
				w->at.node = NULL;
				return 0;
			}
			return *p || flags & WALK_EMPTY ? err : -ENOENT;
		}
		if (flags & WALK_IN_ROOT)
			root = start;
	}
	cur = *p == '/' ? root : start;
	if (*p == '/' && flags & WALK_BENEATH)
		return -EXDEV;
	w->dir = w->at = cur;
	if (!*p)
		return flags & WALK_EMPTY ? 0 : -ENOENT;

	for (;;) {
		const char *name, *rest;
		struct place next;
		uint32_t len, hash = 0;
		bool last;

		while (*p == '/')
			p++;
		if (!*p) {
			if (!depth)
				break;
			p = stack[--depth];
			continue;
		}
		if (!IS_DIR(cur.node))
			return -ENOTDIR;
		err = node_access(cur.node, 1, r->cred);
		if (err < 0)
			return err;
		for (name = p;; p++) {
			unsigned char c = (unsigned char)*p;

			if (c <= '/' && (c == '/' || !c)) /* one comparison for most characters */
				break;
			hash = name_hash_add(hash, c);
		}
		len = (uint32_t)(p - name);
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		for (rest = p; *rest == '/'; rest++)
			;
		last = !*rest && !depth;
		if (last && rest != p)
			w->slash = true;
		p = rest;
		w->dir = cur;
		w->name = name;
		w->len = len;
		w->hash = hash;
		if (name[0] == '.' && len == 1) {
			w->last = LAST_DOT;
			w->at = cur;
			continue;
		}
		if (name[0] == '.' && name[1] == '.' && len == 2) {
			struct mount *was = cur.mount;

			if (flags & WALK_BENEATH && same_place(cur, start))
				return -EXDEV;
			go_up(&cur, root);
			if (flags & WALK_NO_XDEV && cur.mount != was)
				return -EXDEV;
			w->last = LAST_DOTDOT;
			w->at = cur;
			continue;
		}
		w->last = LAST_NORM;
		next.mount = cur.mount;
		next.node = find_child(r, cur.node, name, len, hash, &err);
		if (!next.node) {
			if (err < 0)
				return err;
			w->at = next;
			return last && flags & WALK_CREATE ? 0 : -ENOENT;
		}
		if (next.node->mounts) {
			mount_cross(&next);
			if (flags & WALK_NO_XDEV && next.mount != cur.mount)
				return -EXDEV;
		}
		if (IS_LNK(next.node) &&
		    (!last || (!(flags & WALK_PARENT) && (flags & WALK_FOLLOW || w->slash)))) {
			const char *text = NULL;
			int fd = -1;

			if (++links > LINKS_MAX || flags & WALK_NO_SYMLINKS)
				return -ELOOP;
			if (!(next.node->flags & NODE_PROC)) {
				text = next.node->target;
			} else {
				err = proc_follow(r, next.node, &text, &next, &fd);
				if (err < 0)
					return err;
				if (!text && flags & (WALK_NO_MAGIC | WALK_BENEATH | WALK_IN_ROOT))
					return -ELOOP;
			}
			if (fd >= 0) {
				if (!last || w->slash)
					return -ENOTDIR;
				if (!(flags & WALK_FOREIGN))
					return -EACCES;
				w->foreign_fd = fd;
				w->at = next;
				return 0;
			}
			if (text) {
				if (!*text)
					return -ENOENT;
				if (*p)
					stack[depth++] = p;
				p = text;
				if (*p == '/') {
					if (flags & WALK_BENEATH)
						return -EXDEV;
					if (flags & WALK_NO_XDEV && cur.mount != root.mount)
						return -EXDEV;
					cur = root;
				}
				w->last = LAST_ROOT;
				w->dir = w->at = cur;
				continue;
			}
			if (flags & WALK_NO_XDEV && next.mount != cur.mount)
				return -EXDEV;
		}
		cur = next;
		w->at = cur;
	}
	if (w->slash && !(flags & WALK_CREATE) && !IS_DIR(w->at.node))
		return -ENOTDIR;
	return 0;
}

long walk_window(struct request *r, unsigned ref, unsigned win, unsigned flags, struct walk *w)
{
	const struct tern_msg *m = r->m;

	walk_path[ref] = server_page;
	if (win || !m->word[0] || m->op & TERN_MSG_FORWARDED) {
		static char buffer[2][PATH_MAX];
		long n = tern_copy_str(m->token, win, buffer[ref], PATH_MAX);

		if (n < 0)
			return n;
		walk_path[ref] = buffer[ref];
	}
	return walk(r, ref, walk_path[ref], flags, w);
}

/* ---- from node to path ---- */

/* Puts text in front of the string at p, inside buf.  Returns its new beginning; NULL: no room. */
static char *prepend(char *buf, char *p, const char *text, size_t len)
{
	if (!p || (size_t)(p - buf) < len)
		return NULL;
	p -= len;
	memcpy(p, text, len);
	return p;
}

/* Puts "/" and the name of n, which is not its mount's root, in front of the string at p. */
static char *prepend_name(char *buf, char *p, struct node *n)
{
	const struct dentry *d = n->links ? n->links : n->ghost;

	if (!d)
		return NULL;
	p = prepend(buf, p, d->name, d->len);
	return prepend(buf, p, "/", 1);
}

char *place_path(struct place at, struct place root, char *buf, size_t size, bool *reached)
{
	char *end = buf + size - 1, *p = end;

	*p = '\0';
	*reached = false;
	while (p && !same_place(at, root)) {
		if (at.node == at.mount->root) {
			if (!at.mount->parent)
				break;
			at.node = at.mount->point;
			at.mount = at.mount->parent;
			continue;
		}
		if (at.node->flags & NODE_PROC) {
			size_t room = (size_t)(p - buf) + 1;
			char saved = *p;
			char *q = proc_path(at.node, buf, room);

			*p = saved; /* proc_path wrote its final NUL there */
			p = q;
			at.node = at.mount->root;
			continue;
		}
		if (!at.node->links && !at.node->ghost)
			break;
		p = prepend_name(buf, p, at.node);
		at.node = node_parent(at.node);
	}
	if (!p)
		return NULL;
	if (same_place(at, root))
		*reached = true;
	if (!*p)
		p = prepend(buf, p, "/", 1);
	return p;
}

char *node_path(struct node *n, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	struct place at = { n, mount_of(n) };
	struct place root = { root_mount->root, root_mount };
	bool gone = !n->nlink && !(n->flags & NODE_PROC), reached;
	size_t tail = gone ? sizeof deleted - 1 : 0;
	char *p, *end = buf + size - 1 - tail;

	if (size < 16 + tail)
		return NULL;
	if (n->flags & NODE_MEMFD || (!n->links && !n->ghost && gone)) {
		memcpy(end, deleted, sizeof deleted);
		if (n->flags & NODE_MEMFD)
			p = prepend(buf, end, n->target, strlen(n->target));
		else
			p = end;
		return prepend(buf, p, n->flags & NODE_MEMFD ? "/memfd:" : "/", n->flags & NODE_MEMFD ? 7 : 1);
	}
	if (!at.mount)
		return NULL;
	p = place_path(at, root, buf, size - tail, &reached);
	if (p && gone)
		memcpy(end, deleted, sizeof deleted);
	return p;
}
