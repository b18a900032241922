/* Spaces and objects against an oracle that knows one byte a page (mm_oracle.h).
 *
 * Random mmap, munmap, mprotect, mremap, brk, madvise, fork, exit, truncate, punch, object reads and
 * writes, copies and user accesses on several harts of the adversarial machine.  Every operation is
 * run with its first allocation failing, then its second, and so on until it succeeds: a failure
 * must change nothing.  At the end every frame must have come back.  guest/programs/mm_replay.c
 * runs the same steps in the guest.
 *
 *   host-mm-property [seed [operations]]    (SEED in the environment does the same) */
#include "mm_check.h"
#include "mm_oracle.h"
#include "tlb_model.h"

#include "../../mm/mm_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define BASE (pt_span(2) - 40 * PAGE_SIZE) /* crosses a leaf and a middle table */
#define NPAGES ORACLE_PAGES
#define NSPACES ORACLE_SPACES
#define NOBJECTS ORACLE_OBJECTS

static struct oracle oracle;
static struct step now;
static struct aspace *spaces[NSPACES];
static struct memobj *objects[NOBJECTS];
static struct mm_work work;
static struct aspace *accessed; /* something of it is accessed, and may come between the steps of that */
static long work_result;	/* of `work` under way, if what comes between may go on with it */
static bool going_on;
static u32 nharts = MODEL_HARTS;
static unsigned long step;

/* Numbers that do not count for the steps: harts, failures, speculation.  A fuzzer chooses them, too. */
static u64 noise;

static u32 rnd(void)
{
	if (oracle.fuzz)
		return oracle_random(&oracle);
	noise = noise * 6364136223846793005ul + 1442695040888963407ul;
	return (u32)(noise >> 33);
}
static u32 below(u32 n) { return rnd() % n; }

static bool tracing; /* TRACE=1 in the environment prints every operation */

static const char *what(void)
{
	static char text[300];

	(void)oracle_print(&now, text, sizeof(text));
	return text;
}

#define check(x)                                                                            \
	do {                                                                                \
		if (!(x))                                                                   \
			panic("operation %lu, %s; line %d: %s", step, what(), __LINE__, #x); \
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

static void run_on(struct aspace *as)
{
	model_hart(below(nharts));
	aspace_activate(as);
}

static const enum fault_result faults[] = { [OUTCOME_OK] = FAULT_OK,
					    [OUTCOME_MAPERR] = FAULT_MAPERR,
					    [OUTCOME_ACCERR] = FAULT_ACCERR,
					    [OUTCOME_BUS] = FAULT_BUS };

static void access_page(struct aspace *as, const struct oracle_access *a)
{
	enum fault_result got;
	u8 *byte;

	run_on(as);
	accessed = as;
	got = model_access(as, va_of(a->page), (enum fault_access)a->access, &byte);
	accessed = NULL;
	if (got != faults[a->want])
		panic("operation %lu, %s; page %u access %u on hart %u: %d, expected %d", step, what(),
		      a->page, a->access, hart_index(), got, faults[a->want]);
	if (got != FAULT_OK)
		return;
	if (*byte != a->old)
		panic("operation %lu, %s; page %u: %u, expected %u", step, what(), a->page, *byte, a->old);
	if (a->access == FAULT_WRITE)
		*byte = a->value;
}

/* The kernel's copies. */
static void copy_page(struct aspace *as, const struct oracle_access *a)
{
	bool good = a->want == OUTCOME_OK;
	u8 got = 0;

	run_on(as);
	if (a->access == ORACLE_WRITE) {
		check(copy_to_user(as, va_of(a->page), &a->value, 1) == good);
	} else {
		check(copy_from_user(as, &got, va_of(a->page), 1) == good);
		check(!good || got == a->old);
	}
}

static void transfer(struct aspace *to, struct aspace *from, const struct oracle_access *a)
{
	bool good = a[0].want == OUTCOME_OK && a[1].want == OUTCOME_OK;

	run_on(from);
	check(aspace_copy(to, va_of(a[1].page), from, va_of(a[0].page), PAGE_SIZE) ==
	      (good ? PAGE_SIZE : 0));
}

/* A page that an access may bring at any time without a difference to the oracle. */
static bool is_anonymous(const struct aspace *as, u32 page)
{
	for (unsigned i = 0; i < NSPACES; i++)
		if (spaces[i] == as)
			return oracle.space[i].page[page].mapped && oracle.space[i].page[page].object < 0;
	return false;
}

/* What another hart does between the steps of a fault that makes a huge page: goes on with the long
 * operation, uses a page, or forks. */
static void meanwhile(void)
{
	struct aspace *as = accessed;
	u32 page = below(NPAGES);
	struct mm_work w = { 0 };
	struct aspace *child;
	u8 *byte;

	if (going_on && work_result == MM_MORE && below(2))
		work_result = mm_work_step(&work);
	if (!as || below(4))
		return;
	accessed = NULL;
	run_on(as);
	if (below(2)) {
		if (is_anonymous(as, page))
			(void)model_access(as, va_of(page), FAULT_WRITE, &byte);
	} else {
		child = aspace_create();
		check(child);
		for (long res = aspace_fork(as, child, &w); res == MM_MORE;)
			res = mm_work_step(&w);
		for (long res = aspace_destroy(child, &w); res == MM_MORE;)
			res = mm_work_step(&w);
		aspace_put(child);
	}
	aspace_check(as);
	accessed = as;
}

static void check_all(unsigned space)
{
	struct step all;

	oracle_check(&oracle, space, &all);
	for (u32 i = 0; i < all.count; i++) {
		/* Huge pages need empty tables, which looking would fill. */
		if (oracle.huge && is_anonymous(spaces[space], i) && !pt_peek(spaces[space], va_of(i)))
			check(all.access[i].old == 0);
		else
			access_page(spaces[space], &all.access[i]);
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
		u32 page = below(NPAGES);
		va_t at;

		injecting = false;
		if (below(2) && work.kind != 0 && aspace_harts(as)) {
			model_hart(below(nharts));
			aspace_activate(as);
			going_on = true;
			work_result = res;
			(void)model_access(as, va_of(page), is_anonymous(as, page) ? FAULT_WRITE : FAULT_READ,
					   &byte);
			going_on = false;
			res = work_result;
		}
		if (res != MM_MORE) {
			model_hart(h);
			injecting = was;
			break;
		}
		if (aspace_harts(as)) {
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
		for (long n_ = below(2) ? below(3) : 1000000;; n_++) {                       \
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
		if (spaces[i])
			aspace_check(spaces[i]);
	for (unsigned i = 0; i < NOBJECTS; i++)
		memobj_check(objects[i]);
}

/* The references of every frame: what names it, with the entries of a shared table counted once. */
static u32 named[1u << 16];

static void count_leaf(pte_t upper)
{
	const pte_t *t = pt_leaf(upper);

	if (named[virt_to_pfn(t) - frame_base]++)
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
		if (spaces[i])
			count_space(spaces[i]);
	for (unsigned i = 0; i < NOBJECTS; i++) {
		spin_lock(&objects[i]->lock);
		for (u32 p = 0; p < ORACLE_OBJECT_PAGES; p++) {
			pfn_t pfn = memobj_page_locked(objects[i], p, false);

			if (pfn)
				named[pfn - frame_base]++;
		}
		spin_unlock(&objects[i]->lock);
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

/* Populating copies only as far as there is memory. */
static void look_what_was_copied(const struct step *s)
{
	for (u32 k = s->page; k < s->page + s->n; k++) {
		pte_t *slot = pt_find(spaces[s->space], va_of(k));

		if (!slot || !(*slot & PTE_ANON))
			oracle_not_copied(&oracle, s->space, k);
	}
}

static void do_map(struct aspace *as, const struct step *s)
{
	struct memobj *m = s->object >= 0 ? objects[s->object] : NULL;
	va_t at = 0;
	long res;

	WITH_FAILURES(res, finish(aspace_map(as, s->fixed ? va_of(s->page) : 0, s->n * PAGE_SIZE,
					     s->prot, 7, s->flags, m, s->index * PAGE_SIZE, &work, &at)));
	check(res == s->result && (res || at == va_of(s->page)));
	if (!res && (s->flags & MAP_POPULATE))
		look_what_was_copied(s);
}

static void do_unmap(struct aspace *as, u32 page, u32 n)
{
	long res;

	WITH_FAILURES(res, finish(aspace_unmap(as, va_of(page), n * PAGE_SIZE, &work)));
	check(res == 0);
}

/* A change of a range with holes fails half done, so it is made once and without failures. */
static void do_protect(struct aspace *as, const struct step *s)
{
	va_t at = va_of(s->page);
	u64 length = s->n * PAGE_SIZE;
	long res;

	if (s->holes)
		res = finish(aspace_protect(as, at, length, s->prot, &work));
	else
		WITH_FAILURES(res, finish(aspace_protect(as, at, length, s->prot, &work)));
	check(res == s->result);
}

static void do_advise(struct aspace *as, const struct step *s)
{
	va_t at = va_of(s->page);
	u64 length = s->n * PAGE_SIZE;
	long res;

	if (s->holes)
		res = finish(aspace_advise(as, at, length, s->advice, &work));
	else
		WITH_FAILURES(res, finish(aspace_advise(as, at, length, s->advice, &work)));
	check(res == s->result);
}

static void do_brk(struct aspace *as, const struct step *s)
{
	va_t at;

	check(finish(aspace_brk(as, va_of(s->n), &work, &at)) == 0 && at == va_of(s->to));
}

static long try_remap(struct aspace *as, const struct step *s)
{
	va_t at = 0;
	long res = finish(aspace_remap(as, va_of(s->page), s->n * PAGE_SIZE, s->m * PAGE_SIZE, s->flags,
				       va_of(s->to), &work, &at));

	check(res || at == va_of(s->to));
	return res;
}

/* What lies at a chosen place, and what is cut off, may be gone after a failure, as on Linux. */
static void do_remap(struct aspace *as, const struct step *s)
{
	long res;

	if (s->fixed)
		check(finish(aspace_unmap(as, va_of(s->to), s->m * PAGE_SIZE, &work)) == 0);
	if (s->fixed && s->m < s->n)
		res = try_remap(as, s);
	else
		WITH_FAILURES(res, try_remap(as, s));
	check(res == 0);
}

static void leave(struct aspace *as)
{
	for (unsigned h = 0; h < MODEL_HARTS; h++)
		if (model_runs(h, as)) {
			model_hart(h);
			aspace_activate(NULL);
		}
}

static void do_exit(unsigned space)
{
	struct aspace *as = spaces[space];

	run_on(as);
	check(finish(aspace_destroy(as, &work)) == 0);
	check(!as->resident && !as->nregions);
	leave(as);
	aspace_put(as);
	spaces[space] = NULL;
}

static struct aspace *fresh(void)
{
	struct aspace *as;

	injecting = false;
	as = aspace_create();
	check(as);
	as->mmap_top = va_of(NPAGES);
	as->layout.brk_start = as->brk = BASE;
	as->no_huge = oracle.huge && !below(8);
	return as;
}

static long try_fork(unsigned from, unsigned to)
{
	bool was = injecting;
	long res;

	spaces[to] = fresh();
	injecting = was;
	res = finish(aspace_fork(spaces[from], spaces[to], &work));
	if (res) {
		check(!spaces[to]->nregions && !spaces[to]->resident);
		aspace_put(spaces[to]);
		spaces[to] = NULL;
	}
	return res;
}

static void do_fork(const struct step *s)
{
	long res;

	if (s->kill_other)
		do_exit(s->other);
	run_on(spaces[s->space]);
	WITH_FAILURES(res, try_fork(s->space, s->other));
	check(res == 0);
	check_all(s->other);
	check_all(s->space);
}

/* ---- objects ---- */

static void do_object(const struct step *s)
{
	struct memobj *m = objects[s->object];
	u64 at = s->index * PAGE_SIZE;
	long res = 0;
	u8 got = 0;

	model_hart(below(nharts));
	switch (s->kind) {
	case STEP_RESIZE: WITH_FAILURES(res, memobj_resize(m, s->size)); break;
	case STEP_PUNCH: WITH_FAILURES(res, memobj_punch(m, at, s->n * PAGE_SIZE)); break;
	case STEP_WRITE: WITH_FAILURES(res, memobj_write(m, at, &s->access->value, 1)); break;
	default:
		res = memobj_read(m, at, &got, 1);
		check(got == s->access->old);
		break;
	}
	check(res == s->result);
}

/* ---- the run ---- */

static void perform(const struct step *s)
{
	struct aspace *as = spaces[s->space];

	switch (s->kind) {
	case STEP_ACCESS:
		for (u32 i = 0; i < s->count; i++)
			access_page(as, &s->access[i]);
		break;
	case STEP_COPY: copy_page(as, s->access); break;
	case STEP_TRANSFER: transfer(spaces[s->other], as, s->access); break;
	case STEP_MAP: do_map(as, s); break;
	case STEP_UNMAP: do_unmap(as, s->page, s->n); break;
	case STEP_PROTECT: do_protect(as, s); break;
	case STEP_BRK: do_brk(as, s); break;
	case STEP_ADVISE: do_advise(as, s); break;
	case STEP_REMAP: do_remap(as, s); break;
	case STEP_FORK: do_fork(s); break;
	case STEP_EXIT: do_exit(s->space); break;
	case STEP_RESIZE:
	case STEP_PUNCH:
	case STEP_WRITE:
	case STEP_READ: do_object(s); break;
	default: break;
	}
}

static void one(void)
{
	oracle_next(&oracle, &now);
	if (tracing)
		fprintf(stderr, "%lu: %s\n", step, what());
	if (now.fresh)
		spaces[now.space] = fresh();
	run_on(spaces[now.space]);
	perform(&now);
	check_sane();
	if (step % 16 == 0) {
		count_refs();
		frame_check();
		slab_check();
	}
	if (step % 64 == 0)
		for (unsigned i = 0; i < NSPACES; i++)
			if (spaces[i])
				check_all(i);
}

static void run(u64 seed, const u8 *fuzz, size_t size, unsigned long operations)
{
	struct tern_frame_stats before, after;

	oracle_start(&oracle, seed, fuzz, size);
	noise = seed;
	oracle.huge = PT_ENTRIES < NPAGES && seed % 2 ? PT_ENTRIES : 0;
	oracle.huge_at = -pt_index(BASE, 0) % PT_ENTRIES;
	model_random = rnd;
	model_meanwhile = meanwhile;
	tracing = getenv("TRACE");
	injecting = false;
	model_start(2048);
	mm_fail_hook = maybe_fail;
	frame_stats(&before);
	for (unsigned i = 0; i < NOBJECTS; i++) {
		objects[i] = memobj_create(oracle.object[i].size, i);
		check(objects[i]);
	}
	for (step = 0; step < operations && (!fuzz || oracle.fuzz_left >= 2); step++)
		one();
	for (unsigned i = 0; i < NSPACES; i++)
		if (spaces[i])
			do_exit(i);
	for (unsigned i = 0; i < NOBJECTS; i++)
		memobj_put(objects[i]);
	frame_check();
	slab_check();
	frame_stats(&after);
	check(after.user == before.user && after.table == before.table);
	check(!objects_in_use("aspace") && !objects_in_use("memobj") && !objects_in_use("region"));
	check(after.free + after.slab == before.free + before.slab);
}

#ifdef MM_FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	model_asids = 16;
	run(1, data, size, 2000);
	return 0;
}
#else
static void run_seed(u64 seed, unsigned long operations)
{
	model_asids = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 16 : 65536;
	nharts = seed % MODEL_HARTS + 1;
	fprintf(stderr, "seed %lu, %u harts, %u ASIDs, %lu operations\n", (unsigned long)seed, nharts,
		model_asids, operations);
	run(seed, NULL, 0, operations);
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
		if (PT_ENTRIES < NPAGES && mm_counters.huge_splits < 20)
			panic("few huge pages: %lu, %lu split", (unsigned long)mm_counters.huge_fills,
			      (unsigned long)mm_counters.huge_splits);
	}
	fprintf(stderr, "%lu fences, %lu remote, %u spurious faults, %lu huge pages, %lu split\n",
		(unsigned long)model_fences, (unsigned long)model_remote, model_spurious,
		(unsigned long)mm_counters.huge_fills, (unsigned long)mm_counters.huge_splits);
	return 0;
}
#endif
