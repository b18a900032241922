/*
 * Waiting for a spin lock (arch/cpu.h): in t1 the lock's word, in t0 where to return to; only t2 is
 * changed, so that the compiler keeps its registers on the way where the lock is free.
 *
 * A hart that waits here has interrupts off and would not see a panic of another one: it looks.
 */
	.text
	.option	norelax
	.global	spin_wait
	.type	spin_wait, @function
spin_wait:
	lla	t2, panic_hart
	lw	t2, 0(t2)
	bnez	t2, 1f
	lw	t2, 0(t1)
	bnez	t2, spin_wait
	jr	t0
1:	addi	sp, sp, -16
	sd	t0, 8(sp)	/* for its backtrace */
	sd	s0, 0(sp)
	addi	s0, sp, 16
	call	panic_in_wait
	.size	spin_wait, . - spin_wait
