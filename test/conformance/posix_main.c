/*
 * All programs of the Open POSIX Test Suite in one, and what runs them in the guest.
 *
 * tools/conformance compiles each test with its main() renamed and makes the table of them.
 *
 *   posix_main NAME...           be that test
 *   posix_main -r JOBS LIMIT     run the tests that standard input names, JOBS at a time, each in a
 *                                process, session and folder of its own and for LIMIT seconds
 *
 * For each test `@begin NAME` is printed, and at its end `@end NAME STATUS BYTES`, a newline, and
 * the BYTES of its output.  STATUS is the exit status, 1000 + the signal that ended it, or -1 when
 * the time was over.  The runner has the highest real-time priority, so that no test can keep it
 * from ending another; it looks at its children from time to time and trusts no signal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test {
	const char *name;
	int (*main)(int argc, char **argv);
};

/* Sorted by name; the end has none. */
extern const struct test tests[];

enum { JOBS_MAX = 16, OUTPUT_MAX = 4096, TIMED_OUT = -1 };

struct job {
	const struct test *test; /* NULL: free */
	pid_t pid;
	time_t end;
	int late;
};

static struct job jobs[JOBS_MAX];

static const struct test *test_find(const char *name)
{
	for (const struct test *t = tests; t->name; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void set_priority(int policy, int priority)
{
	struct sched_param p = { .sched_priority = priority };

	if (sched_setscheduler(0, policy, &p) < 0)
		perror("sched_setscheduler");
}

static void output_name(int slot, char *name, size_t size)
{
	snprintf(name, size, "/tmp/conformance.%d/out", slot);
}

/* In the child: become the test. */
static void job_exec(int slot, const struct test *t)
{
	char name[64];

	setsid();
	set_priority(SCHED_OTHER, 0);
	snprintf(name, sizeof(name), "/tmp/conformance.%d", slot);
	mkdir(name, 0777);
	if (chdir(name) < 0)
		_exit(126);
	output_name(slot, name, sizeof(name));
	int in = open("/dev/null", O_RDONLY);
	int out = open(name, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0666);

	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	close_range(3, ~0U, 0);
	execl("/proc/self/exe", t->name, t->name, (char *)NULL);
	_exit(126);
}

static void job_start(int slot, const struct test *t, int limit)
{
	printf("@begin %s\n", t->name);
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		job_exec(slot, t);
	jobs[slot] = (struct job){ .test = t, .pid = pid, .end = now() + limit };
	if (pid < 0) {
		printf("@end %s 126 0\n\n", t->name);
		jobs[slot].test = NULL;
	}
}

static void job_end(int slot, int wstatus)
{
	struct job *j = &jobs[slot];
	char name[64], text[OUTPUT_MAX];
	int status = WIFSIGNALED(wstatus) ? 1000 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);

	kill(-j->pid, SIGKILL); /* what it left behind */
	output_name(slot, name, sizeof(name));
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text));

	close(fd);
	n = n < 0 ? 0 : n;
	printf("@end %s %d %zd\n", j->test->name, j->late ? TIMED_OUT : status, n);
	fwrite(text, 1, n, stdout);
	putchar('\n');
	fflush(stdout);
	j->test = NULL;
}

/* Takes who has ended and ends who is late; how many still run. */
static int jobs_look(int count)
{
	int wstatus, running = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0)
		for (int i = 0; i < count; i++)
			if (jobs[i].test && jobs[i].pid == pid)
				job_end(i, wstatus);
	for (int i = 0; i < count; i++) {
		if (!jobs[i].test)
			continue;
		running++;
		if (now() >= jobs[i].end) {
			jobs[i].late = 1;
			kill(-jobs[i].pid, SIGKILL);
			kill(jobs[i].pid, SIGKILL);
		}
	}
	return running;
}

static int run_all(int count, int limit)
{
	char name[256];

	set_priority(SCHED_FIFO | SCHED_RESET_ON_FORK, sched_get_priority_max(SCHED_FIFO));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (scanf("%255s", name) == 1) {
		const struct test *t = test_find(name);
		int slot = 0;

		if (!t) {
			fprintf(stderr, "no test %s\n", name);
			return 1;
		}
		while (jobs_look(count) == count)
			usleep(10000);
		while (jobs[slot].test)
			slot++;
		job_start(slot, t, limit);
	}
	while (jobs_look(count))
		usleep(10000);
	puts("@done");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "-r")) {
		int count = atoi(argv[2]);

		return run_all(count < 1 ? 1 : count > JOBS_MAX ? JOBS_MAX : count, atoi(argv[3]));
	}
	const struct test *t = argc > 1 ? test_find(argv[1]) : NULL;

	if (!t) {
		fprintf(stderr, "usage: %s NAME | -r JOBS LIMIT <NAMES\n", argv[0]);
		return 126;
	}
	return t->main(argc - 1, argv + 1);
}
