/* The pipe server on a small fake kernel: its whole table, as the kernel would call it.
 *
 * The fake has calls with one window each (data, length, how much of it is mapped), readiness
 * words, sessions and a clock.  Seeded random reads and writes run against a naive model; a second
 * random run has faults, kills, interruptions and want of memory, and checks that no byte is lost,
 * doubled or out of order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <tern/linux/signal.h>
#include <tern/linux/time.h>

#include "../../../user/servers/pipe/pipe_priv.h"

#define MAX_CALLS 64
#define BIG (300u << 10)
#define NONE ((long)0x7fffffff) /* no result yet */

/* ---- the fake kernel ---- */

struct call {
	uint64_t token, badge;
	uint8_t *data;	  /* the window */
	uint64_t len, ok; /* bytes of it; how many are mapped */
	long result;
	int signal;
	bool held;
	uint64_t given[2], rid;
	/* for the tests */
	int stream;
	bool writes;
	uint64_t value;
};

static struct call calls[MAX_CALLS];
static uint64_t last_token, clock_now, timer_at;
#define MAX_WORDS 4096
static char message_page[SERVER_PAGE_OUT + SERVER_OUT_MAX];
char *server_page = message_page;
static uint32_t words[MAX_WORDS];
static unsigned nwords, live_words;
static uint64_t paid[MAX_WORDS]; /* by word */
static struct tern_reply extra;
static int fail_after = -1; /* allocations until one fails */
static bool privileged;

const struct server_boot *server_boot;

void *fake_malloc(size_t n);
void *fake_calloc(size_t n, size_t size);

static bool fails(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void *fake_malloc(size_t n)
{
	return fails() ? NULL : realloc(NULL, n);
}

void *fake_calloc(size_t n, size_t size)
{
	void *p = fake_malloc(n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

static struct call *held(uint64_t token)
{
	for (int i = 0; i < MAX_CALLS; i++)
		if (calls[i].held && calls[i].token == token)
			return &calls[i];
	return NULL;
}

static long copy(struct call *c, uint64_t off, void *p, uint64_t n, bool in)
{
	if (off >= c->len)
		return 0;
	if (n > c->len - off)
		n = c->len - off;
	if (off >= c->ok)
		return n ? -EFAULT : 0;
	if (n > c->ok - off)
		n = c->ok - off;
	if (in)
		memcpy(p, c->data + off, n);
	else
		memcpy(c->data + off, p, n);
	return (long)n;
}

static void ready(uint64_t rid, uint64_t bits)
{
	assert_in_range(rid, 1, nwords);
	words[rid] = (words[rid] | (uint32_t)bits) & ~(uint32_t)(bits >> 32);
}

static long end(struct call *c, long result, const struct tern_reply *x)
{
	if (x->flags & TERN_REPLY_COPY) {
		long copied = copy(c, 0, (void *)(uintptr_t)x->from, x->length, x->flags & TERN_REPLY_IN);

		if (!(x->flags & TERN_REPLY_KEEP))
			result = copied;
		else if (copied != (long)x->length)
			result = -EFAULT;
	}
	if ((x->flags & TERN_REPLY_EXACT) && result != (long)x->length) {
		struct tern_msg m = { .op = TERN_EV_COPY_SHORT, .token = c->token,
				      .args = { (uint64_t)result } };

		pipe_server_ops.event(&m);
		return 0;
	}
	if (x->flags & TERN_REPLY_READY) {
		ready(x->rid1, x->bits1);
		if (x->rid2)
			ready(x->rid2, x->bits2);
	}
	c->signal = (int)(x->flags & TERN_REPLY_SIGNAL);
	c->result = result;
	c->held = false;
	return 0;
}

long tern_reply_with(uint64_t token, long result, const struct tern_reply *x)
{
	struct call *c = held(token);

	if (!c)
		return -ESRCH;
	end(c, result, x);
	return x->flags & TERN_REPLY_COPY ? c->result : 0;
}

static long move(uint64_t from, uint64_t from_off, uint64_t to, uint64_t to_off, uint64_t n)
{
	static uint8_t buf[BIG];
	struct call *f = held(from), *t = held(to);
	long in, out;

	if (!f)
		return -ESRCH;
	if (!t)
		return -TERN_EDEST;
	assert_true(n <= sizeof buf);
	in = copy(f, from_off, buf, n, true);
	if (in <= 0)
		return in;
	out = copy(t, to_off, buf, (uint64_t)in, false);
	return out < 0 ? -TERN_EDEST : out;
}

long tern_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	static const struct tern_reply nothing;
	struct tern_caller *who;
	struct call *k;

	switch (nr) {
	case TERN_REPLY:
		return tern_reply_with(a, (long)b, &nothing);
	case TERN_COPY:
		if ((f & 0xf0f) == (TERN_FROM(TERN_END_WINDOW, 0) | TERN_TO(TERN_END_WINDOW, 0)))
			return move(a, b, c, d, e);
		k = held((f & 15) == TERN_END_WINDOW ? a : c);
		if (!k)
			return -ESRCH;
		return (f & 15) == TERN_END_WINDOW ? copy(k, b, (void *)(uintptr_t)d, e, true) :
						     copy(k, d, (void *)(uintptr_t)b, e, false);
	case TERN_PARK:
		return held(a) ? 0 : -ESRCH;
	case TERN_WINDOW_LENGTH:
		k = held(a);
		return k ? (long)k->len : -ESRCH;
	case TERN_CALLER:
		who = (struct tern_caller *)(uintptr_t)b;
		memset(who, 0, sizeof *who);
		who->cred.fsuid = 7;
		who->cred.cap_effective = privileged ? ~0ull : 0;
		return 0;
	case TERN_GIVE_SESSION:
		k = held(a);
		if (!k)
			return -ESRCH;
		if (fails())
			return -ENOMEM;
		k->given[b & 1] = c;
		k->rid = e;
		return 1;
	case TERN_READY_CREATE:
		if (fails() || nwords == MAX_WORDS - 1)
			return -ENOMEM;
		live_words++;
		words[++nwords] = (uint32_t)a;
		return nwords;
	case TERN_READY_SET:
		ready(a, b | c << 32);
		return 0;
	case TERN_READY_DESTROY:
		live_words--;
		paid[a] = 0;
		return 0;
	case TERN_CHARGE:
		if (!held(a))
			return -ESRCH;
		if (c > paid[b] && fails())
			return -ENOMEM;
		paid[b] = c;
		return 0;
	case TERN_TIMER:
		timer_at = a;
		return 0;
	case 113: {
		int64_t *ts = (int64_t *)(uintptr_t)b;

		ts[0] = (int64_t)(clock_now / 1000000000u) + (a ? 0 : 1000);
		ts[1] = (int64_t)(clock_now % 1000000000u);
		return 0;
	}
	case 222: /* mmap */
		return fails() ? -ENOMEM : (long)(uintptr_t)realloc(NULL, b);
	case 215: /* munmap */
		free((void *)(uintptr_t)a);
		return 0;
	case 57:
		return 0;
	default:
		fail_msg("operation %ld", nr);
		return -ENOSYS;
	}
}

void server_reply_signal(int sig)
{
	extra.flags |= (uint64_t)sig;
}

void server_reply_copy(unsigned win, const void *from, size_t n)
{
	extra.flags |= TERN_REPLY_COPY;
	extra.win = win;
	extra.from = TERN_PTR(from);
	extra.length = n;
}

void server_reply_take(unsigned win, void *to, size_t n)
{
	server_reply_copy(win, to, n);
	extra.flags |= TERN_REPLY_IN;
}

void server_reply_whole(void) { extra.flags |= TERN_REPLY_KEEP; }
void server_reply_exact(void) { extra.flags |= TERN_REPLY_EXACT; }

void server_reply_ready(uint64_t rid, unsigned set, unsigned clear)
{
	uint64_t bits = set | (uint64_t)clear << 32;

	if (!(extra.flags & TERN_REPLY_READY)) {
		extra.flags |= TERN_REPLY_READY;
		extra.rid1 = rid;
		extra.bits1 = bits;
	} else if (!extra.rid2) {
		extra.rid2 = rid;
		extra.bits2 = bits;
	} else {
		ready(rid, bits);
	}
}

long server_out(struct tern_msg *m, unsigned win, const void *from, size_t n, long result)
{
	return tern_copy_out(m->token, win, 0, from, n) == (long)n ? result : -EFAULT;
}

_Noreturn void server_panic(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	abort();
}

_Noreturn void server_run(const struct server_ops *ops)
{
	(void)ops;
	abort();
}

/* ---- making calls ---- */

static struct call *call_new(uint64_t badge, uint8_t *data, uint64_t len)
{
	for (int i = 0; i < MAX_CALLS; i++) {
		struct call *c = &calls[i];

		if (c->token)
			continue;
		memset(c, 0, sizeof *c);
		c->token = ++last_token;
		c->badge = badge;
		c->data = data;
		c->len = c->ok = len;
		c->result = NONE;
		c->held = true;
		return c;
	}
	fail_msg("too many calls");
	return NULL;
}

static void call_free(struct call *c)
{
	free(c->data);
	c->token = 0;
}

static void deliver(struct call *c, struct tern_msg *m)
{
	long r;

	m->token = c->token;
	m->badge = c->badge;
	m->who = 1 | (privileged ? 2ull : 1ull) << 32;
	memset(&extra, 0, sizeof extra);
	r = pipe_server_ops.calls[TERN_MSG_OP(m->op)](m);
	if (r != SERVER_NO_REPLY && c->held)
		end(c, r, &extra);
}

static struct call *invoke(uint64_t badge, unsigned op, uint64_t a1, uint64_t a2, uint64_t len)
{
	struct tern_msg m = { .op = op, .args = { 0, a1, a2 }, .handle = -1 };
	struct call *c = call_new(badge, fake_malloc(len + 1), len);

	deliver(c, &m);
	return c;
}

static long simple(uint64_t badge, unsigned op, uint64_t a1, uint64_t a2)
{
	struct call *c = invoke(badge, op, a1, a2, 64);
	long r = c->result;

	call_free(c);
	return r;
}

static struct call *start_read(uint64_t badge, uint64_t n)
{
	return invoke(badge, 63, 0, n, n);
}

static struct call *start_writing(unsigned op, uint64_t badge, const void *data, uint64_t n, uint64_t ok)
{
	struct tern_msg m = { .op = op, .args = { 0, 0, n }, .handle = -1 };
	struct call *c = call_new(badge, realloc(NULL, n + 1), n);

	memcpy(c->data, data, n);
	c->ok = ok;
	c->writes = true;
	/* Every other small one comes along in the message page. */
	if (op == 64 && n && n <= TERN_PATH_MAX && ok >= n && c->token & 1) {
		memcpy(server_page, data, n);
		m.word[0] = n;
	}
	deliver(c, &m);
	return c;
}

static struct call *start_write_data(uint64_t badge, const void *data, uint64_t n, uint64_t ok)
{
	return start_writing(64, badge, data, n, ok);
}

static struct call *start_write(uint64_t badge, const char *s)
{
	return start_write_data(badge, s, strlen(s), strlen(s));
}

static long finish(struct call *c)
{
	long r = c->result;

	assert_int_not_equal(r, NONE);
	call_free(c);
	return r;
}

static void expect_bytes(struct call *c, const char *want)
{
	assert_int_equal(c->result, strlen(want));
	assert_memory_equal(c->data, want, strlen(want));
	call_free(c);
}

static struct call *open_fifo(uint64_t ident, unsigned flags)
{
	struct tern_msg m = { .op = 56 | TERN_MSG_FORWARDED, .args = { 0, 0, flags },
			      .word = { 0xF1F0, ident }, .handle = 9 };
	struct call *c = call_new(TERN_BADGE_FROM_VFS, NULL, 0);

	deliver(c, &m);
	return c;
}

static uint64_t opened(struct call *c)
{
	uint64_t badge = c->given[0];

	assert_int_equal(c->result, 0);
	call_free(c);
	return badge;
}

static void closed(uint64_t badge)
{
	pipe_server_ops.closed(badge, 0);
}

struct ends {
	uint64_t r, w, rid;
};

static struct ends make_pipe(unsigned flags)
{
	struct call *c = invoke(TERN_BADGE_SERVICE, 59, flags, 0, 8);
	struct ends e = { c->given[0], c->given[1], c->rid };

	assert_int_equal(finish(c), 0);
	return e;
}

static void close_pipe(struct ends e)
{
	closed(e.r);
	closed(e.w);
}

static void no_leaks(void)
{
	assert_int_equal(server->descs.used, 0);
	assert_int_equal(server->pipes.used, 0);
	assert_int_equal(server->reqs.used, 0);
	assert_int_equal(live_words, 0);
	assert_null(server->users);
}

/* Servers never give their pools back; kept, so that a leak is one of something else. */
static struct pipe_server *kept[32];
static unsigned nkept;

static int setup(void **state)
{
	(void)state;
	memset(calls, 0, sizeof calls);
	nwords = live_words = 0;
	fail_after = -1;
	privileged = false;
	clock_now = 5000000000u;
	pipe_server_init();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	no_leaks();
	kept[nkept++] = server;
	return 0;
}

#define IN (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

/* ---- pipes ---- */

static void basics(void **state)
{
	struct ends e = make_pipe(0);
	struct call *a, *b;

	(void)state;
	assert_int_equal(words[e.rid] & IN, 0);
	assert_int_equal(words[e.rid] & OUT, OUT);
	assert_int_equal(finish(start_write(e.w, "hello")), 5);
	assert_int_equal(words[e.rid] & IN, IN);
	expect_bytes(start_read(e.r, 2), "he");
	assert_int_equal(finish(start_write(e.w, "")), 0);
	assert_int_equal(finish(start_read(e.r, 0)), 0);
	expect_bytes(start_read(e.r, 99), "llo");
	assert_int_equal(words[e.rid] & IN, 0);
	a = start_read(e.r, 3);
	b = start_read(e.r, 99);
	assert_int_equal(a->result, NONE);
	assert_int_equal(finish(start_write(e.w, "abcdef")), 6);
	expect_bytes(a, "abc");
	expect_bytes(b, "def");
	a = start_read(e.r, 3);
	closed(e.w);
	assert_int_equal(finish(a), 0);
	assert_int_equal(finish(start_read(e.r, 3)), 0);
	closed(e.r);
}

static void broken(void **state)
{
	static char big[70000];
	struct ends e = make_pipe(0);
	struct call *c = start_write_data(e.w, big, sizeof big, sizeof big);

	(void)state;
	assert_int_equal(c->result, NONE);
	assert_int_equal(words[e.rid] & OUT, 0);
	closed(e.r);
	assert_int_equal(c->signal, SIGPIPE);
	assert_int_equal(finish(c), 65536);
	c = start_write(e.w, "x");
	assert_int_equal(c->signal, SIGPIPE);
	assert_int_equal(finish(c), -EPIPE);
	assert_int_equal(finish(start_write(e.w, "")), 0);
	closed(e.w);
}

static void nonblocking(void **state)
{
	static char big[70000];
	struct ends e = make_pipe(O_NONBLOCK);

	(void)state;
	assert_int_equal(simple(TERN_BADGE_SERVICE, 59, O_APPEND, 0), -EINVAL);
	assert_int_equal(finish(start_read(e.r, 1)), -EAGAIN);
	assert_int_equal(finish(start_write_data(e.w, big, 65000, 65000)), 65000);
	assert_int_equal(words[e.rid] & OUT, 0);
	assert_int_equal(finish(start_write_data(e.w, big, 4096, 4096)), -EAGAIN);
	assert_int_equal(finish(start_write_data(e.w, big, 5000, 5000)), 536);
	assert_int_equal(finish(start_write_data(e.w, big, 1, 1)), -EAGAIN);
	assert_int_equal(finish(start_read(e.r, 4095)), 4095);
	assert_int_equal(words[e.rid] & OUT, 0);
	assert_int_equal(finish(start_read(e.r, 1)), 1);
	assert_int_equal(words[e.rid] & OUT, OUT);
	assert_int_equal(simple(e.w, 25, F_GETFL, 0), O_WRONLY | O_NONBLOCK);
	assert_int_equal(simple(e.w, 25, F_SETFL, 0), 0);
	assert_int_equal(simple(e.w, 25, F_GETFL, 0), O_WRONLY);
	assert_int_equal(simple(e.r, 25, F_GETFL, 0), O_RDONLY | O_NONBLOCK);
	close_pipe(e);
}

static void sizes(void **state)
{
	static char big[70000];
	struct ends e = make_pipe(O_NONBLOCK);

	(void)state;
	assert_int_equal(simple(e.w, 25, F_GETPIPE_SZ, 0), 65536);
	assert_int_equal(finish(start_write_data(e.w, big, 9000, 9000)), 9000);
	assert_int_equal(simple(e.w, 25, F_SETPIPE_SZ, 8192), -EBUSY);
	assert_int_equal(simple(e.w, 25, F_SETPIPE_SZ, 9000), 16384);
	assert_int_equal(finish(start_write_data(e.w, big, 60000, 60000)), 16384 - 9000);
	assert_int_equal(simple(e.w, 25, F_SETPIPE_SZ, 2 << 20), -EPERM);
	privileged = true;
	assert_int_equal(simple(e.w, 25, F_SETPIPE_SZ, 2 << 20), 2 << 20);
	privileged = false;
	assert_int_equal(simple(e.r, 25, F_SETPIPE_SZ, 1 << 20), 1 << 20);
	assert_int_equal(finish(start_read(e.r, 70000)), 16384);
	assert_int_equal(simple(e.r, 25, F_SETPIPE_SZ, 0), 4096);
	close_pipe(e);
}

/* pipe(7): beyond the soft limit a user without privilege gets small pipes, which stay so. */
static void many_of_a_user(void **state)
{
	static struct ends e[TERN_PIPE_USER_PAGES / 16 + 1];
	unsigned n = sizeof e / sizeof e[0];

	(void)state;
	for (unsigned i = 0; i < n; i++)
		e[i] = make_pipe(O_NONBLOCK);
	assert_int_equal(simple(e[n - 2].w, 25, F_GETPIPE_SZ, 0), 65536);
	assert_int_equal(simple(e[n - 1].w, 25, F_GETPIPE_SZ, 0), 8192);
	assert_int_equal(simple(e[n - 1].w, 25, F_SETPIPE_SZ, 16384), -EPERM);
	assert_int_equal(simple(e[n - 1].w, 25, F_SETPIPE_SZ, 4096), 4096);
	privileged = true;
	assert_int_equal(simple(e[n - 1].w, 25, F_SETPIPE_SZ, 131072), 131072);
	privileged = false;
	for (unsigned i = 0; i < n; i++)
		close_pipe(e[i]);
}

/* The ring is charged by what it takes; if the writer cannot have it, that is ENOMEM. */
static void charged(void **state)
{
	static char big[70000];
	struct ends e = make_pipe(O_NONBLOCK);

	(void)state;
	assert_int_equal(finish(start_write(e.w, "x")), 1);
	assert_int_equal(paid[1] + paid[2], 4096);
	fail_after = 0;
	assert_int_equal(finish(start_write_data(e.w, big, 4096, 4096)), -ENOMEM);
	fail_after = -1;
	assert_int_equal(paid[1] + paid[2], 4096);
	assert_int_equal(finish(start_write_data(e.w, big, 9000, 9000)), 9000);
	assert_int_equal(paid[1] + paid[2], 65536);
	close_pipe(e);
	assert_int_equal(paid[1] + paid[2], 0);
}

/* What splice took and could not give comes first again, also when the pipe is full meanwhile. */
static void taken_back(void **state)
{
	static char data[70000], back[70000];
	struct ends e = make_pipe(O_NONBLOCK);
	struct call *c;

	(void)state;
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 7 + i / 251);
	assert_int_equal(finish(start_write_data(e.w, data, 65536, 65536)), 65536);
	assert_int_equal(finish(start_read(e.r, 5000)), 5000);
	c = start_write_data(e.w, data + 65536, 4464, 4464);
	assert_int_equal(finish(c), 4464);
	assert_int_equal(finish(start_writing(68, e.r, data, 5000, 5000)), 5000);
	assert_int_equal(simple(e.w, 25, F_GETPIPE_SZ, 0), 131072);
	assert_int_equal(simple(e.w, 68, 0, 1), -ESPIPE);
	for (unsigned n = 0; n < sizeof data; n += 10000) {
		c = start_read(e.r, 10000);
		memcpy(back + n, c->data, 10000);
		assert_int_equal(finish(c), 10000);
	}
	assert_memory_equal(back, data, sizeof data);
	assert_int_equal(words[e.rid] & OUT, OUT);
	/* to one who waits to read */
	close_pipe(e);
	e = make_pipe(0);
	c = start_read(e.r, 3);
	assert_int_equal(finish(start_writing(68, e.r, "abcde", 5, 5)), 5);
	expect_bytes(c, "abc");
	expect_bytes(start_read(e.r, 2), "de");
	close_pipe(e);
}

static void interrupted(void **state)
{
	static char big[70000];
	struct ends e = make_pipe(0);
	struct call *r = start_read(e.r, 5), *w;

	(void)state;
	pipe_server_ops.cancel(e.r, r->token);
	assert_int_equal(finish(r), -TERN_ECANCELLED);
	w = start_write_data(e.w, big, sizeof big, sizeof big);
	r = start_write(e.w, "x");
	pipe_server_ops.cancel(e.w, w->token);
	assert_int_equal(finish(w), 65536);
	pipe_server_ops.cancel(e.w, r->token);
	assert_int_equal(finish(r), -TERN_ECANCELLED);
	pipe_server_ops.cancel(e.w, 12345);
	pipe_server_ops.gone(77777, 12345);
	close_pipe(e);
}

static void faults(void **state)
{
	struct ends e = make_pipe(0);
	struct call *bad = start_read(e.r, 10), *good = start_read(e.r, 10);

	(void)state;
	bad->ok = 0;
	assert_int_equal(finish(start_write(e.w, "data")), 4);
	assert_int_equal(finish(bad), -EFAULT);
	expect_bytes(good, "data");
	assert_int_equal(finish(start_write_data(e.w, "1234", 4, 2)), -EFAULT);
	assert_int_equal(words[e.rid] & IN, 0);
	bad = start_read(e.r, 10);
	bad->held = false; /* killed, the event is still to come */
	good = start_read(e.r, 10);
	assert_int_equal(finish(start_write(e.w, "more")), 4);
	pipe_server_ops.gone(e.r, bad->token);
	call_free(bad);
	expect_bytes(good, "more");
	close_pipe(e);
}

static void no_memory(void **state)
{
	static char big[70000];

	(void)state;
	for (int n = 0; n < 12; n++) {
		struct call *c = call_new(TERN_BADGE_SERVICE, NULL, 8);
		struct tern_msg m = { .op = 59, .handle = -1 };
		struct ends e;

		fail_after = n;
		deliver(c, &m);
		fail_after = -1;
		e.r = c->given[0];
		e.w = c->given[1];
		if (finish(c)) {
			if (e.r) /* the kernel undoes what was given */
				closed(e.r);
			no_leaks();
			continue;
		}
		if (!server->pages) {
			fail_after = 0;
			assert_int_equal(finish(start_write(e.w, "x")), -ENOMEM);
			fail_after = -1;
		}
		assert_int_equal(finish(start_write(e.w, "x")), 1);
		c = start_write_data(e.w, big, sizeof big, sizeof big);
		expect_bytes(start_read(e.r, 1), "x");
		while (c->result == NONE)
			assert_true(finish(start_read(e.r, 999)) > 0);
		assert_int_equal(finish(c), 70000);
		close_pipe(e);
	}
}

/* ---- the model ---- */

struct waiting {
	struct call *call;
	uint8_t data[9000];
	uint32_t len, done;
};

static struct model {
	uint8_t ring[65536];
	uint32_t used, capacity;
	struct waiting r[8], w[8];
	uint32_t nr, nw;
} model;

static void shift(struct waiting *v, uint32_t *n)
{
	memmove(v, v + 1, --*n * sizeof *v);
}

static void model_take(uint8_t *to, uint32_t n)
{
	memcpy(to, model.ring, n);
	model.used -= n;
	memmove(model.ring, model.ring + n, model.used);
}

static void model_finish(struct waiting *q)
{
	assert_int_equal(q->call->result, q->done);
	if (!q->call->writes)
		assert_memory_equal(q->call->data, q->data, q->done);
	call_free(q->call);
}

static void model_refill(void)
{
	while (model.nw) {
		struct waiting *q = &model.w[0];
		uint32_t left = q->len - q->done, room = model.capacity - model.used;
		uint32_t least = q->len <= PIPE_BUF || left < PIPE_BUF ? left : PIPE_BUF;

		if (room < least)
			return;
		if (left > room)
			left = room;
		memcpy(model.ring + model.used, q->data + q->done, left);
		model.used += left;
		q->done += left;
		if (q->done < q->len)
			return;
		model_finish(q);
		shift(model.w, &model.nw);
	}
}

static void model_read(struct ends *e, uint32_t n)
{
	struct call *c = start_read(e->r, n);
	struct waiting q = { .call = c, .len = n };
	uint32_t k = n < model.used ? n : model.used;

	if (!model.used && !model.nw) {
		assert_int_equal(c->result, NONE);
		model.r[model.nr++] = q;
		return;
	}
	model_take(q.data, k);
	q.done = k;
	while (!model.used && model.nw && q.done < q.len) {
		struct waiting *w = &model.w[0];
		uint32_t m = w->len - w->done < q.len - q.done ? w->len - w->done :
								 q.len - q.done;

		memcpy(q.data + q.done, w->data + w->done, m);
		q.done += m;
		w->done += m;
		if (w->done == w->len) {
			model_finish(w);
			shift(model.w, &model.nw);
		}
	}
	model_refill();
	model_finish(&q);
}

static void model_write(struct ends *e, uint32_t n)
{
	struct waiting q = { .len = n };
	uint32_t room, rest;

	for (uint32_t i = 0; i < n; i++)
		q.data[i] = (uint8_t)rand();
	q.call = start_write_data(e->w, q.data, n, n);
	while (model.nr && q.done < n) {
		struct waiting *r = &model.r[0];
		uint32_t m = n - q.done < r->len ? n - q.done : r->len;

		memcpy(r->data, q.data + q.done, m);
		r->done = m;
		q.done += m;
		model_finish(r);
		shift(model.r, &model.nr);
	}
	rest = n - q.done;
	room = model.capacity - model.used;
	if (n <= PIPE_BUF ? room < rest : model.nw > 0)
		room = 0;
	if (rest > room)
		rest = room;
	memcpy(model.ring + model.used, q.data + q.done, rest);
	model.used += rest;
	q.done += rest;
	if (q.done == n) {
		model_finish(&q);
		return;
	}
	assert_int_equal(q.call->result, NONE);
	model.w[model.nw++] = q;
}

static void random_model(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 150; seed++) {
		struct ends e = make_pipe(0);

		srand(seed);
		memset(&model, 0, sizeof model);
		model.capacity = 4096u << rand() % 4;
		assert_int_equal(simple(e.r, 25, F_SETPIPE_SZ, model.capacity), model.capacity);
		for (int i = 0; i < 400; i++) {
			uint32_t n = 1 + (uint32_t)rand() % (rand() % 3 ? 200 : 8999);

			if (rand() % 2 ? model.nr < 8 : model.nw == 8)
				model_read(&e, n);
			else if (model.nw < 8)
				model_write(&e, n);
			assert_int_equal(words[e.rid] & IN, model.used ? IN : 0);
			assert_int_equal(words[e.rid] & OUT,
					 model.capacity - model.used >= PIPE_BUF ? OUT : 0);
		}
		closed(e.w);
		while (model.nr) {
			model_finish(&model.r[0]); /* end of file: 0 bytes */
			shift(model.r, &model.nr);
		}
		while (model.nw) /* a session with a call in flight is not closed: tidy up */
			model_read(&e, 8999);
		while (model.used)
			model_read(&e, 8999);
		closed(e.r);
	}
}

/* ---- hostile runs: byte = stream << 6 | counter ---- */

#define STREAMS 4
static uint32_t sent[STREAMS], seen[STREAMS];

static void check_read(struct call *c)
{
	for (long i = 0; i < c->result; i++) {
		unsigned s = c->data[i] >> 6;

		assert_int_equal(c->data[i] & 63, seen[s] & 63);
		seen[s]++;
	}
}

static struct call *waiting[STREAMS], *readers[4];

static void settle(void)
{
	for (int i = 0; i < STREAMS; i++) {
		struct call *c = waiting[i];

		if (!c || c->result == NONE)
			continue;
		if (c->result > 0)
			sent[i] += (uint32_t)c->result;
		call_free(c);
		waiting[i] = NULL;
	}
	/* Readers have their bytes in the order in which they came. */
	for (;;) {
		int next = -1;

		for (int i = 0; i < 4; i++)
			if (readers[i] && readers[i]->result != NONE &&
			    (next < 0 || readers[i]->token < readers[next]->token))
				next = i;
		if (next < 0)
			return;
		check_read(readers[next]);
		call_free(readers[next]);
		readers[next] = NULL;
	}
}

static void hostile_write(struct ends *e, int i)
{
	static uint8_t buf[BIG];
	uint32_t n = 1 + (uint32_t)rand() % (rand() % 4 ? 5000 : 200000);

	for (uint32_t k = 0; k < n; k++)
		buf[k] = (uint8_t)(i << 6 | ((sent[i] + k) & 63));
	waiting[i] = start_write_data(e->w, buf, n, rand() % 8 ? n : (uint32_t)rand() % n);
	settle();
}

static void kill_writer(struct ends *e, int i)
{
	struct desc *d = pool_lookup(&server->descs, e->w);
	struct req *r = queue_find(&d->pipe->wq, waiting[i]->token);

	/* What had gone stays in the pipe. */
	sent[i] += (uint32_t)r->done;
	waiting[i]->held = false;
	pipe_server_ops.gone(e->w, waiting[i]->token);
	call_free(waiting[i]);
	waiting[i] = NULL;
}

static void hostile(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 150; seed++) {
		struct ends e = make_pipe(0);
		struct call *c;

		srand(seed);
		memset(sent, 0, sizeof sent);
		memset(seen, 0, sizeof seen);
		for (int i = 0; i < 500; i++) {
			int k = rand() % STREAMS;

			if (rand() % 30 == 0)
				fail_after = rand() % 3;
			switch (rand() % 8) {
			case 0:
			case 1:
			case 2:
				if (!waiting[k])
					hostile_write(&e, k);
				break;
			case 3:
				if (waiting[k] && rand() % 4 == 0)
					kill_writer(&e, k);
				break;
			case 4:
				if (waiting[k])
					pipe_server_ops.cancel(e.w, waiting[k]->token);
				else if (readers[k])
					pipe_server_ops.cancel(e.r, readers[k]->token);
				break;
			default:
				fail_after = -1;
				if (!readers[k])
					readers[k] = start_read(e.r, 1 + (uint32_t)rand() % 100000);
				/* Faults of those that wait only: the reply's own copy
				 * has consumed already. */
				if (readers[k]->result == NONE && rand() % 4 == 0)
					readers[k]->ok = (uint64_t)rand() % readers[k]->len;
				break;
			}
			fail_after = -1;
			settle();
		}
		for (int i = 0; i < 4; i++)
			if (readers[i])
				pipe_server_ops.cancel(e.r, readers[i]->token);
		settle();
		assert_int_equal(simple(e.r, 25, F_SETFL, O_NONBLOCK), 0);
		for (;;) {
			c = start_read(e.r, 50000);
			if (c->result == -EAGAIN)
				break;
			assert_true(c->result > 0);
			check_read(c);
			call_free(c);
			settle();
		}
		call_free(c);
		for (int i = 0; i < STREAMS; i++) {
			assert_null(waiting[i]);
			assert_int_equal(sent[i], seen[i]);
		}
		close_pipe(e);
	}
}

/* ---- FIFOs ---- */

static void fifo(void **state)
{
	struct call *r = open_fifo(40, O_RDONLY), *w, *c;
	uint64_t br, bw, both;

	(void)state;
	assert_int_equal(r->result, NONE);
	w = open_fifo(40, O_WRONLY);
	br = opened(r);
	bw = opened(w);
	assert_int_equal(finish(start_write(bw, "via fifo")), 8);
	expect_bytes(start_read(br, 99), "via fifo");
	assert_int_equal(simple(br, 25, F_GETFL, 0), O_RDONLY | O_LARGEFILE);
	closed(bw);
	assert_int_equal(finish(start_read(br, 1)), 0);
	closed(br);
	no_leaks();

	assert_int_equal(finish(open_fifo(40, O_WRONLY | O_NONBLOCK)), -ENXIO);
	no_leaks();
	br = opened(open_fifo(40, O_RDONLY | O_NONBLOCK));
	bw = opened(open_fifo(40, O_WRONLY | O_NONBLOCK));
	closed(br);
	closed(bw);
	both = opened(open_fifo(40, O_RDWR));
	assert_int_equal(finish(start_write(both, "me")), 2);
	expect_bytes(start_read(both, 9), "me");
	closed(both);

	w = open_fifo(41, O_WRONLY);
	assert_int_equal(w->result, NONE);
	c = open_fifo(42, O_RDONLY); /* another node */
	assert_int_equal(w->result, NONE);
	pipe_server_ops.cancel(TERN_BADGE_FROM_VFS, w->token);
	assert_int_equal(finish(w), -TERN_ECANCELLED);
	c->held = false;
	pipe_server_ops.gone(TERN_BADGE_FROM_VFS, c->token);
	call_free(c);
	assert_int_equal(finish(open_fifo(42, 3)), -EINVAL);
}

static void reopen(void **state)
{
	struct ends e = make_pipe(0);
	struct tern_msg m = { .op = 56 | TERN_MSG_FORWARDED | TERN_MSG_TRUSTED, .word = { 0xFD00, O_RDONLY },
			      .handle = -1 };
	struct call *c = call_new(e.w, NULL, 0);
	uint64_t again;

	(void)state;
	deliver(c, &m);
	again = opened(c);
	closed(e.r);
	assert_int_equal(finish(start_write(e.w, "x")), 1);
	expect_bytes(start_read(again, 9), "x");
	closed(again);
	closed(e.w);
}

/* ---- eventfd, timerfd ---- */

static long event_put(uint64_t badge, uint64_t v)
{
	return finish(start_write_data(badge, &v, 8, 8));
}

static uint64_t counted(struct call *c)
{
	uint64_t v;

	assert_int_equal(c->result, 8);
	memcpy(&v, c->data, 8);
	call_free(c);
	return v;
}

static void eventfd(void **state)
{
	struct tern_msg m = { .op = 19, .args = { 3, 0 }, .handle = -1 };
	struct call *c = call_new(0, NULL, 0), *r;
	uint64_t b, rid = 0, big = ~0ull - 1;

	(void)state;
	deliver(c, &m);
	rid = c->rid;
	b = opened(c);
	assert_int_equal(words[rid], POLLIN | POLLOUT);
	assert_int_equal(counted(start_read(b, 8)), 3);
	assert_int_equal(words[rid], POLLOUT);
	assert_int_equal(finish(start_read(b, 7)), -EINVAL);
	r = start_read(b, 8);
	assert_int_equal(event_put(b, 0), 8);
	assert_int_equal(r->result, NONE);
	assert_int_equal(event_put(b, 9), 8);
	assert_int_equal(counted(r), 9);
	assert_int_equal(event_put(b, ~0ull), -EINVAL);
	assert_int_equal(event_put(b, big), 8);
	assert_int_equal(words[rid], POLLIN);
	c = start_write_data(b, "\1\0\0\0\0\0\0\0", 8, 8);
	assert_int_equal(c->result, NONE);
	assert_int_equal(counted(start_read(b, 8)), big);
	assert_int_equal(finish(c), 8);
	assert_int_equal(counted(start_read(b, 100)), 1);
	closed(b);

	m = (struct tern_msg){ .op = 19, .args = { 2, 1 | O_NONBLOCK }, .handle = -1 };
	c = call_new(0, NULL, 0);
	deliver(c, &m);
	b = opened(c);
	assert_int_equal(counted(start_read(b, 8)), 1);
	assert_int_equal(counted(start_read(b, 8)), 1);
	assert_int_equal(finish(start_read(b, 8)), -EAGAIN);
	closed(b);
	assert_int_equal(simple(0, 19, 8, 0), -EINVAL);
}

static void tick(uint64_t ns)
{
	struct tern_msg m = { .op = TERN_EV_TIMER, .badge = 1 };

	clock_now += ns;
	if (timer_at && timer_at <= clock_now)
		pipe_server_ops.event(&m);
}

static long set_timer(uint64_t badge, int64_t interval, int64_t value)
{
	struct tern_timespec v[2] = { { 0, interval }, { 0, value } };
	struct tern_msg m = { .op = 86, .handle = -1 };
	struct call *c = call_new(badge, realloc(NULL, 32), 32);

	memcpy(c->data, v, 32);
	deliver(c, &m);
	return finish(c);
}

static void timerfd(void **state)
{
	struct tern_msg m = { .op = 85, .args = { TERN_CLOCK_MONOTONIC, 0 }, .handle = -1 };
	struct call *c = call_new(0, NULL, 0), *r;
	uint64_t a, b;

	(void)state;
	deliver(c, &m);
	a = opened(c);
	c = call_new(0, NULL, 0);
	deliver(c, &m);
	b = opened(c);
	assert_int_equal(set_timer(a, 0, 2000), 0);
	assert_int_equal(set_timer(b, 1000, 1000), 0);
	assert_int_equal(set_timer(b, 1000000000, 1000), -EINVAL);
	assert_int_equal(timer_at, clock_now + 1000);
	r = start_read(a, 8);
	tick(1000);
	assert_int_equal(r->result, NONE);
	tick(3500);
	assert_int_equal(counted(r), 1);
	assert_int_equal(counted(start_read(b, 8)), 4);
	assert_int_equal(timer_at, clock_now + 500);
	assert_int_equal(finish(start_write(a, "12345678")), -EINVAL);
	assert_int_equal(set_timer(b, 0, 0), 0);
	assert_int_equal(timer_at, 0);
	assert_int_equal(set_timer(b, 0, 10), 0);
	closed(b);
	assert_int_equal(timer_at, 0);
	closed(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(basics, setup, teardown),
		cmocka_unit_test_setup_teardown(broken, setup, teardown),
		cmocka_unit_test_setup_teardown(nonblocking, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(many_of_a_user, setup, teardown),
		cmocka_unit_test_setup_teardown(charged, setup, teardown),
		cmocka_unit_test_setup_teardown(taken_back, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(faults, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(random_model, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(fifo, setup, teardown),
		cmocka_unit_test_setup_teardown(reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(eventfd, setup, teardown),
		cmocka_unit_test_setup_teardown(timerfd, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
