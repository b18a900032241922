/* What the servers have agreed on among themselves: the methods that they call of each other (their
 * numbers begin at TERN_METHOD, tern/abi.h), the badges of their sessions with each other, and the
 * table of pids. */
#pragma once

#include <tern/abi.h>

/* The pipe server's limits for the size of one pipe in bytes and for the pages of a user's
 * pipes; pm shows them in /proc/sys/fs. */
#define TERN_PIPE_MAX_SIZE (1u << 20)
#define TERN_PIPE_USER_PAGES 16384u

/* From pm to vfs, for /proc/<pid>/maps: the window in has idents of files (u64 each), and vfs
 * writes the files' paths into the window out, a NUL after each. */
#define TERN_VFS_PATHS (TERN_METHOD_WIN + 1)
/* (pgid, signal, 0), from tty to pm: sends the signal to the process group.  The result is the
 * number of processes reached; -ESRCH: the group has no members; -EIO: a stop signal for an
 * orphaned group, and nobody was signalled (tty then fails the background read with EIO). */
#define TERN_PM_SIGNAL_GROUP (TERN_METHOD + 2)
/* (pid), from tty to pm, for TIOCSCTTY: the result is the id of the process's session. */
#define TERN_PM_SESSION_TTY (TERN_METHOD + 3)
/* (sid), from pm to tty as the leader of that session ends: tty sends SIGHUP and SIGCONT to the
 * foreground group of the session's terminal, which then belongs to no session any more. */
#define TERN_TTY_SESSION_END (TERN_METHOD + 4)
/* (sid, device number, foreground group), from tty to pm: the session's controlling terminal, which
 * pm shows in /proc/<pid>/stat.  Device number 0: the session has no terminal any more. */
#define TERN_PM_TERMINAL (TERN_METHOD + 6)

/* Badges.  Sessions that pm makes at start-up have those below TERN_BADGE_FIRST; the badges of a
 * server's own objects begin there.  TERN_BADGE_SERVICE is for what a program asks of a service
 * without a descriptor (clone, say); FROM_…: the other server is calling. */
#define TERN_BADGE_SERVICE 0
/* pm has no root and no working directory: a path call that it makes for itself (without a subject)
 * comes with the reference TERN_REF_BAD, which vfs takes for the root of the tree. */
#define TERN_BADGE_FROM_PM 1
#define TERN_BADGE_FROM_VFS 2
#define TERN_BADGE_FROM_TTY 3
#define TERN_BADGE_FROM_PIPE 4
#define TERN_BADGE_FIRST 256

/* The table of live pids that pm writes and vfs maps read-only: /proc's directory. */
#define TERN_PID_MAX 16384
struct tern_pid_entry {
	uint32_t uid, gid;
	uint32_t state; /* 0: the pid is free; 1: a live process; 2: a zombie; 3: a server */
	uint32_t pad;
	uint64_t exe;	/* vfs's ident of the program's file; 0: there is none */
};
