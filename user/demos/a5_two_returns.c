/* A5: why fork returns twice.
 *
 * `ret` is on the stack, on a page that nothing else uses.  Both processes come back from the same
 * fork and store what they got at the same address; the page is still one, so whoever writes gets
 * a copy.  One address, two frames, two values: 0 in the child, the child's pid in the parent.
 */
#include "demo.h"

struct view {
	const volatile void *address;
	pid_t value, pid;
	uint64_t frame;
};

static struct view look(const char *who, const volatile pid_t *ret)
{
	struct view v = { ret, *ret, getpid(), demo_frame(ret) };

	printf("# %s (pid %d): &ret %p, ret %d, frame %#lx\n", who, (int)v.pid, (const void *)ret,
	       (int)v.value, (unsigned long)v.frame);
	return v;
}

int main(int argc, char **argv)
{
	struct {
		volatile pid_t ret;
		char rest[DEMO_PAGE - sizeof(pid_t)];
	} DEMO_ALONE page;
	struct demo_line line;
	struct view before, of_child, of_parent;
	char go;

	demo_start(argc, argv, "A5", "why fork returns twice",
		   "ret = fork(): both print the address of `ret`, its value and its frame.\n"
		   "Look at the one address and the two frames: each wrote its own copy.\n");
	demo_line_open(&line);
	page.ret = -1;
	before = look("before", &page.ret);
	page.ret = fork();
	if (page.ret < 0)
		demo_give_up("no process");
	if (page.ret == 0) {
		of_child = look("child ", &page.ret);
		demo_send(line.to_parent[1], &of_child, sizeof of_child);
		demo_receive(line.to_child[0], &go, 1);
		return 0;
	}
	demo_receive(line.to_parent[0], &of_child, sizeof of_child);
	of_parent = look("parent", &page.ret);
	demo_send(line.to_child[1], "g", 1);
	demo_reap(of_parent.value);
	demo_show("same address", of_child.address == of_parent.address, true);
	demo_show("in the child ret is 0", of_child.value == 0, true);
	demo_show("in the parent ret is the child's pid", of_parent.value == of_child.pid, true);
	demo_show("frames known", before.frame && of_child.frame && of_parent.frame, true);
	demo_show("same frame", of_child.frame == of_parent.frame, false);
	/* Both may have copied it: two writes at the same moment on two processors. */
	printf("#   the first frame is now %s\n", of_child.frame == before.frame	  ? "the child's"
						: of_parent.frame == before.frame ? "the parent's"
										  : "nobody's");
	return demo_end();
}
