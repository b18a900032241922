/* How much each user's pipes may hold: pipe(7), /proc/sys/fs/pipe-user-pages-soft.
 *
 * What counts is the capacity of the pipes.  A user without privilege who has more than the soft
 * limit gets small pipes, and cannot have one made larger.  The memory of a pipe's ring is charged to
 * a process besides (ring_charge). */
#include <server/cred.h>
#include <stdlib.h>

#include "pipe_priv.h"

#define PIPE_SMALL 8192u

struct user {
	struct user *next;
	uint32_t uid, pipes;
	uint64_t bytes;
};

void owner_learn(struct tern_msg *m)
{
	struct tern_caller who;

	if (server->cred && TERN_MSG_CRED(m->who) == server->cred)
		return;
	if (tern_caller(m->token, &who) < 0)
		return;
	server->cred = TERN_MSG_CRED(m->who);
	server->uid = who.cred.fsuid;
	server->gid = who.cred.fsgid;
	server->ruid = who.cred.uid;
	server->resource = cred_capable(&who.cred, CAP_SYS_RESOURCE);
	server->privileged = server->resource || cred_capable(&who.cred, CAP_SYS_ADMIN);
}

bool user_may_have(const struct pipe *p, uint32_t capacity)
{
	return server->privileged ||
	       p->user->bytes - p->capacity + capacity <= TERN_PIPE_USER_PAGES * 4096ull;
}

bool user_join(struct pipe *p)
{
	struct user *u = server->users;

	while (u && u->uid != server->ruid)
		u = u->next;
	if (!u) {
		u = calloc(1, sizeof *u);
		if (!u)
			return false;
		u->uid = server->ruid;
		u->next = server->users;
		server->users = u;
	}
	p->user = u;
	u->pipes++;
	u->bytes += p->capacity;
	if (!user_may_have(p, p->capacity))
		user_resize(p, PIPE_SMALL);
	return true;
}

void user_resize(struct pipe *p, uint32_t capacity)
{
	p->user->bytes += (uint64_t)capacity - p->capacity;
	p->capacity = capacity;
}

void user_leave(struct pipe *p)
{
	struct user *u = p->user, **at = &server->users;

	u->bytes -= p->capacity;
	if (--u->pipes > 0)
		return;
	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
}
