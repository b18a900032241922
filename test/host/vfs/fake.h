/* The kernel as vfs sees it, played by the test: memory objects, windows, sessions, one program
 * whose calls go through `call()`. */
#pragma once

#include <vfs.h>

#define FAKE_FDS 64

struct fake_fd {
	bool used;
	uint32_t rights, kind;
	uint64_t badge, ident;
};

/* The calling program. */
extern struct tern_caller fake_caller;
extern struct fake_fd fake_fds[FAKE_FDS];
extern uint64_t fake_cwd, fake_root;
extern uint32_t fake_tid;
extern struct tern_pid_entry fake_pids[TERN_PID_MAX];

/* What the last call did besides its result. */
extern int fake_signal;		 /* raised in the caller, 0 none */
extern int fake_forwarded;	 /* the handle it was forwarded to, 0 none */
extern uint64_t fake_words[2];	 /* with these */
extern int fake_mapped;		 /* REPLY_MAP's memobj handle, -1 none */
extern uint64_t fake_token;	 /* of the last call */
extern long fake_late_result;	 /* of the last tern_reply() */
extern uint64_t fake_late_token;
extern int fake_fail_after; /* >= 0: that many more kernel allocations succeed */

void fake_init(const void *archive, size_t size); /* starts vfs */
long call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
void fake_close(int fd);
/* Process `pid` closes every file that it has locks of. */
void fake_drop_hidden(uint32_t pid);
void fake_cred(uint32_t uid, uint32_t gid); /* the caller becomes this user */
unsigned fake_memobjs(void);		    /* in use */

#define P(p) ((uint64_t)(uintptr_t)(p))
#define CWD ((uint64_t)AT_FDCWD)
static inline long c_open(const char *p, int flags, int mode) { return call(56, CWD, P(p), (uint64_t)flags, (uint64_t)mode, 0, 0); }
static inline long c_read(long fd, void *b, size_t n) { return call(63, (uint64_t)fd, P(b), n, 0, 0, 0); }
static inline long c_write(long fd, const void *b, size_t n) { return call(64, (uint64_t)fd, P(b), n, 0, 0, 0); }
static inline long c_mkdir(const char *p, int mode) { return call(34, CWD, P(p), (uint64_t)mode, 0, 0, 0); }
static inline long c_unlink(const char *p) { return call(35, CWD, P(p), 0, 0, 0, 0); }
static inline long c_rmdir(const char *p) { return call(35, CWD, P(p), AT_REMOVEDIR, 0, 0, 0); }
static inline long c_symlink(const char *t, const char *p) { return call(36, P(t), CWD, P(p), 0, 0, 0); }
static inline long c_link(const char *a, const char *b) { return call(37, CWD, P(a), CWD, P(b), 0, 0); }
static inline long c_rename(const char *a, const char *b, unsigned f) { return call(276, CWD, P(a), CWD, P(b), f, 0); }
static inline long c_stat(const char *p, struct stat *st) { return call(79, CWD, P(p), P(st), 0, 0, 0); }
static inline long c_lstat(const char *p, struct stat *st) { return call(79, CWD, P(p), P(st), AT_SYMLINK_NOFOLLOW, 0, 0); }
static inline long c_fstat(long fd, struct stat *st) { return call(80, (uint64_t)fd, P(st), 0, 0, 0, 0); }
static inline long c_readlink(const char *p, char *b, size_t n) { return call(78, CWD, P(p), P(b), n, 0, 0); }
static inline long c_lseek(long fd, int64_t o, int w) { return call(62, (uint64_t)fd, (uint64_t)o, (uint64_t)w, 0, 0, 0); }
static inline long c_chdir(const char *p) { return call(49, P(p), 0, 0, 0, 0, 0); }
static inline long c_getdents(long fd, void *b, size_t n) { return call(61, (uint64_t)fd, P(b), n, 0, 0, 0); }
static inline long c_chmod(const char *p, int mode) { return call(53, CWD, P(p), (uint64_t)mode, 0, 0, 0); }
