/* V12: looking at a space.
 *
 * maps says which regions there are, smaps what they hold, pagemap what is behind each page.  This
 * prints them as `pmap -X` does, for a process or for itself.  Before, it makes a region of 16 pages
 * and writes 5 of them, and checks that all three say just that.
 */
#include "demo.h"

#define PAGES 16
#define WRITTEN 5

struct entry {
	unsigned long start, end;
	char perms[5], name[40];
	long size, rss, pss, dirty, anonymous;
};

/* Reads one entry of smaps, and the line that begins the next. */
static bool next_entry(FILE *f, char *line, size_t size, struct entry *e)
{
	static const char format[] = "%lx-%lx %4s %*s %*s %*s %39s";

	memset(e, 0, sizeof *e);
	if (sscanf(line, format, &e->start, &e->end, e->perms, e->name) < 3)
		return false;
	while (fgets(line, (int)size, f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			return true;
		sscanf(line, "Size: %ld", &e->size);
		sscanf(line, "Rss: %ld", &e->rss);
		sscanf(line, "Pss: %ld", &e->pss);
		sscanf(line, "Private_Dirty: %ld", &e->dirty);
		sscanf(line, "Anonymous: %ld", &e->anonymous);
	}
	line[0] = 0;
	return true;
}

static void print_row(const struct entry *e)
{
	printf("#%12lx %-4s %7ld %6ld %6ld %6ld %6ld  %s\n", e->start, e->perms, e->size, e->rss, e->pss,
	       e->dirty, e->anonymous, e->name);
}

/* Prints all of them; keeps the one at `own`.  Returns their number, or -1. */
static int print_space(const char *pid, struct entry *sum, const char *own, struct entry *kept)
{
	char path[64], line[512];
	struct entry e;
	int n = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%s/smaps", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	printf("#     Address Perm    Size    Rss    Pss  Dirty   Anon  Mapping (kB)\n");
	if (!fgets(line, sizeof line, f))
		line[0] = 0;
	for (; next_entry(f, line, sizeof line, &e); n++) {
		print_row(&e);
		sum->size += e.size;
		sum->rss += e.rss;
		sum->pss += e.pss;
		sum->dirty += e.dirty;
		sum->anonymous += e.anonymous;
		if (e.start == (uintptr_t)own)
			*kept = e;
	}
	fclose(f);
	memcpy(sum->name, "total", 6);
	print_row(sum);
	return n;
}

static int lines(const char *path)
{
	FILE *f = fopen(path, "r");
	int n = 0, c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static int present(const char *from, int pages)
{
	int n = 0;

	for (int i = 0; i < pages; i++)
		n += (demo_pagemap(from + i * DEMO_PAGE) & PAGEMAP_PRESENT) != 0;
	return n;
}

int main(int argc, char **argv)
{
	struct entry sum = { 0 }, own = { 0 };
	char *area;
	int n;

	demo_start_with(1, argc, argv, "V12", "a space as pmap prints it",
			"Prints a process's regions (argument: its pid, else itself) with what they hold.\n"
			"Look at Size, what is promised, beside Rss, what is there; its own region of 16\n"
			"pages, of which 5 are written, is checked against maps, smaps and pagemap.\n");
	if (argc > 1) {
		demo_claim(print_space(argv[1], &sum, NULL, &own) >= 0, "no such process, or not ours");
		return demo_end();
	}
	area = demo_map((PAGES + 2) * DEMO_PAGE) + DEMO_PAGE; /* alone between two guards */
	mprotect(area - DEMO_PAGE, DEMO_PAGE, PROT_NONE);
	mprotect(area + PAGES * DEMO_PAGE, DEMO_PAGE, PROT_NONE);
	for (int i = 0; i < WRITTEN; i++)
		area[3 * i * DEMO_PAGE] = 1;
	n = print_space("self", &sum, area, &own);
	demo_show("as many regions in maps", n > 0 && n == lines("/proc/self/maps"), true);
	printf("16 pages, 5 written: Size %ld, Rss %ld, Dirty %ld, Anonymous %ld kB; pagemap %d\n",
	       own.size, own.rss, own.dirty, own.anonymous, present(area, PAGES));
	demo_claim(own.size == 4 * PAGES && own.rss == 4 * WRITTEN, "smaps counts other pages");
	demo_claim(own.dirty == own.rss && own.anonymous == own.rss, "the pages are not all our own");
	demo_claim(present(area, PAGES) == WRITTEN, "pagemap has other pages");
	demo_show("sizes add up to VmSize", sum.size == demo_file_value("/proc/self/status", "VmSize:"),
		  true);
	return demo_end();
}
