/*
 * Descriptors: close, dup and what fcntl and ioctl do to them.
 *
 * All of it works on the process's handle table under the kernel lock.  What concerns the object
 * behind a descriptor is passed on to its server: record locks, leases and seals to the meta
 * session, the rest to the session itself.
 */
#include <asm-generic/ioctls.h>
#include <kernel/linux/poll.h>
#include <ipc/session.h>
#include <kernel/handle.h>
#include <kernel/linux/sys.h>
#include <linux/close_range.h>
#include <mm/slab.h>
#include <tern/linux/fcntl.h>

#define CLOSE_BATCH 16

s64 sys_close(struct thread *t, u64 *a)
{
	s64 r;

	kernel_lock();
	r = handle_close(t->process->handles, (u32)a[0]);
	kernel_unlock();
	return r;
}

s64 sys_dup(struct thread *t, u64 *a)
{
	s64 r;

	kernel_lock();
	r = handle_dup(t->process->handles, (u32)a[0], 0, process_fd_limit(t->process), false);
	kernel_unlock();
	return r;
}

s64 sys_dup3(struct thread *t, u64 *a)
{
	s64 r;

	if ((u32)a[2] & ~(u32)O_CLOEXEC || (u32)a[0] == (u32)a[1])
		return -EINVAL;
	kernel_lock();
	r = handle_dup_to(t->process->handles, (u32)a[0], (u32)a[1], process_fd_limit(t->process),
			  a[2] & O_CLOEXEC);
	kernel_unlock();
	return r;
}

/* The flags of an object of the kernel's own; all else is as for other anonymous descriptors. */
static s64 fcntl_own(const struct handle *h, unsigned cmd, u64 arg)
{
	struct ready *r = object_ready(h->type, h->object);

	if (!r || (cmd != F_GETFL && cmd != F_SETFL))
		return SYS_PASS;
	if (cmd == F_GETFL)
		return O_RDWR | (r->nonblock ? O_NONBLOCK : 0);
	r->nonblock = arg & O_NONBLOCK;
	return 0;
}

/* Kernel lock held; SYS_PASS… if it is not the kernel's. */
static s64 fcntl_locked(struct thread *t, u32 fd, unsigned cmd, u64 arg)
{
	struct handle_table *table = t->process->handles;
	struct handle *h = handle_find(table, fd), *other;
	struct session *s;

	if (!h)
		return -EBADF;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg >= process_fd_limit(t->process))
			return -EINVAL;
		return handle_dup(table, fd, (u32)arg, process_fd_limit(t->process),
				  cmd == F_DUPFD_CLOEXEC);
	case F_DUPFD_QUERY:
		other = handle_find(table, (u32)arg);
		return other ? other->object == h->object : -EBADF;
	case F_GETFD:
		return h->cloexec ? FD_CLOEXEC : 0;
	case F_SETFD:
		h->cloexec = arg & FD_CLOEXEC;
		return 0;
	}
	if (h->type != HANDLE_SESSION)
		return fcntl_own(h, cmd, arg);
	if ((h->rights & TERN_R_PATH) && cmd != F_GETFL)
		return -EBADF;
	switch (cmd) {
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
	case F_SETLEASE:
	case F_GETLEASE:
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return SYS_PASS_META;
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		s = h->object;
		return s->kind == TERN_KIND_PIPE || s->kind == TERN_KIND_FIFO ? SYS_PASS : -EBADF;
	}
	return SYS_PASS;
}

s64 sys_fcntl(struct thread *t, u64 *a)
{
	s64 r;

	kernel_lock();
	r = fcntl_locked(t, (u32)a[0], (u32)a[1], a[2]);
	kernel_unlock();
	return r;
}

s64 sys_ioctl(struct thread *t, u64 *a)
{
	bool fault = false;
	struct handle *h;
	struct ready *own;
	u32 on = 0;
	s64 r = 0;

	if ((u32)a[1] == FIONBIO)
		fault = get_user(t, &on, a[2], sizeof on) != 0;
	kernel_lock();
	h = handle_find(t->process->handles, (u32)a[0]);
	own = h ? object_ready(h->type, h->object) : NULL;
	if (!h || (h->rights & TERN_R_PATH))
		r = -EBADF;
	else if ((u32)a[1] == FIOCLEX || (u32)a[1] == FIONCLEX)
		h->cloexec = (u32)a[1] == FIOCLEX;
	else if (h->type == HANDLE_SESSION || !own)
		r = SYS_PASS;
	else if ((u32)a[1] != FIONBIO)
		r = h->type == HANDLE_WAITSET ? -EINVAL : SYS_PASS;
	else if (fault)
		r = -EFAULT;
	else
		own->nonblock = on;
	kernel_unlock();
	return r;
}

/* Closes or marks up to CLOSE_BATCH descriptors of [*fd, last]; true when none is left. */
static bool range_step(struct handle_table *table, u32 *fd, u32 last, bool cloexec)
{
	for (unsigned n = 0; n < CLOSE_BATCH; n++) {
		*fd = handle_next(table, *fd);
		if (*fd > last || *fd == NO_HANDLE)
			return true;
		if (cloexec)
			handle_find(table, *fd)->cloexec = true;
		else
			(void)handle_close(table, *fd);
		++*fd;
	}
	return false;
}

s64 sys_close_range(struct thread *t, u64 *a)
{
	u32 first = (u32)a[0], last = (u32)a[1], flags = (u32)a[2];
	bool done = false;
	int r = 0;

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		kernel_lock();
		r = process_unshare_handles(t->process);
		kernel_unlock();
	}
	while (!r && !done) {
		kernel_lock();
		done = range_step(t->process->handles, &first, last, flags & CLOSE_RANGE_CLOEXEC);
		kernel_unlock();
	}
	return r;
}
