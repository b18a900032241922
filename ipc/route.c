/*
 * From a system call's line to the session that it goes to.
 *
 * The order of checks is the same for every line: handle and right (EBADF), kind (the line's
 * `else`), window ranges (EFAULT, EINVAL), descriptors reserved (EMFILE), delivery.
 */
#include <arch/trap.h>
#include <asm/unistd.h>
#include <ipc/call.h>
#include <ipc/session.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/syscall.h>
#include <tern/linux/errno.h>
#include <tern/linux/fcntl.h>

#include "call_priv.h"

static struct thread *route_fail(struct thread *t, s64 err)
{
	kernel_unlock();
	t->regs.x[REG_A0] = (u64)err;
	return t;
}

/* A bad descriptor, or one without the right.  Where there are no places, nobody asks for it. */
static struct thread *route_refuse(struct thread *t, const struct syscall_line *line, u32 op,
				   const struct handle *h)
{
	const struct session *s = h && h->type == HANDLE_SESSION ? h->object : NULL;

	if ((op == __NR_pread64 || op == __NR_pwrite64) && (s64)t->regs.x[REG_A0 + 3] < 0)
		return route_fail(t, -EINVAL);
	if (s && h->rights & TERN_R_IO && line->otherwise == ESPIPE &&
	    s->kind != TERN_KIND_FILE && s->kind != TERN_KIND_PROC)
		return route_fail(t, -ESPIPE);
	return route_fail(t, -EBADF);
}

/* Sends t's call to the session s, and returns the thread that runs next.  The caller holds the
 * kernel lock, which is dropped here. */
static struct thread *route_to(struct thread *t, const struct syscall_line *line, u32 op,
			       struct session *s)
{
	s64 err;

	if (line->nwin) {
		err = windows_check(line, &t->regs.x[REG_A0]);
		if (unlikely(err))
			return route_fail(t, err);
	}
	if (unlikely(s->endpoint->dead))
		return route_fail(t, -EIO);
	if (line->fd_mode) {
		err = call_reserve(&t->call, t, line);
		if (unlikely(err))
			return route_fail(t, err);
	}
	call_begin(t, line, op, s);
	return call_send_slowly(t, s);
}

/* A descriptor that names an object of the kernel's own.  What such ones have in common with other
 * anonymous descriptors is the pipe server's to answer.  Kernel lock held and dropped. */
static struct thread *route_own_object(struct thread *t, const struct syscall_line *line, u32 op,
				       struct handle *h)
{
	struct session *any = t->process->names->service[TERN_SVC_PIPE];

	if (op == __NR_read && h->type == HANDLE_SIGNALFD)
		return trap_result(t, signalfd_read(t, h->object));
	if (!any || op >= NR_SYSCALLS)
		return route_fail(t, -line->otherwise);
	return route_to(t, line, op, any);
}

/* The reference by which a message names the caller's root or working directory, whose session s
 * is. */
static inline u64 place_reference(const struct session *s)
{
	return likely(s) ? s->badge : TERN_REF_BAD;
}

static __attribute__((noinline)) u64 descriptor_reference(struct process *p, u32 fd)
{
	struct handle *h = handle_find(p->handles, fd);
	struct session *s;

	if (!h)
		return TERN_REF_BAD;
	if (h->type != HANDLE_SESSION)
		return TERN_REF_FOREIGN;
	s = h->object;
	return p->names->service[TERN_SVC_VFS] &&
			       s->endpoint == p->names->service[TERN_SVC_VFS]->endpoint ?
		       s->badge :
		       TERN_REF_FOREIGN;
}

static inline u64 route_reference(struct process *p, u64 fd)
{
	return (s32)fd == AT_FDCWD ? place_reference(p->names->cwd) : descriptor_reference(p, (u32)fd);
}

static inline void route_set_references(struct call *c, struct process *p,
					const struct syscall_line *line)
{
	c->ref[0] = route_reference(p, line->arg == ARG_CWD ? (u64)AT_FDCWD : c->args[line->arg]);
	c->ref[1] = line->arg2 == ARG_NONE ? 0 : route_reference(p, c->args[line->arg2]);
	c->root = place_reference(p->names->root);
}

void route_references(struct call *c, struct thread *who, const struct syscall_line *line)
{
	route_set_references(c, who->process, line);
}

/* The service of a V or S line, with the call's references made; NULL: there is none. */
static struct session *route_service(struct thread *t, const struct syscall_line *line, unsigned route)
{
	struct session *s = t->process->names->service[line->service];

	if (unlikely(!s))
		return NULL;
	if (route == ROUTE_V) {
		route_set_references(&t->call, t->process, line);
	} else {
		t->call.ref[0] = line->arg != ARG_NONE ?
					 route_reference(t->process, t->regs.x[CALL_ARGS + line->arg]) :
					 0;
		t->call.ref[1] = t->call.root = 0;
	}
	return s;
}

struct thread *route_call_locked(struct thread *t, const struct syscall_line *line, u32 op,
				 unsigned route)
{
	bool method = route == ROUTE_METHOD;
	struct session *s;
	struct handle *h;

	if (route == ROUTE_V || route == ROUTE_S) {
		s = route_service(t, line, route);
		if (unlikely(!s))
			return route_fail(t, line->otherwise ? -line->otherwise : -ENOSYS);
		return route_to(t, line, op, s);
	}
	h = handle_find(t->process->handles,
			(u32)t->regs.x[method ? CALL_SESSION : CALL_ARGS + line->arg]);
	if (unlikely(!h || (line->rights & ~h->rights)))
		return route_refuse(t, line, op, h);
	if (unlikely(h->type != HANDLE_SESSION))
		return route_own_object(t, line, op, h);
	s = h->object;
	return route_to(t, line, op, route == ROUTE_M && s->meta ? s->meta : s);
}

struct thread *route_call(struct thread *t, const struct syscall_line *line, u32 op, unsigned route)
{
	kernel_lock();
	return route_call_locked(t, line, op, route);
}
