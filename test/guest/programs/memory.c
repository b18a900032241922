/* Memory: what mmap, munmap, mprotect, mremap, brk, madvise and mincore do to a space, how private and
 * shared mappings see files and forks, and what is refused. */
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf escape;
static volatile sig_atomic_t fault_signal;

static void on_fault(int sig)
{
	fault_signal = sig;
	siglongjmp(escape, 1);
}

/* The signal that reading or writing an address gives, 0 if none. */
static int touch(volatile void *at, bool write)
{
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	fault_signal = 0;
	if (!sigsetjmp(escape, 1)) {
		char c = *(volatile char *)at;

		if (write)
			*(volatile char *)at = c;
	}
	return fault_signal;
}

static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, RW, ANON, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* A file of `pages` pages, each full of its number plus one. */
static int make_file(const char *name, int pages)
{
	static char page[PAGE];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (int i = 0; i < pages; i++) {
		memset(page, i + 1, PAGE);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	return fd;
}

TEST(anonymous_is_zero)
{
	char *p = map(16);

	for (size_t i = 0; i < 16 * PAGE; i += 64)
		CHECK_EQ(p[i], 0);
	memset(p, 1, 16 * PAGE);
	CHECK_EQ(munmap(p, 16 * PAGE), 0);
	CHECK_EQ(touch(p, false), SIGSEGV);
	p = map(16);
	for (size_t i = 0; i < 16 * PAGE; i += 64)
		CHECK_EQ(p[i], 0);
}

TEST(wrong_arguments)
{
	char *p = map(2);
	int fd = make_file("file", 1), dir = open(".", O_RDONLY), null = open("/dev/null", O_RDWR);

	CHECK(mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 100) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED && errno == ENODEV);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, null, 0) == MAP_FAILED && errno == ENODEV);
	CHECK(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 1ul << 62, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, -PAGE, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap((void *)(1ul << 62), PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED &&
	      errno == ENOMEM);
	CHECK(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERR(munmap(p, 0), EINVAL);
	CHECK_ERR(munmap((void *)-PAGE, PAGE), EINVAL);
	CHECK_ERR(mprotect(p + 1, PAGE, RW), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, 0x80), EINVAL);
	CHECK_EQ(mprotect(p, 0, RW), 0);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0); /* nothing there: fine */
	CHECK_ERR(mprotect(p, 2 * PAGE, PROT_READ), ENOMEM);
	/* The end of the range is looked at before its length. */
	CHECK_ERR(mmap(NULL, -PAGE, RW, MAP_SHARED, fd, (off_t)-PAGE), EOVERFLOW);
	CHECK_ERR(mmap(NULL, -PAGE, RW, MAP_SHARED, fd, 0), ENOMEM);
}

TEST(holes_and_pieces)
{
	char *p = map(64);

	memset(p, 7, 64 * PAGE);
	for (int i = 1; i < 64; i += 2)
		CHECK_EQ(munmap(p + i * PAGE, PAGE), 0);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(touch(p + i * PAGE, true), i & 1 ? SIGSEGV : 0);
	CHECK_EQ(munmap(p, 64 * PAGE), 0);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(touch(p + i * PAGE, false), SIGSEGV);
}

TEST(protection)
{
	char *p = map(8);

	memset(p, 3, 8 * PAGE);
	CHECK_EQ(mprotect(p + 2 * PAGE, 3 * PAGE, PROT_READ), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(touch(p + i * PAGE, false), 0);
		CHECK_EQ(touch(p + i * PAGE, true), i >= 2 && i < 5 ? SIGSEGV : 0);
	}
	CHECK_EQ(mprotect(p + 3 * PAGE, PAGE, PROT_NONE), 0);
	CHECK_EQ(touch(p + 3 * PAGE, false), SIGSEGV);
	CHECK_EQ(mprotect(p, 8 * PAGE, RW), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(touch(p + i * PAGE, true), 0);
		CHECK_EQ(p[i * PAGE], 3);
	}
	/* A system call obeys it, too. */
	CHECK_EQ(mprotect(p, PAGE, PROT_READ), 0);
	CHECK_ERR(read(open("/dev/zero", O_RDONLY), p, 10), EFAULT);
	CHECK_EQ(mprotect(p, PAGE, PROT_NONE), 0);
	CHECK_ERR(write(make_file("file", 0), p, 10), EFAULT);
}

TEST(code_can_be_made)
{
	uint32_t code[] = { 0x02a00513 /* li a0, 42 */, 0x00008067 /* ret */ };
	char *p = map(1);
	pid_t pid;

	memcpy(p, code, sizeof code);
	CHECK_EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
	__builtin___clear_cache(p, p + PAGE);
	CHECK_EQ(((int (*)(void))p)(), 42);
	CHECK_EQ(touch(p, true), SIGSEGV);
	pid = fork();
	if (pid == 0)
		_exit(((int (*)(void))p)());
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 42);
}

TEST(fixed_replaces)
{
	char *p = map(4), *q;

	memset(p, 5, 4 * PAGE);
	q = mmap(p + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK(q == p + PAGE);
	CHECK(p[0] == 5 && p[PAGE] == 0 && p[2 * PAGE] == 0 && p[3 * PAGE] == 5);
	CHECK_EQ(munmap(p, 4 * PAGE), 0);
	q = mmap(p, PAGE, RW, ANON, -1, 0); /* a free hint is taken */
	CHECK(q == p);
	q = mmap(p, PAGE, RW, ANON, -1, 0); /* a taken one is not */
	CHECK(q != MAP_FAILED && q != p);
}

TEST(private_file)
{
	int fd = make_file("file", 3);
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0), c;

	CHECK(p != MAP_FAILED);
	CHECK(p[0] == 1 && p[PAGE] == 2 && p[3 * PAGE - 1] == 3);
	p[PAGE] = 99;
	CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
	CHECK_EQ(c, 2);
	CHECK_EQ(pwrite(fd, "w", 1, 0), 1);
	CHECK_EQ(p[0], 'w'); /* not yet copied */
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(p[2 * PAGE], 3);
	CHECK_EQ(unlink("file"), 0);
	CHECK_EQ(p[2 * PAGE + 1], 3);
}

TEST(shared_file)
{
	int fd = make_file("file", 3);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, PAGE);
	char *q = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0), c;
	pid_t pid;

	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	CHECK_EQ(p[0], 2);
	p[0] = 'p';
	CHECK_EQ(q[PAGE], 'p');
	CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
	CHECK_EQ(c, 'p');
	CHECK_EQ(pwrite(fd, "z", 1, PAGE + 1), 1);
	CHECK_EQ(p[1], 'z');
	pid = fork();
	if (pid == 0) {
		p[2] = 'c';
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(p[2], 'c');
	CHECK_EQ(q[PAGE + 2], 'c');
	CHECK_EQ(msync(p, PAGE, MS_SYNC), 0);
	CHECK_EQ(touch(q, true), SIGSEGV);
	CHECK_EQ(mprotect(q, PAGE, RW), 0);
	CHECK_EQ(touch(q, true), 0);
}

TEST(write_through_a_mapping_is_a_change)
{
	static const struct timespec past[2] = { { 1000, 0 }, { 1000, 0 } };
	int fd = make_file("dated", 2);
	struct stat before, after;
	char *p;

	CHECK_EQ(futimens(fd, past), 0);
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(fstat(fd, &before), 0);
	CHECK_EQ(before.st_mtime, 1000);
	p[0] = 'x';
	CHECK_EQ(fstat(fd, &after), 0);
	CHECK(after.st_mtime > 1000000);
	CHECK(after.st_ctime >= before.st_ctime);
	/* A time that is set later stays. */
	CHECK_EQ(futimens(fd, past), 0);
	CHECK_EQ(fstat(fd, &after), 0);
	CHECK_EQ(after.st_mtime, 1000);
	close(fd);
}

/* The number in a line of /proc/self/status, in kB. */
static long status_kb(const char *name)
{
	char line[256];
	long value = -1;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name)))
			value = atol(line + strlen(name));
	fclose(f);
	return value;
}

TEST(locked_is_remembered)
{
	char *p = map(4);

	CHECK_EQ(mlock(p + PAGE, 2 * PAGE), 0);
	CHECK_EQ(status_kb("VmLck:"), 8);
	CHECK_EQ(mlock(p + PAGE, PAGE), 0);
	CHECK_EQ(mlock(p, -1ul), 0); /* rounded up it is nothing */
	CHECK_EQ(munlock(p, -1ul), 0);
	CHECK_ERR(munlock(p, -PAGE), EINVAL);
	CHECK_EQ(status_kb("VmLck:"), 8);
	CHECK_ERR(msync(p, 4 * PAGE, MS_INVALIDATE), EBUSY);
	CHECK_EQ(msync(p, PAGE, MS_INVALIDATE), 0);
	CHECK_EQ(msync(p, 4 * PAGE, MS_SYNC), 0);
	CHECK_ERR(madvise(p, 4 * PAGE, MADV_DONTNEED), EINVAL);
	pid_t child = fork();

	if (child == 0)
		_exit(status_kb("VmLck:") == 0 && msync(p, 4 * PAGE, MS_INVALIDATE) == 0 ? 0 : 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(munlock(p + PAGE, PAGE), 0);
	CHECK_EQ(status_kb("VmLck:"), 4);
	munmap(p, 4 * PAGE);
	CHECK_EQ(status_kb("VmLck:"), 0);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	p = map(1);
	CHECK_ERR(msync(p, PAGE, MS_INVALIDATE), EBUSY);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(status_kb("VmLck:"), 0);
	p = map(1);
	CHECK_EQ(msync(p, PAGE, MS_INVALIDATE), 0);
	CHECK_EQ(mlockall(MCL_CURRENT), 0);
	CHECK_ERR(msync(p, PAGE, MS_INVALIDATE), EBUSY);
	CHECK_ERR(mlock(p, 1ul << 40), ENOMEM);
}

TEST(truncation_takes_pages_away)
{
	int fd = make_file("file", 4);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	q[3 * PAGE] = 77; /* its own copy, taken away all the same */
	CHECK_EQ(p[3 * PAGE], 4);
	CHECK_EQ(ftruncate(fd, PAGE + 100), 0);
	CHECK_EQ(touch(p, true), 0);
	CHECK_EQ(p[PAGE + 99], 2);
	CHECK_EQ(p[PAGE + 100], 0);
	CHECK_EQ(touch(p + 2 * PAGE, false), SIGBUS);
	CHECK_EQ(touch(q + 3 * PAGE, false), SIGBUS);
	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	CHECK_EQ(p[2 * PAGE], 0);
	CHECK_EQ(p[PAGE + 200], 0);
}

TEST(shared_memory_over_fork)
{
	volatile int *p = mmap(NULL, 64 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[4];

	for (int k = 0; k < 4; k++) {
		pid[k] = fork();
		if (pid[k] == 0) {
			for (int i = 0; i < 1000; i++)
				__atomic_add_fetch(&p[(i % 64) * 1024], 1, __ATOMIC_RELAXED);
			_exit(0);
		}
	}
	for (int k = 0; k < 4; k++)
		CHECK_EQ(test_wait(pid[k]), 0);
	for (int i = 0, sum = 0; i < 64; i++) {
		sum += p[i * 1024];
		CHECK(i < 63 || sum == 4000);
	}
}

TEST(the_break_moves)
{
	char *start = sbrk(0), *p;

	p = sbrk(10 * (long)PAGE);
	CHECK(p == start);
	memset(p, 1, 10 * PAGE);
	CHECK(sbrk(0) == start + 10 * PAGE);
	CHECK(sbrk(-5 * (long)PAGE) == start + 10 * PAGE);
	CHECK_EQ(touch(start + 9 * PAGE, false), SIGSEGV);
	CHECK(sbrk(5 * (long)PAGE) == start + 5 * PAGE);
	CHECK_EQ(start[9 * PAGE], 0); /* given back and come anew */
	CHECK_EQ(start[4 * PAGE], 1);
	CHECK_EQ(syscall(SYS_brk, 0), (long)sbrk(0));
	CHECK_EQ(syscall(SYS_brk, 1ul << 60), (long)sbrk(0)); /* refused: no change */
	CHECK_EQ(syscall(SYS_brk, 4096), (long)sbrk(0));
}

TEST(brk_keeps_a_page_free_above_it)
{
	char *at = (char *)(((uintptr_t)sbrk(0) + 4 * PAGE) & ~(PAGE - 1));

	CHECK(mmap(at, PAGE, RW, ANON | MAP_FIXED, -1, 0) == at);
	CHECK_ERR(brk(at), ENOMEM);
	CHECK_EQ(brk(at - PAGE), 0);
}

TEST(remap)
{
	char *p = map(8), *q, *r;

	for (int i = 0; i < 8; i++)
		p[i * PAGE] = (char)(i + 1);
	CHECK(mremap(p, 8 * PAGE, 4 * PAGE, 0) == p);
	CHECK_EQ(touch(p + 4 * PAGE, false), SIGSEGV);
	q = mremap(p, 4 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	for (int i = 0; i < 300; i++)
		CHECK_EQ(q[i * PAGE], i < 4 ? i + 1 : 0);
	CHECK(q == p || touch(p, false) == SIGSEGV);
	r = map(10);
	CHECK(mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r + 2 * PAGE) == r + 2 * PAGE);
	CHECK(r[2 * PAGE] == 1 && r[5 * PAGE] == 4 && r[6 * PAGE] == 0);
	CHECK_EQ(touch(q, false), SIGSEGV);
	CHECK(mremap(r + 1, PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(q, PAGE, PAGE, 0) == MAP_FAILED && errno == EFAULT);
	CHECK(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == MAP_FAILED &&
	      errno == EFAULT);
	r += 2 * PAGE;
	CHECK(mremap(r, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r) == MAP_FAILED &&
	      errno == EINVAL);
	p = map(2);
	CHECK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + PAGE);
	CHECK(mremap(p, PAGE, 2 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
}

TEST(dontneed_gives_back)
{
	char *p = map(4);
	int fd = make_file("file", 1);
	char *f = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	unsigned char in[4];

	memset(p, 1, 4 * PAGE);
	CHECK_EQ(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED), 0);
	CHECK(p[0] == 1 && p[PAGE] == 0 && p[2 * PAGE] == 0 && p[3 * PAGE] == 1);
	f[0] = 50;
	CHECK_EQ(madvise(f, PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(f[0], 1);
	CHECK_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p, PAGE, 9999), EINVAL);
	CHECK_EQ(munmap(p, 4 * PAGE), 0);
	CHECK_ERR(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
	p = map(4);
	p[PAGE] = 1;
	CHECK_EQ(mincore(p, 4 * PAGE, in), 0);
	CHECK(!(in[0] & 1) && (in[1] & 1) && !(in[2] & 1));
	CHECK_ERR(mincore(p + 1, PAGE, in), EINVAL);
}

TEST(allocation_is_lazy)
{
	struct rusage a, b;
	char *p = map(1000);

	madvise(p, 1000 * PAGE, MADV_NOHUGEPAGE); /* a fault for each page */
	getrusage(RUSAGE_SELF, &a);
	for (int i = 0; i < 100; i++)
		p[i * PAGE] = 1;
	getrusage(RUSAGE_SELF, &b);
	CHECK(b.ru_minflt - a.ru_minflt >= 100);
	CHECK(b.ru_minflt - a.ru_minflt < 110);
}

/* Copy on write in all orders of writers, deep and wide. */
TEST(copies_after_fork)
{
	enum { N = 40 };
	char *p = map(N);
	pid_t pid[8];

	for (int i = 0; i < N; i++)
		p[i * PAGE] = (char)i;
	for (int k = 0; k < 8; k++) {
		pid[k] = fork();
		CHECK(pid[k] >= 0);
		if (pid[k] == 0) {
			for (int i = k; i < N; i += 3)
				p[i * PAGE + 1] = (char)(k + 1);
			if (k & 1)
				CHECK_EQ(munmap(p + 10 * PAGE, PAGE), 0);
			if (fork() == 0) {
				for (int i = 0; i < 10; i++)
					p[i * PAGE + 2] = 55;
				_exit(0);
			}
			wait(NULL);
			for (int i = 0; i < N; i++) {
				if ((k & 1) && i == 10)
					continue;
				CHECK_EQ(p[i * PAGE], i);
				CHECK_EQ(p[i * PAGE + 1], i >= k && (i - k) % 3 == 0 ? k + 1 : k);
				CHECK_EQ(p[i * PAGE + 2], 0);
			}
			_exit(0);
		}
		for (int i = 0; i < N; i++)
			p[i * PAGE + 1] = (char)(k + 1);
	}
	for (int k = 0; k < 8; k++)
		CHECK_EQ(test_wait(pid[k]), 0);
}

TEST(system_calls_copy_on_write)
{
	char *p = map(2);
	pid_t pid;
	int fd[2];

	memset(p, 'a', 2 * PAGE);
	CHECK(pipe(fd) == 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(write(fd[1], "child", 5), 5);
		CHECK_EQ(read(fd[0], p + PAGE - 2, 5), 5);
		CHECK(!memcmp(p + PAGE - 2, "child", 5));
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK(p[PAGE - 2] == 'a' && p[PAGE] == 'a');
	/* Into memory never touched. */
	p = map(2);
	CHECK_EQ(write(fd[1], "fresh", 5), 5);
	CHECK_EQ(read(fd[0], p + PAGE - 2, 5), 5);
	CHECK(!memcmp(p + PAGE - 2, "fresh", 5));
}

TEST(stack_grows)
{
	volatile char big[1 << 20];

	for (size_t i = sizeof big; i > 0; i -= PAGE)
		big[i - 1] = 1;
	CHECK_EQ(big[sizeof big - 1], 1);
}

TEST(limit_of_the_address_space)
{
	struct rlimit r = { 64 << 20, 64 << 20 };

	CHECK(setrlimit(RLIMIT_AS, &r) == 0);
	CHECK(mmap(NULL, 100 << 20, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, 1 << 20, RW, ANON, -1, 0) != MAP_FAILED);
}

TEST(limit_of_data)
{
	struct rlimit r = { 32 << 20, 32 << 20 };
	char *ro = mmap(NULL, 40 << 20, PROT_READ, ANON, -1, 0);

	CHECK(ro != MAP_FAILED);
	CHECK(setrlimit(RLIMIT_DATA, &r) == 0);
	CHECK(mmap(NULL, 40 << 20, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK_ERR(mprotect(ro, 40 << 20, RW), ENOMEM);
	CHECK_EQ(mprotect(ro, 1 << 20, RW), 0);
	CHECK_ERR(brk((char *)sbrk(0) + (40 << 20)), ENOMEM);
	CHECK(mmap(NULL, 40 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 40 << 20, PROT_READ, ANON, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 1 << 20, RW, ANON, -1, 0) != MAP_FAILED);
}

static int deep(int n)
{
	volatile char frame[4096];

	frame[0] = (char)n;
	return n ? deep(n - 1) + frame[0] : 0;
}

TEST(limit_of_the_stack)
{
	struct rlimit r = { 256 << 10, 256 << 10 };
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		setrlimit(RLIMIT_STACK, &r);
		(void)deep(16);
		_exit(deep(200) & 1);
	}
	CHECK_EQ(test_wait(pid), SIGSEGV);
}

/* A single mapping of more than there can ever be is refused; several smaller ones are promises. */
TEST(overcommitting)
{
	struct sysinfo s;
	size_t all, most;
	char *p;

	CHECK(sysinfo(&s) == 0 && s.totalswap == 0);
	all = (s.totalram * s.mem_unit + PAGE) & ~(PAGE - 1);
	most = all / 4 * 3 & ~(PAGE - 1);
	CHECK(mmap(NULL, all, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, all, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, all, RW, ANON | MAP_NORESERVE, -1, 0) != MAP_FAILED);
	CHECK_ERR(brk((char *)sbrk(0) + all), ENOMEM);
	p = mmap(NULL, all, PROT_NONE, ANON, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_ERR(mprotect(p, all, RW), ENOMEM);
	CHECK_EQ(mprotect(p, most, RW), 0);
	p = mmap(NULL, most, RW, ANON, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK(mremap(p, most, most + all, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
	for (int i = 0; i < 4; i++)
		CHECK(mmap(NULL, most, RW, ANON, -1, 0) != MAP_FAILED);
}

TEST(many_regions)
{
	char *p = map(1000);

	for (int i = 0; i < 1000; i += 2)
		CHECK_EQ(mprotect(p + i * PAGE, PAGE, PROT_READ), 0);
	for (int i = 0; i < 1000; i += 37)
		CHECK_EQ(touch(p + i * PAGE, true), i % 2 ? 0 : SIGSEGV);
	pid_t pid = fork();
	if (pid == 0)
		_exit(touch(p + PAGE, true) == 0 && touch(p, true) == SIGSEGV ? 0 : 1);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(mprotect(p, 1000 * PAGE, RW), 0);
	for (int i = 0; i < 1000; i += 37)
		CHECK_EQ(touch(p + i * PAGE, true), 0);
}

#define LONG_PAGES 4096 /* several steps of the kernel's */

static void *change_for_long(void *stop)
{
	char *p = map(LONG_PAGES);

	memset(p, 1, LONG_PAGES * PAGE);
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		CHECK_EQ(mprotect(p, LONG_PAGES * PAGE, PROT_READ), 0);
		CHECK_EQ(mprotect(p, LONG_PAGES * PAGE, RW), 0);
	}
	return NULL;
}

/* A file's mapping that waits, more than once, for the long operations of other threads is still where
 * it was asked for. */
TEST(file_is_mapped_where_it_was_asked_for_in_a_busy_space)
{
	int fd = make_file("file", 2);
	char *at = map(2);
	pthread_t t[3];
	bool stop = false;

	alarm(60);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, change_for_long, &stop), 0);
	for (int i = 0; i < 60; i++) {
		CHECK(mmap(at, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == at);
		CHECK_EQ(at[PAGE], 2);
		CHECK_EQ(munmap(at, 2 * PAGE), 0);
		CHECK(mmap(at, 2 * PAGE, RW, MAP_SHARED, fd, 0) == at);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

#define SHRUNK_PAGES 1500 /* several steps of the kernel's */

static void check_gone(const volatile char *p)
{
	for (int i = 0; i < SHRUNK_PAGES; i++)
		CHECK_EQ(p[i * PAGE], 0);
}

/* Moves a mapping and copies it by fork until `gone` is set; then nobody sees what there was. */
static void move_and_fork(char *p, const bool *gone)
{
	char *other = mmap(NULL, SHRUNK_PAGES * PAGE, PROT_NONE, ANON, -1, 0);
	int forks = 0, status;

	while (!__atomic_load_n(gone, __ATOMIC_ACQUIRE)) {
		char *from = p;

		p = mremap(p, SHRUNK_PAGES * PAGE, SHRUNK_PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other);
		CHECK(p == other);
		other = from;
		if (forks < 6 && ++forks && fork() == 0) {
			while (!__atomic_load_n(gone, __ATOMIC_ACQUIRE))
				sched_yield();
			check_gone(p);
			_exit(0);
		}
	}
	check_gone(p);
	while (forks--) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

/* A file loses its pages while mappings of it, with copies of some, are moved and copied. */
TEST(shrinking_meets_forks_and_moves)
{
	int fd = make_file("file", 1), status;
	bool *gone = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *shared, *p;

	CHECK_EQ(ftruncate(fd, SHRUNK_PAGES * PAGE), 0);
	shared = mmap(NULL, SHRUNK_PAGES * PAGE, RW, MAP_SHARED, fd, 0);
	p = mmap(NULL, SHRUNK_PAGES * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && p != MAP_FAILED);
	for (int round = 0; round < 8; round++) {
		pid_t pid;

		*gone = false;
		for (int i = 0; i < SHRUNK_PAGES; i++)
			shared[i * PAGE] = 1;
		for (int i = 0; i < SHRUNK_PAGES; i++) {
			CHECK_EQ(p[i * PAGE], 1);
			if (i % 16 == round)
				p[i * PAGE] = 2;
		}
		pid = fork();
		if (!pid) {
			move_and_fork(p, gone);
			_exit(0);
		}
		usleep(2000 * round);
		CHECK_EQ(ftruncate(fd, 0), 0);
		CHECK_EQ(touch(shared, false), SIGBUS);
		CHECK_EQ(ftruncate(fd, SHRUNK_PAGES * PAGE), 0);
		__atomic_store_n(gone, true, __ATOMIC_RELEASE);
		check_gone(p);
		check_gone(shared);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
}

/* Thousands of mappings of one page lose it in no more than as many short steps. */
TEST(shrinking_what_is_mapped_thousands_of_times)
{
	enum { N = 10000 };
	int fd = make_file("file", 1);
	char *at = mmap(NULL, N * PAGE, PROT_NONE, ANON, -1, 0);

	for (int i = 0; i < N; i++) {
		CHECK(mmap(at + i * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == at + i * PAGE);
		at[i * PAGE] = 1;
	}
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(at[i * PAGE], 0);
}

/* Locked pages are there for writing, too, and no advice of madvise's locks. */
TEST(mlock_makes_present)
{
	struct rusage before, after;
	char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char there[64];

	CHECK_EQ(mlock(p, 64 * PAGE), 0);
	CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
	for (int i = 0; i < 64; i++)
		p[i * PAGE] = 1;
	CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
	CHECK(after.ru_minflt - before.ru_minflt < 16);
	CHECK_EQ(mincore(p, 64 * PAGE, there), 0);
	for (int i = 0; i < 64; i++)
		CHECK(there[i] & 1);
	for (int i = 0x100; i < 0x104; i++)
		CHECK_ERR(madvise(p, PAGE, i), EINVAL);
}
