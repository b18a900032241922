/*
 * Copying and filling memory, 64 or 256 bytes a turn where alignment allows it.  The servers use
 * this code, too.
 *
 * The kernel may run on harts where a misaligned access traps, so this code makes none.  If the
 * source is not aligned as the destination is, it reads the source in aligned words and shifts two
 * together for each word that it writes.  The words may hold bytes before or behind the source, but
 * never reach into another page.
 * memcpy: a0 stays the result; t0 runs through the destination, a1 through the source, a2 counts.
 */
	.text
	.option	norelax

	.macro	copy64 to, from, at=0
	ld	a3, \at+0(\from)
	ld	a4, \at+8(\from)
	ld	a5, \at+16(\from)
	ld	a6, \at+24(\from)
	ld	a7, \at+32(\from)
	ld	t1, \at+40(\from)
	ld	t2, \at+48(\from)
	ld	t3, \at+56(\from)
	sd	a3, \at+0(\to)
	sd	a4, \at+8(\to)
	sd	a5, \at+16(\to)
	sd	a6, \at+24(\to)
	sd	a7, \at+32(\to)
	sd	t1, \at+40(\to)
	sd	t2, \at+48(\to)
	sd	t3, \at+56(\to)
	.endm

	.macro	copy256 to, from
	copy64	\to, \from
	copy64	\to, \from, 64
	copy64	\to, \from, 128
	copy64	\to, \from, 192
	.endm

	.global	memcpy
	.type	memcpy, @function
	.balign	16
memcpy:
	mv	t0, a0
	li	a3, 8
	bltu	a2, a3, .Lcopy_bytes
	or	a3, t0, a1
	andi	a3, a3, 7
	bnez	a3, .Lcopy_odd
.Lcopy_words:
	li	t4, 64
	bltu	a2, t4, .Lcopy_8
	li	t5, 256
	bltu	a2, t5, 1f
2:	copy256	t0, a1
	addi	a2, a2, -256
	addi	t0, t0, 256
	addi	a1, a1, 256
	bgeu	a2, t5, 2b
	bltu	a2, t4, .Lcopy_8
1:	copy64	t0, a1
	addi	a2, a2, -64
	addi	t0, t0, 64
	addi	a1, a1, 64
	bgeu	a2, t4, 1b
.Lcopy_8:
	andi	a3, a2, ~7
	beqz	a3, .Lcopy_bytes
	add	a4, t0, a3
1:	ld	a5, 0(a1)
	addi	t0, t0, 8
	addi	a1, a1, 8
	sd	a5, -8(t0)
	bltu	t0, a4, 1b
	andi	a2, a2, 7
.Lcopy_bytes:
	beqz	a2, 2f
	add	a4, t0, a2
1:	lbu	a5, 0(a1)
	addi	t0, t0, 1
	addi	a1, a1, 1
	sb	a5, -1(t0)
	bltu	t0, a4, 1b
2:	ret

	/* Source or destination is not aligned: copy bytes until the destination is. */
.Lcopy_odd:
	li	a4, 16
	bltu	a2, a4, .Lcopy_bytes
	neg	a3, t0
	andi	a3, a3, 7
	beqz	a3, 2f
	sub	a2, a2, a3
	add	a3, a3, t0
1:	lbu	a5, 0(a1)
	addi	t0, t0, 1
	addi	a1, a1, 1
	sb	a5, -1(t0)
	bltu	t0, a3, 1b
2:	andi	t1, a1, 7
	beqz	t1, .Lcopy_words

	/* t1: how many bytes the source is past an aligned word.  If 8 bytes or more are left: */
	slli	t2, t1, 3	/* by how much the first word is shifted right */
	neg	t3, t2		/* and the second one left, modulo 64 */
	andi	t4, a2, ~7
	beqz	t4, .Lcopy_bytes
	andi	a2, a2, 7
	add	t4, t4, t0
	andi	a1, a1, ~7
	ld	a3, 0(a1)
1:	ld	a4, 8(a1)
	srl	a5, a3, t2
	addi	a1, a1, 8
	sll	a6, a4, t3
	addi	t0, t0, 8
	or	a5, a5, a6
	mv	a3, a4
	sd	a5, -8(t0)
	bltu	t0, t4, 1b
	add	a1, a1, t1
	j	.Lcopy_bytes
	.size	memcpy, . - memcpy

	.global	memset
	.type	memset, @function
	.balign	16
memset:
	mv	t0, a0
	andi	a1, a1, 0xff
	slli	a3, a1, 8
	or	a1, a1, a3
	slli	a3, a1, 16
	or	a1, a1, a3
	slli	a3, a1, 32
	or	a1, a1, a3
	li	a4, 16
	bltu	a2, a4, .Lset_bytes
	neg	a3, t0
	andi	a3, a3, 7
	beqz	a3, 2f
	sub	a2, a2, a3
	add	a3, a3, t0
1:	sb	a1, 0(t0)
	addi	t0, t0, 1
	bltu	t0, a3, 1b
2:	li	t4, 64
	bltu	a2, t4, 4f
3:	.irp	n, 0,1,2,3,4,5,6,7
	sd	a1, (\n * 8)(t0)
	.endr
	addi	a2, a2, -64
	addi	t0, t0, 64
	bgeu	a2, t4, 3b
4:	andi	a3, a2, ~7
	beqz	a3, .Lset_bytes
	add	a3, a3, t0
5:	sd	a1, 0(t0)
	addi	t0, t0, 8
	bltu	t0, a3, 5b
	andi	a2, a2, 7
.Lset_bytes:
	beqz	a2, 7f
	add	a3, t0, a2
6:	sb	a1, 0(t0)
	addi	t0, t0, 1
	bltu	t0, a3, 6b
7:	ret
	.size	memset, . - memset

	.global	page_zero
	.type	page_zero, @function
	.balign	16
page_zero:
	li	a1, 4096
	add	a1, a1, a0
1:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	zero, (\n * 8)(a0)
	.endr
	addi	a0, a0, 256
	bltu	a0, a1, 1b
	ret
	.size	page_zero, . - page_zero

	.global	page_copy
	.type	page_copy, @function
	.balign	16
page_copy:
	li	t0, 4096
	add	t0, t0, a0
1:	copy256	a0, a1
	addi	a1, a1, 256
	addi	a0, a0, 256
	bltu	a0, t0, 1b
	ret
	.size	page_copy, . - page_copy
