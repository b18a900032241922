/* A4: copy on write, step by step.
 *
 * One page, four moments: before fork, after fork, after the child's write, after the parent's.  At
 * each, the frame that each process has, whether anybody else maps that frame, and on Tern what the
 * page table lets it do there and how many frames the step took.  fork takes the writing away from
 * both; the first to write gets a copy; the other one is then alone and simply may write again.
 *
 * The child does nothing but what it is told by one letter, so that a step costs what it shows: all
 * else that it touches, it has touched before (the rehearsal with the page `other`).
 */
#include "demo_walk.h"

static struct {
	volatile int value;
	char rest[DEMO_PAGE - sizeof(int)];
} DEMO_ALONE page, other;

struct state {
	int value;
	uint64_t frame;
	bool once;	/* nobody else maps the frame */
	char access[4]; /* what the table allows; empty where that cannot be seen */
};

static void look(struct state *s, const volatile void *address)
{
	struct demo_walk walk;
	uint64_t word = demo_pagemap(address);

	s->value = *(const volatile int *)address;
	s->frame = word & PAGEMAP_PRESENT ? word & PAGEMAP_FRAME : 0;
	s->once = word & PAGEMAP_ONCE;
	demo_walk(getpid(), address, &walk);
	memcpy(s->access, walk.access, sizeof s->access);
}

static _Noreturn void child_loop(struct demo_line *line)
{
	struct state s;
	char order;

	for (;;) {
		demo_receive(line->to_child[0], &order, 1);
		switch (order) {
		case 'r': /* rehearse */
			other.value = 2;
			look(&s, &other);
			break;
		case 'w':
			page.value = 2;
			look(&s, &page);
			break;
		case 'l':
			look(&s, &page);
			break;
		default:
			_exit(0);
		}
		demo_send(line->to_parent[1], &s, sizeof s);
	}
}

static struct demo_line line;

static void child_does(char order, struct state *s)
{
	demo_send(line.to_child[1], &order, 1);
	demo_receive(line.to_parent[0], s, sizeof *s);
}

/* taken: frames that the step has taken out of the free ones. */
static void show(const char *step, const struct state *parent, const struct state *child, long taken)
{
	printf("%s: parent %d", step, parent->value);
	if (child)
		printf(", child %d, same frame: %s", child->value,
		       child->frame == parent->frame ? "yes" : "no");
	printf(", mapped once: %s", parent->once ? "yes" : "no");
	if (child)
		printf(", %s", child->once ? "yes" : "no");
	printf("\n#   frames: parent %#llx", (unsigned long long)parent->frame);
	if (child)
		printf(", child %#llx", (unsigned long long)child->frame);
	if (parent->access[0])
		printf("\n#   tern: allowed: parent %s%s%s", parent->access, child ? ", child " : "",
		       child ? child->access : "");
	if (parent->access[0])
		printf("\n#   tern: frames taken by this step: %ld", taken);
	printf("\n");
}

/* On Tern: the table lets its process write, or not. */
static void claim_writable(const struct state *s, bool should, const char *when)
{
	if (s->access[0])
		demo_claim((s->access[1] == 'w') == should, "%s the table allows %s", when, s->access);
}

int main(int argc, char **argv)
{
	struct state p, c, first;
	long free0, free1;
	pid_t pid;

	demo_start(argc, argv, "A4", "copy on write, step by step",
		   "One page before fork, after it, after the child's write and after the parent's.\n"
		   "Look at what the table allows: w goes away at fork and comes back by a write;\n"
		   "and at the frames: only one of the two writes takes a new one.\n");
	page.value = 1;
	other.value = 1;
	look(&p, &page);
	demo_objects("free_frames");
	demo_line_open(&line);
	show("1 before fork", &p, NULL, 0);
	first = p;
	demo_claim(p.frame, "the frame cannot be seen");
	demo_claim(p.once, "before fork the frame is shared");
	claim_writable(&p, true, "before fork");

	free0 = demo_objects("free_frames");
	pid = fork();
	if (pid < 0)
		demo_give_up("no process");
	if (pid == 0)
		child_loop(&line);
	child_does('r', &c);
	other.value = 3;
	child_does('l', &c);
	look(&p, &page);
	free1 = demo_objects("free_frames");
	show("2 after fork", &p, &c, free0 - free1);
	demo_claim(p.frame == first.frame && c.frame == first.frame, "fork changed a frame");
	demo_claim(!p.once && !c.once, "after fork the frame counts as not shared");
	claim_writable(&p, false, "after fork, parent:");
	claim_writable(&c, false, "after fork, child:");

	free0 = demo_objects("free_frames");
	child_does('w', &c);
	free1 = demo_objects("free_frames");
	look(&p, &page);
	show("3 the child writes", &p, &c, free0 - free1);
	demo_claim(p.frame == first.frame && p.value == 1, "the child's write reached the parent");
	demo_claim(c.frame && c.frame != first.frame && c.value == 2, "the child got no frame of its own");
	demo_claim(c.once, "the child's copy is shared");
	demo_claim(free0 < 0 || free0 - free1 == 1, "the child's write took %ld frames", free0 - free1);
	claim_writable(&c, true, "after the child's write, child:");

	free0 = demo_objects("free_frames");
	page.value = 3;
	free1 = demo_objects("free_frames");
	look(&p, &page);
	child_does('l', &c);
	show("4 the parent writes", &p, &c, free0 - free1);
	demo_claim(p.frame == first.frame && p.value == 3, "the parent lost its frame");
	demo_claim(c.value == 2, "the parent's write reached the child");
	demo_claim(p.once && c.once, "at the end a frame is shared");
	demo_claim(free0 < 0 || free0 == free1, "the parent's write took %ld frames", free0 - free1);
	claim_writable(&p, true, "after the parent's write, parent:");

	demo_send(line.to_child[1], "q", 1);
	demo_reap(pid);
	return demo_end();
}
