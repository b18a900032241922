/* Where the parts of a program's space lie: at random places, at fixed ones when it asks for that.
 * helper_pie is a static position-independent program. */
#include "test.h"
#include <sys/personality.h>

#define RUNS 8

struct places {
	unsigned long heap, stack, mapping;
};

EXEC(tell)
{
	int fd = atoi(test_arg), here = 0;
	struct places p = {
		(unsigned long)(uintptr_t)sbrk(0),
		(unsigned long)(uintptr_t)&here,
		(unsigned long)(uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	};

	CHECK_EQ(write(fd, &p, sizeof p), sizeof p);
	exit(0);
}

static void ask(struct places *p, unsigned long persona)
{
	char number[12];
	int fds[2];
	pid_t pid;

	CHECK(pipe(fds) == 0);
	snprintf(number, sizeof number, "%d", fds[1]);
	pid = fork();
	if (pid == 0) {
		personality(persona);
		execv(test_program, test_exec_args("tell", number));
		_exit(1);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(fds[0], p, sizeof *p), sizeof *p);
	close(fds[0]);
	close(fds[1]);
}

TEST(places_are_random)
{
	struct places p[RUNS];
	bool heap = false, stack = false, mapping = false;

	for (int i = 0; i < RUNS; i++) {
		ask(&p[i], PER_LINUX);
		CHECK(p[i].heap < p[i].mapping && p[i].mapping < p[i].stack);
		CHECK(p[i].stack - p[i].mapping > 100ul << 20);
		heap |= p[i].heap != p[0].heap;
		stack |= p[i].stack >> 12 != p[0].stack >> 12;
		mapping |= p[i].mapping - p[i].stack != p[0].mapping - p[0].stack;
	}
	CHECK(heap && stack && mapping);
}

TEST(places_are_fixed_when_asked_for)
{
	struct places p[2];

	ask(&p[0], PER_LINUX | ADDR_NO_RANDOMIZE);
	for (int i = 1; i < RUNS; i++) {
		ask(&p[1], PER_LINUX | ADDR_NO_RANDOMIZE);
		CHECK_EQ(p[1].heap, p[0].heap);
		CHECK_EQ(p[1].stack, p[0].stack);
		CHECK_EQ(p[1].mapping, p[0].mapping);
	}
}

static unsigned long run_pie(unsigned long persona)
{
	unsigned long at = 0;
	int fds[2];
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		personality(persona);
		dup2(fds[1], 1);
		execl("/test/helper_pie", "helper_pie", NULL);
		_exit(1);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(fds[0], &at, sizeof at), sizeof at);
	close(fds[0]);
	close(fds[1]);
	return at;
}

TEST(position_independent_programs)
{
	unsigned long first = run_pie(PER_LINUX), fixed = run_pie(PER_LINUX | ADDR_NO_RANDOMIZE);
	bool moved = false;

	for (int i = 1; i < RUNS; i++) {
		moved |= run_pie(PER_LINUX) != first;
		CHECK_EQ(run_pie(PER_LINUX | ADDR_NO_RANDOMIZE), fixed);
	}
	CHECK(moved);
}
