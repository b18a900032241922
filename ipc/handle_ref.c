/*
 * References to objects as handles hold them, by type, and a table's hidden sessions.  Kernel lock.
 */
#include <ipc/note.h>
#include <ipc/session.h>
#include <kernel/handle.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <mm/aspace.h>
#include <mm/memobj.h>

typedef void (*ref_fn)(void *object);

static const struct {
	ref_fn get, put;
} kinds[] = {
	[HANDLE_SESSION] = { (ref_fn)session_get, (ref_fn)session_put },
	[HANDLE_MEMOBJ] = { (ref_fn)memobj_get, (ref_fn)memobj_put },
	[HANDLE_ASPACE] = { (ref_fn)aspace_get, (ref_fn)aspace_put },
	[HANDLE_PROCESS] = { (ref_fn)process_get, (ref_fn)process_put },
	[HANDLE_ENDPOINT] = { (ref_fn)endpoint_get, (ref_fn)endpoint_put },
	[HANDLE_NOTE] = { (ref_fn)note_get, (ref_fn)note_put },
	[HANDLE_IRQ] = { (ref_fn)irq_get, (ref_fn)irq_put },
	[HANDLE_WAITSET] = { (ref_fn)ready_get, (ref_fn)ready_put },
	[HANDLE_SIGNALFD] = { (ref_fn)ready_get, (ref_fn)ready_put },
};

void handle_ref(enum handle_type type, void *object)
{
	assert(type > HANDLE_RESERVED);
	kinds[type].get(object);
}

void handle_unref(enum handle_type type, void *object)
{
	assert(type > HANDLE_RESERVED);
	kinds[type].put(object);
}

struct session **handle_hidden(struct handle_table *t, const struct endpoint *ep, u64 ident)
{
	struct session **p = &t->hidden;

	while (*p && ((*p)->endpoint != ep || (*p)->ident != ident))
		p = &(*p)->next_hidden;
	return p;
}

void handle_hidden_drop(struct handle_table *t, const struct session *s)
{
	struct session **p = handle_hidden(t, s->endpoint, s->ident), *hidden = *p;

	if (!hidden)
		return;
	*p = hidden->next_hidden;
	session_put(hidden);
}
