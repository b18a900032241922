/* One process asks for as much as it can get of each kind that the kernel or a server keeps for it.  It
 * is told when it has had its share, the others go on meanwhile, and when it has died everything is
 * there again.  test/guest/kept.exp runs this in little memory.  tern only */
#include "no_leak.h"
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static int ready[2]; /* a byte: the greedy one has all that it gets */

static _Noreturn void full(void)
{
	CHECK_EQ(write(ready[1], "", 1), 1);
	for (;;)
		pause();
}

/* What anybody needs; the greedy one has its share, and no more. */
static void others_run(void)
{
	static char data[65536];
	struct epoll_event ev = { .events = EPOLLIN };
	int p[2], set = epoll_create1(0);
	char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(m != MAP_FAILED && set >= 0 && pipe(p) == 0);
	memset(m, 1, 1 << 20);
	CHECK_EQ(write(p[1], data, sizeof data), sizeof data);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, p[0], &ev), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(p[1]);
		_exit(read(p[0], data, 10) == 10 ? 7 : 1);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 7);
	close(p[0]);
	close(p[1]);
	close(set);
	munmap(m, 1 << 20);
}

static void others_go_on(void)
{
	int fd = open("others", O_CREAT | O_RDWR | O_TRUNC, 0600);
	static char data[65536];

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, data, sizeof data), sizeof data);
	close(fd);
	unlink("others");
	others_run();
}

static void (*greedy)(void);

static void one_greedy(long i)
{
	struct rlimit many = { 1 << 20, 1 << 20 };
	char c;
	pid_t pid;

	(void)i;
	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &many), 0);
		greedy();
		full();
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	others_go_on();
	kill(pid, SIGKILL);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	close(ready[0]);
}

static void greed(void (*what)(void))
{
	alarm(200);
	greedy = what;
	no_leak(one_greedy, 1);
}

/* Threads that need no stack: each waits for a word. */
static long bare_thread(void)
{
	static int word;
	register long a0 __asm__("a0") = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
					 CLONE_THREAD | CLONE_SYSVSEM;
	register long a1 __asm__("a1") = 0;
	register long a2 __asm__("a2") = 0;
	register long a3 __asm__("a3") = 0;
	register long a4 __asm__("a4") = 0;
	register long a7 __asm__("a7") = SYS_clone;

	__asm__ volatile("ecall\n\t"
			 "bnez a0, 2f\n"
			 "1:\tmv a0, %[word]\n\t"
			 "li a1, 128\n\t" /* FUTEX_WAIT_PRIVATE */
			 "li a2, 0\n\tli a3, 0\n\tli a7, 98\n\tecall\n\tj 1b\n"
			 "2:"
			 : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a7)
			 : [word] "r"(&word)
			 : "memory");
	return a0;
}

static void threads(void)
{
	long n, r;

	for (n = 0; (r = bare_thread()) > 0; n++)
		;
	CHECK_EQ(r, -EAGAIN);
	CHECK(n > 1000);
}
TEST(threads)
{
	greed(threads);
}

static void descriptors(void)
{
	int n = 1;

	while (fcntl(0, F_DUPFD, n * 64) >= 0)
		n++;
	CHECK_EQ(errno, ENOMEM);
	CHECK(n > 1000);
}
TEST(descriptors)
{
	greed(descriptors);
}

static void watches(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	static int fd[500];
	long n = 0;
	int set;

	for (int i = 0; i < 500; i++)
		CHECK((fd[i] = eventfd(0, 0)) >= 0);
	for (;;) {
		set = epoll_create1(0);
		if (set < 0)
			break;
		for (int i = 0; i < 500; i++, n++)
			if (epoll_ctl(set, EPOLL_CTL_ADD, fd[i], &ev))
				goto out;
	}
out:
	CHECK_EQ(errno, ENOMEM);
	CHECK(n > 10000);
}
TEST(watches)
{
	greed(watches);
}

static void mappings(void)
{
	long n = 0;

	while (mmap(NULL, 4096, n & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	       MAP_FAILED)
		n++;
	CHECK_EQ(errno, ENOMEM);
	CHECK(n > 10000);
}
TEST(mappings)
{
	greed(mappings);
}

static void signals(void)
{
	struct rlimit no = { RLIM_INFINITY, RLIM_INFINITY };
	union sigval value = { 0 };
	sigset_t set;
	long n = 0;

	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &no), 0);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (sigqueue(getpid(), SIGRTMIN, value) == 0)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(n > 10000);
}
TEST(signals)
{
	greed(signals);
}

static void timers(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	timer_t id;
	long n = 0;

	while (timer_create(CLOCK_MONOTONIC, &ev, &id) == 0)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(n > 100);
}
TEST(timers)
{
	greed(timers);
}

/* A pipe's bytes are charged to who wrote the first, also when his end of it is closed. */
static void pipes(void)
{
	static char data[65536];
	static int in[2000], out[2000];
	long n = 0, r = sizeof data;
	int p[2];

	for (; r == (long)sizeof data && n < 2000; n++) {
		CHECK_EQ(pipe2(p, O_NONBLOCK), 0);
		in[n] = p[0];
		out[n] = p[1];
		r = write(p[1], data, sizeof data);
		if (n & 1 && r == (long)sizeof data)
			close(p[1]);
	}
	CHECK(n > 20 && n < 2000);
	while (r > 0)
		r = write(p[1], data, 4096);
	CHECK_EQ(errno, ENOMEM);
	/* With the pipe goes what it held. */
	close(in[0]);
	close(out[0]);
	CHECK(pipe2(p, O_NONBLOCK) == 0 && write(p[1], data, 4096) == 4096);
}
TEST(pipes)
{
	greed(pipes);
}

/* Page tables for nothing but zeroes: there is no call that could fail, so it is the end of who wants
 * them, and of nobody else. */
TEST(tables)
{
	size_t size = 32ul << 30;
	pid_t other = fork(), pid;

	CHECK(other >= 0);
	if (other == 0)
		for (;;)
			pause();
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		volatile char *m = mmap(NULL, size, PROT_READ,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		CHECK(m != MAP_FAILED);
		for (size_t i = 0; i < size; i += 2 << 20)
			(void)m[i];
		_exit(2);
	}
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	others_go_on();
	kill(other, SIGTERM);
	CHECK_EQ(WTERMSIG(test_wait(other)), SIGTERM);
}

/* Names last longer than who made them: they leave enough for others to go on, and go when told. */
TEST(names)
{
	static char target[4000];
	char name[32];
	long n;

	alarm(200);
	memset(target, 'x', sizeof target - 1);
	for (n = 0;; n++) {
		snprintf(name, sizeof name, "s%ld", n);
		if (symlink(target, name))
			break;
	}
	CHECK(errno == ENOSPC || errno == ENOMEM);
	CHECK(n > 1000);
	others_run();
	while (n-- > 0) {
		snprintf(name, sizeof name, "s%ld", n);
		CHECK_EQ(unlink(name), 0);
	}
	CHECK_EQ(symlink(target, "again"), 0);
	CHECK_EQ(unlink("again"), 0);
}
