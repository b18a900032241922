/*
 * The O(1) run queue.
 *
 * A list for each fixed level, and a ring of lists for the next slots of time, with a bitmap of the
 * lists that are not empty.  The best key is the lowest set bit of the levels' words, else of the
 * ring's word turned so that `base` comes first.  Whoever comes and is better than all that are
 * there waits in `first`, in no list: mostly it is the next to run, and alone.
 *
 * Why nobody waits for ever: who enters the queue with a slot no earlier than the present stands
 * behind everybody whose slot has come.  The scheduler never queues a woken thread with an earlier
 * one, and so does the clamp here: `base` passes neither the present nor the earliest entry.
 * Invariants: a bit is set exactly when its list has entries; count is the number of entries, and
 * best their best key, `first` among them.
 * Caller's lock: the kernel lock.
 */
#include <kernel/lib/bits.h>
#include <kernel/lib/log.h>
#include <kernel/runq.h>

#define STEAL_LIMIT 32

void runq_init(struct runq *q)
{
	*q = (struct runq){ .best = KEY_NONE, .bar = KEY_NONE, .base = PRIO_RT_COUNT };
	for (unsigned i = 0; i < PRIO_RT_COUNT; i++)
		list_init(&q->level[i]);
	for (unsigned i = 0; i < RUNQ_SLOTS; i++)
		list_init(&q->slot[i]);
}

static struct list *runq_list(struct runq *q, u64 key)
{
	return key < PRIO_RT_COUNT ? &q->level[key] : &q->slot[key % RUNQ_SLOTS];
}

static void runq_mark(struct runq *q, u64 key, bool used)
{
	u64 *word = key < PRIO_RT_COUNT ? &q->bitmap[key / 64] : &q->slots;

	*word = (*word & ~(1ull << (key % 64))) | (u64)used << (key % 64);
}

static inline void runq_set_best(struct runq *q, u64 best)
{
	q->best = best;
	q->bar = best < PRIO_RT_COUNT ? best : best + RUNQ_MARGIN;
}

/* The ring's word with the base's bit lowest. */
static u64 runq_turned_slots(const struct runq *q)
{
	unsigned turn = q->base % RUNQ_SLOTS;

	return turn ? q->slots >> turn | q->slots << (64 - turn) : q->slots;
}

static u64 runq_earliest_slot(const struct runq *q)
{
	return q->base + lowest_bit(runq_turned_slots(q));
}

/* The best key in the lists. */
static u64 runq_best_listed(const struct runq *q)
{
	if (q->bitmap[0])
		return lowest_bit(q->bitmap[0]);
	if (q->bitmap[1])
		return 64 + lowest_bit(q->bitmap[1]);
	return q->slots ? runq_earliest_slot(q) : KEY_NONE;
}

/* The slot at or nearest to key for which the ring has a place, once its base is moved up. */
static u64 runq_fit(struct runq *q, u64 key, u64 now)
{
	u64 earliest = q->slots ? runq_earliest_slot(q) : now;

	if (q->first && q->first->key >= PRIO_RT_COUNT)
		earliest = q->first->key; /* it is before all that are listed */
	q->base = MIN(earliest, now);
	return MAX(q->base, MIN(key, q->base + RUNQ_SLOTS - 1));
}

static void runq_enlist(struct runq *q, struct runq_entry *e, bool head)
{
	if (head)
		list_add_head(runq_list(q, e->key), &e->link);
	else
		list_add_tail(runq_list(q, e->key), &e->link);
	runq_mark(q, e->key, true);
}

void runq_add(struct runq *q, struct runq_entry *e, u64 key, u64 now, bool head)
{
	assert(!e->queued && key < KEY_NONE);
	if (key >= PRIO_RT_COUNT && unlikely(key - q->base >= RUNQ_SLOTS))
		key = runq_fit(q, key, now);
	q->count++;
	e->queued = true;
	e->key = key;
	if (key > q->best || (key == q->best && !head)) {
		runq_enlist(q, e, head);
		return;
	}
	if (q->first)
		runq_enlist(q, q->first, true);
	q->first = e;
	runq_set_best(q, key);
}

void runq_remove(struct runq *q, struct runq_entry *e)
{
	assert(e->queued);
	if (e == q->first) {
		q->first = NULL;
	} else {
		list_del(&e->link);
		if (list_empty(runq_list(q, e->key)))
			runq_mark(q, e->key, false);
	}
	q->count--;
	e->queued = false;
	if (!q->first)
		runq_set_best(q, q->count ? runq_best_listed(q) : KEY_NONE);
}

struct runq_entry *runq_take(struct runq *q)
{
	struct runq_entry *e = q->first;

	if (!q->count)
		return NULL;
	if (!e)
		e = list_entry(runq_list(q, q->best)->next, struct runq_entry, link);
	runq_remove(q, e);
	return e;
}

struct runq_entry *runq_take_below_servers(struct runq *q)
{
	u64 servers = q->bitmap[0] & 1, key;
	struct runq_entry *e = q->first;

	if (!e || e->key == 0) {
		q->bitmap[0] &= ~1ull;
		key = runq_best_listed(q);
		q->bitmap[0] |= servers;
		if (key == KEY_NONE)
			return NULL;
		e = list_entry(runq_list(q, key)->next, struct runq_entry, link);
	}
	runq_remove(q, e);
	return e;
}

struct runq_entry *runq_steal(struct runq *q, bool (*allowed)(struct runq_entry *, void *), void *arg)
{
	unsigned looked = 0;

	if (q->first && allowed(q->first, arg))
		return q->first;
	for (unsigned w = 0; w < 3; w++) {
		u64 from = w == 0 ? 0 : w == 1 ? 64 : q->base;

		for (u64 bits = w < 2 ? q->bitmap[w] : runq_turned_slots(q); bits; bits &= bits - 1) {
			struct list *head = runq_list(q, from + lowest_bit(bits));

			list_for_each(p, head) {
				struct runq_entry *e = list_entry(p, struct runq_entry, link);

				if (allowed(e, arg))
					return e;
				if (++looked >= STEAL_LIMIT)
					return NULL;
			}
		}
	}
	return NULL;
}
