/* Any bytes as a boot archive: what is handed on must lie inside. */
#include <stdlib.h>

#include <vfs.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long touch(void *ctx, const struct cpio_entry *e)
{
	size_t size = *(size_t *)ctx;

	if (e->size && (e->data > size || e->size > size - e->data))
		abort();
	return strlen(e->name) > size ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)cpio_read((const char *)data, size, touch, &size);
	return 0;
}
