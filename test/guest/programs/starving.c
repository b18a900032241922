/* No load of ordinary processes keeps an ordinary process from running: a witness that only computes, and
 * one that sleeps by the millisecond, each measure their longest pause beside fork loops, exec loops,
 * pairs and rings over pipes, threads that yield or wake each other, and storms of signals and timers.
 * The bound is 2 s for each ten threads that are ready, with any number of processors.
 * timeout: 200 */
#include "test.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define WATCH_NS 2500000000ull

static void child(void (*body)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		alarm(0);
		for (;;)
			body();
	}
}

/* The longest time that the caller did not run, while it ran (naps: slept by the millisecond) for WATCH_NS. */
static uint64_t longest_pause(bool naps)
{
	uint64_t begin = test_now_ns(), last = begin, longest = 0;

	while (last - begin < WATCH_NS) {
		uint64_t now;

		if (naps)
			test_sleep_ms(1);
		now = test_now_ns();
		if (now - last > longest)
			longest = now - last;
		last = now;
	}
	return longest;
}

/* Both witnesses beside what was started for each processor, of which `ready` want to run at once. */
static void watch(void (*load)(void), int ready)
{
	static volatile uint64_t *longest;
	long harts = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t one;
	pid_t pid[3];
	uint64_t bound;

	longest = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(longest != MAP_FAILED);
	ready = ready * (int)harts + 3;
	bound = 2000000000ull * (uint64_t)((ready + 9) / 10);
	for (long i = 0; i < harts; i++)
		load();
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i] == 0) {
			CPU_ZERO(&one);
			CPU_SET(0, &one);
			if (i == 2)
				CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
			longest[i] = longest_pause(i == 1);
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(pid[i]), 0);
	printf("# %s: computing %llu ms, napping %llu ms, on one processor %llu ms\n", test_current,
	       (unsigned long long)longest[0] / 1000000, (unsigned long long)longest[1] / 1000000,
	       (unsigned long long)longest[2] / 1000000);
	fflush(stdout);
	for (int i = 0; i < 3; i++)
		CHECK(longest[i] < bound);
}

/* ---- processes ---- */

static void fork_and_wait(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	while (pid > 0 && wait(NULL) < 0)
		;
}
static void fork_loop(void) { child(fork_and_wait); }
TEST(beside_a_fork_loop) { watch(fork_loop, 1); }

static void fork_and_end(void)
{
	pid_t pid = fork();

	if (pid != 0 && pid != -1)
		_exit(0);
}
static void fork_chain(void) { child(fork_and_end); }
TEST(beside_a_process_that_goes_on_as_its_child) { watch(fork_chain, 1); }

EXEC(again)
{
	execv(test_program, test_exec_args("again", NULL));
	_exit(1);
}
static void exec_itself(void)
{
	execv(test_program, test_exec_args("again", NULL));
	_exit(1);
}
static void exec_loop(void) { child(exec_itself); }
TEST(beside_an_exec_loop) { watch(exec_loop, 1); }

static void spawn(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/busybox", "busybox", "true", NULL);
		_exit(1);
	}
	while (pid > 0 && wait(NULL) < 0)
		;
}
static void spawn_loops(void)
{
	for (int i = 0; i < 3; i++)
		child(spawn);
}
TEST(beside_three_spawn_loops) { watch(spawn_loops, 3); }

/* ---- pipes ---- */

static int ring_in, ring_out;

static void pass_on(void)
{
	char c;

	if (read(ring_in, &c, 1) != 1 || write(ring_out, &c, 1) != 1)
		_exit(1);
}

/* n processes that hand `tokens` bytes round. */
static void ring(int n, int tokens)
{
	int first[2], from, next[2];

	CHECK(pipe(first) == 0);
	from = first[0];
	for (int i = 0; i < n; i++) {
		if (i + 1 < n)
			CHECK(pipe(next) == 0);
		ring_in = from;
		ring_out = i + 1 < n ? next[1] : first[1];
		child(pass_on);
		if (i)
			close(from);
		if (i + 1 < n) {
			close(next[1]);
			from = next[0];
		}
	}
	CHECK_EQ(write(first[1], "tokens", (size_t)tokens), tokens);
	close(first[0]);
	close(first[1]);
}
static void two_pairs(void)
{
	ring(2, 1);
	ring(2, 1);
}
static void long_rings(void)
{
	ring(40, 1);
	ring(40, 1);
}
TEST(beside_two_pairs_over_pipes) { watch(two_pairs, 2); }
TEST(beside_two_rings_over_pipes) { watch(long_rings, 2); }

/* ---- threads ---- */

static void *yields(void *arg)
{
	for (;;)
		sched_yield();
	return arg;
}

static uint32_t ball;

static void *plays(void *arg)
{
	uint32_t mine = (uint32_t)(uintptr_t)arg;

	for (;;) {
		while (__atomic_load_n(&ball, __ATOMIC_ACQUIRE) != mine)
			syscall(SYS_futex, &ball, FUTEX_WAIT, !mine, NULL, NULL, 0);
		__atomic_store_n(&ball, !mine, __ATOMIC_RELEASE);
		syscall(SYS_futex, &ball, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	return arg;
}

static void *returns(void *arg) { return arg; }

static void start_threads(void *(*body)(void *), int n)
{
	pthread_t t;

	for (int i = 0; i < n; i++)
		CHECK_EQ(pthread_create(&t, NULL, body, (void *)(uintptr_t)i), 0);
}
static void yielding(void)
{
	start_threads(yields, 3);
	pause();
}
static void playing(void)
{
	start_threads(plays, 2);
	pause();
}
static void make_and_join(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, returns, NULL) == 0)
		pthread_join(t, NULL);
}
static void yield_loops(void) { child(yielding); }
static void futex_pairs(void)
{
	child(playing);
	child(playing);
}
static void thread_loop(void) { child(make_and_join); }
TEST(beside_threads_that_yield) { watch(yield_loops, 3); }
TEST(beside_two_pairs_over_futexes) { watch(futex_pairs, 2); }
TEST(beside_a_thread_loop) { watch(thread_loop, 1); }

/* ---- signals and timers ---- */

static volatile pid_t rival;

static void strike(int sig)
{
	(void)sig;
	if (rival)
		kill(rival, SIGUSR1);
}
static void struck(void)
{
	struct sigaction act = { .sa_handler = strike };
	pid_t one = getpid(), two;

	sigaction(SIGUSR1, &act, NULL);
	two = fork();
	rival = two ? two : one;
	for (;;) {
		kill(rival, SIGUSR1);
		if (getppid() == 1)
			_exit(0);
	}
}
static void signal_pair(void) { child(struck); }
TEST(beside_two_that_signal_each_other) { watch(signal_pair, 2); }

static void waits_and_strikes(void)
{
	sigset_t set;
	pid_t one = getpid(), two;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	two = fork();
	rival = two ? two : one;
	if (two)
		kill(two, SIGUSR1);
	for (;;) {
		sigwait(&set, &sig);
		kill(rival, SIGUSR1);
	}
}
static void sigwait_pairs(void)
{
	child(waits_and_strikes);
	child(waits_and_strikes);
}
TEST(beside_two_pairs_that_await_signals) { watch(sigwait_pairs, 2); }

static void ignore(int sig) { (void)sig; }

static void timed(void)
{
	signal(SIGALRM, ignore);
	for (int i = 0; i < 20; i++) {
		struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
		struct itimerspec often = { { 0, 1 }, { 0, 1 } };
		timer_t timer;

		if (timer_create(CLOCK_MONOTONIC, &e, &timer) == 0)
			timer_settime(timer, 0, &often, NULL);
	}
	for (;;)
		pause();
}
static void timer_storm(void) { child(timed); }
TEST(beside_a_storm_of_timers) { watch(timer_storm, 1); }

/* ---- servers ---- */

static void list_and_stat(void)
{
	static char big[65536];
	struct stat st;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && read(fd, big, sizeof big) > 0)
		;
	close(fd);
	stat("/bin/../bin/../bin/../bin/../bin/../bin/../bin/busybox", &st);
	close(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}
static void callers(void)
{
	for (int i = 0; i < 4; i++)
		child(list_and_stat);
}
TEST(beside_four_that_keep_servers_busy) { watch(callers, 4); }

/* ---- all at once ---- */

static void everything(void)
{
	fork_loop();
	exec_loop();
	two_pairs();
	yield_loops();
	futex_pairs();
	signal_pair();
	callers();
}
TEST(beside_all_at_once) { watch(everything, 16); }
