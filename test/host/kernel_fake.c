/* See kernel_fake.h. */
#include "kernel_fake.h"

#include <kernel/lib/log.h>
#include <mm/frame.h>
#include <mm/slab.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

long fake_allocs_left = -1, fake_allocs_live;

static void *fake_alloc(size_t size)
{
	if (fake_allocs_left == 0)
		return NULL;
	if (fake_allocs_left > 0)
		fake_allocs_left--;
	fake_allocs_live++;
	return calloc(1, size);
}

void *kmalloc(size_t size) { return fake_alloc(size); }

void kfree(void *p)
{
	if (p)
		fake_allocs_live--;
	free(p);
}

u64 kernel_share = 1ull << 30;

void slab_cache_init(struct slab_cache *c, const char *name, size_t size)
{
	c->name = name;
	c->size = (u32)size;
}

void *slab_alloc(struct slab_cache *c) { return fake_alloc(c->size); }

void slab_free(struct slab_cache *c, void *p)
{
	(void)c;
	kfree(p);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
