/* The frame of the guest's test programs: TEST(name) { ... CHECK(...) ... }
 *
 * Each test runs in a process of its own, in a new process group, in a folder of its own under the
 * working directory, with a time limit; the program's exit status is 0 when all passed, and it prints a line for each that did not.  `PROGRAM -l` lists
 * the tests, `PROGRAM NAME...` runs some.  EXEC(name) defines what the program does when it is
 * executed anew by test_exec_args(name): for tests of execve. */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Tests pass wrong arguments on purpose. */
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Warray-bounds"

#define TEST_LIMIT 60 /* seconds */
#define TEST_SKIP  77

struct test {
	const char *name;
	void (*run)(void);
	bool exec;
	struct test *next;
};
static struct test *test_first, **test_last = &test_first;
static const char *test_current = "?";
static const char *test_program;

#define TEST_ADD(kind, ident, is_exec)                                                   \
	static void kind##_##ident(void);                                                \
	static struct test kind##_of_##ident = { #ident, kind##_##ident, is_exec, NULL };  \
	__attribute__((constructor)) static void kind##_add_##ident(void)                \
	{                                                                                \
		*test_last = &kind##_of_##ident;                                         \
		test_last = &kind##_of_##ident.next;                                     \
	}                                                                                \
	static void kind##_##ident(void)
#define TEST(ident) TEST_ADD(test, ident, false)
#define EXEC(ident) TEST_ADD(exec, ident, true)

/* All of these end the process with status 1 when what they check does not hold. */
#define CHECK(cond)                                                                      \
	do {                                                                             \
		if (!(cond))                                                             \
			test_fail(__LINE__, #cond, 0, 0, false);                         \
	} while (0)
#define CHECK_EQ(got, want)                                                              \
	do {                                                                             \
		long got_ = (long)(got), want_ = (long)(want);                           \
		if (got_ != want_)                                                       \
			test_fail(__LINE__, #got " == " #want, got_, want_, true);       \
	} while (0)
/* The call returns -1 with this errno. */
#define CHECK_ERR(call, error)                                                           \
	do {                                                                             \
		long got_ = (errno = 0, (long)(call));                                   \
		if (got_ != -1 || errno != (error))                                      \
			test_fail(__LINE__, #call " fails with " #error, got_, error, true); \
	} while (0)

static inline _Noreturn void test_fail(int line, const char *what, long got, long want, bool values)
{
	char text[400];
	int e = errno;
	int n = snprintf(text, sizeof text, "  %s:%d: %s", test_current, line, what);

	if (values && n < (int)sizeof text)
		n += snprintf(text + n, sizeof text - (size_t)n, ": got %ld (%#lx), want %ld", got,
			      (unsigned long)got, want);
	if (n < (int)sizeof text)
		n += snprintf(text + n, sizeof text - (size_t)n, " [errno %d]\n", e);
	fflush(stdout);
	if (write(1, text, strlen(text)) < 0)
		_exit(2);
	_exit(1);
}

static inline void test_sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static inline uint64_t test_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Waits for a child and returns its wait status. */
static inline int test_wait(pid_t pid)
{
	int status = -1;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	CHECK_EQ(got, pid);
	return status;
}

/* The state letter of /proc/PID/stat, 0 when it is not there. */
static inline char test_state(pid_t pid)
{
	char path[40], text[512], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strrchr(text, ')');
	return at ? at[2] : 0;
}

/* Waits until a process sleeps or is in another given state; false after five seconds. */
static inline bool test_await_state(pid_t pid, char state)
{
	for (int i = 0; i < 1000; i++) {
		if (test_state(pid) == state)
			return true;
		test_sleep_ms(5);
	}
	return false;
}

/* Makes a child blocked in `body` (which should not return); the parent goes on once it sleeps. */
#define TEST_BLOCKED_CHILD(pid, body)                                                    \
	do {                                                                             \
		(pid) = fork();                                                          \
		CHECK((pid) >= 0);                                                       \
		if ((pid) == 0) {                                                        \
			body;                                                            \
			_exit(9);                                                        \
		}                                                                        \
		CHECK(test_await_state((pid), 'S'));                                     \
	} while (0)

/* argv for an execve of this program that runs EXEC(name). */
#define test_exec_args(name, arg) \
	((char *[]){ (char *)(uintptr_t)test_program, (char *)(uintptr_t)("@" name), arg, NULL })

static const char *test_arg; /* EXEC's: the argument given */

/* A value of /proc/tern/objects; -1 on other systems. */
static inline long test_objects(const char *name)
{
	static char text[8192];
	size_t used = 0, len = strlen(name);
	int fd = open("/proc/tern/objects", O_RDONLY | O_CLOEXEC);
	ssize_t n;
	char *at;

	if (fd < 0)
		return -1;
	while ((n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = 0;
	for (at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (!strncmp(at, name, len) && at[len] == ' ')
			return atol(at + len);
	return -1;
}

/* Waits until nobody of before is on the way out any more: a second without a change. */
static inline void test_settle(void)
{
	long seen = -1, now;

	for (int same = 0; same < 12; same = now == seen ? same + 1 : 0, seen = now) {
		test_sleep_ms(100);
		now = test_objects("frames_user") * 1000 + test_objects("process");
		if (now < 0)
			return;
	}
}

static inline int test_run(const struct test *t)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("FAIL %s: fork: %s\n", t->name, strerror(errno));
		return 1;
	}
	if (pid == 0) {
		setpgid(0, 0);
		test_current = t->name;
		if ((mkdir(t->name, 0777) < 0 && errno != EEXIST) || chdir(t->name) < 0)
			test_fail(__LINE__, "a folder for the test", 0, 0, false);
		alarm(TEST_LIMIT);
		t->run();
		fflush(stdout);
		_exit(0);
	}
	setpgid(pid, pid);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	kill(-pid, SIGKILL); /* whatever it has left behind */
	if (status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == TEST_SKIP))
		return 0;
	if (WIFSIGNALED(status))
		printf("FAIL %s: signal %d%s\n", t->name, WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? " (time-out)" : "");
	else
		printf("FAIL %s\n", t->name);
	return 1;
}

int main(int argc, char **argv)
{
	int failed = 0, ran = 0;

	test_program = "/proc/self/exe";
	if (argc > 1 && argv[1][0] == '@') {
		for (struct test *t = test_first; t; t = t->next)
			if (t->exec && !strcmp(t->name, argv[1] + 1)) {
				test_current = t->name;
				test_arg = argc > 2 ? argv[2] : NULL;
				t->run();
				exit(0);
			}
		return 3;
	}
	for (struct test *t = test_first; t; t = t->next) {
		bool wanted = argc == 1;

		if (t->exec)
			continue;
		if (argc > 1 && !strcmp(argv[1], "-l")) {
			printf("%s\n", t->name);
			continue;
		}
		for (int i = 1; i < argc; i++)
			wanted |= !strcmp(argv[i], t->name);
		if (wanted) {
			ran++;
			failed += test_run(t);
		}
	}
	if (argc < 2 || strcmp(argv[1], "-l"))
		printf("%d tests, %d failed\n", ran, failed);
	return failed || (!ran && argc > 1 && strcmp(argv[1], "-l"));
}
