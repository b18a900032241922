/* Tern's own files of a process: /proc/<pid>/ptwalk and /proc/<pid>/aspace.  (tern only) */
#include "test.h"

static char text[65536];

static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t used = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	CHECK(n == 0);
	close(fd);
	text[used] = 0;
	return text;
}

static int count(const char *in, const char *what)
{
	int n = 0;

	for (; (in = strstr(in, what)); in += strlen(what))
		n++;
	return n;
}

/* The walk of an address of our own, as text. */
static const char *walk(unsigned long address)
{
	char where[20];
	int fd = open("/proc/self/ptwalk", O_RDWR), len = sprintf(where, "%lx\n", address);
	ssize_t n;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, where, (size_t)len), len);
	n = read(fd, text, sizeof text - 1);
	CHECK(n > 0);
	close(fd);
	text[n] = 0;
	return text;
}

static volatile int variable = 1;

TEST(a_walk_has_the_levels_that_there_are)
{
	unsigned long at = (unsigned long)&variable;
	unsigned index;

	CHECK_EQ(count(walk(at), "level "), 3);
	CHECK(sscanf(strstr(text, "level 0"), "level 0 table %*x index %u", &index) == 1);
	CHECK_EQ(index, at >> 12 & 511);
	CHECK(strstr(text, "access rw-"));
	CHECK(count(walk(0), "level ") == 3 && strstr(text, "entry 0000000000000000  --------"));
	CHECK(strstr(text, "access ---"));
	CHECK(count(walk(0x2000000000), "level ") == 1 && strstr(text, "entry 0000000000000000"));
}

TEST(of_the_kernels_half_a_walk_tells_the_root_entry)
{
	char first[400];

	CHECK_EQ(count(walk(0xffffffc080000000), "level "), 1);
	CHECK(strstr(text, "level 2") && strstr(text, "index 258"));
	CHECK(strstr(text, "access ---"));
	strcpy(first, strstr(text, "entry"));
	CHECK(!strstr(first, "entry 0000000000000000"));
	pid_t pid = fork();
	if (pid == 0)
		_exit(strcmp(first, strstr(walk(0xffffffc080000000), "entry")) != 0);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(in_the_hole_nothing_is_walked)
{
	CHECK_EQ(count(walk(0x4000000000), "level "), 0);
	CHECK_EQ(count(walk(0x8000000000000000), "level "), 0);
	CHECK_EQ(count(walk(0xffffffbfffffffff), "level "), 0);
}

TEST(no_address_is_refused)
{
	int fd = open("/proc/self/ptwalk", O_RDWR);

	CHECK_ERR(write(fd, "hello", 5), EINVAL);
	CHECK_ERR(write(fd, "1000 x", 6), EINVAL);
	close(fd);
}

TEST(aspace_has_a_line_for_each_region)
{
	int regions = count(slurp("/proc/self/maps"), "\n");
	unsigned pid, threads, said;

	slurp("/proc/self/aspace");
	CHECK_EQ(count(text, "- region "), regions);
	CHECK(sscanf(text, "process %u (looking) threads %u", &pid, &threads) == 2);
	CHECK(pid == (unsigned)getpid() && threads == 1);
	CHECK(sscanf(strstr(text, "  regions "), " regions %u", &said) == 1);
	CHECK_EQ(said, regions);
	CHECK_EQ(count(text, "`- region "), 1);
	CHECK(strstr(text, "/test/looking\n") && strstr(text, "[stack]\n"));
}

TEST(a_zombie_has_no_space)
{
	char path[40];
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	CHECK(test_await_state(pid, 'Z'));
	sprintf(path, "/proc/%d/aspace", (int)pid);
	CHECK(strstr(slurp(path), "no space\n"));
	CHECK_EQ(count(text, "region"), 0);
	test_wait(pid);
}

TEST(another_users_space_is_private)
{
	char path[40];
	pid_t pid = fork();

	if (pid == 0) {
		sprintf(path, "/proc/%d/aspace", (int)getppid());
		CHECK(setuid(1000) == 0);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}
