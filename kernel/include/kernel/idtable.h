/* Numbers for kernel objects that servers name (sessions, readiness words, calls): index and
 * generation, so that a stale number is told from a live one.  Kernel lock. */
#pragma once

#include <kernel/lib/types.h>

struct idtable {
	struct idslot **chunks; /* of IDS_PER_CHUNK */
	u32 nchunks, capacity, used;
	u32 free; /* index + 1 of the first free slot */
	u64 freed; /* how many were given back so far */
};
struct idslot {
	void *object; /* NULL: free */
	u32 generation;
	u32 next_free;
};
#define IDS_PER_CHUNK 256u

/* id = generation << 32 | index, never 0.  0 when memory is out. */
u64 must_check id_alloc(struct idtable *t, void *object);
/* The generation of the next one there follows that of `id`. */
void id_free(struct idtable *t, u64 id);
/* What has that index now, whatever its generation; NULL: nothing. */
static inline void *id_object(const struct idtable *t, u32 i)
{
	if (unlikely(i / IDS_PER_CHUNK >= t->nchunks))
		return NULL;
	return t->chunks[i / IDS_PER_CHUNK][i % IDS_PER_CHUNK].object;
}
static inline void *id_find(const struct idtable *t, u64 id)
{
	u64 i = (u32)id, chunk = i / IDS_PER_CHUNK;

	if (unlikely(chunk >= t->nchunks))
		return NULL;
	struct idslot *s = &t->chunks[chunk][i % IDS_PER_CHUNK];
	return likely(s->generation == id >> 32) ? s->object : NULL;
}
