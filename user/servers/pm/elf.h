/* Reads what the first bytes of an executable file say: a header of ELF64 RISC-V, or a "#!" line.
 * Makes no calls, so host tests can use it. */
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
	bool dynamic; /* ET_DYN: the addresses are relative to a base that is chosen at execve */
	bool stack_exec;
	uint64_t entry, phoff;
	uint32_t phnum, nsegments;
	uint64_t phdr; /* the address of the program headers in memory; 0: no segment has them */
	uint64_t low, high; /* the page-aligned range of all segments */
	uint64_t interp_offset, interp_size; /* the interpreter's path in the file; size 0: none */
	struct elf_segment segments[ELF_MAX_SEGMENTS];
};

/* Checks the file header in `file` (n bytes) and fills entry, phoff, phnum and dynamic.  0,
 * -ENOEXEC. */
long elf_header(struct elf_image *e, const void *file, size_t n);
/* Checks the phnum program headers and fills the rest.  0, -ENOEXEC. */
long elf_segments(struct elf_image *e, const void *phdrs, uint64_t file_size);

/* Parses the "#!" line at the start of `file`.  Writes the interpreter's path and its argument
 * (empty if there is none) as strings to interp and arg, which hold 256 bytes each.  1: it is a
 * script; 0: it is none; -ENOEXEC: the line is malformed, or too long. */
long script_parse(const char *file, size_t n, char *interp, char *arg);
