/* V2: the format of an address.
 *
 * An address is a row of indices, one for each level of the page table, and an offset in the page.
 * Sv39 has 9+9+9+12 bits of them, Sv48 and x86-64 9+9+9+9+12, x86-32 10+10+12.  That 9 bits are one
 * table of 512 entries shows in VmPTE: pages of one 2 MiB share a table, the next 2 MiB have another.
 */
#include "demo_walk.h"

struct format {
	const char *name;
	unsigned levels, bits; /* bits of one index */
};

static const struct format formats[] = {
	{ "Sv39", 3, 9 }, { "Sv48", 4, 9 }, { "x86-64", 4, 9 }, { "x86-32", 2, 10 }
};

static unsigned index_of(const struct format *f, uint64_t address, unsigned level)
{
	return address >> (12 + level * f->bits) & ((1u << f->bits) - 1);
}

/* One line a format: its indices from the top level down and the offset; claims that put together
 * again they are the low bits of the address. */
static void split(uint64_t address, const char *mark)
{
	printf("%s0x%lx\n", mark, address);
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		const struct format *f = &formats[i];
		unsigned used = 12 + f->levels * f->bits;
		uint64_t again = address & 0xfff;

		printf("%s  %-7s", mark, f->name);
		for (unsigned level = f->levels; level-- > 0;) {
			printf(" %4u .", index_of(f, address, level));
			again |= (uint64_t)index_of(f, address, level) << (12 + level * f->bits);
		}
		printf(" 0x%03lx   (%u bits)\n", address & 0xfff, used);
		demo_claim(again == (address & ((1ull << used) - 1)), "%s loses bits", f->name);
	}
}

/* The machine's own walk takes the indices that we read out of the address. */
static void check_walk(const char *what, const volatile void *address)
{
	struct demo_walk w;
	uint64_t a = (uintptr_t)address;

	if (!demo_walk(getpid(), address, &w))
		return;
	printf("#   tern: %s %#lx, walked by %u . %u . %u\n", what, a,
	       w.level[0].index, w.level[1].index, w.level[2].index);
	demo_claim(w.levels == 3, "%s: the walk has %d levels", what, w.levels);
	for (unsigned i = 0; i < 3; i++)
		demo_claim(w.level[i].index == index_of(&formats[0], a, 2 - i),
			   "%s: the walk takes another index", what);
}

/* Page-table memory that one more touched page takes, in kB. */
static long tables_for(char *page)
{
	long before = demo_file_value("/proc/self/status", "VmPTE:");

	*page = 1;
	return demo_file_value("/proc/self/status", "VmPTE:") - before;
}

int main(int argc, char **argv)
{
	const uintptr_t span = 2 << 20;
	char local = 0, *area;
	long same, next;

	demo_start_with(8, argc, argv, "V2", "the format of an address",
			"Splits addresses into the indices of each level and the offset; arguments are\n"
			"addresses in hexadecimal.  Look at the bits: 9 an index, 12 the offset; and at\n"
			"the tables: a page in the same 2 MiB needs no new one, one 2 MiB on does.\n");
	for (int i = 1; i < argc; i++)
		split(strtoul(argv[i], NULL, 16), "# ");
	if (argc == 1) {
		split(0x12345678, "");
		split(0x3fffffffff, "");
	}
	check_walk("main", (void *)(uintptr_t)main);
	check_walk("a variable of main", &local);
	demo_show("a page has 2^12 bytes", sysconf(_SC_PAGESIZE) == 1 << 12, true);
	area = demo_map(8 << 20);
	area = (char *)(((uintptr_t)area + 2 * span - 1) & ~(2 * span - 1));
	tables_for(area);
	same = tables_for(area + span - DEMO_PAGE);
	next = tables_for(area + span);
	printf("table for one more page of the same 2 MiB: %ld kB\n", same);
	printf("table for a page of the next 2 MiB: %ld kB\n", next);
	demo_claim(same == 0 && next == 4, "a table does not hold 512 entries");
	return demo_end();
}
