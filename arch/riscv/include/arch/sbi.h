/* Calls of the firmware (RISC-V SBI specification 1.0). */
#pragma once

#include <kernel/lib/types.h>

struct sbi_result {
	s64 error, value;
};

/* 0, or EINVAL: the firmware lacks what Tern needs, and *why says what. */
int must_check sbi_init(const char **why);
void sbi_putchar(char c); /* legacy; before anything else works */
void sbi_set_timer(u64 ticks);
/* The masks are of hart indices and never contain a hart that was not started. */
void sbi_send_ipi(u32 hart_mask);
void sbi_remote_fence_i(u32 hart_mask);
void sbi_remote_sfence_asid(u32 hart_mask, va_t va, u64 len, u16 asid); /* 0, 0: all of it */
/* Starts a stopped hart at a physical address with a1 = opaque. 0 or a negative SBI error. */
s64 sbi_hart_start(u64 hartid, pa_t start, u64 opaque);
/* Does not return if the firmware can. */
void sbi_reset(bool reboot, bool failed);
