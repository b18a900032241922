/*
 * Waiting for a spin lock (arch/cpu.h).  t1 is the address of the lock's word, t0 the return
 * address; only t2 is changed, so that the compiler can keep values in registers where the lock is
 * free.
 *
 * A hart that waits here has interrupts off, and would not see that another hart panics; so it
 * looks at panic_hart.  A long wait sleeps between looks, by the hart's timer, first for a
 * sixteenth of spin_sleep, then for twice as long each time: the holder of the lock may be a
 * virtual hart, which gets no time while we spin.
 */
#define SPINS 200 /* looks at the lock before the first sleep */
#define LOOKS 2	  /* looks between sleeps */
#define STIMECMP 0x14d

	.text
	.option	norelax
	.global	spin_wait
	.type	spin_wait, @function
spin_wait:
	addi	sp, sp, -48
	sd	t3, 0(sp)
	sd	t4, 8(sp)
	sd	t5, 32(sp)
	lla	t2, spin_sleep
	ld	t5, 0(t2)
	srli	t5, t5, 4
	li	t3, SPINS
	j	2f
1:	li	t3, LOOKS
2:	lla	t2, panic_hart
	lw	t2, 0(t2)
	bnez	t2, 4f
	lw	t2, 0(t1)
	beqz	t2, 5f
	addi	t3, t3, -1
	bnez	t3, 2b
	beqz	t5, 1b		/* without Sstc we do not sleep */
	csrr	t3, STIMECMP
	csrr	t4, time
	add	t4, t4, t5
	bgeu	t4, t3, 3f
	csrw	STIMECMP, t4
3:	wfi
	csrw	STIMECMP, t3
	lla	t2, spin_sleep
	ld	t2, 0(t2)
	bgeu	t5, t2, 1b
	slli	t5, t5, 1
	j	1b
4:	sd	t0, 24(sp)	/* a frame for the backtrace */
	sd	s0, 16(sp)
	addi	s0, sp, 32
	call	panic_in_wait
5:	ld	t3, 0(sp)
	ld	t4, 8(sp)
	ld	t5, 32(sp)
	addi	sp, sp, 48
	jr	t0
	.size	spin_wait, . - spin_wait
