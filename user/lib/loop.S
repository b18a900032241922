/* The steady state of a server: one reply and the next receive in one kernel entry.
 *
 * recv and reply_recv clobber every register but sp, gp and tp, so nothing is kept in a register
 * over the ecall; server_loop never returns, so it saves none of its caller's either.  Over a
 * handler the calling convention keeps s1 (the frame).  The frame is struct server_frame of
 * server.c: the message, then the extras of the reply.
 *
 * A call's number below 512 goes straight to its function; all else goes through server_other(),
 * which returns SERVER_NO_REPLY for events.
 */
#define TERN_RECV 1025
#define TERN_REPLY_RECV 1027
#define F_TOKEN 48
#define F_OP 56
#define F_EXTRA 136

	.text
	.globl	server_loop
	.type	server_loop, @function
	.balign	16
server_loop:
	la	s1, server_frame
.Lnothing:				/* no reply to make: extras set in vain are dropped */
	sd	zero, F_EXTRA(s1)
	li	a7, TERN_RECV
	ecall
.Lreceived:
	la	s1, server_frame
	sd	a0, 0(s1)
	sd	a1, 8(s1)
	sd	a2, 16(s1)
	sd	a3, 24(s1)
	sd	a4, 32(s1)
	sd	a5, 40(s1)
	sd	a6, 48(s1)
	sd	a7, 56(s1)
	sd	t0, 64(s1)
	sd	t1, 72(s1)
	sd	t2, 80(s1)
	sd	t3, 88(s1)
	sd	t4, 96(s1)
	sd	t5, 104(s1)
	sd	t6, 112(s1)
	sd	s2, 120(s1)
	sd	s3, 128(s1)
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
	li	t0, -1
	slli	t0, t0, 63
	beq	a0, t0, .Lnothing
	ld	a2, F_EXTRA(s1)
	mv	a1, a0
	ld	a0, F_TOKEN(s1)
	bnez	a2, .Lextras
	li	a7, TERN_REPLY_RECV
	ecall
	j	.Lreceived
.Lextras:
	sd	zero, F_EXTRA(s1)
	ld	a3, F_EXTRA+8(s1)
	ld	a4, F_EXTRA+16(s1)
	ld	a5, F_EXTRA+24(s1)
	ld	a6, F_EXTRA+32(s1)
	ld	t0, F_EXTRA+40(s1)
	ld	t1, F_EXTRA+48(s1)
	ld	t2, F_EXTRA+56(s1)
	ld	t3, F_EXTRA+64(s1)
	li	a7, TERN_REPLY_RECV
	ecall
	j	.Lreceived
.Ldefault:
	call	server_default
	j	.Lhandled
.Lother:
	call	server_other
	j	.Lhandled
	.size	server_loop, . - server_loop
