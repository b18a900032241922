/* A hundred processes of one program: the frames of its text are there once.  The same PFNs in all of them,
 * hardly more memory in use for each, and smaps says so. */
#include "test.h"
#include <elf.h>
#include <sys/auxv.h>

#define PROCESSES 100
#define PAGE	  4096ul
#define MIB	  (1ul << 20)

/* Text enough to see it in the sums. */
__asm__(".text\n.balign 4096\n.globl padding\npadding: .skip 0x100000\n");

/* The first segment to be loaded. */
static const Elf64_Phdr *text(void)
{
	const Elf64_Phdr *p = (const Elf64_Phdr *)getauxval(AT_PHDR);

	while (p->p_type != PT_LOAD)
		p++;
	CHECK(p->p_flags & PF_X);
	return p;
}

static uintptr_t text_start(void)
{
	return text()->p_vaddr & ~(PAGE - 1);
}

static size_t text_pages(void)
{
	return (text()->p_vaddr + text()->p_memsz - text_start() + PAGE - 1) / PAGE;
}

/* Has all of its text in its table, says so, and stays until its input ends. */
EXEC(stay)
{
	volatile char sum = 0;
	char c = 0;

	for (size_t i = 0; i < text_pages(); i++)
		sum += *(volatile char *)(text_start() + i * PAGE);
	CHECK_EQ(write(1, "", 1), 1);
	_exit(read(0, &c, 1) != 0);
}

static void copy_program(const char *name)
{
	static char block[65536];
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT, 0755);
	ssize_t n;

	CHECK(from >= 0 && to >= 0);
	while ((n = read(from, block, sizeof block)) > 0)
		CHECK_EQ(write(to, block, (size_t)n), n);
	CHECK_EQ(n, 0);
	close(from);
	close(to);
}

static int end[2], ready[2]; /* pipes: all end when end[1] is closed */

static pid_t start_one(const char *program)
{
	pid_t pid = fork();
	char c;

	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(end[0], 0);
		dup2(ready[1], 1);
		close(end[1]);
		execv(program, test_exec_args("stay", NULL));
		_exit(100);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	return pid;
}

static long free_kb(void)
{
	char text[512] = "", *at;
	int fd = open("/proc/meminfo", O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
	close(fd);
	at = strstr(text, "MemFree:");
	CHECK(at != NULL);
	return atol(at + 8);
}

static void read_pfns(pid_t pid, uint64_t *pfn)
{
	char path[40];
	size_t n = text_pages() * 8;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (char *)pfn + done, n - done, (off_t)(text_start() / PAGE * 8 + done));

		CHECK(got > 0);
		done += (size_t)got;
	}
	close(fd);
	for (size_t i = 0; i < text_pages(); i++) {
		CHECK(pfn[i] >> 63 == 1);
		pfn[i] &= (1ul << 55) - 1;
	}
}

struct usage {
	long rss, pss, shared_clean, shared_dirty, private_clean, private_dirty, anonymous;
};

/* The text's entry of smaps, in kB. */
static struct usage read_smaps(pid_t pid)
{
	struct usage u = { .rss = -1 };
	const struct {
		const char *name;
		long *value;
	} fields[] = { { "Rss:", &u.rss },
		       { "Pss:", &u.pss },
		       { "Shared_Clean:", &u.shared_clean },
		       { "Shared_Dirty:", &u.shared_dirty },
		       { "Private_Clean:", &u.private_clean },
		       { "Private_Dirty:", &u.private_dirty },
		       { "Anonymous:", &u.anonymous } };
	unsigned long start;
	bool ours = false;
	char line[300], path[40], name[40];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
	f = fopen(path, "re");
	CHECK(f != NULL);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%*x %39s", &start, name) == 2)
			ours = start == text_start();
		for (size_t i = 0; ours && i < sizeof fields / sizeof fields[0]; i++)
			if (!strncmp(line, fields[i].name, strlen(fields[i].name)))
				*fields[i].value = atol(line + strlen(fields[i].name));
	}
	fclose(f);
	CHECK(u.rss >= 0);
	return u;
}

static void check_usage(struct usage u, int processes)
{
	long size = (long)(text_pages() * PAGE / 1024);

	CHECK_EQ(u.rss, size);
	CHECK_EQ(u.anonymous, 0);
	CHECK_EQ(u.pss, size / processes);
	CHECK_EQ(u.shared_clean + u.shared_dirty, processes > 1 ? size : 0);
	CHECK_EQ(u.private_clean + u.private_dirty, processes > 1 ? 0 : size);
	if (test_objects("process") > 0) /* on Linux, pages of a file in memory are dirty from birth */
		CHECK_EQ(u.shared_dirty + u.private_dirty, 0);
}

TEST(text_of_a_hundred_processes_is_there_once)
{
	uint64_t first[1024], other[1024];
	pid_t pid[PROCESSES];
	long before, each;

	alarm(100);
	CHECK(text_pages() > 256 && text_pages() <= 1024);
	CHECK(pipe(end) == 0 && pipe(ready) == 0);
	copy_program("program"); /* nobody else runs it */
	pid[0] = start_one("./program");
	check_usage(read_smaps(pid[0]), 1);
	before = free_kb();
	for (int i = 1; i < PROCESSES; i++)
		pid[i] = start_one("./program");
	each = (before - free_kb()) / (PROCESSES - 1);
	printf("  %zu pages of text; each process more takes %ld kB\n", text_pages(), each);
	fflush(stdout);
	CHECK(each > 0 && each < (long)(text_pages() * PAGE / 1024 / 4));
	read_pfns(pid[0], first);
	for (int i = 1; i < PROCESSES; i++) {
		read_pfns(pid[i], other);
		CHECK(!memcmp(first, other, text_pages() * 8));
	}
	for (int i = 0; i < PROCESSES; i += 33)
		check_usage(read_smaps(pid[i]), PROCESSES);
	close(end[1]);
	for (int i = 0; i < PROCESSES; i++)
		CHECK_EQ(test_wait(pid[i]), 0);
}

/* The sum of the shares is what is there, also where fork shares tables. */
TEST(shares_of_forks_add_up)
{
	static char data[64 * 4096] __attribute__((aligned(4096)));
	struct usage u = { 0 };
	pid_t pid[7];
	char line[200];
	long sum = 0, pss, at = 0;

	memset(data, 1, sizeof data);
	for (int i = 0; i < 7; i++)
		TEST_BLOCKED_CHILD(pid[i], pause());
	for (int i = -1; i < 7; i++) {
		char path[40];
		FILE *f;

		snprintf(path, sizeof path, "/proc/%d/smaps", i < 0 ? (int)getpid() : (int)pid[i]);
		f = fopen(path, "re");
		CHECK(f != NULL);
		while (fgets(line, sizeof line, f)) {
			unsigned long start, stop;

			if (sscanf(line, "%lx-%lx", &start, &stop) == 2)
				at = start <= (uintptr_t)data && (uintptr_t)data < stop;
			if (at && sscanf(line, "Pss: %ld", &pss) == 1)
				sum += pss;
			if (at && sscanf(line, "Rss: %ld", &u.rss) == 1)
				CHECK(u.rss >= (long)sizeof data / 1024);
		}
		fclose(f);
	}
	CHECK(sum >= (long)sizeof data / 1024 - 8);
	CHECK(sum <= (long)sizeof data / 1024 + 8 * 32); /* what each has copied beside it */
	for (int i = 0; i < 7; i++) {
		kill(pid[i], SIGKILL);
		test_wait(pid[i]);
	}
}
