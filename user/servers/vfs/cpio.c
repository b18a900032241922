/* Reading of cpio archives in the "newc" form (cpio(5)), as boot loaders pass them: several one
 * behind the other with zero bytes between.
 *
 * Pure: looks only at the bytes it is given and trusts none of them.  An entry is a header of 110
 * characters, the name, padding to 4, the data, padding to 4; names may be padded with NULs.
 */
#include "vfs.h"

#define HEADER 110

/* Reads a number of eight hexadecimal digits; false: they are not. */
static bool hex(const char *p, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		char c = p[i];

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v |= (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v |= (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

static uint64_t align4(uint64_t v) { return (v + 3) & ~3ull; }

/* The name without "/" and "./" in front; the root's becomes "". */
static const char *trim(const char *name)
{
	for (;;) {
		if (*name == '/')
			name++;
		else if (name[0] == '.' && (name[1] == '/' || !name[1]))
			name++;
		else
			return name;
	}
}

long cpio_read(const char *archive, size_t size, long (*each)(void *ctx, const struct cpio_entry *e),
	       void *ctx)
{
	uint64_t at = 0;

	for (;;) {
		struct cpio_entry e;
		/* ino mode uid gid nlink mtime size major minor rmajor rminor, length of name,
		 * check */
		uint32_t f[13];
		uint64_t name_at;
		const char *p, *name;
		long r;

		while (at < size && archive[at] == '\0')
			at++;
		if (at == size)
			return 0;
		if (size - at < HEADER)
			return -EINVAL;
		p = archive + at;
		if (memcmp(p, "07070", 5) || (p[5] != '1' && p[5] != '2'))
			return -EINVAL;
		for (int i = 0; i < 13; i++)
			if (!hex(p + 6 + 8 * i, &f[i]))
				return -EINVAL;
		name_at = at + HEADER;
		name = archive + name_at;
		if (!f[11] || f[11] > size - name_at || name[f[11] - 1] != '\0')
			return -EINVAL;
		e.data = align4(name_at + f[11]);
		e.size = f[6];
		if (e.size && (e.data > size || e.size > size - e.data))
			return -EINVAL;
		at = align4(e.data + e.size);
		if (at > size)
			at = size;
		if (!strcmp(name, "TRAILER!!!"))
			continue;
		e.name = trim(name);
		e.ino = f[0];
		e.mode = f[1];
		e.uid = f[2];
		e.gid = f[3];
		e.nlink = f[4];
		e.mtime = f[5];
		e.dev = f[7] << 8 ^ f[8];
		e.rdev_major = f[9];
		e.rdev_minor = f[10];
		r = each(ctx, &e);
		if (r < 0)
			return r;
	}
}
