/* The tty server on a small fake kernel: reads and writes that wait, timers, opening, job control,
 * settings that wait for the output.  The device is a function that takes or keeps the output. */
#include <linux/poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <server/fcntl.h>
#include <tern/linux/signal.h>

#include "../../../user/servers/tty/tty_priv.h"

#define MAX_CALLS 16
#define NONE ((long)0x7fffffff)

struct call {
	uint64_t token, badge, deadline, given;
	uint8_t data[8192];
	uint64_t len, ok;
	long result;
	bool held;
	struct tern_caller who;
	unsigned rights;
};

static struct call calls[MAX_CALLS];
static uint64_t last_token, clock_now;
static uint32_t word;
static struct tern_reply extra;
static struct tern_caller self;
static char sent[1 << 20]; /* what reached the line */
static size_t nsent;
static bool line_busy;
/* The last call to pm. */
static uint64_t pm_cookie, pm_args[2];
static uint32_t pm_op;
static int pm_calls;

struct tty_server *server;
static const struct server_boot boot = { .pm = 5 };
const struct server_boot *server_boot = &boot;

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
	if (off >= c->ok)
		return -EFAULT;
	if (n > c->ok - off)
		n = c->ok - off;
	if (in)
		memcpy(p, c->data + off, n);
	else
		memcpy(c->data + off, p, n);
	return (long)n;
}

static long end(struct call *c, long result, const struct tern_reply *x)
{
	if (x->flags & TERN_REPLY_COPY)
		result = copy(c, 0, (void *)(uintptr_t)x->from, x->length, false);
	c->result = result;
	c->held = false;
	return 0;
}

long tern_reply_with(uint64_t token, long result, const struct tern_reply *x)
{
	struct call *c = held(token);

	return c ? end(c, result, x) : -ESRCH;
}

long tern_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	static const struct tern_reply nothing;
	struct call *k = held(a);

	switch (nr) {
	case TERN_REPLY:
		return tern_reply_with(a, (long)b, &nothing);
	case TERN_COPY:
		if ((f & 15) == TERN_END_WINDOW)
			return k ? copy(k, b, (void *)(uintptr_t)d, e, true) : -ESRCH;
		k = held(c);
		return k ? copy(k, d, (void *)(uintptr_t)b, e, false) : -ESRCH;
	case TERN_PARK:
		if (!k)
			return -ESRCH;
		k->deadline = b;
		return 0;
	case TERN_WINDOW_LENGTH:
		return k ? (long)k->len : -ESRCH;
	case TERN_CALLER:
		if (!k)
			return -ESRCH;
		*(struct tern_caller *)(uintptr_t)b = k->who;
		return 0;
	case TERN_GIVE_SESSION:
		if (!k)
			return -ESRCH;
		k->rights = (uint32_t)b >> 8;
		k->given = c;
		return 1;
	case TERN_READY_CREATE:
		word = (uint32_t)a;
		return 1;
	case TERN_READY_SET:
		word = (word | (uint32_t)b) & ~(uint32_t)c;
		return 0;
	case TERN_CALL_ASYNC:
		assert_int_equal(b, boot.pm);
		if ((uint32_t)c == TERN_PM_TERMINAL)
			return 0;
		pm_cookie = a;
		pm_op = (uint32_t)c;
		memcpy(pm_args, (void *)(uintptr_t)e, sizeof pm_args);
		pm_calls++;
		return 0;
	case 113: {
		int64_t *ts = (int64_t *)(uintptr_t)b;

		ts[0] = (int64_t)(clock_now / 1000000000u);
		ts[1] = (int64_t)(clock_now % 1000000000u);
		return 0;
	}
	case 57:
		return 0;
	default:
		fail_msg("operation %ld", nr);
		return -ENOSYS;
	}
}

void server_reply_copy(unsigned win, const void *from, size_t n)
{
	(void)win;
	extra.flags |= TERN_REPLY_COPY;
	extra.from = TERN_PTR(from);
	extra.length = n;
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

/* ---- the device and the world ---- */

static void kick(struct tty *t)
{
	int c;

	while (!line_busy && (c = ldisc_transmit(&t->l)) >= 0)
		sent[nsent++] = (char)c;
}

void uart_interrupt(struct tty *t)
{
	kick(t);
}

static void unthrottle(struct tty *t)
{
	(void)t;
}

static void type(const char *s)
{
	while (*s)
		ldisc_input(&server->console.l, (uint8_t)*s++);
	tty_update(&server->console);
}

static void expect_sent(const char *s)
{
	assert_int_equal(nsent, strlen(s));
	assert_memory_equal(sent, s, nsent);
	nsent = 0;
}

static struct call *start(uint64_t badge, uint64_t op, uint64_t a1, uint64_t a2, const void *data,
			  uint64_t len)
{
	struct tern_msg m = { .op = op, .args = { 0, a1, a2 }, .handle = -1, .badge = badge };
	struct call *c = calls;
	long r;

	while (c->token)
		c++;
	assert_true(c < calls + MAX_CALLS);
	memset(c, 0, sizeof *c);
	c->token = m.token = ++last_token;
	c->badge = badge;
	c->len = c->ok = len;
	c->result = NONE;
	c->held = true;
	c->who = self;
	if (data)
		memcpy(c->data, data, len);
	if (op & TERN_MSG_FORWARDED) {
		m.word[0] = a1;
		m.word[1] = 77;
		m.args[1] = 0;
		m.handle = 9;
	}
	memset(&extra, 0, sizeof extra);
	r = tty_server_ops.calls[TERN_MSG_OP(op)](&m);
	if (r != SERVER_NO_REPLY && c->held)
		end(c, r, &extra);
	return c;
}

static long done(struct call *c)
{
	long r = c->result;

	assert_int_not_equal(r, NONE);
	c->token = 0;
	return r;
}

static void got(struct call *c, const char *want)
{
	assert_int_equal(c->result, strlen(want));
	assert_memory_equal(c->data, want, strlen(want));
	c->token = 0;
}

static struct call *start_read(uint64_t badge, uint64_t n)
{
	return start(badge, 63, 0, n, NULL, n);
}

static struct call *start_write(uint64_t badge, const char *s)
{
	return start(badge, 64, 0, strlen(s), s, strlen(s));
}

static long control(uint64_t badge, uint32_t op, uint64_t arg, const void *data, uint64_t n)
{
	return done(start(badge, 29, op, arg, data, n));
}

static struct call *start_open(uint32_t dev, unsigned flags)
{
	return start(TERN_BADGE_FROM_VFS, 56 | TERN_MSG_FORWARDED, dev, flags, NULL, 0);
}

static uint64_t console(unsigned flags)
{
	struct call *c = start_open(0x501, flags);
	uint64_t badge = c->given;

	assert_int_equal(done(c), 0);
	return badge;
}

static void be(uint32_t pid, uint32_t pgid, uint32_t sid)
{
	memset(&self, 0, sizeof self);
	self.pid = pid;
	self.pgid = pgid;
	self.sid = sid;
}

static void pm_answers(long result)
{
	tty_server_ops.done(pm_cookie, result, -1, -1);
}

static int setup(void **state)
{
	(void)state;
	memset(calls, 0, sizeof calls);
	nsent = 0;
	line_busy = false;
	pm_calls = 0;
	tty_server_init();
	server->console.kick = kick;
	server->console.unthrottle = unthrottle;
	be(1, 1, 1);
	return 0;
}

/* Servers never give their pools back; kept, so that a leak is one of something else. */
static struct tty_server *kept[16];
static unsigned nkept;

static int teardown(void **state)
{
	(void)state;
	kept[nkept++] = server;
	assert_int_equal(server->reqs.used, 0);
	return 0;
}

static void set_raw(uint64_t badge, uint8_t min, uint8_t time)
{
	struct tern_termios t = server->console.l.t;

	t.c_lflag &= ~(uint32_t)(ICANON | ECHO);
	t.c_cc[VMIN] = min;
	t.c_cc[VTIME] = time;
	assert_int_equal(control(badge, TCSETS, 0, &t, sizeof t), 0);
}

#define IN (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

/* ---- the tests ---- */

static void reading(void **state)
{
	uint64_t b = console(O_RDWR | O_NOCTTY);
	struct call *r = start_read(b, 100), *s;

	(void)state;
	type("ls");
	assert_int_equal(r->result, NONE);
	assert_int_equal(word, OUT);
	s = start_read(b, 100);
	type("\rps\r");
	got(r, "ls\n");
	got(s, "ps\n");
	expect_sent("ls\r\nps\r\n");
	type("x\n");
	assert_int_equal(word, IN | OUT);
	got(start_read(b, 100), "x\n");
	assert_int_equal(word, OUT);
	type("\4");
	assert_int_equal(done(start_read(b, 100)), 0);
	assert_int_equal(done(start(b, 25, F_SETFL, O_NONBLOCK, NULL, 0)), 0);
	assert_int_equal(done(start(b, 25, F_GETFL, 0, NULL, 0)), O_RDWR | O_NONBLOCK | O_LARGEFILE);
	assert_int_equal(done(start_read(b, 100)), -EAGAIN);
}

static void interrupted(void **state)
{
	uint64_t b = console(O_RDWR | O_NOCTTY);
	struct call *r = start_read(b, 100);

	(void)state;
	tty_server_ops.cancel(b, r->token);
	assert_int_equal(done(r), -TERN_ECANCELLED);
	r = start_read(b, 100);
	r->held = false;
	type("kept\n"); /* its event is still to come: the input stays */
	tty_server_ops.gone(b, r->token);
	r->token = 0;
	got(start_read(b, 100), "kept\n");
}

static void min_and_time(void **state)
{
	uint64_t b = console(O_RDWR | O_NOCTTY);
	struct call *r;

	(void)state;
	set_raw(b, 3, 0);
	r = start_read(b, 100);
	type("ab");
	assert_int_equal(r->result, NONE);
	assert_int_equal(word, OUT);
	type("c");
	got(r, "abc");
	type("xyz");
	assert_int_equal(word, IN | OUT);
	got(start_read(b, 2), "xy");
	got(start_read(b, 1), "z");

	set_raw(b, 0, 0);
	assert_int_equal(done(start_read(b, 9)), 0);
	set_raw(b, 0, 5);
	r = start_read(b, 9);
	assert_int_equal(r->deadline, clock_now + 500000000u);
	tty_server_ops.timeout(b, r->token);
	assert_int_equal(done(r), 0);
	r = start_read(b, 9);
	type("q");
	got(r, "q");

	set_raw(b, 5, 1);
	r = start_read(b, 9);
	assert_int_equal(r->deadline, 0);
	clock_now += 7;
	type("a");
	assert_int_equal(r->deadline, clock_now + 100000000u);
	clock_now += 7;
	type("b");
	assert_int_equal(r->deadline, clock_now + 100000000u);
	tty_server_ops.timeout(b, r->token);
	got(r, "ab");
	/* Interrupted with fewer than MIN. */
	r = start_read(b, 9);
	type("z");
	tty_server_ops.cancel(b, r->token);
	got(r, "z");
}

static void writing(void **state)
{
	uint64_t b = console(O_RDWR | O_NOCTTY);
	struct call *c, *other;
	char chunk[8001];

	(void)state;
	assert_int_equal(done(start_write(b, "hi\n")), 3);
	expect_sent("hi\r\n");
	line_busy = true;
	memset(chunk, 'm', 8000);
	chunk[8000] = 0;
	for (int i = 0; i < 8; i++)
		assert_int_equal(done(start_write(b, chunk)), 8000);
	c = start_write(b, chunk);
	assert_int_equal(c->result, NONE);
	assert_int_equal(word, 0);
	other = start_write(b, "later");
	assert_int_equal(other->result, NONE);
	tty_server_ops.cancel(b, other->token);
	assert_int_equal(done(other), -TERN_ECANCELLED);
	other = start_write(b, "end");
	line_busy = false;
	tty_update(&server->console);
	assert_int_equal(done(c), 8000);
	assert_int_equal(done(other), 3);
	assert_int_equal(nsent, 72003);
	assert_memory_equal(sent + 72000, "end", 3);
	assert_int_equal(word, OUT);

	line_busy = true;
	assert_int_equal(done(start(b, 25, F_SETFL, O_NONBLOCK, NULL, 0)), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(done(start_write(b, chunk)), 8000);
	assert_in_range(done(start_write(b, chunk)), 1, 7999);
	assert_int_equal(done(start_write(b, chunk)), -EAGAIN);
	/* Interrupted after a part. */
	assert_int_equal(done(start(b, 25, F_SETFL, 0, NULL, 0)), 0);
	ldisc_flush_output(&server->console.l);
	for (int i = 0; i < 8; i++)
		assert_int_equal(done(start_write(b, chunk)), 8000);
	c = start_write(b, chunk);
	tty_server_ops.cancel(b, c->token);
	assert_in_range(done(c), 1, 7999);
}

static void draining(void **state)
{
	uint64_t b = console(O_RDWR | O_NOCTTY);
	struct tern_termios t = server->console.l.t;
	struct call *c;

	(void)state;
	line_busy = true;
	done(start_write(b, "out"));
	t.c_lflag &= ~(uint32_t)ECHO;
	type("gone");
	c = start(b, 29, TCSETSF, 0, &t, sizeof t);
	assert_int_equal(c->result, NONE);
	assert_true(server->console.l.t.c_lflag & ECHO);
	line_busy = false;
	tty_update(&server->console);
	assert_int_equal(done(c), 0);
	assert_false(server->console.l.t.c_lflag & ECHO);
	type("new\n");
	got(start_read(b, 9), "new\n");
	c = start(b, 29, TCGETS, 0, NULL, 36);
	assert_memory_equal(c->data, &t, sizeof t);
	assert_int_equal(done(c), 0);
	assert_int_equal(control(b, 0x1234, 0, NULL, 8), -ENOTTY);
	assert_int_equal(control(b, TCFLSH, 3, NULL, 0), -EINVAL);
	c = start(b, 29, TCSETS, 0, &t, 10);
	c->ok = 10;
	done(c);
}

static void sessions(void **state)
{
	uint64_t b = console(O_RDWR | O_NOCTTY), own;
	struct call *c;
	int32_t group = 21;

	(void)state;
	assert_int_equal(done(start_open(0x500, O_RDWR)), -ENXIO);
	assert_int_equal(control(b, TIOCGPGRP, 0, NULL, 4), -ENOTTY);
	be(20, 20, 20);
	own = console(O_RDWR); /* a leader's first terminal */
	assert_int_equal(server->console.session, 20);
	assert_int_equal(done(start_open(0x500, O_RDONLY)), 0);
	c = start(own, 29, TIOCGPGRP, 0, NULL, 4);
	assert_int_equal(c->data[0], 20);
	assert_int_equal(done(c), 0);

	c = start(own, 29, TIOCSPGRP, 0, &group, 4);
	assert_int_equal(pm_op, TERN_PM_SESSION_TTY);
	pm_answers(99);
	assert_int_equal(done(c), -EPERM);
	c = start(own, 29, TIOCSPGRP, 0, &group, 4);
	pm_answers(20);
	assert_int_equal(done(c), 0);
	assert_int_equal(server->console.pgrp, 21);

	type("\3");
	assert_int_equal(pm_op, TERN_PM_SIGNAL_GROUP);
	assert_int_equal(pm_args[0], 21);
	assert_int_equal(pm_args[1], SIGINT);
	expect_sent("^C");

	/* From the background. */
	c = start_read(own, 9);
	assert_int_equal(pm_args[0], 20);
	assert_int_equal(pm_args[1], SIGTTIN);
	assert_int_equal(c->result, NONE);
	pm_answers(1);
	assert_int_equal(done(c), -TERN_ECANCELLED);
	c = start_read(own, 9);
	pm_answers(-EIO);
	assert_int_equal(done(c), -EIO);
	self.sigignored = TERN_SIGBIT(SIGTTIN);
	assert_int_equal(done(start_read(own, 9)), -EIO);
	assert_int_equal(done(start_write(own, "free")), 4);
	server->console.l.t.c_lflag |= TOSTOP;
	c = start_write(own, "x");
	assert_int_equal(pm_args[1], SIGTTOU);
	pm_answers(1);
	assert_int_equal(done(c), -TERN_ECANCELLED);
	self.sigmask = TERN_SIGBIT(SIGTTOU);
	assert_int_equal(done(start_write(own, "x")), 1);
	group = 20;
	assert_int_equal(control(own, TIOCSPGRP, 0, &group, 4), 0);
	assert_int_equal(server->console.pgrp, 20);
	assert_int_equal(control(own, TIOCSWINSZ, 0, "\1\0\2\0\0\0\0\0", 8), 0);
	assert_int_equal(pm_args[1], SIGWINCH);

	/* Another session: only when this one has ended. */
	be(30, 30, 30);
	c = start(b, 29, TIOCSCTTY, 0, NULL, 0);
	pm_answers(20);
	assert_int_equal(done(c), -EPERM);
	c = start(b, 29, TIOCSCTTY, 0, NULL, 0);
	pm_answers(-ESRCH);
	assert_int_equal(done(c), 0);
	assert_int_equal(server->console.session, 30);
	be(40, 40, 40);
	c = start_open(0x501, O_RDWR);
	pm_answers(30);
	assert_int_equal(done(c), 0);
	assert_int_equal(server->console.session, 30);
	be(30, 30, 30);
	assert_int_equal(control(b, TIOCNOTTY, 0, NULL, 0), 0);
	assert_int_equal(server->console.session, 0);
	be(31, 30, 30);
	assert_int_equal(control(b, TIOCSCTTY, 0, NULL, 0), -EPERM);
}

static void session_end(void **state)
{
	struct tern_msg m = { .op = TERN_TTY_SESSION_END, .args = { 20 },
			      .badge = TERN_BADGE_SERVICE };

	(void)state;
	be(20, 20, 20);
	console(O_RDWR);
	assert_int_equal(tty_server_ops.method(&m), -ENOSYS);
	m.badge = TERN_BADGE_FROM_PM;
	assert_int_equal(tty_server_ops.method(&m), 0);
	assert_int_equal(server->console.session, 0);
	assert_int_equal(pm_calls, 2);
	assert_int_equal(pm_args[1], SIGCONT);
}

static void killed_while_asking(void **state)
{
	struct call *c;

	(void)state;
	be(20, 20, 20);
	console(O_RDWR);
	be(30, 30, 30);
	c = start_open(0x501, O_RDWR);
	c->held = false;
	tty_server_ops.gone(TERN_BADGE_FROM_VFS, c->token);
	pm_answers(20);
	c->token = 0;
	assert_int_equal(server->descs.used, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reading, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(min_and_time, setup, teardown),
		cmocka_unit_test_setup_teardown(writing, setup, teardown),
		cmocka_unit_test_setup_teardown(draining, setup, teardown),
		cmocka_unit_test_setup_teardown(sessions, setup, teardown),
		cmocka_unit_test_setup_teardown(session_end, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_while_asking, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
