/* libFuzzer: any bytes as a boot archive.  What is found lies inside. */
#include <stdlib.h>

#include <kernel/boot.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t off, len;

	if (archive_find(data, size, "boot/pm", &off, &len) == 0 && (off > size || len > size - off) &&
	    len != 0)
		abort();
	return 0;
}
