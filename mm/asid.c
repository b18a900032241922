/* ASIDs, and which hart runs which space.
 *
 * aspace->asid_gen is a generation and an ASID, the number within it.  When the numbers run out a
 * new generation begins: every hart forgets all entries the next time it activates a space.  The
 * spaces that run at that moment keep their numbers, which nobody else gets in that generation.
 *
 * Numbers are given and spaces are activated under the kernel lock (a hart that leaves a space for
 * none needs no lock).  Entries are changed under the space's lock alone.  So the two sides rely on
 * orders in which each writes first and then reads what the other one writes:
 * - a hart sets its bit in aspace->ran before it can read entries; who changes entries stores them
 *   before it reads `ran` (aspace_fence);
 * - a hart stores that it enters a space before it reads in `ran` whether it may hold older entries
 *   of it; who changes entries clears the bits of harts that left before it looks whether they are
 *   there again (asid_where_to_fence);
 * - `ran` is set for a new number before other harts can see the number.
 * Where the machine has too few ASIDs, all spaces have ASID 0 and every switch fences.
 * Lock: asid_lock for giving numbers and counting instructions, below the spaces' locks. */
#include "mm_priv.h"

#define ASIDS_USEFUL (2 * MAX_HARTS)

#define NO_GENERATION (~0ul) /* no space has it, so aspace_try_activate() fails */

static struct spinlock asid_lock;
static u64 asid_generation = 1;
static bool asid_fast; /* the machine has enough ASIDs */
static u32 next_asid = 1, asid_count;
struct hart_space running[MAX_HARTS];
/* the ASID that each hart's space kept from the old generation, or 0; asid_lock */
static u32 kept[MAX_HARTS];
static u32 harts; /* mask of those that ever ran a space */
u64 icache_generation;
static pfn_t kernel_root;

void asid_init(void)
{
	kernel_root = frame_alloc(0, FRAME_TABLE, FRAME_ZERO);
	if (!kernel_root)
		panic("mm: no memory for the kernel's root table");
	mmu_init_root(pfn_to_virt(kernel_root));
	asid_count = MIN(mmu_asid_count(), 65536u);
	asid_fast = asid_count >= ASIDS_USEFUL;
	asid_generation = next_asid = 1;
	harts = 0;
	memset(kept, 0, sizeof(kept));
	memset(running, 0, sizeof(running));
	for (unsigned h = 0; h < MAX_HARTS; h++) {
		running[h].generation = NO_GENERATION;
		running[h].bit = 1u << h;
	}
}

/* Begins a new generation: the numbers of running spaces are kept, all others are free.  asid_lock
 * held. */
static void new_generation(void)
{
	__atomic_store_n(&asid_generation, asid_generation + 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned h = 0; h < MAX_HARTS; h++) {
		struct aspace *as = __atomic_load_n(&running[h].entering, __ATOMIC_ACQUIRE);

		kept[h] = 0;
		if (!as)
			continue;
		if (as->asid_gen && as->asid_gen >> 16 == asid_generation - 1)
			__atomic_store_n(&as->asid_gen,
					 asid_generation << 16 | (as->asid_gen & 0xffff),
					 __ATOMIC_RELEASE);
		if (as->asid_gen >> 16 == asid_generation)
			kept[h] = (u32)(as->asid_gen & 0xffff);
	}
	next_asid = 1;
	/* No hart may take the short way before it has forgotten the old numbers' entries. */
	for (unsigned h = 0; h < MAX_HARTS; h++)
		running[h].generation = NO_GENERATION;
}

void asid_end(void)
{
	spin_lock(&asid_lock);
	spin_unlock(&asid_lock);
}

/* A running space kept this number.  It stays taken for the whole generation, even if the space
 * leaves its hart. asid_lock held. */
static bool is_kept(u32 asid)
{
	for (unsigned h = 0; h < MAX_HARTS; h++)
		if (kept[h] == asid)
			return true;
	return false;
}

/* A number that no space has in this generation; begins a new one if there is none.  asid_lock
 * held. */
static u32 take_number(void)
{
	for (;;) {
		while (next_asid < asid_count) {
			u32 asid = next_asid++;

			if (!is_kept(asid))
				return asid;
		}
		new_generation();
	}
}

/* Gives the space a number of this generation.  running[h].entering is `as` already, so a new
 * generation that begins here keeps its number. */
static void asid_renew(struct aspace *as, unsigned h)
{
	u32 asid;

	spin_lock(&asid_lock);
	if (as->asid_gen >> 16 != asid_generation) {
		asid = take_number();
		/* take_number() may have begun a new generation, which kept the space's old
		 * number. */
		if (as->asid_gen >> 16 != asid_generation) {
			__atomic_store_n(&as->ran, 1u << h, __ATOMIC_SEQ_CST);
			as->mmu_state = mmu_state(as->root_pfn, (u16)asid);
			__atomic_store_n(&as->asid_gen, asid_generation << 16 | asid, __ATOMIC_RELEASE);
		}
	}
	spin_unlock(&asid_lock);
}

/* Opens this hart's short way (`bit`), and does a fence.i if one is due.  The bit is set before
 * icache_generation is read, as icache_written() counts before it clears bits: so no fence.i is
 * missed. */
static void fetch_anew(struct hart_space *here, u32 bit)
{
	u64 now;

	__atomic_store_n(&here->bit, bit, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	now = __atomic_load_n(&icache_generation, __ATOMIC_RELAXED);
	if (here->icache == now)
		return;
	mmu_sync_icache(bit);
	here->icache = now;
}

/* aspace_activate() where aspace_try_activate() could not do it, or `as` is NULL. */
void aspace_activate_slowly(struct aspace *as)
{
	unsigned h = hart_index();
	u32 bit = 1u << h;
	bool new_here;

	if (!as) {
		mmu_activate(kernel_root, 0);
		if (!asid_fast)
			mmu_fence_all();
		return;
	}
	/* first, as aspace_harts() asks no others */
	__atomic_fetch_or(&harts, bit, __ATOMIC_RELAXED);
	fetch_anew(&running[h], bit);
	new_here = !(__atomic_fetch_or(&as->ran, bit, __ATOMIC_RELAXED) & bit);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(!asid_fast)) {
		mmu_activate(as->root_pfn, 0);
		mmu_fence_all();
		return;
	}
	if (as->asid_gen >> 16 != READ_ONCE(asid_generation)) {
		asid_renew(as, h);
		__atomic_fetch_or(&as->ran, bit, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	as->mmu_state = mmu_state(as->root_pfn, (u16)as->asid_gen);
	if (new_here) /* the hart may have run the space before, and missed fences since it left */
		mmu_fence_asid((u16)as->asid_gen);
	mmu_load(as->mmu_state);
	if (running[h].generation != as->asid_gen >> 16) {
		running[h].generation = as->asid_gen >> 16;
		mmu_fence_all();
	}
}

static bool asid_uses(unsigned h, const struct aspace *as)
{
	return __atomic_load_n(&running[h].entering, __ATOMIC_ACQUIRE) == as ||
	       __atomic_load_n(&running[h].loaded, __ATOMIC_ACQUIRE) == as;
}

static u32 who_uses(u32 mask, const struct aspace *as)
{
	u32 found = 0;

	for (; mask; mask &= mask - 1)
		if (asid_uses((unsigned)__builtin_ctz(mask), as))
			found |= mask & -mask;
	return found;
}

u32 aspace_harts(const struct aspace *as)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return who_uses(READ_ONCE(harts), as);
}

u32 asid_where_to_fence(struct aspace *as, u32 ran)
{
	u32 now = who_uses(ran, as), away = ran & ~now, back;

	if (!away)
		return now;
	__atomic_fetch_and(&as->ran, ~away, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	back = who_uses(away, as);
	/* a hart came back, perhaps before its bit was cleared: it must be fenced */
	if (unlikely(back))
		__atomic_fetch_or(&as->ran, back, __ATOMIC_SEQ_CST);
	return now | back;
}

void icache_written(void)
{
	spin_lock(&asid_lock);
	__atomic_fetch_add(&icache_generation, 1, __ATOMIC_SEQ_CST);
	for (unsigned h = 0; h < MAX_HARTS; h++)
		__atomic_store_n(&running[h].bit, 0, __ATOMIC_RELAXED);
	spin_unlock(&asid_lock);
}

u64 icache_now(void)
{
	u64 now;

	spin_lock(&asid_lock);
	now = icache_generation;
	spin_unlock(&asid_lock);
	return now;
}

void icache_sync_slowly(struct aspace *as)
{
	u64 now = icache_now();
	u32 mask = aspace_harts(as);

	mmu_sync_icache(mask);
	for (; mask; mask &= mask - 1)
		running[__builtin_ctz(mask)].icache = now;
	as->icache_generation = now;
}

void aspace_sync_icache(struct aspace *as)
{
	spin_lock(&as->lock);
	icache_written();
	icache_sync(as);
	spin_unlock(&as->lock);
}
