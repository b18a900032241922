/* Slab caches for kernel objects, and kmalloc for odd sizes.  Any context; own locks. */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/spinlock.h>

struct slab_cache {
	const char *name;
	u32 size; /* of an object, multiple of 8 */
	u32 per_slab, order;
	struct spinlock lock;
	struct list partial; /* slabs with a free object */
	u64 used, total, slabs;
	void *magazine[MAX_HARTS]; /* per-hart free list, linked through the objects */
	u32 in_magazine[MAX_HARTS];
	struct list caches; /* all caches, for /proc/slabinfo */
};

/* The beginning of a slab. */
struct slab {
	struct list link; /* in partial, unless it is full */
	struct slab_cache *cache;
	void *free;
	u32 used;
};
#define SLAB_POISON 0x6b /* what free objects are filled with in debug builds, behind their first word */

void slabs_init(void); /* before all else here; by mm_init */
void slab_cache_init(struct slab_cache *c, const char *name, size_t size);
void *must_check slab_alloc(struct slab_cache *c); /* zeroed, 16-aligned; NULL when memory is out */
void slab_free(struct slab_cache *c, void *p);
void *must_check kmalloc(size_t size); /* zeroed; whole pages above 2 KiB; NULL when out */
void kfree(void *p);		       /* NULL is fine */
struct tern_slab_info;
unsigned slab_info(struct tern_slab_info *v, unsigned max);
