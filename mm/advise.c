/* Calls that say or ask something about the regions of a range: madvise(2), the marks of mlock(2),
 * msync(2), mincore(2).
 * Lock: the space's. */
#include "mm_priv.h"

enum advice_kind {
	ADVICE_NOTED,	 /* accepted, without effect */
	ADVICE_FLAGS,	 /* sets and clears flags of the regions */
	ADVICE_DROP,	 /* takes the pages out of the tables */
	ADVICE_REMOVE,	 /* punches holes into the objects */
	ADVICE_POPULATE, /* brings the pages */
};
/* The regions for which an advice is refused, with EINVAL. */
#define OF_LOCKED 1
#define OF_ANONYMOUS 2
#define OF_OBJECT 4
#define OF_DEVICE 8

static const struct advice {
	u16 advice;
	u8 kind;
	u8 refused;	/* OF_* */
	u16 set, clear; /* REGION_*; for ADVICE_POPULATE, `set` is MM_WORK_FILL_* */
} advices[] = {
	{ MADV_DONTNEED, ADVICE_DROP, OF_LOCKED | OF_DEVICE, 0, 0 },
	{ MADV_FREE, ADVICE_DROP, OF_LOCKED | OF_OBJECT, 0, 0 },
	{ MADV_REMOVE, ADVICE_REMOVE, OF_LOCKED | OF_ANONYMOUS | OF_DEVICE, 0, 0 },
	{ MADV_DONTFORK, ADVICE_FLAGS, 0, REGION_DONTFORK, 0 },
	{ MADV_DOFORK, ADVICE_FLAGS, OF_DEVICE, 0, REGION_DONTFORK },
	{ MADV_WIPEONFORK, ADVICE_FLAGS, OF_OBJECT, REGION_WIPEONFORK, 0 },
	{ MADV_KEEPONFORK, ADVICE_FLAGS, 0, 0, REGION_WIPEONFORK },
	{ MADV_HUGEPAGE, ADVICE_FLAGS, 0, REGION_HUGE, REGION_NOHUGE },
	{ MADV_NOHUGEPAGE, ADVICE_FLAGS, 0, REGION_NOHUGE, REGION_HUGE },
	{ MADV_LOCK, ADVICE_FLAGS, 0, REGION_LOCKED, 0 },
	{ MADV_UNLOCK, ADVICE_FLAGS, 0, 0, REGION_LOCKED },
	{ MADV_POPULATE_READ, ADVICE_POPULATE, 0, MM_WORK_FILL_STRICT, 0 },
	{ MADV_POPULATE_WRITE, ADVICE_POPULATE, 0, MM_WORK_FILL_STRICT | MM_WORK_FILL_WRITE, 0 },
	{ MADV_POPULATE_LOCKED, ADVICE_POPULATE, 0, MM_WORK_FILL_STRICT | MM_WORK_FILL_OWN, 0 },
	{ MADV_NORMAL, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_RANDOM, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_SEQUENTIAL, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_WILLNEED, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_MERGEABLE, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_UNMERGEABLE, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_DONTDUMP, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_DODUMP, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_COLD, ADVICE_NOTED, 0, 0, 0 },
	{ MADV_PAGEOUT, ADVICE_NOTED, 0, 0, 0 },
};

static const struct advice *advice_find(int advice)
{
	for (const struct advice *d = advices; d < advices + ARRAY_SIZE(advices); d++)
		if (d->advice == advice)
			return d;
	return NULL;
}

/* 0 if region r can be given this advice; EINVAL, EACCES. */
static int advice_fits(const struct advice *d, const struct region *r)
{
	unsigned is = r->memobj ? OF_OBJECT : OF_ANONYMOUS;

	if (r->memobj && r->memobj->kind == MEMOBJ_PHYS)
		is |= OF_DEVICE;
	if (r->flags & REGION_LOCKED)
		is |= OF_LOCKED;
	if (d->refused & is)
		return -EINVAL;
	if (d->kind != ADVICE_REMOVE)
		return 0;
	return (r->flags & REGION_SHARED) && (r->prot & PROT_WRITE) ? 0 : -EACCES;
}

/* MADV_REMOVE: punches holes into the objects of a range.  memobj_punch() takes the spaces' locks,
 * so none is held meanwhile. */
static int advise_remove(struct aspace *as, const struct advice *d, va_t start, va_t end)
{
	int err = 0;

	while (start < end && !err) {
		struct region *r;
		struct memobj *m = NULL;
		u64 off = 0, n = 0;

		spin_lock(&as->lock);
		r = region_find(as, start);
		err = r ? advice_fits(d, r) : -ENOMEM;
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

/* Sets and clears the advice's flags in all regions of a range.  0, ENOMEM.  Lock held. */
static int advise_flags(struct aspace *as, const struct advice *d, va_t start, va_t end)
{
	if (region_isolate(as, start, end))
		return -ENOMEM;
	for (struct region *r = region_next(as, start); r && r->start < end; r = r->next)
		region_set_prot(as, r, r->prot, (r->flags & ~(unsigned)d->clear) | d->set);
	region_merge_all(as, start, end);
	return 0;
}

int aspace_advise(struct aspace *as, va_t addr, u64 len, int advice, struct mm_work *w)
{
	const struct advice *d = advice_find(advice);
	va_t end = addr + PAGE_UP(len), at;
	int err = 0, hole = 0;

	if (!d || (addr & PAGE_MASK))
		return -EINVAL;
	if ((len && !PAGE_UP(len)) || end < addr)
		return -EINVAL;
	if (end > USER_MAX)
		return -ENOMEM;
	if (end == addr)
		return 0;
	if (d->kind == ADVICE_REMOVE)
		return advise_remove(as, d, addr, end);
	spin_lock(&as->lock);
	if (as->busy)
		return aspace_unlock(as, MM_BUSY);
	at = addr;
	for (struct region *r = region_next(as, addr); at < end && !err; r = r->next) {
		if (!r || r->start >= end) {
			hole = -ENOMEM;
			break;
		}
		if (r->start > at)
			hole = -ENOMEM;
		err = advice_fits(d, r);
		if (!err)
			at = MIN(r->end, end);
	}
	/* As on Linux, the advice is followed up to the first region that refuses it. */
	if (at > addr && d->kind == ADVICE_DROP) {
		if (leaf_own_edges(as, addr, at))
			return aspace_unlock(as, -ENOMEM);
		work_init(w, MM_WORK_UNMAP, as, addr, at);
		w->result = err ? err : hole;
		return work_start(w);
	}
	if (!err && !hole && d->kind == ADVICE_POPULATE) {
		work_init(w, MM_WORK_POPULATE, as, addr, end);
		w->flags = d->set;
		return work_start(w);
	}
	if (at > addr && d->kind == ADVICE_FLAGS && advise_flags(as, d, addr, at))
		err = -ENOMEM;
	return aspace_unlock(as, err ? err : hole);
}

/* Regions cover the whole range.  Lock held. */
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
