/* What exec.c (the request) and image.c (the new space) share. */
#pragma once

#include "elf.h"
#include "pm.h"

#define ARGS_FIRST 0x4000ul /* room for arguments at first; more than this comes from mmap */

/* Strings, each with its NUL, one behind the other. */
struct packed {
	char *p;
	size_t size, room;
};

struct exec {
	uint64_t token; /* 0: pid 1's start */
	uint64_t badge; /* of the process */
	uint32_t tid;
	int depth;
	int program, interp; /* memobjs, -1 */
	bool opening_interp;
	uint64_t ident;
	/* Of files with set-id bits, else mode is 0; those of an ELF interpreter do not count. */
	struct tern_exec_owner owner, interp_owner;
	size_t limit; /* of the arguments, bytes */
	uint64_t stack_limit;
	struct packed argv, envp, prefix;
	struct elf_image image, interp_image;
	void (*done)(long result);
	struct tern_caller caller;
	char comm[16];
	char execfn[PATH_MAX + 32];
	char path[PATH_MAX];
};

bool packed_alloc(struct packed *k, size_t room); /* k->p is NULL if it fails */
void packed_free(struct packed *k);

/* Everything is read and checked: builds the space and commits.  0, or an errno and nothing has
 * changed for the caller. */
long exec_commit(struct exec *x);
