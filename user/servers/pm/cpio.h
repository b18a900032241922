/* Finds a file in the boot archive, which is several cpio archives of the "newc" format one behind
 * the other.  It gets the bytes by a function of the caller's, so host tests can use it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Reads up to n bytes at offset off: the bytes read, or a negative errno. */
typedef long (*cpio_read)(void *arg, uint64_t off, void *buf, size_t n);

struct cpio_file {
	uint64_t offset, size;
};

/* Finds the last regular file of that name ("boot/vfs"; a "/" or "./" before a name in the archive
 * is ignored).  0, -ENOENT, -EINVAL (the archive is damaged). */
long cpio_find(cpio_read read, void *arg, uint64_t archive_size, const char *name,
	       struct cpio_file *out);
