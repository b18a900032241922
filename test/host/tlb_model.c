/* The adversarial model behind arch/mmu.h.
 *
 * Each hart remembers every page-table entry it ever read, of each level, also invalid ones, under
 * the ASID of the time, and forgets only what is exactly fenced: a page fence drops leaf entries of
 * that page, the ASID's fence all of that ASID, upper levels too.  A leaf of the middle level counts
 * as one of those, though the specification lets a page's fence drop it; now and then it is
 * remembered as the entry of the one page that was asked for, too.  An access may use any
 * combination of what is remembered and what memory holds now.  Harts also read entries
 * speculatively whenever the memory code fences or allocates.  What a hart remembers of a space
 * that it does not run may be old, if it forgets it before it runs it again.
 *
 * What must hold whenever no lock is taken: an entry that a hart may use allows no more than the
 * tables do now, and names the same frame. */
#include "tlb_model.h"

#include <arch/cpu.h>
#include <kernel/lib/log.h>
#include <kernel/lib/string.h>
#include <mm/frame.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SEEN_MAX 4u
#define BUCKETS 4096u

struct seen {
	u64 key; /* asid, level, address bits */
	bool used;
	u8 n;
	pte_t entry[SEEN_MAX];
};
struct model_hart {
	pfn_t root;
	u16 asid;
	bool active;
	struct seen seen[BUCKETS];
};

u32 model_asids = 65536;
u32 (*model_random)(void);
u64 model_fences, model_remote, model_fetch_fences[MODEL_HARTS];
void (*model_meanwhile)(void), (*model_publishing)(void);
unsigned model_spurious;

static struct model_hart harts[MODEL_HARTS];
static unsigned current;
/* Not 0: an access is tried again after a fault that was resolved: its hart now uses whatever it
 * remembers that does not allow these rights. */
static pte_t stubborn;
static char *ram;
static size_t ram_size;
#define HOT 64u
static va_t hot[HOT];

/* ---- the rest of the kernel ---- */

void klog(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	fputs("PANIC: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void page_zero(void *page) { memset(page, 0, PAGE_SIZE); }
void page_copy(void *to, const void *from) { memcpy(to, from, PAGE_SIZE); }
void mm_wake(struct aspace *as) { (void)as; }
void mm_low(void) {}
void mm_pager_gone(struct pager *p) { (void)p; }
void (*model_on_watch)(struct note *n, bool gone);
void mm_unmapped(struct note *n) { model_on_watch(n, false); }
void mm_unwatch(struct note *n) { model_on_watch(n, true); }
bool mm_defers;
bool mm_defer(void) { return mm_defers; }
unsigned hart_index(void) { return current; }

/* Each look at the clock is a tick later. */
u64 arch_ticks(void)
{
	static u64 ticks;

	return ++ticks;
}

void model_hart(unsigned hart) { current = hart; }

/* ---- memory ---- */

void *phys_to_virt(pa_t pa)
{
	if (pa < MODEL_RAM || pa >= MODEL_RAM + ram_size)
		panic("model: physical address %lx", (unsigned long)pa);
	return ram + (pa - MODEL_RAM);
}

pa_t virt_to_phys(const void *p)
{
	if ((const char *)p < ram || (const char *)p >= ram + ram_size)
		panic("model: %p is not memory", p);
	return MODEL_RAM + (pa_t)((const char *)p - ram);
}

/* ---- remembered entries ---- */

static u64 key_of(u16 asid, int level, va_t va)
{
	return (u64)asid << 48 | (u64)level << 44 | va >> (PAGE_SHIFT + PT_BITS * level);
}

static struct seen *find(struct model_hart *h, u64 key, bool make)
{
	u64 i = key * 0x9e3779b97f4a7c15ul >> 52;

	for (unsigned n = 0; n < BUCKETS; n++, i = (i + 1) % BUCKETS) {
		struct seen *s = &h->seen[i];

		if (s->used && s->key == key)
			return s;
		if (!s->used) {
			if (!make)
				return NULL;
			s->used = true;
			s->key = key;
			s->n = 0;
			return s;
		}
	}
	return NULL; /* full: a cache may forget */
}

static void remember(struct model_hart *h, u64 key, pte_t e)
{
	struct seen *s = find(h, key, true);

	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++)
		if (s->entry[i] == e)
			return;
	if (s->n < SEEN_MAX)
		s->entry[s->n++] = e;
	else
		s->entry[model_random() % SEEN_MAX] = e;
}

static unsigned worst_of(const struct seen *s, pte_t wanted)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!pte_valid(s->entry[i]) || !(s->entry[i] & wanted))
			return i;
	return model_random() % s->n;
}

/* One entry of a walk: what memory holds or anything remembered. */
static pte_t look(struct model_hart *h, pfn_t table, int level, va_t va)
{
	u64 key = key_of(h->asid, level, va);
	struct seen *s = find(h, key, false);
	pte_t e;

	if (s && s->n && stubborn)
		return s->entry[worst_of(s, level ? PTE_V : stubborn)];
	if (s && s->n && model_random() % 4)
		return s->entry[model_random() % s->n];
	e = ((pte_t *)pfn_to_virt(table))[pt_index(va, level)];
	remember(h, key, e);
	return e;
}

static bool is_leaf(pte_t e) { return pte_valid(e) && !pte_is_table(e); }

/* What a leaf of the middle level says of one page. */
static pte_t page_of(pte_t e, va_t va) { return e + ((pte_t)pt_index(va, 0) << PTE_PFN_SHIFT); }

/* The leaf entry that a hart may use for va. */
static pte_t translate(struct model_hart *h, va_t va)
{
	struct seen *s = find(h, key_of(h->asid, 0, va), false);
	pfn_t table = h->root;
	pte_t e = 0;

	if (frame_of(table)->kind != FRAME_TABLE)
		panic("model: a hart runs a dead root");
	if (s && s->n && stubborn)
		return s->entry[worst_of(s, stubborn)];
	if (s && s->n && model_random() % 2)
		return s->entry[model_random() % s->n];
	for (int level = 2; level >= 0; level--) {
		e = look(h, table, level, va);
		if (level == 1 && is_leaf(e)) {
			e = page_of(e, va);
			if (model_random() % 2)
				remember(h, key_of(h->asid, 0, va), e);
			return e;
		}
		if (level == 0 || !pte_valid(e))
			return e;
		table = pte_pfn(e);
	}
	return e;
}

void model_speculate(void)
{
	struct model_hart *h = &harts[model_random() % MODEL_HARTS];

	if (h->active)
		(void)translate(h, hot[model_random() % HOT]);
}

/* ---- arch/mmu.h ---- */

/* What a fence is about to make forgotten was usable until now: its frames must still be there. */
static void check_alive(const struct seen *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		pte_t e = s->entry[i];
		unsigned n = (s->key >> 44 & 15) == 1 && is_leaf(e) ? PT_ENTRIES : 1;

		for (; pte_valid(e) && n; n--, e += 1ul << PTE_PFN_SHIFT)
			if (frame_is_ram(pte_pfn(e)) && frame_of(pte_pfn(e))->kind == FRAME_FREE)
				panic("model: frame %lx was freed before the fence",
				      (unsigned long)pte_pfn(e));
	}
}

static void forget(struct model_hart *h, u16 asid, bool all)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		if (h->seen[i].used && (all || h->seen[i].key >> 48 == asid)) {
			if (!all && h->asid == asid)
				check_alive(&h->seen[i]);
			h->seen[i].n = 0;
		}
}

static void forget_page(struct model_hart *h, va_t va, u16 asid)
{
	struct seen *s = find(h, key_of(asid, 0, va), false);

	if (s) {
		if (h->asid == asid)
			check_alive(s);
		s->n = 0;
	}
}

void mmu_fence_page(va_t va, u16 asid)
{
	model_speculate();
	model_fences++;
	forget_page(&harts[current], va, asid);
}

void mmu_fence_asid(u16 asid)
{
	model_speculate();
	model_fences++;
	forget(&harts[current], asid, false);
}

void mmu_fence_all(void)
{
	model_fences++;
	forget(&harts[current], 0, true);
}

void mmu_fence_remote(u32 hart_mask, va_t va, u64 len, u16 asid)
{
	model_speculate();
	model_remote++;
	for (unsigned i = 0; i < MODEL_HARTS; i++) {
		if (!(hart_mask & 1u << i))
			continue;
		if (!len)
			forget(&harts[i], asid, false);
		for (va_t at = va; len && at < va + len; at += PAGE_SIZE)
			forget_page(&harts[i], at, asid);
	}
}

void mmu_activate(pfn_t root, u16 asid)
{
	struct model_hart *h = &harts[current];

	h->root = root;
	h->asid = asid;
	h->active = true;
	model_speculate();
}

u64 mmu_state(pfn_t root, u16 asid) { return (u64)asid << 44 | root; }
void mmu_load(u64 state) { mmu_activate(state & ((1ul << 44) - 1), (u16)(state >> 44)); }
bool model_runs(unsigned hart, const struct aspace *as)
{
	return harts[hart].active && harts[hart].root == as->root_pfn;
}

void mmu_init_root(pte_t *root) { (void)root; }
u32 mmu_asid_count(void) { return model_asids; }
void mmu_publish(void)
{
	if (model_publishing)
		model_publishing();
}

void model_peek(va_t va) { (void)translate(&harts[current], va); }

void mmu_sync_icache(u32 hart_mask)
{
	for (unsigned i = 0; i < MODEL_HARTS; i++)
		model_fetch_fences[i] += hart_mask >> i & 1;
}


/* ---- the machine ---- */

static bool speculate_on_alloc(void)
{
	model_speculate();
	return false;
}

void model_start(unsigned pages)
{
	struct phys_range range = { MODEL_RAM, MODEL_RAM + pages * PAGE_SIZE };
	struct phys_range reserved = { MODEL_RAM, MODEL_RAM + 2 * PAGE_SIZE };
	static size_t mapped;

	if (!ram || mapped < pages * PAGE_SIZE) {
		char *p = mmap(NULL, pages * PAGE_SIZE + (8ul << 20), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			panic("model: no memory");
		ram = (char *)(((uintptr_t)p + (4ul << 20) - 1) & ~((4ul << 20) - 1));
		mapped = pages * PAGE_SIZE;
	}
	ram_size = pages * PAGE_SIZE;
	memset(ram, 0xa5, ram_size);
	memset(harts, 0, sizeof(harts));
	current = 0;
	mm_fail_hook = NULL;
	frames_init(&range, 1, &reserved, 1);
	mm_init();
	mm_fail_hook = speculate_on_alloc;
}

static unsigned tables_allow(const struct aspace *as, va_t va, pfn_t *pfn)
{
	pte_t e = as->root[pt_index(va, 2)];

	for (int level = 1; level >= 0; level--) {
		if (!pte_valid(e))
			return 0;
		if (is_leaf(e)) {
			e = page_of(e, va);
			break;
		}
		e = ((pte_t *)pfn_to_virt(pte_pfn(e)))[pt_index(va, level)];
	}
	*pfn = pte_pfn(e);
	return pte_valid(e) ? (e >> 1) & 7 : 0;
}

enum fault_result model_access(struct aspace *as, va_t va, enum fault_access access, u8 **byte)
{
	struct model_hart *h = &harts[current];
	struct mm_work w = { 0 };
	unsigned hart = current;

	hot[model_random() % HOT] = PAGE_DOWN(va);
	if (h->root != as->root_pfn)
		panic("model: hart %u runs another space", current);
	for (unsigned tries = 0; tries < 100; tries++) {
		pte_t e;
		pfn_t pfn = 0;
		unsigned allowed = tables_allow(as, va, &pfn);
		enum fault_result res;

		stubborn = tries ? (pte_t)access << 1 : 0;
		e = translate(h, va);
		stubborn = 0;
		if (pte_valid(e)) {
			if (!pte_is_table(e) && pte_pfn(e) != pfn)
				panic("model: %lx: stale frame %lx, now %lx", (unsigned long)va,
				      (unsigned long)pte_pfn(e), (unsigned long)pfn);
			if (((e >> 1) & 7 & ~allowed))
				panic("model: %lx: stale rights %lx, now %x", (unsigned long)va,
				      (unsigned long)(e >> 1) & 7, allowed);
			if ((e >> 1) & 7 & access) {
				*byte = (u8 *)pfn_to_virt(pte_pfn(e)) + (va & PAGE_MASK);
				return FAULT_OK;
			}
		}
		if (allowed & access)
			model_spurious++;
		res = aspace_fault(as, va, access);
		if (res == FAULT_MORE && aspace_fault_huge(as, va, &w) == MM_MORE)
			do {
				if (model_meanwhile)
					model_meanwhile();
				model_hart(hart);
				aspace_activate(as);
			} while (mm_work_step(&w) == MM_MORE);
		if (res == FAULT_MORE)
			continue;
		if (res != FAULT_OK)
			return res;
	}
	panic("model: %lx: faults for ever", (unsigned long)va);
}
