/*
 * The boot archive's reader: names and sizes of all paddings, concatenated archives, malformed ones.
 * Archives are copied to allocations of exactly their size, so that the sanitizer sees any overrun.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <kernel/boot.h>
#include <kernel/lib/string.h>
#include <tern/linux/errno.h>

static char bytes[65536];
static size_t n;

/* name_pad: further NULs counted in the name's size. */
static void add(const char *name, unsigned mode, const char *data, size_t size, size_t name_pad)
{
	size_t name_size = strlen(name) + 1 + name_pad;

	n += (size_t)sprintf(bytes + n, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			     1, mode, 0, 0, 1, 0, (unsigned)size, 0, 0, 0, 0, (unsigned)name_size, 0);
	memset(bytes + n, 0, name_size + 3);
	memcpy(bytes + n, name, strlen(name));
	n = (n + name_size + 3) & ~3ul;
	if (size)
		memcpy(bytes + n, data, size);
	memset(bytes + n + size, 0, 3);
	n = (n + size + 3) & ~3ul;
}
static void add_file(const char *name, const char *data)
{
	add(name, 0100644, data, strlen(data), 0);
}
static void add_end(size_t zeroes)
{
	add("TRAILER!!!", 0, NULL, 0, 0);
	memset(bytes + n, 0, zeroes);
	n += zeroes;
}

static int reset(void **state)
{
	(void)state;
	n = 0;
	return 0;
}

/* The file's bytes as a string in `got`, or the error. */
static char got[256];
static int find(const char *path)
{
	char *copy = malloc(n ? n : 1);
	size_t off = 0, len = 0;
	int r;

	memcpy(copy, bytes, n);
	r = archive_find(copy, n, path, &off, &len);
	if (r == 0) {
		assert_true(off <= n && len <= n - off && len < sizeof got);
		memcpy(got, copy + off, len);
		got[len] = 0;
	}
	free(copy);
	return r;
}

static void test_plain(void **state)
{
	(void)state;
	add(".", 040755, NULL, 0, 0);
	add("boot", 040755, NULL, 0, 0);
	add_file("boot/pm", "the process manager");
	add_file("./boot/a", "");
	add_file("/abs", "12345");
	add_end(0);
	assert_int_equal(find("boot/pm"), 0);
	assert_string_equal(got, "the process manager");
	assert_int_equal(find("/boot/pm"), 0);
	assert_int_equal(find("boot/a"), 0);
	assert_string_equal(got, "");
	assert_int_equal(find("abs"), 0);
	assert_int_equal(find("boot"), -ENOENT); /* a folder */
	assert_int_equal(find("boot/p"), -ENOENT);
	assert_int_equal(find("TRAILER!!!"), -ENOENT);
	assert_int_equal(find(""), -ENOENT);
}

static void test_every_padding(void **state)
{
	(void)state;
	for (size_t name_pad = 0; name_pad < 9; name_pad++)
		for (size_t size = 0; size < 9; size++) {
			n = 0;
			add("first", 0100644, "abcdefghi", size, name_pad);
			add("second", 0100755, "SECOND", 6, 4000);
			assert_int_equal(find("first"), 0);
			assert_int_equal(strlen(got), size);
			assert_int_equal(find("second"), 0);
			assert_string_equal(got, "SECOND");
		}
}

static void test_concatenated(void **state)
{
	(void)state;
	add_file("one", "1");
	add_file("both", "old");
	add_end(512);
	add_file("two", "2");
	add_file("both", "new");
	add_end(4);
	add_end(0);
	assert_int_equal(find("one"), 0);
	assert_int_equal(find("two"), 0);
	assert_string_equal(got, "2");
	assert_int_equal(find("both"), 0);
	assert_string_equal(got, "new");
}

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(find("x"), -ENOENT);
	memset(bytes, 0, 64);
	n = 64;
	assert_int_equal(find("x"), -ENOENT);
}

static void test_truncated(void **state)
{
	size_t all;

	(void)state;
	add_file("file", "0123456789ab");
	all = n;
	for (n = 1; n < all; n++)
		assert_int_equal(find("file"), -EINVAL);
}

static void test_bad_headers(void **state)
{
	(void)state;
	add_file("file", "data");
	bytes[5] = '5';
	assert_int_equal(find("file"), -EINVAL);
	bytes[5] = '1';
	bytes[54] = 'g'; /* a digit of the size */
	assert_int_equal(find("file"), -EINVAL);
	memcpy(bytes + 54, "ffffffff", 8);
	assert_int_equal(find("file"), -EINVAL);
	memcpy(bytes + 54, "00000004", 8);
	memcpy(bytes + 94, "ffffffff", 8); /* the name's size */
	assert_int_equal(find("file"), -EINVAL);
	memcpy(bytes + 94, "00000000", 8);
	assert_int_equal(find("file"), -EINVAL);
	memcpy(bytes + 94, "00000004", 8); /* no NUL */
	assert_int_equal(find("file"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_plain, reset),
		cmocka_unit_test_setup(test_every_padding, reset),
		cmocka_unit_test_setup(test_concatenated, reset),
		cmocka_unit_test_setup(test_empty, reset),
		cmocka_unit_test_setup(test_truncated, reset),
		cmocka_unit_test_setup(test_bad_headers, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
