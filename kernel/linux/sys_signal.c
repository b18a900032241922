/*
 * Signal calls about oneself, and signalfds.
 *
 * A signal to one's own process is sent here; any other is pm's business.  sigsuspend and
 * sigtimedwait wait with WAIT_SIGNAL; the latter says in wait_on.sig_wanted which signals end it
 * (they are blocked, mostly).  A signalfd is a mask behind a descriptor: reading it takes signals
 * of the reader's own pending sets, and whoever waits for it hangs on its readiness word, which is
 * rung for every signal of its mask that is sent to anybody.
 * Kernel lock.
 */
#include <arch/cpu.h>
#include <kernel/linux/poll.h>
#include <kernel/handle.h>
#include <kernel/signal.h>
#include <kernel/lib/string.h>
#include <kernel/linux/sys.h>
#include <linux/poll.h>
#include <linux/signalfd.h>
#include <mm/slab.h>

#define SIGSET_SIZE 8
#define SA_KNOWN                                                                             \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |   \
	 SA_RESETHAND | SA_EXPOSE_TAGBITS)

/* ---- sending to oneself ---- */

/* To this process, or with a tid to that thread of it. */
static s64 send_self(struct thread *t, u32 tid, u32 sig, siginfo_t *si)
{
	struct thread *to = NULL;
	s64 r = -ESRCH;

	if (sig > _NSIG)
		return -EINVAL;
	si->si_signo = (s32)sig;
	kernel_lock();
	if (tid)
		to = tid == t->tid ? t : process_find_thread(t->process, tid);
	if (to || !tid)
		r = signal_send(t->process, to, si);
	kernel_unlock();
	return r;
}

static s64 kill_self(struct thread *t, u32 tid, u32 sig, int code)
{
	siginfo_t si;

	if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		return SYS_PASS; /* pm knows which groups are orphaned */
	siginfo_init(&si, (int)sig, code);
	si.si_pid = (s32)t->process->pid;
	si.si_uid = t->cred->c.uid;
	return send_self(t, tid, sig, &si);
}

/* One's own process may be told anything. */
static s64 queue_self(struct thread *t, u32 tid, u32 sig, va_t info)
{
	siginfo_t si;

	if (get_user(t, &si, info, sizeof si))
		return -EFAULT;
	if ((si.si_code >= 0 || si.si_code == SI_TKILL) && (tid ? tid : t->process->pid) != t->tid)
		return -EPERM;
	return send_self(t, tid, sig, &si);
}

s64 sys_kill(struct thread *t, u64 *a)
{
	if ((u32)a[0] != t->process->pid)
		return SYS_PASS;
	return kill_self(t, 0, (u32)a[1], SI_USER);
}

s64 sys_tkill(struct thread *t, u64 *a)
{
	s64 r;

	if ((s32)a[0] <= 0)
		return -EINVAL;
	r = kill_self(t, (u32)a[0], (u32)a[1], SI_TKILL);
	return r == -ESRCH ? SYS_PASS : r;
}

s64 sys_tgkill(struct thread *t, u64 *a)
{
	if ((s32)a[0] <= 0 || (s32)a[1] <= 0)
		return -EINVAL;
	if ((u32)a[0] != t->process->pid)
		return SYS_PASS;
	return kill_self(t, (u32)a[1], (u32)a[2], SI_TKILL);
}

s64 sys_rt_sigqueueinfo(struct thread *t, u64 *a)
{
	if ((u32)a[0] != t->process->pid)
		return SYS_PASS;
	return queue_self(t, 0, (u32)a[1], a[2]);
}

s64 sys_rt_tgsigqueueinfo(struct thread *t, u64 *a)
{
	if ((s32)a[0] <= 0 || (s32)a[1] <= 0)
		return -EINVAL;
	if ((u32)a[0] != t->process->pid)
		return SYS_PASS;
	return queue_self(t, (u32)a[1], (u32)a[2], a[3]);
}

/* ---- actions and masks ---- */

s64 sys_rt_sigaction(struct thread *t, u64 *a)
{
	u32 sig = (u32)a[0];
	struct process *p = t->process;
	struct sigaction new, old, *act;

	if (unlikely(a[3] != SIGSET_SIZE))
		return -EINVAL;
	if (a[1] && unlikely(get_user(t, &new, a[1], sizeof new)))
		return -EFAULT;
	if (unlikely(sig - 1 >= _NSIG || (a[1] && UNBLOCKABLE & TERN_SIGBIT(sig))))
		return -EINVAL;
	act = &p->sighand->action[sig - 1];
	kernel_lock();
	old = *act;
	if (a[1]) {
		u64 bit = TERN_SIGBIT(sig);

		new.sa_flags &= SA_KNOWN;
		new.sa_mask.sig[0] &= ~UNBLOCKABLE;
		*act = new;
		/* What is ignored from now on was never sent. */
		if (!has_handler(&new) && (new.sa_handler == SIG_IGN || bit & DEFAULT_IGNORED))
			signal_discard(p, bit);
	}
	kernel_unlock();
	return a[2] ? put_user(t, a[2], &old, sizeof old) : 0;
}

s64 sys_rt_sigprocmask(struct thread *t, u64 *a)
{
	u64 set, old = t->sig_mask;

	if (unlikely(a[3] != SIGSET_SIZE))
		return -EINVAL;
	if (a[1]) {
		if (get_user(t, &set, a[1], 8))
			return -EFAULT;
		switch ((u32)a[0]) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		kernel_lock();
		signal_set_mask(t, set);
		kernel_unlock();
	}
	return a[2] ? put_user(t, a[2], &old, 8) : 0;
}

s64 sys_rt_sigpending(struct thread *t, u64 *a)
{
	u64 set = (t->sig_pending.set | t->process->sig_pending.set) & t->sig_mask;

	return a[1] > SIGSET_SIZE ? -EINVAL : put_user(t, a[0], &set, a[1]);
}

s64 sys_sigaltstack(struct thread *t, u64 *a)
{
	struct tern_stack new, old;
	s64 r = 0;

	if (a[0] && get_user(t, &new, a[0], sizeof new))
		return -EFAULT;
	signal_stack_get(t, &old);
	if (a[0])
		r = signal_stack_set(t, &new);
	return !r && a[1] ? put_user(t, a[1], &old, sizeof old) : r;
}

s64 sys_rt_sigreturn(struct thread *t, u64 *a)
{
	(void)a;
	if (!signal_return(t))
		signal_fault(t, SIGSEGV, SI_KERNEL, 0, true);
	return SYS_DONE;
}

/* ---- waiting ---- */

s64 sys_rt_sigsuspend(struct thread *t, u64 *a)
{
	u64 mask;

	if (a[1] != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(t, &mask, a[0], 8))
		return -EFAULT;
	kernel_lock();
	signal_set_temporary_mask(t, mask);
	t->wait_on.sig_wanted = 0;
	return wait_block(t, WAIT_SIGNAL, NO_DEADLINE, NULL);
}

static void timedwait_cancel(struct thread *t);

/* again: args[0] the set, args[1] where the siginfo goes, the deadline. */
static s64 timedwait(struct thread *t)
{
	siginfo_t si;
	int sig;

	kernel_lock();
	sig = signal_dequeue(t, t->again.args[0], &si);
	if (sig) {
		va_t to = t->again.args[1];

		kernel_unlock();
		return to && put_user(t, to, &si, sizeof si) ? -EFAULT : sig;
	}
	if (deadline_passed(t->again.deadline_ns)) {
		kernel_unlock();
		return -EAGAIN;
	}
	if (signal_pending(t)) {
		kernel_unlock();
		return -EINTR;
	}
	t->wait_on.sig_wanted = t->again.args[0];
	return wait_block(t, WAIT_SIGNAL, t->again.deadline_ns, timedwait_cancel);
}

static void timedwait_cancel(struct thread *t)
{
	t->wait_on.sig_wanted = 0;
	wait_resumes(t, timedwait);
}

void signal_wait_notify(struct thread *t)
{
	timedwait_cancel(t);
	thread_wake(t, 0);
}

s64 sys_rt_sigtimedwait(struct thread *t, u64 *a)
{
	u64 set;
	s64 r;

	if (a[3] != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(t, &set, a[0], 8))
		return -EFAULT;
	r = timeout_get(t, a[2]);
	if (r)
		return r;
	t->again.args[0] = set & ~UNBLOCKABLE;
	t->again.args[1] = a[1];
	return timedwait(t);
}

/* ---- signalfd ---- */

struct signalfd {
	struct ready ready; /* first */
	u64 mask;
	struct list all;
};
/* Those that somebody may wait for: whoever does has looked at the bits first. */
static struct list signalfds = LIST_INIT(signalfds);

/* All of them are told of a signal, some at a time. */
#define SIGNALFDS_AT_ONCE 16
static bool signalfd_tell_some(struct steps *s);
static struct steps signalfd_telling = { LIST_INIT(signalfd_telling.link), signalfd_tell_some };
static struct list *signalfd_next = &signalfds;
static u64 signalfd_news;

#define SFD_FLAGS (SFD_CLOEXEC | SFD_NONBLOCK)
#define SIGINFO_SIZE sizeof(struct signalfd_siginfo)

static void signalfd_free(struct ready *r)
{
	struct signalfd *s = container_of(r, struct signalfd, ready);

	if (signalfd_next == &s->all)
		signalfd_next = s->all.next;
	list_del(&s->all);
	account_discharge(s->ready.maker, sizeof *s);
	kfree(s);
}

static bool signalfd_tell_some(struct steps *steps)
{
	(void)steps;
	for (unsigned i = 0; i < SIGNALFDS_AT_ONCE && signalfd_next != &signalfds; i++) {
		struct signalfd *s = list_entry(signalfd_next, struct signalfd, all);

		signalfd_next = signalfd_next->next;
		if (list_empty(&s->ready.waiters))
			list_del(&s->all);
		else if (s->mask & signalfd_news)
			poll_wake(&s->ready, POLLIN | POLLRDNORM);
	}
	if (signalfd_next != &signalfds)
		return false;
	signalfd_news = 0;
	return true;
}

void signalfd_notify(u64 bit)
{
	if (likely(list_empty(&signalfds)))
		return;
	signalfd_news |= bit;
	signalfd_next = signalfds.next;
	if (list_empty(&signalfd_telling.link) && !signalfd_tell_some(&signalfd_telling))
		steps_begin(&signalfd_telling);
}

static u32 signalfd_bits(struct thread *t, struct ready *r)
{
	struct signalfd *s = container_of(r, struct signalfd, ready);

	if (list_empty(&s->all))
		list_add_tail(&signalfds, &s->all);
	return (t->sig_pending.set | t->process->sig_pending.set) & s->mask ? POLLIN | POLLRDNORM : 0;
}

static const struct ready_own signalfd_own = { signalfd_bits, signalfd_free };

s64 sys_signalfd4(struct thread *t, u64 *a)
{
	struct signalfd *s, *fresh = NULL;
	u64 mask;
	s64 r;

	if ((u32)a[3] & ~(u32)SFD_FLAGS || a[2] != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(t, &mask, a[1], 8))
		return -EFAULT;
	mask &= ~UNBLOCKABLE;
	if ((s32)a[0] == -1) {
		fresh = kmalloc_for(t->process, sizeof *fresh);
		if (!fresh)
			return -ENOMEM;
		fresh->ready.maker = t->process->account;
	}
	kernel_lock();
	if (fresh) {
		fresh->ready.refs = 1;
		fresh->ready.own = &signalfd_own;
		fresh->mask = mask;
		fresh->ready.nonblock = a[3] & SFD_NONBLOCK;
		list_init(&fresh->ready.waiters);
		list_init(&fresh->all);
		r = handle_add(t->process->handles, process_fd_limit(t->process),
			       HANDLE_SIGNALFD, fresh,
			       TERN_R_READ | TERN_R_WRITE | TERN_R_IO | TERN_R_TRANSFER,
			       a[3] & SFD_CLOEXEC);
	} else {
		s = handle_object(t->process->handles, (u32)a[0], HANDLE_SIGNALFD, 0);
		if (s) {
			s->mask = mask;
			poll_wake(&s->ready, POLLIN | POLLRDNORM);
			r = (s32)a[0];
		} else {
			r = handle_find(t->process->handles, (u32)a[0]) ? -EINVAL : -EBADF;
		}
	}
	kernel_unlock();
	return r;
}

static void signalfd_convert(const siginfo_t *si, struct signalfd_siginfo *o)
{
	memset(o, 0, sizeof *o);
	o->ssi_signo = (u32)si->si_signo;
	o->ssi_errno = si->si_errno;
	o->ssi_code = si->si_code;
	if (si->si_code == SI_TIMER) {
		o->ssi_tid = (u32)si->si_tid;
		o->ssi_overrun = (u32)si->si_overrun;
		o->ssi_ptr = (u64)si->si_ptr;
		o->ssi_int = si->si_int;
	} else if (si->si_code <= 0) {
		o->ssi_pid = (u32)si->si_pid;
		o->ssi_uid = si->si_uid;
		o->ssi_ptr = (u64)si->si_ptr;
		o->ssi_int = si->si_int;
	} else if (si->si_signo == SIGCHLD) {
		o->ssi_pid = (u32)si->si_pid;
		o->ssi_uid = si->si_uid;
		o->ssi_status = si->si_status;
		o->ssi_utime = (u64)si->si_utime;
		o->ssi_stime = (u64)si->si_stime;
	} else {
		o->ssi_addr = (u64)si->si_addr;
	}
}

static s64 signalfd_again(struct thread *t)
{
	struct signalfd *s;

	kernel_lock();
	s = handle_object(t->process->handles, (u32)t->regs.x[REG_A0], HANDLE_SIGNALFD, 0);
	/* A pending signal that it is to read is no interruption. */
	if (s && (!signal_pending(t) || signalfd_bits(t, &s->ready)))
		return signalfd_read(t, s);
	kernel_unlock();
	return s ? -ERESTARTSYS : -EBADF;
}

s64 signalfd_read(struct thread *t, struct signalfd *s)
{
	va_t buf = t->regs.x[REG_A0 + 1];
	u64 n = t->regs.x[REG_A0 + 2], done = 0;
	s64 r = n < SIGINFO_SIZE ? -EINVAL : 0;
	struct signalfd_siginfo out;
	siginfo_t si;

	ready_get(&s->ready);
	while (!r && n - done >= SIGINFO_SIZE && signal_dequeue(t, s->mask, &si)) {
		kernel_unlock();
		signalfd_convert(&si, &out);
		if (put_user(t, buf + done, &out, sizeof out))
			r = -EFAULT;
		else
			done += SIGINFO_SIZE;
		kernel_lock();
	}
	/* If there was nothing the lock was never dropped, and the handle has kept it. */
	if (!r && !done && !s->ready.nonblock && !signalfd_bits(t, &s->ready)) {
		s->ready.refs--;
		return poll_wait_ready(t, &s->ready, POLLIN | POLLRDNORM, NO_DEADLINE,
				       signalfd_again);
	}
	if (!r && !done)
		r = -EAGAIN;
	ready_put(&s->ready);
	kernel_unlock();
	return done ? (s64)done : r;
}
