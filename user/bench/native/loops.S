/* The loops that are measured, and the server that they talk to.
 *
 * Receiving clobbers every register but sp, gp and tp, so these keep what the calling convention
 * wants kept on the stack; a call keeps all but a0, so its loop needs nothing but a counter.
 */
#include <tern/registers.h>

#define TERN_RECV	 1025
#define TERN_REPLY_RECV	 1027
#define TERN_SUPPLY_RECV 1064
#define TERN_MEMOBJ_SUPPLY 1077
#define TERN_METHOD	 0x1000
#define EVENTS		 0x10000
#define GETPID		 172

	.text

	.macro keep
	addi	sp, sp, -112
	sd	ra, 0(sp)
	sd	s0, 8(sp)
	sd	s1, 16(sp)
	sd	s2, 24(sp)
	sd	s3, 32(sp)
	sd	s4, 40(sp)
	sd	s5, 48(sp)
	sd	s6, 56(sp)
	sd	s7, 64(sp)
	sd	s8, 72(sp)
	sd	s9, 80(sp)
	sd	s10, 88(sp)
	sd	s11, 96(sp)
	.endm

	.macro leave
	ld	ra, 0(sp)
	ld	s0, 8(sp)
	ld	s1, 16(sp)
	ld	s2, 24(sp)
	ld	s3, 32(sp)
	ld	s4, 40(sp)
	ld	s5, 48(sp)
	ld	s6, 56(sp)
	ld	s7, 64(sp)
	ld	s8, 72(sp)
	ld	s9, 80(sp)
	ld	s10, 88(sp)
	ld	s11, 96(sp)
	addi	sp, sp, 112
	ret
	.endm

/* void loop_entry(long times): the cheapest call, so many times. */
	.globl	loop_entry
loop_entry:
	mv	a1, a0
	li	a7, GETPID
1:	ecall
	addi	a1, a1, -1
	bnez	a1, 1b
	ret

/* void loop_call(long times, long session): method 0 with six words. */
	.globl	loop_call
loop_call:
	mv	t0, a0
	mv	REG(CALL_SESSION), a1
	li	a0, 10
	li	a1, 11
	li	a2, 12
	li	a3, 13
	li	a4, 14
	li	a5, 15
	li	a7, TERN_METHOD
1:	ecall
	addi	t0, t0, -1
	bnez	t0, 1b
	ret

/* long serve(void): answers method 0 with its first word and any other with the sum of its six,
 * until an event comes (the client has gone); returns the event. */
	.globl	serve
serve:
	keep
	li	a7, TERN_RECV
1:	ecall
	sext.w	t0, REG(MSG_OP)
	li	t1, TERN_METHOD
	bne	t0, t1, 2f
	mv	REG(REPLY_RESULT), a0
	mv	REG(REPLY_TOKEN), REG(MSG_TOKEN)
	li	REG(REPLY_FLAGS), 0
	li	a7, TERN_REPLY_RECV
	j	1b
2:	li	t1, EVENTS
	bgeu	t0, t1, 3f
	add	a1, a1, a0
	add	a1, a1, a2
	add	a1, a1, a3
	add	a1, a1, a4
	add	REG(REPLY_RESULT), a1, a5
	mv	REG(REPLY_TOKEN), REG(MSG_TOKEN)
	li	REG(REPLY_FLAGS), 0
	li	a7, TERN_REPLY_RECV
	j	1b
3:	mv	a0, t0
	leave

/* long receive_time(void): waits for one message; the time as it came. */
	.globl	receive_time
receive_time:
	keep
	li	a7, TERN_RECV
	ecall
	rdtime	a0
	leave

/* void loop_pages(long times, long at): reads a word of so many pages on from *at, which moves on. */
	.globl	loop_pages
loop_pages:
	ld	t0, 0(a1)
	lui	t1, 1
1:	ld	t2, 0(t0)
	add	t0, t0, t1
	addi	a0, a0, -1
	bnez	a0, 1b
	sd	t0, 0(a1)
	ret

/* long bring_pages(int object, int source, long count): receives so many PAGE_INs and moves those pages;
 * what SUPPLY says of the last. */
	.globl	bring_pages
bring_pages:
	keep
	addi	sp, sp, -32
	sd	a0, 0(sp)
	sd	a1, 8(sp)
	sd	a2, 16(sp)
	li	a7, TERN_RECV
1:	ecall
	mv	a1, REG(MSG_ARGS)
	mv	a3, REG(MSG_ARGS)
	ld	a0, 0(sp)
	ld	a2, 8(sp)
	lui	a4, 1
	ld	t0, 16(sp)
	addi	t0, t0, -1
	sd	t0, 16(sp)
	li	a7, TERN_SUPPLY_RECV
	bnez	t0, 1b
	li	a7, TERN_MEMOBJ_SUPPLY
	ecall
	addi	sp, sp, 32
	leave
