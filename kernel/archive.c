/*
 * cpio archives in the new ASCII format ("newc"), as the boot loader hands them over.
 *
 * An archive is entries up to one named TRAILER!!!; several may follow each other with zero bytes
 * between.  An entry is a header of 110 bytes (magic and 13 numbers of 8 hexadecimal digits), a name
 * and data, each padded to 4 bytes.  The size of the name counts its NUL, and more of them if the
 * maker pads so that data lies on a page.  Of files with the same name the last counts, as it would
 * if all were unpacked.  Pure: every size is checked against what is left.
 */
#include <kernel/boot.h>
#include <kernel/lib/string.h>
#include <tern/linux/errno.h>

#define HEADER_SIZE 110u
#define S_IFMT 0170000u
#define S_IFREG 0100000u

enum { MODE = 1, FILE_SIZE = 6, NAME_SIZE = 11 };

struct entry {
	const char *name; /* ends with NUL */
	u32 mode;
	size_t data, size, next; /* offsets in the archive */
};

/* Number i of a header; false: a digit is not one. */
static bool header_number(const u8 *header, unsigned i, u32 *v)
{
	const u8 *p = header + 6 + i * 8;

	*v = 0;
	for (int k = 0; k < 8; k++) {
		u8 c = p[k];

		if (c >= '0' && c <= '9')
			c -= '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			c = (u8)((c | 32) - 'a' + 10);
		else
			return false;
		*v = *v << 4 | c;
	}
	return true;
}

static int read_entry(const u8 *base, size_t size, size_t at, struct entry *e)
{
	u32 name_size, file_size;
	size_t left;

	if (size - at < HEADER_SIZE ||
	    (memcmp(base + at, "070701", 6) != 0 && memcmp(base + at, "070702", 6) != 0))
		return -EINVAL;
	if (!header_number(base + at, MODE, &e->mode) ||
	    !header_number(base + at, FILE_SIZE, &file_size) ||
	    !header_number(base + at, NAME_SIZE, &name_size))
		return -EINVAL;
	left = size - at - HEADER_SIZE;
	e->name = (const char *)base + at + HEADER_SIZE;
	if (name_size == 0 || name_size > left || e->name[name_size - 1] != 0)
		return -EINVAL;
	e->data = (at + HEADER_SIZE + name_size + 3) & ~3ul;
	e->size = file_size;
	if (e->data > size ? file_size != 0 : file_size > size - e->data)
		return -EINVAL;
	e->next = MIN((e->data + file_size + 3) & ~3ul, size);
	return 0;
}

static const char *without_prefix(const char *path)
{
	while (*path == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	return path;
}

int archive_find(const void *base, size_t size, const char *path, size_t *off, size_t *len)
{
	const u8 *bytes = base;
	int result = -ENOENT;
	size_t at = 0;

	path = without_prefix(path);
	while (at < size) {
		struct entry e;

		if (bytes[at] == 0) {
			at++;
			continue;
		}
		if (read_entry(bytes, size, at, &e) < 0)
			return -EINVAL;
		at = e.next;
		if ((e.mode & S_IFMT) == S_IFREG && strcmp(without_prefix(e.name), path) == 0) {
			*off = e.data;
			*len = e.size;
			result = 0;
		}
	}
	return result;
}
