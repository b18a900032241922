/* Numbers of objects: against an array of all numbers ever given out, with memory that runs out. */
#include "kernel_fake.h"

#include <kernel/idtable.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEPS 200000
#define LIVE_MAX 3000

struct given {
	u64 id;
	void *object; /* NULL: given back */
};

static void table_free(struct idtable *t)
{
	for (u32 i = 0; i < t->nchunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
}

static void random_use(void **state)
{
	struct idtable t = { 0 };
	struct given *given = calloc(STEPS, sizeof *given);
	u64 *live = calloc(LIVE_MAX, sizeof *live);
	u64 seed = 0x1234567;
	unsigned ngiven = 0, nlive = 0;

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		u64 r = fake_random(&seed);

		fake_allocs_left = r % 64 == 0 ? 0 : -1;
		if (nlive < LIVE_MAX && (r >> 8) % 100 < (step / 20000 % 2 ? 40 : 60)) {
			u64 id = id_alloc(&t, &given[ngiven]);

			if (!id) {
				assert_int_equal(fake_allocs_left, 0);
				continue;
			}
			given[ngiven] = (struct given){ id, &given[ngiven] };
			assert_ptr_equal(id_find(&t, id), &given[ngiven]);
			live[nlive++] = ngiven++;
		} else if (nlive) {
			unsigned i = (unsigned)((r >> 16) % nlive);
			struct given *g = &given[live[i]];

			assert_ptr_equal(id_find(&t, g->id), g->object);
			id_free(&t, g->id);
			g->object = NULL;
			live[i] = live[--nlive];
		}
		assert_int_equal(t.used, nlive);
		if (ngiven) {
			struct given *g = &given[(r >> 20) % ngiven];

			assert_ptr_equal(id_find(&t, g->id), g->object);
		}
	}
	for (unsigned i = 0; i < ngiven; i++)
		assert_ptr_equal(id_find(&t, given[i].id), given[i].object);
	fake_allocs_left = -1;
	table_free(&t);
	free(live);
	free(given);
}

static void hostile_numbers(void **state)
{
	struct idtable t = { 0 };
	int object;
	u64 id;

	(void)state;
	assert_null(id_find(&t, 0));
	assert_null(id_find(&t, ~0ull));
	id = id_alloc(&t, &object);
	assert_int_not_equal(id, 0);
	assert_ptr_equal(id_find(&t, id), &object);
	for (unsigned bit = 0; bit < 64; bit++)
		assert_null(id_find(&t, id ^ 1ull << bit));
	id_free(&t, id);
	assert_null(id_find(&t, id));
	assert_int_not_equal(id_alloc(&t, &object), id);
	table_free(&t);
}

static void generation_wraps(void **state)
{
	struct idtable t = { 0 };
	int object;
	u64 id = id_alloc(&t, &object);

	(void)state;
	id_free(&t, id);
	t.chunks[0][(u32)id].generation = ~0u;
	id = id_alloc(&t, &object);
	assert_int_equal(id >> 32, ~0u);
	id_free(&t, id);
	id = id_alloc(&t, &object);
	assert_int_equal(id >> 32, 1);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_use),
		cmocka_unit_test(hostile_numbers),
		cmocka_unit_test(generation_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
