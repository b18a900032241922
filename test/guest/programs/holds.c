/* Long lists: what the kernel must take in steps, so that no lock is held for long.  Here they must
 * only come to their end; tools/bench measures the holds while this runs (row lock_hold_max).
 * timeout: 200 */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <linux/futex.h>

#define THREADS 1000
#define FDS 10000

static volatile int word, arrived;

static long futex(volatile int *at, int op, long n)
{
	return syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

/* Threads of which nothing is needed but a small stack: as many of n as there can be. */
static int threads(int n, void *(*run)(void *), pthread_t *made)
{
	pthread_attr_t a;
	int i;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 16384);
	for (i = 0; i < n; i++)
		if (pthread_create(&made[i], &a, run, (void *)(long)i))
			break;
	return i;
}

static void await(volatile int *count, int n)
{
	while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < n)
		usleep(1000);
}

static void descriptors(int n)
{
	struct rlimit r = { (rlim_t)n + 20, (rlim_t)n + 20 };
	int fd = open("/dev/null", O_RDONLY);

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
	while (fd < n)
		CHECK((fd = dup(fd)) >= 0);
}

static void reap(pid_t pid, int want)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, want);
}

/* ---- timers ---- */

static struct timespec together;

static void *sleeps(void *arg)
{
	long i = (long)arg;
	struct timespec t = together;

	/* The later it begins the earlier it ends, but for the second half, which ends at once. */
	if (i < THREADS / 2)
		t.tv_nsec += (THREADS - i) * 1000;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
	return NULL;
}

/* 10,000 threads of several processes sleep, all until about the same time. */
TEST(many_timers)
{
	static pthread_t made[THREADS];
	pid_t pid[10];

	clock_gettime(CLOCK_MONOTONIC, &together);
	together.tv_sec += 5;
	together.tv_nsec = 0;
	for (int p = 0; p < 10; p++) {
		CHECK((pid[p] = fork()) >= 0);
		if (pid[p] == 0) {
			int n = threads(THREADS, sleeps, made);

			for (int i = 0; i < n; i++)
				pthread_join(made[i], NULL);
			_exit(0);
		}
	}
	for (int p = 0; p < 10; p++)
		reap(pid[p], 0);
}

/* ---- futexes ---- */

static void *waits(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
	while (!word)
		futex(&word, FUTEX_WAIT, 0);
	return NULL;
}

TEST(wake_all)
{
	static pthread_t made[THREADS];
	int n = threads(THREADS, waits, made);

	await(&arrived, n);
	usleep(20000);
	word = 1;
	futex(&word, FUTEX_WAKE, 0x7fffffff);
	for (int i = 0; i < n; i++)
		pthread_join(made[i], NULL);
}

TEST(requeue_all)
{
	static pthread_t made[THREADS];
	static volatile int other;
	int n = threads(THREADS, waits, made), left = n;

	await(&arrived, n);
	usleep(20000);
	word = 1;
	left -= (int)syscall(SYS_futex, &word, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 0x7fffffff, &other, 0);
	CHECK(left >= 0 && left < n / 2);
	futex(&other, FUTEX_WAKE, 0x7fffffff);
	for (int i = 0; i < n; i++)
		pthread_join(made[i], NULL);
}

/* ---- processes of many threads ---- */

static pid_t crowd(void *(*run)(void *), int n)
{
	static pthread_t made[THREADS];
	int p[2];
	char c;
	pid_t pid;

	CHECK_EQ(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		n = threads(n, run, made);
		await(&arrived, n);
		usleep(20000);
		if (write(p[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK(pid > 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
	close(p[0]);
	close(p[1]);
	return pid;
}

TEST(kill_many_threads)
{
	pid_t pid = crowd(waits, THREADS);

	kill(pid, SIGKILL);
	reap(pid, SIGKILL);
}

TEST(stop_many_threads)
{
	pid_t pid = crowd(waits, THREADS);
	int status;

	for (int i = 0; i < 3; i++) {
		kill(pid, SIGSTOP);
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		kill(pid, SIGCONT);
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK(WIFCONTINUED(status));
	}
	kill(pid, SIGTERM);
	reap(pid, SIGTERM);
}

TEST(exec_among_many_threads)
{
	static pthread_t made[THREADS];
	pid_t pid = fork();

	if (pid == 0) {
		int n = threads(THREADS, waits, made);

		await(&arrived, n);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK(pid > 0);
	reap(pid, 0);
}

/* ---- descriptors ---- */

TEST(close_many)
{
	pid_t pid;

	descriptors(FDS);
	pid = fork();
	if (pid == 0)
		_exit(0); /* closes all */
	reap(pid, 0);
	pid = fork();
	if (pid == 0) {
		syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	reap(pid, 0);
	CHECK_EQ(syscall(SYS_close_range, 3, ~0u, 0), 0);
	CHECK_ERR(fcntl(FDS, F_GETFD), EBADF);
}

TEST(unshare_many)
{
	descriptors(FDS);
	CHECK_EQ(syscall(SYS_close_range, 3, 3, 2 /* CLOSE_RANGE_UNSHARE */), 0);
	CHECK_ERR(fcntl(3, F_GETFD), EBADF);
	CHECK_EQ(fcntl(FDS - 1, F_GETFD), 0);
}

TEST(poll_many)
{
	static struct pollfd v[FDS];
	static fd_set in[FDS / 8 / sizeof(fd_set) + 1];
	struct timeval t = { 0, 1000 };
	int p[2];

	CHECK_EQ(pipe(p), 0);
	struct rlimit r = { FDS + 20, FDS + 20 };
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
	for (int i = 0; i < FDS; i++) {
		int fd = i < 3 || i == p[0] || i == p[1] ? p[0] : dup(p[0]);

		CHECK(fd >= 0);
		v[i] = (struct pollfd){ fd, POLLIN, 0 };
		((unsigned long *)in)[fd / 64] |= 1ul << fd % 64;
	}
	CHECK_EQ(poll(v, 1000, 1), 0);
	CHECK_EQ(poll(v, FDS, 1), 0);
	CHECK_EQ(syscall(SYS_pselect6, FDS, in, NULL, NULL, &t, NULL), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(poll(v, FDS, 1), FDS);
}

static int shared_pipe[2];

static void *polls(void *arg)
{
	struct pollfd v = { shared_pipe[0], POLLIN, 0 };

	(void)arg;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
	poll(&v, 1, -1);
	return NULL;
}

TEST(poll_of_many)
{
	static pthread_t made[THREADS];
	int n;

	CHECK_EQ(pipe(shared_pipe), 0);
	n = threads(THREADS, polls, made);
	await(&arrived, n);
	usleep(20000);
	CHECK_EQ(write(shared_pipe[1], "x", 1), 1);
	for (int i = 0; i < n; i++)
		pthread_join(made[i], NULL);
}

TEST(epoll_many)
{
	struct epoll_event e = { .events = EPOLLIN }, out[64];
	int set = epoll_create1(0), ev[3000], n = 3000;
	struct rlimit r = { 4000, 4000 };
	uint64_t v = 1;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
	for (int i = 0; i < n; i++) {
		ev[i] = eventfd(0, 0);
		CHECK(ev[i] >= 0);
		CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, ev[i], &e), 0);
	}
	for (int i = 0; i < n; i++)
		CHECK_EQ(write(ev[i], &v, 8), 8);
	CHECK_EQ(epoll_wait(set, out, 64, 0) > 0, true);
	for (int i = 0; i < n; i++) /* each was ready, and is not any more */
		CHECK_EQ(read(ev[i], &v, 8), 8);
	CHECK_EQ(epoll_wait(set, out, 64, 0), 0);
	close(set);
}

/* ---- signals ---- */

TEST(signal_many)
{
	int n, status;

	setpgid(0, 0);
	signal(SIGUSR1, SIG_IGN);
	for (n = 0; n < 200; n++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			signal(SIGUSR1, SIG_DFL);
			for (;;)
				pause();
		}
	}
	usleep(100000);
	kill(0, SIGUSR1);
	while (n-- > 0)
		CHECK(wait(&status) > 0);
}

TEST(queue_many_signals)
{
	sigset_t s;
	siginfo_t si;
	struct timespec t = { 0, 0 };
	int n = 0;

	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	sigaddset(&s, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	while (n < 5000 && sigqueue(getpid(), n & 1 ? SIGRTMIN : SIGRTMIN + 1, (union sigval){ .sival_int = n }) == 0)
		n++;
	CHECK(n > 100);
	for (int i = 0; i < n; i++)
		CHECK(sigtimedwait(&s, &si, &t) > 0);
	CHECK_ERR(sigtimedwait(&s, &si, &t), EAGAIN);
}

TEST(many_signalfds)
{
	struct rlimit r = { 4000, 4000 };
	sigset_t s;
	int n = 0;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_BLOCK, &s, NULL);
	while (n < 3900 && signalfd(-1, &s, 0) >= 0)
		n++;
	CHECK(n > 100);
	kill(getpid(), SIGUSR2);
}

/* ---- memory ---- */

TEST(unmap_much)
{
	size_t n = 64 << 20;
	char *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(m != MAP_FAILED);
	madvise(m, n, MADV_NOHUGEPAGE);
	memset(m, 1, n);
	for (int i = 0; i < 64; i++)
		mprotect(m + ((size_t)i << 20), 4096, PROT_READ);
	mprotect(m, n, PROT_READ);
	CHECK_EQ(munmap(m, n), 0);
	for (int i = 0; i < 3000; i++) {
		m = mmap((void *)(0x30000000ul + 8192ul * (unsigned)i), 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(m != MAP_FAILED);
		*m = 1;
	}
	CHECK_EQ(madvise((void *)0x30000000, 4096, MADV_DONTFORK), 0);
	CHECK_EQ(mprotect((void *)0x30000000, 4096, PROT_READ), 0);
	CHECK_EQ(msync((void *)0x30000000, 8192 * 3000, MS_SYNC), -1);
	CHECK_EQ(munmap((void *)0x30000000, 8192 * 3000), 0);
}

static volatile char *going;
static volatile bool unmapped;

static void *faults(void *arg)
{
	(void)arg;
	while (!unmapped) {
		int word;

		/* The kernel's access: it fails, and no signal comes, once nothing is there. */
		(void)!syscall(SYS_futex, going, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
		if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, going, 8))
			(void)!read(-1, &word, sizeof word);
	}
	return NULL;
}

/* A thread goes into a range that another is unmapping. */
TEST(fault_into_unmap)
{
	size_t n = 64 << 20;
	pthread_t t;

	for (int i = 0; i < 3; i++) {
		char *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		CHECK(m != MAP_FAILED);
		madvise(m, n, MADV_NOHUGEPAGE);
		memset(m, 1, n);
		going = m + n - 4096;
		unmapped = false;
		CHECK_EQ(pthread_create(&t, NULL, faults, NULL), 0);
		usleep(1000);
		CHECK_EQ(munmap(m, n), 0);
		unmapped = true;
		pthread_join(t, NULL);
	}
}

TEST(big_file)
{
	size_t n = 16 << 20;
	char *m = malloc(n);
	int fd = open("big", O_RDWR | O_CREAT, 0600);

	memset(m, 1, n);
	CHECK_EQ(write(fd, m, n), n);
	CHECK_EQ(pread(fd, m, n, 0), n);
	char *v = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(v != MAP_FAILED);
	memset(v, 2, n);
	CHECK_EQ(msync(v, n, MS_SYNC), 0);
	CHECK_EQ(ftruncate(fd, 4096), 0);
	CHECK_EQ(munmap(v, n), 0);
	unlink("big");
}
