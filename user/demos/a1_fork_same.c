/* A1: after fork, a variable that nobody has changed.
 *
 * The article's program: a global `foo`, fork, parent and child print its address and its value.
 * Both are the same, which is to be expected.  The frame behind the address is the same, too: fork
 * has copied the address space and not the memory.
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
	struct view child_saw, parent_saw;
	pid_t child;

	demo_start(argc, argv, "A1", "fork, and nobody writes",
		   "Parent and child print the address and the value of the global `foo` and the\n"
		   "frame that the address leads to.  Look at the two lines: all is the same.\n");
	foo = 100;
	demo_line_open(&line);
	child = fork();
	if (child < 0)
		demo_give_up("no process");
	if (child == 0) {
		char go;

		child_saw = look("child ");
		demo_send(line.to_parent[1], &child_saw, sizeof child_saw);
		demo_receive(line.to_child[0], &go, 1);
		return 0;
	}
	demo_receive(line.to_parent[0], &child_saw, sizeof child_saw);
	parent_saw = look("parent");
	demo_send(line.to_child[1], "g", 1);
	demo_reap(child);

	demo_show("same address", child_saw.address == parent_saw.address, true);
	printf("values: parent %d, child %d\n", parent_saw.value, child_saw.value);
	demo_claim(parent_saw.value == 100 && child_saw.value == 100, "a value is not 100");
	demo_show("frames known", child_saw.frame && parent_saw.frame, true);
	demo_show("same frame", child_saw.frame == parent_saw.frame, true);
	return demo_end();
}
