/* The descriptor table against an array of slots, with memory that runs out at every point. */
#include "kernel_fake.h"

#include <kernel/handle.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tern/linux/errno.h>

#include <cmocka.h>

#define LIMIT 300
#define STEPS 200000
#define OBJECTS 40

/* Objects are counters of their references. */
static long refs[OBJECTS];

void kernel_relax(void) {}

void steps_begin(struct steps *s)
{
	while (!s->step(s))
		;
}

void handle_ref(enum handle_type type, void *object)
{
	(void)type;
	++*(long *)object;
}

void handle_unref(enum handle_type type, void *object)
{
	(void)type;
	assert_true(*(long *)object > 0);
	--*(long *)object;
}

void handle_hidden_drop(struct handle_table *t, const struct session *s)
{
	(void)t;
	(void)s;
	fail_msg("no table here has hidden sessions");
}

enum { FREE = -1, RESERVED = -2 };
struct model {
	int slot[LIMIT]; /* an object's number, or FREE, RESERVED */
	bool cloexec[LIMIT];
};

static long model_lowest(const struct model *m, u32 from, u32 limit)
{
	for (u32 fd = from; fd < limit; fd++)
		if (m->slot[fd] == FREE)
			return fd;
	return -EMFILE;
}

static void table_check(const struct handle_table *t)
{
	u32 n = 0;

	for (u32 c = 0; c < t->nchunks; c++)
		for (unsigned i = 0; t->chunks[c] && i < HANDLES_PER_CHUNK; i++) {
			const struct handle *h = &t->chunks[c]->h[i];
			bool used = t->chunks[c]->used >> i & 1;

			assert_true(used == (h->type != HANDLE_FREE));
			assert_true(h->type <= HANDLE_RESERVED || h->object);
			assert_true(used || c >= t->hint);
			n += used;
		}
	assert_int_equal(n, t->count);
}

static void compare(const struct handle_table *t, const struct model *m)
{
	long want[OBJECTS] = { 0 };

	table_check(t);
	for (u32 fd = 0; fd < LIMIT; fd++) {
		struct handle *h = handle_find(t, fd);

		if (m->slot[fd] < 0) {
			assert_null(h);
			continue;
		}
		assert_non_null(h);
		assert_ptr_equal(h->object, &refs[m->slot[fd]]);
		assert_int_equal(h->cloexec, m->cloexec[fd]);
		want[m->slot[fd]]++;
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		assert_int_equal(refs[i], want[i]);
}

static void one_step(struct handle_table *t, struct model *m, u64 r)
{
	u32 fd = (u32)(r >> 8) % LIMIT, to = (u32)(r >> 20) % LIMIT, limit = r & 64 ? LIMIT : 70;
	bool cloexec = r >> 60 & 1;
	int object = (int)((r >> 32) % OBJECTS);
	long got, want;

	switch (r % 8) {
	case 0:
	case 1:
		refs[object]++;
		got = handle_add(t, limit, HANDLE_SESSION, &refs[object], 3, cloexec);
		want = model_lowest(m, 0, limit);
		break;
	case 2:
		got = handle_dup(t, fd, to, limit, cloexec);
		want = model_lowest(m, to, limit);
		object = m->slot[fd];
		if (object < 0)
			want = -EBADF;
		break;
	case 3:
		if (fd == to)
			return;
		got = handle_dup_to(t, fd, to, limit, cloexec);
		object = m->slot[fd];
		want = object < 0 || to >= limit ? -(long)EBADF : m->slot[to] == RESERVED ? -EBUSY : (long)to;
		break;
	case 4:
		got = handle_reserve(t, to, limit);
		want = model_lowest(m, to, limit);
		object = RESERVED;
		break;
	case 5:
		if (m->slot[fd] != RESERVED)
			return;
		if (cloexec) {
			handle_unreserve(t, fd);
			m->slot[fd] = FREE;
		} else {
			refs[object]++;
			handle_fill(t, fd, HANDLE_SESSION, &refs[object], 3, false);
			m->slot[fd] = object;
			m->cloexec[fd] = false;
		}
		return;
	default:
		assert_int_equal(handle_close(t, fd), m->slot[fd] < 0 ? -EBADF : 0);
		if (m->slot[fd] >= 0)
			m->slot[fd] = FREE;
		return;
	}
	if (got == -ENOMEM) {
		assert_int_equal(fake_allocs_left, 0);
		return;
	}
	assert_int_equal(got, want);
	if (got >= 0) {
		m->slot[got] = object;
		m->cloexec[got] = object == RESERVED ? false : cloexec;
	}
}

static struct handle_table *table_fill(struct model *m, u64 *seed, unsigned steps)
{
	struct handle_table *t = handle_table_create();

	assert_non_null(t);
	memset(refs, 0, sizeof refs);
	for (unsigned i = 0; i < LIMIT; i++)
		m->slot[i] = FREE;
	for (unsigned step = 0; step < steps; step++) {
		u64 r = fake_random(seed);

		fake_allocs_left = (r >> 50) % 16 == 0 ? 0 : -1;
		one_step(t, m, r);
		fake_allocs_left = -1;
		if (step % 500 == 0)
			compare(t, m);
	}
	compare(t, m);
	return t;
}

static void unreserve_all(struct handle_table *t, struct model *m)
{
	for (u32 fd = 0; fd < LIMIT; fd++)
		if (m->slot[fd] == RESERVED) {
			handle_unreserve(t, fd);
			m->slot[fd] = FREE;
		}
}

static void no_references_left(void)
{
	for (unsigned i = 0; i < OBJECTS; i++)
		assert_int_equal(refs[i], 0);
	assert_int_equal(fake_allocs_live, 0);
}

static void random_use(void **state)
{
	struct model m;
	u64 seed = 4711;
	struct handle_table *t = table_fill(&m, &seed, STEPS);

	(void)state;
	unreserve_all(t, &m);
	handle_table_put(t);
	no_references_left();
}

static void copying(void **state)
{
	u64 seed = 5;

	(void)state;
	for (long fail = 0; fail < 12; fail++) {
		struct model m;
		struct handle_table *t = table_fill(&m, &seed, 2000), *copy;

		fake_allocs_left = fail;
		copy = handle_table_copy(t);
		fake_allocs_left = -1;
		unreserve_all(t, &m);
		if (!copy) {
			compare(t, &m);
			handle_table_put(t);
			continue;
		}
		handle_table_put(t);
		compare(copy, &m);
		for (u32 fd = 0; fd < LIMIT; fd++)
			if (m.slot[fd] >= 0 && m.cloexec[fd])
				m.slot[fd] = FREE;
		for (u32 fd = 0; !handle_close_on_exec(copy, &fd);)
			;
		compare(copy, &m);
		handle_table_put(copy);
		no_references_left();
	}
}

static void closing_in_steps(void **state)
{
	struct model m;
	u64 seed = 77;
	struct handle_table *t = table_fill(&m, &seed, 5000);
	u32 cursor = 0;
	unsigned rounds = 0;

	(void)state;
	unreserve_all(t, &m);
	while (!handle_table_close_some(t, 16, &cursor))
		assert_true(++rounds < LIMIT);
	assert_int_equal(t->count, 0);
	handle_table_put(t);
	no_references_left();
}

static void types_and_rights(void **state)
{
	struct handle_table *t = handle_table_create();

	(void)state;
	refs[0] = 1;
	assert_int_equal(handle_add(t, 10, HANDLE_MEMOBJ, &refs[0], 5, false), 0);
	assert_ptr_equal(handle_object(t, 0, HANDLE_MEMOBJ, 1), &refs[0]);
	assert_ptr_equal(handle_object(t, 0, HANDLE_MEMOBJ, 5), &refs[0]);
	assert_null(handle_object(t, 0, HANDLE_MEMOBJ, 2));
	assert_null(handle_object(t, 0, HANDLE_SESSION, 1));
	assert_null(handle_find(t, 1));
	assert_null(handle_find(t, ~0u));
	assert_int_equal(handle_close(t, ~0u), -EBADF);
	handle_table_get(t);
	handle_table_put(t);
	assert_int_equal(refs[0], 1);
	handle_table_put(t);
	no_references_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_use),
		cmocka_unit_test(copying),
		cmocka_unit_test(closing_in_steps),
		cmocka_unit_test(types_and_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
