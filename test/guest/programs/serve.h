/* Native operations for tests that serve: the right to, one operation, and the raw entry with all registers
 * of a message. */
#pragma once
#include <stdint.h>
#include <sys/prctl.h>
#include <tern/abi.h>
#include <tern/registers.h>

/* Takes the right to serve, which root may. */
static inline void serve_take(void)
{
#ifdef TERN_PR_SERVE
	prctl(TERN_PR_SERVE, 1, 0, 0, 0);
#endif
}

static inline long serve_op(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
	register uint64_t a4 __asm__("a4") = e, a5 __asm__("a5") = f;
	register long a7 __asm__("a7") = nr;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
			 : "memory");
	return (long)a0;
}

/* Loads the registers that a message or an answer has from x, enters the kernel, and stores them there
 * again.  x[CALL_OP] is the operation.  recv clobbers all but sp, gp and tp. */
void serve_raw(uint64_t x[32]);
__asm__(".text\n.globl serve_raw\nserve_raw:\n"
	"addi sp, sp, -128\n"
	"sd ra, 0(sp)\nsd s0, 8(sp)\nsd s1, 16(sp)\nsd s2, 24(sp)\nsd s3, 32(sp)\nsd s4, 40(sp)\n"
	"sd s5, 48(sp)\nsd s6, 56(sp)\nsd s7, 64(sp)\nsd s8, 72(sp)\nsd s9, 80(sp)\nsd s10, 88(sp)\n"
	"sd s11, 96(sp)\nsd a0, 104(sp)\n"
	"mv s1, a0\n"
	".irp n, 5,6,7,10,11,12,13,14,15,16,17,18,19,28,29,30,31\nld x\\n, 8*\\n(s1)\n.endr\n"
	"ecall\n"
	"ld s1, 104(sp)\n"
	".irp n, 5,6,7,10,11,12,13,14,15,16,17,18,19,28,29,30,31\nsd x\\n, 8*\\n(s1)\n.endr\n"
	"ld ra, 0(sp)\nld s0, 8(sp)\nld s1, 16(sp)\nld s2, 24(sp)\nld s3, 32(sp)\nld s4, 40(sp)\n"
	"ld s5, 48(sp)\nld s6, 56(sp)\nld s7, 64(sp)\nld s8, 72(sp)\nld s9, 80(sp)\nld s10, 88(sp)\n"
	"ld s11, 96(sp)\naddi sp, sp, 128\nret\n");
