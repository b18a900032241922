/* Signals: masks, pending sets, actions, the queue of siginfos, delivery, restarting.  Who may
 * signal whom is pm's.  Kernel lock, all of it; the user's stack is written without it. */
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

static inline bool has_handler(const struct sigaction *a)
{
	return (u64)a->sa_handler > (u64)SIG_IGN;
}

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

/* The rest is not looked at by those who queue it. */
static inline void siginfo_init(siginfo_t *si, int sig, int code)
{
	u64 *w = (u64 *)si;

	for (unsigned i = 1; i < SIGINFO_WORDS; i++)
		w[i] = 0;
	si->si_signo = sig;
	si->si_errno = 0;
	si->si_code = code;
}

enum restart_class { RESTART_NEVER, RESTART_RESTART, RESTART_NOHAND, RESTART_EINTR, RESTART_BLOCK };

#define UNBLOCKABLE (TERN_SIGBIT(SIGKILL) | TERN_SIGBIT(SIGSTOP))
#define DEFAULT_IGNORED                                                                      \
	(TERN_SIGBIT(SIGCHLD) | TERN_SIGBIT(SIGURG) | TERN_SIGBIT(SIGWINCH) | TERN_SIGBIT(SIGCONT))
#define ALL_SIGNALS (~0ull)

void sigpending_init(struct sigpending *p);
/* Takes the signals of a set out, with their siginfos. */
void sigpending_remove(struct process *owner, struct sigpending *p, u64 set);
/* The same everywhere in p: they were never sent. */
void signal_discard(struct process *p, u64 set);
struct sighand *must_check sighand_create(void);
struct sighand *must_check sighand_copy(const struct sighand *s);
void sighand_put(struct sighand *s);
/* exec: caught signals become default, ignored stay. The table becomes the process's own:
 * `fresh` is an allocated one used if it was shared (else freed). */
void sighand_exec(struct process *p, struct sighand *fresh);

/* To one thread, or with t NULL to the process as a whole.  0, also for signal 0 and to who is dead;
 * EAGAIN when a real-time signal does not fit (RLIMIT_SIGPENDING; standard signals always do,
 * without their siginfo if need be).  Ignored signals are dropped here; SIGCONT continues and stop
 * signals cancel it, as signal(7). */
int signal_send(struct process *p, struct thread *t, const siginfo_t *si);
/* A fault or an EPIPE of the current thread's own: unblocked by force if it is blocked or ignored
 * (`force`).  Takes the kernel lock itself. */
void signal_fault(struct thread *t, int sig, int code, u64 addr, bool force);
/* The same for a signal that a reply raises: kernel lock held. */
void signal_raise_locked(struct thread *t, int sig);

/* Is one pending that t's mask lets through? */
bool signal_pending(const struct thread *t);
/* Sets WORK_SIGNAL after masks or pending sets changed. */
void signal_recalc(struct thread *t);

/* WORK_SIGNAL: takes the next signal, acts (handler frame, default action), decides about a
 * restart.  No lock held. */
void signal_deliver(struct thread *t);

/* Swaps the mask for a wait; it is put back after delivery. */
void signal_set_temporary_mask(struct thread *t, u64 mask);
