/* Calls of the firmware (RISC-V SBI specification 1.0). */
#pragma once

#include <kernel/lib/types.h>

struct sbi_result {
	s64 error, value;
};

/* Checks that the firmware has what Tern needs.  0; EINVAL: it lacks what *why says. */
int must_check sbi_init(const char **why);
void sbi_putchar(char c); /* the legacy call, for messages before the console's device is mapped */
void sbi_set_timer(u64 ticks);
/* Masks are of hart indices, and the caller leaves out harts that were not started. */
void sbi_send_ipi(u32 hart_mask);
void sbi_remote_fence_i(u32 hart_mask);
void sbi_remote_sfence_asid(u32 hart_mask, va_t va, u64 len, u16 asid); /* 0, 0: the space */
/* Starts a stopped hart at a physical address with a1 = opaque.  0 or a negative SBI error. */
s64 sbi_hart_start(u64 hartid, pa_t start, u64 opaque);
/* Reboots or ends the machine.  Returns only if the firmware can do neither. */
void sbi_reset(bool reboot, bool failed);
