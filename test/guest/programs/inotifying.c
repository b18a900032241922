/* inotify: which events come of what, in which order; watches, their ends, reading and waiting. */
#include "test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int fd;

static void begin(void)
{
	fd = inotify_init1(IN_NONBLOCK);
	CHECK(fd >= 0);
	CHECK_EQ(mkdir("d", 0755), 0);
}

static int watch(const char *path, unsigned mask)
{
	int wd = inotify_add_watch(fd, path, mask);

	CHECK(wd > 0);
	return wd;
}

static char events[65536] __attribute__((aligned(8)));
static char *at, *end;
static unsigned cookie;

/* The next event is this one. */
static void next(int wd, unsigned mask, const char *name)
{
	struct inotify_event *e;

	if (at == end) {
		ssize_t n = read(fd, events, sizeof events);

		if (n <= 0)
			printf("  no event for %#x %s\n", mask, name ? name : "");
		CHECK(n > 0);
		at = events;
		end = events + n;
	}
	e = (struct inotify_event *)(void *)at;
	at += sizeof *e + e->len;
	cookie = e->cookie;
	if (e->wd != wd || e->mask != mask || strcmp(e->len ? e->name : "", name ? name : ""))
		printf("  event %#x of %d for \"%s\", want %#x of %d for \"%s\"\n", e->mask, e->wd,
		       e->len ? e->name : "", mask, wd, name ? name : "");
	CHECK(e->wd == wd && e->mask == mask && !strcmp(e->len ? e->name : "", name ? name : ""));
}

static void none(void)
{
	CHECK(at == end);
	CHECK_ERR(read(fd, events, sizeof events), EAGAIN);
}

TEST(a_file)
{
	struct timespec t[2] = { { 1, 0 }, { 2, 0 } };
	int wd, f;
	char c;

	begin();
	f = open("d/f", O_CREAT | O_RDWR, 0644);
	wd = watch("d/f", IN_ALL_EVENTS);
	CHECK_EQ(write(f, "ab", 2), 2);
	CHECK_EQ(write(f, "c", 1), 1);
	next(wd, IN_MODIFY, NULL); /* twice the same is once */
	CHECK_EQ(pread(f, &c, 1, 0), 1);
	next(wd, IN_ACCESS, NULL);
	CHECK_EQ(pread(f, &c, 1, 10), 0);
	CHECK_EQ(close(f), 0);
	next(wd, IN_CLOSE_WRITE, NULL);
	f = open("d/f", O_RDONLY);
	close(f);
	next(wd, IN_OPEN, NULL);
	next(wd, IN_CLOSE_NOWRITE, NULL);
	CHECK_EQ(chmod("d/f", 0600), 0);
	next(wd, IN_ATTRIB, NULL);
	CHECK_EQ(truncate("d/f", 1), 0);
	next(wd, IN_MODIFY, NULL);
	CHECK_EQ(utimensat(AT_FDCWD, "d/f", t, 0), 0);
	next(wd, IN_ATTRIB, NULL);
	CHECK_EQ(close(open("d/f", O_WRONLY | O_TRUNC)), 0);
	next(wd, IN_OPEN, NULL);
	next(wd, IN_MODIFY, NULL);
	next(wd, IN_CLOSE_WRITE, NULL);
	CHECK_EQ(link("d/f", "d/g"), 0);
	next(wd, IN_ATTRIB, NULL);
	CHECK_EQ(unlink("d/g"), 0);
	next(wd, IN_ATTRIB, NULL);
	CHECK_EQ(rename("d/f", "d/h"), 0);
	next(wd, IN_MOVE_SELF, NULL);
	f = open("d/h", O_PATH);
	close(f);
	none();
	CHECK_EQ(unlink("d/h"), 0);
	next(wd, IN_ATTRIB, NULL);
	next(wd, IN_DELETE_SELF, NULL);
	next(wd, IN_IGNORED, NULL);
	none();
	CHECK_ERR(inotify_rm_watch(fd, wd), EINVAL);
}

TEST(a_directory)
{
	int wd, sub, f;
	unsigned c;

	begin();
	wd = watch("d", IN_ALL_EVENTS);
	f = open("d/f", O_CREAT | O_WRONLY, 0644);
	next(wd, IN_CREATE, "f");
	next(wd, IN_OPEN, "f");
	CHECK_EQ(write(f, "x", 1), 1);
	close(f);
	next(wd, IN_MODIFY, "f");
	next(wd, IN_CLOSE_WRITE, "f");
	CHECK_EQ(mkdir("d/s", 0755), 0);
	next(wd, IN_CREATE | IN_ISDIR, "s");
	CHECK_EQ(symlink("f", "d/l"), 0);
	next(wd, IN_CREATE, "l");
	CHECK_EQ(mkfifo("d/p", 0644), 0);
	next(wd, IN_CREATE, "p");
	CHECK_EQ(link("d/f", "d/g"), 0);
	next(wd, IN_CREATE, "g");
	CHECK_EQ(unlink("d/g"), 0);
	next(wd, IN_DELETE, "g");
	CHECK_EQ(chmod("d/s", 0700), 0);
	next(wd, IN_ATTRIB | IN_ISDIR, "s");
	CHECK_EQ(chmod("d", 0700), 0);
	next(wd, IN_ATTRIB | IN_ISDIR, NULL);
	sub = watch("d/s", IN_ALL_EVENTS);
	CHECK_EQ(rename("d/f", "d/e"), 0);
	next(wd, IN_MOVED_FROM, "f");
	c = cookie;
	next(wd, IN_MOVED_TO, "e");
	CHECK(c && c == cookie);
	CHECK_EQ(rename("d/e", "d/s/e"), 0);
	next(wd, IN_MOVED_FROM, "e");
	CHECK(cookie != c);
	next(sub, IN_MOVED_TO, "e");
	CHECK_EQ(rename("d/s", "d/t"), 0);
	next(wd, IN_MOVED_FROM | IN_ISDIR, "s");
	next(wd, IN_MOVED_TO | IN_ISDIR, "t");
	next(sub, IN_MOVE_SELF, NULL);
	CHECK_EQ(unlink("d/t/e"), 0);
	next(sub, IN_DELETE, "e");
	CHECK_EQ(rmdir("d/t"), 0);
	next(sub, IN_DELETE_SELF, NULL);
	next(sub, IN_IGNORED, NULL);
	next(wd, IN_DELETE | IN_ISDIR, "t");
	none();
}

TEST(who_is_told)
{
	int dir, own;

	begin();
	close(open("d/f", O_CREAT | O_WRONLY, 0644));
	dir = watch("d", IN_CLOSE_WRITE | IN_DELETE);
	own = watch("d/f", IN_CLOSE);
	close(open("d/f", O_WRONLY));
	next(dir, IN_CLOSE_WRITE, "f");
	next(own, IN_CLOSE_WRITE, NULL);
	CHECK_EQ(watch("d/f", IN_OPEN), own); /* instead */
	close(open("d/f", O_RDONLY));
	next(own, IN_OPEN, NULL);
	CHECK_EQ(watch("d/f", IN_MODIFY | IN_MASK_ADD), own);
	CHECK_EQ(truncate("d/f", 3), 0);
	next(own, IN_MODIFY, NULL);
	CHECK_ERR(inotify_add_watch(fd, "d/f", IN_OPEN | IN_MASK_CREATE), EEXIST);
	CHECK_EQ(inotify_rm_watch(fd, own), 0);
	next(own, IN_IGNORED, NULL);
	own = watch("d/f", IN_OPEN | IN_ONESHOT);
	close(open("d/f", O_RDONLY));
	next(own, IN_OPEN, NULL);
	next(own, IN_IGNORED, NULL);
	close(open("d/f", O_RDONLY));
	none();
}

TEST(rename_over)
{
	int a, b;

	begin();
	close(open("d/a", O_CREAT | O_WRONLY, 0644));
	close(open("d/b", O_CREAT | O_WRONLY, 0644));
	a = watch("d/a", IN_ALL_EVENTS);
	b = watch("d/b", IN_ALL_EVENTS);
	CHECK_EQ(rename("d/a", "d/b"), 0);
	next(b, IN_ATTRIB, NULL);
	next(a, IN_MOVE_SELF, NULL);
	next(b, IN_DELETE_SELF, NULL);
	next(b, IN_IGNORED, NULL);
	none();
}

TEST(while_it_is_open)
{
	int wd, f;

	begin();
	f = open("d/f", O_CREAT | O_WRONLY, 0644);
	wd = watch("d/f", IN_DELETE_SELF | IN_CLOSE);
	CHECK_EQ(unlink("d/f"), 0);
	none();
	close(f);
	next(wd, IN_CLOSE_WRITE, NULL);
	next(wd, IN_DELETE_SELF, NULL);
	next(wd, IN_IGNORED, NULL);
}

/* A name that is gone is told of while the file is open, unless that is not wanted. */
TEST(unlinked_and_open)
{
	int wd, f;

	begin();
	f = open("d/f", O_CREAT | O_WRONLY, 0644);
	wd = watch("d", IN_MODIFY);
	CHECK_EQ(unlink("d/f"), 0);
	CHECK_EQ(write(f, "x", 1), 1);
	next(wd, IN_MODIFY, "f");
	CHECK_EQ(watch("d", IN_MODIFY | IN_EXCL_UNLINK), wd);
	CHECK_EQ(write(f, "x", 1), 1);
	none();
}

TEST(arguments)
{
	char small[8];
	int n, other = open("/dev/null", O_RDONLY);
	pid_t pid;

	begin();
	close(open("d/f", O_CREAT | O_WRONLY, 0644));
	CHECK_EQ(symlink("f", "d/l"), 0);
	CHECK_ERR(inotify_init1(1 << 3), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "d/none", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, "d/f", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "d/f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_ERR(inotify_add_watch(-1, "d/f", IN_OPEN), EBADF);
	CHECK_ERR(inotify_add_watch(other, "d/f", IN_OPEN), EINVAL);
	CHECK_ERR(inotify_rm_watch(other, 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
	CHECK(watch("d/f", IN_OPEN) != watch("d/l", IN_ATTRIB | IN_DONT_FOLLOW));
	close(open("d/f", O_RDONLY));
	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	CHECK_EQ(n, 16);
	CHECK_ERR(read(fd, small, sizeof small), EINVAL);
	CHECK_ERR(write(fd, small, 1), EBADF);
	CHECK_EQ(fcntl(fd, F_GETFL), O_NONBLOCK);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(chmod("d/f", 0600), 0);
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		_exit(inotify_add_watch(fd, "d/f", IN_OPEN) == -1 && errno == EACCES ? 0 : 1);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(fdinfo)
{
	char name[64], text[1024], want[64];
	struct stat st;
	FILE *f;
	size_t n;

	begin();
	CHECK_EQ(watch("d", IN_CREATE | IN_ONESHOT), 1);
	CHECK_EQ(stat("d", &st), 0);
	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
	f = fopen(name, "r");
	CHECK(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	fclose(f);
	snprintf(want, sizeof want, "inotify wd:1 ino:%lx sdev:", (unsigned long)st.st_ino);
	CHECK(strstr(text, want) && strstr(text, " mask:80000100 "));
}

TEST(waiting)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int wd, ep = epoll_create1(0), p[2];
	pid_t pid;
	char c;

	begin();
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	wd = watch("d", IN_CREATE);
	CHECK_EQ(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0), 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	CHECK_EQ(pipe(p), 0);
	TEST_BLOCKED_CHILD(pid, next(wd, IN_CREATE, "f"); _exit(write(p[1], "x", 1) == 1 ? 0 : 1));
	close(open("d/f", O_CREAT | O_WRONLY, 0644));
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
	TEST_BLOCKED_CHILD(pid, (void)!read(fd, events, sizeof events));
	kill(pid, SIGKILL);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	close(open("d/g", O_CREAT | O_WRONLY, 0644));
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 1);
	CHECK_EQ(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0), 1);
	next(wd, IN_CREATE, "g");
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
}

TEST(too_many)
{
	int wd, n = 0;
	char name[32];

	begin();
	wd = watch("d", IN_CREATE | IN_DELETE);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "d/%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
		unlink(name);
	}
	for (;;) {
		struct inotify_event *e;

		if (at == end) {
			ssize_t got = read(fd, events, sizeof events);

			CHECK(got > 0);
			at = events;
			end = events + got;
		}
		e = (struct inotify_event *)(void *)at;
		at += sizeof *e + e->len;
		if (e->mask == IN_Q_OVERFLOW) {
			CHECK_EQ(e->wd, -1);
			break;
		}
		CHECK_EQ(e->wd, wd);
		n++;
	}
	CHECK_EQ(n, 16384);
	none();
}

/* An inotify descriptor is no file; by number, by name and as a place it still has an inode's answers. */
TEST(as_a_descriptor)
{
	char name[40];
	struct stat st;
	int on = 1;

	begin();
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	CHECK_EQ(stat(name, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(access(name, F_OK), 0);
	CHECK_ERR(open(name, O_RDONLY), ENXIO);
	snprintf(name, sizeof name, "/dev/fd/%d", fd);
	CHECK_ERR(open(name, O_RDONLY), ENXIO);
	CHECK_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
	CHECK_ERR(fchdir(fd), ENOTDIR);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_ERR(write(fd, "x", 1), EBADF);
	CHECK_ERR(pread(fd, name, 1, 0), ESPIPE);
	CHECK_ERR(fsync(fd), EINVAL);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	CHECK_EQ(flock(fd, LOCK_EX), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(ioctl(fd, FIONBIO, &on), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

/* A copy that failed is no access. */
TEST(reads_and_writes_that_fail)
{
	int f, wd;
	char c;

	begin();
	f = open("d/f", O_CREAT | O_RDWR, 0644);
	CHECK_EQ(write(f, "ab", 2), 2);
	wd = watch("d/f", IN_ACCESS | IN_MODIFY);
	CHECK_ERR(pread(f, (void *)8, 1, 0), EFAULT);
	CHECK_ERR(pwrite(f, (void *)8, 1, 0), EFAULT);
	CHECK_EQ(lseek(f, 0, SEEK_SET), 0);
	CHECK_ERR(read(f, (void *)8, 1), EFAULT);
	none();
	CHECK_EQ(read(f, &c, 1), 1);
	next(wd, IN_ACCESS, NULL);
	CHECK_EQ(write(f, "x", 1), 1);
	next(wd, IN_MODIFY, NULL);
	close(f);
}
