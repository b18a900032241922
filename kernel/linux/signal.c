/*
 * Signals: sending, choosing who takes one, delivery, and the way back from a handler.
 *
 * A signal is a bit in a pending set, the thread's or the process's, and usually a queued siginfo;
 * real-time signals queue each time, standard ones once.  What a process ignores is dropped when it
 * is sent.  A thread that should look has WORK_SIGNAL set and is interrupted; it takes its next
 * signal in signal_deliver(), on its way to user mode, where all its registers are in memory.
 *
 * An interrupted system call has left one of four codes in a0, right behind an ecall; no server
 * can answer with those values.  They are replaced here, once it is known whether a handler runs.
 * Kernel lock guards all but the copies from and to the user's stack.
 */
#include <arch/fpu.h>
#include <asm/unistd.h>
#include <kernel/lib/bits.h>
#include <kernel/lib/log.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/lib/string.h>
#include <kernel/linux/sys.h>
#include <kernel/lib/trace.h>
#include <mm/slab.h>

/* Whose default action is not to end the process at once, however its threads wait (a vfork for its child):
 * it stops or nothing, or comes when a thread takes the signal, as with those that dump core on Linux. */
#define DEFAULT_WAITS                                                                        \
	(DEFAULT_IGNORED | STOP_SIGNALS | TERN_SIGBIT(SIGQUIT) | TERN_SIGBIT(SIGILL) |       \
	 TERN_SIGBIT(SIGTRAP) | TERN_SIGBIT(SIGABRT) | TERN_SIGBIT(SIGBUS) |                 \
	 TERN_SIGBIT(SIGFPE) | TERN_SIGBIT(SIGSEGV) | TERN_SIGBIT(SIGXCPU) |                 \
	 TERN_SIGBIT(SIGXFSZ) | TERN_SIGBIT(SIGSYS))
#define STOP_SIGNALS                                                                         \
	(TERN_SIGBIT(SIGSTOP) | TERN_SIGBIT(SIGTSTP) | TERN_SIGBIT(SIGTTIN) | TERN_SIGBIT(SIGTTOU))
#define SYNCHRONOUS                                                                          \
	(TERN_SIGBIT(SIGSEGV) | TERN_SIGBIT(SIGBUS) | TERN_SIGBIT(SIGILL) |                  \
	 TERN_SIGBIT(SIGTRAP) | TERN_SIGBIT(SIGFPE) | TERN_SIGBIT(SIGSYS))
#define INSN_ECALL 0x73

extern u64 vdso_sigreturn_offset;

/* ---- sets and actions ---- */

void sigpending_init(struct sigpending *p)
{
	p->set = 0;
	list_init(&p->queue);
	list_init(&p->own.link);
}

static inline int queue_signo(const struct sigqueue *q) { return (s32)q->info[0]; }

static void queue_free(struct process *owner, struct sigpending *p, struct sigqueue *q)
{
	list_del(&q->link);
	owner->sig_queued--;
	if (q != &p->own)
		kfree_for(owner, q, sizeof *q);
}

void sigpending_remove(struct process *owner, struct sigpending *p, u64 set)
{
	if (!(p->set & set))
		return;
	p->set &= ~set;
	list_for_each_safe(l, n, &p->queue) {
		struct sigqueue *q = list_entry(l, struct sigqueue, link);

		if (TERN_SIGBIT(queue_signo(q)) & set)
			queue_free(owner, p, q);
	}
}

void signal_discard(struct process *p, u64 set)
{
	sigpending_remove(p, &p->sig_pending, set);
	for_each_thread(t, p)
		sigpending_remove(p, &t->sig_pending, set);
}

struct sighand *sighand_create(void)
{
	struct sighand *s = kmalloc(sizeof *s);

	if (s)
		s->refs = 1;
	return s;
}

struct sighand *sighand_copy(const struct sighand *old)
{
	struct sighand *s = sighand_create();

	if (s)
		memcpy(s->action, old->action, sizeof s->action);
	return s;
}

void sighand_put(struct sighand *s)
{
	if (--s->refs == 0)
		kfree(s);
}

void sighand_exec(struct process *p, struct sighand *fresh)
{
	struct sighand *s = p->sighand;

	if (s->refs > 1) {
		memcpy(fresh->action, s->action, sizeof fresh->action);
		s->refs--;
		p->sighand = s = fresh;
	} else {
		kfree(fresh);
	}
	for (unsigned i = 0; i < _NSIG; i++) {
		if (s->action[i].sa_handler != SIG_IGN)
			s->action[i].sa_handler = SIG_DFL;
		s->action[i].sa_flags = s->action[i].sa_mask.sig[0] = 0;
	}
	for_each_thread(t, p) {
		t->sig_stack = (struct tern_stack){ .flags = SS_DISABLE };
		t->again.fn = NULL;
	}
}

bool process_protected(const struct process *p)
{
	return unlikely(p->pid == 1 || p->authority & TERN_AUTH_SERVER);
}

/* ---- sending ---- */

bool signal_pending(const struct thread *t)
{
	return (t->sig_pending.set | t->process->sig_pending.set) & ~t->sig_mask;
}

void signal_recalc(struct thread *t)
{
	if (signal_pending(t))
		thread_add_work(t, WORK_SIGNAL);
}

static bool ignored(const struct process *p, const struct thread *t, int sig)
{
	__sighandler_t handler = p->sighand->action[sig - 1].sa_handler;
	u64 bit = TERN_SIGBIT(sig);

	if (t && t->sig_mask & bit)
		return false;
	if (handler == SIG_DFL)
		return bit & DEFAULT_IGNORED || process_protected(p);
	return handler == SIG_IGN;
}

static void wake(struct thread *t)
{
	thread_add_work(t, WORK_SIGNAL);
	thread_interrupt(t);
}

/* A thread that does not block the signal, the leader first. */
static struct thread *choose(struct process *p, u64 bit)
{
	if (likely(p->leader && !(p->leader->sig_mask & bit)))
		return p->leader;
	for_each_thread(t, p)
		if (!(t->sig_mask & bit))
			return t;
	return NULL;
}

/* SIGCONT and stop signals cancel each other when they are sent, blocked or not. */
static void stop_and_continue(struct process *p, u64 bit)
{
	signal_discard(p, bit & STOP_SIGNALS ? TERN_SIGBIT(SIGCONT) : STOP_SIGNALS);
	if (bit == TERN_SIGBIT(SIGCONT))
		process_continue(p);
}

/* Into a set: 0, EAGAIN. */
static int enqueue(struct process *p, struct sigpending *to, const siginfo_t *si)
{
	bool realtime = si->si_signo >= SIGRTMIN;
	struct sigqueue *q = NULL;

	if (likely(p->sig_queued < process_limit(p, RLIMIT_SIGPENDING) || !realtime))
		q = likely(list_empty(&to->own.link)) ? &to->own : kmalloc_for(p, sizeof *q);
	if (likely(q)) {
		for (unsigned i = 0; i < SIGINFO_WORDS; i++)
			q->info[i] = ((const u64 *)si)[i];
		list_add_tail(&to->queue, &q->link);
		p->sig_queued++;
	} else if (realtime && si->si_code != SI_USER) {
		return -EAGAIN;
	}
	to->set |= TERN_SIGBIT(si->si_signo);
	return 0;
}

/* Gives it to a thread in sigtimedwait for it: t, or any if t is NULL. */
static bool awaited(struct process *p, struct thread *t, u64 bit)
{
	for_each_thread(w, p) {
		if ((t && w != t) || w->state != THREAD_BLOCKED || w->wait != WAIT_SIGNAL ||
		    !(w->wait_on.sig_wanted & bit))
			continue;
		signal_wait_notify(w);
		return true;
	}
	return false;
}

int signal_send(struct process *p, struct thread *t, const siginfo_t *si)
{
	int sig = si->si_signo, r;
	u64 bit = TERN_SIGBIT(sig);
	struct sigpending *to = t ? &t->sig_pending : &p->sig_pending;

	assert_kernel_locked();
	if (!sig || unlikely(p->state != PROCESS_ALIVE) || (t && t->state == THREAD_DEAD))
		return 0;
	if (unlikely(bit & (STOP_SIGNALS | TERN_SIGBIT(SIGCONT))))
		stop_and_continue(p, bit);
	if (ignored(p, t ? t : process_any_thread(p), sig))
		return 0;
	if (sig == SIGKILL) {
		process_kill(p, TERN_W_SIGNAL(SIGKILL));
		return 0;
	}
	if (to->set & bit && sig < SIGRTMIN)
		return 0;
	r = enqueue(p, to, si);
	if (r)
		return r;
	signalfd_notify(bit);
	if (awaited(p, t, bit))
		return 0;
	if (!t)
		t = choose(p, bit);
	if (!t || t->sig_mask & bit)
		return 0;
	if (p->sighand->action[sig - 1].sa_handler == SIG_DFL && !(bit & DEFAULT_WAITS) && !p->stopped)
		process_kill(p, TERN_W_SIGNAL(sig));
	else
		wake(t);
	return 0;
}

void signal_fault(struct thread *t, int sig, int code, u64 addr, bool force)
{
	struct process *p = t->process;
	siginfo_t si;
	struct sigaction *act = &p->sighand->action[sig - 1];
	u64 bit = TERN_SIGBIT(sig);

	siginfo_init(&si, sig, code);
	si.si_addr = (void *)addr;
	kernel_lock();
	if (force) {
		if (act->sa_handler == SIG_IGN || t->sig_mask & bit)
			act->sa_handler = SIG_DFL;
		t->sig_mask &= ~bit;
		if (act->sa_handler == SIG_DFL) {
			/* Every signal that is forced ends the process by default. */
			if (process_protected(p))
				klog("%s (%u): signal %d, code %d, address %lx, pc %lx, ra %lx\n",
				     t->comm, p->pid, sig, code, addr, t->regs.x[REG_PC],
				     t->regs.x[REG_RA]);
			process_kill(p, TERN_W_SIGNAL(sig));
			kernel_unlock();
			return;
		}
	}
	(void)signal_send(p, t, &si);
	kernel_unlock();
}

/* The thread is between a wait and its return: it must not be interrupted, only told. */
void signal_raise_locked(struct thread *t, int sig)
{
	struct process *p = t->process;
	siginfo_t si;

	assert_kernel_locked();
	if (sig > _NSIG)
		return;
	siginfo_init(&si, sig, SI_USER);
	if (p->state != PROCESS_ALIVE || ignored(p, t, sig) || t->sig_pending.set & TERN_SIGBIT(sig))
		return;
	si.si_pid = (s32)p->pid;
	si.si_uid = t->cred->c.uid;
	if (!enqueue(p, &t->sig_pending, &si) && !(t->sig_mask & TERN_SIGBIT(sig)))
		thread_add_work(t, WORK_SIGNAL);
}

/* ---- masks ---- */

/* Signals of the process that t will not take (any more): somebody else should. */
static void retarget(struct thread *t, u64 set)
{
	struct process *p = t->process;

	set &= p->sig_pending.set;
	if (likely(!set))
		return;
	for_each_thread(o, p) {
		if (o == t || !(set & ~o->sig_mask))
			continue;
		wake(o);
		set &= o->sig_mask; /* one is enough for each */
		if (!set)
			break;
	}
}

void signal_set_mask(struct thread *t, u64 mask)
{
	u64 newly = mask & ~t->sig_mask;

	t->sig_mask = mask & ~UNBLOCKABLE;
	signal_recalc(t);
	if (unlikely(t->process->nthreads > 1))
		retarget(t, newly);
}

void signal_thread_leaves(struct thread *t) { retarget(t, ~t->sig_mask); }

void signal_set_temporary_mask(struct thread *t, u64 mask)
{
	if (!t->sig_restore_mask) {
		t->sig_saved_mask = t->sig_mask;
		t->sig_restore_mask = true;
	}
	signal_set_mask(t, mask);
}

void signal_restore_mask(struct thread *t)
{
	if (t->sig_restore_mask) {
		t->sig_restore_mask = false;
		signal_set_mask(t, t->sig_saved_mask);
	}
}

/* ---- taking one ---- */

static int take(struct process *p, struct sigpending *from, u64 set, siginfo_t *si)
{
	struct sigqueue *found = NULL;
	bool more = false;
	int sig;

	set &= from->set;
	if (!set)
		return 0;
	if (set & SYNCHRONOUS)
		set &= SYNCHRONOUS;
	sig = (int)lowest_bit(set) + 1;
	list_for_each(l, &from->queue) {
		struct sigqueue *q = list_entry(l, struct sigqueue, link);

		if (queue_signo(q) != sig)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = q;
	}
	if (!more)
		from->set &= ~TERN_SIGBIT(sig);
	memset((u64 *)si + SIGINFO_WORDS, 0, sizeof *si - SIGINFO_WORDS * 8);
	if (likely(found)) {
		for (unsigned i = 0; i < SIGINFO_WORDS; i++)
			((u64 *)si)[i] = found->info[i];
		queue_free(p, from, found);
	} else {
		memset(si, 0, SIGINFO_WORDS * 8);
		si->si_signo = sig;
	}
	return sig;
}

int signal_dequeue(struct thread *t, u64 wanted, siginfo_t *si)
{
	int sig = take(t->process, &t->sig_pending, wanted, si);

	return sig ? sig : take(t->process, &t->process->sig_pending, wanted, si);
}

/* ---- the stack frame of a handler: riscv64 Linux's struct rt_sigframe ---- */

struct frame_head {
	siginfo_t info;
	u64 uc_flags, uc_link;
	struct tern_stack uc_stack;
	u64 uc_sigmask;
};
#define FRAME_STACK offsetof(struct frame_head, uc_stack)
#define FRAME_REGS (128 + 176) /* uc_mcontext is 16-aligned behind 128 bytes of signal mask */
#define FRAME_FPU (FRAME_REGS + 256)
#define FRAME_EXT (FRAME_FPU + 512) /* the end of the floating-point union: reserved, end header */
#define FRAME_SIZE (FRAME_FPU + 528)
_Static_assert(sizeof(struct frame_head) == 176 && FRAME_SIZE % 16 == 0, "rt_sigframe");

static bool on_stack(const struct thread *t, va_t sp)
{
	const struct tern_stack *s = &t->sig_stack;

	return s->size && !((u32)s->flags & SS_AUTODISARM) && sp > s->sp && sp - s->sp <= s->size;
}

void signal_stack_get(const struct thread *t, struct tern_stack *s)
{
	*s = t->sig_stack;
	s->pad = 0;
	s->flags = (s32)((u32)s->flags & SS_AUTODISARM);
	if (!s->size)
		s->flags |= SS_DISABLE;
	else if (on_stack(t, t->regs.x[REG_SP]))
		s->flags |= SS_ONSTACK;
}

s64 signal_stack_set(struct thread *t, const struct tern_stack *s)
{
	u32 mode = (u32)s->flags & ~SS_AUTODISARM;

	if (on_stack(t, t->regs.x[REG_SP]))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && s->size < MINSIGSTKSZ)
		return -ENOMEM;
	t->sig_stack = *s;
	t->sig_stack.pad = 0;
	if (mode == SS_DISABLE)
		t->sig_stack.sp = t->sig_stack.size = 0;
	return 0;
}

/* Builds the frame and points the registers at the handler. */
static bool frame_push(struct thread *t, int sig, const struct sigaction *act,
		       struct frame_head *h, u64 mask)
{
	static const u64 no_extensions[2];
	struct aspace *as = t->aspace;
	u64 *x = t->regs.x;
	va_t sp = x[REG_SP], frame;

	if (unlikely(act->sa_flags & SA_ONSTACK) && t->sig_stack.size && !on_stack(t, sp)) {
		sp = t->sig_stack.sp + t->sig_stack.size;
	} else if (on_stack(t, sp) && !on_stack(t, sp - FRAME_SIZE)) {
		return false; /* it would overflow the alternate stack */
	}
	frame = (sp - FRAME_SIZE) & ~15ull;
	if (unlikely(!user_range_ok(frame, FRAME_SIZE) || !as->vdso))
		return false;
	h->uc_flags = h->uc_link = 0;
	h->uc_stack = t->sig_stack;
	h->uc_sigmask = mask;
	if (t->fpu_used)
		fpu_save_current(t);
	if (copy_to_user(as, frame, h, sizeof *h) != sizeof *h ||
	    copy_to_user(as, frame + FRAME_REGS, x, 256) != 256 ||
	    copy_to_user(as, frame + FRAME_FPU, t->fpu, sizeof t->fpu) != sizeof t->fpu ||
	    copy_to_user(as, frame + FRAME_EXT, no_extensions, 16) != 16)
		return false;
	if (unlikely((u32)t->sig_stack.flags & SS_AUTODISARM))
		t->sig_stack = (struct tern_stack){ .flags = SS_DISABLE };
	x[REG_PC] = (u64)act->sa_handler;
	x[REG_RA] = as->vdso + vdso_sigreturn_offset;
	x[REG_SP] = frame;
	x[REG_A0] = (u64)sig;
	x[REG_A0 + 1] = frame;
	x[REG_A0 + 2] = frame + sizeof(siginfo_t);
	return true;
}

static void fpu_restore(struct thread *t, const u64 *fpu)
{
	bool same = true;

	if (t->fpu_used)
		fpu_save_current(t);
	for (unsigned i = 0; i < ARRAY_SIZE(t->fpu); i++)
		same = same && t->fpu[i] == fpu[i];
	if (!same) {
		memcpy(t->fpu, fpu, sizeof t->fpu);
		fpu_discard(t);
	}
}

bool signal_return(struct thread *t)
{
	struct aspace *as = t->aspace;
	va_t frame = t->regs.x[REG_SP];
	struct {
		struct tern_stack stack;
		u64 mask;
	} uc;
	u64 fpu[ARRAY_SIZE(t->fpu)];

	if (frame & 15 || copy_from_user(as, &uc, frame + FRAME_STACK, sizeof uc) != sizeof uc ||
	    copy_from_user(as, fpu, frame + FRAME_FPU, sizeof fpu) != sizeof fpu ||
	    copy_from_user(as, t->regs.x, frame + FRAME_REGS, 256) != 256)
		return false;
	fpu[ARRAY_SIZE(fpu) - 1] &= 0xff; /* fcsr */
	fpu_restore(t, fpu);
	kernel_lock();
	signal_set_mask(t, uc.mask);
	kernel_unlock();
	t->again.fn = NULL;
	/* Its stack is what it was, unless it makes no sense (any more). */
	(void)!signal_stack_set(t, &uc.stack);
	return t->regs.x[REG_PC] < USER_MAX;
}

/* ---- delivery ---- */

/* The code an interrupted call left in a0, or 0. */
static int interrupted_call(struct thread *t)
{
	s64 r = -(s64)t->regs.x[REG_A0];
	u32 insn;

	if (likely(r < ERESTARTSYS || r > ERESTART_RESTARTBLOCK))
		return 0;
	if (copy_from_user(t->aspace, &insn, t->regs.x[REG_PC] - 4, 4) != 4 || insn != INSN_ECALL)
		return 0;
	return (int)r;
}

static void call_restart(struct thread *t, int code, const struct sigaction *act)
{
	u64 *x = t->regs.x;

	if (act && (code == ERESTARTNOHAND || code == ERESTART_RESTARTBLOCK ||
		    (code == ERESTARTSYS && !(act->sa_flags & SA_RESTART)))) {
		x[REG_A0] = (u64)-EINTR;
		return;
	}
	x[REG_A0] = t->orig_a0;
	x[REG_PC] -= 4;
	if (code == ERESTART_RESTARTBLOCK)
		x[REG_A7] = __NR_restart_syscall;
}

/* The default action, kernel lock held: false if the thread does not go on to user mode. */
static bool act_by_default(struct thread *t, int sig)
{
	struct process *p = t->process;
	u64 bit = TERN_SIGBIT(sig);

	if (bit & DEFAULT_IGNORED || process_protected(p))
		return true;
	if (!(bit & STOP_SIGNALS)) {
		process_kill(p, TERN_W_SIGNAL(sig));
		return false;
	}
	/* Calls that the stop interrupts are decided about when the process goes on. */
	for_each_thread(o, p)
		thread_add_work(o, WORK_SIGNAL);
	process_stop(p, sig);
	return false;
}

/* The next signal that has a handler, with its action and the mask that it interrupts; 0 if there is
 * none, -1 if the thread does not go on to user mode.  Kernel lock held. */
static int next_handled(struct thread *t, siginfo_t *si, struct sigaction *act,
			u64 *mask)
{
	struct process *p = t->process;
	struct sigaction *ka;
	int sig;

	do {
		if (unlikely(p->state != PROCESS_ALIVE || t->work & WORK_KILLED))
			return -1;
		sig = signal_dequeue(t, ~t->sig_mask, si);
		if (!sig)
			return 0;
		ka = &p->sighand->action[sig - 1];
		if (ka->sa_handler == SIG_DFL && !act_by_default(t, sig))
			return -1;
	} while (unlikely(!has_handler(ka)));
	*act = *ka;
	if (act->sa_flags & SA_RESETHAND)
		ka->sa_handler = SIG_DFL;
	*mask = t->sig_restore_mask ? t->sig_saved_mask : t->sig_mask;
	t->sig_restore_mask = false;
	signal_set_mask(t, t->sig_mask | act->sa_mask.sig[0] | (act->sa_flags & SA_NODEFER ? 0 : TERN_SIGBIT(sig)));
	return sig;
}

void signal_deliver(struct thread *t)
{
	int code = interrupted_call(t), sig;
	struct frame_head head;
	struct sigaction act = { .sa_handler = SIG_DFL };
	u64 mask;

	kernel_lock();
	thread_clear_work(t, WORK_SIGNAL);
	sig = next_handled(t, &head.info, &act, &mask);
	if (!sig)
		signal_restore_mask(t);
	kernel_unlock();
	if (sig < 0)
		return;
	if (code)
		call_restart(t, code, sig ? &act : NULL);
	if (!sig)
		return;
	if (code == ERESTART_RESTARTBLOCK)
		t->again.fn = NULL;
	if (likely(frame_push(t, sig, &act, &head, mask))) {
		trace(TERN_TRACE_SIGNAL, (u64)sig, (u64)act.sa_handler);
		return;
	}
	if (sig != SIGSEGV) {
		signal_fault(t, SIGSEGV, SI_KERNEL, 0, true);
		return;
	}
	kernel_lock();
	process_kill(t->process, TERN_W_SIGNAL(SIGSEGV));
	kernel_unlock();
}
