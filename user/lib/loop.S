/* server_loop: the loop that every server of the boot archive spends its life in.  It receives a
 * message, calls its handler, and replies and receives the next message in one kernel entry.
 *
 * recv and reply_recv clobber every register but sp, gp and tp, so the loop keeps nothing in a
 * register over the ecall; as it never returns, it saves none of its caller's registers either.
 * While a handler runs, s1 points at the frame (struct server_frame of server.c: the message, then
 * the extras of the reply), since the calling convention has handlers preserve it.
 *
 * A call with a number below 512 goes straight to its function in the table.  All else goes through
 * server_other(), which returns SERVER_NO_REPLY for events.  A call that carries the flag
 * TERN_MSG_CLOSED goes there too: it tells of a closed session besides, whose badge comes in s4.
 */
#include <tern/registers.h>

#define TERN_RECV 1025
#define TERN_REPLY_RECV 1027
#define F_TOKEN 48
#define F_OP 56
#define F_EXTRA 136

/* The registers of the message's words and of the reply's extras, in the order in which they lie in
 * the frame. */
#define MSG_ALL MSG_ARGS,11,12,13,14,15,MSG_TOKEN,MSG_OP,MSG_BADGE,MSG_WHO,MSG_REF0,MSG_REF1,MSG_ROOT, \
	MSG_WORD0,MSG_WORD1,MSG_HANDLE,MSG_TID
#define REPLY_EXTRAS REPLY_FROM,REPLY_LENGTH,REPLY_WIN,REPLY_MEMOBJ,REPLY_RID1,REPLY_BITS1,REPLY_RID2, \
	REPLY_BITS2

	.text
	.globl	server_loop
	.type	server_loop, @function
	.balign	16
server_loop:
	la	s1, server_frame
.Lnothing:				/* no reply is made: the handler's extras are dropped */
	sd	zero, F_EXTRA(s1)
	li	a7, TERN_RECV
	ecall
.Lreceived:
	la	s1, server_frame
	.set	at, 0
	.irp	n, MSG_ALL
	sd	x\n, at(s1)
	.set	at, at + 8
	.endr
	lwu	t0, F_OP(s1)
	li	t1, 512
	ld	t2, server_calls
	mv	a0, s1
	bgeu	t0, t1, .Lother
	slli	t0, t0, 3
	add	t2, t2, t0
	ld	t2, 0(t2)
	beqz	t2, .Ldefault
	jalr	t2
.Lhandled:
	bltz	a0, .Lnegative
.Lanswer:
	ld	REG(REPLY_FLAGS), F_EXTRA(s1)
	mv	REG(REPLY_RESULT), a0
	ld	REG(REPLY_TOKEN), F_TOKEN(s1)
	bnez	REG(REPLY_FLAGS), .Lextras
	li	a7, TERN_REPLY_RECV
	ecall
	j	.Lreceived
.Lextras:
	sd	zero, F_EXTRA(s1)
	.set	at, F_EXTRA + 8
	.irp	n, REPLY_EXTRAS
	ld	x\n, at(s1)
	.set	at, at + 8
	.endr
	li	a7, TERN_REPLY_RECV
	ecall
	j	.Lreceived
.Lnegative:
	li	t0, -1
	slli	t0, t0, 63
	beq	a0, t0, .Lnothing
	j	.Lanswer
.Ldefault:
	call	server_default
	j	.Lhandled
.Lother:
	mv	a1, s4
	call	server_other
	j	.Lhandled
	.size	server_loop, . - server_loop
