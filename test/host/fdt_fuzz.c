/* libFuzzer: any bytes as a device tree.  Counts stay in bounds whatever the verdict. */
#include <stdlib.h>

#include <kernel/boot.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_facts f;
	int r = fdt_parse(data, size, &f);

	if (f.info.nharts > MAX_HARTS || f.nram > ARRAY_SIZE(f.ram) ||
	    f.nreserved > ARRAY_SIZE(f.reserved) || f.rng_seed_len > sizeof(f.rng_seed))
		abort();
	if (r == 0 && (!f.info.nharts || !f.nram || !f.info.timebase_hz))
		abort();
	for (unsigned i = 0; i < f.nram; i++)
		if (f.ram[i].end < f.ram[i].start)
			abort();
	return 0;
}
