/* Reads the headers of the boot archive.  An entry is 110 bytes, the magic and 13 hexadecimal
 * fields of eight digits; then the name (namesize counts its NULs, also those that pad it); then
 * the data.  Name and data are padded to four bytes.  Zero bytes may lie between archives.
 */
#include "cpio.h"
#include <stdbool.h>
#include <string.h>
#include <tern/linux/errno.h>

#define HEADER 110
#define NAME_KEPT 256 /* bytes of a name that are read: nobody looks for a longer one */

static bool hex8(const char *s, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		char c = s[i];
		uint32_t d;

		if (c >= '0' && c <= '9')
			d = (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (uint32_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			d = (uint32_t)(c - 'A') + 10;
		else
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

static const char *plain(const char *name)
{
	while (*name == '/' || (name[0] == '.' && name[1] == '/'))
		name += *name == '/' ? 1 : 2;
	return name;
}

long cpio_find(cpio_read read, void *arg, uint64_t archive_size, const char *name,
	       struct cpio_file *out)
{
	uint64_t at = 0;
	long found = -ENOENT;

	while (at + HEADER <= archive_size) {
		char head[HEADER + NAME_KEPT];
		uint32_t mode, filesize, namesize;
		uint64_t data, want = archive_size - at;
		long n = read(arg, at, head, want < sizeof head ? want : sizeof head);
		size_t kept;

		if (n < HEADER)
			return found;
		if (head[0] == 0) {
			at += 4;
			continue;
		}
		if (memcmp(head, "070701", 6) != 0 && memcmp(head, "070702", 6) != 0)
			return found == 0 ? 0 : -EINVAL;
		if (!hex8(head + 14, &mode) || !hex8(head + 54, &filesize) ||
		    !hex8(head + 94, &namesize))
			return -EINVAL;
		kept = (size_t)n - HEADER;
		if (namesize == 0 || namesize > 65536)
			return -EINVAL;
		data = (at + HEADER + namesize + 3) & ~3ull;
		if (data > archive_size || filesize > archive_size - data)
			return -EINVAL;
		if (namesize < kept)
			kept = namesize;
		head[HEADER + (kept ? kept - 1 : 0)] = 0;
		if ((mode & 0170000) == 0100000 &&
		    strcmp(plain(head + HEADER), name) == 0) {
			out->offset = data;
			out->size = filesize;
			found = 0;
		}
		at = (data + filesize + 3) & ~3ull;
	}
	return found;
}
