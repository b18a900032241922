/* What a mount's flags forbid: ro, noexec, nosuid, nodev. */
#include "test.h"
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

/* A tmpfs at "m" with a file, a directory, a link, a device; then with these flags, by a remount. */
static void make(unsigned long flags)
{
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	close(open("m/f", O_CREAT | O_WRONLY, 0644));
	CHECK_EQ(mkdir("m/d", 0755), 0);
	CHECK_EQ(symlink("f", "m/l"), 0);
	CHECK_EQ(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	CHECK_EQ(mount("none", "m", NULL, MS_REMOUNT | flags, NULL), 0);
}

static void check_read_only(void)
{
	static const struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	int fd = open("m/f", O_RDONLY);

	CHECK_ERR(open("m/f", O_RDWR), EROFS);
	CHECK_ERR(open("m/f", O_RDONLY | O_TRUNC), EROFS);
	CHECK_ERR(open("m/new", O_CREAT | O_WRONLY, 0644), EROFS);
	CHECK_ERR(open("m", O_TMPFILE | O_RDWR, 0644), EROFS);
	CHECK_ERR(open("m/none", O_RDWR), ENOENT);
	CHECK_ERR(mkdir("m/new", 0755), EROFS);
	CHECK_ERR(mkdir("m/d", 0755), EEXIST);
	CHECK_ERR(mknod("m/new", S_IFIFO | 0644, 0), EROFS);
	CHECK_ERR(symlink("f", "m/new"), EROFS);
	CHECK_ERR(link("m/f", "m/new"), EROFS);
	CHECK_ERR(rename("m/f", "m/new"), EROFS);
	CHECK_ERR(unlink("m/f"), EROFS);
	CHECK_ERR(unlink("m/none"), EROFS);
	CHECK_ERR(rmdir("m/d"), EROFS);
	CHECK_ERR(chmod("m/f", 0600), EROFS);
	CHECK_ERR(fchmod(fd, 0600), EROFS);
	CHECK_ERR(chown("m/f", 1, 1), EROFS);
	CHECK_ERR(fchown(fd, 1, 1), EROFS);
	CHECK_ERR(lchown("m/l", 1, 1), EROFS);
	CHECK_ERR(utimensat(AT_FDCWD, "m/f", now, 0), EROFS);
	CHECK_ERR(futimens(fd, now), EROFS);
	CHECK_ERR(truncate("m/f", 0), EROFS);
	CHECK_ERR(access("m/f", W_OK), EROFS);
	CHECK_EQ(access("m/f", R_OK), 0);
	CHECK_EQ(access("m/null", W_OK), 0);
	fd = open("m/null", O_RDWR);
	CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(read_only)
{
	struct statvfs st;

	make(MS_RDONLY);
	check_read_only();
	CHECK_EQ(statvfs("m", &st), 0);
	CHECK_EQ(st.f_flag & (ST_RDONLY | ST_NOSUID), ST_RDONLY);
	CHECK_EQ(mount("none", "m", NULL, MS_REMOUNT, NULL), 0);
	CHECK_EQ(chmod("m/f", 0600), 0);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

TEST(read_only_seen_through_one_mount)
{
	make(0);
	CHECK_EQ(mkdir("rw", 0755), 0);
	CHECK_EQ(mount("m", "rw", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount("none", "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	check_read_only();
	CHECK_EQ(chmod("rw/f", 0644), 0);
	CHECK_EQ(mount("none", "rw", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_ERR(chmod("rw/f", 0644), EROFS);
	CHECK_EQ(umount("rw"), 0);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

TEST(not_read_only_while_somebody_writes)
{
	int fd;

	make(0);
	fd = open("m/f", O_WRONLY);
	CHECK_ERR(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_ERR(mount("none", "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
	close(fd);
	CHECK_EQ(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_EQ(umount("m"), 0);
}

TEST(no_devices)
{
	int fd;

	make(MS_NODEV);
	CHECK_ERR(open("m/null", O_RDONLY), EACCES);
	fd = open("m/null", O_PATH);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(umount("m"), 0);
}

static void copy_program(const char *to, int mode)
{
	static char buf[65536];
	int in = open(test_program, O_RDONLY), out = open(to, O_CREAT | O_WRONLY, mode);
	ssize_t n;

	while ((n = read(in, buf, sizeof buf)) > 0)
		CHECK_EQ(write(out, buf, (size_t)n), n);
	CHECK_EQ(fchmod(out, (mode_t)mode), 0);
	close(in);
	close(out);
}

TEST(no_execution)
{
	char *argv[] = { (char *)"x", NULL };
	int fd;

	make(0);
	copy_program("m/x", 0755);
	CHECK_EQ(mount("none", "m", NULL, MS_REMOUNT | MS_NOEXEC, NULL), 0);
	CHECK_ERR(execv("m/x", argv), EACCES);
	CHECK_EQ(access("m/x", R_OK), 0);
	fd = open("m/x", O_RDONLY);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	close(fd);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

EXEC(tell_euid)
{
	exit((int)geteuid() == atoi(test_arg) ? 0 : 1);
}

static int run_as_1000(const char *path, const char *want)
{
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		execv(path, test_exec_args("tell_euid", (char *)(uintptr_t)want));
		_exit(99);
	}
	return test_wait(pid);
}

TEST(no_set_id_bits)
{
	make(0);
	CHECK_EQ(chmod(".", 0755), 0);
	CHECK_EQ(chmod("m", 0755), 0);
	copy_program("m/x", 04755);
	CHECK_EQ(run_as_1000("m/x", "0"), 0);
	CHECK_EQ(mount("none", "m", NULL, MS_REMOUNT | MS_NOSUID, NULL), 0);
	CHECK_EQ(run_as_1000("m/x", "1000"), 0);
	CHECK_EQ(umount("m"), 0);
}

TEST(they_are_listed)
{
	static char text[16384], want[256], here[200];
	int fd;

	make(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
	fd = open("/proc/self/mounts", O_RDONLY);
	for (size_t n = 0; n < sizeof text - 1;) {
		ssize_t r = read(fd, text + n, sizeof text - 1 - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	close(fd);
	CHECK(getcwd(here, sizeof here));
	snprintf(want, sizeof want, "none %s/m tmpfs ro,nosuid,nodev,noexec,noatime", here);
	CHECK(strstr(text, want));
	CHECK_EQ(umount("m"), 0);
}
