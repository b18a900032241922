/* V15: a page of 2 MiB.
 *
 * Where memory is plentiful a program's large areas get pages of 2 MiB: one entry of level 1 in place of
 * 512 of level 0, one fault in place of 512.  Nobody need know: what asks for less, as mprotect of one
 * page and copy on write do, gets the 512 small pages that it is made of, each where it was.
 */
#include "demo_walk.h"

#define PAGES 512
#define SIZE  ((size_t)PAGES * DEMO_PAGE)

/* An aligned area, page i of which begins with i + 1. */
static volatile char *area;

static void fill(void)
{
	char *p = demo_map(2 * SIZE);
	long faults;

	area = (char *)(((uintptr_t)p + SIZE - 1) & ~(SIZE - 1));
	madvise((void *)(uintptr_t)area, SIZE, MADV_HUGEPAGE);
	faults = demo_faults();
	for (int i = 0; i < PAGES; i++)
		*(volatile int *)(area + i * DEMO_PAGE) = i + 1;
	printf("# %d pages of 4 KiB written: %ld faults, AnonHugePages %ld kB\n", PAGES,
	       demo_faults() - faults, demo_file_value("/proc/self/smaps_rollup", "AnonHugePages:"));
}

static void show_walk(const char *what, int page)
{
	struct demo_walk w;
	int last;

	if (!demo_walk(getpid(), area + page * DEMO_PAGE, &w))
		return;
	last = w.levels - 1;
	printf("#   tern: %s ends at level %d: %s, allowed %s\n", what, 2 - last, w.level[last].flags,
	       w.access);
	demo_claim(w.physical == demo_frame(area + page * DEMO_PAGE) * DEMO_PAGE,
		   "%s: the walk and pagemap disagree", what);
}

static void show_contents(const char *when, int changed, int value)
{
	bool same = true;

	for (int i = 0; i < PAGES; i++)
		same &= *(volatile int *)(area + i * DEMO_PAGE) == (i == changed ? value : i + 1);
	printf("%s: ", when);
	demo_show("every page holds what was written", same, true);
}

static void look_at_frames(uint64_t *frame)
{
	for (int i = 0; i < PAGES; i++)
		frame[i] = demo_frame(area + i * DEMO_PAGE);
}

static void fork_and_write(void)
{
	static uint64_t mine[PAGES], theirs[PAGES];
	struct demo_line line;
	int differ = 0;
	pid_t pid;

	demo_line_open(&line);
	pid = fork();
	if (pid < 0)
		demo_give_up("no process");
	if (pid == 0) {
		demo_receive(line.to_child[0], theirs, 8);
		look_at_frames(theirs);
		for (int i = 0; i < PAGES; i += 64)
			demo_send(line.to_parent[1], theirs + i, 512);
		_exit(*(volatile int *)area != 1);
	}
	*(volatile int *)(area + 5 * DEMO_PAGE) = 1000;
	show_contents("the parent wrote page 5", 5, 1000);
	show_walk("page 5", 5);
	show_walk("page 6", 6);
	demo_send(line.to_child[1], mine, 8);
	for (int i = 0; i < PAGES; i += 64)
		demo_receive(line.to_parent[0], theirs + i, 512);
	demo_reap(pid);
	look_at_frames(mine);
	for (int i = 0; i < PAGES; i++)
		differ += mine[i] != theirs[i];
	printf("frames that differ from the child's: %d of %d\n", differ, PAGES);
	demo_claim(differ == 1 && mine[5] != theirs[5], "%d frames differ", differ);
}

int main(int argc, char **argv)
{
	demo_start(argc, argv, "V15", "a page of 2 MiB",
		   "Fills 2 MiB, asks for less than all of it, and forks.  Look at where the walk\n"
		   "ends: at level 1 for a page of 2 MiB, at level 0 for the 512 that it is split\n"
		   "into; and at what that costs: nothing moves, and one page of 4 KiB is copied.\n");
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	fill();
	show_walk("page 100", 100);
	if (mprotect((void *)(uintptr_t)(area + 100 * DEMO_PAGE), DEMO_PAGE, PROT_READ))
		demo_give_up("mprotect");
	show_contents("page 100 is read-only", -1, 0);
	show_walk("page 100", 100);
	show_walk("page 101", 101);
	fill();
	show_walk("page 5", 5);
	fork_and_write();
	return demo_end();
}
