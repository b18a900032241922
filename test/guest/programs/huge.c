/* Pages of 2 MiB in anonymous memory: when there is one, and that nobody notices when it is split.  (tern only) */
#include "test.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#define PAGE 4096ul
#define HUGE (2ul << 20)

/* Room for n aligned huge pages, none touched. */
static char *map(size_t n)
{
	char *p = mmap(NULL, (n + 1) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);
}

/* A huge page of ours, every word of which holds its own address. */
static char *filled(void)
{
	char *p = map(1);

	CHECK_EQ(madvise(p, HUGE, MADV_HUGEPAGE), 0);
	for (size_t i = 0; i < HUGE; i += 8)
		*(uint64_t *)(void *)(p + i) = (uintptr_t)p + i;
	return p;
}

/* The first word of page i still says that it belonged at p. */
static bool holds(const char *at, const char *p, size_t i)
{
	return *(const uint64_t *)(const void *)at == (uintptr_t)p + i * PAGE;
}

static void check_holds(const char *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		CHECK(holds(p + i * PAGE, p, i));
}

/* Of our space, kB. */
static long huge_kb(void)
{
	char line[128];
	long kb = -1;
	FILE *f = fopen("/proc/self/smaps_rollup", "re");

	CHECK(f);
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, "AnonHugePages:", 14))
			kb = atol(line + 14);
	fclose(f);
	return kb;
}

/* How many levels the walk for an address has, and what it allows. */
static int levels(const void *at, char access[4])
{
	char text[1024], *line;
	int fd = open("/proc/self/ptwalk", O_RDWR), n = 0;
	int len = sprintf(text, "%lx", (unsigned long)at);

	CHECK_EQ(write(fd, text, (size_t)len), len);
	len = (int)read(fd, text, sizeof text - 1);
	CHECK(len > 0);
	close(fd);
	text[len] = 0;
	for (line = text; (line = strstr(line, "level ")); line++)
		n++;
	CHECK(sscanf(strstr(text, "access "), "access %3s", access) == 1);
	return n;
}

static uint64_t frame(const void *at)
{
	uint64_t word = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	CHECK_EQ(pread(fd, &word, 8, (off_t)((uintptr_t)at / PAGE * 8)), 8);
	close(fd);
	return word >> 63 ? word & ((1ull << 55) - 1) : 0;
}

TEST(who_asks_gets_one_at_any_page)
{
	char *p = map(2), access[4];
	unsigned char in[512];

	CHECK_EQ(madvise(p, 2 * HUGE, MADV_HUGEPAGE), 0);
	CHECK_EQ(huge_kb(), 0);
	p[300 * PAGE + 5] = 1;
	CHECK_EQ(huge_kb(), 2048);
	CHECK_EQ(levels(p, access), 2);
	CHECK(!strcmp(access, "rw-"));
	CHECK_EQ(mincore(p, HUGE, in), 0);
	for (size_t i = 0; i < 512; i++) {
		CHECK(in[i] & 1);
		CHECK_EQ(frame(p + i * PAGE), frame(p) + i);
		CHECK(p[i * PAGE] == 0 && p[i * PAGE + 5] == (i == 300));
	}
	CHECK_EQ(frame(p) % 512, 0);
	CHECK_EQ(frame(p + HUGE), 0);
}

TEST(who_goes_in_order_gets_them_unasked)
{
	char *p = map(4);

	p[2 * HUGE + 17 * PAGE] = 1; /* no order in that */
	CHECK_EQ(huge_kb(), 0);
	for (size_t i = 0; i < 2 * HUGE; i += PAGE)
		p[i] = 1;
	CHECK_EQ(huge_kb(), 4096);
}

TEST(reading_takes_none)
{
	char *p = map(1);

	CHECK_EQ(madvise(p, HUGE, MADV_HUGEPAGE), 0);
	CHECK_EQ(*(volatile char *)p, 0);
	*p = 1;
	CHECK_EQ(huge_kb(), 0);
}

TEST(populating_takes_them)
{
	char *p = map(2);

	CHECK_EQ(madvise(p, HUGE, MADV_POPULATE_WRITE), 0);
	CHECK_EQ(huge_kb(), 2048);
	p = mmap(p, 2 * HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(huge_kb(), 4096);
	for (size_t i = 0; i < 2 * HUGE; i += 8)
		CHECK(*(uint64_t *)(void *)(p + i) == 0);
}

static void check_none(char *p)
{
	for (size_t i = 0; i < HUGE; i += PAGE)
		p[i] = 1;
	CHECK_EQ(huge_kb(), 0);
}

TEST(who_does_not_want_them_gets_none)
{
	char *p = map(1);

	CHECK_EQ(madvise(p, HUGE, MADV_HUGEPAGE), 0);
	CHECK_EQ(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
	check_none(p);
	p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	CHECK(p != MAP_FAILED);
	check_none((char *)(((uintptr_t)p + HUGE - 1) & -HUGE));
	p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	check_none((char *)(((uintptr_t)p + HUGE - 1) & -HUGE));
}

EXEC(without)
{
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	check_none(map(1));
	CHECK_EQ(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
	map(1)[0] = 1;
	CHECK_EQ(huge_kb(), 2048);
	_exit(7);
}

TEST(the_wish_of_a_process_is_inherited)
{
	pid_t pid;

	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		check_none(map(1));
		execv(test_program, test_exec_args("without", NULL));
		_exit(1);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 7);
}

TEST(parts_are_changed_alone)
{
	char *p = filled(), access[4];

	CHECK_EQ(huge_kb(), 2048);
	CHECK_EQ(mprotect(p + 100 * PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(huge_kb(), 0);
	CHECK(levels(p + 100 * PAGE, access) == 3 && !strcmp(access, "r--"));
	CHECK(levels(p + 101 * PAGE, access) == 3 && !strcmp(access, "rw-"));
	check_holds(p, 0, 512);
	p = filled();
	CHECK_EQ(munmap(p + 7 * PAGE, PAGE), 0);
	check_holds(p, 0, 7);
	check_holds(p, 8, 512);
	p = filled();
	CHECK_EQ(madvise(p + 8 * PAGE, 3 * PAGE, MADV_DONTNEED), 0);
	check_holds(p, 0, 8);
	check_holds(p, 11, 512);
	CHECK(p[8 * PAGE] == 0 && p[10 * PAGE] == 0);
}

TEST(the_whole_comes_and_goes)
{
	char *p = filled(), *q = map(1);

	CHECK_EQ(madvise(p, HUGE, MADV_DONTNEED), 0);
	CHECK_EQ(huge_kb(), 0);
	CHECK_EQ(frame(p), 0);
	p[0] = 1;
	CHECK_EQ(huge_kb(), 2048);
	CHECK(p[PAGE] == 0);
	munmap(p, HUGE);
	p = filled();
	CHECK(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	for (size_t i = 0; i < 512; i++)
		CHECK(holds(q + i * PAGE, p, i));
}

TEST(half_is_moved)
{
	char *p = filled(), *q = map(1);

	CHECK(mremap(p + HUGE / 2, HUGE / 2, HUGE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE) == q + PAGE);
	check_holds(p, 0, 256);
	for (size_t i = 256; i < 512; i++)
		CHECK(holds(q + PAGE + (i - 256) * PAGE, p, i));
}

TEST(fork_shares_and_copies_small_pages)
{
	char *p = filled();
	uint64_t first = frame(p);
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		check_holds(p, 0, 512);
		CHECK_EQ(frame(p + 5 * PAGE), first + 5);
		p[5 * PAGE] ^= 1;
		CHECK(frame(p + 5 * PAGE) != first + 5);
		CHECK_EQ(frame(p + 6 * PAGE), first + 6);
		check_holds(p, 6, 512);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	check_holds(p, 0, 512);
	CHECK_EQ(frame(p + 5 * PAGE), first + 5);
}

/* A parent whose child left everything alone has its huge page again. */
TEST(what_nobody_wrote_stays_whole)
{
	char *p = filled();
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(0);
	CHECK_EQ(test_wait(pid), 0);
	p[PAGE] ^= 1;
	CHECK_EQ(huge_kb(), 2048);
	p[PAGE] ^= 1;
	check_holds(p, 0, 512);
}

TEST(calls_read_and_write_it)
{
	static char a[3 * PAGE], b[3 * PAGE];
	char *p = filled();
	int fd[2];

	memset(a, 'x', sizeof a);
	CHECK_EQ(pipe(fd), 0);
	CHECK_EQ(write(fd[1], a, sizeof a), sizeof a);
	CHECK_EQ(read(fd[0], p + 9 * PAGE + 77, sizeof a), sizeof a);
	CHECK(!memcmp(p + 9 * PAGE + 77, a, sizeof a));
	CHECK_EQ(write(fd[1], p + 9 * PAGE + 77, sizeof a), sizeof a);
	CHECK_EQ(read(fd[0], b, sizeof b), sizeof b);
	CHECK(!memcmp(b, a, sizeof a));
	CHECK_EQ(huge_kb(), 2048);
	check_holds(p, 0, 10);
	check_holds(p, 13, 512);
}

static char *arena;

static void *toucher(void *arg)
{
	uintptr_t k = (uintptr_t)arg;

	for (size_t i = k; i < 4 * 512; i += 4)
		arena[i * PAGE] = (char)(k + 1);
	return NULL;
}

/* Threads that meet in one page while it is made. */
TEST(threads_touch_at_once)
{
	pthread_t t[4];

	arena = map(4);
	CHECK_EQ(madvise(arena, 4 * HUGE, MADV_HUGEPAGE), 0);
	for (uintptr_t k = 0; k < 4; k++)
		CHECK_EQ(pthread_create(&t[k], NULL, toucher, (void *)k), 0);
	for (int k = 0; k < 4; k++)
		pthread_join(t[k], NULL);
	for (size_t i = 0; i < 4 * 512; i++)
		CHECK_EQ(arena[i * PAGE], i % 4 + 1);
}
