/*
 * vDSO functions that only make a system call, and the return from a signal handler.
 *
 * An unwinder recognises a signal frame by two uncompressed instructions at the return address:
 * li a7, 139; ecall.
 */
	.text
	.option	norvc

	.global	__vdso_rt_sigreturn
	.type	__vdso_rt_sigreturn, @function
	.balign	4
__vdso_rt_sigreturn:
	.cfi_startproc
	.cfi_signal_frame
	li	a7, 139
	ecall
	.cfi_endproc
	.size	__vdso_rt_sigreturn, . - __vdso_rt_sigreturn

	.macro	call_only name, nr
	.global	\name
	.type	\name, @function
\name:
	.cfi_startproc
	li	a7, \nr
	ecall
	ret
	.cfi_endproc
	.size	\name, . - \name
	.endm

	call_only __vdso_getcpu, 168
	call_only __vdso_riscv_hwprobe, 258
	call_only __vdso_flush_icache, 259
