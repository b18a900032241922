/* What the files of vfs share: nodes, names, mounts, descriptions, the request in progress.
 *
 * A node is an inode.  It lives as long as something refers to it (a name, a description, a
 * mount); one whose last reference went is freed at the start of the next request (node_reap),
 * so that no function has to hold references while it works.  Nodes of /proc are made as they
 * are walked to. */
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
#define FILE_MAX 0x7ffffffff000ll /* the largest size of a file */
#define COUNT_MAX 0x7ffff000ull	  /* the most bytes of one read or write, as on Linux */

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
	uint64_t nodes;	  /* how many nodes it has, unlinked ones in use included */
	uint32_t mounts;  /* how many mounts show it */
	struct node *root; /* the file system holds a reference of it, unless it is fixed */
	bool proc, fixed; /* fixed: never freed (root, dev, proc) */
	bool readonly;
};

/* A name in a directory. */
struct dentry {
	struct dentry *hash_next;
	struct dentry *prev, *next; /* in the directory's list, in the order of cookies */
	struct dentry *link_next;   /* the next name of the same node */
	struct node *dir, *node;
	uint64_t cookie; /* the position in getdents: it grows with each new name */
	uint32_t hash;
	uint32_t len;
	char name[];
};

#define NODE_PROC 1
#define NODE_ZOMBIE 2	/* it is in the list node_zombies */
#define NODE_EXPOSED 4	/* others have its memobj, whose size is the file's from now on */
#define NODE_SPARSE 8	/* it may have holes, so stat counts its pages */
#define NODE_EXECUTED 16 /* it was executed once: writers check for ETXTBSY */
#define NODE_TMPFILE 32 /* made by O_TMPFILE: linkat may give it a name */
#define NODE_MEMFD 64
#define NODE_DIRECT 128 /* the kernel may read or write it without vfs (direct.c) */
#define NODE_UNLEARNT 256 /* the kernel may have times of it that vfs has yet to learn */

/* The bits of node.seals: fcntl(2)'s F_SEAL_*. */
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
	int32_t memobj;	  /* a regular file: the handle of its bytes; -1: it has none yet */
	uint32_t writers; /* how many descriptions are open for writing */
	uint32_t seals;
	uint64_t size;
	uint64_t capacity; /* the size of the memobj: at least `size`, and equal if NODE_EXPOSED */
	uint64_t mapped_write; /* ns: the kernel's last write that mtime knows of */
	struct tern_timespec atime, mtime, ctime, btime;
	union {
		struct {
			struct dentry *first, *last;
			uint64_t next_cookie;
			uint32_t count;
			uint32_t removals; /* grows with each name removed, see file.resume */
		} dir;
		char *target; /* a symbolic link's text, `size` bytes and a NUL; a memfd's name */
		struct {
			uint32_t type, pid, n; /* what a node of /proc is (proc.c) */
			struct node *next;
		} proc;
	};
	struct dentry *links; /* its names */
	struct dentry *ghost; /* the last name of an unlinked node that is still in use */
	struct mount *mounts; /* what is mounted on it */
	struct lock *locks;
	struct xattr *xattrs;
	struct watch *watches; /* the inotify watches of it */
	struct node *zombie_next;
};

struct mount {
	struct mount *next;    /* in the list of all mounts */
	struct mount *on_next; /* the next mount on the same `point` */
	struct mount *parent;  /* NULL: it is the root mount, or detached */
	struct node *point, *root;
	struct fs *fs;
	uint32_t id, refs; /* refs: how many descriptions and mounts stand in it */
	uint32_t flags;	  /* MS_* of mount_flags.h */
	uint32_t writers; /* how many descriptions of its files are open for writing */
	bool detached;
	char source[64];
};

/* A node as it is seen in one mount; a walk goes from place to place. */
struct place {
	struct node *node;
	struct mount *mount;
};

/* An open file description.  Its badge in the pool `files` is the badge of its session. */
#define FILE_META 1	/* its session is the meta session of a session of another server */
#define FILE_HIDDEN 2	/* its hidden session owns a table's POSIX locks (lock.c) */
#define FILE_PTMX 4	/* it belongs to a pty's master, and `offset` is the pty's number */
#define FILE_CREATED 8	/* the open that made this description made the file, too */
#define FILE_DIRECT 16	/* the offset is the kernel's for now (direct.c) */
struct file {
	struct place at;
	uint32_t flags; /* O_* */
	uint32_t state; /* FILE_* */
	uint64_t offset;
	uint32_t removals;
	/* getdents goes on at this name if the offset is resume_offset and no name was removed
	 * since, that is, `removals` is the directory's. */
	struct dentry *resume;
	uint64_t resume_offset;
	char *text; /* the contents, taken at the open, of a file that vfs generates */
	uint64_t text_size;
};

/* ---- tree.c: nodes and names; all its IPC is about memory objects ---- */
extern struct pool nodes;
void tree_init(void);
/* Makes a node whose refs are 0; NULL: no memory. */
struct node *node_create(struct fs *fs, uint32_t mode, uint32_t uid, uint32_t gid);
void node_destroy(struct node *n);
static inline uint64_t node_ident(const struct node *n) { return pool_badge(&nodes, n); }
static inline void node_get(struct node *n) { n->refs++; }
void node_put(struct node *n);
void node_mark(struct node *n); /* its refs may be 0: node_reap will look at it */
extern struct node *node_zombies; /* those that node_reap() will look at */
void node_reap_all(void);
static inline void node_reap(void)
{
	if (node_zombies)
		node_reap_all();
}
struct node *node_parent(struct node *n);
struct fs *fs_create(const char *type, uint32_t magic);
void fs_try_free(struct fs *fs); /* frees it if it has no mounts and no nodes left */
void fs_clear(struct node *root); /* removes every name under root */
uint32_t name_hash(const char *name, uint32_t len);
static inline uint32_t name_hash_add(uint32_t hash, unsigned char c) { return (hash + c) * 0x9e3779b1u; }
struct dentry *dir_find(const struct node *dir, const char *name, uint32_t len, uint32_t hash);
long dir_link(struct node *dir, const char *name, uint32_t len, uint32_t hash, struct node *n);
void dir_unlink(struct dentry *d);
long dir_move(struct dentry *d, struct node *dir, const char *name, uint32_t len, uint32_t hash);
void dir_exchange(struct dentry *a, struct dentry *b);
/* The first name in dir that has this cookie or a later one. */
struct dentry *dir_from(const struct node *dir, uint64_t cookie);
bool node_is_under(struct node *n, struct node *ancestor);
struct tern_timespec vfs_now(void);
void tree_check(const struct node *dir); /* asserts the invariants of one directory */

/* ---- cred.c: who may do what ---- */
/* The credentials of callers, by their number, which the kernel never uses again; number 0: the
 * slot is empty. */
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
/* Whether the permission bits of n allow what mask says: 4 read, 2 write, 1 execute or search.
 * Returns 0 or -EACCES. */
static inline long node_access(const struct node *n, unsigned mask, const struct tern_cred *c)
{
	if (c->fsuid == n->uid && ((n->mode >> 6) & mask) == mask)
		return 0;
	return access_slow(n, mask, c);
}
bool is_owner(const struct node *n, const struct tern_cred *c);
long may_create(const struct node *dir, const struct tern_cred *c);
long may_delete(const struct node *dir, const struct node *n, const struct tern_cred *c);
void drop_set_ids(struct node *n, const struct tern_cred *c); /* as a write by c does */

/* ---- walk.c: from names to nodes ---- */
struct request {
	struct tern_msg *m;
	const struct tern_cred *cred;
	struct place root;
};
enum last { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct walk {
	struct place dir; /* the directory that the last name, `name`, is in */
	struct place at;  /* where the path leads; node NULL: nothing has that name (WALK_CREATE) */
	const char *name;
	uint32_t len, hash;
	enum last last;
	bool slash;	/* the path ends in a slash */
	/* If >= 0, the path names the caller's descriptor of that number, which is another
	 * server's. */
	int foreign_fd;
};
#define WALK_FOLLOW 1 /* follow a symbolic link at the end of the path, too */
#define WALK_PARENT 2 /* the name itself is meant: a link is not followed even before a slash */
#define WALK_CREATE 4 /* the last name may be missing */
#define WALK_EMPTY 8  /* an empty path means the descriptor or directory that it begins at */
#define WALK_FOREIGN 16 /* the path may lead to a descriptor of another server's (foreign_fd) */
#define WALK_NO_SYMLINKS 32
#define WALK_NO_MAGIC 64
#define WALK_BENEATH 128
#define WALK_IN_ROOT 256
#define WALK_NO_XDEV 512
void request_begin(struct request *r, struct tern_msg *m);
long request_start(struct request *r, unsigned ref, struct place *at);
long walk(struct request *r, unsigned ref, const char *path, unsigned flags, struct walk *w);
/* Walks the path that is in window `win`, beginning at reference `ref` (0 or 1).  walk_path[ref]
 * is that path until the next request. */
long walk_window(struct request *r, unsigned ref, unsigned win, unsigned flags, struct walk *w);
extern const char *walk_path[2];
/* The path of a place as seen from root, written to the end of buf; NULL if too long.
 * *reached: whether it is under root. */
char *place_path(struct place at, struct place root, char *buf, size_t size, bool *reached);
/* The path of a node as seen from the root of all, written to the end of buf; a node without a
 * name has its last one with " (deleted)".  NULL: too long, or in no mount. */
char *node_path(struct node *n, char *buf, size_t size);

/* ---- mount.c ---- */
extern struct mount *mounts, *root_mount;
void mount_init(void);
struct mount *mount_add(struct fs *fs, struct node *root, struct place on, const char *source);
struct mount *mount_of(const struct node *n); /* one of the mounts that show its file system */
static inline void mount_get(struct mount *mt) { mt->refs++; }
void mount_unused(struct mount *mt); /* frees a detached mount whose last reference is gone */
static inline void mount_put(struct mount *mt)
{
	if (!--mt->refs && mt->detached)
		mount_unused(mt);
}
void mount_cross(struct place *at); /* moves to the root of what is mounted there, if anything */
/* 0, or -EROFS if nothing may be changed through this mount. */
static inline long mount_writable(const struct mount *mt)
{
	return mt->fs->readonly || mt->flags & MS_RDONLY ? -EROFS : 0;
}
/* The flags that a mount keeps of those that mount(2) was given; if they say nothing of access
 * times, it is relatime. */
uint32_t mount_flags_of(uint64_t flags);
/* Does mount(2) with MS_REMOUNT: changes the flags of the mount and its file system, or of the
 * mount alone if MS_BIND is among them.  -EBUSY: it is to be read-only and files are open for
 * writing. */
long mount_remount(struct mount *mt, uint64_t flags);
/* The flags as /proc/mounts shows them: ",nosuid,relatime" and the like. */
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
/* Counts those to whom it matters when exactly a description ends: a watch, a call that waits
 * for a lock, a node that only lives as long as it is in use.  `more` is how many more there are
 * now, or, negative, fewer.  While there are none, the kernel tells vfs of the end of a
 * description together with the next request (TERN_CLOSE_LATER), which is soon enough for every
 * answer. */
void closing_matters(int more);
long open_place(struct request *r, struct place at, uint32_t flags);
long forward_open(struct request *r, struct place at, uint32_t flags, int server, uint64_t w0,
		  uint64_t w1);
/* The same with a description that exists already; it is freed if that fails. */
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
long node_resize(struct node *n, uint64_t size); /* sets the size of the file and its memobj */
long node_expose(struct node *n);		 /* makes a memobj of exactly the file's size */
/* Writes bytes of vfs's own memory into n; makes it larger where needed. */
long node_write(struct node *n, uint64_t off, const void *data, size_t len);
bool file_keeps_atime(const struct file *f); /* whether reads leave the access time alone */
/* How many of len bytes may be written at off by RLIMIT_FSIZE of the caller and by FILE_MAX.  If
 * that is 0, *err says why. */
uint64_t write_limit(struct tern_msg *m, uint64_t off, uint64_t len, long *err);
long write_seals(const struct node *n, uint64_t off, uint64_t len); /* 0, or -EPERM by a seal */
void write_time(struct tern_msg *m, struct node *n); /* after a write: times, watches */
void read_time(struct file *f); /* after a read: moves the access time, if it is due */
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
/* Has the running handler's reply, which carries a copy of len bytes, tell the kernel how to do
 * the next reads and writes of f by itself; the kernel counts this one as its own, too.  False:
 * len is more than `most`, what the kernel does at once, so it is told nothing. */
bool file_direct(struct file *f, uint64_t len, uint64_t most);
void file_take_slowly(struct tern_msg *m, struct file *f);
/* As file_take(), for a call that has f's descriptor as an argument: fd, in the caller's table.
 * 0, or -EBADF if that is not a descriptor of f any more. */
long file_take_fd(struct tern_msg *m, struct file *f, int fd);
/* Takes the offset back from the kernel: until the reply f->offset is right, and only vfs
 * changes it. */
static inline void file_take(struct tern_msg *m, struct file *f)
{
	if (f->state & FILE_DIRECT)
		file_take_slowly(m, f);
}
void node_withdraw_slowly(struct node *n);
/* Makes the kernel ask vfs for reads and writes of n again, because something that it goes by is
 * going to change; and learns the times of what the kernel did meanwhile. */
static inline void node_withdraw(struct node *n)
{
	if (n->flags & NODE_DIRECT)
		node_withdraw_slowly(n);
}
/* Withdraws n, which is going to be watched, and all that is in it if it is a directory. */
void node_withdraw_watched(struct node *n);
bool access_due(const struct node *n);
/* Sets n's times to those in info, the kernel's count of its memory object, where they are
 * later. */
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
/* Makes a node with the name that the walk ended at, if the caller may create one in that
 * directory.  The caller of this function has checked that the name is free. */
long make_node(struct request *r, struct walk *w, uint32_t mode, uint64_t rdev, struct node **out);
/* Makes a node without a name (O_TMPFILE); its refs are 0.  NULL: no memory. */
struct node *make_anonymous(struct request *r, struct node *dir, uint32_t mode);
/* A buffer that is being filled with records of getdents64(2). */
struct dirents {
	char *buf;
	size_t used, size;
};
/* Appends a record; false: it does not fit. */
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
extern uint32_t watches; /* how many there are; 0: nobody is to be told anything */
/* Tells what happened to n to its own watches and to those of the directories that have a name
 * of it. */
void notify_all(struct node *n, uint32_t mask);
static inline void notify(struct node *n, uint32_t mask)
{
	if (watches)
		notify_all(n, mask);
}
void notify_self(struct node *n, uint32_t mask); /* to its own watches only */
/* Tells the watches of dir what happened to a name in it; the mask includes the notify_kind() of
 * the node. */
static inline uint32_t notify_kind(const struct node *n) { return IS_DIR(n) ? IN_ISDIR : 0; }
void notify_name(struct node *dir, const char *name, uint32_t len, uint32_t mask, uint32_t cookie);
uint32_t notify_cookie(void);
void notify_end(struct node *n); /* as n is destroyed */
bool node_is_watched(const struct node *n);
/* Whether there is a watch of n itself or of a directory that has a name of it. */
static inline bool is_watched(const struct node *n) { return watches && node_is_watched(n); }
long vfs_inotify_init1(struct tern_msg *m);
long vfs_inotify_add_watch(struct tern_msg *m);
long vfs_inotify_rm_watch(struct tern_msg *m);
/* Answers a call on a session of vfs's that is no file description: it is an inotify instance,
 * or -EBADF. */
long vfs_no_file(struct tern_msg *m);
void inotify_closed(uint64_t badge);
/* Writes a line for each watch of the instance, as /proc/<pid>/fdinfo shows them, as many as
 * fit.  Returns the length; 0: the badge is no instance's. */
size_t inotify_text(uint64_t badge, char *buf, size_t size);
/* Forgets the waiting read with this token; false: none waits. */
bool inotify_withdraw(uint64_t badge, uint64_t token);

/* ---- lock.c ---- */
long vfs_flock(struct tern_msg *m);
long lock_fcntl(struct tern_msg *m, struct file *f, int cmd);
void lock_owner_closed(struct file *f);
void lock_node_freed(struct node *n);
void lock_cancel(uint64_t badge, uint64_t token);
void lock_gone(uint64_t badge, uint64_t token);

/* ---- dev.c ---- */
/* Fills /dev.  Returns its directory pts, where the file system of the ptys' terminals is to be
 * mounted. */
struct node *dev_init(struct fs *fs, struct node *root);
void pts_init(struct fs *fs, struct node *root);
void pts_remove(uint64_t number); /* as the pty's master is closed */
long dev_open(struct request *r, struct place at, uint32_t flags);
bool dev_is_local(const struct node *n); /* whether vfs itself reads and writes it */
long dev_read(struct tern_msg *m, struct file *f, uint64_t len);
long dev_write(struct tern_msg *m, const struct node *n, uint64_t len);
long dev_ioctl(struct tern_msg *m, const struct node *n);
long dev_mmap(struct tern_msg *m, const struct file *f, unsigned max_prot);

/* ---- proc.c ---- */
/* The table of processes that pm shares, TERN_PID_MAX entries; NULL: there is none. */
extern const struct tern_pid_entry *pidmap;
struct fs *proc_init(struct node **root);
void proc_forget(struct node *n); /* as n is destroyed */
struct node *proc_parent(struct node *n);
/* The node that a name in a directory of /proc means.  NULL: *error says why; 0: there is no
 * such name. */
struct node *proc_lookup(struct request *r, struct node *dir, const char *name, uint32_t len,
			 long *error);
/* Where a symbolic link of /proc leads.  It sets one of three: *text, the text of an ordinary
 * link; *at, a place; or *fd, the number of a descriptor of the caller's that another server
 * owns. */
long proc_follow(struct request *r, struct node *n, const char **text, struct place *at, int *fd);
long proc_readlink(struct request *r, struct node *n, char *buf, size_t size);
long proc_open(struct request *r, struct place at, uint32_t flags);
long proc_getdents(struct request *r, struct file *f, struct dirents *d);
/* The node of a file in /proc whose contents pm makes, by the ident of its session
 * (TERN_KIND_PROC). */
struct node *proc_node_by_ident(uint64_t ident);
/* The path of n below /proc, written to the end of buf. */
char *proc_path(struct node *n, char *buf, size_t size);

/* ---- initrd.c, cpio.c ---- */
void initrd_load(void);
struct cpio_entry {
	const char *name; /* without leading "/" and "./"; NUL-terminated; "" is the root */
	uint32_t ino, mode, uid, gid, nlink, mtime, rdev_major, rdev_minor, dev;
	uint64_t data, size; /* data: an offset in the archive */
};
/* Goes over newc archives that lie one behind the other and calls `each` for every entry, until
 * that returns a negative number.  Returns that number, -EINVAL if it is no archive or cut off,
 * or 0. */
long cpio_read(const char *archive, size_t size, long (*each)(void *ctx, const struct cpio_entry *e),
	       void *ctx);

extern const server_handler vfs_calls[512];
extern const struct server_ops vfs_ops;
long vfs_method(struct tern_msg *m);
void vfs_init(void);
