/* Files and directories: opening, reading and writing, holes and truncation, links, renaming, removal
 * while open, listing, times, and who may do what. */
#include "test.h"
#include <sys/fsuid.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <dirent.h>
#include <limits.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static const char *content(const char *name)
{
	static char text[200];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return n < 0 ? "(none)" : text;
}

static struct stat st_of(const char *name)
{
	struct stat st;

	CHECK_EQ(lstat(name, &st), 0);
	return st;
}

/* Strings at the ends of what addresses there are. */
TEST(paths_at_the_top_of_the_address_space)
{
	static const unsigned long at[] = { ~0ul, ~0ul - 4095, ~0ul - 8191, 0x4000000000ul };

	for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++)
		CHECK_ERR(open((const char *)at[i], O_RDONLY), EFAULT);
}

TEST(open_flags)
{
	int fd = make("f", "hello");

	CHECK_ERR(open("f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERR(open("none", O_RDONLY), ENOENT);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("none/x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(open(".", O_RDWR), EISDIR);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open(NULL, O_RDONLY), EFAULT);
	close(open("f", O_WRONLY | O_TRUNC));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	umask(027);
	close(open("mode", O_CREAT | O_RDWR, 0777));
	CHECK_EQ(st_of("mode").st_mode, S_IFREG | 0750);
	CHECK_EQ(umask(0), 027);
}

TEST(long_names)
{
	char name[300], path[PATH_MAX + 10];

	memset(name, 'n', sizeof name);
	name[255] = 0;
	close(open(name, O_CREAT | O_RDWR, 0600));
	CHECK_EQ(access(name, F_OK), 0);
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	memset(path, '/', sizeof path);
	path[PATH_MAX] = 0;
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	path[PATH_MAX - 1] = 0;
	CHECK(open(path, O_RDONLY) >= 0);
}

TEST(offsets)
{
	int fd = make("f", "0123456789");
	char b[20];

	CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
	CHECK_EQ(read(fd, b, 3), 3);
	CHECK(!memcmp(b, "456", 3));
	CHECK_EQ(lseek(fd, -2, SEEK_CUR), 5);
	CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
	CHECK_EQ(read(fd, b, 20), 1);
	CHECK_EQ(read(fd, b, 20), 0);
	CHECK_ERR(lseek(fd, -11, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, 0, 9), EINVAL);
	CHECK_EQ(pread(fd, b, 5, 2), 5);
	CHECK(!memcmp(b, "23456", 5));
	CHECK_EQ(pwrite(fd, "ab", 2, 3), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_ERR(pread(fd, b, 1, -1), EINVAL);
	CHECK(!strcmp(content("f"), "012ab56789"));
	CHECK_EQ(preadv(fd, (struct iovec[]){ { b, 2 }, { b + 2, 3 } }, 2, 1), 5);
	CHECK(!memcmp(b, "12ab5", 5));
}

/* What a bad buffer stopped is still there: the offset moves by what arrived. */
TEST(offsets_and_bad_buffers)
{
	char *p = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = make("f", "0123456789"), ends[2];
	char got[4];

	CHECK(p != MAP_FAILED && munmap(p + 4096, 4096) == 0);
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_ERR(read(fd, p + 4096, 4), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	CHECK_EQ(read(fd, p + 4096 - 3, 5), 3);
	CHECK(!memcmp(p + 4096 - 3, "234", 3));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_ERR(write(fd, p + 4096, 4), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "ab", 2), 2);
	CHECK_ERR(write(ends[1], p + 4096, 4), EFAULT);
	CHECK_ERR(write(ends[1], p + 4096 - 3, 4), EFAULT);
	CHECK_ERR(read(ends[0], p + 4096, 1), EFAULT);
	CHECK_EQ(write(ends[1], "cd", 2), 2);
	CHECK_EQ(read(ends[0], got, 4), 4);
	CHECK(!memcmp(got, "abcd", 4));
}

TEST(append)
{
	int fd = make("f", "ab"), a = open("f", O_WRONLY | O_APPEND);

	CHECK_EQ(write(a, "c", 1), 1);
	CHECK_EQ(write(fd, "d", 1), 1);
	CHECK_EQ(write(a, "e", 1), 1);
	CHECK_EQ(lseek(a, 0, SEEK_SET), 0);
	CHECK_EQ(write(a, "f", 1), 1);
	CHECK_EQ(pwrite(a, "g", 1, 0), 1); /* Linux appends it, too */
	CHECK(!strcmp(content("f"), "abdefg"));
	/* Two processes at once lose nothing. */
	pid_t pid = fork();
	for (int i = 0; i < 200; i++)
		CHECK_EQ(write(a, pid ? "P" : "C", 1), 1);
	if (pid == 0)
		_exit(0);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(st_of("f").st_size, 6 + 400);
}

TEST(holes)
{
	int fd = make("f", "start");
	static char b[20000];

	CHECK_EQ(lseek(fd, 1 << 20, SEEK_SET), 1 << 20);
	CHECK_EQ(write(fd, "end", 3), 3);
	CHECK_EQ(st_of("f").st_size, (1 << 20) + 3);
	CHECK(st_of("f").st_blocks * 512 < 1 << 19);
	CHECK_EQ(pread(fd, b, sizeof b, 3), sizeof b);
	CHECK(b[0] == 'r' && b[1] == 't');
	for (unsigned i = 2; i < sizeof b; i++)
		CHECK_EQ(b[i], 0);
	CHECK_EQ(pread(fd, b, 100, (1 << 20) - 10), 13);
	CHECK(b[9] == 0 && b[10] == 'e');
}

TEST(truncation)
{
	int fd = make("f", "0123456789");

	CHECK_EQ(ftruncate(fd, 4), 0);
	CHECK(!strcmp(content("f"), "0123"));
	CHECK_EQ(truncate("f", 6), 0);
	CHECK_EQ(st_of("f").st_size, 6);
	CHECK(!memcmp(content("f"), "0123\0\0", 6));
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("none", 0), ENOENT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(st_of("f").st_size, 11);
	/* What lay beyond a cut does not come back. */
	CHECK_EQ(ftruncate(fd, 1), 0);
	CHECK_EQ(ftruncate(fd, 5000), 0);
	CHECK(!memcmp(content("f"), "0\0\0\0\0\0\0\0\0\0\0\0", 12));
}

TEST(big_file)
{
	static char b[65536];
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	for (int i = 0; i < 64; i++) {
		memset(b, i, sizeof b);
		CHECK_EQ(write(fd, b, sizeof b), sizeof b);
	}
	for (int i = 63; i >= 0; i--) {
		CHECK_EQ(pread(fd, b, sizeof b, i * 65536l - (i > 0)), sizeof b);
		CHECK_EQ(b[1], i);
		CHECK_EQ(b[0], i ? i - 1 : 0);
	}
	CHECK_EQ(st_of("f").st_size, 4 << 20);
}

TEST(links)
{
	int fd = make("f", "x");

	CHECK_EQ(link("f", "g"), 0);
	CHECK_EQ(st_of("f").st_nlink, 2);
	CHECK_EQ(st_of("f").st_ino, st_of("g").st_ino);
	CHECK_ERR(link("f", "g"), EEXIST);
	CHECK_ERR(link("none", "h"), ENOENT);
	CHECK_ERR(link(".", "h"), EPERM);
	CHECK_EQ(unlink("f"), 0);
	CHECK_EQ(st_of("g").st_nlink, 1);
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK(!strcmp(content("g"), "xy"));
	CHECK_EQ(unlink("g"), 0);
	/* Open and without a name, it lives on. */
	CHECK_EQ(write(fd, "z", 1), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3);
	struct stat st;
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_ERR(unlink("g"), ENOENT);
	CHECK_ERR(unlink("."), EISDIR);
}

TEST(symbolic_links)
{
	char b[50];

	make("f", "content");
	CHECK_EQ(symlink("f", "l"), 0);
	CHECK_EQ(symlink("nowhere", "dangling"), 0);
	CHECK_EQ(symlink("loop", "loop"), 0);
	CHECK_EQ(symlink(".", "here"), 0);
	CHECK(!strcmp(content("l"), "content"));
	CHECK(!strcmp(content("here/here/l"), "content"));
	CHECK(S_ISLNK(st_of("l").st_mode));
	CHECK_EQ(st_of("l").st_size, 1);
	CHECK_EQ(readlink("dangling", b, sizeof b), 7);
	CHECK(!memcmp(b, "nowhere", 7));
	CHECK_EQ(readlink("dangling", b, 3), 3);
	CHECK_ERR(readlink("f", b, sizeof b), EINVAL);
	CHECK_ERR(open("dangling", O_RDONLY), ENOENT);
	CHECK_ERR(open("loop", O_RDONLY), ELOOP);
	CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(open("l", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_ERR(symlink("x", "l"), EEXIST);
	CHECK_ERR(symlink("", "e"), ENOENT);
	close(open("dangling", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(access("nowhere", F_OK), 0);
	CHECK_EQ(unlink("l"), 0);
	CHECK_EQ(access("f", F_OK), 0);
}

TEST(directories)
{
	char b[PATH_MAX], c[PATH_MAX];

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(st_of("d").st_nlink, 2);
	CHECK_EQ(mkdir("d/e", 0755), 0);
	CHECK_EQ(st_of("d").st_nlink, 3);
	CHECK_ERR(mkdir("d", 0755), EEXIST);
	CHECK_ERR(mkdir("none/x", 0755), ENOENT);
	CHECK_EQ(mkdir("slash/", 0755), 0);
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(rmdir("d/e/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("none"), ENOENT);
	make("f", "");
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK(getcwd(b, sizeof b) != NULL);
	CHECK_EQ(chdir("d/e"), 0);
	CHECK(getcwd(c, sizeof c) != NULL);
	CHECK_EQ(strlen(c), strlen(b) + 4);
	CHECK(!strcmp(c + strlen(b), "/d/e"));
	CHECK_ERR(syscall(SYS_getcwd, c, 3), ERANGE);
	CHECK_EQ(chdir("../.."), 0);
	CHECK_EQ(access("f", F_OK), 0);
	CHECK_ERR(chdir("f"), ENOTDIR);
	CHECK_EQ(rmdir("d/e"), 0);
	CHECK_EQ(st_of("d").st_nlink, 2);
	CHECK_EQ(rmdir("d"), 0);
	CHECK_EQ(chdir("/.."), 0);
	CHECK(getcwd(b, sizeof b) != NULL && !strcmp(b, "/"));
}

TEST(removed_working_directory)
{
	struct stat st;
	char b[100];

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(chdir("d"), 0);
	CHECK_EQ(rmdir("../d"), 0);
	CHECK_ERR(open("f", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_EQ(stat(".", &st), 0);
	CHECK_ERR(syscall(SYS_getcwd, b, sizeof b), ENOENT);
}

static int names(DIR *d, char *list)
{
	struct dirent *e;
	int n = 0;

	*list = 0;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			strcat(list, e->d_name);
			n++;
		}
	return n;
}

TEST(listing)
{
	char name[20], list[4000] = "", raw[2000];
	int fd;
	DIR *d;

	CHECK_EQ(mkdir("d", 0755), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "d/%03d", i);
		make(name, "");
	}
	d = opendir("d");
	CHECK_EQ(names(d, list), 300);
	rewinddir(d);
	CHECK_EQ(names(d, list), 300);
	closedir(d);
	fd = open("d", O_RDONLY);
	CHECK_ERR(syscall(SYS_getdents64, fd, raw, 4), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, make("x", ""), raw, 100), ENOTDIR);
	CHECK(syscall(SYS_getdents64, fd, raw, sizeof raw) > 0);
	CHECK_ERR(read(fd, raw, 10), EISDIR);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(syscall(SYS_getdents64, fd, raw, sizeof raw) > 0);
}

/* Removing what was listed loses nothing of what was not. */
TEST(listing_with_removal)
{
	char name[20];
	int removed = 0;
	struct dirent *e;
	DIR *d;

	CHECK_EQ(mkdir("d", 0755), 0);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "d/%03d", i);
		make(name, "");
		close(3);
	}
	d = opendir("d");
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			CHECK_EQ(unlinkat(dirfd(d), e->d_name, 0), 0);
			removed++;
		}
	CHECK_EQ(removed, 500);
	closedir(d);
	CHECK_EQ(rmdir("d"), 0);
}

TEST(types_in_listings)
{
	struct dirent *e;
	int seen = 0;
	DIR *d;

	make("file", "");
	mkdir("dir", 0700);
	CHECK_EQ(symlink("x", "link"), 0);
	CHECK_EQ(mkfifo("fifo", 0600), 0);
	d = opendir(".");
	while ((e = readdir(d))) {
		seen += (!strcmp(e->d_name, "file") && e->d_type == DT_REG) +
			(!strcmp(e->d_name, "dir") && e->d_type == DT_DIR) +
			(!strcmp(e->d_name, "link") && e->d_type == DT_LNK) +
			(!strcmp(e->d_name, "fifo") && e->d_type == DT_FIFO) +
			(!strcmp(e->d_name, ".") && e->d_type == DT_DIR) +
			(!strcmp(e->d_name, "..") && e->d_type == DT_DIR);
		if (e->d_name[0] != '.')
			CHECK_EQ(e->d_ino, st_of(e->d_name).st_ino);
	}
	CHECK_EQ(seen, 6);
}

TEST(renaming)
{
	ino_t ino;

	close(make("a", "a"));
	close(make("b", "b"));
	ino = st_of("a").st_ino;
	CHECK_EQ(rename("a", "c"), 0);
	CHECK_ERR(access("a", F_OK), ENOENT);
	CHECK_EQ(st_of("c").st_ino, ino);
	CHECK_EQ(rename("c", "b"), 0);
	CHECK(!strcmp(content("b"), "a"));
	CHECK_ERR(rename("none", "x"), ENOENT);
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(mkdir("e", 0755), 0);
	CHECK_ERR(rename("b", "d"), EISDIR);
	CHECK_ERR(rename("d", "b"), ENOTDIR);
	CHECK_ERR(rename("d", "d/x"), EINVAL);
	CHECK_EQ(rename("b", "d/b"), 0);
	CHECK_ERR(rename("e", "d"), ENOTEMPTY);
	CHECK_EQ(rename("d", "e"), 0);
	CHECK(!strcmp(content("e/b"), "a"));
	CHECK_EQ(rename("e/b", "e/b"), 0);
	close(make("n", "n"));
	CHECK_ERR(renameat2(AT_FDCWD, "n", AT_FDCWD, "e/b", RENAME_NOREPLACE), EEXIST);
	CHECK_EQ(renameat2(AT_FDCWD, "n", AT_FDCWD, "e/b", RENAME_EXCHANGE), 0);
	CHECK(!strcmp(content("n"), "a") && !strcmp(content("e/b"), "n"));
	CHECK_EQ(mkdir("e/sub", 0755), 0);
	CHECK_EQ(rename("e/sub", "top"), 0);
	CHECK_EQ(st_of("e").st_nlink, 2);
	CHECK_EQ(st_of("top/..").st_ino, st_of(".").st_ino);
}

TEST(times)
{
	struct timespec t[2] = { { 1000, 5 }, { 2000, 7 } };
	struct stat st, now;

	close(make("f", "x"));
	CHECK_EQ(utimensat(AT_FDCWD, "f", t, 0), 0);
	st = st_of("f");
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	CHECK_EQ(utimensat(AT_FDCWD, "f", t, 0), 0);
	st = st_of("f");
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 2000);
	test_sleep_ms(20);
	close(make("f", "longer"));
	now = st_of("f");
	CHECK(now.st_mtim.tv_sec > st.st_mtim.tv_sec || now.st_mtim.tv_nsec != st.st_mtim.tv_nsec);
}

TEST(permissions)
{
	pid_t pid;

	close(make("secret", "s"));
	CHECK_EQ(chmod("secret", 0600), 0);
	close(make("public", "p"));
	CHECK_EQ(mkdir("closed", 0700), 0);
	close(make("closed/f", "f"));
	CHECK_EQ(mkdir("sticky", 0777), 0);
	CHECK_EQ(chmod("sticky", 01777), 0);
	close(make("sticky/f", "f"));
	CHECK_EQ(mkdir("open", 0777), 0);
	CHECK_EQ(chmod("open", 0777), 0);
	CHECK_EQ(chmod(".", 0755), 0);
	close(make("group", "g"));
	CHECK(chmod("group", 0060) == 0 && chown("group", 0, 77) == 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(setgid(77), 0);
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(open("secret", O_RDONLY), EACCES);
		CHECK(open("public", O_RDONLY) >= 0);
		CHECK_ERR(open("public", O_WRONLY), EACCES);
		CHECK(open("group", O_RDWR) >= 0);
		CHECK_ERR(open("closed/f", O_RDONLY), EACCES);
		CHECK_ERR(open("new", O_CREAT | O_RDWR, 0600), EACCES);
		CHECK_ERR(unlink("public"), EACCES);
		CHECK_ERR(unlink("sticky/f"), EPERM);
		CHECK_ERR(chmod("public", 0777), EPERM);
		CHECK_ERR(chown("public", 1000, 1000), EPERM);
		CHECK_ERR(access("secret", R_OK), EACCES);
		CHECK_ERR(mkdir("closed/d", 0700), EACCES);
		CHECK_ERR(truncate("public", 0), EACCES);
		CHECK_ERR(utimensat(AT_FDCWD, "public", NULL, 0), EACCES);
		close(make("open/mine", "m"));
		CHECK_EQ(st_of("open/mine").st_uid, 1000);
		CHECK_EQ(st_of("open/mine").st_gid, 77);
		CHECK_EQ(chmod("open/mine", 0000), 0);
		CHECK_ERR(open("open/mine", O_RDONLY), EACCES);
		CHECK_ERR(execl("public", "x", NULL), EACCES);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK(open("open/mine", O_RDONLY) >= 0); /* root */
	CHECK_EQ(chmod("public", 06755), 0);
	CHECK_EQ(chown("public", 5, 6), 0);
	CHECK_EQ(st_of("public").st_mode & 07777, 0755);
	CHECK_EQ(st_of("public").st_uid, 5);
}

TEST(devices)
{
	char b[5000];
	int fd = open("/dev/null", O_RDWR), i;

	CHECK_EQ(write(fd, b, 100), 100);
	CHECK_EQ(read(fd, b, 100), 0);
	fd = open("/dev/zero", O_RDWR);
	memset(b, 1, sizeof b);
	CHECK_EQ(read(fd, b, sizeof b), sizeof b);
	for (i = 0; i < (int)sizeof b; i++)
		CHECK_EQ(b[i], 0);
	fd = open("/dev/full", O_RDWR);
	CHECK_ERR(write(fd, b, 1), ENOSPC);
	fd = open("/dev/urandom", O_RDONLY);
	CHECK_EQ(read(fd, b, 64), 64);
	for (i = 0; i < 64 && !b[i]; i++)
		;
	CHECK(i < 64);
	CHECK(S_ISCHR(st_of("/dev/null").st_mode));
	CHECK_EQ(st_of("/dev/null").st_rdev, makedev(1, 3));
	CHECK(open("/dev/random", O_RDONLY) >= 0);
	CHECK_ERR(open("/dev/none", O_RDONLY), ENOENT);
	CHECK_EQ(ioctl(fd, RNDGETENTCNT, &i), 0);
	CHECK(i > 0 && i <= 4096);
	i = 8;
	CHECK_EQ(ioctl(fd, RNDADDTOENTCNT, &i), 0);
	CHECK_ERR(ioctl(open("/dev/zero", O_RDONLY), RNDGETENTCNT, &i), ENOTTY);
}

/* A terminal: what fstat says of an open one agrees with stat of its name. */
TEST(terminal_stat_agrees)
{
	struct stat opened;
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	CHECK(fd >= 0);
	CHECK(isatty(fd));
	CHECK_EQ(fstat(fd, &opened), 0);
	CHECK(S_ISCHR(opened.st_mode));
	CHECK_EQ(opened.st_ino, st_of("/dev/console").st_ino);
	CHECK_EQ(opened.st_mode, st_of("/dev/console").st_mode);
	CHECK_EQ(opened.st_rdev, st_of("/dev/console").st_rdev);
	CHECK_ERR(lseek(fd, 0, SEEK_CUR), ESPIPE);
	CHECK(!isatty(open("/dev/null", O_RDWR)) && errno == ENOTTY);
}

TEST(status_of_files)
{
	struct stat a, b;
	struct statx x;
	struct statfs fs;
	int fd = make("f", "12345");

	CHECK(fstat(fd, &a) == 0 && stat("f", &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == 5 && a.st_nlink == 1);
	CHECK(S_ISREG(a.st_mode) && a.st_blksize >= 512);
	CHECK_EQ(fstatat(fd, "", &b, AT_EMPTY_PATH), 0);
	CHECK_EQ(b.st_ino, a.st_ino);
	CHECK_EQ(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x), 0);
	CHECK(x.stx_ino == a.st_ino && x.stx_size == 5);
	CHECK_EQ(statfs(".", &fs), 0);
	CHECK(fs.f_bsize > 0 && fs.f_namelen == 255);
	CHECK_ERR(stat("none", &a), ENOENT);
	CHECK_ERR(stat("f/", &a), ENOTDIR);
	CHECK_ERR(fstat(99, &a), EBADF);
	CHECK_EQ(access("f", R_OK | W_OK), 0);
	CHECK_ERR(access("f", X_OK), EACCES);
	CHECK_ERR(access("f", 8), EINVAL);
}

TEST(temporary_file)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 && errno == EOPNOTSUPP)
		_exit(TEST_SKIP);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "t", 1), 1);
	CHECK_EQ(st_of(".").st_nlink, 2);
	char name[30];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	CHECK_EQ(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
	CHECK(!strcmp(content("named"), "t"));
}

TEST(sync_file_range)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE), 0);
	CHECK_ERR(sync_file_range(fd, -1, 1, 1), EINVAL);
	CHECK_ERR(sync_file_range(fd, 0, -1, 1), EINVAL);
	CHECK_ERR(sync_file_range(fd, 0, 1, 8), EINVAL);
	CHECK_ERR(sync_file_range(p[0], 0, 1, 1), ESPIPE);
	CHECK_ERR(sync_file_range(-1, 0, 1, 1), EBADF);
}

TEST(zeros_shared_for_reading)
{
	int fd = open("/dev/zero", O_RDONLY);
	char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	CHECK_EQ(p[0], 0);
	CHECK_ERR(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_EQ(mprotect(p, 4096, PROT_READ | PROT_WRITE), 0);
	p[0] = 1;
}

/* A handle opens the node as long as it is there, for who may go everywhere. */
TEST(handles)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = 0 };
	int mount, other, fd, dir = open(".", O_RDONLY | O_DIRECTORY);
	struct statx sx;
	pid_t pid;

	fd = open("f", O_CREAT | O_WRONLY, 0644);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_ERR(name_to_handle_at(AT_FDCWD, "f", &u.h, &mount, 0), EOVERFLOW);
	CHECK(u.h.handle_bytes > 0 && u.h.handle_bytes <= MAX_HANDLE_SZ);
	CHECK_EQ(name_to_handle_at(AT_FDCWD, "f", &u.h, &mount, 0), 0);
	CHECK_EQ(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_MNT_ID, &sx), 0);
	CHECK_EQ(mount, sx.stx_mnt_id);
	CHECK_EQ(rename("f", "g"), 0);
	other = open_by_handle_at(dir, &u.h, O_RDONLY);
	CHECK(other >= 0);
	CHECK_EQ(fstatat(other, "", &(struct stat){ 0 }, AT_EMPTY_PATH), 0);
	CHECK_EQ(lseek(other, 0, SEEK_END), 3);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK_ERR(open_by_handle_at(dir, &u.h, O_RDONLY), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	close(other);
	close(fd);
	CHECK_EQ(unlink("g"), 0);
	CHECK_ERR(open_by_handle_at(dir, &u.h, O_RDONLY), ESTALE);
	CHECK_ERR(name_to_handle_at(AT_FDCWD, "none", &u.h, &mount, 0), ENOENT);
	u.h.handle_bytes = MAX_HANDLE_SZ + 1;
	CHECK_ERR(name_to_handle_at(AT_FDCWD, ".", &u.h, &mount, 0), EINVAL);
	u.h.handle_bytes = MAX_HANDLE_SZ;
	CHECK_ERR(name_to_handle_at(AT_FDCWD, ".", &u.h, &mount, -1), EINVAL);
}

TEST(created_query)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	CHECK_EQ(fcntl(fd, 1028 /* F_CREATED_QUERY */, 0), 1);
	fd = open("f", O_CREAT | O_RDWR, 0644);
	CHECK_EQ(fcntl(fd, 1028, 0), 0);
}

/* With the file system's user go the capabilities that are about files, and come again. */
TEST(setfsuid_and_capabilities)
{
	close(open("f", O_CREAT | O_WRONLY, 0600));
	CHECK_EQ(chmod(".", 0755), 0);
	setfsuid(1000);
	CHECK_ERR(open("f", O_RDONLY), EACCES);
	CHECK_ERR(chmod("f", 0644), EPERM);
	setfsuid(0);
	CHECK(open("f", O_RDONLY) >= 0);
}

/* The source is the file's own mapping behind its end: only what is there is written, and the file does
 * not grow by what is not. */
TEST(writes_of_its_own_mapping)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st;
	char *m;

	CHECK_EQ(ftruncate(fd, 8192), 0);
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	memset(m, 'a', 8192);
	CHECK_EQ(ftruncate(fd, 4096), 0);
	CHECK_EQ(pwrite(fd, m, 8192, 0), 4096);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 4096);
	CHECK_ERR(pwrite(fd, m + 4096, 4096, 4096), EFAULT);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 4096);
	/* what is there may make the file larger */
	CHECK_EQ(pwrite(fd, m, 4096, 6000), 4096);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 10096);
	CHECK(!memcmp(m + 6000, m, 2000));
}
