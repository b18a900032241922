/* The regions of a space, from /proc/PID/maps. */
#pragma once

#include "demo.h"

struct demo_region {
	uintptr_t start, end;
	char perms[5];
	char name[64];
};

#define DEMO_REGIONS 128

/* All of them, DEMO_REGIONS at most; -1 where they cannot be had.  Takes nothing from malloc, so
 * that looking changes no region. */
static inline int demo_regions(pid_t pid, struct demo_region *r)
{
	static char text[32768];
	char path[40], *line, *end;
	size_t length = 0;
	ssize_t n;
	int fd, count = 0;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	while ((n = read(fd, text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = 0;
	for (line = text; (end = strchr(line, '\n')) && count < DEMO_REGIONS; line = end + 1) {
		struct demo_region *x = &r[count];

		*end = 0;
		x->name[0] = 0;
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %63s", &x->start, &x->end, x->perms,
			   x->name) >= 3)
			count++;
	}
	return count;
}

/* The region of one's own that an address lies in; start is 0 where there is none. */
static inline struct demo_region demo_region_of(const volatile void *address)
{
	static struct demo_region r[DEMO_REGIONS];
	int n = demo_regions(getpid(), r);

	for (int i = 0; i < n; i++)
		if ((uintptr_t)address >= r[i].start && (uintptr_t)address < r[i].end)
			return r[i];
	return (struct demo_region){ .perms = "none" };
}
