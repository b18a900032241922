/* SIGKILL of servers, and of those who wait for them: in the middle of a reply's copy, at a page that
 * never comes, in recv, in a call that is held or queued.    tern only
 * timeout: 120 */
#include "test.h"
#include <server/receive.h>
#include <sys/prctl.h>

#define ROUNDS 100
#define SIZE (4l << 20)
#define LIMIT_US 2000000

static char *from, *to;
static int fd;

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void pause_us(long us)
{
	for (long end = now_us() + us; now_us() < end;)
		;
}

/* By SIGKILL, that was sent already, and soon. */
static void reap(pid_t pid)
{
	long begin = now_us();
	int status;
	pid_t r;

	while ((r = waitpid(pid, &status, WNOHANG)) == 0) {
		CHECK(now_us() - begin < LIMIT_US);
		usleep(200);
	}
	CHECK_EQ(r, pid);
	CHECK_EQ(status, SIGKILL);
}

/* An endpoint, and in fd a file of it. */
static long make_file(void)
{
	long ep, sid;

	CHECK_EQ(prctl(TERN_PR_SERVE, 1, 0, 0, 0), 0);
	ep = syscall(TERN_EP_CREATE);
	CHECK(ep >= 0);
	sid = syscall(TERN_SESSION_CREATE, ep, 1, TERN_KIND_FILE, 1, 0, -1);
	CHECK(sid >= 0);
	fd = (int)syscall(TERN_SESSION_HANDLE, sid, 7);
	CHECK(fd >= 0);
	return ep;
}

/* Receives one call and answers it, if at all, by a copy. */
static pid_t server(long ep, bool answers)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		struct tern_msg m;

		CHECK_EQ(syscall(TERN_BIND, ep, 0), 0);
		tern_receive(&m);
		if (answers) {
			register long a0 __asm__("a0") = (long)m.token, a1 __asm__("a1") = SIZE,
				 a2 __asm__("a2") = TERN_REPLY_COPY, a3 __asm__("a3") = (long)from,
				 a4 __asm__("a4") = SIZE, a5 __asm__("a5") = 0,
				 a7 __asm__("a7") = TERN_REPLY_RECV;

			/* Whatever comes then is not looked at. */
			__asm__ volatile("ecall\n1: j 1b"
					 : "+r"(a0)
					 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
					 : "memory");
		}
		for (;;)
			tern_receive(&m);
	}
	return pid;
}

static void make_memory(void)
{
	from = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(from != MAP_FAILED);
	memset(from, 1, 2 * SIZE);
	to = from + SIZE;
}

/* What a copy takes undisturbed. */
static long copy_takes(void)
{
	long begin;
	long ep = make_file();
	pid_t pid = server(ep, true);

	usleep(20000);
	begin = now_us();
	CHECK_EQ(read(fd, to, SIZE), SIZE);
	begin = now_us() - begin;
	kill(pid, SIGKILL);
	reap(pid);
	close(fd);
	close((int)ep);
	return begin;
}

TEST(in_a_copy)
{
	long takes;

	make_memory();
	takes = copy_takes();
	for (int i = 0; i < ROUNDS; i++) {
		long ep = make_file();
		pid_t pid = server(ep, true), killer;

		usleep(3000);
		killer = fork();
		if (killer == 0) {
			pause_us(300 + takes * 2 * i / ROUNDS);
			kill(pid, SIGKILL);
			_exit(0);
		}
		(void)!read(fd, to, SIZE);
		waitpid(killer, NULL, 0);
		reap(pid);
		close(fd);
		close((int)ep);
	}
}

/* The reader in the middle of the copy instead. */
TEST(reader_in_a_copy)
{
	make_memory();
	for (int i = 0; i < ROUNDS / 4; i++) {
		long ep = make_file();
		pid_t pid = server(ep, true), reader;

		usleep(3000);
		reader = fork();
		if (reader == 0)
			for (;;)
				(void)!read(fd, to, SIZE);
		pause_us(1000 + 400 * i);
		kill(reader, SIGKILL);
		reap(reader);
		kill(pid, SIGKILL);
		reap(pid);
		close(fd);
		close((int)ep);
	}
}

static pid_t caller(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		char c;

		(void)!read(fd, &c, 1);
		_exit(0);
	}
	return pid;
}

/* Calls that nobody receives, calls that are held, and their server in recv. */
TEST(in_calls)
{
	for (int held = 0; held < 2; held++) {
		long ep = make_file();
		pid_t pid = held ? server(ep, false) : 0, first, second;

		usleep(3000);
		first = caller();
		second = caller();
		usleep(10000);
		kill(first, SIGKILL);
		reap(first);
		if (pid) {
			kill(pid, SIGKILL);
			reap(pid);
			CHECK_EQ(waitpid(second, NULL, 0), second); /* it got EIO */
		} else {
			kill(second, SIGKILL);
			reap(second);
		}
		close(fd);
		close((int)ep);
	}
}

/* A page that its pager never brings. */
TEST(at_a_page)
{
	pid_t pid;
	long ep, object, at;

	CHECK_EQ(prctl(TERN_PR_SERVE, 1, 0, 0, 0), 0);
	ep = syscall(TERN_EP_CREATE);
	CHECK_EQ(syscall(TERN_BIND, ep, 0), 0);
	object = syscall(TERN_MEMOBJ_CREATE, 4096, 99, TERN_MEMOBJ_PAGED, 1);
	CHECK(object >= 0);
	at = syscall(TERN_ASPACE_MAP, -1, 0, 4096, (PROT_READ | PROT_WRITE) * 0x101 | MAP_SHARED << 16, object, 0);
	CHECK(at > 0);
	pid = fork();
	if (pid == 0)
		_exit(*(volatile char *)at);
	usleep(20000);
	kill(pid, SIGKILL);
	reap(pid);
}

/* The process that owns an endpoint ends before the one that receives there. */
TEST(owner_of_an_endpoint)
{
	pid_t owner = fork();

	CHECK(owner >= 0);
	if (owner == 0) {
		long ep = make_file();
		pid_t pid = server(ep, false);

		usleep(10000);
		if (pid > 0)
			_exit(pid % 250 + 1); /* the server stays */
	}
	usleep(50000);
	CHECK_EQ(waitpid(owner, NULL, 0), owner);
}
