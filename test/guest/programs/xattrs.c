/* Extended attributes of files in a tmpfs: set, found, listed, removed; the names' and the classes' rules. */
#include "test.h"
#include <sys/mount.h>
#include <sys/xattr.h>

static void make(void)
{
	CHECK_EQ(chmod(".", 0755), 0);
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	CHECK_EQ(chdir("m"), 0);
	close(open("f", O_CREAT | O_WRONLY, 0644));
	CHECK_EQ(symlink("f", "l"), 0);
}

static void end(void)
{
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

static bool has(const char *list, ssize_t n, const char *name)
{
	for (const char *at = list; at < list + n; at += strlen(at) + 1)
		if (!strcmp(at, name))
			return true;
	return false;
}

TEST(values)
{
	char buf[64], list[256];
	int fd;

	make();
	fd = open("f", O_RDONLY);
	CHECK_ERR(getxattr("f", "user.a", buf, sizeof buf), ENODATA);
	CHECK_EQ(listxattr("f", list, sizeof list), 0);
	CHECK_EQ(setxattr("f", "user.a", "one", 3, 0), 0);
	CHECK_EQ(fsetxattr(fd, "user.b", "", 0, XATTR_CREATE), 0);
	CHECK_EQ(setxattr("l", "trusted.c", "xyz", 4, 0), 0);
	CHECK_EQ(getxattr("l", "user.a", buf, sizeof buf), 3);
	CHECK(!memcmp(buf, "one", 3));
	CHECK_EQ(fgetxattr(fd, "user.a", NULL, 0), 3);
	CHECK_EQ(fgetxattr(fd, "user.b", buf, sizeof buf), 0);
	CHECK_ERR(getxattr("f", "user.a", buf, 2), ERANGE);
	CHECK_EQ(listxattr("f", NULL, 0), 7 + 7 + 10);
	CHECK_EQ(flistxattr(fd, list, sizeof list), 24);
	CHECK(has(list, 24, "user.a") && has(list, 24, "user.b") && has(list, 24, "trusted.c"));
	CHECK_ERR(listxattr("f", list, 23), ERANGE);
	CHECK_ERR(setxattr("f", "user.a", "x", 1, XATTR_CREATE), EEXIST);
	CHECK_ERR(setxattr("f", "user.z", "x", 1, XATTR_REPLACE), ENODATA);
	CHECK_EQ(setxattr("f", "user.a", "longer", 6, XATTR_REPLACE), 0);
	CHECK_EQ(fgetxattr(fd, "user.a", buf, sizeof buf), 6);
	CHECK_EQ(removexattr("l", "user.a"), 0);
	CHECK_ERR(fremovexattr(fd, "user.a"), ENODATA);
	CHECK_ERR(lgetxattr("f", "user.a", buf, sizeof buf), ENODATA);
	CHECK_EQ(rename("f", "g"), 0);
	CHECK_EQ(getxattr("g", "trusted.c", buf, sizeof buf), 4);
	end();
}

TEST(large_values)
{
	static char in[65537], out[65536];

	make();
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (char)(i * 7);
	CHECK_EQ(setxattr("f", "user.big", in, 65536, 0), 0);
	CHECK_EQ(getxattr("f", "user.big", out, sizeof out), 65536);
	CHECK(!memcmp(in, out, sizeof out));
	CHECK_ERR(getxattr("f", "user.big", out, 65535), ERANGE);
	CHECK_ERR(setxattr("f", "user.big", in, 65537, 0), E2BIG);
	end();
}

TEST(names)
{
	static char longest[258];
	char buf[8];

	make();
	memset(longest, 'x', 256);
	memcpy(longest, "user.", 5);
	CHECK_ERR(setxattr("f", longest, "1", 1, 0), ERANGE);
	longest[255] = 0;
	CHECK_EQ(setxattr("f", longest, "1", 1, 0), 0);
	CHECK_EQ(getxattr("f", longest, buf, sizeof buf), 1);
	CHECK_ERR(setxattr("f", "", "1", 1, 0), ERANGE);
	CHECK_ERR(setxattr("f", "user.", "1", 1, 0), EINVAL);
	CHECK_ERR(setxattr("f", "other.a", "1", 1, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("f", "noclass", "1", 1, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("f", "user.a", "1", 1, 4), EINVAL);
	CHECK_ERR(setxattr("none", "user.a", "1", 1, 0), ENOENT);
	CHECK_ERR(setxattr("f", (char *)1, "1", 1, 0), EFAULT);
	CHECK_ERR(setxattr("f", "user.a", (char *)1, 1, 0), EFAULT);
	CHECK_ERR(fsetxattr(-1, "user.a", "1", 1, 0), EBADF);
	CHECK_ERR(getxattr("/proc/self/status", "user.a", buf, sizeof buf), EOPNOTSUPP);
	end();
}

TEST(what_a_link_or_a_fifo_can_have)
{
	char buf[8];

	make();
	CHECK_EQ(mkfifo("p", 0666), 0);
	CHECK_ERR(setxattr("p", "user.a", "1", 1, 0), EPERM);
	CHECK_ERR(getxattr("p", "user.a", buf, sizeof buf), ENODATA);
	CHECK_ERR(lsetxattr("l", "user.a", "1", 1, 0), EPERM);
	CHECK_EQ(lsetxattr("l", "trusted.a", "1", 1, 0), 0);
	CHECK_EQ(lgetxattr("l", "trusted.a", buf, sizeof buf), 1);
	CHECK_ERR(getxattr("f", "trusted.a", buf, sizeof buf), ENODATA);
	CHECK_EQ(llistxattr("l", NULL, 0), 10);
	CHECK_EQ(lremovexattr("l", "trusted.a"), 0);
	end();
}

TEST(who_may)
{
	char buf[8];
	pid_t pid;

	make();
	CHECK_EQ(mkdir("sticky", 01777), 0);
	CHECK_EQ(chmod("sticky", 01777), 0);
	close(open("mine", O_CREAT | O_WRONLY, 0600));
	CHECK_EQ(chown("mine", 1000, 1000), 0);
	CHECK_EQ(setxattr("f", "user.a", "1", 1, 0), 0);
	CHECK_EQ(setxattr("f", "trusted.a", "1", 1, 0), 0);
	CHECK_EQ(setxattr("f", "security.tern", "1", 1, 0), 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK_EQ(getxattr("f", "user.a", buf, sizeof buf), 1);
		CHECK_EQ(getxattr("f", "security.tern", buf, sizeof buf), 1);
		CHECK_ERR(getxattr("f", "trusted.a", buf, sizeof buf), ENODATA);
		CHECK_EQ(listxattr("f", NULL, 0), 7 + 14);
		CHECK_ERR(setxattr("f", "user.a", "2", 1, 0), EACCES);
		CHECK_ERR(removexattr("f", "user.a"), EACCES);
		CHECK_ERR(setxattr("sticky", "user.a", "2", 1, 0), EPERM);
		CHECK_EQ(setxattr("mine", "user.a", "2", 1, 0), 0);
		CHECK_ERR(setxattr("mine", "trusted.a", "2", 1, 0), EPERM);
		CHECK_ERR(setxattr("mine", "security.tern", "2", 1, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(mount("none", ".", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_ERR(setxattr("f", "user.a", "2", 1, 0), EROFS);
	CHECK_ERR(removexattr("f", "user.a"), EROFS);
	CHECK_EQ(getxattr("f", "user.a", buf, sizeof buf), 1);
	end();
}
