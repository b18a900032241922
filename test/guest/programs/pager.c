/* Objects whose pages a server brings: this program is the pager, its children have the object mapped.
 * It answers late, in the wrong order, twice, or never; and again, when memory was short.    tern only */
#include "test.h"
#include <poll.h>
#include <server/receive.h>
#include <sys/prctl.h>

#define PAGES 16
#define PAGE 4096ul
#define BADGE 4711

static int object;
static char *at; /* PAGES pages, shared */

struct event {
	long op, badge, a0;
};

/* A hang ends the test: receiving heeds no signal but SIGKILL. */
static void limit_time(void)
{
	pid_t parent = getpid();

	if (fork() == 0) {
		for (int fd = 3; fd < 16; fd++)
			close(fd);
		sleep(45);
		kill(parent, SIGKILL);
		_exit(0);
	}
}

static struct event next_event(void)
{
	struct tern_msg m;

	tern_receive(&m);
	return (struct event){ (long)m.op, (long)m.badge, (long)m.args[0] };
}

static void asks_for(struct event e, int page)
{
	CHECK_EQ(e.op, TERN_EV_PAGE_IN);
	CHECK_EQ(e.badge, BADGE);
	CHECK_EQ(e.a0, page * PAGE);
}

static void asked_for(int page) { asks_for(next_event(), page); }

static struct event supply(int dst, long doff, int src, long soff, long n)
{
	struct tern_msg m;

	tern_supply_receive(&m, dst, (uint64_t)doff, src, (uint64_t)soff, (size_t)n);
	return (struct event){ (long)m.op, (long)m.badge, (long)m.args[0] };
}

static void bring(int page)
{
	char bytes[PAGE];

	memset(bytes, 'a' + page, PAGE);
	CHECK_EQ(tern_memobj_write(object, page * PAGE, bytes, PAGE), PAGE);
}

static char *map_object(int flags)
{
	long r = syscall(TERN_ASPACE_MAP, -1, 0, PAGES * PAGE,
			 (PROT_READ | PROT_WRITE) * 0x101 | (long)flags << 16, object, 0);

	CHECK(r > 0);
	return (char *)r;
}

static void become_pager_of(long pages)
{
	int ep;

	limit_time();
	CHECK_EQ(prctl(TERN_PR_SERVE, 1, 0, 0, 0), 0);
	ep = (int)syscall(TERN_EP_CREATE, 0, 0, 0, 0, 0, 0);
	CHECK(ep >= 0);
	CHECK_EQ(syscall(TERN_BIND, ep, 0, 0, 0, 0, 0), 0);
	object = (int)syscall(TERN_MEMOBJ_CREATE, pages * PAGE, 99, TERN_MEMOBJ_PAGED, BADGE, 0, 0);
	CHECK(object >= 0);
}

static void become_pager(void)
{
	become_pager_of(PAGES);
	at = map_object(MAP_SHARED);
}

static void on_bus(int sig)
{
	(void)sig;
	_exit(3);
}

/* A child that reads a page: it exits with 0 when the right byte was there, 3 on SIGBUS. */
static pid_t reader(int page)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		signal(SIGBUS, on_bus);
		_exit(*(volatile char *)(at + page * PAGE + 7) != 'a' + page);
	}
	return pid;
}

static bool waits(pid_t pid)
{
	test_sleep_ms(60);
	return waitpid(pid, NULL, WNOHANG) == 0;
}

TEST(late_and_in_the_wrong_order)
{
	pid_t first, second;

	become_pager();
	first = reader(0);
	asked_for(0);
	second = reader(1);
	asked_for(1);
	CHECK(waits(first) && waits(second));
	bring(1);
	CHECK_EQ(test_wait(second), 0);
	CHECK(waits(first));
	bring(0);
	CHECK_EQ(test_wait(first), 0);
	bring(0); /* once more harms nobody */
	CHECK_EQ(test_wait(reader(0)), 0);
	CHECK_EQ(at[PAGE], 'b');
}

TEST(poll_waits_for_no_server)
{
	struct timespec before, after;
	struct pollfd f;
	pid_t pid;
	int ep;

	CHECK_EQ(prctl(TERN_PR_SERVE, 1, 0, 0, 0), 0);
	ep = (int)syscall(TERN_EP_CREATE, 0, 0, 0, 0, 0, 0);
	CHECK_EQ(syscall(TERN_BIND, ep, 0, 0, 0, 0, 0), 0);
	f = (struct pollfd){ .events = POLLIN };
	f.fd = (int)syscall(TERN_SESSION_HANDLE,
			    syscall(TERN_SESSION_CREATE, -1, 1, TERN_KIND_FILE, 1, 0, -1), 7, 0, 0, 0, 0);
	CHECK(f.fd >= 0);
	pid = fork();
	if (pid == 0) {
		clock_gettime(CLOCK_MONOTONIC, &before);
		CHECK_EQ(poll(&f, 1, 0), 1);
		clock_gettime(CLOCK_MONOTONIC, &after);
		_exit(after.tv_sec - before.tv_sec > 1);
	}
	test_sleep_ms(3000);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(one_question_for_many)
{
	pid_t pid[5];

	become_pager();
	for (int i = 0; i < 4; i++)
		pid[i] = reader(2);
	CHECK(waits(pid[0]) && waits(pid[3]));
	asked_for(2);
	pid[4] = reader(2);
	CHECK(waits(pid[4]));
	bring(2);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(test_wait(pid[i]), 0);
	pid[0] = reader(3);
	asked_for(3);
	bring(3);
	CHECK_EQ(test_wait(pid[0]), 0);
}

TEST(supplied_frames_wake_too)
{
	int source;
	pid_t pid;

	become_pager();
	source = (int)syscall(TERN_MEMOBJ_CREATE, PAGE, 0, 0, 0, 0, 0);
	CHECK(source >= 0);
	CHECK_EQ(tern_memobj_write(source, 7, "e", 1), 1);
	pid = reader(4);
	asked_for(4);
	CHECK_EQ(syscall(TERN_MEMOBJ_SUPPLY, object, 4 * PAGE, source, 0, PAGE), PAGE);
	CHECK_EQ(test_wait(pid), 0);
}

/* SUPPLY_RECV: what is asked next comes at once, what could not be moved is said. */
TEST(supplied_in_one_entry)
{
	pid_t pid[4];
	int source;
	struct event e;

	become_pager();
	source = (int)syscall(TERN_MEMOBJ_CREATE, 8 * PAGE, 0, 0, 0, 0, 0);
	CHECK(source >= 0);
	for (int i = 0; i < 8; i++) {
		char byte = (char)('a' + i);

		CHECK_EQ(tern_memobj_write(source, (uint64_t)i * PAGE + 7, &byte, 1), 1);
	}
	pid[0] = reader(0);
	asked_for(0);
	pid[1] = reader(0);
	pid[2] = reader(1);
	CHECK(waits(pid[1]));
	asks_for(supply(object, 0, source, 0, PAGE), 1);
	CHECK_EQ(test_wait(pid[0]), 0);
	CHECK_EQ(test_wait(pid[1]), 0);
	pid[3] = reader(2);
	asks_for(supply(object, PAGE, source, PAGE, PAGE), 2);
	CHECK_EQ(test_wait(pid[2]), 0);
	/* Two pages, of a source that is mapped: the longer way. */
	CHECK(syscall(TERN_ASPACE_MAP, -1, 0, 8 * PAGE, PROT_READ * 0x101 | (long)MAP_SHARED << 16, source,
		      0) > 0);
	pid[0] = reader(4);
	asks_for(supply(object, 2 * PAGE, source, 2 * PAGE, 2 * PAGE), 4);
	CHECK_EQ(test_wait(pid[3]), 0);
	CHECK_EQ(at[3 * PAGE + 7], 'd');
	/* Nothing of that: no handle, not aligned, an object that is no pager's. */
	e = supply(99, 4 * PAGE, source, 4 * PAGE, PAGE);
	CHECK_EQ(e.op, TERN_EV_COPY_SHORT);
	CHECK_EQ(e.a0, -EBADF);
	e = supply(object, 4 * PAGE, source, 4 * PAGE + 1, PAGE);
	CHECK_EQ(e.op, TERN_EV_COPY_SHORT);
	CHECK_EQ(e.a0, -EINVAL);
	e = supply(object, PAGES * PAGE, source, 4 * PAGE, PAGE);
	CHECK_EQ(e.op, TERN_EV_COPY_SHORT);
	CHECK_EQ(e.a0, 0);
	CHECK(waits(pid[0]));
	pid[1] = reader(5);
	asks_for(supply(object, 4 * PAGE, source, 4 * PAGE, PAGE), 5);
	CHECK_EQ(test_wait(pid[0]), 0);
	bring(5);
	CHECK_EQ(test_wait(pid[1]), 0);
}

/* Waiting ends by SIGKILL, and a question whose asker has died is not heard. */
TEST(killed_while_waiting)
{
	pid_t pid;

	become_pager();
	pid = reader(0);
	asked_for(0);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK_EQ(test_wait(pid), SIGKILL);
	bring(0);
	pid = reader(1);
	CHECK(waits(pid));
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK_EQ(test_wait(pid), SIGKILL);
	pid = reader(2);
	asked_for(2);
	bring(2);
	CHECK_EQ(test_wait(pid), 0);
}

TEST(cut_while_waiting)
{
	pid_t pid;

	become_pager();
	pid = reader(5);
	asked_for(5);
	CHECK_EQ(syscall(TERN_MEMOBJ_RESIZE, object, 2 * PAGE, 0, 0, 0, 0), 0);
	CHECK_EQ(test_wait(pid), 3 << 8);
}

TEST(the_pager_dies)
{
	pid_t pager, pid;
	int p[2];
	char c;

	CHECK(pipe(p) == 0);
	pager = fork();
	if (pager == 0) {
		become_pager();
		pid = fork();
		if (pid == 0) {
			signal(SIGBUS, on_bus);
			if (fork() == 0)
				_exit(at[0]); /* waits when the pager ends */
			wait((int *)at); /* cannot be written: the page never comes */
			_exit(0);
		}
		asked_for(0);
		_exit(0);
	}
	CHECK_EQ(test_wait(pager), 0);
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0); /* nobody who has the other end is left */
}

/* Private copies are made of what is brought. */
TEST(private_mappings)
{
	pid_t pid;
	char *own;

	become_pager();
	own = map_object(MAP_PRIVATE);
	pid = fork();
	if (pid == 0) {
		own[PAGE] = 'X';
		_exit(own[PAGE] != 'X' || own[PAGE + 1] != 'b' || at[PAGE] != 'b');
	}
	asked_for(1);
	bring(1);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(at[PAGE], 'b');
}

/* The buffers of system calls are such pages: the calls wait as an access would. */
TEST(buffers_of_calls)
{
	char text[8] = "";
	int p[2], fd;
	pid_t pid;

	become_pager();
	CHECK(pipe(p) == 0);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(write(fd, "contents", 8), 8);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(write(p[1], at, 3), 3);
		CHECK_EQ(pread(fd, at + PAGE, 8, 0), 8);
		CHECK(!memcmp(at + PAGE, "contentsb", 9));
		CHECK_EQ(pwrite(fd, at + 2 * PAGE, 4, 2), 4);
		CHECK_EQ(open(at + 3 * PAGE, O_RDONLY), -1);
		CHECK_EQ(errno, ENOENT);
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		asked_for(i);
		CHECK(waits(pid));
		if (i < 3)
			bring(i);
		else
			CHECK_EQ(tern_memobj_write(object, 3 * PAGE, "none", 5), 5);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(p[0], text, 8), 3);
	CHECK(!strcmp(text, "aaa"));
	CHECK_EQ(pread(fd, text, 8, 0), 8);
	CHECK(!memcmp(text, "coccccts", 8));
}

static bool was_unmapped(void)
{
	struct event e = next_event();

	return e.op == TERN_EV_NOTE && e.badge == BADGE + 1 && e.a0 == 1;
}

/* The maker of an object hears when nobody has it mapped any more, by whatever the last one went. */
TEST(unmapped)
{
	enum { MUNMAP, MAP_OVER, EXECVE, EXIT, DEATH };
	struct tern_memobj_info info;
	char *map;
	pid_t pid;

	become_pager();
	CHECK_EQ(syscall(TERN_MEMOBJ_WATCH, -1, 0), -1);
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(syscall(TERN_MEMOBJ_WATCH, object, BADGE + 1), 0);
	CHECK_EQ(syscall(TERN_MEMOBJ_WATCH, object, BADGE + 1), -1);
	CHECK_EQ(errno, EBUSY);
	bring(0);
	for (int way = 0; way < 5; way++) {
		pid = fork();
		if (pid == 0) {
			map = map_object(MAP_PRIVATE);
			CHECK(map[0] == 'a');
			munmap(map, PAGES * PAGE);
			test_sleep_ms(50); /* the parent's goes first */
			switch (way) {
			case MUNMAP: munmap(at, PAGES * PAGE); break;
			case MAP_OVER:
				mmap(at, PAGES * PAGE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
				     -1, 0);
				break;
			case EXECVE: execl("/bin/sleep", "sleep", "40", NULL); break;
			case EXIT: _exit(0);
			}
			pause();
		}
		munmap(at, PAGES * PAGE);
		if (way == DEATH)
			CHECK(kill(pid, SIGKILL) == 0);
		CHECK(was_unmapped());
		CHECK_EQ(syscall(TERN_MEMOBJ_COUNT, object, &info), 0);
		CHECK_EQ(info.regions, 0);
		CHECK_EQ(kill(pid, SIGKILL), 0);
		CHECK_EQ(test_wait(pid), way == EXIT ? 0 : SIGKILL);
		at = map_object(MAP_SHARED);
	}
}

/* The number behind `key` in a file of /proc. */
static long number(const char *path, const char *key)
{
	char text[4096] = "", *found;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	found = strstr(text, key);
	CHECK(found != NULL);
	return atol(found + strlen(key));
}

static void touch(long bytes)
{
	char *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (long i = 0; i < bytes; i += (long)PAGE)
		p[i] = 1;
}

static bool all_right(const char *map, long pages)
{
	for (long i = 0; i < pages; i++)
		if (((volatile const long *)(map + i * (long)PAGE))[5] != i + 1)
			return false;
	return true;
}

/* Memory that can be had again goes before anybody is ended.  The object's last page says the end. */
TEST(dropped_and_asked_for_again)
{
	long margin = number("/proc/meminfo", "MemTotal:") * 1024 / 24 + (4 << 20), room, pages = 3 * margin / (long)PAGE;
	long page[PAGE / sizeof(long)] = { 0 }, asked = 0, again, stolen, last = 0;
	pid_t pid, hog;

	become_pager_of(pages + 1);
	room = number("/proc/meminfo", "MemFree:") * 1024;
	stolen = number("/proc/vmstat", "pgsteal_direct");
	pid = fork();
	if (pid == 0) {
		char *map = (char *)syscall(TERN_ASPACE_MAP, -1, 0, (pages + 1) * (long)PAGE,
					    PROT_READ * 0x101 | (long)MAP_SHARED << 16, object, 0);

		CHECK((long)map > 0);
		alarm(0);
		CHECK(all_right(map, pages));
		hog = fork();
		if (hog == 0) {
			touch(room - margin);
			_exit(0);
		}
		CHECK_EQ(test_wait(hog), 0);
		CHECK(number("/proc/vmstat", "pgsteal_direct") - stolen > margin / (long)PAGE);
		CHECK(all_right(map, pages));
		_exit(map[pages * (long)PAGE] != 0);
	}
	while (last != pages) {
		struct event e = next_event();

		CHECK_EQ(e.op, TERN_EV_PAGE_IN);
		last = e.a0 / (long)PAGE;
		page[5] = last == pages ? 0 : last + 1;
		CHECK_EQ(tern_memobj_write(object, e.a0, page, PAGE), PAGE);
		asked++;
	}
	again = asked - pages - 1;
	CHECK_EQ(test_wait(pid), 0);
	CHECK(again > margin / (long)PAGE);
}
