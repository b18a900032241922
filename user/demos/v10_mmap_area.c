/* V10: the mmap area.
 *
 * Four kinds of mappings: private or shared, anonymous or of a file.  A child writes to each.  Shared:
 * the parent sees it, and a file has it.  Private: neither.  Mappings are placed from the top down.
 */
#include "demo_maps.h"

struct kind {
	const char *name;
	int flags;
	bool of_file;
	char *at;
};

static char *map(const struct kind *k, int fd)
{
	void *p = mmap(NULL, 16 * DEMO_PAGE, PROT_READ | PROT_WRITE, k->flags, k->of_file ? fd : -1, 0);

	if (p == MAP_FAILED)
		demo_give_up("mmap failed");
	return p;
}

static const char *yes(bool is)
{
	return is ? "yes" : "no";
}

int main(int argc, char **argv)
{
	struct kind kinds[] = {
		{ "private anonymous", MAP_PRIVATE | MAP_ANONYMOUS, false, NULL },
		{ "shared  anonymous", MAP_SHARED | MAP_ANONYMOUS, false, NULL },
		{ "private file", MAP_PRIVATE, true, NULL },
		{ "shared  file", MAP_SHARED, true, NULL },
	};
	const int n = sizeof kinds / sizeof kinds[0];
	char name[] = "/tmp/v10.XXXXXX", got[16] = "";
	int fd = mkstemp(name);
	bool downward = true;
	pid_t child;

	demo_start(argc, argv, "V10", "the mmap area",
		   "A child writes into four kinds of mappings.  Look at who sees it: the parent\n"
		   "sees what is shared, the file gets what is shared and its own.\n");
	if (fd < 0 || unlink(name) || ftruncate(fd, n * 16 * DEMO_PAGE))
		demo_give_up("no file");
	for (int i = 0; i < n; i++) {
		kinds[i].at = map(&kinds[i], fd);
		kinds[i].at[i] = '-';
		downward &= i == 0 || kinds[i].at < kinds[i - 1].at;
	}
	child = fork();
	if (child < 0)
		demo_give_up("no process");
	if (child == 0) {
		for (int i = 0; i < n; i++)
			kinds[i].at[i] = '!';
		_exit(0);
	}
	demo_reap(child);
	if (pread(fd, got, n, 0) != n)
		demo_give_up("the file cannot be read");
	for (int i = 0; i < n; i++) {
		struct demo_region r = demo_region_of(kinds[i].at);
		bool shared = kinds[i].flags & MAP_SHARED, seen = kinds[i].at[i] == '!';

		printf("%-18s %s  the parent sees it: %s", kinds[i].name, r.perms, yes(seen));
		demo_claim(seen == shared, "%s: wrong for the parent", kinds[i].name);
		demo_claim(r.perms[3] == (shared ? 's' : 'p'), "%s: maps says %s", kinds[i].name, r.perms);
		if (kinds[i].of_file) {
			printf(", the file has it: %s", yes(got[i] == '!'));
			demo_claim((got[i] == '!') == shared, "%s: wrong in the file", kinds[i].name);
		}
		printf("\n#   at %p\n", (void *)kinds[i].at);
	}
	demo_show("each mapping lies below the one before", downward, true);
	return demo_end();
}
