/*
 * The doors to processes that run: what pm and the servers tell them (words, signals, credentials,
 * priorities) and how they look.
 */
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/linux/sys.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#include "futex_priv.h"

static struct process *find(struct thread *t, u64 h)
{
	return handle_object(t->process->handles, (u32)h, HANDLE_PROCESS, 0);
}

s64 native_process_kill(struct process *p, u64 *a)
{
	process_kill(p, (s32)a[1]);
	return 0;
}

/* SIGCHLD: whether the parent wants zombies, or to hear of stops, is in its action. */
static s64 send_child_signal(struct process *p, const siginfo_t *si)
{
	const struct sigaction *act = &p->sighand->action[SIGCHLD - 1];
	bool stop = si->si_code == CLD_STOPPED || si->si_code == CLD_CONTINUED;
	bool ended = si->si_code == CLD_EXITED || si->si_code == CLD_KILLED || si->si_code == CLD_DUMPED;
	s64 r;

	if (stop && (act->sa_flags & SA_NOCLDSTOP))
		return 0;
	r = signal_send(p, NULL, si);
	return ended && (act->sa_handler == SIG_IGN || (act->sa_flags & SA_NOCLDWAIT)) ? 1 : r;
}

static s64 send_signal(struct process *p, u32 tid, const siginfo_t *si)
{
	struct thread *to;

	if (!p)
		return -EBADF;
	if (p->state != PROCESS_ALIVE)
		return 0; /* pm knows it still: the signal is lost, which is no error */
	if (!tid)
		return si->si_signo == SIGCHLD ? send_child_signal(p, si) : signal_send(p, NULL, si);
	to = process_find_thread(p, tid);
	if (!to) /* the number of a leader that has ended is the process's still */
		return tid == p->pid ? 0 : -ESRCH;
	return signal_send(p, to, si);
}

static s64 siginfo_get(struct thread *t, siginfo_t *si, va_t va)
{
	if (get_user(t, si, va, sizeof *si))
		return -EFAULT;
	return si->si_signo < 1 || si->si_signo > _NSIG ? -EINVAL : 0;
}

#define SIGNALLED_AT_ONCE 24u /* threads */

/* Who dies of a signal wakes others of his group (a pipe's reader); it must have come to them before. */
s64 native_signal_send_all(struct thread *t, u64 *a)
{
	s32 to[TERN_SIGNAL_MANY];
	u32 told = 0;
	siginfo_t si;
	s64 r, result;

	if (!a[1] || a[1] > TERN_SIGNAL_MANY)
		return -EINVAL;
	if (get_user(t, to, a[0], a[1] * sizeof *to))
		return -EFAULT;
	result = siginfo_get(t, &si, a[2]);
	if (result)
		return result;
	result = -ESRCH;
	kernel_lock();
	for (u64 i = 0; i < a[1]; i++) {
		struct process *p = find(t, (u32)to[i]);

		/* Few have it all at once, as long as that is not long. */
		told += p ? p->nthreads : 0;
		if (told > SIGNALLED_AT_ONCE) {
			told = 0;
			kernel_relax();
			p = find(t, (u32)to[i]);
		}
		r = send_signal(p, 0, &si);
		if (result)
			result = r < 0 ? r : 0;
	}
	kernel_unlock();
	return result;
}

s64 native_signal_send(struct thread *t, u64 *a)
{
	siginfo_t si;
	s64 r = siginfo_get(t, &si, a[2]);

	if (r)
		return r;
	kernel_lock();
	r = send_signal(find(t, a[0]), (u32)a[1], &si);
	kernel_unlock();
	return r;
}

s64 native_process_set(struct process *p, u64 *a)
{
	switch (a[1]) {
	case TERN_PW_PPID:
		p->ppid = (u32)a[2];
		break;
	case TERN_PW_PGID:
		p->pgid = (u32)a[2];
		break;
	case TERN_PW_SID:
		p->sid = (u32)a[2];
		break;
	case TERN_PW_RLIMIT:
		if ((a[2] & 0xff) >= RLIM_NLIMITS)
			return -EINVAL;
		if (a[2] >> 8)
			p->limits[a[2] & 0xff].max = a[3];
		else
			p->limits[a[2] & 0xff].cur = a[3];
		process_apply_limits(p);
		break;
	case TERN_PW_COMM:
		if (p->leader) {
			memcpy(p->leader->comm, &a[2], 16);
			p->leader->comm[15] = 0;
		}
		break;
	case TERN_PW_NO_HUGE:
		p->no_huge = a[2];
		process_apply_limits(p);
		break;
	case TERN_PW_SERVE:
		p->authority = (p->authority & ~TERN_AUTH_SERVE) | (a[2] ? TERN_AUTH_SERVE : 0);
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static char state_letter(const struct process *p, const struct thread *t)
{
	if (!t)
		return 'Z';
	if (p->stopped && t->state != THREAD_DEAD)
		return 'T'; /* it may still be on its way there, on another hart */
	switch (t->state) {
	case THREAD_READY:
	case THREAD_RUNNING:
		return 'R';
	case THREAD_STOPPED:
		return 'T';
	case THREAD_DEAD:
		return 'X';
	case THREAD_BLOCKED:
		if (t->wait == WAIT_CALL)
			return t->call.line && t->call.line->restart == RESTART_NEVER ? 'D' : 'S';
		return t->interruptible || t->wait == WAIT_RECV ? 'S' : 'D';
	}
	return 'D';
}

static void fill_thread(struct tern_process_stat *s, struct process *p, struct thread *t)
{
	s->state = (u32)state_letter(p, t);
	if (!t)
		return;
	s->policy = t->policy;
	s->nice = (u32)t->nice;
	s->rt_prio = t->rt_prio;
	s->hart = t->hart ? t->hart->index : 0;
	s->affinity = t->affinity & ((1ull << nharts) - 1);
	s->pc = t->regs.x[REG_PC];
	s->sp = t->regs.x[REG_SP];
	s->sig_pending = t->sig_pending.set;
	s->sig_blocked = t->sig_mask;
	s->syscall = t->state != THREAD_BLOCKED ? ~0u :
		     t->wait == WAIT_RECV ? TERN_RECV : (u32)t->regs.x[REG_A7];
	memcpy(s->comm, t->comm, sizeof s->comm);
	if (t->cred)
		s->cred = t->cred->c;
}

static void fill_space(struct tern_process_stat *s, const struct process *p)
{
	const struct aspace *as = p->aspace;

	s->peak_rss = p->dead_peak_rss;
	s->minflt = p->dead_minflt;
	s->majflt = p->dead_majflt;
	if (!as)
		return;
	s->minflt += as->minflt;
	s->majflt += as->majflt;
	s->vsize = as->mapped * PAGE_SIZE;
	s->rss = as->resident;
	s->rss_anon = as->resident_anon;
	s->peak_vsize = MAX(as->peak_mapped, as->mapped) * PAGE_SIZE;
	s->peak_rss = MAX(as->peak_resident, as->resident);
	s->size_stack = as->stack * PAGE_SIZE;
	s->size_data = as->data * PAGE_SIZE;
	s->size_exec = as->exec * PAGE_SIZE;
	s->size_pt = as->tables * PAGE_SIZE;
	s->size_locked = as->locked * PAGE_SIZE;
	s->layout = as->layout;
}

s64 native_process_stat(struct thread *t, u64 *a)
{
	struct tern_process_stat *s;
	struct process *p;
	struct thread *n;
	s64 r;

	s = kmalloc(sizeof *s);
	if (!s)
		return -ENOMEM;
	kernel_lock();
	p = find(t, a[0]);
	n = p && (u32)a[1] ? process_find_thread(p, (u32)a[1]) : NULL;
	r = !p ? -EBADF : (u32)a[1] && !n ? -ESRCH : 0;
	if (!r) {
		s->pid = p->pid;
		s->ppid = p->ppid;
		s->pgid = p->pgid;
		s->sid = p->sid;
		s->authority = p->authority;
		s->nthreads = p->nthreads;
		s->nfds = p->handles ? p->handles->count : 0;
		if (!n) {
			s->nvcsw = p->dead_nvcsw;
			s->nivcsw = p->dead_nivcsw;
			s->user_ns = arch_ticks_to_ns(p->dead_user_ticks);
			s->system_ns = arch_ticks_to_ns(p->dead_system_ticks);
		}
		for_each_thread(o, p) {
			if (n && o != n)
				continue;
			s->user_ns += thread_user_ns(o);
			s->system_ns += thread_system_ns(o);
			s->nvcsw += o->nvcsw;
			s->nivcsw += o->nivcsw;
		}
		s->start_ns = p->start_ns;
		s->sig_shared_pending = p->sig_pending.set;
		s->sig_queued = p->sig_queued;
		for (unsigned i = 0; i < _NSIG && p->sighand; i++) {
			if (p->sighand->action[i].sa_handler == SIG_IGN)
				s->sig_ignored |= 1ull << i;
			else if (p->sighand->action[i].sa_handler != SIG_DFL)
				s->sig_caught |= 1ull << i;
		}
		memcpy(s->limits, p->limits, sizeof s->limits);
		process_kept(p, &s->kept);
		fill_space(s, p);
		fill_thread(s, p, n ? n : process_any_thread(p));
	}
	kernel_unlock();
	if (!r)
		r = put_user(t, a[2], s, sizeof *s);
	kfree(s);
	return r;
}

s64 native_process_handles(struct thread *t, u64 *a)
{
	struct process *p;
	s64 r;

	kernel_lock();
	p = find(t, a[0]);
	if (p)
		process_get(p);
	kernel_unlock();
	if (!p)
		return -EBADF;
	r = handle_list(t, p, (u32)a[1], a[2], (u32)a[3]);
	kernel_lock();
	process_put(p);
	kernel_unlock();
	return r;
}

s64 native_process_open(struct thread *t, u64 *a)
{
	list_for_each(l, &all_processes) {
		struct process *p = container_of(l, struct process, all);

		if (p->pid != a[0] || p->state == PROCESS_DEAD)
			continue;
		process_get(p);
		return handle_add(t->process->handles, HANDLES_MAX, HANDLE_PROCESS, p, 0, true);
	}
	return -ESRCH;
}

s64 native_process_unshare(struct process *p, u64 *a)
{
	struct name_context *own;

	if (p->state != PROCESS_ALIVE)
		return -ESRCH;
	if (p->nthreads > 1)
		return -EINVAL;
	if (a[1] & CLONE_FS && p->names->refs > 1) {
		own = name_context_copy(p->names);
		if (!own)
			return -ENOMEM;
		name_context_put(p->names);
		p->names = own;
	}
	return a[1] & CLONE_FILES ? process_unshare_handles(p) : 0;
}

s64 native_thread_sched(struct process *p, u64 *a)
{
	u64 affinity = a[5] & ((1ull << nharts) - 1);
	s64 r = -ESRCH;

	for_each_thread(t, p) {
		if ((u32)a[1] && t->tid != (u32)a[1])
			continue;
		sched_set_policy(t, (int)a[2], (int)a[3], (int)a[4], affinity);
		pi_lend(pi_owner_of(t));
		r = 0;
	}
	return r;
}

s64 native_threads(struct thread *t, u64 *a)
{
	u32 tids[TERN_THREADS_MAX], n = 0, max = (u32)MIN(a[3], ARRAY_SIZE(tids));
	struct process *p;

	kernel_lock();
	p = find(t, a[0]);
	if (p)
		for_each_thread(o, p)
			if (o->tid >= a[1] && n < max)
				tids[n++] = o->tid;
	kernel_unlock();
	if (!p)
		return -EBADF;
	if (put_user(t, a[2], tids, n * sizeof tids[0]))
		return -EFAULT;
	return n;
}

/* ---- the end ---- */

s64 sys_exit(struct thread *t, u64 *a)
{
	struct process *p = t->process;

	kernel_lock();
	/* The status of the last one that comes here is the process's. */
	if (p->state == PROCESS_ALIVE)
		p->exit_status = TERN_W_EXIT((s32)a[0]);
	kernel_unlock();
	thread_exit_self(t);
	return 0;
}

s64 sys_exit_group(struct thread *t, u64 *a)
{
	kernel_lock();
	process_kill(t->process, TERN_W_EXIT((s32)a[0]));
	kernel_unlock();
	return 0;
}
