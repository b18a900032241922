/* Signals: sending, masks, delivery, restarting.  Who may signal whom is pm's.  Kernel lock, all of it;
 * the user's stack is written without it. */
#pragma once

#include <kernel/hooks.h>
#include <kernel/signal.h>

#define UNBLOCKABLE (TERN_SIGBIT(SIGKILL) | TERN_SIGBIT(SIGSTOP))
#define DEFAULT_IGNORED                                                                      \
	(TERN_SIGBIT(SIGCHLD) | TERN_SIGBIT(SIGURG) | TERN_SIGBIT(SIGWINCH) | TERN_SIGBIT(SIGCONT))

static inline bool has_handler(const struct sigaction *a)
{
	return (u64)a->sa_handler > (u64)SIG_IGN;
}

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

/* The same everywhere in p: they were never sent. */
void signal_discard(struct process *p, u64 set);

/* To one thread, or with t NULL to the process as a whole.  0, also for signal 0 and to who is dead;
 * EAGAIN when a real-time signal does not fit (RLIMIT_SIGPENDING; standard signals always do,
 * without their siginfo if need be).  Ignored signals are dropped here; SIGCONT continues and stop
 * signals cancel it, as signal(7). */
int signal_send(struct process *p, struct thread *t, const siginfo_t *si);

/* Sets WORK_SIGNAL after masks or pending sets changed. */
void signal_recalc(struct thread *t);

/* Swaps the mask for a wait; it is put back after delivery. */
void signal_set_temporary_mask(struct thread *t, u64 mask);

bool process_protected(const struct process *p); /* pid 1 and servers */
/* Takes the next pending signal of the set out; 0 if there is none.  Kernel lock. */
int signal_dequeue(struct thread *t, u64 wanted, siginfo_t *si);
void signal_set_mask(struct thread *t, u64 mask); /* and recalculates */
void signal_restore_mask(struct thread *t);	   /* undoes signal_set_temporary_mask */
/* The frame at the thread's sp becomes its registers: false if it cannot be.  No lock held. */
bool signal_return(struct thread *t);
/* sigaltstack's rules: 0, EINVAL, ENOMEM, EPERM. */
s64 must_check signal_stack_set(struct thread *t, const struct tern_stack *s);
void signal_stack_get(const struct thread *t, struct tern_stack *s);
/* sys_signal.c: a signal became pending: signalfds and sigtimedwait want to know. */
void signalfd_notify(u64 bit);
void signal_wait_notify(struct thread *t);
