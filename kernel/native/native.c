/*
 * The table of Tern's own operations, and the door to them.  What may go on with another thread at
 * once (recv, reply_recv, note_signal) is not in it: entry.S goes to ipc/fastpath.c.
 */
#include <arch/trap.h>
#include <ipc/call.h>
#include <ipc/note.h>
#include <ipc/session.h>
#include <kernel/native.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <tern/linux/errno.h>

struct native {
	enum { DOOR_FREE, DOOR_LOCKED, DOOR_HELD, DOOR_PINNED, DOOR_PROCESS, DOOR_OWN } door;
	u32 authority;
	union {
		sys_fn FREE, LOCKED;
		s64 (*HELD)(struct thread *t, struct call *c, u64 *a);
		s64 (*PINNED)(struct thread *t, struct call *c, u64 *a);
		s64 (*PROCESS)(struct process *p, u64 *a);
		int OWN;
	};
};

/* They have no function in the table. */
enum { native_recv, native_reply_recv, native_note_signal };

static const struct native natives[TERN_OP_END - TERN_OP_FIRST] = {
#define AUTH_ANYONE 0
#define AUTH_SERVE TERN_AUTH_SERVE
#define AUTH_SERVER TERN_AUTH_SERVER
#define AUTH_INFO TERN_AUTH_INFO
#define AUTH_SYSTEM TERN_AUTH_SYSTEM
#define NATIVE(op, name, who, way) \
	[TERN_##op - TERN_OP_FIRST] = { DOOR_##way, AUTH_##who, .way = native_##name },
#include "native.def"
#undef NATIVE
};

static s64 with_process(const struct native *n, struct thread *t, u64 *a)
{
	struct process *p = handle_object(t->process->handles, (u32)a[0], HANDLE_PROCESS, 0);

	return p ? n->PROCESS(p, a) : -EBADF;
}

static s64 with_call(const struct native *n, struct thread *t, u64 *a)
{
	struct call *c = call_find(t, a[0]);
	s64 r;

	if (unlikely(!c))
		return -ESRCH;
	if (n->door == DOOR_HELD)
		return n->HELD(t, c, a);
	call_pin(c);
	kernel_unlock();
	r = n->PINNED(t, c, a);
	kernel_lock();
	call_unpin(c);
	return r;
}

static s64 enter(const struct native *n, struct thread *t, u64 *a)
{
	s64 r;

	if (unlikely(n->authority & ~t->process->authority))
		return -EPERM;
	/* Receiving without a bound endpoint: who has one took the operation's own path. */
	if (unlikely(n->door == DOOR_OWN))
		return -EINVAL;
	if (n->door == DOOR_FREE)
		return likely(n->FREE) ? n->FREE(t, a) : -ENOSYS;
	kernel_lock();
	if (n->door == DOOR_LOCKED)
		r = n->LOCKED(t, a);
	else if (n->door == DOOR_PROCESS)
		r = with_process(n, t, a);
	else
		r = with_call(n, t, a);
	kernel_unlock();
	return r;
}

struct thread *native_call(struct thread *t, u32 op)
{
	u64 *a = &t->regs.x[REG_A0];

	return trap_result(t, enter(&natives[op - TERN_OP_FIRST], t, a));
}
