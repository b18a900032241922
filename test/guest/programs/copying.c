/* sendfile, splice, copy_file_range: between files, pipes and both, with offsets and without. */
#include "serving.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#define SIZE 200000

static unsigned char data[SIZE], back[SIZE];

static int make_file(const char *name, size_t n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(i * 7 + i / 251);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, data, n), (long)n);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* The file from `from` on holds n bytes of data at `at`. */
static void check_file(int fd, off_t from, size_t at, size_t n)
{
	memset(back, 0, n);
	CHECK_EQ(pread(fd, back, n, from), (long)n);
	CHECK(memcmp(back, data + at, n) == 0);
}

TEST(file_to_file)
{
	int in = make_file("in", SIZE), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644);
	off_t at = 1000;

	CHECK_EQ(sendfile(out, in, NULL, SIZE + 5000), SIZE);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), SIZE);
	CHECK_EQ(lseek(out, 0, SEEK_CUR), SIZE);
	check_file(out, 0, 0, SIZE);
	CHECK_EQ(sendfile(out, in, NULL, 10), 0);
	/* with an offset the descriptor's own stays */
	CHECK_EQ(sendfile(out, in, &at, 70000), 70000);
	CHECK_EQ(at, 71000);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), SIZE);
	check_file(out, SIZE, 1000, 70000);
	CHECK_EQ(sendfile(out, in, &at, 0), 0);
	close(in);
	close(out);
}

TEST(ranges)
{
	int in = make_file("in", SIZE), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644);
	loff_t from = 100, to = 5000;

	CHECK_EQ(copy_file_range(in, &from, out, &to, 100000, 0), 100000);
	CHECK_EQ(from, 100100);
	CHECK_EQ(to, 105000);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
	CHECK_EQ(lseek(out, 0, SEEK_CUR), 0);
	check_file(out, 5000, 100, 100000);
	CHECK_EQ(copy_file_range(in, NULL, out, NULL, 3000, 0), 3000);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 3000);
	check_file(out, 0, 0, 3000);
	from = SIZE;
	CHECK_EQ(copy_file_range(in, &from, out, NULL, 10, 0), 0);
	/* in one file: apart, and over each other */
	from = 0;
	to = 100000;
	CHECK_EQ(copy_file_range(in, &from, in, &to, 50000, 0), 50000);
	check_file(in, 100000, 0, 50000);
	from = 0;
	to = 10;
	CHECK_ERR(copy_file_range(in, &from, in, &to, 50, 0), EINVAL);
	CHECK_ERR(copy_file_range(in, NULL, out, NULL, 10, 1), EINVAL);
	close(in);
	close(out);
}

static void *drain(void *fd)
{
	size_t n = 0;
	long r;

	while ((r = read((int)(long)fd, back + n, sizeof back - n)) > 0)
		n += (size_t)r;
	return (void *)n;
}

TEST(file_to_pipe)
{
	int in = make_file("in", SIZE), p[2];
	pthread_t t;
	void *n;

	CHECK(pipe(p) == 0);
	CHECK(pthread_create(&t, NULL, drain, (void *)(long)p[0]) == 0);
	test_sleep_ms(20); /* it waits in read */
	CHECK_EQ(sendfile(p[1], in, NULL, 50000), 50000);
	for (long left = SIZE - 50000, r; left > 0; left -= r) {
		r = splice(in, NULL, p[1], NULL, (size_t)left, 0);
		CHECK(r > 0);
	}
	close(p[1]);
	CHECK(pthread_join(t, &n) == 0);
	CHECK_EQ((long)n, SIZE);
	CHECK(memcmp(back, data, SIZE) == 0);
	close(p[0]);
	/* a full pipe takes a part, and what it did not take is not lost */
	CHECK(pipe2(p, O_NONBLOCK) == 0);
	CHECK_EQ(lseek(in, 0, SEEK_SET), 0);
	long r = sendfile(p[1], in, NULL, SIZE);
	CHECK(r > 0 && r < SIZE);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), r);
	CHECK_ERR(sendfile(p[1], in, NULL, SIZE), EAGAIN);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), r);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(sendfile(p[1], in, NULL, SIZE), EPIPE);
	close(p[1]);
	close(in);
}

static void *late_writer(void *fd)
{
	test_sleep_ms(40);
	(void)!write((int)(long)fd, data, 3000);
	return NULL;
}

TEST(pipe_to_file_and_pipe)
{
	int out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644), p[2], q[2];
	loff_t at = 77;
	pthread_t t;

	make_file("in", 1);
	CHECK(pipe(p) == 0 && pipe(q) == 0);
	CHECK_ERR(splice(p[0], NULL, out, NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(pthread_create(&t, NULL, late_writer, (void *)(long)p[1]) == 0);
	/* it waits for the writer, and takes what comes */
	CHECK_EQ(splice(p[0], NULL, out, &at, 65536, 0), 3000);
	CHECK_EQ(at, 3077);
	check_file(out, 77, 0, 3000);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK_EQ(write(p[1], data, 500), 500);
	CHECK_EQ(splice(p[0], NULL, q[1], NULL, 1000, 0), 500);
	CHECK_EQ(read(q[0], back, 1000), 500);
	CHECK(memcmp(back, data, 500) == 0);
	close(p[1]);
	CHECK_EQ(splice(p[0], NULL, out, NULL, 10, 0), 0);
	close(p[0]);
	close(q[0]);
	close(q[1]);
	close(out);
}

/* What the target does not take stays in the pipe, before what came later. */
TEST(pipe_keeps_the_rest)
{
	struct rlimit small = { 1000, RLIM_INFINITY }, none = { RLIM_INFINITY, RLIM_INFINITY };
	int out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644), p[2], q[2];

	make_file("in", 1);
	CHECK(pipe(p) == 0 && pipe2(q, O_NONBLOCK) == 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(write(p[1], data, 3000), 3000);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
	CHECK_EQ(splice(p[0], NULL, out, NULL, 3000, 0), 1000);
	CHECK_ERR(splice(p[0], NULL, out, NULL, 3000, 0), EFBIG);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
	CHECK_EQ(write(p[1], data + 3000, 50000), 50000);
	while (write(q[1], data, 4096) > 0)
		;
	CHECK_ERR(splice(p[0], NULL, q[1], NULL, 20000, 0), EAGAIN);
	for (long n = 0, r; n < 52000; n += r) {
		r = read(p[0], back + n, (size_t)(52000 - n));
		CHECK(r > 0);
	}
	CHECK(memcmp(back, data + 1000, 52000) == 0);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
	close(out);
}

TEST(targets_that_append)
{
	int in = make_file("in", 100), out = open("out", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644), p[2];

	CHECK(pipe(p) == 0 && write(p[1], "abc", 3) == 3);
	CHECK_ERR(splice(p[0], NULL, out, NULL, 3, 0), EINVAL);
	CHECK_ERR(sendfile(out, in, NULL, 10), EINVAL);
	CHECK_ERR(copy_file_range(in, NULL, out, NULL, 10, 0), EBADF);
	CHECK_EQ(read(p[0], back, 10), 3);
	close(p[0]);
	close(p[1]);
	close(in);
	close(out);
}

TEST(within_one_file)
{
	int in, fd = open("both", O_RDWR | O_CREAT | O_TRUNC, 0644);
	loff_t from, to;

	make_file("in", 1);
	CHECK_EQ(write(fd, data, 1000), 1000);
	in = open("both", O_RDONLY);
	from = 0, to = 1000; /* the source ends where the target begins, whatever was asked for */
	CHECK_EQ(copy_file_range(in, &from, fd, &to, 5000, 0), 1000);
	from = 100, to = 1000;
	CHECK_ERR(copy_file_range(in, &from, fd, &to, 5000, 0), EINVAL);
	CHECK_ERR(copy_file_range(in, NULL, fd, NULL, 1001, 0), EINVAL); /* their own: 0 and 1000 */
	CHECK_EQ(copy_file_range(in, NULL, fd, NULL, 1000, 0), 1000);
	from = 10, to = 0;
	CHECK_ERR(copy_file_range(in, &from, fd, &to, (size_t)-5, 0), EOVERFLOW);
	close(in);
	close(fd);
}

static void nothing(int sig) { (void)sig; }

TEST(refused_and_interrupted)
{
	int in = make_file("in", 100), p[2], wr = open("out", O_WRONLY | O_CREAT, 0644);
	struct sigaction act = { .sa_handler = nothing };
	loff_t at = -1;
	off_t off = 0;

	CHECK(pipe(p) == 0);
	CHECK_ERR(sendfile(p[0], in, NULL, 10), EBADF);
	CHECK_ERR(sendfile(p[1], wr, NULL, 10), EBADF);
	CHECK_ERR(sendfile(p[1], 99, NULL, 10), EBADF);
	CHECK_ERR(sendfile(wr, p[0], NULL, 10), EINVAL);
	CHECK_ERR(sendfile(p[1], in, (off_t *)8, 10), EFAULT);
	CHECK_ERR(splice(in, NULL, wr, NULL, 10, 0), EINVAL);
	CHECK_ERR(splice(p[0], &at, wr, NULL, 10, 0), ESPIPE);
	CHECK_ERR(splice(p[0], NULL, wr, NULL, 10, 0x100), EINVAL);
	CHECK_EQ(splice(p[0], NULL, wr, NULL, 0, 0), 0);
	CHECK_ERR(copy_file_range(in, NULL, p[1], NULL, 10, 0), EINVAL);
	off = -5;
	CHECK_ERR(sendfile(p[1], in, &off, 10), EINVAL);
	/* the pipe stays empty: only the signal ends it */
	sigaction(SIGALRM, &act, NULL);
	ualarm(50000, 0);
	CHECK_ERR(splice(p[0], NULL, wr, NULL, 10, 0), EINTR);
	pid_t pid = fork();
	if (pid == 0) {
		splice(p[0], NULL, wr, NULL, 10, 0);
		_exit(1);
	}
	test_sleep_ms(50);
	kill(pid, SIGKILL);
	CHECK_EQ(test_wait(pid), SIGKILL);
	CHECK_EQ(write(p[1], "ab", 2), 2);
	CHECK_EQ(splice(p[0], NULL, wr, NULL, 10, 0), 2);
	close(p[0]);
	close(p[1]);
	close(in);
	close(wr);
}

TEST(an_offset_that_cannot_be_written)
{
	int in = open("empty", O_CREAT | O_RDWR, 0600), out = open("out", O_CREAT | O_RDWR, 0600);
	off_t *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_ERR(sendfile(out, in, at, 10), EFAULT);
	CHECK_EQ(write(in, "text", 4), 4);
	CHECK_ERR(sendfile(out, in, at, 10), EFAULT);
}

/* The checks of the three calls, in Linux's order. */
TEST(wrong_arguments)
{
	int in = make_file("in", 10), out = open("out", O_WRONLY | O_CREAT, 0644), p[2];
	int dir = open(".", O_RDONLY), proc = open("/proc/cpuinfo", O_RDONLY);
	const off_t top = LONG_MAX;
	loff_t from, to;
	off_t at = 0;

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	CHECK_ERR(sendfile(-1, in, (off_t *)8, 5), EFAULT);
	CHECK_ERR(sendfile(-1, in, NULL, 5), EBADF);
	CHECK_ERR(sendfile(-1, p[0], &at, 5), ESPIPE);
	CHECK_ERR(sendfile(p[1], dir, NULL, 5), EINVAL);
	CHECK_ERR(sendfile(out, in, NULL, (size_t)-1), EINVAL);
	at = top;
	CHECK_ERR(sendfile(out, in, &at, 1), EINVAL);
	at = top - 5;
	CHECK_EQ(sendfile(out, in, &at, 5), 0);
	from = 0;
	CHECK_ERR(splice(in, NULL, p[0], &from, 5, 0), ESPIPE);
	CHECK_ERR(splice(p[1], &from, in, NULL, 5, 0), ESPIPE);
	CHECK_ERR(splice(in, NULL, p[1], NULL, (size_t)-1, 0), EINVAL);
	from = top;
	CHECK_ERR(splice(in, &from, p[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(dir, NULL, p[1], NULL, 5, SPLICE_F_NONBLOCK), EINVAL);
	CHECK_ERR(tee(p[1], p[0], 1, 0), EBADF);
	CHECK_ERR(copy_file_range(-1, NULL, out, NULL, 5, 1), EBADF);
	CHECK_ERR(copy_file_range(in, (loff_t *)8, out, NULL, 5, 1), EFAULT);
	CHECK_ERR(copy_file_range(in, NULL, dir, NULL, 5, 0), EISDIR);
	CHECK_ERR(copy_file_range(out, NULL, p[0], NULL, 5, 0), EINVAL);
	CHECK_ERR(copy_file_range(out, NULL, in, NULL, 5, 0), EBADF);
	CHECK_ERR(copy_file_range(proc, NULL, out, NULL, 5, 0), EXDEV);
	CHECK_ERR(copy_file_range(memfd_create("m", 0), NULL, out, NULL, 5, 0), EXDEV);
	from = -1, to = 0;
	CHECK_ERR(copy_file_range(in, &from, out, &to, 1, 0), EOVERFLOW);
	from = -5;
	CHECK_ERR(copy_file_range(in, &from, out, &to, 1, 0), EINVAL);
	from = 0, to = -5;
	CHECK_ERR(copy_file_range(in, &from, out, &to, 1, 0), EINVAL);
	to = 3;
	CHECK_EQ(copy_file_range(in, &from, out, &to, 0, 0), 0);
	CHECK_EQ(copy_file_range(in, &from, out, &to, LONG_MAX, 0), 10);
	CHECK_EQ(from, 10);
	CHECK_EQ(to, 13);
}

/* ---- servers that lie ---- */

static long lie;

/* Answers reads and writes by `lie`, everything else as if there were nothing. */
static long liar(struct tern_msg *m)
{
	uint32_t op = TERN_MSG_OP(m->op);

	return op == __NR_read || op == __NR_pread64 || op == __NR_write ? lie : 0;
}

/* No more comes out of sendfile than was asked for, and nothing of the kernel's. */
TEST(answers_that_are_too_long)
{
	static const long lies[] = { 101, 65536, 1L << 40, LONG_MAX };
	int fd = serving_begin(TERN_KIND_FILE, liar), in = make_file("in", SIZE), p[2];

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		lie = lies[i];
		CHECK_ERR(sendfile(p[1], fd, NULL, 100), EIO);
		CHECK_ERR(splice(fd, NULL, p[1], NULL, 100, 0), EIO);
		CHECK_ERR(sendfile(fd, in, NULL, 100), EIO);
		CHECK_ERR(read(p[0], back, 1), EAGAIN);
	}
	lie = 100; /* and not one byte is there */
	CHECK_EQ(sendfile(p[1], fd, NULL, 100), 100);
	CHECK_EQ(read(p[0], back, sizeof back), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(back[i], 0);
}

static int turns[2]; /* what the one forwards to, and the other */

static long to_the_next(struct tern_msg *m)
{
	return tern_forward_fd(m->token, turns[0], 0, 0) < 0 ? -ELOOP : SERVING_NO_REPLY;
}

static long back_again(struct tern_msg *m)
{
	return tern_forward_fd(m->token, turns[1], 0, 0) < 0 ? -ELOOP : SERVING_NO_REPLY;
}

TEST(forwards_without_end)
{
	turns[1] = serving_begin(TERN_KIND_NONE, to_the_next);
	turns[0] = turns[1]; /* to itself */
	CHECK_ERR(read(turns[1], back, 1), ELOOP);
	turns[0] = serving_begin(TERN_KIND_NONE, back_again);
	CHECK_ERR(read(turns[1], back, 1), ELOOP);
	CHECK_ERR(read(turns[0], back, 1), ELOOP);
}

/* ---- ends that lie: every copy that a server may ask for, with the worst of numbers ---- */

static const uint64_t worst[] = { 0, 1, 7, 8, 15, 4096, 1ull << 31, 1ull << 38, 1ull << 62, 1ull << 63,
				  ~0ull - 4095, ~0ull };
#define NWORST (sizeof worst / sizeof worst[0])
static long wrong_copies; /* answers that are none of those that TERN_COPY may give */

static bool copy_answer(long r)
{
	return (r >= 0 && r <= 4096) || r == -EFAULT || r == -EACCES || r == -EINVAL || r == -ESRCH ||
	       r == -EBADF || r == -EPERM || r == -ENOMEM || r == -TERN_EDEST || r == -ENAMETOOLONG;
}

static uint64_t held_token;

/* Keeps its call for ever. */
static long keeper(struct tern_msg *m)
{
	__atomic_store_n(&held_token, m->token, __ATOMIC_RELEASE);
	return SERVING_NO_REPLY;
}

static void *held_reader(void *fd)
{
	char b[8];

	(void)!read((int)(long)fd, b, sizeof b);
	return NULL;
}

/* Holds a read into 8 bytes, or a write of 8 bytes, and copies from everything to everything. */
static long copier(struct tern_msg *m)
{
	static char own[4096];
	long object = tern_memobj_create(4096, 0), fd = open("/dev/null", O_RDWR);
	const uint64_t names[] = { 0, m->token, m->token + 1, m->token ^ 1ull << 40, (uint64_t)object,
				   (uint64_t)fd, 0x7fffffff, ~0ull };

	CHECK(object >= 0 && fd >= 0);
	for (unsigned kinds = 0; kinds < 5 * 5 * 3 * 3; kinds++) {
		unsigned from = kinds % 5, to = kinds / 5 % 5; /* the last is none */
		unsigned how = TERN_FROM(from, kinds / 25 % 3) | TERN_TO(to, kinds / 75);

		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			size_t k = (i + how) % (sizeof names / sizeof names[0]);
			uint64_t far = worst[(i * 5 + how) % NWORST], n = worst[(i + how * 3) % NWORST];

			/* its own memory is written where that does no harm */
			if (to == TERN_END_OWN || (to == TERN_END_WINDOW && names[k] == m->token)) {
				n = n > 8 ? 8 : n;
				far = to == TERN_END_OWN ? (uint64_t)own : far;
			}
			wrong_copies += !copy_answer(tern_copy(names[i], worst[i % NWORST], names[k], far, n, how));
			wrong_copies += !copy_answer(tern_copy(names[i], (uint64_t)own, names[k], far, n, how));
			wrong_copies += !copy_answer(tern_copy(names[i], 0, names[k], (uint64_t)own, 8,
							       how | TERN_COPY_STRING));
		}
	}
	/* directions, and what is beyond a window or an object */
	if (TERN_MSG_OP(m->op) == __NR_read) {
		wrong_copies += tern_copy_in(m->token, 0, 0, own, 8) != -EACCES;
		wrong_copies += tern_copy_out(m->token, 0, 8, own, 1) != 0;
		wrong_copies += tern_copy_out(m->token, 0, ~0ull, own, 1) != 0;
		wrong_copies += tern_copy_out(m->token, 0, 4, own, 4096) != 4;
		wrong_copies += tern_copy_out(m->token, 0, 0, own, ~0ull) != 8;
		wrong_copies += tern_memobj_out(m->token, 0, 0, (int)object, 4092, 8) != 4;
		wrong_copies += tern_memobj_in(m->token, 0, 0, (int)object, 0, 8) != -EACCES;
	} else {
		wrong_copies += tern_copy_out(m->token, 0, 0, own, 8) != -EACCES;
		wrong_copies += tern_move(m->token, 0, 0, m->token, 0, 0, 8) != -TERN_EDEST;
		wrong_copies += tern_memobj_in(m->token, 0, 4, (int)object, 4090, 100) != 4;
		wrong_copies += tern_memobj_in(m->token, 0, 0, (int)object, ~0ull, 8) != 0;
		wrong_copies += tern_memobj_in(m->token, 0, 0, (int)fd, 0, 8) != -EBADF;
	}
	wrong_copies += tern_copy_in(m->token, 1, 0, own, 8) != -EINVAL;
	wrong_copies += tern_copy_in(m->token, 15, 0, own, 8) != -EINVAL;
	wrong_copies += tern_copy_in(m->token + (1ull << 32), 0, 0, own, 8) != -ESRCH;
	wrong_copies += tern_move(m->token, 0, 0, m->token + 1, 0, 0, 8) != -TERN_EDEST;
	wrong_copies += tern_aspace_read(0, 0, own, 8) != -EPERM;
	wrong_copies += tern_aspace_write(-1, 0, own, 8) != -EPERM;
	close((int)object);
	close((int)fd);
	return 8;
}

/* A token is its receiver's alone. */
static long thief(struct tern_msg *m)
{
	char own[8];

	(void)m;
	wrong_copies += tern_copy_in(held_token, 0, 0, own, 8) != -ESRCH;
	return 0;
}

/* An object on the one side and on the other addresses that are no program's: nothing is copied, and the
 * kernel's own table is not taken for one. */
TEST(objects_and_addresses_of_the_kernel)
{
	static const uint64_t bases[] = { 0x4000000000, 0xffffffc000000000, 0xffffffff80200000, 0xffffffe000000000 };
	long object = syscall(TERN_MEMOBJ_CREATE, 4 * 4096, 1, 0, 0, 0, 0);

	if (object < 0)
		_exit(TEST_SKIP);
	for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++)
		for (uint64_t i = 0; i < 4096; i++) {
			uint64_t at = bases[b] + i * 0x203008;

			CHECK(syscall(TERN_COPY, 0, at, object, i % 4096, 8 + i % 5000,
				      TERN_FROM(TERN_END_OWN, 0) | TERN_TO(TERN_END_MEMOBJ, 0)) <= 0);
			CHECK(syscall(TERN_COPY, object, i % 4096, 0, at, 8 + i % 5000,
				      TERN_FROM(TERN_END_MEMOBJ, 0) | TERN_TO(TERN_END_OWN, 0)) <= 0);
		}
}

TEST(ends_that_lie)
{
	int fd = serving_begin(TERN_KIND_NONE, copier), other = serving_begin(TERN_KIND_NONE, keeper),
	    third = serving_begin(TERN_KIND_NONE, thief);
	pthread_t t;
	char b[24];

	memset(b, 'x', sizeof b);
	CHECK_EQ(read(fd, b + 8, 8), 8);
	CHECK_EQ(b[7], 'x');
	CHECK_EQ(b[16], 'x');
	CHECK_EQ(write(fd, b + 8, 8), 8);
	CHECK_EQ(wrong_copies, 0);
	/* one server holds the call, another wants to copy for it; so does a thread that serves nothing */
	CHECK_EQ(pthread_create(&t, NULL, held_reader, (void *)(long)other), 0);
	while (!__atomic_load_n(&held_token, __ATOMIC_ACQUIRE))
		test_sleep_ms(1);
	CHECK_EQ(tern_copy_in(held_token, 0, 0, b, 8), -ESRCH);
	CHECK_EQ(read(third, b, 1), 0);
	CHECK_EQ(wrong_copies, 0);
}
