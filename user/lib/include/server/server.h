/* What servers share: the loop, the table from operation to function, parked requests, default
 * errnos, a log.
 *
 * A server is single-threaded: main() sets up its state from struct server_boot, then calls
 * server_run().  A handler gets the message and returns the result for the caller (>= 0 or a
 * negative errno), or SERVER_NO_REPLY if it has parked the token (and replies later with
 * tern_reply…), forwarded it, or ended it by REPLY_MAP or PROCESS_EXEC.
 *
 * Replies carry extras: a handler that returns a result may first call server_reply_…() below;
 * they are sent with that reply, in one kernel entry. */
#pragma once

#include <server/methods.h>
#include <server/native.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/linux/unistd.h>

#define SERVER_NO_REPLY ((long)0x8000000000000000ull)

typedef long (*server_handler)(struct tern_msg *m);

struct server_ops {
	/* By Linux call number, 0…511.  A missing one is answered with the `else` errno of its line
	 * in kernel/linux/syscalls.def (0 there means success; an fstat or fstatfs of an anonymous
	 * object gets default contents, see server_default). */
	const server_handler *calls;
	/* TERN_METHOD… and TERN_VFS_EXEC_OPEN: ENOSYS if missing. */
	server_handler method;
	/* Events; any may be NULL. */
	void (*closed)(uint64_t badge, uint64_t sid);
	/* A parked call is interrupted: the server answers it soon, with -TERN_ECANCELLED if
	 * nothing was done, else with the partial result. */
	void (*cancel)(uint64_t badge, uint64_t token);
	void (*gone)(uint64_t badge, uint64_t token);
	void (*done)(uint64_t cookie, long result, int handle, int handle2);
	void (*timeout)(uint64_t badge, uint64_t token);
	void (*note)(uint64_t badge, uint64_t bits);
	/* pm's: EXITED, STOPPED, CONTINUED, THREAD_EXITED and whatever else comes. */
	void (*event)(struct tern_msg *m);
};

/* The message page (include/tern/abi.h): in its first TERN_PATH_MAX bytes lies what has come along with the
 * message; what follows is for short results, which a reply copies out of it. */
extern char *server_page;
#define SERVER_PAGE_OUT TERN_PATH_MAX /* there server_out() puts what it copies */
#define SERVER_OUT_MAX 512u
/* Bytes of window 0 that lie in the page; 0: none, or it is a forwarded call. */
static inline uint64_t server_came(const struct tern_msg *m)
{
	return m->op & (TERN_MSG_FORWARDED | TERN_MSG_ASYNC) ? 0 : m->word[0];
}
/* Binds the endpoint, with a message page: 0 or an errno. */
long server_bind(int endpoint);

/* Never returns.  The endpoint must have been bound (server_start does it). */
_Noreturn void server_run(const struct server_ops *ops);

/* What loop.S fills and sends: the message, and the extras of the reply that the running handler will
 * make, set by the functions below. */
struct server_frame {
	struct tern_msg msg;
	struct tern_reply extra;
};
extern struct server_frame server_frame;
#ifdef __riscv
#define SERVER_EXTRA static inline
#else
#define SERVER_EXTRA /* host tests bring their own */
#endif
SERVER_EXTRA void server_reply_signal(int sig); /* raise it in the caller: SIGPIPE with EPIPE */
/* Copy `n` bytes into window `win` first; the result becomes the bytes copied, or EFAULT. */
SERVER_EXTRA void server_reply_copy(unsigned win, const void *from, size_t n);
SERVER_EXTRA void server_reply_copy_memobj(unsigned win, int memobj, uint64_t off, size_t n);
/* The same the other way: from the window. */
SERVER_EXTRA void server_reply_take(unsigned win, void *to, size_t n);
SERVER_EXTRA void server_reply_take_memobj(unsigned win, int memobj, uint64_t off, size_t n);
/* The result stays what the handler returns; EFAULT if the copy falls short. */
SERVER_EXTRA void server_reply_whole(void);
/* With one of the two copies of a memory object: the call's session is a file with that object from then
 * on (TERN_REPLY_FILE). */
void server_reply_file(uint64_t offset, uint64_t length, unsigned flags);
/* The copy must be whole: if it falls short (the client's buffer), the call is not answered, nor
 * are readiness words changed, and event() gets TERN_EV_COPY_SHORT as the very next message; so it
 * does if the caller was killed before. */
SERVER_EXTRA void server_reply_exact(void);
/* Give a new session with this badge as tern_give_session() does, with neither word nor meta session,
 * in a reply without a copy.  Whatever becomes of it, closed() tells when the badge has no session
 * any more: also if none could be made, and the caller got ENOMEM. */
void server_reply_give(unsigned slot, unsigned rights, enum tern_kind kind, uint64_t badge,
		       uint64_t ident);
/* Change a readiness word (at most two calls a reply). */
SERVER_EXTRA void server_reply_ready(uint64_t rid, unsigned set, unsigned clear);
void server_reply_ready_more(uint64_t rid, unsigned set, unsigned clear); /* not the first */
#ifdef __riscv
static inline void server_reply_signal(int sig)
{
	server_frame.extra.flags |= (uint64_t)sig & TERN_REPLY_SIGNAL;
}
static inline void server_reply_copy(unsigned win, const void *from, size_t n)
{
	server_frame.extra.flags |= TERN_REPLY_COPY;
	server_frame.extra.from = TERN_PTR(from);
	server_frame.extra.length = n;
	server_frame.extra.win = win;
}
static inline void server_reply_copy_memobj(unsigned win, int memobj, uint64_t off, size_t n)
{
	server_frame.extra.flags |= TERN_REPLY_COPY_MEMOBJ;
	server_frame.extra.from = off;
	server_frame.extra.length = n;
	server_frame.extra.win = win;
	server_frame.extra.memobj = (uint64_t)memobj;
}
static inline void server_reply_take(unsigned win, void *to, size_t n)
{
	server_reply_copy(win, to, n);
	server_frame.extra.flags |= TERN_REPLY_IN;
}
static inline void server_reply_take_memobj(unsigned win, int memobj, uint64_t off, size_t n)
{
	server_reply_copy_memobj(win, memobj, off, n);
	server_frame.extra.flags |= TERN_REPLY_IN;
}
static inline void server_reply_ready(uint64_t rid, unsigned set, unsigned clear)
{
	struct tern_reply *x = &server_frame.extra;

	if (x->flags & TERN_REPLY_READY) {
		server_reply_ready_more(rid, set, clear);
		return;
	}
	x->flags |= TERN_REPLY_READY;
	x->rid1 = rid;
	x->bits1 = set | (uint64_t)clear << 32;
	x->rid2 = 0;
}
static inline void server_reply_whole(void) { server_frame.extra.flags |= TERN_REPLY_KEEP; }
static inline void server_reply_exact(void) { server_frame.extra.flags |= TERN_REPLY_EXACT; }
#endif

/* Results that copy a small structure out: `n` bytes to window `win`, then `result`. */
long server_out(struct tern_msg *m, unsigned win, const void *from, size_t n, long result);
/* The same; `from` stays as it is until the reply. */
long server_out_kept(unsigned win, const void *from, size_t n, long result);

/* The default answer for a call that a server's table lacks (for tests). */
long server_default(struct tern_msg *m);
/* What fcntl answers for commands that the server does not know. */
long server_fcntl(struct tern_msg *m);
long server_ioctl(struct tern_msg *m);
/* The answer to fstat, newfstatat and statx of a descriptor. */
struct stat;
long server_give_stat(struct tern_msg *m, const struct stat *st);
/* Fills an anonymous object's stat: mode, ino, this process's fsuid; for fstat handlers. */
void server_fill_stat(struct stat *st, uint32_t mode, uint64_t ino, uint32_t uid, uint32_t gid);

/* ---- start-up ---- */

/* What pm puts on a new server's stack; a0 points at it and start.S passes it to
 * server_start(), which binds the endpoint and calls main(argc 0).  Handles are -1 where a
 * server does not get them. */
struct server_boot {
	int32_t endpoint; /* to receive on */
	int32_t pm;	  /* sessions for methods and forwards, badge TERN_BADGE_FROM_… */
	int32_t vfs, tty, pipe;
	int32_t initrd;	  /* vfs: memobj of the boot archive */
	int32_t pidmap;	  /* vfs: memobj, struct tern_pid_entry[TERN_PID_MAX], read-only */
	int32_t uart;	  /* tty: memobj of the registers */
	int32_t uart_irq; /* tty: irq handle */
	int32_t uart_shift;
	int32_t reserved[6];
	uint64_t initrd_size;
	struct tern_boot_info boot;
};
extern const struct server_boot *server_boot;

int main(void); /* sets up and calls server_run() */

/* ---- small help ---- */

/* One line to the kernel's log (and so to the console): "name: text". */
void server_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Logs and stops the server: for what cannot happen. */
_Noreturn void server_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern const char server_name[]; /* each main.c defines it */
extern const unsigned server_bind_flags; /* TERN_BIND_* */
extern const bool server_heap_bounded; /* false: its heap may take the last of memory (heap.c) */

/* Memory for objects of one size: chunks from mmap, a free list; NULL when memory is out.
 * Index and generation make badges: pool_badge() is never below TERN_BADGE_FIRST, and
 * pool_lookup() returns NULL for a badge that is stale or was never made. */
struct pool {
	size_t size;	 /* of an object */
	uint32_t count;	 /* slots made */
	uint32_t free;	 /* first free slot + 1 */
	uint32_t used;
	void **chunks;	 /* of 64 slots */
	uint32_t nchunks;
};
void pool_init(struct pool *p, size_t size);
void *pool_alloc(struct pool *p); /* zeroed */
void pool_free(struct pool *p, void *object);
#define POOL_CHUNK 64u
struct pool_slot {
	uint32_t index;
	uint32_t generation; /* odd: in use */
	uint32_t next;	     /* free: index + 1 of the next free slot */
	uint32_t pad;
};
static inline uint64_t pool_badge(const struct pool *p, const void *object)
{
	const struct pool_slot *s = (const struct pool_slot *)object - 1;

	(void)p;
	return ((uint64_t)s->generation << 32 | s->index) + TERN_BADGE_FIRST;
}
static inline void *pool_lookup(const struct pool *p, uint64_t badge)
{
	uint64_t at = badge - TERN_BADGE_FIRST; /* a lower badge becomes an index out of range */
	uint32_t index = (uint32_t)at, generation = (uint32_t)(at >> 32);
	struct pool_slot *s;

	if (index >= p->count)
		return NULL;
	s = (struct pool_slot *)((char *)p->chunks[index / POOL_CHUNK] +
				 (index % POOL_CHUNK) * (p->size + sizeof *s));
	return s->generation == generation && (generation & 1) ? s + 1 : NULL;
}

/* malloc, free and friends come from picolibc over sbrk/mmap (user/lib/heap.c). */
