/* POSIX record locks: whose they are, and when they go. */
#include "test.h"
#include <sched.h>

/* What F_SETLK of another process answers. */
static int other(const char *path, int type, off_t start, off_t len)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct flock l = { .l_type = (short)type, .l_start = start, .l_len = len };
		int fd = open(path, O_RDWR);

		_exit(fcntl(fd, F_SETLK, &l) == 0 ? 0 : errno);
	}
	return WEXITSTATUS(test_wait(pid));
}

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = { .l_type = (short)type, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &l);
}

static int file(void) { return open("f", O_CREAT | O_RDWR, 0600); }

TEST(any_close_of_the_file_drops_them)
{
	int a = file(), b = open("f", O_RDONLY), c = dup(a);

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
		CHECK_EQ(other("f", F_RDLCK, 0, 1), EAGAIN);
		close(i == 0 ? b : c);
		CHECK_EQ(other("f", F_WRLCK, 0, 0), 0);
	}
	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	c = open("f", O_PATH);
	close(c);
	CHECK_EQ(other("f", F_WRLCK, 0, 0), EAGAIN);
	dup2(open("/dev/null", O_RDWR), a);
	CHECK_EQ(other("f", F_WRLCK, 0, 0), 0);
}

TEST(other_files_stay_locked)
{
	int a = file(), b = open("g", O_CREAT | O_RDWR, 0600);

	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	CHECK_EQ(lock(b, F_SETLK, F_WRLCK, 0, 0), 0);
	close(a);
	CHECK_EQ(other("f", F_WRLCK, 0, 0), 0);
	CHECK_EQ(other("g", F_WRLCK, 0, 0), EAGAIN);
}

TEST(fork_does_not_inherit_them)
{
	int a = file();
	pid_t pid;

	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	pid = fork();
	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK };

		CHECK_ERR(lock(a, F_SETLK, F_RDLCK, 5, 1), EAGAIN);
		CHECK_EQ(fcntl(a, F_GETLK, &l), 0);
		CHECK_EQ(l.l_type, F_WRLCK);
		CHECK_EQ(l.l_pid, getppid());
		CHECK_EQ(lock(a, F_SETLK, F_UNLCK, 0, 0), 0);
		_exit(0); /* closes the shared description: not the parent's lock */
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(other("f", F_WRLCK, 0, 0), EAGAIN);
}

TEST(the_first_in_the_way_is_told)
{
	struct flock l = { .l_type = F_WRLCK };
	int a = file();
	pid_t pid;

	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 10, 3), 0);
	CHECK_EQ(lock(a, F_SETLK, F_RDLCK, 13, 5), 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(fcntl(a, F_GETLK, &l), 0);
		CHECK_EQ(l.l_type, F_WRLCK);
		CHECK_EQ(l.l_start, 10);
		CHECK_EQ(l.l_len, 3);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(a_dead_owner_lets_the_waiters_in)
{
	int a = file(), fds[2];
	char c;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
		CHECK_EQ(write(fds[1], "x", 1), 1);
		pause();
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	if (fork() == 0) {
		kill(pid, SIGKILL);
		_exit(0);
	}
	CHECK_EQ(lock(a, F_SETLKW, F_WRLCK, 0, 0), 0);
	CHECK_EQ(other("f", F_WRLCK, 0, 0), EAGAIN);
}

/* Each of three processes holds a byte and waits for the next one's: the last to ask is refused. */
TEST(deadlock_of_three)
{
	enum { N = 3 };
	int a = file(), ready[2], refused = 0, had = 0;
	char go[] = "xxx";

	CHECK(pipe(ready) == 0);
	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, N, 1), 0);
	for (int i = 0; i < N; i++) {
		if (fork() > 0)
			continue;
		CHECK_EQ(lock(a, F_SETLK, F_WRLCK, i, 1), 0);
		CHECK_EQ(write(ready[1], go, 1), 1);
		/* The parent's lock goes when all have theirs. */
		CHECK_EQ(lock(a, F_SETLKW, F_RDLCK, N, 1), 0);
		if (lock(a, F_SETLKW, F_WRLCK, (i + 1) % N, 1) == 0)
			_exit(0);
		_exit(errno == EDEADLK ? 1 : 2);
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(read(ready[0], go, 1), 1);
	CHECK_EQ(lock(a, F_SETLK, F_UNLCK, N, 1), 0);
	for (int i = 0; i < N; i++) {
		int status;

		CHECK(wait(&status) > 0);
		refused += WEXITSTATUS(status) == 1;
		had += status == 0;
	}
	CHECK_EQ(refused, 1);
	CHECK_EQ(had, N - 1);
}

static bool sleeps(pid_t pid)
{
	char path[40], text[64] = { 0 };
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY);
	CHECK(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	return strstr(text, ") S");
}

/* The second child waits for us first; when that is over, for the first one, which waits for it. */
TEST(deadlock_that_comes_later)
{
	int a = file(), ready[2], go[2], refused = 0;
	pid_t pids[2];
	char c = 0;

	CHECK(pipe(ready) == 0 && pipe(go) == 0);
	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 1), 0);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 1 + i, 1), 0);
			CHECK_EQ(write(ready[1], &c, 1), 1);
			CHECK_EQ(read(go[0], &c, 1), 1);
			if (lock(a, F_SETLKW, F_WRLCK, i == 0 ? 2 : 0, i == 0 ? 1 : 2) == 0)
				_exit(0);
			_exit(errno == EDEADLK ? 1 : 2);
		}
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(write(go[1], "go", 2), 2);
	while (!sleeps(pids[0]) || !sleeps(pids[1]))
		sched_yield();
	CHECK_EQ(lock(a, F_SETLK, F_UNLCK, 0, 1), 0);
	for (int i = 0; i < 2; i++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK(status == 0 || WEXITSTATUS(status) == 1);
		refused += WEXITSTATUS(status);
	}
	CHECK_EQ(refused, 1);
}

TEST(exec_keeps_them_but_for_what_it_closes)
{
	int a = file(), b = open("f", O_RDONLY | O_CLOEXEC);

	(void)b;
	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	execv(test_program, test_exec_args("closed", "f"));
	CHECK(false);
}

EXEC(closed)
{
	int a = 3;

	CHECK_EQ(other("f", F_WRLCK, 0, 0), 0);
	CHECK_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	execv(test_program, test_exec_args("kept", "f"));
	CHECK(false);
}

EXEC(kept)
{
	CHECK_EQ(other("f", F_WRLCK, 0, 0), EAGAIN);
	exit(0);
}
