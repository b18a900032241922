/* Spaces and objects against an oracle that knows one byte a page.
 *
 * Random mmap, munmap, mprotect, mremap, brk, madvise, fork, exit, truncate, punch, object reads and
 * writes, copies and user accesses on several harts of the adversarial machine.  Every operation is
 * run with its first allocation failing, then its second, and so on until it succeeds: a failure
 * must change nothing.  At the end every frame must have come back.
 *
 *   host-mm-property [seed [operations]]    (SEED in the environment does the same) */
#include "tlb_model.h"

#include "../../mm/mm_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define BASE (pt_span(2) - 40 * PAGE_SIZE) /* crosses a leaf and a middle table */
#define NPAGES 96u
#define NSPACES 4u
#define NOBJECTS 3u
#define OBJECT_PAGES 40u

struct page {
	bool mapped, shared, copied, dontfork, wipe, heap, kept;
	u8 prot, value;
	int object; /* -1: anonymous */
	u32 index;
};
struct space {
	struct aspace *as;
	struct page page[NPAGES];
	u32 brk; /* pages */
};
struct object {
	struct memobj *m;
	u64 size;
	u8 value[OBJECT_PAGES];
};

static struct space spaces[NSPACES];
static struct object objects[NOBJECTS];
static struct mm_work work;
static u32 nharts = MODEL_HARTS;
static bool few_objects; /* most mappings are anonymous, as fork shares only such tables */
static unsigned long step;

static const u8 *fuzz;
static size_t fuzz_left;
static u64 rng_state;

static u32 rnd(void)
{
	if (fuzz_left >= 2) {
		u32 v = (u32)fuzz[0] | (u32)fuzz[1] << 8;

		fuzz += 2;
		fuzz_left -= 2;
		return v;
	}
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (u32)(rng_state >> 16);
}
static u32 below(u32 n) { return rnd() % n; }

/* TRACE=1 in the environment prints every operation. */
static bool tracing;
#define trace(...)                                                                          \
	do {                                                                                \
		if (tracing) {                                                              \
			fprintf(stderr, "%lu: ", step);                                     \
			fprintf(stderr, __VA_ARGS__);                                       \
			fputc('\n', stderr);                                                \
		}                                                                           \
	} while (0)
#define SPACE(s) (int)((s)-spaces)

#define check(x)                                                                            \
	do {                                                                                \
		if (!(x))                                                                   \
			panic("operation %lu, line %d: %s", step, __LINE__, #x);            \
	} while (0)

/* ---- failure injection ---- */

static long fail_at; /* counts down; the allocation at 0 fails; negative: none */
static bool injecting;
static bool failed_one;

static bool maybe_fail(void)
{
	model_speculate();
	if (!injecting)
		return false;
	if (fail_at-- == 0) {
		failed_one = true;
		return true;
	}
	return false;
}

static va_t va_of(u32 page) { return BASE + page * PAGE_SIZE; }

/* ---- accesses ---- */

/* What the oracle expects of an access. */
static enum fault_result expect(struct space *s, u32 i, unsigned access)
{
	struct page *p = &s->page[i];
	unsigned rights = p->prot | (p->prot & 2 ? 1 : 0);

	if (!p->mapped)
		return FAULT_MAPERR;
	if (!(rights & access))
		return FAULT_ACCERR;
	if (p->object >= 0 && !p->copied &&
	    p->index >= PAGE_UP(objects[p->object].size) / PAGE_SIZE)
		return FAULT_BUS;
	return FAULT_OK;
}

static u8 value_of(struct space *s, u32 i)
{
	struct page *p = &s->page[i];

	return p->object >= 0 && !p->copied ? objects[p->object].value[p->index] : p->value;
}

static void store(struct space *s, u32 i, u8 v)
{
	struct page *p = &s->page[i];

	if (p->object >= 0 && p->shared) {
		objects[p->object].value[p->index] = v;
		return;
	}
	if (p->object >= 0)
		p->copied = true;
	p->value = v;
}

static void run_on(struct space *s)
{
	model_hart(below(nharts));
	aspace_activate(s->as);
}

static void access_page(struct space *s, u32 i)
{
	enum fault_access access = (enum fault_access)(1u << below(3));
	enum fault_result want = expect(s, i, access), got;
	u8 *byte, v = (u8)(1 + below(255));

	run_on(s);
	got = model_access(s->as, va_of(i), access, &byte);
	trace("space %d: page %u access %d on hart %u: %d, expected %d", SPACE(s), i, access,
	      hart_index(), got, want);
	check(got == want);
	if (got != FAULT_OK)
		return;
	if (*byte != value_of(s, i))
		panic("operation %lu: space %d page %u (object %d + %u, copied %d): %u, expected %u",
		      step, SPACE(s), i, s->page[i].object, s->page[i].index, s->page[i].copied,
		      *byte, value_of(s, i));
	if (access == FAULT_WRITE) {
		*byte = v;
		store(s, i, v);
	}
}

/* The kernel's copies, with failures now and then. */
static void copy_page(struct space *s, u32 i)
{
	struct space *t = &spaces[below(NSPACES)];
	u32 j = below(NPAGES);
	u8 v = (u8)(1 + below(255)), got = 0;

	run_on(s);
	trace("space %d: copy at page %u, space %d page %u", SPACE(s), i, SPACE(t), j);
	switch (below(3)) {
	case 0:
		check(copy_from_user(s->as, &got, va_of(i), 1) == (expect(s, i, 1) == FAULT_OK));
		check(expect(s, i, 1) != FAULT_OK || got == value_of(s, i));
		return;
	case 1:
		check(copy_to_user(s->as, va_of(i), &v, 1) == (expect(s, i, 2) == FAULT_OK));
		if (expect(s, i, 2) == FAULT_OK)
			store(s, i, v);
		return;
	default:
		if (!t->as)
			return;
		if (expect(s, i, 1) != FAULT_OK || expect(t, j, 2) != FAULT_OK) {
			check(aspace_copy(t->as, va_of(j), s->as, va_of(i), PAGE_SIZE) == 0);
			return;
		}
		v = value_of(s, i);
		check(aspace_copy(t->as, va_of(j), s->as, va_of(i), PAGE_SIZE) == PAGE_SIZE);
		store(t, j, v);
	}
}

static void check_all(struct space *s)
{
	u8 *byte;

	for (u32 i = 0; i < NPAGES; i++) {
		enum fault_result want = expect(s, i, 1), got;

		run_on(s);
		got = model_access(s->as, va_of(i), FAULT_READ, &byte);
		if (got != want)
			panic("operation %lu: page %u: fault %d, expected %d", step, i, got, want);
		if (got == FAULT_OK && *byte != value_of(s, i))
			panic("operation %lu: page %u: %u, expected %u", step, i, *byte,
			      value_of(s, i));
	}
}

/* ---- operations ---- */

/* Other harts look on while a long operation goes on. */
static long finish(long res)
{
	while (res == MM_MORE) {
		struct aspace *as = work.aspace;
		u8 *byte;
		bool was = injecting;
		unsigned h = hart_index();
		va_t at;

		injecting = false;
		if (below(2) && work.kind != 0 && aspace_is_running(as)) {
			model_hart(below(nharts));
			aspace_activate(as);
			(void)model_access(as, va_of(below(NPAGES)), FAULT_READ, &byte);
			check(aspace_unmap(as, BASE, PAGE_SIZE, &(struct mm_work){ 0 }) == MM_BUSY);
			check(aspace_brk(as, 0, &(struct mm_work){ 0 }, &at) == MM_BUSY);
		}
		model_hart(h);
		injecting = was;
		res = mm_work_step(&work);
	}
	check(res != MM_BUSY);
	return res;
}

/* Repeats `call` with the first, second … allocation failing, until it is none of them. */
#define WITH_FAILURES(res, call)                                                             \
	do {                                                                                 \
		for (long n_ = below(2) ? 0 : 1000000;; n_++) {                              \
			injecting = true;                                                    \
			failed_one = false;                                                  \
			fail_at = n_;                                                        \
			(res) = (call);                                                      \
			injecting = false;                                                   \
			if (!failed_one || (res) != -ENOMEM)                                 \
				break;                                                       \
			check_sane();                                                        \
		}                                                                            \
	} while (0)

static void check_sane(void)
{
	for (unsigned i = 0; i < NSPACES; i++)
		if (spaces[i].as)
			aspace_check(spaces[i].as);
	for (unsigned i = 0; i < NOBJECTS; i++)
		memobj_check(objects[i].m);
}

/* The references of every frame: what names it, with the entries of a shared table counted once. */
static u32 named[1u << 16];

static void count_leaf(pte_t upper)
{
	const pte_t *t = pte_next_table(upper);

	if (named[pte_pfn(upper) - frame_base]++)
		return;
	for (unsigned i = 0; i < PT_ENTRIES; i++)
		if (t[i] && !(t[i] & PTE_SPECIAL))
			named[pte_pfn(t[i]) - frame_base]++;
}

static void count_space(const struct aspace *as)
{
	named[as->root_pfn - frame_base]++;
	for (unsigned i = 0; i < PT_ENTRIES / 2; i++) {
		if (!pte_valid(as->root[i]))
			continue;
		named[pte_pfn(as->root[i]) - frame_base]++;
		for (unsigned j = 0; j < PT_ENTRIES; j++)
			if (pte_next_table(as->root[i])[j])
				count_leaf(pte_next_table(as->root[i])[j]);
	}
}

static void count_refs(void)
{
	u32 kernel_roots = 0;

	memset(named, 0, sizeof(named));
	for (unsigned i = 0; i < NSPACES; i++)
		if (spaces[i].as)
			count_space(spaces[i].as);
	for (unsigned i = 0; i < NOBJECTS; i++) {
		spin_lock(&objects[i].m->lock);
		for (u32 p = 0; p < OBJECT_PAGES; p++) {
			pfn_t pfn = memobj_page_locked(objects[i].m, p, false);

			if (pfn)
				named[pfn - frame_base]++;
		}
		spin_unlock(&objects[i].m->lock);
	}
	for (pfn_t pfn = frame_base; pfn < frame_limit; pfn++) {
		u32 n = named[pfn - frame_base];

		if (frame_of(pfn)->kind == FRAME_TABLE && !n)
			kernel_roots++;
		else if (frame_of(pfn)->kind == FRAME_USER || frame_of(pfn)->kind == FRAME_TABLE)
			check(frame_refs(pfn) == n);
		else
			check(!n);
	}
	check(kernel_roots == 1);
}

static bool is_free(struct space *s, u32 i, u32 n)
{
	for (u32 k = i; k < i + n; k++)
		if (s->page[k].mapped)
			return false;
	return true;
}

/* The highest place for n pages; NPAGES: none in the window. */
static u32 top_down(struct space *s, u32 n)
{
	for (u32 i = NPAGES - n + 1; i-- > 0;)
		if (is_free(s, i, n))
			return i;
	return NPAGES;
}

static void do_map(struct space *s)
{
	u32 n = 1 + below(12), i = below(NPAGES - n), index = 0;
	int object = (int)below(NOBJECTS * 2) - (int)NOBJECTS;
	unsigned prot = below(8), flags;
	bool shared = object >= 0 && below(2), fixed = below(2);
	va_t at;
	long res;

	if (below(4))
		prot |= 3;
	flags = shared ? MAP_SHARED : MAP_PRIVATE;
	if (fixed)
		flags |= below(3) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	if (!below(6))
		flags |= MAP_POPULATE;
	if (object >= 0)
		index = below(OBJECT_PAGES - n);
	else
		object = -1;
	if (few_objects && below(10)) {
		object = -1;
		shared = false;
		flags = (flags & ~(unsigned)MAP_TYPE) | MAP_PRIVATE;
	}
	if (!fixed) {
		i = top_down(s, n);
		if (i == NPAGES)
			return;
	}
	trace("space %d: map %u + %u, prot %u, flags %x, object %d + %u", SPACE(s), i, n, prot, flags,
	      object, index);
	WITH_FAILURES(res, finish(aspace_map(s->as, fixed ? va_of(i) : 0, n * PAGE_SIZE, prot, 7,
					     flags, object >= 0 ? objects[object].m : NULL,
					     index * PAGE_SIZE, &work, &at)));
	if ((flags & MAP_FIXED_NOREPLACE) && !is_free(s, i, n)) {
		check(res == -EEXIST);
		return;
	}
	check(res == 0 && at == va_of(i));
	for (u32 k = 0; k < n; k++)
		s->page[i + k] = (struct page){ .mapped = true,
						.shared = shared,
						.prot = (u8)prot,
						.object = object,
						.index = index + k };
	if (object >= 0 && !shared && (flags & MAP_POPULATE) && (prot & 2))
		for (u32 k = 0; k < n; k++) { /* populating copies, as far as there is memory */
			pte_t *slot = pt_find(s->as, va_of(i + k));

			if (!slot || !(*slot & PTE_ANON))
				continue;
			s->page[i + k].value = objects[object].value[index + k];
			s->page[i + k].copied = true;
		}
}

static void do_unmap(struct space *s)
{
	u32 n = 1 + below(16), i = below(NPAGES - n);
	long res;

	trace("space %d: unmap %u + %u", SPACE(s), i, n);
	WITH_FAILURES(res, finish(aspace_unmap(s->as, va_of(i), n * PAGE_SIZE, &work)));
	check(res == 0);
	for (u32 k = i; k < i + n; k++)
		s->page[k] = (struct page){ 0 };
}

static void do_protect(struct space *s)
{
	u32 n = 1 + below(16), i = below(NPAGES - n);
	unsigned prot = below(8);
	bool whole = true;
	long res;

	for (u32 k = i; k < i + n; k++)
		whole = whole && s->page[k].mapped;
	trace("space %d: protect %u + %u, prot %u", SPACE(s), i, n, prot);
	if (whole)
		WITH_FAILURES(res, finish(aspace_protect(s->as, va_of(i), n * PAGE_SIZE, prot,
							 &work)));
	else
		res = finish(aspace_protect(s->as, va_of(i), n * PAGE_SIZE, prot, &work));
	check(res == (whole ? 0 : -ENOMEM));
	for (u32 k = i; k < i + n && s->page[k].mapped; k++)
		s->page[k].prot = (u8)prot;
}

static void do_brk(struct space *s)
{
	u32 want = below(24);
	bool ok = want <= s->brk || is_free(s, s->brk, want - s->brk);
	va_t at;
	long res;

	trace("space %d: brk %u, was %u", SPACE(s), want, s->brk);
	injecting = false;
	res = finish(aspace_brk(s->as, va_of(want), &work, &at));
	check(res == 0 && at == (ok ? va_of(want) : va_of(s->brk)));
	if (!ok)
		return;
	for (u32 k = s->brk; k < want; k++)
		s->page[k] = (struct page){ .mapped = true, .prot = 3, .object = -1, .heap = true };
	for (u32 k = want; k < s->brk; k++)
		s->page[k] = (struct page){ 0 };
	s->brk = want;
}

static void do_advise(struct space *s)
{
	static const int advice[] = { MADV_DONTNEED,	 MADV_DONTNEED,	 MADV_FREE,
				      MADV_DONTFORK,	 MADV_DOFORK,	 MADV_WIPEONFORK,
				      MADV_KEEPONFORK, MADV_WILLNEED, 12345 };
	u32 n = 1 + below(16), i = below(NPAGES - n), stop = i;
	int a = advice[below(ARRAY_SIZE(advice))];
	bool hole = false, refused = false;
	long res;

	for (; stop < i + n && !refused; stop++) {
		struct page *p = &s->page[stop];

		hole = hole || !p->mapped;
		if (p->mapped && p->object >= 0 && (a == MADV_FREE || a == MADV_WIPEONFORK)) {
			refused = true;
			break;
		}
	}
	trace("space %d: advise %u + %u, %d", SPACE(s), i, n, a);
	if (!hole && !refused)
		WITH_FAILURES(res, finish(aspace_advise(s->as, va_of(i), n * PAGE_SIZE, a, &work)));
	else
		res = finish(aspace_advise(s->as, va_of(i), n * PAGE_SIZE, a, &work));
	if (a == 12345) {
		check(res == -EINVAL);
		return;
	}
	check(res == (refused ? -EINVAL : hole ? -ENOMEM : 0));
	for (u32 k = i; k < stop; k++) {
		struct page *p = &s->page[k];

		if (a == MADV_DONTNEED || a == MADV_FREE) {
			p->copied = false;
			p->value = 0;
		}
		if (a == MADV_DONTFORK || a == MADV_DOFORK)
			p->dontfork = a == MADV_DONTFORK;
		if (a == MADV_WIPEONFORK || a == MADV_KEEPONFORK)
			p->wipe = a == MADV_WIPEONFORK;
	}
}

static bool alike(const struct page *a, const struct page *b)
{
	return a->mapped && b->mapped && a->shared == b->shared && a->object == b->object &&
	       a->prot == b->prot && a->dontfork == b->dontfork && a->wipe == b->wipe &&
	       a->heap == b->heap && (a->object < 0 || a->index + 1 == b->index);
}

static void do_remap(struct space *s)
{
	u32 n = 1 + below(10), m = 1 + below(10), i = below(NPAGES - 10), to = below(NPAGES - 10);
	struct page moved[10];
	unsigned flags = MREMAP_MAYMOVE, kind = below(3);
	bool keep = false;
	long res;
	va_t at;

	/* One region holds the old range? As pages do not tell, only ask for what surely does. */
	for (u32 k = i; k + 1 < i + n; k++)
		if (!alike(&s->page[k], &s->page[k + 1]))
			return;
	if (!s->page[i].mapped)
		return;
	for (u32 k = i; k < i + n; k++)
		if (s->page[k].object >= 0 && s->page[k].index + 12 > OBJECT_PAGES)
			return;
	if (kind) {
		if (to < i + n && i < to + m)
			return;
		flags |= MREMAP_FIXED;
		keep = kind == 2 && n == m;
		flags |= keep ? MREMAP_DONTUNMAP : 0;
		if (m < n)
			m = n;
		if (to < i + n && i < to + m)
			return;
		injecting = false;
		check(finish(aspace_unmap(s->as, va_of(to), m * PAGE_SIZE, &work)) == 0);
		for (u32 k = to; k < to + m; k++)
			s->page[k] = (struct page){ 0 };
		keep = keep && n == m;
	} else if (m > n && i + m <= NPAGES && is_free(s, i + n, m - n)) {
		to = i;
	} else if (m > n) {
		to = top_down(s, m);
		if (to == NPAGES)
			return;
	}
	trace("space %d: remap %u + %u to %u + %u, flags %x", SPACE(s), i, n, to, m, flags);
	WITH_FAILURES(res, finish(aspace_remap(s->as, va_of(i), n * PAGE_SIZE, m * PAGE_SIZE, flags,
					       va_of(to), &work, &at)));
	if (!kind && m <= n) {
		check(res == 0 && at == va_of(i));
		for (u32 k = i + m; k < i + n; k++)
			s->page[k] = (struct page){ 0 };
		return;
	}
	check(res == 0 && at == va_of(to));
	for (u32 k = 0; k < m; k++) {
		moved[k] = s->page[i];
		if (k < n) {
			moved[k] = s->page[i + k];
		} else {
			moved[k].copied = false;
			moved[k].value = 0;
			moved[k].index = s->page[i].index + k;
		}
		if (to != i)
			moved[k].heap = false;
	}
	for (u32 k = i; k < i + n; k++) {
		if (!keep) {
			s->page[k] = (struct page){ 0 };
			continue;
		}
		s->page[k].copied = false;
		s->page[k].value = 0;
	}
	for (u32 k = 0; k < m; k++)
		s->page[to + k] = moved[k];
}

static void leave(struct aspace *as)
{
	for (unsigned h = 0; h < MODEL_HARTS; h++)
		if (model_runs(h, as)) {
			model_hart(h);
			aspace_activate(NULL);
		}
}

static void do_exit(struct space *s)
{
	trace("space %d: exit", SPACE(s));
	run_on(s);
	check(finish(aspace_destroy(s->as, &work)) == 0);
	check(!s->as->resident && !s->as->nregions);
	leave(s->as);
	aspace_put(s->as);
	memset(s, 0, sizeof(*s));
}

static struct aspace *fresh(void)
{
	struct aspace *as;

	injecting = false;
	as = aspace_create();
	check(as);
	as->mmap_top = va_of(NPAGES);
	as->brk_start = as->brk = BASE;
	return as;
}

static long try_fork(struct space *s, struct space *d)
{
	bool was = injecting;
	long res;

	d->as = fresh();
	injecting = was;
	res = finish(aspace_fork(s->as, d->as, &work));
	if (res) {
		check(!d->as->nregions && !d->as->resident);
		aspace_put(d->as);
		d->as = NULL;
	}
	return res;
}

static void do_fork(struct space *s)
{
	struct space *d = &spaces[below(NSPACES)];
	long res;

	if (d == s)
		return;
	if (d->as)
		do_exit(d);
	trace("space %d: fork to %d", SPACE(s), SPACE(d));
	run_on(s);
	WITH_FAILURES(res, try_fork(s, d));
	check(res == 0);
	memcpy(d->page, s->page, sizeof(d->page));
	d->brk = s->brk;
	for (u32 k = 0; k < NPAGES; k++) {
		if (d->page[k].dontfork)
			d->page[k] = (struct page){ 0 };
		if (d->page[k].wipe)
			d->page[k].value = 0;
	}
	check_all(d);
	check_all(s);
}

/* ---- objects ---- */

static void dropped(int o, u32 from, u32 to, bool copies)
{
	for (unsigned i = 0; i < NSPACES; i++)
		for (u32 k = 0; k < NPAGES; k++) {
			struct page *p = &spaces[i].page[k];

			if (copies && p->mapped && p->object == o && p->index >= from && p->index < to)
				p->copied = false;
		}
	for (u32 k = from; k < to && k < OBJECT_PAGES; k++)
		objects[o].value[k] = 0;
}

static void do_object(void)
{
	int o = (int)below(NOBJECTS);
	struct object *x = &objects[o];
	u32 i = below(OBJECT_PAGES), n = 1 + below(8);
	u8 v = (u8)(1 + below(255)), got;
	u64 size;
	long res;

	model_hart(below(nharts));
	switch (below(4)) {
	case 0:
		size = below(OBJECT_PAGES) * PAGE_SIZE + (below(2) ? 100 : 0);
		trace("object %d: resize %lu, was %lu", o, (unsigned long)size,
		      (unsigned long)x->size);
		WITH_FAILURES(res, memobj_resize(x->m, size));
		check(res == 0);
		if (size < x->size)
			dropped(o, (u32)(PAGE_UP(size) / PAGE_SIZE), OBJECT_PAGES + 20, true);
		x->size = size;
		break;
	case 1:
		trace("object %d: punch %u + %u", o, i, n);
		WITH_FAILURES(res, memobj_punch(x->m, i * PAGE_SIZE, n * PAGE_SIZE));
		check(res == 0);
		dropped(o, i, MIN(i + n, OBJECT_PAGES), false);
		break;
	case 2:
		trace("object %d: write %u: %u", o, i, v);
		WITH_FAILURES(res, memobj_write(x->m, i * PAGE_SIZE, &v, 1));
		check(res == (i * PAGE_SIZE < x->size));
		if (res)
			x->value[i] = v;
		break;
	default:
		got = 0;
		check(memobj_read(x->m, i * PAGE_SIZE, &got, 1) == (i * PAGE_SIZE < x->size));
		check(i * PAGE_SIZE >= x->size || got == x->value[i]);
	}
}

/* ---- the run ---- */

static void one(void)
{
	struct space *s = &spaces[below(NSPACES)];
	u32 k = below(100);

	if (!s->as) {
		s->as = fresh();
		memset(s->page, 0, sizeof(s->page));
		s->brk = 0;
	}
	run_on(s);
	if (k < 40)
		for (unsigned i = 0; i < 8; i++)
			access_page(s, below(NPAGES));
	else if (k < 50)
		copy_page(s, below(NPAGES));
	else if (k < 60)
		do_map(s);
	else if (k < 65)
		do_unmap(s);
	else if (k < 72)
		do_protect(s);
	else if (k < 75)
		do_brk(s);
	else if (k < 79)
		do_advise(s);
	else if (k < 84)
		do_remap(s);
	else if (k < 90)
		do_fork(s);
	else if (k < 92)
		do_exit(s);
	else
		do_object();
	check_sane();
	if (step % 16 == 0) {
		count_refs();
		frame_check();
		slab_check();
	}
	if (step % 64 == 0)
		for (unsigned i = 0; i < NSPACES; i++)
			if (spaces[i].as)
				check_all(&spaces[i]);
}

static void run(unsigned long operations)
{
	struct frame_stats before, after;

	model_random = rnd;
	tracing = getenv("TRACE");
	injecting = false;
	model_start(2048);
	mm_fail_hook = maybe_fail;
	few_objects = below(3);
	frame_stats(&before);
	for (unsigned i = 0; i < NOBJECTS; i++) {
		memset(&objects[i], 0, sizeof(objects[i]));
		objects[i].size = below(OBJECT_PAGES) * PAGE_SIZE;
		objects[i].m = memobj_create(objects[i].size, i);
		check(objects[i].m);
	}
	for (step = 0; step < operations && (!fuzz || fuzz_left >= 2); step++)
		one();
	for (unsigned i = 0; i < NSPACES; i++)
		if (spaces[i].as)
			do_exit(&spaces[i]);
	for (unsigned i = 0; i < NOBJECTS; i++)
		memobj_put(objects[i].m);
	frame_check();
	slab_check();
	frame_stats(&after);
	check(after.user == before.user && after.table == before.table);
	check(!object_count_aspaces() && !object_count_memobjs() && !object_count_regions());
	check(after.free + after.slab == before.free + before.slab);
}

#ifdef MM_FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz = data;
	fuzz_left = size;
	rng_state = 88172645463325252ul;
	model_asids = 16;
	run(2000);
	return 0;
}
#else
static void run_seed(u64 seed, unsigned long operations)
{
	rng_state = seed * 0x9e3779b97f4a7c15ul | 1;
	model_asids = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 16 : 65536;
	nharts = seed % MODEL_HARTS + 1;
	fprintf(stderr, "seed %lu, %u harts, %u ASIDs, %lu operations\n", (unsigned long)seed, nharts,
		model_asids, operations);
	run(operations);
}

int main(int argc, char **argv)
{
	const char *env = getenv("SEED");
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : env ? strtoull(env, NULL, 0) : 0;
	unsigned long operations = argc > 2 ? strtoul(argv[2], NULL, 0) : 4000;
	/* Seeds that found something: a kept ASID that was given again (109). */
	static const u64 found[] = { 109 };

	if (seed) {
		run_seed(seed, operations);
	} else {
		for (u64 k = 1; k <= 12; k++)
			run_seed(k, operations);
		for (unsigned i = 0; i < ARRAY_SIZE(found); i++)
			run_seed(found[i], 6000);
	}
	fprintf(stderr, "%lu fences, %lu remote, %u spurious faults\n", (unsigned long)model_fences,
		(unsigned long)model_remote, model_spurious);
	return 0;
}
#endif
