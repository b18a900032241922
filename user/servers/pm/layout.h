/* Where the parts of a new program's space go. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The stack may always grow this much: only what lies below may be another's. */
#define LAYOUT_STACK_ROOM (128ull << 20)

struct layout {
	uint64_t stack_top;
	uint64_t mmap_top;  /* mappings go downward from here */
	uint64_t pie_base;  /* of a program that may lie anywhere */
	uint64_t brk_shift; /* from the end of its data to the start of its heap */
};

/* `words`: 4 random numbers, used if `random`; stack_limit: bytes, RLIMIT_STACK's. */
void layout_choose(struct layout *l, const uint64_t words[4], bool random, uint64_t stack_limit);
