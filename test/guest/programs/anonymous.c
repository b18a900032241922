/* Descriptors that no path names: what the general calls answer for them. */
#include "test.h"
#include <poll.h>
#include <termios.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define KINDS 6

static int fd[KINDS];
static int pipes[2];

static void make_all(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	fd[0] = eventfd(3, EFD_NONBLOCK);
	fd[1] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	fd[2] = signalfd(-1, &set, SFD_NONBLOCK);
	fd[3] = epoll_create1(0);
	fd[4] = (int)syscall(SYS_pidfd_open, getpid(), 0);
	CHECK(pipe(pipes) == 0);
	fd[5] = pipes[0];
	for (int i = 0; i < KINDS; i++)
		CHECK(fd[i] >= 0);
}

TEST(all_can_be_looked_at)
{
	struct statx sx;
	struct stat st;

	make_all();
	for (int i = 0; i < KINDS; i++) {
		st.st_nlink = 0;
		CHECK_EQ(fstat(fd[i], &st), 0);
		CHECK_EQ(st.st_nlink, 1);
		sx.stx_nlink = 0;
		CHECK_EQ(statx(fd[i], "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx), 0);
		CHECK_EQ(sx.stx_nlink, 1);
	}
	CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, NULL, &st, AT_EMPTY_PATH), EFAULT);
	CHECK_EQ(syscall(SYS_newfstatat, fd[0], NULL, &st, AT_EMPTY_PATH), 0);
}

TEST(a_pipe_has_a_mode)
{
	struct stat st;

	make_all();
	CHECK_EQ(fchmod(pipes[1], 0640), 0);
	CHECK_EQ(fchown(pipes[0], 5, 6), 0);
	CHECK_EQ(fstat(pipes[0], &st), 0);
	CHECK_EQ(st.st_mode, S_IFIFO | 0640);
	CHECK_EQ(st.st_uid, 5);
	CHECK_EQ(st.st_gid, 6);
	CHECK_EQ(fchmod(fd[0], 0640), 0);
	CHECK_EQ(fchown(fd[3], 0, 0), 0);
}

TEST(none_has_places)
{
	char b[8];

	make_all();
	for (int i = 0; i < 4; i++) {
		CHECK_ERR(pread(fd[i], b, 8, 0), ESPIPE);
		CHECK_ERR(pwrite(fd[i], b, 8, 0), ESPIPE);
		CHECK_EQ(posix_fadvise(fd[i], 0, 0, POSIX_FADV_NORMAL), 0);
	}
	CHECK_ERR(lseek(fd[0], 0, 6), EINVAL);
	CHECK_ERR(lseek(pipes[0], 0, SEEK_SET), ESPIPE);
	CHECK_EQ(posix_fadvise(pipes[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_EQ(posix_fadvise(fd[0], 0, 0, 77), EINVAL);
}

TEST(counters_are_ready_for_no_more_than_they_say)
{
	struct pollfd p = { fd[0], 0x3ff, 0 };
	uint64_t eleven[2] = { 11, 12 };

	make_all();
	p.fd = fd[0];
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	CHECK_ERR(write(fd[0], eleven, 4), EINVAL);
	CHECK_EQ(write(fd[0], eleven, 8), 8);
	CHECK_EQ(read(fd[0], eleven, 16), 8);
	CHECK_EQ(eleven[0], 14);
}

TEST(flock_and_owners)
{
	make_all();
	CHECK_ERR(flock(fd[0], LOCK_SH | LOCK_EX | LOCK_NB), EINVAL);
	CHECK_EQ(flock(fd[0], LOCK_SH | LOCK_NB), 0);
	CHECK_EQ(fcntl(fd[0], F_GETOWN), 0);
	CHECK_EQ(fcntl(fd[0], F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(fd[0], 1000), EINVAL);
}

TEST(only_directories_have_entries)
{
	char b[64];
	int f = open("file", O_WRONLY | O_CREAT, 0600);

	make_all();
	CHECK_ERR(syscall(SYS_getdents64, f, b, sizeof b), ENOTDIR);
	CHECK_ERR(syscall(SYS_getdents64, fd[0], b, sizeof b), ENOTDIR);
	CHECK_ERR(fchdir(fd[0]), ENOTDIR);
	CHECK_EQ(lseek(f, 0x7fffffffffffffff, SEEK_SET), 0x7fffffffffffffff);
	CHECK_EQ(fcntl(f, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERR(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}

TEST(arguments_come_before_the_kind)
{
	char b[8];

	make_all();
	for (int i = 0; i < KINDS; i++) {
		CHECK_ERR(flock(fd[i], LOCK_SH | LOCK_EX | LOCK_NB), EINVAL);
		CHECK_ERR(lseek(fd[i], 1, 6), EINVAL);
		CHECK_ERR(pread(fd[i], b, 8, -1), EINVAL);
		CHECK_ERR(sync_file_range(fd[i], 0, 0, 64), EINVAL);
		CHECK_EQ(posix_fadvise(fd[i], 0, 0, 77), i == 5 ? ESPIPE : EINVAL);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_ERR(fallocate(fd[i], 0, 0, 0), EINVAL);
		CHECK_ERR(fallocate(fd[i], 0x100, 0, 10), EOPNOTSUPP);
		CHECK_ERR(fallocate(fd[i], 0, 0, 10), ENODEV);
		CHECK_ERR(sync_file_range(fd[i], 0, 0, 0), ESPIPE);
		CHECK_EQ(fcntl(fd[i], F_GETLEASE), F_UNLCK);
	}
	CHECK_ERR(fallocate(pipes[1], 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(pipes[1], 0, 0, 10), ESPIPE);
	CHECK_ERR(pread(99, b, 8, -1), EINVAL);
	CHECK_ERR(pread(99, b, 8, 0), EBADF);
	CHECK_ERR(pread(pipes[1], b, 8, 0), ESPIPE);
	CHECK_ERR(pwrite(pipes[0], b, 8, 0), ESPIPE);
}

TEST(epoll_and_signalfd_keep_their_flags)
{
	int on = 1, off = 0;

	make_all();
	for (int i = 2; i < 4; i++) {
		CHECK_EQ(fcntl(fd[i], F_SETFL, O_NONBLOCK), 0);
		CHECK_EQ(fcntl(fd[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
		CHECK_EQ(ioctl(fd[i], FIONBIO, &off), 0);
		CHECK_EQ(fcntl(fd[i], F_GETFL) & O_NONBLOCK, 0);
		CHECK_EQ(ioctl(fd[i], FIONBIO, &on), 0);
		CHECK_ERR(ioctl(fd[i], FIONBIO, (int *)8), EFAULT);
		CHECK_EQ(fcntl(fd[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
		CHECK_ERR(fcntl(fd[i], F_GETPIPE_SZ), EBADF);
		CHECK_ERR(write(fd[i], &on, sizeof on), EINVAL);
		CHECK_EQ(lseek(fd[i], 0, SEEK_SET), 0);
	}
	CHECK_ERR(ioctl(fd[3], TCGETS, 8), EINVAL);
	CHECK_ERR(ioctl(fd[2], TCGETS, 8), ENOTTY);
	CHECK_ERR(read(fd[3], &on, sizeof on), EINVAL);
}

TEST(all_have_a_block_size)
{
	int size;

	make_all();
	for (int i = 0; i < KINDS; i++)
		if (i != 3) {
			size = 0;
			CHECK_EQ(ioctl(fd[i], 2 /* FIGETBSZ */, &size), 0);
			CHECK_EQ(size, 4096);
		}
	size = 0;
	CHECK_EQ(ioctl(open("/dev/null", O_RDWR), 2, &size), 0);
	CHECK_EQ(ioctl(open("/tmp", O_RDONLY), 2, &size), 0);
	CHECK_EQ(size, 4096);
}

TEST(an_end_that_may_not_be_read_cannot_be_mapped)
{
	make_all();
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, pipes[1], 0) == MAP_FAILED);
	CHECK_EQ(errno, EACCES);
	CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, pipes[0], 0) == MAP_FAILED);
	CHECK_EQ(errno, EACCES);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, pipes[0], 0) == MAP_FAILED);
	CHECK_EQ(errno, ENODEV);
}
