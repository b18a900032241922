/* V8: the heap.
 *
 * The heap ends at the break, which brk and sbrk move.  malloc takes small pieces from there and asks
 * mmap for large ones (from 128 KiB on), which it gives back at once when they are freed.
 */
#include "demo_maps.h"

#define KIB 1024l

static uintptr_t heap_end(void)
{
	static struct demo_region r[DEMO_REGIONS];
	int n = demo_regions(getpid(), r);

	for (int i = 0; i < n; i++)
		if (!strcmp(r[i].name, "[heap]"))
			return r[i].end;
	return 0;
}

static void show_break(const char *when, uintptr_t first)
{
	uintptr_t now = (uintptr_t)sbrk(0);
	uintptr_t end = heap_end();

	printf("%-12s break at +%ld KiB, [heap] ends there: %s\n", when, (long)(now - first) / KIB,
	       end == now ? "yes" : "no");
	printf("#   break %#lx, [heap] ends at %#lx\n", now, end);
	demo_claim(end == now, "%s: [heap] ends at %#lx", when, end);
}

static void show_piece(const char *what, const char *p, uintptr_t low, bool in_heap)
{
	uintptr_t at = (uintptr_t)p;
	bool is = at >= low && at < (uintptr_t)sbrk(0);

	printf("%s: %s\n", what, is ? "in the heap" : "in the mmap area");
	printf("#   %p in region %s\n", (const void *)p, demo_region_of(p).name);
	demo_claim(is == in_heap, "%s: wrong place", what);
	demo_claim(is || at > (uintptr_t)sbrk(0), "%s: below the heap", what);
}

int main(int argc, char **argv)
{
	uintptr_t low, first, gone;
	char *small, *large;

	demo_start(argc, argv, "V8", "the heap: brk, and malloc's two ways",
		   "Moves the break up and down and compares it with [heap] in /proc/self/maps; then\n"
		   "takes 100 KiB and 200 KiB from malloc.  Look at where each of them lies.\n");
	first = ((uintptr_t)sbrk(0) + DEMO_PAGE - 1) & -DEMO_PAGE;
	sbrk((intptr_t)(first - (uintptr_t)sbrk(0)));
	low = demo_region_of((char *)first - 1).start;
	show_break("at first", first);
	sbrk(1024 * KIB);
	show_break("brk up", first);
	demo_show("the new memory can be written", (*(volatile char *)(first + 1000 * KIB) = 1) == 1,
		  true);
	sbrk(-1024 * KIB);
	show_break("brk down", first);
	demo_show("what it left is not mapped", demo_resident((void *)first, DEMO_PAGE) < 0, true);
	small = malloc(100 * KIB);
	large = malloc(200 * KIB);
	if (!small || !large)
		demo_give_up("no memory");
	show_piece("malloc of 100 KiB", small, low, true);
	show_piece("malloc of 200 KiB", large, low, false);
	gone = (uintptr_t)large & -DEMO_PAGE;
	free(large);
	demo_show("the large one is gone after free", demo_resident((void *)gone, DEMO_PAGE) < 0, true);
	return demo_end();
}
