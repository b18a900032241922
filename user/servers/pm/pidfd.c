/* pidfds: descriptors that name a process, and never another one that later gets the same pid.
 *
 * Each is a session of pm's with a readiness word of its own, which has POLLIN once the process has
 * ended, and POLLHUP too once it has been waited for.  A struct pidfd is in its process's list
 * until the process is gone for good, and is freed when its last descriptor is closed.  Its badge
 * has the bit PIDFD_BADGE, which no other badge of pm's has.
 */
#include "pm.h"
#include <linux/poll.h>
#include <string.h>

#define PIDFD_BADGE (1ull << 63)
#define ENDED (POLLIN | POLLRDNORM)

/* The flags of pidfd_send_signal(2), which say who gets the signal; without one, the process
 * does. */
#define TO_THREAD 1u
#define TO_GROUP 4u
#define TO_KNOWN 7u

struct pidfd {
	struct link link;  /* in proc->pidfds */
	struct proc *proc; /* NULL: the process is gone */
	uint64_t ready;	   /* the readiness word */
	uint32_t flags;	   /* O_*, as F_GETFL shows them */
};

static struct pool pidfds;

static struct pidfd *pidfd_of_badge(uint64_t badge)
{
	return badge & PIDFD_BADGE ? pool_lookup(&pidfds, badge & ~PIDFD_BADGE) : NULL;
}

static struct pidfd *pidfd_of(struct tern_msg *m, int fd)
{
	struct tern_handle_info info;

	if (fd < 0 || tern_caller_handles(m->token, (unsigned)fd, &info, 1) != 1 ||
	    info.fd != (uint32_t)fd || info.kind != TERN_KIND_PIDFD)
		return NULL;
	return pidfd_of_badge(info.badge);
}

static void pidfd_free(struct pidfd *f)
{
	tern_ready_destroy(f->ready);
	link_remove(&f->link);
	pool_free(&pidfds, f);
}

/* Makes a pidfd of p and gives it to the caller as the descriptor that the call makes. */
static long pidfd_give(uint64_t token, struct proc *p, uint32_t flags)
{
	struct pidfd *f;
	long r;

	if (!pidfds.size)
		pool_init(&pidfds, sizeof(struct pidfd));
	f = pool_alloc(&pidfds);
	if (!f)
		return -ENOMEM;
	r = tern_ready_create(p->state == PROC_ZOMBIE ? ENDED : 0);
	if (r < 0) {
		pool_free(&pidfds, f);
		return r;
	}
	f->ready = (uint64_t)r;
	f->proc = p;
	f->flags = O_RDWR | flags;
	link_append(&p->pidfds, &f->link);
	r = tern_give_session(token, 0,
			      TERN_R_READ | TERN_R_WRITE | TERN_R_IO | TERN_R_TRANSFER | TERN_R_CLOEXEC,
			      TERN_KIND_PIDFD, pool_badge(&pidfds, f) | PIDFD_BADGE, p->pid, f->ready,
			      -1);
	if (r < 0)
		pidfd_free(f);
	return r < 0 ? r : 0;
}

long pm_pidfd_open(struct tern_msg *m)
{
	int32_t pid = (int32_t)m->args[0];
	uint32_t flags = (uint32_t)m->args[1];
	struct proc *p;

	if (flags & ~(uint32_t)O_NONBLOCK || pid <= 0)
		return -EINVAL;
	p = proc_find(&pm.tree, pid);
	if (!p)
		return number_find(&pm.tree, pid) ? -EINVAL : -ESRCH;
	return pidfd_give(m->token, p, flags);
}

/* Gives the clone call that makes p a pidfd of p.  The descriptor's number is written to the
 * caller's memory before p begins to run; the descriptor itself is there once the call has
 * returned. */
long pidfd_of_child(struct tern_msg *m, struct proc *p, unsigned win, uint64_t at)
{
	int32_t fd = (int32_t)tern_reserve(m->token);
	long r;

	if (fd < 0)
		return fd;
	r = pidfd_give(m->token, p, 0);
	if (r >= 0 && tern_copy_out(m->token, win, at, &fd, sizeof fd) != (long)sizeof fd)
		r = -EFAULT;
	return r;
}

/* Tells whether the caller may take descriptors of p: who may use ptrace(2) on it may. */
static bool may_take(struct tern_msg *m, const struct proc *p)
{
	struct tern_cred c;

	if (!caller_cred(m, &c) || p->state == PROC_SERVER)
		return false;
	return cred_capable(&c, CAP_SYS_PTRACE) ||
	       (!p->undumpable && c.uid == p->uid && c.uid == p->euid && c.uid == p->suid &&
		c.gid == p->gid && c.gid == p->egid);
}

long pm_pidfd_getfd(struct tern_msg *m)
{
	struct pidfd *f = pidfd_of(m, (int)m->args[0]);

	if (m->args[2])
		return -EINVAL;
	if (!f)
		return -EBADF;
	if (!f->proc || f->proc->state == PROC_ZOMBIE)
		return -ESRCH;
	if (!may_take(m, f->proc))
		return -EPERM;
	return tern_give_of(m->token, 0, f->proc->handle, (int)m->args[1]);
}

/* Reads the siginfo of the caller's, if it gave one.  To another process it may not say that the
 * signal is the kernel's or tkill's. */
static long read_info(struct tern_msg *m, const struct proc *to, struct sender *s)
{
	siginfo_t si;

	if (!m->args[2])
		return 0;
	if (tern_copy_in(m->token, 0, 0, &si, sizeof si) != (long)sizeof si)
		return -EFAULT;
	if (si.si_signo != s->info.si_signo)
		return -EINVAL;
	if (to != s->proc && (si.si_code >= 0 || si.si_code == SI_TKILL))
		return -EPERM;
	s->info = si;
	return 0;
}

long pm_pidfd_send_signal(struct tern_msg *m)
{
	uint32_t to = (uint32_t)m->args[3];
	struct pidfd *f = pidfd_of(m, (int)m->args[0]);
	struct sender s;
	long r;

	if (to & ~TO_KNOWN || (to & (to - 1)))
		return -EINVAL;
	if (!f)
		return -EBADF;
	r = signal_sender(&s, m, (int)m->args[1], SI_USER);
	if (r >= 0)
		r = read_info(m, f->proc, &s);
	if (r < 0)
		return r;
	if (!f->proc)
		return -ESRCH;
	if (to == TO_GROUP)
		return signal_send_group(&s, number_find(&pm.tree, f->proc->pid));
	return signal_send_one(&s, f->proc, to == TO_THREAD ? f->proc->pid : 0);
}

long pidfd_wait_target(struct tern_msg *m, int fd, bool *nonblock)
{
	struct pidfd *f = pidfd_of(m, fd);

	if (!f)
		return fd < 0 ? -EINVAL : -EBADF;
	*nonblock = f->flags & O_NONBLOCK;
	return f->proc ? (long)f->proc->pid : -ECHILD;
}

long pm_fcntl(struct tern_msg *m)
{
	struct pidfd *f = pidfd_of_badge(m->badge);

	if (!f)
		return proc_fcntl(m);
	switch ((int32_t)m->args[1]) {
	case F_GETFL:
		return (long)f->flags;
	case F_SETFL:
		f->flags = O_RDWR | ((uint32_t)m->args[2] & O_NONBLOCK);
		return 0;
	}
	return server_fcntl(m);
}

void pidfds_ended(struct proc *p)
{
	LINK_EACH(l, &p->pidfds)
		tern_ready_set(LINK_OF(l, struct pidfd, link)->ready, ENDED, 0);
}

void pidfds_drop(struct proc *p)
{
	LINK_EACH_SAFE (l, &p->pidfds) {
		struct pidfd *f = LINK_OF(l, struct pidfd, link);

		f->proc = NULL;
		link_remove(&f->link);
		tern_ready_set(f->ready, ENDED | POLLHUP, 0);
	}
}

void pm_closed(uint64_t badge, uint64_t sid)
{
	struct pidfd *f = pidfd_of_badge(badge);

	if (f)
		pidfd_free(f);
	else
		proc_closed(badge, sid);
}
