/* V1: a virtual address is not a physical one.
 *
 * Three processes of one program run at the same time.  Each has the variable `value` at the same
 * address, because it is the same program; each stores a number of its own there.  What they see
 * afterwards is their own number: the address leads each of them to another frame of memory.
 */
#include "demo.h"

static struct {
	volatile int value;
	char rest[DEMO_PAGE - sizeof(int)];
} DEMO_ALONE page = { .value = 1 };
#define value page.value

struct report {
	pid_t pid;
	const volatile void *address;
	int value_seen;
	uint64_t frame;
};

/* The program as each of the three runs it: store, report, wait for the others, look again. */
static int one_of_three(int number)
{
	struct report r = { .pid = getpid(), .address = &value };
	char go;

	value = 111 * number;
	r.value_seen = value;
	r.frame = demo_frame(&value);
	demo_send(1, &r, sizeof r);
	demo_receive(0, &go, 1);
	return value == 111 * number ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct report r[3];
	struct demo_line line[3];
	pid_t child[3];
	bool address_same, frames_differ;

	if (argc == 3 && !strcmp(argv[1], "--process"))
		return one_of_three(atoi(argv[2]));
	demo_start(argc, argv, "V1", "one program, three processes, one address",
		   "Starts three processes of this program.  Look at the address of `value`, which\n"
		   "is the same in all three, then at the values and at the frames behind it.\n");
	for (int i = 0; i < 3; i++) {
		demo_line_open(&line[i]);
		child[i] = fork();
		if (child[i] < 0)
			demo_give_up("no process");
		if (child[i] == 0) {
			char number[2] = { (char)('1' + i), 0 };

			dup2(line[i].to_child[0], 0);
			dup2(line[i].to_parent[1], 1);
			execl("/proc/self/exe", argv[0], "--process", number, (char *)NULL);
			_exit(127);
		}
		close(line[i].to_parent[1]);
		demo_receive(line[i].to_parent[0], &r[i], sizeof r[i]);
	}
	for (int i = 0; i < 3; i++)
		printf("# process %d: pid %d, &value %p, value %d, frame %#llx\n", i + 1,
		       (int)r[i].pid, r[i].address, r[i].value_seen, (unsigned long long)r[i].frame);
	address_same = r[0].address == r[1].address && r[1].address == r[2].address;
	frames_differ = r[0].frame != r[1].frame && r[1].frame != r[2].frame &&
			r[0].frame != r[2].frame;
	demo_show("one address", address_same, true);
	printf("values: %d %d %d\n", r[0].value_seen, r[1].value_seen, r[2].value_seen);
	demo_claim(r[0].value_seen == 111 && r[1].value_seen == 222 && r[2].value_seen == 333,
		   "a process read another's value");
	demo_show("frames known", r[0].frame && r[1].frame && r[2].frame, true);
	demo_show("three different frames", frames_differ, true);
	for (int i = 0; i < 3; i++) {
		demo_send(line[i].to_child[1], "g", 1);
		demo_reap(child[i]);
	}
	printf("each still read its own value at the end: %s\n", demo_failure[0] ? "no" : "yes");
	return demo_end();
}
