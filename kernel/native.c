/*
 * The table of Tern's own operations, and the door to them.  What may go on with another thread at
 * once (recv, reply_recv, note_signal) has its own path.
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
	enum { DOOR_FREE, DOOR_LOCKED, DOOR_HELD, DOOR_PINNED } door;
	union {
		sys_fn FREE, LOCKED;
		s64 (*HELD)(struct thread *t, struct call *c, u64 *a);
		s64 (*PINNED)(struct thread *t, struct call *c, u64 *a);
	};
};

static const struct native natives[TERN_OP_END - TERN_OP_FIRST] = {
#define NATIVE(op, name, way) [TERN_##op - TERN_OP_FIRST] = { .door = DOOR_##way, .way = native_##name },
#include "native.def"
#undef NATIVE
};

static s64 enter(const struct native *n, struct thread *t, u64 *a)
{
	struct call *c;
	s64 r;

	if (n->door == DOOR_FREE)
		return likely(n->FREE) ? n->FREE(t, a) : -ENOSYS;
	kernel_lock();
	if (n->door == DOOR_LOCKED) {
		r = n->LOCKED(t, a);
		kernel_unlock();
		return r;
	}
	c = call_find(t, a[0]);
	if (unlikely(!c)) {
		r = -ESRCH;
	} else if (n->door == DOOR_HELD) {
		r = n->HELD(t, c, a);
	} else {
		call_pin(c);
		kernel_unlock();
		r = n->PINNED(t, c, a);
		kernel_lock();
		call_unpin(c);
	}
	kernel_unlock();
	return r;
}

struct thread *native_call(struct thread *t, u32 op)
{
	u64 *a = &t->regs.x[REG_A0];
	s64 r;

	if (op == TERN_RECV && t->endpoint) {
		kernel_lock();
		return endpoint_receive(t);
	}
	if (op == TERN_NOTE_SIGNAL)
		return note_signal_call(t);
	r = op == TERN_RECV ? -EINVAL : enter(&natives[op - TERN_OP_FIRST], t, a);
	if (unlikely(r == SYS_BLOCKED))
		return sched_after_block();
	if (unlikely(r == SYS_SWITCH)) {
		kernel_lock();
		return sched_next();
	}
	*a = (u64)r;
	return t;
}
