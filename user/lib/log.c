/* Writes lines "name: text\n" to the kernel's log, each with one kernel entry so that lines of two
 * servers do not mix; what does not fit into 256 bytes is cut off. */
#include <server/server.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void log_line(const char *prefix, const char *fmt, va_list ap)
{
	char line[256];
	int n, k;

	n = snprintf(line, sizeof line, "%s%s: ", prefix, server_name);
	if (n < 0 || n > (int)sizeof line / 2)
		n = 0;
	k = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
	if (k > 0)
		n += k;
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	tern_log(line, (size_t)n);
}

void server_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("", fmt, ap);
	va_end(ap);
}

void server_panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("PANIC: ", fmt, ap);
	va_end(ap);
	for (;;)
		tern_syscall(94, 134, 0, 0, 0, 0, 0); /* exit_group */
}
