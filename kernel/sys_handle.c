/*
 * Descriptors: close, dup and what fcntl and ioctl do to them.
 *
 * All of it works on the process's handle table under the kernel lock.  What concerns the object
 * behind a descriptor is passed on to its server: record locks, leases and seals to the meta
 * session, the rest to the session itself.  The kernel's own objects (epoll, signalfd) have no
 * server: their few commands are answered here.
 */
#include <ipc/session.h>
#include <kernel/handle.h>
#include <kernel/sys.h>
#include <mm/slab.h>
#include <tern/linux/fcntl.h>

#define FIONCLEX 0x5450
#define FIOCLEX 0x5451
#define FIONBIO 0x5421
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
#define CLOSE_BATCH 64

static u32 fd_limit(const struct thread *t)
{
	return (u32)MIN(process_limit(t->process, RLIMIT_NOFILE), 1ull << 20);
}

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
	r = handle_dup(t->process->handles, (u32)a[0], 0, fd_limit(t), false);
	kernel_unlock();
	return r;
}

s64 sys_dup3(struct thread *t, u64 *a)
{
	s64 r;

	if ((u32)a[2] & ~(u32)O_CLOEXEC || (u32)a[0] == (u32)a[1])
		return -EINVAL;
	kernel_lock();
	r = handle_dup_to(t->process->handles, (u32)a[0], (u32)a[1], fd_limit(t), a[2] & O_CLOEXEC);
	kernel_unlock();
	return r;
}

/* Commands on the kernel's own objects. */
static s64 fcntl_own(unsigned cmd)
{
	switch (cmd) {
	case F_GETFL:
		return O_RDWR;
	case F_SETFL:
	case F_SETOWN:
	case F_GETOWN:
		return 0;
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return -EBADF;
	}
	return -EINVAL;
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
		if (arg >= fd_limit(t))
			return -EINVAL;
		return handle_dup(table, fd, (u32)arg, fd_limit(t), cmd == F_DUPFD_CLOEXEC);
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
		return fcntl_own(cmd);
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
	struct handle *h;
	s64 r = 0;

	kernel_lock();
	h = handle_find(t->process->handles, (u32)a[0]);
	if (!h || (h->rights & TERN_R_PATH))
		r = -EBADF;
	else if ((u32)a[1] == FIOCLEX || (u32)a[1] == FIONCLEX)
		h->cloexec = (u32)a[1] == FIOCLEX;
	else if (h->type == HANDLE_SESSION)
		r = SYS_PASS;
	else if ((u32)a[1] != FIONBIO)
		r = -ENOTTY;
	kernel_unlock();
	return r;
}

/* Closes or marks up to CLOSE_BATCH descriptors of [*fd, last]; true when none is left. */
static bool range_step(struct handle_table *table, u64 *fd, u64 last, bool cloexec)
{
	unsigned n = 0;
	u64 end = (u64)table->nchunks * HANDLES_PER_CHUNK;

	for (; *fd <= last && *fd < end; (*fd)++) {
		struct handle_chunk *c = table->chunks[*fd / HANDLES_PER_CHUNK];
		struct handle *h;

		if (!c || !c->used) {
			*fd |= HANDLES_PER_CHUNK - 1;
			continue;
		}
		h = handle_find(table, (u32)*fd);
		if (!h)
			continue;
		if (cloexec)
			h->cloexec = true;
		else
			(void)handle_close(table, (u32)*fd);
		if (++n == CLOSE_BATCH) {
			(*fd)++;
			return false;
		}
	}
	return true;
}

s64 sys_close_range(struct thread *t, u64 *a)
{
	u64 first = (u32)a[0], last = (u32)a[1];
	unsigned flags = (u32)a[2];
	bool done;

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		struct process *p = t->process;
		struct handle_table *copy;

		kernel_lock();
		if (p->handles->refs > 1) {
			copy = handle_table_copy(p->handles);
			if (!copy) {
				kernel_unlock();
				return -ENOMEM;
			}
			handle_table_put(p->handles);
			p->handles = copy;
		}
		kernel_unlock();
	}
	do {
		kernel_lock();
		done = range_step(t->process->handles, &first, last, flags & CLOSE_RANGE_CLOEXEC);
		kernel_unlock();
	} while (!done);
	return 0;
}

/* ---- copying between descriptors: programs fall back to read and write ---- */

static s64 pair_check(struct thread *t, u64 in, u64 out)
{
	struct handle *hi, *ho;
	s64 r = 0;

	kernel_lock();
	hi = handle_find(t->process->handles, (u32)in);
	ho = handle_find(t->process->handles, (u32)out);
	if (!hi || !ho || !(hi->rights & TERN_R_READ) || !(ho->rights & TERN_R_WRITE) ||
	    (hi->rights | ho->rights) & TERN_R_PATH)
		r = -EBADF;
	kernel_unlock();
	return r;
}

s64 sys_sendfile(struct thread *t, u64 *a)
{
	s64 r = pair_check(t, a[1], a[0]);

	return r ? r : -EINVAL;
}

s64 sys_splice(struct thread *t, u64 *a)
{
	s64 r;

	if (a[5] & ~0xfull)
		return -EINVAL;
	if (!a[4])
		return 0;
	r = pair_check(t, a[0], a[2]);
	return r ? r : -EINVAL;
}

s64 sys_tee(struct thread *t, u64 *a)
{
	s64 r;

	if (a[3] & ~0xfull)
		return -EINVAL;
	if (!a[2])
		return 0;
	r = pair_check(t, a[0], a[1]);
	return r ? r : -EINVAL;
}

s64 sys_copy_file_range(struct thread *t, u64 *a)
{
	s64 r = pair_check(t, a[0], a[2]);

	if (r)
		return r;
	return a[5] ? -EINVAL : -EXDEV;
}
