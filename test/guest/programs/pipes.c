/* Pipes and FIFOs: order, atomic writes, blocking and not, end of file, broken pipes, poll bits, what
 * opening a FIFO waits for, and what is left when a process dies in a read. */
#include "test.h"
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static volatile sig_atomic_t caught;

static void catch_signal(int sig)
{
	caught = sig;
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = catch_signal, .sa_flags = flags };

	caught = 0;
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

/* 5 bytes and a buffer of 1 GiB: only what arrives is touched. */
TEST(huge_read_of_few_bytes)
{
	size_t size = 1ul << 30;
	char *big = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	static char small[16];
	int p[2];

	CHECK(pipe(p) == 0);
	CHECK(big != MAP_FAILED);
	CHECK_EQ(write(p[1], "12345", 5), 5);
	CHECK_EQ(read(p[0], big, size), 5);
	CHECK(!memcmp(big, "12345", 5));
	CHECK_EQ(write(p[1], "12345", 5), 5);
	CHECK_EQ(read(p[0], small, size), 5);
}

TEST(bad_buffers)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[16];
	int p[2];

	CHECK(pipe(p) == 0);
	CHECK(munmap(page + 4096, 4096) == 0);
	CHECK_ERR(write(p[1], (void *)8, 5), EFAULT);
	CHECK_ERR(write(p[1], (void *)-4096l, 5), EFAULT);
	CHECK_ERR(write(p[1], page + 4096, 5), EFAULT);
	CHECK_EQ(write(p[1], page + 4090, 6), 6);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_EQ(read(p[0], buf, 6), 6);
	CHECK_ERR(read(p[0], (void *)8, 3), EFAULT);
	CHECK_EQ(read(p[0], buf, 16), 3);
	CHECK_EQ(write(p[1], NULL, 0), 0);
	CHECK_EQ(read(p[0], NULL, 0), 0);
}

TEST(bytes_in_order)
{
	static unsigned char block[70001];
	unsigned sum = 0, want = 0, at = 0;
	int p[2];
	pid_t pid;
	ssize_t n;

	CHECK(pipe(p) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(p[0]);
		for (unsigned i = 0, k = 0; i < 300; i++) {
			size_t len = 1 + i * 7919 % 5000;

			for (size_t j = 0; j < len; j++)
				block[j] = (unsigned char)(k++ * 31 >> 3);
			CHECK_EQ(write(p[1], block, len), len);
		}
		_exit(0);
	}
	close(p[1]);
	for (unsigned i = 0; i < 300; i++)
		want += 1 + i * 7919 % 5000;
	while ((n = read(p[0], block, 1 + sum % sizeof block)) > 0)
		for (ssize_t j = 0; j < n; j++, sum++)
			CHECK_EQ(block[j], (unsigned char)(at++ * 31 >> 3));
	CHECK_EQ(n, 0);
	CHECK_EQ(sum, want);
	CHECK_EQ(test_wait(pid), 0);
}

/* Writes of up to PIPE_BUF bytes by several writers are not mixed. */
TEST(atomic_writes)
{
	enum { WRITERS = 4, EACH = 60 };
	static char block[PIPE_BUF];
	int counts[WRITERS] = { 0 }, p[2];
	pid_t pid[WRITERS];

	CHECK(pipe(p) == 0);
	for (int w = 0; w < WRITERS; w++) {
		pid[w] = fork();
		CHECK(pid[w] >= 0);
		if (pid[w] == 0) {
			memset(block, 'a' + w, sizeof block);
			for (int i = 0; i < EACH; i++)
				CHECK_EQ(write(p[1], block, sizeof block), sizeof block);
			_exit(0);
		}
	}
	close(p[1]);
	for (;;) {
		size_t have = 0;
		ssize_t n = 0;

		while (have < sizeof block && (n = read(p[0], block + have, sizeof block - have)) > 0)
			have += (size_t)n;
		if (have == 0)
			break;
		CHECK_EQ(have, sizeof block);
		for (size_t i = 1; i < sizeof block; i++)
			CHECK_EQ(block[i], block[0]);
		CHECK(block[0] >= 'a' && block[0] < 'a' + WRITERS);
		counts[block[0] - 'a']++;
	}
	for (int w = 0; w < WRITERS; w++) {
		CHECK_EQ(test_wait(pid[w]), 0);
		CHECK_EQ(counts[w], EACH);
	}
}

TEST(nonblocking)
{
	static char block[PIPE_BUF];
	long total = 0, capacity;
	int p[2], count = -1;
	ssize_t n;

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	CHECK_ERR(read(p[0], block, 1), EAGAIN);
	while ((n = write(p[1], block, sizeof block)) > 0)
		total += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(total, 65536);
	capacity = fcntl(p[0], F_GETPIPE_SZ);
	CHECK_EQ(capacity, 65536);
	CHECK(ioctl(p[0], FIONREAD, &count) == 0);
	CHECK_EQ(count, total);
	/* Not room for all of an atomic write: nothing of it. */
	CHECK_EQ(read(p[0], block, sizeof block), sizeof block);
	CHECK_EQ(write(p[1], block, sizeof block), sizeof block);
	CHECK_ERR(write(p[1], block, 10), EAGAIN);
	/* F_SETFL changes the description, of all its descriptors. */
	int d = dup(p[0]);
	CHECK_EQ(fcntl(p[0], F_SETFL, 0), 0);
	CHECK(!(fcntl(d, F_GETFL) & O_NONBLOCK));
	CHECK(fcntl(p[1], F_GETFL) & O_NONBLOCK);
}

TEST(capacity_can_be_set)
{
	static char block[4096];
	int p[2];

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	CHECK(fcntl(p[1], F_SETPIPE_SZ, 4096) == 4096);
	CHECK_EQ(write(p[1], block, 4096), 4096);
	CHECK_ERR(write(p[1], block, 1), EAGAIN);
	CHECK(fcntl(p[1], F_SETPIPE_SZ, 10000) == 16384);
	CHECK_EQ(write(p[1], block, 1), 1);
	CHECK_ERR(fcntl(open("/dev/null", O_RDONLY), F_SETPIPE_SZ, 4096), EBADF);
}

TEST(full_pipe_blocks_its_writer)
{
	static char block[65536];
	pid_t pid;
	int p[2];

	CHECK(pipe(p) == 0);
	TEST_BLOCKED_CHILD(pid, {
		CHECK_EQ(write(p[1], block, sizeof block), sizeof block);
		CHECK_EQ(write(p[1], block, 5000), 5000);
		_exit(0);
	});
	CHECK_EQ(read(p[0], block, sizeof block), sizeof block);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(p[0], block, sizeof block), 5000);
}

TEST(end_of_file)
{
	char c;
	int p[2];
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0)
		_exit(write(p[1], "x", 1) != 1);
	close(p[1]);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 0);
	CHECK_EQ(read(p[0], &c, 1), 0);
}

TEST(killing_the_writer_is_end_of_file)
{
	char c;
	int p[2];
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	close(p[1]);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK_EQ(read(p[0], &c, 1), 0);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
}

TEST(killing_the_reader_is_sigpipe)
{
	static char block[4096];
	int p[2], status;
	pid_t reader, writer;

	CHECK(pipe(p) == 0);
	TEST_BLOCKED_CHILD(reader, {
		close(p[1]);
		for (;;)
			pause();
	});
	TEST_BLOCKED_CHILD(writer, {
		close(p[0]);
		for (;;)
			if (write(p[1], block, sizeof block) < 0)
				_exit(1);
	});
	close(p[0]);
	close(p[1]);
	CHECK(kill(reader, SIGKILL) == 0);
	test_wait(reader);
	status = test_wait(writer);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGPIPE);
}

/* SIGPIPE arrives in the thread that wrote, before write's return is seen; ignored: EPIPE only. */
TEST(sigpipe_comes_with_epipe)
{
	int p[2];

	CHECK(pipe(p) == 0);
	close(p[0]);
	handle(SIGPIPE, 0);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(caught, SIGPIPE);
	caught = 0;
	CHECK_ERR(writev(p[1], &(struct iovec){ (char[]){ "abc" }, 3 }, 1), EPIPE);
	CHECK_EQ(caught, SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(write(p[1], "x", 0), 0);
}

static void interrupted_read(int flags, int *p)
{
	pid_t pid, parent = getpid();
	char c = 0;

	CHECK(pipe(p) == 0);
	handle(SIGUSR1, flags);
	pid = fork();
	if (pid == 0) {
		CHECK(test_await_state(parent, 'S'));
		kill(parent, SIGUSR1);
		test_sleep_ms(100);
		_exit(write(p[1], "z", 1) != 1);
	}
	if (flags & SA_RESTART) {
		CHECK_EQ(read(p[0], &c, 1), 1);
		CHECK(c == 'z');
	} else {
		CHECK_ERR(read(p[0], &c, 1), EINTR);
	}
	CHECK_EQ(caught, SIGUSR1);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(handler_during_read)
{
	int p[2];
	char c;

	interrupted_read(0, p);
	CHECK_EQ(read(p[0], &c, 1), 1);
}

TEST(handler_during_read_with_restart)
{
	int p[2];

	interrupted_read(SA_RESTART, p);
}

/* An interrupted write tells what it has done. */
TEST(handler_during_write)
{
	static char block[100000];
	int p[2];
	pid_t pid, parent = getpid();

	CHECK(pipe(p) == 0);
	handle(SIGUSR1, 0);
	pid = fork();
	if (pid == 0) {
		CHECK(test_await_state(parent, 'S'));
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CHECK_EQ(write(p[1], block, sizeof block), 65536);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(killed_in_a_read_leaves_nothing)
{
	static const char *const kinds[] = { "process", "thread", "call", "session", "ready",
					     "handle",	"aspace", "region", "memobj" };
	enum { KINDS = sizeof kinds / sizeof kinds[0] };
	long before[KINDS];

	test_settle();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 10; i++) {
			int p[2];
			pid_t pid;
			char c;

			CHECK(pipe(p) == 0);
			TEST_BLOCKED_CHILD(pid, { _exit(read(p[0], &c, 1) != 99); });
			kill(pid, SIGKILL);
			CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
			/* The pipe still works. */
			CHECK_EQ(write(p[1], "q", 1), 1);
			CHECK_EQ(read(p[0], &c, 1), 1);
			close(p[0]);
			close(p[1]);
		}
		for (int k = 0; k < KINDS; k++) {
			long now = test_objects(kinds[k]);

			/* What is closed or ends is gone a moment later: servers and other harts. */
			for (int try = 0; round && now != before[k] && try < 50; try++) {
				test_sleep_ms(10);
				now = test_objects(kinds[k]);
			}
			if (round == 2 && now != before[k])
				printf("  %s: %ld before, %ld after\n", kinds[k], before[k], now);
			CHECK(round < 2 || now == before[k]);
			before[k] = now;
		}
	}
}

static short bits(int fd)
{
	struct pollfd f = { fd, POLLIN | POLLOUT, 0 };

	CHECK(poll(&f, 1, 0) >= 0);
	return f.revents;
}

TEST(poll_bits)
{
	static char block[65536];
	int p[2];

	CHECK(pipe(p) == 0);
	CHECK_EQ(bits(p[0]), 0);
	CHECK_EQ(bits(p[1]), POLLOUT);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(bits(p[0]), POLLIN);
	CHECK_EQ(read(p[0], block, 9), 1);
	CHECK_EQ(bits(p[0]), 0);
	CHECK_EQ(write(p[1], block, sizeof block), sizeof block);
	CHECK_EQ(bits(p[1]), 0);
	CHECK_EQ(read(p[0], block, 4096), 4096);
	CHECK_EQ(bits(p[1]), POLLOUT);
	close(p[1]);
	CHECK_EQ(bits(p[0]), POLLIN | POLLHUP);
	while (read(p[0], block, sizeof block) > 0)
		;
	CHECK_EQ(bits(p[0]), POLLHUP);
	CHECK(pipe(p) == 0);
	close(p[0]);
	CHECK_EQ(bits(p[1]), POLLOUT | POLLERR);
	close(p[1]);
	CHECK_EQ(bits(p[1]), POLLNVAL);
}

TEST(vectors)
{
	char a[3], b[4], c[10];
	struct iovec out[3] = { { (char[]){ "one" }, 3 }, { NULL, 0 }, { (char[]){ "three" }, 5 } };
	struct iovec in[3] = { { a, 3 }, { b, 4 }, { c, 10 } };
	int p[2];

	CHECK(pipe(p) == 0);
	CHECK_EQ(writev(p[1], out, 3), 8);
	CHECK_EQ(readv(p[0], in, 3), 8);
	CHECK(!memcmp(a, "one", 3) && !memcmp(b, "thre", 4) && c[0] == 'e');
	CHECK_ERR(readv(p[0], in, -1), EINVAL);
	CHECK_ERR(readv(p[0], in, 1025), EINVAL);
	CHECK_ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(p[0], a, 1, 0), ESPIPE);
	CHECK_ERR(write(p[0], a, 1), EBADF);
	CHECK_ERR(read(p[1], a, 1), EBADF);
}

TEST(fifo_stat_agrees)
{
	struct stat by_name, opened, anonymous;
	int fd, p[2];

	CHECK(mkfifo("fifo", 0640) == 0);
	CHECK(stat("fifo", &by_name) == 0);
	CHECK(S_ISFIFO(by_name.st_mode));
	fd = open("fifo", O_RDWR);
	CHECK(fd >= 0);
	CHECK(fstat(fd, &opened) == 0);
	CHECK_EQ(opened.st_ino, by_name.st_ino);
	CHECK_EQ(opened.st_dev, by_name.st_dev);
	CHECK_EQ(opened.st_mode, by_name.st_mode);
	CHECK_EQ(fchmod(fd, 0600), 0);
	CHECK(stat("fifo", &by_name) == 0);
	CHECK_EQ(by_name.st_mode & 0777, 0600);
	CHECK(pipe(p) == 0 && fstat(p[0], &anonymous) == 0);
	CHECK(S_ISFIFO(anonymous.st_mode));
}

TEST(fifo_open_rules)
{
	char c;
	int r, w;
	pid_t pid;

	CHECK(mkfifo("fifo", 0600) == 0);
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK_EQ(read(r, &c, 1), 0);
	w = open("fifo", O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0);
	CHECK_ERR(read(r, &c, 1), EAGAIN);
	close(r);
	close(w);
	/* Each waits for the other. */
	TEST_BLOCKED_CHILD(pid, {
		w = open("fifo", O_WRONLY);
		_exit(write(w, "f", 1) != 1);
	});
	r = open("fifo", O_RDONLY);
	CHECK(r >= 0);
	CHECK_EQ(read(r, &c, 1), 1);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(r, &c, 1), 0);
	close(r);
	/* A wait for the other side can be interrupted. */
	handle(SIGALRM, 0);
	alarm(1);
	CHECK_ERR(open("fifo", O_RDONLY), EINTR);
	CHECK_EQ(caught, SIGALRM);
	alarm(TEST_LIMIT);
	CHECK(unlink("fifo") == 0);
}

/* It takes what there is room for: a program that goes by what it wrote can then empty the pipe. */
TEST(vmsplice_does_not_wait_for_all)
{
	static char data[1 << 17], back[1 << 17];
	struct iovec v = { data, sizeof data };
	size_t got = 0;
	int p[2];

	memset(data, 'd', sizeof data);
	CHECK_EQ(pipe(p), 0);
	while (v.iov_len) {
		ssize_t n = vmsplice(p[1], &v, 1, 0);

		CHECK(n > 0);
		CHECK(n <= 1 << 16);
		v.iov_base = (char *)v.iov_base + n;
		v.iov_len -= (size_t)n;
		while (n > 0) {
			ssize_t r = read(p[0], back + got, (size_t)n);

			CHECK(r > 0);
			n -= r;
			got += (size_t)r;
		}
	}
	CHECK(!memcmp(data, back, sizeof data));
}
