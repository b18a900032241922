/* A growing text: what the files of /proc are written with.  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *p;
	size_t length, room;
	bool failed; /* out of memory once: stays as it was */
};

void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_append(struct text *t, const char *bytes, size_t n);
/* Makes room for n more bytes and returns where they go; NULL: out of memory. */
char *text_room(struct text *t, size_t n);
void text_free(struct text *t);
