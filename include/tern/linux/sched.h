/* clone(2) flags, scheduling policies, wait status, resource limits; server/sched.h has the rest. */
#pragma once
#include <asm-generic/resource.h>
#include <linux/sched.h>
#include <stdint.h>

/* Wait status words (wait(2)). */
#define TERN_W_EXIT(code) (((code)&0xff) << 8)
#define TERN_W_SIGNAL(sig) ((sig)&0x7f)

struct tern_rlimit {
	uint64_t cur, max;
};
