/* What of clone(2), wait(2) and the scheduler only pm looks at. */
#pragma once
#include <tern/linux/sched.h>

#define CLONE_PIDFD 0x00001000
#define CLONE_PTRACE 0x00002000
#define CLONE_PARENT 0x00008000
#define CLONE_NEWNS 0x00020000
#define CLONE_SYSVSEM 0x00040000
#define CLONE_DETACHED 0x00400000
#define CLONE_UNTRACED 0x00800000
#define CLONE_IO 0x80000000ull
#define CLONE_INTO_CGROUP 0x200000000ull
#define CSIGNAL 0x000000ff
#define SCHED_ISO 4 /* reserved, never there */
#define SCHED_DEADLINE 6
#define SCHED_EXT 7
#define SCHED_RESET_ON_FORK 0x40000000
#define WNOHANG 1
#define WUNTRACED 2
#define WSTOPPED 2
#define WEXITED 4
#define WCONTINUED 8
#define WNOWAIT 0x01000000
#define P_ALL 0
#define P_PID 1
#define P_PGID 2
#define P_PIDFD 3
#define TERN_W_STOP(sig) (((sig) << 8) | 0x7f)
#define TERN_W_CONT 0xffff
#define TERN_W_COREFLAG 0x80
