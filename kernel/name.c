/*
 * Name contexts: root, working directory, umask and one session per service.  fork copies one,
 * CLONE_FS shares it.  Each slot counts as a handle of its session.  Kernel lock.
 */
#include <kernel/process.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

struct name_context *name_context_create(void)
{
	struct name_context *n = kmalloc(sizeof *n);

	if (n) {
		n->refs = 1;
		n->umask = 022;
	}
	return n;
}

struct name_context *name_context_copy(const struct name_context *old)
{
	struct name_context *n = kmalloc(sizeof *n);

	if (!n)
		return NULL;
	*n = *old;
	n->refs = 1;
	if (n->root)
		handle_ref(HANDLE_SESSION, n->root);
	if (n->cwd)
		handle_ref(HANDLE_SESSION, n->cwd);
	for (unsigned i = 0; i < TERN_NSERVICES; i++)
		if (n->service[i])
			handle_ref(HANDLE_SESSION, n->service[i]);
	return n;
}

void name_context_get(struct name_context *n) { n->refs++; }

void name_context_set(struct session **slot, struct session *s)
{
	struct session *old = *slot;

	*slot = s;
	if (old)
		handle_unref(HANDLE_SESSION, old);
}

void name_context_put(struct name_context *n)
{
	if (--n->refs > 0)
		return;
	name_context_set(&n->root, NULL);
	name_context_set(&n->cwd, NULL);
	for (unsigned i = 0; i < TERN_NSERVICES; i++)
		name_context_set(&n->service[i], NULL);
	kfree(n);
}
