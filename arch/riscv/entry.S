/*
 * The trap vector and the way back to user mode.
 *
 * sscratch holds the running thread's address while it is in user mode and 0 in the kernel, so a
 * trap taken in the kernel (a bug) is seen at once.  A thread's registers are the first thing in
 * struct thread, x[n] at 8 * n, the pc in place of x0.
 *
 * On entry we save only what C may clobber: ra, sp, tp, t0-t6, a0-a7.  C code preserves s0-s11, and
 * the kernel does not use gp; so if the same thread goes on, those never go to memory.  If another
 * one runs next, `switch_thread` saves them.  Two kinds of calls go through ipc/fastpath.c, which
 * clobbers s1-s11.  A call that may hand the hart to another thread at once (a call to a server, a
 * signal to a notification) saves the s registers first, so that all are in memory at the switch.
 * A call that receives never saves them, as its contract lets every register but sp, gp, tp go.
 *
 * `on_hart` keeps another hart from loading a thread whose registers are still being saved here.
 * We clear it with release order after the last store, and only then wait for the next thread's own
 * on_hart.  So two harts that exchange threads cannot wait for each other.
 */
#include <tern/registers.h>

#include "asm-offsets.h"

#define X(n) ((n) * 8)
#define CAUSE_ECALL_U 8
#define NR_METHOD_SHIFT 8
#define FS_ALL 0x6000 /* the bits of sstatus.FS */
#define REPORT_ROOM 4096 /* bytes of stack that reporting a trap in the kernel takes */

/* Sets of registers that go to or from memory together, by the registers' numbers. */
#define T0_T2 5,6,7
#define T3_T6 28,29,30,31
#define A1_A5 11,12,13,14,15
#define A0_A7 10,A1_A5,16,17
/* The registers of a message that most messages leave 0. */
#define MSG_RARELY MSG_REF0,MSG_REF1,MSG_ROOT,MSG_WORD1
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
	/* The vector while events are traced: notes the trap, restores all registers and goes
	 * on. */
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
	save	sp, 4,T0_T2
	csrrw	t2, sscratch, zero
	csrr	t0, scause
	csrr	t1, sepc
	sd	t2, X(2)(sp)
	ld	tp, T_HART(sp)
	li	t2, CAUSE_ECALL_U
	bne	t0, t2, no_call
	addi	t1, t1, 4
	sd	t1, X(0)(sp)
	li	t0, L_COUNT
	bgeu	a7, t0, big_number
	save	sp, 1,A0_A7,T3_T6
	mv	a0, sp
	ld	sp, H_KERNEL_SP(tp)
	la	a1, syscalls
	slli	t2, a7, L_SIZE_SHIFT
	add	a1, a1, t2
	ld	t2, L_FN(a1)
	beqz	t2, others
	/* The kernel answers this call itself: t2(thread, address of its saved a0…a5). */
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

	/* A server answers this call: entry_route_call (ipc/fastpath.c) goes on at `deliver` if the
	 * server waits.  The s registers are saved first, so that a switch need not. */
others:
	lbu	a3, L_ROUTE(a1)
	beqz	a3, nobody
	save	a0, S0_S11
	sd	gp, X(3)(a0)
	mv	a2, a7
	call	entry_route_call
	j	routed
big_number:
	li	t0, NR_REPLY_RECV
	srli	t1, a7, NR_METHOD_SHIFT
	beq	a7, t0, reply_recv
	save	sp, 1,A0_A7,T3_T6
	li	t0, NR_METHOD >> NR_METHOD_SHIFT
	mv	a0, sp
	ld	sp, H_KERNEL_SP(tp)
	bne	t0, t1, not_method
	save	a0, S0_S11
	sd	gp, X(3)(a0)
	mv	a1, a7
	call	entry_method_call
	/* a0: the thread that runs next.  All registers that the current one keeps are in
	 * memory. */
routed:
	ld	t0, H_CURRENT(tp)
	andi	a0, a0, -2
	beq	a0, t0, resume
	j	leave
not_method:
	li	t0, NR_NOTE_SIGNAL
	beq	a7, t0, note_signal
	sd	gp, X(3)(a0)
	li	t0, NR_SUPPLY_RECV
	beq	a7, t0, supply_recv
	li	t0, NR_RECV
	bne	a7, t0, nobody
	call	entry_recv
	j	routed
supply_recv:
	call	entry_supply_recv
	j	routed
note_signal:
	save	a0, S0_S11
	sd	gp, X(3)(a0)
	call	entry_note_signal
	j	routed
	/* The words of a plain reply stay in registers; those of a reply with extras go to
	 * memory. */
reply_recv:
	sd	gp, X(3)(sp)
	bnez	REG(REPLY_FLAGS), 1f
	mv	a2, sp
	ld	sp, H_KERNEL_SP(tp)
	call	entry_reply_recv
	j	routed
1:	save	sp, REPLY_TOKEN,A1_A5,REPLY_MEMOBJ,REPLY_BITS2
	mv	a0, sp
	ld	sp, H_KERNEL_SP(tp)
	call	entry_reply_extras
	j	routed
nobody:
	call	trap_syscall
	j	2f
no_call:
	save	sp, 1,A0_A7,T3_T6
	sd	t1, X(0)(sp)
	mv	a0, sp
	mv	a1, t0
	csrr	a2, stval
	ld	sp, H_KERNEL_SP(tp)
	call	trap_other
2:
	/* a0: the thread that runs next */
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

	/* t0: the thread that ran; a0: the one that runs next.  If bit 0 of a0 is set it is t0
	 * again, but all its registers come from memory (after exec, or a return from a signal
	 * handler). */
switch_thread:
	andi	t1, a0, 1
	sd	gp, X(3)(t0)
	bnez	t1, reload
	save	t0, S0_S11
	/* Switches from t0, whose registers are all in memory, to a0.  trap_leave() comes here,
	 * too. */
	.global leave
leave:
	sd	a0, H_CURRENT(tp)
	fence	rw, w
	sw	zero, T_ON_HART(t0)
2:	lw	t1, T_ON_HART(a0)
	bnez	t1, 2b
	fence	r, rw
	li	t1, 1
	sw	t1, T_ON_HART(a0)
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

	/* trap_deliver() comes here: t3, a server that waits in recv, gets the call of t2, whose
	 * registers are in memory.  We load the call's six words from there into the machine's
	 * registers, where badge, token, op and word 0 are already.  Registers that the message
	 * does not use are cleared; of its own the server keeps only sp, gp, tp. */
	.global deliver
deliver:
	ld	REG(MSG_WHO), T_WHO(t2)
	lwu	REG(MSG_TID), T_TID(t2)
	load	t2, MSG_ARGS,A1_A5
2:	sd	t3, H_CURRENT(tp)
	fence	rw, w
	sw	zero, T_ON_HART(t2)
1:	lw	t4, T_ON_HART(t3)
	bnez	t4, 1b
	fence	r, rw
	li	t4, 1
	sw	t4, T_ON_HART(t3)
	lw	t4, T_WORK(t3)
	li	REG(MSG_HANDLE), -1
	bnez	t4, deliver_memory
	ld	t4, X(0)(t3)
	ld	sp, X(2)(t3)
	ld	gp, X(3)(t3)
	ld	tp, X(4)(t3)
	csrw	sepc, t4
	csrw	sscratch, t3
	.irp	n, 1,8,9,20,21,22,23,24,25,26,27,MSG_RARELY
	li	x\n, 0
	.endr
	sret
	/* trap_deliver_event() comes here: the same with an event, whose one word is in a0
	 * already. */
	.global deliver_event
deliver_event:
	.irp	n, A1_A5,MSG_TOKEN,MSG_WHO,MSG_TID,MSG_WORD0
	li	x\n, 0
	.endr
	j	2b
	/* The server has work to do before user mode: the message goes to its registers in
	 * memory. */
deliver_memory:
	save	t3, MSG_ARGS,A1_A5,MSG_TOKEN,MSG_OP,MSG_BADGE,MSG_WHO,MSG_HANDLE,MSG_TID,MSG_WORD0
	.irp	n, MSG_RARELY
	sd	zero, X(\n)(t3)
	.endr
	mv	a0, t3
	j	work_saved

reload:
	mv	a0, t0
	j	resume

	/* The current thread has work to do before user mode; its s registers are not in memory
	 * yet. */
work_same:
	sd	gp, X(3)(a0)
	save	a0, S0_S11
	/* The current thread has work to do; all its registers are in memory. */
work_saved:
	call	thread_exit_work
	ld	t0, H_CURRENT(tp)
	bne	a0, t0, leave
	j	resume

	/* sscratch was 0, so the trap came from the kernel itself, whose sp is in sscratch now. */
from_kernel:
	csrr	a0, scause
	csrr	a1, stval
	csrr	a2, sepc
	csrr	a3, sscratch
	csrw	sscratch, zero
	mv	a4, ra
	/* The report goes on below the kernel's sp.  If too little stack is left there (an
	 * overflow), it begins at the top again, and overwrites the stack's oldest frames. */
	ld	t0, H_KERNEL_SP(tp)
	mv	sp, a3
	sub	t1, t0, a3
	li	t2, STACK_SIZE - REPORT_ROOM
	bleu	t1, t2, 1f
	beqz	t0, 1f
	mv	sp, t0
1:	call	trap_from_kernel

	/* enter_first(idle): makes the idle thread this hart's first, and "resumes" it. */
	.global enter_first
enter_first:
	sd	a0, H_CURRENT(tp)
	li	t1, 1
	sw	t1, T_ON_HART(a0)
	sd	tp, T_HART(a0)
	ld	sp, H_KERNEL_SP(tp)
	j	resume

	/* fpu_save(u64 fpu[33]) and fpu_load(const u64 fpu[33]); the caller has turned the unit
	 * on. */
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
	/* The long part of fpu_switch() (arch/fpu.h): t1 is the thread, t0 the return address.
	 * Only t1 and t2 are changed.  FS is 2 (Clean) or 3 (Dirty). */
	.global fpu_leave
fpu_leave:
	csrr	t2, sstatus
	slli	t2, t2, 50
	bgez	t2, 1f
	addi	sp, sp, -32
	sd	t0, 0(sp)
	sd	a0, 8(sp)
	sd	ra, 16(sp)
	addi	a0, t1, T_FPU
	call	fpu_save
	ld	t0, 0(sp)
	ld	a0, 8(sp)
	ld	ra, 16(sp)
	addi	sp, sp, 32
1:	li	t2, FS_ALL
	csrc	sstatus, t2
	jr	t0
	.global fpu_load
fpu_load:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld	f\n, (\n * 8)(a0)
	.endr
	ld	t0, 256(a0)
	fscsr	t0
	ret
	.option pop
