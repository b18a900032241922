/* The process tree (tree.h).  Its invariants: a process, zombies too, is in its parent's children,
 * its group's members and, unless it is a server, the list of all; a group has a session while it
 * has members; a session counts its groups; a number is in the table while a process, a thread, a
 * group or a session uses it.
 */
#include "tree.h"
#include <stdlib.h>
#include <string.h>
#include <tern/linux/errno.h>
#include <server/sched.h>
#include <tern/linux/signal.h>

void tree_init(struct tree *t)
{
	memset(t, 0, sizeof *t);
	link_init(&t->all);
}

struct number *number_create_at(struct tree *t, uint32_t nr)
{
	struct number *n;

	if (nr == 0 || nr >= TERN_PID_MAX || t->table[nr])
		return NULL;
	n = calloc(1, sizeof *n);
	if (!n)
		return NULL;
	n->nr = nr;
	n->slack = n->default_slack = TIMER_SLACK;
	link_init(&n->thread);
	link_init(&n->members);
	t->table[nr] = n;
	t->used++;
	if (nr > t->last)
		t->last = nr;
	return n;
}

struct number *number_create(struct tree *t)
{
	uint32_t nr = t->last;

	if (t->used >= TERN_PID_MAX - PID_FIRST_RECYCLED)
		return NULL;
	do {
		if (++nr >= TERN_PID_MAX)
			nr = PID_FIRST_RECYCLED;
	} while (t->table[nr]);
	t->last = nr;
	return number_create_at(t, nr);
}

void number_put(struct tree *t, struct number *n)
{
	if (n->proc || n->thread_of || n->groups || !link_empty(&n->members))
		return;
	t->table[n->nr] = NULL;
	t->used--;
	free(n);
}

struct number *number_find(struct tree *t, int64_t nr)
{
	return nr > 0 && nr < TERN_PID_MAX ? t->table[nr] : NULL;
}

struct proc *proc_find(struct tree *t, int64_t pid)
{
	struct number *n = number_find(t, pid);

	return n ? n->proc : NULL;
}

struct proc *proc_of_tid(struct tree *t, int64_t tid)
{
	struct number *n = number_find(t, tid);

	return !n ? NULL : n->proc ? n->proc : n->thread_of;
}

static void group_join(struct proc *p, struct number *group, struct number *session)
{
	if (link_empty(&group->members)) {
		group->session = session;
		session->groups++;
	}
	link_append(&group->members, &p->in_group);
	p->group = group;
}

static void group_leave(struct tree *t, struct proc *p)
{
	struct number *group = p->group, *session;

	if (!group)
		return;
	link_remove(&p->in_group);
	p->group = NULL;
	if (!link_empty(&group->members))
		return;
	session = group->session;
	group->session = NULL;
	session->groups--;
	if (session != group)
		number_put(t, session);
	number_put(t, group);
}

void proc_insert(struct tree *t, struct proc *p, struct number *n, struct proc *parent, bool server)
{
	p->pid = n->nr;
	p->number = n;
	p->state = server ? PROC_SERVER : PROC_ALIVE;
	n->proc = p;
	link_init(&p->children);
	link_init(&p->sibling);
	link_init(&p->in_group);
	link_init(&p->threads);
	link_init(&p->all);
	link_init(&p->waiters);
	link_init(&p->ptimers);
	link_init(&p->pidfds);
	p->parent = NULL;
	proc_set_parent(p, parent);
	if (parent)
		group_join(p, parent->group, parent->group->session);
	else
		group_join(p, n, n);
	if (!server) {
		link_append(&t->all, &p->all);
		t->processes++;
	}
}

void proc_remove(struct tree *t, struct proc *p)
{
	struct number *n = p->number;

	while (!link_empty(&p->threads))
		thread_remove(t, LINK_OF(p->threads.next, struct number, thread));
	link_remove(&p->sibling);
	if (!link_empty(&p->all)) {
		link_remove(&p->all);
		t->processes--;
	}
	/* n->proc is cleared only after the group is left: group_leave() may put the number, and
	 * would free it if nothing else used it. */
	group_leave(t, p);
	n->proc = NULL;
	number_put(t, n);
}

void thread_insert(struct proc *p, struct number *n)
{
	n->thread_of = p;
	link_append(&p->threads, &n->thread);
}

void thread_remove(struct tree *t, struct number *n)
{
	link_remove(&n->thread);
	n->thread_of = NULL;
	n->comm[0] = 0;
	number_put(t, n);
}

void proc_set_parent(struct proc *p, struct proc *parent)
{
	link_remove(&p->sibling);
	p->parent = parent;
	if (!parent)
		return;
	if (p->state == PROC_ZOMBIE)
		link_insert(&parent->children, &p->sibling);
	else
		link_append(&parent->children, &p->sibling);
}

struct proc *proc_reaper(struct proc *p, struct proc *init)
{
	for (struct proc *a = p->parent; a; a = a->parent)
		if (a->subreaper && a->state == PROC_ALIVE)
			return a;
	return init == p ? NULL : init;
}

void proc_make_zombie(struct proc *p)
{
	p->state = PROC_ZOMBIE;
	p->stopped = p->report_stop = p->report_continue = false;
	if (p->parent) {
		link_remove(&p->sibling);
		link_insert(&p->parent->children, &p->sibling);
	}
}

uint32_t proc_pgid(const struct proc *p)
{
	return p->group->nr;
}

uint32_t proc_sid(const struct proc *p)
{
	return p->group->session->nr;
}

long tree_setpgid(struct tree *t, struct proc *caller, int64_t pid, int64_t pgid)
{
	struct proc *p = pid == 0 ? caller : proc_find(t, pid);
	struct number *session = caller->group->session, *group;

	if (pgid < 0 || (pgid == 0 && pid < 0))
		return -EINVAL;
	if (!p)
		return number_find(t, pid) && number_find(t, pid)->thread_of == caller ? -EINVAL
										     : -ESRCH;
	if (pgid == 0)
		pgid = p->pid;
	if (p->state == PROC_ZOMBIE && p->parent != caller)
		return -ESRCH;
	if (p->parent == caller && p != caller) {
		if (p->group->session != session)
			return -EPERM;
		if (p->execed)
			return -EACCES;
	} else if (p != caller) {
		return -ESRCH;
	}
	if (proc_sid(p) == p->pid)
		return -EPERM;
	if (pgid == p->pid) {
		group = p->number;
	} else {
		group = number_find(t, pgid);
		if (!group || link_empty(&group->members))
			return -EPERM;
	}
	if (!link_empty(&group->members) && group->session != session)
		return -EPERM;
	if (group == p->group)
		return 0;
	/* p may be the last member of the session's last group.  The session is joined again at
	 * once, so it counts one more group meanwhile and is not freed. */
	session->groups++;
	group_leave(t, p);
	session->groups--;
	group_join(p, group, session);
	return 0;
}

long tree_setsid(struct tree *t, struct proc *p)
{
	if (!link_empty(&p->number->members) || p->number->groups)
		return -EPERM;
	group_leave(t, p);
	group_join(p, p->number, p->number);
	return p->pid;
}

bool group_orphaned(const struct number *group, const struct proc *without)
{
	LINK_EACH(l, &group->members) {
		const struct proc *p = LINK_OF(l, const struct proc, in_group);
		const struct proc *up = p->parent;

		if (p == without || p->state == PROC_ZOMBIE || !up || up->pid == 1)
			continue;
		if (up->group != group && up->group->session == group->session)
			return false;
	}
	return true;
}

bool group_has_stopped(const struct number *group)
{
	LINK_EACH(l, &group->members)
		if (LINK_OF(l, const struct proc, in_group)->stopped)
			return true;
	return false;
}

bool wait_eligible(const struct proc *child, int idtype, uint32_t id, uint32_t options)
{
	if (idtype == P_PID && child->pid != id)
		return false;
	if (idtype == P_PGID && child->group->nr != id)
		return false;
	if (options & WAIT_ALL)
		return true;
	return (child->exit_signal != SIGCHLD) == ((options & WAIT_CLONE) != 0);
}

enum wait_event wait_ready(const struct proc *child, uint32_t options)
{
	if (child->state == PROC_ZOMBIE)
		return options & WEXITED ? WAIT_EXITED : WAIT_NOTHING;
	if (child->report_stop && (options & WUNTRACED))
		return WAIT_STOPPED;
	if (child->report_continue && (options & WCONTINUED))
		return WAIT_CONTINUED;
	return WAIT_NOTHING;
}

struct proc *wait_find(struct tree *t, struct proc *parent, int idtype, uint32_t id,
		       uint32_t options, enum wait_event *event, bool *any)
{
	*any = false;
	*event = WAIT_NOTHING;
	if (idtype == P_PID) {
		struct proc *p = proc_find(t, id);

		if (!p || p->parent != parent || !wait_eligible(p, idtype, id, options))
			return NULL;
		*any = p->state != PROC_ZOMBIE || (options & WEXITED) != 0;
		*event = wait_ready(p, options);
		return *event != WAIT_NOTHING ? p : NULL;
	}
	LINK_EACH(l, &parent->children) {
		struct proc *p = LINK_OF(l, struct proc, sibling);

		if (!wait_eligible(p, idtype, id, options))
			continue;
		*any = true;
		*event = wait_ready(p, options);
		if (*event != WAIT_NOTHING)
			return p;
	}
	return NULL;
}

bool kill_allowed(uint32_t euid, uint32_t uid, bool privileged, uint32_t sid, const struct proc *p,
		  int sig)
{
	if (p->state == PROC_SERVER)
		return false;
	if (privileged || euid == p->uid || euid == p->suid || uid == p->uid || uid == p->suid)
		return true;
	return sig == SIGCONT && proc_sid(p) == sid;
}
