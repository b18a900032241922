/* Waiting for several things: poll, ppoll, select, pselect and epoll over pipes, files and devices;
 * eventfd and timerfd as things to wait for. */
#include "test.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>

static volatile sig_atomic_t caught;

static void catch_signal(int sig)
{
	caught = sig;
}

/* A child that writes to a pipe a little later. */
static pid_t write_later(int fd, long ms)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		test_sleep_ms(ms);
		_exit(write(fd, "x", 1) != 1);
	}
	return pid;
}

TEST(poll_waits)
{
	struct pollfd f[3] = { { -1, POLLIN, 99 } };
	uint64_t start;
	int p[2];
	pid_t pid;

	CHECK(pipe(p) == 0);
	f[1] = (struct pollfd){ p[0], POLLIN, 0 };
	f[2] = (struct pollfd){ 77, POLLIN, 0 };
	start = test_now_ns();
	CHECK_EQ(poll(f, 2, 50), 0);
	CHECK(test_now_ns() - start >= 50000000);
	CHECK_EQ(f[0].revents, 0);
	CHECK_EQ(poll(f, 3, -1), 1);
	CHECK_EQ(f[2].revents, POLLNVAL);
	pid = write_later(p[1], 30);
	CHECK_EQ(poll(f, 2, -1), 1);
	CHECK_EQ(f[1].revents, POLLIN);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(poll(NULL, 0, 0), 0);
	CHECK_EQ(poll(NULL, 0, 10), 0);
	CHECK_ERR(poll((void *)8, 1, 0), EFAULT);
	CHECK_ERR(poll(f, 1 << 30, 0), EINVAL);
}

TEST(files_are_always_ready)
{
	struct pollfd f = { open("file", O_CREAT | O_RDWR, 0600), POLLIN | POLLOUT | POLLPRI, 0 };

	CHECK_EQ(poll(&f, 1, -1), 1);
	CHECK_EQ(f.revents, POLLIN | POLLOUT);
	f.fd = open("/dev/null", O_RDWR);
	CHECK_EQ(poll(&f, 1, -1), 1);
	CHECK_EQ(f.revents, POLLIN | POLLOUT);
	f.fd = open(".", O_RDONLY);
	CHECK_EQ(poll(&f, 1, -1), 1);
	CHECK_EQ(f.revents, POLLIN | POLLOUT);
}

TEST(hangup_wakes)
{
	int p[2];
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		test_sleep_ms(30);
		_exit(0);
	}
	close(p[1]);
	struct pollfd f = { p[0], 0, 0 };
	CHECK_EQ(poll(&f, 1, -1), 1);
	CHECK_EQ(f.revents, POLLHUP);
	CHECK_EQ(test_wait(pid), 0);
}

/* Children that keep the pipes' server at work until they are killed. */
static void keep_busy(pid_t *pid, int n)
{
	static char big[65536];
	int p[2];

	while (n--) {
		pid[n] = fork();
		CHECK(pid[n] >= 0);
		if (pid[n] == 0) {
			CHECK(pipe(p) == 0);
			while (write(p[1], big, sizeof big) > 0 && read(p[0], big, sizeof big) > 0)
				;
			_exit(1);
		}
	}
}

static short look(int fd, short events)
{
	struct pollfd f = { fd, events, 0 };

	CHECK(poll(&f, 1, 0) >= 0);
	return f.revents;
}

/* What this process has closed, or one that it has waited for, is closed for a poll that does not wait. */
TEST(a_close_is_seen_at_once)
{
	pid_t busy[3], pid;
	int p[2];

	keep_busy(busy, 3);
	for (int i = 0; i < 500; i++) {
		CHECK(pipe(p) == 0);
		CHECK_EQ(look(p[0], POLLIN), 0);
		CHECK_EQ(look(p[1], POLLIN | POLLOUT), POLLOUT);
		close(p[i % 2]);
		CHECK_EQ(look(p[1 - i % 2], POLLIN | POLLOUT), i % 2 ? POLLHUP : POLLOUT | POLLERR);
		close(p[1 - i % 2]);
	}
	for (int i = 0; i < 20; i++) {
		CHECK(pipe(p) == 0);
		pid = fork();
		if (pid == 0)
			_exit(write(p[1], "x", 1) != 1);
		close(p[1]);
		CHECK_EQ(test_wait(pid), 0);
		CHECK_EQ(look(p[0], POLLIN), POLLIN | POLLHUP);
		close(p[0]);
	}
	for (int i = 0; i < 3; i++) {
		kill(busy[i], SIGKILL);
		waitpid(busy[i], NULL, 0);
	}
}

/* A FIFO's ends come and go; who has it open for both counts as both. */
TEST(ends_of_a_fifo)
{
	pid_t busy[3];
	int r, w, both;

	CHECK_EQ(mkfifo("fifo", 0600), 0);
	keep_busy(busy, 3);
	for (int i = 0; i < 100; i++) {
		r = open("fifo", O_RDONLY | O_NONBLOCK);
		CHECK(r >= 0);
		CHECK_EQ(look(r, POLLIN), 0);
		w = open("fifo", O_WRONLY);
		both = open("fifo", O_RDWR);
		CHECK(w >= 0 && both >= 0);
		CHECK_EQ(look(both, POLLIN | POLLOUT), POLLOUT);
		close(w);
		CHECK_EQ(look(r, POLLIN), 0);
		close(both);
		CHECK_EQ(look(r, POLLIN), POLLHUP);
		w = open("fifo", O_WRONLY | O_NONBLOCK);
		CHECK_EQ(look(r, POLLIN), 0);
		both = open("fifo", O_RDWR);
		close(r);
		CHECK_EQ(look(w, POLLOUT), POLLOUT);
		close(both);
		CHECK_EQ(look(w, POLLOUT), POLLOUT | POLLERR);
		close(w);
	}
	for (int i = 0; i < 3; i++) {
		kill(busy[i], SIGKILL);
		waitpid(busy[i], NULL, 0);
	}
}

/* More than the kernel looks at in one go; one ready at the end, none, woken, killed. */
TEST(poll_of_a_thousand)
{
	enum { MANY = 900 };
	static struct pollfd f[MANY + 1];
	int p[2], q[2];
	pid_t pid;

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	for (int i = 0; i < MANY; i++) {
		f[i] = (struct pollfd){ dup(p[0]), POLLIN, 0 };
		CHECK(f[i].fd >= 0);
	}
	f[MANY] = (struct pollfd){ q[0], POLLIN, 0 };
	CHECK_EQ(poll(f, MANY + 1, 0), 0);
	CHECK_EQ(poll(f, MANY + 1, 20), 0);
	pid = write_later(q[1], 30);
	CHECK_EQ(poll(f, MANY + 1, 10000), 1);
	CHECK_EQ(f[MANY].revents, POLLIN);
	CHECK_EQ(test_wait(pid), 0);
	pid = write_later(p[1], 30);
	CHECK_EQ(poll(f, MANY, -1), MANY);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(p[0], f, 1), 1);
	TEST_BLOCKED_CHILD(pid, _exit(poll(f + 1, MANY - 1, -1)));
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(poll(f + 1, MANY - 1, -1), MANY - 1);
}

TEST(ppoll_swaps_the_mask)
{
	sigset_t block, none;
	struct timespec second = { 1, 0 };

	signal(SIGUSR1, catch_signal);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &block, NULL) == 0);
	raise(SIGUSR1);
	CHECK_EQ(ppoll(NULL, 0, &(struct timespec){ 0, 1000000 }, NULL), 0);
	CHECK_EQ(caught, 0);
	CHECK_ERR(ppoll(NULL, 0, &second, &none), EINTR);
	CHECK_EQ(caught, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &none) == 0 && sigismember(&none, SIGUSR1));
	CHECK_ERR(ppoll(NULL, 0, &(struct timespec){ 0, -1 }, NULL), EINVAL);
}

TEST(select_and_pselect)
{
	struct timeval tv = { 0, 30000 };
	fd_set r, w;
	int p[2], top;

	CHECK(pipe(p) == 0);
	top = (p[0] > p[1] ? p[0] : p[1]) + 1;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	CHECK_EQ(select(top, &r, &w, NULL, NULL), 1);
	CHECK(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	FD_SET(p[0], &r);
	CHECK_EQ(select(top, &r, NULL, NULL, &tv), 0);
	CHECK(!FD_ISSET(p[0], &r));
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	FD_SET(p[0], &r);
	tv.tv_sec = 10;
	CHECK_EQ(select(top, &r, NULL, NULL, &tv), 1);
	CHECK(FD_ISSET(p[0], &r));
	CHECK(tv.tv_sec >= 9);
	close(p[0]);
	CHECK_ERR(select(top, &r, NULL, NULL, &tv), EBADF);
	CHECK_ERR(select(-1, NULL, NULL, NULL, &tv), EINVAL);
	CHECK_EQ(pselect(0, NULL, NULL, NULL, &(struct timespec){ 0, 1000000 }, NULL), 0);
}

/* A handler ends poll with EINTR even with SA_RESTART. */
TEST(handler_ends_poll)
{
	struct sigaction sa = { .sa_handler = catch_signal, .sa_flags = SA_RESTART };
	pid_t pid;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	TEST_BLOCKED_CHILD(pid, _exit(poll(NULL, 0, 5000) == -1 && errno == EINTR ? 0 : 1));
	kill(pid, SIGUSR1);
	CHECK_EQ(test_wait(pid), 0);
}

static void on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
}

static void *take_the_signal(void *fd)
{
	struct sched_param first = { 1 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(pthread_setschedparam(pthread_self(), SCHED_FIFO, &first), 0);
	test_sleep_ms(50);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }), SIGUSR1);
	test_sleep_ms(50);
	CHECK_EQ(write(*(int *)fd, "x", 1), 1);
	return NULL;
}

/* It is woken for a signal, and somebody else is quicker: it waits on, as if nothing had been. */
static void poll_loses_the_signal(bool select)
{
	pthread_t other;
	fd_set r;
	int p[2];

	signal(SIGUSR1, catch_signal);
	on_one_cpu();
	CHECK(pipe(p) == 0);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	CHECK_EQ(pthread_create(&other, NULL, take_the_signal, &p[1]), 0);
	if (select)
		CHECK_EQ(pselect(p[0] + 1, &r, NULL, NULL, NULL, NULL), 1);
	else
		CHECK_EQ(poll(&(struct pollfd){ p[0], POLLIN, 0 }, 1, 5000), 1);
	CHECK_EQ(caught, 0);
	pthread_join(other, NULL);
}

TEST(poll_loses_a_signal)
{
	poll_loses_the_signal(false);
}

TEST(select_loses_a_signal)
{
	poll_loses_the_signal(true);
}

TEST(stop_and_continue_do_not_end_poll)
{
	pid_t pid;
	int status;

	TEST_BLOCKED_CHILD(pid, _exit(poll(NULL, 0, 200) == 0 ? 0 : 1));
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	kill(pid, SIGCONT);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(epoll_level_and_edge)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x123456789abcdef }, got[4];
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2];
	char c;

	CHECK(ep >= 0);
	CHECK(pipe(p) == 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &ev), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &ev), EBADF);
	CHECK_ERR(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &ev), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, open("f", O_CREAT | O_RDWR, 0600), &ev), EPERM);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	CHECK_EQ(write(p[1], "xy", 2), 2);
	CHECK_EQ(epoll_wait(ep, got, 4, -1), 1);
	CHECK(got[0].events == EPOLLIN && got[0].data.u64 == ev.data.u64);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1); /* still */
	ev.events = EPOLLIN | EPOLLET;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0); /* no new edge */
	CHECK_EQ(write(p[1], "z", 1), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	ev.events = EPOLLIN | EPOLLONESHOT;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	while (read(p[0], &c, 1) == 1 && c != 'z')
		;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), 0);
	CHECK_ERR(epoll_wait(ep, got, 0, 0), EINVAL);
	/* Closing takes it out. */
	ev.events = EPOLLIN;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	CHECK_EQ(write(p[1], "q", 1), 1);
	close(p[0]);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
}

TEST(epoll_wakes)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;
	int ep = epoll_create1(0), p[2];
	pid_t pid;

	CHECK(pipe(p) == 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	pid = write_later(p[1], 30);
	CHECK_EQ(epoll_wait(ep, &got, 1, 5000), 1);
	CHECK_EQ(test_wait(pid), 0);
	struct pollfd f = { ep, POLLIN, 0 };
	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK_EQ(f.revents, POLLIN);
}

static int watch(int ep, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

/* Five sets, whichever way the chain grows. */
TEST(sets_nest_five_deep)
{
	int ep[9], up[9];

	for (int i = 0; i < 9; i++) {
		ep[i] = epoll_create1(0);
		up[i] = epoll_create1(0);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(watch(ep[i + 1], ep[i], EPOLLIN), 0);
		CHECK_EQ(watch(up[7 - i], up[8 - i], EPOLLIN), 0);
	}
	CHECK_ERR(watch(ep[5], ep[4], EPOLLIN), ELOOP);
	CHECK_ERR(watch(up[3], up[4], EPOLLIN), ELOOP);
	CHECK_ERR(watch(ep[0], ep[6], EPOLLIN), ELOOP);
	CHECK_ERR(watch(ep[0], ep[4], EPOLLIN), ELOOP); /* a ring */
	CHECK_EQ(epoll_ctl(ep[4], EPOLL_CTL_DEL, ep[3], NULL), 0);
	CHECK_EQ(watch(ep[0], ep[6], EPOLLIN), 0);
	CHECK_ERR(watch(ep[5], ep[3], EPOLLIN), ELOOP);
	CHECK_EQ(watch(ep[5], ep[2], EPOLLIN), 0);
}

/* With as many ways from below to the top as there are: 50 times 50 times 50 times 50. */
TEST(sets_in_layers)
{
	uint64_t start, one = 1;
	int layer[4][50], top = epoll_create1(0), counter = eventfd(0, EFD_NONBLOCK);
	struct epoll_event got;
	int status = 0;

	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 50; k++)
			CHECK((layer[i][k] = epoll_create1(0)) >= 0);
	for (int i = 3; i > 0; i--)
		for (int k = 0; k < 50; k++)
			for (int n = 0; n < 50; n++)
				CHECK_EQ(watch(layer[i][k], layer[i - 1][n], EPOLLIN), 0);
	for (int k = 0; k < 50; k++) {
		CHECK_EQ(watch(top, layer[3][k], EPOLLIN), 0);
		status |= watch(layer[0][k], counter, EPOLLIN);
	}
	if (!status) { /* Linux has a limit of ways: EINVAL */
		CHECK_EQ(epoll_wait(top, &got, 1, 0), 0);
		start = test_now_ns();
		CHECK_EQ(write(counter, &one, 8), 8);
		CHECK_EQ(epoll_wait(top, &got, 1, 0), 1);
		CHECK_EQ(read(counter, &one, 8), 8);
		CHECK_EQ(epoll_wait(top, &got, 1, 0), 0);
		CHECK(test_now_ns() - start < 2000000000);
	}
}

static void *wait_for_one(void *set)
{
	struct epoll_event got;

	return (void *)(long)epoll_wait((int)(long)set, &got, 1, 1000);
}

TEST(an_event_wakes_one_exclusive_set)
{
	pthread_t thread[6];
	int p[2];
	long woken = 0;
	void *one;

	CHECK(pipe(p) == 0);
	for (int i = 0; i < 6; i++) {
		int ep = epoll_create1(0);

		CHECK_EQ(watch(ep, p[0], i < 4 ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN), 0);
		CHECK_EQ(pthread_create(&thread[i], NULL, wait_for_one, (void *)(long)ep), 0);
	}
	test_sleep_ms(300);
	CHECK_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(pthread_join(thread[i], &one), 0);
		woken += (long)one;
		if (i >= 4)
			CHECK_EQ((long)one, 1);
	}
	CHECK_EQ(woken, 3);
}

TEST(eventfd_counts)
{
	int e = eventfd(3, EFD_NONBLOCK), s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	struct pollfd f = { e, POLLIN | POLLOUT, 0 };
	uint64_t v = 4;

	CHECK(e >= 0 && s >= 0);
	CHECK_EQ(write(e, &v, 8), 8);
	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK_EQ(f.revents, POLLIN | POLLOUT);
	CHECK_EQ(read(e, &v, 8), 8);
	CHECK_EQ(v, 7);
	CHECK_ERR(read(e, &v, 8), EAGAIN);
	CHECK_ERR(read(e, &v, 4), EINVAL);
	v = ~0ull;
	CHECK_ERR(write(e, &v, 8), EINVAL);
	v = ~0ull - 1;
	CHECK_EQ(write(e, &v, 8), 8);
	v = 1;
	CHECK_ERR(write(e, &v, 8), EAGAIN);
	CHECK_EQ(read(s, &v, 8), 8);
	CHECK_EQ(v, 1);
	CHECK_EQ(read(s, &v, 8), 8);
	CHECK_ERR(read(s, &v, 8), EAGAIN);
}

TEST(sets_have_no_offset)
{
	int ep = epoll_create1(0);

	CHECK_EQ(lseek(ep, 5, SEEK_SET), 0);
	CHECK_EQ(lseek(ep, 5, SEEK_END), 0);
	close(ep);
}

TEST(timerfd_ticks)
{
	int t = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec its = { { 0, 10000000 }, { 0, 10000000 } }, left;
	struct pollfd f = { t, POLLIN, 0 };
	uint64_t n = 0, start = test_now_ns();

	CHECK(t >= 0);
	CHECK_EQ(poll(&f, 1, 0), 0);
	CHECK_EQ(timerfd_settime(t, 0, &its, NULL), 0);
	CHECK_EQ(read(t, &n, 8), 8);
	CHECK(n >= 1);
	CHECK(test_now_ns() - start >= 10000000);
	test_sleep_ms(55);
	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK_EQ(read(t, &n, 8), 8);
	CHECK(n >= 4);
	CHECK_EQ(timerfd_gettime(t, &left), 0);
	CHECK_EQ(left.it_interval.tv_nsec, 10000000);
	memset(&its, 0, sizeof its);
	CHECK_EQ(timerfd_settime(t, 0, &its, NULL), 0);
	CHECK_EQ(timerfd_gettime(t, &left), 0);
	CHECK_EQ(left.it_value.tv_nsec, 0);
}

/* The counter's eight bytes are read whole, or the read fails. */
TEST(eventfd_at_the_end_of_a_buffer)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = eventfd(3, EFD_NONBLOCK);

	CHECK_EQ(munmap(page + 4096, 4096), 0);
	CHECK_ERR(read(fd, page + 4092, 8), EFAULT);
}
