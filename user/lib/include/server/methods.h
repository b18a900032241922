/* What servers have agreed among themselves: methods, the badges of their sessions with each other,
 * and the table of pids.  Methods have numbers from TERN_METHOD on (tern/abi.h). */
#pragma once

#include <tern/abi.h>

/* The pipe server's limits, which pm shows. */
#define TERN_PIPE_MAX_SIZE (1u << 20)
#define TERN_PIPE_USER_PAGES 16384u

#define TERN_VFS_PATHS (TERN_METHOD_WIN + 1)	/* in: idents (u64), out: paths, NUL after each */
/* (pgid, signal, 0): from tty.  Members reached; -ESRCH: none; -EIO: a stop signal for a group that
 * is orphaned, nobody was signalled (a read from the background fails with EIO then). */
#define TERN_PM_SIGNAL_GROUP (TERN_METHOD + 2)
#define TERN_PM_SESSION_TTY (TERN_METHOD + 3)	/* (pid): sid of it; for TIOCSCTTY */
/* (sid): from pm to tty as the leader of a session ends: its terminal sends SIGHUP and SIGCONT to
 * the foreground group and is nobody's any more. */
#define TERN_TTY_SESSION_END (TERN_METHOD + 4)
/* (sid, device number, foreground group): from tty, who tells what /proc/<pid>/stat shows of a
 * session's terminal; device 0: it has none any more. */
#define TERN_PM_TERMINAL (TERN_METHOD + 6)

/* Badges below this are for sessions made at start-up (services and server-to-server); servers'
 * own badges are larger. */
#define TERN_BADGE_SERVICE 0 /* a client without an object of its own */
/* pm's own calls of path lines, without a subject, come before it has a root or a working directory:
 * their references are TERN_REF_BAD and mean the root of the tree. */
#define TERN_BADGE_FROM_PM 1
#define TERN_BADGE_FROM_VFS 2
#define TERN_BADGE_FROM_TTY 3
#define TERN_BADGE_FROM_PIPE 4
#define TERN_BADGE_FIRST 256

/* The table of live pids that pm writes and vfs maps read-only: /proc's directory. */
#define TERN_PID_MAX 16384
struct tern_pid_entry {
	uint32_t uid, gid;
	uint32_t state; /* 0: no such process; 1: a process; 2: zombie; 3: server */
	uint32_t pad;
	uint64_t exe;	/* vfs ident of the program, 0: none */
};
