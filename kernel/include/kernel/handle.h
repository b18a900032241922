/* Handle tables: small integers to {object, rights, close-on-exec}; the lowest free number first.
 * Kernel lock guards all of it. */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/steps.h>
#include <kernel/lib/types.h>
#include <tern/abi.h>

struct endpoint;
struct session;

enum handle_type {
	HANDLE_FREE,
	HANDLE_RESERVED, /* by a call under way: not there for anyone else */
	HANDLE_SESSION,
	HANDLE_MEMOBJ,
	HANDLE_ASPACE,
	HANDLE_PROCESS,
	HANDLE_ENDPOINT,
	HANDLE_NOTE,
	HANDLE_IRQ,
	HANDLE_WAITSET, /* epoll */
	HANDLE_SIGNALFD,
};

struct handle {
	void *object;
	u8 type;
	u8 cloexec;
	u16 rights; /* TERN_R_* */
	/* of a RESERVED slot: what the commit makes of it */
	u8 pending_type, pad[3];
};

#define HANDLES_MAX (1u << 20) /* numbers of any table, and all that a server may have */
#define HANDLES_PER_CHUNK 64u
struct handle_chunk {
	u64 used; /* bit set: not free */
	struct handle h[HANDLES_PER_CHUNK];
};

struct handle_table {
	u32 refs;
	u32 nchunks; /* entries of chunks, a power of two or 0 */
	u32 count;   /* not free */
	u32 hint;    /* no free slot in chunks before this one */
	u32 bytes;   /* of chunks, and of their array */
	struct handle_chunk **chunks;
	struct steps closing; /* the last reference went: what is left is closed */
	struct session *hidden; /* TERN_GIVE_HIDDEN's, by next_hidden; never more than handles */
};

extern u64 object_counts[TERN_NOBJECTS]; /* in use, by enum tern_object */

struct handle_table *must_check handle_table_create(void);
void handle_table_get(struct handle_table *t);
/* The last one closes everything that is left, in steps if that is much. */
void handle_table_put(struct handle_table *t);
/* Closes up to n handles; true when none is left. */
bool handle_table_close_some(struct handle_table *t, unsigned n, u32 *cursor);

/* The handle, or NULL if the number is free or reserved.  Hot: fd is 32 bits. */
static inline struct handle *handle_find(const struct handle_table *t, u32 fd)
{
	u64 c = fd / HANDLES_PER_CHUNK;

	if (unlikely(c >= t->nchunks || !t->chunks[c]))
		return NULL;
	struct handle *h = &t->chunks[c]->h[fd % HANDLES_PER_CHUNK];
	return likely(h->type > HANDLE_RESERVED) ? h : NULL;
}
/* The first number from fd on that handle_find() finds; NO_HANDLE if there is none. */
#define NO_HANDLE (~0u)
u32 handle_next(const struct handle_table *t, u32 fd);
/* The object of that type with all of those rights; NULL else. */
static inline void *handle_object(const struct handle_table *t, u32 fd, enum handle_type type,
				  unsigned rights)
{
	struct handle *h = handle_find(t, fd);

	return likely(h && h->type == type && !(rights & ~h->rights)) ? h->object : NULL;
}

/* Reserves the lowest free number >= from and < limit: the number, EMFILE, ENOMEM. */
long must_check handle_reserve(struct handle_table *t, u32 from, u32 limit);
void handle_unreserve(struct handle_table *t, u32 fd);
/* Fills a reserved slot; the reference is consumed. */
void handle_fill(struct handle_table *t, u32 fd, enum handle_type type, void *object,
		 unsigned rights, bool cloexec);
/* Reserve and fill.  On failure the reference is dropped. */
long must_check handle_add(struct handle_table *t, u32 limit, enum handle_type type, void *object,
			   unsigned rights, bool cloexec);
/* 0 or EBADF. */
long handle_close(struct handle_table *t, u32 fd);
/* dup, dup3, F_DUPFD: the new number. */
long must_check handle_dup(struct handle_table *t, u32 fd, u32 from, u32 limit, bool cloexec);
long must_check handle_dup_to(struct handle_table *t, u32 fd, u32 to, u32 limit, bool cloexec);
/* Copies a table for fork: NULL when memory is out.  A large one is copied with the lock dropped in
 * between; what others change meanwhile is in the copy or not. */
struct handle_table *must_check handle_table_copy(struct handle_table *t);
/* Closes some of what an exec closes, from number *fd on; true when none is left. */
bool must_check handle_close_on_exec(struct handle_table *t, u32 *fd);

/* Where the table's hidden session for this endpoint and ident is linked, or would be. */
struct session **handle_hidden(struct handle_table *t, const struct endpoint *ep, u64 ident);
/* A handle of session s goes, and with it what is hidden under the same ident. */
void handle_hidden_drop(struct handle_table *t, const struct session *s);

/* References to an object as held by a handle. */
void handle_ref(enum handle_type type, void *object);
void handle_unref(enum handle_type type, void *object);
