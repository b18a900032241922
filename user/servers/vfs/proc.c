/* The names of /proc.  What is in its files comes from pm: an open is forwarded there; only the
 * mount tables are vfs's own.
 *
 * Its nodes are made as they are walked to and kept in a table only while something refers to
 * them, found by what they are: type, pid and a number.  Which processes there are is read from the
 * table that pm shares.  The entries of a process's directory and the tree of the system's files
 * are the lists of server/proc.h.
 */
#include "vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <server/proc.h>

enum proc_type {
	PROC_ROOT,
	PROC_SELF,
	PROC_THREAD_SELF,
	PROC_MOUNTS,  /* the link /proc/mounts */
	PROC_SYSDIR,  /* n: index of its first system file << 8 | length of its path with "/" */
	PROC_SYSFILE, /* n: index in system_files */
	PROC_PID,
	PROC_PIDFILE, /* n: enum tern_proc_file */
	PROC_EXE,
	PROC_CWD,
	PROC_ROOTDIR,
	PROC_FD,
	PROC_FDLINK, /* n: descriptor */
	PROC_FDINFO,
	PROC_FDINFOFILE, /* n: descriptor */
	PROC_OBJECT, /* n: descriptor; a stand-in for what is behind it (follow_object) */
	PROC_TASK,
	PROC_TID,     /* n: tid */
	PROC_TIDFILE, /* n: tid << 8 | enum tern_proc_file */
};

struct proc_entry {
	const char *name;
	uint32_t mode;
	uint16_t type, number;
};

#define SYSTEM_ENTRY(id, name, mode) { name, S_IFREG | (mode), PROC_SYSFILE, TERN_PROC_##id },
static const struct proc_entry system_files[] = { TERN_PROC_SYSTEM_FILES(SYSTEM_ENTRY) };
#define NSYSTEM (sizeof system_files / sizeof system_files[0])

#define PID_ENTRY(id, name, mode) { name, S_IFREG | (mode), PROC_PIDFILE, TERN_PROC_##id },
static const struct proc_entry pid_entries[] = {
	{ "task", S_IFDIR | 0555, PROC_TASK, 0 },
	{ "fd", S_IFDIR | 0500, PROC_FD, 0 },
	{ "fdinfo", S_IFDIR | 0555, PROC_FDINFO, 0 },
	{ "cwd", S_IFLNK | 0777, PROC_CWD, 0 },
	{ "root", S_IFLNK | 0777, PROC_ROOTDIR, 0 },
	{ "exe", S_IFLNK | 0777, PROC_EXE, 0 },
	TERN_PROC_PID_FILES(PID_ENTRY)
};
#define NPID (sizeof pid_entries / sizeof pid_entries[0])

#define TASK_ENTRY(id, name, mode) { name, S_IFREG | (mode), PROC_TIDFILE, TERN_PROC_##id },
static const struct proc_entry task_entries[] = { TERN_PROC_TASK_FILES(TASK_ENTRY) };
#define NTASK (sizeof task_entries / sizeof task_entries[0])

static const struct proc_entry root_entries[] = {
	{ "self", S_IFLNK | 0777, PROC_SELF, 0 },
	{ "thread-self", S_IFLNK | 0777, PROC_THREAD_SELF, 0 },
	{ "mounts", S_IFLNK | 0777, PROC_MOUNTS, 0 },
};
#define NROOT (sizeof root_entries / sizeof root_entries[0])

/* The offsets at which the system's files and the pids begin when /proc itself is listed. */
#define POS_SYSTEM (2 + NROOT)
#define POS_PIDS 0x10000u

#define NBUCKETS 64

const struct tern_pid_entry *pidmap;
static struct fs *proc_fs;
static struct node *root_node;
static struct node *buckets[NBUCKETS];

static bool pid_alive(const struct request *r, uint32_t pid)
{
	if (!pid || pid >= TERN_PID_MAX)
		return false;
	return (pidmap && pidmap[pid].state) || pid == TERN_MSG_PID(r->m->who);
}

static uint32_t pid_uid(const struct request *r, uint32_t pid)
{
	if (pidmap)
		return pidmap[pid].uid;
	return r->cred->euid;
}

static uint64_t ino_of(uint32_t type, uint32_t pid, uint32_t n)
{
	return type == PROC_ROOT ? 1 : (uint64_t)pid << 32 | (uint64_t)type << 26 | (n & 0x3ffffff);
}

static struct node **bucket_of(uint32_t type, uint32_t pid, uint32_t n)
{
	return &buckets[(type * 7 + pid * 31 + n * 3) % NBUCKETS];
}

/* The node with this type, pid and number; it is made if there is none.  NULL: no memory. */
static struct node *proc_node(uint32_t type, uint32_t pid, uint32_t n, uint32_t mode, uint32_t uid)
{
	struct node **b = bucket_of(type, pid, n), *x;

	for (x = *b; x; x = x->proc.next)
		if (x->proc.type == type && x->proc.pid == pid && x->proc.n == n)
			break;
	if (!x) {
		x = node_create(proc_fs, mode, uid, uid);
		if (!x)
			return NULL;
		x->flags |= NODE_PROC;
		x->ino = ino_of(type, pid, n);
		x->proc.type = type;
		x->proc.pid = pid;
		x->proc.n = n;
		x->proc.next = *b;
		*b = x;
		x->nlink = IS_DIR(x) ? 2 : 1;
		x->atime = x->mtime = x->ctime = x->btime = vfs_now();
		node_mark(x);
	}
	x->mode = mode;
	x->uid = uid;
	x->gid = pidmap && pid < TERN_PID_MAX ? pidmap[pid].gid : uid;
	x->size = IS_LNK(x) ? 64 : 0;
	return x;
}

void proc_forget(struct node *n)
{
	struct node **p = bucket_of(n->proc.type, n->proc.pid, n->proc.n);

	while (*p && *p != n)
		p = &(*p)->proc.next;
	if (*p)
		*p = n->proc.next;
}

struct fs *proc_init(struct node **root)
{
	proc_fs = fs_create("proc", PROC_MAGIC);
	if (!proc_fs)
		server_panic("no memory for /proc");
	proc_fs->proc = proc_fs->fixed = true;
	root_node = proc_node(PROC_ROOT, 0, 0, S_IFDIR | 0555, 0);
	if (!root_node)
		server_panic("no memory for /proc");
	node_get(root_node);
	*root = root_node;
	return proc_fs;
}

/* ---- the system's files: a tree of paths ---- */

static const char *dir_path(uint32_t n, uint32_t *len)
{
	*len = n & 0xff;
	return system_files[n >> 8].name;
}

/* The length of the component of system file i that follows the directory `prefix` (len bytes)
 * in its path; 0: it is not in that directory.  *is_dir: more components follow, so it is a
 * directory. */
static uint32_t component(size_t i, const char *prefix, uint32_t len, bool *is_dir)
{
	const char *name = system_files[i].name, *slash;

	if (strncmp(name, prefix, len))
		return 0;
	slash = strchr(name + len, '/');
	*is_dir = slash != NULL;
	return (uint32_t)(slash ? (size_t)(slash - (name + len)) : strlen(name + len));
}

/* Whether no system file before i has the same component (clen bytes) in that directory: a
 * directory is listed only with the first of its files. */
static bool first_of(size_t i, const char *prefix, uint32_t len, uint32_t clen)
{
	for (size_t k = 0; k < i; k++) {
		bool is_dir;

		if (component(k, prefix, len, &is_dir) == clen &&
		    !memcmp(system_files[k].name + len, system_files[i].name + len, clen))
			return false;
	}
	return true;
}

static struct node *system_node(size_t i, uint32_t path_len, bool is_dir)
{
	if (is_dir)
		return proc_node(PROC_SYSDIR, 0, (uint32_t)i << 8 | path_len, S_IFDIR | 0555, 0);
	return proc_node(PROC_SYSFILE, 0, (uint32_t)i, system_files[i].mode, 0);
}

static struct node *system_lookup(const char *prefix, uint32_t plen, const char *name, uint32_t len,
				  long *error)
{
	for (size_t i = 0; i < NSYSTEM; i++) {
		bool is_dir;
		struct node *n;

		if (component(i, prefix, plen, &is_dir) != len ||
		    memcmp(system_files[i].name + plen, name, len))
			continue;
		n = system_node(i, plen + len + 1, is_dir);
		*error = n ? 0 : -ENOMEM;
		return n;
	}
	return NULL;
}

/* The directory that the first `len` characters of system file i's path name; len 0: /proc
 * itself. */
static struct node *system_dir(size_t i, uint32_t len)
{
	size_t first = 0;
	struct node *n;

	if (!len)
		return root_node;
	while (strncmp(system_files[first].name, system_files[i].name, len))
		first++;
	n = system_node(first, len, true);
	return n ? n : root_node;
}

static uint32_t parent_length(const char *path, uint32_t len)
{
	if (len && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	return len;
}

/* ---- lookup ---- */

static bool number(const char *name, uint32_t len, uint32_t *out)
{
	uint32_t v = 0;

	if (!len || len > 9 || (name[0] == '0' && len > 1))
		return false;
	for (uint32_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(name[i] - '0');
	}
	*out = v;
	return true;
}

static const struct proc_entry *find_entry(const struct proc_entry *e, size_t n, const char *name,
					   uint32_t len)
{
	for (; n--; e++)
		if (strlen(e->name) == len && !memcmp(e->name, name, len))
			return e;
	return NULL;
}

/* Copies what is known of a process's descriptors from `fd` on, at most `max`.  Returns how
 * many, or an errno. */
static long handles_of(const struct request *r, uint32_t pid, uint32_t fd, struct tern_handle_info *v,
		       unsigned max)
{
	long h, n;

	if (pid == TERN_MSG_PID(r->m->who))
		return tern_caller_handles(r->m->token, fd, v, max);
	h = tern_process_open(pid);
	if (h < 0)
		return h;
	n = tern_process_handles((int)h, fd, v, max);
	tern_close((int)h);
	return n;
}

/* What is known of one descriptor, or of one of TERN_FD_…; false: the process has none. */
static bool handle_of(const struct request *r, uint32_t pid, uint32_t fd, struct tern_handle_info *info)
{
	return handles_of(r, pid, fd, info, 1) == 1 && info->fd == fd;
}

/* Copies the tids of a process's threads from `tid` on, at most `max`.  Returns how many, or an
 * errno. */
static long threads_of(uint32_t pid, uint32_t tid, uint32_t *v, unsigned max)
{
	long h = tern_process_open(pid), n;

	if (h < 0)
		return h;
	n = tern_threads((int)h, tid, v, max);
	tern_close((int)h);
	return n;
}

static uint32_t link_mode(const struct tern_handle_info *info)
{
	return S_IFLNK | (info->rights & TERN_R_READ ? 0500u : 0) |
	       (info->rights & TERN_R_WRITE ? 0300u : 0);
}

/* 0 if the caller may look into the process that n is about, else -EACCES. */
static long may_look(const struct request *r, const struct node *n)
{
	return n->proc.pid == TERN_MSG_PID(r->m->who) || r->cred->fsuid == n->uid ||
			       capable(r->cred, CAP_DAC_OVERRIDE)
		       ? 0
		       : -EACCES;
}

struct node *proc_lookup(struct request *r, struct node *dir, const char *name, uint32_t len,
			 long *error)
{
	uint32_t pid = dir->proc.pid, v, plen, uid, tid;
	const struct proc_entry *e;
	struct tern_handle_info info;
	const char *prefix;
	struct node *n = NULL;

	*error = 0;
	if (dir->proc.type != PROC_ROOT && dir->proc.type != PROC_SYSDIR && !pid_alive(r, pid))
		return NULL;
	uid = pid ? pid_uid(r, pid) : 0;
	switch (dir->proc.type) {
	case PROC_ROOT:
		if (number(name, len, &v)) {
			if (!pid_alive(r, v))
				return NULL;
			n = proc_node(PROC_PID, v, 0, S_IFDIR | 0555, pid_uid(r, v));
			break;
		}
		e = find_entry(root_entries, NROOT, name, len);
		if (!e)
			return system_lookup("", 0, name, len, error);
		n = proc_node(e->type, 0, 0, e->mode, 0);
		break;
	case PROC_SYSDIR:
		prefix = dir_path(dir->proc.n, &plen);
		return system_lookup(prefix, plen, name, len, error);
	case PROC_PID:
		e = find_entry(pid_entries, NPID, name, len);
		if (!e)
			return NULL;
		n = proc_node(e->type, pid, e->number, e->mode, uid);
		break;
	case PROC_FD:
		*error = may_look(r, dir);
		if (*error < 0 || !number(name, len, &v) || !handle_of(r, pid, v, &info))
			return NULL;
		n = proc_node(PROC_FDLINK, pid, v, link_mode(&info), uid);
		break;
	case PROC_FDINFO:
		*error = may_look(r, dir);
		if (*error < 0 || !number(name, len, &v) || !handle_of(r, pid, v, &info))
			return NULL;
		n = proc_node(PROC_FDINFOFILE, pid, v, S_IFREG | 0444, uid);
		break;
	case PROC_TASK:
		if (!number(name, len, &v) || (v != pid && (threads_of(pid, v, &tid, 1) != 1 || tid != v)))
			return NULL;
		n = proc_node(PROC_TID, pid, v, S_IFDIR | 0555, uid);
		break;
	case PROC_TID:
		e = find_entry(task_entries, NTASK, name, len);
		if (!e)
			return NULL;
		n = proc_node(PROC_TIDFILE, pid, dir->proc.n << 8 | e->number, e->mode, uid);
		break;
	default:
		return NULL;
	}
	if (!n)
		*error = -ENOMEM;
	return n;
}

struct node *proc_parent(struct node *n)
{
	uint32_t len, pid = n->proc.pid;
	const char *path;
	struct node *up = NULL;

	switch (n->proc.type) {
	case PROC_SYSDIR:
		path = dir_path(n->proc.n, &len);
		return system_dir(n->proc.n >> 8, parent_length(path, len));
	case PROC_SYSFILE:
		path = system_files[n->proc.n].name;
		return system_dir(n->proc.n, parent_length(path, (uint32_t)strlen(path)));
	case PROC_PIDFILE:
	case PROC_EXE:
	case PROC_CWD:
	case PROC_ROOTDIR:
	case PROC_FD:
	case PROC_FDINFO:
	case PROC_TASK:
		up = proc_node(PROC_PID, pid, 0, S_IFDIR | 0555, n->uid);
		break;
	case PROC_FDLINK:
		up = proc_node(PROC_FD, pid, 0, S_IFDIR | 0500, n->uid);
		break;
	case PROC_FDINFOFILE:
		up = proc_node(PROC_FDINFO, pid, 0, S_IFDIR | 0555, n->uid);
		break;
	case PROC_TID:
		up = proc_node(PROC_TASK, pid, 0, S_IFDIR | 0555, n->uid);
		break;
	case PROC_TIDFILE:
		up = proc_node(PROC_TID, pid, n->proc.n >> 8, S_IFDIR | 0555, n->uid);
		break;
	default:
		break;
	}
	return up ? up : root_node;
}

struct node *proc_node_by_ident(uint64_t ident)
{
	uint32_t id = (uint32_t)(ident >> 16), what = (uint32_t)(ident & 0xffff);
	uint32_t uid = pidmap && id < TERN_PID_MAX ? pidmap[id].uid : 0;

	for (size_t i = 0; i < NPID; i++)
		if (pid_entries[i].type == PROC_PIDFILE && pid_entries[i].number == what)
			return proc_node(PROC_PIDFILE, id, what, pid_entries[i].mode, uid);
	for (size_t i = 0; i < NTASK; i++)
		if (task_entries[i].number == what)
			return proc_node(PROC_TIDFILE, id, id << 8 | what, task_entries[i].mode, uid);
	for (size_t i = 0; i < NSYSTEM; i++)
		if (system_files[i].number == what)
			return system_node(i, 0, false);
	return NULL;
}

static const char *entry_name(const struct proc_entry *e, size_t n, uint32_t type, uint32_t what)
{
	for (; n--; e++)
		if (e->type == type && e->number == what)
			return e->name;
	return "?";
}

char *proc_path(struct node *n, char *buf, size_t size)
{
	char text[128];
	uint32_t pid = n->proc.pid, what = n->proc.n, len;
	const char *path;
	int k = 0;

	text[0] = '\0';
	switch (n->proc.type) {
	case PROC_SELF:
	case PROC_THREAD_SELF:
	case PROC_MOUNTS:
		k = snprintf(text, sizeof text, "/%s", entry_name(root_entries, NROOT, n->proc.type, 0));
		break;
	case PROC_SYSDIR:
		path = dir_path(what, &len);
		k = snprintf(text, sizeof text, "/%.*s", (int)len - 1, path);
		break;
	case PROC_SYSFILE:
		k = snprintf(text, sizeof text, "/%s", system_files[what].name);
		break;
	case PROC_PID:
		k = snprintf(text, sizeof text, "/%u", (unsigned)pid);
		break;
	case PROC_PIDFILE:
	case PROC_EXE:
	case PROC_CWD:
	case PROC_ROOTDIR:
	case PROC_FD:
	case PROC_FDINFO:
	case PROC_TASK:
		k = snprintf(text, sizeof text, "/%u/%s", (unsigned)pid,
			     entry_name(pid_entries, NPID, n->proc.type, what));
		break;
	case PROC_FDLINK:
	case PROC_FDINFOFILE:
		k = snprintf(text, sizeof text, "/%u/%s/%u", (unsigned)pid,
			     n->proc.type == PROC_FDLINK ? "fd" : "fdinfo", (unsigned)what);
		break;
	case PROC_TID:
		k = snprintf(text, sizeof text, "/%u/task/%u", (unsigned)pid, (unsigned)what);
		break;
	case PROC_TIDFILE:
		k = snprintf(text, sizeof text, "/%u/task/%u/%s", (unsigned)pid,
			     (unsigned)(what >> 8),
			     entry_name(task_entries, NTASK, PROC_TIDFILE, what & 0xff));
		break;
	default:
		break;
	}
	if (k < 0 || (size_t)k >= size)
		return NULL;
	memcpy(buf + size - 1 - k, text, (size_t)k + 1);
	return buf + size - 1 - k;
}

/* ---- links ---- */

static long follow_fd(struct request *r, struct node *n, struct place *at, int *fd)
{
	struct tern_handle_info info;
	struct file *f;
	struct node *to = NULL;
	long err = may_look(r, n);

	if (err < 0)
		return err;
	if (!handle_of(r, n->proc.pid, n->proc.n, &info))
		return -ENOENT;
	if (info.kind == TERN_KIND_FILE) {
		f = file_of(info.badge);
		if (f) {
			*at = f->at;
			return 0;
		}
	}
	if (info.kind == TERN_KIND_FILE || info.kind == TERN_KIND_TTY || info.kind == TERN_KIND_FIFO)
		to = pool_lookup(&nodes, info.ident);
	else if (info.kind == TERN_KIND_PROC)
		to = proc_node_by_ident(info.ident);
	if (to) {
		at->node = to;
		at->mount = mount_of(to);
		if (at->mount)
			return 0;
	}
	*fd = (int)n->proc.n;
	at->node = NULL;
	return 0;
}

static long follow_exe(struct request *r, struct node *n, struct place *at)
{
	long err = may_look(r, n);

	if (err < 0)
		return err;
	at->node = pidmap ? pool_lookup(&nodes, pidmap[n->proc.pid].exe) : NULL;
	if (!at->node)
		return -ENOENT;
	at->mount = mount_of(at->node);
	return at->mount ? 0 : -ENOENT;
}

/* Follows the link to a process's root or working directory. */
static long follow_place(struct request *r, struct node *n, struct place *at)
{
	uint32_t fd = n->proc.type == PROC_ROOTDIR ? TERN_FD_ROOT : TERN_FD_CWD;
	struct tern_handle_info info;
	struct file *f = NULL;
	long err = may_look(r, n);

	if (err < 0)
		return err;
	if (handle_of(r, n->proc.pid, fd, &info))
		f = file_of(info.badge);
	if (!f)
		return -ENOENT;
	*at = f->at;
	return 0;
}

/* Where a link leads, as proc_follow(), but whichever process has the descriptor *fd. */
static long look(struct request *r, struct node *n, const char **text, struct place *at, int *fd)
{
	static char self[48];
	unsigned pid = TERN_MSG_PID(r->m->who);

	*text = NULL;
	switch (n->proc.type) {
	case PROC_SELF:
		snprintf(self, sizeof self, "%u", pid);
		*text = self;
		return 0;
	case PROC_THREAD_SELF:
		snprintf(self, sizeof self, "%u/task/%u", pid, (unsigned)r->m->tid);
		*text = self;
		return 0;
	case PROC_MOUNTS:
		*text = "self/mounts";
		return 0;
	case PROC_FDLINK:
		return follow_fd(r, n, at, fd);
	case PROC_EXE:
		return follow_exe(r, n, at);
	default:
		return follow_place(r, n, at);
	}
}

/* Follows a link to an object that is no file of vfs's and whose server is not asked.  A node
 * that has no more than its type and number stands for it. */
static long follow_object(struct node *n, const struct tern_handle_info *info, struct place *at)
{
	uint32_t type = 0;

	if (info->kind == TERN_KIND_PIPE || info->kind == TERN_KIND_FIFO)
		type = S_IFIFO;
	else if (info->kind == TERN_KIND_SOCKET)
		type = S_IFSOCK;
	n = proc_node(PROC_OBJECT, n->proc.pid, n->proc.n, type | 0600, n->uid);
	if (!n)
		return -ENOMEM;
	n->ino = info->ident;
	at->node = n;
	at->mount = mount_of(n);
	return at->mount ? 0 : -ENOENT;
}

long proc_follow(struct request *r, struct node *n, const char **text, struct place *at, int *fd)
{
	long err = look(r, n, text, at, fd);
	struct tern_handle_info info;

	if (err < 0 || *fd < 0)
		return err;
	if (!handle_of(r, n->proc.pid, n->proc.n, &info))
		return -ENOENT;
	/* If the descriptor is the caller's own and another server's (no badge is shown then),
	 * the call can be forwarded to that server.  With a badge it is vfs's own, an inotify
	 * instance. */
	if (n->proc.pid == TERN_MSG_PID(r->m->who) && !info.badge)
		return 0;
	*fd = -1;
	return follow_object(n, &info, at);
}

long proc_readlink(struct request *r, struct node *n, char *buf, size_t size)
{
	static char path[PATH_MAX];
	struct tern_handle_info info;
	struct place at = { 0 };
	const char *text, *p = NULL;
	bool reached;
	int fd = -1, k;
	long err = look(r, n, &text, &at, &fd);

	if (err < 0)
		return err;
	if (fd < 0) {
		if (!text && (!at.node->nlink || at.node->flags & NODE_MEMFD))
			text = node_path(at.node, path, sizeof path);
		else if (!text)
			text = place_path(at, r->root, path, sizeof path, &reached);
		k = text ? snprintf(buf, size, "%s", text) : -1;
	} else {
		if (!handle_of(r, n->proc.pid, (uint32_t)fd, &info))
			return -ENOENT;
		switch (info.kind) {
		case TERN_KIND_PIPE:
			k = snprintf(buf, size, "pipe:[%lu]", (unsigned long)info.ident);
			break;
		case TERN_KIND_SOCKET:
			k = snprintf(buf, size, "socket:[%lu]", (unsigned long)info.ident);
			break;
		case TERN_KIND_EVENT:
			p = "eventfd";
			break;
		case TERN_KIND_EPOLL:
			p = "eventpoll";
			break;
		case TERN_KIND_PIDFD:
			p = "pidfd";
			break;
		case TERN_KIND_MQ:
			p = "mqueue";
			break;
		case TERN_KIND_TTY:
			p = "tty";
			break;
		case TERN_KIND_FIFO:
			p = "fifo";
			break;
		default:
			p = info.badge ? "inotify" : "object";
			break;
		}
		if (p)
			k = snprintf(buf, size, "anon_inode:[%s]", p);
	}
	if (k < 0)
		return -ENAMETOOLONG;
	return (size_t)k >= size ? (long)size - 1 : k;
}

/* ---- opening ---- */

/* Opens a file whose contents are `text`, and takes over that memory; NULL: -ENOMEM. */
static long give_text(struct place at, uint32_t flags, char *text, size_t n)
{
	bool writes = flags & (O_WRONLY | O_RDWR);
	struct file *f = text && !writes ? file_create(at, flags & (O_ACCMODE | O_NONBLOCK)) : NULL;
	char *fit;

	if (!f) {
		free(text);
		return writes ? -EACCES : -ENOMEM;
	}
	fit = realloc(text, n + 1);
	f->text = fit ? fit : text;
	f->text_size = n;
	return file_give(f, 0);
}

static long open_mounts(struct request *r, struct place at, uint32_t flags, bool info)
{
	const size_t room = 64 * 1024;
	char *text = malloc(room);

	return give_text(at, flags, text, text ? mount_text(r, info, text, room) : 0);
}

/* The flags that fdinfo shows.  Those of another server's description are not known here, so the
 * access mode is taken from the rights of the handle. */
static uint32_t flags_of(const struct tern_handle_info *info, const struct file *f)
{
	bool write = info->rights & TERN_R_WRITE;
	uint32_t flags = f ? f->flags | O_LARGEFILE
			   : !write ? O_RDONLY : info->rights & TERN_R_READ ? O_RDWR : O_WRONLY;

	return flags | (info->rights & TERN_R_CLOEXEC ? O_CLOEXEC : 0);
}

static long open_fdinfo(struct request *r, struct place at, uint32_t flags)
{
	const size_t room = 16 * 1024;
	struct node *n = at.node;
	struct tern_handle_info info;
	struct mount *mt = root_mount;
	struct file *f = NULL;
	char *text;
	int k;

	if (!handle_of(r, n->proc.pid, n->proc.n, &info))
		return -ENOENT;
	text = malloc(room);
	if (!text)
		return -ENOMEM;
	if (info.kind == TERN_KIND_FILE)
		f = file_of(info.badge);
	if (f)
		mt = f->at.mount;
	k = snprintf(text, room, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n",
		     info.offset != TERN_NO_OFFSET ? (unsigned long)info.offset
		     : f			   ? (unsigned long)f->offset
						   : 0, (unsigned)flags_of(&info, f), (unsigned)mt->id,
		     f ? (unsigned long)f->at.node->ino : (unsigned long)info.ident);
	if (info.kind == TERN_KIND_PIDFD)
		k += snprintf(text + k, room - (size_t)k, "Pid:\t%d\n",
			      pid_alive(r, (uint32_t)info.ident) ? (int)info.ident : -1);
	k += (int)inotify_text(info.badge, text + k, room - (size_t)k);
	return give_text(at, flags, text, (size_t)k);
}

long proc_open(struct request *r, struct place at, uint32_t flags)
{
	struct node *n = at.node;
	uint64_t id = n->proc.pid, what;
	bool writes = flags & (O_WRONLY | O_RDWR);

	switch (n->proc.type) {
	case PROC_SYSFILE:
		if (writes && !(n->mode & 0222) && !strncmp(system_files[n->proc.n].name, "sys/", 4))
			return -EACCES; /* even with CAP_DAC_OVERRIDE */
		id = 0;
		what = system_files[n->proc.n].number;
		break;
	case PROC_PIDFILE:
		what = n->proc.n;
		if (what == TERN_PROC_PID_MOUNTS || what == TERN_PROC_PID_MOUNTINFO)
			return open_mounts(r, at, flags, what == TERN_PROC_PID_MOUNTINFO);
		break;
	case PROC_FDINFOFILE:
		return open_fdinfo(r, at, flags);
	case PROC_TIDFILE:
		id = n->proc.n >> 8;
		what = n->proc.n & 0xff;
		break;
	default:
		return -ENXIO;
	}
	return forward_open(r, at, flags, server_boot->pm, id << 16 | what, flags);
}

/* ---- listing ---- */

static bool add(struct file *f, struct dirents *out, uint64_t ino, uint64_t next, uint32_t mode,
		const char *name, size_t len)
{
	if (!dirents_add(out, ino, next, (mode & S_IFMT) >> 12, name, len))
		return false;
	f->offset = next;
	return true;
}

static bool list_table(struct file *f, struct dirents *out, const struct proc_entry *e, size_t n,
		       uint64_t base, uint32_t tid)
{
	while (f->offset < base + n) {
		const struct proc_entry *x = &e[f->offset - base];
		uint32_t what = tid ? tid << 8 | x->number : x->number;

		if (!add(f, out, ino_of(x->type, f->at.node->proc.pid, what), f->offset + 1, x->mode,
			 x->name, strlen(x->name)))
			return false;
	}
	return true;
}

static bool list_system(struct file *f, struct dirents *out, const char *prefix, uint32_t plen,
			uint64_t base)
{
	while (f->offset < base + NSYSTEM) {
		size_t i = f->offset - base;
		bool is_dir;
		uint32_t len = component(i, prefix, plen, &is_dir);

		if (!len || !first_of(i, prefix, plen, len)) {
			f->offset++;
			continue;
		}
		if (!add(f, out,
			 is_dir ? ino_of(PROC_SYSDIR, 0, (uint32_t)i << 8 | (plen + len + 1))
				: ino_of(PROC_SYSFILE, 0, (uint32_t)i),
			 f->offset + 1, is_dir ? S_IFDIR : S_IFREG, system_files[i].name + plen, len))
			return false;
	}
	return true;
}

static bool list_number(struct file *f, struct dirents *out, uint32_t type, uint32_t mode,
			uint32_t pid, uint32_t n, uint64_t next)
{
	char name[16];
	int len = snprintf(name, sizeof name, "%u", (unsigned)(type == PROC_PID ? pid : n));

	return add(f, out, ino_of(type, pid, n), next, mode, name, (size_t)len);
}

static bool list_pids(struct request *r, struct file *f, struct dirents *out)
{
	if (f->offset < POS_PIDS)
		f->offset = POS_PIDS;
	for (uint64_t pid = f->offset - POS_PIDS; pid < TERN_PID_MAX; pid++)
		if (pid_alive(r, (uint32_t)pid) &&
		    !list_number(f, out, PROC_PID, S_IFDIR, (uint32_t)pid, 0, POS_PIDS + pid + 1))
			return false;
	f->offset = POS_PIDS + TERN_PID_MAX;
	return true;
}

static bool list_fds(struct request *r, struct file *f, struct dirents *out, uint32_t type, uint32_t mode)
{
	struct tern_handle_info v[16];
	uint32_t pid = f->at.node->proc.pid;

	for (;;) {
		long n = handles_of(r, pid, (uint32_t)(f->offset - 2), v, 16);

		if (n <= 0)
			return true;
		for (long i = 0; i < n; i++)
			if (!list_number(f, out, type, mode, pid, v[i].fd, (uint64_t)v[i].fd + 3))
				return false;
	}
}

static bool list_tasks(struct file *f, struct dirents *out)
{
	uint32_t pid = f->at.node->proc.pid, tids[16];

	for (;;) {
		long n = threads_of(pid, (uint32_t)(f->offset - 2), tids, 16);

		if (n <= 0)
			return true;
		for (long i = 0; i < n; i++)
			if (!list_number(f, out, PROC_TID, S_IFDIR, pid, tids[i], (uint64_t)tids[i] + 3))
				return false;
	}
}

/* Offset 0 is ".", 1 is "..", the entries begin at 2. */
long proc_getdents(struct request *r, struct file *f, struct dirents *out)
{
	struct node *dir = f->at.node;
	uint32_t pid = dir->proc.pid, plen;
	const char *prefix;
	bool all;

	if (pid && !pid_alive(r, pid))
		return -ENOENT;
	if (f->offset == 0 && !add(f, out, dir->ino, 1, S_IFDIR, ".", 1))
		return -EINVAL;
	if (f->offset == 1 && !add(f, out, proc_parent(dir)->ino, 2, S_IFDIR, "..", 2))
		return out->used ? 0 : -EINVAL;
	switch (dir->proc.type) {
	case PROC_ROOT:
		all = list_table(f, out, root_entries, NROOT, 2, 0) &&
		      list_system(f, out, "", 0, POS_SYSTEM) && list_pids(r, f, out);
		break;
	case PROC_SYSDIR:
		prefix = dir_path(dir->proc.n, &plen);
		all = list_system(f, out, prefix, plen, 2);
		break;
	case PROC_PID:
		all = list_table(f, out, pid_entries, NPID, 2, 0);
		break;
	case PROC_FD:
		if (may_look(r, dir) < 0)
			return -EACCES;
		all = list_fds(r, f, out, PROC_FDLINK, S_IFLNK);
		break;
	case PROC_FDINFO:
		if (may_look(r, dir) < 0)
			return -EACCES;
		all = list_fds(r, f, out, PROC_FDINFOFILE, S_IFREG);
		break;
	case PROC_TASK:
		all = list_tasks(f, out);
		break;
	case PROC_TID:
		all = list_table(f, out, task_entries, NTASK, 2, dir->proc.n);
		break;
	default:
		return -ENOTDIR;
	}
	return all || out->used ? 0 : -EINVAL;
}
