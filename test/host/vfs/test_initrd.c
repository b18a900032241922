/* The boot archive becomes the root: moved pages, copied tails, links, replaced files, /dev. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char archive[256 * 1024];
static size_t used;
static char big[3 * 4096 + 100];

/* page: the data begins on a page, with NULs behind the name, as tools/cpio.py does it. */
static void put(const char *name, unsigned mode, unsigned ino, unsigned nlink, const char *data,
		size_t size, bool page)
{
	size_t name_size = strlen(name) + 1;

	if (page)
		name_size = ((used + 110 + name_size + 4095) & ~4095ul) - used - 110;
	used += (size_t)sprintf(archive + used,
				"070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", ino,
				mode, 0, 0, nlink, 99, size, 0, 0, 5, 1, name_size, 0);
	memcpy(archive + used, name, strlen(name));
	used = (used + name_size + 3) & ~3ul;
	memcpy(archive + used, data, size);
	used = (used + size + 3) & ~3ul;
}

static void expect(const char *path, const char *data, size_t size)
{
	static char buf[64 * 1024];
	long fd = c_open(path, O_RDONLY, 0);

	assert_true(fd >= 0);
	memset(buf, 0x55, sizeof buf);
	assert_int_equal(c_read(fd, buf, sizeof buf), (long)size);
	assert_memory_equal(buf, data, size);
	fake_close((int)fd);
}

static void load(void **state)
{
	struct stat st;
	char link[16];
	struct file *f;
	long fd;

	(void)state;
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7 + i / 4096);
	put(".", S_IFDIR | 0711, 1, 2, "", 0, false);
	put("bin/prog", S_IFREG | 0755, 2, 1, big, sizeof big, true);
	put("bin/whole", S_IFREG | 0755, 3, 1, big, 8192, true);
	put("bin/old", S_IFREG | 0755, 4, 1, big, 8192, true);
	put("odd", S_IFREG | 0644, 5, 1, big, 5000, false);
	put("bin/sh", S_IFLNK | 0777, 6, 1, "prog", 4, false);
	put("dev/console", S_IFCHR | 0600, 7, 1, "", 0, false);
	put("dev/extra", S_IFCHR | 0600, 8, 1, "", 0, false);
	put("proc", S_IFDIR | 0700, 9, 1, "", 0, false);
	put("proc/x", S_IFREG | 0700, 10, 1, "", 0, false);
	put("a/../b", S_IFREG | 0700, 11, 1, "", 0, false);
	put("odd/x", S_IFREG | 0700, 12, 1, "", 0, false);
	put("TRAILER!!!", 0, 0, 1, "", 0, false);
	used += 1000;
	used &= ~511ul;
	put("bin/old", S_IFREG | 0700, 13, 1, "new", 3, false);
	put("one", S_IFREG | 0644, 20, 2, "", 0, false);
	put("two", S_IFREG | 0644, 20, 2, "both", 4, false);
	put("TRAILER!!!", 0, 0, 1, "", 0, false);
	fake_init(archive, used);
	expect("/bin/prog", big, sizeof big);
	expect("/bin/sh", big, sizeof big);
	expect("/bin/whole", big, 8192);
	expect("/bin/old", "new", 3);
	expect("/odd", big, 5000);
	expect("/one", "both", 4);
	assert_int_equal(c_stat("/two", &st), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(c_stat("/", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0711);
	assert_int_equal(c_stat("/bin", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(c_stat("/proc", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0555);
	assert_int_equal(c_stat("/dev/extra", &st), 0);
	assert_int_equal(st.st_rdev, 0x501);
	assert_int_equal(c_stat("/b", &st), -ENOENT);
	assert_int_equal(c_readlink("/bin/sh", link, sizeof link), 4);
	/* Behind the end there is nothing: growing shows zeros. */
	fd = c_open("/bin/prog", O_RDWR, 0);
	f = file_of(fake_fds[fd].badge);
	assert_int_equal(call(46, (uint64_t)fd, sizeof big + 16, 0, 0, 0, 0), 0);
	assert_int_equal(call(67, (uint64_t)fd, P(link), 16, sizeof big, 0, 0), 16);
	assert_memory_equal(link, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(f->at.node->size, sizeof big + 16);
	fake_close((int)fd);
	tree_check(root_mount->root);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(load) };

	return cmocka_run_group_tests_name("boot archive", tests, NULL, NULL);
}
