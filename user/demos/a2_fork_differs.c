/* A2: after fork, the child changes the variable.
 *
 * The article's program: a global `foo`, fork, the child changes it, parent and child print its
 * address and its value.  One address, two values: an address is not a place in memory.  The frame
 * behind it shows why: at the write the child got one of its own.
 */
#include "demo.h"

static struct {
	volatile int foo;
	char rest[DEMO_PAGE - sizeof(int)];
} DEMO_ALONE page;
#define foo page.foo

struct view {
	const volatile void *address;
	int value;
	uint64_t frame;
};

static struct view look(const char *who)
{
	struct view v = { .address = &foo, .value = foo, .frame = demo_frame(&foo) };

	printf("# %s: &foo %p, foo %d, frame %#llx\n", who, v.address, v.value,
	       (unsigned long long)v.frame);
	return v;
}

int main(int argc, char **argv)
{
	struct demo_line line;
	struct view child_saw, parent_before, parent_saw;
	pid_t child;

	demo_start(argc, argv, "A2", "fork, and the child writes",
		   "The child sets the global `foo` to 200; then both print its address, its value\n"
		   "and the frame that the address leads to.  One address, two values, two frames.\n");
	foo = 100;
	parent_before = look("before fork");
	demo_line_open(&line);
	child = fork();
	if (child < 0)
		demo_give_up("no process");
	if (child == 0) {
		char go;

		foo = 200;
		child_saw = look("child      ");
		demo_send(line.to_parent[1], &child_saw, sizeof child_saw);
		demo_receive(line.to_child[0], &go, 1);
		return 0;
	}
	demo_receive(line.to_parent[0], &child_saw, sizeof child_saw);
	parent_saw = look("parent     ");
	demo_send(line.to_child[1], "g", 1);
	demo_reap(child);

	demo_show("same address", child_saw.address == parent_saw.address, true);
	printf("values: parent %d, child %d\n", parent_saw.value, child_saw.value);
	demo_claim(parent_saw.value == 100 && child_saw.value == 200, "not 100 and 200");
	demo_show("frames known", child_saw.frame && parent_saw.frame, true);
	demo_show("same frame", child_saw.frame == parent_saw.frame, false);
	demo_show("the parent keeps the first frame", parent_saw.frame == parent_before.frame, true);
	return demo_end();
}
