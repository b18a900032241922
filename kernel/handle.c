/*
 * Handle tables: a process's descriptor table.
 *
 * Two levels: an array of pointers to chunks of 64 handles, each with a bitmap of what is not
 * free.  The lowest free number is found from a hint below which every chunk is full.  Growing
 * copies only the array of pointers.  A RESERVED slot belongs to a call under way and is there
 * for nobody else: close, dup2 and lookups pass it by.
 * Kernel lock guards all of it.
 */
#include <kernel/lib/bits.h>
#include <kernel/handle.h>
#include <kernel/lock.h>
#include <kernel/lib/log.h>
#include <kernel/lib/string.h>
#include <mm/frame.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

/* Under one hold of the lock. */
#define HANDLES_AT_ONCE 16u
#define LOOKED_AT_AT_ONCE 512u
#define CHUNKS_AT_ONCE 32u
#define COPIED_AT_ONCE 2u /* chunks */

static bool handle_table_close_step(struct steps *s);
static struct slab_cache chunk_cache;
u64 object_counts[TERN_NOBJECTS];

static bool chunk_create(struct handle_table *t, u32 c)
{
	if (!chunk_cache.name)
		slab_cache_init(&chunk_cache, "handle_chunk", sizeof(struct handle_chunk));
	if (unlikely(t->bytes + sizeof(struct handle_chunk) > kernel_share))
		return false;
	t->chunks[c] = slab_alloc(&chunk_cache);
	if (t->chunks[c])
		t->bytes += sizeof(struct handle_chunk);
	return t->chunks[c];
}

struct handle_table *handle_table_create(void)
{
	struct handle_table *t = kmalloc(sizeof *t);

	if (!t)
		return NULL;
	t->refs = 1;
	steps_init(&t->closing, handle_table_close_step);
	return t;
}

void handle_table_get(struct handle_table *t) { t->refs++; }

static bool grow(struct handle_table *t, u32 chunk)
{
	u32 n = t->nchunks ? t->nchunks : 1;
	struct handle_chunk **v;

	while (n <= chunk)
		n *= 2;
	v = kmalloc(n * sizeof *v);
	if (!v)
		return false;
	if (t->chunks) {
		memcpy(v, t->chunks, t->nchunks * sizeof *v);
		kfree(t->chunks);
	}
	t->bytes += (n - t->nchunks) * sizeof *v;
	t->chunks = v;
	t->nchunks = n;
	return true;
}

static struct handle *slot(const struct handle_table *t, u32 fd)
{
	return &t->chunks[fd / HANDLES_PER_CHUNK]->h[fd % HANDLES_PER_CHUNK];
}

static long take(struct handle_table *t, u32 fd)
{
	u32 c = fd / HANDLES_PER_CHUNK;

	if (c >= t->nchunks && !grow(t, c))
		return -ENOMEM;
	if (!t->chunks[c] && !chunk_create(t, c))
		return -ENOMEM;
	t->chunks[c]->used |= 1ull << (fd % HANDLES_PER_CHUNK);
	t->count++;
	object_counts[TERN_OBJ_HANDLE]++;
	slot(t, fd)->type = HANDLE_RESERVED;
	slot(t, fd)->object = NULL;
	slot(t, fd)->pending_type = HANDLE_FREE;
	return fd;
}

long handle_reserve(struct handle_table *t, u32 from, u32 limit)
{
	u32 c = MAX(from / HANDLES_PER_CHUNK, t->hint);
	bool dense = true; /* every chunk from the hint to here is full */

	for (;; c++) {
		u32 base = c * HANDLES_PER_CHUNK;
		u64 free = ~0ull;

		if (base >= limit)
			return -EMFILE;
		if (c < t->nchunks && t->chunks[c])
			free = ~t->chunks[c]->used;
		if (from > base) {
			free &= ~0ull << (from - base);
			dense = dense && free == ~0ull;
		}
		if (free) {
			u32 fd = base + lowest_bit(free);

			if (fd >= limit)
				return -EMFILE;
			if (from == 0 && dense)
				t->hint = c;
			return take(t, fd);
		}
	}
}

static void release(struct handle_table *t, u32 fd)
{
	struct handle_chunk *c = t->chunks[fd / HANDLES_PER_CHUNK];

	c->h[fd % HANDLES_PER_CHUNK].type = HANDLE_FREE;
	c->h[fd % HANDLES_PER_CHUNK].object = NULL;
	c->used &= ~(1ull << (fd % HANDLES_PER_CHUNK));
	t->count--;
	object_counts[TERN_OBJ_HANDLE]--;
	if (fd / HANDLES_PER_CHUNK < t->hint)
		t->hint = fd / HANDLES_PER_CHUNK;
}

void handle_unreserve(struct handle_table *t, u32 fd)
{
	assert(slot(t, fd)->type == HANDLE_RESERVED);
	release(t, fd);
}

void handle_fill(struct handle_table *t, u32 fd, enum handle_type type, void *object,
		 unsigned rights, bool cloexec)
{
	struct handle *h = slot(t, fd);

	assert(h->type == HANDLE_RESERVED);
	h->object = object;
	h->rights = (u16)rights;
	h->cloexec = cloexec;
	h->type = (u8)type;
}

long handle_add(struct handle_table *t, u32 limit, enum handle_type type, void *object,
		unsigned rights, bool cloexec)
{
	long fd = handle_reserve(t, 0, limit);

	if (fd < 0)
		handle_unref(type, object);
	else
		handle_fill(t, (u32)fd, type, object, rights, cloexec);
	return fd;
}

/* What was a handle of the table is closed. */
static void drop(struct handle_table *t, struct handle old)
{
	if (unlikely(t->hidden) && old.type == HANDLE_SESSION && old.rights & TERN_R_IO)
		handle_hidden_drop(t, old.object);
	handle_unref(old.type, old.object);
}

long handle_close(struct handle_table *t, u32 fd)
{
	struct handle *h = handle_find(t, fd);
	struct handle old;

	if (!h)
		return -EBADF;
	old = *h;
	release(t, fd);
	drop(t, old);
	return 0;
}

long handle_dup(struct handle_table *t, u32 fd, u32 from, u32 limit, bool cloexec)
{
	struct handle *h = handle_find(t, fd);
	struct handle old;
	long n;

	if (!h)
		return -EBADF;
	old = *h;
	n = handle_reserve(t, from, limit);
	if (n < 0)
		return n;
	handle_ref(old.type, old.object);
	handle_fill(t, (u32)n, old.type, old.object, old.rights, cloexec);
	return n;
}

long handle_dup_to(struct handle_table *t, u32 fd, u32 to, u32 limit, bool cloexec)
{
	struct handle *h = handle_find(t, fd), *d;
	struct handle old, replaced = { 0 };

	if (!h)
		return -EBADF;
	if (to >= limit)
		return -EBADF;
	old = *h;
	d = handle_find(t, to);
	if (d) {
		replaced = *d;
		d->type = HANDLE_RESERVED;
	} else if (to / HANDLES_PER_CHUNK < t->nchunks && t->chunks[to / HANDLES_PER_CHUNK] &&
		   slot(t, to)->type == HANDLE_RESERVED) {
		return -EBUSY;
	} else {
		long n = take(t, to);

		if (n < 0)
			return n;
	}
	handle_ref(old.type, old.object);
	handle_fill(t, to, old.type, old.object, old.rights, cloexec);
	if (replaced.type)
		drop(t, replaced);
	return to;
}

/* Chunk c of a table into its copy.  False: memory is out. */
static bool handle_copy_chunk(struct handle_table *to, const struct handle_table *from, u32 c)
{
	u64 used = from->chunks[c] ? from->chunks[c]->used : 0;

	if (used && !chunk_create(to, c))
		return false;
	for (; used; used &= used - 1) {
		unsigned i = lowest_bit(used);
		const struct handle *h = &from->chunks[c]->h[i];

		if (h->type == HANDLE_RESERVED)
			continue;
		to->chunks[c]->h[i] = *h;
		to->chunks[c]->used |= 1ull << i;
		to->count++;
		object_counts[TERN_OBJ_HANDLE]++;
		handle_ref(h->type, h->object);
	}
	return true;
}

struct handle_table *handle_table_copy(struct handle_table *old)
{
	struct handle_table *t = handle_table_create();
	bool done;

	if (!t)
		return NULL;
	handle_table_get(old);
	done = !old->nchunks || grow(t, old->nchunks - 1);
	for (u32 c = 0; done && c < t->nchunks && c < old->nchunks; c++) {
		if (c && c % COPIED_AT_ONCE == 0)
			kernel_relax();
		done = handle_copy_chunk(t, old, c);
	}
	handle_table_put(old);
	if (done)
		return t;
	handle_table_put(t);
	return NULL;
}

u32 handle_next(const struct handle_table *t, u32 fd)
{
	while (fd < t->nchunks * HANDLES_PER_CHUNK) {
		struct handle_chunk *c = t->chunks[fd / HANDLES_PER_CHUNK];
		u64 used = c ? c->used >> fd % HANDLES_PER_CHUNK : 0;

		if (!used) {
			fd = (fd | (HANDLES_PER_CHUNK - 1)) + 1;
			continue;
		}
		fd += lowest_bit(used);
		if (handle_find(t, fd))
			return fd;
		fd++;
	}
	return NO_HANDLE;
}

bool handle_table_close_some(struct handle_table *t, unsigned n, u32 *cursor)
{
	while ((*cursor = handle_next(t, *cursor)) != NO_HANDLE) {
		if (n-- == 0)
			return false;
		(void)handle_close(t, *cursor);
	}
	return true;
}

static bool handle_table_close_step(struct steps *s)
{
	struct handle_table *t = container_of(s, struct handle_table, closing);
	u32 cursor = 0;

	if (!handle_table_close_some(t, HANDLES_AT_ONCE, &cursor))
		return false;
	for (u32 i = 0; i < CHUNKS_AT_ONCE && t->nchunks; i++)
		if (t->chunks[--t->nchunks])
			slab_free(&chunk_cache, t->chunks[t->nchunks]);
	if (t->nchunks)
		return false;
	while (t->hidden)
		handle_hidden_drop(t, t->hidden);
	kfree(t->chunks);
	kfree(t);
	return true;
}

void handle_table_put(struct handle_table *t)
{
	if (--t->refs == 0 && !handle_table_close_step(&t->closing))
		steps_begin(&t->closing);
}

bool handle_close_on_exec(struct handle_table *t, u32 *fd)
{
	for (u32 closed = 0, looked = 0; closed < HANDLES_AT_ONCE && looked < LOOKED_AT_AT_ONCE; looked++) {
		*fd = handle_next(t, *fd);
		if (*fd == NO_HANDLE)
			return true;
		if (handle_find(t, *fd)->cloexec) {
			(void)handle_close(t, *fd);
			closed++;
		}
		++*fd;
	}
	return false;
}
