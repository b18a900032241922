/* A place: a window of a space where the oracle's steps are performed with system calls, and checked. */
#pragma once
#include "../../../host/mm_oracle.h"

#define PAGE ((size_t)ORACLE_PAGE)
#define PAGES ORACLE_PAGES
#define OBJECTS ORACLE_OBJECTS

struct place {
	char *base;  /* of the window */
	size_t unit; /* bytes of one of the oracle's pages */
	size_t byte; /* in it: what the oracle knows */
	int object[OBJECTS];
	int file, pipe[2]; /* for copies by the kernel */
	unsigned long number; /* of the step being done */
	const struct step *step;
	unsigned checks;
};

extern bool on_tern;
extern uint64_t seed;
extern uint32_t *failed; /* shared by all: somebody has failed */

/* Ends the process, and is told by the first that fails only; c: what it did, or NULL. */
_Noreturn void fail(const struct place *c, const char *format, ...);
/* Signal handlers, for the whole process. */
void catch_faults(void);
/* Anything but forks and exits. */
void perform(struct place *c, const struct step *s);
/* Chooses a base across the end of a leaf table, with nothing else in its two tables; for odd seeds
 * also across the end of a table above. */
void place_window(struct place *c, size_t pages);
/* The page above a window is mapped, so that nothing grows out of it. */
void close_window(const struct place *c);
/* Moves the heap's end to the window; it has no memory of its own.  From here on nobody may use malloc. */
void move_heap(const struct place *c);
/* The objects, as large as the oracle's; and what copies go through. */
void open_objects(struct place *c, const struct oracle *o);
void open_ways(struct place *c);
