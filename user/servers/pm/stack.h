/* Builds the first stack of a program as the riscv64 Linux ABI lays it out: argc, argv, envp, the
 * auxiliary vector, strings.  Makes no calls, so host tests can use it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STACK_MAX_STRING 131072 /* execve(2): the longest argument or environment string */
#define STACK_HWCAP 0x112dull	/* AT_HWCAP of rv64imafdc: bit 0 for a, 2 for c, and so on */

/* The strings of prefix, argv and envp lie one behind the other, each with its NUL. */
struct stack_input {
	const char *prefix; /* arguments that "#!" lines put before argv */
	size_t prefix_size;
	const char *argv;
	size_t argv_size;
	const char *envp;
	size_t envp_size;
	const char *execfn;
	uint64_t phdr, phnum, base, entry, vdso;
	uint32_t uid, euid, gid, egid, secure;
	uint8_t random[16];
};

struct stack_output {
	uint64_t sp; /* the address of the image's first byte, 16-byte aligned */
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t auxv, auxv_size;
};

/* Checks the lengths: 0; -E2BIG: a string is longer than STACK_MAX_STRING, or all strings and the
 * pointers to them need more than `limit` bytes. */
long stack_check(const struct stack_input *in, size_t limit);
/* The size of the image in bytes. */
size_t stack_size(const struct stack_input *in);
/* Writes the image into buf, stack_size() bytes, as it will lie in the program's memory, where it
 * ends at `top` (a multiple of 16). */
void stack_build(const struct stack_input *in, uint64_t top, void *buf, struct stack_output *out);
