/* pm's reader of the boot archive and its growing text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cpio.h>
#include <tern/linux/errno.h>
#include <text.h>

static char archive[16384];
static size_t length;

static void add(const char *name, unsigned mode, const char *data, unsigned extra_nuls)
{
	size_t n = strlen(name) + 1 + extra_nuls, k = strlen(data);

	length += (size_t)sprintf(archive + length,
				  "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 0,
				  0, 1, 0, (unsigned)k, 0, 0, 0, 0, (unsigned)n, 0);
	memset(archive + length, 0, n);
	memcpy(archive + length, name, strlen(name));
	length += n;
	while (length % 4)
		archive[length++] = 0;
	memcpy(archive + length, data, k);
	length += k;
	while (length % 4)
		archive[length++] = 0;
}

static long reader(void *arg, uint64_t off, void *buf, size_t n)
{
	(void)arg;
	if (off >= length)
		return 0;
	if (n > length - off)
		n = length - off;
	memcpy(buf, archive + off, n);
	return (long)n;
}

static void expect(const char *name, const char *data)
{
	struct cpio_file f;

	assert_int_equal(cpio_find(reader, NULL, length, name, &f), 0);
	assert_int_equal(f.size, strlen(data));
	assert_memory_equal(archive + f.offset, data, f.size);
}

static void test_cpio(void **state)
{
	struct cpio_file f;

	(void)state;
	length = 0;
	add("boot", 040755, "", 0);
	add("boot/vfs", 0100755, "first vfs", 3000);
	add("./boot/tty", 0100755, "tty!", 0);
	add("TRAILER!!!", 0, "", 0);
	memset(archive + length, 0, 512);
	length += 512;
	add("/boot/vfs", 0100755, "second one", 700);
	add("TRAILER!!!", 0, "", 0);
	expect("boot/vfs", "second one");
	expect("boot/tty", "tty!");
	assert_int_equal(cpio_find(reader, NULL, length, "boot", &f), -ENOENT);
	assert_int_equal(cpio_find(reader, NULL, length, "boot/pipe", &f), -ENOENT);
	memcpy(archive + 54, "ffffffff", 8);
	assert_int_equal(cpio_find(reader, NULL, length, "boot/vfs", &f), -EINVAL);
	archive[54] = 'x';
	assert_int_equal(cpio_find(reader, NULL, length, "boot/vfs", &f), -EINVAL);
}

static void test_cpio_random(void **state)
{
	struct cpio_file f;

	(void)state;
	srand(3);
	for (int i = 0; i < 50000; i++) {
		length = 0;
		add("boot/vfs", 0100755, "first vfs", 3);
		add("boot/tty", 0100755, "tty!", 0);
		for (int k = 0; k < 4; k++)
			archive[(size_t)rand() % length] = (char)(rand() & 1 ? "0123456789abcdef"[rand() & 15]
								  : rand());
		if (cpio_find(reader, NULL, length, "boot/tty", &f) == 0)
			assert_true(f.offset + f.size <= length);
	}
}

static void test_text(void **state)
{
	struct text t = { 0 };
	char longer[2000];

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%d\n", i);
	assert_int_equal(t.length, 10 * 2 + 90 * 3 + 900 * 4);
	text_printf(&t, "%s", longer);
	assert_int_equal(t.length, 3890 + 1999);
	assert_memory_equal(t.p + 3890, longer, 1999);
	text_append(&t, "end", 3);
	assert_false(t.failed);
	text_free(&t);
	assert_int_equal(t.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpio),
		cmocka_unit_test(test_cpio_random),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
