/* Chooses where the parts of a new program's space lie (layout.c says how). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The stack can always grow this much: nothing else is placed there. */
#define LAYOUT_STACK_ROOM (128ull << 20)

struct layout {
	uint64_t stack_top;
	uint64_t mmap_top;  /* mappings go downward from here */
	uint64_t pie_base;  /* the lowest address of a position-independent program */
	uint64_t brk_shift; /* from the end of its data to the start of its heap */
};

/* Uses the four random numbers `words` if `random`; stack_limit is RLIMIT_STACK's, in bytes. */
void layout_choose(struct layout *l, const uint64_t words[4], bool random, uint64_t stack_limit);
