/*
 * The O(1) run queue.
 *
 * Two arrays of 140 lists, each with a bitmap of the lists that are not empty.  A thread whose
 * slice is over goes to the expired array; when the active one is empty they change places.  The
 * best priority is the lowest set bit of three words.  Whoever comes and is better than all that
 * are there waits in `first`, in no list: mostly it is the next to run, and alone.
 * Invariants: a bit is set exactly when its list has entries; count is the number of entries, and
 * best their best priority, `first` among them.
 * Caller's lock: the kernel lock.
 */
#include <kernel/lib/bits.h>
#include <kernel/lib/log.h>
#include <kernel/runq.h>

#define STEAL_LIMIT 32

static inline unsigned array_best(const struct prio_array *a)
{
	if (a->bitmap[0])
		return lowest_bit(a->bitmap[0]);
	if (a->bitmap[1])
		return 64 + lowest_bit(a->bitmap[1]);
	if (a->bitmap[2])
		return 128 + lowest_bit(a->bitmap[2]);
	return PRIO_COUNT;
}

void runq_init(struct runq *q)
{
	for (unsigned i = 0; i < 2; i++) {
		struct prio_array *a = &q->arrays[i];

		a->bitmap[0] = a->bitmap[1] = a->bitmap[2] = 0;
		a->count = 0;
		for (unsigned p = 0; p < PRIO_COUNT; p++)
			list_init(&a->queue[p]);
	}
	q->active = &q->arrays[0];
	q->expired = &q->arrays[1];
	q->first = NULL;
	q->count = 0;
	q->best = PRIO_COUNT;
}

static void enlist(struct prio_array *a, struct runq_entry *e, bool head)
{
	if (head)
		list_add_head(&a->queue[e->prio], &e->link);
	else
		list_add_tail(&a->queue[e->prio], &e->link);
	a->bitmap[e->prio / 64] |= 1ull << (e->prio % 64);
}

void runq_add(struct runq *q, struct runq_entry *e, unsigned prio, bool expired, bool head)
{
	struct prio_array *a = expired ? q->expired : q->active;

	assert(prio < PRIO_COUNT && !e->array);
	a->count++;
	q->count++;
	e->array = a;
	e->prio = (u8)prio;
	if (expired || prio > q->best || (prio == q->best && !head)) {
		enlist(a, e, head);
		return;
	}
	if (q->first)
		enlist(a, q->first, true);
	q->first = e;
	q->best = prio;
}

void runq_remove(struct runq *q, struct runq_entry *e)
{
	struct prio_array *a = e->array;
	unsigned prio = e->prio;

	assert(a);
	if (e == q->first) {
		q->first = NULL;
	} else {
		list_del(&e->link);
		if (list_empty(&a->queue[prio]))
			a->bitmap[prio / 64] &= ~(1ull << (prio % 64));
	}
	a->count--;
	q->count--;
	e->array = NULL;
	if (a == q->active && !q->first)
		q->best = a->count ? array_best(a) : PRIO_COUNT;
}

struct runq_entry *runq_best(struct runq *q)
{
	if (q->first)
		return q->first;
	if (!q->active->count) {
		struct prio_array *a = q->active;

		if (!q->expired->count)
			return NULL;
		q->active = q->expired;
		q->expired = a;
		q->swaps++;
		q->best = array_best(q->active);
	}
	return list_entry(q->active->queue[q->best].next, struct runq_entry, link);
}

struct runq_entry *runq_take(struct runq *q)
{
	struct runq_entry *e = q->first;

	if (likely(e && q->active->count == 1)) {
		q->active->count = 0;
		q->count--;
		q->best = PRIO_COUNT;
		q->first = NULL;
		e->array = NULL;
		return e;
	}
	e = runq_best(q);
	if (e)
		runq_remove(q, e);
	return e;
}

struct runq_entry *runq_steal(struct runq *q, bool (*allowed)(struct runq_entry *, void *), void *arg)
{
	unsigned looked = 0;

	/* The expired array first: those have been off the hart the longest. */
	for (unsigned pass = 0; pass < 2; pass++) {
		struct prio_array *a = pass ? q->active : q->expired;

		if (pass && q->first && allowed(q->first, arg))
			return q->first;
		for (unsigned w = 0; w < 3; w++) {
			for (u64 bits = a->bitmap[w]; bits; bits &= bits - 1) {
				struct list *head = &a->queue[w * 64 + lowest_bit(bits)];

				list_for_each(p, head) {
					struct runq_entry *e =
						list_entry(p, struct runq_entry, link);

					if (allowed(e, arg))
						return e;
					if (++looked >= STEAL_LIMIT)
						return NULL;
				}
			}
		}
	}
	return NULL;
}
