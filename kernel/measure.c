/*
 * How long locks are held, in a build of its own (make measure; docs/locking.md): each lock notes
 * where it was taken, and the instructions that this hart had done by then; the hart that drops it
 * counts the difference for the pair of both places.  What the counting itself takes is left out.
 * The longest holds are printed when the machine is powered off.
 * With one hart, in QEMU with -icount, the figures are exact; with more a line may be lost, as
 * nothing here has a lock.
 */
#include <arch/cpu.h>
#include <kernel/hart.h>
#include <kernel/lib/log.h>
#include <kernel/lib/spinlock.h>
#include <kernel/lock.h>

#if TERN_MEASURE
#define PLACES 1024u
#define SHOWN 20u

static struct place {
	const void *taken, *dropped; /* return addresses; NULL: a free place */
	bool kernel;		     /* the kernel lock */
	u64 longest;
} places[PLACES];
static u64 spent; /* instructions done in here */

void measure_taken(struct spinlock *l)
{
	u64 now = arch_instructions();

	l->taken = __builtin_return_address(0);
	spent += arch_instructions() - now;
	l->since = now - spent;
}

void measure_dropped(struct spinlock *l)
{
	u64 now = arch_instructions(), held = now - spent - l->since;
	const void *dropped = __builtin_return_address(0);
	u64 i = ((u64)l->taken ^ (u64)dropped << 3) >> 1;
	struct place *p;

	if (!this_hart()->stat.switches) /* the boot, which nobody waits for */
		return;
	do
		p = &places[i++ % PLACES];
	while (p->taken && (p->taken != l->taken || p->dropped != dropped));
	p->taken = l->taken;
	p->dropped = dropped;
	p->kernel = l == &the_kernel_lock;
	if (held > p->longest)
		p->longest = held;
	spent += arch_instructions() - now;
}

/* The next longest hold, which is then forgotten. */
static bool measure_print(bool kernel)
{
	struct place *p = NULL;
	u64 taken, dropped;

	for (struct place *q = places; q < places + PLACES; q++)
		if (q->longest && q->kernel == kernel && (!p || q->longest > p->longest))
			p = q;
	if (!p)
		return false;
	const char *from = arch_symbol((u64)p->taken, &taken), *to = arch_symbol((u64)p->dropped, &dropped);

	klog("%s %lu %s+0x%lx %s+0x%lx\n", kernel ? "lock_hold_kernel" : "lock_hold_other", p->longest,
	     from, taken, to, dropped);
	p->longest = 0;
	return true;
}

void measure_report(void)
{
	for (unsigned kernel = 0; kernel < 2; kernel++)
		for (unsigned i = 0; i < SHOWN && measure_print(kernel); i++)
			;
}
#endif
