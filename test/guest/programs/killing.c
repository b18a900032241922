/* SIGKILL is never lost and never late, whatever its victim does or waits for.
 * timeout: 200 */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <linux/futex.h>

#define LIMIT_MS 1000 /* a busy machine's; what is lost is so for ever */

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Kills pid, which must then be gone soon, by that and nothing else. */
static void kill_and_reap(pid_t pid, const char *state)
{
	long begin = now_us();
	int status;
	pid_t r;

	CHECK_EQ(kill(pid, SIGKILL), 0);
	while ((r = waitpid(pid, &status, WNOHANG)) == 0) {
		if (now_us() - begin > LIMIT_MS * 1000) {
			printf("killed in %s, and still there\n", state);
			CHECK(0);
		}
		usleep(200);
	}
	CHECK_EQ(r, pid);
	CHECK_EQ(status, SIGKILL);
}

static int word, ends[2];
static char *memory;
#define MEMORY (96ul << 20)

static void in_futex(void) { syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); }

static void in_poll(void)
{
	struct pollfd v[2] = { { ends[0], POLLIN, 0 }, { ends[0], POLLIN, 0 } };

	poll(v, 2, -1);
}

static void in_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int set = epoll_create1(0);

	epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &e);
	epoll_wait(set, &e, 1, -1);
}

static void in_read(void)
{
	char c;

	(void)!read(ends[0], &c, 1);
}

static void in_write(void)
{
	while (write(ends[1], memory, 4096) > 0)
		;
}

static void in_sleep(void) { sleep(1000); }

static void in_sigsuspend(void)
{
	sigset_t s;

	sigfillset(&s);
	sigsuspend(&s);
}

static void in_sigwait(void)
{
	sigset_t s;
	int sig;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	sigwait(&s, &sig);
}

static void in_wait4(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	waitpid(pid, NULL, 0);
}

static void in_vfork(void)
{
	if (vfork() == 0) {
		usleep(300000);
		_exit(0);
	}
}

static void in_stop(void)
{
	raise(SIGSTOP);
}

static void in_lock(void)
{
	struct flock l = { .l_type = F_WRLCK };
	int fd = open("lock", O_RDWR | O_CREAT, 0600);

	fcntl(fd, F_SETLKW, &l); /* the parent has it */
}

static void in_user_mode(void)
{
	for (;;)
		__asm__ volatile("");
}

static void in_munmap(void)
{
	for (;;) {
		char *m = mmap(NULL, MEMORY / 4, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		madvise(m, MEMORY / 4, MADV_NOHUGEPAGE);
		memset(m, 1, MEMORY / 4);
		mprotect(m, MEMORY / 4, PROT_READ);
		munmap(m, MEMORY / 4);
	}
}

static void in_populate(void)
{
	for (;;) {
		char *m = mmap(NULL, MEMORY / 4, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		munmap(m, MEMORY / 4);
	}
}

/* Much is copied from the server's memory to the reader's: one call for long. */
static void in_copy(void)
{
	int fd = open("big", O_RDONLY);

	for (;;)
		(void)!pread(fd, memory, 8 << 20, 0);
}

static void in_fork(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void in_exec(void)
{
	execl("/bin/sh", "sh", "-c", "while :; do /bin/true; done", NULL);
}

static void *spins(void *arg)
{
	for (;;)
		if (arg)
			sched_yield();
	return NULL;
}

static void in_threads(void)
{
	pthread_t t;

	for (int i = 0; i < 20; i++)
		pthread_create(&t, NULL, spins, (void *)(long)(i % 2));
	in_futex();
}

static void make_big_file(void)
{
	int fd = open("big", O_RDWR | O_CREAT, 0600);

	CHECK_EQ(ftruncate(fd, 8 << 20), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pwrite(fd, memory, 1 << 20, (off_t)i << 20), 1 << 20);
	close(fd);
}

TEST(every_state)
{
	static const struct {
		const char *name;
		void (*enter)(void);
	} states[] = {
		{ "futex", in_futex }, { "poll", in_poll }, { "epoll", in_epoll }, { "read", in_read },
		{ "write", in_write }, { "sleep", in_sleep }, { "sigsuspend", in_sigsuspend },
		{ "sigwait", in_sigwait }, { "wait4", in_wait4 }, { "vfork", in_vfork },
		{ "stop", in_stop }, { "lock", in_lock }, { "user mode", in_user_mode },
		{ "munmap", in_munmap }, { "populate", in_populate }, { "copy", in_copy },
		{ "fork", in_fork }, { "exec", in_exec }, { "threads", in_threads },
	};
	struct flock l = { .l_type = F_WRLCK };
	int fd = open("lock", O_RDWR | O_CREAT, 0600);

	CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
	CHECK_EQ(pipe(ends), 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(memory != MAP_FAILED);
	make_big_file();
	for (unsigned i = 0; i < sizeof states / sizeof states[0]; i++)
		for (int round = 0; round < 4; round++) {
			pid_t pid = fork();

			CHECK(pid >= 0);
			if (pid == 0) {
				states[i].enter();
				for (;;)
					pause();
			}
			usleep(15000 + 1700 * (unsigned)round);
			kill_and_reap(pid, states[i].name);
		}
}
