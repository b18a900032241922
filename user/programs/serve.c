/* serve COMMAND [ARGUMENT...]: runs a command with the right to serve (docs/howto.md): it may make
 * endpoints, receive on them, and answer.  Only root can give it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <tern/abi.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: serve COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (prctl(TERN_PR_SERVE, 1, 0, 0, 0)) {
		fprintf(stderr, "serve: no right to serve: %s\n", strerror(errno));
		return 126;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "serve: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
