/* hello_server COMMAND [ARGUMENT...]: a server in one file (docs/howto.md, "write a server of
 * your own").
 *
 * COMMAND is its client: descriptor 3 is a session with the server.  Reading it gives a
 * greeting, and the end of file when the greeting has been read; writing to it says who is to be
 * greeted.  When the last descriptor of the session is closed the server ends.
 */
#include <server/receive.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SESSION 3 /* the number of the client's descriptor */
#define RIGHTS	(TERN_R_READ | TERN_R_WRITE | TERN_R_IO)

static char name[32] = "world";
static char greeting[64];
static size_t told; /* how many bytes of the greeting have been read */

static long check(long result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "hello_server: %s: %s\n", what, strerror((int)-result));
		exit(1);
	}
	return result;
}

/* Makes an endpoint to receive on and a session of it, as descriptor SESSION. */
static int make_session(void)
{
	long endpoint = check(tern_ep_create(), "an endpoint");
	long session;

	check(tern_bind((int)endpoint, NULL), "receiving on it");
	session = check(tern_session_create((int)endpoint, 1, TERN_KIND_NONE, 0, 0, -1), "a session");
	return (int)check(tern_session_handle((uint64_t)session, RIGHTS), "a descriptor of it");
}

static void start_client(char **command, int session)
{
	pid_t pid = fork();

	check(pid, "a client");
	if (pid == 0) {
		/* The first descriptor is closed by exec, its copy is not. */
		dup2(session, SESSION);
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	close(session);
}

/* read(2): the caller's buffer is window 0 of the call.  What the program asked for is a number
 * like any other, and the buffer may not be there. */
static long hello_read(const struct tern_msg *m)
{
	size_t left = strlen(greeting) - told, n = m->args[2] < left ? m->args[2] : left;
	long copied = tern_copy_out(m->token, 0, 0, greeting + told, n);

	if (copied > 0)
		told += (size_t)copied;
	return copied;
}

static long hello_write(const struct tern_msg *m)
{
	char text[sizeof name] = "";
	long n = tern_copy_in(m->token, 0, 0, text, sizeof text - 1);

	if (n < 0)
		return n;
	text[strcspn(text, "\n")] = 0;
	strcpy(name, text);
	snprintf(greeting, sizeof greeting, "hello, %s\n", name);
	told = 0;
	return (long)m->args[2]; /* all of it is taken, whatever the name's length */
}

static long answer(const struct tern_msg *m)
{
	switch (TERN_MSG_OP(m->op)) {
	case SYS_read:
		return hello_read(m);
	case SYS_write:
		return hello_write(m);
	default:
		return -ENOTTY; /* an ioctl, for instance: it is no terminal */
	}
}

int main(int argc, char **argv)
{
	struct tern_msg m;

	if (argc < 2) {
		fprintf(stderr, "usage: hello_server COMMAND [ARGUMENT...]\n");
		return 2;
	}
	start_client(argv + 1, make_session());
	snprintf(greeting, sizeof greeting, "hello, %s\n", name);
	for (;;) {
		tern_receive(&m);
		if (TERN_MSG_OP(m.op) < TERN_EV_FIRST)
			tern_reply(m.token, answer(&m));
		else if (TERN_MSG_OP(m.op) == TERN_EV_CLOSED)
			return 0;
		/* Other events: nothing is parked here, so there is nothing to do. */
	}
}
