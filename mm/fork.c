/* Copying a space for fork.
 *
 * Region by region: the region is cloned, then its private pages' entries are copied, with W taken
 * from both sides, so that from then on whoever writes first copies the page.  What only shows an
 * object's pages (shared, or private without copies of its own) is left to faults, which find it
 * in the object.  Each step fences the parent before it lets go of the lock: a thread of the
 * parent can neither write through an old entry nor copy a page that still changes.
 * Locks: both spaces'. */
#include "mm_priv.h"

/* Frames that child and parent take for sure to go on: copies of pages that both write (stack, data,
 * thread block) and tables for them. Programs with glibc: 8 to 14. */
#define FORK_TOUCHES 16u

static struct region *clone_region(struct aspace *dst, const struct region *r)
{
	struct region *c = region_alloc();

	if (!c)
		return NULL;
	c->start = r->start;
	c->end = r->end;
	c->prot = r->prot;
	c->max_prot = r->max_prot;
	c->flags = r->flags & (u16)~REGION_LOCKED;
	c->memobj = r->memobj;
	c->offset = r->offset;
	if (c->memobj)
		memobj_get(c->memobj);
	region_insert(dst, c);
	return c;
}

static bool has_private_pages(const struct region *r)
{
	if (r->flags & (REGION_SHARED | REGION_WIPEONFORK))
		return false;
	return !r->memobj || (r->flags & REGION_COPIED);
}

static bool is_inherited(const struct region *r)
{
	return !(r->flags & REGION_DONTFORK) && !(r->memobj && r->memobj->kind == MEMOBJ_PHYS);
}

bool fork_step(struct mm_work *w, unsigned *budget)
{
	struct aspace *src = w->aspace, *dst = w->other;
	bool failed = false;
	struct region *r;
	struct batch b;

	batch_init(&b, src);
	while ((r = region_next(src, w->cursor)) && *budget && !failed) {
		(*budget)--;
		if (!is_inherited(r)) {
			w->cursor = r->end;
			continue;
		}
		if (r->end > w->target) { /* not cloned yet */
			if (!clone_region(dst, r)) {
				failed = true;
				break;
			}
			w->target = r->end;
		}
		if (!has_private_pages(r)) {
			w->cursor = r->end;
			continue;
		}
		w->cursor = pt_copy(&b, dst, MAX(w->cursor, r->start), r->end, budget, &failed);
	}
	batch_flush(&b);
	if (failed)
		w->result = -ENOMEM;
	return failed || !r;
}

int aspace_fork(struct aspace *src, struct aspace *dst, struct mm_work *w)
{
	assert(src != dst && !dst->tree);
	spin_lock(src < dst ? &src->lock : &dst->lock);
	spin_lock(src < dst ? &dst->lock : &src->lock);
	if (src->busy) {
		spin_unlock(&src->lock);
		spin_unlock(&dst->lock);
		return MM_BUSY;
	}
	dst->brk_start = src->brk_start;
	dst->brk = src->brk;
	dst->mmap_top = src->mmap_top;
	dst->stack_top = src->stack_top;
	dst->arg_start = src->arg_start;
	dst->arg_end = src->arg_end;
	dst->env_start = src->env_start;
	dst->env_end = src->env_end;
	dst->vdso = src->vdso;
	dst->limit_as = src->limit_as;
	dst->limit_stack = src->limit_stack;
	dst->limit_data = src->limit_data;
	dst->promised = (u32)MIN(FORK_TOUCHES, src->resident_anon);
	frames_promise(dst->promised);
	__atomic_fetch_add(&mm_counters.forks, 1, __ATOMIC_RELAXED);
	work_init(w, WORK_FORK, src, 0, USER_MAX);
	w->other = dst;
	return work_start(w);
}
