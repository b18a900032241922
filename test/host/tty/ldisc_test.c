/* The line discipline against expectations written from termios(3), and against a naive oracle of
 * canonical input with seeded random typing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../../user/servers/tty/ldisc.h"

static struct ldisc l;

static int setup(void **state)
{
	(void)state;
	ldisc_init(&l);
	return 0;
}

static void type(const char *s)
{
	while (*s)
		ldisc_input(&l, (uint8_t)*s++);
}

static void expect_read(uint32_t n, const char *want)
{
	char got[LDISC_IN + 1];
	uint32_t used, r;

	assert_true(ldisc_readable(&l, 1));
	r = ldisc_peek(&l, (uint8_t *)got, n, &used);
	ldisc_consume(&l, used);
	assert_int_equal(r, strlen(want));
	assert_memory_equal(got, want, r);
}

static void expect_output(const char *want)
{
	size_t n = strlen(want);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(ldisc_transmit(&l), (uint8_t)want[i]);
	assert_int_equal(ldisc_transmit(&l), -1);
}

static void lines(void **state)
{
	(void)state;
	type("ab");
	assert_false(ldisc_readable(&l, 1));
	type("c\rde\r");
	expect_output("abc\r\nde\r\n");
	assert_int_equal(ldisc_count(&l), 7);
	expect_read(100, "abc\n");
	expect_read(2, "de");
	expect_read(2, "\n");
	assert_false(ldisc_readable(&l, 1));
}

static void end_of_file(void **state)
{
	(void)state;
	type("\4");
	expect_read(10, "");
	type("ab\4");
	expect_read(10, "ab");
	assert_false(ldisc_readable(&l, 1));
	type("ab\4");
	expect_read(2, "ab"); /* the mark goes with it */
	assert_false(ldisc_readable(&l, 1));
	type("ab\4c\n");
	assert_int_equal(ldisc_count(&l), 4);
	expect_read(1, "a");
	expect_read(9, "b");
	expect_read(9, "c\n");
}

static void erasing(void **state)
{
	(void)state;
	type("ab\177\177\177x\n");
	expect_output("ab\b \b\b \bx\r\n");
	expect_read(9, "x\n");
	type("one two\27\n");
	expect_read(9, "one \n");
	ldisc_flush_output(&l);
	type("xy\25z\n");
	expect_output("xy\b \b\b \bz\r\n");
	expect_read(9, "z\n");
	type("a\1\177\177\n");
	expect_output("a^A\b \b\b \b\b \b\r\n");
	expect_read(9, "\n");
	type("a\tb\177\177c\n");
	expect_output("a\tb\b \b\b\b\b\b\b\b\bc\r\n");
	expect_read(9, "ac\n");
}

static void kill_without_echoke(void **state)
{
	(void)state;
	l.t.c_lflag &= ~(uint32_t)ECHOKE;
	type("xy\25z\n");
	expect_output("xy^U\r\nz\r\n");
	expect_read(9, "z\n");
}

static void utf8(void **state)
{
	(void)state;
	l.t.c_iflag |= IUTF8;
	type("a\303\244\177b\n");
	expect_output("a\303\244\b \bb\r\n");
	expect_read(9, "ab\n");
}

static void literal(void **state)
{
	(void)state;
	type("\26\3x\26\n\n");
	assert_int_equal(l.signals, 0);
	expect_read(9, "\3x\n\n");
	expect_output("^\b^Cx^\b\r\n\r\n");
}

static void signals(void **state)
{
	(void)state;
	type("abc\3");
	assert_int_equal(l.signals, LDISC_SIGINT);
	expect_output("^C");
	type("x\n");
	expect_read(9, "x\n");
	l.signals = 0;
	type("\34\32");
	assert_int_equal(l.signals, LDISC_SIGQUIT | LDISC_SIGTSTP);
	l.t.c_lflag |= NOFLSH;
	type("q\3\n");
	expect_read(9, "q\n");
	l.t.c_lflag &= ~(uint32_t)ISIG;
	type("\3\n");
	expect_read(9, "\3\n");
}

static void flow(void **state)
{
	(void)state;
	type("\23");
	assert_int_equal(ldisc_output(&l, (const uint8_t *)"hi", 2), 2);
	assert_int_equal(ldisc_transmit(&l), -1);
	type("\21");
	expect_output("hi");
	l.t.c_iflag |= IXANY;
	type("\23");
	ldisc_output(&l, (const uint8_t *)"ho", 2);
	type("a");
	expect_output("hoa");
}

static void output_post(void **state)
{
	(void)state;
	ldisc_output(&l, (const uint8_t *)"a\nb\r\n", 5);
	expect_output("a\r\nb\r\r\n");
	l.t.c_oflag |= XTABS;
	ldisc_output(&l, (const uint8_t *)"ab\tc\n", 5);
	expect_output("ab      c\r\n");
	l.t.c_oflag &= ~(uint32_t)OPOST;
	ldisc_output(&l, (const uint8_t *)"a\n\t", 3);
	expect_output("a\n\t");
}

static void output_full(void **state)
{
	static uint8_t buf[LDISC_OUT];
	uint32_t n;

	(void)state;
	memset(buf, '\n', sizeof buf);
	n = ldisc_output(&l, buf, sizeof buf);
	assert_in_range(n, 1, LDISC_OUT / 2);
	assert_int_equal(ldisc_output_used(&l), n * 2);
	assert_int_equal(ldisc_output(&l, buf, 1), 0);
	/* Echo still has room, and more echo than room does no harm. */
	type("x");
	assert_int_equal(ldisc_output_used(&l), n * 2 + 1);
	for (int i = 0; i < 5000; i++)
		type("y\n");
	assert_int_equal(ldisc_output_used(&l), LDISC_OUT);
}

static void long_line(void **state)
{
	static char got[LDISC_IN];
	uint32_t used, n;

	(void)state;
	l.t.c_iflag |= IMAXBEL;
	for (int i = 0; i < 6000; i++) {
		assert_true(ldisc_input_room(&l));
		ldisc_input(&l, 'a');
	}
	ldisc_input(&l, '\n');
	n = ldisc_peek(&l, (uint8_t *)got, LDISC_IN, &used);
	assert_int_equal(n, 4096);
	assert_int_equal(got[4095], '\n');
	assert_false(ldisc_input_room(&l)); /* a whole line fills it: held back */
	ldisc_consume(&l, used);
	assert_true(ldisc_input_room(&l));
}

static void raw(void **state)
{
	struct tern_termios t = l.t;

	(void)state;
	type("half");
	t.c_lflag &= ~(uint32_t)(ICANON | ECHO | ISIG);
	ldisc_set_termios(&l, &t);
	assert_true(ldisc_readable(&l, 4));
	assert_false(ldisc_readable(&l, 5));
	type("\4\3");
	expect_read(3, "hal");
	expect_read(9, "f\4\3");
	type("rest");
	t.c_lflag |= ICANON;
	ldisc_set_termios(&l, &t);
	expect_read(9, "rest");
	assert_false(ldisc_readable(&l, 1));
}

static void xoff(void **state)
{
	struct tern_termios t = l.t;

	(void)state;
	t.c_lflag &= ~(uint32_t)(ICANON | ECHO);
	t.c_iflag |= IXOFF;
	ldisc_set_termios(&l, &t);
	for (int i = 0; i < 4000; i++)
		ldisc_input(&l, 'a');
	assert_int_equal(ldisc_transmit(&l), 19);
	ldisc_flush_input(&l);
	assert_int_equal(ldisc_transmit(&l), 17);
}

/* Random typing; the oracle edits a plain string. */
static void random_typing(void **state)
{
	static const char keys[] = "abc d_\n\r\177\25\27\4\26";

	(void)state;
	for (unsigned seed = 1; seed <= 300; seed++) {
		char line[600], want[4096], got[4096];
		size_t nline = 0, nwant = 0, ngot = 0;
		bool lnext = false;

		srand(seed);
		ldisc_init(&l);
		for (int i = 0; i < 500; i++) {
			char c = keys[(size_t)rand() % (sizeof keys - 1)];

			ldisc_input(&l, (uint8_t)c);
			while (ldisc_transmit(&l) >= 0)
				;
			if (lnext) {
				lnext = false;
				line[nline++] = c;
			} else if (c == '\26') {
				lnext = true;
			} else if (c == '\177') {
				nline -= nline > 0;
			} else if (c == '\25') {
				nline = 0;
			} else if (c == '\27') {
				bool seen = false;

				while (nline) {
					char e = line[nline - 1];
					bool w = (e >= 'a' && e <= 'z') || e == '_';

					if (!w && seen)
						break;
					seen |= w;
					nline--;
				}
			} else if (c == '\n' || c == '\r' || c == '\4') {
				if (c != '\4')
					line[nline++] = '\n';
				memcpy(want + nwant, line, nline);
				nwant += nline;
				nline = 0;
			} else {
				line[nline++] = c;
			}
			while (ldisc_readable(&l, 1) && rand() % 3) {
				uint32_t used, n = ldisc_peek(&l, (uint8_t *)got + ngot,
							      1 + (uint32_t)rand() % 9, &used);

				assert_true(used > 0);
				ldisc_consume(&l, used);
				ngot += n;
			}
		}
		while (ldisc_readable(&l, 1)) {
			uint32_t used;

			ngot += ldisc_peek(&l, (uint8_t *)got + ngot, 100, &used);
			ldisc_consume(&l, used);
		}
		assert_int_equal(ngot, nwant);
		assert_memory_equal(got, want, nwant);
	}
}

/* Any bytes in any mode: nothing but the sanitizers and the invariants to satisfy. */
static void noise(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		srand(seed);
		ldisc_init(&l);
		for (int i = 0; i < 8000; i++) {
			uint8_t buf[64];
			uint32_t used;
			struct tern_termios t;

			switch (rand() % 40) {
			case 0:
				t = l.t;
				t.c_iflag = (uint32_t)rand();
				t.c_oflag = (uint32_t)rand();
				t.c_lflag = (uint32_t)rand();
				t.c_cc[rand() % 17] = (uint8_t)rand();
				ldisc_set_termios(&l, &t);
				break;
			case 1:
				if (ldisc_readable(&l, 1)) {
					ldisc_peek(&l, buf, sizeof buf, &used);
					ldisc_consume(&l, used);
				}
				break;
			case 2:
				for (int n = rand() % 300; n > 0; n--)
					ldisc_transmit(&l);
				break;
			case 3:
				ldisc_break(&l);
				break;
			case 4:
				for (unsigned n = 0; n < sizeof buf; n++)
					buf[n] = (uint8_t)rand();
				ldisc_output(&l, buf, sizeof buf);
				break;
			default:
				ldisc_input(&l, (uint8_t)rand());
			}
			assert_true(l.head - l.tail <= LDISC_IN);
			assert_true(l.canon - l.tail <= l.head - l.tail);
			assert_true(l.out_head - l.out_tail <= LDISC_OUT);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines, setup),
		cmocka_unit_test_setup(end_of_file, setup),
		cmocka_unit_test_setup(erasing, setup),
		cmocka_unit_test_setup(kill_without_echoke, setup),
		cmocka_unit_test_setup(utf8, setup),
		cmocka_unit_test_setup(literal, setup),
		cmocka_unit_test_setup(signals, setup),
		cmocka_unit_test_setup(flow, setup),
		cmocka_unit_test_setup(output_post, setup),
		cmocka_unit_test_setup(output_full, setup),
		cmocka_unit_test_setup(long_line, setup),
		cmocka_unit_test_setup(raw, setup),
		cmocka_unit_test_setup(xoff, setup),
		cmocka_unit_test(random_typing),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
