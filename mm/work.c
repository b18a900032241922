/* Long operations in bounded steps.
 *
 * An operation on regions checks and commits under the space's lock, and does a first step.  If
 * there is more to do, the space is `busy` with it: other operations on regions wait, while faults
 * and copies go on.  A fault inside the range that is being changed does a step of the
 * operation and is tried again (work_help), until it is done, so no fault finds it half done.
 * Lock: the space's during a step; a fork's step holds both spaces'. */
#include "mm_priv.h"

void work_init(struct mm_work *w, enum work_kind kind, struct aspace *as, va_t start, va_t end)
{
	*w = (struct mm_work){
		.kind = (u8)kind,
		.aspace = as,
		.start = start,
		.cursor = start,
		.end = end,
	};
}

static bool populate_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *as = w->aspace;

	while (w->cursor < w->end && *budget) {
		struct region *r = region_find(as, w->cursor);
		enum fault_access access = FAULT_READ;
		enum fault_result res;

		if (w->arg) { /* a huge page's block, which is not all zero yet */
			if (!huge_step(w, budget))
				return false;
			continue;
		}
		if (r && (r->prot & PROT_WRITE) &&
		    (w->flags & (MM_WORK_FILL_STRICT | MM_WORK_FILL_OWN)) != MM_WORK_FILL_STRICT &&
		    !(r->flags & REGION_SHARED))
			access = FAULT_WRITE;
		if (w->flags & MM_WORK_FILL_WRITE)
			access = FAULT_WRITE;
		res = r ? fault_locked(as, w->cursor, access, NULL) : FAULT_MAPERR;
		if (res == FAULT_MORE) {
			(void)huge_begin(w);
			continue;
		}
		if (res != FAULT_OK) {
			if (w->flags & MM_WORK_FILL_STRICT)
				w->result = res == FAULT_MAPERR || res == FAULT_NOMEM ? -ENOMEM
										      : -EFAULT;
			return true;
		}
		w->cursor += PAGE_SIZE;
		*budget -= MIN(*budget, POPULATE_COST);
	}
	return w->cursor >= w->end;
}

static bool unmap_step(struct mm_work *w, unsigned *budget)
{
	struct batch b;

	batch_init(&b, w->aspace);
	w->cursor = pt_zap(&b, w->cursor, w->end, ZAP_ALL, budget);
	batch_flush(&b);
	if (w->cursor < w->end)
		return false;
	if (w->end < w->tail) {
		w->end = region_some(w->aspace, w->cursor, w->tail);
		region_cut(w->aspace, w->cursor, w->end, NULL);
		return false;
	}
	if (!w->place)
		return true;
	region_insert(w->aspace, w->place);
	(void)region_merge(w->aspace, w->place);
	w->place = NULL;
	if (!(w->flags & MM_WORK_FILL))
		return true;
	w->kind = MM_WORK_POPULATE;
	w->cursor = w->start;
	return populate_step(w, budget);
}

static bool protect_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *as = w->aspace;
	struct batch b;

	batch_init(&b, as);
	while (w->cursor < w->end && *budget) {
		struct region *r = region_next(as, w->cursor);
		va_t end = MIN(r->end, w->end);

		if (r->prot != w->arg)
			region_set_prot(as, r, (unsigned)w->arg, r->flags);
		w->cursor = pt_protect(&b, MAX(w->cursor, r->start), end, (unsigned)w->arg,
				       r->flags & REGION_SHARED, budget);
		if (w->cursor == end)
			(void)region_merge(as, r);
		*budget -= MIN(*budget, REGION_COST);
	}
	batch_flush(&b);
	return w->cursor >= w->end;
}

static bool destroy_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *as = w->aspace;
	struct region *r;
	struct batch b;

	batch_init(&b, as);
	while ((r = as->head) && *budget) {
		w->cursor = pt_zap(&b, MAX(w->cursor, r->start), r->end, ZAP_SPACE, budget);
		if (w->cursor < r->end)
			break;
		region_erase(as, r);
		*budget -= MIN(*budget, REGION_COST);
	}
	batch_flush(&b);
	return !as->head;
}

/* Does one step of w.  True: the operation is done. */
static bool work_step(struct mm_work *w)
{
	unsigned budget = STEP_ENTRIES;

	assert(spin_is_locked(&w->aspace->lock));
	switch (w->kind) {
	case MM_WORK_UNMAP: return unmap_step(w, &budget);
	case MM_WORK_PROTECT: return protect_step(w, &budget);
	case MM_WORK_POPULATE: return populate_step(w, &budget);
	case MM_WORK_MOVE: return move_step(w, &budget);
	case MM_WORK_FORK: return fork_step(w, &budget);
	case MM_WORK_DESTROY: return destroy_step(w, &budget);
	default: return true;
	}
}

/* Does one step of w, and ends w if it was the last one.  The locks are held by the caller and
 * dropped here.  MM_MORE, or the operation's result. */
static int go_on(struct mm_work *w)
{
	struct aspace *as = w->aspace, *copy = w->kind == MM_WORK_FORK ? w->other : NULL;
	bool done = work_step(w);

	as->busy = done ? NULL : w;
	if (done && copy && w->result < 0) { /* the fork failed: w goes on as the end of the copy */
		w->kind = MM_WORK_DESTROY;
		w->aspace = copy;
		w->cursor = 0;
		copy->busy = w;
	} else if (done) {
		w->kind = MM_WORK_NONE;
	}
	(void)aspace_unlock(as, 0);
	if (copy)
		(void)aspace_unlock(copy, 0);
	return w->kind == MM_WORK_NONE ? (int)w->result : MM_MORE;
}

int work_start(struct mm_work *w)
{
	assert(!w->aspace->busy);
	return go_on(w);
}

/* A step of MM_WORK_HUGE, for which the space is not `busy`, so that there is nobody to wake. */
static int huge_work(struct mm_work *w)
{
	unsigned budget = STEP_ENTRIES;
	bool done;

	spin_lock(&w->aspace->lock);
	done = huge_step(w, &budget);
	spin_unlock(&w->aspace->lock);
	if (!done)
		return MM_MORE;
	w->kind = MM_WORK_NONE;
	return 0;
}

int mm_work_step(struct mm_work *w)
{
	struct aspace *as = w->aspace, *other = w->kind == MM_WORK_FORK ? w->other : NULL;
	int res;

	if (w->kind == MM_WORK_HUGE)
		return huge_work(w);
	assert(as->busy == w);
	if (other && other < as)
		spin_lock(&other->lock);
	spin_lock(&as->lock);
	if (other && other > as)
		spin_lock(&other->lock);
	res = go_on(w);
	if (as->busy != w)
		mm_wake(as);
	return res;
}

void mm_work_cut(struct mm_work *w)
{
	if (w->kind == MM_WORK_POPULATE && !w->arg)
		w->cursor = w->end;
}

static bool is_about(const struct mm_work *w, va_t lo, va_t hi)
{
	if (w->kind != MM_WORK_UNMAP && w->kind != MM_WORK_PROTECT && w->kind != MM_WORK_MOVE)
		return false;
	if (hi > w->start && lo < MAX(w->end, w->tail))
		return true;
	return w->kind == MM_WORK_MOVE && hi > w->target && lo < w->target + w->arg;
}

bool work_help(struct aspace *as, va_t lo, va_t hi)
{
	struct mm_work *w = as->busy;

	if (!w || !is_about(w, lo, hi))
		return true;
	if (work_step(w))
		w->kind = MM_WORK_DONE;
	return !is_about(w, lo, hi);
}
