/* V4: the regions of a space.
 *
 * One symbol of each: text, read-only data, data, bss, heap, mmap area, stack.  Their addresses
 * are in this order, each lies in a region of /proc/self/maps with the access that it should have, and
 * bss reads as zero although the file holds nothing of it.
 */
#include "demo_maps.h"

static const char constant[] = "read-only data";
static volatile int initialised = 42;
static volatile char zeroes[64 * 1024] DEMO_ALONE;

struct place {
	const char *name, *perms;
	const volatile void *address;
};

static void show(const struct place *p)
{
	struct demo_region r = demo_region_of(p->address);

	printf("%-12s %s\n", p->name, r.perms);
	printf("#   %p in %lx-%lx %s\n", p->address, r.start, r.end, r.name);
	demo_claim(!strcmp(r.perms, p->perms), "%s is %s", p->name, r.perms);
	if (!strcmp(p->name, "heap") || !strcmp(p->name, "stack"))
		demo_claim(strstr(r.name, p->name), "%s lies in %s", p->name, r.name);
}

int main(int argc, char **argv)
{
	int local = 1, dirty = 0;
	char *heap, *mapped;
	bool ordered = true;

	demo_start(argc, argv, "V4", "the regions of a space",
		   "Prints where one symbol of each kind lies, what is allowed there, and the region\n"
		   "that /proc/self/maps has there.  Look at the order of the addresses.\n");
	for (size_t i = 0; i < sizeof zeroes; i++)
		dirty |= zeroes[i];
	heap = malloc(1000);
	mapped = demo_map(DEMO_PAGE);
	if (!heap)
		demo_give_up("no memory");
	const struct place places[] = {
		{ "text", "r-xp", (void *)(uintptr_t)main },
		{ "constant", "r-xp", constant },
		{ "data", "rw-p", &initialised },
		{ "bss", "rw-p", zeroes + sizeof zeroes / 2 },
		{ "heap", "rw-p", heap },
		{ "mmap area", "rw-p", mapped },
		{ "stack", "rw-p", &local },
	};
	const size_t n = sizeof places / sizeof places[0];

	for (size_t i = 0; i < n; i++) {
		show(&places[i]);
		ordered &= i == 0 || places[i - 1].address < places[i].address;
	}
	demo_show("addresses in this order", ordered, true);
	printf("data is %d, from the file\n", initialised);
	demo_show("bss reads as zero", dirty == 0, true);
	return demo_end();
}
