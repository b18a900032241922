/* Archives as boot loaders pass them, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <vfs.h>

#include <cmocka.h>

static char archive[8192];
static size_t used;
static char seen[1024];

static void put(const char *name, unsigned name_size, unsigned mode, const char *data)
{
	used += (size_t)sprintf(archive + used, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08x%08x",
				7, mode, 1, 2, 1, 99, strlen(data), 0, 0, 5, 1, name_size, 0);
	strcpy(archive + used, name);
	used = (used + name_size + 3) & ~3ul;
	strcpy(archive + used, data);
	used = (used + strlen(data) + 3) & ~3ul;
}

static long note(void *ctx, const struct cpio_entry *e)
{
	(void)ctx;
	sprintf(seen + strlen(seen), "%s %o %.*s;", e->name, e->mode, (int)e->size, archive + e->data);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	memset(archive, 0, sizeof archive);
	memset(seen, 0, sizeof seen);
	used = 0;
	return 0;
}

static void good(void **state)
{
	(void)state;
	put(".", 2, 040755, "");
	put("./a", 4, 0100644, "text");
	put("b/c", 20, 0100600, "more text");
	put("TRAILER!!!", 11, 0, "");
	used += 512;
	put("/d", 3, 0120777, "a");
	put("TRAILER!!!", 11, 0, "");
	assert_int_equal(cpio_read(archive, used + 100, note, NULL), 0);
	assert_string_equal(seen, " 40755 ;a 100644 text;b/c 100600 more text;d 120777 a;");
}

static void bad(void **state)
{
	(void)state;
	put("a", 2, 0100644, "text");
	assert_int_equal(cpio_read(archive, 50, note, NULL), -EINVAL);
	assert_int_equal(cpio_read(archive, used - 3, note, NULL), -EINVAL);
	archive[5] = '7';
	assert_int_equal(cpio_read(archive, used, note, NULL), -EINVAL);
	clear(NULL);
	put("a", 2, 0100644, "text");
	memcpy(archive + 6 + 8 * 6, "fffffff0", 8);
	assert_int_equal(cpio_read(archive, used, note, NULL), -EINVAL);
	clear(NULL);
	put("a", 2, 0100644, "text");
	archive[20] = 'x';
	assert_int_equal(cpio_read(archive, used, note, NULL), -EINVAL);
	assert_string_equal(seen, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good, clear),
		cmocka_unit_test_setup(bad, clear),
	};

	return cmocka_run_group_tests_name("cpio", tests, NULL, NULL);
}
