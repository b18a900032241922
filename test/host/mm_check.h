/* mm_check.c: each asserts all that mm/ keeps true of its part. */
#pragma once

#include <stdint.h>

struct aspace;
struct memobj;
struct radix;

void frame_check(void);
void slab_check(void);
uint64_t objects_in_use(const char *cache); /* of the slab cache of that name */
void radix_check(const struct radix *t);
void memobj_check(struct memobj *m);
void aspace_check(struct aspace *as);
