/* Slab caches for kernel objects, and kmalloc for odd sizes.  They have locks
 * of their own, so callers need none. */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/spinlock.h>

struct slab_cache {
	const char *name;
	u32 size; /* bytes of an object, a multiple of 16 */
	u32 per_slab, order;
	struct spinlock lock;
	struct list partial; /* slabs with a free object */
	u64 used, total, slabs;
	void *magazine[MAX_HARTS]; /* per-hart free list, linked through the objects */
	u32 in_magazine[MAX_HARTS];
	struct list caches; /* in the list of all caches, for /proc/slabinfo */
};

/* What a slab begins with; its objects follow. */
struct slab {
	struct list link; /* in cache->partial, unless every object is in use */
	struct slab_cache *cache;
	void *free;
	u32 used;
};
#define SLAB_POISON 0x6b /* debug builds fill free objects with it, behind their first word */

void slabs_init(void); /* mm_init() calls it before all else here */
void slab_cache_init(struct slab_cache *c, const char *name, size_t size);
void *must_check slab_alloc(struct slab_cache *c); /* zeroed, 16-aligned; NULL when memory is out */
void slab_free(struct slab_cache *c, void *p);
void *must_check kmalloc(size_t size); /* zeroed; whole pages above 2 KiB; NULL when out */
void kfree(void *p);		       /* NULL is fine */
struct tern_slab_info;
unsigned slab_info(struct tern_slab_info *v, unsigned max);
