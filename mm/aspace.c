/* Address spaces: life, and the operations of mmap(2), munmap(2), mprotect(2) and brk(2).
 *
 * Each operation first checks what was asked for, then allocates what it may need, then commits, so
 * that one which fails leaves everything as it was, except where the manual says otherwise.
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
	assert(!as->resident && as->tables == 1 && !as->nregions && !as->dead);
	asid_end();
	frame_free(as->root_pfn, 0);
	slab_free(&aspace_cache, as);
}

int aspace_destroy(struct aspace *as, struct mm_work *w)
{
	spin_lock(&as->lock);
	assert(!as->busy);
	work_init(w, MM_WORK_DESTROY, as, 0, USER_MAX);
	return work_start(w);
}

/* ---- putting regions in ---- */

/* Maps what the template t says: into free space, or, with `cut`, in place of what is mapped there;
 * with `fill`, its pages are brought, too.  The lock is held by the caller and dropped here. */
static int place_template(struct aspace *as, const struct region *t, bool cut, bool fill,
			  struct mm_work *w)
{
	struct region *r, *spare;
	va_t some = t->end;
	bool split;

	if (likely(!cut && !fill)) {
		if (!region_extend(as, t)) {
			r = region_room(as, 1) ? region_alloc() : NULL;
			if (!r)
				return aspace_unlock(as, -ENOMEM);
			region_like(r, t);
			/* no merge: region_extend() found no neighbour that it continues */
			region_insert(as, r);
		}
		return aspace_unlock(as, 0);
	}
	if (cut)
		some = region_some(as, t->start, t->end);
	if (some < t->end && region_isolate(as, t->start, t->end))
		return aspace_unlock(as, -ENOMEM);
	split = cut && region_cut_needs(as, t->start, t->end);
	if (!region_room(as, 1u + split) || (cut && leaf_own_edges(as, t->start, t->end)))
		return aspace_unlock(as, -ENOMEM);
	r = region_alloc();
	spare = split ? region_alloc() : NULL;
	if (!r || (split && !spare)) {
		region_retire(as, r);
		region_retire(as, spare);
		return aspace_unlock(as, -ENOMEM);
	}
	region_like(r, t);
	if (cut)
		region_cut(as, t->start, some, spare);
	work_init(w, MM_WORK_UNMAP, as, t->start, some);
	w->tail = t->end;
	w->place = r;
	w->flags = fill ? MM_WORK_FILL : 0;
	return work_start(w);
}

/* ---- mmap ---- */

/* Chooses the address of a new mapping, in *at.  Lock held. */
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
	return region_find_place(as, len, at) ? 0 : -ENOMEM;
}

/* Turns MAP_* flags into REGION_* flags, in *out. */
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
	err = as->busy ? MM_BUSY : choose_place(as, addr, len, flags, &t.start);
	if (!err) {
		t.end = t.start + len;
		cut = (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE) &&
		      (replaced = region_pages_in(as, t.start, t.end)) != 0;
		if (!within_limits(as, pages, replaced, prot, t.flags, m))
			err = -ENOMEM;
	}
	if (err) {
		(void)aspace_unlock(as, err);
	} else {
		fill = prot && (flags & (MAP_POPULATE | MAP_LOCKED)) && !(flags & MAP_NONBLOCK);
		*out = t.start;
		err = place_template(as, &t, cut, fill, w);
	}
	if (made)
		memobj_put(made);
	return err;
}

int aspace_map_vdso(struct aspace *as, va_t at, struct memobj *m)
{
	struct region t = {
		.start = at,
		.end = at + PAGE_UP(m->size),
		.prot = PROT_READ | PROT_EXEC,
		.max_prot = PROT_READ | PROT_EXEC,
		.flags = REGION_VDSO,
		.memobj = m,
	};

	spin_lock(&as->lock);
	if (as->busy || region_pages_in(as, t.start, t.end))
		return aspace_unlock(as, -EEXIST);
	as->vdso = at;
	return place_template(as, &t, false, false, NULL);
}

/* ---- munmap ---- */

/* Of many regions, those up to `some` go now and the others with the steps that follow. */
static __attribute__((noinline)) int unmap_many(struct aspace *as, va_t start, va_t some, va_t end,
						struct mm_work *w)
{
	if (region_isolate(as, start, end) || leaf_own_edges(as, start, end))
		return aspace_unlock(as, -ENOMEM);
	region_cut(as, start, some, NULL);
	work_init(w, MM_WORK_UNMAP, as, start, some);
	w->tail = end;
	return work_start(w);
}

int aspace_unmap_locked(struct aspace *as, va_t start, va_t end, struct mm_work *w)
{
	struct region *spare = NULL;
	bool split = region_cut_needs(as, start, end);
	va_t some = region_some(as, start, end);

	if (unlikely(some < end))
		return unmap_many(as, start, some, end, w);
	if (split && region_room(as, 1))
		spare = region_alloc();
	if ((split && !spare) || leaf_own_edges(as, start, end)) {
		region_retire(as, spare);
		return aspace_unlock(as, -ENOMEM);
	}
	region_cut(as, start, end, spare);
	if (likely(end - start <= STEP_PAGES * PAGE_SIZE)) { /* one step does it all */
		unsigned budget = ~0u;
		struct batch b;

		batch_init(&b, as);
		start = pt_zap(&b, start, end, ZAP_ALL, &budget);
		assert(start >= end);
		batch_flush(&b);
		return aspace_unlock(as, 0);
	}
	work_init(w, MM_WORK_UNMAP, as, start, end);
	return work_start(w);
}

int aspace_unmap(struct aspace *as, va_t addr, u64 len, struct mm_work *w)
{
	struct region *r;
	va_t end;

	if ((addr & PAGE_MASK) || !len || !user_range_ok(addr, len))
		return -EINVAL;
	end = addr + PAGE_UP(len);
	spin_lock(&as->lock);
	if (as->busy)
		return aspace_unlock(as, MM_BUSY);
	r = region_next(as, addr);
	if (!r || r->start >= end)
		return aspace_unlock(as, 0);
	return aspace_unmap_locked(as, addr, end, w);
}

/* ---- mprotect ---- */

/* Up to where from start on the regions may get the new rights; *err says why not further.  Lock
 * held. */
static va_t aspace_protectable(const struct aspace *as, va_t start, va_t end, unsigned prot,
			       int *err)
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
		if (is_data(prot, r->flags) && !(r->prot & PROT_WRITE)) {
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
	struct region *r;
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
	if (as->busy)
		return aspace_unlock(as, MM_BUSY);
	r = region_next(as, addr);
	if (!r || r->start >= end)
		return aspace_unlock(as, -ENOMEM);
	if (grows) {
		if (grows != PROT_GROWSDOWN || !(r->flags & REGION_GROWSDOWN))
			return aspace_unlock(as, -EINVAL);
		addr = r->start;
	}
	stop = aspace_protectable(as, addr, end, (unsigned)prot, &err);
	if (stop == addr)
		return aspace_unlock(as, err);
	for (; r && r->start < stop && r->prot == prot; r = r->next)
		;
	if (!r || r->start >= stop)
		return aspace_unlock(as, err); /* every region has these rights already */
	if (region_isolate(as, addr, stop))
		return aspace_unlock(as, -ENOMEM);
	work_init(w, MM_WORK_PROTECT, as, addr, stop);
	w->arg = prot;
	w->result = err;
	return work_start(w);
}

/* ---- brk ---- */

/* The heap may grow from old to new (pages), for a break of `want`.  As on Linux, a page above it
 * stays free. */
static bool may_grow_heap(const struct aspace *as, va_t old, va_t new, va_t want)
{
	u64 pages = (new - old) >> PAGE_SHIFT;

	if (want - as->layout.brk_start > as->limit_data || new > as->mmap_top)
		return false;
	return within_limits(as, pages, 0, PROT_WRITE, 0, NULL) &&
	       region_is_free(as, old, new + PAGE_SIZE);
}

int aspace_brk(struct aspace *as, va_t want, struct mm_work *w, va_t *out)
{
	struct region t;
	va_t had, old, new;
	int res;

	spin_lock(&as->lock);
	*out = had = as->brk;
	if (as->busy)
		return aspace_unlock(as, MM_BUSY);
	if (want < as->layout.brk_start || want > USER_MAX || as->layout.brk_start < USER_MIN)
		return aspace_unlock(as, 0);
	old = PAGE_UP(had);
	new = PAGE_UP(want);
	if (new > old) {
		if (!may_grow_heap(as, old, new, want))
			return aspace_unlock(as, 0);
		t.start = old;
		t.end = new;
		t.prot = PROT_READ | PROT_WRITE;
		t.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
		t.flags = REGION_HEAP;
		t.memobj = NULL;
		t.offset = 0;
		as->brk = *out = want;
		if (!place_template(as, &t, false, false, w))
			return 0;
		*out = had;
		spin_lock(&as->lock);
		/* no other thread moved the break since place_template() unlocked */
		if (as->brk == want)
			as->brk = had;
		return aspace_unlock(as, 0);
	}
	as->brk = *out = want;
	if (new == old)
		return aspace_unlock(as, 0);
	res = aspace_unmap_locked(as, new, old, w);
	/* the cut would make one more region of the heap, and there is no memory for it */
	if (res < 0) {
		as->brk = *out = had;
		return 0;
	}
	return res;
}
