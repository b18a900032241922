/* What exec.c (the request) and image.c (the new space) share. */
#pragma once

#include "elf.h"
#include "pm.h"

/* Argument strings are first read into a buffer of this size from the heap; if they need more,
 * larger ones from mmap are tried. */
#define ARGS_FIRST 0x4000ul

/* A buffer with strings one behind the other, each with its NUL. */
struct packed {
	char *p;
	size_t size, room;
};

struct exec {
	uint64_t token; /* the execve call; 0: pm starts pid 1 */
	uint64_t badge; /* the caller's process in pm.procs */
	uint32_t tid;
	int depth; /* how many "#!" lines led to the program */
	int program, interp; /* memory objects of the program and the ELF interpreter, or -1 */
	bool opening_interp;
	uint64_t ident; /* vfs's ident of the program */
	/* The owners of files with set-id bits; mode is 0 for others.  An ELF interpreter's is
	 * asked for as well, but does not count. */
	struct tern_exec_owner owner, interp_owner;
	size_t limit; /* the most bytes that arguments and environment may have */
	uint64_t stack_limit;
	struct packed argv, envp, prefix;
	struct elf_image image, interp_image;
	void (*done)(long result);
	struct tern_caller caller;
	char comm[16];
	char execfn[PATH_MAX + 32];
	char path[PATH_MAX];
};

bool packed_alloc(struct packed *k, size_t room); /* false: no memory, and k->p is NULL */
void packed_free(struct packed *k);

/* Builds the new space of an execve whose files have all been read and checked, and has the kernel
 * give it to the process.  0; or an errno, and nothing has changed for the caller. */
long exec_commit(struct exec *x);
