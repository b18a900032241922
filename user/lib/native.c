/* The native operations that need more registers than an ordinary system call has: a reply with
 * extras, whose words go into a6 and t0…t3 (include/tern/abi.h, struct tern_reply).
 * All the others are inline functions of server/native.h. */
#include <server/native.h>

long tern_reply_with(uint64_t token, long result, const struct tern_reply *extra)
{
	register uint64_t a0 __asm__("a0") = token;
	register uint64_t a1 __asm__("a1") = (uint64_t)result;
	register uint64_t a2 __asm__("a2") = extra->flags;
	register uint64_t a3 __asm__("a3") = extra->from;
	register uint64_t a4 __asm__("a4") = extra->length;
	register uint64_t a5 __asm__("a5") = extra->win;
	register uint64_t a6 __asm__("a6") = extra->memobj;
	register uint64_t t0 __asm__("t0") = extra->rid1;
	register uint64_t t1 __asm__("t1") = extra->bits1;
	register uint64_t t2 __asm__("t2") = extra->rid2;
	register uint64_t t3 __asm__("t3") = extra->bits2;
	register long a7 __asm__("a7") = TERN_REPLY;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7), "r"(t0),
			   "r"(t1), "r"(t2), "r"(t3)
			 : "memory");
	return (long)a0;
}
