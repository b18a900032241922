/* Maps a checked ELF image into a space that is being made.
 *
 * The part of a segment that is in the file is mapped privately from the file's memory object, the
 * rest of its last page is zeroed, and the remaining memory of the segment is anonymous.  In the
 * boot archive data need not lie on page boundaries, so from there the bytes are copied instead.
 */
#include "elf.h"
#include "pm.h"
#include <linux/mman.h>
#include <string.h>

#define PAGE 4096ull
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static char buf[16384];

static long copy_bytes(int aspace, uint64_t va, int memobj, uint64_t off, uint64_t n)
{
	while (n) {
		size_t k = n < sizeof buf ? n : sizeof buf;
		long r = tern_memobj_read(memobj, off, buf, k);

		if (r <= 0)
			return r < 0 ? r : -EIO;
		if (tern_aspace_write(aspace, va, buf, (size_t)r) != r)
			return -ENOMEM;
		va += (uint64_t)r;
		off += (uint64_t)r;
		n -= (uint64_t)r;
	}
	return 0;
}

static long fill_object(int object, uint64_t at, int memobj, uint64_t off, uint64_t n)
{
	while (n) {
		size_t k = n < sizeof buf ? n : sizeof buf;
		long r = tern_memobj_read(memobj, off, buf, k);

		if (r <= 0)
			return r < 0 ? r : -EIO;
		if (tern_memobj_write(object, at, buf, (size_t)r) != r)
			return -ENOMEM;
		at += (uint64_t)r;
		off += (uint64_t)r;
		n -= (uint64_t)r;
	}
	return 0;
}

/* Maps a segment whose bytes have to be copied.  A writable one is mapped as anonymous memory,
 * and the bytes are written there.  For another one a memory object is filled first and then
 * mapped. */
static long map_copied(int aspace, int memobj, uint64_t file_offset, const struct elf_segment *s,
		       uint64_t bias)
{
	uint64_t start = (s->vaddr + bias) & ~(PAGE - 1);
	uint64_t end = (s->vaddr + bias + s->memsz + PAGE - 1) & ~(PAGE - 1);
	int object = -1;
	long r;

	if (!(s->prot & PROT_WRITE)) {
		r = tern_memobj_create(end - start, 0);
		if (r < 0)
			return r;
		object = (int)r;
		r = fill_object(object, s->vaddr % PAGE, memobj, file_offset + s->offset, s->filesz);
		if (r < 0)
			goto out;
	}
	r = tern_aspace_map(aspace, start, end - start, s->prot, PROT_ALL,
			    object < 0 ? ANON : MAP_PRIVATE | MAP_FIXED, object, 0);
	if (r >= 0 && object < 0)
		r = copy_bytes(aspace, s->vaddr + bias, memobj, file_offset + s->offset, s->filesz);
out:
	if (object >= 0)
		tern_close(object);
	return r;
}

static long map_file(int aspace, int memobj, const struct elf_segment *s, uint64_t bias)
{
	static const char zeros[PAGE];
	uint64_t va = s->vaddr + bias, start = va & ~(PAGE - 1);
	uint64_t file_end = va + s->filesz, end = (va + s->memsz + PAGE - 1) & ~(PAGE - 1);
	uint64_t mapped = start;
	long r;

	if (s->filesz) {
		mapped = (file_end + PAGE - 1) & ~(PAGE - 1);
		r = tern_aspace_map(aspace, start, mapped - start, s->prot, PROT_ALL,
				    MAP_PRIVATE | MAP_FIXED, memobj, s->offset & ~(PAGE - 1));
		if (r < 0)
			return r;
		if (s->memsz > s->filesz && file_end < mapped && (s->prot & PROT_WRITE)) {
			r = tern_aspace_write(aspace, file_end, zeros, mapped - file_end);
			if (r != (long)(mapped - file_end))
				return r == -ENOMEM ? r : -ENOEXEC;
		}
	}
	if (end > mapped) {
		r = tern_aspace_map(aspace, mapped, end - mapped, s->prot, PROT_ALL, ANON, -1, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

long load_segments(int aspace, int memobj, uint64_t file_offset, const struct elf_image *e,
		   uint64_t bias, bool copy)
{
	for (uint32_t i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];
		long r = copy ? map_copied(aspace, memobj, file_offset, s, bias)
			      : map_file(aspace, memobj, s, bias);

		if (r < 0)
			return r;
	}
	return 0;
}
