/* /proc/tern/trace: what happens between switching it on and off is there, on its hart, with its
 * thread, in order; and nothing when it is off.  tern only */
#include "test.h"

static void trace_switch(const char *to)
{
	int fd = open("/proc/tern/trace", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, to, 1), 1);
	close(fd);
}

/* The file, and how often a line of this thread says `what`; the times of all lines must ascend. */
static int lines_with(const char *what, long tid)
{
	FILE *f = fopen("/proc/tern/trace", "r");
	char line[256], event[128];
	double at, before = 0;
	long thread;
	int n = 0, hart, start;

	CHECK(f != NULL);
	CHECK(fgets(line, sizeof line, f) && !strcmp(line, "seconds hart thread name event\n"));
	while (fgets(line, sizeof line, f)) {
		CHECK_EQ(sscanf(line, "%lf %d %ld %*s %n%100[^\n]", &at, &hart, &thread, &start, event), 4);
		CHECK(at >= before);
		before = at;
		n += thread == tid && !strncmp(line + start, what, strlen(what));
	}
	fclose(f);
	return n;
}

static volatile int handled;

static void handler(int sig) { handled = sig; }

TEST(calls_faults_copies_signals)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char fault[64], copied[64], reply[64];
	struct sigaction act = { .sa_handler = handler };
	pid_t pid;

	CHECK(page != MAP_FAILED);
	page[0] = 1;
	sigaction(SIGUSR1, &act, NULL);
	trace_switch("1");
	for (int i = 0; i < 3; i++)
		getppid();
	page[4096] = 2;
	raise(SIGUSR1);
	pid = fork();
	if (pid == 0) {
		page[0] = 3;
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK_EQ(test_wait(pid), 0);
	umask(077);
	trace_switch("0");
	umask(022);
	CHECK_EQ(lines_with("getppid(", getpid()), 3);
	CHECK_EQ(lines_with("umask(3f)", getpid()), 1);
	CHECK_EQ(lines_with("umask(", getpid()), 1);
	snprintf(fault, sizeof fault, "write fault at %lx,", (long)(page + 4096));
	CHECK_EQ(lines_with(fault, getpid()), 1);
	CHECK_EQ(lines_with("signal a goes to", getpid()), 1);
	snprintf(copied, sizeof copied, "page at %lx copied", (long)page);
	CHECK_EQ(lines_with(copied, pid), 1);
	snprintf(reply, sizeof reply, "tern_reply_recv = %d\n", pid);
	CHECK(lines_with(reply, 2) >= 1); /* pm's answer to fork */
	CHECK_EQ(handled, SIGUSR1);
}

/* Many events: the rings keep the last ones; what is too old, or was not meant, is refused. */
TEST(rings_and_refusals)
{
	int fd;

	trace_switch("1");
	trace_switch("1");
	for (int i = 0; i < 5000; i++)
		getppid();
	umask(070);
	trace_switch("0");
	trace_switch("0");
	CHECK_EQ(lines_with("umask(38)", getpid()), 1);
	CHECK(lines_with("getppid(", getpid()) < 5000);
	fd = open("/proc/tern/trace", O_RDWR);
	CHECK(fd >= 0);
	CHECK_ERR(write(fd, "2", 1), EINVAL);
	CHECK_ERR(write(fd, "11", 2), EINVAL);
	CHECK_EQ(setuid(500), 0);
	CHECK_ERR(open("/proc/tern/trace", O_RDONLY), EACCES);
}
