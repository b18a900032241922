/* The numbers of /proc/tern/objects, and whether they come to be again what they were: what a test has
 * left behind.  On other systems there are none. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OBJECTS_MAX 64
/* Of equal rounds the k-th is the busiest so far, for a server, by a chance of 1/k: that each of so many
 * was, a server keeping memory each time, happens once in 5,000 times; a leak does it every time. */
#define ROUNDS_OF_A_LEAK 6

struct objects {
	int n;
	char name[OBJECTS_MAX][24];
	long value[OBJECTS_MAX];
};

/* Slabs are kept, and split, as their cache thinks best: what is in them counts (slab_objects), not
 * their frames, nor so what is free. */
static inline bool objects_count(const char *name)
{
	return strcmp(name, "frames_slab") && strcmp(name, "free_frames");
}

/* Takes no memory of its own: what reads the numbers must not change them. */
static inline bool objects_read(struct objects *o)
{
	static char text[8192];
	size_t used = 0;
	ssize_t n = 0;
	int fd = open("/proc/tern/objects", O_RDONLY | O_CLOEXEC);

	o->n = 0;
	if (fd < 0)
		return false;
	while (used < sizeof text - 1 && (n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = 0;
	for (char *at = text; o->n < OBJECTS_MAX && sscanf(at, "%23s %ld", o->name[o->n], &o->value[o->n]) == 2;
	     at = strchr(at, '\n') + 1) {
		o->n += objects_count(o->name[o->n]);
		if (!strchr(at, '\n'))
			break;
	}
	return true;
}

/* The numbers once they are the same for two moments: who ended before is gone, and the memory that
 * reading them takes is there. */
static inline bool objects_steady(struct objects *o)
{
	static struct objects last;
	const struct timespec moment = { 0, 20000000 };

	for (int try = 0; try < 100; try++) {
		last = *o;
		if (!objects_read(o))
			return false;
		if (try && !memcmp(last.value, o->value, sizeof last.value))
			return true;
		nanosleep(&moment, NULL);
	}
	return true;
}

/* What a server keeps for the most it ever had to do: its heap, the tables that map it, and chunks of its
 * table of handles. */
static inline bool objects_may_grow(const char *name)
{
	return !strcmp(name, "frames_user") || !strcmp(name, "frames_table") || !strcmp(name, "slab_objects") ||
	       !strcmp(name, "frames_kernel");
}

/* Waits until the numbers are as before, a few seconds at most: who has ended may still be on the way
 * out.  Prints what differs.  *again: that may be no leak, but memory that servers keep, or the end of
 * somebody from before. */
static inline bool objects_settled(const struct objects *before, struct objects *after, bool *again)
{
	const struct timespec moment = { 0, 20000000 };
	bool same = true;

	for (int try = 0; try < 150; try++) {
		same = *again = true;
		objects_read(after);
		for (int i = 0; i < before->n; i++)
			if (before->value[i] != after->value[i]) {
				same = false;
				*again &= objects_may_grow(before->name[i]) ||
					  after->value[i] < before->value[i];
			}
		if (same)
			return true;
		nanosleep(&moment, NULL);
	}
	for (int i = 0; i < before->n; i++)
		if (before->value[i] != after->value[i])
			printf("  %s: %ld before, %ld after\n", before->name[i], before->value[i],
			       after->value[i]);
	fflush(stdout);
	return false;
}
