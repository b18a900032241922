/* Receiving in a program of its own, with any C library: the operations are in server/native.h, and
 * docs/howto.md has a server.  The servers of the boot archive use server/server.h instead. */
#pragma once

#include <server/native.h>

#ifdef __riscv
/* Waits for the next message or event on the endpoint that this thread has bound.  The message comes in
 * registers, and every one but sp, gp and tp is lost: so the address of m waits on the stack. */
static inline void tern_receive(struct tern_msg *m)
{
	register struct tern_msg *a0 __asm__("a0") = m;

	__asm__ volatile("addi sp, sp, -16\n"
			 "sd s0, 0(sp)\n"
			 "sd a0, 8(sp)\n"
			 "li a7, %[recv]\n"
			 "ecall\n"
			 "ld s0, 8(sp)\n"
			 "sd a0, 0(s0)\n"
			 "sd a1, 8(s0)\n"
			 "sd a2, 16(s0)\n"
			 "sd a3, 24(s0)\n"
			 "sd a4, 32(s0)\n"
			 "sd a5, 40(s0)\n"
			 "sd a6, 48(s0)\n"
			 "sd a7, 56(s0)\n"
			 "sd t0, 64(s0)\n"
			 "sd t1, 72(s0)\n"
			 "sd t2, 80(s0)\n"
			 "sd t3, 88(s0)\n"
			 "sd t4, 96(s0)\n"
			 "sd t5, 104(s0)\n"
			 "sd t6, 112(s0)\n"
			 "sd s2, 120(s0)\n"
			 "sd s3, 128(s0)\n"
			 "ld s0, 0(sp)\n"
			 "addi sp, sp, 16"
			 : "+r"(a0)
			 : [recv] "i"(TERN_RECV)
			 : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a1", "a2", "a3", "a4", "a5",
			   "a6", "a7", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11",
			   "memory");
}
#endif
