/*
 * Formatting against the host's printf, and the log's ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arch/cpu.h>
#include <kernel/lib/log.h>
#include <kernel/lib/string.h>

u32 panic_hart;
static char console[1 << 17];
static size_t console_n;

unsigned hart_index(void) { return 0; }

void arch_console_write(const char *s, size_t n)
{
	if (console_n + n > sizeof console)
		console_n = 0;
	memcpy(console + console_n, s, n);
	console_n += n;
}

/* A line is what the host's printf makes of it. */
#define SAME(...)                                                                            \
	do {                                                                                 \
		char want_[200];                                                             \
		int n_ = snprintf(want_, sizeof want_, __VA_ARGS__);                         \
		console_n = 0;                                                               \
		klog(__VA_ARGS__);                                                           \
		assert_int_equal(console_n, n_);                                             \
		assert_memory_equal(console, want_, n_);                                     \
	} while (0)

static void test_format(void **state)
{
	(void)state;
	SAME("plain %%, %s and %s\n", "abc", "");
	SAME("%d %d %d %u %x", 0, -1, -2147483647 - 1, 4294967295u, 0xdeadbeefu);
	SAME("%ld %lu %lx %lld %llx", -1l, ~0ul, ~0ul, (long long)1 << 62, 1ull << 63);
	SAME("[%8d] [%08d] [%2u]", 42, 42, 12345u);
	SAME("[%4x] [%016lx]", 0x12345u, 0x1234ul);
	SAME("%ld", (long)(1ul << 63));
	SAME("%p", (void *)0x1234);
}

static void test_ring(void **state)
{
	static char out[1 << 17];
	char line[64];
	u64 pos = 0;
	size_t n;

	(void)state;
	log_read(&pos, out, sizeof out);
	console_n = 0;
	klog("hello %d\n", 1);
	n = log_read(&pos, out, sizeof out);
	assert_int_equal(n, 8);
	assert_memory_equal(out, "hello 1\n", 8);
	assert_memory_equal(console, "hello 1\n", 8);
	assert_int_equal(log_read(&pos, out, sizeof out), 0);
	/* a reader that comes late gets the end of it */
	for (int i = 0; i < 4000; i++)
		klog("line %d of many\n", i);
	pos = 0;
	n = log_read(&pos, out, sizeof out);
	assert_int_equal(n, 32768);
	snprintf(line, sizeof line, "line %d of many\n", 3999);
	assert_memory_equal(out + n - strlen(line), line, strlen(line));
	/* small reads get the same */
	pos -= 100;
	for (size_t i = n - 100; i < n; i++) {
		char c;

		assert_int_equal(log_read(&pos, &c, 1), 1);
		assert_int_equal(c, out[i]);
	}
	/* a position from nowhere */
	pos = ~0ull;
	assert_int_equal(log_read(&pos, out, 10), 10);
}

static void test_long_line(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = 0;
	console_n = 0;
	klog("%s", text);
	assert_int_equal(console_n, 512);
	assert_int_equal(console[511], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
