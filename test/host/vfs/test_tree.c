/* vfs behind its calls: names, rules, errnos, as a program sees them. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define assert_err(call_, errno_) assert_int_equal((call_), -(errno_))

static struct stat st;

static int setup(void **state)
{
	(void)state;
	fake_init(NULL, 0);
	assert_int_equal(c_mkdir("/tmp", 01777), 0);
	assert_int_equal(c_chmod("/tmp", 01777), 0);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	long fd = c_open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(c_write(fd, text, strlen(text)), (long)strlen(text));
	fake_close((int)fd);
}

static void expect_file(const char *path, const char *text)
{
	char buf[256] = { 0 };
	long fd = c_open(path, O_RDONLY, 0);

	assert_true(fd >= 0);
	assert_int_equal(c_read(fd, buf, sizeof buf), (long)strlen(text));
	assert_string_equal(buf, text);
	fake_close((int)fd);
}

static void contents(void **state)
{
	char buf[16];
	long fd;

	(void)state;
	write_file("/tmp/f", "hello");
	expect_file("/tmp/f", "hello");
	assert_int_equal(c_stat("/tmp/f", &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_blocks, 8);
	fd = c_open("/tmp/f", O_RDWR | O_APPEND, 0);
	assert_int_equal(c_write(fd, " you", 4), 4);
	assert_int_equal(c_lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(c_read(fd, buf, 3), 3);
	assert_memory_equal(buf, "hel", 3);
	assert_int_equal(c_write(fd, "!", 1), 1);
	assert_int_equal(c_lseek(fd, 0, SEEK_CUR), 10);
	assert_int_equal(c_read(fd, buf, 3), 0);
	assert_int_equal(call(67, (uint64_t)fd, P(buf), 16, 6, 0, 0), 4);
	assert_memory_equal(buf, "you!", 4);
	assert_err(call(67, (uint64_t)fd, P(buf), 16, (uint64_t)-1, 0, 0), EINVAL);
	assert_int_equal(call(46, (uint64_t)fd, 2, 0, 0, 0, 0), 0);
	expect_file("/tmp/f", "he");
	assert_int_equal(call(46, (uint64_t)fd, 4, 0, 0, 0, 0), 0);
	assert_int_equal(call(67, (uint64_t)fd, P(buf), 16, 0, 0, 0), 4);
	assert_memory_equal(buf, "he\0\0", 4);
	assert_err(c_lseek(fd, -1, SEEK_SET), EINVAL);
	assert_err(c_lseek(fd, 4, SEEK_DATA), ENXIO);
	assert_int_equal(c_lseek(fd, 1, SEEK_HOLE), 4);
	assert_int_equal(c_lseek(fd, 1, SEEK_DATA), 1);
	assert_int_equal(call(25, (uint64_t)fd, F_GETFL, 0, 0, 0, 0), O_RDWR | O_APPEND | O_LARGEFILE);
	assert_err(c_read(fd, NULL, 3), EFAULT);
	fake_close((int)fd);
	fd = c_open("/tmp/f", O_RDONLY, 0);
	assert_err(c_write(fd, "x", 1), EBADF);
	assert_err(call(46, (uint64_t)fd, 0, 0, 0, 0, 0), EINVAL);
	fake_close((int)fd);
	/* holes */
	fd = c_open("/tmp/hole", O_CREAT | O_RDWR, 0600);
	assert_int_equal(c_lseek(fd, 100000, SEEK_SET), 100000);
	assert_int_equal(c_write(fd, "x", 1), 1);
	assert_int_equal(call(67, (uint64_t)fd, P(buf), 4, 99998, 0, 0), 3);
	assert_memory_equal(buf, "\0\0x", 3);
	fake_close((int)fd);
	assert_int_equal(c_unlink("/tmp/hole"), 0);
	assert_int_equal(c_unlink("/tmp/f"), 0);
	assert_err(c_open("/tmp/f", O_RDONLY, 0), ENOENT);
	call(81, 0, 0, 0, 0, 0, 0);
	c_stat("/", &st);
	assert_int_equal(fake_memobjs(), 0);
}

static void vectors(void **state)
{
	char a[4], b[8];
	uint64_t in[4] = { P("abc"), 3, P("defgh"), 5 }, out[4] = { P(a), 3, P(b), 8 };
	long fd = c_open("/tmp/v", O_CREAT | O_RDWR, 0600);

	(void)state;
	assert_int_equal(call(66, (uint64_t)fd, P(in), 2, 0, 0, 0), 8);
	c_lseek(fd, 1, SEEK_SET);
	assert_int_equal(call(65, (uint64_t)fd, P(out), 2, 0, 0, 0), 7);
	assert_memory_equal(a, "bcd", 3);
	assert_memory_equal(b, "efgh", 4);
	assert_int_equal(c_lseek(fd, 0, SEEK_CUR), 8);
	assert_int_equal(call(287, (uint64_t)fd, P(in), 1, 2, 0, 16), 3); /* RWF_APPEND */
	assert_int_equal(c_lseek(fd, 0, SEEK_END), 11);
	assert_err(call(286, (uint64_t)fd, P(out), 2, 0, 0, 0x100), EOPNOTSUPP);
	assert_int_equal(call(69, (uint64_t)fd, P(out), 2, 8, 0, 0), 3);
	assert_memory_equal(a, "abc", 3);
	fake_close((int)fd);
	c_unlink("/tmp/v");
}

static void limits(void **state)
{
	long fd = c_open("/tmp/l", O_CREAT | O_RDWR, 0600);

	(void)state;
	fake_caller.limit_fsize = 10;
	assert_int_equal(c_write(fd, "0123456789abc", 13), 10);
	assert_int_equal(fake_signal, 0);
	assert_err(c_write(fd, "x", 1), EFBIG);
	assert_int_equal(fake_signal, 25);
	assert_err(call(46, (uint64_t)fd, 11, 0, 0, 0, 0), EFBIG);
	assert_int_equal(fake_signal, 25);
	assert_int_equal(call(46, (uint64_t)fd, 10, 0, 0, 0, 0), 0);
	fake_caller.limit_fsize = ~0ull;
	assert_err(call(46, (uint64_t)fd, 1ull << 62, 0, 0, 0, 0), EFBIG);
	assert_err(call(46, (uint64_t)fd, (uint64_t)-1, 0, 0, 0, 0), EINVAL);
	fake_close((int)fd);
	c_unlink("/tmp/l");
}

static void open_flags(void **state)
{
	struct tern_caller *c = &fake_caller;
	long fd;

	(void)state;
	write_file("/tmp/f", "x");
	assert_err(c_open("/tmp/f", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
	assert_err(c_open("/tmp/f", O_RDONLY | O_DIRECTORY, 0), ENOTDIR);
	assert_err(c_open("/tmp/f/", O_RDONLY, 0), ENOTDIR);
	assert_err(c_open("/tmp/f/x", O_RDONLY, 0), ENOTDIR);
	assert_err(c_open("/tmp/n/", O_CREAT | O_WRONLY, 0600), EISDIR);
	assert_err(c_open("/tmp/n", O_WRONLY, 0), ENOENT);
	assert_err(c_open("/tmp", O_WRONLY, 0), EISDIR);
	assert_err(c_open("/tmp", O_CREAT | O_RDONLY, 0600), EISDIR);
	assert_err(c_open("/tmp/n", O_CREAT | O_DIRECTORY, 0600), EINVAL);
	assert_err(c_open("", O_RDONLY, 0), ENOENT);
	assert_err(c_open(NULL, O_RDONLY, 0), EFAULT);
	assert_err(call(56, 33, P("x"), 0, 0, 0, 0), EBADF);
	fd = c_open("/tmp/f", O_RDONLY, 0);
	assert_err(call(56, (uint64_t)fd, P("x"), 0, 0, 0, 0), ENOTDIR);
	fd = call(56, (uint64_t)fd, P("/tmp/f"), 0, 0, 0, 0);
	assert_true(fd >= 0);
	fake_close((int)fd);
	fake_close((int)fd - 1);
	/* the mask, and a new file that its own mode forbids to write */
	c->umask = 077;
	fd = c_open("/tmp/m", O_CREAT | O_WRONLY, 0666);
	c->umask = 022;
	c_stat("/tmp/m", &st);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	fake_close((int)fd);
	fake_cred(1000, 1000);
	assert_err(c_open("/tmp/m", O_RDONLY, 0), EACCES);
	fd = c_open("/tmp/r", O_CREAT | O_WRONLY, 0400);
	assert_true(fd >= 0);
	fake_close((int)fd);
	assert_err(c_open("/tmp/r", O_WRONLY, 0), EACCES);
	assert_err(c_open("/tmp/m", O_RDONLY | O_PATH, 0) < 0, 0);
	fake_close(0);
	assert_err(c_unlink("/tmp/m"), EPERM); /* sticky */
	assert_int_equal(c_unlink("/tmp/r"), 0);
	assert_err(c_open("/tmp/f", O_RDONLY | O_NOATIME, 0), EPERM);
	assert_err(c_mkdir("/x", 0755), EACCES);
	fake_cred(0, 0);
	c_unlink("/tmp/m");
	/* O_TMPFILE and giving it a name */
	assert_err(c_open("/tmp", O_TMPFILE, 0600), EINVAL);
	fd = c_open("/tmp", O_TMPFILE | O_RDWR, 0600);
	assert_true(fd >= 0);
	c_fstat(fd, &st);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(call(37, (uint64_t)fd, P(""), CWD, P("/tmp/t"), AT_EMPTY_PATH, 0), 0);
	c_fstat(fd, &st);
	assert_int_equal(st.st_nlink, 1);
	fake_close((int)fd);
	assert_int_equal(c_unlink("/tmp/t"), 0);
	assert_int_equal(c_unlink("/tmp/f"), 0);
}

static void links(void **state)
{
	char buf[64];
	long fd;

	(void)state;
	write_file("/tmp/f", "x");
	assert_int_equal(c_symlink("f", "/tmp/l"), 0);
	assert_int_equal(c_symlink("/tmp/", "/tmp/d"), 0);
	assert_int_equal(c_symlink("loop", "/tmp/loop"), 0);
	assert_int_equal(c_symlink("new", "/tmp/dangling"), 0);
	expect_file("/tmp/l", "x");
	expect_file("/tmp/d/d/d/l", "x");
	assert_err(c_open("/tmp/loop", O_RDONLY, 0), ELOOP);
	assert_err(c_open("/tmp/l", O_RDONLY | O_NOFOLLOW, 0), ELOOP);
	assert_err(c_open("/tmp/l/", O_RDONLY, 0), ENOTDIR);
	assert_err(c_open("/tmp/dangling", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
	assert_err(c_open("/tmp/dangling", O_RDONLY, 0), ENOENT);
	fd = c_open("/tmp/dangling", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	fake_close((int)fd);
	assert_int_equal(c_stat("/tmp/new", &st), 0);
	assert_int_equal(c_lstat("/tmp/d", &st), 0);
	assert_int_equal(st.st_mode, S_IFLNK | 0777);
	assert_int_equal(c_lstat("/tmp/d/", &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFDIR);
	assert_int_equal(c_readlink("/tmp/d", buf, 3), 3);
	assert_memory_equal(buf, "/tm", 3);
	assert_err(c_readlink("/tmp/f", buf, 3), EINVAL);
	assert_err(c_readlink("/tmp/d", buf, 0), EINVAL);
	assert_err(c_symlink("", "/tmp/e"), ENOENT);
	assert_err(c_symlink("x", "/tmp/l"), EEXIST);
	assert_err(c_symlink("x", "/tmp/e/"), ENOENT);
	assert_err(c_mkdir("/tmp/l/", 0755), EEXIST);
	assert_err(c_rmdir("/tmp/d/"), ENOTDIR);
	/* hard links */
	assert_int_equal(c_link("/tmp/f", "/tmp/g"), 0);
	assert_int_equal(c_stat("/tmp/g", &st), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_err(c_link("/tmp", "/tmp/h"), EPERM);
	assert_err(c_link("/tmp/f", "/tmp/g"), EEXIST);
	assert_err(c_link("/tmp/f", "/dev/g"), EXDEV);
	assert_int_equal(c_link("/tmp/l", "/tmp/l2"), 0);
	assert_int_equal(c_readlink("/tmp/l2", buf, 9), 1);
	assert_int_equal(c_unlink("/tmp/f"), 0);
	expect_file("/tmp/g", "x");
	c_unlink("/tmp/g");
	c_unlink("/tmp/l");
	c_unlink("/tmp/l2");
	c_unlink("/tmp/new");
	c_unlink("/tmp/loop");
	c_unlink("/tmp/dangling");
	assert_err(c_unlink("/tmp/d/"), ENOTDIR);
	c_unlink("/tmp/d");
}

static void names(void **state)
{
	static char name[300], path[5000];

	(void)state;
	memset(name, 'a', 256);
	memcpy(name, "/tmp/", 5);
	name[260] = '\0';
	memset(name + 256, 'a', 4);
	assert_int_equal(c_mkdir(name, 0755), 0); /* 255 */
	assert_int_equal(c_rmdir(name), 0);
	strcat(name, "a");
	assert_err(c_mkdir(name, 0755), ENAMETOOLONG);
	memset(path, '/', sizeof path - 1);
	assert_err(c_mkdir(path, 0755), ENAMETOOLONG);
	path[4095] = '\0';
	assert_err(c_mkdir(path, 0755), EEXIST);
	assert_err(c_mkdir("/", 0755), EEXIST);
	assert_err(c_mkdir("/tmp/.", 0755), EEXIST);
	assert_err(c_mkdir("/tmp/..", 0755), EEXIST);
	assert_int_equal(c_mkdir("/tmp/a/", 0755), 0);
	assert_int_equal(c_mkdir("/tmp/a/b", 0755), 0);
	assert_int_equal(c_stat("/tmp/a", &st), 0);
	assert_int_equal(st.st_nlink, 3);
	assert_err(c_rmdir("/tmp/a"), ENOTEMPTY);
	assert_err(c_rmdir("/tmp/a/b/.."), ENOTEMPTY);
	assert_err(c_rmdir("/tmp/a/b/."), EINVAL);
	assert_err(c_rmdir("/"), EBUSY);
	assert_err(c_rmdir("/proc"), EBUSY);
	assert_err(c_unlink("/tmp/a"), EISDIR);
	assert_int_equal(c_rmdir("/tmp/a/b"), 0);
	assert_int_equal(c_rmdir("/tmp/a"), 0);
	assert_err(c_rmdir("/tmp/a"), ENOENT);
}

static void renames(void **state)
{
	(void)state;
	c_mkdir("/tmp/a", 0755);
	c_mkdir("/tmp/a/b", 0755);
	c_mkdir("/tmp/c", 0755);
	write_file("/tmp/f", "f");
	write_file("/tmp/g", "g");
	assert_int_equal(c_rename("/tmp/f", "/tmp/g", 0), 0);
	expect_file("/tmp/g", "f");
	assert_err(c_stat("/tmp/f", &st), ENOENT);
	assert_err(c_rename("/tmp/g", "/tmp/a", 0), EISDIR);
	assert_err(c_rename("/tmp/a", "/tmp/g", 0), ENOTDIR);
	assert_err(c_rename("/tmp/a", "/tmp/a/b/c", 0), EINVAL);
	assert_err(c_rename("/tmp/a/b", "/tmp/a", 0), ENOTEMPTY);
	assert_err(c_rename("/tmp/c", "/tmp/a", 0), ENOTEMPTY);
	assert_err(c_rename("/tmp/a", "/dev/a", 0), EXDEV);
	assert_err(c_rename("/tmp/.", "/tmp/x", 0), EBUSY);
	assert_err(c_rename("/tmp/a", "/tmp/c/..", 0), EBUSY);
	assert_err(c_rename("/tmp/n", "/tmp/x", 0), ENOENT);
	assert_err(c_rename("/tmp/g", "/tmp/x/", 0), ENOTDIR);
	assert_err(c_rename("/tmp/a", "/tmp/c", RENAME_NOREPLACE), EEXIST);
	assert_err(c_rename("/tmp/a", "/tmp/x", RENAME_EXCHANGE), ENOENT);
	assert_err(c_rename("/tmp/a", "/tmp/c", 3), EINVAL);
	assert_int_equal(c_rename("/tmp/a", "/tmp/c", 0), 0);
	assert_int_equal(c_stat("/tmp/c/b", &st), 0);
	assert_int_equal(c_rename("/tmp/c/b", "/tmp/g", RENAME_EXCHANGE), 0);
	assert_int_equal(c_stat("/tmp/c", &st), 0);
	assert_int_equal(st.st_nlink, 2);
	expect_file("/tmp/c/b", "f");
	assert_int_equal(c_stat("/tmp/g", &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFDIR);
	assert_int_equal(c_rename("/tmp/c/b", "/tmp/c/b", 0), 0);
	assert_int_equal(c_rename("/tmp/g/", "/tmp/h/", 0), 0);
	tree_check(root_mount->root);
	c_unlink("/tmp/c/b");
	c_rmdir("/tmp/c");
	c_rmdir("/tmp/h");
	assert_int_equal(c_stat("/tmp", &st), 0);
	assert_int_equal(st.st_nlink, 2);
}

/* Removing while listing loses nothing and shows nothing twice. */
static void listing(void **state)
{
	char name[32], buf[256];
	bool seen[200] = { false };
	unsigned total = 0;
	long fd, n;

	(void)state;
	c_mkdir("/tmp/d", 0755);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "/tmp/d/%d", i);
		write_file(name, "");
	}
	fd = c_open("/tmp/d", O_RDONLY | O_DIRECTORY, 0);
	assert_err(c_read(fd, buf, 10), EISDIR);
	assert_err(c_getdents(fd, buf, 10), EINVAL);
	while ((n = c_getdents(fd, buf, sizeof buf)) > 0) {
		for (long at = 0; at < n;) {
			uint16_t len;
			const char *d = buf + at;

			memcpy(&len, d + 16, 2);
			assert_true(len % 8 == 0 && at + len <= n);
			at += len;
			if (d[19] == '.') {
				assert_int_equal(d[18], DT_DIR);
				continue;
			}
			assert_int_equal(d[18], DT_REG);
			assert_false(seen[atoi(d + 19)]);
			seen[atoi(d + 19)] = true;
			snprintf(name, sizeof name, "/tmp/d/%s", d + 19);
			assert_int_equal(c_unlink(name), 0);
			total++;
		}
	}
	assert_int_equal(n, 0);
	assert_int_equal(total, 200);
	assert_int_equal(c_lseek(fd, 0, SEEK_SET), 0);
	assert_true(c_getdents(fd, buf, sizeof buf) > 0);
	assert_int_equal(c_rmdir("/tmp/d"), 0);
	assert_err(c_getdents(fd, buf, sizeof buf), ENOENT);
	assert_err(call(56, (uint64_t)fd, P("x"), O_CREAT | O_WRONLY, 0600, 0, 0), ENOENT);
	fake_close((int)fd);
}

static void unlinked(void **state)
{
	char buf[64];
	long fd;

	(void)state;
	write_file("/tmp/u", "data");
	fd = c_open("/tmp/u", O_RDWR, 0);
	c_unlink("/tmp/u");
	assert_int_equal(c_read(fd, buf, 10), 4);
	assert_int_equal(c_fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_err(call(37, (uint64_t)fd, P(""), CWD, P("/tmp/u"), AT_EMPTY_PATH, 0), ENOENT);
	snprintf(buf, sizeof buf, "/proc/self/fd/%ld", fd);
	{
		char text[64] = { 0 };

		assert_int_equal(c_readlink(buf, text, sizeof text), 16);
		assert_string_equal(text, "/tmp/u (deleted)");
	}
	assert_int_equal(fake_memobjs(), 1);
	fake_close((int)fd);
	c_stat("/", &st);
	assert_int_equal(fake_memobjs(), 0);
}

static void attributes(void **state)
{
	struct tern_timespec t[2] = { { 5, 6 }, { 7, TERN_UTIME_OMIT } };
	struct tern_statx sx;
	uint64_t fs[15];
	int64_t mtime;

	(void)state;
	write_file("/tmp/a", "x");
	c_chmod("/tmp/a", 06755);
	c_stat("/tmp/a", &st);
	assert_int_equal(st.st_mode, S_IFREG | 06755);
	mtime = st.st_mtime;
	assert_int_equal(call(88, CWD, P("/tmp/a"), P(t), 0, 0, 0), 0);
	c_stat("/tmp/a", &st);
	assert_int_equal(st.st_atime, 5);
	assert_int_equal(st.st_atime_nsec, 6);
	assert_int_equal(st.st_mtime, mtime);
	assert_int_equal(call(54, CWD, P("/tmp/a"), 1000, 1000, 0, 0), 0);
	c_stat("/tmp/a", &st);
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	assert_int_equal(st.st_uid, 1000);
	fake_cred(2000, 2000);
	assert_err(c_chmod("/tmp/a", 0777), EPERM);
	assert_err(call(88, CWD, P("/tmp/a"), 0, 0, 0, 0), EACCES);
	assert_err(call(88, CWD, P("/tmp/a"), P(t), 0, 0, 0), EPERM);
	assert_err(call(54, CWD, P("/tmp/a"), 2000, ~0ull, 0, 0), EPERM);
	assert_int_equal(call(48, CWD, P("/tmp/a"), R_OK | X_OK, 0, 0, 0), 0);
	assert_err(call(48, CWD, P("/tmp/a"), W_OK, 0, 0, 0), EACCES);
	assert_err(call(48, CWD, P("/tmp/n"), F_OK, 0, 0, 0), ENOENT);
	assert_err(call(48, CWD, P("/tmp/a"), 8, 0, 0, 0), EINVAL);
	fake_cred(0, 0);
	c_chmod("/tmp/a", 0600);
	assert_err(call(48, CWD, P("/tmp/a"), X_OK, 0, 0, 0), EACCES);
	assert_int_equal(call(291, CWD, P("/tmp/a"), 0, 0x7ff, P(&sx), 0), 0);
	assert_int_equal(sx.stx_size, 1);
	assert_int_equal(sx.stx_uid, 1000);
	assert_err(call(291, CWD, P("/tmp/a"), 0x8000, 0x7ff, P(&sx), 0), EINVAL);
	assert_int_equal(call(43, P("/tmp"), P(fs), 0, 0, 0, 0), 0);
	assert_int_equal(fs[0], TMPFS_MAGIC);
	assert_int_equal(call(43, P("/proc"), P(fs), 0, 0, 0, 0), 0);
	assert_int_equal(fs[0], PROC_MAGIC);
	fake_cred(1000, 1000);
	assert_int_equal(call(5, P("/tmp/a"), P("user.x"), P("v"), 1, 0, 0), 0);
	assert_err(call(5, P("/tmp/a"), P("trusted.x"), P("v"), 1, 0, 0), EPERM);
	assert_int_equal(call(8, P("/tmp/a"), P("user.x"), 0, 0, 0, 0), 1);
	assert_err(call(8, P("/tmp/a"), P("user.y"), 0, 0, 0, 0), ENODATA);
	assert_int_equal(call(11, P("/tmp/a"), 0, 0, 0, 0, 0), 7);
	fake_cred(0, 0);
	c_unlink("/tmp/a");
	/* a set-group-id directory gives its group */
	c_mkdir("/tmp/g", 0777);
	call(54, CWD, P("/tmp/g"), ~0ull, 77, 0, 0);
	c_chmod("/tmp/g", 02777);
	c_mkdir("/tmp/g/d", 0755);
	c_stat("/tmp/g/d", &st);
	assert_int_equal(st.st_gid, 77);
	assert_int_equal(st.st_mode, S_IFDIR | 02755);
	c_rmdir("/tmp/g/d");
	c_rmdir("/tmp/g");
}

static void places(void **state)
{
	char buf[128];
	uint64_t old = fake_root;

	(void)state;
	c_mkdir("/tmp/a", 0755);
	c_mkdir("/tmp/a/b", 0755);
	assert_int_equal(c_chdir("/tmp/a"), 0);
	assert_int_equal(call(17, P(buf), sizeof buf, 0, 0, 0, 0), 7);
	assert_string_equal(buf, "/tmp/a");
	assert_err(call(17, P(buf), 6, 0, 0, 0, 0), ERANGE);
	assert_int_equal(c_stat("b/../b", &st), 0);
	assert_int_equal(c_stat("../../../../tmp", &st), 0);
	write_file("f", "here");
	expect_file("/tmp/a/f", "here");
	assert_err(c_chdir("f"), ENOTDIR);
	/* inside a new root ".." stays */
	old = fake_root;
	fake_root = 0;
	fake_root = old;
	{
		struct file *f = file_of(fake_root);
		struct place real = f->at, sub = file_of(fake_cwd)->at;

		f->at = sub;
		assert_int_equal(c_stat("/b", &st), 0);
		assert_int_equal(c_stat("/../../b", &st), 0);
		assert_err(c_stat("/tmp", &st), ENOENT);
		call(17, P(buf), sizeof buf, 0, 0, 0, 0);
		assert_string_equal(buf, "/");
		f->at = real;
	}
	assert_int_equal(c_chdir("b"), 0);
	assert_int_equal(c_rmdir("/tmp/a/b"), 0);
	assert_err(call(17, P(buf), sizeof buf, 0, 0, 0, 0), ENOENT);
	assert_int_equal(c_stat(".", &st), 0);
	assert_err(c_mkdir("x", 0755), ENOENT);
	assert_int_equal(c_stat("../f", &st), 0);
	assert_int_equal(c_chdir("/"), 0);
	c_unlink("/tmp/a/f");
	c_rmdir("/tmp/a");
}

static void mounts_(void **state)
{
	static char options[4096] = "mode=700"; /* mount reads a page of them */
	char text[1024] = { 0 };
	long fd;

	(void)state;
	c_mkdir("/tmp/m", 0755);
	write_file("/tmp/m/under", "u");
	fake_cred(1000, 1000);
	assert_err(call(40, P("none"), P("/tmp/m"), P("tmpfs"), 0, 0, 0), EPERM);
	fake_cred(0, 0);
	assert_err(call(40, P("none"), P("/tmp/m"), P("ext4"), 0, 0, 0), ENODEV);
	assert_int_equal(call(40, P("none"), P("/tmp/m"), P("tmpfs"), 0, P(options), 0), 0);
	assert_err(c_stat("/tmp/m/under", &st), ENOENT);
	c_stat("/tmp/m", &st);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	write_file("/tmp/m/in", "i");
	c_mkdir("/tmp/m/dir", 0755);
	assert_int_equal(c_stat("/tmp/m/dir/../..", &st), 0);
	assert_err(c_link("/tmp/m/in", "/tmp/x"), EXDEV);
	assert_err(c_rmdir("/tmp/m"), EBUSY);
	fd = c_open("/proc/self/mounts", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_true(c_read(fd, text, sizeof text - 1) > 0);
	assert_non_null(strstr(text, "none /tmp/m tmpfs rw"));
	assert_non_null(strstr(text, "proc /proc proc"));
	fake_close((int)fd);
	fd = c_open("/tmp/m/in", O_RDONLY, 0);
	assert_err(call(39, P("/tmp/m"), 0, 0, 0, 0, 0), EBUSY);
	assert_int_equal(call(39, P("/tmp/m"), 2, 0, 0, 0, 0), 0); /* MNT_DETACH */
	expect_file("/tmp/m/under", "u");
	assert_int_equal(c_read(fd, text, 10), 1);
	fake_close((int)fd);
	assert_err(call(39, P("/tmp/m"), 0, 0, 0, 0, 0), EINVAL);
	/* the same directory at another place */
	c_mkdir("/tmp/b", 0755);
	assert_int_equal(call(40, P("/tmp/m"), P("/tmp/b"), 0, 4096, 0, 0), 0);
	expect_file("/tmp/b/under", "u");
	assert_int_equal(c_chdir("/tmp/b"), 0);
	assert_int_equal(call(17, P(text), sizeof text, 0, 0, 0, 0), 7);
	assert_string_equal(text, "/tmp/b");
	assert_int_equal(c_chdir("/"), 0);
	assert_int_equal(call(39, P("/tmp/b"), 0, 0, 0, 0, 0), 0);
	c_unlink("/tmp/m/under");
	c_rmdir("/tmp/m");
	c_rmdir("/tmp/b");
	/* proc over proc */
	assert_int_equal(call(40, P("proc"), P("/proc"), P("proc"), 0, 0, 0), 0);
	c_stat("/", &st);
	assert_int_equal(fake_memobjs(), 0);
}

static void devices(void **state)
{
	char buf[64] = "x";
	long fd = c_open("/dev/null", O_RDWR, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(c_read(fd, buf, 10), 0);
	assert_int_equal(c_write(fd, buf, 10), 10);
	assert_int_equal(c_lseek(fd, 10, SEEK_SET), 0);
	fake_close((int)fd);
	fd = c_open("/dev/zero", O_RDWR, 0);
	assert_int_equal(c_read(fd, buf, 10), 10);
	assert_int_equal(buf[0], 0);
	fake_close((int)fd);
	fd = c_open("/dev/full", O_RDWR, 0);
	assert_err(c_write(fd, buf, 10), ENOSPC);
	fake_close((int)fd);
	fd = c_open("/dev/urandom", O_RDONLY, 0);
	assert_int_equal(c_read(fd, buf, 10), 10);
	fake_close((int)fd);
	assert_true(c_open("/dev/console", O_RDWR, 0) == SERVER_NO_REPLY);
	assert_int_equal(fake_forwarded, server_boot->tty);
	assert_int_equal(fake_words[0], 0x501);
	assert_int_equal(c_stat("/dev/console", &st), 0);
	assert_int_equal(st.st_rdev, 0x501);
	assert_int_equal(call(33, CWD, P("/tmp/fifo"), S_IFIFO | 0644, 0, 0, 0), 0);
	assert_true(c_open("/tmp/fifo", O_RDONLY, 0) == SERVER_NO_REPLY);
	assert_int_equal(fake_forwarded, server_boot->pipe);
	assert_int_equal(fake_words[0], 0xF1F0);
	fake_cred(1000, 1000);
	assert_err(c_open("/tmp/fifo", O_WRONLY, 0), EACCES);
	assert_err(call(33, CWD, P("/tmp/dev"), S_IFCHR | 0644, 0x103, 0, 0), EPERM);
	fake_cred(0, 0);
	call(33, CWD, P("/tmp/sock"), S_IFSOCK | 0644, 0, 0, 0);
	assert_err(c_open("/tmp/sock", O_RDONLY, 0), ENXIO);
	c_unlink("/tmp/sock");
	c_unlink("/tmp/fifo");
}

static void proc(void **state)
{
	char buf[2048], self[64] = { 0 };
	long fd, fd2, n;
	bool found = false;

	(void)state;
	assert_int_equal(c_readlink("/proc/self", buf, sizeof buf), 3);
	assert_memory_equal(buf, "100", 3);
	assert_true(c_open("/proc/self/status", O_RDONLY, 0) == SERVER_NO_REPLY);
	assert_int_equal(fake_forwarded, server_boot->pm);
	assert_int_equal(fake_words[0] >> 16, 100);
	assert_true(c_open("/proc/sys/kernel/hostname", O_RDONLY, 0) == SERVER_NO_REPLY);
	assert_int_equal(fake_words[0] >> 16, 0);
	assert_int_equal(c_stat("/proc/sys/kernel", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0555);
	assert_int_equal(c_stat("/proc/sys/kernel/../..", &st), 0);
	assert_int_equal(st.st_ino, 1);
	assert_err(c_stat("/proc/99", &st), ENOENT);
	assert_err(c_stat("/proc/0100", &st), ENOENT);
	assert_err(c_mkdir("/proc/x", 0755), ENOENT);
	assert_err(c_unlink("/proc/1/status"), EPERM);
	assert_err(c_open("/proc/x", O_CREAT | O_WRONLY, 0600), ENOENT);
	assert_int_equal(c_stat("/proc/101", &st), 0);
	assert_int_equal(st.st_uid, 1000);
	fd = c_open("/proc", O_RDONLY, 0);
	while ((n = c_getdents(fd, buf, 200)) > 0)
		for (long at = 0; at < n;) {
			uint16_t len;

			memcpy(&len, buf + at + 16, 2);
			found |= !strcmp(buf + at + 19, "101");
			assert_string_not_equal(buf + at + 19, "99");
			at += len;
		}
	assert_int_equal(n, 0);
	assert_true(found);
	fake_close((int)fd);
	/* descriptors */
	write_file("/tmp/f", "text");
	fd = c_open("/tmp/f", O_RDONLY, 0);
	snprintf(self, sizeof self, "/proc/self/fd/%ld", fd);
	memset(buf, 0, sizeof buf);
	assert_int_equal(c_readlink(self, buf, sizeof buf), 6);
	assert_string_equal(buf, "/tmp/f");
	fd2 = c_open(self, O_RDWR, 0);
	assert_true(fd2 >= 0);
	assert_int_equal(c_write(fd2, "T", 1), 1);
	fake_close((int)fd2);
	assert_int_equal(c_stat(self, &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFREG);
	assert_int_equal(c_lstat(self, &st), 0);
	assert_int_equal(st.st_mode, S_IFLNK | 0500);
	assert_int_equal(call(79, (uint64_t)fd, P(""), P(&st), AT_EMPTY_PATH, 0, 0), 0);
	assert_int_equal(st.st_size, 4);
	fake_close((int)fd);
	fake_fds[9] = (struct fake_fd){ true, 3, TERN_KIND_PIPE, 0, 77 };
	assert_int_equal(c_readlink("/dev/fd/9", buf, sizeof buf), 9);
	assert_memory_equal(buf, "pipe:[77]", 9);
	assert_true(c_open("/proc/self/fd/9", O_RDONLY, 0) == SERVER_NO_REPLY);
	assert_int_equal(fake_forwarded, -10);
	assert_int_equal(fake_words[0], 0xFD00);
	assert_true(c_stat("/proc/self/fd/9", &st) == SERVER_NO_REPLY);
	assert_true(call(79, 9, P(""), P(&st), AT_EMPTY_PATH, 0, 0) == SERVER_NO_REPLY);
	assert_int_equal(fake_forwarded, -10);
	assert_err(call(79, 9, P("x"), P(&st), 0, 0, 0), ENOTDIR);
	assert_err(call(79, 10, P(""), P(&st), AT_EMPTY_PATH, 0, 0), EBADF);
	assert_err(c_stat("/proc/self/fd/9/x", &st), ENOTDIR);
	fake_fds[9].used = false;
	assert_err(c_stat("/proc/self/fd/9", &st), ENOENT);
	memset(buf, 0, sizeof buf);
	assert_int_equal(c_readlink("/proc/self/cwd", buf, sizeof buf), 1);
	assert_int_equal(c_stat("/proc/self/root/tmp", &st), 0);
	assert_err(c_stat("/proc/101/cwd/x", &st), ENOENT);
	assert_int_equal(c_readlink("/proc/101/cwd", buf, sizeof buf), 1);
	fake_fds[9] = (struct fake_fd){ true, 3, TERN_KIND_PIPE, 0, 77 };
	assert_int_equal(c_readlink("/proc/101/fd/9", buf, sizeof buf), 9);
	assert_err(c_open("/proc/101/fd/9", O_RDONLY, 0), ENXIO);
	assert_int_equal(c_stat("/proc/101/fd/9", &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0600);
	assert_int_equal(st.st_ino, 77);
	fake_fds[9].used = false;
	c_unlink("/tmp/f");
}

static void locks(void **state)
{
	struct {
		int16_t type, whence;
		int32_t pad;
		int64_t start, len;
		int32_t pid, pad2;
	} l = { .type = 1, .start = 10, .len = 10 };
	uint64_t token;
	long a, b;

	(void)state;
	a = c_open("/tmp/l", O_CREAT | O_RDWR, 0600);
	b = c_open("/tmp/l", O_RDWR, 0);
	assert_int_equal(call(32, (uint64_t)a, 2, 0, 0, 0, 0), 0);
	assert_err(call(32, (uint64_t)b, 1 | 4, 0, 0, 0, 0), EAGAIN);
	assert_true(call(32, (uint64_t)b, 2, 0, 0, 0, 0) == SERVER_NO_REPLY);
	token = fake_token;
	vfs_ops.cancel(fake_fds[b].badge, token);
	assert_int_equal(fake_late_result, -TERN_ECANCELLED);
	assert_true(call(32, (uint64_t)b, 2, 0, 0, 0, 0) == SERVER_NO_REPLY);
	token = fake_token;
	assert_int_equal(call(32, (uint64_t)a, 8, 0, 0, 0, 0), 0);
	assert_int_equal(fake_late_token, token);
	assert_int_equal(fake_late_result, 0);
	assert_err(call(32, (uint64_t)a, 1 | 4, 0, 0, 0, 0), EAGAIN);
	assert_int_equal(call(32, (uint64_t)b, 8, 0, 0, 0, 0), 0);
	/* record locks: of processes */
	assert_int_equal(call(25, (uint64_t)a, F_SETLK, P(&l), 0, 0, 0), 0);
	assert_int_equal(call(25, (uint64_t)b, F_SETLK, P(&l), 0, 0, 0), 0);
	fake_caller.pid = 101;
	assert_err(call(25, (uint64_t)b, F_SETLK, P(&l), 0, 0, 0), EAGAIN);
	l.start = 0;
	l.len = 0;
	assert_int_equal(call(25, (uint64_t)b, F_GETLK, P(&l), 0, 0, 0), 0);
	assert_int_equal(l.type, 1);
	assert_int_equal(l.start, 10);
	assert_int_equal(l.len, 10);
	assert_int_equal(l.pid, 100);
	fake_caller.pid = 100;
	/* a hole in the middle splits it */
	l.type = 2;
	l.start = 13;
	l.len = 2;
	assert_int_equal(call(25, (uint64_t)a, F_SETLK, P(&l), 0, 0, 0), 0);
	fake_caller.pid = 101;
	l.type = 1;
	assert_int_equal(call(25, (uint64_t)b, F_SETLK, P(&l), 0, 0, 0), 0);
	l.len = 3;
	assert_err(call(25, (uint64_t)b, F_SETLK, P(&l), 0, 0, 0), EAGAIN);
	/* 101 waits for 100's 10…; then 100 waiting for 101's 13 is a deadlock */
	l.start = 10;
	l.len = 1;
	assert_true(call(25, (uint64_t)b, F_SETLKW, P(&l), 0, 0, 0) == SERVER_NO_REPLY);
	token = fake_token;
	fake_caller.pid = 100;
	l.start = 13;
	assert_err(call(25, (uint64_t)a, F_SETLKW, P(&l), 0, 0, 0), EDEADLK);
	l.type = 2;
	l.start = 0;
	l.len = 0;
	assert_int_equal(call(25, (uint64_t)a, F_SETLK, P(&l), 0, 0, 0), 0);
	assert_int_equal(fake_late_token, token);
	/* a table that has closed the file holds nothing, and waits for nothing */
	l.type = 1;
	assert_err(call(25, (uint64_t)a, F_SETLK, P(&l), 0, 0, 0), EAGAIN);
	assert_true(call(25, (uint64_t)a, F_SETLKW, P(&l), 0, 0, 0) == SERVER_NO_REPLY);
	fake_drop_hidden(100);
	assert_int_equal(fake_late_token, fake_token);
	assert_int_equal(fake_late_result, -EBADF);
	assert_true(call(25, (uint64_t)a, F_SETLKW, P(&l), 0, 0, 0) == SERVER_NO_REPLY);
	fake_drop_hidden(101);
	assert_int_equal(fake_late_token, fake_token);
	assert_int_equal(fake_late_result, 0);
	fake_drop_hidden(100);
	l.whence = 7;
	assert_err(call(25, (uint64_t)a, F_SETLK, P(&l), 0, 0, 0), EINVAL);
	assert_err(call(25, (uint64_t)a, F_SETLK, 0, 0, 0, 0), EFAULT);
	fake_close((int)a);
	fake_close((int)b);
	c_unlink("/tmp/l");
}

static void seals(void **state)
{
	long fd = call(279, P("name"), 2, 0, 0, 0, 0);
	char buf[64] = { 0 }, path[32];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(c_write(fd, "abc", 3), 3);
	snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
	assert_true(c_readlink(path, buf, sizeof buf) > 0);
	assert_string_equal(buf, "/memfd:name (deleted)");
	assert_int_equal(call(25, (uint64_t)fd, F_ADD_SEALS, 4, 0, 0, 0), 0);
	assert_err(c_write(fd, "d", 1), EPERM);
	assert_int_equal(call(46, (uint64_t)fd, 1, 0, 0, 0, 0), 0);
	assert_int_equal(call(25, (uint64_t)fd, F_ADD_SEALS, 8 | 1, 0, 0, 0), 0);
	assert_int_equal(call(25, (uint64_t)fd, F_GET_SEALS, 0, 0, 0, 0), 13);
	assert_err(call(25, (uint64_t)fd, F_ADD_SEALS, 2, 0, 0, 0), EPERM);
	fake_close((int)fd);
	assert_err(call(279, P("x"), 0x100, 0, 0, 0, 0), EINVAL);
}

static void maps(void **state)
{
	long fd;
	uint64_t ident;
	char paths[64];

	(void)state;
	write_file("/tmp/x", "#!");
	assert_err(call(TERN_VFS_EXEC_OPEN, CWD, P("/tmp/x"), 0, 0, 0, 0), EACCES);
	c_chmod("/tmp/x", 0755);
	fd = c_open("/tmp/x", O_RDWR, 0);
	assert_err(call(TERN_VFS_EXEC_OPEN, CWD, P("/tmp/x"), 0, 0, 0, 0), ETXTBSY);
	assert_true(call(222, 0, 4096, 3, 1, (uint64_t)fd, 0) == SERVER_NO_REPLY);
	assert_true(fake_mapped >= 0);
	ident = fake_fds[fd].ident;
	assert_int_equal(call(TERN_VFS_PATHS, P(&ident), 8, P(paths), sizeof paths, 0, 0), 7);
	assert_string_equal(paths, "/tmp/x");
	fake_close((int)fd);
	assert_true(call(TERN_VFS_EXEC_OPEN, CWD, P("/tmp/x"), 0, 0, 0, 0) == SERVER_NO_REPLY);
	fd = c_open("/tmp/x", O_RDONLY, 0);
	assert_err(call(222, 0, 4096, 2, 1, (uint64_t)fd, 0), EACCES);
	assert_true(call(222, 0, 4096, 2, 2, (uint64_t)fd, 0) == SERVER_NO_REPLY);
	fake_close((int)fd);
	fd = c_open("/tmp", O_RDONLY, 0);
	assert_err(call(222, 0, 4096, 1, 2, (uint64_t)fd, 0), ENODEV);
	fake_close((int)fd);
	c_unlink("/tmp/x");
}

static void resolve(void **state)
{
	uint64_t how[4] = { O_RDONLY, 0, 8, 0 }; /* BENEATH */
	long d, fd;

	(void)state;
	c_mkdir("/tmp/r", 0755);
	write_file("/tmp/r/f", "x");
	c_symlink("/tmp/r/f", "/tmp/r/abs");
	d = c_open("/tmp/r", O_PATH, 0);
	fd = call(437, (uint64_t)d, P("f"), P(how), 24, 0, 0);
	assert_true(fd >= 0);
	fake_close((int)fd);
	assert_err(call(437, (uint64_t)d, P("../r/f"), P(how), 24, 0, 0), EXDEV);
	assert_err(call(437, (uint64_t)d, P("/tmp/r/f"), P(how), 24, 0, 0), EXDEV);
	assert_err(call(437, (uint64_t)d, P("abs"), P(how), 24, 0, 0), EXDEV);
	how[2] = 16; /* IN_ROOT */
	fd = call(437, (uint64_t)d, P("/../f"), P(how), 24, 0, 0);
	assert_true(fd >= 0);
	fake_close((int)fd);
	how[2] = 4; /* NO_SYMLINKS */
	assert_err(call(437, (uint64_t)d, P("abs"), P(how), 24, 0, 0), ELOOP);
	assert_err(call(437, (uint64_t)d, P("f"), P(how), 8, 0, 0), EINVAL);
	how[3] = 1;
	assert_err(call(437, (uint64_t)d, P("f"), P(how), 32, 0, 0), E2BIG);
	fake_close((int)d);
	c_unlink("/tmp/r/abs");
	c_unlink("/tmp/r/f");
	c_rmdir("/tmp/r");
}

/* Every kernel allocation fails in its turn: an errno, and nothing left behind. */
static void out_of_memory(void **state)
{
	char path[32];
	long fd = 0;

	(void)state;
	for (int n = 0; n < 6; n++) {
		snprintf(path, sizeof path, "/tmp/o%d", n);
		fake_fail_after = n;
		fd = c_open(path, O_CREAT | O_RDWR, 0600);
		if (fd >= 0) {
			long r = c_write(fd, "data", 4);

			assert_true(r == 4 || r == -ENOSPC);
			fake_close((int)fd);
		} else {
			assert_int_equal(fd, -ENOMEM);
		}
		fake_fail_after = -1;
		c_unlink(path);
	}
	c_stat("/", &st);
	assert_int_equal(fake_memobjs(), 0);
	tree_check(root_mount->root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents),      cmocka_unit_test(vectors),
		cmocka_unit_test(limits),     cmocka_unit_test(open_flags),
		cmocka_unit_test(links),      cmocka_unit_test(names),
		cmocka_unit_test(renames),    cmocka_unit_test(listing),
		cmocka_unit_test(unlinked),   cmocka_unit_test(attributes),
		cmocka_unit_test(places),     cmocka_unit_test(mounts_),
		cmocka_unit_test(devices),    cmocka_unit_test(proc),
		cmocka_unit_test(locks),      cmocka_unit_test(seals),
		cmocka_unit_test(maps),	      cmocka_unit_test(resolve),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests_name("vfs", tests, setup, NULL);
}
