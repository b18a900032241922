/*
 * Numbers for kernel objects: index and generation.
 *
 * Slots live in chunks that never move or shrink; the array of chunk pointers doubles.  Free slots
 * form a list through next_free.  A slot's generation changes when its number is given back, so a
 * stale number finds nothing until the generation wraps (2^32 uses of one slot).
 * Caller's lock: the kernel lock.
 */
#include <kernel/idtable.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

#define IDS_MAX_CHUNKS 0x10000u /* more than memory has room for */

static bool grow(struct idtable *t)
{
	struct idslot *chunk;

	if (t->nchunks == t->capacity) {
		u32 n = t->capacity ? t->capacity * 2 : 8;
		struct idslot **v;

		if (n > IDS_MAX_CHUNKS)
			return false;
		v = kmalloc(n * sizeof *v);
		if (!v)
			return false;
		if (t->chunks) {
			memcpy(v, t->chunks, t->nchunks * sizeof *v);
			kfree(t->chunks);
		}
		t->chunks = v;
		t->capacity = n;
	}
	chunk = kmalloc(IDS_PER_CHUNK * sizeof *chunk);
	if (!chunk)
		return false;
	for (u32 i = 0; i < IDS_PER_CHUNK; i++) {
		u32 index = t->nchunks * IDS_PER_CHUNK + i;

		chunk[i].object = NULL;
		chunk[i].generation = 1;
		chunk[i].next_free = i + 1 < IDS_PER_CHUNK ? index + 2 : t->free;
	}
	t->free = t->nchunks * IDS_PER_CHUNK + 1;
	t->chunks[t->nchunks++] = chunk;
	return true;
}

u64 id_alloc(struct idtable *t, void *object)
{
	struct idslot *s;
	u32 index;

	if (!t->free && !grow(t))
		return 0;
	index = t->free - 1;
	s = &t->chunks[index / IDS_PER_CHUNK][index % IDS_PER_CHUNK];
	t->free = s->next_free;
	s->object = object;
	t->used++;
	return (u64)s->generation << 32 | index;
}

void id_free(struct idtable *t, u64 id)
{
	u32 index = (u32)id;
	struct idslot *s = &t->chunks[index / IDS_PER_CHUNK][index % IDS_PER_CHUNK];

	s->object = NULL;
	s->generation = (u32)(id >> 32) + 1;
	if (s->generation == 0)
		s->generation = 1;
	s->next_free = t->free;
	t->free = index + 1;
	t->used--;
	t->freed++;
}
