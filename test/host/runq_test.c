/* The run queue against two plain arrays that are searched from the beginning. */
#include "kernel_fake.h"

#include <kernel/runq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 500
#define STEPS 200000

/* How many are in the lists of a, after checking them; *best: the first priority that has one. */
static u32 check_array(const struct prio_array *a, unsigned *best)
{
	u32 count = 0;

	*best = PRIO_COUNT;
	for (unsigned p = PRIO_COUNT; p-- > 0;) {
		assert_true((a->bitmap[p / 64] >> (p % 64) & 1) == !list_empty(&a->queue[p]));
		list_for_each(l, &a->queue[p]) {
			const struct runq_entry *e = list_entry(l, struct runq_entry, link);

			assert_true(e->array == a && e->prio == p);
			*best = p;
			count++;
		}
	}
	return count;
}

static void runq_check(const struct runq *q)
{
	unsigned best, unused;
	u32 active = check_array(q->active, &best), expired = check_array(q->expired, &unused);

	assert_int_equal(active + (q->first != NULL), q->active->count);
	assert_int_equal(expired, q->expired->count);
	assert_int_equal(q->count, q->active->count + q->expired->count);
	assert_int_equal(q->best, q->first ? q->first->prio : best);
	assert_true(q->best <= best);
}

struct model {
	int queue[2][PRIO_COUNT][THREADS]; /* [0]: active */
	unsigned n[2][PRIO_COUNT];
	int where[THREADS]; /* array index, or -1 */
	int prio[THREADS];
};

static unsigned model_count(const struct model *m, int a)
{
	unsigned n = 0;

	for (unsigned p = 0; p < PRIO_COUNT; p++)
		n += m->n[a][p];
	return n;
}

static void model_add(struct model *m, int i, unsigned prio, int a, bool head)
{
	int *q = m->queue[a][prio];

	if (head) {
		memmove(q + 1, q, m->n[a][prio] * sizeof *q);
		q[0] = i;
	} else {
		q[m->n[a][prio]] = i;
	}
	m->n[a][prio]++;
	m->where[i] = a;
	m->prio[i] = (int)prio;
}

static void model_remove(struct model *m, int i)
{
	int *q = m->queue[m->where[i]][m->prio[i]];
	unsigned *n = &m->n[m->where[i]][m->prio[i]], k = 0;

	while (q[k] != i)
		k++;
	memmove(q + k, q + k + 1, (*n - k - 1) * sizeof *q);
	--*n;
	m->where[i] = -1;
}

static int model_best(struct model *m)
{
	if (!model_count(m, 0)) {
		int (*t)[PRIO_COUNT][THREADS] = malloc(sizeof m->queue[0]);
		unsigned n[PRIO_COUNT];

		memcpy(t, m->queue[0], sizeof *t);
		memcpy(m->queue[0], m->queue[1], sizeof *t);
		memcpy(m->queue[1], t, sizeof *t);
		memcpy(n, m->n[0], sizeof n);
		memcpy(m->n[0], m->n[1], sizeof n);
		memcpy(m->n[1], n, sizeof n);
		for (unsigned i = 0; i < THREADS; i++)
			if (m->where[i] >= 0)
				m->where[i] = !m->where[i];
		free(t);
	}
	for (unsigned p = 0; p < PRIO_COUNT; p++)
		if (m->n[0][p])
			return m->queue[0][p][0];
	return -1;
}

static struct runq q;
static struct runq_entry entry[THREADS];

static void check_best(struct model *m)
{
	int want = model_count(m, 0) + model_count(m, 1) ? model_best(m) : -1;
	struct runq_entry *got = runq_best(&q);

	assert_ptr_equal(got, want < 0 ? NULL : &entry[want]);
	assert_int_equal(q.best, want < 0 ? PRIO_COUNT : m->prio[want]);
}

static void random_use(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	u64 seed = 99;

	(void)state;
	runq_init(&q);
	memset(entry, 0, sizeof entry);
	for (unsigned i = 0; i < THREADS; i++)
		m->where[i] = -1;
	for (unsigned step = 0; step < STEPS; step++) {
		u64 r = fake_random(&seed);
		int i = (int)(r % THREADS);

		if (m->where[i] < 0) {
			/* Mostly a few priorities, sometimes all. */
			unsigned prio = (unsigned)((r >> 16) % (r & 1 ? PRIO_COUNT : 4));
			bool expired = r >> 32 & 1, head = r >> 33 & 1;

			runq_add(&q, &entry[i], prio, expired, head);
			model_add(m, i, prio, expired, head);
		} else if (r >> 40 & 1) {
			runq_remove(&q, &entry[i]);
			model_remove(m, i);
		} else {
			check_best(m);
			model_remove(m, (int)(runq_take(&q) - entry));
		}
		assert_int_equal(q.count, model_count(m, 0) + model_count(m, 1));
		if (step % 1000 == 0) {
			runq_check(&q);
			check_best(m);
		}
	}
	runq_check(&q);
	free(m);
}

static void every_priority(void **state)
{
	(void)state;
	runq_init(&q);
	memset(entry, 0, sizeof entry);
	assert_null(runq_best(&q));
	assert_int_equal(q.best, PRIO_COUNT);
	for (int p = PRIO_COUNT - 1; p >= 0; p--) {
		runq_add(&q, &entry[p], (unsigned)p, false, false);
		assert_ptr_equal(runq_best(&q), &entry[p]);
	}
	for (int p = 0; p < PRIO_COUNT; p++) {
		assert_int_equal(q.best, p);
		assert_ptr_equal(runq_take(&q), &entry[p]);
	}
	assert_null(runq_best(&q));
	assert_null(runq_take(&q));
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
	runq_add(&q, &entry[2], 120, true, false);
	assert_null(runq_steal(&q, odd, &asked));
	runq_add(&q, &entry[1], 10, false, false);
	assert_ptr_equal(runq_steal(&q, odd, &asked), &entry[1]);
	runq_add(&q, &entry[3], 130, true, false);
	assert_ptr_equal(runq_steal(&q, odd, &asked), &entry[3]);
	for (unsigned i = 4; i < THREADS; i++)
		runq_add(&q, &entry[i], 120, false, false);
	asked = 0;
	assert_null(runq_steal(&q, never, &asked));
	assert_in_range(asked, 1, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_use),
		cmocka_unit_test(every_priority),
		cmocka_unit_test(stealing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
