/* What the files of vfs share: nodes, names, mounts, descriptions, the request in progress.
 *
 * A node is an inode.  It lives as long as something refers to it (a name, a description, a mount);
 * one whose last reference went is freed at the start of the next request (node_reap), so that no
 * function has to hold references while it works.  Nodes of /proc are made as they are walked to. */
#pragma once

#include "mount_flags.h"
#include <server/inotify.h>
#include <server/server.h>
#include <string.h>
#include <linux/capability.h>
#include <tern/linux/errno.h>
#include <server/fcntl.h>
#include <server/stat.h>
#include <tern/linux/time.h>

#define PAGE 4096ull
#define FILE_MAX 0x7ffffffff000ll /* largest file */
#define COUNT_MAX 0x7ffff000ull	  /* of one read or write */

#define IS_DIR(n) (((n)->mode & S_IFMT) == S_IFDIR)
#define IS_REG(n) (((n)->mode & S_IFMT) == S_IFREG)
#define IS_LNK(n) (((n)->mode & S_IFMT) == S_IFLNK)
#define IS_CHR(n) (((n)->mode & S_IFMT) == S_IFCHR)
#define IS_BLK(n) (((n)->mode & S_IFMT) == S_IFBLK)
#define IS_FIFO(n) (((n)->mode & S_IFMT) == S_IFIFO)
#define IS_SOCK(n) (((n)->mode & S_IFMT) == S_IFSOCK)

#define TMPFS_MAGIC 0x01021994
#define PROC_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define DEVPTS_MAGIC 0x1cd1

struct mount;
struct node;
struct lock;
struct xattr;
struct watch;

/* One file system instance. */
struct fs {
	uint32_t magic, dev;
	const char *type;
	uint64_t nodes;	  /* of it, alive */
	uint32_t mounts;  /* of it */
	struct node *root; /* referenced, unless fixed */
	bool proc, fixed; /* fixed: never freed (root, dev, proc) */
	bool readonly;
};

/* A name in a directory. */
struct dentry {
	struct dentry *hash_next;
	struct dentry *prev, *next; /* of the directory, by cookie */
	struct dentry *link_next;   /* of the node's names */
	struct node *dir, *node;
	uint64_t cookie; /* position in getdents: ascending, never used again */
	uint32_t hash;
	uint32_t len;
	char name[];
};

#define NODE_PROC 1
#define NODE_ZOMBIE 2	/* on the list of node_reap */
#define NODE_EXPOSED 4	/* its memobj was handed out: its size is exact from now on */
#define NODE_SPARSE 8	/* may have holes: blocks are counted, not computed */
#define NODE_EXECUTED 16 /* was handed out for execution: look for ETXTBSY */
#define NODE_TMPFILE 32 /* O_TMPFILE: may be linked though it has no name */
#define NODE_MEMFD 64
#define NODE_DIRECT 128 /* the kernel may read or write it without vfs (direct.c) */
#define NODE_UNLEARNT 256 /* and may know later times of it */

/* F_SEAL_* of node.seals */
#define SEAL_SEAL 1
#define SEAL_SHRINK 2
#define SEAL_GROW 4
#define SEAL_WRITE 8
#define SEAL_FUTURE_WRITE 16
#define SEAL_EXEC 32

struct node {
	uint32_t mode, uid, gid, nlink;
	uint64_t ino;
	uint32_t refs, flags;
	uint64_t rdev;
	struct fs *fs;
	int32_t memobj;	  /* regular: handle, -1 none yet */
	uint32_t writers; /* descriptions open for writing */
	uint32_t seals;
	uint64_t size;
	uint64_t capacity; /* size of the memobj; >= size, == size if exposed */
	uint64_t mapped_write; /* the last through a mapping that the times know of; ns */
	struct tern_timespec atime, mtime, ctime, btime;
	union {
		struct {
			struct dentry *first, *last;
			uint64_t next_cookie;
			uint32_t count;
			uint32_t removals; /* counts them: a remembered place is stale */
		} dir;
		char *target; /* symlink: text, `size` bytes and a NUL; memfd: its name */
		struct {
			uint32_t type, pid, n; /* proc.c */
			struct node *next;
		} proc;
	};
	struct dentry *links; /* its names */
	struct dentry *ghost; /* the last name of an unlinked node that is still in use */
	struct mount *mounts; /* mounted on it */
	struct lock *locks;
	struct xattr *xattrs;
	struct watch *watches; /* inotify's */
	struct node *zombie_next;
};

struct mount {
	struct mount *next;    /* of all */
	struct mount *on_next; /* of those on `point` */
	struct mount *parent;  /* NULL: the root of all, or detached */
	struct node *point, *root;
	struct fs *fs;
	uint32_t id, refs; /* descriptions in it, and mounts on it */
	uint32_t flags;	  /* MS_* of mount_flags.h */
	uint32_t writers; /* descriptions of files open for writing */
	bool detached;
	char source[64];
};

/* Where a walk stands. */
struct place {
	struct node *node;
	struct mount *mount;
};

/* An open file description: the session's badge is its own in the pool `files`. */
#define FILE_META 1	/* the meta session of another server's */
#define FILE_HIDDEN 2	/* hidden in a descriptor table: owns its POSIX locks (lock.c) */
#define FILE_PTMX 4	/* of a pty's master; offset: its number */
#define FILE_CREATED 8	/* the open made the file */
#define FILE_DIRECT 16	/* the kernel has the offset (direct.c) */
struct file {
	struct place at;
	uint32_t flags; /* O_* */
	uint32_t state; /* FILE_* */
	uint64_t offset;
	uint32_t removals;
	struct dentry *resume; /* getdents goes on here if the offset and `removals` still fit */
	uint64_t resume_offset;
	char *text; /* snapshot of a file that vfs generates */
	uint64_t text_size;
};

/* ---- tree.c: nodes and names; no IPC but memobj handles ---- */
extern struct pool nodes;
void tree_init(void);
struct node *node_create(struct fs *fs, uint32_t mode, uint32_t uid, uint32_t gid); /* refs 0 */
void node_destroy(struct node *n);
static inline uint64_t node_ident(const struct node *n) { return pool_badge(&nodes, n); }
static inline void node_get(struct node *n) { n->refs++; }
void node_put(struct node *n);
void node_mark(struct node *n); /* refs may be 0: look at it in node_reap */
extern struct node *node_zombies; /* to be looked at by node_reap() */
void node_reap_all(void);
static inline void node_reap(void)
{
	if (node_zombies)
		node_reap_all();
}
struct node *node_parent(struct node *n);
struct fs *fs_create(const char *type, uint32_t magic);
void fs_try_free(struct fs *fs); /* no mounts and no nodes left */
void fs_clear(struct node *root); /* removes every name under root */
uint32_t name_hash(const char *name, uint32_t len);
static inline uint32_t name_hash_add(uint32_t hash, unsigned char c) { return (hash + c) * 0x9e3779b1u; }
struct dentry *dir_find(const struct node *dir, const char *name, uint32_t len, uint32_t hash);
long dir_link(struct node *dir, const char *name, uint32_t len, uint32_t hash, struct node *n);
void dir_unlink(struct dentry *d);
long dir_move(struct dentry *d, struct node *dir, const char *name, uint32_t len, uint32_t hash);
void dir_exchange(struct dentry *a, struct dentry *b);
struct dentry *dir_from(const struct node *dir, uint64_t cookie); /* the first at or after it */
bool node_is_under(struct node *n, struct node *ancestor);
struct tern_timespec vfs_now(void);
void tree_check(const struct node *dir); /* asserts the invariants of one directory */

/* ---- cred.c: who may do what ---- */
/* Credentials by their number, which is never used again; 0: none. */
#define CRED_CACHE 64
extern struct tern_cred cred_cache[CRED_CACHE];
const struct tern_cred *cred_ask(const struct tern_msg *m);
static inline const struct tern_cred *cred_of(const struct tern_msg *m)
{
	uint32_t id = TERN_MSG_CRED(m->who);
	const struct tern_cred *c = &cred_cache[id % CRED_CACHE];

	return c->id == id && id ? c : cred_ask(m);
}
static inline bool capable(const struct tern_cred *c, unsigned bit)
{
	return c->cap_effective >> bit & 1;
}
bool in_group(const struct tern_cred *c, uint32_t gid);
long access_slow(const struct node *n, unsigned mask, const struct tern_cred *c);
/* mask: 4 read, 2 write, 1 execute or search.  0 or -EACCES. */
static inline long node_access(const struct node *n, unsigned mask, const struct tern_cred *c)
{
	if (c->fsuid == n->uid && ((n->mode >> 6) & mask) == mask)
		return 0;
	return access_slow(n, mask, c);
}
bool is_owner(const struct node *n, const struct tern_cred *c);
long may_create(const struct node *dir, const struct tern_cred *c);
long may_delete(const struct node *dir, const struct node *n, const struct tern_cred *c);
void drop_set_ids(struct node *n, const struct tern_cred *c); /* after a write */

/* ---- walk.c: from names to nodes ---- */
struct request {
	struct tern_msg *m;
	const struct tern_cred *cred;
	struct place root;
};
enum last { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct walk {
	struct place dir; /* that `name` is in */
	struct place at;  /* node NULL: not there (WALK_CREATE) */
	const char *name;
	uint32_t len, hash;
	enum last last;
	bool slash;	/* the path ends in a slash */
	int foreign_fd; /* >= 0: it names the caller's descriptor of that number, another server's */
};
#define WALK_FOLLOW 1 /* the last symbolic link too */
#define WALK_PARENT 2 /* the name itself is meant: not even a slash makes it follow */
#define WALK_CREATE 4 /* the last name may be missing */
#define WALK_EMPTY 8  /* an empty path is the reference itself */
#define WALK_FOREIGN 16 /* the last may be a descriptor of another server's */
#define WALK_NO_SYMLINKS 32
#define WALK_NO_MAGIC 64
#define WALK_BENEATH 128
#define WALK_IN_ROOT 256
#define WALK_NO_XDEV 512
void request_begin(struct request *r, struct tern_msg *m);
long request_start(struct request *r, unsigned ref, struct place *at);
long walk(struct request *r, unsigned ref, const char *path, unsigned flags, struct walk *w);
/* Copies the path in window `win` into buffer 0 or 1 and walks it. */
long walk_window(struct request *r, unsigned ref, unsigned win, unsigned flags, struct walk *w);
extern const char *walk_path[2]; /* what walk_window() walked last for each reference */
/* The path of a place as seen from root, written to the end of buf; NULL if too long.
 * *reached: whether it is under root. */
char *place_path(struct place at, struct place root, char *buf, size_t size, bool *reached);
/* The path of a node, with " (deleted)" if it has none any more. */
char *node_path(struct node *n, char *buf, size_t size);

/* ---- mount.c ---- */
extern struct mount *mounts, *root_mount;
void mount_init(void);
struct mount *mount_add(struct fs *fs, struct node *root, struct place on, const char *source);
struct mount *mount_of(const struct node *n); /* one in which its file system is seen */
static inline void mount_get(struct mount *mt) { mt->refs++; }
void mount_unused(struct mount *mt); /* detached, and its last reference is gone */
static inline void mount_put(struct mount *mt)
{
	if (!--mt->refs && mt->detached)
		mount_unused(mt);
}
void mount_cross(struct place *at); /* to the root of what is mounted on it */
/* EROFS where nothing may be changed. */
static inline long mount_writable(const struct mount *mt)
{
	return mt->fs->readonly || mt->flags & MS_RDONLY ? -EROFS : 0;
}
/* Those of mount(2)'s flags that a mount keeps; one that says nothing of access times is relatime. */
uint32_t mount_flags_of(uint64_t flags);
/* MS_REMOUNT, of the mount alone with MS_BIND.  EBUSY: files are open for writing. */
long mount_remount(struct mount *mt, uint64_t flags);
/* ",nosuid,relatime" and the like. */
const char *mount_flags_text(const struct mount *mt);
uint64_t mount_statfs_flags(const struct mount *mt);
size_t mount_text(struct request *r, bool info, char *buf, size_t size);
long vfs_mount(struct tern_msg *m);
long vfs_umount2(struct tern_msg *m);

/* ---- open.c ---- */
extern struct pool files;
static inline struct file *file_of(uint64_t badge) { return pool_lookup(&files, badge); }
struct file *file_create(struct place at, uint32_t flags);
void file_destroy(struct file *f);
static inline bool file_reads(const struct file *f) { return (f->flags & O_ACCMODE) == O_RDONLY ||
							      (f->flags & O_ACCMODE) == O_RDWR; }
static inline bool file_writes(const struct file *f) { return (f->flags & O_ACCMODE) == O_WRONLY ||
							       (f->flags & O_ACCMODE) == O_RDWR; }
long file_give(struct file *f, unsigned slot);
/* So many more, or fewer, to whom the moment matters at which a description ends: a watch, a call that
 * waits for a lock, a node that only lives as long as it is in use.  While there are none, the end of a
 * file's description comes with the next request, and so before anything that could tell. */
void closing_matters(int more);
long open_place(struct request *r, struct place at, uint32_t flags);
long forward_open(struct request *r, struct place at, uint32_t flags, int server, uint64_t w0,
		  uint64_t w1);
/* The same with a description that is there; it is freed if that fails. */
long forward_file(struct request *r, struct file *f, int server, uint64_t w0, uint64_t w1);
long node_busy_text(const struct node *n); /* -ETXTBSY if a process executes it */
long vfs_openat(struct tern_msg *m);
long vfs_openat2(struct tern_msg *m);
long vfs_memfd_create(struct tern_msg *m);
long vfs_chdir(struct tern_msg *m);
long vfs_fchdir(struct tern_msg *m);
long vfs_chroot(struct tern_msg *m);
long vfs_getcwd(struct tern_msg *m);
long vfs_exec_open(struct tern_msg *m);

/* ---- rw.c ---- */
long node_resize(struct node *n, uint64_t size); /* the file's size, with its memobj */
long node_expose(struct node *n);		 /* makes the memobj exist, of exact size */
long node_write(struct node *n, uint64_t off, const void *data, size_t len); /* vfs's own data */
bool file_keeps_atime(const struct file *f); /* reads leave the access time as it is */
/* How much of len may be written at off: the caller's limit, the largest file.  0 with *err. */
uint64_t write_limit(struct tern_msg *m, uint64_t off, uint64_t len, long *err);
long write_seals(const struct node *n, uint64_t off, uint64_t len); /* 0, EPERM */
void write_time(struct tern_msg *m, struct node *n); /* n has been written to */
void read_time(struct file *f);			     /* f has been read */
void copy_fell_short(uint64_t token, long n);
long vfs_read(struct tern_msg *m);
long vfs_write(struct tern_msg *m);
long vfs_readv(struct tern_msg *m);
long vfs_writev(struct tern_msg *m);
long vfs_pread(struct tern_msg *m);
long vfs_pwrite(struct tern_msg *m);
long vfs_preadv(struct tern_msg *m);
long vfs_pwritev(struct tern_msg *m);
long vfs_preadv2(struct tern_msg *m);
long vfs_pwritev2(struct tern_msg *m);
long vfs_lseek(struct tern_msg *m);
long vfs_truncate(struct tern_msg *m);
long vfs_ftruncate(struct tern_msg *m);
long vfs_fallocate(struct tern_msg *m);
long vfs_mmap(struct tern_msg *m);
long vfs_fsync(struct tern_msg *m);
long vfs_sync_file_range(struct tern_msg *m);
long vfs_ok(struct tern_msg *m);
long vfs_fadvise(struct tern_msg *m);
long vfs_ioctl(struct tern_msg *m);
long vfs_fcntl(struct tern_msg *m);
long vfs_copy_file_range(struct tern_msg *m); /* range.c */

/* ---- direct.c: files that the kernel reads and writes without vfs ---- */
/* The running handler's reply has a copy of len bytes; true: the kernel goes on from there by itself, and
 * counts this one as a read or write of its own.  `most`: how much it does at once. */
bool file_direct(struct file *f, uint64_t len, uint64_t most);
void file_take_slowly(struct tern_msg *m, struct file *f);
/* As file_take(), of the caller's descriptor fd.  0, EBADF: it is not f's any more. */
long file_take_fd(struct tern_msg *m, struct file *f, int fd);
/* f->offset is right, and vfs's, until the reply. */
static inline void file_take(struct tern_msg *m, struct file *f)
{
	if (f->state & FILE_DIRECT)
		file_take_slowly(m, f);
}
void node_withdraw_slowly(struct node *n);
/* What the kernel goes by is going to change: it asks vfs again, and the times of n are right. */
static inline void node_withdraw(struct node *n)
{
	if (n->flags & NODE_DIRECT)
		node_withdraw_slowly(n);
}
/* n is watched, or about to be; with what lies in it. */
void node_withdraw_watched(struct node *n);
bool access_due(const struct node *n);
/* What the kernel knows better: the times of n, and what it has of pages. */
void node_learn(struct node *n, const struct tern_memobj_info *info);

/* ---- dir.c ---- */
long vfs_getdents(struct tern_msg *m);
long vfs_mkdirat(struct tern_msg *m);
long vfs_mknodat(struct tern_msg *m);
long vfs_unlinkat(struct tern_msg *m);
long vfs_symlinkat(struct tern_msg *m);
long vfs_linkat(struct tern_msg *m);
long vfs_renameat2(struct tern_msg *m);
long vfs_readlinkat(struct tern_msg *m);
/* A new node with a name, by the rules of creation; checked: the name is not there. */
long make_node(struct request *r, struct walk *w, uint32_t mode, uint64_t rdev, struct node **out);
/* The same without a name (O_TMPFILE); refs 0. */
struct node *make_anonymous(struct request *r, struct node *dir, uint32_t mode);
/* getdents records are written through this. */
struct dirents {
	char *buf;
	size_t used, size;
};
/* False: it does not fit. */
bool dirents_add(struct dirents *d, uint64_t ino, uint64_t next, unsigned type, const char *name,
		 size_t len);

/* ---- attr.c ---- */
long vfs_newfstatat(struct tern_msg *m);
long vfs_fstat(struct tern_msg *m);
long vfs_statx(struct tern_msg *m);
long vfs_faccessat(struct tern_msg *m);
long vfs_faccessat2(struct tern_msg *m);
long vfs_fchmodat(struct tern_msg *m);
long vfs_fchmodat2(struct tern_msg *m);
long vfs_fchmod(struct tern_msg *m);
long vfs_fchownat(struct tern_msg *m);
long vfs_fchown(struct tern_msg *m);
long vfs_utimensat(struct tern_msg *m);
long vfs_statfs(struct tern_msg *m);
long vfs_fstatfs(struct tern_msg *m);
long vfs_paths(struct tern_msg *m);

/* ---- handle.c ---- */
long vfs_name_to_handle_at(struct tern_msg *m);
long vfs_open_by_handle_at(struct tern_msg *m);

/* ---- xattr.c ---- */
long vfs_setxattr(struct tern_msg *m);
long vfs_lsetxattr(struct tern_msg *m);
long vfs_fsetxattr(struct tern_msg *m);
long vfs_getxattr(struct tern_msg *m);
long vfs_lgetxattr(struct tern_msg *m);
long vfs_fgetxattr(struct tern_msg *m);
long vfs_listxattr(struct tern_msg *m);
long vfs_llistxattr(struct tern_msg *m);
long vfs_flistxattr(struct tern_msg *m);
long vfs_removexattr(struct tern_msg *m);
long vfs_lremovexattr(struct tern_msg *m);
long vfs_fremovexattr(struct tern_msg *m);
void xattrs_free(struct node *n);

/* ---- inotify.c ---- */
extern uint32_t watches; /* how many there are; 0: nobody wants to hear anything */
/* What happened to n: told to its watches, and to those of the directories that have it. */
void notify_all(struct node *n, uint32_t mask);
static inline void notify(struct node *n, uint32_t mask)
{
	if (watches)
		notify_all(n, mask);
}
void notify_self(struct node *n, uint32_t mask); /* to its own watches only */
/* What happened to a name in dir; the mask with the node's notify_kind(). */
static inline uint32_t notify_kind(const struct node *n) { return IS_DIR(n) ? IN_ISDIR : 0; }
void notify_name(struct node *dir, const char *name, uint32_t len, uint32_t mask, uint32_t cookie);
uint32_t notify_cookie(void);
void notify_end(struct node *n); /* it is being destroyed */
bool node_is_watched(const struct node *n);
/* A watch hangs on n itself, or on a directory that has it. */
static inline bool is_watched(const struct node *n) { return watches && node_is_watched(n); }
long vfs_inotify_init1(struct tern_msg *m);
long vfs_inotify_add_watch(struct tern_msg *m);
long vfs_inotify_rm_watch(struct tern_msg *m);
/* A call on a descriptor of vfs's that is no file: an instance's, or -EBADF. */
long vfs_no_file(struct tern_msg *m);
void inotify_closed(uint64_t badge);
/* The lines of its watches for fdinfo, as many as fit; 0: it is no instance. */
size_t inotify_text(uint64_t badge, char *buf, size_t size);
bool inotify_withdraw(uint64_t badge, uint64_t token); /* a read that waits; false: none does */

/* ---- lock.c ---- */
long vfs_flock(struct tern_msg *m);
long lock_fcntl(struct tern_msg *m, struct file *f, int cmd);
void lock_owner_closed(struct file *f);
void lock_node_freed(struct node *n);
void lock_cancel(uint64_t badge, uint64_t token);
void lock_gone(uint64_t badge, uint64_t token);

/* ---- dev.c ---- */
/* The directory for the terminals of ptys, where `pts` is to be mounted. */
struct node *dev_init(struct fs *fs, struct node *root);
void pts_init(struct fs *fs, struct node *root);
void pts_remove(uint64_t number); /* its master has been closed */
long dev_open(struct request *r, struct place at, uint32_t flags);
bool dev_is_local(const struct node *n); /* read and written by vfs itself */
long dev_read(struct tern_msg *m, struct file *f, uint64_t len);
long dev_write(struct tern_msg *m, const struct node *n, uint64_t len);
long dev_ioctl(struct tern_msg *m, const struct node *n);
long dev_mmap(struct tern_msg *m, const struct file *f, unsigned max_prot);

/* ---- proc.c ---- */
extern const struct tern_pid_entry *pidmap; /* TERN_PID_MAX entries; NULL: none */
struct fs *proc_init(struct node **root);
void proc_forget(struct node *n); /* it is being destroyed */
struct node *proc_parent(struct node *n);
/* NULL with *error 0: no such name. */
struct node *proc_lookup(struct request *r, struct node *dir, const char *name, uint32_t len,
			 long *error);
/* A symbolic link of /proc: *text its target, or *at where it leads, or *fd the number of a
 * descriptor of the caller's that another server owns. */
long proc_follow(struct request *r, struct node *n, const char **text, struct place *at, int *fd);
long proc_readlink(struct request *r, struct node *n, char *buf, size_t size);
long proc_open(struct request *r, struct place at, uint32_t flags);
long proc_getdents(struct request *r, struct file *f, struct dirents *d);
/* The node of a content file by TERN_KIND_PROC's ident. */
struct node *proc_node_by_ident(uint64_t ident);
char *proc_path(struct node *n, char *buf, size_t size); /* to the end of buf, without "/proc" */

/* ---- initrd.c, cpio.c ---- */
void initrd_load(void);
struct cpio_entry {
	const char *name; /* without leading "/" and "./"; NUL-terminated; "" is the root */
	uint32_t ino, mode, uid, gid, nlink, mtime, rdev_major, rdev_minor, dev;
	uint64_t data, size; /* offset in the archive */
};
/* Goes over concatenated newc archives.  Calls `each` for every entry; its result < 0 stops.
 * 0, -EINVAL (not an archive, or cut off) or what `each` returned. */
long cpio_read(const char *archive, size_t size, long (*each)(void *ctx, const struct cpio_entry *e),
	       void *ctx);

extern const server_handler vfs_calls[512];
extern const struct server_ops vfs_ops;
long vfs_method(struct tern_msg *m);
void vfs_init(void);
