/* What a process and a thread keep for signals: actions, pending sets, queued siginfos.  What is done
 * with it stands in kernel/linux/signal.c; what the core asks of that is in kernel/hooks.h. */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/types.h>
#include <tern/linux/signal.h>

struct thread;
struct process;

/* The 64 actions: CLONE_SIGHAND shares them. */
struct sighand {
	u32 refs;
	struct sigaction action[_NSIG];
};

/* What of a siginfo ever has a meaning: the rest of its 128 bytes is zero for programs. */
#define SIGINFO_WORDS 6

struct sigqueue {
	struct list link; /* sigpending.queue */
	u64 info[SIGINFO_WORDS];
};

struct sigpending {
	u64 set;	   /* bit sig - 1 */
	struct list queue; /* struct sigqueue, in order of arrival */
	struct sigqueue own; /* the first to come needs no memory; free: link points at itself */
};

enum restart_class { RESTART_NEVER, RESTART_RESTART, RESTART_NOHAND, RESTART_EINTR, RESTART_BLOCK };

#define ALL_SIGNALS (~0ull)
