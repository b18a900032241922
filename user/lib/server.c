/* The half of the server loop that is in C: it dispatches events, methods and calls with
 * TERN_MSG_CLOSED, collects the extras of the running handler's reply, and starts the server.
 *
 * The message and the extras lie in one static frame, which loop.S fills and sends.  A handler gets
 * a pointer to the message there.  The next receive overwrites it, so a handler that parks a call
 * copies what it will need.  Extras belong to the running handler's own reply and are cleared as
 * the reply is sent.
 */
#include <asm/unistd.h>
#include <linux/mman.h>
#include <server/server.h>
#include <stddef.h>
#include <string.h>
#include <server/stat.h>

#define NEAR __attribute__((section(".sbss"))) /* lies near gp, so one instruction reaches it */

_Static_assert(offsetof(struct tern_msg, token) == 48, "loop.S F_TOKEN");
_Static_assert(offsetof(struct tern_msg, op) == 56, "loop.S F_OP");
_Static_assert(offsetof(struct tern_msg, tid) == 128, "loop.S");
_Static_assert(offsetof(struct server_frame, extra) == 136, "loop.S F_EXTRA");
_Static_assert(sizeof(struct tern_reply) == 72, "loop.S");
_Static_assert(TERN_RECV == 1025 && TERN_REPLY_RECV == 1027, "loop.S");

_Noreturn void server_loop(void);		/* in loop.S */
long server_other(struct tern_msg *m, uint64_t closed); /* called by loop.S */
_Noreturn void server_start(const struct server_boot *boot); /* called by start.S */

NEAR struct server_frame server_frame;
NEAR char *server_page;
NEAR const server_handler *server_calls;
const struct server_boot *server_boot;
static const struct server_ops *server_ops;

static void event(struct tern_msg *m)
{
	const struct server_ops *ops = server_ops;

	switch (TERN_MSG_OP(m->op)) {
	case TERN_EV_CLOSED:
		if (ops->closed)
			ops->closed(m->badge, m->args[0]);
		return;
	case TERN_EV_CANCEL:
		if (ops->cancel)
			ops->cancel(m->badge, m->token);
		return;
	case TERN_EV_GONE:
		if (ops->gone)
			ops->gone(m->badge, m->token);
		return;
	case TERN_EV_DONE:
		if (ops->done)
			ops->done(m->badge, (long)m->args[0], (int)m->args[1], (int)m->args[2]);
		return;
	case TERN_EV_TIMEOUT:
		if (ops->timeout)
			ops->timeout(m->badge, m->token);
		return;
	case TERN_EV_NOTE:
		if (ops->note)
			ops->note(m->badge, m->args[0]);
		return;
	default:
		if (ops->event)
			ops->event(m);
		return;
	}
}

long server_other(struct tern_msg *m, uint64_t closed)
{
	uint32_t op = TERN_MSG_OP(m->op);

	if (op & TERN_MSG_CLOSED) {
		m->op &= ~TERN_MSG_CLOSED;
		op = TERN_MSG_OP(m->op);
		server_ops->closed(closed, 0);
		if (op < 512)
			return server_calls[op] ? server_calls[op](m) : server_default(m);
	}
	if (op >= TERN_EV_FIRST) {
		event(m);
		return SERVER_NO_REPLY;
	}
	if (op >= TERN_METHOD && server_ops->method)
		return server_ops->method(m);
	return -ENOSYS;
}

void server_reply_ready_more(uint64_t rid, unsigned set, unsigned clear)
{
	struct tern_reply *x = &server_frame.extra;

	if (x->rid2 == 0) {
		x->rid2 = rid;
		x->bits2 = set | (uint64_t)clear << 32;
	} else {
		tern_ready_set(rid, set, clear);
	}
}

void server_reply_file(uint64_t offset, uint64_t length, unsigned flags)
{
	server_frame.extra.flags |= TERN_REPLY_FILE;
	server_frame.extra.rid1 = offset;
	server_frame.extra.bits1 = length;
	server_frame.extra.rid2 = flags;
}

void server_reply_give(unsigned slot, unsigned rights, enum tern_kind kind, uint64_t badge,
		       uint64_t ident)
{
	server_frame.extra.flags |= TERN_REPLY_GIVE;
	server_frame.extra.from = badge;
	server_frame.extra.length = ident;
	server_frame.extra.win = slot | rights << 8 | (uint64_t)kind << 32;
}

long server_out_kept(unsigned win, const void *from, size_t n, long result)
{
	server_reply_copy(win, from, n);
	server_frame.extra.flags |= TERN_REPLY_KEEP;
	return result;
}

long server_out(struct tern_msg *m, unsigned win, const void *from, size_t n, long result)
{
	if (result < 0)
		return result;
	if (n <= SERVER_OUT_MAX) {
		/* The kernel copies with the reply, when `from` (often a local variable of the
		 * handler) may be gone. */
		memcpy(server_page + SERVER_PAGE_OUT, from, n);
		return server_out_kept(win, server_page + SERVER_PAGE_OUT, n, result);
	}
	return tern_copy_out(m->token, win, 0, from, n) == (long)n ? result : -EFAULT;
}

void server_run(const struct server_ops *ops)
{
	server_ops = ops;
	server_calls = ops->calls;
	server_loop();
}

long server_bind(int endpoint)
{
	long r = TERN_OP6(__NR_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (r < 0)
		return r;
	server_page = (char *)r;
	server_page[0] = 0; /* the write brings the page, which TERN_BIND wants to be present */
	return TERN_OP3(TERN_BIND, endpoint, r, server_bind_flags);
}

void server_start(const struct server_boot *boot)
{
	server_boot = boot;
	if (boot && server_bind(boot->endpoint) < 0)
		server_panic("cannot bind its endpoint");
	main();
	server_panic("main returned");
}
