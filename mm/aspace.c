/* Address spaces: life, and the operations of mmap(2), munmap(2), mprotect(2), brk(2), madvise(2),
 * mincore(2) and msync(2).
 *
 * Each operation first checks what was asked for, then allocates what it may need, then commits;
 * what fails leaves everything as it was, save where the manual says otherwise.
 * Lock: the space's. */
#include "mm_priv.h"

#include <tern/abi.h>

#define LIMIT_NONE (~0ul)
#define MMAP_TOP_DEFAULT (TERN_STACK_TOP - (16ul << 20))

static struct slab_cache aspace_cache;

void mm_init(void)
{
	slabs_init();
	region_init();
	memobj_init();
	slab_cache_init(&aspace_cache, "aspace", sizeof(struct aspace));
	zero_pfn = frame_alloc(0, FRAME_KERNEL, FRAME_ZERO);
	if (!zero_pfn)
		panic("mm: no memory for the page of zeroes");
	asid_init();
}

u64 object_count_aspaces(void) { return slab_in_use(&aspace_cache); }

/* ---- life ---- */

struct aspace *aspace_create(void)
{
	struct aspace *as = slab_alloc(&aspace_cache);

	if (!as)
		return NULL;
	as->root_pfn = frame_alloc(0, FRAME_TABLE, FRAME_ZERO);
	if (!as->root_pfn) {
		slab_free(&aspace_cache, as);
		return NULL;
	}
	as->root = pfn_to_virt(as->root_pfn);
	mmu_init_root(as->root);
	as->refs = 1;
	as->icache_generation = icache_now();
	as->tables = 1;
	as->mmap_top = MMAP_TOP_DEFAULT;
	as->limit_as = as->limit_data = LIMIT_NONE;
	as->limit_stack = 8ul << 20;
	return as;
}

void aspace_get(struct aspace *as)
{
	assert(as->refs);
	__atomic_fetch_add(&as->refs, 1, __ATOMIC_RELAXED);
}

bool aspace_try_get(struct aspace *as)
{
	u32 n = __atomic_load_n(&as->refs, __ATOMIC_RELAXED);

	while (n)
		if (__atomic_compare_exchange_n(&as->refs, &n, n + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

void aspace_put(struct aspace *as)
{
	struct mm_work w;

	assert(as->refs);
	if (__atomic_sub_fetch(&as->refs, 1, __ATOMIC_ACQ_REL))
		return;
	assert(!as->busy);
	assert(!aspace_harts(as));
	if (as->tree && aspace_destroy(as, &w) == MM_MORE)
		while (mm_work_step(&w) == MM_MORE)
			;
	frames_promise(-(s64)as->promised);
	assert(!as->resident && as->tables == 1 && !as->nregions);
	asid_end();
	frame_free(as->root_pfn, 0);
	slab_free(&aspace_cache, as);
}

int aspace_destroy(struct aspace *as, struct mm_work *w)
{
	spin_lock(&as->lock);
	assert(!as->busy);
	work_init(w, WORK_DESTROY, as, 0, USER_MAX);
	return work_start(w);
}

/* ---- putting regions in ---- */

/* Space for one more, or two if a region is to be cut in its middle. */
static bool within_limits(const struct aspace *as, u64 pages, u64 replaced, unsigned prot,
			  unsigned flags, const struct memobj *m)
{
	if (is_committed(prot, flags, m) && pages > frames_total())
		return false; /* never to be had: mode 0 of Linux's overcommit_memory */
	if (as->mapped + pages - replaced > as->limit_as >> PAGE_SHIFT)
		return false;
	if ((prot & PROT_WRITE) && !(flags & (REGION_SHARED | REGION_GROWSDOWN)) &&
	    as->data + pages - MIN(replaced, as->data) > as->limit_data >> PAGE_SHIFT)
		return false;
	return true;
}

/* An anonymous or object's range that goes on where a neighbour ends needs no region of its own. */
static bool extend_neighbour(struct aspace *as, const struct region *t, struct region **dead)
{
	struct region *next = region_next(as, t->start), *prev = next ? next->prev : as->tail;

	if (prev && prev->end == t->start && prev->prot == t->prot && prev->flags == t->flags &&
	    prev->max_prot == t->max_prot && prev->memobj == t->memobj &&
	    (!t->memobj || prev->offset + (prev->end - prev->start) == t->offset)) {
		region_set_bounds(as, prev, prev->start, t->end);
		region_merge(as, prev, dead);
		return true;
	}
	if (next && next->start == t->end && next->prot == t->prot && next->flags == t->flags &&
	    next->max_prot == t->max_prot && next->memobj == t->memobj &&
	    (!t->memobj || t->offset + (t->end - t->start) == next->offset)) {
		region_set_bounds(as, next, t->start, next->end);
		return true;
	}
	return false;
}

void region_place(struct aspace *as, struct region *r, struct region **dead)
{
	region_insert(as, r);
	(void)region_merge(as, r, dead);
}

static void template_into(struct region *r, const struct region *t)
{
	r->start = t->start;
	r->end = t->end;
	r->prot = t->prot;
	r->max_prot = t->max_prot;
	r->flags = t->flags;
	r->memobj = t->memobj;
	r->offset = t->offset;
	if (r->memobj)
		memobj_get(r->memobj);
}

/* Puts the template in where nothing is, or, with `cut`, over what is there.  Lock held, dropped. */
static int place_template(struct aspace *as, const struct region *t, bool cut, bool fill,
			  struct mm_work *w)
{
	struct region *r, *spare = NULL, *dead = NULL;
	bool split = cut && region_cut_needs(as, t->start, t->end);

	if (likely(!cut && !fill)) {
		if (!extend_neighbour(as, t, &dead)) {
			r = region_room(as, 1) ? region_alloc() : NULL;
			if (!r)
				goto out_memory;
			template_into(r, t);
			region_insert(as, r); /* it continues no neighbour */
		}
		spin_unlock(&as->lock);
		region_free_list(dead);
		return 0;
	}
	work_init(w, WORK_UNMAP, as, t->start, cut ? t->end : t->start);
	if (!region_room(as, 1u + split) || (cut && leaf_own_edges(as, t->start, t->end)))
		goto out_memory;
	r = region_alloc();
	if (!r)
		goto out_memory;
	if (split) {
		spare = region_alloc();
		if (!spare) {
			region_free(r);
			goto out_memory;
		}
	}
	template_into(r, t);
	if (cut)
		region_cut(as, t->start, t->end, &spare, &dead);
	assert(!spare);
	w->place = r;
	w->regions = dead;
	if (fill) {
		/* The populating that follows goes over the whole range. */
		w->flags = WORK_FILL;
		w->end = t->end;
	}
	return work_start(w);
out_memory:
	spin_unlock(&as->lock);
	w->kind = WORK_NONE;
	return -ENOMEM;
}

/* ---- mmap ---- */

/* Where a mapping goes. Lock held. */
static int choose_place(const struct aspace *as, va_t addr, u64 len, unsigned flags, va_t *at)
{
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr & PAGE_MASK)
			return -EINVAL;
		if (addr > USER_MAX - len)
			return -ENOMEM;
		if (addr < USER_MIN)
			return -EPERM;
		*at = addr;
		if ((flags & MAP_FIXED_NOREPLACE) && region_pages_in(as, addr, addr + len))
			return -EEXIST;
		return 0;
	}
	if (addr && addr <= USER_MAX) {
		addr = MAX(PAGE_UP(addr), USER_MIN);
		if (addr <= USER_MAX - len && region_is_free(as, addr, addr + len)) {
			*at = addr;
			return 0;
		}
	}
	if (region_find_gap(as, len, USER_MIN, as->mmap_top, at) ||
	    region_find_gap(as, len, USER_MIN, USER_MAX, at))
		return 0;
	return -ENOMEM;
}

/* Turns MAP_* into REGION_*. */
static int region_flags(unsigned flags, const struct memobj *m, u16 *out)
{
	const unsigned known = MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE |
			       MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |
			       MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_FIXED_NOREPLACE;
	u16 f = 0;

	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (flags & ~known)
			return -EOPNOTSUPP;
		f = REGION_SHARED;
		break;
	case MAP_SHARED: f = REGION_SHARED; break;
	case MAP_PRIVATE: break;
	default: return -EINVAL;
	}
	if (flags & MAP_GROWSDOWN) {
		if (f)
			return -EINVAL;
		if (!m)
			f |= REGION_GROWSDOWN | (flags & MAP_STACK ? REGION_STACK : 0);
	}
	if (unlikely(flags & (MAP_NORESERVE | MAP_STACK | MAP_LOCKED)))
		f |= (flags & MAP_NORESERVE ? REGION_NORESERVE : 0) |
		     (flags & MAP_STACK ? REGION_NOHUGE : 0) | (flags & MAP_LOCKED ? REGION_LOCKED : 0);
	*out = f;
	return 0;
}

int aspace_map(struct aspace *as, va_t addr, u64 len, unsigned prot, unsigned max_prot,
	       unsigned flags, struct memobj *m, u64 offset, struct mm_work *w, va_t *out)
{
	struct memobj *made = NULL;
	struct region t;
	u64 pages, replaced = 0;
	bool cut, fill;
	int err;

	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	if (!len || (offset & PAGE_MASK))
		return -EINVAL;
	len = PAGE_UP(len);
	if (!len || len > USER_MAX)
		return -ENOMEM;
	if (as->lock_future)
		flags |= MAP_LOCKED;
	if (m && offset + len < offset)
		return -EOVERFLOW;
	err = region_flags(flags, m, &t.flags);
	if (err)
		return err;
	if (prot & ~max_prot)
		return -EACCES;
	if (m && m->kind == MEMOBJ_PHYS && !(t.flags & REGION_SHARED))
		return -EINVAL;
	if (!m && (t.flags & REGION_SHARED)) {
		made = m = memobj_create(len, 0);
		if (!m)
			return -ENOMEM;
		offset = 0;
	}
	t.prot = (u8)prot;
	t.max_prot = (u8)max_prot;
	t.memobj = m;
	t.offset = m ? offset : 0;
	pages = len >> PAGE_SHIFT;

	spin_lock(&as->lock);
	if (as->busy) {
		err = MM_BUSY;
		goto out_unlock;
	}
	err = choose_place(as, addr, len, flags, &t.start);
	if (err)
		goto out_unlock;
	t.end = t.start + len;
	cut = (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE) &&
	      (replaced = region_pages_in(as, t.start, t.end)) != 0;
	if (!within_limits(as, pages, replaced, prot, t.flags, m)) {
		err = -ENOMEM;
		goto out_unlock;
	}
	fill = prot && (flags & (MAP_POPULATE | MAP_LOCKED)) && !(flags & MAP_NONBLOCK);
	*out = t.start;
	err = place_template(as, &t, cut, fill, w);
	if (made)
		memobj_put(made);
	return err;
out_unlock:
	spin_unlock(&as->lock);
	if (made)
		memobj_put(made);
	return err;
}

int aspace_map_vdso(struct aspace *as, va_t at, struct memobj *m)
{
	struct region *r = region_alloc();

	if (!r)
		return -ENOMEM;
	r->start = at;
	r->end = at + PAGE_UP(m->size);
	r->prot = r->max_prot = PROT_READ | PROT_EXEC;
	r->flags = REGION_VDSO;
	r->memobj = m;
	memobj_get(m);
	spin_lock(&as->lock);
	if (as->busy || region_pages_in(as, r->start, r->end)) {
		spin_unlock(&as->lock);
		region_free(r);
		return -EEXIST;
	}
	region_insert(as, r);
	as->vdso = at;
	spin_unlock(&as->lock);
	return 0;
}

/* ---- munmap ---- */

int aspace_unmap_locked(struct aspace *as, va_t start, va_t end, struct mm_work *w)
{
	struct region *spare = NULL, *dead = NULL;
	bool split = region_cut_needs(as, start, end);

	if (split && region_room(as, 1))
		spare = region_alloc();
	if ((split && !spare) || leaf_own_edges(as, start, end)) {
		spin_unlock(&as->lock);
		if (spare)
			region_free(spare);
		return -ENOMEM;
	}
	region_cut(as, start, end, &spare, &dead);
	assert(!spare);
	if (likely(end - start <= STEP_ENTRIES * PAGE_SIZE)) { /* all in one step */
		unsigned budget = STEP_ENTRIES;
		struct batch b;

		batch_init(&b, as);
		start = pt_zap(&b, start, end, ZAP_ALL, &budget);
		assert(start >= end);
		batch_flush(&b);
		spin_unlock(&as->lock);
		region_free_list(dead);
		return 0;
	}
	work_init(w, WORK_UNMAP, as, start, end);
	w->regions = dead;
	return work_start(w);
}

int aspace_unmap(struct aspace *as, va_t addr, u64 len, struct mm_work *w)
{
	struct region *r;
	va_t end;

	if ((addr & PAGE_MASK) || !len || addr > USER_MAX || len > USER_MAX - addr)
		return -EINVAL;
	end = addr + PAGE_UP(len);
	spin_lock(&as->lock);
	if (as->busy) {
		spin_unlock(&as->lock);
		return MM_BUSY;
	}
	r = region_next(as, addr);
	if (!r || r->start >= end) {
		spin_unlock(&as->lock);
		return 0;
	}
	return aspace_unmap_locked(as, addr, end, w);
}

/* ---- mprotect ---- */

/* Splits at both ends, so that [start, end) is made of whole regions. 0, ENOMEM (as before). */
static int isolate(struct aspace *as, va_t start, va_t end)
{
	struct region *a = region_next(as, start), *b = region_next(as, end - 1), *x = NULL;
	bool lower = a && a->start < start;
	bool upper = b && b->start < end && b->end > end;

	if (!lower && !upper)
		return 0;
	if (!region_room(as, (u32)lower + upper))
		return -ENOMEM;
	if (upper) {
		x = region_alloc();
		if (!x)
			return -ENOMEM;
	}
	if (lower) {
		struct region *y = region_alloc();

		if (!y) {
			if (x)
				region_free(x);
			return -ENOMEM;
		}
		if (upper)
			region_split(as, b, end, x);
		region_split(as, a, start, y);
	} else {
		region_split(as, b, end, x);
	}
	return 0;
}

static void merge_range(struct aspace *as, va_t start, va_t end, struct region **dead)
{
	for (struct region *r = region_next(as, start); r && r->start <= end; r = r->next)
		r = region_merge(as, r, dead);
}

/* How far from start the new rights can be given; *err: why not further. Lock held. */
static va_t protectable(const struct aspace *as, va_t start, va_t end, unsigned prot, int *err)
{
	struct region *r = region_next(as, start);
	va_t at = start;
	u64 more = 0;

	for (; at < end; r = r->next) {
		if (!r || r->start > at) {
			*err = -ENOMEM;
			break;
		}
		if (prot & ~(unsigned)r->max_prot) {
			*err = -EACCES;
			break;
		}
		if ((prot & PROT_WRITE) && !(r->prot & PROT_WRITE) &&
		    !(r->flags & (REGION_SHARED | REGION_GROWSDOWN))) {
			u64 pages = (MIN(r->end, end) - at) >> PAGE_SHIFT;

			more += pages;
			if (as->data + more > as->limit_data >> PAGE_SHIFT ||
			    (is_committed(prot, r->flags, r->memobj) && pages > frames_total())) {
				*err = -ENOMEM;
				break;
			}
		}
		at = MIN(r->end, end);
	}
	return at;
}

int aspace_protect(struct aspace *as, va_t addr, u64 len, u64 prot, struct mm_work *w)
{
	u64 grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	struct region *r, *dead = NULL;
	va_t end, stop;
	int err = 0;

	prot &= ~(u64)(PROT_GROWSDOWN | PROT_GROWSUP);
	if ((addr & PAGE_MASK) || grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (!len)
		return 0;
	if (len > USER_MAX || !user_range_ok(addr, PAGE_UP(len)))
		return -ENOMEM;
	end = addr + PAGE_UP(len);
	if (prot & ~(u64)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	prot &= ~(u64)PROT_SEM;
	spin_lock(&as->lock);
	if (as->busy) {
		spin_unlock(&as->lock);
		return MM_BUSY;
	}
	r = region_next(as, addr);
	if (!r || r->start >= end) {
		err = -ENOMEM;
	} else if (grows) {
		if (grows != PROT_GROWSDOWN || !(r->flags & REGION_GROWSDOWN))
			err = -EINVAL;
		addr = r->start;
	}
	if (err)
		goto out;
	stop = protectable(as, addr, end, (unsigned)prot, &err);
	if (stop == addr)
		goto out;
	for (; r && r->start < stop && r->prot == prot; r = r->next)
		;
	if (!r || r->start >= stop)
		goto out; /* nothing changes */
	if (isolate(as, addr, stop)) {
		err = -ENOMEM;
		goto out;
	}
	for (r = region_next(as, addr); r && r->start < stop; r = r->next)
		region_set_prot(as, r, (unsigned)prot, r->flags);
	merge_range(as, addr, stop, &dead);
	work_init(w, WORK_PROTECT, as, addr, stop);
	w->arg = prot;
	w->regions = dead;
	w->result = err;
	return work_start(w);
out:
	spin_unlock(&as->lock);
	return err;
}

/* ---- brk ---- */

/* As on Linux, a page above the heap stays free. */
static bool may_grow_heap(const struct aspace *as, va_t old, va_t new, va_t want)
{
	u64 pages = (new - old) >> PAGE_SHIFT;

	if (want - as->brk_start > as->limit_data || new > as->mmap_top)
		return false;
	return within_limits(as, pages, 0, PROT_WRITE, 0, NULL) &&
	       region_is_free(as, old, new + PAGE_SIZE);
}

int aspace_brk(struct aspace *as, va_t want, struct mm_work *w, va_t *out)
{
	struct region t;
	va_t old, new;
	int res;

	spin_lock(&as->lock);
	*out = as->brk;
	if (as->busy) {
		spin_unlock(&as->lock);
		return MM_BUSY;
	}
	if (want < as->brk_start || want > USER_MAX || as->brk_start < USER_MIN)
		goto out;
	old = PAGE_UP(as->brk);
	new = PAGE_UP(want);
	if (new > old) {
		if (!may_grow_heap(as, old, new, want))
			goto out;
		t.start = old;
		t.end = new;
		t.prot = PROT_READ | PROT_WRITE;
		t.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
		t.flags = REGION_HEAP;
		t.memobj = NULL;
		t.offset = 0;
		old = as->brk;
		as->brk = want;
		res = place_template(as, &t, false, false, w);
		if (!res) {
			*out = want;
			return 0;
		}
		spin_lock(&as->lock);
		if (as->brk == want) /* nobody else moved it meanwhile */
			as->brk = old;
		goto out;
	}
	if (new < old) {
		as->brk = *out = want;
		res = aspace_unmap_locked(as, new, old, w);
		if (res < 0) { /* the heap was cut in pieces and there is no memory for one more */
			as->brk = *out = MAX(old, want);
			return 0;
		}
		return res;
	}
	as->brk = *out = want;
out:
	spin_unlock(&as->lock);
	return 0;
}

/* ---- madvise, mincore, msync ---- */

static bool advice_known(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_POPULATE_LOCKED:
	case MADV_LOCK:
	case MADV_UNLOCK: return true;
	default: return false;
	}
}

/* Whether a region can be given this advice. */
static int advice_fits(const struct region *r, int advice)
{
	bool physical = r->memobj && r->memobj->kind == MEMOBJ_PHYS;

	switch (advice) {
	case MADV_DONTNEED: return (r->flags & REGION_LOCKED) || physical ? -EINVAL : 0;
	case MADV_FREE: return (r->flags & REGION_LOCKED) || r->memobj ? -EINVAL : 0;
	case MADV_DOFORK: return physical ? -EINVAL : 0;
	case MADV_WIPEONFORK: return r->memobj ? -EINVAL : 0;
	case MADV_REMOVE:
		if ((r->flags & REGION_LOCKED) || !r->memobj || physical)
			return -EINVAL;
		return (r->flags & REGION_SHARED) && (r->prot & PROT_WRITE) ? 0 : -EACCES;
	default: return 0;
	}
}

/* Whether it is a flag of the region. */
static bool advice_stays(int advice)
{
	switch (advice) {
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_LOCK:
	case MADV_UNLOCK: return true;
	default: return false;
	}
}

static unsigned advised_flags(unsigned flags, int advice)
{
	switch (advice) {
	case MADV_DONTFORK: return flags | REGION_DONTFORK;
	case MADV_DOFORK: return flags & ~(unsigned)REGION_DONTFORK;
	case MADV_WIPEONFORK: return flags | REGION_WIPEONFORK;
	case MADV_KEEPONFORK: return flags & ~(unsigned)REGION_WIPEONFORK;
	case MADV_HUGEPAGE: return (flags & ~(unsigned)REGION_NOHUGE) | REGION_HUGE;
	case MADV_NOHUGEPAGE: return (flags & ~(unsigned)REGION_HUGE) | REGION_NOHUGE;
	case MADV_LOCK: return flags | REGION_LOCKED;
	case MADV_UNLOCK: return flags & ~(unsigned)REGION_LOCKED;
	default: return flags;
	}
}

/* Changes flags of all regions in a range; lock held. 0, ENOMEM. */
static int advise_flags(struct aspace *as, va_t start, va_t end, int advice, struct region **dead)
{
	struct region *r;

	if (isolate(as, start, end))
		return -ENOMEM;
	for (r = region_next(as, start); r && r->start < end; r = r->next)
		region_set_prot(as, r, r->prot, advised_flags(r->flags, advice));
	merge_range(as, start, end, dead);
	return 0;
}

/* MADV_REMOVE: punches holes into the objects; their locks go first, so without the space's. */
static int advise_remove(struct aspace *as, va_t start, va_t end)
{
	int err = 0;

	while (start < end && !err) {
		struct region *r;
		struct memobj *m = NULL;
		u64 off = 0, n = 0;

		spin_lock(&as->lock);
		r = region_find(as, start);
		err = r ? advice_fits(r, MADV_REMOVE) : -ENOMEM;
		if (!err) {
			m = r->memobj;
			memobj_get(m);
			off = r->offset + (start - r->start);
			n = MIN(r->end, end) - start;
		}
		spin_unlock(&as->lock);
		if (err)
			break;
		err = memobj_punch(m, off, n);
		memobj_put(m);
		start += n;
	}
	return err;
}

int aspace_advise(struct aspace *as, va_t addr, u64 len, int advice, struct mm_work *w)
{
	va_t end = addr + PAGE_UP(len), at;
	struct region *dead = NULL;
	int err = 0, hole = 0;

	if (!advice_known(advice) || (addr & PAGE_MASK))
		return -EINVAL;
	if ((len && !PAGE_UP(len)) || end < addr)
		return -EINVAL;
	if (end > USER_MAX)
		return -ENOMEM;
	if (end == addr)
		return 0;
	if (advice == MADV_REMOVE)
		return advise_remove(as, addr, end);
	spin_lock(&as->lock);
	if (as->busy) {
		spin_unlock(&as->lock);
		return MM_BUSY;
	}
	at = addr;
	for (struct region *r = region_next(as, addr); at < end && !err; r = r->next) {
		if (!r || r->start >= end) {
			hole = -ENOMEM;
			break;
		}
		if (r->start > at)
			hole = -ENOMEM;
		err = advice_fits(r, advice);
		if (!err)
			at = MIN(r->end, end);
	}
	if (at > addr && (advice == MADV_DONTNEED || advice == MADV_FREE)) {
		if (leaf_own_edges(as, addr, at)) {
			spin_unlock(&as->lock);
			return -ENOMEM;
		}
		/* What precedes a region that refuses is done all the same. */
		work_init(w, WORK_UNMAP, as, addr, at);
		w->result = err ? err : hole;
		return work_start(w);
	}
	if (!err && !hole && (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE ||
			      advice == MADV_POPULATE_LOCKED)) {
		work_init(w, WORK_POPULATE, as, addr, end);
		w->flags = WORK_FILL_STRICT | (advice == MADV_POPULATE_WRITE    ? WORK_FILL_WRITE
					       : advice == MADV_POPULATE_LOCKED ? WORK_FILL_OWN
										: 0);
		return work_start(w);
	}
	if (at > addr && advice_stays(advice) && advise_flags(as, addr, at, advice, &dead))
		err = -ENOMEM;
	spin_unlock(&as->lock);
	region_free_list(dead);
	return err ? err : hole;
}

/* The range has no hole. Lock held. */
static bool is_whole(const struct aspace *as, va_t start, va_t end)
{
	for (struct region *r = region_next(as, start); start < end; r = r->next) {
		if (!r || r->start > start)
			return false;
		start = r->end;
	}
	return true;
}

int aspace_sync(struct aspace *as, va_t addr, u64 len, int flags)
{
	va_t end = addr + PAGE_UP(len);
	bool whole, locked = false;

	if ((flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE)) || (addr & PAGE_MASK) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < addr || (len && !PAGE_UP(len)))
		return -ENOMEM;
	spin_lock(&as->lock);
	whole = is_whole(as, addr, end);
	if (flags & MS_INVALIDATE)
		for (struct region *r = region_next(as, addr); r && r->start < end; r = r->next)
			locked |= (r->flags & REGION_LOCKED) != 0;
	spin_unlock(&as->lock);
	if (locked)
		return -EBUSY;
	return whole ? 0 : -ENOMEM;
}

int aspace_mincore(struct aspace *as, va_t addr, u64 pages, u8 *vec)
{
	va_t end = addr + (pages << PAGE_SHIFT);

	spin_lock(&as->lock);
	if (!is_whole(as, addr, end)) {
		spin_unlock(&as->lock);
		return -ENOMEM;
	}
	for (va_t va = addr; va < end; va += PAGE_SIZE) {
		struct region *r = region_find(as, va);
		bool in = pt_peek(as, va);

		vec[(va - addr) >> PAGE_SHIFT] = in;
		if (!in && r->memobj && r->memobj->kind != MEMOBJ_PHYS) {
			spin_lock(&r->memobj->lock);
			vec[(va - addr) >> PAGE_SHIFT] =
				memobj_page_locked(r->memobj,
						   (r->offset + (va - r->start)) >> PAGE_SHIFT,
						   false) != 0;
			spin_unlock(&r->memobj->lock);
		}
	}
	spin_unlock(&as->lock);
	return 0;
}
