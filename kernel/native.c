/*
 * The table of Tern's own operations.  What may go on with another thread at once (recv, reply_recv,
 * note_signal) has its own path.
 */
#include <arch/trap.h>
#include <ipc/call.h>
#include <ipc/note.h>
#include <ipc/session.h>
#include <kernel/native.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <tern/linux/errno.h>

typedef s64 (*native_fn)(struct thread *t, u64 *a);

static const native_fn table[TERN_OP_END - TERN_OP_FIRST] = {
	[TERN_BIND - TERN_OP_FIRST] = native_bind,
	[TERN_REPLY - TERN_OP_FIRST] = native_reply,
	[TERN_FORWARD - TERN_OP_FIRST] = native_forward,
	[TERN_FORWARD_FD - TERN_OP_FIRST] = native_forward_fd,
	[TERN_CALL_ASYNC - TERN_OP_FIRST] = native_call_async,
	[TERN_COPY - TERN_OP_FIRST] = native_copy,
	[TERN_COPY_MEMOBJ - TERN_OP_FIRST] = native_copy_memobj,
	[TERN_MOVE - TERN_OP_FIRST] = native_move,
	[TERN_COPY_STR - TERN_OP_FIRST] = native_copy_str,
	[TERN_COPY_STRV - TERN_OP_FIRST] = native_copy_strv,
	[TERN_GIVE_SESSION - TERN_OP_FIRST] = native_give_session,
	[TERN_GIVE - TERN_OP_FIRST] = native_give,
	[TERN_PARK - TERN_OP_FIRST] = native_park,
	[TERN_CALLER - TERN_OP_FIRST] = native_caller,
	[TERN_REPLY_MAP - TERN_OP_FIRST] = native_reply_map,
	[TERN_CALLER_HANDLES - TERN_OP_FIRST] = native_caller_handles,
	[TERN_EP_CREATE - TERN_OP_FIRST] = native_ep_create,
	[TERN_SESSION_CREATE - TERN_OP_FIRST] = native_session_create,
	[TERN_SESSION_HANDLE - TERN_OP_FIRST] = native_session_handle,
	[TERN_READY_CREATE - TERN_OP_FIRST] = native_ready_create,
	[TERN_READY_SET - TERN_OP_FIRST] = native_ready_set,
	[TERN_READY_DESTROY - TERN_OP_FIRST] = native_ready_destroy,
	[TERN_NOTE_CREATE - TERN_OP_FIRST] = native_note_create,
	[TERN_IRQ_CREATE - TERN_OP_FIRST] = native_irq_create,
	[TERN_IRQ_BIND - TERN_OP_FIRST] = native_irq_bind,
	[TERN_IRQ_ACK - TERN_OP_FIRST] = native_irq_ack,
	[TERN_TIMER - TERN_OP_FIRST] = native_timer,
	[TERN_WINDOW_LENGTH - TERN_OP_FIRST] = native_window_length,
	[TERN_MEMOBJ_CREATE - TERN_OP_FIRST] = native_memobj_create,
	[TERN_MEMOBJ_PHYS - TERN_OP_FIRST] = native_memobj_phys,
	[TERN_MEMOBJ_RESIZE - TERN_OP_FIRST] = native_memobj_resize,
	[TERN_MEMOBJ_READ - TERN_OP_FIRST] = native_memobj_read,
	[TERN_MEMOBJ_WRITE - TERN_OP_FIRST] = native_memobj_write,
	[TERN_MEMOBJ_SUPPLY - TERN_OP_FIRST] = native_memobj_supply,
	[TERN_MEMOBJ_PUNCH - TERN_OP_FIRST] = native_memobj_punch,
	[TERN_MEMOBJ_COUNT - TERN_OP_FIRST] = native_memobj_count,
	[TERN_ASPACE_CREATE - TERN_OP_FIRST] = native_aspace_create,
	[TERN_ASPACE_MAP - TERN_OP_FIRST] = native_aspace_map,
	[TERN_ASPACE_UNMAP - TERN_OP_FIRST] = native_aspace_unmap,
	[TERN_ASPACE_WRITE - TERN_OP_FIRST] = native_aspace_write,
	[TERN_ASPACE_READ - TERN_OP_FIRST] = native_aspace_read,
	[TERN_ASPACE_QUERY - TERN_OP_FIRST] = native_aspace_query,
	[TERN_ASPACE_WALK - TERN_OP_FIRST] = native_aspace_walk,
	[TERN_ASPACE_PAGEMAP - TERN_OP_FIRST] = native_aspace_pagemap,
	[TERN_PROCESS_CREATE - TERN_OP_FIRST] = native_process_create,
	[TERN_PROCESS_FORK - TERN_OP_FIRST] = native_process_fork,
	[TERN_PROCESS_EXEC - TERN_OP_FIRST] = native_process_exec,
	[TERN_PROCESS_KILL - TERN_OP_FIRST] = native_process_kill,
	[TERN_SIGNAL_SEND - TERN_OP_FIRST] = native_signal_send,
	[TERN_PROCESS_SET - TERN_OP_FIRST] = native_process_set,
	[TERN_PROCESS_STAT - TERN_OP_FIRST] = native_process_stat,
	[TERN_PROCESS_HANDLES - TERN_OP_FIRST] = native_process_handles,
	[TERN_CRED_SET - TERN_OP_FIRST] = native_cred_set,
	[TERN_THREAD_SCHED - TERN_OP_FIRST] = native_thread_sched,
	[TERN_THREADS - TERN_OP_FIRST] = native_threads,
	[TERN_SYSTEM_INFO - TERN_OP_FIRST] = native_system_info,
	[TERN_LOG - TERN_OP_FIRST] = native_log,
	[TERN_LOG_READ - TERN_OP_FIRST] = native_log_read,
	[TERN_POWER - TERN_OP_FIRST] = native_power,
};

struct thread *native_call(struct thread *t, u32 op)
{
	native_fn fn;
	s64 r;

	if (op == TERN_RECV) {
		if (!t->endpoint) {
			t->regs.x[REG_A0] = (u64)-EINVAL;
			return t;
		}
		kernel_lock();
		return endpoint_receive(t);
	}
	if (op == TERN_NOTE_SIGNAL)
		return note_signal_call(t);
	fn = table[op - TERN_OP_FIRST];
	r = fn ? fn(t, &t->regs.x[REG_A0]) : -ENOSYS;
	if (unlikely(r == SYS_BLOCKED))
		return sched_after_block();
	if (unlikely(r == SYS_SWITCH)) {
		kernel_lock();
		return sched_next();
	}
	t->regs.x[REG_A0] = (u64)r;
	return t;
}
