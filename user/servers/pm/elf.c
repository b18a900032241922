/* Makes checked numbers from the bytes of a file, which may be hostile: ELF headers and "#!" lines.
 *
 * The segments of a program must ascend without overlap, lie below the top of user space and
 * (unless the program is position-independent) above ELF_LOWEST, and have addresses congruent to
 * their file offsets modulo the page size.  A file that is not so gets ENOEXEC, and nothing of it
 * is mapped.
 */
#include "elf.h"
#include <linux/mman.h>
#include <string.h>
#include <tern/abi.h>
#include <tern/linux/errno.h>

#define PAGE 4096ull
#define ET_EXEC 2
#define ET_DYN 3
#define EM_RISCV 243
#define PT_LOAD 1
#define PT_INTERP 3
#define PT_GNU_STACK 0x6474e551
#define PF_X 1
#define PF_W 2
#define PF_R 4

struct elf_ehdr {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_ehdr) == 64, "Elf64_Ehdr");

struct elf_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_phdr) == ELF_PHENT, "Elf64_Phdr");

long elf_header(struct elf_image *e, const void *file, size_t n)
{
	/* The last three bytes say 64 bits, little-endian, version 1. */
	static const uint8_t magic[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	struct elf_ehdr h;

	memset(e, 0, sizeof *e);
	if (n < sizeof h)
		return -ENOEXEC;
	memcpy(&h, file, sizeof h);
	if (memcmp(h.ident, magic, sizeof magic) != 0 || h.machine != EM_RISCV)
		return -ENOEXEC;
	if (h.type != ET_EXEC && h.type != ET_DYN)
		return -ENOEXEC;
	if (h.phentsize != ELF_PHENT || h.phnum == 0 || h.phnum > ELF_MAX_PHNUM ||
	    h.phoff > (1ull << 62))
		return -ENOEXEC;
	e->dynamic = h.type == ET_DYN;
	e->entry = h.entry;
	e->phoff = h.phoff;
	e->phnum = h.phnum;
	return 0;
}

static uint32_t protection(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

static long add_segment(struct elf_image *e, const struct elf_phdr *p, uint64_t file_size)
{
	struct elf_segment *s = &e->segments[e->nsegments];

	if (p->memsz == 0)
		return 0;
	if (e->nsegments == ELF_MAX_SEGMENTS)
		return -ENOEXEC;
	if (p->filesz > p->memsz || p->offset % PAGE != p->vaddr % PAGE)
		return -ENOEXEC;
	if (p->vaddr >= TERN_STACK_TOP || p->memsz > TERN_STACK_TOP - p->vaddr)
		return -ENOEXEC;
	if (!e->dynamic && p->vaddr < ELF_LOWEST)
		return -ENOEXEC;
	if (p->filesz && (p->offset > file_size || p->filesz > file_size - p->offset))
		return -ENOEXEC;
	if (e->nsegments && p->vaddr < s[-1].vaddr + s[-1].memsz)
		return -ENOEXEC;
	s->vaddr = p->vaddr;
	s->offset = p->offset;
	s->filesz = p->filesz;
	s->memsz = p->memsz;
	s->prot = protection(p->flags);
	if (!e->nsegments)
		e->low = p->vaddr & ~(PAGE - 1);
	e->high = (p->vaddr + p->memsz + PAGE - 1) & ~(PAGE - 1);
	if (e->phoff >= p->offset &&
	    e->phoff - p->offset + (uint64_t)e->phnum * ELF_PHENT <= p->filesz)
		e->phdr = p->vaddr + (e->phoff - p->offset);
	e->nsegments++;
	return 0;
}

long elf_segments(struct elf_image *e, const void *phdrs, uint64_t file_size)
{
	bool entry_ok = false;

	for (uint32_t i = 0; i < e->phnum; i++) {
		struct elf_phdr p;
		long r;

		memcpy(&p, (const char *)phdrs + (size_t)i * ELF_PHENT, sizeof p);
		switch (p.type) {
		case PT_LOAD:
			r = add_segment(e, &p, file_size);
			if (r < 0)
				return r;
			break;
		case PT_INTERP:
			if (e->interp_size)
				break;
			if (p.filesz < 2 || p.filesz > 4096 || p.offset > file_size ||
			    p.filesz > file_size - p.offset)
				return -ENOEXEC;
			e->interp_offset = p.offset;
			e->interp_size = p.filesz;
			break;
		case PT_GNU_STACK:
			e->stack_exec = (p.flags & PF_X) != 0;
			break;
		}
	}
	if (!e->nsegments)
		return -ENOEXEC;
	for (uint32_t i = 0; i < e->nsegments; i++)
		if (e->entry - e->segments[i].vaddr < e->segments[i].memsz)
			entry_ok = true;
	return entry_ok ? 0 : -ENOEXEC;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

long script_parse(const char *file, size_t n, char *interp, char *arg)
{
	size_t i = 2, end, start, len;

	if (n < 2 || file[0] != '#' || file[1] != '!')
		return 0;
	if (n > 256)
		n = 256;
	for (end = 2; end < n && file[end] != '\n' && file[end] != 0; end++)
		;
	while (i < end && blank(file[i]))
		i++;
	start = i;
	while (i < end && !blank(file[i]))
		i++;
	len = i - start;
	/* A path that reaches the end of the 256 bytes may go on behind them. */
	if (len == 0 || len > 255 || (i == n && n == 256))
		return -ENOEXEC;
	memcpy(interp, file + start, len);
	interp[len] = 0;
	while (i < end && blank(file[i]))
		i++;
	while (end > i && blank(file[end - 1]))
		end--;
	len = end - i;
	memcpy(arg, file + i, len);
	arg[len] = 0;
	return 1;
}
