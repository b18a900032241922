/*
 * The trap vector and the way back to user mode.
 *
 * sscratch holds the running thread's address while it is in user mode and 0 in the kernel, so a
 * trap taken in the kernel (a bug) is seen at once.  A thread's registers are the first thing in
 * struct thread, x[n] at 8 * n, the pc in place of x0.
 *
 * On entry only what C may clobber is saved: ra, sp, tp, t0-t6, a0-a7.  C code preserves s0-s11
 * and the kernel uses no gp, so if the same thread goes on, those never touch memory.  If another
 * one comes, they are saved at `switch_thread` - or not even then (no_save), for a server that waits
 * in recv, where the contract lets every register but sp, gp, tp go, and for a call to another
 * server, which has saved them before.
 *
 * `on_hart` keeps another hart from loading a thread whose registers are still being saved here.
 * It is cleared with release order after the last store, before this hart waits for the next
 * thread's own on_hart: two harts that exchange threads cannot wait for each other.
 */
#include <tern/registers.h>

#include "asm-offsets.h"

#define X(n) ((n) * 8)
#define CAUSE_ECALL_U 8
#define NR_METHOD_SHIFT 8
#define REPORT_ROOM 4096 /* of stack, for the report of a trap in the kernel */

/* Registers are named by their numbers where many go to or from memory. */
#define T0_T2 5,6,7
#define T3_T6 28,29,30,31
#define A1_A5 11,12,13,14,15
#define A0_A7 10,A1_A5,16,17
/* What only some messages carry. */
#define MSG_RARELY MSG_REF0,MSG_REF1,MSG_ROOT,MSG_WORD0,MSG_WORD1
#define S0_S11 8,9,18,19,20,21,22,23,24,25,26,27

	.macro	save t, regs:vararg
	.irp	n, \regs
	sd	x\n, X(\n)(\t)
	.endr
	.endm
	.macro	load t, regs:vararg
	.irp	n, \regs
	ld	x\n, X(\n)(\t)
	.endr
	.endm

	.text
	.option norelax
	/* The vector while events are traced: notes the trap and goes on, all registers as before. */
	.global trap_entry_traced
	.balign 64
trap_entry_traced:
	csrrw	sp, sscratch, sp
	beqz	sp, from_kernel
	save	sp, 1,4,T0_T2,8,A0_A7,T3_T6
	mv	s0, sp
	mv	a0, sp
	csrrw	t0, sscratch, zero
	sd	t0, X(2)(sp)
	csrr	a1, scause
	csrr	a2, stval
	ld	tp, T_HART(sp)
	ld	sp, H_KERNEL_SP(tp)
	call	trap_trace
	mv	sp, s0
	csrw	sscratch, sp
	load	sp, 1,4,T0_T2,8,A0_A7,T3_T6
	ld	sp, X(2)(sp)
	.global trap_entry
	.balign 64
trap_entry:
	csrrw	sp, sscratch, sp
	beqz	sp, from_kernel
	save	sp, 1,4,T0_T2
	csrrw	t2, sscratch, zero
	save	sp, A0_A7,T3_T6
	csrr	a1, scause
	csrr	t1, sepc
	sd	t2, X(2)(sp)
	ld	tp, T_HART(sp)
	li	t0, CAUSE_ECALL_U
	mv	a0, sp
	ld	sp, H_KERNEL_SP(tp)
	bne	a1, t0, 1f

	addi	t1, t1, 4
	sd	t1, X(0)(a0)
	li	t0, L_COUNT
	bgeu	a7, t0, big_number
	la	a1, syscalls
	slli	t2, a7, L_SIZE_SHIFT
	add	a1, a1, t2
	ld	t2, L_FN(a1)
	beqz	t2, others
	/* The kernel's own: t2(thread, its saved a0…a5). */
	addi	a1, a0, X(10)
	jalr	t2
	ld	t0, H_CURRENT(tp)
	li	t1, SYS_LAST_SPECIAL
	bge	t1, a0, special_result
	sd	a0, X(10)(t0)
	mv	a0, t0
	lw	t1, T_WORK(a0)
	bnez	t1, work_same
	j	same_thread
special_result:
	mv	a1, a0
	mv	a0, t0
	call	trap_result
	j	2f

	/* Another one's: see ipc/fastpath.c.  The s registers go to memory now, once. */
others:
	lbu	a3, L_ROUTE(a1)
	beqz	a3, nobody
	save	a0, S0_S11
	sd	gp, X(3)(a0)
	mv	a2, a7
	li	t0, 1
	sb	t0, T_NO_SAVE(a0)
	call	entry_route_call
routed:
	ld	t0, H_CURRENT(tp)
	bne	a0, t0, switch_thread
	sb	zero, T_NO_SAVE(a0)
	j	resume
big_number:
	li	t0, NR_REPLY_RECV
	srli	t1, a7, NR_METHOD_SHIFT
	beq	a7, t0, reply_recv
	li	t0, NR_METHOD >> NR_METHOD_SHIFT
	bne	t0, t1, nobody
	save	a0, S0_S11
	sd	gp, X(3)(a0)
	mv	a1, a7
	li	t0, 1
	sb	t0, T_NO_SAVE(a0)
	call	entry_method_call
	j	routed
nobody:
	call	trap_syscall
	j	2f
reply_recv:
	call	entry_reply_recv
	ld	t0, H_CURRENT(tp)
	j	switch_thread
1:
	sd	t1, X(0)(a0)
	csrr	a2, stval
	call	trap_other
2:
	/* a0: who runs next */
	ld	t0, H_CURRENT(tp)
	bne	a0, t0, switch_thread
	lw	t1, T_WORK(a0)
	bnez	t1, work_same

same_thread:
	ld	t1, X(0)(a0)
	ld	ra, X(1)(a0)
	ld	sp, X(2)(a0)
	ld	tp, X(4)(a0)
	csrw	sepc, t1
	csrw	sscratch, a0
	load	a0, T0_T2,A1_A5,16,17,T3_T6
	ld	a0, X(10)(a0)
	sret

	/* t0: the thread that ran, a0: the one to come; bit 0 set: the same thread, but all of its
	 * registers come from memory now (a message received, a signal frame left, exec); bit 1 set:
	 * a server that gets t0's call. */
switch_thread:
	andi	t1, a0, 3
	lbu	t2, T_NO_SAVE(t0)
	bnez	t1, special
	sd	gp, X(3)(t0)
	bnez	t2, 1f
	save	t0, S0_S11
1:
leave:	/* every register of t0 is in memory */
	sd	a0, H_CURRENT(tp)
	fence	rw, w
	sw	zero, T_ON_HART(t0)
2:	lw	t1, T_ON_HART(a0)
	bnez	t1, 2b
	fence	r, rw
	li	t1, 1
	sw	t1, T_ON_HART(a0)
	sb	zero, T_NO_SAVE(a0)
resume:
	lw	t1, T_WORK(a0)
	bnez	t1, work_saved
	ld	t1, X(0)(a0)
	ld	ra, X(1)(a0)
	ld	sp, X(2)(a0)
	ld	gp, X(3)(a0)
	ld	tp, X(4)(a0)
	csrw	sepc, t1
	csrw	sscratch, a0
	load	a0, T0_T2,S0_S11,A1_A5,16,17,T3_T6
	ld	a0, X(10)(a0)
	sret

	/* A plain call (call_send_inline): the message goes from the caller's registers in memory
	 * straight into the server's in the machine.  What it does not carry is cleared, the server's
	 * own but sp, gp, tp are not kept (it waits in recv). */
deliver:
	addi	t1, a0, -2
	bnez	t2, 1f
	sd	gp, X(3)(t0)
	save	t0, S0_S11
1:
	ld	s0, T_BADGE(t0)
	ld	REG(MSG_TOKEN), T_TOKEN(t0)
	lwu	REG(MSG_OP), T_OP(t0)
	ld	s1, T_WHO(t0)
	lwu	REG(MSG_TID), T_TID(t0)
	load	t0, MSG_ARGS,A1_A5
	sd	t1, H_CURRENT(tp)
	fence	rw, w
	sw	zero, T_ON_HART(t0)
1:	lw	t2, T_ON_HART(t1)
	bnez	t2, 1b
	fence	r, rw
	li	t2, 1
	sw	t2, T_ON_HART(t1)
	lw	t0, T_WORK(t1)
	sb	zero, T_NO_SAVE(t1)
	bnez	t0, deliver_memory
	ld	t2, X(0)(t1)
	ld	sp, X(2)(t1)
	ld	gp, X(3)(t1)
	ld	tp, X(4)(t1)
	csrw	sepc, t2
	csrw	sscratch, t1
	mv	REG(MSG_BADGE), s0
	mv	REG(MSG_WHO), s1
	li	REG(MSG_HANDLE), -1
	.irp	n, MSG_RARELY,1,8,9,20,21,22,23,24,25,26,27
	li	x\n, 0
	.endr
	sret
	/* The server has work to do first: its message waits in memory. */
deliver_memory:
	li	REG(MSG_HANDLE), -1
	save	t1, A0_A7,MSG_HANDLE,MSG_TID
	sd	s0, X(MSG_BADGE)(t1)
	sd	s1, X(MSG_WHO)(t1)
	.irp	n, MSG_RARELY
	sd	zero, X(\n)(t1)
	.endr
	mv	a0, t1
	j	work_saved

special:
	andi	t1, a0, 2
	bnez	t1, deliver
	addi	a0, a0, -1
	sd	gp, X(3)(a0)
	sb	zero, T_NO_SAVE(a0)
	j	resume

	/* The current thread has work to do before user mode; its s registers are still here. */
work_same:
	sd	gp, X(3)(a0)
	save	a0, S0_S11
	/* The current thread has work to do; all its registers are in memory. */
work_saved:
	call	thread_exit_work
	ld	t0, H_CURRENT(tp)
	bne	a0, t0, leave
	j	resume

	/* sp was 0 in sscratch: the trap came from the kernel itself.  sscratch has its sp. */
from_kernel:
	csrr	a0, scause
	csrr	a1, stval
	csrr	a2, sepc
	csrr	a3, sscratch
	csrw	sscratch, zero
	mv	a4, ra
	/* On where its stack ends; if that leaves too little (an overflow), from its top again: what
	 * is lost there is where it began. */
	ld	t0, H_KERNEL_SP(tp)
	mv	sp, a3
	sub	t1, t0, a3
	li	t2, STACK_SIZE - REPORT_ROOM
	bleu	t1, t2, 1f
	beqz	t0, 1f
	mv	sp, t0
1:	call	trap_from_kernel

	/* enter_first(idle): this hart's first step: its idle thread "resumes". */
	.global enter_first
enter_first:
	sd	a0, H_CURRENT(tp)
	li	t1, 1
	sw	t1, T_ON_HART(a0)
	sd	tp, T_HART(a0)
	ld	sp, H_KERNEL_SP(tp)
	j	resume

	/* fpu_save(u64 fpu[33]), fpu_load(const u64 fpu[33]): the unit is on. */
	.option push
	.option arch, +d
	.global fpu_save
fpu_save:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fsd	f\n, (\n * 8)(a0)
	.endr
	frcsr	t0
	sd	t0, 256(a0)
	ret
	.global fpu_load
fpu_load:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld	f\n, (\n * 8)(a0)
	.endr
	ld	t0, 256(a0)
	fscsr	t0
	ret
	.option pop
