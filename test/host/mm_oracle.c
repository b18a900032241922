/* The generator and the oracle of mm_oracle.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "mm_oracle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define NPAGES ORACLE_PAGES
#define OBJECT_PAGES ORACLE_OBJECT_PAGES
#define PAGE ((uint64_t)ORACLE_PAGE)
#define BIT(n) ((uint8_t)(1u << (n)))

uint32_t oracle_random(struct oracle *o)
{
	if (o->fuzz_left >= 2) {
		uint32_t v = (uint32_t)o->fuzz[0] | (uint32_t)o->fuzz[1] << 8;

		o->fuzz += 2;
		o->fuzz_left -= 2;
		return v;
	}
	o->random ^= o->random << 13;
	o->random ^= o->random >> 7;
	o->random ^= o->random << 17;
	return (uint32_t)(o->random >> 16);
}

static uint32_t below(struct oracle *o, uint32_t n)
{
	return oracle_random(o) % n;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t pages_of(uint64_t size)
{
	return (uint32_t)((size + PAGE - 1) / PAGE);
}

void oracle_start(struct oracle *o, uint64_t seed, const uint8_t *fuzz, size_t size)
{
	memset(o, 0, sizeof *o);
	o->nspaces = ORACLE_SPACES;
	o->has_brk = true;
	o->random = seed * 0x9e3779b97f4a7c15ul | 1;
	o->fuzz = fuzz;
	o->fuzz_left = size;
	o->few_objects = below(o, 3);
	for (unsigned i = 0; i < ORACLE_OBJECTS; i++)
		o->object[i].size = below(o, OBJECT_PAGES) * PAGE;
}

/* ---- accesses ---- */

enum outcome oracle_expect(const struct oracle *o, unsigned space, uint32_t page, unsigned access)
{
	const struct oracle_page *p = &o->space[space].page[page];
	unsigned rights = p->prot | (p->prot & PROT_WRITE ? PROT_READ : 0u);

	if (!p->mapped)
		return OUTCOME_MAPERR;
	if (!(rights & access))
		return OUTCOME_ACCERR;
	if (p->object >= 0 && !p->copied && p->index >= pages_of(o->object[p->object].size))
		return OUTCOME_BUS;
	return OUTCOME_OK;
}

uint8_t oracle_value(const struct oracle *o, unsigned space, uint32_t page)
{
	const struct oracle_page *p = &o->space[space].page[page];

	return p->object >= 0 && !p->copied ? o->object[p->object].value[p->index] : p->value;
}

static void store(struct oracle *o, unsigned space, uint32_t page, uint8_t v)
{
	struct oracle_page *p = &o->space[space].page[page];

	if (p->object >= 0 && p->shared) {
		o->object[p->object].value[p->index] = v;
		return;
	}
	if (p->object >= 0)
		p->copied = true;
	p->value = v;
	p->freed = 0;
}

/* Fills in an access with what is expected; true if it succeeds. */
static bool describe(const struct oracle *o, struct step *s, struct oracle_access *a, unsigned space,
		     uint32_t page, unsigned access)
{
	const struct oracle_page *p = &o->space[space].page[page];

	*a = (struct oracle_access){ .page = (uint8_t)page, .access = (uint8_t)access };
	a->want = (uint8_t)oracle_expect(o, space, page, access);
	if (a->want == OUTCOME_OK) {
		a->old = oracle_value(o, space, page);
		a->maybe = p->freed ? p->freed : a->old;
	}
	if (p->mapped && p->object >= 0)
		s->reads |= BIT(p->object);
	if (p->mapped && p->object >= 0 && p->shared && (access & ORACLE_WRITE))
		s->writes |= BIT(p->object);
	return a->want == OUTCOME_OK;
}

/* A page that a huge one can begin at. */
static uint32_t huge_place(struct oracle *o)
{
	return o->huge_at + below(o, (NPAGES - o->huge_at) / o->huge) * o->huge;
}

static void make_accesses(struct oracle *o, struct step *s)
{
	s->kind = STEP_ACCESS;
	for (; s->count < 8; s->count++) {
		struct oracle_access *a = &s->access[s->count];
		uint32_t page = below(o, NPAGES);
		unsigned access = 1u << below(o, 3);
		uint8_t v = (uint8_t)(1 + below(o, 255));

		if (o->huge && below(o, 2))
			page = huge_place(o);
		if (o->huge && below(o, 2))
			access = ORACLE_WRITE;
		if (describe(o, s, a, s->space, page, access) && access == ORACLE_WRITE) {
			a->value = v;
			store(o, s->space, page, v);
		}
	}
}

static void make_copy(struct oracle *o, struct step *s)
{
	unsigned other = below(o, o->nspaces), kind = below(o, 3);
	uint32_t i = below(o, NPAGES), j = below(o, NPAGES);
	uint8_t v = (uint8_t)(1 + below(o, 255));
	bool from, to;

	s->count = 1;
	s->kind = STEP_COPY;
	if (kind < 2) {
		if (describe(o, s, s->access, s->space, i, kind ? ORACLE_WRITE : ORACLE_READ) && kind) {
			s->access->value = v;
			store(o, s->space, i, v);
		}
		return;
	}
	s->kind = o->space[other].live ? STEP_TRANSFER : STEP_NONE;
	if (s->kind == STEP_NONE)
		return;
	s->other = (uint8_t)other;
	s->count = 2;
	from = describe(o, s, &s->access[0], s->space, i, ORACLE_READ);
	to = describe(o, s, &s->access[1], other, j, ORACLE_WRITE);
	if (!from || !to)
		return;
	s->access[1].value = s->access[0].old;
	store(o, other, j, s->access[0].old);
}

void oracle_check(const struct oracle *o, unsigned space, struct step *s)
{
	memset(s, 0, sizeof *s);
	s->kind = STEP_CHECK;
	s->space = (uint8_t)space;
	for (; s->count < NPAGES; s->count++) {
		const struct oracle_page *p = &o->space[space].page[s->count];
		struct oracle_access *a = &s->access[s->count];

		describe(o, s, a, space, s->count, ORACLE_READ);
		if (p->mapped)
			a->region = (uint8_t)(ORACLE_MAPPED | p->prot | (p->shared ? ORACLE_SHARED : 0) |
					      (p->object >= 0 ? ORACLE_FILE : 0));
	}
}

/* ---- regions ---- */

static bool is_free(const struct oracle_space *s, uint32_t i, uint32_t n)
{
	for (uint32_t k = i; k < i + n; k++)
		if (s->page[k].mapped)
			return false;
	return true;
}

static void clear(struct oracle_space *s, uint32_t i, uint32_t n)
{
	memset(&s->page[i], 0, n * sizeof s->page[0]);
}

/* The highest place for n pages; NPAGES: none in the window. */
static uint32_t top_down(const struct oracle_space *s, uint32_t n)
{
	for (uint32_t i = NPAGES - n + 1; i-- > 0;)
		if (is_free(s, i, n))
			return i;
	return NPAGES;
}

static void commit_map(struct oracle *o, struct step *s)
{
	const struct oracle_object *x = s->object >= 0 ? &o->object[s->object] : NULL;
	bool populate = x && (s->flags & MAP_POPULATE);
	bool copies = populate && !(s->flags & MAP_SHARED) && (s->prot & PROT_WRITE);

	for (uint32_t k = 0; k < s->n; k++) {
		struct oracle_page *p = &o->space[s->space].page[s->page + k];

		*p = (struct oracle_page){ .mapped = true,
					   .shared = s->flags & MAP_SHARED,
					   .prot = (uint8_t)s->prot,
					   .object = s->object,
					   .index = s->index + k };
		if (copies && p->index < pages_of(x->size)) {
			p->copied = true;
			p->value = x->value[p->index];
		}
	}
	if (populate)
		s->reads = BIT(s->object);
}

static void make_map(struct oracle *o, struct step *s)
{
	struct oracle_space *space = &o->space[s->space];
	bool shared;

	s->n = 1 + below(o, 12);
	s->page = below(o, NPAGES - s->n);
	s->object = (int)below(o, ORACLE_OBJECTS * 2) - (int)ORACLE_OBJECTS;
	s->prot = below(o, 8);
	shared = s->object >= 0 && below(o, 2);
	s->fixed = below(o, 2);
	if (below(o, 4))
		s->prot |= PROT_READ | PROT_WRITE;
	if (s->fixed)
		s->flags |= below(o, 3) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	if (!below(o, 6))
		s->flags |= MAP_POPULATE;
	if (s->object >= 0)
		s->index = below(o, OBJECT_PAGES - s->n);
	if (s->object < 0 || (o->few_objects && below(o, 10))) {
		s->object = -1;
		s->index = 0;
		shared = false;
	}
	if (o->huge && below(o, 3)) {
		s->object = -1;
		s->index = 0;
		shared = false;
		s->fixed = true;
		s->prot = PROT_READ | PROT_WRITE;
		s->flags = MAP_FIXED | (s->flags & MAP_POPULATE);
		s->page = huge_place(o);
		s->n = smaller(o->huge + below(o, o->huge + 4), NPAGES - s->page);
	}
	s->flags |= shared ? MAP_SHARED : MAP_PRIVATE;
	if (!s->fixed)
		s->page = top_down(space, s->n);
	if (s->page == NPAGES)
		return;
	s->kind = STEP_MAP;
	s->result = (s->flags & MAP_FIXED_NOREPLACE) && !is_free(space, s->page, s->n) ? -EEXIST : 0;
	if (!s->result)
		commit_map(o, s);
}

static void make_unmap(struct oracle *o, struct step *s)
{
	s->kind = STEP_UNMAP;
	s->n = 1 + below(o, o->huge ? 4 * o->huge : 16);
	s->page = below(o, NPAGES - s->n);
	clear(&o->space[s->space], s->page, s->n);
}

static void make_protect(struct oracle *o, struct step *s)
{
	struct oracle_page *p = o->space[s->space].page;

	s->kind = STEP_PROTECT;
	s->n = 1 + below(o, 16);
	s->page = below(o, NPAGES - s->n);
	s->prot = below(o, 8);
	for (uint32_t k = s->page; k < s->page + s->n && !s->holes; k++) {
		s->holes = !p[k].mapped;
		if (!s->holes)
			p[k].prot = (uint8_t)s->prot;
	}
	s->result = s->holes ? -ENOMEM : 0;
}

static void make_brk(struct oracle *o, struct step *s)
{
	struct oracle_space *space = &o->space[s->space];
	uint32_t was = space->brk;

	s->n = below(o, 24);
	/* Linux keeps a page free above the heap, and does not move its end down over nothing at all. */
	if (!o->has_brk || (s->n < was && is_free(space, s->n, was - s->n)))
		return;
	s->kind = STEP_BRK;
	if (s->n <= was || is_free(space, was, s->n - was + 1))
		space->brk = s->n;
	s->to = space->brk;
	for (uint32_t k = was; k < space->brk; k++)
		space->page[k] = (struct oracle_page){ .mapped = true,
						       .prot = PROT_READ | PROT_WRITE,
						       .object = -1,
						       .heap = true };
	if (space->brk < was)
		clear(space, space->brk, was - space->brk);
}

static void advise_page(struct oracle_page *p, int advice)
{
	switch (advice) {
	case MADV_FREE:
	case MADV_DONTNEED:
		if (!p->freed || advice == MADV_DONTNEED)
			p->freed = advice == MADV_FREE ? p->value : 0;
		p->copied = false;
		p->value = 0;
		break;
	case MADV_DONTFORK:
	case MADV_DOFORK:
		p->dontfork = advice == MADV_DONTFORK;
		break;
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		p->wipe = advice == MADV_WIPEONFORK;
		break;
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		p->huge = advice == MADV_HUGEPAGE ? 1 : 2;
		break;
	default:
		break;
	}
}

#define NO_ADVICE 12345

static void make_advise(struct oracle *o, struct step *s)
{
	static const int advice[] = { MADV_DONTNEED,   MADV_DONTNEED, MADV_FREE,
				      MADV_DONTFORK,   MADV_DOFORK,   MADV_WIPEONFORK,
				      MADV_KEEPONFORK, MADV_WILLNEED, NO_ADVICE };
	struct oracle_page *page = o->space[s->space].page;
	bool refused = false;

	s->kind = STEP_ADVISE;
	s->n = 1 + below(o, 16);
	s->page = below(o, NPAGES - s->n);
	s->advice = advice[below(o, sizeof advice / sizeof advice[0])];
	if (o->huge && below(o, 2))
		s->advice = below(o, 3) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
	for (uint32_t k = s->page; k < s->page + s->n && !refused; k++) {
		struct oracle_page *p = &page[k];

		s->holes |= !p->mapped;
		refused = p->mapped && p->object >= 0 &&
			  (s->advice == MADV_FREE || s->advice == MADV_WIPEONFORK);
		if (p->mapped && !refused)
			advise_page(p, s->advice);
	}
	s->result = refused || s->advice == NO_ADVICE ? -EINVAL : s->holes ? -ENOMEM : 0;
	s->holes |= refused;
}

/* ---- mremap ---- */

static bool alike(const struct oracle_page *a, const struct oracle_page *b)
{
	return a->mapped && b->mapped && a->shared == b->shared && a->object == b->object &&
	       a->prot == b->prot && a->dontfork == b->dontfork && a->wipe == b->wipe &&
	       a->heap == b->heap && a->huge == b->huge && (a->object < 0 || a->index + 1 == b->index);
}

/* Whether n pages surely are of one region, with room in its object to grow. */
static bool is_one(const struct oracle_space *s, uint32_t i, uint32_t n)
{
	for (uint32_t k = i; k < i + n; k++)
		if (!s->page[k].mapped || (k > i && !alike(&s->page[k - 1], &s->page[k])) ||
		    (s->page[k].object >= 0 && s->page[k].index + 12 > OBJECT_PAGES))
			return false;
	return true;
}

/* Where it goes, and the flags; false: nowhere. */
static bool choose_place(struct oracle *o, struct step *s)
{
	const struct oracle_space *space = &o->space[s->space];
	uint32_t i = s->page, n = s->n, to = below(o, NPAGES - 10), more = s->m > n ? s->m : n;
	unsigned kind = below(o, 3);

	s->flags = MREMAP_MAYMOVE;
	s->to = i;
	if (kind) {
		s->fixed = true;
		s->to = to;
		s->flags |= MREMAP_FIXED | (kind == 2 && n == s->m ? MREMAP_DONTUNMAP : 0);
		return to >= i + n || i >= to + more;
	}
	if (s->m > n && (i + s->m > NPAGES || !is_free(space, i + n, s->m - n)))
		s->to = top_down(space, s->m);
	return s->to != NPAGES;
}

static void move_pages(struct oracle_space *space, const struct step *s)
{
	struct oracle_page moved[10];

	for (uint32_t k = 0; k < s->m; k++) {
		moved[k] = space->page[s->page];
		if (k < s->n) {
			moved[k] = space->page[s->page + k];
		} else {
			moved[k].copied = false;
			moved[k].value = moved[k].freed = 0;
			moved[k].index += k;
		}
		if (s->to != s->page)
			moved[k].heap = false;
	}
	for (uint32_t k = s->page; k < s->page + s->n; k++) {
		space->page[k].copied = false;
		space->page[k].value = space->page[k].freed = 0;
	}
	if (!(s->flags & MREMAP_DONTUNMAP))
		clear(space, s->page, s->n);
	memcpy(&space->page[s->to], moved, s->m * sizeof moved[0]);
}

static void make_remap(struct oracle *o, struct step *s)
{
	struct oracle_space *space = &o->space[s->space];

	s->n = 1 + below(o, 10);
	s->m = 1 + below(o, 10);
	s->page = below(o, NPAGES - 10);
	if (!choose_place(o, s) || !is_one(space, s->page, s->n))
		return;
	s->kind = STEP_REMAP;
	move_pages(space, s);
}

/* ---- spaces ---- */

static void make_exit(struct oracle *o, struct step *s)
{
	s->kind = STEP_EXIT;
	memset(&o->space[s->space], 0, sizeof o->space[s->space]);
}

void oracle_fork(struct oracle *o, unsigned from, unsigned to)
{
	struct oracle_space *d = &o->space[to];

	*d = o->space[from];
	for (uint32_t k = 0; k < NPAGES; k++) {
		if (d->page[k].dontfork)
			clear(d, k, 1);
		if (d->page[k].wipe)
			d->page[k].value = d->page[k].freed = 0;
	}
}

static void make_fork(struct oracle *o, struct step *s)
{
	unsigned other = below(o, o->nspaces);

	if (other == s->space)
		return;
	s->kind = STEP_FORK;
	s->other = (uint8_t)other;
	s->kill_other = o->space[other].live;
	oracle_fork(o, s->space, other);
}

/* ---- objects ---- */

static void drop(struct oracle *o, int object, uint32_t from, uint32_t to, bool copies)
{
	for (unsigned i = 0; i < ORACLE_SPACES; i++)
		for (uint32_t k = 0; k < NPAGES; k++) {
			struct oracle_page *p = &o->space[i].page[k];

			if (copies && p->mapped && p->object == object && p->index >= from &&
			    p->index < to)
				p->copied = false;
		}
	for (uint32_t k = from; k < smaller(to, OBJECT_PAGES); k++)
		o->object[object].value[k] = 0;
}

static void make_object(struct oracle *o, struct step *s)
{
	static const enum step_kind kinds[] = { STEP_RESIZE, STEP_PUNCH, STEP_WRITE, STEP_READ };
	struct oracle_object *x;
	uint8_t v;

	s->object = (int)below(o, ORACLE_OBJECTS);
	x = &o->object[s->object];
	s->index = below(o, OBJECT_PAGES);
	s->n = 1 + below(o, 8);
	s->kind = kinds[below(o, 4)];
	v = (uint8_t)(1 + below(o, 255));
	s->reads = BIT(s->object);
	s->writes = s->kind == STEP_READ ? 0 : BIT(s->object);
	s->result = s->index * PAGE < x->size;
	switch (s->kind) {
	case STEP_RESIZE:
		s->result = 0;
		s->size = s->index * PAGE + (below(o, 2) ? 100 : 0);
		if (s->size < x->size)
			drop(o, s->object, pages_of(s->size), ~0u, true);
		x->size = s->size;
		break;
	case STEP_PUNCH:
		s->result = 0;
		drop(o, s->object, s->index, s->index + s->n, false);
		break;
	case STEP_WRITE:
		s->access->value = v;
		if (s->result)
			x->value[s->index] = v;
		break;
	default:
		s->access->old = s->result ? x->value[s->index] : 0;
		break;
	}
}

/* ---- the run ---- */

void oracle_next(struct oracle *o, struct step *s)
{
	uint32_t k;

	memset(s, 0, sizeof *s);
	s->object = -1;
	s->space = (uint8_t)below(o, o->nspaces);
	k = below(o, 100);
	if (!o->space[s->space].live) {
		s->fresh = true;
		o->space[s->space].live = true;
	}
	if (k < 40)
		make_accesses(o, s);
	else if (k < 50)
		make_copy(o, s);
	else if (k < 60)
		make_map(o, s);
	else if (k < 65)
		make_unmap(o, s);
	else if (k < 72)
		make_protect(o, s);
	else if (k < 75)
		make_brk(o, s);
	else if (k < 79)
		make_advise(o, s);
	else if (k < 84)
		make_remap(o, s);
	else if (k < 90)
		make_fork(o, s);
	else if (k < 92)
		make_exit(o, s);
	else
		make_object(o, s);
}

void oracle_not_copied(struct oracle *o, unsigned space, uint32_t page)
{
	o->space[space].page[page].copied = false;
}

static const char *const names[] = { "nothing", "access",  "copy", "transfer", "map",   "unmap",
				     "protect", "brk",	   "advise", "remap",  "fork",  "exit",
				     "resize",	"punch",   "write",  "read",   "check" };

int oracle_print(const struct step *s, char *text, size_t size)
{
	return snprintf(text, size,
			"space %u%s: %s, pages %u + %u to %u + %u, object %d + %u, prot %u, flags %#x, advice "
			"%d, size %lu, other %u, result %d",
			s->space, s->fresh ? " (fresh)" : "", names[s->kind], s->page, s->n, s->to, s->m,
			s->object, s->index, s->prot, s->flags, s->advice, (unsigned long)s->size,
			s->other, s->result);
}
