/* The walk through the page table for an address, from /proc/PID/ptwalk (Tern only). */
#pragma once

#include "demo.h"

struct demo_walk {
	int levels; /* lines below: down to the frame, or to the entry at which the walk ends */
	struct {
		uint64_t table, entry, ppn; /* the table's address; the entry; the number in it */
		unsigned index;
		char flags[9];
	} level[3];
	uint64_t physical;
	char access[4]; /* what the process may do: r, w, x or - */
};

/* The text of the walk; false where it cannot be had. */
static inline bool demo_walk_text(pid_t pid, const volatile void *address, char *text, size_t size)
{
	char path[40], where[20];
	int fd, len = snprintf(where, sizeof where, "%lx", (unsigned long)(uintptr_t)address);
	ssize_t n = -1;

	snprintf(path, sizeof path, "/proc/%d/ptwalk", (int)pid);
	fd = open(path, O_RDWR);
	if (fd >= 0) {
		if (write(fd, where, (size_t)len) == len)
			n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static inline bool demo_walk(pid_t pid, const volatile void *address, struct demo_walk *w)
{
	char text[1024], *line;
	unsigned level;

	memset(w, 0, sizeof *w);
	if (!demo_walk_text(pid, address, text, sizeof text))
		return false;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		int i = w->levels;

		if (i < 3 && sscanf(line, "level %u table %lx index %u entry %lx %8s ppn %lx", &level,
				    &w->level[i].table, &w->level[i].index, &w->level[i].entry,
				    w->level[i].flags, &w->level[i].ppn) == 6)
			w->levels++;
		sscanf(line, "physical %lx access %3s", &w->physical, w->access);
	}
	return true;
}
