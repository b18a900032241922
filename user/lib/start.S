/* The entry of a server.  a0 points at its struct server_boot; it is 0 in pm, which the kernel
 * starts itself. */
	.section .text.start, "ax"
	.globl	_start
	.type	_start, @function
_start:
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	la	tp, __tls_base
	andi	sp, sp, -16
	li	s0, 0
	li	ra, 0
	call	server_start
1:	ebreak
	j	1b
	.size	_start, . - _start
