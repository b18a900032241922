/*
 * Waiting for a spin lock (arch/cpu.h): in t1 the lock's word, in t0 where to return to; only t2 is
 * changed, so that the compiler keeps its registers on the way where the lock is free.
 *
 * A hart that waits here has interrupts off and would not see a panic of another one: it looks.
 * Long waits sleep in between, by the hart's timer: who has the lock may be a virtual hart that
 * gets no time because we spin.
 */
#define SPINS 1000
#define STIMECMP 0x14d

	.text
	.option	norelax
	.global	spin_wait
	.type	spin_wait, @function
spin_wait:
	addi	sp, sp, -32
	sd	t3, 0(sp)
	sd	t4, 8(sp)
1:	li	t3, SPINS
2:	lla	t2, panic_hart
	lw	t2, 0(t2)
	bnez	t2, 4f
	lw	t2, 0(t1)
	beqz	t2, 5f
	addi	t3, t3, -1
	bnez	t3, 2b
	lla	t2, spin_sleep
	ld	t2, 0(t2)
	beqz	t2, 1b		/* no Sstc */
	csrr	t3, STIMECMP
	csrr	t4, time
	add	t4, t4, t2
	bgeu	t4, t3, 3f
	csrw	STIMECMP, t4
3:	wfi
	csrw	STIMECMP, t3
	j	1b
4:	sd	t0, 24(sp)	/* for its backtrace */
	sd	s0, 16(sp)
	addi	s0, sp, 32
	call	panic_in_wait
5:	ld	t3, 0(sp)
	ld	t4, 8(sp)
	addi	sp, sp, 32
	jr	t0
	.size	spin_wait, . - spin_wait
