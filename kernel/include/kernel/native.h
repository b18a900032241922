/* Tern's own operations (include/tern/abi.h): the doors to them. */
#pragma once

#include <kernel/process.h>

struct irq;
struct memobj;

struct thread *native_call(struct thread *t, u32 op);

/* kernel/native/native.def: Tern's own operations, in the order of enum tern_op:
 *
 *	NATIVE(TERN_<…>, native_<…>, who, door, right)
 *
 * docs/native.md has a row for each, and tools/native-doc checks the page against this table.
 *
 * who    a process with that TERN_AUTH_<…>, else EPERM; BOUND: a thread that has bound an endpoint, else
 *        EINVAL; or ANYONE
 * door   what is done before the function, which gets the thread and the arguments:
 *        FREE      nothing, no lock is held
 *        LOCKED    the kernel lock is held
 *        HELD      the first argument is a token: the function gets the call, with the kernel lock.  A
 *                  stale token is ESRCH
 *        PINNED    the same without the lock, the call pinned
 *        OWN       there is no function: kernel/native/native.c has a path of its own
 *        the others: the first argument is a handle, and the function gets its object.  EBADF where
 *        number, type or right are wrong
 *        ENDPOINT, IRQ, PROCESS  with the kernel lock; PROCESS without the thread
 *        MEMOBJ    without a lock, the object referenced
 *        SPACE     the space of a process: likewise; ESRCH if it is gone
 * right  what the handle must have, a TERN_R_<…>; ANY: nothing; NONE: the door looks no handle up
 */

/* The doors, by file: ipc/reply.c, ipc/native_ipc.c, kernel/native/native_memory.c, kernel/native/native_process.c,
 * kernel/native/native_system.c.  A result or SYS_*. */
#define NATIVE_OWN(name)
#define NATIVE_FREE(name) s64 native_##name(struct thread *t, u64 *a);
#define NATIVE_LOCKED(name) s64 native_##name(struct thread *t, u64 *a);
#define NATIVE_HELD(name) s64 native_##name(struct thread *t, struct call *c, u64 *a);
#define NATIVE_PINNED(name) s64 native_##name(struct thread *t, struct call *c, u64 *a);
#define NATIVE_PROCESS(name) s64 native_##name(struct process *p, u64 *a);
#define NATIVE_ENDPOINT(name) s64 native_##name(struct thread *t, struct endpoint *ep, u64 *a);
#define NATIVE_IRQ(name) s64 native_##name(struct thread *t, struct irq *i, u64 *a);
#define NATIVE_MEMOBJ(name) s64 native_##name(struct thread *t, struct memobj *m, u64 *a);
#define NATIVE_SPACE(name) s64 native_##name(struct thread *t, struct aspace *as, u64 *a);
#define NATIVE(op, name, who, door, right) NATIVE_##door(name)
#include "../../native/native.def"
#undef NATIVE

/* Copies descriptions of p's handles from number `first` on to t's memory: the count, EFAULT
 * (ipc/native_ipc.c). */
s64 handle_list(struct thread *t, struct process *p, u32 first, va_t to, u32 max);
/* The memobj behind a handle with those rights, referenced; NULL (kernel/native/native_memory.c). */
struct memobj *must_check memobj_of(struct thread *t, u64 h, unsigned rights);
/* The space behind a handle of a space or of a process, referenced.  EBADF; ESRCH: it is gone.  Kernel
 * lock held (kernel/native/native_memory.c). */
s64 must_check native_space(struct thread *t, u32 h, enum handle_type type, struct aspace **as);
/* The same without the lock; NULL, with *err. */
struct aspace *must_check aspace_of_handle(struct thread *t, u32 h, enum handle_type type, s64 *err);
