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
#include <mm/aspace.h>
#include <mm/memobj.h>
#include <tern/linux/errno.h>

struct native {
	enum {
		DOOR_FREE, DOOR_LOCKED, DOOR_HELD, DOOR_PINNED, DOOR_OWN,
		DOOR_PROCESS, DOOR_ENDPOINT, DOOR_IRQ, DOOR_MEMOBJ, DOOR_SPACE,
	} door;
	u32 authority;
	unsigned right;
	union {
		sys_fn FREE, LOCKED;
		s64 (*HELD)(struct thread *t, struct call *c, u64 *a);
		s64 (*PINNED)(struct thread *t, struct call *c, u64 *a);
		s64 (*PROCESS)(struct process *p, u64 *a);
		s64 (*ENDPOINT)(struct thread *t, struct endpoint *ep, u64 *a);
		s64 (*IRQ)(struct thread *t, struct irq *i, u64 *a);
		s64 (*MEMOBJ)(struct thread *t, struct memobj *m, u64 *a);
		s64 (*SPACE)(struct thread *t, struct aspace *as, u64 *a);
		int OWN;
	};
};

/* The operations that entry.S takes to ipc/fastpath.c by itself have no function in the table. */
enum { native_recv, native_reply_recv, native_note_signal, native_supply_recv };

static const struct native natives[TERN_OP_END - TERN_OP_FIRST] = {
#define AUTH_ANYONE 0
#define AUTH_BOUND 0
#define AUTH_SERVE TERN_AUTH_SERVE
#define AUTH_SERVER TERN_AUTH_SERVER
#define AUTH_INFO TERN_AUTH_INFO
#define AUTH_SYSTEM TERN_AUTH_SYSTEM
#define RIGHT_NONE 0
#define RIGHT_ANY 0
#define RIGHT_READ TERN_R_READ
#define RIGHT_WRITE TERN_R_WRITE
#define RIGHT_MANAGE TERN_R_MANAGE
#define NATIVE(op, name, who, way, right) \
	[TERN_##op - TERN_OP_FIRST] = { DOOR_##way, AUTH_##who, RIGHT_##right, .way = native_##name },
#include "native.def"
#undef NATIVE
};

/* Runs an operation on a memory object without the kernel lock, which is held before and after. */
static s64 with_memobj(const struct native *n, struct thread *t, struct memobj *m, u64 *a)
{
	s64 r;

	memobj_get(m);
	kernel_unlock();
	r = n->MEMOBJ(t, m, a);
	memobj_put(m);
	kernel_lock();
	return r;
}

/* Runs an operation on the space of p without the kernel lock, which is held before and after. */
static s64 with_space(const struct native *n, struct thread *t, const struct process *p, u64 *a)
{
	struct aspace *as = p->aspace;
	s64 r;

	if (!as || p->state != PROCESS_ALIVE)
		return -ESRCH;
	aspace_get(as);
	kernel_unlock();
	r = n->SPACE(t, as, a);
	aspace_put(as);
	kernel_lock();
	return r;
}

static s64 with_object(const struct native *n, struct thread *t, u64 *a)
{
	static const enum handle_type types[] = {
		[DOOR_PROCESS] = HANDLE_PROCESS, [DOOR_SPACE] = HANDLE_PROCESS,
		[DOOR_ENDPOINT] = HANDLE_ENDPOINT, [DOOR_IRQ] = HANDLE_IRQ,
		[DOOR_MEMOBJ] = HANDLE_MEMOBJ,
	};
	void *o = handle_object(t->process->handles, (u32)a[0], types[n->door], n->right);

	if (!o)
		return -EBADF;
	switch (n->door) {
	case DOOR_PROCESS:
		return n->PROCESS(o, a);
	case DOOR_ENDPOINT:
		return n->ENDPOINT(t, o, a);
	case DOOR_IRQ:
		return n->IRQ(t, o, a);
	case DOOR_MEMOBJ:
		return with_memobj(n, t, o, a);
	default:
		return with_space(n, t, o, a);
	}
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

static s64 native_enter(const struct native *n, struct thread *t, u64 *a)
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
	else if (n->door > DOOR_OWN)
		r = with_object(n, t, a);
	else
		r = with_call(n, t, a);
	kernel_unlock();
	return r;
}

struct thread *native_call(struct thread *t, u32 op)
{
	u64 *a = &t->regs.x[REG_A0];

	return trap_result(t, native_enter(&natives[op - TERN_OP_FIRST], t, a));
}
