/*
 * forktouch: the cost of fork by the memory that the parent has touched.
 *
 * One op: fork, the child exits at once, the parent waits.  Prints, as posixbench does,
 *
 *	fork_touched_1M median_ns_per_op min_ns_per_op iterations
 *
 * for 1, 8, 64 and 256 MiB; SKIP errno where the memory is not to be had.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define FORKS  4

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int fork_once(void)
{
	int st;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, &st, 0) != pid)
		return -1;
	if (st != 0) {
		errno = ECHILD;
		return -1;
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(size_t mib)
{
	size_t len = mib << 20;
	uint64_t ns10[ROUNDS];
	volatile char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		printf("fork_touched_%zuM SKIP %d\n", mib, errno);
		return;
	}
	for (size_t i = 0; i < len; i += 4096)
		p[i] = 1;
	for (int r = -1; r < ROUNDS; r++) { /* round -1 is the warm-up */
		uint64_t t = now_ns();

		for (int i = 0; i < FORKS; i++)
			if (fork_once()) {
				printf("fork_touched_%zuM FAIL %d\n", mib, errno);
				goto out;
			}
		if (r >= 0)
			ns10[r] = (now_ns() - t) * 10 / FORKS;
	}
	qsort(ns10, ROUNDS, sizeof ns10[0], by_value);
	printf("fork_touched_%zuM %llu.%llu %llu.%llu %d\n", mib,
	       (unsigned long long)ns10[ROUNDS / 2] / 10, (unsigned long long)ns10[ROUNDS / 2] % 10,
	       (unsigned long long)ns10[0] / 10, (unsigned long long)ns10[0] % 10, FORKS);
out:
	munmap((void *)p, len);
}

int main(void)
{
	static const size_t sizes[] = { 1, 8, 64, 256 };

	setvbuf(stdout, NULL, _IONBF, 0); /* nothing buffered across fork */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		measure(sizes[i]);
	return 0;
}
