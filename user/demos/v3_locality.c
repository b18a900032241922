/* V3: locality.
 *
 * A process needs few of its pages at a time.  256 MiB are mapped, more than the machine may have; a
 * window of 4 MiB goes over them, and what it leaves is given back.  Size (VSZ) is what was mapped,
 * resident (RSS) what the window holds, wherever it is.
 */
#include "demo.h"

#define MIB (1l << 20)
#define SIZE (256 * MIB)
#define WINDOW (4 * MIB)

static char *area;
static long size0, rss0;

static long grown(const char *file, const char *name, long before)
{
	return demo_file_value(file, name) - before;
}

static void look(long at)
{
	long inside = demo_resident(area + at, WINDOW);
	long all = demo_resident(area, SIZE);
	long size = grown("/proc/self/status", "VmSize:", size0);
	long rss = grown("/proc/self/smaps_rollup", "Rss:", rss0);

	printf("window at %3ld MiB: pages in it %ld, elsewhere %ld; VSZ +%ld MiB, RSS +%ld MiB\n",
	       at / MIB, inside, all - inside, size / 1024, rss / 1024);
	printf("#   VSZ +%ld kB, RSS +%ld kB, faults so far %ld\n", size, rss, demo_faults());
	demo_claim(inside == WINDOW / DEMO_PAGE && all == inside, "other pages are resident");
	demo_claim(size / 1024 == SIZE / MIB, "VSZ grew by %ld kB", size);
	demo_claim(rss / 1024 == WINDOW / MIB, "RSS grew by %ld kB", rss);
}

int main(int argc, char **argv)
{
	demo_start(argc, argv, "V3", "locality: resident follows the window",
		   "Maps 256 MiB and works in 4 MiB of it at a time, giving back what it leaves.\n"
		   "Look at VSZ, which says what was promised, and RSS, which says what is there.\n");
	size0 = demo_file_value("/proc/self/status", "VmSize:");
	area = demo_map(SIZE);
	printf("mapped: %ld pages, resident %ld\n", SIZE / DEMO_PAGE, demo_resident(area, SIZE));
	rss0 = demo_file_value("/proc/self/smaps_rollup", "Rss:");
	for (long at = 0; at < SIZE; at += 50 * MIB) {
		for (long i = 0; i < WINDOW; i += DEMO_PAGE)
			area[at + i] = 1;
		look(at);
		madvise(area + at, WINDOW, MADV_DONTNEED);
	}
	demo_show("the last window is given back, too", demo_resident(area, SIZE) == 0, true);
	return demo_end();
}
