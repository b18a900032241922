/* /proc: its files are there, have their formats and tell the truth about this process; /dev/fd and
 * the links to what is open. */
#include "test.h"
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>

static char text[65536];

static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		printf("  no %s\n", path);
	CHECK(fd >= 0);
	while ((n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	CHECK(n == 0);
	close(fd);
	text[used] = 0;
	return text;
}

/* The number behind `key` at the beginning of a line; -1: no such line. */
static long field(const char *path, const char *key)
{
	const char *at = slurp(path);

	while (at && strncmp(at, key, strlen(key)))
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
	if (!at)
		return -1;
	at += strlen(key);
	return strtol(at + strspn(at, ": \t"), NULL, 0);
}

TEST(status)
{
	char name[40];

	CHECK_EQ(field("/proc/self/status", "Pid:"), getpid());
	CHECK_EQ(field("/proc/self/status", "PPid:"), getppid());
	CHECK_EQ(field("/proc/self/status", "Tgid:"), getpid());
	CHECK_EQ(field("/proc/self/status", "Threads:"), 1);
	CHECK_EQ(field("/proc/self/status", "Uid:"), getuid());
	CHECK_EQ(field("/proc/self/status", "Gid:"), getgid());
	CHECK(field("/proc/self/status", "VmRSS:") > 0);
	CHECK(field("/proc/self/status", "VmSize:") > 0);
	CHECK(strstr(slurp("/proc/self/status"), "Name:\tprocfs\n"));
	CHECK(strstr(text, "State:\tR (running)\n"));
	CHECK(!strcmp(slurp("/proc/self/comm"), "procfs\n"));
	snprintf(name, sizeof name, "/proc/%d/status", (int)getppid());
	CHECK_EQ(field(name, "Pid:"), getppid());
	CHECK_ERR(open("/proc/99999/status", O_RDONLY), ENOENT);
}

/* The files of a process are its user's and its group's, which need not be the same. */
extern char etext[], __executable_start[]; /* the linker's */

static __attribute__((noinline)) void go_deep(void)
{
	volatile char room[400000];

	for (size_t i = 0; i < sizeof room; i += 100)
		room[i] = 1;
}

/* Code, stack and libraries are counted, and what is resident by its kind. */
TEST(sizes)
{
	static const char status[] = "/proc/self/status";
	long stack = field(status, "VmStk:"), code = field(status, "VmExe:"), anon = field(status, "RssAnon:");
	long linked = (etext - __executable_start) / 1024;
	unsigned long size, resident, shared, exec;

	CHECK(code >= linked && code <= 3 * linked); /* constants may be with it */
	CHECK(stack >= 100 && stack < 1000);
	go_deep();
	CHECK(field(status, "VmStk:") >= stack + 200);
	CHECK(field(status, "RssAnon:") >= anon + 200);
	CHECK_EQ(field(status, "VmRSS:"), field(status, "RssAnon:") + field(status, "RssFile:") +
					  field(status, "RssShmem:"));
	CHECK(field(status, "VmLib:") >= 0);
	CHECK_EQ(sscanf(slurp("/proc/self/statm"), "%lu %lu %lu %lu", &size, &resident, &shared, &exec), 4);
	CHECK_EQ(exec * 4, code);
	CHECK(shared > 0 && shared < resident && resident <= size);
}

/* Ticks of all processors: user, nice, system, idle. */
static void ticks(unsigned long v[4])
{
	CHECK_EQ(sscanf(slurp("/proc/stat"), "cpu %lu %lu %lu %lu", &v[0], &v[1], &v[2], &v[3]), 4);
}

/* What runs, what it asks of the system, and how many want to run, is seen. */
TEST(times_and_load)
{
	unsigned long before[4], after[4];
	double load;
	pid_t pid[3];

	ticks(before);
	for (uint64_t end = test_now_ns() + 300000000; test_now_ns() < end;)
		;
	ticks(after);
	CHECK(after[0] - before[0] >= 20);
	ticks(before);
	for (uint64_t end = test_now_ns() + 600000000; test_now_ns() < end;)
		access("/no/such/file", F_OK);
	ticks(after);
	CHECK(after[2] - before[2] >= 10);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				;
		}
	}
	test_sleep_ms(5600); /* the load is looked at every five seconds */
	CHECK_EQ(sscanf(slurp("/proc/loadavg"), "%lf", &load), 1);
	for (int i = 0; i < 3; i++) {
		kill(pid[i], SIGKILL);
		test_wait(pid[i]);
	}
	CHECK(load >= 0.2 && load < 100);
}

TEST(owner)
{
	int status;
	pid_t pid;

	if (geteuid())
		_exit(TEST_SKIP);
	pid = fork();
	if (!pid) {
		char *args[] = { "sh", "-c", "stat -c %u:%g /proc/self/ | grep -qx 8:7", NULL };

		CHECK(setgid(7) == 0 && setuid(8) == 0);
		execv("/bin/sh", args);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
}

TEST(stat_line)
{
	int pid, ppid, pgrp, session;
	char comm[32], state;

	slurp("/proc/self/stat");
	CHECK_EQ(sscanf(text, "%d (%31[^)]) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp, &session), 6);
	CHECK(pid == getpid() && ppid == getppid() && pgrp == getpgrp() && session == getsid(0));
	CHECK(state == 'R' && !strcmp(comm, "procfs"));
	int fields = 0;
	for (char *at = strrchr(text, ')'); *at; at++)
		fields += *at == ' ';
	CHECK_EQ(fields, 50);
	CHECK(strchr(text, '\n') == text + strlen(text) - 1);
	unsigned long size, resident;
	CHECK_EQ(sscanf(slurp("/proc/self/statm"), "%lu %lu", &size, &resident), 2);
	CHECK(size >= resident && resident > 0);
}

TEST(states)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		for (;;)
			;
	CHECK(test_await_state(pid, 'R'));
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(test_state(pid), 'T');
	kill(pid, SIGKILL);
	CHECK(test_await_state(pid, 'Z'));
	test_wait(pid);
	CHECK_EQ(test_state(pid), 0);
}

static volatile int in_data = 1, in_bss;

/* Whether `address` is in a region of /proc/self/maps with these permissions and name. */
static bool mapped(const volatile void *address, const char *permissions, const char *name)
{
	char *save = NULL;

	slurp("/proc/self/maps");
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		unsigned long from, to;
		char perm[5], path[200] = "";

		CHECK(sscanf(l, "%lx-%lx %4s %*x %*x:%*x %*u %199s", &from, &to, perm, path) >= 3);
		CHECK(from < to && from % 4096 == 0 && to % 4096 == 0);
		if ((unsigned long)address >= from && (unsigned long)address < to)
			return !strcmp(perm, permissions) && (!*name || strstr(path, name));
	}
	return false;
}

TEST(maps)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int local;

	CHECK(mapped((void *)(uintptr_t)mapped, "r-xp", "procfs"));
	CHECK(mapped(&in_data, "rw-p", "procfs"));
	CHECK(mapped(&in_bss, "rw-p", ""));
	CHECK(mapped(&local, "rw-p", "[stack]"));
	CHECK(mapped(sbrk(4096), "rw-p", "[heap]"));
	CHECK(mapped(p, "r--s", ""));
	CHECK(strstr(slurp("/proc/self/maps"), "[vdso]"));
	CHECK(munmap(p, 4096) == 0);
	CHECK(!mapped(p, "r--s", ""));
	CHECK(field("/proc/self/smaps", "Rss:") >= 0);
}

TEST(pagemap)
{
	volatile char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t v[3];

	p[4096] = 1;
	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, v, sizeof v, (long)p / 4096 * 8), sizeof v);
	CHECK(!(v[0] >> 63) && v[1] >> 63 && !(v[2] >> 63));
	CHECK((v[1] & ((1ull << 55) - 1)) != 0);
}

TEST(links_of_a_process)
{
	char b[PATH_MAX], c[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", b, sizeof b - 1);

	CHECK(n > 0);
	b[n] = 0;
	CHECK(!strcmp(b + n - 6, "procfs"));
	n = readlink("/proc/self", b, sizeof b - 1);
	CHECK(n > 0);
	b[n] = 0;
	CHECK_EQ(atoi(b), getpid());
	CHECK(getcwd(c, sizeof c) != NULL);
	n = readlink("/proc/self/cwd", b, sizeof b - 1);
	CHECK_EQ(n, strlen(c));
	CHECK(!memcmp(b, c, (size_t)n));
	CHECK_EQ(readlink("/proc/self/root", b, sizeof b), 1);
	CHECK_EQ(b[0], '/');
}

TEST(descriptors_are_listed)
{
	char b[100], name[40];
	int fd = open("file", O_CREAT | O_RDWR, 0600), p[2], again, seen = 0;
	struct dirent *e;
	ssize_t n;
	DIR *d;

	CHECK(pipe(p) == 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, b, sizeof b - 1);
	CHECK(n > 5);
	b[n] = 0;
	CHECK(!strcmp(b + n - 5, "/file"));
	/* Opening the link makes a new description, of a deleted file as well. */
	CHECK_EQ(unlink("file"), 0);
	again = open(name, O_RDONLY);
	CHECK(again >= 0);
	CHECK_EQ(read(again, b, 10), 3);
	snprintf(name, sizeof name, "/proc/self/fd/%d", p[0]);
	n = readlink(name, b, sizeof b - 1);
	CHECK(n > 6 && !memcmp(b, "pipe:[", 6));
	snprintf(name, sizeof name, "/dev/fd/%d", p[1]);
	again = open(name, O_WRONLY);
	CHECK(again >= 0);
	CHECK_EQ(write(again, "x", 1), 1);
	CHECK_EQ(read(p[0], b, 10), 1);
	CHECK_ERR(open("/dev/fd/99", O_RDONLY), ENOENT);
	d = opendir("/proc/self/fd");
	CHECK(d != NULL);
	while ((e = readdir(d)))
		seen += e->d_name[0] != '.' && (atoi(e->d_name) == p[0] || atoi(e->d_name) == fd);
	CHECK_EQ(seen, 2);
}

TEST(system_files)
{
	struct sysinfo si;

	CHECK(field("/proc/meminfo", "MemTotal:") > 1000);
	CHECK(field("/proc/meminfo", "MemFree:") > 0);
	CHECK(field("/proc/meminfo", "MemAvailable:") > 0);
	CHECK(strstr(slurp("/proc/meminfo"), " kB\n"));
	CHECK(strstr(slurp("/proc/cpuinfo"), "isa"));
	CHECK_EQ(field("/proc/cpuinfo", "processor"), 0);
	double up = strtod(slurp("/proc/uptime"), NULL);
	CHECK(up > 0 && up < 100000);
	CHECK(!strncmp(slurp("/proc/stat"), "cpu ", 4));
	CHECK(field("/proc/stat", "btime") >= 0);
	CHECK(strchr(slurp("/proc/mounts"), '/'));
	CHECK(*slurp("/proc/version") != 0);
	CHECK(*slurp("/proc/loadavg") != 0);
	CHECK(*slurp("/proc/cmdline") != 0);
	CHECK(sysinfo(&si) == 0);
	CHECK(si.totalram * si.mem_unit / 1024 == (unsigned long)field("/proc/meminfo", "MemTotal:"));
	CHECK_ERR(open("/proc/none", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/none", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(mkdir("/proc/x", 0700), ENOENT);
}

/* About as much more, in kB, as was added; others may take and give a little meanwhile. */
static bool grew(const char *key, long before, long kb)
{
	long more = field("/proc/meminfo", key) - before;

	if (more < kb - 1000 || more > kb + 1000)
		printf("  %s %ld kB more, not %ld\n", key, more, kb);
	return more >= kb - 1000 && more <= kb + 1000;
}

TEST(memory_figures)
{
	enum { SIZE = 8 << 20, KB = SIZE / 1024 };
	long free, anon, shmem, cached, committed;
	static char block[65536];
	char *p;
	int fd;

	CHECK(field("/proc/meminfo", "CommitLimit:") > 0);
	CHECK(field("/proc/meminfo", "MemFree:") <= field("/proc/meminfo", "MemTotal:"));
	CHECK(field("/proc/meminfo", "PageTables:") > 0 && field("/proc/meminfo", "Slab:") > 0);
	committed = field("/proc/meminfo", "Committed_AS:");
	anon = field("/proc/meminfo", "AnonPages:");
	free = field("/proc/meminfo", "MemFree:");
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK(grew("Committed_AS:", committed, KB) && grew("AnonPages:", anon, 0));
	memset(p, 1, SIZE);
	CHECK(grew("AnonPages:", anon, KB) && grew("MemFree:", free, -KB));
	CHECK(munmap(p, SIZE) == 0);
	CHECK(grew("Committed_AS:", committed, 0) && grew("AnonPages:", anon, 0));
	shmem = field("/proc/meminfo", "Shmem:");
	cached = field("/proc/meminfo", "Cached:");
	fd = open("figures", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < SIZE; i += (int)sizeof block)
		CHECK_EQ(write(fd, block, sizeof block), sizeof block);
	CHECK(grew("Shmem:", shmem, KB) && grew("Cached:", cached, KB));
	CHECK(ftruncate(fd, 0) == 0);
	CHECK(grew("Shmem:", shmem, 0) && grew("Cached:", cached, 0));
	close(fd);
}

TEST(memory_files)
{
	unsigned long blocks, pages = 0, start, end, size;
	const char *at = slurp("/proc/buddyinfo");
	long active, total, bytes;
	int n;

	at = strstr(at, "zone");
	CHECK(at && sscanf(at, "zone %*s%n", &n) == 0);
	at += n;
	for (int order = 0; order <= 10; order++, at += n) {
		CHECK_EQ(sscanf(at, " %lu%n", &blocks, &n), 1);
		pages += blocks << order;
	}
	CHECK(pages > 0 && (long)pages * 4 <= field("/proc/meminfo", "MemTotal:"));
	CHECK(field("/proc/vmstat", "nr_free_pages") > 0 && field("/proc/vmstat", "pgfault") > 0);
	at = slurp("/proc/slabinfo");
	CHECK(!strncmp(at, "slabinfo - version: 2.1\n# name ", 31));
	at = strchr(strchr(at, '\n') + 1, '\n') + 1;
	CHECK_EQ(sscanf(at, "%*s %ld %ld %ld", &active, &total, &bytes), 3);
	CHECK(active <= total && bytes > 0);
	CHECK_EQ(sscanf(slurp("/proc/vmallocinfo"), "0x%lx-0x%lx %lu", &start, &end, &size), 3);
	CHECK(start && end && size && size % 4096 == 0);
}

TEST(all_processes_are_listed)
{
	struct dirent *e;
	int me = 0, init = 0;
	DIR *d = opendir("/proc");

	CHECK(d != NULL);
	while ((e = readdir(d))) {
		me += atoi(e->d_name) == getpid();
		init += atoi(e->d_name) == 1;
	}
	CHECK(me == 1 && init == 1);
}

/* musl's stdio reads and writes in no other way. */
TEST(vectors)
{
	char a[8], b[64];
	struct iovec v[2] = { { a, 8 }, { b, 64 } }, w[2] = { { "vec", 3 }, { "", 0 } };
	int fd = open("/proc/self/comm", O_RDWR);

	CHECK_EQ(readv(fd, v, 2), 7);
	CHECK(!memcmp(a, "procfs\n", 7));
	CHECK_EQ(readv(fd, v, 2), 0);
	CHECK_EQ(writev(fd, w, 2), 3);
	CHECK_EQ(preadv(fd, v, 2, 0), 4);
	CHECK_EQ(preadv(fd, v, 2, 1), 3);
	CHECK(!memcmp(a, "ec\n", 3));
	CHECK_ERR(preadv(fd, v, 2, -1), EINVAL);
	CHECK_EQ(preadv2(fd, v, 2, 0, RWF_HIPRI), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(preadv2(fd, v, 2, -1, 0), 4);
	close(fd);
	fd = open("/proc/self/stat", O_RDONLY);
	CHECK_EQ(readv(fd, v, 2), 72);
}

TEST(command_line_and_environment)
{
	CHECK(strstr(slurp("/proc/self/cmdline"), "procfs"));
	slurp("/proc/self/environ");
	CHECK(strchr(text, '='));
}

EXEC(renamed)
{
	CHECK(!strcmp(slurp("/proc/self/comm"), "exe\n"));
	CHECK(!memcmp(slurp("/proc/self/cmdline"), "one\0@renamed", 13));
	exit(0);
}

TEST(names_after_exec)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "one", "@renamed", NULL);
		_exit(100);
	}
	CHECK_EQ(test_wait(pid), 0);
}

static const char *link_of(pid_t pid, const char *name)
{
	static char path[100], to[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	n = readlink(path, to, sizeof to - 1);
	to[n < 0 ? 0 : n] = 0;
	return to;
}

/* The entries of a directory of numbers, as bits. */
static uint64_t numbers_in(const char *path, long base)
{
	DIR *d = opendir(path);
	struct dirent *e;
	uint64_t bits = 0;

	CHECK(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			bits |= 1ull << (strtol(e->d_name, NULL, 10) - base);
	closedir(d);
	return bits;
}

TEST(another_process)
{
	char here[PATH_MAX], path[PATH_MAX + 16], name[64], c;
	int file = open("f", O_CREAT | O_RDWR, 0600), go[2], done[2];
	struct stat ours, theirs;
	pid_t pid;

	CHECK(getcwd(here, sizeof here));
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(pipe(go) | pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(dup2(file, 20), 20);
		CHECK_EQ(chdir("d"), 0);
		CHECK_EQ(chroot(".."), 0);
		CHECK_EQ(write(go[1], "x", 1), 1);
		close(done[1]);
		CHECK_EQ(read(done[0], &c, 1), 0);
		_exit(0);
	}
	CHECK_EQ(read(go[0], &c, 1), 1);
	snprintf(path, sizeof path, "%s/f", here);
	CHECK(!strcmp(link_of(pid, "fd/20"), path));
	snprintf(path, sizeof path, "%s/d", here);
	CHECK(!strcmp(link_of(pid, "cwd"), path));
	CHECK(!strcmp(link_of(pid, "root"), here));
	CHECK(strstr(link_of(pid, "exe"), "procfs"));
	snprintf(name, sizeof name, "fd/%d", go[1]);
	CHECK(!strncmp(link_of(pid, name), "pipe:[", 6));
	snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)pid, go[1]);
	CHECK_EQ(stat(name, &theirs) | fstat(go[1], &ours), 0);
	CHECK(S_ISFIFO(theirs.st_mode));
	CHECK_EQ(theirs.st_ino, ours.st_ino);
	snprintf(name, sizeof name, "/proc/%d/fd", (int)pid);
	CHECK(numbers_in(name, 0) & 1 << 20);
	snprintf(name, sizeof name, "/proc/%d/fd/20", (int)pid);
	file = open(name, O_RDWR);
	CHECK_EQ(write(file, "text", 4), 4);
	snprintf(name, sizeof name, "/proc/%d/fd/21", (int)pid);
	CHECK_ERR(open(name, O_RDWR), ENOENT);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	snprintf(name, sizeof name, "/proc/%d/fd", (int)pid);
	CHECK(!opendir(name));
	CHECK_EQ(errno, EACCES);
	CHECK(!*link_of(pid, "cwd"));
	close(done[1]);
	CHECK_EQ(test_wait(pid), 0);
}

static int hold[2];

static void *told(void *tid)
{
	char c;

	__atomic_store_n((pid_t *)tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	CHECK_EQ(read(hold[0], &c, 1), 1);
	return NULL;
}

TEST(threads_of_a_process)
{
	enum { N = 20 };
	pthread_t threads[N];
	pid_t tids[N] = { 0 }, pid;
	uint64_t bits = 1;
	char name[64];

	CHECK_EQ(pipe(hold), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, told, &tids[i]), 0);
	for (int i = 0; i < N; i++) {
		while (!__atomic_load_n(&tids[i], __ATOMIC_ACQUIRE))
			sched_yield();
		bits |= 1ull << (tids[i] - getpid());
	}
	CHECK_EQ(numbers_in("/proc/self/task", getpid()), bits);
	snprintf(name, sizeof name, "/proc/%d/task", (int)getpid());
	pid = fork();
	if (pid == 0)
		_exit(numbers_in(name, getppid()) == bits ? 0 : 1);
	CHECK_EQ(test_wait(pid), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(write(hold[1], "x", 1), 1);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	snprintf(name, sizeof name, "/proc/self/task/%d", (int)tids[N - 1]);
	/* The kernel wakes the one that joins a moment before the thread is gone. */
	while (numbers_in("/proc/self/task", getpid()) != 1)
		sched_yield();
	CHECK_ERR(access(name, F_OK), ENOENT);
}

static void put(const char *path, const char *what, int error)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0);
	if (error)
		CHECK_ERR(write(fd, what, strlen(what)), error);
	else
		CHECK_EQ(write(fd, what, strlen(what)), strlen(what));
	close(fd);
}

/* What programs ask about how the system is set. */
TEST(settings)
{
	char first[64], name[65], old[65];

	CHECK_EQ(field("/proc/sys/fs/nr_open", ""), 1048576);
	CHECK_EQ(field("/proc/sys/kernel/cap_last_cap", ""), 40);
	CHECK(field("/proc/sys/kernel/ngroups_max", "") >= 32);
	CHECK(field("/proc/sys/kernel/random/entropy_avail", "") > 0);
	CHECK(field("/proc/sys/vm/max_map_count", "") >= 65530);
	CHECK_EQ(strlen(slurp("/proc/sys/kernel/random/boot_id")), 37);
	strcpy(first, text);
	CHECK(!strcmp(first, slurp("/proc/sys/kernel/random/boot_id")));
	strcpy(first, slurp("/proc/sys/kernel/random/uuid"));
	CHECK(first[14] == '4' && strcmp(first, slurp("/proc/sys/kernel/random/uuid")));
	put("/proc/sys/vm/drop_caches", "3\n", 0);
	put("/proc/sys/vm/drop_caches", "9\n", EINVAL);
	put("/proc/sys/vm/swappiness", "70\n", 0);
	CHECK_EQ(field("/proc/sys/vm/swappiness", ""), 70);
	put("/proc/sys/vm/swappiness", "many\n", EINVAL);
	CHECK_ERR(open("/proc/sys/kernel/osrelease", O_WRONLY), EACCES);
	CHECK_EQ(gethostname(old, sizeof old), 0);
	put("/proc/sys/kernel/hostname", "another\n", 0);
	CHECK_EQ(gethostname(name, sizeof name), 0);
	CHECK(!strcmp(name, "another"));
	CHECK_EQ(sethostname(old, strlen(old)), 0);
	CHECK(!strncmp(slurp("/proc/sys/kernel/hostname"), old, strlen(old)));
}

TEST(oom_score_adj)
{
	pid_t pid;

	CHECK_EQ(field("/proc/self/oom_score_adj", ""), 0);
	put("/proc/self/oom_score_adj", "-500\n", 0);
	put("/proc/self/oom_score_adj", "1001\n", EINVAL);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(field("/proc/self/oom_score_adj", ""), -500);
		put("/proc/self/oom_score_adj", "200", 0);
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
		put("/proc/self/oom_score_adj", "300", 0);
		put("/proc/self/oom_score_adj", "100", EACCES);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

/* The timer slack is a thread's; children have it, and have it as their default. */
TEST(timer_slack)
{
	pid_t pid;

	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 70000), 0);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
	CHECK_EQ(field("/proc/self/timerslack_ns", ""), 70000);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
		CHECK_EQ(prctl(PR_SET_TIMERSLACK, 1), 0);
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1);
		CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
}

/* fdinfo: position, flags, the mount that statx and mountinfo know by that number. */
TEST(fdinfo)
{
	struct statx sx;
	char name[64];
	int fds[2], fd = open("f", O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0644);

	CHECK_EQ(write(fd, "12345", 5), 5);
	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
	CHECK_EQ(field(name, "pos:"), 5);
	CHECK_EQ(field(name, "flags:"), O_RDWR | O_APPEND | O_CLOEXEC | 0100000);
	CHECK_EQ(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx), 0);
	CHECK_EQ(field(name, "ino:"), sx.stx_ino);
	CHECK_EQ(field(name, "mnt_id:"), sx.stx_mnt_id);
	CHECK_EQ(fcntl(fd, F_SETFD, 0), 0);
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(field(name, "pos:"), 2);
	CHECK_EQ(field(name, "flags:"), O_RDWR | O_APPEND | 0100000);
	close(fd);
	CHECK_ERR(open(name, O_RDONLY), ENOENT);
	CHECK_EQ(pipe(fds), 0);
	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fds[1]);
	CHECK_EQ(field(name, "flags:"), O_WRONLY);
	CHECK_EQ(numbers_in("/proc/self/fdinfo", 0), numbers_in("/proc/self/fd", 0));
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
	CHECK_EQ(field(name, "Pid:"), getpid());
}

/* What a thread's folder has of its process. */
TEST(task_files)
{
	char base[64], name[128], want[32];
	pid_t pid;

	snprintf(base, sizeof base, "/proc/self/task/%d", (int)getpid());
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "%s/%s", base, i ? "statm" : "cmdline");
		CHECK(*slurp(name));
	}
	TEST_BLOCKED_CHILD(pid, pause());
	snprintf(name, sizeof name, "%s/children", base);
	snprintf(want, sizeof want, "%d ", (int)pid);
	CHECK(!strcmp(slurp(name), want));
	kill(pid, SIGKILL);
	test_wait(pid);
	CHECK(!*slurp(name));
}

TEST(kmsg)
{
	char record[8192], mark[64];
	int fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK);
	bool found = false;
	ssize_t n;

	if (fd < 0 && errno == EPERM)
		_exit(TEST_SKIP); /* a kernel that keeps its log to itself */
	CHECK(fd >= 0);
	snprintf(mark, sizeof mark, "<7>procfs: a line of %d\n", (int)getpid());
	CHECK_EQ(write(fd, mark, strlen(mark)), strlen(mark));
	*strchr(mark, '\n') = 0;
	while ((n = read(fd, record, sizeof record)) > 0) {
		record[n - 1] = 0;
		CHECK(strchr(record, ';'));
		found |= !strcmp(strchr(record, ';') + 1, mark + 3);
	}
	CHECK(n == -1 && errno == EAGAIN);
	CHECK(found);
}
