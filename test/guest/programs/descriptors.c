/* Descriptors: which numbers are taken for what, dup and fcntl, close-on-exec, the limit on their
 * number, O_PATH, and closing under somebody's hands. */
#include "test.h"
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

TEST(absolute_path_needs_no_directory)
{
	int fd = openat(-1, "/", O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK_ERR(openat(-1, "etc", O_RDONLY), EBADF);
	CHECK_ERR(openat(12345, "etc", O_RDONLY), EBADF);
}

TEST(relative_to_a_file_is_enotdir)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	int p[2];

	CHECK(fd >= 0);
	CHECK_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
	CHECK(pipe(p) == 0);
	CHECK_ERR(openat(p[0], "x", O_RDONLY), ENOTDIR);
}

TEST(upper_halves_are_ignored)
{
	const unsigned long high = 0xabcdef0100000000ul;
	char buf[4] = "";
	int p[2];
	long d;

	CHECK(pipe(p) == 0);
	CHECK_EQ(syscall(SYS_write, high | (unsigned)p[1], "abc", 3), 3);
	CHECK_EQ(syscall(SYS_read, high | (unsigned)p[0], buf, 3), 3);
	CHECK(!memcmp(buf, "abc", 3));
	d = syscall(SYS_dup, high | (unsigned)p[0]);
	CHECK(d >= 0);
	CHECK_EQ(syscall(SYS_fcntl, high | (unsigned)d, F_GETFD, 0), 0);
	CHECK_EQ(syscall(SYS_close, high | (unsigned)d), 0);
	CHECK_ERR(fcntl((int)d, F_GETFD), EBADF);
	/* AT_FDCWD too: 32 bits of it count. */
	CHECK_EQ(syscall(SYS_faccessat, 0xffffff9cul, ".", 0), 0);
}

TEST(fdcwd_is_no_descriptor)
{
	char c;

	CHECK_ERR(read(AT_FDCWD, &c, 1), EBADF);
	CHECK_ERR(write(AT_FDCWD, &c, 1), EBADF);
	CHECK_ERR(dup(AT_FDCWD), EBADF);
	CHECK_ERR(close(AT_FDCWD), EBADF);
	CHECK_ERR(read(-1, &c, 1), EBADF);
	CHECK_ERR(read(1 << 30, &c, 1), EBADF);
	CHECK_ERR(ioctl(-1, FIONREAD, &c), EBADF);
}

TEST(emfile_creates_no_file)
{
	struct rlimit r = { 16, 16 };
	int last = -1, fd;

	CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 15);
	CHECK_ERR(openat(AT_FDCWD, "made", O_CREAT | O_RDWR, 0600), EMFILE);
	CHECK_ERR(access("made", F_OK), ENOENT);
	CHECK_ERR(dup(0), EMFILE);
	CHECK_ERR(fcntl(0, F_DUPFD, 3), EMFILE);
	CHECK_ERR(fcntl(0, F_DUPFD, 16), EINVAL);
	CHECK_ERR(dup2(0, 16), EBADF);
	CHECK_EQ(dup2(0, 15), 15);
	CHECK(close(7) == 0);
	CHECK_EQ(openat(AT_FDCWD, "made", O_CREAT | O_RDWR, 0600), 7);
	CHECK_ERR(pipe((int[2]){ 0, 0 }), EMFILE);
}

TEST(lowest_number_first)
{
	int a = dup(0), b = dup(0), c = dup(0);

	CHECK(b == a + 1 && c == a + 2);
	CHECK(close(b) == 0 && close(a) == 0);
	CHECK_EQ(dup(0), a);
	CHECK_EQ(dup(0), b);
	CHECK_EQ(fcntl(0, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(0, F_DUPFD, 100), 101);
	CHECK_EQ(fcntl(0, F_DUPFD_CLOEXEC, 700), 700);
	CHECK_EQ(fcntl(700, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(dup(0), c + 1);
}

TEST(dup_shares_the_offset)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), d;

	CHECK(write(fd, "0123456789", 10) == 10);
	d = dup(fd);
	CHECK_EQ(lseek(d, 3, SEEK_SET), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHECK_EQ(fcntl(d, F_SETFL, O_APPEND), 0);
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
	CHECK_EQ(fcntl(d, F_SETFD, FD_CLOEXEC), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_ERR(syscall(SYS_dup3, fd, fd, 0), EINVAL);
	CHECK_ERR(syscall(SYS_dup3, fd, d, 1), EINVAL);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERR(dup2(99, fd), EBADF);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
}

TEST(close_range_closes_some)
{
	for (int i = 10; i < 20; i++)
		CHECK_EQ(dup2(0, i), i);
	CHECK_EQ(syscall(SYS_close_range, 12, 14, 0), 0);
	CHECK_ERR(fcntl(12, F_GETFD), EBADF);
	CHECK_ERR(fcntl(14, F_GETFD), EBADF);
	CHECK_EQ(fcntl(11, F_GETFD), 0);
	CHECK_EQ(fcntl(15, F_GETFD), 0);
	CHECK_EQ(syscall(SYS_close_range, 16, ~0u, 4), 0); /* CLOEXEC */
	CHECK_EQ(fcntl(16, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(15, F_GETFD), 0);
	CHECK_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_close_range, 5, 6, 0x80), EINVAL);
}

EXEC(see_descriptors)
{
	/* The argument lists descriptors with + (open) or - (closed). */
	int status = 0;

	for (char *at = (char *)(uintptr_t)test_arg; *at;) {
		bool want = *at++ == '+';
		int fd = (int)strtol(at, &at, 10);

		if ((fcntl(fd, F_GETFD) >= 0) != want)
			status = fd;
	}
	exit(status);
}

TEST(cloexec_over_exec)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(0, 20);
		dup3(0, 21, O_CLOEXEC);
		dup2(0, 22);
		fcntl(22, F_SETFD, FD_CLOEXEC);
		dup3(open("/dev/null", O_RDONLY | O_CLOEXEC), 23, 0);
		fcntl(0, F_DUPFD_CLOEXEC, 24);
		dup2(24, 25);
		execv(test_program, test_exec_args("see_descriptors", (char[]){ "+20-21-22+23-24+25" }));
		_exit(100);
	}
	status = test_wait(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

TEST(o_path_has_no_io)
{
	struct stat st, st2;
	char c;
	int fd, dir;

	close(open("file", O_CREAT | O_RDWR, 0600));
	fd = open("file", O_PATH);
	CHECK(fd >= 0);
	CHECK_ERR(read(fd, &c, 1), EBADF);
	CHECK_ERR(write(fd, &c, 1), EBADF);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_ERR(fchmod(fd, 0600), EBADF);
	CHECK_ERR(ioctl(fd, FIONREAD, &c), EBADF);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EBADF);
	CHECK(fstat(fd, &st) == 0 && stat("file", &st2) == 0);
	CHECK(st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	CHECK(dup(fd) >= 0);
	dir = open(".", O_PATH);
	CHECK(dir >= 0);
	CHECK_EQ(faccessat(dir, "file", F_OK, 0), 0);
	CHECK_EQ(fchdir(dir), 0);
}

TEST(rights_of_the_open_mode)
{
	int r, w;
	char c = 'x';

	w = open("file", O_WRONLY | O_CREAT, 0600);
	r = open("file", O_RDONLY);
	CHECK_EQ(write(w, "y", 1), 1);
	CHECK_ERR(read(w, &c, 1), EBADF);
	CHECK_ERR(write(r, &c, 1), EBADF);
	CHECK_EQ(read(r, &c, 1), 1);
	CHECK(c == 'y');
	CHECK_EQ(fcntl(r, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(w, F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_ERR(ftruncate(r, 0), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, w, 0) == MAP_FAILED && errno == EACCES);
	CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, r, 0) == MAP_FAILED && errno == EACCES);
}

static int race[2];

static void *reader(void *result)
{
	char c = 0;
	long n = read(race[0], &c, 1);

	*(long *)result = n == 1 ? c : n;
	return NULL;
}

/* A read holds its pipe: dup2 over its descriptor changes what the number means, not the read. */
TEST(dup2_over_a_descriptor_being_read)
{
	int other[2];
	pthread_t t;
	long got = 0;
	char c;

	CHECK(pipe(race) == 0 && pipe(other) == 0);
	CHECK(pthread_create(&t, NULL, reader, &got) == 0);
	test_sleep_ms(50);
	CHECK_EQ(dup2(other[0], race[0]), race[0]);
	CHECK_EQ(write(other[1], "n", 1), 1);
	test_sleep_ms(20);
	CHECK_EQ(got, 0);
	CHECK_EQ(write(race[1], "o", 1), 1);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK_EQ(got, 'o');
	CHECK_EQ(read(race[0], &c, 1), 1);
	CHECK(c == 'n');
}

TEST(close_of_a_descriptor_being_read)
{
	pthread_t t;
	long got = 0;

	CHECK(pipe(race) == 0);
	CHECK(pthread_create(&t, NULL, reader, &got) == 0);
	test_sleep_ms(50);
	CHECK_EQ(close(race[0]), 0);
	CHECK_EQ(write(race[1], "c", 1), 1);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK_EQ(got, 'c');
}

/* fork copies the table, a thread shares it. */
TEST(tables_of_fork_and_thread)
{
	int fd = dup(0);
	pid_t pid = fork();

	if (pid == 0) {
		close(fd);
		CHECK_EQ(dup(0), fd);
		close(fd);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

/* A description is shared over fork: one offset. */
TEST(offset_over_fork)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t pid = fork();

	if (pid == 0)
		_exit(write(fd, "child", 5) != 5);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
}

TEST(many_descriptors)
{
	struct rlimit r;
	int top;

	CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0);
	top = r.rlim_cur > 1000 ? 1000 : (int)r.rlim_cur;
	for (int i = 3; i < top; i++)
		CHECK_EQ(dup2(0, i), i);
	for (int i = 3; i < top; i += 2)
		CHECK_EQ(close(i), 0);
	for (int i = 3; i < top; i += 2)
		CHECK_EQ(dup(0), i);
}
