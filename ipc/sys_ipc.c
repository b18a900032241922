/*
 * The doors to forwarding, copying, giving, sessions, readiness and notifications.
 */
#include <arch/trap.h>
#include <ipc/call.h>
#include <ipc/note.h>
#include <ipc/session.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <mm/frame.h>
#include <tern/linux/errno.h>

#include "call_priv.h"

s64 native_bind(struct thread *t, u64 *a)
{
	struct endpoint *ep;
	s64 r = 0;

	kernel_lock();
	ep = handle_object(t->process->handles, (u32)a[0], HANDLE_ENDPOINT, TERN_R_MANAGE);
	if (!ep) {
		r = -EBADF;
	} else if (t->endpoint || ep->receiver || ep->dead) {
		r = -EBUSY;
	} else {
		endpoint_get(ep);
		ep->receiver = t;
		ep->path_at = a[1];
		endpoint_set_owner(ep, t->process);
		t->endpoint = ep;
	}
	kernel_unlock();
	return r;
}

static struct session *own_session_handle(struct thread *t, u64 h)
{
	return handle_object(t->process->handles, (u32)h, HANDLE_SESSION, 0);
}

static s64 forward(struct thread *t, struct call *c, struct session *s, u64 w0, u64 w1)
{
	struct session *old = c->session;

	if (s->endpoint->dead)
		return -EIO;
	(void)t;
	call_requeue(c, s, w0, w1);
	session_end_call(old);
	return 0;
}

s64 native_forward(struct thread *t, u64 *a)
{
	struct call *c;
	struct session *s;
	struct handle *h = NULL;
	s64 r = 0;

	kernel_lock();
	c = call_lookup(t, a[0]);
	s = own_session_handle(t, a[1]);
	if (!c)
		r = -ESRCH;
	else if (!s)
		r = -EBADF;
	else if ((s32)a[4] != -1 && !(h = handle_find(t->process->handles, (u32)a[4])))
		r = -EBADF;
	else if (!s->endpoint->dead && h) {
		c->more |= CALL_MORE_HANDLE;
		c->fwd_object = h->object;
		c->fwd_type = h->type;
		c->fwd_rights = (u8)h->rights;
		handle_ref(h->type, h->object);
		r = forward(t, c, s, a[2], a[3]);
		if (!r)
			(void)handle_close(t->process->handles, (u32)a[4]);
	} else
		r = forward(t, c, s, a[2], a[3]);
	kernel_unlock();
	return r;
}

s64 native_forward_fd(struct thread *t, u64 *a)
{
	struct call *c;
	s64 r;

	kernel_lock();
	c = call_lookup(t, a[0]);
	if (!c) {
		r = -ESRCH;
	} else {
		struct thread *who = c->subject ? c->subject : c->thread;
		struct session *s = who->process->handles ?
					    handle_object(who->process->handles, (u32)a[1],
							  HANDLE_SESSION, 0) :
					    NULL;

		r = s ? forward(t, c, s, a[2], a[3]) : -EBADF;
	}
	kernel_unlock();
	return r;
}

s64 native_call_async(struct thread *t, u64 *a)
{
	const struct syscall_line *line;
	u64 args[6];
	struct session *s;
	s64 r = get_user(t, args, a[4], sizeof args);

	if (r)
		return r;
	line = syscall_line((u32)a[2]);
	if (!line || (line->route == ROUTE_METHOD ? 0 : !has_authority(t, TERN_AUTH_SERVER)))
		return line ? -EPERM : -EINVAL;
	r = windows_check(line, args);
	if (r)
		return r;
	kernel_lock();
	s = handle_object(t->process->handles, (u32)a[1], HANDLE_SESSION, line->rights);
	r = s ? call_async(t, a[0], s, (u32)a[2], a[3], args) : -EBADF;
	kernel_unlock();
	return r;
}

/* ---- copying ---- */

static struct call *pin(struct thread *t, u64 token)
{
	struct call *c;

	kernel_lock();
	c = call_lookup(t, token);
	if (likely(c))
		call_pin(c);
	kernel_unlock();
	return c;
}

static void unpin(struct call *c)
{
	kernel_lock();
	call_unpin(c);
	kernel_unlock();
}

static unsigned direction(u64 win)
{
	return win & TERN_COPY_IN ? WINDOW_IN : win & TERN_COPY_OUT ? WINDOW_OUT : 0;
}

s64 native_copy(struct thread *t, u64 *a)
{
	struct call *c = pin(t, a[0]);
	s64 r;

	if (unlikely(!c))
		return -ESRCH;
	if (unlikely(!direction(a[1])))
		r = -EINVAL;
	else
		r = window_copy(c, a[1] & 0xff, direction(a[1]), a[2], t->aspace, a[3], a[4]);
	unpin(c);
	return r;
}

s64 native_copy_memobj(struct thread *t, u64 *a)
{
	unsigned dir = direction(a[1]);
	struct memobj *m;
	struct call *c;
	s64 r;

	if (!dir)
		return -EINVAL;
	/* Files leave some memory to those who run. */
	if (dir == WINDOW_IN && frames_scarce(FILE_SHARE))
		return -ENOMEM;
	kernel_lock();
	c = call_lookup(t, a[0]);
	m = handle_object(t->process->handles, (u32)a[3], HANDLE_MEMOBJ,
			  dir == WINDOW_IN ? TERN_R_WRITE : TERN_R_READ);
	if (!c || !m) {
		kernel_unlock();
		return c ? -EBADF : -ESRCH;
	}
	call_pin(c);
	memobj_get(m);
	kernel_unlock();
	r = window_copy_memobj(c, a[1] & 0xff, dir, a[2], m, a[4], a[5]);
	memobj_put(m);
	unpin(c);
	return r;
}

s64 native_move(struct thread *t, u64 *a)
{
	struct call *from = pin(t, a[0]), *to;
	s64 r;

	if (!from)
		return -ESRCH;
	to = pin(t, a[2]);
	if (!to) {
		unpin(from);
		return -TERN_EDEST;
	}
	r = window_move(from, a[1] & 0xff, a[1] >> 8, to, a[3] & 0xff, a[3] >> 8, a[4]);
	unpin(to);
	unpin(from);
	return r;
}

s64 native_copy_str(struct thread *t, u64 *a)
{
	struct call *c = pin(t, a[0]);
	s64 r;

	if (!c)
		return -ESRCH;
	r = window_string(c, (unsigned)a[1], t->aspace, a[2], a[3]);
	unpin(c);
	return r;
}

s64 native_copy_strv(struct thread *t, u64 *a)
{
	struct call *c = pin(t, a[0]);
	s64 r;

	if (!c)
		return -ESRCH;
	r = window_strings(c, (unsigned)a[1], t->aspace, a[2], a[3], a[4]);
	unpin(c);
	return r;
}

s64 native_window_length(struct thread *t, u64 *a)
{
	struct call *c = pin(t, a[0]);
	s64 r;

	if (!c)
		return -ESRCH;
	r = window_length(c, (unsigned)a[1]);
	unpin(c);
	return r;
}

/* ---- giving ---- */

/* Puts a counted reference into the call's slot; consumed, also on failure. */
static s64 give(struct call *c, u64 slot, unsigned type, void *object, unsigned rights)
{
	struct handle *h;

	if (type == HANDLE_SESSION && (slot == TERN_SLOT_CWD || slot == TERN_SLOT_ROOT)) {
		struct session **p = slot == TERN_SLOT_CWD ? &c->pending_cwd : &c->pending_root;

		name_context_set(p, object);
		c->more |= CALL_MORE_NAMES;
		return 0;
	}
	if (slot >= c->nfds) {
		handle_unref(type, object);
		return -EINVAL;
	}
	h = &c->thread->process->handles->chunks[(u32)c->fds[slot] / HANDLES_PER_CHUNK]
		     ->h[(u32)c->fds[slot] % HANDLES_PER_CHUNK];
	if (h->pending_type)
		handle_unref(h->pending_type, h->object);
	h->object = object;
	h->pending_type = (u8)type;
	h->rights = (u16)(rights & ~TERN_R_CLOEXEC);
	h->cloexec = (rights & TERN_R_CLOEXEC) || call_wants_cloexec(c);
	return 0;
}

static struct session *meta_of(struct thread *t, u64 h, s64 *err)
{
	struct session *meta = NULL;

	*err = 0;
	if ((s32)h != -1) {
		meta = own_session_handle(t, h);
		if (!meta)
			*err = -EBADF;
	}
	return meta;
}

s64 native_give_session(struct thread *t, u64 *a)
{
	struct session *s, *meta;
	struct ready *ready = NULL;
	struct call *c;
	s64 r, sid;

	kernel_lock();
	c = call_lookup(t, a[0]);
	r = -ESRCH;
	if (!c)
		goto out;
	meta = meta_of(t, a[5], &r);
	if (r)
		goto out;
	r = -EINVAL;
	if (a[4]) {
		ready = ready_find(a[4]);
		if (!ready || ready->endpoint != t->endpoint)
			goto out;
	}
	r = -ENOMEM;
	s = session_create(t->endpoint, a[2], (u8)(a[1] >> 32), a[3], ready, meta);
	if (!s)
		goto out;
	session_get(s);
	sid = (s64)s->sid;
	r = give(c, a[1] & 0xff, HANDLE_SESSION, s, (a[1] >> 8) & 0xffff);
	if (!r)
		r = sid;
out:
	kernel_unlock();
	return r;
}

s64 native_give(struct thread *t, u64 *a)
{
	struct handle *h;
	struct call *c;
	s64 r;

	kernel_lock();
	c = call_lookup(t, a[0]);
	h = handle_find(t->process->handles, (u32)a[2]);
	if (!c || !h) {
		r = c ? -EBADF : -ESRCH;
	} else {
		handle_ref(h->type, h->object);
		r = give(c, a[1] & 0xff, h->type, h->object,
			 (a[1] >> 8) & (h->rights | TERN_R_CLOEXEC));
	}
	kernel_unlock();
	return r;
}

s64 native_park(struct thread *t, u64 *a)
{
	struct call *c;

	kernel_lock();
	c = call_lookup(t, a[0]);
	if (c) {
		c->more |= CALL_MORE_PARKED;
		if (a[1])
			timer_set(&c->park, arch_ns_to_ticks(a[1]));
		else
			timer_cancel(&c->park);
	}
	kernel_unlock();
	return c ? 0 : -ESRCH;
}

s64 native_timer(struct thread *t, u64 *a)
{
	struct endpoint *ep = t->endpoint;

	if (!ep)
		return -EINVAL;
	kernel_lock();
	timer_cancel(&ep->timer);
	if (!list_empty(&ep->timer_node.link)) {
		list_del(&ep->timer_node.link);
		ep->queued--;
	}
	ep->timer_cookie = a[1];
	if (a[0])
		timer_set(&ep->timer, arch_ns_to_ticks(a[0]));
	kernel_unlock();
	return 0;
}

s64 native_caller(struct thread *t, u64 *a)
{
	struct tern_caller v;
	struct call *c;

	memset(&v, 0, sizeof v);
	kernel_lock();
	c = call_lookup(t, a[0]);
	if (c) {
		struct thread *who = c->subject ? c->subject : c->thread;
		struct process *p = who->process;

		v.pid = p->pid;
		v.tid = who->tid;
		v.ppid = p->ppid;
		v.pgid = p->pgid;
		v.sid = p->sid;
		v.umask = p->names ? p->names->umask : 0;
		v.sigmask = who->sig_mask;
		for (unsigned i = 0; i < TERN_NSIG && p->sighand; i++)
			if (p->sighand->action[i].handler == SIG_IGN)
				v.sigignored |= 1ull << i;
		v.limit_fsize = process_limit(p, RLIMIT_FSIZE);
		v.limit_nofile = process_limit(p, RLIMIT_NOFILE);
		v.limit_stack = process_limit(p, RLIMIT_STACK);
		v.personality = p->personality;
		v.cred = who->cred->c;
	}
	kernel_unlock();
	return c ? put_user(t, a[1], &v, sizeof v) : -ESRCH;
}

s64 native_reply_map(struct thread *t, u64 *a)
{
	struct memobj *m;
	struct call *c;
	s64 r = 0;

	kernel_lock();
	c = call_lookup(t, a[0]);
	m = handle_object(t->process->handles, (u32)a[1], HANDLE_MEMOBJ, 0);
	if (!c || !m) {
		r = c ? -EBADF : -ESRCH;
	} else if (c->async) {
		memobj_get(m);
		c->memobj = m;
		c->memobj_rights = (a[3] & 2) ? TERN_R_WRITE : 0;
		(void)call_finish(c, (s64)a[4], 0, false);
	} else {
		struct thread *client = c->thread;

		/* The client places the mapping itself, on its own time (WORK_MAP). */
		memobj_get(m);
		client->map_memobj = m;
		client->map_offset = a[2];
		client->map_max_prot = (u8)a[3];
		client->orig_a0 = client->regs.x[REG_A0];
		thread_add_work(client, WORK_MAP);
		(void)call_finish(c, 0, 0, false);
	}
	kernel_unlock();
	return r;
}

/* ---- looking ---- */

s64 handle_list(struct thread *t, struct process *p, u32 first, va_t to, u32 max)
{
	struct tern_handle_info v[8];
	u32 n = 0, done = 0;
	u32 fd = first;

	while (done < max) {
		n = 0;
		kernel_lock();
		for (; p->handles && fd < p->handles->nchunks * HANDLES_PER_CHUNK &&
		       n < ARRAY_SIZE(v) && done + n < max;
		     fd++) {
			struct handle *h = handle_find(p->handles, fd);
			struct session *s;

			if (!h)
				continue;
			memset(&v[n], 0, sizeof v[n]);
			v[n].fd = fd;
			v[n].rights = h->rights;
			v[n].kind = h->type == HANDLE_WAITSET ? TERN_KIND_EPOLL : TERN_KIND_OBJECT;
			if (h->type == HANDLE_SESSION) {
				s = h->object;
				v[n].kind = s->kind;
				v[n].ident = s->ident;
				for (u32 i = 0; i < TERN_NSERVICES && p->names; i++)
					if (p->names->service[i] &&
					    p->names->service[i]->endpoint == s->endpoint)
						v[n].service = i + 1;
				if (s->endpoint->owner == t->process)
					v[n].badge = s->badge;
			}
			n++;
		}
		kernel_unlock();
		if (!n)
			break;
		if (put_user(t, to + done * sizeof v[0], v, n * sizeof v[0]))
			return -EFAULT;
		done += n;
	}
	return done;
}

s64 native_caller_handles(struct thread *t, u64 *a)
{
	struct call *c = pin(t, a[0]);
	s64 r;

	if (!c)
		return -ESRCH;
	r = handle_list(t, (c->subject ? c->subject : c->thread)->process, (u32)a[1], a[2], (u32)a[3]);
	unpin(c);
	return r;
}

/* ---- objects ---- */

static u32 own_limit(struct thread *t)
{
	return t->process->authority ? 1u << 20 :
				       (u32)MIN(process_limit(t->process, RLIMIT_NOFILE), 1u << 20);
}

s64 native_ep_create(struct thread *t, u64 *a)
{
	struct endpoint *ep;
	s64 r = -ENOMEM;

	(void)a;
	kernel_lock();
	ep = endpoint_create();
	if (ep) {
		endpoint_set_owner(ep, t->process);
		r = handle_add(t->process->handles, own_limit(t), HANDLE_ENDPOINT, ep,
			       TERN_R_MANAGE | TERN_R_TRANSFER, true);
	}
	kernel_unlock();
	return r;
}

s64 native_session_create(struct thread *t, u64 *a)
{
	struct endpoint *ep = t->endpoint;
	struct ready *ready = NULL;
	struct session *s, *meta;
	s64 r;

	kernel_lock();
	r = -EBADF;
	if ((s32)a[0] != -1)
		ep = handle_object(t->process->handles, (u32)a[0], HANDLE_ENDPOINT, TERN_R_MANAGE);
	if (!ep || ep->dead)
		goto out;
	meta = meta_of(t, a[5], &r);
	if (r)
		goto out;
	r = -EINVAL;
	if (a[4]) {
		ready = ready_find(a[4]);
		if (!ready || ready->endpoint != ep)
			goto out;
	}
	s = session_create(ep, a[1], (u8)a[2], a[3], ready, meta);
	r = s ? (s64)s->sid : -ENOMEM;
out:
	kernel_unlock();
	return r;
}

s64 native_session_handle(struct thread *t, u64 *a)
{
	struct session *s;
	s64 r = -EBADF;

	kernel_lock();
	s = session_find(a[0]);
	if (s && s->endpoint->owner == t->process && list_empty(&s->closed.link)) {
		session_get(s);
		r = handle_add(t->process->handles, own_limit(t), HANDLE_SESSION, s,
			       (unsigned)a[1] & 0x7f, true);
	}
	kernel_unlock();
	return r;
}

s64 native_ready_create(struct thread *t, u64 *a)
{
	struct ready *r = NULL;

	kernel_lock();
	if (t->endpoint)
		r = ready_create(t->endpoint, (u32)a[0]);
	kernel_unlock();
	return r ? (s64)r->id : -ENOMEM;
}

s64 native_ready_set(struct thread *t, u64 *a)
{
	struct ready *r;

	kernel_lock();
	r = ready_find(a[0]);
	if (r && r->endpoint == t->endpoint)
		ready_change(r, (u32)a[1], (u32)a[2]);
	else
		r = NULL;
	kernel_unlock();
	return r ? 0 : -EBADF;
}

s64 native_ready_destroy(struct thread *t, u64 *a)
{
	struct ready *r;

	kernel_lock();
	r = ready_find(a[0]);
	if (r && r->endpoint == t->endpoint && !r->destroyed) {
		r->destroyed = true;
		ready_put(r);
	} else {
		r = NULL;
	}
	kernel_unlock();
	return r ? 0 : -EBADF;
}

s64 native_note_create(struct thread *t, u64 *a)
{
	struct note *n;
	s64 r = -ENOMEM;

	if (!t->endpoint)
		return -EINVAL;
	kernel_lock();
	n = note_create(t->endpoint, a[0]);
	if (n)
		r = handle_add(t->process->handles, own_limit(t), HANDLE_NOTE, n,
			       TERN_R_WRITE | TERN_R_TRANSFER, true);
	kernel_unlock();
	return r;
}

struct thread *note_signal_call(struct thread *t)
{
	u64 *a = &t->regs.x[REG_A0];
	u64 bits = a[1];
	struct note *n;

	kernel_lock();
	n = handle_object(t->process->handles, (u32)a[0], HANDLE_NOTE, TERN_R_WRITE);
	a[0] = n ? 0 : (u64)-EBADF;
	if (likely(n && note_add(n, bits)))
		return endpoint_post_over(n->endpoint, &n->node, t);
	kernel_unlock();
	return t;
}

s64 native_irq_create(struct thread *t, u64 *a)
{
	struct irq *i;
	s64 r = -EBUSY;

	if (!has_authority(t, TERN_AUTH_SYSTEM))
		return -EPERM;
	kernel_lock();
	i = irq_create((u32)a[0]);
	if (i)
		r = handle_add(t->process->handles, own_limit(t), HANDLE_IRQ, i, TERN_R_MANAGE, true);
	kernel_unlock();
	return r;
}

s64 native_irq_bind(struct thread *t, u64 *a)
{
	struct irq *i;
	s64 r = -EBADF;

	if (!t->endpoint)
		return -EINVAL;
	kernel_lock();
	i = handle_object(t->process->handles, (u32)a[0], HANDLE_IRQ, TERN_R_MANAGE);
	if (i)
		r = irq_bind(i, t->endpoint, a[1]);
	kernel_unlock();
	return r;
}

s64 native_irq_ack(struct thread *t, u64 *a)
{
	struct irq *i;

	kernel_lock();
	i = handle_object(t->process->handles, (u32)a[0], HANDLE_IRQ, TERN_R_MANAGE);
	if (i)
		irq_ack(i);
	kernel_unlock();
	return i ? 0 : -EBADF;
}
