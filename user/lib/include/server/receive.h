/* tern_receive(), for an ordinary program, with any C library, that serves an endpoint of its
 * own.  The operations that it answers with are in server/native.h, and docs/howto.md shows a
 * whole server.  The servers of the boot archive use the loop of server/server.h instead. */
#pragma once

#include <server/native.h>

#ifdef __riscv
/* Makes the operation `op`, one of those that wait for the next message or event on the endpoint
 * that this thread has bound, and stores the message in *m.  It comes in registers, and the kernel
 * overwrites all but sp, gp and tp: so s0 and the address of m are kept on the stack over the
 * ecall. */
static inline void tern_receive_by(long op, struct tern_msg *m, uint64_t a, uint64_t b, uint64_t c,
				   uint64_t d, uint64_t e)
{
	register uint64_t a0 __asm__("a0") = a;
	register uint64_t a1 __asm__("a1") = b;
	register uint64_t a2 __asm__("a2") = c;
	register uint64_t a3 __asm__("a3") = d;
	register uint64_t a4 __asm__("a4") = e;
	register struct tern_msg *a5 __asm__("a5") = m;
	register long a7 __asm__("a7") = op;

	__asm__ volatile("addi sp, sp, -16\n"
			 "sd s0, 0(sp)\n"
			 "sd a5, 8(sp)\n"
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
			 : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a7)
			 :
			 : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a6", "s1", "s2", "s3", "s4", "s5",
			   "s6", "s7", "s8", "s9", "s10", "s11", "memory");
}
static inline void tern_receive(struct tern_msg *m) { tern_receive_by(TERN_RECV, m, 0, 0, 0, 0, 0); }
/* Moves frames as tern_memobj_supply() does, and then receives, in one kernel entry. */
static inline void tern_supply_receive(struct tern_msg *m, int dst, uint64_t doff, int src, uint64_t soff,
				       size_t n)
{
	tern_receive_by(TERN_SUPPLY_RECV, m, (uint64_t)dst, doff, (uint64_t)src, soff, n);
}
#endif
