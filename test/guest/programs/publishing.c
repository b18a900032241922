/* What a process does first already finds itself: a new program its name and owner in /proc, the child of a
 * vfork or clone with CLONE_VM its folder there; and who has waited for a child finds it gone.  All this is
 * written before the process, or its waiter, goes on; with several processors it shows where it is not.
 * timeout: 400 */
#include "test.h"
#include <pthread.h>
#include <sched.h>

#define WORKERS 4
#define TIMES 250

/* The first program of a file that ends in Z, complete with what it does: its exit status is 0 if
 * /proc/self/exe ends in Z, else 1; with two arguments, if /proc/self/environ belongs to root, else 2. */
__asm__(".pushsection .text\n"
	".balign 8\n"
	"tiny:\n"
	"	ld	t2, 0(sp)\n" /* argc */
	"	addi	sp, sp, -256\n"
	"	li	t0, 2\n"
	"	beq	t2, t0, 2f\n"
	"	li	a0, -100\n"
	"	lla	a1, 3f\n"
	"	mv	a2, sp\n"
	"	li	a3, 63\n"
	"	li	a7, 78\n" /* readlinkat */
	"	ecall\n"
	"	li	t1, 0\n"
	"	blez	a0, 1f\n"
	"	add	t0, sp, a0\n"
	"	lbu	t1, -1(t0)\n"
	"1:	addi	t1, t1, -'Z'\n"
	"	snez	a0, t1\n"
	"	li	a7, 93\n" /* exit */
	"	ecall\n"
	"2:	li	a0, -100\n"
	"	lla	a1, 4f\n"
	"	mv	a2, sp\n"
	"	li	a3, 0\n"
	"	li	a7, 79\n" /* newfstatat */
	"	ecall\n"
	"	bnez	a0, 5f\n"
	"	lwu	a0, 24(sp)\n" /* st_uid */
	"5:	snez	a0, a0\n"
	"	slli	a0, a0, 1\n"
	"	li	a7, 93\n"
	"	ecall\n"
	"3:	.asciz	\"/proc/self/exe\"\n"
	"4:	.asciz	\"/proc/self/environ\"\n"
	"	.balign 8\n"
	"tiny_end:\n"
	".popsection\n");
extern const char tiny[], tiny_end[];

#define TINY_AT 0x10000ull

/* An ELF file with one segment, all of it. */
static void write_tiny(const char *path, mode_t mode, uid_t owner)
{
	size_t code = (size_t)(tiny_end - tiny);
	uint64_t head[15] = {
		0x00010102464c457full, 0, /* 64 bits, little-endian */
		0x0000000100f30002ull,	  /* ET_EXEC, RISC-V */
		TINY_AT + sizeof head, 64, 0,
		0x0038004000000000ull, 1, /* header 64, phdr 56, one of them */
		0x0000000500000001ull, 0, TINY_AT, TINY_AT, sizeof head + code, sizeof head + code, 4096,
	};
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, head, sizeof head), sizeof head);
	CHECK_EQ(write(fd, tiny, code), code);
	CHECK(fchown(fd, owner, (gid_t)-1) == 0);
	CHECK(fchmod(fd, mode) == 0);
	CHECK(close(fd) == 0);
}

/* Several processes at once make children that do `body`, TIMES times each: all of them end with 0. */
static void all_right(pid_t (*make)(int worker, int i))
{
	alarm(150);
	for (int w = 0; w < WORKERS; w++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid)
			continue;
		for (int i = 0; i < TIMES; i++)
			CHECK_EQ(test_wait(make(w, i)), 0);
		_exit(0);
	}
	for (int w = 0; w < WORKERS; w++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

static pid_t exec_tiny(int worker, int i)
{
	pid_t pid = worker & 1 ? fork() : vfork();

	(void)i;
	if (pid == 0) {
		execl("./nameZ", "nameZ", NULL);
		_exit(9);
	}
	return pid;
}
TEST(a_new_program_finds_its_own_name)
{
	write_tiny("nameZ", 0755, 0);
	all_right(exec_tiny);
}

static pid_t exec_tiny_set_id(int worker, int i)
{
	pid_t pid = worker & 1 ? fork() : vfork();

	(void)i;
	if (pid == 0) {
		if (syscall(SYS_setresuid, 1000, 1000, 1000) == 0)
			execl("./setZ", "setZ", "owner", NULL);
		_exit(9);
	}
	return pid;
}
TEST(a_set_id_program_is_not_its_callers)
{
	CHECK(chmod(".", 0755) == 0);
	write_tiny("setZ", 04755, 1001);
	all_right(exec_tiny_set_id);
}

static pid_t look_at_oneself(int worker, int i)
{
	long flags = i & 1 ? SIGCHLD : SIGCHLD | CLONE_VM | CLONE_VFORK;
	pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
	struct stat st;
	char b[64];

	if (pid)
		return pid;
	if (worker == 0)
		_exit(readlink("/proc/self/exe", b, sizeof b) > 0 ? 0 : 1);
	if (worker == 1)
		_exit(stat("/proc/self/", &st) < 0 ? 2 : st.st_uid == 1000 ? 0 : 3);
	if (worker == 2)
		_exit(open("/proc/self/status", O_RDONLY) < 0 ? 4 : 0);
	_exit(open("/proc/self/exe", O_RDONLY) < 0 ? 1 : 0);
}
TEST(a_child_finds_itself)
{
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	all_right(look_at_oneself);
}

/* Its child's folder is gone when wait returns, also to a parent that was waiting already. */
static pid_t wait_and_look(int worker, int i)
{
	pid_t pid = fork(), child;

	(void)worker;
	if (pid)
		return pid;
	child = fork();
	if (child == 0) {
		usleep((useconds_t)(i % 8) * 100);
		_exit(0);
	}
	char path[32];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d", (int)child);
	if (waitpid(child, NULL, 0) != child)
		_exit(1);
	_exit(stat(path, &st) == 0 ? 2 : 0);
}
TEST(a_child_waited_for_is_gone) { all_right(wait_and_look); }

/* Two threads of a process that become the same program: one does, the other ends. */
static void *exec_there(void *arg)
{
	execl("./nameZ", "nameZ", NULL);
	return arg;
}
static pid_t two_execs(int worker, int i)
{
	pid_t pid = fork();
	pthread_t t;

	(void)worker, (void)i;
	if (pid)
		return pid;
	pthread_create(&t, NULL, exec_there, NULL);
	execl("./nameZ", "nameZ", NULL);
	_exit(9);
}
TEST(of_two_execs_at_once_one_runs)
{
	write_tiny("nameZ", 0755, 0);
	all_right(two_execs);
}
