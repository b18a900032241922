/* tern_reply_with(): the one native operation here, since it needs more registers than an ordinary
 * system call has.  Some words of the extras go into a6 and t0…t3 (include/tern/abi.h, struct
 * tern_reply).  All other operations are inline functions of server/native.h. */
#include <server/native.h>
#include <tern/registers.h>

/* Places a local variable in the register x<number>. */
#define IN_REGISTER(number) __asm__(REGISTER_NAME(number))
#define REGISTER_NAME(number) "x" #number

long tern_reply_with(uint64_t token, long result, const struct tern_reply *extra)
{
	register uint64_t a0 IN_REGISTER(REPLY_TOKEN) = token;
	register uint64_t a1 IN_REGISTER(REPLY_RESULT) = (uint64_t)result;
	register uint64_t a2 IN_REGISTER(REPLY_FLAGS) = extra->flags;
	register uint64_t a3 IN_REGISTER(REPLY_FROM) = extra->from;
	register uint64_t a4 IN_REGISTER(REPLY_LENGTH) = extra->length;
	register uint64_t a5 IN_REGISTER(REPLY_WIN) = extra->win;
	register uint64_t a6 IN_REGISTER(REPLY_MEMOBJ) = extra->memobj;
	register uint64_t t0 IN_REGISTER(REPLY_RID1) = extra->rid1;
	register uint64_t t1 IN_REGISTER(REPLY_BITS1) = extra->bits1;
	register uint64_t t2 IN_REGISTER(REPLY_RID2) = extra->rid2;
	register uint64_t t3 IN_REGISTER(REPLY_BITS2) = extra->bits2;
	register long a7 IN_REGISTER(CALL_OP) = TERN_REPLY;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7), "r"(t0),
			   "r"(t1), "r"(t2), "r"(t3)
			 : "memory");
	return (long)a0;
}
