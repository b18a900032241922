/* The run queue against a plain array that is searched from the beginning. */
#include "kernel_fake.h"

#include <kernel/runq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 500
#define STEPS 200000
#define SLOT0 (PRIO_RT_COUNT + 1000u)

static struct runq q;
static struct runq_entry entry[THREADS];

/* Checks the list of a key's place: its bit, and that its entries belong there.  How many. */
static u32 check_list(struct list *head, bool bit, u64 place, u64 places, u64 *best)
{
	u32 count = 0;

	assert_true(bit == !list_empty(head));
	list_for_each(l, head) {
		const struct runq_entry *e = list_entry(l, struct runq_entry, link);

		assert_true(e->queued && e->key % places == place);
		assert_true((e->key < PRIO_RT_COUNT) == (places == PRIO_RT_COUNT));
		assert_true(places == PRIO_RT_COUNT || e->key - q.base < RUNQ_SLOTS);
		*best = MIN(*best, e->key);
		count++;
	}
	return count;
}

static void runq_check(void)
{
	u64 best = KEY_NONE;
	u32 count = q.first != NULL;

	for (u64 p = 0; p < PRIO_RT_COUNT; p++)
		count += check_list(&q.level[p], q.bitmap[p / 64] >> (p % 64) & 1, p,
				    PRIO_RT_COUNT, &best);
	for (u64 p = 0; p < RUNQ_SLOTS; p++)
		count += check_list(&q.slot[p], q.slots >> p & 1, p, RUNQ_SLOTS, &best);
	assert_int_equal(count, q.count);
	assert_int_equal(q.best, q.first ? q.first->key : best);
	assert_true(q.best <= best);
	assert_int_equal(q.bar, q.best < PRIO_RT_COUNT ? q.best : q.best + RUNQ_MARGIN);
}

/* All that are queued, by key and within a key by their order. */
struct model {
	int queue[THREADS];
	unsigned n;
};

static void model_add(struct model *m, int i, bool head)
{
	unsigned at = 0;

	while (at < m->n && (entry[m->queue[at]].key < entry[i].key ||
			     (entry[m->queue[at]].key == entry[i].key && !head)))
		at++;
	memmove(m->queue + at + 1, m->queue + at, (m->n++ - at) * sizeof *m->queue);
	m->queue[at] = i;
}

static void model_remove(struct model *m, int i)
{
	unsigned at = 0;

	while (m->queue[at] != i)
		at++;
	memmove(m->queue + at, m->queue + at + 1, (--m->n - at) * sizeof *m->queue);
}

/* Adds one and checks the key it got: its own, or the nearest for which there is a place, which is never
 * before one whose slot has come. */
static void add(struct model *m, int i, u64 key, u64 now, bool head)
{
	u64 earliest = now;

	for (unsigned k = 0; k < m->n; k++)
		if (entry[m->queue[k]].key >= PRIO_RT_COUNT)
			earliest = MIN(earliest, entry[m->queue[k]].key);
	runq_add(&q, &entry[i], key, now, head);
	if (entry[i].key > key)
		assert_true(entry[i].key <= earliest);
	else if (entry[i].key < key)
		assert_int_equal(entry[i].key, earliest + RUNQ_SLOTS - 1);
	model_add(m, i, head);
}

static void random_use(void **state)
{
	struct model m = { .n = 0 };
	u64 seed = 99, now = SLOT0;

	(void)state;
	runq_init(&q);
	memset(entry, 0, sizeof entry);
	for (unsigned step = 0; step < STEPS; step++) {
		u64 r = fake_random(&seed);
		int i = (int)(r % THREADS);

		if ((r >> 50) % 64 == 0)
			now += (r >> 44) % 16 ? 1 : (r >> 20) % 200; /* sometimes much later */
		if (!entry[i].queued) {
			/* Servers, levels, slots from the past to farther than the ring goes. */
			u64 key = r & 0x700 ? now + (r >> 16) % 80 - (r & 0x800 ? 10 : 0)
				: r & 0x1000 ? 0 : (r >> 16) % PRIO_RT_COUNT;

			add(&m, i, key, now, r >> 33 & 1);
		} else if (r >> 40 & 1) {
			runq_remove(&q, &entry[i]);
			model_remove(&m, i);
		} else if ((r >> 41) % 8 == 0) {
			unsigned k = 0;
			struct runq_entry *e = runq_take_below_servers(&q);

			while (k < m.n && !entry[m.queue[k]].key && &entry[m.queue[k]] != e)
				k++;
			assert_ptr_equal(e, k < m.n ? &entry[m.queue[k]] : NULL);
			if (e)
				model_remove(&m, (int)(e - entry));
		} else {
			assert_ptr_equal(runq_take(&q), &entry[m.queue[0]]);
			model_remove(&m, m.queue[0]);
		}
		assert_int_equal(q.count, m.n);
		assert_int_equal(q.best, m.n ? entry[m.queue[0]].key : KEY_NONE);
		if (step % 1000 == 0)
			runq_check();
	}
	runq_check();
}

static void every_key(void **state)
{
	const int n = PRIO_RT_COUNT + RUNQ_SLOTS;

	(void)state;
	runq_init(&q);
	memset(entry, 0, sizeof entry);
	assert_null(runq_take(&q));
	for (int p = n - 1; p >= 0; p--)
		runq_add(&q, &entry[p], (u64)p + (p < (int)PRIO_RT_COUNT ? 0 : 1000), SLOT0, false);
	for (int p = 0; p < n; p++) {
		assert_int_equal(q.best, entry[p].key);
		assert_ptr_equal(runq_take(&q), &entry[p]);
	}
	assert_null(runq_take(&q));
	assert_null(runq_take_below_servers(&q));
}

/* Many that come again and again with the present slot do not pass one whose slot has come. */
static void nobody_waits_for_ever(void **state)
{
	(void)state;
	runq_init(&q);
	memset(entry, 0, sizeof entry);
	runq_add(&q, &entry[0], SLOT0 + 33, SLOT0, false);
	for (u64 now = SLOT0; entry[0].queued; now++) {
		assert_true(now <= SLOT0 + 33);
		for (int i = 1; i < 10; i++)
			if (!entry[i].queued)
				runq_add(&q, &entry[i], now, now, false);
		for (int i = 1; i < 10; i++)
			(void)runq_take(&q);
	}
}

static bool odd(struct runq_entry *e, void *arg)
{
	++*(unsigned *)arg;
	return (e - entry) & 1;
}
static bool never(struct runq_entry *e, void *arg)
{
	(void)e;
	++*(unsigned *)arg;
	return false;
}

static void stealing(void **state)
{
	unsigned asked = 0;

	(void)state;
	runq_init(&q);
	memset(entry, 0, sizeof entry);
	assert_null(runq_steal(&q, odd, &asked));
	runq_add(&q, &entry[2], SLOT0 + 20, SLOT0, false);
	assert_null(runq_steal(&q, odd, &asked));
	runq_add(&q, &entry[3], SLOT0 + 30, SLOT0, false);
	assert_ptr_equal(runq_steal(&q, odd, &asked), &entry[3]);
	runq_add(&q, &entry[1], 70, SLOT0, false);
	runq_add(&q, &entry[4], 10, SLOT0, false);
	assert_ptr_equal(runq_steal(&q, odd, &asked), &entry[1]);
	for (int i = 10; i < 300; i++)
		runq_add(&q, &entry[i], SLOT0, SLOT0, false);
	asked = 0;
	assert_null(runq_steal(&q, never, &asked));
	assert_true(asked < 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_use),
		cmocka_unit_test(every_key),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(stealing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
