/*
 * The kernel's log: writes formatted lines into a ring and onto the console.
 *
 * The ring keeps the last LOG_SIZE bytes.  log_head counts all bytes ever written, and a reader's
 * position is such a count, too, so that it is known whether its bytes were overwritten.
 * Lock: console_lock, for ring and console together, so that lines do not mix.  A hart that traps
 * while it holds the lock goes on without it, and in a panic nobody waits for it.
 */
#include <arch/cpu.h>
#include <kernel/lib/log.h>
#include <kernel/lib/spinlock.h>
#include <kernel/lib/string.h>
#include <stdarg.h>

#include "log_priv.h"

#define LOG_SIZE 32768u /* a power of two */
#define LINE_MAX 512

static char ring[LOG_SIZE];
static u64 log_head;
static struct spinlock console_lock = SPINLOCK_INIT;
static u32 console_owner; /* index + 1 of the hart that holds console_lock, or 0 */

/* The line that is being formatted.  Characters that do not fit are dropped. */
struct out {
	char buf[LINE_MAX];
	size_t n;
};

static void log_put(struct out *o, char c)
{
	if (o->n < LINE_MAX)
		o->buf[o->n++] = c;
}

static void put_string(struct out *o, const char *s)
{
	for (s = s ? s : "(null)"; *s; s++)
		log_put(o, *s);
}

static void put_number(struct out *o, u64 v, unsigned base, char fill, int width)
{
	char text[20];
	int n = 0;

	do
		text[n++] = "0123456789abcdef"[v % base];
	while ((v /= base) != 0);
	for (; width > n; width--)
		log_put(o, fill);
	while (n)
		log_put(o, text[--n]);
}

/* Formats the conversion at f, which is behind its percent sign.  Returns its last character. */
static const char *put_value(struct out *o, const char *f, va_list *ap)
{
	char fill = *f == '0' ? '0' : ' ';
	int width = 0;
	bool wide = false;
	s64 v;

	for (; *f >= '0' && *f <= '9'; f++)
		width = width * 10 + *f - '0';
	for (; *f == 'l'; f++)
		wide = true;
	switch (*f) {
	case 's':
		put_string(o, va_arg(*ap, const char *));
		break;
	case 'd':
		v = wide ? va_arg(*ap, s64) : va_arg(*ap, int);
		if (v < 0)
			log_put(o, '-');
		put_number(o, v < 0 ? -(u64)v : (u64)v, 10, fill, width);
		break;
	case 'x':
	case 'u':
		put_number(o, wide ? va_arg(*ap, u64) : va_arg(*ap, unsigned), *f == 'u' ? 10 : 16,
			   fill, width);
		break;
	case 'p':
		put_string(o, "0x");
		put_number(o, (u64)va_arg(*ap, void *), 16, fill, width);
		break;
	default:
		log_put(o, *f);
	}
	return f;
}

/* Takes console_lock, unless this hart has it or some hart panics.  Returns whether it did. */
static bool console_enter(void)
{
	u32 me = hart_index() + 1;

	if (READ_ONCE(console_owner) == me || READ_ONCE(panic_hart))
		return false;
	spin_lock(&console_lock);
	WRITE_ONCE(console_owner, me);
	return true;
}

static void console_leave(bool locked)
{
	if (!locked)
		return;
	WRITE_ONCE(console_owner, 0);
	spin_unlock(&console_lock);
}

void log_write(const char *text, size_t n)
{
	bool locked = console_enter();

	for (size_t i = 0; i < n; i++)
		ring[log_head++ % LOG_SIZE] = text[i];
	arch_console_write(text, n);
	console_leave(locked);
}

void log_vprint(const char *fmt, va_list *ap)
{
	struct out o = { .n = 0 };

	for (; *fmt; fmt++) {
		if (*fmt == '%' && fmt[1])
			fmt = put_value(&o, fmt + 1, ap);
		else
			log_put(&o, *fmt);
	}
	if (o.n == LINE_MAX)
		o.buf[LINE_MAX - 1] = '\n';
	log_write(o.buf, o.n);
}

void klog(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprint(fmt, &ap);
	va_end(ap);
}

size_t log_read(u64 *pos, char *buf, size_t n)
{
	bool locked = console_enter();
	u64 oldest = log_head > LOG_SIZE ? log_head - LOG_SIZE : 0;
	size_t k = 0;

	if (*pos < oldest || *pos > log_head)
		*pos = oldest;
	while (k < n && *pos < log_head)
		buf[k++] = ring[(*pos)++ % LOG_SIZE];
	console_leave(locked);
	return k;
}
