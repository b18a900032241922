/* Files that have been read and written before, so that reads, writes and seeks of them go the shortest way there
 * is: whatever changes the file, the descriptor or who looks on is seen at once all the same. */
#include "serving.h"
#include <stdatomic.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#define PAGE 4096

/* A file of n bytes, the one at i being 'a' + i % 26, read and written a few times. */
static int warm_file(const char *name, size_t n, int flags)
{
	char *text = malloc(n + 1), c;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | flags, 0644);

	CHECK(fd >= 0 && text);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 26);
	CHECK_EQ(write(fd, text, n), n);
	for (unsigned i = 0; i < 3 && n; i++) {
		CHECK_EQ(pread(fd, &c, 1, 0), 1);
		CHECK_EQ(pwrite(fd, &c, 1, 0), 1);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	free(text);
	return fd;
}

static struct stat stat_of(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st;
}

static int64_t ns(const struct timespec *t) { return t->tv_sec * 1000000000ll + t->tv_nsec; }

static long fdinfo_pos(int fd)
{
	char name[64], text[200] = "";
	long pos = -1;
	int info;

	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
	info = open(name, O_RDONLY);
	CHECK(info >= 0 && read(info, text, sizeof text - 1) > 0);
	close(info);
	CHECK_EQ(sscanf(text, "pos: %ld", &pos), 1);
	return pos;
}

TEST(truncation_is_seen_by_the_next_read)
{
	int fd = warm_file("f", 100, 0), other = open("f", O_RDWR);
	char b[200];

	CHECK_EQ(pread(fd, b, 200, 0), 100);
	CHECK_EQ(ftruncate(other, 10), 0);
	CHECK_EQ(pread(fd, b, 200, 0), 10);
	CHECK_EQ(pread(fd, b, 200, 10), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
	CHECK_EQ(ftruncate(other, 50), 0);
	CHECK_EQ(pread(fd, b, 200, 5), 45);
	CHECK(!memcmp(b, "fghij\0\0\0", 8));
	CHECK_EQ(lseek(fd, -1, SEEK_END), 49);
	CHECK_EQ(read(fd, b, 200), 1);
	CHECK_EQ(read(fd, b, 200), 0);
	CHECK_EQ(truncate("f", 0), 0);
	CHECK_EQ(pread(fd, b, 1, 0), 0);
	CHECK_EQ(pwrite(fd, "xy", 2, 0), 2);
	CHECK_EQ(pread(fd, b, 9, 0), 2);
	close(open("f", O_WRONLY | O_TRUNC));
	CHECK_EQ(pread(fd, b, 9, 0), 0);
}

TEST(growth_is_seen)
{
	int fd = warm_file("f", 100, 0), end = open("f", O_WRONLY | O_APPEND);
	char b[8];

	CHECK_EQ(lseek(fd, 0, SEEK_END), 100);
	CHECK_EQ(read(fd, b, 8), 0);
	CHECK_EQ(write(end, "more", 4), 4);
	CHECK_EQ(read(fd, b, 8), 4);
	CHECK(!memcmp(b, "more", 4));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 104);
	/* A write that begins within and ends behind. */
	CHECK_EQ(pwrite(fd, "1234", 4, 102), 4);
	CHECK_EQ(stat_of(fd).st_size, 106);
	CHECK_EQ(pread(end, b, 1, 0), -1);
	CHECK_EQ(pread(fd, b, 8, 100), 6);
	CHECK(!memcmp(b, "mo1234", 6));
}

TEST(an_offset_is_shared_by_dup_and_fork_alone)
{
	int fd = warm_file("f", 100, 0), twin = dup(fd), own = open("f", O_RDONLY);
	char b[10];
	pid_t pid;

	CHECK_EQ(read(fd, b, 3), 3);
	CHECK_EQ(read(twin, b, 3), 3);
	CHECK_EQ(b[0], 'd');
	CHECK_EQ(read(own, b, 1), 1);
	CHECK_EQ(b[0], 'a');
	pid = fork();
	if (!pid) {
		CHECK_EQ(read(fd, b, 2), 2);
		CHECK_EQ(b[0], 'g');
		CHECK_EQ(write(twin, "XY", 2), 2);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_EQ(pread(own, b, 2, 8), 2);
	CHECK(!memcmp(b, "XY", 2));
	CHECK_EQ(lseek(own, 0, SEEK_CUR), 1);
	CHECK_EQ(fdinfo_pos(fd), 10);
	CHECK_EQ(fdinfo_pos(own), 1);
}

TEST(seeks)
{
	int fd = warm_file("f", 100, 0);
	char b[4];

	CHECK_EQ(lseek(fd, 40, SEEK_SET), 40);
	CHECK_EQ(lseek(fd, -30, SEEK_CUR), 10);
	CHECK_ERR(lseek(fd, -11, SEEK_CUR), EINVAL);
	CHECK_ERR(lseek(fd, -101, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, 0, 77), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_EQ(lseek(fd, 5, SEEK_DATA), 5);
	CHECK_EQ(lseek(fd, 5, SEEK_HOLE), 100);
	CHECK_EQ(read(fd, b, 4), 0);
	CHECK_EQ(lseek(fd, 1000, SEEK_SET), 1000);
	CHECK_EQ(read(fd, b, 4), 0);
	CHECK_EQ(lseek(fd, INT64_MAX, SEEK_SET), INT64_MAX);
	CHECK(lseek(fd, 1, SEEK_CUR) == -1 && (errno == EOVERFLOW || errno == EINVAL));
	CHECK_EQ(lseek(fd, -INT64_MAX, SEEK_CUR), 0);
	CHECK_EQ(read(fd, b, 0), 0);
	CHECK_EQ(write(fd, b, 0), 0);
	CHECK_ERR(pread(fd, b, 1, -1), EINVAL);
	CHECK_ERR(pwrite(fd, b, 1, INT64_MIN), EINVAL);
	CHECK_EQ(pread(fd, b, 1, INT64_MAX - 1), 0);
}

TEST(a_mapping_and_the_calls_see_the_same)
{
	int fd = warm_file("f", 2 * PAGE, 0);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), b[8];

	CHECK(p != MAP_FAILED);
	CHECK_EQ(pread(fd, b, 1, 0), 1);
	p[PAGE] = 'M';
	CHECK_EQ(pread(fd, b, 2, PAGE), 2);
	CHECK_EQ(b[0], 'M');
	CHECK_EQ(pwrite(fd, "calls", 5, PAGE - 2), 5);
	CHECK_EQ(pwrite(fd, "calls", 5, PAGE - 2), 5);
	CHECK(!memcmp(p + PAGE - 2, "calls", 5));
	/* From the file's own pages, and into them. */
	CHECK_EQ(pwrite(fd, p + 3, 8, 0), 8);
	CHECK(!memcmp(p, "defghijk", 8));
	CHECK_EQ(pread(fd, p + 100, 8, 0), 8);
	CHECK(!memcmp(p + 100, "defghijk", 8));
}

TEST(appending_can_be_turned_on_and_off)
{
	int fd = warm_file("f", 100, 0), app = open("f", O_RDWR | O_APPEND);
	char b[8];

	CHECK_EQ(read(fd, b, 5), 5);
	CHECK_EQ(write(fd, "A", 1), 1);
	CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND), 0);
	CHECK_EQ(write(fd, "end", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 103);
	CHECK_EQ(pread(app, b, 3, 100), 3);
	CHECK(!memcmp(b, "end", 3));
	CHECK_EQ(read(app, b, 2), 2);
	CHECK_EQ(read(app, b, 2), 2);
	CHECK_EQ(write(app, "!", 1), 1);
	CHECK_EQ(stat_of(fd).st_size, 104);
	CHECK_EQ(lseek(app, 0, SEEK_CUR), 104);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, b, 1), 1);
	CHECK_EQ(write(fd, "B", 1), 1);
	CHECK_EQ(stat_of(fd).st_size, 104);
	CHECK_EQ(pread(fd, b, 6, 0), 6);
	CHECK(!memcmp(b, "aBcdeA", 6));
}

TEST(rights_are_the_descriptor_s)
{
	int fd = warm_file("f", 100, 0), in = open("f", O_RDONLY), out = open("f", O_WRONLY);
	int path = open("f", O_PATH);
	char b[2];

	CHECK_EQ(read(in, b, 1), 1);
	CHECK_EQ(write(out, "x", 1), 1);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(read(in, b, 1), 1);
		CHECK_EQ(write(out, "x", 1), 1);
		CHECK_ERR(write(in, b, 1), EBADF);
		CHECK_ERR(pwrite(in, b, 1, 0), EBADF);
		CHECK_ERR(read(out, b, 1), EBADF);
		CHECK_ERR(pread(out, b, 1, 0), EBADF);
		CHECK_ERR(read(path, b, 1), EBADF);
		CHECK_ERR(lseek(path, 0, SEEK_CUR), EBADF);
	}
	close(fd);
	CHECK_ERR(read(fd, b, 1), EBADF);
}

TEST(vectors_and_single_buffers_share_the_offset)
{
	int fd = warm_file("f", 100, 0);
	char a[4], b[4];
	struct iovec v[2] = { { a, 2 }, { b, 3 } };

	CHECK_EQ(read(fd, a, 1), 1);
	CHECK_EQ(readv(fd, v, 2), 5);
	CHECK(!memcmp(a, "bc", 2) && !memcmp(b, "def", 3));
	CHECK_EQ(read(fd, a, 1), 1);
	CHECK_EQ(a[0], 'g');
	CHECK_EQ(writev(fd, v, 2), 5);
	CHECK_EQ(write(fd, "Z", 1), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 13);
	CHECK_EQ(preadv(fd, v, 2, 11), 5);
	CHECK(!memcmp(a, "fZ", 2) && !memcmp(b, "nop", 3));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 13);
}

TEST(sendfile_goes_on_where_a_read_stopped)
{
	int fd = warm_file("f", 100, 0), ends[2];
	char b[20];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(read(fd, b, 5), 5);
	CHECK_EQ(read(fd, b, 5), 5);
	CHECK_EQ(sendfile(ends[1], fd, NULL, 10), 10);
	CHECK_EQ(read(ends[0], b, 20), 10);
	CHECK(!memcmp(b, "klmnopqrst", 10));
	CHECK_EQ(read(fd, b, 1), 1);
	CHECK_EQ(b[0], 'u');
	CHECK_EQ(read(fd, b, 1), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 22);
}

TEST(what_else_asks_for_the_offset)
{
	int fd = warm_file("f", 100, 0), left = 0;
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 1, .l_len = 2 };
	char b[10];
	pid_t pid;

	CHECK_EQ(read(fd, b, 10), 10);
	CHECK_EQ(read(fd, b, 10), 10);
	CHECK_EQ(ioctl(fd, FIONREAD, &left), 0);
	CHECK_EQ(left, 80);
	CHECK_EQ(read(fd, b, 10), 10);
	CHECK_EQ(read(fd, b, 10), 10);
	CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
	pid = fork();
	if (!pid) {
		struct flock q = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };

		CHECK_EQ(fcntl(fd, F_GETLK, &q), 0);
		CHECK_EQ(q.l_type, F_WRLCK);
		CHECK_EQ(q.l_start, 41);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

TEST(bad_buffers)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = warm_file("f", 100, 0);
	char b[10];

	CHECK(p != MAP_FAILED && munmap(p + PAGE, PAGE) == 0);
	CHECK_EQ(read(fd, b, 1), 1);
	CHECK_EQ(read(fd, p + PAGE - 3, 10), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK(!memcmp(p + PAGE - 3, "bcd", 3));
	CHECK_ERR(read(fd, p + PAGE, 10), EFAULT);
	CHECK_ERR(read(fd, (void *)~0ul, 10), EFAULT);
	CHECK_ERR(write(fd, p + PAGE, 10), EFAULT);
	CHECK_ERR(pread(fd, p + PAGE, 10, 0), EFAULT);
	CHECK_ERR(pread(fd, (void *)(1ul << 38), 10, 0), EFAULT);
	CHECK_ERR(pwrite(fd, (void *)(0x4000000000ul - 4), 10, 0), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQ(mprotect(p, PAGE, PROT_READ), 0);
	CHECK_ERR(read(fd, p, 10), EFAULT);
	CHECK_EQ(read(fd, b, 1), 1);
	CHECK_EQ(b[0], 'e');
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	/* A buffer of which nothing has been touched yet. */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(write(fd, p, 10), 10);
	CHECK_EQ(pread(fd, b, 10, 5), 10);
	CHECK_EQ(b[0] | b[9], 0);
}

TEST(times)
{
	int fd = warm_file("f", 100, 0);
	struct stat a, b;
	struct timespec old[2] = { { 1000, 5 }, { 2000, 6 } };
	struct statvfs fs;
	bool once; /* Linux's first root moves access times at every read */
	char c;

	CHECK_EQ(fstatvfs(fd, &fs), 0);
	once = fs.f_flag & ST_RELATIME;
	test_sleep_ms(20);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	a = stat_of(fd);
	test_sleep_ms(20);
	/* relatime: the first read after a change, no other. */
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	b = stat_of(fd);
	CHECK_EQ(ns(&a.st_mtim), ns(&b.st_mtim));
	CHECK(!once || ns(&a.st_atim) == ns(&b.st_atim));
	a = b;
	test_sleep_ms(20);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	CHECK_EQ(stat("f", &b), 0);
	CHECK(ns(&b.st_mtim) >= ns(&a.st_mtim) + 20000000);
	CHECK_EQ(ns(&b.st_mtim), ns(&b.st_ctim));
	CHECK_EQ(ns(&a.st_atim), ns(&b.st_atim));
	test_sleep_ms(20);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	a = stat_of(fd);
	CHECK(ns(&a.st_atim) >= ns(&b.st_mtim) + 10000000);
	CHECK_EQ(ns(&a.st_mtim), ns(&b.st_mtim));
	test_sleep_ms(20);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	b = stat_of(fd);
	CHECK(!once || ns(&a.st_atim) == ns(&b.st_atim));
	/* Times that were set stay until something happens. */
	CHECK_EQ(pwrite(fd, "y", 1, 0), 1);
	CHECK_EQ(futimens(fd, old), 0);
	b = stat_of(fd);
	CHECK_EQ(ns(&b.st_atim), ns(&old[0]));
	CHECK_EQ(ns(&b.st_mtim), ns(&old[1]));
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	b = stat_of(fd);
	CHECK(ns(&b.st_atim) > ns(&a.st_atim));
	CHECK_EQ(ns(&b.st_mtim), ns(&old[1]));
	CHECK_EQ(pwrite(fd, "z", 1, 0), 1);
	CHECK_EQ(pwrite(fd, "z", 1, 0), 1);
	b = stat_of(fd);
	CHECK(ns(&b.st_mtim) > ns(&a.st_mtim));
	/* A change of mode is a change of the node. */
	test_sleep_ms(20);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	a = stat_of(fd);
	test_sleep_ms(20);
	CHECK_EQ(fchmod(fd, 0600), 0);
	test_sleep_ms(20);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	b = stat_of(fd);
	CHECK(ns(&b.st_ctim) > ns(&a.st_ctim));
	CHECK(ns(&b.st_atim) > ns(&b.st_ctim));
	CHECK_EQ(ns(&a.st_mtim), ns(&b.st_mtim));
}

TEST(the_last_writer_s_times_outlast_it)
{
	int fd = warm_file("f", 100, 0);
	struct stat a, b;

	a = stat_of(fd);
	test_sleep_ms(20);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	close(fd);
	CHECK_EQ(stat("f", &b), 0);
	CHECK(ns(&b.st_mtim) >= ns(&a.st_mtim) + 10000000);
	CHECK_EQ(ns(&b.st_mtim), ns(&b.st_ctim));
}

TEST(noatime)
{
	int fd = warm_file("f", 100, 0), quiet = open("f", O_RDONLY | O_NOATIME);
	struct stat a, b;
	char c;

	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(pread(quiet, &c, 1, 0), 1);
	CHECK_EQ(pread(quiet, &c, 1, 0), 1);
	test_sleep_ms(20);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	a = stat_of(fd);
	test_sleep_ms(20);
	CHECK_EQ(pread(quiet, &c, 1, 0), 1);
	b = stat_of(fd);
	CHECK_EQ(ns(&a.st_atim), ns(&b.st_atim));
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	b = stat_of(fd);
	CHECK(ns(&b.st_atim) > ns(&b.st_mtim));
}

TEST(set_id_bits_go_with_the_next_write)
{
	int fd = warm_file("f", 100, 0);
	pid_t pid;

	CHECK_EQ(fchmod(fd, 06777), 0);
	pid = fork();
	if (!pid) {
		char c = 'x'; /* in a page that is there */

		CHECK_EQ(setgid(1000), 0);
		CHECK_EQ(setuid(1000), 0);
		CHECK_EQ(pwrite(fd, &c, 1, 0), 1);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(stat_of(fd).st_mode & 07777, 0777);
}

TEST(a_seal_stops_the_next_write)
{
	int fd = memfd_create("m", MFD_ALLOW_SEALING);
	char b[4] = "abc";

	CHECK_EQ(write(fd, b, 4), 4);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(pwrite(fd, b, 4, 0), 4);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_ERR(pwrite(fd, b, 4, 0), EPERM);
	CHECK_EQ(pread(fd, b, 4, 0), 4);
	CHECK_ERR(pwrite(fd, b, 4, 0), EPERM);
}

static uint32_t seen(int in)
{
	char text[4096] __attribute__((aligned(8)));
	uint32_t mask = 0;
	ssize_t n = read(in, text, sizeof text);

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(text + at);

		mask |= e->mask;
		at += (ssize_t)(sizeof *e + e->len);
	}
	return mask;
}

TEST(watches_hear_of_every_access)
{
	int fd = warm_file("f", 100, 0), in = inotify_init1(IN_NONBLOCK), wd;
	char c;

	wd = inotify_add_watch(in, "f", IN_ACCESS | IN_MODIFY);
	CHECK(wd >= 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(pread(fd, &c, 1, 0), 1);
		CHECK_EQ(seen(in), IN_ACCESS);
		CHECK_EQ(pwrite(fd, &c, 1, 0), 1);
		CHECK_EQ(seen(in), IN_MODIFY);
	}
	CHECK_EQ(inotify_rm_watch(in, wd), 0);
	(void)seen(in);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	/* The folder's watch, and one of a folder that the file comes into. */
	CHECK(inotify_add_watch(in, ".", IN_ACCESS | IN_MODIFY) >= 0);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(seen(in), IN_ACCESS);
	CHECK_EQ(mkdir("d", 0700), 0);
	CHECK_EQ(mkdir("e", 0700), 0);
	CHECK_EQ(rename("f", "d/f"), 0);
	(void)seen(in);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(seen(in), 0);
	CHECK(inotify_add_watch(in, "e", IN_ACCESS | IN_MODIFY) >= 0);
	CHECK_EQ(rename("d/f", "e/g"), 0);
	CHECK_EQ(pwrite(fd, &c, 1, 0), 1);
	CHECK_EQ(seen(in), IN_MODIFY);
}

TEST(holes)
{
	int fd = warm_file("f", 3 * PAGE, 0);
	char b[PAGE];
	struct stat st;

	CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE), 0);
	CHECK_EQ(pread(fd, b, PAGE, PAGE), PAGE);
	CHECK_EQ(b[0] | b[PAGE - 1], 0);
	CHECK_EQ(pread(fd, b, PAGE, PAGE), PAGE);
	CHECK_EQ(b[0] | b[PAGE - 1], 0);
	st = stat_of(fd);
	CHECK_EQ(st.st_blocks, 16);
	CHECK_EQ(pwrite(fd, "x", 1, PAGE + 5), 1);
	CHECK_EQ(pwrite(fd, "y", 1, PAGE + 6), 1);
	CHECK_EQ(pread(fd, b, 3, PAGE + 5), 3);
	CHECK(!memcmp(b, "xy\0", 3));
	CHECK_EQ(stat_of(fd).st_blocks, 24);
}

TEST(large_files)
{
	const size_t size = 3 << 20;
	char *b = malloc(size + 1);
	int fd = warm_file("f", size, 0);
	static const size_t lengths[] = { 1, 4096, 65536, 262144, 262145, 1 << 20, 3 << 20 };

	for (unsigned k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
		size_t n = lengths[k], off = (size - n) & ~(size_t)1, done = off;

		memset(b, 0, size);
		CHECK_EQ(lseek(fd, (off_t)off, SEEK_SET), off);
		CHECK_EQ(read(fd, b, n), n);
		for (size_t i = 0; i < n; i++)
			CHECK(b[i] == (char)('a' + (off + i) % 26));
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), done + n);
		CHECK_EQ(pread(fd, b, n + 1, (off_t)(size - n)), n);
		CHECK_EQ(pwrite(fd, b, n, (off_t)(size - n)), n);
		CHECK_EQ(stat_of(fd).st_size, size);
	}
}

/* ---- several at once ---- */

#define RECORDS 4000
static int shared_fd;
static atomic_bool stop;
static unsigned char taken[RECORDS];

static void *take_records(void *arg)
{
	uint32_t r;

	(void)arg;
	while (read(shared_fd, &r, sizeof r) == sizeof r)
		__atomic_fetch_add(&taken[r], 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST(threads_share_an_offset)
{
	static uint32_t records[RECORDS];
	pthread_t t[4];

	for (uint32_t i = 0; i < RECORDS; i++)
		records[i] = i;
	shared_fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(write(shared_fd, records, sizeof records), sizeof records);
	CHECK_EQ(lseek(shared_fd, 0, SEEK_SET), 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, take_records, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < RECORDS; i++)
		CHECK_EQ(taken[i], 1);
}

static void *put_records(void *arg)
{
	uint32_t who = (uint32_t)(uintptr_t)arg;

	for (uint32_t i = 0; i < RECORDS / 4; i++) {
		uint32_t r = who * (RECORDS / 4) + i;

		CHECK_EQ(write(shared_fd, &r, sizeof r), sizeof r);
	}
	return NULL;
}

TEST(threads_write_each_at_a_place_of_its_own)
{
	static uint32_t records[RECORDS];
	pthread_t t[4];

	shared_fd = warm_file("f", sizeof records, 0);
	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, put_records, (void *)i), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(pread(shared_fd, records, sizeof records, 0), sizeof records);
	for (unsigned i = 0; i < RECORDS; i++)
		taken[records[i]]++;
	for (unsigned i = 0; i < RECORDS; i++)
		CHECK_EQ(taken[i], 1);
}

static void *write_blocks(void *arg)
{
	static char block[2][8192];
	char *b = block[(uintptr_t)arg];

	memset(b, 'A' + (int)(uintptr_t)arg, sizeof block[0]);
	for (unsigned i = 0; i < 500; i++)
		CHECK_EQ(pwrite(shared_fd, b, sizeof block[0], 100), sizeof block[0]);
	return NULL;
}

/* Two writes of one range do not mix. */
TEST(writes_are_whole)
{
	static char b[8192];

	shared_fd = warm_file("f", 4 * PAGE, 0);
	for (unsigned round = 0; round < 8; round++) {
		pthread_t t[2];

		for (uintptr_t i = 0; i < 2; i++)
			CHECK_EQ(pthread_create(&t[i], NULL, write_blocks, (void *)i), 0);
		for (unsigned i = 0; i < 2; i++)
			pthread_join(t[i], NULL);
		CHECK_EQ(pread(shared_fd, b, sizeof b, 100), sizeof b);
		for (unsigned i = 1; i < sizeof b; i++)
			CHECK_EQ(b[i], b[0]);
	}
}

static void *resize(void *arg)
{
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		CHECK_EQ(ftruncate(*(int *)arg, i & 1 ? 64 * 1024 : i % 5000), 0);
		if (i % 3 == 0)
			CHECK_EQ(pwrite(*(int *)arg, "aaaaaaaa", 8, 0), 8);
	}
	return NULL;
}

/* Whatever a read meets, it is bytes that were there, zeroes of the file's, or its end. */
TEST(reads_and_truncation_at_once)
{
	static char b[64 * 1024];
	int fd = warm_file("f", 0, 0), other = open("f", O_RDWR);
	uint64_t end = test_now_ns() + 700000000ull;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, resize, &other), 0);
	while (test_now_ns() < end) {
		ssize_t n;

		memset(b, 0x55, sizeof b);
		n = pread(fd, b, sizeof b, 0);
		CHECK(n >= 0 && n <= (ssize_t)sizeof b);
		for (ssize_t i = 0; i < n; i++)
			CHECK(b[i] == 'a' || b[i] == 0);
		for (size_t i = (size_t)n; i < sizeof b; i += 100)
			CHECK(b[i] == 0x55 || b[i] == 0 || b[i] == 'a');
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
}

static void *close_and_open(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		int fd = open("f", O_RDWR);

		CHECK(fd >= 0);
		CHECK_EQ(dup2(fd, shared_fd), shared_fd);
		close(fd);
		if (rename("f", "g") == 0 && rename("g", "f"))
			CHECK(false);
	}
	return NULL;
}

TEST(descriptors_that_are_replaced_while_in_use)
{
	static char b[PAGE];
	uint64_t end = test_now_ns() + 700000000ull;
	pthread_t t;

	shared_fd = warm_file("f", PAGE, 0);
	CHECK_EQ(pthread_create(&t, NULL, close_and_open, NULL), 0);
	while (test_now_ns() < end) {
		ssize_t n = read(shared_fd, b, sizeof b);

		CHECK(n == 0 || (n == PAGE && b[25] == 'z'));
		CHECK_EQ(pread(shared_fd, b, 10, 0), 10);
		CHECK_EQ(pwrite(shared_fd, b, 10, 0), 10);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
}

/* ---- servers of files ---- */

#ifdef __riscv
#include "../../../user/lib/native.c" /* tern_reply_with */
#endif

#define BOTH (TERN_FILE_READ | TERN_FILE_WRITE)
static struct {
	int object;
	uint64_t offset, length, flags;
	long taken; /* what TERN_FILE_TAKE said, if `take` */
	bool take, end;
	atomic_int messages;
} server;

/* Answers what comes with one byte of the object, and says what a file the session is. */
static long file_server(struct tern_msg *m)
{
	struct tern_reply x = { TERN_REPLY_COPY_MEMOBJ | TERN_REPLY_FILE, 0, 1, 0, (uint64_t)server.object,
				server.offset, server.length, server.flags, 0 };

	server.messages++;
	if (server.end)
		pthread_exit(NULL);
	if (server.take)
		server.taken = tern_file_take(m->token, -1, 0);
	if (TERN_MSG_OP(m->op) == __NR_write || TERN_MSG_OP(m->op) == __NR_pwrite64)
		x.flags |= TERN_REPLY_IN;
	else if (TERN_MSG_OP(m->op) != __NR_read && TERN_MSG_OP(m->op) != __NR_pread64)
		return -ENOSYS;
	tern_reply_with(m->token, 0, &x);
	return SERVING_NO_REPLY;
}

static int begin_file_server(void)
{
	int fd = serving_begin(TERN_KIND_FILE, file_server);

	server.object = (int)tern_memobj_create(2 * PAGE, 1);
	CHECK(server.object >= 0);
	CHECK_EQ(tern_memobj_write(server.object, 0, "0123456789", 10), 10);
	server.length = 10;
	server.flags = BOTH | BOTH << TERN_FILE_SESSION_SHIFT;
	return fd;
}

TEST(the_server_is_not_asked)
{
	int fd = begin_file_server();
	struct tern_memobj_info info;
	char b[PAGE] = "";

	server.offset = 3;
	CHECK_EQ(read(fd, b, 1), 1);
	CHECK_EQ(b[0], '0');
	CHECK_EQ(read(fd, b, 4), 4);
	CHECK(!memcmp(b, "3456", 4));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(lseek(fd, -3, SEEK_CUR), 5);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
	CHECK_EQ(read(fd, b, 4), 0);
	CHECK_EQ(pread(fd, b, 100, 6), 4);
	CHECK(!memcmp(b, "6x89", 4));
	CHECK_EQ(server.messages, 1);
	CHECK_EQ(tern_memobj_count(server.object, &info), 0);
	CHECK(info.written);
	/* Beyond the length, in a page that is missing, from a buffer that is not there, and holes. */
	CHECK_EQ(pwrite(fd, "yz", 2, 9), 1);
	CHECK_EQ(server.messages, 2);
	CHECK_EQ(read(fd, (char *)8, 1), 0); /* at its end */
	CHECK_EQ(server.messages, 2);
	CHECK_ERR(pread(fd, (char *)8, 1, 0), EFAULT);
	CHECK_EQ(server.messages, 3);
	CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENOSYS);
	CHECK_EQ(server.messages, 4);
	/* The offset goes back; after that every call comes. */
	server.take = true;
	CHECK_EQ(pread(fd, b, TERN_FILE_READ_MAX + 1, 0), 1);
	CHECK_EQ(server.taken, 10);
	CHECK_EQ(server.messages, 5);
	CHECK_EQ(tern_memobj_withdraw(server.object), 0);
	CHECK_EQ(read(fd, b, 2), 1);
	CHECK_EQ(server.taken, 3);
	CHECK_EQ(server.messages, 6);
	CHECK_EQ(tern_file_take(12345, -1, 0), -ESRCH);
	CHECK_EQ(tern_memobj_withdraw(fd), -EBADF);
}

TEST(servers_that_say_nonsense)
{
	int fd = begin_file_server(), own = server.object, paged;
	char *b = calloc(1, 1 << 20);
	int n = 0;

	/* A length beyond the object's end: nothing comes from behind it, but the server's answer. */
	server.length = INT64_MAX;
	CHECK_EQ(pread(fd, b, 1, 0), 1);
	CHECK_EQ(pread(fd, b, 100000, 10), 2 * PAGE - 10);
	CHECK_EQ(pread(fd, b, 100, 2 * PAGE), 1);
	CHECK_EQ(pread(fd, b, 100, INT64_MAX - 50), 1);
	CHECK_EQ(pwrite(fd, b, 100, 2 * PAGE - 50), 1);
	CHECK_EQ(pwrite(fd, b, 100, INT64_MAX - 50), 1);
	CHECK_EQ(tern_memobj_withdraw(own), 0);
	/* Numbers that are no offset and no length; an object that is none, or whose pages may be missing. */
	paged = (int)TERN_OP4(TERN_MEMOBJ_CREATE, PAGE, 1, TERN_MEMOBJ_PAGED, 0);
	server.take = true;
	for (unsigned i = 0; i < 4; i++) {
		server.offset = i == 0 ? 1ull << 63 : 0;
		server.length = i == 1 ? ~0ull : 10;
		server.object = i == 2 ? fd : i == 3 ? paged : own;
		n = server.messages;
		for (unsigned k = 0; k < 3; k++)
			(void)!pread(fd, b, 1, 0);
		CHECK_EQ(server.messages - n, 3);
	}
	/* Another object, while the session has one. */
	server.take = false;
	server.object = own;
	server.flags = ~0ull;
	CHECK_EQ(pread(fd, b, 1, 0), 1);
	server.object = (int)tern_memobj_create(PAGE, 2);
	CHECK_EQ(pwrite(fd, b, 1, 1 << 20), 1);
	CHECK_EQ(pread(fd, b, 10, 0), 10);
	CHECK_EQ(b[5], 0);
	close(fd);
}

TEST(the_death_of_the_server)
{
	int fd = begin_file_server();
	char b[8];

	CHECK_EQ(read(fd, b, 1), 1);
	CHECK_EQ(read(fd, b, 4), 4);
	server.end = true;
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), EIO);
	CHECK_ERR(read(fd, b, 1), EIO);
	CHECK_ERR(pread(fd, b, 1, 0), EIO);
	CHECK_ERR(pwrite(fd, b, 1, 0), EIO);
	CHECK_ERR(lseek(fd, 0, SEEK_CUR), EIO);
}
