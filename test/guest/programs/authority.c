/* Who may use Tern's own operations: the right to serve, how a process comes by it and loses it, and
 * every operation of kernel/native/native.def called without it.    tern only */
#include "own_server.h"
#include <linux/capability.h>

#define USER 1000
static void become_user(void)
{
	CHECK_EQ(setgid(USER), 0);
	CHECK_EQ(setuid(USER), 0);
}

/* Whether this process has the right: making an endpoint needs nothing else. */
static bool may_serve(void)
{
	long ep = TERN_OP1(TERN_EP_CREATE, 0);

	if (ep >= 0)
		close((int)ep);
	else
		CHECK_EQ(ep, -EPERM);
	return ep >= 0;
}

/* ---- every operation without the right ---- */

enum { ANYONE, BOUND, SERVE, SERVER, INFO, SYSTEM };

static const struct operation {
	long nr;
	int who;
	const char *name;
} operations[] = {
#define NATIVE(op, name, who, ...) { TERN_##op, who, #op },
#include "../../../kernel/native/native.def"
#undef NATIVE
};

/* What an ordinary user may do with what is his own.  An operation that comes to native.def as ANYONE's
 * is an error until it stands here, too. */
static const long open_to_all[] = {
	TERN_NOTE_SIGNAL, TERN_MEMOBJ_CREATE, TERN_COPY,
	TERN_MEMOBJ_COUNT, TERN_ASPACE_MAP, TERN_ASPACE_UNMAP,
};

static bool is_open_to_all(long nr)
{
	for (size_t i = 0; i < sizeof open_to_all / sizeof open_to_all[0]; i++)
		if (open_to_all[i] == nr)
			return true;
	return false;
}

static char *buffer; /* a page that may be written over and unmapped */

static void renew_buffer(void)
{
	CHECK(mmap(buffer, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      buffer);
	memset(buffer, 0, 4096);
}

/* Called with each of the handles as each of the first arguments, and with what is no handle. */
static void refuse_all(const struct operation *o, const int *handles, int n)
{
	for (int i = -1; i <= n; i++)
		for (int k = 0; k < 4; k++) {
			uint64_t h = i < 0 ? ~0ull : i == n ? 0x7fffffffull : (uint64_t)handles[i];
			uint64_t at = TERN_PTR(buffer), a[6] = { h, at, at, 4096, 0, (uint64_t)k * 0x101 };
			long r;

			if (k)
				a[k] = h;
			r = tern_syscall(o->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
			renew_buffer();
			if (o->who != ANYONE && r != -EPERM)
				test_fail(__LINE__, o->name, r, -EPERM, true);
			if (r < 0 && r != -EPERM && r != -EBADF && r != -EFAULT && r != -EINVAL &&
			    r != -ENOMEM && r != -EFBIG && r != -EACCES && r != -EEXIST)
				test_fail(__LINE__, o->name, r, 0, true);
			/* What it made goes. */
			if (r > 2 && o->nr == TERN_MEMOBJ_CREATE)
				close((int)r);
		}
}

static void walk(const int *handles, int n)
{
	buffer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(buffer != MAP_FAILED);
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		const struct operation *o = &operations[i];

		if (o->who == ANYONE && !is_open_to_all(o->nr))
			test_fail(__LINE__, o->name, 0, 0, false);
		if (o->who == BOUND)
			continue; /* it clobbers registers, and who has bound nothing gets EINVAL */
		refuse_all(o, handles, n);
	}
	/* Numbers that no operation has. */
	for (long nr = TERN_OP_FIRST; nr < TERN_METHOD; nr++) {
		bool known = false;

		for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
			known |= operations[i].nr == nr;
		if (!known)
			CHECK_EQ(TERN_OP1(nr, 0), -ENOSYS);
	}
}

TEST(a_user_without_anything)
{
	int files[] = { open("file", O_RDWR | O_CREAT, 0666), open(".", O_PATH), 0 };
	struct tern_msg m;

	CHECK(files[0] >= 0 && files[1] >= 0);
	become_user();
	tern_receive(&m);
	CHECK_EQ((long)m.args[0], -EINVAL);
	walk(files, 3);
}

/* Handles that he has from before he became an ordinary user, or from who could make them. */
TEST(a_user_with_handles)
{
	int h[8], n = 0;

	h[n++] = become_server();
	h[n++] = (int)tern_note_create(1);
	h[n++] = (int)tern_ep_create();
	h[n++] = (int)tern_memobj_create(8192, 0);
	h[n++] = open("file", O_RDWR | O_CREAT, 0666);
	h[n++] = (int)TERN_OP4(TERN_MEMOBJ_CREATE, 4096, 1, TERN_MEMOBJ_PAGED, 2);
	for (int i = 0; i < n; i++)
		CHECK(h[i] >= 0);
	become_user();
	walk(h, n);
}

TEST(root_without_the_right)
{
	int file = open("file", O_RDWR | O_CREAT, 0666);

	walk(&file, 1);
}

/* ---- the door ---- */

TEST(the_door)
{
	CHECK(!may_serve());
	CHECK_ERR(serve(2), EINVAL);
	CHECK_ERR(prctl(TERN_PR_SERVE, 1, 1, 0, 0), EINVAL);
	CHECK_EQ(serve(1), 0);
	CHECK(may_serve());
	CHECK_EQ(serve(0), 0);
	CHECK(!may_serve());
	become_user();
	CHECK_ERR(serve(1), EPERM);
	CHECK_ERR(serve(0), EPERM);
	CHECK(!may_serve());
}

EXEC(ask)
{
	_exit(may_serve());
}

static int asked_after_exec(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		execv(test_program, test_exec_args("ask", NULL));
		_exit(9);
	}
	return WEXITSTATUS(test_wait(pid));
}

TEST(kept_over_fork_and_exec)
{
	CHECK_EQ(asked_after_exec(), 0);
	CHECK_EQ(serve(1), 0);
	CHECK_EQ(asked_after_exec(), 1);
}

static void drop_capability(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	CHECK_EQ(syscall(SYS_capget, &h, d), 0);
	d[cap / 32].permitted &= ~(1u << cap % 32);
	d[cap / 32].effective &= ~(1u << cap % 32);
	CHECK_EQ(syscall(SYS_capset, &h, d), 0);
}

TEST(dropped_with_capabilities)
{
	pid_t pid;

	CHECK_EQ(serve(1), 0);
	drop_capability(CAP_SYS_BOOT); /* another one does not matter */
	CHECK(may_serve());
	for (int way = 0; way < 3; way++) {
		pid = fork();
		if (pid == 0) {
			if (way == 0)
				become_user();
			else if (way == 1)
				drop_capability(CAP_SYS_ADMIN);
			else
				CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
			if (way == 2)
				become_user();
			_exit(may_serve());
		}
		CHECK_EQ(WEXITSTATUS(test_wait(pid)), way == 2);
	}
	CHECK(may_serve());
}

/* A program that a user runs from a file with the set-user-id bit of root's does not get it either. */
TEST(not_by_set_id)
{
	char self[4096];
	int in, out, status;
	ssize_t n;
	pid_t pid;

	in = open("/proc/self/exe", O_RDONLY);
	out = open("ask", O_RDWR | O_CREAT, 0755);
	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, self, sizeof self)) > 0)
		CHECK_EQ(write(out, self, (size_t)n), n);
	close(out);
	CHECK_EQ(chmod("ask", 04755), 0);
	pid = fork();
	if (pid == 0) {
		become_user();
		execl("./ask", "ask", "@ask", NULL);
		_exit(9);
	}
	status = test_wait(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

/* ---- serving ---- */

/* Answers one read with its badge and the length that was asked for. */
static void answer_one(void)
{
	struct tern_msg m;

	tern_receive(&m);
	CHECK_EQ(TERN_MSG_OP(m.op), SYS_read);
	CHECK_EQ(m.badge, BADGE);
	CHECK_EQ(tern_reply(m.token, (long)m.args[2]), 0);
}

static pid_t reader(int fd, long want, int error)
{
	pid_t pid = fork();
	char byte[8];

	CHECK(pid >= 0);
	if (pid == 0) {
		long r = read(fd, byte, sizeof byte);

		_exit(r != want || (r < 0 && errno != error));
	}
	return pid;
}

TEST(a_server_and_its_client)
{
	int fd = become_server();
	pid_t pid = reader(fd, 8, 0);

	answer_one();
	CHECK_EQ(test_wait(pid), 0);
}

/* A holder ends as any process does, and who waits for it gets EIO. */
TEST(a_server_is_killed)
{
	int p[2], status;
	pid_t server, client;
	char c;

	CHECK_EQ(pipe(p), 0);
	server = fork();
	if (server == 0) {
		int fd = become_server();

		client = reader(fd, -1, EIO);
		CHECK(test_await_state(client, 'S'));
		CHECK_EQ(write(p[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_EQ(kill(server, SIGKILL), 0);
	CHECK_EQ(test_wait(server), SIGKILL);
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

static volatile int handled;

static void on_signal(int sig)
{
	handled += sig;
}

static _Noreturn void serve_for_ever(int told)
{
	struct tern_msg m;

	reader(become_server(), 8, 0);
	CHECK_EQ(write(told, "x", 1), 1);
	for (;;) {
		tern_receive(&m);
		if (TERN_MSG_OP(m.op) == SYS_read)
			tern_reply(m.token, (long)m.args[2]);
	}
}

/* A server that waits for a message is stopped and goes on, and ends, by signals as any process. */
TEST(signals_while_receiving)
{
	int p[2], status;
	pid_t pid;
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (int i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0)
			serve_for_ever(p[1]);
		CHECK_EQ(read(p[0], &c, 1), 1);
		if (i & 1)
			test_sleep_ms(10);
		CHECK_EQ(kill(pid, SIGSTOP), 0);
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(kill(pid, SIGCONT), 0);
		if (i & 2)
			test_sleep_ms(50);
		CHECK_EQ(kill(pid, SIGTERM), 0);
		CHECK_EQ(test_wait(pid), SIGTERM);
		CHECK(wait(&status) > 0); /* its client, which has been answered if there was time */
		if (i & 2)
			CHECK_EQ(status, 0);
	}
}

static _Noreturn void call_after_a_signal(int fd)
{
	char bytes[8];

	test_sleep_ms(100);
	CHECK_EQ(kill(getppid(), SIGUSR1), 0);
	test_sleep_ms(100);
	CHECK_EQ(read(fd, bytes, sizeof bytes), 8);
	_exit(0);
}

TEST(a_handler_runs_while_receiving)
{
	int fd = become_server();
	struct tern_msg m;
	pid_t pid;

	signal(SIGUSR1, on_signal);
	pid = fork();
	if (pid == 0)
		call_after_a_signal(fd);
	do
		tern_receive(&m);
	while (TERN_MSG_OP(m.op) != SYS_read);
	CHECK_EQ(handled, SIGUSR1);
	CHECK_EQ(tern_reply(m.token, 8), 0);
	CHECK_EQ(test_wait(pid), 0);
}

/* Who loses the right keeps what is bound: it receives, and answers with REPLY_RECV, and that is all. */
static _Noreturn void lose_the_right(void)
{
	struct tern_msg m;

	reader(become_server(), -1, EIO);
	become_user();
	tern_receive(&m);
	CHECK_EQ(TERN_MSG_OP(m.op), SYS_read);
	CHECK_EQ(tern_reply(m.token, 0), -EPERM);
	CHECK_EQ(TERN_OP2(TERN_CALLER, m.token, &m), -EPERM);
	CHECK_EQ(tern_ep_create(), -EPERM);
	_exit(0); /* that ends the call */
}

TEST(the_right_is_lost_while_serving)
{
	int status;
	pid_t pid;

	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid = fork();
	if (pid == 0)
		lose_the_right();
	CHECK_EQ(test_wait(pid), 0);
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

/* ---- docs/howto.md, "write a server of your own" ---- */

/* What a command prints, both kinds; its exit status in *status. */
static const char *printed(const char *command, int *status)
{
	static char text[1024];
	size_t n;
	FILE *f = popen(command, "r");

	CHECK(f != NULL);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	*status = pclose(f);
	return text;
}

TEST(the_server_of_the_howto)
{
	int status;

	CHECK(!strcmp(printed("serve /test/helper_hello_server sh -c "
			      "'cat <&3; echo reader >&3; cat <&3' 2>&1", &status),
		      "hello, world\nhello, reader\n"));
	CHECK_EQ(status, 0);
	/* Root has to say so. */
	CHECK(strstr(printed("/test/helper_hello_server true 2>&1", &status), "Operation not permitted"));
	CHECK_EQ(status, 1 << 8);
	/* It is killed, and its client's call fails. */
	CHECK(!strcmp(printed("serve /test/helper_hello_server sh -c 'sleep 1; cat <&3; echo $?' 2>/dev/null & "
			      "p=$!; sleep 0.3; kill $p; wait $p; echo $?; sleep 1.2", &status),
		      "143\n1\n"));
	become_user();
	CHECK(strstr(printed("serve /test/helper_hello_server true 2>&1", &status), "Operation not permitted"));
	CHECK_EQ(status, 126 << 8);
	CHECK(strstr(printed("/test/helper_hello_server true 2>&1", &status), "Operation not permitted"));
}
