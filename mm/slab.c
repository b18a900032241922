/* Slab caches: objects of one size cut from blocks of frames, and kmalloc over caches of powers of
 * two.
 *
 * A slab is a block of 2^order frames, aligned to its size, that begins with struct slab; its free
 * objects are linked through their first word.  Slabs with a free object are in cache->partial, the
 * others in no list.  A slab of which no object is in use is given back, unless it is the last one
 * in `partial`.  Each hart keeps some freed objects in a magazine of its own, which needs no lock
 * as the kernel is not preempted.  Each frame of a slab names its cache (frame.owner), for kfree().
 * Debug builds fill what is free with SLAB_POISON and check it when it is handed out.
 * Locks: cache->lock for the lists and counts, caches_lock for the list of caches. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/lib/log.h>
#include <kernel/lib/string.h>
#include <mm/frame.h>
#include <mm/slab.h>
#include <tern/abi.h>

#define MAGAZINE_MAX 16
#define SLAB_HEADER 64
#define KMALLOC_MIN_SHIFT 4
#define KMALLOC_MAX_SHIFT 11

_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "slab header");

static struct spinlock caches_lock;
static struct list caches;
static struct slab_cache kmalloc_caches[KMALLOC_MAX_SHIFT - KMALLOC_MIN_SHIFT + 1];

void slab_cache_init(struct slab_cache *c, const char *name, size_t size)
{
	memset(c, 0, sizeof(*c));
	c->name = name;
	c->size = (u32)((size + 15) & ~15ul);
	while (c->order < 3 && ((PAGE_SIZE << c->order) - SLAB_HEADER) / c->size < 7)
		c->order++;
	c->per_slab = (u32)(((PAGE_SIZE << c->order) - SLAB_HEADER) / c->size);
	assert(c->per_slab > 0);
	list_init(&c->partial);
	spin_lock(&caches_lock);
	list_add_tail(&caches, &c->caches);
	spin_unlock(&caches_lock);
}

#if TERN_DEBUG
static void slab_poison(const struct slab_cache *c, void *p)
{
	memset((char *)p + sizeof(void *), SLAB_POISON, c->size - sizeof(void *));
}
static void poison_check(const struct slab_cache *c, const void *p)
{
	const u8 *b = p;

	for (u32 i = sizeof(void *); i < c->size; i++)
		if (b[i] != SLAB_POISON)
			panic("slab %s: object %p written at +%u after it was freed", c->name, p, i);
}
#else
static void slab_poison(const struct slab_cache *c, void *p) { (void)c, (void)p; }
static void poison_check(const struct slab_cache *c, const void *p) { (void)c, (void)p; }
#endif

static struct slab *slab_of(const struct slab_cache *c, const void *p)
{
	return (struct slab *)((uintptr_t)p & ~((PAGE_SIZE << c->order) - 1));
}

/* Makes a slab and adds it to `partial`.  NULL: no memory.  cache->lock held. */
static struct slab *slab_grow(struct slab_cache *c)
{
	pfn_t pfn = frame_alloc(c->order, FRAME_SLAB, 0);
	struct slab *s;
	char *p;

	if (!pfn)
		return NULL;
	for (pfn_t i = 0; i < 1ul << c->order; i++)
		frame_of(pfn + i)->owner = c;
	s = pfn_to_virt(pfn);
	s->cache = c;
	s->free = NULL;
	s->used = 0;
	p = (char *)s + SLAB_HEADER + (size_t)c->per_slab * c->size;
	for (u32 i = 0; i < c->per_slab; i++) {
		p -= c->size;
		*(void **)p = s->free;
		s->free = p;
		slab_poison(c, p);
	}
	list_add_head(&c->partial, &s->link);
	c->slabs++;
	c->total += c->per_slab;
	return s;
}

/* Takes an object out of a slab.  NULL: no memory.  cache->lock held. */
static void *slab_take(struct slab_cache *c)
{
	struct slab *s;
	void *p;

	if (list_empty(&c->partial)) {
		s = slab_grow(c);
		if (!s)
			return NULL;
	} else {
		s = list_entry(c->partial.next, struct slab, link);
	}
	p = s->free;
	s->free = *(void **)p;
	s->used++;
	c->used++;
	if (!s->free)
		list_del(&s->link);
	return p;
}

/* Gives an object back to its slab, and the slab to the frames if it is empty.  cache->lock
 * held. */
static void slab_give(struct slab_cache *c, void *p)
{
	struct slab *s = slab_of(c, p);

	assert(s->cache == c && s->used > 0);
	if (!s->free)
		list_add_head(&c->partial, &s->link);
	*(void **)p = s->free;
	s->free = p;
	s->used--;
	c->used--;
	if (!s->used && c->partial.next != c->partial.prev) {
		list_del(&s->link);
		c->slabs--;
		c->total -= c->per_slab;
		frame_free(virt_to_pfn(s), c->order);
	}
}

void *slab_alloc(struct slab_cache *c)
{
	unsigned h = hart_index();
	void *p = c->magazine[h];

	if (mm_fail_now())
		return NULL;
	if (likely(p)) {
		c->magazine[h] = *(void **)p;
		c->in_magazine[h]--;
	} else {
		spin_lock(&c->lock);
		p = slab_take(c);
		spin_unlock(&c->lock);
		if (unlikely(!p))
			return NULL;
	}
	poison_check(c, p);
	memset(p, 0, c->size);
	return p;
}

void slab_free(struct slab_cache *c, void *p)
{
	unsigned h = hart_index();

	assert(slab_of(c, p)->cache == c);
	slab_poison(c, p);
	if (unlikely(c->in_magazine[h] >= MAGAZINE_MAX)) {
		spin_lock(&c->lock);
		while (c->in_magazine[h] > MAGAZINE_MAX / 2) {
			void *old = c->magazine[h];

			c->magazine[h] = *(void **)old;
			c->in_magazine[h]--;
			slab_give(c, old);
		}
		spin_unlock(&c->lock);
	}
	*(void **)p = c->magazine[h];
	c->magazine[h] = p;
	c->in_magazine[h]++;
}

/* Objects in use, the magazines' not counted: approximate while other harts allocate. */
static u64 slab_in_use(const struct slab_cache *c)
{
	u64 n = READ_ONCE(c->used);

	for (unsigned h = 0; h < MAX_HARTS; h++)
		n -= READ_ONCE(c->in_magazine[h]);
	return n;
}

/* ---- kmalloc ---- */

void slabs_init(void)
{
	static const char *const names[] = { "kmalloc-16",  "kmalloc-32",  "kmalloc-64",
					     "kmalloc-128", "kmalloc-256", "kmalloc-512",
					     "kmalloc-1k",  "kmalloc-2k" };

	list_init(&caches);
	for (unsigned i = 0; i < ARRAY_SIZE(kmalloc_caches); i++)
		slab_cache_init(&kmalloc_caches[i], names[i], 1ul << (KMALLOC_MIN_SHIFT + i));
}

void *kmalloc(size_t size)
{
	unsigned shift = KMALLOC_MIN_SHIFT, order = 0;
	pfn_t pfn;

	if (size <= 1ul << KMALLOC_MAX_SHIFT) {
		while (size > 1ul << shift)
			shift++;
		return slab_alloc(&kmalloc_caches[shift - KMALLOC_MIN_SHIFT]);
	}
	while (order < FRAME_ORDERS && size > PAGE_SIZE << order)
		order++;
	if (order == FRAME_ORDERS)
		return NULL;
	pfn = frame_alloc(order, FRAME_KERNEL, FRAME_ZERO);
	return pfn ? pfn_to_virt(pfn) : NULL;
}

void kfree(void *p)
{
	struct frame *f;

	if (!p)
		return;
	f = frame_of(virt_to_pfn(p));
	if (f->kind == FRAME_KERNEL) {
		frame_free(virt_to_pfn(p), f->order);
		return;
	}
	slab_free(f->owner, p);
}

/* ---- figures ---- */

unsigned slab_info(struct tern_slab_info *v, unsigned max)
{
	unsigned n = 0;

	spin_lock(&caches_lock);
	list_for_each(e, &caches) {
		struct slab_cache *c = list_entry(e, struct slab_cache, caches);
		size_t len = MIN(strlen(c->name), sizeof(v->name) - 1);

		if (n == max)
			break;
		memset(&v[n], 0, sizeof(v[n]));
		memcpy(v[n].name, c->name, len);
		v[n].size = c->size;
		v[n].per_slab = c->per_slab;
		v[n].used = slab_in_use(c);
		v[n].total = READ_ONCE(c->total);
		v[n].slabs = READ_ONCE(c->slabs);
		n++;
	}
	spin_unlock(&caches_lock);
	return n;
}
