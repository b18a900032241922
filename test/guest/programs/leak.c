/* Everything is given back: 1,000 times fork, exec, exit and wait, and many other short lives, leave as
 * many frames, kernel objects and handles in use as there were before.
 *
 * The numbers are those of /proc/tern/objects; each that stands for something in use must be the
 * same after a round as before it.  A first round fills caches.  On other systems only the calls run.
 * timeout: 300 */
#include "no_leak.h"
#include <pthread.h>

#define ROUNDS 1000

EXEC(exit_now)
{
	_exit(test_arg ? atoi(test_arg) : 0);
}

static void fork_exec(long i)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		execv(test_program, test_exec_args("exit_now", (char *)(uintptr_t)"5"));
		_exit(100);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 5);
	(void)i;
}

TEST(fork_exec_exit_wait)
{
	alarm(250);
	no_leak(fork_exec, ROUNDS);
}

static void fork_touch(long i)
{
	static char data[64 * 4096];
	pid_t pid;

	data[0] = 1;
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		memset(data, 2, sizeof data);
		if (i & 1)
			kill(getpid(), SIGKILL);
		*(volatile char *)(i & 2 ? NULL : data) = 1;
		_exit(0);
	}
	test_wait(pid);
}

TEST(fork_touch_die)
{
	alarm(100);
	no_leak(fork_touch, 200);
}

static void pipes_and_files(long i)
{
	char name[30];
	int p[2], q[2];
	pid_t pid;

	snprintf(name, sizeof name, "f%ld", i);
	CHECK(pipe(p) == 0 && pipe(q) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		static char b[9000];

		close(p[1]);
		if (i & 1)
			read(p[0], b, 1); /* killed in it */
		CHECK_EQ(write(open(name, O_CREAT | O_RDWR, 0600), b, sizeof b), sizeof b);
		_exit(0);
	}
	if (i & 1) {
		CHECK(test_await_state(pid, 'S'));
		kill(pid, SIGKILL);
	}
	test_wait(pid);
	unlink(name);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

TEST(pipes_and_files_of_the_dead)
{
	alarm(100);
	no_leak(pipes_and_files, 100);
}

/* Pages of 2 MiB: whole, in pieces, shared and copied, and of somebody killed while one is made. */
static void huge_pages(long i)
{
	const size_t size = 8 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;
	pid_t pid;

	CHECK(p != MAP_FAILED);
	at = (char *)(((uintptr_t)p + (2 << 20) - 1) & -(uintptr_t)(2 << 20));
	madvise(p, size, MADV_HUGEPAGE);
	for (int k = 0; k < 3; k++)
		at[k * (2 << 20)] = 1;
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		at[4096] = 2;
		munmap(at + 8192, 4096);
		munmap(at + (2 << 20), 2 << 20);
		memset(at + (4 << 20), 3, 1 << 20);
		_exit(0);
	}
	if (i & 1)
		mprotect(at + 4096 * 100, 4096, PROT_READ);
	if (i & 2)
		munmap(at + (2 << 20) - 4096, 8192);
	test_wait(pid);
	if (i & 4)
		at[4096 * 200] = 4;
	munmap(p, size);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(p, 1, size);
		_exit(0);
	}
	kill(pid, SIGKILL);
	test_wait(pid);
}

TEST(huge_pages_of_the_dead)
{
	alarm(100);
	no_leak(huge_pages, 60);
}

static void *thread(void *arg)
{
	return arg;
}

static void threads(long i)
{
	pthread_t t[3];
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		for (int k = 0; k < 3; k++)
			CHECK(pthread_create(&t[k], NULL, thread, NULL) == 0);
		for (int k = 0; k < (int)(i % 4); k++)
			if (k < 3)
				pthread_join(t[k], NULL);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(threads_of_the_dead)
{
	alarm(100);
	no_leak(threads, 100);
}

static void mappings(long i)
{
	int fd = open("map", O_CREAT | O_RDWR, 0600);
	char *p, *q;

	CHECK_EQ(ftruncate(fd, 40 * 4096), 0);
	p = mmap(NULL, 40 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, 40 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	memset(p, (int)i, 40 * 4096);
	memset(q, 1, 20 * 4096);
	pid_t pid = fork();
	if (pid == 0) {
		memset(q + 10 * 4096, 2, 20 * 4096);
		CHECK_EQ(munmap(q + 5 * 4096, 10 * 4096), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(ftruncate(fd, 4096), 0);
	CHECK(munmap(p, 40 * 4096) == 0 && munmap(q, 40 * 4096) == 0);
	close(fd);
	unlink("map");
}

TEST(mappings_of_files)
{
	alarm(100);
	no_leak(mappings, 100);
}

/* A grandchild that outlives its parent is init's. */
static void orphans(long i)
{
	int p[2];
	char c;
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			_exit((int)i);
		_exit(0);
	}
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0); /* both are gone */
	close(p[0]);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(orphans_are_reaped)
{
	alarm(100);
	no_leak(orphans, 100);
}
