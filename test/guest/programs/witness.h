/* A bystander of hostile tests: it forks and talks through pipes all the time, and every byte and every
 * exit status must be right.  How long it stands still is what others cost it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct witness {
	volatile uint64_t rounds, refused;
	volatile bool stop;
	uint64_t seen, seen_at, longest; /* ms; the watcher's */
};

static inline _Noreturn void witness_run(struct witness *w)
{
	uint64_t n = 0;

	while (!w->stop) {
		uint64_t out = ++n * 0x9e3779b97f4a7c15, in = 0;
		int p[2], status = 0;
		pid_t pid;

		if (pipe(p) < 0) {
			w->refused++;
			continue;
		}
		pid = fork();
		if (pid == 0) {
			uint64_t x = 0;

			if (read(p[0], &x, 8) != 8)
				_exit(1);
			x = ~x;
			_exit(write(p[1], &x, 8) != 8);
		}
		if (pid < 0) {
			w->refused++;
		} else {
			/* The child's answer comes after its end: one pipe for both ways. */
			if (write(p[1], &out, 8) != 8 || waitpid(pid, &status, 0) != pid || status ||
			    read(p[0], &in, 8) != 8 || in != ~out) {
				printf("the witness's child: status %#x, sent %#lx, got %#lx\n",
				       (unsigned)status, out, in);
				fflush(stdout);
				_exit(1);
			}
			w->rounds++;
		}
		close(p[0]);
		close(p[1]);
	}
	_exit(0);
}

/* Called again and again: false when it has stood still for 20 s. */
static inline bool witness_moves(struct witness *w, uint64_t now)
{
	if (w->rounds != w->seen || !w->seen_at) {
		w->seen = w->rounds;
		w->seen_at = now;
	} else if (now - w->seen_at > w->longest) {
		w->longest = now - w->seen_at;
	}
	if (w->longest <= 20000)
		return true;
	printf("the witness stands still\n");
	return false;
}

static inline void witness_print(const struct witness *w)
{
	printf("the witness: %lu rounds, %lu refused, longest pause %lu ms\n", w->rounds, w->refused,
	       w->longest);
}
