/* Reclaiming memory: drops pages that a pager can bring again, of pager-backed objects to which
 * nobody else has written.  When memory is out these pages go before any process is ended
 * (kernel/oom.c), those that nobody maps first.  If one is wanted again, its pager is asked for it.
 *
 * An object that was ever mapped shared and writable, or written through a window, is dirty, and
 * keeps its pages.  What the pager itself writes or supplies does not make it dirty, as the pager
 * can bring that again.  A region that is locked keeps its object's pages, too.
 * Locks: paged_lock, then an object's. */
#include "mm_priv.h"

#define STEP 4096u   /* pages looked at in one hold of the lock */
#define ENOUGH 1024u /* pages dropped, after which reclaiming ends */

static struct spinlock paged_lock;
/* by struct memobj.in_paged; the object that was looked at last is at the end */
static struct list paged;
static unsigned npaged;

void reclaim_init(void) { list_init(&paged); }

void reclaim_add(struct memobj *m)
{
	spin_lock(&paged_lock);
	list_add_tail(&paged, &m->in_paged);
	npaged++;
	spin_unlock(&paged_lock);
}

void reclaim_remove(struct memobj *m)
{
	spin_lock(&paged_lock);
	list_del(&m->in_paged);
	npaged--;
	spin_unlock(&paged_lock);
}

/* The object whose turn it is, with a reference.  NULL: there is none, or it has no references any
 * more. */
static struct memobj *next_paged(void)
{
	struct memobj *m = NULL;
	u32 refs = 0;

	spin_lock(&paged_lock);
	if (!list_empty(&paged)) {
		m = list_entry(paged.next, struct memobj, in_paged);
		list_del(&m->in_paged);
		list_add_tail(&paged, &m->in_paged);
		refs = READ_ONCE(m->refs);
		while (refs && !__atomic_compare_exchange_n(&m->refs, &refs, refs + 1, false,
							    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			;
	}
	spin_unlock(&paged_lock);
	return refs ? m : NULL;
}

/* The pages of m may be dropped.  m->lock held. */
static bool may_go(const struct memobj *m)
{
	if (m->dirty)
		return false;
	list_for_each(l, &m->regions)
		if (list_entry(l, struct region, in_memobj)->flags & REGION_LOCKED)
			return false;
	return true;
}

/* Drops the pages to which nobody but m refers.  Returns how many.  m->lock is held, and dropped at
 * times. */
static unsigned drop_unmapped(struct memobj *m)
{
	unsigned budget = STEP, dropped = 0;
	pfn_t pfn;

	for (u64 i = 0; (pfn = memobj_next(m, &i)) && may_go(m) && dropped < ENOUGH; i++) {
		if (frame_refs(pfn) == 1) {
			memobj_drop(m, i);
			dropped++;
		}
		if (--budget == 0) {
			spin_unlock(&m->lock);
			spin_lock(&m->lock);
			budget = STEP;
		}
	}
	return dropped;
}

bool memobj_reclaim(void)
{
	unsigned dropped = 0;

	for (unsigned pass = 0; pass < 2 && !dropped; pass++)
		for (unsigned i = READ_ONCE(npaged); i && dropped < ENOUGH; i--) {
			struct memobj *m = next_paged();

			if (!m)
				continue;
			spin_lock(&m->lock);
			if (pass == 1 && m->nregions && may_go(m)) {
				memobj_unmap(m);
				spin_lock(&m->lock);
			}
			dropped += drop_unmapped(m);
			spin_unlock(&m->lock);
			memobj_put(m);
		}
	__atomic_fetch_add(&mm_counters.reclaimed, dropped, __ATOMIC_RELAXED);
	return dropped != 0;
}
