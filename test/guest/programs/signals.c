/* Signals: masks, pending sets, handlers and their frames, siginfo, alternate stacks, restarts, what
 * faults say, and that a handler's return leaves no trace in any register. */
#include "test.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last, inner;
static volatile siginfo_t info;

static void simple(int sig)
{
	count++;
	last = sig;
}

static void detailed(int sig, siginfo_t *si, void *context)
{
	(void)context;
	count++;
	last = sig;
	info = *si;
}

static void on(int sig, void (*f)(int), int flags)
{
	struct sigaction sa = { .sa_handler = f, .sa_flags = flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static void on_info(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = flags | SA_SIGINFO };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static sigset_t set_of(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return s;
}

TEST(handler_runs_at_once)
{
	on(SIGUSR1, simple, 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(count, 2);
}

TEST(blocked_is_pending)
{
	sigset_t s = set_of(SIGUSR1), p;

	on(SIGUSR1, simple, 0);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(count, 0);
	CHECK(sigpending(&p) == 0 && sigismember(&p, SIGUSR1) && !sigismember(&p, SIGUSR2));
	CHECK(sigprocmask(SIG_UNBLOCK, &s, NULL) == 0);
	CHECK_EQ(count, 1);
	CHECK(sigpending(&p) == 0 && !sigismember(&p, SIGUSR1));
}

TEST(pending_is_dropped_when_ignored)
{
	sigset_t s = set_of(SIGUSR1), p;

	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	kill(getpid(), SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	CHECK(sigpending(&p) == 0 && !sigismember(&p, SIGUSR1));
}

TEST(kill_and_stop_cannot_be_blocked)
{
	sigset_t s, old;

	sigfillset(&s);
	CHECK(sigprocmask(SIG_SETMASK, &s, NULL) == 0);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &old) == 0);
	CHECK(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP));
	CHECK(sigismember(&old, SIGTERM));
	CHECK_ERR(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = simple }, NULL), EINVAL);
	CHECK_ERR(sigaction(SIGSTOP, &(struct sigaction){ .sa_handler = simple }, NULL), EINVAL);
	CHECK_ERR(sigaction(65, NULL, NULL), EINVAL);
	CHECK_ERR(sigaction(0, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &s, NULL, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, 17, &s, NULL, 8), EINVAL);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_EQ(kill(getpid(), 0), 0);
}

static void nested(int sig)
{
	int before = inner;

	raise(sig == SIGUSR1 ? SIGUSR2 : SIGUSR1);
	if (before == inner)
		count++; /* it was blocked */
	inner++;
}

TEST(mask_during_a_handler)
{
	struct sigaction sa = { .sa_handler = nested };

	sigaddset(&sa.sa_mask, SIGUSR2);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	on(SIGUSR2, simple, 0);
	raise(SIGUSR1);
	/* USR2 came after the handler of USR1. */
	CHECK_EQ(count, 2);
	CHECK_EQ(last, SIGUSR2);
}

static void again(int sig)
{
	if (++count < 3)
		raise(sig);
	inner = inner < count ? count : inner;
}

TEST(nodefer_and_resethand)
{
	struct sigaction now;

	on(SIGUSR1, again, SA_NODEFER);
	raise(SIGUSR1);
	CHECK_EQ(count, 3);
	count = 0;
	on(SIGUSR2, simple, SA_RESETHAND);
	raise(SIGUSR2);
	CHECK_EQ(count, 1);
	CHECK(sigaction(SIGUSR2, NULL, &now) == 0);
	CHECK(now.sa_handler == SIG_DFL);
	CHECK(now.sa_flags & (int)SA_RESETHAND);
}

TEST(siginfo_of_kill)
{
	on_info(SIGUSR1, detailed, 0);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(info.si_signo, SIGUSR1);
	CHECK_EQ(info.si_code, SI_USER);
	CHECK_EQ(info.si_pid, getpid());
	CHECK_EQ(info.si_uid, getuid());
	syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	CHECK_EQ(info.si_code, SI_TKILL);
}

TEST(realtime_signals_queue)
{
	sigset_t s = set_of(SIGRTMIN);
	siginfo_t si;

	sigaddset(&s, SIGRTMIN + 1);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 30 }) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(sigwaitinfo(&s, &si), SIGRTMIN);
		CHECK_EQ(si.si_value.sival_int, i);
		CHECK_EQ(si.si_code, SI_QUEUE);
		CHECK_EQ(si.si_pid, getpid());
	}
	CHECK_EQ(sigwaitinfo(&s, &si), SIGRTMIN + 1);
	CHECK_EQ(si.si_value.sival_int, 30);
	CHECK_ERR(sigtimedwait(&s, &si, &(struct timespec){ 0, 20000000 }), EAGAIN);
}

TEST(siginfo_of_sigchld)
{
	sigset_t s = set_of(SIGCHLD);
	siginfo_t si;
	pid_t pid;

	on(SIGCHLD, simple, 0);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	pid = fork();
	if (pid == 0)
		_exit(37);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGCHLD);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_status, 37);
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 37);
	TEST_BLOCKED_CHILD(pid, pause());
	kill(pid, SIGTERM);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGCHLD);
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGTERM);
}

TEST(sigsuspend_swaps_the_mask)
{
	sigset_t s = set_of(SIGUSR1), none, now;

	sigemptyset(&none);
	on(SIGUSR1, simple, SA_RESTART);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	raise(SIGUSR1);
	CHECK_EQ(count, 0);
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
}

TEST(sigsuspend_sleeps)
{
	sigset_t s = set_of(SIGUSR1), none;
	pid_t pid;

	sigemptyset(&none);
	on(SIGUSR1, simple, 0);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	TEST_BLOCKED_CHILD(pid, {
		sigsuspend(&none);
		_exit(count == 1 ? 0 : 1);
	});
	kill(pid, SIGUSR1);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(pause_ends_by_a_handler_only)
{
	pid_t pid;

	on(SIGUSR1, simple, 0);
	on(SIGCHLD, SIG_DFL, 0);
	TEST_BLOCKED_CHILD(pid, _exit(pause() == -1 && errno == EINTR && count == 1 ? 0 : 1));
	kill(pid, SIGCHLD); /* ignored by default: not seen */
	kill(pid, SIGWINCH);
	test_sleep_ms(30);
	CHECK_EQ(test_state(pid), 'S');
	kill(pid, SIGUSR1);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(default_actions)
{
	const int kills[] = { SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGRTMIN };

	for (unsigned i = 0; i < sizeof kills / sizeof kills[0]; i++) {
		int status;
		pid_t pid;

		TEST_BLOCKED_CHILD(pid, pause());
		kill(pid, kills[i]);
		status = test_wait(pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), kills[i]);
	}
	raise(SIGCHLD);
	raise(SIGURG);
	raise(SIGWINCH);
	raise(SIGCONT);
}

EXEC(report_actions)
{
	struct sigaction a, b;
	sigset_t mask;

	sigaction(SIGUSR1, NULL, &a);
	sigaction(SIGUSR2, NULL, &b);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	exit((a.sa_handler != SIG_DFL) | (b.sa_handler != SIG_IGN) << 1 |
	     !sigismember(&mask, SIGHUP) << 2 | sigismember(&mask, SIGINT) << 3);
}

TEST(exec_keeps_ignored_and_mask)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t s = set_of(SIGHUP);

		on(SIGUSR1, simple, 0);
		on(SIGUSR2, SIG_IGN, 0);
		sigprocmask(SIG_BLOCK, &s, NULL);
		execv(test_program, test_exec_args("report_actions", NULL));
		_exit(100);
	}
	CHECK_EQ(test_wait(pid), 0);
}

/* ---- faults ---- */

static sigjmp_buf escape;

static void fault(int sig, siginfo_t *si, void *context)
{
	(void)context;
	last = sig;
	info = *si;
	siglongjmp(escape, 1);
}

#define FAULTS(sig, code, address, what)                                                 \
	do {                                                                             \
		on_info(sig, fault, 0);                                                  \
		last = 0;                                                                \
		if (!sigsetjmp(escape, 1)) {                                             \
			what;                                                            \
		}                                                                        \
		CHECK_EQ(last, sig);                                                     \
		CHECK_EQ(info.si_code, code);                                            \
		CHECK_EQ((long)info.si_addr, (long)(address));                           \
	} while (0)

TEST(faults_tell_code_and_address)
{
	char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *hole = page + 4096;
	volatile char sink;

	CHECK(munmap(page + 4096, 4096) == 0);
	FAULTS(SIGSEGV, SEGV_MAPERR, 24, *(volatile int *)24 = 1);
	FAULTS(SIGSEGV, SEGV_MAPERR, hole + 5, hole[5] = 1);
	FAULTS(SIGSEGV, SEGV_MAPERR, hole + 6, sink = hole[6]);
	FAULTS(SIGSEGV, SEGV_ACCERR, page + 7, ((volatile char *)page)[7] = 1);
	FAULTS(SIGSEGV, SEGV_ACCERR, page, ((void (*)(void))page)());
	CHECK(mprotect(page, 4096, PROT_NONE) == 0);
	FAULTS(SIGSEGV, SEGV_ACCERR, page + 8, sink = ((volatile char *)page)[8]);
	(void)sink;
}

TEST(illegal_instruction)
{
	extern char illegal_here[];

	FAULTS(SIGILL, ILL_ILLOPC, illegal_here,
	       __asm__ volatile(".globl illegal_here\nillegal_here: .4byte 0xffffffff"));
}

TEST(breakpoint)
{
	extern char break_here[];

	FAULTS(SIGTRAP, TRAP_BRKPT, break_here,
	       __asm__ volatile(".globl break_here\nbreak_here: ebreak"));
}

TEST(beyond_the_end_of_a_file)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	volatile char *map, sink;

	CHECK(write(fd, "x", 1) == 1);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK(map[0] == 'x' && map[4095] == 0);
	FAULTS(SIGBUS, BUS_ADRERR, map + 4097, sink = map[4097]);
	(void)sink;
}

TEST(fault_while_blocked_kills)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t s = set_of(SIGSEGV);

		on(SIGSEGV, simple, 0);
		sigprocmask(SIG_BLOCK, &s, NULL);
		*(volatile int *)8 = 1;
		_exit(0);
	}
	status = test_wait(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

/* ---- stacks and frames ---- */

static char alternate[65536];
static void *volatile where;

static void on_stack(int sig)
{
	char here;
	stack_t now;

	(void)sig;
	where = &here;
	count++;
	last = sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK &&
	       sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL) == -1 && errno == EPERM;
}

TEST(alternate_stack)
{
	stack_t st = { .ss_sp = alternate, .ss_size = sizeof alternate }, old;

	CHECK(sigaltstack(&st, &old) == 0);
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	on(SIGUSR1, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK_EQ(count, 1);
	CHECK_EQ(last, 1);
	CHECK((char *)where >= alternate && (char *)where < alternate + sizeof alternate);
	on(SIGUSR1, on_stack, 0);
	raise(SIGUSR1);
	CHECK((char *)where < alternate || (char *)where >= alternate + sizeof alternate);
	CHECK_ERR(sigaltstack(&(stack_t){ .ss_sp = alternate, .ss_size = 100 }, NULL), ENOMEM);
	CHECK_ERR(sigaltstack(&(stack_t){ .ss_sp = alternate, .ss_size = 65536, .ss_flags = 99 }, NULL),
		  EINVAL);
}

static void overflow_handler(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	_exit(5);
}

static int __attribute__((noinline)) deeper(int n)
{
	volatile char frame[4000];

	frame[0] = (char)n;
	if (n < 0)
		return 0;
	return deeper(n + 1) + frame[0];
}

TEST(stack_overflow_is_caught_on_the_alternate_stack)
{
	pid_t pid = fork();

	if (pid == 0) {
		stack_t st = { .ss_sp = alternate, .ss_size = sizeof alternate };

		sigaltstack(&st, NULL);
		on_info(SIGSEGV, overflow_handler, SA_ONSTACK);
		_exit(deeper(0));
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 5);
}

/* A frame that does not fit on the stack: SIGSEGV, which without a stack kills. */
TEST(no_room_for_a_frame_kills)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		on(SIGUSR1, simple, 0);
		on(SIGSEGV, simple, 0);
		__asm__ volatile("li a0, 0\nli a7, 172\necall\nmv s1, a0\nli sp, 0x100\nmv a0, s1\n"
				 "li a1, 10\nli a7, 129\necall\nli a0, 0\nli a7, 93\necall"
				 ::: "a0", "a1", "a7", "s1");
	}
	status = test_wait(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void change_context(int sig, siginfo_t *si, void *context)
{
	ucontext_t *u = context;

	(void)sig, (void)si;
	u->uc_mcontext.__gregs[REG_PC] += 4; /* step over the ebreak */
	u->uc_mcontext.__gregs[REG_A0] = 4711;
	sigaddset(&u->uc_sigmask, SIGUSR2);
}

TEST(handler_changes_the_context)
{
	register long a0 __asm__("a0") = 1;
	sigset_t now;
	long got;

	on_info(SIGTRAP, change_context, 0);
	__asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" : "+r"(a0));
	got = a0;
	CHECK_EQ(got, 4711);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
	CHECK(sigismember(&now, SIGUSR2));
}

/* ---- threads ---- */

static volatile pid_t ran_in;

static void which_thread(int sig)
{
	(void)sig;
	ran_in = gettid();
}

static void *wait_for_it(void *tid)
{
	*(volatile pid_t *)tid = gettid();
	while (!ran_in)
		test_sleep_ms(1);
	return NULL;
}

TEST(a_signal_for_one_thread)
{
	volatile pid_t tid = 0;
	pthread_t t;

	on(SIGUSR1, which_thread, SA_RESTART);
	CHECK(pthread_create(&t, NULL, wait_for_it, (void *)&tid) == 0);
	while (!tid)
		test_sleep_ms(1);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), tid, SIGUSR1), 0);
	pthread_join(t, NULL);
	CHECK_EQ(ran_in, tid);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 99999, SIGUSR1), ESRCH);
}

TEST(a_signal_goes_to_a_thread_that_takes_it)
{
	volatile pid_t tid = 0;
	sigset_t s = set_of(SIGUSR1);
	pthread_t t;

	on(SIGUSR1, which_thread, SA_RESTART);
	CHECK(pthread_create(&t, NULL, wait_for_it, (void *)&tid) == 0);
	while (!tid)
		test_sleep_ms(1);
	CHECK(pthread_sigmask(SIG_BLOCK, &s, NULL) == 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	pthread_join(t, NULL);
	CHECK_EQ(ran_in, tid);
}

EXEC(sleep_on)
{
	for (;;)
		pause();
}

static void spin_ns(uint64_t ns)
{
	for (uint64_t start = test_now_ns(); test_now_ns() - start < ns;)
		;
}

/* A signal is not lost whenever it comes: before, in or after an execve. */
TEST(killed_around_exec)
{
	for (int i = 0; i < 60; i++) {
		int status;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			execv(test_program, test_exec_args("sleep_on", NULL));
			_exit(100);
		}
		spin_ns((uint64_t)i * 50000);
		CHECK_EQ(kill(pid, SIGTERM), 0);
		status = test_wait(pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), SIGTERM);
	}
}

/* Calls that wait for nothing are not interrupted, whatever the handler's flags. */
TEST(no_eintr_where_nothing_waits)
{
	pid_t pid, sleeper, parent = getpid();
	int fd = open("file", O_RDWR | O_CREAT, 0600), status;
	char b[100];
	struct stat st;

	CHECK_EQ(write(fd, b, sizeof b), sizeof b);
	on(SIGUSR1, simple, 0);
	sleeper = fork();
	if (sleeper == 0)
		for (;;)
			pause();
	pid = fork();
	if (pid == 0)
		for (;;) {
			if (kill(parent, SIGUSR1))
				_exit(0);
			spin_ns(20000);
		}
	for (int i = 0; i < 1500; i++) {
		CHECK_EQ(pread(fd, b, sizeof b, 0), sizeof b);
		CHECK_EQ(pwrite(fd, b, sizeof b, 0), sizeof b);
		CHECK_EQ(waitpid(sleeper, &status, WNOHANG), 0);
		CHECK_EQ(stat("file", &st), 0);
		CHECK_EQ(close(open("file", O_RDONLY)), 0);
	}
	kill(pid, SIGKILL);
	kill(sleeper, SIGKILL);
	CHECK(count > 0);
}

/* A signal, and then the kill, while the call waits behind others at a busy server. */
TEST(killed_after_a_signal_in_a_queued_call)
{
	enum { CROWD = 12 };
	static char data[256 << 10];
	pid_t pid[CROWD];
	struct stat st;
	int fd = open("file", O_CREAT | O_RDWR, 0600);

	on(SIGUSR1, simple, 0);
	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < CROWD; i++) {
			pid[i] = fork();
			CHECK(pid[i] >= 0);
			if (pid[i] == 0 && nice(10) >= 0)
				for (;;)
					if (i % 3 || pwrite(fd, data, sizeof data, 0) < 0)
						stat("/tmp/none", &st);
		}
		sched_yield();
		for (int i = 0; i < CROWD; i++) {
			kill(pid[i], SIGUSR1);
			kill(pid[i], SIGKILL);
		}
		for (int i = 0; i < CROWD; i++)
			CHECK_EQ(WTERMSIG(test_wait(pid[i])), SIGKILL);
	}
}

TEST(signal_storm)
{
	pid_t pid, parent = getpid();
	sigset_t none;

	sigemptyset(&none);
	on(SIGUSR1, simple, SA_RESTART);
	on(SIGUSR2, simple, SA_RESTART);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 2000; i++)
			kill(parent, i & 1 ? SIGUSR1 : SIGUSR2);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK(count > 0);
}

TEST(signalfd_takes_nonblock_later)
{
	struct signalfd_siginfo si;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_ERR(read(fd, &si, sizeof si), EAGAIN);
	raise(SIGUSR1);
	CHECK_EQ(read(fd, &si, sizeof si), sizeof si);
	CHECK_EQ(si.ssi_signo, SIGUSR1);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	close(fd);
}

static void *queue_to_leader(void *unused)
{
	siginfo_t si = { .si_code = SI_TKILL };
	pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);

	(void)unused;
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGURG, &si), EPERM);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGURG, &si), EPERM);
	CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGURG, &si), 0);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getppid(), tid, SIGURG, &si), ESRCH);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), SIGURG, &si), EPERM);
	si.si_code = SI_QUEUE;
	CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGURG, &si), 0);
	return NULL;
}

/* To itself a thread may say anything, to others not that a signal is the kernel's. */
TEST(queued_by_a_thread)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, queue_to_leader, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* A process can be sent signals until it is waited for, by its own number and by its first thread's. */
TEST(signals_to_who_has_ended_are_lost)
{
	siginfo_t si;
	pid_t pid;

	for (int i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0) {
			memset(malloc(8 << 20), 1, 8 << 20);
			_exit(0);
		}
		do {
			si.si_pid = 0;
			CHECK_EQ(kill(pid, SIGCONT), 0);
			CHECK_EQ(syscall(SYS_tgkill, pid, pid, SIGCONT), 0);
			CHECK_EQ(syscall(SYS_tkill, pid, 0), 0);
			CHECK_EQ(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT), 0);
		} while (si.si_pid == 0);
		CHECK_EQ(kill(pid, SIGKILL), 0);
		CHECK_EQ(syscall(SYS_tkill, pid, SIGKILL), 0);
		CHECK_EQ(test_wait(pid), 0);
		CHECK_ERR(kill(pid, 0), ESRCH);
		CHECK_ERR(syscall(SYS_tkill, pid, 0), ESRCH);
	}
}

/* A parent in vfork: a signal that ends the process by default does so at once; one that dumps core, that is
 * blocked or has a handler comes when the child has gone on. */
static bool ends_in_vfork(int sig, bool blocked, void (*handler)(int))
{
	pid_t parent = fork();
	sigset_t set;
	uint64_t begin;
	int status;

	CHECK(parent >= 0);
	if (parent == 0) {
		sigemptyset(&set);
		sigaddset(&set, sig);
		if (sig != SIGKILL)
			on(sig, handler ? handler : SIG_DFL, 0);
		if (blocked)
			sigprocmask(SIG_BLOCK, &set, NULL);
		if (vfork() == 0) {
			struct timespec t = { 0, 600000000 };

			nanosleep(&t, NULL);
			_exit(0);
		}
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		_exit(count ? 3 : 4);
	}
	test_sleep_ms(150);
	begin = test_now_ns();
	CHECK_EQ(kill(parent, sig), 0);
	status = test_wait(parent);
	if (handler)
		CHECK_EQ(status, 3 << 8);
	else
		CHECK_EQ(status & 0x7f, sig);
	return test_now_ns() - begin < 200000000;
}
TEST(fatal_in_vfork)
{
	CHECK(ends_in_vfork(SIGTERM, false, NULL));
	CHECK(ends_in_vfork(SIGINT, false, NULL));
	CHECK(ends_in_vfork(SIGKILL, true, NULL));
	CHECK(ends_in_vfork(SIGRTMIN, false, NULL));
	CHECK(!ends_in_vfork(SIGQUIT, false, NULL));
	CHECK(!ends_in_vfork(SIGTERM, true, NULL));
	CHECK(!ends_in_vfork(SIGTERM, false, simple));
	CHECK(!ends_in_vfork(SIGUSR1, false, simple));
}

/* A stopped process does not end by SIGTERM until it goes on. */
TEST(fatal_while_stopped)
{
	int status;
	pid_t pid;

	TEST_BLOCKED_CHILD(pid, pause());
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(kill(pid, SIGTERM), 0);
	test_sleep_ms(50);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(kill(pid, SIGCONT), 0);
	status = test_wait(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* openat2 of a FIFO waits as openat does: a signal ends it, or it goes on. */
TEST(opening_a_fifo_is_interrupted)
{
	struct { uint64_t flags, mode, resolve; } how = { O_RDONLY, 0, 0 };
	pid_t pid, parent = getpid();

	CHECK_EQ(mkfifo("fifo", 0600), 0);
	for (int restart = 0; restart < 2; restart++) {
		long fd;

		on(SIGUSR1, simple, restart ? SA_RESTART : 0);
		pid = fork();
		if (pid == 0) {
			test_await_state(parent, 'S');
			kill(parent, SIGUSR1);
			test_sleep_ms(100);
			_exit(restart ? open("fifo", O_WRONLY) < 0 : 0);
		}
		fd = syscall(SYS_openat2, AT_FDCWD, "fifo", &how, sizeof how);
		if (restart)
			CHECK(fd >= 0);
		else
			CHECK(fd == -1 && errno == EINTR);
		CHECK_EQ(test_wait(pid), 0);
	}
}
