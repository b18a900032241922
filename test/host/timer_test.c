/* The timers' heap: against an array of all that are armed, in random use. */
#include "kernel_fake.h"

#include <kernel/hart.h>
#include <kernel/lock.h>
#include <kernel/sched.h>
#include <kernel/timer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMERS 700
#define STEPS 200000

struct hart harts[MAX_HARTS];
struct spinlock the_kernel_lock;
static struct timer timers[TIMERS];
static u64 now, armed = ~0ull, fired;

struct hart *this_hart(void) { return &harts[0]; }
u64 arch_ticks(void) { return now; }
void arch_timer_arm(u64 ticks) { armed = ticks; }
void sched_tick(void) {}
void kernel_send_ipis(void) {}

static void fire(struct timer *t)
{
	assert_true(t->expiry <= now);
	assert_null(t->hart);
	fired++;
}

/* Nodes of a heap, whose shape is right. */
static unsigned heap_check(const struct timer *t, const struct timer *up)
{
	u32 left, right;

	if (!t)
		return 0;
	assert_ptr_equal(t->up, up);
	assert_true(!up || up->expiry <= t->expiry);
	left = t->left ? t->left->rank : 0;
	right = t->right ? t->right->rank : 0;
	assert_true(left >= right);
	assert_int_equal(t->rank, right + 1);
	return 1 + heap_check(t->left, t) + heap_check(t->right, t);
}

static unsigned armed_timers(u64 *first)
{
	unsigned n = 0;

	*first = ~0ull;
	for (unsigned i = 0; i < TIMERS; i++)
		if (timers[i].hart) {
			n++;
			*first = MIN(*first, timers[i].expiry);
		}
	return n;
}

static void random_use(void **state)
{
	u64 seed = 0x7654321, first;

	(void)state;
	harts[0].timer_armed = harts[0].slice_end = ~0ull;
	for (unsigned i = 0; i < TIMERS; i++)
		timer_init(&timers[i], fire);
	for (unsigned step = 0; step < STEPS; step++) {
		u64 r = fake_random(&seed);
		struct timer *t = &timers[(r >> 8) % TIMERS];

		if (r % 8 < 5)
			timer_set(t, now + (r >> 32) % (step / 10000 % 2 ? 50 : 100000));
		else if (r % 8 < 7)
			timer_cancel(t);
		else
			now += (r >> 32) % 300;
		if (armed <= now)
			kernel_timer_interrupt();
		if (step % 64 == 0) {
			assert_int_equal(heap_check(harts[0].timers, NULL), armed_timers(&first));
			assert_true(!harts[0].timers || harts[0].timers->expiry == first);
			assert_true(armed <= first);
		}
	}
	while (armed != ~0ull) {
		now = MAX(now, armed);
		kernel_timer_interrupt();
	}
	assert_int_equal(armed_timers(&first), 0);
	assert_true(fired > STEPS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_use) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
