/* Pseudo-terminals: names and numbers, bytes both ways, hang-ups, job control over the master. */
#include "test.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

static int master(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	CHECK(fd >= 0);
	CHECK_EQ(grantpt(fd), 0);
	CHECK_EQ(unlockpt(fd), 0);
	return fd;
}

static int terminal(int m)
{
	int fd = open(ptsname(m), O_RDWR | O_NOCTTY);

	CHECK(fd >= 0);
	return fd;
}

static void raw(int fd)
{
	struct termios t;

	CHECK_EQ(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	CHECK_EQ(tcsetattr(fd, TCSADRAIN, &t), 0);
}

/* Reads give exactly this. */
static void expect(int fd, const char *want)
{
	size_t got = 0, len = strlen(want);
	char buf[256];
	ssize_t n;

	while (got < len && (n = read(fd, buf + got, len - got)) > 0)
		got += (size_t)n;
	CHECK_EQ(got, len);
	CHECK(!memcmp(buf, want, len));
}

static void put(int fd, const char *what)
{
	CHECK_EQ(write(fd, what, strlen(what)), strlen(what));
}

static int events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

TEST(bytes_both_ways)
{
	int m = master(), s = terminal(m);

	put(s, "out\n");
	expect(m, "out\r\n");
	put(m, "in\n");
	expect(m, "in\r\n"); /* the echo */
	expect(s, "in\n");
	put(m, "not a li\177ine\r");
	expect(s, "not a line\n");
	raw(s);
	expect(m, "not a li\b \bine\r\n");
	put(m, "\003\r");
	expect(s, "\003\r");
	put(s, "\n");
	expect(m, "\n");
	put(s, "abcd");
	expect(m, "ab");
	CHECK_EQ(tcflush(m, TCOFLUSH), 0);
	expect(m, "c");
	CHECK_EQ(tcflush(m, TCIFLUSH), 0);
	put(s, "new");
	expect(m, "new");
}

TEST(names)
{
	struct stat st;
	char name[64];
	int number, lock = 1, m = open("/dev/ptmx", O_RDWR | O_NOCTTY), other, s;

	CHECK(m >= 0 && isatty(m));
	CHECK_EQ(ioctl(m, TIOCGPTN, &number), 0);
	snprintf(name, sizeof name, "/dev/pts/%d", number);
	CHECK_EQ(stat(name, &st), 0);
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, makedev(136, number));
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(ioctl(m, TIOCGPTLCK, &lock), 0);
	CHECK_EQ(lock, 1);
	CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EIO);
	CHECK_EQ(unlockpt(m), 0);
	s = open(name, O_RDWR | O_NOCTTY);
	CHECK(isatty(s) && !strcmp(ttyname(s), name));
	CHECK_EQ(fstat(s, &st), 0);
	CHECK_EQ(st.st_rdev, makedev(136, number));
	CHECK_EQ(fchmod(s, 0600), 0);
	CHECK_EQ(stat(name, &st), 0);
	CHECK_EQ(st.st_mode, S_IFCHR | 0600);
	other = master();
	CHECK(strcmp(ptsname(other), name));
	CHECK_EQ(close(m), 0);
	for (int i = 0; i < 1000 && !access(name, F_OK); i++)
		test_sleep_ms(5);
	CHECK_ERR(open(name, O_RDWR | O_NOCTTY), ENOENT);
	CHECK_EQ(access(ptsname(other), F_OK), 0);
	CHECK_ERR(unlink(ptsname(other)), EPERM);
}

TEST(the_terminal_is_closed)
{
	int m = master(), s = terminal(m);
	char c;

	put(s, "last");
	CHECK_EQ(events(m), POLLIN | POLLOUT);
	CHECK_EQ(close(s), 0);
	CHECK_EQ(events(m), POLLIN | POLLOUT | POLLHUP);
	expect(m, "last");
	CHECK_ERR(read(m, &c, 1), EIO);
	s = terminal(m);
	CHECK_EQ(events(m), POLLOUT);
	put(s, "again");
	expect(m, "again");
	close(s);
	for (int i = 0; i < 200; i++) {
		s = terminal(m);
		CHECK_EQ(events(m) & POLLHUP, 0);
		close(s);
		CHECK_EQ(events(m) & POLLHUP, POLLHUP);
	}
}

TEST(the_master_is_closed)
{
	struct termios t;
	int m = master(), s = terminal(m);
	pid_t pid;
	char c;

	TEST_BLOCKED_CHILD(pid, close(m); _exit(read(s, &c, 1) == -1 && errno == EIO ? 0 : 1));
	CHECK_EQ(close(m), 0);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(s, &c, 1), 0);
	CHECK_ERR(write(s, "x", 1), EIO);
	CHECK_ERR(tcgetattr(s, &t), EIO);
	CHECK_EQ(events(s), POLLIN | POLLOUT | POLLERR | POLLHUP);
}

/* More than fits anywhere, both ways at once. */
TEST(much)
{
	enum { N = 300000 };
	static char buf[5000];
	int m = master(), s = terminal(m);
	long got = 0, sent = 0;
	pid_t pid;

	raw(s);
	pid = fork();
	if (pid == 0) { /* sends back all that it gets */
		close(m);
		for (ssize_t n; got < N; got += n) {
			n = read(s, buf, sizeof buf);
			CHECK(n > 0);
			for (ssize_t at = 0, w; at < n; at += w) {
				w = write(s, buf + at, (size_t)(n - at));
				CHECK(w > 0);
			}
		}
		_exit(0);
	}
	close(s);
	CHECK_EQ(fcntl(m, F_SETFL, O_NONBLOCK), 0);
	while (got < N) {
		struct pollfd p = { m, (short)(sent < N ? POLLIN | POLLOUT : POLLIN), 0 };

		CHECK_EQ(poll(&p, 1, 20000), 1);
		if (p.revents & POLLOUT) {
			for (size_t i = 0; i < sizeof buf; i++)
				buf[i] = (char)((sent + (long)i) % 251);
			ssize_t n = write(m, buf, (size_t)(N - sent < 5000 ? N - sent : 5000));

			CHECK(n > 0 || (n < 0 && errno == EAGAIN));
			sent += n > 0 ? n : 0;
		}
		if (p.revents & POLLIN) {
			ssize_t n = read(m, buf, sizeof buf);

			CHECK(n > 0);
			for (ssize_t i = 0; i < n; i++, got++)
				CHECK_EQ(buf[i], (char)(got % 251));
		}
	}
	CHECK_EQ(test_wait(pid), 0);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(waiting)
{
	struct sigaction act = { .sa_handler = nothing };
	int m = master(), s = terminal(m);
	pid_t pid;
	char c;

	CHECK_EQ(fcntl(m, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(m, &c, 1), EAGAIN);
	CHECK_EQ(fcntl(m, F_SETFL, 0), 0);
	TEST_BLOCKED_CHILD(pid, _exit(read(m, &c, 1) == 1 && c == 'y' ? 0 : 1));
	put(s, "y");
	CHECK_EQ(test_wait(pid), 0);
	sigaction(SIGUSR1, &act, NULL);
	TEST_BLOCKED_CHILD(pid, _exit(read(m, &c, 1) == -1 && errno == EINTR ? 0 : 1));
	kill(pid, SIGUSR1);
	CHECK_EQ(test_wait(pid), 0);
	TEST_BLOCKED_CHILD(pid, (void)!read(m, &c, 1));
	kill(pid, SIGKILL);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	put(s, "z");
	expect(m, "z");
}

TEST(stopped)
{
	int m = master(), s = terminal(m);

	CHECK_EQ(tcflow(s, TCOOFF), 0);
	CHECK_EQ(fcntl(s, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(write(s, "x", 1), EAGAIN);
	CHECK_EQ(events(s), 0);
	CHECK_EQ(tcflow(s, TCOON), 0);
	CHECK_EQ(events(s), POLLOUT);
	put(s, "x");
	expect(m, "x");
	put(m, "\023");
	CHECK_ERR(write(s, "x", 1), EAGAIN);
	put(m, "\021");
	put(s, "y");
	expect(m, "y");
}

TEST(window_size)
{
	struct winsize w = { 1, 1, 1, 1 }, set = { 50, 132, 0, 0 };
	int m = master(), s = terminal(m);

	CHECK_EQ(ioctl(s, TIOCGWINSZ, &w), 0);
	CHECK(w.ws_row == 0 && w.ws_col == 0);
	CHECK_EQ(ioctl(m, TIOCSWINSZ, &set), 0);
	CHECK_EQ(ioctl(s, TIOCGWINSZ, &w), 0);
	CHECK(w.ws_row == 50 && w.ws_col == 132);
}

static volatile sig_atomic_t caught;

static void catch(int sig)
{
	caught = sig;
}

/* The master's side of a child whose controlling terminal it is; that says "ready" when it is so. */
static int child(pid_t *pid, void (*body)(void))
{
	int m;

	*pid = forkpty(&m, NULL, NULL, NULL);
	CHECK(*pid >= 0);
	if (*pid == 0) {
		struct sigaction act = { .sa_handler = catch };

		for (int sig = SIGHUP; sig < SIGTERM; sig++)
			sigaction(sig, &act, NULL);
		sigaction(SIGWINCH, &act, NULL);
		body();
		_exit(9);
	}
	expect(m, "ready\r\n");
	return m;
}

static void say_ready(void)
{
	put(1, "ready\n");
}

static void wait_for_signals(void)
{
	sigset_t none, all;
	int fd = open("/dev/tty", O_RDWR);
	char line[32];

	CHECK(fd >= 0);
	CHECK_EQ(tcgetpgrp(fd), getpid());
	CHECK_EQ(tcgetsid(fd), getpid());
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	say_ready();
	do {
		sigsuspend(&none);
		snprintf(line, sizeof line, "%d\n", (int)caught);
		if (caught != SIGHUP)
			put(fd, line);
	} while (caught != SIGHUP);
	_exit(0);
}

TEST(its_signals)
{
	struct winsize set = { 50, 132, 0, 0 };
	pid_t pid;
	int m = child(&pid, wait_for_signals);

	CHECK_EQ(tcgetpgrp(m), pid);
	put(m, "\003");
	expect(m, "^C");
	expect(m, "2\r\n");
	CHECK_EQ(ioctl(m, TIOCSWINSZ, &set), 0);
	expect(m, "28\r\n");
	CHECK_EQ(ioctl(m, TIOCSIG, SIGQUIT), 0);
	expect(m, "3\r\n");
	CHECK_EQ(close(m), 0); /* SIGHUP */
	CHECK_EQ(test_wait(pid), 0);
}

static void end_session(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_EQ(setpgid(0, 0), 0);
		signal(SIGTTOU, SIG_IGN);
		CHECK_EQ(tcsetpgrp(0, getpid()), 0);
		say_ready();
		while (caught != SIGHUP)
			test_sleep_ms(5);
		_exit(0);
	}
	for (;;)
		pause();
}

/* The leader's end is the foreground's SIGHUP. */
TEST(the_session_ends)
{
	pid_t pid;
	char buf[8];
	int m = child(&pid, end_session);

	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	CHECK_ERR(read(m, buf, sizeof buf), EIO);
}

TEST(again_and_again)
{
	long before = test_objects("session");

	for (int i = 0; i < 300; i++) {
		int m = master(), s = terminal(m);

		put(s, "x");
		expect(m, "x");
		close(i & 1 ? m : s);
		close(i & 1 ? s : m);
	}
	test_settle();
	CHECK(before < 0 || test_objects("session") <= before + 2);
}
