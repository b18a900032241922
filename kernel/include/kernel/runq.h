/* The O(1) run queue: who is ready, by a key.  Keys below PRIO_RT_COUNT are fixed levels (0 servers,
 * 1–99 real time); from there on a key is a slot of time, the one in which an ordinary thread's turn
 * comes.  Picking takes the same instructions with 1 and 10,000 threads.
 * Pure: builds on the host.  Caller's lock: the kernel lock. */
#pragma once

#include <kernel/lib/list.h>

#define PRIO_RT_COUNT 100u
#define PRIO_DEFAULT 120
#define NICE_TO_PRIO(nice) (PRIO_DEFAULT + (nice))
#define RUNQ_SLOTS 64u	    /* how far apart the slots of queued threads may be */
#define RUNQ_MARGIN 33u	    /* slots by which a turn must be earlier to interrupt who runs */
#define KEY_NONE (1ull << 62) /* after every key */

struct runq {
	struct runq_entry *first; /* the best, in none of the lists, or NULL */
	u64 best;  /* the best key, KEY_NONE if nobody is queued */
	u64 bar;   /* who runs with a key above this gives way; of slots, the margin later than best */
	u64 base;  /* all slots lie in base … base + RUNQ_SLOTS - 1 */
	u32 count; /* ready threads, the running one not among them */
	u64 bitmap[2], slots; /* which lists have entries: levels; slots by their last six bits */
	struct list level[PRIO_RT_COUNT], slot[RUNQ_SLOTS];
};

struct runq_entry {
	struct list link;
	u64 key;     /* as queued: a slot that the queue could not hold became its nearest */
	bool queued;
};

void runq_init(struct runq *q);
/* `now`, the slot of the present, never goes back.  Within one key at the tail, or at the head. */
void runq_add(struct runq *q, struct runq_entry *e, u64 key, u64 now, bool head);
void runq_remove(struct runq *q, struct runq_entry *e);
/* Takes the first of the best key out; NULL if there is none. */
struct runq_entry *runq_take(struct runq *q);
/* The same, but passes over level 0. */
struct runq_entry *runq_take_below_servers(struct runq *q);
/* Is one queued for whom a thread with this key gives way? */
static inline bool runq_has_better(const struct runq *q, u64 key) { return q->bar < key; }
/* A thread that another hart may take: allowed(e, arg); NULL if none. Bounded search. */
struct runq_entry *runq_steal(struct runq *q, bool (*allowed)(struct runq_entry *, void *), void *arg);
