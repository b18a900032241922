/* A8: allocation is lazy.
 *
 * malloc of 64 MiB makes a region and takes no page.  The first touch of each page faults, and then
 * the page is there; the second touch does not.  The faults are counted by getrusage.
 */
#include "demo.h"

#define SIZE (64l << 20)
#define TOUCHED 1000

static void touch(volatile char *p, long pages)
{
	for (long i = 0; i < pages; i++)
		p[i * DEMO_PAGE] = 1;
}

int main(int argc, char **argv)
{
	static char rehearsal[2 * DEMO_PAGE];
	long size, rss, faults[3], at_malloc;
	char *p, *first;

	demo_start(argc, argv, "A8", "allocation is lazy",
		   "Takes 64 MiB from malloc and touches 1000 of its pages, twice.  Look at RSS\n"
		   "after malloc, and at the faults: one a page at first, none the second time.\n");
	touch(rehearsal, 2); /* what the counting itself needs is there before */
	demo_resident(rehearsal, 0);
	demo_file_value("/proc/self/status", "VmSize:");
	rss = demo_file_value("/proc/self/smaps_rollup", "Rss:");
	size = demo_file_value("/proc/self/status", "VmSize:");
	faults[0] = demo_faults();
	p = malloc(SIZE);
	if (!p)
		demo_give_up("no memory");
	at_malloc = demo_faults() - faults[0];
	size = demo_file_value("/proc/self/status", "VmSize:") - size;
	rss = demo_file_value("/proc/self/smaps_rollup", "Rss:") - rss;
	printf("malloc of 64 MiB: VSZ +%ld MiB, RSS +%ld MiB\n", size / 1024, rss / 1024);
	printf("#   VSZ +%ld kB, RSS +%ld kB, faults %ld\n", size, rss, at_malloc);
	demo_claim(size / 1024 == 64 && rss <= 32 && at_malloc < 4, "malloc took memory");

	first = (char *)(((uintptr_t)p + 2 * DEMO_PAGE - 1) & -DEMO_PAGE); /* behind malloc's own page */
	printf("resident of %d pages: %ld\n", TOUCHED, demo_resident(first, TOUCHED * DEMO_PAGE));
	faults[0] = demo_faults();
	touch(first, TOUCHED);
	faults[1] = demo_faults();
	touch(first, TOUCHED);
	faults[2] = demo_faults();
	printf("first touch: faults %ld; second touch: faults %ld\n", faults[1] - faults[0],
	       faults[2] - faults[1]);
	demo_claim(faults[1] - faults[0] == TOUCHED, "not one fault a page");
	demo_claim(faults[2] == faults[1], "pages that are there fault again");
	printf("resident of %d pages: %ld\n", TOUCHED, demo_resident(first, TOUCHED * DEMO_PAGE));
	demo_claim(demo_resident(first, TOUCHED * DEMO_PAGE) == TOUCHED, "touched pages are missing");
	demo_show("the rest is not resident",
		  demo_resident(first + TOUCHED * DEMO_PAGE, SIZE / 2) == 0, true);
	return demo_end();
}
