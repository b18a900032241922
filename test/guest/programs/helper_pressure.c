/* Memory runs out, over and over: whoever takes it all gets ENOMEM or SIGKILL, files stop growing with
 * ENOSPC, and those who only watch live on.  PRESSURE_ROUNDS=N does more rounds (pressure.exp). */
#include "test.h"
#include <sys/resource.h>
#include <sys/vfs.h>

#define MIB (1l << 20)
#define PIECE MIB

static int rounds(void)
{
	const char *text = getenv("PRESSURE_ROUNDS");

	return text ? atoi(text) : 2;
}

static long free_kb(void)
{
	char text[512] = "", *at;
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	at = strstr(text, "MemFree:");
	CHECK(at != NULL);
	return atol(at + 8);
}

/* System calls and new processes still do what they are for. */
static void still_works(void)
{
	char c[64] = "", name[] = "still-works";
	int p[2], fd;
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(write(p[1], "works", 5) != 5);
	CHECK_EQ(read(p[0], c, sizeof c), 5);
	CHECK_EQ(test_wait(pid), 0);
	close(p[0]);
	close(p[1]);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "file", 4), 4);
	CHECK_EQ(pread(fd, c, sizeof c, 0), 4);
	close(fd);
	CHECK(unlink(name) == 0);
}

/* Runs `eat` in a child of its own group, `rounds()` times: it ends by SIGKILL or with 0, everybody it
 * made is ended, and what it took is there again. */
static void eat_in_rounds(void (*eat)(void))
{
	long before;

	alarm(0);
	still_works();
	test_settle();
	before = free_kb();
	for (int i = 0; i < rounds(); i++) {
		pid_t pid = fork();
		int status;

		CHECK(pid >= 0);
		if (pid == 0) {
			setpgid(0, 0);
			alarm(60);
			eat();
			_exit(0);
		}
		setpgid(pid, pid);
		status = test_wait(pid);
		if (status && status != SIGKILL)
			CHECK_EQ(status, SIGKILL);
		while (kill(-pid, SIGKILL) == 0)
			test_sleep_ms(10);
		for (int tries = 0; free_kb() < before - 2048; tries++) {
			CHECK(tries < 500);
			test_sleep_ms(10);
		}
		still_works();
	}
}

static void touch(char *at, long n)
{
	for (long i = 0; i < n; i += 4096)
		at[i] = 1;
}

static void map_until_none(int flags)
{
	char *at;

	while ((at = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0)) !=
	       MAP_FAILED)
		touch(at, PIECE);
	CHECK_EQ(errno, ENOMEM);
}

static void eat_private(void) { map_until_none(MAP_PRIVATE); }
static void eat_shared(void) { map_until_none(MAP_SHARED); }

static void eat_heap(void)
{
	char *at;

	while ((at = malloc(100000)) != NULL)
		touch(at, 100000);
	CHECK_EQ(errno, ENOMEM);
}

/* Touched by the kernel's copies, not by the program. */
static void eat_by_reading(void)
{
	int fd = open("/dev/zero", O_RDONLY);
	char *at;

	CHECK(fd >= 0);
	while ((at = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) !=
	       MAP_FAILED)
		CHECK_EQ(read(fd, at, PIECE), PIECE);
	CHECK_EQ(errno, ENOMEM);
}

TEST(private_memory) { eat_in_rounds(eat_private); }
TEST(shared_memory) { eat_in_rounds(eat_shared); }
TEST(heap) { eat_in_rounds(eat_heap); }
TEST(read_into_memory) { eat_in_rounds(eat_by_reading); }

/* Every process takes some and makes two more. */
static void eat_by_a_bomb(void)
{
	char *at = mmap(NULL, PIECE / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t leader = getpid();

	if (at != MAP_FAILED)
		touch(at, PIECE / 4);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			touch(at, PIECE / 4);
			continue;
		}
		if (pid < 0) {
			CHECK(errno == ENOMEM || errno == EAGAIN);
			kill(-leader, SIGKILL);
		}
	}
}
TEST(a_bomb_that_takes_memory) { eat_in_rounds(eat_by_a_bomb); }

/* Children share their parent's tables and pages, until each writes all of them. */
static void eat_by_copying(void)
{
	long size = free_kb() * 1024 / 3;
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK(at != MAP_FAILED);
	touch(at, size);
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0 || errno == ENOMEM);
		if (pid == 0) {
			for (long k = 0; k < size; k += 4096)
				at[k] = 2;
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		CHECK(status == 0 || status == SIGKILL);
	for (long i = 0; i < size; i += 4096)
		CHECK_EQ(at[i], 1);
}
TEST(copies_of_forks) { eat_in_rounds(eat_by_copying); }

/* What others have in files stays as it is, mapped or not. */
TEST(private_memory_beside_a_file)
{
	const long size = 6 * MIB;
	int fd = open("kept", O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned char *shared, *private;

	CHECK(fd >= 0 && ftruncate(fd, size) == 0);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	for (long i = 0; i < size; i += 4096)
		shared[i] = (unsigned char)(i >> 12);
	eat_in_rounds(eat_private);
	for (long i = 0; i < size; i += 4096) {
		unsigned char c;

		CHECK_EQ(pread(fd, &c, 1, i), 1);
		CHECK(c == (unsigned char)(i >> 12) && shared[i] == c && private[i] == c);
	}
	close(fd);
}

/* Two take all there is at once, one of them with pages of the program's file in use. */
static void eat_together(void)
{
	if (fork() == 0) {
		eat_shared();
		_exit(0);
	}
	eat_private();
}
TEST(two_at_once) { eat_in_rounds(eat_together); }

/* A file that takes all: ENOSPC, and its end gives everything back. */
static void eat_file(void)
{
	static char block[65536];
	int fd = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	CHECK(fd >= 0);
	CHECK(unlink("big") == 0);
	memset(block, 7, sizeof block);
	while ((n = write(fd, block, sizeof block)) > 0)
		;
	CHECK(n < 0 && (errno == ENOSPC || errno == ENOMEM));
	CHECK(close(fd) == 0);
	still_works();
}
TEST(a_file) { eat_in_rounds(eat_file); }

/* A mapped file without pages: its growth is refused, too. */
static void eat_mapped_file(void)
{
	int fd = open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct rlimit none = { 0, 0 };
	char *at;

	CHECK(fd >= 0);
	CHECK(unlink("sparse") == 0);
	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	CHECK(ftruncate(fd, 4096 * MIB) == 0);
	at = mmap(NULL, 4096 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	if (fork() == 0) {
		touch(at, 4096 * MIB);
		_exit(1);
	} else {
		int status;

		CHECK(wait(&status) > 0);
		CHECK(WIFSIGNALED(status) &&
		      (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGKILL));
	}
	CHECK(close(fd) == 0 && munmap(at, 4096 * MIB) == 0);
	still_works();
}
TEST(a_mapped_file) { eat_in_rounds(eat_mapped_file); }
