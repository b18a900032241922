/* What others see of a close, at once: a waiting flock, a watch, memory of a file without a name.  After
 * the close the closer says nothing to any server, so that nothing else carries the news. */
#include "test.h"

#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/sysinfo.h>

#define BIG (8u << 20)

static volatile int *seen;

static void share(void)
{
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(seen != MAP_FAILED);
}

/* Only the kernel is asked while it sleeps. */
static void pause_ms(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	nanosleep(&ts, NULL);
}

static int seen_soon(int want)
{
	for (int i = 0; i < 100 && *seen != want; i++)
		pause_ms(10);
	return *seen == want;
}

static int make(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	return fd;
}

TEST(lock_waiter_gets_it)
{
	int fd = make("locked"), status;
	pid_t pid;

	CHECK(flock(fd, LOCK_EX) == 0);
	share();
	pid = fork();
	if (pid == 0) {
		int other;

		close(fd);
		other = open("locked", O_RDONLY);
		*seen = 1;
		_exit(flock(other, LOCK_EX) == 0 ? (*seen = 2, 0) : 1);
	}
	CHECK(seen_soon(1));
	pause_ms(50);
	CHECK(*seen == 1);
	close(fd);
	CHECK(seen_soon(2));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

TEST(watch_hears)
{
	int status, in;
	pid_t pid;

	close(make("watched"));
	share();
	pid = fork();
	if (pid == 0) {
		char buf[512];

		in = inotify_init1(0);
		if (in < 0 || inotify_add_watch(in, "watched", IN_CLOSE_NOWRITE) < 0)
			_exit(1);
		*seen = 1;
		_exit(read(in, buf, sizeof buf) > 0 ? (*seen = 2, 0) : 1);
	}
	CHECK(seen_soon(1));
	in = open("watched", O_RDONLY);
	CHECK(in >= 0 && *seen == 1);
	close(in);
	CHECK(seen_soon(2));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static unsigned long free_memory(void)
{
	struct sysinfo s;

	CHECK(sysinfo(&s) == 0);
	return s.freeram * s.mem_unit;
}

static int freed_soon(unsigned long before)
{
	for (int i = 0; i < 100; i++) {
		if (free_memory() > before + BIG * 3 / 4)
			return 1;
		pause_ms(10);
	}
	return 0;
}

/* Its pages go as its last descriptor does. */
static void memory_comes_back(int fd, int unlinked)
{
	static char block[1 << 16];
	unsigned long before;

	if (access("/proc/tern", F_OK) != 0)
		return; /* Linux keeps some of what is freed for each processor */

	for (unsigned i = 0; i < BIG / sizeof block; i++)
		CHECK(write(fd, block, sizeof block) == sizeof block);
	if (!unlinked)
		CHECK(unlink("big") == 0);
	pause_ms(20);
	before = free_memory();
	close(fd);
	CHECK(freed_soon(before));
}

/* What was closed, and then asked about: every request comes after the end of it. */
TEST(requests_come_after_it)
{
	int fd = make("big");

	CHECK(ftruncate(fd, BIG) == 0);
	close(fd);
	for (int i = 0; i < 100; i++) {
		int a = open("big", O_RDONLY), b = open("big", O_RDWR);

		CHECK(a >= 0 && b >= 0 && flock(a, LOCK_EX) == 0);
		CHECK(flock(b, LOCK_EX | LOCK_NB) == -1);
		close(a);
		CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
		close(b);
	}
}

TEST(memory_of_an_unlinked_file) { memory_comes_back(make("big"), 0); }
TEST(memory_of_a_memfd) { memory_comes_back(memfd_create("big", 0), 1); }
