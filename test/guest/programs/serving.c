/* Servers with the right to serve, and what they must not be able to do: to others than their callers,
 * nor more to those than a system call can.    tern only */
#include "own_server.h"
#include <poll.h>
#include <pthread.h>
#include <linux/futex.h>
#include <sys/socket.h>
#include "../../../user/lib/native.c" /* tern_reply_with */

#define USER 1000
#define PAGE 4096ul

static pid_t child_of(void (*body)(int), int fd)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		body(fd);
		_exit(0);
	}
	return pid;
}

/* ---- forwarding ---- */

static void write_to(int fd)
{
	CHECK_ERR(write(fd, "overwritten", 11), EBADF);
}

static void read_from(int fd)
{
	char text[8] = "";

	CHECK_EQ(read(fd, text, 4), 4);
	CHECK(!memcmp(text, "kept", 4));
}

static int kept_file(int flags)
{
	int fd = open("target", O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK_EQ(write(fd, "kept", 4), 4);
	close(fd);
	return open("target", flags);
}

/* A call goes on only to what its line's right would let it go to. */
TEST(a_forward_asks_for_the_right)
{
	int fd = become_server(), target = kept_file(O_RDONLY), path = open("target", O_PATH);
	struct tern_msg m;
	char text[8] = "";
	pid_t pid = child_of(write_to, fd);

	next_call(&m);
	CHECK_EQ(tern_forward(m.token, target, 0, 0, -1), -EBADF);
	CHECK_EQ(tern_forward_fd(m.token, target, 0, 0), -EBADF);
	CHECK_EQ(tern_forward(m.token, path, 0, 0, -1), -EBADF);
	CHECK_EQ(tern_forward(m.token, fd, 0, 0, -1), -ELOOP);
	CHECK_EQ(tern_forward_fd(m.token, fd, 0, 0), -ELOOP);
	CHECK_EQ(tern_forward(m.token, 999, 0, 0, -1), -EBADF);
	CHECK_EQ(tern_reply(m.token, -EBADF), 0);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(target, text, 8), 4);
	CHECK(!memcmp(text, "kept", 4));
	CHECK_EQ(lseek(target, 0, SEEK_SET), 0);
	pid = child_of(read_from, fd);
	next_call(&m);
	CHECK_EQ(tern_forward(m.token, target, 0, 0, open("target", O_RDONLY)), -EPERM);
	CHECK_EQ(tern_forward(m.token, target, 0, 0, -1), 0);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(tern_reply(m.token, 0), -ESRCH);
}

static void method_to(int fd)
{
	register long a0 __asm__("a0") = 0, a6 __asm__("a6") = fd, a7 __asm__("a7") = TERN_METHOD + 7;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a6), "r"(a7) : "a1", "a2", "a3", "a4", "a5", "memory");
	CHECK_EQ(a0, -EBADF);
}

TEST(a_method_goes_on_with_the_right_to_call)
{
	int fd = become_server();
	struct tern_msg m;
	pid_t pid = child_of(method_to, fd);

	next_call(&m);
	CHECK_EQ(TERN_MSG_OP(m.op), TERN_METHOD + 7);
	CHECK_EQ(tern_forward(m.token, kept_file(O_PATH), 0, 0, -1), -EBADF);
	CHECK_EQ(tern_reply(m.token, -EBADF), 0);
	CHECK_EQ(test_wait(pid), 0);
}

/* ---- giving ---- */

static void change_places(int fd)
{
	struct stat before, after;
	char byte;

	CHECK_EQ(stat(".", &before), 0);
	CHECK_EQ(read(fd, &byte, 1), 0);
	CHECK_EQ(fchdir(fd), -1);
	CHECK_EQ(stat(".", &after), 0);
	CHECK(before.st_ino == after.st_ino && before.st_dev == after.st_dev);
	CHECK_EQ(access("/proc/self", F_OK), 0);
}

/* The places of a name context are its own vfs's to give. */
TEST(no_place_of_the_caller_is_given)
{
	int fd = become_server(), root = open("/", O_RDONLY | O_DIRECTORY);
	struct tern_msg m;
	pid_t pid = child_of(change_places, fd);

	next_call(&m);
	for (unsigned slot = TERN_SLOT_CWD; slot <= TERN_SLOT_ROOT; slot++) {
		CHECK_EQ(tern_give_session(m.token, slot, RIGHTS, TERN_KIND_FILE, 1l << 32 | 256, 0, 0, -1),
			 -EINVAL);
		CHECK_EQ(tern_give(m.token, slot, RIGHTS, root), -EINVAL);
	}
	CHECK_EQ(tern_reply(m.token, 0), 0);
	CHECK_EQ(test_wait(pid), 0);
}

static void map_what_comes(int fd)
{
	int m = accept(fd, NULL, NULL);
	char byte;
	long r;

	CHECK(m >= 0);
	CHECK_EQ(tern_memobj_read(m, 0, &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(tern_memobj_write(m, 0, "y", 1), -EBADF);
	CHECK_EQ(TERN_OP6(TERN_ASPACE_MAP, -1, 0, PAGE, (PROT_READ | PROT_WRITE) * 0x101ul | MAP_SHARED << 16,
			  m, 0), -EBADF);
	CHECK_EQ(TERN_OP6(TERN_ASPACE_MAP, -1, 0, PAGE,
			  PROT_READ | (PROT_READ | PROT_WRITE) << 8 | MAP_SHARED << 16, m, 0), -EBADF);
	r = TERN_OP6(TERN_ASPACE_MAP, -1, 0, PAGE, PROT_READ * 0x101ul | MAP_SHARED << 16, m, 0);
	CHECK(r > 0);
	CHECK_EQ(*(char *)r, 'x');
	CHECK_ERR(mprotect((void *)r, PAGE, PROT_READ | PROT_WRITE), EACCES);
	r = TERN_OP6(TERN_ASPACE_MAP, -1, 0, PAGE, (PROT_READ | PROT_WRITE) * 0x101ul | MAP_PRIVATE << 16, m, 0);
	CHECK(r > 0);
	*(char *)r = 'z'; /* a copy */
	CHECK_EQ(tern_memobj_read(m, 0, &byte, 1), 1);
	CHECK_EQ(byte, 'x');
}

/* An object is written to, by whatever way, only with the handle's right. */
TEST(an_object_given_to_be_read)
{
	int fd = become_server(), object = (int)tern_memobj_create(PAGE, 0);
	struct tern_msg m;
	pid_t pid;

	CHECK_EQ(tern_memobj_write(object, 0, "x", 1), 1);
	pid = child_of(map_what_comes, fd);
	next_call(&m);
	CHECK_EQ(tern_give(m.token, 0, TERN_R_READ | TERN_R_MAP, object), 0);
	CHECK_EQ(tern_reply(m.token, 0), 0);
	CHECK_EQ(test_wait(pid), 0);
}

/* ---- what a server says ---- */

static void on_signal(int sig)
{
	(void)sig;
}

static void read_often(int fd)
{
	char byte;

	for (int sig = 1; sig <= 64; sig++)
		signal(sig, on_signal);
	for (int i = 0; i < 100; i++)
		(void)!read(fd, &byte, 1);
}

/* Results that no call has, the kernel's own codes for restarts, and signals that there are none. */
TEST(answers_are_only_numbers)
{
	static const long results[] = { 0, 1, -1, -4095, -4096, -511, -512, -513, -514, -515, -516, -517, -600,
					1l << 40, (long)(1ul << 63), (long)(1ul << 63) + 1, (long)(1ul << 63) + 2 };
	int fd = become_server(), status = 0;
	pid_t pid = child_of(read_often, fd);
	struct tern_reply x = { 0 };
	struct tern_msg m;

	for (unsigned i = 0;; i++) {
		tern_receive(&m);
		if (TERN_MSG_OP(m.op) >= TERN_EV_FIRST) {
			CHECK_EQ(waitpid(pid, &status, 0), pid);
			break;
		}
		x.flags = i % 256;
		if (x.flags == SIGKILL || x.flags == SIGSTOP || x.flags == 32 || x.flags == 33)
			x.flags = 0; /* these the child cannot catch */
		tern_reply_with(m.token, i > 3000 ? 0 : results[i % (sizeof results / sizeof results[0])], &x);
		if (i == 0)
			close(fd); /* the child has the only one: CLOSED comes when it has ended */
	}
	CHECK_EQ(status, 0);
}

/* Bits, window numbers and lengths beyond what there is. */
TEST(numbers_out_of_range)
{
	int fd = become_server();
	long rid = tern_ready_create(~0u);
	char byte = 0;
	struct tern_msg m;
	pid_t pid;

	CHECK(rid > 0);
	CHECK_EQ(tern_ready_set((uint64_t)rid, ~0u, 0), 0);
	CHECK_EQ(tern_ready_set((uint64_t)rid, 0, ~0u), 0);
	CHECK_EQ(TERN_OP1(TERN_READY_DESTROY, rid), 0);
	CHECK_EQ(TERN_OP1(TERN_READY_DESTROY, rid), -EBADF);
	CHECK_EQ(tern_ready_set((uint64_t)rid, 1, 0), -EBADF);
	pid = child_of(read_from, fd);
	next_call(&m);
	for (unsigned win = 1; win < 16; win++)
		CHECK_EQ(tern_copy_out(m.token, win, 0, &byte, 1), -EINVAL);
	CHECK_EQ(tern_copy_out(m.token, 0, 4, &byte, 1), 0);
	CHECK_EQ(tern_copy_out(m.token, 0, ~0ull, &byte, 1), 0);
	CHECK_EQ(tern_copy_in(m.token, 0, 0, &byte, 1), -EACCES);
	CHECK_EQ(tern_copy_out(m.token, 0, 0, "kept", 1ul << 40), 4);
	CHECK_EQ(tern_window_length(m.token, 1), -EINVAL);
	CHECK_EQ(tern_give(m.token, 0, RIGHTS, fd), -EINVAL); /* read makes no descriptor */
	CHECK_EQ(tern_reply_map(m.token, fd, 0, 7, 0), -EBADF);
	CHECK_EQ(tern_reply(m.token, 4), 0);
	CHECK_EQ(test_wait(pid), 0);
}

/* ---- ends ---- */

static volatile int descriptor;

static void *reads(void *unused)
{
	char byte;
	long r = read(descriptor, &byte, 1);

	(void)unused;
	CHECK_EQ(r, -1);
	CHECK(errno == EIO || errno == EINTR);
	return NULL;
}

static void *binds_and_ends(void *ep)
{
	CHECK_EQ(tern_bind((int)(long)ep, NULL), 0);
	test_sleep_ms(200);
	return NULL;
}

/* A call waits in the queue with its interruption behind it when the server's thread ends. */
TEST(a_queued_call_and_its_interruption)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t server, client;
	long ep;

	CHECK_EQ(serve(1), 0);
	sigaction(SIGUSR1, &sa, NULL);
	ep = tern_ep_create();
	descriptor = session_descriptor((int)ep, BADGE);
	CHECK_EQ(pthread_create(&server, NULL, binds_and_ends, (void *)ep), 0);
	test_sleep_ms(50);
	CHECK_EQ(pthread_create(&client, NULL, reads, NULL), 0);
	test_sleep_ms(50);
	CHECK_EQ(pthread_kill(client, SIGUSR1), 0);
	CHECK_EQ(pthread_join(server, NULL), 0);
	CHECK_EQ(pthread_join(client, NULL), 0);
}

static volatile uint32_t word;
static volatile bool toggling = true;

static void *toggle(void *unused)
{
	(void)unused;
	while (toggling) {
		word = 0;
		word = 1;
	}
	return NULL;
}

/* restart_syscall by hand goes on with nothing that another wait has written over. */
TEST(restart_by_hand)
{
	struct timespec soon = { 0, 1 }, poll_time = { 0, 1000 };
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, toggle, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, &soon, 0, 0);
		ppoll(NULL, 0, &poll_time, NULL);
		syscall(SYS_restart_syscall);
	}
	toggling = false;
	pthread_join(t, NULL);
}

/* A futex in an object that is gone is nobody else's, though another object may lie where it lay. */
static void *waits_in_vain(void *at)
{
	struct timespec time = { 0, 300000000 };

	CHECK_ERR(syscall(SYS_futex, at, FUTEX_WAIT, 0, &time, 0, 0), ETIMEDOUT);
	return NULL;
}

TEST(futexes_of_objects_that_are_gone)
{
	pthread_t t;
	void *at;

	for (int i = 0; i < 4; i++) {
		at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		CHECK_EQ(pthread_create(&t, NULL, waits_in_vain, at), 0);
		test_sleep_ms(60);
		munmap(at, PAGE);
		for (int k = 0; k < 20; k++) {
			void *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

			CHECK_EQ(syscall(SYS_futex, other, FUTEX_WAKE, 9, 0, 0, 0), 0);
			munmap(other, PAGE);
		}
		CHECK_EQ(pthread_join(t, NULL), 0);
	}
}

/* ---- who pays ---- */

/* pause() would want memory of the account that is full. */
static _Noreturn void stay(void)
{
	for (;;)
		test_sleep_ms(1000);
}

static void end_at_once(int unused)
{
	(void)unused;
}

/* Others get what they ask for. */
static void others_go_on(void)
{
	int p[2];

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(pipe(p), 0);
		close(p[0]);
		close(p[1]);
	}
	CHECK_EQ(test_wait(child_of(end_at_once, -1)), 0);
}

static long total_bytes(void)
{
	char text[256] = "";
	int fd = open("/proc/meminfo", O_RDONLY);

	CHECK(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	return atol(strstr(text, "MemTotal:") + 9) * 1024;
}

/* Pages of objects that nothing maps: until there can be no more.  How much of memory that is. */
static long fill_objects(int told)
{
	static char bytes[1 << 16];
	long done = 0, r;
	int m;

	CHECK_EQ(setuid(USER), 0);
	m = (int)tern_memobj_create(1ul << 40, 0);
	memset(bytes, 1, sizeof bytes);
	while ((r = tern_memobj_write(m, (uint64_t)done, bytes, sizeof bytes)) > 0)
		done += r;
	CHECK_EQ(r, -ENOMEM);
	CHECK_EQ(write(told, "x", 1), 1);
	return done;
}

static void fill_half(int told)
{
	long most = total_bytes(), done = fill_objects(told);

	CHECK(done > most / 4 && done < most * 6 / 10);
	stay();
}

static void fill_what_there_is(int told)
{
	fill_objects(told);
	stay();
}

static void touch_beyond(int told)
{
	char *at;
	int m;

	signal(SIGBUS, _exit);
	m = (int)tern_memobj_create(1ul << 34, 0);
	at = (char *)TERN_OP6(TERN_ASPACE_MAP, -1, 0, 1ul << 34,
			      (PROT_READ | PROT_WRITE) * 0x101ul | (MAP_SHARED | MAP_NORESERVE) << 16, m, 0);
	CHECK((long)at > 0);
	for (;; at += PAGE)
		*at = 1;
	(void)told;
}

TEST(pages_of_objects)
{
	int p[2];
	pid_t pid;
	char c;

	CHECK_EQ(pipe(p), 0);
	pid = child_of(fill_half, p[1]);
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 1);
	others_go_on();
	kill(pid, SIGKILL);
	CHECK_EQ(test_wait(pid), SIGKILL);
	CHECK_EQ(test_wait(child_of(touch_beyond, 0)), SIGBUS << 8);
}

/* Several of them have all that there is for objects, and others go on. */
TEST(pages_of_objects_of_several)
{
	pid_t pid[4];
	int p[2];
	char c;

	CHECK_EQ(pipe(p), 0);
	for (int i = 0; i < 4; i++)
		pid[i] = child_of(fill_what_there_is, p[1]);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(read(p[0], &c, 1), 1);
		others_go_on();
	}
	for (int i = 0; i < 4; i++) {
		kill(pid[i], SIGKILL);
		CHECK_EQ(test_wait(pid[i]), SIGKILL);
	}
}

static void make_words(int told)
{
	long n = 0;

	become_server();
	while (tern_ready_create(0) > 0)
		n++;
	CHECK(n > 1000);
	CHECK_EQ(tern_ready_create(0), -ENOMEM);
	CHECK_EQ(write(told, "x", 1), 1);
	stay();
}

static void make_sessions(int told)
{
	long n = 0;

	become_server();
	while (tern_session_create(-1, 1, TERN_KIND_NONE, 0, 0, -1) > 0)
		n++;
	CHECK(n > 1000);
	CHECK_EQ(write(told, "x", 1), 1);
	stay();
}

static void make_calls(int told)
{
	uint64_t args[6] = { 0 };
	int fd = become_server();
	long n = 0;

	while (tern_call_async(1, fd, TERN_METHOD, 0, args) == 0)
		n++;
	CHECK(n > 1000);
	CHECK_EQ(tern_call_async(1, fd, TERN_METHOD, 0, args), -ENOMEM);
	CHECK_EQ(tern_call_async(1, fd, SYS_read, 0, args), -EPERM);
	CHECK_EQ(write(told, "x", 1), 1);
	stay();
}

/* Notifications outlive their handles while they are in the queue. */
static void make_notes(int told)
{
	long h, n = 0;

	become_server();
	while ((h = tern_note_create(1)) >= 0 && n < 1000000) {
		tern_note_signal((int)h, 1);
		close((int)h);
		n++;
	}
	CHECK_EQ(h, -ENOMEM);
	CHECK(n > 1000);
	CHECK_EQ(write(told, "x", 1), 1);
	stay();
}

TEST(what_the_kernel_keeps)
{
	static void (*const makers[])(int) = { make_words, make_sessions, make_calls, make_notes };

	for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
		int p[2];
		pid_t pid;
		char c;

		CHECK_EQ(pipe(p), 0);
		pid = child_of(makers[i], p[1]);
		close(p[1]);
		CHECK_EQ(read(p[0], &c, 1), 1);
		others_go_on();
		kill(pid, SIGKILL);
		CHECK_EQ(test_wait(pid), SIGKILL);
		close(p[0]);
	}
}
