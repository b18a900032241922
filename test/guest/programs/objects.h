/* For tests that everything is given back: the numbers of /proc/tern/objects before and after. */
#pragma once

#include "test.h"

#define MAX 64

struct objects {
	int n;
	char name[MAX][24];
	long value[MAX];
};

static bool read_objects(struct objects *o)
{
	FILE *f = fopen("/proc/tern/objects", "re");

	o->n = 0;
	if (!f)
		return false;
	/* Slabs keep free objects by the hart; what is in use of them is slab_objects. */
	while (o->n < MAX && fscanf(f, "%23s %ld", o->name[o->n], &o->value[o->n]) == 2)
		if (strcmp(o->name[o->n], "free_frames") && strcmp(o->name[o->n], "frames_slab"))
			o->n++;
	fclose(f);
	return true;
}

/* Runs `what` so many times, twice; the second time nothing may grow. */
static void no_leak(void (*what)(long), long times)
{
	static struct objects before, after;
	bool seen, same = true;

	for (long i = 0; i < (times < 30 ? times : 30); i++)
		what(i);
	test_settle();
	/* Once for the file itself, and for this test's own pages; then until those who ended before
	 * are gone. */
	read_objects(&after);
	for (int try = 0; try < 100; try++) {
		read_objects(&after);
		test_sleep_ms(20);
		read_objects(&before);
		if (!memcmp(before.value, after.value, sizeof before.value))
			break;
	}
	read_objects(&before);
	for (long i = 0; i < times; i++)
		what(i);
	/* What init reaps, it may reap a moment later. */
	for (int try = 0; try < 50; try++) {
		same = true;
		seen = read_objects(&after);
		for (int i = 0; seen && i < before.n; i++)
			same &= before.value[i] == after.value[i];
		if (same)
			break;
		test_sleep_ms(20);
	}
	for (int i = 0; seen && i < before.n; i++)
		if (before.value[i] != after.value[i])
			printf("  %s: %ld before, %ld after %ld times\n", before.name[i],
			       before.value[i], after.value[i], times);
	if (seen && same)
		printf("  %s: %ld times, all %d numbers of /proc/tern/objects as before\n", test_current,
		       times, before.n);
	fflush(stdout);
	CHECK(same);
}
