/* Signals as riscv64 Linux lays them out (signal(7), rt_sigaction(2)). */
#pragma once
#include <stdint.h>

#define sigset_t linux_sigset_t /* the C library may have another one */
#include <asm-generic/signal.h>
#undef sigset_t
#include <asm-generic/siginfo.h>

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM (1u << 31)

#define TERN_SIGBIT(sig) (1ull << ((sig)-1))

/* stack_t, without a gap. */
struct tern_stack {
	uint64_t sp;
	int32_t flags;
	int32_t pad;
	uint64_t size;
};
_Static_assert(sizeof(siginfo_t) == 128 && sizeof(struct tern_stack) == sizeof(stack_t), "Linux's");
