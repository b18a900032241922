/* The vDSO's data page, which the kernel fills and programs read.  It is mapped right before the
 * vDSO's code. */
#pragma once

#include <stdint.h>

/* Monotonic time is (time CSR * mult) >> shift, a 128-bit product.  Readers need no lock: only
 * realtime_offset_ns ever changes, and it is one aligned word. */
struct vdso_data {
	uint32_t shift;
	uint32_t resolution_ns;
	uint64_t mult;
	int64_t realtime_offset_ns; /* realtime = monotonic + this */
};

void vdso_data_init(struct vdso_data *d, int64_t realtime_offset_ns);
void vdso_set_realtime(struct vdso_data *d, int64_t realtime_offset_ns);
