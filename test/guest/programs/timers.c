/* Time: clocks, sleeping and what an interruption leaves of it, interval and POSIX timers, alarms. */
#include "test.h"
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile sig_atomic_t caught;
static volatile int value;

static void catch_signal(int sig)
{
	(void)sig;
	caught++;
}

static void on(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = catch_signal, .sa_flags = flags };

	caught = 0;
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

TEST(clocks)
{
	struct timespec a, b, r;
	uint64_t before = test_now_ns();

	for (int i = 0; i < 2000; i++) {
		uint64_t now = test_now_ns();

		CHECK(now >= before);
		before = now;
	}
	CHECK(clock_gettime(CLOCK_REALTIME, &a) == 0 && a.tv_sec > 0);
	CHECK(clock_getres(CLOCK_MONOTONIC, &r) == 0 && r.tv_sec == 0);
	CHECK(clock_gettime(CLOCK_BOOTTIME, &a) == 0);
	CHECK_ERR(syscall(SYS_clock_gettime, 999, &a), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, NULL), EFAULT);
	/* The processor's clock runs with work and stands in sleep. */
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0);
	test_sleep_ms(50);
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b) == 0);
	CHECK((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < 40000000);
	for (before = test_now_ns(); test_now_ns() - before < 50000000;)
		;
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0);
	CHECK((a.tv_sec - b.tv_sec) * 1000000000 + a.tv_nsec - b.tv_nsec > 1000000);
	CHECK(times(&(struct tms){ 0 }) != -1);
}

TEST(sleeping)
{
	uint64_t start = test_now_ns();
	struct timespec t = { 0, 30000000 };

	CHECK_EQ(nanosleep(&t, NULL), 0);
	CHECK(test_now_ns() - start >= 30000000);
	CHECK(test_now_ns() - start < 2000000000);
	t.tv_nsec = 1000000000;
	CHECK_ERR(nanosleep(&t, NULL), EINVAL);
	t.tv_nsec = -1;
	CHECK_ERR(nanosleep(&t, NULL), EINVAL);
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0); /* past */
}

TEST(interrupted_sleep_tells_the_rest)
{
	struct timespec t = { 5, 0 }, left = { 0, 0 };
	struct itimerval it = { { 0, 0 }, { 0, 50000 } };

	on(SIGALRM, SA_RESTART);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	CHECK_ERR(nanosleep(&t, &left), EINTR);
	CHECK_EQ(caught, 1);
	CHECK(left.tv_sec == 4 && left.tv_nsec > 0);
}

TEST(a_stopped_sleeper_sleeps_on)
{
	uint64_t start = test_now_ns();
	int status;
	pid_t pid;

	TEST_BLOCKED_CHILD(pid, _exit(nanosleep(&(struct timespec){ 0, 200000000 }, NULL)));
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	kill(pid, SIGCONT);
	CHECK_EQ(test_wait(pid), 0);
	CHECK(test_now_ns() - start >= 200000000);
}

TEST(interval_timer)
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } }, now;

	on(SIGALRM, 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	while (caught < 5)
		pause();
	CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
	CHECK_EQ(now.it_interval.tv_usec, 10000);
	CHECK(now.it_value.tv_usec <= 10000);
	memset(&it, 0, sizeof it);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, &now), 0);
	caught = 0;
	test_sleep_ms(40);
	CHECK_EQ(caught, 0);
	CHECK_ERR(setitimer(9, &it, NULL), EINVAL);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
}

TEST(alarms)
{
	on(SIGALRM, 0);
	CHECK(alarm(50) > 0); /* the test's own limit */
	CHECK_EQ(alarm(1), 50);
	pause();
	CHECK_EQ(caught, 1);
	CHECK_EQ(alarm(0), 0);
	/* A child has none, exec keeps it. */
	alarm(7);
	pid_t pid = fork();
	if (pid == 0)
		_exit(alarm(0) != 0);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(alarm(0), 7);
}

static void with_value(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	caught++;
	value = si->si_code == SI_TIMER ? si->si_value.sival_int : -1;
}

TEST(posix_timers)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct sigaction sa = { .sa_sigaction = with_value, .sa_flags = SA_SIGINFO };
	struct itimerspec its = { { 0, 0 }, { 0, 20000000 } }, now;
	timer_t t;

	ev.sigev_value.sival_int = 77;
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &ev, &t), 0);
	CHECK_EQ(timer_settime(t, 0, &its, NULL), 0);
	CHECK_EQ(timer_gettime(t, &now), 0);
	CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20000000);
	while (!caught)
		test_sleep_ms(5);
	CHECK_EQ(value, 77);
	CHECK_EQ(timer_delete(t), 0);
	CHECK_ERR(timer_settime(t, 0, &its, NULL), EINVAL);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	CHECK_EQ(clock_gettime(id, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static volatile bool burning;

static void *burn(void *unused)
{
	while (burning)
		;
	return unused;
}

/* Sleeping by CPU time: one's own process's while another thread works, a child's, and neither
 * while nobody does. */
TEST(sleeping_by_cpu_time)
{
	struct timespec t = { 0, 30000000 }, rem = { 0, 0 };
	struct sigaction act = { .sa_handler = catch_signal };
	uint64_t before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	pthread_t other;
	clockid_t id;
	pid_t pid;

	burning = true;
	CHECK_EQ(pthread_create(&other, NULL, burn, NULL), 0);
	CHECK_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL), 0);
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before >= 30000000);
	CHECK_EQ(pthread_getcpuclockid(other, &id), 0);
	CHECK(clock_ns(id) > 0);
	burning = false;
	CHECK_EQ(pthread_join(other, NULL), 0);
	t.tv_nsec = 1;
	CHECK_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &t, NULL), 0);

	pid = fork();
	if (pid == 0)
		for (;;)
			;
	CHECK_EQ(clock_getcpuclockid(pid, &id), 0);
	t.tv_nsec = 30000000;
	CHECK_EQ(clock_nanosleep(id, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(clock_ns(id) >= 30000000);
	kill(pid, SIGKILL);
	test_wait(pid);

	sigaction(SIGALRM, &act, NULL);
	ualarm(50000, 0);
	t = (struct timespec){ 100, 0 };
	CHECK_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, &rem), EINTR);
	CHECK(rem.tv_sec >= 90 && rem.tv_sec < 100);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &t, &rem), EOPNOTSUPP);
	t.tv_nsec = -1;
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &t, &rem), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, 8, &rem), EFAULT);
}

/* A timer by the time of one thread goes with that thread's work alone. */
TEST(timer_by_thread_time)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct sigaction act = { .sa_handler = catch_signal };
	struct itimerspec its = { { 0, 0 }, { 0, 20000000 } };
	uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	timer_t t;

	sigaction(SIGUSR1, &act, NULL);
	CHECK_EQ(timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &t), 0);
	CHECK_EQ(timer_settime(t, 0, &its, NULL), 0);
	while (!caught)
		;
	CHECK(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before >= 20000000);
	CHECK_EQ(timer_delete(t), 0);
}

/* Several sleepers wake in the order of their times. */
TEST(sleepers_in_order)
{
	int p[2];
	char got[8];
	pid_t pid[8];

	CHECK(pipe(p) == 0);
	for (int i = 0; i < 8; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			char c = (char)i;

			test_sleep_ms(300 + (i * 5 % 8) * 60);
			_exit(write(p[1], &c, 1) != 1);
		}
	}
	for (int i = 0; i < 8; i++)
		CHECK_EQ(read(p[0], &got[i], 1), 1);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(got[i] * 5 % 8, i);
		CHECK_EQ(test_wait(pid[i]), 0);
	}
}

static volatile sig_atomic_t alarms, first_overruns;

static void count_alarm(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	if (!alarms++)
		first_overruns = timer_getoverrun(*(timer_t *)si->si_value.sival_ptr);
}

static void make_timer(timer_t *t, struct itimerspec value, int flags)
{
	struct sigaction act = { .sa_sigaction = count_alarm, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };

	ev.sigev_value.sival_ptr = t;
	CHECK_EQ(sigaction(SIGUSR2, &act, NULL), 0);
	CHECK_EQ(timer_create(CLOCK_REALTIME, &ev, t), 0);
	CHECK_EQ(timer_settime(*t, flags, &value, NULL), 0);
}

static void move_clock(long seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += seconds;
	CHECK_EQ(clock_settime(CLOCK_REALTIME, &now), 0);
}

TEST(a_clock_that_is_set)
{
	struct itimerspec later = { .it_value = { 300, 0 } }, soon = { .it_value = { 0, 200000000 } };
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	struct timespec now;
	timer_t counting, until;
	uint64_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	later.it_value.tv_sec += now.tv_sec;
	make_timer(&until, later, TIMER_ABSTIME);
	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &later, NULL), 0);
	move_clock(1000);
	test_sleep_ms(100);
	move_clock(-1000);
	CHECK_EQ(alarms, 1);
	CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(read(fd, &n, sizeof n), sizeof n);
	CHECK_EQ(n, 1);
	/* One that counts time does not care. */
	make_timer(&counting, soon, 0);
	move_clock(-1000);
	test_sleep_ms(1000);
	move_clock(1000);
	CHECK_EQ(alarms, 2);
}

TEST(overruns_of_the_signal_that_was_taken)
{
	struct itimerspec fast = { .it_value = { 0, 1000000 }, .it_interval = { 0, 200 } };
	sigset_t set;
	timer_t t;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	make_timer(&t, fast, 0);
	test_sleep_ms(300);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	timer_delete(t);
	CHECK(alarms >= 1);
	/* All that came while it was blocked, and not what came since. */
	CHECK(first_overruns >= 1000000);
}

static int timerfd_in(long seconds, int flags)
{
	struct itimerspec at = { 0 };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);

	CHECK(clock_gettime(CLOCK_REALTIME, &at.it_value) == 0);
	at.it_value.tv_sec += seconds;
	CHECK(fd >= 0 && timerfd_settime(fd, TFD_TIMER_ABSTIME | flags, &at, NULL) == 0);
	return fd;
}

/* Setting the clock moves what waits for a point of real time, and cancels what asked for it. */
TEST(clock_set)
{
	struct itimerspec left, soon = { .it_value.tv_sec = 50 };
	int plain = timerfd_in(100, 0), cancelled = timerfd_in(100, TFD_TIMER_CANCEL_ON_SET);
	struct pollfd p = { .fd = cancelled, .events = POLLIN };
	struct timespec bad = { .tv_nsec = 1000000000 };
	uint64_t n;
	timer_t t;

	if (geteuid())
		_exit(TEST_SKIP);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &bad), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, 8), EFAULT);
	CHECK(clock_gettime(CLOCK_REALTIME, &left.it_value) == 0);
	left.it_interval = (struct timespec){ 0 };
	left.it_value.tv_sec += 150;
	on(SIGUSR1, 0);
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	CHECK(timer_create(CLOCK_REALTIME, &e, &t) == 0);
	CHECK(timer_settime(t, TIMER_ABSTIME, &left, NULL) == 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
	move_clock(40);
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_ERR(read(cancelled, &n, sizeof n), ECANCELED);
	CHECK_ERR(read(cancelled, &n, sizeof n), EAGAIN);
	CHECK_ERR(read(plain, &n, sizeof n), EAGAIN);
	CHECK(timerfd_gettime(plain, &left) == 0 && left.it_value.tv_sec >= 55 && left.it_value.tv_sec <= 60);
	/* a relative one stays */
	CHECK(timerfd_settime(plain, 0, &soon, NULL) == 0);
	move_clock(80);
	CHECK(timerfd_gettime(plain, &left) == 0 && left.it_value.tv_sec >= 45 && left.it_value.tv_sec <= 50);
	/* the other one's time has come, and it is cancelled again */
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_ERR(read(cancelled, &n, sizeof n), ECANCELED);
	CHECK_EQ(caught, 0);
	move_clock(40);
	for (int i = 0; i < 100 && !caught; i++)
		usleep(10000);
	CHECK_EQ(caught, 1);
	move_clock(-160);
	if (!setuid(1000))
		CHECK_ERR(clock_settime(CLOCK_REALTIME, &left.it_value), EPERM);
}

TEST(what_adjtimex_keeps)
{
	struct timex x = { 0 };
	int fd = timerfd_in(100, TFD_TIMER_CANCEL_ON_SET), state;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	time_t now = time(NULL);

	if (geteuid())
		_exit(TEST_SKIP);
	CHECK_EQ(adjtimex(&x), TIME_ERROR);
	CHECK(labs(x.time.tv_sec - now) < 5 && x.tick == 10000 && x.status & STA_UNSYNC);
	x = (struct timex){ .modes = ADJ_FREQUENCY | ADJ_MAXERROR | ADJ_STATUS | ADJ_TIMECONST,
			    .freq = 1l << 30, .maxerror = 7, .status = STA_INS | STA_NANO, .constant = 3 };
	state = adjtimex(&x);
	CHECK(state >= 0 && state != TIME_ERROR);
	CHECK_EQ(x.freq, 500 << 16);
	CHECK_EQ(x.maxerror, 7);
	CHECK_EQ(x.constant, 7);
	CHECK_EQ(x.status, STA_INS);
	x.modes = ADJ_TICK;
	x.tick = 8999;
	CHECK_ERR(adjtimex(&x), EINVAL);
	x.modes = ADJ_FREQUENCY;
	x.freq = 1l << 40;
	CHECK_ERR(adjtimex(&x), EINVAL);
	x.modes = 0x8000;
	CHECK_ERR(adjtimex(&x), EINVAL);
	x.modes = ADJ_SETOFFSET;
	x.time.tv_usec = 1000000;
	CHECK_ERR(adjtimex(&x), EINVAL);
	CHECK_EQ(poll(&p, 1, 0), 0);
	x.time = (struct timeval){ 1000, 0 };
	CHECK(adjtimex(&x) >= 0);
	CHECK(labs(time(NULL) - now - 1000) < 5);
	CHECK_EQ(poll(&p, 1, 5000), 1);
	x = (struct timex){ .modes = ADJ_SETOFFSET | ADJ_STATUS | ADJ_FREQUENCY | ADJ_NANO,
			    .time = { -1001, 999999999 }, .status = STA_UNSYNC };
	CHECK_EQ(clock_adjtime(CLOCK_REALTIME, &x), TIME_ERROR);
	CHECK(x.status & STA_NANO);
	CHECK(labs(time(NULL) - now) < 5);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, 8), EFAULT);
	CHECK_ERR(clock_adjtime(CLOCK_MONOTONIC, &x), EOPNOTSUPP);
	x.modes = ADJ_MICRO;
	CHECK(adjtimex(&x) >= 0);
	if (!setuid(1000)) {
		CHECK_ERR(adjtimex(&x), EPERM);
		CHECK_ERR(adjtime(&(struct timeval){ 1, 0 }, NULL), EPERM);
		CHECK_EQ(adjtime(NULL, &(struct timeval){ 0 }), 0);
	}
}

TEST(usage)
{
	struct rusage self, thread, children;
	struct tms t;
	pid_t pid = fork();
	uint64_t until = test_now_ns() + 50000000;

	CHECK(pid >= 0);
	while (test_now_ns() < until)
		;
	if (!pid)
		_exit(0);
	CHECK(getrusage(RUSAGE_CHILDREN, &children) == 0);
	CHECK_EQ(children.ru_utime.tv_usec + children.ru_stime.tv_usec, 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(getrusage(RUSAGE_SELF, &self) == 0 && getrusage(RUSAGE_THREAD, &thread) == 0);
	CHECK(getrusage(RUSAGE_CHILDREN, &children) == 0);
	CHECK(self.ru_utime.tv_usec + self.ru_stime.tv_usec > 0 && self.ru_minflt > 0 && self.ru_maxrss > 0);
	CHECK(thread.ru_utime.tv_usec + thread.ru_stime.tv_usec > 0);
	CHECK(children.ru_utime.tv_usec + children.ru_stime.tv_usec > 0 && children.ru_maxrss > 0);
	CHECK(times(&t) > 0 && t.tms_utime + t.tms_stime > 0 && t.tms_cutime + t.tms_cstime > 0);
	CHECK(times(NULL) > 0);
	CHECK_ERR(syscall(SYS_getrusage, 2, &self), EINVAL);
	CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, 8), EFAULT);
}

/* The time that process 5 has run, in ticks: here that is the server of timerfds. */
static long server_ticks(void)
{
	char text[512] = { 0 };
	long user, sys;
	FILE *f = fopen("/proc/5/stat", "r");

	CHECK(f && fgets(text, sizeof text, f));
	fclose(f);
	CHECK_EQ(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
			&user, &sys), 2);
	return user + sys;
}

/* Timers of the shortest period, which nobody looks at, cost nobody anything. */
TEST(timerfds_of_a_nanosecond)
{
	enum { N = 8 };
	struct itimerspec shortest = { { 0, 1 }, { 0, 1 } }, left;
	struct timespec ran;
	uint64_t n;
	int fds[N];
	long before;

	for (int i = 0; i < N; i++) {
		fds[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
		CHECK_EQ(timerfd_settime(fds[i], 0, &shortest, NULL), 0);
	}
	before = server_ticks();
	do {
		CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ran), 0);
	} while (ran.tv_sec == 0 && ran.tv_nsec < 300000000);
	CHECK(server_ticks() - before < 10);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(timerfd_gettime(fds[i], &left), 0);
		CHECK_EQ(left.it_interval.tv_nsec, 1);
		CHECK_EQ(read(fds[i], &n, sizeof n), sizeof n);
		CHECK(n > 1000);
	}
}

TEST(alarms_in_the_far_future)
{
	CHECK(alarm(0x7fffffff) > 0); /* the test's own limit */
	CHECK_EQ(alarm(0xffffffff), 0x7fffffff);
	CHECK_EQ(alarm(0), 0xffffffffu);
}

static volatile sig_atomic_t over;

static void count_over(int sig)
{
	(void)sig;
	over++;
}

/* SIGXCPU each second from the soft limit on, SIGKILL at the hard one, also for those that inherit them. */
TEST(limit_of_cpu_time)
{
	static const struct rlimit limit = { 1, 2 };
	struct rlimit now;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGXCPU, count_over);
		CHECK_EQ(setrlimit(RLIMIT_CPU, &limit), 0);
		pid = fork();
		if (pid == 0) {
			while (!over)
				;
			CHECK_EQ(getrlimit(RLIMIT_CPU, &now), 0);
			CHECK_EQ(now.rlim_cur, 2);
			for (;;)
				;
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), SIGKILL);
		CHECK_EQ(over, 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(timers_of_clocks_that_are_others)
{
	static const clockid_t clocks[] = { CLOCK_TAI, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec at = { .it_value = { 0, 20000000 } };
	sigset_t set;
	timer_t t;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		if (timer_create(clocks[i], &e, &t)) {
			CHECK_EQ(errno, EOPNOTSUPP); /* a machine without a clock that wakes it */
			continue;
		}
		CHECK_EQ(timer_settime(t, 0, &at, NULL), 0);
		CHECK_EQ(sigwaitinfo(&set, NULL), SIGUSR1);
		CHECK_EQ(timer_delete(t), 0);
	}
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK_EQ(timer_create(CLOCK_TAI, &e, &t), 0);
		CHECK(timer_create(CLOCK_BOOTTIME_ALARM, &e, &t) == -1 && (errno == EPERM || errno == EOPNOTSUPP));
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

/* A timer whose number cannot be told is not made: else there would soon be too many. */
TEST(timers_without_a_number)
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	int id;

	for (int i = 0; i < 1100; i++)
		CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &none, (void *)8), EFAULT);
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &none, &id), 0);
}
