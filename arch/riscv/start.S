/*
 * The first instructions of every hart.
 *
 * The firmware enters _start with a0 = hart id and a1 = physical address of the device tree, with
 * the MMU off.  The code is position-independent until the MMU is on.  The early table maps the
 * image as one page of 2 MiB and, in the direct map, the two GiB from the device tree on;
 * arch_start() replaces it with the kernel's real table.
 *
 * No identity map is needed to switch the MMU on: stvec holds the virtual address at which to go
 * on, and the first fetch after satp is written faults, and so lands there.
 */
#include "asm-offsets.h"

#define PTE_TABLE 0x01
#define PTE_RW 0xe7  /* V R W, G A D */
#define PTE_RWX 0xef
#define SATP_SV39 (8 << 60)

	/* Switches the MMU on with the value \satp, and goes on behind this, at the virtual
	 * address. */
	.macro	mmu_on satp, t
	lla	\t, 9f
	sub	\t, \t, s2
	add	\t, \t, s3
	csrw	stvec, \t
	sfence.vma
	csrw	satp, \satp
	nop
	.balign	4
9:	lla	\t, trap_entry
	csrw	stvec, \t
	csrw	sscratch, zero
	.endm

	/* s2: the image's physical address, s3: the virtual one for which it is linked */
	.macro	image_places
	lla	s2, _start
	ld	s3, image_va
	.endm

	.section .text.start, "ax"
	.option norelax
	.global	_start
_start:
	csrw	sie, zero
	csrci	sstatus, 2
	csrw	satp, zero
	/* Firmware without hart management enters with every hart: the first one boots, others
	 * park. */
	lla	t0, boot_lottery
	li	t1, 1
	amoswap.w.aqrl t1, t1, (t0)
	bnez	t1, park
	mv	s0, a0
	mv	s1, a1

	lla	t0, _bss_start
	lla	t1, _bss_end
1:	sd	zero, 0(t0)
	addi	t0, t0, 8
	bltu	t0, t1, 1b

	image_places
	lla	t0, early_root
	lla	t1, early_level1
	/* root[510] -> early_level1[1] -> the image */
	srli	t2, t1, 2
	ori	t2, t2, PTE_TABLE
	li	t3, 510 * 8
	add	t3, t3, t0
	sd	t2, 0(t3)
	srli	t2, s2, 2
	ori	t2, t2, PTE_RWX
	sd	t2, 8(t1)
	/* root[256 + n] and root[257 + n] map the GiB n that holds the device tree, and the next
	 * one, in the direct map.  If n is 251 or more we map none, and arch_start() reports it. */
	srli	t2, s1, 30
	li	t3, 251
	bgeu	t2, t3, 2f
	slli	t3, t2, 3
	add	t3, t3, t0
	li	t4, 256 * 8
	add	t3, t3, t4
	slli	t2, t2, 28
	ori	t2, t2, PTE_RW
	sd	t2, 0(t3)
	li	t4, 1 << 28
	add	t2, t2, t4
	sd	t2, 8(t3)
2:
	srli	t2, t0, 12
	li	t3, SATP_SV39
	or	t2, t2, t3
	mmu_on	t2, t3

	lla	tp, harts
	lla	sp, boot_stack_top
	mv	a0, s0
	mv	a1, s1
	mv	a2, s2
	li	s0, 0		/* ends the chain of frame pointers */
	call	arch_start

park:
	wfi
	j	park

	/* The firmware starts other harts here: a0 = hart id, a1 = the address of its struct
	 * hart. */
	.global	secondary_start
secondary_start:
	csrw	sie, zero
	csrci	sstatus, 2
	image_places
	mv	s1, a1
	ld	t2, kernel_satp
	mmu_on	t2, t3
	mv	tp, s1
	ld	sp, H_KERNEL_SP(tp)
	li	s0, 0
	call	arch_secondary
	j	park

	/* start_on_stack(sp, function): goes on in `function` on another stack, and never
	 * returns. */
	.global	start_on_stack
start_on_stack:
	mv	sp, a0
	li	s0, 0
	li	ra, 0
	jr	a1

	.balign	8
image_va:
	.dword	_start_va

	.data
	.balign	8
boot_lottery:
	.dword	0
	/* The satp that other harts load.  They read it with the MMU off, at its physical
	 * address. */
	.global	kernel_satp
kernel_satp:
	.dword	0

	.section .bss.page, "aw", @nobits
	.balign	4096
early_root:
	.space	4096
early_level1:
	.space	4096
	.global	boot_stack
boot_stack:
	.space	STACK_SIZE
boot_stack_top:
