/* Long operations in bounded steps.
 *
 * An operation on regions checks and commits under the space's lock, and does a first step.  If
 * that is not all, the space is `busy` with it: other operations on regions wait, while faults and
 * copies go on.  A fault inside the range that is being changed finishes the whole operation
 * first (work_help), so faults never see half of one.
 * Lock: the space's for the step; fork holds both spaces'. */
#include "mm_priv.h"

void work_init(struct mm_work *w, enum work_kind kind, struct aspace *as, va_t start, va_t end)
{
	w->kind = (u8)kind;
	w->phase = 0;
	w->flags = 0;
	w->aspace = as;
	w->other = NULL;
	w->start = w->cursor = start;
	w->end = end;
	w->target = w->tail = 0;
	w->arg = 0;
	w->place = w->spare = NULL;
	w->regions = NULL;
	w->result = 0;
}

static bool unmap_step(struct mm_work *w, unsigned *budget)
{
	struct region *dead = w->regions, *placed = w->place;
	struct batch b;

	batch_init(&b, w->aspace);
	w->cursor = pt_zap(&b, w->cursor, w->end, ZAP_ALL, budget);
	batch_flush(&b);
	if (w->cursor < w->end)
		return false;
	if (!placed)
		return true;
	w->place = NULL;
	region_place(w->aspace, placed, &dead);
	w->regions = dead;
	if (!(w->flags & WORK_FILL))
		return true;
	w->kind = WORK_POPULATE;
	w->cursor = w->start;
	return false;
}

static bool protect_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *as = w->aspace;
	struct batch b;

	batch_init(&b, as);
	for (struct region *r = region_next(as, w->cursor); r && w->cursor < w->end && *budget;
	     r = r->next)
		w->cursor = pt_protect(&b, MAX(w->cursor, r->start), MIN(r->end, w->end),
				       (unsigned)w->arg, r->flags & REGION_SHARED, budget);
	batch_flush(&b);
	return w->cursor >= w->end;
}

static bool populate_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *as = w->aspace;

	while (w->cursor < w->end && *budget) {
		struct region *r = region_find(as, w->cursor);
		enum fault_access access = FAULT_READ;
		enum fault_result res;

		if (w->arg) { /* a block for a huge page */
			if (!huge_step(w, budget))
				return false;
			continue;
		}
		if (r && (w->flags & (WORK_FILL_STRICT | WORK_FILL_OWN)) != WORK_FILL_STRICT && (r->prot & PROT_WRITE) &&
		    !(r->flags & REGION_SHARED))
			access = FAULT_WRITE;
		if (w->flags & WORK_FILL_WRITE)
			access = FAULT_WRITE;
		res = r ? fault_locked(as, w->cursor, access) : FAULT_MAPERR;
		if (res == FAULT_MORE) {
			(void)huge_begin(w);
			continue;
		}
		if (res != FAULT_OK) {
			if (w->flags & WORK_FILL_STRICT)
				w->result = res == FAULT_MAPERR || res == FAULT_NOMEM ? -ENOMEM
										      : -EFAULT;
			return true;
		}
		w->cursor += PAGE_SIZE;
		*budget -= MIN(*budget, POPULATE_COST);
	}
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
		r->next = w->regions;
		w->regions = r;
	}
	batch_flush(&b);
	return !as->head;
}

/* True: done. */
static bool step(struct mm_work *w)
{
	unsigned budget = STEP_ENTRIES;

	assert(spin_is_locked(&w->aspace->lock));
	switch (w->kind) {
	case WORK_UNMAP:
		if (unmap_step(w, &budget))
			return true;
		return w->kind == WORK_POPULATE && populate_step(w, &budget);
	case WORK_PROTECT: return protect_step(w, &budget);
	case WORK_POPULATE: return populate_step(w, &budget);
	case WORK_MOVE: return move_step(w, &budget);
	case WORK_FORK: return fork_step(w, &budget);
	case WORK_DESTROY: return destroy_step(w, &budget);
	default: return true;
	}
}

/* No lock held. */
static int work_end(struct mm_work *w)
{
	region_free_list(w->regions);
	w->regions = NULL;
	if (w->spare)
		region_free(w->spare);
	w->spare = NULL;
	assert(!w->place);
	w->kind = WORK_NONE;
	return (int)w->result;
}

static void unlock(struct mm_work *w, struct aspace *other)
{
	spin_unlock(&w->aspace->lock);
	if (other)
		spin_unlock(&other->lock);
}

/* A fork that failed: the copy gives everything back. No lock held. */
static void undo_fork(struct mm_work *w, struct aspace *copy)
{
	struct mm_work undo;

	if (w->result >= 0)
		return;
	work_init(&undo, WORK_DESTROY, copy, 0, USER_MAX);
	spin_lock(&copy->lock);
	while (!step(&undo))
		;
	spin_unlock(&copy->lock);
	(void)work_end(&undo);
}

int work_start(struct mm_work *w)
{
	struct aspace *other = w->kind == WORK_FORK ? w->other : NULL;

	assert(!w->aspace->busy);
	if (likely(step(w))) {
		unlock(w, other);
		if (other)
			undo_fork(w, other);
		return work_end(w);
	}
	w->aspace->busy = w;
	unlock(w, other);
	return MM_MORE;
}

/* Nobody waits for a fault's page to come. */
static int huge_work(struct mm_work *w)
{
	unsigned budget = STEP_ENTRIES;
	bool done;

	spin_lock(&w->aspace->lock);
	done = huge_step(w, &budget);
	spin_unlock(&w->aspace->lock);
	if (!done)
		return MM_MORE;
	w->kind = WORK_NONE;
	return 0;
}

int mm_work_step(struct mm_work *w)
{
	struct aspace *as = w->aspace, *other = w->kind == WORK_FORK ? w->other : NULL;
	int res;

	if (w->kind == WORK_HUGE)
		return huge_work(w);
	assert(as->busy == w);
	if (other && other < as)
		spin_lock(&other->lock);
	spin_lock(&as->lock);
	if (other && other > as)
		spin_lock(&other->lock);
	if (!step(w)) {
		unlock(w, other);
		return MM_MORE;
	}
	as->busy = NULL;
	unlock(w, other);
	if (other)
		undo_fork(w, other);
	res = work_end(w);
	mm_wake(as);
	return res;
}

static bool is_about(const struct mm_work *w, va_t lo, va_t hi)
{
	if (w->kind != WORK_UNMAP && w->kind != WORK_PROTECT && w->kind != WORK_MOVE)
		return false;
	if (hi > w->start && lo < MAX(w->end, w->tail))
		return true;
	return w->kind == WORK_MOVE && hi > w->target && lo < w->target + w->arg;
}

void work_help(struct aspace *as, va_t lo, va_t hi)
{
	struct mm_work *w = as->busy;

	if (!w || !is_about(w, lo, hi))
		return;
	while (w->kind == WORK_UNMAP || w->kind == WORK_PROTECT || w->kind == WORK_MOVE)
		if (step(w))
			w->kind = WORK_DONE;
}
