/* A3: translation.
 *
 * How the machine gets from an address to a place in memory: on Tern the three-level walk of Sv39 is
 * printed as it is, table, index, entry, flags and next table at each level, then frame and offset.  What
 * the walk ends at is what pagemap says.  Everywhere: two addresses that lead to one frame are one
 * place.
 */
#define _GNU_SOURCE
#include "demo_walk.h"

static volatile int variable = 1;

/* Each level's index is in the address, each entry leads to the next table, the last to the frame. */
static void check(const volatile void *address, const struct demo_walk *w)
{
	uint64_t a = (uintptr_t)address, frame = demo_frame(address);

	demo_claim(w->levels == 3, "%p: %d levels", address, w->levels);
	for (int i = 0; i < w->levels; i++) {
		unsigned shift = 12 + 9 * (2 - (unsigned)i);

		demo_claim(w->level[i].index == (a >> shift & 511), "%p: index of level %d", address, i);
		demo_claim(w->level[i].ppn == w->level[i].entry >> 10, "%p: entry of level %d", address, i);
		demo_claim(w->level[i].flags[0] == 'V', "%p: level %d is not valid", address, i);
		if (i < 2)
			demo_claim(w->level[i + 1].table == w->level[i].ppn << 12,
				   "%p: level %d leads elsewhere", address, i);
	}
	demo_claim(w->physical == (frame << 12 | (a & 0xfff)), "%p: the walk leads to %#lx, pagemap to %#lx",
		   address, w->physical, frame << 12);
}

static void show(const char *what, const volatile void *address)
{
	uint64_t a = (uintptr_t)address, frame = demo_frame(address);
	struct demo_walk w;

	printf("%s: frame known: %s\n", what, frame ? "yes" : "no");
	demo_claim(frame, "%s: no frame", what);
	printf("#   %p = page %#lx, offset %#lx; frame %#lx\n", address, a >> 12, a & 0xfff, frame);
	if (!demo_walk(getpid(), address, &w))
		return;
	check(address, &w);
	for (int i = 0; i < w.levels; i++)
		printf("#   tern: level %d, table %#lx, entry %3u: %08lx %s, ppn %#lx\n", 2 - i,
		       w.level[i].table, w.level[i].index, w.level[i].entry, w.level[i].flags,
		       w.level[i].ppn);
	printf("#   tern: physical %#lx, allowed %s\n", w.physical, w.access);
}

/* One page of a file at two addresses. */
static void show_two_addresses(void)
{
	int fd = memfd_create("a3", 0);
	char *p[2];

	if (fd < 0 || ftruncate(fd, DEMO_PAGE))
		demo_give_up("no memory file");
	for (int i = 0; i < 2; i++) {
		p[i] = mmap(NULL, DEMO_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p[i] == MAP_FAILED)
			demo_give_up("no memory to map");
	}
	strcpy(p[0] + 100, "hello");
	printf("written through one address, read through another: %s\n", p[1] + 100);
	printf("#   %p frame %#lx, %p frame %#lx\n", (void *)p[0], (unsigned long)demo_frame(p[0]),
	       (void *)p[1], (unsigned long)demo_frame(p[1]));
	demo_claim(!strcmp(p[1] + 100, "hello"), "not the same memory");
	demo_show("two addresses", p[0] != p[1], true);
	demo_show("one frame", demo_frame(p[0]) && demo_frame(p[0]) == demo_frame(p[1]), true);
}

int main(int argc, char **argv)
{
	int local = 1;

	demo_start(argc, argv, "A3", "from an address to a frame",
		   "Walks the page table for a variable and for the stack, level by level (on Tern).\n"
		   "Look at how each entry's ppn is the next table, and the last one the frame.\n");
	variable = local; /* so that its page is there, wherever the linker has put it */
	show("a variable", &variable);
	show("the stack", &local);
	show_two_addresses();
	return demo_end();
}
