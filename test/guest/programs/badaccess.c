/* Accesses that no process may make, each from a process of its own: it dies by SIGSEGV and nothing
 * else happens, in all three ways to touch memory where they apply. */
#include "test.h"

#define HOLE   0x0000004000000000ul /* the first address that is not canonical */
#define HOLE2  0x8000000000000000ul
#define KERNEL 0xffffffc000000000ul /* the first of the kernel's half */
#define IMAGE  0xffffffff80200000ul
#define LAST   0xfffffffffffffff8ul

static void dies(uintptr_t address, char how)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		volatile long *p = (volatile long *)address;

		if (how == 'r')
			_exit((int)*p & 0);
		if (how == 'w')
			*p = 1;
		if (how == 'x')
			((void (*)(void))address)();
		_exit(0);
	}
	status = test_wait(pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
		printf("  %c of %#lx: wait status %#x\n", how, address, (unsigned)status);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void dies_in_all_ways(uintptr_t address)
{
	dies(address, 'r');
	dies(address, 'w');
	dies(address & ~3ul, 'x');
}

TEST(address_zero)
{
	dies_in_all_ways(0);
	dies_in_all_ways(0xfff8);
}

TEST(own_text_is_not_written)
{
	dies((uintptr_t)dies & ~7ul, 'w');
}

static const long constant[4] = { 1, 2, 3, 4 };

TEST(constants_are_not_written)
{
	dies((uintptr_t)constant, 'w');
}

TEST(data_and_stack_are_not_run)
{
	static uint32_t data[4] = { 0x00008067, 0x00008067 }; /* ret */
	volatile uint32_t stack[4] = { 0x00008067, 0x00008067 };
	void *heap = malloc(64);

	memset(heap, 0, 64);
	dies((uintptr_t)data, 'x');
	dies((uintptr_t)stack, 'x');
	dies(((uintptr_t)heap + 15) & ~15ul, 'x');
}

TEST(the_hole)
{
	dies_in_all_ways(HOLE);
	dies_in_all_ways(HOLE2);
	dies_in_all_ways(KERNEL - 8);
}

TEST(the_kernels_half)
{
	dies_in_all_ways(KERNEL);
	dies_in_all_ways(KERNEL + (1 << 21));
	dies_in_all_ways(IMAGE);
	dies_in_all_ways(LAST);
}

/* The kernel does not do it for us either. */
TEST(system_calls_refuse_them)
{
	static const uintptr_t bad[] = { 0, 64, HOLE, HOLE2, KERNEL, IMAGE, LAST };
	char name[20];
	int p[2], zero = open("/dev/zero", O_RDONLY), file = open("file", O_CREAT | O_RDWR, 0600);

	CHECK(pipe(p) == 0);
	CHECK_EQ(write(p[1], "12345678", 8), 8);
	CHECK_EQ(write(file, "12345678", 8), 8);
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		void *b = (void *)bad[i];

		snprintf(name, sizeof name, "%#lx", bad[i]);
		CHECK_ERR(read(zero, b, 8), EFAULT);
		CHECK_ERR(read(p[0], b, 8), EFAULT);
		CHECK_ERR(pread(file, b, 8, 0), EFAULT);
		CHECK_ERR(write(p[1], b, 8), EFAULT);
		CHECK_ERR(write(file, b, 8), EFAULT);
		CHECK_ERR(syscall(SYS_openat, AT_FDCWD, b, O_RDONLY), EFAULT);
		CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, ".", b, 0), EFAULT);
		CHECK_ERR(syscall(SYS_pipe2, b, 0), EFAULT);
		CHECK_ERR(syscall(SYS_uname, b), EFAULT);
		CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, b), EFAULT);
		CHECK_ERR(syscall(SYS_nanosleep, b, NULL), EFAULT);
		CHECK_ERR(syscall(SYS_futex, b, 1, 1, NULL, NULL, 0), EFAULT);
		CHECK_ERR(syscall(SYS_execve, b, NULL, NULL), EFAULT);
		if (b) {
			CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, b, NULL, 8), EFAULT);
			CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, b, 8), EFAULT);
			CHECK_ERR(syscall(SYS_ppoll, b, 1, NULL, NULL, 8), EFAULT);
		}
	}
}
