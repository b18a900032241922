/* Tern's own operations: what a server (and nobody else, for most) asks of the kernel beyond the
 * Linux system calls.  Same convention as those: number in a7, arguments in a0…a5, result in a0
 * (negative Linux errno), every other register preserved - except recv and reply_recv, which by
 * contract clobber every register but sp, gp and tp (so does SUPPLY_RECV).
 *
 * "h" is a number in the caller's own handle table (the descriptor table), "token" names a call
 * that the caller has received and not answered (stale: -ESRCH), "win" is the index of a window
 * of the call's line in kernel/linux/syscalls.def (0, 1, … in the order written there), "sid" names a
 * session and "rid" a readiness word of an endpoint that the caller's process owns.
 * Pointers are in the caller's own space.  SYSTEM: needs the process authority TERN_AUTH_SYSTEM
 * (pm has it); INFO: needs TERN_AUTH_INFO (pm and vfs); SERVER: needs TERN_AUTH_SERVER (the servers
 * of the boot archive).  All else needs TERN_AUTH_SERVE, but for what kernel/native/native.def
 * says that ANYONE may do.  docs/native.md has each operation's rights, charges and bounds.
 */
#pragma once

#include <stdint.h>

enum tern_op {
	TERN_OP_FIRST = 1024,

	/* ---- receiving and answering ---- */
	/* (ep h, message page or 0, flags): the calling thread becomes the receiver of that endpoint; 0.
	 * EBUSY: it has one.  The page, of a mapping that is shared and anonymous, and written to before
	 * (EFAULT), is for the kernel to use as well: it puts short paths there and, with TERN_BIND_BYTES,
	 * short plain input windows (word[0]), and a reply's copy out of it costs less. */
	TERN_BIND = 1024,
	/* (): waits for the next message or event on the bound endpoint: struct tern_msg in
	 * registers (below).  a0 is args[0]: there is no error return. */
	TERN_RECV,
	/* (token, result, flags, copy from, copy length, win; extras in a6, t0…t3: struct tern_reply).
	 * Ends the call.  0 (with a copy: the result), ESRCH.  A result of -TERN_ECANCELLED says "interrupted, nothing done". */
	TERN_REPLY,
	/* The same, then recv.  A stale token is dropped silently. */
	TERN_REPLY_RECV,
	/* (token, session h, w0, w1, h to hand on or -1): hands the call on as the caller made it.
	 * ELOOP: the session is one of the forwarder's own endpoint, or the call has been forwarded
	 * eight times. */
	TERN_FORWARD,
	/* (token, descriptor number of the *caller*, w0, w1): to the session behind it.  The callee
	 * sees the badge of that session.  EBADF, ELOOP. */
	TERN_FORWARD_FD,
	/* (cookie, session h, op, subject token or 0, const uint64_t args[6]): asynchronous call with
	 * the caller's own memory as windows; with a subject, references, root, credentials and
	 * umask are that client's.  The answer is TERN_EV_DONE.  0, EAGAIN/ENOMEM, EPIPE (dead). */
	TERN_CALL_ASYNC,
	/* (source, offset, destination, offset, length, TERN_FROM(…) | TERN_TO(…) | TERN_COPY_STRING):
	 * from one end to another (enum tern_end).  Bytes, fewer where an end ends or cannot be had
	 * further on.  If there are none: EFAULT; EACCES (the line does not allow the direction); EINVAL
	 * (no such window; two objects); ESRCH (stale token, a process without a space); EBADF (no such
	 * handle, or without the right); EPERM; ENOMEM; EAGAIN (a pager brings the page: PAGED follows);
	 * of two windows -TERN_EDEST: the destination is gone or faulted, nothing is lost.
	 *
	 * TERN_COPY_STRING: window 0 is a string, and is copied with its NUL: the length without it,
	 * ENAMETOOLONG.  Or it is a vector of strings, copied packed, each with its NUL, one behind the
	 * other: bytes | count << 32, E2BIG.  A NULL vector: 0. */
	TERN_COPY,
	/* (token, slot | rights << 8 | kind << 32, badge, ident, rid or 0, meta session h or -1):
	 * creates a session on the bound endpoint and puts it into the call's descriptor slot 0 or 1
	 * (reserved by its line), or TERN_SLOT_CWD / TERN_SLOT_ROOT of the caller's name context.
	 * Takes effect as the reply commits (>= 0); an error reply undoes it (CLOSED follows).
	 * 0, EINVAL (slot), ENOMEM.  TERN_REPLY_GIVE does the same within the reply. */
	TERN_GIVE_SESSION,
	/* (token, slot | rights << 8, h): the same with a copy of a handle of the caller's own. */
	TERN_GIVE,
	/* (token, ident, badge): the session that the caller's descriptor table keeps hidden under this
	 * ident of the bound endpoint: no number names it.  Made with this badge if there is none.
	 * It goes (CLOSED) with the first handle of a session with the same ident that the table
	 * closes, O_PATH ones aside, and with the table; fork does not copy it.  Its badge; ENOENT
	 * (none, and badge is 0), EBADF (argument 0 of the call is another descriptor meanwhile),
	 * EINVAL (an asynchronous call), ENOMEM. */
	TERN_GIVE_HIDDEN,
	/* SYSTEM (token): a descriptor for a line that makes none, as slot 0; the result stays what the
	 * reply says.  Its number, EMFILE, ENOMEM, EINVAL (there is one). */
	TERN_RESERVE,
	/* SYSTEM (token, slot, process h, fd): TERN_GIVE of another process's handle, with its rights.
	 * EBADF. */
	TERN_GIVE_OF,
	/* (token, absolute monotonic ns): TERN_EV_TIMEOUT then, unless replied.  0 cancels. */
	TERN_PARK,
	/* (token, struct tern_caller *) */
	TERN_CALLER,
	/* (token, memobj h, offset, max prot, result): ends an mmap: the kernel places the mapping
	 * and answers the client with the address or an errno (EACCES by max prot).  For an
	 * asynchronous call, DONE carries `result` and a memobj handle instead. */
	TERN_REPLY_MAP,
	/* (token, first fd, struct tern_handle_info *, max): the caller's descriptors.  Count. */
	TERN_CALLER_HANDLES,

	/* ---- objects ---- */
	/* (): h of a new endpoint, owned by the calling process (or by who is given it with
	 * TERN_R_MANAGE). */
	TERN_EP_CREATE,
	/* (ep h or -1 for the bound one, badge, kind, ident, rid or 0, meta h or -1): sid of a session
	 * without handles yet. */
	TERN_SESSION_CREATE,
	/* (sid, rights): h of it in the caller's own table. */
	TERN_SESSION_HANDLE,
	/* (initial bits, bits while no reader is left, bits while no writer is left, rid or 0): rid of a new readiness
	 * word (POLL* bits).  If one of the last two is not 0 the word has two ends, as a pipe's has: a
	 * session that GIVE_SESSION gives with it has the end to read, the end to write, or both, by its
	 * rights, and sees IN or OUT.  As the last session that has an end closes, the kernel sets the
	 * bits, which sessions of the other end see; it clears them as a new one is given.
	 * With another word's rid all sessions have the end to read, see all bits, and what the kernel
	 * sets as the last one closes it sets in that word, whose own fourth argument was 0 (EINVAL). */
	TERN_READY_CREATE,
	/* (rid, set, clear): each bit set is an edge and wakes who waits. */
	TERN_READY_SET,
	TERN_READY_DESTROY, /* (rid) */
	/* SERVER (token, rid, bytes): the caller pays for what the server keeps for all that share the
	 * word: that many bytes now.  Who pays is whose call it was the first time, until the word
	 * is destroyed.  ENOMEM: that process has too much. */
	TERN_CHARGE,
	/* (badge): h of a notification that arrives at the bound endpoint as TERN_EV_NOTE. */
	TERN_NOTE_CREATE,
	TERN_NOTE_SIGNAL, /* (h, bits) */
	TERN_IRQ_CREATE,  /* SYSTEM (interrupt number): h */
	/* (irq h, badge): interrupts arrive as TERN_EV_NOTE(badge, 1) and stay masked until ack. */
	TERN_IRQ_BIND,
	TERN_IRQ_ACK, /* (irq h) */
	/* (absolute monotonic ns, cookie): TERN_EV_TIMER(badge = cookie) at the bound endpoint then.
	 * One an endpoint: setting it again replaces it, 0 cancels it.  0. */
	TERN_TIMER = 1060,
	/* (token, win): the window's length in bytes: a read's or write's own, an iovec's sum.
	 * ESRCH, EINVAL (no such window). */
	TERN_WINDOW_LENGTH = 1061,
	/* (bool): whether the ends of TERN_R_CLOSE_LATER's sessions of the bound endpoint may wait for the
	 * next message; not at first.  0. */
	TERN_CLOSE_LATER = 1062,
	/* (token, descriptor number of the caller or -1, badge): the call's session, or the server's own with
	 * that badge behind the descriptor, has no file any more (TERN_REPLY_FILE), and the server the
	 * offset: the offset, ENOENT (it had none), EBADF (the descriptor is another one's). */
	TERN_FILE_TAKE = 1063,
	/* The arguments of MEMOBJ_SUPPLY: that, then recv.  If less was moved than asked for,
	 * TERN_EV_COPY_SHORT without a token comes at once: a0 = bytes, or an errno. */
	TERN_SUPPLY_RECV = 1064,

	/* ---- memory ---- */
	/* (size, ident, flags, badge): h of an anonymous memobj; ident names it in region lists.  With
	 * TERN_MEMOBJ_PAGED its pages are the caller's to bring: TERN_EV_PAGE_IN(badge, offset) comes
	 * when one is missing, and SUPPLY, SUPPLY_RECV or WRITE answers it.  A page that nobody else has written to may
	 * be dropped when memory is out, and be asked for again. */
	TERN_MEMOBJ_CREATE = 1072,
	TERN_MEMOBJ_PHYS,   /* SYSTEM (physical address, size): device memory */
	TERN_MEMOBJ_RESIZE, /* (h, size): shrinking unmaps and frees, and zeroes the last page's rest */
	/* (dst h, dst offset, src h, src offset, length), page-aligned: moves src's frames into
	 * empty places of dst (they leave src).  Bytes, 2 MiB at the most. */
	TERN_MEMOBJ_SUPPLY = 1077,
	TERN_MEMOBJ_PUNCH, /* (h, offset, length): gives pages back; reads as zero */
	TERN_MEMOBJ_COUNT, /* (h, struct tern_memobj_info *) */
	/* (h, badge): TERN_EV_NOTE(badge, 1) at the bound endpoint each time the last region of the
	 * object has gone (who wants to be sure asks COUNT then).  EBUSY (watched already). */
	TERN_MEMOBJ_WATCH,
	TERN_ASPACE_CREATE, /* (): h of an empty space */
	/* (aspace h or -1 own, address, length, prot | max prot << 8 | MAP_* flags << 16,
	 *  memobj h or -1, offset): address.  MAP_FIXED or a hint, as mmap(2). */
	TERN_ASPACE_MAP,
	TERN_ASPACE_UNMAP, /* (aspace h or -1, address, length) */
	/* INFO (process h, address, struct tern_region_info *, max): regions from that address on. */
	TERN_ASPACE_QUERY,
	/* INFO (process h, address, struct tern_walk *): the three-level walk; in the kernel's half only
	 * the root's entry. */
	TERN_ASPACE_WALK,
	/* INFO (process h, address, uint64_t *, count): pagemap words (Linux's format, and
	 * TERN_PAGEMAP_…) of count pages from address on. */
	TERN_ASPACE_PAGEMAP,
	/* (h): the kernel answers no more calls on the file that the object is (TERN_REPLY_FILE), and has
	 * finished those that it was answering. */
	TERN_MEMOBJ_WITHDRAW = 1096,

	/* ---- processes: SYSTEM, on process handles ---- */
	TERN_PROCESS_CREATE = 1104, /* (const struct tern_process_args *): process h */
	/* (token of the clone call, const struct tern_fork_args *): process h (0 for a thread).
	 * The child may run before this returns: what others see of it is written before.  The caller's
	 * clone answers with the reply that follows; copying the
	 * space is the caller's own work; if it fails, the caller gets ENOMEM and
	 * TERN_EV_EXITED(badge, TERN_STATUS_NEVER_RAN) follows. */
	TERN_PROCESS_FORK,
	/* (token of the execve call, aspace h, const struct tern_exec_args *): the call stays, and the
	 * new image takes over with its answer: so what others see of the process is written between
	 * the two.  Nothing can fail then but by the caller's end.  EBUSY: another of its threads
	 * came first, and ends this one.  On an error nothing has changed. */
	TERN_PROCESS_EXEC,
	TERN_PROCESS_KILL, /* (process h, wait status): ends every thread */
	/* (process h, tid or 0, const siginfo_t *): 0, ESRCH, EAGAIN (queue full); 1 for a
	 * SIGCHLD of an ended child (CLD_EXITED, KILLED, DUMPED) whose action is SIG_IGN or has
	 * SA_NOCLDWAIT: no zombie is wanted.  SIGCHLD for a stop or continue (CLD_STOPPED,
	 * CLD_CONTINUED) is dropped where the action has SA_NOCLDSTOP. */
	TERN_SIGNAL_SEND,
	/* SYSTEM (int32_t process h[], how many, siginfo *): to all of them before any of them can run on;
	 * 0 if one took it, else an errno.  EINVAL (none, or over TERN_SIGNAL_MANY). */
	TERN_SIGNAL_SEND_ALL,
	TERN_PROCESS_SET,  /* (process h, enum tern_process_word, value, value2) */
	TERN_PROCESS_STAT, /* INFO (process h, tid or 0, struct tern_process_stat *) */
	/* INFO (process h, first fd, struct tern_handle_info *, max): its descriptors from that one on,
	 * or one of TERN_FD_…  Count. */
	TERN_PROCESS_HANDLES,
	TERN_PROCESS_OPEN, /* INFO (pid): h of that process.  ESRCH */
	TERN_CRED_SET,	      /* (token, const struct tern_cred *): the calling thread's, at once */
	TERN_THREAD_SCHED, /* (process h, tid, policy or -1, rt priority, nice, affinity mask or 0) */
	/* INFO (process h, first tid, uint32_t *tids, max): those from that one on, in order; at most
	 * TERN_THREADS_MAX at once.  Count. */
	TERN_THREADS,
	/* (process h, CLONE_FILES | CLONE_FS): it no longer shares these with other processes.
	 * ENOMEM; EINVAL: it has several threads. */
	TERN_PROCESS_UNSHARE,

	/* ---- the system ---- */
	TERN_SYSTEM_INFO = 1120, /* INFO (enum tern_info, buffer, size): bytes */
	TERN_LOG,		 /* (text, length): to the kernel's log */
	TERN_LOG_READ,		 /* INFO (position, buffer, size): bytes; for /dev/kmsg and tty */
	TERN_POWER,		 /* SYSTEM (0 off, 1 reset, else exit code << 8 | 2) */
	TERN_CLOCK_SET,		 /* SYSTEM (ns since 1970): sets the real-time clock */
	TERN_TRACE,		 /* SYSTEM (on): the event trace.  ENOMEM */
	/* INFO (hart, uint64_t *position, struct tern_trace_event *, max): count, 0 at the end; what is
	 * no longer there is passed by. */
	TERN_TRACE_READ,

	TERN_OP_END,

	/* ---- methods: a message to the session in a6, six words in a0…a5 ---- */
	TERN_METHOD = 0x1000,	  /* no windows */
	TERN_METHOD_WIN = 0x1100, /* windows: 0 = in(a0, a1), 1 = out(a2, a3) */
	/* vfs (V(0)): (dirfd, path, flags, struct tern_exec_owner *): checks for execute permission;
	 * answered by REPLY_MAP with result = ident of the file.  The owner is written only if the
	 * file has set-id bits.  Windows: 0 = str(a1), 1 = out(a3). */
	TERN_VFS_EXEC_OPEN = 0x1200,
	TERN_METHOD_END = 0x1208,
};

/* What TERN_COPY copies from and to.  An end is named by a word, and by an offset into it. */
enum tern_end {
	TERN_END_OWN,	 /* 0; the offset is an address */
	TERN_END_WINDOW, /* the token of a held call: its window `win`; of ANYWHERE the offset is an address */
	TERN_END_MEMOBJ, /* a handle with TERN_R_READ, or TERN_R_WRITE; never beyond the object's size */
	/* SYSTEM, to it: a space's handle; INFO, from it: a process's handle.  The offset is an address. */
	TERN_END_SPACE,
};
#define TERN_FROM(end, win) ((end) | (win) << 4)
#define TERN_TO(end, win) (((end) | (win) << 4) << 8)
#define TERN_COPY_STRING (1 << 16)

#define TERN_ECANCELLED 512 /* a server's answer to CANCEL: nothing was done */
#define TERN_EDEST 600	    /* TERN_COPY between windows: the destination failed, not the source */

/* Handle rights. */
#define TERN_R_READ 1
#define TERN_R_WRITE 2
#define TERN_R_IO 4 /* an O_PATH handle lacks it */
#define TERN_R_MAP 8
#define TERN_R_TRANSFER 16
#define TERN_R_MANAGE 32
#define TERN_R_PATH 64	    /* opened with O_PATH */
#define TERN_R_CLOEXEC 128  /* in TERN_GIVE…: set close-on-exec whatever the line says */
#define TERN_R_CLOSE_LATER 256 /* in TERN_REPLY_GIVE: nobody waits for the session's end.  If its server
			       * waits in recv then, CLOSED does not wake it but comes with the next
			       * message, as TERN_MSG_CLOSED; see TERN_CLOSE_LATER */

/* Session kinds, for /proc/<pid>/fd. */
enum tern_kind {
	TERN_KIND_NONE,
	TERN_KIND_FILE,	   /* vfs: any node */
	TERN_KIND_PIPE,	   /* "pipe:[ident]" */
	TERN_KIND_FIFO,	   /* named: ident is the vfs ident of its node */
	TERN_KIND_TTY,	   /* ident: the vfs ident of its node */
	TERN_KIND_EVENT,   /* "anon_inode:[eventfd]" */
	TERN_KIND_PROC,	   /* a file of /proc that pm serves; ident: pid << 16 | number */
	TERN_KIND_SOCKET,
	TERN_KIND_MQ,
	TERN_KIND_SERVICE, /* a service of the name context */
	TERN_KIND_EPOLL,   /* the kernel's own */
	TERN_KIND_OBJECT,  /* a kernel object: memobj, endpoint, … */
	TERN_KIND_PIDFD,   /* "anon_inode:[pidfd]"; ident: the pid */
};

/* Services of the name context, in syscalls.def's S:… order. */
enum tern_service {
	TERN_SVC_PM,
	TERN_SVC_VFS,
	TERN_SVC_PIPE,
	TERN_SVC_MQ,
	TERN_SVC_SHM,
	TERN_SVC_SEM,
	TERN_SVC_SOCKET,
	TERN_NSERVICES,
};

#define TERN_SLOT_CWD 0x40
#define TERN_SLOT_ROOT 0x41

/* A delivered message, in the order in which recv's registers (tern/registers.h) are stored:
 * a0…a5, a6, a7, t0…t6, s2, s3.  With TERN_MSG_CLOSED, s4 has besides the badge of a session that
 * has closed before; the server acts on that first. */
struct tern_msg {
	uint64_t args[6]; /* a0…a5: as the caller made them (or an event's words) */
	uint64_t token;	  /* a6 */
	uint64_t op;	  /* a7: TERN_MSG_OP, flags and umask; or an event */
	uint64_t badge;	  /* t0 */
	uint64_t who;	  /* t1: pid, cred id << 32 */
	uint64_t ref[2];  /* t2, t3: directory references of a V line: badge, or TERN_REF_* */
	uint64_t root;	  /* t4: V lines: the root directory's badge */
	/* t5, t6: forwarded: the forwarder's words.  Else word[0] is how much of window 0 has come
	 * along and lies in the message page until the next recv: 0, or all of it: a V line's path with
	 * its NUL, or (TERN_BIND_BYTES) at most TERN_PATH_MAX bytes of input. */
	uint64_t word[2];
	int64_t handle;	  /* s2: forwarded: the handle that came along, now ours; else -1 */
	uint64_t tid;	  /* s3 */
};
#define TERN_PATH_MAX 256
#define TERN_BIND_BYTES 1
#define TERN_MSG_OP(op) ((uint32_t)(op))
#define TERN_MSG_CLOSED (1ull << 31) /* of the number's own half: it is no known one before this is dealt with */
#define TERN_MSG_FORWARDED (1ull << 32)
#define TERN_MSG_AGAIN (1ull << 33)
#define TERN_MSG_ASYNC (1ull << 34) /* the caller is a server: result handles go to it */
#define TERN_MSG_TRUSTED (1ull << 35) /* who forwarded it has TERN_AUTH_SERVER: its words may be believed */
#define TERN_MSG_UMASK(op) ((unsigned)((op) >> 48))
#define TERN_MSG_PID(who) ((uint32_t)(who))
#define TERN_MSG_CRED(who) ((uint32_t)((who) >> 32))

/* Reference of a directory argument that is not one of vfs's sessions. */
#define TERN_REF_BAD (~0ull)	 /* no such descriptor */
#define TERN_REF_FOREIGN (~1ull) /* a descriptor of another server's */

#define TERN_MEMOBJ_PAGED 1

/* Events: op values that no caller can make. */
enum tern_event {
	TERN_EV_FIRST = 0x10000,
	TERN_EV_CLOSED = 0x10000, /* badge; a0 = sid or 0: the last handle went, no call in flight */
	TERN_EV_CANCEL,		  /* badge, token: answer soon */
	TERN_EV_GONE,		  /* badge, token (already stale): drop what was parked */
	TERN_EV_DONE,		  /* badge = cookie; a0 = result, a1 = handle or -1, a2 = second */
	TERN_EV_TIMEOUT,	  /* badge, token */
	TERN_EV_NOTE,		  /* badge; a0 = bits */
	TERN_EV_EXITED,		  /* badge of the process; a0 = wait status: all is given back */
	TERN_EV_STOPPED,	  /* badge of the process; a0 = signal */
	TERN_EV_CONTINUED,	  /* badge of the process */
	TERN_EV_THREAD_EXITED,	  /* badge of the process; a0 = tid: the number is free again */
	TERN_EV_PAGED,		  /* badge, token: what a copy answered EAGAIN for has come */
	TERN_EV_PAGE_IN,	  /* badge; a0 = offset */
	TERN_EV_COPY_SHORT,	  /* token (held, unless a0 is -ESRCH; 0: of SUPPLY_RECV); a0 = bytes, or an errno */
	TERN_EV_TIMER,		  /* badge = cookie of TERN_TIMER */
};
#define TERN_STATUS_NEVER_RAN (-1) /* EXITED: the fork failed for want of memory */

/* reply's extras, in the order of the registers that they go into (tern/registers.h): a2…a6, t0…t3. */
struct tern_reply {
	uint64_t flags;	 /* TERN_REPLY_* | signal number to raise in the caller (0: none) */
	uint64_t from;	 /* local address, or offset in the memobj */
	uint64_t length; /* of the copy into the window */
	uint64_t win;
	uint64_t memobj;	      /* h, with TERN_REPLY_COPY_MEMOBJ */
	uint64_t rid1, bits1;	      /* set | clear << 32 */
	uint64_t rid2, bits2;
};
#define TERN_REPLY_SIGNAL 0xff
#define TERN_REPLY_COPY 0x100	     /* copy first; the result is then the bytes copied, or EFAULT */
#define TERN_REPLY_COPY_MEMOBJ 0x200 /* the same from a memobj */
#define TERN_REPLY_READY 0x400	     /* rid1/bits1 and, if not 0, rid2/bits2 */
#define TERN_REPLY_EXACT 0x800 /* REPLY_RECV with a copy: if it falls short, the call is not ended, no
				* readiness changes, and TERN_EV_COPY_SHORT comes at once; also if
				* the call was gone before the copy */
#define TERN_REPLY_KEEP 0x1000 /* with a copy: the result stays as given, or is EFAULT */
#define TERN_REPLY_IN 0x2000   /* with a copy: from the window, to `from` */
/* With TERN_REPLY_COPY_MEMOBJ of an anonymous object's handle with READ, WRITE and MANAGE: if the copy is
 * made, the call's session is a regular file with that object's pages.  rid1 is the offset of its
 * description, unless the session has the object already; bits1 the file's length; rid2 TERN_FILE_*.  The kernel then
 * answers read, write, pread64, pwrite64 and lseek on the session where it need not ask.  If it does so for
 * another session of the object, what it knows of the file stays as it is. */
#define TERN_REPLY_FILE 0x8000
#define TERN_REPLY_GIVE 0x4000 /* REPLY_RECV without a copy: gives a new session first, with badge `from`
				* and ident `length`; `win` is slot | rights << 8 | kind << 32.  If there is
				* none (the caller is gone, or gets ENOMEM), CLOSED of the badge comes */

/* Of TERN_REPLY_FILE.  Of the object: it may be read; present pages may be written within the length; the
 * next read moves the access time, as it does after each write. */
#define TERN_FILE_READ 1
#define TERN_FILE_WRITE 2
#define TERN_FILE_DUE 4
#define TERN_FILE_NOATIME 8 /* of a session alone: its reads leave the access time as it is */
/* Those of the session are shifted: READ, WRITE, NOATIME. */
#define TERN_FILE_SESSION_SHIFT 8
/* The largest read and write that the kernel answers. */
#define TERN_FILE_READ_MAX (256 * 1024)
#define TERN_FILE_WRITE_MAX (16 * 1024)

struct tern_cred {
	uint32_t id; /* in: ignored; out: new for each distinct object, never reused */
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint32_t ngroups;
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding;
	uint32_t groups[32];
};

/* Whose rights a program with set-id bits runs with: mode has those that count. */
struct tern_exec_owner {
	uint32_t mode, uid, gid;
};

struct tern_caller {
	uint32_t pid, tid, ppid, pgid, sid;
	uint32_t umask;
	uint64_t sigmask, sigignored; /* of the thread; of the process */
	uint64_t limit_fsize, limit_nofile, limit_stack;
	uint64_t personality;
	struct tern_cred cred;
};

#define TERN_THREADS_MAX 64

/* Numbers for what is no descriptor but a place of the name context. */
#define TERN_FD_CWD 0xfffffffeu
#define TERN_FD_ROOT 0xffffffffu

#define TERN_NO_OFFSET (~0ull)
struct tern_handle_info {
	uint32_t fd;
	uint32_t kind; /* enum tern_kind */
	uint32_t rights;
	uint32_t service; /* enum tern_service + 1 if its endpoint is that service's, else 0 */
	uint64_t ident;
	uint64_t badge; /* only if the asking process owns the endpoint, else 0 */
	uint64_t offset; /* of a session with a file (TERN_REPLY_FILE), else TERN_NO_OFFSET */
};

struct tern_memobj_info {
	uint64_t size;	   /* bytes */
	uint64_t resident; /* pages */
	uint64_t written;  /* real time in ns of the last fault of a shared mapping's write, or of the last
			    * write that the kernel answered (TERN_REPLY_FILE); 0: none */
	uint64_t accessed; /* real time in ns of the last read that it answered when the time was due; 0 */
	uint32_t regions, writable_regions, exec_spaces, pad;
};

struct tern_region_info {
	uint64_t start, end, offset, ident; /* ident: the memobj's; 0 anonymous */
	uint32_t prot, max_prot;	    /* PROT_* */
	uint32_t flags;			    /* TERN_REGION_* */
	uint32_t pad;
};
#define TERN_REGION_SHARED 1
#define TERN_REGION_STACK 2
#define TERN_REGION_HEAP 4
#define TERN_REGION_VDSO 8
#define TERN_REGION_GROWSDOWN 16
#define TERN_REGION_LOCKED 32
#define TERN_REGION_HUGE 64 /* madvise: pages of 2 MiB are wanted; or not */
#define TERN_REGION_NOHUGE 128

/* What the words of ASPACE_PAGEMAP say besides. */
#define TERN_PAGEMAP_COUNT 44 /* from that bit on, 11 of them: how many mappings the page has */
#define TERN_PAGEMAP_MOST 0x7ffu
#define TERN_PAGEMAP_DIRTY (1ull << 55)
#define TERN_PAGEMAP_HUGE (1ull << 60)

struct tern_walk {
	uint64_t va;
	uint32_t levels; /* valid entries below */
	uint32_t effective; /* PROT_* a user access really has */
	struct {
		uint64_t table; /* physical address of the table */
		uint32_t index;
		uint32_t unlinked; /* a shared leaf table that is not linked now */
		uint64_t entry;	   /* raw page-table entry */
	} level[3];
	uint64_t pa;   /* of the byte, 0 if not resident */
	uint32_t refs; /* frame references */
	uint32_t pad;
};

/* Where a program begins, what it is called, and where things lie in its space (0 for a server). */
/* Where the parts of a program lie; the kernel keeps it with the space and tells it again. */
struct tern_layout {
	uint64_t code_start, code_end; /* the file's instructions */
	uint64_t brk_start, stack_start;
	uint64_t arg_start, arg_end, env_start, env_end;
};

struct tern_image {
	uint64_t pc, sp;
	struct tern_layout layout;
	char comm[16];
};

/* What a new process gets.  Handles and sessions named here are copied, the caller keeps its own. */
struct tern_process_args {
	uint32_t pid;
	uint32_t authority; /* TERN_AUTH_* */
	uint64_t badge;	    /* of its events, at the caller's bound endpoint */
	uint32_t ppid, pgid, sid, umask;
	int32_t aspace; /* h */
	int32_t pad;
	struct tern_image image;
	uint64_t a0;
	int32_t root, cwd;		  /* session h, or -1 */
	int32_t service[TERN_NSERVICES];  /* session h, or -1: calls give ENOSYS */
	uint32_t nfds;
	int32_t fds[16]; /* caller's h for the new process's 0, 1, 2 …; -1 leaves it free */
	struct tern_cred cred;
	uint64_t limits[16][2]; /* current, maximum */
};
#define TERN_AUTH_SYSTEM 1
#define TERN_AUTH_INFO 2
/* An account without a bound, the highest priority; never chosen as a victim; its death is reported on
 * the console. */
#define TERN_AUTH_SERVER 4
/* The receive side: endpoints, sessions, calls of others.  fork and exec keep it; it goes when a
 * credential without CAP_SYS_ADMIN in its permitted set becomes a thread's (kernel/thread.c). */
#define TERN_AUTH_SERVE 8

/* prctl(TERN_PR_SERVE, 1) gives the calling process TERN_AUTH_SERVE, prctl(TERN_PR_SERVE, 0) takes it
 * away.  EPERM without CAP_SYS_ADMIN; EINVAL on other systems. */
#define TERN_PR_SERVE 0x5445524e

struct tern_fork_args {
	uint64_t flags; /* CLONE_* */
	uint32_t pid;	/* of the new process; a thread: its tid (the pid stays) */
	uint32_t ppid;
	uint64_t badge; /* of the new process's events; a thread: ignored */
	uint64_t sp;	/* 0: the caller's */
	uint64_t tls;
	uint64_t parent_tid, child_tid; /* addresses, by the flags */
	uint64_t reset_sched; /* no real-time policy and no better priority than an ordinary one */
};

struct tern_exec_args {
	struct tern_image image;
	uint64_t set_cred; /* use cred below (set-id files) */
	struct tern_cred cred;
};

#define TERN_SIGNAL_MANY 64

enum tern_process_word {
	TERN_PW_PPID,
	TERN_PW_PGID,
	TERN_PW_SID,
	TERN_PW_RLIMIT, /* value = resource | (1 << 8 for the maximum), value2 */
	TERN_PW_COMM, /* value, value2: the 16 bytes of the name */
	TERN_PW_NO_HUGE, /* value: no pages of 2 MiB */
	TERN_PW_SERVE,	 /* value: it has TERN_AUTH_SERVE */
};

/* What the kernel, and servers as far as they say so, keep for a process: bytes. */
struct tern_kept {
	uint64_t space, descriptors, threads, objects;
	uint64_t limit;	 /* of each of these */
	uint64_t memory; /* pages of memory objects that it made; at most half of all memory */
};

struct tern_process_stat {
	uint32_t pid, ppid, pgid, sid;
	uint32_t state; /* 'R' 'S' 'D' 'T' 'Z' 'X' */
	uint32_t nthreads;
	uint32_t policy, nice; /* nice: int32 */
	uint32_t rt_prio, hart, nfds;
	uint64_t affinity;
	uint64_t user_ns, system_ns, start_ns;
	uint64_t minflt, majflt;
	uint64_t nvcsw, nivcsw;
	uint64_t vsize, rss, rss_anon; /* bytes, pages */
	uint64_t peak_vsize, peak_rss;
	uint64_t size_stack, size_data, size_exec, size_pt, size_locked; /* bytes */
	struct tern_layout layout;
	uint64_t pc, sp;
	uint64_t sig_pending, sig_shared_pending, sig_blocked, sig_ignored, sig_caught, sig_queued;
	uint64_t limits[16][2];
	uint32_t authority, syscall; /* the call it waits in, or -1 */
	char comm[16];
	struct tern_cred cred;
	struct tern_kept kept;
};

enum tern_info {
	TERN_INFO_BOOT,	     /* struct tern_boot_info */
	TERN_INFO_MEMORY,    /* struct tern_memory_info */
	TERN_INFO_CPU,	     /* struct tern_cpu_info[nharts] */
	TERN_INFO_IRQ,	     /* uint64_t counts[nharts][TERN_NIRQ] */
	TERN_INFO_SLABS,     /* struct tern_slab_info[] */
	TERN_INFO_OBJECTS,   /* uint64_t in use per type, enum tern_object */
	TERN_INFO_ENOSYS,    /* uint32_t counts[], by the call's number */
	TERN_INFO_VMAP,	     /* struct tern_kernel_mapping[] */
	TERN_INFO_MESSAGES,  /* uint64_t: delivered to servers since the start */
};

struct tern_boot_info {
	uint64_t uart_pa, uart_size;
	uint32_t uart_irq, uart_shift; /* register stride: 1 << shift */
	uint32_t nharts, timebase_hz;
	uint64_t initrd_size;
	char bootargs[512];
	char isa[128];
};

struct tern_kernel_mapping {
	uint64_t start, size, phys;
};

/* Frames: all, those of no use now, what only servers and copies get (kernel/oom.c), and by use. */
#define TERN_FRAME_ORDERS 11
struct tern_frame_stats {
	uint64_t total, free, reserve, kernel, slab, table, user;
	uint64_t free_blocks[TERN_FRAME_ORDERS]; /* per order */
};

/* So far, but for the last two. */
struct tern_mm_counters {
	uint64_t faults, zero_fills, cow_copies, forks, shootdowns, huge_fills, huge_splits;
	uint64_t reclaimed;    /* pages dropped that a pager can bring again */
	uint64_t object_pages; /* in memory objects: files, shared memory */
	uint64_t committed;    /* pages that programs may come to own */
};

struct tern_memory_info {
	struct tern_frame_stats frames;
	struct tern_mm_counters counters;
	uint64_t anon_pages;   /* private to spaces */
	uint64_t mapped_pages; /* of objects */
	uint64_t huge_pages;   /* of 2 MiB */
};

struct tern_cpu_info {
	/* Of whoever but the idle thread; of that, what servers did for those who called; the idle
	 * thread's. */
	uint64_t busy_ns, system_ns, idle_ns;
	uint64_t switches, interrupts;
	uint32_t hartid, running; /* threads ready or running */
};

#define TERN_NIRQ 64 /* 0: timer, 1: inter-processor, 2…: PLIC source n - 2 */

struct tern_slab_info {
	char name[24];
	uint32_t size, per_slab;
	uint64_t used, total, slabs;
};

/* Those that have no slab cache of their own. */
enum tern_object {
	TERN_OBJ_CALL, /* asynchronous ones */
	TERN_OBJ_NOTIFICATION,
	TERN_OBJ_IRQ,
	TERN_OBJ_WAITSET,
	TERN_OBJ_HANDLE,
	TERN_NOBJECTS,
};

enum tern_trace_kind {
	TERN_TRACE_CALL = 1,	/* number, first argument (the result that a reply carries) */
	TERN_TRACE_READ_FAULT,	/* address, pc */
	TERN_TRACE_WRITE_FAULT,
	TERN_TRACE_FETCH_FAULT,
	TERN_TRACE_TRAP,	/* scause, pc */
	TERN_TRACE_COPY,	/* on write: address, number of the new frame */
	TERN_TRACE_SIGNAL,	/* number, its handler: begins */
	TERN_TRACE_INTERRUPT,	/* sip's bits */
};
struct tern_trace_event {
	uint64_t ns; /* monotonic */
	uint32_t tid;
	uint16_t hart, kind; /* enum tern_trace_kind */
	uint64_t a, b;
};

/* The top of a program's space: the kernel maps the vDSO at TERN_VDSO_BASE into every space that
 * process_create or process_exec is given; pm's stacks end at TERN_STACK_TOP. */
#define TERN_USER_TOP 0x4000000000ull
#define TERN_VDSO_BASE 0x3fffffe000ull
#define TERN_STACK_TOP 0x3fff000000ull
