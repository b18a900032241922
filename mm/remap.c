/* mremap(2).
 *
 * A move goes in phases, each in bounded steps.  It unmaps what lies at the new place, and what the
 * new size cuts off the old place; makes tables for the new place, which is the last thing that can
 * fail; moves the entries; takes the old region out.  A fault in either place finishes the move
 * first.
 * Lock: the space's. */
#include "mm_priv.h"

static void next_phase(struct mm_work *w, enum move_phase phase, va_t cursor)
{
	w->phase = (u8)phase;
	w->cursor = cursor;
}

/* Ends a move whose entries have moved: takes the old region out and joins the new one with its
 * neighbours. */
static void remap_finish(struct mm_work *w)
{
	struct aspace *as = w->aspace;

	if (w->flags & MM_WORK_KEEP)
		region_retire(as, w->spare);
	else
		region_cut(as, w->start, w->end, w->spare);
	(void)region_merge(as, region_next(as, w->target));
}

bool move_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *as = w->aspace;
	bool failed = false, done = false;
	struct batch b;
	va_t tail = w->tail;

	batch_init(&b, as);
	while (*budget && !done) {
		switch (w->phase) {
		case MOVE_CLEAR:
			w->cursor = pt_zap(&b, w->cursor, w->target + w->arg, ZAP_ALL, budget);
			if (w->cursor >= w->target + w->arg)
				next_phase(w, MOVE_CUT, w->end);
			break;
		case MOVE_CUT:
			w->cursor = pt_zap(&b, w->cursor, tail, ZAP_ALL, budget);
			if (w->cursor < tail)
				break;
			batch_flush(&b);
			region_insert(as, w->place);
			w->place = NULL;
			next_phase(w, MOVE_PREPARE, w->start);
			break;
		case MOVE_PREPARE:
			w->cursor = pt_move_prepare(as, w->start, w->cursor, w->end, w->target,
						    budget, &failed);
			if (failed)
				next_phase(w, MOVE_UNDO, w->target);
			else if (w->cursor >= w->end)
				next_phase(w, MOVE_ENTRIES, w->start);
			break;
		case MOVE_ENTRIES:
			w->cursor = pt_move(&b, w->start, w->cursor, w->end, w->target, budget);
			if (w->cursor >= w->end) {
				remap_finish(w);
				done = true;
			}
			break;
		case MOVE_UNDO:
			w->cursor = pt_zap(&b, w->cursor, w->target + w->arg, ZAP_ALL, budget);
			if (w->cursor >= w->target + w->arg) {
				region_erase(as, region_next(as, w->target));
				region_retire(as, w->spare);
				w->result = -ENOMEM;
				done = true;
			}
			break;
		}
	}
	batch_flush(&b);
	return done;
}

struct request {
	va_t old, new;
	u64 old_len, new_len, flags;
};

static int check_request(const struct request *q)
{
	if ((q->flags & ~(u64)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
	    ((q->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(q->flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	if ((q->flags & MREMAP_DONTUNMAP) && q->old_len != q->new_len)
		return -EINVAL;
	if ((q->old & PAGE_MASK) || !q->new_len || q->old >= USER_MAX || q->new_len > USER_MAX)
		return -EINVAL;
	return 0;
}

/* Checks the new place that the caller named (MREMAP_FIXED). */
static int check_place(const struct request *q)
{
	if ((q->new & PAGE_MASK) || !user_range_ok(q->new, q->new_len))
		return -EINVAL;
	if (q->old < q->new + q->new_len && q->new < q->old + q->old_len)
		return -EINVAL;
	return q->new < USER_MIN ? -EPERM : 0;
}

/* Checks that the old range lies in region r, and that it may have the new size.  Lock held. */
static int check_region(const struct aspace *as, const struct region *r, const struct request *q)
{
	u64 more = q->new_len > q->old_len ? (q->new_len - q->old_len) >> PAGE_SHIFT : 0;

	if (q->old_len > r->end - q->old)
		return -EFAULT;
	if (r->memobj && r->memobj->kind == MEMOBJ_PHYS)
		return -EFAULT;
	if (!q->old_len && !(r->flags & REGION_SHARED))
		return -EINVAL;
	if (r->memobj && r->offset + (q->old - r->start) + q->new_len < q->new_len)
		return -EINVAL;
	if ((q->flags & MREMAP_DONTUNMAP) || !q->old_len)
		more = q->new_len >> PAGE_SHIFT;
	return within_limits(as, more, 0, r->prot, r->flags, r->memobj) ? 0 : -ENOMEM;
}

/* The old range can grow in place: it ends its region r, and there is room behind it. */
static bool can_extend(const struct aspace *as, const struct region *r, const struct request *q)
{
	va_t end = q->old + q->new_len;

	return r->end == q->old + q->old_len && end > q->old && end <= USER_MAX &&
	       region_is_free(as, r->end, end);
}

/* Starts the move of the old range to q->new.  The lock is held by the caller and dropped here. */
static int start_move(struct aspace *as, struct region *r, const struct request *q,
		      struct mm_work *w)
{
	struct region *parts[4] = { NULL };
	u64 kept = MIN(q->old_len, q->new_len);

	/* parts[0] becomes the new region.  The others are spares for cuts that may split a
	 * region: of what lies at the new place, of the old place's tail, and at the end of the
	 * old place. */
	if (!region_room(as, 4))
		goto out_memory;
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		parts[i] = region_alloc();
		if (!parts[i])
			goto out_memory;
	}
	if (leaf_own_edges(as, q->new, q->new + q->new_len) ||
	    leaf_own_edges(as, q->old + kept, q->old + q->old_len))
		goto out_memory;
	work_init(w, MM_WORK_MOVE, as, q->old, q->old + kept);
	w->flags = (q->flags & MREMAP_DONTUNMAP) || !q->old_len ? MM_WORK_KEEP : 0;
	w->target = q->new;
	w->arg = q->new_len;
	w->tail = q->old + q->old_len;
	w->place = parts[0];
	region_like(w->place, r);
	w->place->start = q->new;
	w->place->end = q->new + q->new_len;
	w->place->flags &= (u16)~(REGION_GROWSDOWN | REGION_STACK | REGION_HEAP);
	if (r->memobj)
		w->place->offset += q->old - r->start;
	w->spare = parts[3];
	region_cut(as, q->new, q->new + q->new_len, parts[1]);
	if (kept < q->old_len)
		region_cut(as, q->old + kept, q->old + q->old_len, parts[2]);
	else
		region_retire(as, parts[2]);
	next_phase(w, MOVE_CLEAR, q->new);
	return work_start(w);
out_memory:
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		region_retire(as, parts[i]);
	return aspace_unlock(as, -ENOMEM);
}

int aspace_remap(struct aspace *as, va_t old, u64 old_len, u64 new_len, u64 flags, va_t new_addr,
		 struct mm_work *w, va_t *out)
{
	struct request q = { old, new_addr, PAGE_UP(old_len), PAGE_UP(new_len), flags };
	bool stays = !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && q.old_len;
	struct region *r;
	int err = check_request(&q);

	if (err)
		return err;
	if (old_len > USER_MAX)
		return -EFAULT;
	spin_lock(&as->lock);
	if (as->busy)
		return aspace_unlock(as, MM_BUSY);
	r = region_find(as, old);
	if (!r)
		return aspace_unlock(as, -EFAULT);
	*out = old;
	if (stays && q.new_len <= q.old_len) {
		if (!user_range_ok(old, q.old_len))
			return aspace_unlock(as, -EFAULT);
		if (q.new_len == q.old_len)
			return aspace_unlock(as, 0);
		return aspace_unmap_locked(as, old + q.new_len, old + q.old_len, w);
	}
	err = flags & MREMAP_FIXED ? check_place(&q) : 0;
	if (!err)
		err = check_region(as, r, &q);
	if (err)
		return aspace_unlock(as, err);
	if (stays && can_extend(as, r, &q)) {
		region_set_bounds(as, r, r->start, old + q.new_len);
		(void)region_merge(as, r);
		return aspace_unlock(as, 0);
	}
	if (!(flags & MREMAP_MAYMOVE) ||
	    (!(flags & MREMAP_FIXED) && !region_find_place(as, q.new_len, &q.new)))
		return aspace_unlock(as, -ENOMEM);
	*out = q.new;
	return start_move(as, r, &q, w);
}
