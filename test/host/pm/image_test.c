/* pm's readers of hostile files and its builder of first stacks: ELF headers, "#!" lines, the
 * layout of argc, argv, envp and the auxiliary vector; then headers with random bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <elf.h>
#include <layout.h>
#include <linux/mman.h>
#include <stack.h>
#include <tern/abi.h>
#include <tern/linux/errno.h>

struct file {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	struct {
		uint32_t type, flags;
		uint64_t offset, vaddr, paddr, filesz, memsz, align;
	} ph[4];
};

static struct file good(void)
{
	struct file f = { .ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
			  .type = 2,
			  .machine = 243,
			  .entry = 0x10100,
			  .phoff = 64,
			  .phentsize = 56,
			  .phnum = 2 };

	f.ph[0].type = 1;
	f.ph[0].flags = 5;
	f.ph[0].vaddr = 0x10000;
	f.ph[0].filesz = f.ph[0].memsz = 0x1000;
	f.ph[1].type = 1;
	f.ph[1].flags = 6;
	f.ph[1].vaddr = 0x12000;
	f.ph[1].offset = 0x1000;
	f.ph[1].filesz = 0x10;
	f.ph[1].memsz = 0x3000;
	return f;
}

static long parse(const struct file *f, struct elf_image *e)
{
	long r = elf_header(e, f, sizeof *f);

	if (r < 0)
		return r;
	if (e->phoff + (uint64_t)e->phnum * ELF_PHENT > sizeof *f)
		return -ENOEXEC;
	return elf_segments(e, (const char *)f + e->phoff, 0x2000);
}

static void test_elf(void **state)
{
	struct file f = good();
	struct elf_image e;

	(void)state;
	assert_int_equal(parse(&f, &e), 0);
	assert_int_equal(e.nsegments, 2);
	assert_int_equal(e.phdr, 0x10040);
	assert_int_equal(e.low, 0x10000);
	assert_int_equal(e.high, 0x15000);
	assert_int_equal(e.segments[0].prot, PROT_READ | PROT_EXEC);
#define BAD(change)                                                                      \
	do {                                                                             \
		f = good();                                                              \
		change;                                                                  \
		assert_int_equal(parse(&f, &e), -ENOEXEC);                               \
	} while (0)
	BAD(f.ident[0] = 0);
	BAD(f.ident[4] = 1);
	BAD(f.machine = 62);
	BAD(f.type = 1);
	BAD(f.phnum = 0);
	BAD(f.phentsize = 32);
	BAD(f.phoff = ~0ull);
	BAD(f.entry = 0x20000);
	BAD(f.ph[0].vaddr = 0);				    /* below the lowest address */
	BAD(f.ph[1].vaddr = 0x10800; f.ph[1].offset = 0x800); /* overlaps */
	BAD(f.ph[1].filesz = 0x4000);			    /* more than in memory */
	BAD(f.ph[1].offset = 0x1008);			    /* not congruent */
	BAD(f.ph[1].memsz = ~0ull);
	BAD(f.ph[1].vaddr = TERN_STACK_TOP - 0x1000);
	BAD(f.ph[1].offset = 0x8000);			    /* behind the end of the file */
	BAD(f.ph[1].type = 3; f.ph[1].filesz = 5000);	    /* interpreter's name too long */
	BAD(f.ph[0].type = 0; f.ph[1].type = 0);	    /* nothing to load */
	f = good();
	f.type = 3;
	f.ph[0].vaddr = 0;
	f.entry = 0x100;
	f.ph[1].vaddr = 0x2000;
	assert_int_equal(parse(&f, &e), 0);
	assert_true(e.dynamic);
	assert_int_equal(elf_header(&e, &f, 10), -ENOEXEC);
}

static void test_elf_random(void **state)
{
	struct elf_image e;

	(void)state;
	srand(7);
	for (int i = 0; i < 200000; i++) {
		struct file f = good();

		for (int k = rand() % 6; k >= 0; k--)
			((uint8_t *)&f)[16 + (unsigned)rand() % (sizeof f - 16)] = (uint8_t)rand();
		if (parse(&f, &e) < 0)
			continue;
		for (uint32_t s = 0; s < e.nsegments; s++) {
			const struct elf_segment *g = &e.segments[s];

			assert_true(g->vaddr + g->memsz <= TERN_STACK_TOP);
			assert_true(g->filesz <= g->memsz);
			assert_true(s == 0 || g->vaddr >= g[-1].vaddr + g[-1].memsz);
			assert_true(e.dynamic || g->vaddr >= ELF_LOWEST);
		}
	}
}

static void script(const char *text, long want, const char *interp, const char *arg)
{
	char a[256], b[256];

	assert_int_equal(script_parse(text, strlen(text), a, b), want);
	if (want == 1) {
		assert_string_equal(a, interp);
		assert_string_equal(b, arg);
	}
}

static void test_script(void **state)
{
	char longline[400];

	(void)state;
	script("#!/bin/sh\necho", 1, "/bin/sh", "");
	script("#! /bin/sh -e -x  \n", 1, "/bin/sh", "-e -x");
	script("#!/bin/sh", 1, "/bin/sh", "");
	script("#!\n", -ENOEXEC, "", "");
	script("#!   \n", -ENOEXEC, "", "");
	script("echo", 0, "", "");
	script("#", 0, "", "");
	memset(longline, 'a', sizeof longline);
	memcpy(longline, "#!/", 3);
	longline[399] = 0;
	script(longline, -ENOEXEC, "", "");
}

static void test_stack(void **state)
{
	static const char argv[] = "ls\0-l", envp[] = "A=b\0HOME=/";
	struct stack_input in = { .argv = argv,
				  .argv_size = sizeof argv,
				  .envp = envp,
				  .envp_size = sizeof envp,
				  .execfn = "/bin/ls",
				  .entry = 0x1234,
				  .vdso = 0x5000 };
	struct stack_output out;
	uint64_t top = 0x3fff000000, *v;
	size_t size = stack_size(&in);
	char *buf = aligned_alloc(16, size);
	int entry = 0, i;

	(void)state;
	assert_int_equal(stack_check(&in, 131072), 0);
	assert_int_equal(stack_check(&in, 16), -E2BIG);
	stack_build(&in, top, buf, &out);
#define AT(va) (buf + ((va) - out.sp))
	assert_int_equal(out.sp % 16, 0);
	assert_int_equal(out.sp + size, top);
	v = (uint64_t *)buf;
	assert_int_equal(v[0], 2);
	assert_string_equal(AT(v[1]), "ls");
	assert_string_equal(AT(v[2]), "-l");
	assert_int_equal(v[3], 0);
	assert_string_equal(AT(v[4]), "A=b");
	assert_string_equal(AT(v[5]), "HOME=/");
	assert_int_equal(v[6], 0);
	assert_int_equal(out.auxv, out.sp + 7 * 8);
	for (i = 7; v[i]; i += 2) {
		if (v[i] == 9)
			entry = v[i + 1] == 0x1234;
		if (v[i] == 31)
			assert_string_equal(AT(v[i + 1]), "/bin/ls");
	}
	assert_true(entry);
	assert_int_equal(out.auxv + out.auxv_size, out.sp + (uint64_t)(i + 2) * 8);
	assert_int_equal(out.arg_end - out.arg_start, sizeof argv);
	assert_int_equal(out.env_end - out.env_start, sizeof envp);
	assert_memory_equal(AT(out.arg_start), argv, sizeof argv);
	free(buf);
}

static void test_stack_limits(void **state)
{
	char *big = calloc(1, 200000);
	struct stack_input in = { .argv = big, .execfn = "x" };

	(void)state;
	memset(big, 'a', STACK_MAX_STRING - 1);
	in.argv_size = STACK_MAX_STRING;
	assert_int_equal(stack_check(&in, 1 << 20), 0);
	big[STACK_MAX_STRING - 1] = 'a';
	in.argv_size = STACK_MAX_STRING + 1;
	assert_int_equal(stack_check(&in, 1 << 20), -E2BIG);
	free(big);
}

/* Whatever the numbers and the limit, the parts stay in order and in the user half. */
static void test_layout(void **state)
{
	static const uint64_t limits[] = { 0, 8u << 20, 1ull << 30, 1ull << 37, ~0ull };
	struct layout l, fixed;

	(void)state;
	srand(1);
	layout_choose(&fixed, (uint64_t[4]){ 1, 2, 3, 4 }, false, 8u << 20);
	for (int i = 0; i < 10000; i++) {
		uint64_t limit = limits[i % 5], w[4];

		for (int k = 0; k < 4; k++)
			w[k] = i < 5 ? ~0ull : (uint64_t)rand() << 32 ^ (uint64_t)rand();
		layout_choose(&l, w, true, limit);
		assert_true(l.stack_top <= TERN_STACK_TOP && l.mmap_top < l.stack_top);
		assert_true(l.stack_top - l.mmap_top >= 128u << 20);
		assert_true(limit > TERN_STACK_TOP / 2 || l.stack_top - l.mmap_top >= limit);
		if (limit < TERN_STACK_TOP / 8)
			assert_true(l.pie_base + l.brk_shift < l.mmap_top);
		assert_true(l.mmap_top > 1ull << 30);
		assert_int_equal((l.stack_top | l.mmap_top | l.pie_base | l.brk_shift) & 4095, 0);
		layout_choose(&l, w, false, 8u << 20);
		assert_memory_equal(&l, &fixed, sizeof l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),	    cmocka_unit_test(test_elf_random),
		cmocka_unit_test(test_script),	    cmocka_unit_test(test_stack),
		cmocka_unit_test(test_stack_limits), cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
