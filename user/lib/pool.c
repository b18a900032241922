/* Pools of objects of one size, whose badges can be checked.  A pool is made of chunks of 64 slots;
 * free slots are in a list, and each slot has a generation, which is odd while the slot is in use.
 *
 * badge = (generation << 32 | index) + TERN_BADGE_FIRST.  As the generation changes when an object
 * is freed, its badge is never taken for that of the next object in the same slot.  Slots never
 * move, and their memory is never given back.
 */
#include <server/server.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK POOL_CHUNK

static struct pool_slot *slot_of(const struct pool *p, uint32_t index)
{
	return (struct pool_slot *)((char *)p->chunks[index / CHUNK] +
			       (index % CHUNK) * (p->size + sizeof(struct pool_slot)));
}

void pool_init(struct pool *p, size_t size)
{
	memset(p, 0, sizeof *p);
	p->size = (size + 15) & ~(size_t)15;
}

static bool grow(struct pool *p)
{
	void **chunks = realloc(p->chunks, (p->nchunks + 1) * sizeof *chunks);
	char *chunk;

	if (!chunks)
		return false;
	p->chunks = chunks;
	chunk = calloc(CHUNK, p->size + sizeof(struct pool_slot));
	if (!chunk)
		return false;
	chunks[p->nchunks++] = chunk;
	for (uint32_t i = CHUNK; i-- > 0;) {
		struct pool_slot *s = (struct pool_slot *)(chunk + i * (p->size + sizeof *s));

		s->index = p->count + i;
		s->next = p->free;
		p->free = s->index + 1;
	}
	p->count += CHUNK;
	return true;
}

void *pool_alloc(struct pool *p)
{
	struct pool_slot *s;

	if (!p->free && !grow(p))
		return NULL;
	s = slot_of(p, p->free - 1);
	p->free = s->next;
	p->used++;
	s->generation++;
	memset(s + 1, 0, p->size);
	return s + 1;
}

void pool_free(struct pool *p, void *object)
{
	struct pool_slot *s;

	if (!object)
		return;
	s = (struct pool_slot *)object - 1;
	s->generation++;
	s->next = p->free;
	p->free = s->index + 1;
	p->used--;
}
