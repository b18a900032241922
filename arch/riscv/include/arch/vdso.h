/* The vDSO's data page, which the kernel fills and programs read: mapped right before the image. */
#pragma once

#include <stdint.h>

/* Monotonic time = (time CSR * mult) >> shift, a 128-bit product.  All but realtime_offset_ns is
 * constant, and that is one aligned word, so readers need no lock. */
struct vdso_data {
	uint32_t shift;
	uint32_t resolution_ns;
	uint64_t mult;
	int64_t realtime_offset_ns; /* realtime = monotonic + this */
};

void vdso_data_init(struct vdso_data *d, int64_t realtime_offset_ns);
void vdso_set_realtime(struct vdso_data *d, int64_t realtime_offset_ns);
