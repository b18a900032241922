/* Builds the first stack.  From the top down lie a zero word, the file's name, the environment
 * strings, the argument strings, 16 random bytes, and then the vectors, with argc at a 16-byte
 * aligned sp.
 */
#include "stack.h"
#include <string.h>
#include <tern/linux/errno.h>

#define AUXV_PAIRS 19

enum {
	AT_NULL,
	AT_PHDR = 3,
	AT_PHENT = 4,
	AT_PHNUM = 5,
	AT_PAGESZ = 6,
	AT_BASE = 7,
	AT_FLAGS = 8,
	AT_ENTRY = 9,
	AT_UID = 11,
	AT_EUID = 12,
	AT_GID = 13,
	AT_EGID = 14,
	AT_HWCAP = 16,
	AT_CLKTCK = 17,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_EXECFN = 31,
	AT_SYSINFO_EHDR = 33,
};

static size_t strings(const char *packed, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += packed[i] == 0;
	return n;
}

static long check_lengths(const char *packed, size_t size)
{
	size_t start = 0;

	for (size_t i = 0; i < size; i++) {
		if (packed[i] == 0) {
			if (i + 1 - start > STACK_MAX_STRING)
				return -E2BIG;
			start = i + 1;
		}
	}
	return 0;
}

static size_t argument_count(const struct stack_input *in)
{
	return strings(in->prefix, in->prefix_size) + strings(in->argv, in->argv_size);
}

long stack_check(const struct stack_input *in, size_t limit)
{
	size_t total = in->prefix_size + in->argv_size + in->envp_size;

	if (check_lengths(in->argv, in->argv_size) < 0 || check_lengths(in->envp, in->envp_size) < 0)
		return -E2BIG;
	total += 8 * (argument_count(in) + strings(in->envp, in->envp_size));
	return total > limit ? -E2BIG : 0;
}

static size_t string_area(const struct stack_input *in)
{
	size_t n = 8 + strlen(in->execfn) + 1 + in->envp_size + in->argv_size + in->prefix_size + 16;

	return (n + 15) & ~(size_t)15;
}

static size_t vector_area(const struct stack_input *in)
{
	size_t words = 1 + argument_count(in) + 1 + strings(in->envp, in->envp_size) + 1;

	return (words * 8 + AUXV_PAIRS * 16 + 15) & ~(size_t)15;
}

size_t stack_size(const struct stack_input *in)
{
	return string_area(in) + vector_area(in);
}

/* Writes to v the addresses of the strings in `packed`, which will lie at address va; returns
 * the place behind them. */
static uint64_t *pointers(uint64_t *v, const char *packed, size_t size, uint64_t va)
{
	size_t start = 0;

	for (size_t i = 0; i < size; i++) {
		if (packed[i] == 0) {
			*v++ = va + start;
			start = i + 1;
		}
	}
	return v;
}

void stack_build(const struct stack_input *in, uint64_t top, void *buf, struct stack_output *out)
{
	size_t size = stack_size(in), fn = strlen(in->execfn) + 1;
	uint64_t sp = top - size;
	char *image = buf;
	uint64_t at = top - 8, execfn, env, args, prefix, random;
	uint64_t *v = buf;

	memset(image, 0, size);
#define PLACE(where, from, n)                                                            \
	do {                                                                             \
		at -= (n);                                                               \
		(where) = at;                                                            \
		if (n)                                                                   \
			memcpy(image + (at - sp), from, n);                              \
	} while (0)
	PLACE(execfn, in->execfn, fn);
	PLACE(env, in->envp, in->envp_size);
	PLACE(args, in->argv, in->argv_size);
	PLACE(prefix, in->prefix, in->prefix_size);
	PLACE(random, in->random, sizeof in->random);
#undef PLACE
	out->sp = sp;
	out->arg_start = prefix;
	out->arg_end = env;
	out->env_start = env;
	out->env_end = execfn;

	*v++ = argument_count(in);
	v = pointers(v, in->prefix, in->prefix_size, prefix);
	v = pointers(v, in->argv, in->argv_size, args);
	*v++ = 0;
	v = pointers(v, in->envp, in->envp_size, env);
	*v++ = 0;
	out->auxv = sp + (uint64_t)((char *)v - image);
#define AUX(type, value) (*v++ = (type), *v++ = (value))
	if (in->vdso)
		AUX(AT_SYSINFO_EHDR, in->vdso);
	AUX(AT_HWCAP, STACK_HWCAP);
	AUX(AT_PAGESZ, 4096);
	AUX(AT_CLKTCK, 100);
	AUX(AT_PHDR, in->phdr);
	AUX(AT_PHENT, 56);
	AUX(AT_PHNUM, in->phnum);
	AUX(AT_BASE, in->base);
	AUX(AT_FLAGS, 0);
	AUX(AT_ENTRY, in->entry);
	AUX(AT_UID, in->uid);
	AUX(AT_EUID, in->euid);
	AUX(AT_GID, in->gid);
	AUX(AT_EGID, in->egid);
	AUX(AT_SECURE, in->secure);
	AUX(AT_RANDOM, random);
	AUX(AT_EXECFN, execfn);
	AUX(AT_NULL, 0);
#undef AUX
	out->auxv_size = sp + (uint64_t)((char *)v - image) - out->auxv;
}
