/* Leaf tables that forks share.
 *
 * A private page or a leaf table with more than one reference is immutable; whoever wants to change
 * it copies it first.  So fork takes a reference of each leaf table, not of each page, and costs
 * what is touched afterwards.  The upper entry of a leaf table is one of these:
 *   linked                 the table is the space's own
 *   shared, not linked     so fork leaves it on both sides, since Sv39 has no write bit in upper
 *                          entries.  The leaf entries still have W, so a parent whose child has
 *                          gone claims the table back and goes on without a fault for each page
 *   shared, linked         this space read while others have the table: W was taken from every
 *                          entry before, and stays away
 *   shared, stale          mprotect was here, and left it to leaf_own() to bring the rights up to
 *                          date
 * The first space that writes claims the table if no other one has it any more.  Else it copies the
 * table, and takes W from the entries on both sides, so that pages are copied when written.
 *
 * Only tables whose regions are all anonymous, private and inherited are shared; fork copies the
 * entries of others.  So a shared table never holds an object's page, and truncation need not look
 * for other spaces that have it; and no entry of it ever changes but for losing W.  Any sharer may
 * take W under the lock of its own space alone, as all of them store the same.
 * Lock: the space's; frame.refs counts the spaces. */
#include "mm_priv.h"

/* Takes W from every entry of the leaf table f, unless that was done before. */
static void make_read_only(struct frame *f)
{
	pte_t *p = pfn_to_virt(frame_pfn(f));

	if (__atomic_load_n(&f->flags, __ATOMIC_ACQUIRE) & FRAME_READ_ONLY)
		return;
	for (u32 i = 0, left = f->used; left; i++) {
		left -= p[i] != 0;
		if (p[i] & PTE_W)
			WRITE_ONCE(p[i], p[i] & ~(PTE_W | PTE_D));
	}
	__atomic_store_n(&f->flags, FRAME_READ_ONLY, __ATOMIC_RELEASE);
}

bool leaf_link(pte_t *upper)
{
	struct frame *f = frame_of(pte_pfn(*upper));

	if (__atomic_load_n(&f->refs, __ATOMIC_RELAXED) == 1)
		return false;
	make_read_only(f);
	mmu_publish();
	WRITE_ONCE(*upper, *upper | PTE_V);
	return true;
}

/* Frees a table or huge page that nobody refers to any more.  Mostly the table is empty, since
 * its only owner empties it first; but when the last two sharers put it at the same time,
 * neither did. */
static void table_free(struct frame *f)
{
	pte_t *p = pfn_to_virt(frame_pfn(f));

	if (unlikely(f->kind != FRAME_TABLE)) {
		huge_free(frame_pfn(f));
		return;
	}
	f->refs = 0;
	for (; unlikely(f->used); p++) {
		if (*p && !(*p & PTE_SPECIAL))
			frame_put(pte_pfn(*p));
		f->used -= *p != 0;
		*p = 0;
	}
	frame_free_zeroed(frame_pfn(f));
}

void table_put(pfn_t pfn)
{
	struct frame *f = frame_of(pfn);

	if (__atomic_load_n(&f->refs, __ATOMIC_ACQUIRE) == 1 ||
	    __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0)
		table_free(f);
}

u64 leaf_drop(struct aspace *as, pte_t *upper, u64 n)
{
	u64 pages = 0, i = 0;

	for (; i < n && (upper[i] & (PTE_V | PTE_SHARED)) == PTE_SHARED; i++) {
		struct frame *f = frame_of(pte_pfn(upper[i]));

		if (__atomic_load_n(&f->refs, __ATOMIC_RELAXED) == 1)
			/* the space is its only owner: the caller empties it, entry by entry */
			break;
		upper[i] = 0;
		pages += f->pages;
		if (unlikely(__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0))
			table_free(f);
	}
	pt_frame(upper)->used -= (u32)i;
	as->shared -= (u32)i;
	as->tables -= i;
	as->resident -= pages;
	as->resident_anon -= pages;
	return i;
}

/* What copy_entries() copied: entries; those that hold a frame's reference; those with PTE_ANON
 * among these. */
struct copied {
	u32 used, pages, anon;
	bool weaker; /* W was taken from some at the old place, which needs a fence */
};

/* Copies the entries among n slots, without W, and takes W from the old ones.  Ends early once
 * `left` were found, which is how many the table has. */
static struct copied copy_entries(pte_t *from, pte_t *to, u64 n, u32 left)
{
	struct copied c = { 0 };

	for (pte_t *end = from + n; from < end && left; from++, to++) {
		pte_t e = *from;

		if (!e)
			continue;
		left--;
		c.used++;
		if (e & PTE_W) {
			e &= ~(PTE_W | PTE_D);
			WRITE_ONCE(*from, e);
			c.weaker = true;
		}
		WRITE_ONCE(*to, e);
		if (e & PTE_SPECIAL)
			continue;
		frame_get(pte_pfn(e));
		c.pages++;
		c.anon += (u32)((e & PTE_ANON) / PTE_ANON);
	}
	return c;
}

/* Gives the entries of leaf table t, which is not linked, the rights that their regions have
 * now. */
static void leaf_refresh(struct aspace *as, pte_t *t, va_t base)
{
	va_t end = base + pt_span(1);
	struct batch b; /* never flushed: no hart can hold entries of a table that is not linked */

	batch_init(&b, as);
	for (struct region *r = region_next(as, base); r && r->start < end; r = r->next) {
		va_t start = MAX(r->start, base);

		pt_protect_run(&b, t + pt_index(start, 0), start, MIN(r->end, end), r->prot,
			       r->flags & REGION_SHARED);
	}
}

int leaf_own(struct aspace *as, va_t va, pte_t *upper)
{
	pte_t e = *upper, *t;
	pfn_t old = pte_pfn(e), own = old;
	struct frame *f = frame_of(old);
	va_t base = va & ~(pt_span(1) - 1);
	struct copied c;
	unsigned first;

	if (leaf_is_shared(e)) {
		own = frame_alloc(0, FRAME_TABLE, FRAME_ZERO);
		if (!own)
			return -ENOMEM;
	}
	t = pfn_to_virt(own);
	if (own != old) {
		/* Below the first region in the table's range there are no entries. */
		first = pt_index(MAX(region_next(as, base)->start, base), 0);
		c = copy_entries((pte_t *)pfn_to_virt(old) + first, t + first, PT_ENTRIES - first,
				 f->used);
		frame_of(own)->used = c.used;
		frame_of(own)->pages = c.pages;
		__atomic_store_n(&f->flags, FRAME_READ_ONLY, __ATOMIC_RELEASE);
	} else {
		if (unlikely(f->flags == FRAME_WHOLE) && huge_rejoin(as, upper)) {
			as->shared--;
			return 0;
		}
		f->flags = 0;
	}
	if (unlikely(e & PTE_STALE))
		leaf_refresh(as, t, base);
	mmu_publish();
	WRITE_ONCE(*upper, pte_table(own));
	as->shared--;
	if (own == old)
		return 0;
	if (pte_valid(e)) /* no hart of this space may use the other spaces' table any more */
		aspace_fence(as, 0, 0, true);
	table_put(old);
	return 0;
}

static int own_edge(struct aspace *as, va_t va)
{
	pte_t *upper = va & (pt_span(1) - 1) ? pt_upper(as, va) : NULL;

	return upper && leaf_is_shared(*upper) ? leaf_own(as, va, upper) : 0;
}

int leaf_own_ends(struct aspace *as, va_t start, va_t end)
{
	int err = own_edge(as, start);

	return err ? err : own_edge(as, end);
}

void leaf_share(struct batch *b, struct aspace *dst, pte_t *from, pte_t *to, u64 n)
{
	struct frame *middle = pt_frame(to), *f;
	u64 pages = 0;
	u32 shared = 0;

	for (pte_t *end = from + n; from < end; from++, to++) {
		pte_t e = *from;

		if (!e)
			continue;
		if (!(e & PTE_SHARED)) {
			if (unlikely(pte_is_huge(e))) {
				e = pte_table(virt_to_pfn(pt_leaf(e)));
				b->as->huge--;
			}
			e = (e & ~PTE_V) | PTE_SHARED;
			WRITE_ONCE(*from, e);
			b->upper = true;
			b->as->shared++;
		}
		assert(!*to);
		*to = e;
		f = frame_of(pte_pfn(e));
		__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
		pages += f->pages;
		shared++;
	}
	middle->used += shared;
	dst->tables += shared;
	dst->shared += shared;
	dst->resident += pages;
	dst->resident_anon += pages;
}

int leaf_copy(struct batch *b, struct aspace *dst, pte_t *upper, va_t va, va_t stop)
{
	bool linked = false;
	struct copied c;
	pte_t *from, *to;

	if ((*upper & PTE_SHARED) && leaf_own(b->as, va, upper))
		return -ENOMEM;
	if (pte_is_huge(*upper))
		huge_split(b, upper);
	from = pte_next_table(*upper) + pt_index(va, 0);
	for (; va < stop && !*from; from++)
		va += PAGE_SIZE;
	if (va >= stop)
		return 0;
	to = pt_make(dst, va, 0, &linked);
	if (!to)
		return -ENOMEM;
	c = copy_entries(from, to, (stop - va) >> PAGE_SHIFT, pt_frame(from)->used);
	pt_frame(to)->used += c.used;
	pt_frame(to)->pages += c.pages;
	dst->resident += c.pages;
	dst->resident_anon += c.anon;
	if (c.weaker) {
		batch_touch(b, va);
		batch_touch(b, stop - PAGE_SIZE);
	}
	return 0;
}
