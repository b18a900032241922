/* The first stack of a program, as the riscv64 Linux ABI lays it out: argc, argv, envp, the
 * auxiliary vector, strings.  Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STACK_MAX_STRING 131072 /* execve(2): of one argument or environment string */
#define STACK_HWCAP 0x112dull	/* rv64imafdc: one bit a letter */

/* Strings are packed: each with its NUL, one behind the other. */
struct stack_input {
	const char *prefix; /* arguments before argv: what "#!" lines put there */
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
	uint64_t sp; /* 16-byte aligned; the image's first byte goes there */
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t auxv, auxv_size;
};

/* 0, or -E2BIG: a string is longer than STACK_MAX_STRING, or all of it exceeds `limit`. */
long stack_check(const struct stack_input *in, size_t limit);
/* Bytes of the image below `top`. */
size_t stack_size(const struct stack_input *in);
/* Writes the image that ends at `top` (a multiple of 16) into buf, stack_size() bytes. */
void stack_build(const struct stack_input *in, uint64_t top, void *buf, struct stack_output *out);
