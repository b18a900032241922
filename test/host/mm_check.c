/* Walks that assert what mm/ keeps true of its frames, trees and spaces: the tests call them between
 * steps; the kernel itself has no use for them. */
#include "../../mm/mm_priv.h"
#include "mm_check.h"
#include <kernel/lib/log.h>
#include <tern/abi.h>

void frame_check(void)
{
	struct tern_frame_stats s;
	u64 seen[FRAME_USER + 1] = { 0 }, blocks[FRAME_ORDERS] = { 0 };

	frame_stats(&s);
	for (pfn_t pfn = frame_base; pfn < frame_limit;) {
		struct frame *f = frame_of(pfn);
		u64 n = 1;

		assert(f->kind <= FRAME_USER);
		if (f->flags & FRAME_IN_BUDDY) {
			n = 1ul << f->order;
			assert(f->kind == FRAME_FREE && !(pfn & (n - 1)));
			blocks[f->order]++;
			for (pfn_t p = pfn + 1; p < pfn + n; p++)
				assert(frame_of(p)->kind == FRAME_FREE && !frame_of(p)->flags);
			if (f->order < FRAME_ORDERS - 1 && frame_is_ram(pfn ^ n))
				assert(!(frame_of(pfn ^ n)->flags & FRAME_IN_BUDDY) ||
				       frame_of(pfn ^ n)->order != f->order);
		} else if (f->kind != FRAME_FREE && f->kind != FRAME_RESERVED) {
			n = 1ul << f->order;
		}
		assert((f->kind == FRAME_FREE || f->kind == FRAME_RESERVED) == !f->refs);
		seen[f->kind] += n;
		pfn += n;
	}
	assert(seen[FRAME_FREE] == s.free && seen[FRAME_USER] == s.user);
	assert(seen[FRAME_KERNEL] == s.kernel && seen[FRAME_SLAB] == s.slab);
	assert(seen[FRAME_TABLE] == s.table);
	for (unsigned o = 0; o < FRAME_ORDERS; o++)
		assert(blocks[o] == s.free_blocks[o]);
}

/* An object that is free has not been written to since. */
static void check_poison(const struct slab_cache *c, const void *p)
{
	const u8 *b = p;

	for (u32 i = sizeof(void *); TERN_DEBUG && i < c->size; i++)
		assert(b[i] == SLAB_POISON);
}

/* How many objects of a slab are in use. */
static u32 check_slab(const struct slab_cache *c, const struct slab *s)
{
	u32 nfree = 0;

	assert(s->cache == c);
	for (const void *p = s->free; p; p = *(void *const *)p, nfree++) {
		assert(((uintptr_t)p & ~((PAGE_SIZE << c->order) - 1)) == (uintptr_t)s);
		check_poison(c, p);
	}
	assert(nfree + s->used == c->per_slab);
	return s->used;
}

static void check_cache(const struct slab_cache *c)
{
	u64 used = 0, slabs = 0, partial = 0, found = 0;

	for (pfn_t pfn = frame_base; pfn < frame_limit; pfn++) {
		const struct frame *f = frame_of(pfn);
		const struct slab *s = pfn_to_virt(pfn);

		if (f->kind != FRAME_SLAB || f->owner != c)
			continue;
		used += check_slab(c, s);
		slabs++;
		partial += !!s->free;
		pfn += (1ul << c->order) - 1;
	}
	list_for_each(e, &c->partial) {
		assert(list_entry(e, struct slab, link)->free);
		found++;
	}
	assert(found == partial && used == c->used && slabs == c->slabs && c->total == slabs * c->per_slab);
}

uint64_t objects_in_use(const char *cache)
{
	static struct tern_slab_info v[32];
	unsigned n = slab_info(v, ARRAY_SIZE(v));

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(v[i].name, cache))
			return v[i].used;
	panic("no slab cache %s", cache);
}

void slab_check(void)
{
	const struct slab_cache *last = NULL;

	for (pfn_t pfn = frame_base; pfn < frame_limit; pfn++) {
		if (frame_of(pfn)->kind != FRAME_SLAB || frame_of(pfn)->owner == last)
			continue;
		last = frame_of(pfn)->owner;
		check_cache(last);
	}
}

void radix_check(const struct radix *t)
{
	u64 index = 0, last = 0;
	bool first = true;

	for (; radix_next(t, &index); index++) {
		assert(first || index > last);
		assert(radix_get(t, index));
		last = index;
		first = false;
	}
	assert(t->root.child || t->height == 0);
}

void memobj_check(struct memobj *m)
{
	u64 n = 0, index = 0;
	u32 regions = 0;
	pfn_t pfn;

	spin_lock(&m->lock);
	assert(m->refs);
	radix_check(&m->pages);
	for (; (pfn = radix_next(&m->pages, &index)); index++, n++) {
		assert(index < PAGE_UP(m->size) >> PAGE_SHIFT);
		assert(frame_of(pfn)->kind == FRAME_USER && frame_of(pfn)->refs);
	}
	assert(n == m->resident);
	list_for_each(e, &m->regions) {
		assert(list_entry(e, struct region, in_memobj)->memobj == m);
		regions++;
	}
	assert(regions == m->nregions && m->refs >= regions);
	assert(!m->zapping == !m->zap_next);
	spin_unlock(&m->lock);
}

static void check_region(const struct aspace *as, struct region *r)
{
	u64 gap;

	assert(r->aspace == as && r->start < r->end);
	assert(!((r->start | r->end) & PAGE_MASK) && r->start >= USER_MIN && r->end <= USER_MAX);
	assert(!(r->prot & ~r->max_prot) || (r->flags & REGION_VDSO));
	assert(!r->left || (r->left->parent == r && r->left->start < r->start));
	assert(!r->right || (r->right->parent == r && r->right->start > r->start));
	assert(!r->parent || r->parent->priority >= r->priority);
	gap = r->prev ? r->start - r->prev->end : r->start - USER_MIN;
	if (r->flags & REGION_GROWSDOWN)
		gap = gap > STACK_GAP ? gap - STACK_GAP : 0;
	assert(gap == r->gap);
	if (r->left)
		gap = MAX(gap, r->left->max_gap);
	if (r->right)
		gap = MAX(gap, r->right->max_gap);
	assert(gap == r->max_gap);
	assert(!!r->memobj == !list_empty(&r->in_memobj));
}

/* An entry in use that lies in r, with no operation under way. */
static void check_entry(const struct region *r, va_t va, pte_t upper, pte_t e)
{
	unsigned rights;

	assert(r && r->start <= va);
	rights = r->prot & PROT_WRITE ? r->prot | PROT_READ : r->prot;
	assert(((e >> 1) & 7 & ~rights) == 0 || (upper & PTE_STALE));
	assert(!(e & PTE_ANON) || !(r->flags & REGION_SHARED));
	assert((e & (PTE_ANON | PTE_W)) != PTE_W || (r->flags & REGION_SHARED));
	assert((e & PTE_ANON) || !(upper & PTE_SHARED));
}

static void check_leaf(struct aspace *as, pte_t upper, va_t base, u64 *resident, u64 *anon)
{
	const pte_t *t = pt_leaf(upper);
	struct frame *f = pt_frame(t);
	u32 used = 0, pages = 0;

	assert(f->kind == FRAME_TABLE && f->refs >= 1);
	assert(f->refs == 1 || (upper & PTE_SHARED));
	assert(!(upper & PTE_STALE) || (upper & (PTE_V | PTE_SHARED)) == PTE_SHARED);
	assert(!(upper & PTE_SHARED) || !pte_valid(upper) || (f->flags & FRAME_READ_ONLY));
	assert(!pte_is_huge(upper) || (f->flags == FRAME_WHOLE && f->used == PT_ENTRIES));
	assert(!(f->flags & FRAME_WHOLE) || pte_is_huge(upper) || (upper & PTE_SHARED));
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		pte_t e = t[i];

		if (!e)
			continue;
		used++;
		assert(!pte_is_huge(upper) || e == (upper | PTE_ANON) + ((pte_t)i << PTE_PFN_SHIFT));
		if (!as->busy)
			check_entry(region_next(as, base + i * PAGE_SIZE), base + i * PAGE_SIZE, upper, e);
		assert(!(e & PTE_W) || !(f->flags & FRAME_READ_ONLY));
		if (e & PTE_SPECIAL)
			continue;
		pages++;
		*anon += !!(e & PTE_ANON);
		assert(frame_of(pte_pfn(e))->kind == FRAME_USER && frame_refs(pte_pfn(e)) >= 1);
		if ((e & PTE_W) && (e & PTE_ANON))
			assert(frame_refs(pte_pfn(e)) == 1);
	}
	assert(f->used == used && f->pages == pages);
	*resident += pages;
}

static void check_tables(struct aspace *as)
{
	u64 resident = 0, anon = 0, tables = 1;
	u32 shared = 0, huge = 0;

	for (unsigned i = 0; i < pt_index(USER_MAX - 1, 2) + 1; i++) {
		u32 used = 0;
		pte_t *l1;

		if (!pte_valid(as->root[i]))
			continue;
		l1 = pte_next_table(as->root[i]);
		tables++;
		for (unsigned j = 0; j < PT_ENTRIES; j++) {
			if (!l1[j])
				continue;
			used++;
			tables++;
			shared += !!(l1[j] & PTE_SHARED);
			huge += pte_is_huge(l1[j]);
			check_leaf(as, l1[j], i * pt_span(2) + j * pt_span(1), &resident, &anon);
		}
		assert(frame_of(pte_pfn(as->root[i]))->used == used);
	}
	assert(shared == as->shared && huge == as->huge);
	assert(resident == as->resident && anon == as->resident_anon && tables == as->tables);
}

void aspace_check(struct aspace *as)
{
	struct region *prev = NULL;
	u64 mapped = 0, data = 0;
	u32 n = 0;

	spin_lock(&as->lock);
	for (struct region *r = as->head; r; prev = r, r = r->next) {
		u64 pages = (r->end - r->start) >> PAGE_SHIFT;

		assert(r->prev == prev && (!prev || prev->end <= r->start));
		check_region(as, r);
		assert(region_next(as, r->start) == r);
		mapped += pages;
		if ((r->prot & PROT_WRITE) && !(r->flags & (REGION_SHARED | REGION_GROWSDOWN)))
			data += pages;
		n++;
	}
	assert(as->tail == prev && n == as->nregions);
	assert(mapped == as->mapped && data == as->data);
	check_tables(as);
	spin_unlock(&as->lock);
}
