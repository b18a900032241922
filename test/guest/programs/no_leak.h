/* For tests that everything is given back. */
#pragma once
#include "objects.h"
#include "test.h"

/* Runs `what` so many times, again; nothing may grow.  A server's heap may, if it had
 * more to do than before; a leak grows every time. */
static void no_leak(void (*what)(long), long times)
{
	static struct objects before, after;
	bool same = false, again = true;

	for (long i = 0; i < (times < 30 ? times : 30); i++)
		what(i);
	test_settle();
	objects_read(&after); /* this test's own pages */
	objects_steady(&before);
	for (int round = 0; round < ROUNDS_OF_A_LEAK && !same && again; round++) {
		if (round)
			before = after;
		for (long i = 0; i < times; i++)
			what(i);
		same = objects_settled(&before, &after, &again);
	}
	if (same && before.n)
		printf("  %s: %ld times, all %d numbers of /proc/tern/objects as before\n", test_current,
		       times, before.n);
	fflush(stdout);
	CHECK(same);
}
