/*
 * The doors to forwarding, copying, giving, sessions, readiness and notifications.
 * kernel/native/native.def says which come with the kernel lock held or with the call that a token names.
 */
#include <arch/trap.h>
#include <asm/unistd.h>
#include <ipc/call.h>
#include <ipc/note.h>
#include <ipc/session.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/syscall.h>
#include <tern/linux/errno.h>
#include <linux/mman.h>
#include <tern/linux/fcntl.h>

#include "reply_priv.h"

static void *native_own(struct thread *t, u64 h, enum handle_type type, unsigned rights)
{
	return handle_object(t->process->handles, (u32)h, type, rights);
}

static s64 own_add(struct thread *t, enum handle_type type, void *object, unsigned rights)
{
	struct process *p = t->process;

	return handle_add(p->handles, process_fd_limit(p), type, object, rights, true);
}

s64 native_bind(struct thread *t, struct endpoint *ep, u64 *a)
{
	pfn_t pfn;

	if (t->endpoint || ep->receiver || ep->dead)
		return -EBUSY;
	if (a[1]) {
		pfn = aspace_shared_page(t->aspace, a[1]);
		if (!pfn)
			return -EFAULT;
		ep->page = pfn_to_virt(pfn);
		ep->page_at = a[1];
		ep->takes_bytes = a[2] & TERN_BIND_BYTES;
	}
	endpoint_get(ep);
	ep->receiver = t;
	endpoint_set_owner(ep, t->process);
	t->endpoint = ep;
	return 0;
}

/* ---- calling on ---- */

/* How often a call may be forwarded. */
#define FORWARDS_MAX 8

/* Whether the call may be forwarded to s: 0, or an errno for its forwarder, who still holds it then
 * and answers it.  A forwarder does not get its own forwards, and no chain of servers is endless. */
static s64 forward_check(const struct call *c, const struct session *s)
{
	if (!s)
		return -EBADF;
	if (s->endpoint->dead)
		return -EIO;
	return s->endpoint == c->session->endpoint || c->forwarded >= FORWARDS_MAX ? -ELOOP : 0;
}

/* What the handle of the session that c goes on to must allow: what the call's line asks of its own.
 * Path and service lines ask nothing: who answers looks at the credentials. */
static unsigned forward_rights(const struct call *c)
{
	return c->line->route == ROUTE_V || c->line->route == ROUTE_S ? 0 : c->line->rights;
}

/* t hands c on to s, with two words, which count for more if t is one of the boot archive's servers. */
static void native_hand_on(const struct thread *t, struct call *c, struct session *s, const u64 *words)
{
	c->more &= (u8)~CALL_MORE_SERVER;
	if (t->process->authority & TERN_AUTH_SERVER)
		c->more |= CALL_MORE_SERVER;
	call_forward(c, s, words[0], words[1]);
}

s64 native_forward(struct thread *t, struct call *c, u64 *a)
{
	struct session *s = native_own(t, a[1], HANDLE_SESSION, forward_rights(c));
	struct handle *h = NULL;
	s64 err;

	if ((s32)a[4] != -1) {
		/* It comes into the table of a process that did not ask for it. */
		if (!(t->process->authority & TERN_AUTH_SERVER))
			return -EPERM;
		h = handle_find(t->process->handles, (u32)a[4]);
		if (!h)
			return -EBADF;
	}
	err = forward_check(c, s);
	if (err)
		return err;
	if (h) {
		if (c->fwd_object)
			handle_unref(c->fwd_type, c->fwd_object);
		c->more |= CALL_MORE_HANDLE;
		c->fwd_object = h->object;
		c->fwd_type = h->type;
		c->fwd_rights = (u8)h->rights;
		handle_ref(h->type, h->object);
		(void)handle_close(t->process->handles, (u32)a[4]);
	}
	native_hand_on(t, c, s, &a[2]);
	return 0;
}

s64 native_forward_fd(struct thread *t, struct call *c, u64 *a)
{
	struct handle_table *handles = call_subject(c)->process->handles;
	struct session *s =
		handles ? handle_object(handles, (u32)a[1], HANDLE_SESSION, forward_rights(c)) : NULL;
	s64 err = forward_check(c, s);

	if (!err)
		native_hand_on(t, c, s, &a[2]);
	return err;
}

/* ---- giving ---- */

static bool wants_cloexec(const struct call *c)
{
	u64 arg = c->args[c->line->fd_arg];

	switch (c->line->fd_mode) {
	case FD_MODE_ONE:
	case FD_MODE_TWO:
		return arg & O_CLOEXEC;
	case FD_MODE_BIT0:
		return arg & 1;
	}
	return c->line->fd_mode == FD_MODE_CLOEXEC;
}

/* The place of the caller's name context that the slot means, if the caller's own vfs may change it by
 * this call and the object is a session of that vfs's; else NULL. */
static struct session **give_place(struct call *c, u64 slot, unsigned type, const struct session *s)
{
	const struct name_context *n = c->thread->process->names;
	const struct session *vfs = n ? n->service[TERN_SVC_VFS] : NULL;
	bool cwd = slot == TERN_SLOT_CWD && (c->op == __NR_chdir || c->op == __NR_fchdir);

	if (!cwd && !(slot == TERN_SLOT_ROOT && c->op == __NR_chroot))
		return NULL;
	if (!vfs || vfs->endpoint != c->session->endpoint || type != HANDLE_SESSION ||
	    s->endpoint != vfs->endpoint)
		return NULL;
	return cwd ? &c->pending_cwd : &c->pending_root;
}

/* Puts a counted reference into the call's slot; consumed, also on failure. */
static s64 native_give_object(struct call *c, u64 slot, unsigned type, void *object, unsigned rights)
{
	struct session **place = give_place(c, slot, type, object);
	struct handle *h;

	if (place) {
		name_context_set(place, object);
		c->more |= CALL_MORE_NAMES;
		return 0;
	}
	if (slot >= c->nfds) {
		handle_unref(type, object);
		return -EINVAL;
	}
	h = call_reserved(c, (unsigned)slot);
	if (h->pending_type)
		handle_unref(h->pending_type, h->object);
	h->object = object;
	h->pending_type = (u8)type;
	h->rights = (u16)(rights & ~(TERN_R_CLOEXEC | TERN_R_CLOSE_LATER));
	h->cloexec = (rights & TERN_R_CLOEXEC) || wants_cloexec(c);
	return 0;
}

/* A session with the readiness word rid (0: none) and the meta session of handle h (-1: none). */
static s64 make_session(struct thread *t, struct endpoint *ep, u64 badge, unsigned kind, u64 ident,
			u64 rid, u64 h, struct process *payer, struct session **out)
{
	struct session *meta = NULL;
	struct ready *ready = NULL;

	if ((s32)h != -1) {
		meta = native_own(t, h, HANDLE_SESSION, TERN_R_IO);
		if (!meta)
			return -EBADF;
	}
	if (rid) {
		ready = ready_find(rid);
		if (!ready || ready->endpoint != ep)
			return -EINVAL;
	}
	*out = session_create(ep, badge, kind, ident, ready, meta, payer);
	return *out ? 0 : -ENOMEM;
}

static s64 give_new(struct call *c, u64 how, struct session *s)
{
	session_get(s);
	return native_give_object(c, how & 0xff, HANDLE_SESSION, s, (how >> 8) & 0xffff);
}

s64 native_give_session(struct thread *t, struct call *c, u64 *a)
{
	struct session *s;
	s64 r = make_session(t, t->endpoint, a[2], (u8)(a[1] >> 32), a[3], a[4], a[5],
			     call_subject(c)->process, &s);

	if (r)
		return r;
	session_take_ends(s, (unsigned)(a[1] >> 8));
	return give_new(c, a[1], s);
}

bool reply_give(struct thread *t, struct call *c, u64 *x)
{
	u64 badge = x[REPLY_FROM], how = x[REPLY_WIN];
	struct session *s = session_create(t->endpoint, badge, (u8)(how >> 32), x[REPLY_LENGTH], NULL,
					   NULL, call_subject(c)->process);
	s64 r;

	if (unlikely(!s)) {
		(void)call_finish(c, -ENOMEM, 0, false);
		message_event(t, TERN_EV_CLOSED, badge, 0, 0);
		return false;
	}
	s->close_later = how >> 8 & TERN_R_CLOSE_LATER;
	r = give_new(c, how, s);
	if (unlikely(r))
		x[REPLY_RESULT] = (u64)r; /* CLOSED of the badge is in the queue */
	return true;
}

s64 native_give(struct thread *t, struct call *c, u64 *a)
{
	struct handle *h = handle_find(t->process->handles, (u32)a[2]);

	if (!h)
		return -EBADF;
	if (!(h->rights & TERN_R_TRANSFER))
		return -EPERM;
	handle_ref(h->type, h->object);
	return native_give_object(c, a[1] & 0xff, h->type, h->object,
				  (a[1] >> 8) & (h->rights | TERN_R_CLOEXEC));
}

s64 native_give_hidden(struct thread *t, struct call *c, u64 *a)
{
	struct handle_table *table;
	const struct handle *h;
	struct session **p;

	if (c->async)
		return -EINVAL;
	table = c->thread->process->handles;
	h = handle_find(table, (u32)c->args[0]);
	if (!h || h->object != c->session)
		return -EBADF;
	p = handle_hidden(table, t->endpoint, a[1]);
	if (*p)
		return (s64)(*p)->badge;
	if (!a[2])
		return -ENOENT;
	*p = session_create(t->endpoint, a[2], TERN_KIND_NONE, a[1], NULL, NULL,
			    c->thread->process);
	if (!*p)
		return -ENOMEM;
	session_get(*p);
	return (s64)a[2];
}

s64 native_reserve(struct thread *t, struct call *c, u64 *a)
{
	s64 r;

	(void)t, (void)a;
	if (c->async || c->nfds)
		return -EINVAL;
	r = call_reserve(c, c->thread, c->line);
	return r ? r : c->fds[0];
}

s64 native_give_of(struct thread *t, struct call *c, u64 *a)
{
	struct process *p = native_own(t, a[2], HANDLE_PROCESS, 0);
	struct handle *h = p && p->handles ? handle_find(p->handles, (u32)a[3]) : NULL;

	if (!h)
		return -EBADF;
	handle_ref(h->type, h->object);
	return native_give_object(c, a[1], h->type, h->object, h->rights);
}

/* The client places the mapping itself, on its own time (WORK_MAP). */
static void reply_mapping(struct call *c, struct memobj *m, u64 offset, unsigned max_prot)
{
	struct thread *client = c->thread;

	client->map_memobj = m;
	client->map_offset = offset;
	client->map_max_prot = (u8)max_prot;
	client->orig_a0 = client->regs.x[REG_A0];
	thread_add_work(client, WORK_MAP);
	(void)call_finish(c, 0, 0, false);
}

s64 native_reply_map(struct thread *t, struct call *c, u64 *a)
{
	unsigned write = a[3] & PROT_WRITE ? TERN_R_WRITE : 0;
	struct memobj *m = native_own(t, a[1], HANDLE_MEMOBJ, TERN_R_MAP | TERN_R_READ | write);

	if (!m)
		return -EBADF;
	if (!c->async && c->op != __NR_mmap && c->op != __NR_shmat)
		return -EINVAL;
	memobj_get(m);
	if (!c->async) {
		reply_mapping(c, m, a[2], a[3] & (PROT_READ | PROT_WRITE | PROT_EXEC));
		return 0;
	}
	c->memobj = m;
	c->memobj_rights = (u8)write;
	(void)call_finish(c, (s64)a[4], 0, false);
	return 0;
}

/* ---- deadlines ---- */

s64 native_park(struct thread *t, struct call *c, u64 *a)
{
	(void)t;
	c->more |= CALL_MORE_PARKED;
	if (a[1])
		timer_set(&c->park, arch_ns_to_ticks(a[1]));
	else
		timer_cancel(&c->park);
	return 0;
}

s64 native_timer(struct thread *t, u64 *a)
{
	struct endpoint *ep = t->endpoint;

	if (!ep)
		return -EINVAL;
	timer_cancel(&ep->timer);
	list_del(&ep->timer_node.link);
	ep->timer_cookie = a[1];
	if (a[0])
		timer_set(&ep->timer, arch_ns_to_ticks(a[0]));
	return 0;
}

s64 native_close_later(struct thread *t, u64 *a)
{
	if (!t->endpoint)
		return -EINVAL;
	t->endpoint->close_later = a[0] & 1;
	return 0;
}

/* ---- looking ---- */

s64 native_caller(struct thread *t, struct call *c, u64 *a)
{
	struct thread *who = call_subject(c);
	struct process *p = who->process;
	struct tern_caller v;

	memset(&v, 0, sizeof v);
	kernel_lock();
	v.pid = p->pid;
	v.tid = who->tid;
	v.ppid = p->ppid;
	v.pgid = p->pgid;
	v.sid = p->sid;
	v.umask = p->names ? p->names->umask : 0;
	v.sigmask = who->sig_mask;
	for (unsigned i = 0; i < _NSIG && p->sighand; i++)
		if (p->sighand->action[i].sa_handler == SIG_IGN)
			v.sigignored |= 1ull << i;
	v.limit_fsize = process_limit(p, RLIMIT_FSIZE);
	v.limit_nofile = process_limit(p, RLIMIT_NOFILE);
	v.limit_stack = process_limit(p, RLIMIT_STACK);
	v.personality = p->personality;
	v.cred = who->cred->c;
	kernel_unlock();
	return put_user(t, a[1], &v, sizeof v);
}

static void native_describe(struct thread *t, const struct process *p, const struct handle *h,
		     struct tern_handle_info *v)
{
	const struct session *s = h->object;

	v->rights = h->rights | (h->cloexec ? TERN_R_CLOEXEC : 0);
	v->offset = TERN_NO_OFFSET;
	v->kind = h->type == HANDLE_WAITSET ? TERN_KIND_EPOLL : TERN_KIND_OBJECT;
	if (h->type != HANDLE_SESSION)
		return;
	v->kind = s->kind;
	v->ident = s->ident;
	if (s->file)
		v->offset = s->offset;
	for (u32 i = 0; i < TERN_NSERVICES && p->names; i++)
		if (p->names->service[i] && p->names->service[i]->endpoint == s->endpoint)
			v->service = i + 1;
	if (s->endpoint->owner == t->process)
		v->badge = s->badge;
}

/* A place of the name context, as if it were a descriptor. */
static s64 place_list(struct thread *t, struct process *p, u32 fd, va_t to)
{
	struct tern_handle_info v = { .fd = fd };
	struct handle h = { .type = HANDLE_SESSION, .rights = TERN_R_PATH };

	kernel_lock();
	if (p->names)
		h.object = fd == TERN_FD_CWD ? p->names->cwd : p->names->root;
	if (h.object)
		native_describe(t, p, &h, &v);
	kernel_unlock();
	if (!h.object)
		return 0;
	return put_user(t, to, &v, sizeof v) ? -EFAULT : 1;
}

s64 handle_list(struct thread *t, struct process *p, u32 fd, va_t to, u32 max)
{
	struct tern_handle_info v[8];
	u32 n, done = 0;

	if (fd >= TERN_FD_CWD)
		return max ? place_list(t, p, fd, to) : 0;
	do {
		memset(v, 0, sizeof v);
		n = 0;
		kernel_lock();
		for (; p->handles && fd < p->handles->nchunks * HANDLES_PER_CHUNK &&
		       n < MIN(ARRAY_SIZE(v), max - done);
		     fd++) {
			struct handle *h = handle_find(p->handles, fd);

			if (!h)
				continue;
			v[n].fd = fd;
			native_describe(t, p, h, &v[n++]);
		}
		kernel_unlock();
		if (n && put_user(t, to + done * sizeof v[0], v, n * sizeof v[0]))
			return -EFAULT;
		done += n;
	} while (n);
	return done;
}

s64 native_caller_handles(struct thread *t, struct call *c, u64 *a)
{
	return handle_list(t, call_subject(c)->process, (u32)a[1], a[2], (u32)a[3]);
}

/* ---- objects ---- */

s64 native_ep_create(struct thread *t, u64 *a)
{
	struct endpoint *ep = endpoint_create(t->process);

	(void)a;
	if (!ep)
		return -ENOMEM;
	return own_add(t, HANDLE_ENDPOINT, ep, TERN_R_MANAGE | TERN_R_TRANSFER);
}

s64 native_session_create(struct thread *t, u64 *a)
{
	struct endpoint *ep = t->endpoint;
	struct session *s;
	s64 r;

	if ((s32)a[0] != -1)
		ep = native_own(t, a[0], HANDLE_ENDPOINT, TERN_R_MANAGE);
	if (!ep || ep->dead)
		return -EBADF;
	r = make_session(t, ep, a[1], (u8)a[2], a[3], a[4], a[5], t->process, &s);
	if (r)
		return r;
	if (session_number(s))
		return (s64)s->sid;
	session_free(s);
	return -ENOMEM;
}

s64 native_session_handle(struct thread *t, u64 *a)
{
	struct session *s = session_find(a[0]);

	if (!s || s->endpoint->owner != t->process || !list_empty(&s->closed.link))
		return -EBADF;
	session_get(s);
	return own_add(t, HANDLE_SESSION, s, (unsigned)a[1] & 0x7f);
}

/* The readiness word, if it is one of t's own. */
static struct ready *own_ready(struct thread *t, u64 rid)
{
	struct ready *r = ready_find(rid);

	return r && r->endpoint == t->endpoint ? r : NULL;
}

s64 native_ready_create(struct thread *t, u64 *a)
{
	struct ready *tells = a[3] ? own_ready(t, a[3]) : NULL, *r;

	if (a[3] && (!tells || tells->tells))
		return -EINVAL;
	r = t->endpoint ? ready_create(t->endpoint, (u32)a[0]) : NULL;
	if (!r)
		return -ENOMEM;
	if (tells)
		ready_get(tells);
	r->tells = tells;
	r->end[0].gone = (u16)a[1];
	r->end[1].gone = (u16)a[2];
	return (s64)r->id;
}

s64 native_charge(struct thread *t, struct call *c, u64 *a)
{
	struct ready *r = own_ready(t, a[1]);

	return r ? ready_charge(r, call_subject(c)->process, a[2]) : -EBADF;
}

s64 native_ready_set(struct thread *t, u64 *a)
{
	struct ready *r = own_ready(t, a[0]);

	if (!r)
		return -EBADF;
	ready_change(r, (u32)a[1], (u32)a[2]);
	return 0;
}

s64 native_ready_destroy(struct thread *t, u64 *a)
{
	struct ready *r = own_ready(t, a[0]);

	if (!r || r->destroyed)
		return -EBADF;
	r->destroyed = true;
	ready_put(r);
	return 0;
}

/* ---- notifications and interrupts ---- */

s64 native_note_create(struct thread *t, u64 *a)
{
	struct note *n;

	if (!t->endpoint)
		return -EINVAL;
	n = note_create(t, a[0]);
	return n ? own_add(t, HANDLE_NOTE, n, TERN_R_WRITE | TERN_R_TRANSFER) : -ENOMEM;
}

s64 native_irq_create(struct thread *t, u64 *a)
{
	struct irq *i = irq_create((u32)a[0]);

	return i ? own_add(t, HANDLE_IRQ, i, TERN_R_MANAGE) : -EBUSY;
}

s64 native_irq_bind(struct thread *t, struct irq *i, u64 *a)
{
	return t->endpoint ? irq_bind(i, t, a[1]) : -EINVAL;
}

s64 native_irq_ack(struct thread *t, struct irq *i, u64 *a)
{
	(void)t, (void)a;
	irq_ack(i);
	return 0;
}
