/* A9: sharing makes IPC fast.
 *
 * Two page tables, one frame: parent and child through a mapping that they inherit, and two strangers
 * (another program start) through a name, shm_open.  Numbers go to and fro a hundred times with no
 * system call that carries them: a store by one is the other's load.
 */
#include "demo.h"

#include <sched.h>

#define NAME "/a9-demo"
#define ROUNDS 100

struct shared {
	volatile int ping, pong;
};

struct view {
	struct shared *address;
	uint64_t frame;
};

static void *map(int flags, int fd)
{
	void *p = mmap(NULL, DEMO_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

	if (p == MAP_FAILED)
		demo_give_up("no memory to map");
	return p;
}

/* Where we see the page; reading it first, so that it is there. */
static struct view look(struct shared *s)
{
	return s->ping == 0 ? (struct view){ s, demo_frame(s) } : (struct view){ s, 0 };
}

/* The other side: says where it sees the page, then answers each number with its double. */
static int other_side(struct shared *s, int in, int out)
{
	struct view v = look(s);
	char go;

	demo_send(out, &v, sizeof v);
	for (int i = 1; i <= ROUNDS; i++) {
		while (s->ping != i)
			sched_yield();
		s->pong = 2 * i;
	}
	demo_receive(in, &go, 1);
	return 0;
}

static int stranger(void)
{
	int fd = shm_open(NAME, O_RDWR, 0);

	if (fd < 0)
		return 1;
	demo_map(16 * DEMO_PAGE); /* so that it comes to another address */
	return other_side(map(0, fd), 0, 1);
}

static void show(const char *who, struct shared *s, const struct demo_line *line, pid_t child)
{
	uint64_t frame = look(s).frame;
	struct view v;
	int right = 0;

	demo_receive(line->to_parent[0], &v, sizeof v);
	for (int i = 1; i <= ROUNDS; i++) {
		s->ping = i;
		while (s->pong != 2 * i)
			sched_yield();
		right++;
	}
	demo_send(line->to_child[1], "g", 1);
	demo_reap(child);
	printf("%s: same frame: %s, numbers that went to and fro: %d\n", who,
	       frame && v.frame == frame ? "yes" : "no", right);
	printf("#   ours %p frame %#lx, the other's %p frame %#lx\n", (void *)s, (unsigned long)frame,
	       (void *)v.address, (unsigned long)v.frame);
	demo_claim(frame && frame == v.frame, "%s: two frames", who);
	demo_claim(right == ROUNDS, "%s: numbers are lost", who);
}

static void start_stranger(const char *argv0, const struct demo_line *line)
{
	dup2(line->to_child[0], 0);
	dup2(line->to_parent[1], 1);
	execl("/proc/self/exe", argv0, "--stranger", (char *)NULL);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct demo_line line;
	struct shared *s;
	pid_t child;
	int fd;

	if (argc == 2 && !strcmp(argv[1], "--stranger"))
		return stranger();
	demo_start(argc, argv, "A9", "sharing makes IPC fast",
		   "Shares a page with a child, then with a stranger.  Look at the frames, the same\n"
		   "on both sides; numbers pass through it without any call that carries them.\n");
	s = map(MAP_ANONYMOUS, -1);
	demo_line_open(&line);
	child = fork();
	if (child < 0)
		demo_give_up("no process");
	if (child == 0)
		_exit(other_side(s, line.to_child[0], line.to_parent[1]));
	show("parent and child", s, &line, child);

	shm_unlink(NAME);
	fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, DEMO_PAGE))
		demo_give_up("no shared memory object");
	s = map(0, fd);
	demo_line_open(&line);
	child = fork();
	if (child < 0)
		demo_give_up("no process");
	if (child == 0)
		start_stranger(argv[0], &line);
	show("strangers", s, &line, child);
	shm_unlink(NAME);
	return demo_end();
}
