/*
 * Credentials: immutable, shared by reference, named by an id that is never used again so that
 * servers may cache what they learnt by it.
 */
#include <kernel/lock.h>
#include <kernel/process.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

static struct slab_cache cache;

struct cred *cred_create(const struct tern_cred *c)
{
	static u32 next_id = 1;
	struct cred *n;

	if (!cache.name)
		slab_cache_init(&cache, "cred", sizeof(struct cred));
	n = slab_alloc(&cache);
	if (!n)
		return NULL;
	n->refs = 1;
	n->c = *c;
	n->c.id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	return n;
}

void cred_get(const struct cred *c)
{
	__atomic_fetch_add(&((struct cred *)c)->refs, 1, __ATOMIC_RELAXED);
}

void cred_put(const struct cred *c)
{
	struct cred *m = (struct cred *)c;

	if (m && __atomic_fetch_sub(&m->refs, 1, __ATOMIC_ACQ_REL) == 1)
		slab_free(&cache, m);
}
