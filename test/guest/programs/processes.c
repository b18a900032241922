/* Processes: fork, vfork, exec, exit, wait; who the parent is; groups and sessions; stopping and
 * going on; identities; posix_spawn and clone3. */
#include "test.h"
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;

TEST(exit_statuses)
{
	for (int i = 0; i < 3; i++) {
		int want[] = { 0, 7, 255 }, status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(want[i]);
		status = test_wait(pid);
		CHECK(WIFEXITED(status) && !WIFSIGNALED(status));
		CHECK_EQ(WEXITSTATUS(status), want[i]);
	}
	pid_t pid = fork();
	if (pid == 0)
		_exit(0x1234);
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 0x34);
	pid = fork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(0);
	}
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	pid = fork();
	if (pid == 0)
		abort();
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGABRT);
}

TEST(wait_variants)
{
	int status;
	pid_t a, b, zombie;
	siginfo_t si = { 0 };

	CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
	CHECK_ERR(waitpid(1, &status, 0), ECHILD);
	CHECK_ERR(waitpid(-1, &status, 0x100), EINVAL);
	TEST_BLOCKED_CHILD(a, pause());
	CHECK_EQ(waitpid(a, &status, WNOHANG), 0);
	b = fork();
	if (b == 0)
		_exit(3);
	CHECK_EQ(waitpid(-1, &status, 0), b);
	CHECK_EQ(WEXITSTATUS(status), 3);
	zombie = fork();
	if (zombie == 0)
		_exit(4);
	CHECK(test_await_state(zombie, 'Z'));
	CHECK_EQ(kill(zombie, SIGKILL), 0); /* no use */
	CHECK_EQ(test_state(zombie), 'Z');
	CHECK_EQ(waitid(P_PID, (id_t)zombie, &si, WEXITED | WNOWAIT), 0);
	CHECK_EQ(si.si_status, 4);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(waitpid(zombie, &status, WNOHANG), zombie);
	CHECK_EQ(test_state(zombie), 0);
	CHECK_ERR(kill(zombie, 0), ESRCH);
	kill(a, SIGTERM);
	CHECK_EQ(WTERMSIG(test_wait(a)), SIGTERM);
}

TEST(ignored_sigchld_leaves_no_zombie)
{
	int status;
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (pid == 0)
		_exit(1);
	CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
	CHECK_EQ(test_state(pid), 0);
}

TEST(memory_is_copied)
{
	static volatile int global = 1;
	volatile int local = 1;
	volatile int *heap = malloc(1 << 20);
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	heap[1000] = 1;
	shared[0] = 1;
	pid = fork();
	if (pid == 0) {
		CHECK(global == 1 && local == 1 && heap[1000] == 1 && shared[0] == 1);
		global = local = heap[1000] = shared[0] = 2;
		CHECK(global == 2 && local == 2 && heap[1000] == 2);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK(global == 1 && local == 1 && heap[1000] == 1);
	CHECK_EQ(shared[0], 2);
}

TEST(grandchildren_write_their_copies)
{
	static volatile int v[4096];

	for (int depth = 0; depth < 6; depth++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid) {
			int status = test_wait(pid);

			for (int i = 0; i < depth; i++)
				CHECK_EQ(v[i * 600], i + 1);
			CHECK_EQ(v[depth * 600], 0);
			_exit(status != 0);
		}
		CHECK_EQ(v[depth * 600], 0);
		v[depth * 600] = depth + 1;
	}
	_exit(0);
}

TEST(identities)
{
	pid_t me = getpid(), pid;

	CHECK_EQ(gettid(), me);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(getppid(), me);
		CHECK(getpid() != me);
		CHECK_EQ(gettid(), getpid());
		CHECK_EQ(getpgid(0), getpgid(me));
		CHECK_EQ(getsid(0), getsid(me));
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(orphans_go_to_init)
{
	int p[2];
	pid_t pid, seen[2];

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		pid_t parent = getpid();

		if (fork() == 0) {
			while (getppid() == parent)
				test_sleep_ms(2);
			seen[0] = getppid();
			seen[1] = getpid();
			_exit(write(p[1], seen, sizeof seen) != sizeof seen);
		}
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(p[0], seen, sizeof seen), sizeof seen);
	CHECK_EQ(seen[0], 1);
}

TEST(subreaper_gets_orphans)
{
	int status;
	pid_t pid;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			test_sleep_ms(50);
			_exit(8);
		}
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	pid = wait(&status);
	CHECK(pid > 0);
	CHECK_EQ(WEXITSTATUS(status), 8);
}

/* Who waits for a child gets that child's zombie, as a subreaper, in the same moment. */
TEST(subreaper_waits_for_the_parent_of_a_zombie)
{
	int status;
	pid_t pid;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	for (int i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0) {
			pid_t zombie = fork();

			if (zombie == 0)
				_exit(8);
			CHECK(test_await_state(zombie, 'Z'));
			test_sleep_ms(2); /* the parent waits */
			_exit(7);
		}
		CHECK_EQ(WEXITSTATUS(test_wait(pid)), 7);
		CHECK(wait(&status) > 0);
		CHECK_EQ(WEXITSTATUS(status), 8);
	}
}

/* ---- exec ---- */

EXEC(exit_with)
{
	exit(atoi(test_arg));
}

EXEC(check_environment)
{
	exit(getenv("A") && !strcmp(getenv("A"), "b") && !getenv("PATH") ? 0 : 1);
}

TEST(exec_replaces_the_program)
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(test_program, test_exec_args("exit_with", (char[]){ "42" }));
		_exit(100);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 42);
	pid = fork();
	if (pid == 0) {
		char *env[] = { (char[]){ "A=b" }, NULL };

		execve(test_program, test_exec_args("check_environment", NULL), env);
		_exit(100);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(exec_errors)
{
	char *args[] = { (char[]){ "x" }, NULL };
	char *big = malloc(200000);
	char *many[] = { (char[]){ "x" }, big, NULL };
	int fd;

	CHECK_ERR(execv("nothing", args), ENOENT);
	CHECK_ERR(execv(".", args), EACCES);
	CHECK_ERR(execv("", args), ENOENT);
	unlink("text");
	fd = open("text", O_CREAT | O_WRONLY, 0644);
	CHECK(write(fd, "garbage\n", 8) == 8);
	CHECK_ERR(execv("text", args), EACCES);
	CHECK(fchmod(fd, 0755) == 0);
	close(fd);
	CHECK_ERR(execv("text", args), ENOEXEC);
	CHECK_ERR(execv("text/x", args), ENOTDIR);
	memset(big, 'a', 200000);
	big[199999] = 0;
	CHECK_ERR(execv("/bin/sh", many), E2BIG);
	fd = open("elf", O_CREAT | O_WRONLY, 0755);
	CHECK(write(fd, "\177ELF\2\1\1", 7) == 7);
	close(fd);
	CHECK_ERR(execv("elf", args), ENOEXEC);
	/* A script whose interpreter is missing. */
	fd = open("script", O_CREAT | O_WRONLY, 0755);
	CHECK(write(fd, "#!/nowhere\n", 11) == 11);
	close(fd);
	CHECK_ERR(execv("script", args), ENOENT);
	CHECK_EQ(getpid(), gettid());
}

TEST(scripts)
{
	int fd = open("script", O_CREAT | O_WRONLY, 0755);
	pid_t pid;

	CHECK(dprintf(fd, "#!/bin/sh -e\nfalse\nexit 0\n") > 0);
	close(fd);
	pid = fork();
	if (pid == 0) {
		execl("script", "script", NULL);
		_exit(100);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 1);
	fd = open("args", O_CREAT | O_WRONLY, 0755);
	CHECK(dprintf(fd, "#! /bin/sh\n[ \"$0 $1 $2\" = './args one two' ]\n") > 0);
	close(fd);
	pid = fork();
	if (pid == 0) {
		execl("./args", "whatever", "one", "two", NULL);
		_exit(100);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(many_arguments)
{
	char *args[1004], one[120];
	pid_t pid;

	memset(one, 'q', sizeof one - 1);
	one[sizeof one - 1] = 0;
	args[0] = args[1] = (char[]){ "sh" };
	args[1] = (char[]){ "-c" };
	args[2] = (char[]){ "[ $# = 999 ] && [ ${#999} = 119 ]" };
	for (int i = 3; i < 1003; i++)
		args[i] = one;
	args[1003] = NULL;
	pid = fork();
	if (pid == 0) {
		execv("/bin/sh", args);
		_exit(100);
	}
	CHECK_EQ(test_wait(pid), 0);
}

/* vfork: the child runs in the parent's memory, the parent waits for its exec or exit. */
TEST(vfork_shares_and_waits)
{
	static volatile int order;
	pid_t pid = vfork();

	if (pid == 0) {
		order = 1;
		_exit(6);
	}
	CHECK_EQ(order, 1);
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 6);
	pid = vfork();
	if (pid == 0) {
		execv(test_program, test_exec_args("exit_with", (char *)(uintptr_t)"9"));
		_exit(100);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 9);
}

TEST(spawn)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	pid_t pid;
	char text[20];
	int p[2];

	CHECK(pipe(p) == 0);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, p[1], 1);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP);
	CHECK_EQ(posix_spawn(&pid, "/bin/sh", &fa, &at,
			     (char *[]){ (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "echo hi" }, NULL },
			     environ), 0);
	CHECK_EQ(read(p[0], text, sizeof text), 3);
	CHECK(!memcmp(text, "hi\n", 3));
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(posix_spawn(&pid, "/nowhere", NULL, NULL, (char *[]){ (char[]){ "x" }, NULL }, environ),
		 ENOENT);
	CHECK_EQ(WEXITSTATUS(system("exit 11")), 11);
	FILE *f = popen("echo from popen", "r");
	CHECK(f && fgets(text, sizeof text, f) && !strcmp(text, "from popen\n"));
	CHECK_EQ(pclose(f), 0);
}

TEST(clone3_as_fork)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &args, sizeof args);

	if (pid == 0)
		_exit(21);
	if (pid < 0 && errno == ENOSYS)
		_exit(TEST_SKIP);
	CHECK(pid > 0);
	CHECK_EQ(WEXITSTATUS(test_wait((pid_t)pid)), 21);
	CHECK_ERR(syscall(SYS_clone3, &args, 8), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, NULL, sizeof args), EFAULT);
	CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
}

/* ---- groups and sessions ---- */

TEST(groups)
{
	pid_t pid, me = getpid();
	int status;

	CHECK_EQ(getpgrp(), me); /* each test leads a group */
	TEST_BLOCKED_CHILD(pid, pause());
	CHECK_EQ(getpgid(pid), me);
	CHECK_EQ(setpgid(pid, pid), 0);
	CHECK_EQ(getpgid(pid), pid);
	CHECK_EQ(setpgid(pid, me), 0);
	CHECK_EQ(setpgid(pid, 0), 0);
	CHECK_ERR(setpgid(pid, 1), EPERM);
	CHECK_ERR(setpgid(99999, 0), ESRCH);
	CHECK_ERR(setpgid(-99999, 0), EINVAL);
	CHECK_ERR(setpgid(-99999, 1), ESRCH);
	CHECK_ERR(setpgid(0, -1), EINVAL);
	CHECK_EQ(waitpid(-me, &status, WNOHANG) == -1 && errno == ECHILD, 1);
	CHECK_EQ(kill(-pid, SIGTERM), 0);
	CHECK_EQ(waitpid(-pid, &status, 0), pid);
	CHECK_EQ(WTERMSIG(status), SIGTERM);
	CHECK_ERR(kill(-pid, SIGTERM), ESRCH);
}

TEST(a_signal_to_a_group)
{
	pid_t pid[3];

	for (int i = 0; i < 3; i++) {
		TEST_BLOCKED_CHILD(pid[i], pause());
		CHECK_EQ(setpgid(pid[i], pid[0]), 0);
	}
	CHECK_EQ(killpg(pid[0], SIGUSR1), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(WTERMSIG(test_wait(pid[i])), SIGUSR1);
}

TEST(sessions)
{
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK_ERR(setsid(), EPERM);
		CHECK_ERR(setpgid(0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_ERR(setsid(), EPERM); /* leads a group */
}

TEST(stop_and_continue)
{
	int status;
	pid_t pid;

	TEST_BLOCKED_CHILD(pid, for (;;) pause());
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(test_state(pid), 'T');
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK(test_await_state(pid, 'S'));
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	kill(pid, SIGTERM); /* pending until it goes on */
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGCONT);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGTERM);
	TEST_BLOCKED_CHILD(pid, pause());
	kill(pid, SIGSTOP);
	kill(pid, SIGKILL);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
}

TEST(a_stopped_computation_stands_still)
{
	volatile unsigned long *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long seen;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			++*n;
	test_sleep_ms(30);
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	seen = *n;
	CHECK(seen > 0);
	test_sleep_ms(30);
	CHECK(*n == seen);
	kill(pid, SIGCONT);
	test_sleep_ms(30);
	CHECK(*n > seen);
	kill(pid, SIGKILL);
	test_wait(pid);
}

/* ---- who one is ---- */

TEST(users)
{
	pid_t root = getpid(), pid = fork();

	if (pid == 0) {
		CHECK_EQ(setgid(100), 0);
		CHECK_ERR(syscall(SYS_setgroups, 2, ((gid_t[]){ 1, -1u })), EINVAL);
		CHECK_EQ(setuid(1000), 0);
		CHECK(getuid() == 1000 && geteuid() == 1000 && getgid() == 100);
		CHECK_ERR(setuid(0), EPERM);
		CHECK_ERR(kill(root, SIGTERM), EPERM);
		CHECK_ERR(kill(1, 0), EPERM);
		CHECK_ERR(setpriority(PRIO_PROCESS, 0, -5), EACCES);
		CHECK_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	pid = fork();
	if (pid == 0) {
		uid_t r, e, s;

		CHECK_EQ(setresuid(1, 2, 3), 0);
		CHECK_EQ(getresuid(&r, &e, &s), 0);
		CHECK(r == 1 && e == 2 && s == 3);
		CHECK_EQ(seteuid(3), 0);
		CHECK_ERR(setresuid(4, 4, 4), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

/* Runs as user 2000: which of a file's ids (1000, 100) it was given, all saved, and AT_SECURE. */
EXEC(show_ids)
{
	uid_t user[3];
	gid_t group[3];

	CHECK(getresuid(&user[0], &user[1], &user[2]) == 0 && user[0] == 2000);
	CHECK(getresgid(&group[0], &group[1], &group[2]) == 0 && group[0] == 2000);
	CHECK(user[1] == user[2] && group[1] == group[2]);
	CHECK(getauxval(AT_EUID) == user[1] && getauxval(AT_EGID) == group[1]);
	_exit((user[1] == 1000) | (group[1] == 100) << 1 | (int)getauxval(AT_SECURE) << 2);
}

static int run_with_mode(mode_t mode, bool no_new_privs)
{
	pid_t pid;

	CHECK_EQ(chmod("program", mode), 0);
	pid = fork();
	if (pid == 0) {
		CHECK(setgid(2000) == 0 && setuid(2000) == 0);
		if (no_new_privs)
			CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
		execv("program", test_exec_args("show_ids", NULL));
		_exit(99);
	}
	return WEXITSTATUS(test_wait(pid));
}

TEST(set_id_programs)
{
	int from = open(test_program, O_RDONLY), to = open("program", O_CREAT | O_WRONLY, 0700);
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof buf)) > 0)
		CHECK_EQ(write(to, buf, (size_t)n), n);
	close(to);
	CHECK_EQ(chmod(".", 0755), 0);
	CHECK_EQ(chown("program", 1000, 100), 0);
	CHECK_EQ(run_with_mode(0755, false), 0);
	CHECK_EQ(run_with_mode(04755, false), 1 | 4);
	CHECK_EQ(run_with_mode(02755, false), 2 | 4);
	CHECK_EQ(run_with_mode(06755, false), 1 | 2 | 4);
	CHECK_EQ(run_with_mode(02745, false), 0); /* not a set-group-id program */
	CHECK_EQ(run_with_mode(06755, true), 0);
	CHECK_EQ(chown("program", 1000, 100), 0); /* takes the bits off */
}

/* The parent of a vfork without CLONE_VM waits, while others change its space under the copy. */
static volatile bool enough;

static void *keep_mapping(void *unused)
{
	(void)unused;
	while (!enough) {
		void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || munmap(p, 65536))
			return (void *)1;
	}
	return NULL;
}

TEST(vfork_with_a_copy)
{
	static volatile int written;
	uint64_t before = test_now_ns();
	pthread_t other;
	void *bad;

	CHECK_EQ(pthread_create(&other, NULL, keep_mapping, NULL), 0);
	for (int i = 0; i < 5; i++) {
		long pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, NULL, NULL, NULL);

		if (pid == 0) {
			written = 1;
			test_sleep_ms(10);
			_exit(4);
		}
		CHECK(pid > 0 && written == 0);
		CHECK_EQ(WEXITSTATUS(test_wait((pid_t)pid)), 4);
	}
	CHECK(test_now_ns() - before >= 50000000);
	enough = true;
	CHECK(pthread_join(other, &bad) == 0 && !bad);
}

/* The status of the last thread to call exit is the process's, whoever has left first. */
static void *exit_first(void *ready)
{
	*(volatile bool *)ready = true;
	syscall(SYS_exit, 3);
	return NULL;
}

TEST(threads_that_exit_together)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			static volatile bool ready;
			pthread_t other;

			CHECK_EQ(pthread_create(&other, NULL, exit_first, (void *)(uintptr_t)&ready), 0);
			while (!ready)
				sched_yield();
			syscall(SYS_exit, 3);
		}
		CHECK_EQ(WEXITSTATUS(test_wait(pid)), 3);
	}
}

static int pidfd_open_(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int pidfd_signal(int fd, int sig, siginfo_t *info, unsigned flags)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, info, flags);
}

TEST(pidfds)
{
	struct pollfd p = { .events = POLLIN };
	siginfo_t si = { 0 };
	char link[64] = { 0 }, path[64];
	pid_t pid;

	TEST_BLOCKED_CHILD(pid, pause());
	p.fd = pidfd_open_(pid, 0);
	CHECK(p.fd >= 0);
	CHECK_EQ(fcntl(p.fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(p.fd, F_GETFL), O_RDWR);
	snprintf(path, sizeof path, "/proc/self/fd/%d", p.fd);
	CHECK(readlink(path, link, sizeof link - 1) > 0 && strcmp(link, "anon_inode:[pidfd]") == 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(pidfd_signal(p.fd, 0, NULL, 0), 0);
	CHECK(waitid(P_PIDFD, (id_t)p.fd, &si, WEXITED | WNOHANG) == 0 && si.si_pid == 0);
	CHECK_EQ(pidfd_signal(p.fd, SIGTERM, NULL, 0), 0);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_EQ(waitid(P_PIDFD, (id_t)p.fd, &si, WEXITED | WNOWAIT), 0);
	CHECK(si.si_pid == pid && si.si_code == CLD_KILLED && si.si_status == SIGTERM);
	CHECK_EQ(waitid(P_PIDFD, (id_t)p.fd, &si, WEXITED), 0);
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLIN);
	CHECK_ERR(pidfd_signal(p.fd, 0, NULL, 0), ESRCH);
	si.si_pid = 77;
	CHECK_ERR(waitid(P_PIDFD, (id_t)p.fd, &si, WEXITED), ECHILD);
	CHECK_EQ(si.si_pid, 0); /* it is written even so */
	CHECK_ERR(syscall(SYS_waitid, 99, 0, 8, WEXITED, NULL), EFAULT);
	CHECK_EQ(close(p.fd), 0);
}

static pid_t clone_pidfd(unsigned long flags, int *fd)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, fd, 0, 0);
}

/* The descriptor is there with the child, and the child has not got it. */
TEST(clone_with_pidfd)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} a = { .flags = CLONE_PIDFD, .exit_signal = SIGCHLD };
	siginfo_t si = { 0 };
	int fd = -1;
	pid_t pid = clone_pidfd(CLONE_PIDFD, &fd);

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(fcntl(fd, F_GETFD) == -1 && errno == EBADF ? 7 : 1);
	CHECK(fd >= 3);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(waitid(P_PIDFD, (id_t)fd, &si, WEXITED), 0);
	CHECK(si.si_pid == pid && si.si_status == 7);
	close(fd);

	fd = -1;
	a.pidfd = (uintptr_t)&fd;
	pid = (pid_t)syscall(SYS_clone3, &a, sizeof a);
	CHECK(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	CHECK_EQ(pidfd_signal(fd, SIGKILL, NULL, 0), 0);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	close(fd);

	/* nothing is left of one that fails */
	CHECK_ERR(clone_pidfd(CLONE_PIDFD, (int *)8), EFAULT);
	CHECK_ERR(clone_pidfd(CLONE_PIDFD | CLONE_PARENT_SETTID, &fd), EINVAL);
	CHECK_EQ(dup(0), fd);
	close(fd);
	CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
}

TEST(pidfd_getfd)
{
	int p[2], tell[2], pidfd, fd;
	char c;
	pid_t pid, stranger;

	CHECK(pipe(tell) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(pipe(p) == 0 && dup2(p[1], 77) == 77 && write(tell[1], &p[0], sizeof(int)) == 4);
		for (;;)
			pause();
	}
	CHECK_EQ(read(tell[0], &p[0], sizeof(int)), 4);
	pidfd = pidfd_open_(pid, 0);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, 77, 0);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(fd, "x", 1), 1);
	p[0] = (int)syscall(SYS_pidfd_getfd, pidfd, p[0], 0);
	CHECK(read(p[0], &c, 1) == 1 && c == 'x');
	CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, 99, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, 77, 1), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_getfd, p[0], 77, 0), EBADF);
	stranger = fork();
	if (stranger == 0) {
		CHECK(setgid(500) == 0 && setuid(500) == 0);
		CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, 77, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(stranger), 0);
	kill(pid, SIGKILL);
	test_wait(pid);
	CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, 77, 0), ESRCH);
}

TEST(pidfds_that_cannot_be)
{
	siginfo_t si = { .si_signo = SIGUSR1, .si_code = SI_USER };
	int fd, other = open("/", O_RDONLY);
	pid_t pid, stranger;

	CHECK_ERR(pidfd_open_(0, 0), EINVAL);
	CHECK_ERR(pidfd_open_(-1, 0), EINVAL);
	CHECK_ERR(pidfd_open_(getpid(), 1), EINVAL);
	CHECK_ERR(pidfd_open_(4194303, 0), ESRCH);
	CHECK_ERR(pidfd_signal(other, SIGUSR1, NULL, 0), EBADF);
	CHECK_ERR(pidfd_signal(99, SIGUSR1, NULL, 0), EBADF);
	CHECK_ERR(waitid(P_PIDFD, (id_t)other, &si, WEXITED), EBADF);
	TEST_BLOCKED_CHILD(pid, pause());
	fd = pidfd_open_(pid, O_NONBLOCK);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_ERR(waitid(P_PIDFD, (id_t)fd, &si, WEXITED), EAGAIN);
	si.si_signo = SIGUSR1;
	si.si_code = SI_USER;
	CHECK_ERR(pidfd_signal(fd, SIGUSR1, &si, 0), EPERM);
	CHECK_ERR(pidfd_signal(fd, SIGUSR2, &si, 0), EINVAL);
	CHECK_ERR(pidfd_signal(fd, 65, NULL, 0), EINVAL);
	CHECK_ERR(pidfd_signal(fd, SIGKILL, NULL, 3), EINVAL);
	stranger = fork();
	if (stranger == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(pidfd_signal(fd, SIGKILL, NULL, 0), EPERM);
		CHECK_ERR(waitid(P_PIDFD, (id_t)fd, &si, WEXITED), ECHILD);
		_exit(0);
	}
	CHECK_EQ(test_wait(stranger), 0);
	CHECK_EQ(pidfd_signal(fd, SIGKILL, NULL, 0), 0);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
}

static int share(int flags, const char *dir, int unshared)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, NULL, NULL, NULL);

	if (pid == 0) {
		CHECK_EQ(unshare(unshared), 0);
		CHECK_EQ(close(50), 0);
		CHECK_EQ(chdir(dir), 0);
		_exit(0);
	}
	return test_wait((pid_t)pid);
}

TEST(unsharing)
{
	char here[256], now[256];

	CHECK(mkdir("elsewhere", 0700) == 0 || errno == EEXIST);
	CHECK(getcwd(here, sizeof here) != NULL);
	CHECK_EQ(dup2(0, 50), 50);
	CHECK_EQ(share(CLONE_FILES | CLONE_FS, "elsewhere", CLONE_FILES | CLONE_FS), 0);
	CHECK(fcntl(50, F_GETFD) == 0 && getcwd(now, sizeof now) && strcmp(here, now) == 0);
	CHECK_EQ(share(CLONE_FILES | CLONE_FS, "elsewhere", CLONE_FILES), 0);
	CHECK(fcntl(50, F_GETFD) == 0 && getcwd(now, sizeof now) && strcmp(here, now) != 0);
	CHECK_EQ(share(CLONE_FILES | CLONE_FS, "..", CLONE_FS), 0);
	CHECK_ERR(fcntl(50, F_GETFD), EBADF);
	CHECK(strstr(getcwd(here, sizeof here), "elsewhere") != NULL);
	CHECK_EQ(unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM), 0);
	CHECK_ERR(unshare(1), EINVAL);
}

TEST(usage_of_children)
{
	struct rusage u;
	pid_t pid = fork();

	if (pid == 0) {
		volatile char *m = mmap(NULL, 100 * 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (int i = 0; i < 100; i++)
			m[i * 4096] = 1;
		_exit(0);
	}
	CHECK_EQ(wait4(pid, NULL, 0, &u), pid);
	CHECK(u.ru_minflt >= 100);
	CHECK(getrusage(RUSAGE_CHILDREN, &u) == 0);
	CHECK(u.ru_minflt >= 100);
	CHECK(getrusage(RUSAGE_SELF, &u) == 0);
	CHECK_ERR(getrusage(99, &u), EINVAL);
}

TEST(many_children)
{
	pid_t pid[60];

	for (int i = 0; i < 60; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i] == 0)
			_exit(i);
	}
	for (int i = 59; i >= 0; i--)
		CHECK_EQ(WEXITSTATUS(test_wait(pid[i])), i);
	CHECK_ERR(wait(NULL), ECHILD);
}

/* A SCHED_FIFO thread that is preempted goes on before those of its priority that came after it. */
TEST(fifo_order_outlives_preemption)
{
	struct sched_param low = { .sched_priority = 10 }, high = { .sched_priority = 20 };
	volatile long *runs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t one;
	pid_t pid[2];
	int p[2];

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(pipe(p) == 0);
	CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
	CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &high), 0);
	for (int i = 0; i < 2; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			char c;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			sched_setscheduler(0, SCHED_FIFO, &low);
			CHECK_EQ(read(p[0], &c, 1), 1);
			for (;;)
				runs[i]++;
		}
		test_sleep_ms(20);
		CHECK_EQ(write(p[1], "x", 1), 1);
		test_sleep_ms(20);
	}
	for (int i = 0; i < 60; i++) {
		test_sleep_ms(3);
		CHECK(runs[0] > 0);
		CHECK_EQ(runs[1], 0);
	}
	CHECK(kill(pid[0], SIGKILL) == 0);
	CHECK_EQ(test_wait(pid[0]), SIGKILL);
	test_sleep_ms(20);
	CHECK(runs[1] > 0);
	CHECK(kill(pid[1], SIGKILL) == 0);
	CHECK_EQ(test_wait(pid[1]), SIGKILL);
}

/* Many that only yield leave time to those of lower priority, on their hart, too. */
TEST(yielders_do_not_hold_up_who_is_below)
{
	volatile long *turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[61];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
	for (int i = 0; i < 61; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (i == 60)
				CHECK_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
			for (;;) {
				turns[i]++;
				if (i < 60)
					sched_yield();
			}
		}
	}
	setpriority(PRIO_PROCESS, 0, -10);
	test_sleep_ms(1500);
	for (int i = 0; i < 61; i++)
		CHECK(turns[i] > 0);
	for (int i = 0; i < 61; i++) {
		CHECK_EQ(kill(pid[i], SIGKILL), 0);
		CHECK_EQ(test_wait(pid[i]), SIGKILL);
	}
}

/* Threads with real-time priority that take all the time there is still let those above them use the
 * system, and be ended by them. */
TEST(spinners_do_not_hold_up_who_is_above)
{
	struct sched_param low = { .sched_priority = 10 }, high = { .sched_priority = 20 };
	uint64_t end;
	pid_t pid[4];

	CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &high), 0);
	for (int i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			sched_setscheduler(0, SCHED_FIFO, &low);
			for (;;)
				sched_yield();
		}
	}
	for (end = test_now_ns() + 500000000; test_now_ns() < end; test_sleep_ms(5)) {
		int fd = open("file", O_RDWR | O_CREAT, 0600);

		CHECK_EQ(write(fd, "abc", 3), 3);
		close(fd);
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		CHECK_EQ(test_wait(child), 0);
	}
	for (int i = 0; i < 4; i++) {
		kill(pid[i], SIGKILL);
		CHECK_EQ(test_wait(pid[i]), SIGKILL);
	}
}

TEST(affinity_of_nobody)
{
	cpu_set_t set;

	CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
	CHECK_ERR(sched_getaffinity(-1, sizeof set, &set), ESRCH);
	CHECK_ERR(sched_setaffinity(-1, sizeof set, &set), ESRCH);
	CHECK_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

/* Children of a thread with SCHED_RESET_ON_FORK begin as ordinary ones, without the flag. */
TEST(reset_on_fork)
{
	struct sched_param p = { 5 };
	pid_t pid;

	CHECK_EQ(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p), 0);
	CHECK_EQ(sched_getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
		CHECK_EQ(sched_getparam(0, &p), 0);
		CHECK_EQ(p.sched_priority, 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(sched_getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
	p.sched_priority = 0;
	CHECK_EQ(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &p), 0);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, -5), 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
		_exit(0);
	}
	CHECK_EQ(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	CHECK_EQ(sched_getscheduler(pid), SCHED_OTHER); /* it can be asked after until it is waited for */
	CHECK_EQ(test_wait(pid), 0);
	CHECK_ERR(sched_getscheduler(pid), ESRCH);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &p), EPERM);
	CHECK_EQ(sched_get_priority_max(6), 0); /* SCHED_DEADLINE */
	CHECK_EQ(sched_get_priority_min(6), 0);
	CHECK_EQ(sched_get_priority_max(7), 0); /* SCHED_EXT */
	CHECK_ERR(sched_get_priority_max(8), EINVAL);
}

/* Stop signals from the keyboard's family do not stop a process whose group is orphaned, whoever sends
 * them; SIGSTOP does. */
TEST(orphaned_group_is_not_stopped)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		kill(getpid(), SIGTSTP);
		raise(SIGTTIN);
		kill(0, SIGTTOU);
		raise(SIGSTOP);
		_exit(7);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGCONT);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* Whether these are its effective capabilities, and nothing keeps them. */
EXEC(tell_effective)
{
	struct { uint32_t version; int pid; } h = { 0x20080522, 0 };
	uint32_t sets[2][3];

	CHECK_EQ(syscall(SYS_capget, &h, sets), 0);
	exit(sets[0][0] == (uint32_t)atoi(test_arg) && prctl(PR_GET_KEEPCAPS) == 0 ? 0 : 1);
}

static void become_1000(uint32_t inheritable)
{
	struct { uint32_t version; int pid; } h = { 0x20080522, 0 };
	uint32_t sets[2][3];

	CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK_EQ(syscall(SYS_capget, &h, sets), 0);
	sets[0][2] = inheritable;
	CHECK_EQ(syscall(SYS_capset, &h, sets), 0);
}

TEST(ambient_capabilities)
{
	enum { NET_RAW = 13 };
	pid_t pid;

	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, NET_RAW, 0, 0), 0);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NET_RAW, 0, 0), EPERM); /* not inheritable */
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 64, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NET_RAW, 1, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, 9, NET_RAW, 0, 0), EINVAL);
	for (int with = 0; with < 2; with++) {
		pid = fork();
		if (pid == 0) {
			become_1000(1u << NET_RAW);
			if (with)
				CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NET_RAW, 0, 0), 0);
			CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, NET_RAW, 0, 0), with);
			execv("/proc/self/exe", test_exec_args("tell_effective", with ? (char *)"8192" : (char *)"0"));
			_exit(99);
		}
		CHECK_EQ(test_wait(pid), 0);
	}
	pid = fork();
	if (pid == 0) {
		become_1000(1u << NET_RAW);
		CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NET_RAW, 0, 0), 0);
		CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, NET_RAW, 0, 0), 0);
		CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, NET_RAW, 0, 0), 0);
		CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NET_RAW, 0, 0), 0);
		become_1000(0); /* what is not inheritable is not ambient */
		CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, NET_RAW, 0, 0), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}
