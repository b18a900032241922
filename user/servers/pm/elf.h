/* Reading what an executable file's first bytes say: ELF64 RISC-V, or a "#!" line.  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_PHENT 56
#define ELF_MAX_SEGMENTS 32
#define ELF_MAX_PHNUM (65536 / ELF_PHENT)
#define ELF_LOWEST 0x10000ull /* the first 64 KiB are never mapped */

struct elf_segment {
	uint64_t vaddr, offset, filesz, memsz;
	uint32_t prot; /* PROT_* */
};

struct elf_image {
	bool dynamic; /* ET_DYN: addresses are relative to a base that the loader chooses */
	bool stack_exec;
	uint64_t entry, phoff;
	uint32_t phnum, nsegments;
	uint64_t phdr; /* address of the program headers in memory, 0: not mapped */
	uint64_t low, high; /* of all segments, page-aligned */
	uint64_t interp_offset, interp_size; /* PT_INTERP; size 0: none */
	struct elf_segment segments[ELF_MAX_SEGMENTS];
};

/* Checks the file header in `file` (n bytes); fills entry, phoff, phnum, dynamic.  0, -ENOEXEC. */
long elf_header(struct elf_image *e, const void *file, size_t n);
/* Goes through the phnum program headers.  0, -ENOEXEC. */
long elf_segments(struct elf_image *e, const void *phdrs, uint64_t file_size);

/* Parses the "#!" line at the start of `file`: NUL-ended strings into interp and arg (arg[0] = 0:
 * none).  1: a script; 0: none; -ENOEXEC: a malformed or cut line.  Both buffers hold 256 bytes. */
long script_parse(const char *file, size_t n, char *interp, char *arg);
