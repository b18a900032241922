/* Memory objects: pages by offset.
 *
 * A slot of the radix tree holds one reference of its frame, each page-table entry another one.  So
 * an object that shrinks can drop its pages at once: a frame lives on until the last entry that
 * maps it has gone and been fenced.  A shrink changes the size first, which later faults see, then
 * drops the slots, then removes the entries from every region that maps the object.
 *
 * Locks: the object's own, below a space's.  Removing entries needs the spaces' locks.  So it goes
 * from region to region in bounded steps, in the order in which the regions came to the object:
 * only fork and mremap bring entries from one region to another, and that one came later.  A region
 * that is mapped, split or joined meanwhile is put at the end of the list.  If several shrinks of
 * an object are under way, each goes over the regions for all. */
#include "mm_priv.h"

#define MEMOBJ_SIZE_MAX (1ul << 62)
#define REAP_STEP 64u /* pages dropped in one go */

static struct slab_cache memobj_cache;
static struct spinlock later_lock; /* for the two lists; may be taken with an object's lock held */
static struct list doomed;   /* by .regions: objects without a reference, for memobj_reap() */
/* by .unmapped: objects whose watcher is to be told; holds a reference each */
static struct list unmapped;

/* Counts n pages more, or fewer (n negative), for the object's payer. */
static inline void pay_pages(struct memobj *m, s64 n)
{
	if (unlikely(m->payer))
		__atomic_fetch_add(&m->payer->pages, (u64)n, __ATOMIC_RELAXED);
}

static void count_pages(struct memobj *m, s64 n)
{
	m->resident += (u64)n;
	pay_pages(m, n);
	__atomic_fetch_add(&mm_counters.object_pages, (u64)n, __ATOMIC_RELAXED);
}
static u64 pages_of(u64 size) { return PAGE_UP(size) >> PAGE_SHIFT; }

void memobj_init(void)
{
	slab_cache_init(&memobj_cache, "memobj", sizeof(struct memobj));
	list_init(&doomed);
	list_init(&unmapped);
	reclaim_init();
	radix_init();
}

static struct memobj *memobj_create_kind(enum memobj_kind kind, u64 size, u64 ident)
{
	static u64 serials;
	struct memobj *m;

	if (size > MEMOBJ_SIZE_MAX)
		return NULL;
	m = slab_alloc(&memobj_cache);
	if (!m)
		return NULL;
	m->refs = 1;
	m->kind = (u8)kind;
	m->size = size;
	m->ident = ident;
	m->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
	m->zap_all_from = m->zap_shared_from = ~0ul;
	list_init(&m->regions);
	list_init(&m->unmapped);
	return m;
}

struct memobj *memobj_create(u64 size, u64 ident)
{
	return memobj_create_kind(MEMOBJ_ANON, size, ident);
}

struct memobj *memobj_create_paged(u64 size, u64 ident, struct pager *p)
{
	struct memobj *m = memobj_create_kind(MEMOBJ_PAGER, size, ident);

	if (m) {
		m->pager = p;
		reclaim_add(m);
	}
	return m;
}

u64 memobj_soil(struct memobj *m, u64 off, u64 n)
{
	u64 end = off;

	spin_lock(&m->lock);
	m->dirty = true;
	spin_unlock(&m->lock);
	while (end < off + n && memobj_has(m, end >> PAGE_SHIFT))
		end = PAGE_DOWN(end) + PAGE_SIZE;
	return MIN(end - off, n);
}

bool memobj_has(struct memobj *m, u64 index)
{
	bool there;

	spin_lock(&m->lock);
	there = index >= pages_of(m->size) || radix_get(&m->pages, index);
	spin_unlock(&m->lock);
	return there;
}

struct memobj *memobj_create_phys(pa_t start, u64 size)
{
	struct memobj *m = memobj_create_kind(MEMOBJ_PHYS, size, 0);

	if (m)
		m->phys = start;
	return m;
}

struct memobj *memobj_create_frames(pa_t start, u64 size)
{
	struct memobj *m = memobj_create_kind(MEMOBJ_ANON, size, 0);
	int err = 0;

	if (!m)
		return NULL;
	for (u64 i = 0; i < pages_of(size) && !err; i++) {
		assert(frame_of((start >> PAGE_SHIFT) + i)->kind == FRAME_USER);
		err = radix_set(&m->pages, i, (start >> PAGE_SHIFT) + i);
		if (!err)
			count_pages(m, 1);
	}
	if (err) { /* give the object up but not the frames, which stay the caller's */
		for (; m->resident; count_pages(m, -1))
			radix_clear(&m->pages, m->resident - 1);
		slab_free(&memobj_cache, m);
		return NULL;
	}
	return m;
}

pfn_t memobj_next(struct memobj *m, u64 *index)
{
	return radix_next(&m->pages, index);
}

void memobj_drop(struct memobj *m, u64 index)
{
	pfn_t pfn = radix_clear(&m->pages, index);

	count_pages(m, -1);
	frame_put(pfn);
}

/* Drops pages of [from, to), REAP_STEP at most.  False: there are no more.  m->lock is held, or
 * nobody else refers to m. */
static bool drop_pages(struct memobj *m, u64 from, u64 to)
{
	unsigned budget = REAP_STEP;

	for (u64 i = from; radix_next(&m->pages, &i) && i < to && budget; i++, budget--)
		memobj_drop(m, i);
	return !budget;
}

/* Drops all pages of [from, to).  m->lock is held, and dropped between steps. */
static void drop_all_pages(struct memobj *m, u64 from, u64 to)
{
	while (drop_pages(m, from, to)) {
		spin_unlock(&m->lock);
		spin_lock(&m->lock);
	}
}

/* Moves all pages of m to an object that memobj_reap() frees, if they are many.  False: they stay.
 * m->lock held. */
static bool drop_later(struct memobj *m)
{
	struct memobj *rest =
		m->resident > REAP_STEP ? memobj_create_kind(MEMOBJ_ANON, 0, 0) : NULL;

	if (!rest)
		return false;
	if (m->payer) {
		rest->payer = m->payer;
		__atomic_fetch_add(&m->payer->bytes, MEMOBJ_BYTES, __ATOMIC_RELAXED);
	}
	rest->pages = m->pages;
	rest->resident = m->resident;
	m->pages = (struct radix){ 0 };
	m->resident = 0;
	memobj_put(rest);
	return true;
}

static void memobj_destroy(struct memobj *m)
{
	assert(!m->pages.height && !m->resident);
	if (m->pager) {
		reclaim_remove(m);
		mm_pager_gone(m->pager);
	}
	if (m->watch)
		mm_unwatch(m->watch);
	if (m->payer)
		account_discharge(m->payer, MEMOBJ_BYTES);
	slab_free(&memobj_cache, m);
}

void memobj_last(struct memobj *m)
{
	bool outside;

	assert(list_empty(&m->regions) && !m->nregions);
	/* The ends of a pager and of a watcher must be told with no lock held: memobj_reap() does
	 * it. */
	outside = m->pager || m->watch;
	if ((m->resident > REAP_STEP || outside) && (mm_defer() || outside)) {
		spin_lock(&later_lock);
		list_add_tail(&doomed, &m->regions);
		spin_unlock(&later_lock);
		return;
	}
	while (drop_pages(m, 0, ~0ul))
		;
	memobj_destroy(m);
}

void memobj_last_region(struct memobj *m)
{
	assert(spin_is_locked(&m->lock));
	spin_lock(&later_lock);
	if (list_empty(&m->unmapped)) {
		memobj_get(m);
		list_add_tail(&unmapped, &m->unmapped);
	}
	spin_unlock(&later_lock);
	(void)mm_defer();
}

/* Takes the first element out of `doomed` or `unmapped`; NULL: the list is empty. */
static struct list *memobj_take(struct list *from)
{
	struct list *e = NULL;

	spin_lock(&later_lock);
	if (!list_empty(from)) {
		e = from->next;
		list_del(e);
	}
	spin_unlock(&later_lock);
	return e;
}

bool memobj_reap(void)
{
	struct list *dead = memobj_take(&doomed), *told = memobj_take(&unmapped);
	struct memobj *m;
	bool more;

	if (told) {
		m = list_entry(told, struct memobj, unmapped);
		mm_unmapped(m->watch);
		memobj_put(m);
	}
	m = dead ? list_entry(dead, struct memobj, regions) : NULL;
	if (m && !drop_pages(m, 0, ~0ul)) {
		memobj_destroy(m);
		m = NULL;
	}
	spin_lock(&later_lock);
	if (m)
		list_add_head(&doomed, &m->regions);
	more = !list_empty(&doomed) || !list_empty(&unmapped);
	spin_unlock(&later_lock);
	return more;
}

pfn_t memobj_page_make(struct memobj *m, u64 index)
{
	pfn_t pfn;

	assert(spin_is_locked(&m->lock));
	if (!memobj_may_grow(m))
		return 0;
	pfn = frame_alloc(0, FRAME_USER, FRAME_ZERO);
	if (!pfn)
		return 0;
	if (radix_set(&m->pages, index, pfn)) {
		frame_put(pfn);
		return 0;
	}
	m->comings++;
	count_pages(m, 1);
	return pfn;
}

/* ---- shrinking ---- */

/* Does a step of a shrink in region r: removes entries from page `from` of the object on, private
 * copies only from page all_from on.  Returns the page that it reached.  The space's lock is held,
 * not the object's. */
static u64 zap_region(struct batch *b, const struct region *r, u64 from, u64 all_from, u64 shared_from)
{
	u64 first = r->offset >> PAGE_SHIFT, end = first + ((r->end - r->start) >> PAGE_SHIFT);
	va_t base = r->start - (first << PAGE_SHIFT), at, middle;
	unsigned budget = STEP_ENTRIES;

	middle = base + (MIN(MAX(all_from, first), end) << PAGE_SHIFT);
	at = base + (MIN(MAX(MAX(shared_from, first), from), end) << PAGE_SHIFT);
	if (at < middle)
		at = pt_zap(b, at, middle, ZAP_KEEP_PRIVATE, &budget);
	if (at >= middle)
		at = pt_zap(b, at, r->end, ZAP_ALL, &budget);
	return (at - base) >> PAGE_SHIFT;
}

/* Does a step of m's shrinks in the region that is next, if that is one of the space `as`.  Both
 * locks are held; the object's is dropped on the way. */
static void zap_step(struct memobj *m, struct aspace *as)
{
	struct region *r = list_entry(m->zap_next, struct region, in_memobj);
	u64 from = m->zap_cursor, all_from = m->zap_all_from, shared_from = m->zap_shared_from;
	u32 stamp = m->stamp;
	struct batch b;

	if (m->zap_next == &m->regions || r->aspace != as)
		return;
	/* The space's lock keeps the region in place, and putting frames does not need the
	 * object. */
	spin_unlock(&m->lock);
	batch_init(&b, as);
	from = zap_region(&b, r, from, all_from, shared_from);
	batch_flush(&b);
	spin_lock(&m->lock);
	if (m->stamp != stamp)
		return; /* another shrink began meanwhile, and has set zap_cursor back */
	if (from < (r->offset + (r->end - r->start)) >> PAGE_SHIFT)
		m->zap_cursor = from;
	else
		memobj_zapped(m, r);
}

/* Begins a shrink: from page all_from on every entry goes, from shared_from on those that are no
 * private copies.  m->lock held. */
static void zap_begin(struct memobj *m, u64 all_from, u64 shared_from)
{
	m->zapping++;
	m->stamp++;
	m->zap_next = m->regions.next;
	m->zap_cursor = 0;
	m->zap_all_from = MIN(m->zap_all_from, all_from);
	m->zap_shared_from = MIN(m->zap_shared_from, MIN(shared_from, all_from));
}

/* Does the shrinks under way, until every region is done.  m->lock is held by the caller and
 * dropped here. */
static void zap_finish(struct memobj *m)
{
	while (m->zap_next != &m->regions) {
		struct region *r = list_entry(m->zap_next, struct region, in_memobj);
		struct aspace *as = r->aspace;

		if (!aspace_try_get(as)) {
			memobj_zapped(m, r); /* the space is being freed, its entries with it */
			continue;
		}
		spin_unlock(&m->lock);
		spin_lock(&as->lock);
		spin_lock(&m->lock);
		zap_step(m, as);
		spin_unlock(&m->lock);
		spin_unlock(&as->lock);
		aspace_put(as);
		spin_lock(&m->lock);
	}
	if (--m->zapping == 0) {
		m->zap_all_from = m->zap_shared_from = ~0ul;
		m->zap_next = NULL;
	}
	spin_unlock(&m->lock);
}

void memobj_unmap(struct memobj *m)
{
	zap_begin(m, ~0ul, 0);
	zap_finish(m);
}

/* Zeroes bytes [from, to), which lie in one page, if m has that page.  m->lock held. */
static void zero_part(struct memobj *m, u64 from, u64 to)
{
	pfn_t pfn = radix_get(&m->pages, from >> PAGE_SHIFT);

	if (pfn && from < to)
		memset((char *)pfn_to_virt(pfn) + (from & PAGE_MASK), 0, to - from);
}

int memobj_resize(struct memobj *m, u64 size)
{
	u64 old;

	if (m->kind == MEMOBJ_PHYS || size > MEMOBJ_SIZE_MAX)
		return -EFBIG;
	spin_lock(&m->lock);
	old = m->size;
	m->size = size;
	m->comings++;
	if (size < old && (size & PAGE_MASK))
		zero_part(m, size, PAGE_UP(size));
	if (pages_of(size) >= pages_of(old)) {
		spin_unlock(&m->lock);
		return 0;
	}
	if (size || !drop_later(m))
		drop_all_pages(m, pages_of(size), ~0ul);
	zap_begin(m, pages_of(size), ~0ul);
	zap_finish(m);
	return 0;
}

int memobj_punch(struct memobj *m, u64 off, u64 n)
{
	u64 end = off + n, first, last;

	if (m->kind == MEMOBJ_PHYS || end < off)
		return -EINVAL;
	spin_lock(&m->lock);
	end = MIN(end, PAGE_UP(m->size));
	first = pages_of(off);
	last = end >> PAGE_SHIFT;
	if (off >= end) {
		spin_unlock(&m->lock);
		return 0;
	}
	if (first > last) {
		zero_part(m, off, end);
		spin_unlock(&m->lock);
		return 0;
	}
	zero_part(m, off, first << PAGE_SHIFT);
	zero_part(m, last << PAGE_SHIFT, end);
	if (first == last) {
		spin_unlock(&m->lock);
		return 0;
	}
	drop_all_pages(m, first, last);
	zap_begin(m, ~0ul, first);
	zap_finish(m);
	return 0;
}

/* ---- contents ---- */

/* How many of the n bytes at off lie in the object.  m->lock held. */
static size_t memobj_inside(const struct memobj *m, u64 off, size_t n)
{
	if (off >= m->size)
		return 0;
	return MIN(n, m->size - off);
}

/* Copies between an object and the kernel's memory. */
static long memobj_transfer(struct memobj *m, u64 off, char *buf, size_t n, bool write)
{
	size_t done = 0, part;
	pfn_t pfn;
	char *at;

	if (m->kind == MEMOBJ_PHYS)
		return -EINVAL;
	while (done < n) {
		spin_lock(&m->lock);
		part = MIN(memobj_inside(m, off, n - done), PAGE_SIZE - (off & PAGE_MASK));
		pfn = part ? memobj_page_locked(m, off >> PAGE_SHIFT, write) : 0;
		at = pfn ? (char *)pfn_to_virt(pfn) + (off & PAGE_MASK) : NULL;
		if (at && write) {
			memcpy(at, buf + done, part);
			frame_of(pfn)->flags &= (u16)~FRAME_SYNCED;
		} else if (at) {
			memcpy(buf + done, at, part);
		} else if (!write) {
			memset(buf + done, 0, part);
		}
		spin_unlock(&m->lock);
		if (!part)
			break;
		if (write && !at)
			return done ? (long)done : -ENOMEM;
		done += part;
		off += part;
	}
	return (long)done;
}

long memobj_read(struct memobj *m, u64 off, void *buf, size_t n)
{
	return memobj_transfer(m, off, buf, n, false);
}

long memobj_write(struct memobj *m, u64 off, const void *buf, size_t n)
{
	return memobj_transfer(m, off, (char *)buf, n, true);
}

#define SUPPLY_MAX (512 * PAGE_SIZE) /* moved in one call */
#define SUPPLIED_AT_ONCE 64u	     /* pages, under one hold of both locks */

static void lock_two(struct memobj *x, struct memobj *y)
{
	spin_lock(x < y ? &x->lock : &y->lock);
	spin_lock(x < y ? &y->lock : &x->lock);
}

/* Moves page si of src to page di of dst.  0, ENOENT (src does not have it), EEXIST (dst does),
 * ENOMEM.  Both locks held. */
static int move_page(struct memobj *dst, u64 di, struct memobj *src, u64 si)
{
	pfn_t pfn = radix_get(&src->pages, si);
	int err = !pfn ? -ENOENT : memobj_may_grow(dst) ? radix_set(&dst->pages, di, pfn) : -ENOMEM;

	if (err)
		return err;
	dst->comings++;
	radix_clear(&src->pages, si);
	dst->resident++;
	src->resident--;
	if (dst->payer != src->payer) {
		pay_pages(dst, 1);
		pay_pages(src, -1);
	}
	return 0;
}

bool memobj_try_supply(struct memobj *dst, u64 to, struct memobj *src, u64 from)
{
	bool done;

	if (dst == src || dst->kind == MEMOBJ_PHYS || src->kind == MEMOBJ_PHYS)
		return false;
	lock_two(dst, src);
	done = list_empty(&src->regions) && to < pages_of(dst->size) && !move_page(dst, to, src, from);
	spin_unlock(&dst->lock);
	spin_unlock(&src->lock);
	return done;
}

long memobj_supply(struct memobj *dst, u64 doff, struct memobj *src, u64 soff, u64 n)
{
	u64 done = 0;
	unsigned left;
	bool more;
	int err = 0;

	if (((doff | soff | n) & PAGE_MASK) || dst == src || dst->kind == MEMOBJ_PHYS ||
	    src->kind == MEMOBJ_PHYS || doff + n < doff || soff + n < soff)
		return -EINVAL;
	n = MIN(n, SUPPLY_MAX);
	do {
		lock_two(dst, src);
		n = MIN(n, done + memobj_inside(dst, doff + done, n - done));
		for (left = SUPPLIED_AT_ONCE; done < n && left && err != -ENOMEM; left--) {
			err = move_page(dst, (doff + done) >> PAGE_SHIFT, src, (soff + done) >> PAGE_SHIFT);
			done += err == -ENOMEM ? 0 : PAGE_SIZE;
		}
		spin_unlock(&dst->lock);
		more = done < n && err != -ENOMEM;
		if (more)
			spin_unlock(&src->lock);
	} while (more);
	/* Regions that map src must not show the moved pages any more. */
	zap_begin(src, ~0ul, soff >> PAGE_SHIFT);
	zap_finish(src);
	return (long)MIN(done, n);
}
