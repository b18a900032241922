/* A10: isolation.
 *
 * A worker computes; beside it five children crash, each in another way.  Each dies of the signal
 * that fits, alone: the worker's result is right, we are still here, and on Tern the kernel has given
 * back everything that the dead had.
 */
#include "demo.h"

#include <signal.h>
#include <sys/resource.h>

#define STEPS 3000000u

static unsigned compute(void)
{
	unsigned x = 1;

	for (unsigned i = 0; i < STEPS; i++)
		x = x * 1664525u + 1013904223u;
	return x;
}

static void null_write(void) { *(volatile int *)0 = 1; }
static void kernel_write(void) { *(volatile long *)0xffffffc000200000 = 1; }
static void wild_jump(void) { ((void (*)(void))0x3f00000000)(); }
static void bad_instruction(void) { __asm__ volatile(".word 0" ::: "memory"); }

static int __attribute__((noinline)) endless(int n)
{
	volatile char page[DEMO_PAGE];

	page[0] = (char)n;
	return (n < 1 << 30 ? endless(n + 1) : 0) + page[0];
}
static void stack_overflow(void) { endless(0); }

static const struct {
	const char *what;
	void (*crash)(void);
	int signal;
} ways[] = {
	{ "writes through a null pointer", null_write, SIGSEGV },
	{ "writes to the kernel's memory", kernel_write, SIGSEGV },
	{ "jumps into nowhere", wild_jump, SIGSEGV },
	{ "recurses without end", stack_overflow, SIGSEGV },
	{ "executes no instruction", bad_instruction, SIGILL },
};

static void crash(int i)
{
	struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		demo_give_up("no process");
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		ways[i].crash();
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("a child %s: %s\n", ways[i].what,
	       WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it lives");
	demo_claim(WIFSIGNALED(status) && WTERMSIG(status) == ways[i].signal, "%s: status %#x",
		   ways[i].what, (unsigned)status);
}

static void crash_all(void)
{
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		crash((int)i);
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "process", "thread", "aspace", "region" };
	long before[4];
	unsigned result = 0;
	struct demo_line line;
	pid_t worker;

	demo_start(argc, argv, "A10", "a crash harms no one else",
		   "Five children crash beside one that works.  Look at how each ends, and that the\n"
		   "worker's result is right; on Tern nothing of the dead is left in the kernel.\n");
	demo_line_open(&line);
	for (int i = 0; i < 4; i++)
		before[i] = demo_objects(kinds[i]);
	worker = fork();
	if (worker < 0)
		demo_give_up("no process");
	if (worker == 0) {
		result = compute();
		demo_send(line.to_parent[1], &result, sizeof result);
		_exit(0);
	}
	crash_all();
	demo_receive(line.to_parent[0], &result, sizeof result);
	demo_reap(worker);
	demo_show("the worker's result is right", result == compute(), true);
	for (int i = 0; i < 4 && before[0] >= 0; i++) {
		long after = demo_objects(kinds[i]);

		printf("#   tern: kernel objects, %s: before %ld, after %ld\n", kinds[i], before[i], after);
		demo_claim(after == before[i], "%s objects are left over", kinds[i]);
	}
	return demo_end();
}
