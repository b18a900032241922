/* Spin locks.  The kernel runs with interrupts off, so a lock needs no more than the word. */
#pragma once

#include <arch/cpu.h>
#include <kernel/lib/types.h>

struct spinlock {
	u32 locked;
#if TERN_MEASURE
	u64 since; /* the instructions that the hart had executed when it took the lock */
	const void *taken; /* the return address: where it was taken */
#endif
};

/* The measuring build counts how long locks are held: kernel/measure.c. */
#if TERN_MEASURE
void measure_taken(struct spinlock *l);
void measure_dropped(struct spinlock *l);
void measure_report(void);
#else
static inline void measure_taken(struct spinlock *l) { (void)l; }
static inline void measure_dropped(struct spinlock *l) { (void)l; }
static inline void measure_report(void) {}
#endif

#define SPINLOCK_INIT { 0 }

#ifdef TERN_HOST
static inline void spin_lock(struct spinlock *l) { l->locked = 1; }
static inline void spin_unlock(struct spinlock *l) { l->locked = 0; }
static inline bool spin_trylock(struct spinlock *l)
{
	bool ok = !l->locked;
	l->locked = 1;
	return ok;
}
#else
static inline bool spin_trylock(struct spinlock *l)
{
	bool ok = arch_swap_acquire(&l->locked, 1) == 0;

	if (ok)
		measure_taken(l);
	return ok;
}
static inline void spin_lock(struct spinlock *l)
{
	while (unlikely(!spin_trylock(l)))
		arch_spin_wait(&l->locked);
}
static inline void spin_unlock(struct spinlock *l)
{
	measure_dropped(l);
	arch_store_release(&l->locked, 0);
}
#endif
static inline bool spin_is_locked(const struct spinlock *l) { return READ_ONCE(l->locked) != 0; }
