/* A text that grows as it is written to.  When memory runs out it only remembers that, and takes
 * nothing more; the reader of the file then gets ENOMEM. */
#include "text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *text_room(struct text *t, size_t n)
{
	size_t room = t->room ? t->room : 1024;
	char *p;

	if (t->failed)
		return NULL;
	while (room - t->length < n + 1)
		room *= 2;
	if (room != t->room) {
		p = realloc(t->p, room);
		if (!p) {
			t->failed = true;
			return NULL;
		}
		t->p = p;
		t->room = room;
	}
	return t->p + t->length;
}

void text_append(struct text *t, const char *bytes, size_t n)
{
	char *to = text_room(t, n);

	if (!to)
		return;
	memcpy(to, bytes, n);
	t->length += n;
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	char *to = text_room(t, 256);
	int n;

	if (!to)
		return;
	va_start(ap, fmt);
	n = vsnprintf(to, 257, fmt, ap);
	va_end(ap);
	if (n > 256) {
		to = text_room(t, (size_t)n);
		if (!to)
			return;
		va_start(ap, fmt);
		n = vsnprintf(to, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	if (n > 0)
		t->length += (size_t)n;
}

void text_free(struct text *t)
{
	free(t->p);
	*t = (struct text){ 0 };
}
