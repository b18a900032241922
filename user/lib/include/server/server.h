/* What the servers of the boot archive share: the loop that receives and replies, the table from
 * call number to function, default answers, pools of objects, a log.
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
	/* The function for each Linux call number, 0…511.  A call whose entry is NULL goes to
	 * server_default(), which gives the answers of an anonymous inode or the `else` errno of
	 * the call's line in kernel/linux/syscalls.def (0 there means success). */
	const server_handler *calls;
	/* Answers other servers' methods (from TERN_METHOD on, TERN_VFS_EXEC_OPEN too).  If it is
	 * NULL they get ENOSYS. */
	server_handler method;
	/* The functions below get events (enum tern_event).  One that is NULL ignores its event.
	 * closed: the last handle of a session has gone. */
	void (*closed)(uint64_t badge, uint64_t sid);
	/* A signal wants the caller of a parked call: the server answers the call soon, with
	 * -TERN_ECANCELLED if nothing was done, else with the partial result. */
	void (*cancel)(uint64_t badge, uint64_t token);
	/* The caller of a parked call was killed: the server drops what it kept for the call. */
	void (*gone)(uint64_t badge, uint64_t token);
	/* An asynchronous call of the server's own has been answered. */
	void (*done)(uint64_t cookie, long result, int handle, int handle2);
	/* The deadline that tern_park() set for a call has passed. */
	void (*timeout)(uint64_t badge, uint64_t token);
	/* A notification or an interrupt has come. */
	void (*note)(uint64_t badge, uint64_t bits);
	/* Gets every event that has no function above, such as those about pm's processes (EXITED,
	 * STOPPED, CONTINUED, THREAD_EXITED). */
	void (*event)(struct tern_msg *m);
};

/* The message page, which the kernel uses too (TERN_BIND, include/tern/abi.h).  Its first
 * TERN_PATH_MAX bytes hold the path or the short input that the kernel delivered with the message;
 * after them server_out() puts the short results that a reply copies to the caller. */
extern char *server_page;
#define SERVER_PAGE_OUT TERN_PATH_MAX /* the offset in the page of those results */
#define SERVER_OUT_MAX 512u
/* The number of bytes of window 0 that the kernel delivered in the page; 0 if it delivered none.
 * word[0] of a forwarded call is another server's, so nothing counts as delivered then. */
static inline uint64_t server_came(const struct tern_msg *m)
{
	return m->op & (TERN_MSG_FORWARDED | TERN_MSG_ASYNC) ? 0 : m->word[0];
}
/* Makes a message page and binds the endpoint with it: 0 or a negative errno. */
long server_bind(int endpoint);

/* Receives and answers for ever, by the functions of *ops.  server_start() has bound the
 * endpoint. */
_Noreturn void server_run(const struct server_ops *ops);

/* The one message that is being handled, which loop.S stores here, and the extras of the running
 * handler's reply, which the server_reply_…() functions set and loop.S sends. */
struct server_frame {
	struct tern_msg msg;
	struct tern_reply extra;
};
extern struct server_frame server_frame;
#ifdef __riscv
#define SERVER_EXTRA static inline
#else
#define SERVER_EXTRA /* host tests define these functions themselves */
#endif
/* Raises a signal in the caller as the call ends, as SIGPIPE with EPIPE. */
SERVER_EXTRA void server_reply_signal(int sig);
/* Before the call ends, the kernel copies `n` bytes into window `win`, from the server's memory or
 * from a memory object.  The caller's result becomes the number of bytes copied, or EFAULT. */
SERVER_EXTRA void server_reply_copy(unsigned win, const void *from, size_t n);
SERVER_EXTRA void server_reply_copy_memobj(unsigned win, int memobj, uint64_t off, size_t n);
/* The copy goes the other way: from window `win` to the server's memory or to the memory object. */
SERVER_EXTRA void server_reply_take(unsigned win, void *to, size_t n);
SERVER_EXTRA void server_reply_take_memobj(unsigned win, int memobj, uint64_t off, size_t n);
/* With a copy: the caller's result is what the handler returns, not the number of bytes copied; it
 * is EFAULT if not all could be copied. */
SERVER_EXTRA void server_reply_whole(void);
/* With one of the two copies of a memory object: from then on the kernel itself answers reads and
 * writes on the call's session, as of a file whose pages are that object's (TERN_REPLY_FILE). */
void server_reply_file(uint64_t offset, uint64_t length, unsigned flags);
/* With a copy: it has to be whole.  If the caller's buffer takes only a part, the kernel neither
 * answers the call nor changes readiness words, and event() gets TERN_EV_COPY_SHORT as the very
 * next message; so it does if the caller was killed before the copy. */
SERVER_EXTRA void server_reply_exact(void);
/* Gives the caller a new session with this badge, as tern_give_session() does, but with the reply
 * itself, which may have no copy then; the session has no readiness word and no meta session.
 * closed() is always called in the end: when the last handle of the session goes, and also if no
 * session could be made and the caller got ENOMEM. */
void server_reply_give(unsigned slot, unsigned rights, enum tern_kind kind, uint64_t badge,
		       uint64_t ident);
/* Sets and clears bits of a readiness word as the call ends.  A reply carries two such changes; a
 * third is made at once, by a kernel entry of its own. */
SERVER_EXTRA void server_reply_ready(uint64_t rid, unsigned set, unsigned clear);
/* Does so for the second change and for later ones (server_reply_ready calls it). */
void server_reply_ready_more(uint64_t rid, unsigned set, unsigned clear);
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

/* Copies `n` bytes to window `win`; the caller's result is `result`, or EFAULT if that fails.
 * A negative `result` is returned as it is, without a copy. */
long server_out(struct tern_msg *m, unsigned win, const void *from, size_t n, long result);
/* Does what server_out does, without a copy in between: the handler promises that the bytes at
 * `from` are still there when the reply is made. */
long server_out_kept(unsigned win, const void *from, size_t n, long result);

/* Answers a call for which the server's table has no function. */
long server_default(struct tern_msg *m);
/* Answer the fcntl commands and ioctls that the server does not know, as an anonymous inode
 * does. */
long server_fcntl(struct tern_msg *m);
long server_ioctl(struct tern_msg *m);
struct stat;
/* Answers fstat, newfstatat or statx, whichever the message is, with *st. */
long server_give_stat(struct tern_msg *m, const struct stat *st);
/* Fills *st as for an anonymous inode with this mode, inode number and owner; for fstat
 * handlers. */
void server_fill_stat(struct stat *st, uint32_t mode, uint64_t ino, uint32_t uid, uint32_t gid);

/* ---- start-up ---- */

/* pm puts this on a new server's stack with a0 pointing at it.  start.S passes it to
 * server_start(), which binds the endpoint and calls main().  A handle is -1 in a server that does
 * not get it. */
struct server_boot {
	int32_t endpoint; /* the endpoint that the server receives on */
	/* Sessions with the other servers, for methods and forwards.  The badge that the other
	 * server sees, TERN_BADGE_FROM_…, says who calls. */
	int32_t pm;
	int32_t vfs, tty, pipe;
	int32_t initrd;	  /* vfs alone: the memory object of the boot archive */
	int32_t pidmap;	  /* vfs alone: struct tern_pid_entry[TERN_PID_MAX], read-only */
	int32_t uart;	  /* tty alone: the memory object of the UART's registers */
	int32_t uart_irq; /* tty alone: the UART's interrupt */
	int32_t uart_shift; /* the UART's registers are 1 << uart_shift bytes apart */
	int32_t reserved[6];
	uint64_t initrd_size;
	struct tern_boot_info boot;
};
extern const struct server_boot *server_boot;

int main(void); /* each server's own: sets up its state and calls server_run() */

/* ---- small help ---- */

/* Writes one line, "name: text", to the kernel's log, which shows it on the console. */
void server_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes the line, marked PANIC, and ends the server: for what a correct server never gets to. */
_Noreturn void server_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A server's main.c defines its name for the log, and the other two where the defaults in heap.c
 * (0 and true) do not fit. */
extern const char server_name[];
extern const unsigned server_bind_flags; /* TERN_BIND_*, for server_bind() */
extern const bool server_heap_bounded;	 /* false: the heap may take the last of memory */

/* A pool of objects of one size, whose badges can be checked (pool.c).  pool_alloc() returns a
 * zeroed object, or NULL when memory is out.  pool_badge() is never below TERN_BADGE_FIRST, and
 * pool_lookup() returns NULL for a badge whose object was freed or never made. */
struct pool {
	size_t size;	 /* bytes of an object */
	uint32_t count;	 /* slots there are, free ones and used ones */
	uint32_t free;	 /* the index of the first free slot, plus one; 0: no slot is free */
	uint32_t used;
	void **chunks;	 /* arrays of POOL_CHUNK slots */
	uint32_t nchunks;
};
void pool_init(struct pool *p, size_t size);
void *pool_alloc(struct pool *p);
void pool_free(struct pool *p, void *object);
#define POOL_CHUNK 64u
struct pool_slot {
	uint32_t index;
	uint32_t generation; /* grows at each alloc and free: odd while the slot is in use */
	uint32_t next;	     /* of a free slot: the index of the next free one, plus one */
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

/* malloc and free are picolibc's; they get memory from sbrk in user/lib/heap.c. */
