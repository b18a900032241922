/* Unit tests of mm: buddies, slabs, radix trees, regions, and what the manuals say of each call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mm_check.h"
#include "tlb_model.h"

#include "../../mm/mm_priv.h"

static u64 state = 88172645463325252ul;

static u32 rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 16);
}

static bool always_fail(void) { return true; }

static int start(void **unused)
{
	(void)unused;
	model_random = rnd;
	model_asids = 65536;
	model_start(8192);
	return 0;
}

/* ---- frames ---- */

static void test_buddy(void **unused)
{
	enum { N = 200 };
	static struct {
		pfn_t pfn;
		unsigned order;
	} have[N];
	struct tern_frame_stats before, after;

	(void)unused;
	mm_fail_hook = NULL;
	frame_stats(&before);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = rnd() % N, order = rnd() % 4 ? 0 : rnd() % 6;

		model_hart(rnd() % MODEL_HARTS);
		if (have[k].pfn) {
			frame_free(have[k].pfn, have[k].order);
			have[k].pfn = 0;
			continue;
		}
		have[k].pfn = frame_alloc(order, FRAME_KERNEL, rnd() % 2 ? FRAME_ZERO : 0);
		have[k].order = order;
		assert_false(have[k].pfn & ((1ul << order) - 1));
		if (have[k].pfn)
			memset(pfn_to_virt(have[k].pfn), 0x5a, PAGE_SIZE << order);
		if (i % 500 == 0)
			frame_check();
	}
	for (unsigned k = 0; k < N; k++)
		if (have[k].pfn)
			frame_free(have[k].pfn, have[k].order);
	memset(have, 0, sizeof(have));
	frame_stats(&after);
	assert_int_equal(before.free, after.free);
	frame_check();
}

/* All of memory in single frames, though every hart keeps some, and then a large block again. */
static void test_out_of_memory(void **unused)
{
	static pfn_t all[8192];
	unsigned n = 0;
	pfn_t pfn;

	(void)unused;
	mm_fail_hook = NULL;
	for (unsigned h = 0; h < MODEL_HARTS; h++) {
		model_hart(h);
		pfn = frame_alloc(0, FRAME_USER, FRAME_ZERO);
		frame_put(pfn);
		pfn = frame_alloc(0, FRAME_TABLE, FRAME_ZERO);
		frame_free_zeroed(pfn);
	}
	model_hart(0);
	while ((pfn = frame_alloc(0, FRAME_USER, FRAME_ZERO))) {
		assert_int_equal(*(u64 *)pfn_to_virt(pfn), 0);
		all[n++] = pfn;
	}
	frame_check();
	for (unsigned i = 0; i < n; i++) {
		model_hart(i % MODEL_HARTS);
		frame_put(all[i]);
	}
	model_hart(0);
	pfn = frame_alloc(10, FRAME_KERNEL, 0);
	assert_true(pfn);
	frame_free(pfn, 10);
	frame_check();
}

/* What idle harts zero is handed out zeroed and first, to any hart, and is not lost when memory is out. */
static void test_prepared_frames(void **unused)
{
	static pfn_t all[8192];
	struct tern_frame_stats before, after;
	unsigned n = 0, count;
	pfn_t pfn;

	(void)unused;
	mm_fail_hook = NULL;
	while ((pfn = frame_alloc(0, FRAME_USER, 0))) {
		memset(pfn_to_virt(pfn), 0x5a, PAGE_SIZE);
		all[n++] = pfn;
	}
	count = n;
	assert_false(frames_prepare()); /* none to spare */
	while (n)
		frame_put(all[--n]);
	frame_stats(&before);
	model_hart(1);
	for (n = 0; frames_prepare(); n++)
		;
	assert_true(n > 0 && n < count / 8);
	frame_stats(&after);
	assert_int_equal(before.free, after.free);
	frame_check();
	model_hart(0);
	n = 0;
	while ((pfn = frame_alloc(0, FRAME_USER, FRAME_ZERO))) {
		for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
			assert_int_equal(((u64 *)pfn_to_virt(pfn))[i], 0);
		all[n++] = pfn;
	}
	assert_int_equal(n, count);
	while (n)
		frame_put(all[--n]);
	while (frames_prepare())
		;
	while ((pfn = frame_alloc(0, FRAME_USER, 0)))
		all[n++] = pfn;
	assert_int_equal(n, count);
	while (n)
		frame_put(all[--n]);
	frame_check();
}

/* ---- objects ---- */

static struct memobj *full_object(u64 pages)
{
	struct memobj *m = memobj_create(pages * PAGE_SIZE, 7);

	assert_non_null(m);
	for (u64 i = 0; i < pages; i++)
		assert_int_equal(memobj_write(m, i * PAGE_SIZE, "x", 1), 1);
	return m;
}

/* A large object's pages go in steps, and some other object's meanwhile; a small one's at once. */
static void test_objects_end_in_steps(void **unused)
{
	struct tern_frame_stats before, now;
	struct memobj *m, *n;
	unsigned steps = 0;
	char c = 1;

	(void)unused;
	mm_fail_hook = NULL;
	frame_stats(&before);
	mm_defers = true;
	m = full_object(10);
	memobj_put(m);
	assert_false(memobj_reap());
	assert_int_equal(objects_in_use("memobj"), 0);
	m = full_object(2000);
	n = full_object(1500);
	frame_stats(&now);
	assert_true(now.user - before.user == 3500);
	assert_int_equal(memobj_resize(n, 0), 0); /* the size at once, the pages later */
	assert_int_equal(memobj_resize(n, PAGE_SIZE), 0);
	assert_int_equal(memobj_read(n, 0, &c, 1), 1);
	assert_int_equal(c, 0);
	memobj_check(n);
	memobj_put(m);
	frame_stats(&now);
	assert_true(now.user - before.user == 3500);
	while (memobj_reap()) {
		u64 was = now.user;

		frame_stats(&now);
		assert_true(was - now.user <= 512);
		steps++;
	}
	assert_true(steps >= 6);
	memobj_put(n);
	mm_defers = false;
	frame_stats(&now);
	assert_int_equal(now.user, before.user);
	assert_int_equal(objects_in_use("memobj"), 0);
	frame_check();
}

/* What a pager can bring again goes when memory is wanted; what others wrote stays. */
static void test_clean_pages_are_reclaimed(void **unused)
{
	struct memobj *m = memobj_create_paged(3000 * PAGE_SIZE, 7, (struct pager *)1);
	struct tern_frame_stats before, now;
	unsigned times = 0;

	(void)unused;
	mm_fail_hook = NULL;
	assert_non_null(m);
	assert_false(memobj_reclaim());
	frame_stats(&before);
	for (u64 i = 0; i < 3000; i++)
		assert_int_equal(memobj_write(m, i * PAGE_SIZE, "x", 1), 1);
	while (memobj_reclaim())
		times++;
	assert_true(times >= 2);
	frame_stats(&now);
	assert_int_equal(now.user, before.user);
	assert_int_equal(m->resident, 0);
	memobj_check(m);
	assert_int_equal(memobj_write(m, 5 * PAGE_SIZE, "x", 1), 1);
	m->dirty = true;
	assert_false(memobj_reclaim());
	assert_int_equal(m->resident, 1);
	memobj_put(m);
	while (memobj_reap()) {
	}
	frame_check();
}

/* ---- slabs ---- */

static void test_slab(void **unused)
{
	enum { N = 3000 };
	static void *have[N];
	static size_t size[N];

	(void)unused;
	mm_fail_hook = NULL;
	for (unsigned i = 0; i < 40000; i++) {
		unsigned k = rnd() % N;

		model_hart(rnd() % MODEL_HARTS);
		if (have[k]) {
			for (size_t b = 0; b < size[k]; b++)
				assert_int_equal(((u8 *)have[k])[b], (u8)k);
			kfree(have[k]);
			have[k] = NULL;
			continue;
		}
		size[k] = 1 + rnd() % (rnd() % 50 ? 300 : 9000);
		have[k] = kmalloc(size[k]);
		assert_non_null(have[k]);
		assert_false((uintptr_t)have[k] & 15);
		for (size_t b = 0; b < size[k]; b++)
			assert_int_equal(((u8 *)have[k])[b], 0);
		memset(have[k], (int)k, size[k]);
		if (i % 4000 == 0)
			slab_check();
	}
	for (unsigned k = 0; k < N; k++) {
		kfree(have[k]);
		have[k] = NULL;
	}
	slab_check();
	assert_null(kmalloc(64ul << 20));
	mm_fail_hook = always_fail;
	assert_null(kmalloc(100));
	assert_null(memobj_create(100, 0));
	assert_null(aspace_create());
}

/* ---- radix ---- */

static void test_radix(void **unused)
{
	enum { N = 300 };
	static u64 index[N];
	static bool in[N];
	struct radix t = { 0 };

	(void)unused;
	mm_fail_hook = NULL;
	for (unsigned i = 0; i < N; i++)
		index[i] = i < 150 ? i : ((u64)rnd() << 22 ^ rnd()) >> rnd() % 40 | 1ul << (10 + i % 40);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = rnd() % N;
		u64 at = rnd() % 200, next = ~0ul, got;
		bool dup = false;

		for (unsigned j = 0; j < N; j++)
			dup = dup || (j != k && in[j] && index[j] == index[k]);
		if (dup)
			continue;
		if (in[k]) {
			assert_int_equal(radix_get(&t, index[k]), k + 1);
			assert_int_equal(radix_clear(&t, index[k]), k + 1);
		} else {
			assert_int_equal(radix_get(&t, index[k]), 0);
			assert_int_equal(radix_set(&t, index[k], k + 1), 0);
		}
		in[k] = !in[k];
		for (unsigned j = 0; j < N; j++)
			if (in[j] && index[j] >= at && index[j] < next)
				next = index[j];
		got = radix_next(&t, &at);
		assert_int_equal(!!got, next != ~0ul);
		if (got)
			assert_int_equal(at, next);
		if (i % 1000 == 0)
			radix_check(&t);
	}
	for (unsigned j = 0; j < N; j++)
		if (in[j])
			radix_clear(&t, index[j]);
	assert_null(t.root.child);
	slab_check();
}

/* A set that fails for want of any of its nodes leaves none. */
static long fail_in;
static bool fail_later(void) { return fail_in-- == 0; }

static void test_radix_failures(void **unused)
{
	struct radix t = { 0 };

	(void)unused;
	mm_fail_hook = fail_later;
	for (long i = 0;; i++) {
		fail_in = i;
		if (!radix_set(&t, 1ul << 33, 7))
			break;
		radix_check(&t);
		assert_null(t.root.child);
	}
	mm_fail_hook = NULL;
	assert_int_equal(radix_clear(&t, 1ul << 33), 7);
	assert_null(t.root.child);
}

/* ---- spaces ---- */

static struct mm_work work;

static int done(int res)
{
	while (res == MM_MORE)
		res = mm_work_step(&work);
	return res;
}

static int map_at(struct aspace *as, va_t addr, u64 len, unsigned prot, unsigned flags, va_t *at)
{
	return done(aspace_map(as, addr, len, prot, 7, flags, NULL, 0, &work, at));
}

#define P PAGE_SIZE
#define AT 0x10000000ul
#define PRIV (MAP_PRIVATE | MAP_ANONYMOUS)

static void finish(struct aspace *as)
{
	aspace_check(as);
	assert_int_equal(done(aspace_destroy(as, &work)), 0);
	aspace_put(as);
	frame_check();
}

static void test_map_rules(void **unused)
{
	struct aspace *as = aspace_create();
	struct memobj *m = memobj_create(4 * P, 9);
	va_t at;

	(void)unused;
	assert_int_equal(map_at(as, 0, 0, 3, PRIV, &at), -EINVAL);
	assert_int_equal(map_at(as, 0, ~0ul, 3, PRIV, &at), -ENOMEM);
	assert_int_equal(map_at(as, 0, ~0ul - 2 * P, 3, PRIV, &at), -ENOMEM);
	assert_int_equal(map_at(as, 0, USER_MAX, 3, PRIV, &at), -ENOMEM);
	assert_int_equal(map_at(as, 0, P, 3, MAP_ANONYMOUS, &at), -EINVAL);
	assert_int_equal(map_at(as, 0, P, 3, MAP_SHARED_VALIDATE | MAP_SYNC, &at), -EOPNOTSUPP);
	assert_int_equal(map_at(as, AT + 1, P, 3, PRIV | MAP_FIXED, &at), -EINVAL);
	assert_int_equal(map_at(as, 0, P, 3, PRIV | MAP_FIXED, &at), -EPERM);
	assert_int_equal(map_at(as, USER_MAX, P, 3, PRIV | MAP_FIXED, &at), -ENOMEM);
	assert_int_equal(map_at(as, ~0ul - P + 1, P, 3, PRIV | MAP_FIXED, &at), -ENOMEM);
	assert_int_equal(map_at(as, AT, P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(map_at(as, AT, P, 3, PRIV | MAP_FIXED_NOREPLACE, &at), -EEXIST);
	assert_int_equal(map_at(as, AT + P, P, 3, PRIV | MAP_FIXED_NOREPLACE, &at), 0);
	assert_int_equal(as->nregions, 1); /* joined */
	assert_int_equal(map_at(as, AT + 5, 2 * P, 3, PRIV, &at), 0);
	assert_int_equal(at, as->mmap_top - 2 * P); /* the hint is taken */
	assert_int_equal(map_at(as, AT + 64 * P + 5, P, 3, PRIV, &at), 0);
	assert_int_equal(at, AT + 65 * P);
	assert_int_equal(aspace_map(as, 0, P, 3, 1, MAP_SHARED, m, 0, &work, &at), -EACCES);
	assert_int_equal(aspace_map(as, 0, P, 3, 7, MAP_SHARED, m, 5, &work, &at), -EINVAL);
	assert_int_equal(aspace_map(as, 0, 2 * P, 3, 7, MAP_SHARED, m, ~0ul - P + 1, &work, &at),
			 -EOVERFLOW);
	assert_int_equal(done(aspace_map(as, 0, 2 * P, 3, 7, MAP_SHARED, m, 3 * P, &work, &at)), 0);
	assert_int_equal(m->nregions, 1);
	assert_int_equal(m->nwritable, 1);
	assert_int_equal(aspace_fault(as, at, FAULT_WRITE), FAULT_OK);
	assert_int_equal(aspace_fault(as, at + P, FAULT_READ), FAULT_BUS);
	assert_int_equal(aspace_fault(as, at + 2 * P, FAULT_EXEC), FAULT_ACCERR); /* its neighbour */
	assert_int_equal(aspace_fault(as, 5, FAULT_READ), FAULT_MAPERR);
	assert_int_equal(aspace_fault(as, ~0ul, FAULT_READ), FAULT_MAPERR);
	as->limit_as = (as->mapped + 3) * P;
	assert_int_equal(map_at(as, 0, 4 * P, 3, PRIV, &at), -ENOMEM);
	assert_int_equal(map_at(as, 0, 3 * P, 3, PRIV, &at), 0);
	assert_int_equal(map_at(as, at, 3 * P, 1, PRIV | MAP_FIXED, &at), 0); /* in its place */
	as->limit_as = ~0ul;
	as->limit_data = as->data * P;
	assert_int_equal(map_at(as, 0, P, 3, PRIV, &at), -ENOMEM);
	assert_int_equal(map_at(as, 0, P, 1, PRIV, &at), 0);
	assert_int_equal(done(aspace_protect(as, at, P, 3, &work)), -ENOMEM);
	finish(as);
	memobj_check(m);
	memobj_put(m);
	assert_int_equal(objects_in_use("memobj"), 0);
	assert_int_equal(objects_in_use("region"), 0);
}

static unsigned told, forgot;
static void on_watch(struct note *n, bool gone)
{
	assert_ptr_equal(n, &told);
	*(gone ? &forgot : &told) += 1;
}

/* Whoever watches an object hears when its last region goes: not of the one before it, nor of regions
 * that are split, moved or forked; and not while a lock is held, so only from memobj_reap(). */
static void test_watchers_are_told(void **unused)
{
	struct aspace *as = aspace_create(), *child = aspace_create();
	struct memobj *m = memobj_create(4 * P, 9);
	va_t at, other;

	(void)unused;
	told = forgot = 0;
	model_on_watch = on_watch;
	m->watch = (struct note *)&told;
	assert_int_equal(done(aspace_map(as, 0, 4 * P, 3, 7, MAP_SHARED, m, 0, &work, &at)), 0);
	assert_int_equal(done(aspace_protect(as, at + P, P, 1, &work)), 0);
	assert_int_equal(m->nregions, 3);
	assert_int_equal(done(aspace_fork(as, child, &work)), 0);
	assert_int_equal(m->nregions, 6);
	assert_int_equal(done(aspace_unmap(as, at, 4 * P, &work)), 0);
	assert_false(memobj_reap());
	assert_int_equal(told, 0);
	assert_int_equal(done(aspace_destroy(child, &work)), 0);
	aspace_put(child);
	assert_int_equal(m->nregions, 0);
	assert_int_equal(told, 0);
	assert_false(memobj_reap());
	assert_int_equal(told, 1);
	assert_false(memobj_reap());
	assert_int_equal(told, 1);
	/* Twice before anybody looks is once; a reference of the list's is not in the way of its end. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(done(aspace_map(as, 0, P, 3, 7, MAP_PRIVATE, m, 0, &work, &other)), 0);
		assert_int_equal(done(aspace_unmap(as, other, P, &work)), 0);
	}
	memobj_put(m);
	assert_int_equal(forgot, 0);
	while (memobj_reap()) {
	}
	assert_int_equal(told, 2);
	assert_int_equal(forgot, 1);
	assert_int_equal(objects_in_use("memobj"), 0);
	finish(as);
}

static void test_unmap_protect_rules(void **unused)
{
	struct aspace *as = aspace_create();
	va_t at;

	(void)unused;
	assert_int_equal(aspace_unmap(as, AT + 1, P, &work), -EINVAL);
	assert_int_equal(aspace_unmap(as, AT, 0, &work), -EINVAL);
	assert_int_equal(aspace_unmap(as, AT, ~0ul, &work), -EINVAL);
	assert_int_equal(aspace_unmap(as, USER_MAX - P, 2 * P, &work), -EINVAL);
	assert_int_equal(aspace_unmap(as, AT, P, &work), 0); /* holes are fine */
	assert_int_equal(map_at(as, AT, 4 * P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(map_at(as, AT + 6 * P, 4 * P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(aspace_protect(as, AT + 1, P, 1, &work), -EINVAL);
	assert_int_equal(aspace_protect(as, AT, P, 16, &work), -EINVAL);
	assert_int_equal(aspace_protect(as, AT, 0, 1, &work), 0);
	assert_int_equal(aspace_protect(as, AT, ~0ul - AT, 1, &work), -ENOMEM);
	assert_int_equal(aspace_protect(as, AT - P, P, 1, &work), -ENOMEM);
	/* What precedes the hole is changed. */
	assert_int_equal(done(aspace_protect(as, AT + 2 * P, 6 * P, 1, &work)), -ENOMEM);
	assert_int_equal(aspace_fault(as, AT + 3 * P, FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(aspace_fault(as, AT + 6 * P, FAULT_WRITE), FAULT_OK);
	assert_int_equal(as->nregions, 3);
	assert_int_equal(done(aspace_protect(as, AT + 2 * P, 2 * P, 3, &work)), 0);
	assert_int_equal(as->nregions, 2); /* joined again */
	assert_int_equal(done(aspace_unmap(as, AT, 100 * P, &work)), 0);
	assert_int_equal(as->nregions, 0);
	assert_int_equal(as->mapped, 0);
	finish(as);
}

static void test_stack(void **unused)
{
	struct aspace *as = aspace_create();
	va_t top = 0x30000000, at;

	(void)unused;
	assert_int_equal(map_at(as, top - 2 * P, 2 * P, 3, PRIV | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK,
				&at),
			 0);
	as->limit_stack = 1024 * P;
	assert_int_equal(aspace_fault(as, top - 10 * P, FAULT_WRITE), FAULT_OK);
	assert_int_equal(as->mapped, 10);
	assert_int_equal(aspace_fault(as, top - 1024 * P, FAULT_WRITE), FAULT_OK);
	assert_int_equal(aspace_fault(as, top - 1025 * P, FAULT_WRITE), FAULT_MAPERR);
	assert_int_equal(as->mapped, 1024);
	/* The gap below is kept by faults, and by mmap. */
	as->limit_stack = 4096 * P;
	assert_int_equal(map_at(as, top - 2000 * P, P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(aspace_fault(as, top - 1999 * P + 256 * P, FAULT_WRITE), FAULT_OK);
	assert_int_equal(aspace_fault(as, top - 1999 * P + 255 * P, FAULT_WRITE), FAULT_MAPERR);
	as->mmap_top = top - 1743 * P;
	assert_int_equal(map_at(as, 0, P, 3, PRIV, &at), 0);
	assert_int_equal(at, top - 2001 * P);
	finish(as);
}

static void test_brk(void **unused)
{
	struct aspace *as = aspace_create();
	va_t at;

	(void)unused;
	as->layout.brk_start = as->brk = AT + 100;
	assert_int_equal(aspace_brk(as, 0, &work, &at), 0);
	assert_int_equal(at, AT + 100);
	assert_int_equal(done(aspace_brk(as, AT + 3 * P + 1, &work, &at)), 0);
	assert_int_equal(at, AT + 3 * P + 1);
	assert_int_equal(as->mapped, 3); /* the page of brk_start is the data segment's */
	assert_int_equal(aspace_fault(as, AT + 3 * P, FAULT_WRITE), FAULT_OK);
	assert_int_equal(done(aspace_brk(as, AT + 2 * P, &work, &at)), 0);
	assert_int_equal(as->mapped, 1);
	assert_int_equal(as->resident, 0);
	assert_int_equal(map_at(as, AT + 8 * P, P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(done(aspace_brk(as, AT + 9 * P, &work, &at)), 0);
	assert_int_equal(at, AT + 2 * P);
	as->limit_data = 5 * P;
	assert_int_equal(done(aspace_brk(as, AT + 7 * P, &work, &at)), 0);
	assert_int_equal(at, AT + 2 * P);
	assert_int_equal(done(aspace_brk(as, ~0ul, &work, &at)), 0);
	assert_int_equal(at, AT + 2 * P);
	finish(as);
}

static void test_remap_rules(void **unused)
{
	struct aspace *as = aspace_create();
	u32 v = 0;
	va_t at;

	(void)unused;
	assert_int_equal(map_at(as, AT, 4 * P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(user_write_u32(as, AT + P, 77), 0);
	assert_int_equal(aspace_remap(as, AT + 1, P, P, 1, 0, &work, &at), -EINVAL);
	assert_int_equal(aspace_remap(as, AT, P, 0, 1, 0, &work, &at), -EINVAL);
	assert_int_equal(aspace_remap(as, AT, P, P, 8, 0, &work, &at), -EINVAL);
	assert_int_equal(aspace_remap(as, AT, P, P, MREMAP_FIXED, 0, &work, &at), -EINVAL);
	assert_int_equal(aspace_remap(as, AT, 0, P, 1, 0, &work, &at), -EINVAL);
	assert_int_equal(aspace_remap(as, AT + 8 * P, P, 2 * P, 1, 0, &work, &at), -EFAULT);
	assert_int_equal(aspace_remap(as, AT, 5 * P, 6 * P, 1, 0, &work, &at), -EFAULT);
	assert_int_equal(aspace_remap(as, AT, 4 * P, 4 * P, 3, AT + P, &work, &at), -EINVAL);
	assert_int_equal(done(aspace_remap(as, AT, 4 * P, 8 * P, 0, 0, &work, &at)), 0);
	assert_int_equal(at, AT);
	assert_int_equal(as->mapped, 8);
	assert_int_equal(done(aspace_remap(as, AT, P, 2 * P, 0, 0, &work, &at)), -ENOMEM);
	assert_int_equal(done(aspace_remap(as, AT, 8 * P, 3 * P, 0, 0, &work, &at)), 0);
	assert_int_equal(as->mapped, 3);
	assert_int_equal(done(aspace_remap(as, AT, 3 * P, 2 * P, 3, AT + (600ul << 21), &work, &at)),
			 0);
	assert_int_equal(as->mapped, 2);
	assert_int_equal(user_read_u32(as, at + P, &v), 0);
	assert_int_equal(v, 77);
	assert_int_equal(user_read_u32(as, AT + P, &v), -EFAULT);
	finish(as);
}

/* A table that the move empties is also the one that later pages move into. */
static void test_remap_over_a_table(void **unused)
{
	struct aspace *as = aspace_create();
	va_t edge = AT & ~(pt_span(1) - 1), from = edge + pt_span(1) - 3 * P, to = edge - 6 * P, at;
	u32 v;

	(void)unused;
	assert_int_equal(map_at(as, from, 8 * P, 3, PRIV | MAP_FIXED, &at), 0);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(user_write_u32(as, from + i * P, i + 1), 0);
	assert_int_equal(done(aspace_remap(as, from, 8 * P, 8 * P, 3, to, &work, &at)), 0);
	for (u32 i = 0; i < 8; i++) {
		assert_int_equal(user_read_u32(as, to + i * P, &v), 0);
		assert_int_equal(v, i + 1);
	}
	finish(as);
}

/* Holes found by the tree against the plainest search. */
/* An object gives pages back while a mapping of it moves: what is private goes on moving, into tables
 * that were made for it and are empty yet. */
static void test_punch_meets_a_move(void **unused)
{
	enum { N = 4096 }; /* pages: more than one step of a move */
	struct aspace *as = aspace_create();
	struct memobj *m = memobj_create(N * P, 9);
	va_t to = AT + 4 * N * P, at;
	unsigned steps = 0;
	int res;

	(void)unused;
	assert_int_equal(done(aspace_map(as, AT, N * P, 3, 7, MAP_PRIVATE | MAP_FIXED, m, 0, &work, &at)), 0);
	for (va_t i = 0; i < N; i++)
		assert_int_equal(aspace_fault(as, AT + i * P, FAULT_WRITE), FAULT_OK);
	res = aspace_remap(as, AT, N * P, N * P, MREMAP_MAYMOVE | MREMAP_FIXED, to, &work, &at);
	for (; res == MM_MORE; steps++) {
		assert_int_equal(memobj_punch(m, 0, N * P), 0);
		res = mm_work_step(&work);
	}
	assert_int_equal(res, 0);
	assert_true(steps > 2);
	assert_int_equal(as->resident, N);
	aspace_check(as);
	finish(as);
	memobj_put(m);
}

static void test_gaps(void **unused)
{
	enum { N = 400 };
	static bool used[N];
	struct aspace *as = aspace_create();

	(void)unused;
	memset(used, 0, sizeof(used));
	for (unsigned i = 0; i < 4000; i++) {
		unsigned k = rnd() % N, n = 1 + rnd() % 6, best = N, high = 1 + rnd() % N;
		va_t at;

		if (used[k])
			assert_int_equal(done(aspace_unmap(as, AT + k * P, P, &work)), 0);
		else /* different rights: neighbours that do not join */
			assert_int_equal(map_at(as, AT + k * P, P, 1 + k % 3, PRIV | MAP_FIXED, &at),
					 0);
		used[k] = !used[k];
		for (unsigned j = 0; j + n <= high; j++) {
			bool free = true;

			for (unsigned x = j; x < j + n; x++)
				free = free && !used[x];
			if (free)
				best = j;
		}
		assert_int_equal(region_find_gap(as, n * P, AT, AT + high * P, &at), best != N);
		if (best != N)
			assert_int_equal(at, AT + best * P);
		if (i % 100 == 0)
			aspace_check(as);
	}
	finish(as);
}

static void test_too_many_regions(void **unused)
{
	struct aspace *as = aspace_create();
	va_t at = 0;
	u64 i;
	int res = 0;

	(void)unused;
	mm_fail_hook = NULL;
	for (i = 0; !res; i++)
		res = map_at(as, AT + 2 * i * P, P, 1, PRIV | MAP_FIXED, &at);
	assert_int_equal(res, -ENOMEM);
	assert_true(as->nregions == REGIONS_MAX || !aspace_has_room(as));
	assert_int_equal(done(aspace_unmap(as, AT, P, &work)), 0);
	assert_int_equal(map_at(as, AT - 8 * P, 3 * P, 1, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(aspace_unmap(as, AT - 7 * P, P, &work), -ENOMEM);
	assert_int_equal(aspace_protect(as, AT - 7 * P, P, 3, &work), -ENOMEM);
	finish(as);
}

/* Tables have the same bound as all that describes a space, and end with what needed them. */
static void test_too_many_tables(void **unused)
{
	struct aspace *as = aspace_create();
	va_t at = 0, va = AT;
	u64 most = kernel_share / P;

	(void)unused;
	mm_fail_hook = NULL;
	assert_int_equal(map_at(as, AT, (most + 8) * pt_span(1), 1, PRIV | MAP_FIXED, &at), 0);
	while (aspace_fault(as, va, FAULT_READ) == FAULT_OK)
		va += pt_span(1);
	assert_int_equal(aspace_fault(as, va, FAULT_READ), FAULT_NOMEM);
	assert_true(as->tables <= most && as->tables > most - 3);
	assert_int_equal(done(aspace_unmap(as, AT, pt_span(1), &work)), 0);
	assert_int_equal(aspace_fault(as, va, FAULT_READ), FAULT_OK);
	finish(as);
}

/* Strings of every length at every alignment on both sides, over the ends of pages. */
static void test_strings(void **unused)
{
	struct aspace *from = aspace_create(), *to = aspace_create();
	char text[2 * 64], got[2 * 64 + 2];
	va_t at;

	(void)unused;
	assert_int_equal(map_at(from, AT, 2 * P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(map_at(to, AT, 2 * P, 3, PRIV | MAP_FIXED, &at), 0);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned len = rnd() % 40, size = rnd() % 48, back = rnd() % 48, there = rnd() % 48;
		va_t s = AT + P - back, d = AT + P - there;
		unsigned want = len < size ? len : size, bytes = len < size ? len + 1 : size;

		for (unsigned k = 0; k < sizeof text; k++)
			text[k] = (char)(k < 40 && rnd() % 4 ? (rnd() % 2 ? 0x80 : 1) : rnd() % 255 + 1);
		text[len] = 0;
		assert_int_equal(copy_to_user(from, s, text, len + 1), len + 1);
		memset(got, 7, sizeof got);
		assert_int_equal(copy_to_user(to, d - 1, got, 64), 64);
		assert_int_equal(aspace_copy_string(to, d, from, s, size), want);
		assert_int_equal(copy_from_user(to, got, d - 1, 64), 64);
		assert_int_equal(got[0], 7);
		assert_memory_equal(got + 1, text, bytes);
		assert_int_equal(got[1 + bytes], 7);
	}
	finish(from);
	finish(to);
}

static int start_with_few_numbers(void **unused)
{
	(void)unused;
	model_random = rnd;
	model_asids = 16;
	model_start(8192);
	return 0;
}

static struct aspace *activate_new(unsigned hart)
{
	struct aspace *as = aspace_create();

	model_hart(hart);
	aspace_activate(as);
	return as;
}

/* A space that runs when a generation of ASIDs ends keeps its number; nobody else gets it in the next
 * one, also if the space has stopped running before its number comes up. */
static void test_a_kept_asid_is_not_given_again(void **unused)
{
	struct aspace *as[40], *keeper;
	unsigned n = 0;
	u64 first;

	(void)unused;
	while (n < 9)
		as[n++] = activate_new(0);
	first = as[0]->asid_gen >> 16;
	keeper = as[n++] = activate_new(1);
	do
		as[n] = activate_new(0);
	while (as[n++]->asid_gen >> 16 == first);
	assert_int_equal(keeper->asid_gen >> 16, first + 1);
	model_hart(1);
	aspace_activate(NULL);
	for (unsigned i = 0; i < 12; i++, n++) {
		as[n] = activate_new(0);
		assert_int_equal(as[n]->asid_gen >> 16, first + 1);
		assert_int_not_equal(as[n]->asid_gen, keeper->asid_gen);
	}
	aspace_activate(NULL);
	while (n)
		finish(as[--n]);
}

/* Harts that have left a space are not asked to forget it; they do when they come back. */
static void test_only_harts_that_run_a_space_are_interrupted(void **unused)
{
	struct aspace *as = activate_new(0);
	u64 remote;
	va_t at;
	u8 *byte;

	(void)unused;
	assert_int_equal(map_at(as, AT, 4 * P, 3, PRIV | MAP_FIXED, &at), 0);
	for (unsigned h = 0; h < 3; h++) {
		model_hart(h);
		aspace_activate(as);
		assert_int_equal(model_access(as, AT, FAULT_WRITE, &byte), FAULT_OK);
	}
	aspace_activate(NULL);
	model_hart(1);
	aspace_activate(NULL);
	model_hart(0);
	remote = model_remote;
	assert_int_equal(done(aspace_unmap(as, AT, P, &work)), 0);
	assert_int_equal(model_remote, remote);
	model_hart(1);
	aspace_activate(as);
	assert_int_equal(model_access(as, AT, FAULT_READ, &byte), FAULT_MAPERR);
	model_hart(0);
	assert_int_equal(model_access(as, AT + P, FAULT_WRITE, &byte), FAULT_OK);
	assert_int_equal(done(aspace_unmap(as, AT + P, P, &work)), 0);
	assert_int_equal(model_remote, remote + 1);
	model_hart(2);
	aspace_activate(as);
	assert_int_equal(model_access(as, AT + P, FAULT_READ, &byte), FAULT_MAPERR);
	for (unsigned h = 0; h < 3; h++) {
		model_hart(h);
		aspace_activate(NULL);
	}
	finish(as);
}

static struct aspace *entered;

static void enter_meanwhile(void)
{
	model_publishing = NULL;
	model_hart(1);
	aspace_activate(entered);
	model_peek(AT);
	model_hart(0);
}

/* A page is copied on one hart as another one, which had left the space, comes back and reads it. */
static void test_no_hart_keeps_a_page_that_is_being_replaced(void **unused)
{
	struct aspace *as = activate_new(0), *child = aspace_create();
	va_t at;
	u8 *byte;

	(void)unused;
	entered = as;
	assert_int_equal(map_at(as, AT, P, 3, PRIV | MAP_FIXED, &at), 0);
	for (unsigned h = 0; h < 2; h++) {
		model_hart(h);
		aspace_activate(as);
		assert_int_equal(model_access(as, AT, FAULT_WRITE, &byte), FAULT_OK);
	}
	aspace_activate(NULL);
	model_hart(0);
	assert_int_equal(done(aspace_fork(as, child, &work)), 0);
	assert_int_equal(model_access(as, AT, FAULT_READ, &byte), FAULT_OK);
	model_publishing = enter_meanwhile;
	assert_int_equal(model_access(as, AT, FAULT_WRITE, &byte), FAULT_OK);
	assert_null(model_publishing);
	model_hart(1);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(model_access(as, AT, FAULT_READ, &byte), FAULT_OK);
	for (unsigned h = 0; h < 2; h++) {
		model_hart(h);
		aspace_activate(NULL);
	}
	finish(as);
	finish(child);
}

/* New instructions: harts that run the space fetch anew at once, the others when they enter a space. */
static void test_harts_fetch_new_instructions(void **unused)
{
	struct aspace *as[2] = { activate_new(0), activate_new(1) };
	u64 before[3];
	va_t at;
	u8 *byte;

	(void)unused;
	model_hart(2);
	aspace_activate(as[0]);
	aspace_activate(NULL);
	model_hart(0);
	for (unsigned h = 0; h < 3; h++)
		before[h] = model_fetch_fences[h];
	assert_int_equal(map_at(as[0], AT, 2 * P, 7, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(model_access(as[0], AT, FAULT_WRITE, &byte), FAULT_OK);
	assert_int_equal(model_access(as[0], AT, FAULT_EXEC, &byte), FAULT_OK);
	assert_int_equal(model_fetch_fences[0], before[0] + 1);
	assert_int_equal(model_fetch_fences[1], before[1]);
	assert_int_equal(model_fetch_fences[2], before[2]);
	for (unsigned h = 1; h < 3; h++) {
		model_hart(h);
		aspace_activate(as[0]);
		assert_int_equal(model_fetch_fences[h], before[h] + 1);
		aspace_activate(as[1]);
		aspace_activate(as[0]);
		assert_int_equal(model_fetch_fences[h], before[h] + 1);
	}
	aspace_sync_icache(as[0]);
	for (unsigned h = 1; h < 3; h++)
		assert_int_equal(model_fetch_fences[h], before[h] + 2);
	for (unsigned h = 0; h < 3; h++) {
		model_hart(h);
		aspace_activate(NULL);
	}
	finish(as[0]);
	finish(as[1]);
}

/* A new space gets a number, also the first one of all and the first of a generation. */
static void test_no_space_runs_without_a_number(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < 100; i++) {
		struct aspace *as = activate_new(i % 3);

		assert_int_not_equal(as->asid_gen & 0xffff, 0);
		assert_int_not_equal(as->asid_gen >> 16, 0);
		aspace_activate(NULL);
		finish(as);
	}
}

/* While a space is torn down, in steps, nothing comes into it any more. */
static void test_nothing_comes_into_a_dying_space(void **unused)
{
	struct aspace *as = aspace_create();
	char c = 1;
	va_t at;

	(void)unused;
	assert_int_equal(map_at(as, AT, 2000 * P, 3, PRIV | MAP_FIXED, &at), 0);
	for (u32 i = 0; i < 2000; i++)
		assert_int_equal(user_write_u32(as, AT + i * P, 1), 0);
	assert_int_equal(aspace_destroy(as, &work), MM_MORE);
	for (u32 i = 0; i < 2000; i += 100)
		assert_int_equal(aspace_fault(as, AT + i * P, FAULT_WRITE), FAULT_MAPERR);
	assert_int_equal(copy_to_user(as, AT, &c, 1), 0);
	assert_int_equal(done(MM_MORE), 0);
	assert_int_equal(as->resident, 0);
	aspace_put(as);
}

static void test_hostile_copies(void **unused)
{
	struct aspace *as = aspace_create();
	char buf[64] = "x";
	va_t at;
	u32 v;

	(void)unused;
	assert_int_equal(map_at(as, USER_MAX - P, P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(copy_to_user(as, USER_MAX - 8, buf, 64), 8);
	assert_int_equal(copy_from_user(as, buf, USER_MAX - 8, 64), 8);
	assert_int_equal(copy_from_user(as, buf, ~0ul - 8, 64), 0);
	assert_int_equal(copy_from_user(as, buf, KERNEL_HALF, 8), 0);
	assert_int_equal(map_at(as, AT, P, 3, PRIV | MAP_FIXED, &at), 0);
	assert_int_equal(aspace_copy_string(as, AT, as, USER_MAX - 4, 64), 0);
	assert_int_equal(copy_to_user(as, USER_MAX - 4, "abcd", 4), 4);
	assert_int_equal(aspace_copy_string(as, AT, as, USER_MAX - 4, 64), -EFAULT);
	assert_int_equal(aspace_copy_string(as, AT, as, USER_MAX - 4, 3), 3);
	assert_int_equal(aspace_copy_string(as, AT + P - 2, as, USER_MAX - 4, 3), -EFAULT);
	assert_int_equal(aspace_copy_string(as, USER_MAX, as, AT, 3), -EFAULT);
	assert_int_equal(aspace_copy_string(as, KERNEL_HALF, as, AT, 3), -EFAULT);
	assert_int_equal(aspace_copy_string(as, AT, as, ~0ul, 3), -EFAULT);
	assert_int_equal(aspace_copy_string(as, AT, as, ~0ul, 0), 0);
	assert_int_equal(user_read_u32(as, USER_MAX - 3, &v), -EFAULT);
	assert_int_equal(user_read_u32(as, USER_MAX, &v), -EFAULT);
	assert_int_equal(user_cmpxchg_u32(as, USER_MAX - 8, 'x', 5, &v), 0);
	assert_int_equal(user_cmpxchg_u32(as, USER_MAX - 8, 'x', 6, &v), 0);
	assert_int_equal(v, 5);
	finish(as);
}

/* ---- pages of 2 MiB ---- */

#define HUGE pt_span(1)
#define HAT (8 * HUGE) /* where one fits */

/* A space with room for n of them at HAT, on hart 0; advice 0: none. */
static struct aspace *roomy(u32 n, int advice)
{
	struct aspace *as = aspace_create();
	va_t at;

	assert_int_equal(map_at(as, HAT, n * HUGE, 3, PRIV | MAP_FIXED, &at), 0);
	if (advice)
		assert_int_equal(aspace_advise(as, HAT, n * HUGE, advice, &work), 0);
	model_hart(0);
	aspace_activate(as);
	return as;
}

static void quit(struct aspace *as)
{
	for (unsigned h = 0; h < MODEL_HARTS; h++)
		if (model_runs(h, as)) {
			model_hart(h);
			aspace_activate(NULL);
		}
	finish(as);
}

static void touch(struct aspace *as, va_t va, u8 v)
{
	u8 *byte;

	assert_int_equal(model_access(as, va, FAULT_WRITE, &byte), FAULT_OK);
	*byte = v;
	aspace_check(as);
}

static u8 seen(struct aspace *as, va_t va)
{
	u8 *byte;

	assert_int_equal(model_access(as, va, FAULT_READ, &byte), FAULT_OK);
	return *byte;
}

static void test_huge_whole(void **unused)
{
	struct tern_frame_stats before, now;
	struct aspace *as = roomy(2, 0);

	(void)unused;
	frame_stats(&before);
	touch(as, HAT, 7);
	assert_int_equal(as->huge, 1);
	assert_int_equal(as->resident, 512);
	assert_int_equal(as->minflt, 1);
	frame_stats(&now);
	assert_int_equal(now.user, before.user + 512);
	assert_int_equal(now.table, before.table + 2);
	for (u32 i = 0; i < 512; i++)
		assert_int_equal(seen(as, HAT + i * P), i ? 0 : 7);
	assert_int_equal(as->minflt, 1);
	frame_check();
	assert_int_equal(done(aspace_unmap(as, HAT, HUGE, &work)), 0);
	assert_int_equal(as->resident, 0);
	assert_int_equal(as->tables, 1);
	frame_stats(&now);
	assert_int_equal(now.user, before.user);
	assert_int_equal(now.table, before.table);
	assert_int_equal(now.free_blocks[9] + 2 * now.free_blocks[10],
			 before.free_blocks[9] + 2 * before.free_blocks[10]);
	frame_check();
	quit(as);
}

/* Asked for or not, in order or not, with memory or without. */
static void test_huge_policy(void **unused)
{
	struct aspace *as = roomy(4, 0);
	static pfn_t taken[8192];
	u32 n = 0;

	(void)unused;
	touch(as, HAT + P, 1);
	assert_int_equal(as->huge, 0);
	as->no_huge = true;
	touch(as, HAT + HUGE, 1);
	assert_int_equal(as->huge, 0);
	as->no_huge = false;
	assert_int_equal(aspace_advise(as, HAT, 4 * HUGE, MADV_NOHUGEPAGE, &work), 0);
	touch(as, HAT + 2 * HUGE, 1);
	assert_int_equal(as->huge, 0);
	quit(as);

	as = roomy(4, MADV_HUGEPAGE);
	touch(as, HAT + 9 * P, 1);
	assert_int_equal(as->huge, 1);
	while (!frames_scarce(2))
		taken[n++] = frame_alloc(0, FRAME_KERNEL, 0);
	touch(as, HAT + HUGE, 1); /* who asks still gets one */
	assert_int_equal(as->huge, 2);
	while (!frames_scarce(4))
		taken[n++] = frame_alloc(0, FRAME_KERNEL, 0);
	touch(as, HAT + 2 * HUGE, 1);
	assert_int_equal(as->huge, 2);
	while (n)
		frame_free(taken[--n], 0);
	quit(as);

	as = roomy(4, 0);
	while (!frames_scarce(2))
		taken[n++] = frame_alloc(0, FRAME_KERNEL, 0);
	touch(as, HAT, 1);
	assert_int_equal(as->huge, 0);
	while (n)
		frame_free(taken[--n], 0);
	/* Nowhere 512 frames together: a small one. */
	while (!frames_scarce(100))
		taken[n++] = frame_alloc(0, FRAME_KERNEL, 0);
	for (u32 i = 0; i < n; i += 2)
		frame_free(taken[i], 0);
	touch(as, HAT + HUGE, 1);
	assert_int_equal(as->huge, 0);
	for (u32 i = 1; i < n; i += 2)
		frame_free(taken[i], 0);
	quit(as);
}

static void test_huge_pieces(void **unused)
{
	struct tern_frame_stats before, now;
	struct aspace *as = roomy(1, 0);

	(void)unused;
	frame_stats(&before);
	touch(as, HAT, 1);
	touch(as, HAT + 300 * P, 2);
	assert_int_equal(done(aspace_protect(as, HAT + 300 * P, P, 1, &work)), 0);
	aspace_check(as);
	assert_int_equal(as->huge, 0);
	assert_int_equal(as->resident, 512);
	assert_int_equal(seen(as, HAT + 300 * P), 2);
	assert_int_equal(aspace_fault(as, HAT + 300 * P, FAULT_WRITE), FAULT_ACCERR);
	for (u32 i = 0; i < 512; i += 2) /* the even ones, then the odd ones */
		assert_int_equal(done(aspace_unmap(as, HAT + i * P, P, &work)), 0);
	aspace_check(as);
	assert_int_equal(as->resident, 256);
	for (u32 i = 1; i < 512; i += 2)
		assert_int_equal(done(aspace_unmap(as, HAT + i * P, P, &work)), 0);
	assert_int_equal(as->resident, 0);
	frame_stats(&now);
	assert_int_equal(now.free + now.slab, before.free + before.slab);
	frame_check();
	quit(as);
}

static struct aspace *forked(struct aspace *as)
{
	struct aspace *child = aspace_create();

	assert_int_equal(done(aspace_fork(as, child, &work)), 0);
	aspace_check(as);
	aspace_check(child);
	return child;
}

static void test_huge_fork(void **unused)
{
	struct aspace *as = roomy(1, 0), *child;

	(void)unused;
	touch(as, HAT, 1);
	touch(as, HAT + 5 * P, 5);
	child = forked(as);
	assert_int_equal(as->huge, 0);
	assert_int_equal(as->shared, 1);
	assert_int_equal(child->shared, 1);
	quit(child);
	touch(as, HAT + 6 * P, 6); /* the page is as it was */
	assert_int_equal(as->huge, 1);
	quit(forked(as));
	assert_int_equal(done(aspace_protect(as, HAT, HUGE, 1, &work)), 0);
	assert_int_equal(seen(as, HAT + 6 * P), 6); /* the rights are not */
	assert_int_equal(as->huge, 0);
	assert_int_equal(aspace_fault(as, HAT + 6 * P, FAULT_WRITE), FAULT_ACCERR);
	quit(as);

	as = roomy(1, 0);
	touch(as, HAT, 1);
	touch(as, HAT + 5 * P, 5);
	touch(as, HAT + 6 * P, 6);
	assert_int_equal(seen(as, HAT + 5 * P), 5);
	child = forked(as);
	touch(as, HAT + 5 * P, 7); /* the table is copied, and one page */
	assert_int_equal(as->huge, 0);
	model_hart(1);
	aspace_activate(child);
	assert_int_equal(seen(child, HAT + 5 * P), 5);
	assert_int_equal(seen(child, HAT + 6 * P), 6);
	touch(child, HAT + 6 * P, 8); /* its own again, but no longer whole */
	assert_int_equal(child->huge, 0);
	model_hart(0);
	assert_int_equal(seen(as, HAT + 5 * P), 7);
	assert_int_equal(seen(as, HAT + 6 * P), 6);
	quit(child);
	quit(as);
}

/* A fault that is going to have a huge page. */
static void begin_huge(struct aspace *as, va_t va, struct mm_work *fault)
{
	assert_int_equal(aspace_fault(as, va, FAULT_WRITE), FAULT_MORE);
	assert_int_equal(aspace_fault_huge(as, va, fault), MM_MORE);
}

static void end_huge(struct aspace *as, struct mm_work *fault)
{
	while (mm_work_step(fault) == MM_MORE)
		;
	aspace_check(as);
}

/* While a part of its range moves away, a page is made: what is left must not come under it. */
static void test_huge_meets_a_move(void **unused)
{
	struct aspace *as = roomy(8, MADV_HUGEPAGE);
	struct mm_work fault = { 0 };
	va_t at, to = HAT + 16 * HUGE;
	u64 len = 2 * HUGE + 5 * P;

	(void)unused;
	touch(as, HAT + HUGE, 1);
	touch(as, HAT + 2 * HUGE, 2);
	assert_int_equal(aspace_remap(as, HAT + HUGE - 5 * P, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to,
				      &work, &at),
			 MM_MORE);
	begin_huge(as, HAT + 9 * P, &fault);
	end_huge(as, &fault);
	assert_int_equal(done(MM_MORE), 0);
	aspace_check(as);
	assert_int_equal(as->huge, 0);
	assert_int_equal(seen(as, to + 5 * P), 1);
	assert_int_equal(seen(as, to + 5 * P + HUGE), 2);
	assert_int_equal(aspace_fault(as, HAT + HUGE - P, FAULT_READ), FAULT_MAPERR);
	quit(as);
}

/* What happens to a page's range while it is made. */
static void test_huge_comes_too_late(void **unused)
{
	struct aspace *as = roomy(4, 0);
	struct mm_work fault = { 0 };

	(void)unused;
	begin_huge(as, HAT, &fault);
	assert_int_equal(done(aspace_unmap(as, HAT, HUGE, &work)), 0);
	end_huge(as, &fault);
	begin_huge(as, HAT + HUGE, &fault);
	assert_int_equal(done(aspace_protect(as, HAT + HUGE, HUGE, 1, &work)), 0);
	end_huge(as, &fault);
	begin_huge(as, HAT + 2 * HUGE, &fault);
	assert_int_equal(done(aspace_unmap(as, HAT + 3 * HUGE - P, P, &work)), 0);
	end_huge(as, &fault);
	begin_huge(as, HAT + 3 * HUGE, &fault);
	touch(as, HAT + 3 * HUGE + 7 * P, 7);
	end_huge(as, &fault);
	assert_int_equal(as->huge, 0);
	assert_int_equal(as->resident, 1);
	assert_int_equal(seen(as, HAT + 3 * HUGE + 7 * P), 7);
	quit(as);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_buddy, start),
		cmocka_unit_test_setup(test_out_of_memory, start),
		cmocka_unit_test_setup(test_prepared_frames, start),
		cmocka_unit_test_setup(test_objects_end_in_steps, start),
		cmocka_unit_test_setup(test_clean_pages_are_reclaimed, start),
		cmocka_unit_test_setup(test_slab, start),
		cmocka_unit_test_setup(test_radix, start),
		cmocka_unit_test_setup(test_radix_failures, start),
		cmocka_unit_test_setup(test_map_rules, start),
		cmocka_unit_test_setup(test_watchers_are_told, start),
		cmocka_unit_test_setup(test_unmap_protect_rules, start),
		cmocka_unit_test_setup(test_stack, start),
		cmocka_unit_test_setup(test_brk, start),
		cmocka_unit_test_setup(test_remap_rules, start),
		cmocka_unit_test_setup(test_remap_over_a_table, start),
		cmocka_unit_test_setup(test_punch_meets_a_move, start),
		cmocka_unit_test_setup(test_gaps, start),
		cmocka_unit_test_setup(test_too_many_regions, start),
		cmocka_unit_test_setup(test_too_many_tables, start),
		cmocka_unit_test_setup(test_strings, start),
		cmocka_unit_test_setup(test_a_kept_asid_is_not_given_again, start_with_few_numbers),
		cmocka_unit_test_setup(test_no_space_runs_without_a_number, start_with_few_numbers),
		cmocka_unit_test_setup(test_no_hart_keeps_a_page_that_is_being_replaced, start_with_few_numbers),
		cmocka_unit_test_setup(test_harts_fetch_new_instructions, start_with_few_numbers),
		cmocka_unit_test_setup(test_only_harts_that_run_a_space_are_interrupted, start_with_few_numbers),
		cmocka_unit_test_setup(test_nothing_comes_into_a_dying_space, start),
		cmocka_unit_test_setup(test_hostile_copies, start),
		cmocka_unit_test_setup(test_huge_whole, start),
		cmocka_unit_test_setup(test_huge_policy, start),
		cmocka_unit_test_setup(test_huge_pieces, start),
		cmocka_unit_test_setup(test_huge_fork, start),
		cmocka_unit_test_setup(test_huge_meets_a_move, start),
		cmocka_unit_test_setup(test_huge_comes_too_late, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
