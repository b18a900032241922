/* A text that grows as it is written to; the contents of files of /proc are made with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *p;
	size_t length, room;
	bool failed; /* memory ran out once: nothing more is appended */
};

void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_append(struct text *t, const char *bytes, size_t n);
/* Makes room for n more bytes and returns where to write them; the writer adds what it wrote to
 * `length`.  NULL: no memory. */
char *text_room(struct text *t, size_t n);
void text_free(struct text *t);
