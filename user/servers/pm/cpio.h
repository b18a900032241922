/* Finding a file in the boot archive: cpio "newc", several archives one behind the other.  Pure:
 * bytes come through a function. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Reads up to n bytes at off; bytes read or a negative errno. */
typedef long (*cpio_read)(void *arg, uint64_t off, void *buf, size_t n);

struct cpio_file {
	uint64_t offset, size;
};

/* The last regular file of that name ("boot/vfs"; a leading "/" or "./" in the archive is
 * ignored).  0, -ENOENT, -EINVAL (damaged archive). */
long cpio_find(cpio_read read, void *arg, uint64_t archive_size, const char *name,
	       struct cpio_file *out);
