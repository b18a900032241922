/*
 * The kernel's log: formatted lines into a ring and onto the console.
 *
 * The ring keeps the last LOG_SIZE bytes; log_head counts all bytes ever written, so a reader's
 * position is a plain count and what was overwritten is known.
 * Lock: console_lock, for ring and console together, so that lines do not mix.  A hart that traps while
 * it holds the lock goes on without it, and in a panic nobody waits for it.
 */
#include <arch/cpu.h>
#include <kernel/log.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>
#include <stdarg.h>

#include "log_priv.h"

#define LOG_SIZE 32768u /* a power of two */
#define LINE_MAX 512

static char ring[LOG_SIZE];
static u64 log_head;
static struct spinlock console_lock = SPINLOCK_INIT;
static u32 console_owner; /* hart index + 1 */

struct out {
	char *buf;
	size_t size, n; /* n may pass size: what would have been written */
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n] = c;
	o->n++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

struct spec {
	bool left, zero, upper;
	int width, precision; /* precision -1: none */
};

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
	int n = 0;

	if (!s)
		s = "(null)";
	while ((sp->precision < 0 || n < sp->precision) && s[n])
		n++;
	if (!sp->left)
		pad(o, ' ', sp->width - n);
	for (int i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - n);
}

static void put_number(struct out *o, const struct spec *sp, u64 v, unsigned base, bool negative)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int n = 0, len;

	do
		text[n++] = digits[v % base];
	while ((v /= base) != 0);
	len = n + negative;
	if (!sp->left && !sp->zero)
		pad(o, ' ', sp->width - len);
	if (negative)
		put(o, '-');
	if (!sp->left && sp->zero)
		pad(o, '0', sp->width - len);
	while (n)
		put(o, text[--n]);
	if (sp->left)
		pad(o, ' ', sp->width - len);
}

static const char *parse_flags(const char *f, struct spec *sp, va_list *ap)
{
	*sp = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else
			break;
	}
	if (*f == '*') {
		sp->width = va_arg(*ap, int);
		f++;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		sp->width = sp->width * 10 + *f - '0';
	if (*f != '.')
		return f;
	f++;
	sp->precision = 0;
	if (*f == '*') {
		sp->precision = va_arg(*ap, int);
		f++;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		sp->precision = sp->precision * 10 + *f - '0';
	return f;
}

static void format(struct out *o, const char *f, va_list *ap)
{
	for (; *f; f++) {
		struct spec sp;
		bool wide = false;
		u64 v;

		if (*f != '%') {
			put(o, *f);
			continue;
		}
		f = parse_flags(f + 1, &sp, ap);
		for (; *f == 'l' || *f == 'z'; f++)
			wide = true;
		switch (*f) {
		case 's':
			put_string(o, &sp, va_arg(*ap, const char *));
			break;
		case 'c':
			put(o, (char)va_arg(*ap, int));
			break;
		case 'd':
		case 'i':
			v = wide ? va_arg(*ap, u64) : (u64)(s64)va_arg(*ap, int);
			put_number(o, &sp, (s64)v < 0 ? -v : v, 10, (s64)v < 0);
			break;
		case 'X':
			sp.upper = true;
			/* fall through */
		case 'x':
		case 'u':
			v = wide ? va_arg(*ap, u64) : va_arg(*ap, unsigned);
			put_number(o, &sp, v, *f == 'u' ? 10 : 16, false);
			break;
		case 'p':
			put(o, '0');
			put(o, 'x');
			put_number(o, &sp, (u64)va_arg(*ap, void *), 16, false);
			break;
		case 0:
			return;
		default:
			put(o, *f);
		}
	}
}

static int vformat(char *buf, size_t size, const char *fmt, va_list *ap)
{
	struct out o = { buf, size, 0 };

	format(&o, fmt, ap);
	if (size)
		buf[MIN(o.n, size - 1)] = 0;
	return (int)o.n;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vformat(buf, size, fmt, &ap);
	va_end(ap);
	return n;
}

/* True if the lock was taken and is to be dropped. */
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
	char line[LINE_MAX];
	int n = vformat(line, sizeof(line), fmt, ap);

	if ((size_t)n >= sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	log_write(line, (size_t)n);
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
