/* Frames of physical memory: a buddy allocator of orders 0 to 10 over one array of struct frame.
 *
 * In front of it each hart has a small stack of single free frames, and one of zeroed frames.
 * Zeroed frames come from page tables, which are all zero when they are given back, and from
 * `prepared`, which idle harts fill for all.
 *
 * Invariants: a free block is aligned to its size; its head alone has FRAME_IN_BUDDY and is in the
 * list of its order; two free buddies of one order never exist side by side.  A frame in a
 * hart's stack has kind FRAME_FREE and no flag, so that it never merges.
 * Locks: each hart's stacks have one, which other harts take only when memory is out; then
 * buddy_lock. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/lib/log.h>
#include <kernel/lib/spinlock.h>
#include <kernel/lib/string.h>
#include <mm/frame.h>

#define STACK_MAX 32
#define STACK_REFILL 16
#define ZEROED_MAX 16
#define PREPARED_SHARE 64 /* idle harts zero up to a 64th of memory */
#define RESERVE_SHARE 64 /* mm_low() is called when less than a 64th is free */

struct hart_frames {
	struct spinlock lock;
	u32 n, nzeroed;
	u32 pfn[STACK_MAX], zeroed[ZEROED_MAX];
	/* by kind, frames allocated less frames freed by this hart, its only writer */
	s64 used[FRAME_USER + 1];
} __attribute__((aligned(64)));

struct frame *frames;
pfn_t frame_base, frame_limit;

static struct spinlock buddy_lock;
static struct list free_list[FRAME_ORDERS];
static u64 free_blocks[FRAME_ORDERS];
static u64 buddy_free; /* frames in free blocks */
static u64 total_frames;
u64 kernel_share;
static s64 promised; /* frames_promise(); atomic */
static struct list prepared; /* zeroed by idle harts, for every hart's `zeroed`; buddy_lock */
static u64 nprepared;
static struct hart_frames stacks[MAX_HARTS];

#ifdef TERN_HOST
bool (*mm_fail_hook)(void);
#endif

/* Frees a block, and merges it with free buddies.  buddy_lock held, except at start-up. */
static void buddy_put(pfn_t pfn, unsigned order)
{
	struct frame *f;

	assert(!(pfn & ((1ul << order) - 1)));
	buddy_free += 1ul << order;
	for (; order < FRAME_ORDERS - 1; order++) {
		pfn_t other = pfn ^ (1ul << order);

		if (!frame_is_ram(other))
			break;
		f = frame_of(other);
		if (!(f->flags & FRAME_IN_BUDDY) || f->order != order)
			break;
		list_del(&f->link);
		f->flags = 0;
		free_blocks[order]--;
		pfn &= ~(1ul << order);
	}
	f = frame_of(pfn);
	f->flags = FRAME_IN_BUDDY;
	f->order = (u8)order;
	list_add_head(&free_list[order], &f->link);
	free_blocks[order]++;
}

/* Takes a block of the order out of the smallest one that has it.  0: there is none.  buddy_lock
 * held. */
static pfn_t buddy_take(unsigned order)
{
	unsigned o = order;
	struct frame *f;
	pfn_t pfn;

	while (o < FRAME_ORDERS && list_empty(&free_list[o]))
		o++;
	if (o == FRAME_ORDERS)
		return 0;
	f = list_entry(free_list[o].next, struct frame, link);
	list_del(&f->link);
	f->flags = 0;
	free_blocks[o]--;
	pfn = frame_pfn(f);
	while (o > order) {
		o--;
		f = frame_of(pfn + (1ul << o));
		f->flags = FRAME_IN_BUDDY;
		f->order = (u8)o;
		list_add_head(&free_list[o], &f->link);
		free_blocks[o]++;
	}
	buddy_free -= 1ul << order;
	return pfn;
}

static pfn_t take_block(unsigned order)
{
	pfn_t pfn;

	spin_lock(&buddy_lock);
	pfn = buddy_take(order);
	spin_unlock(&buddy_lock);
	return pfn;
}

static void put_block(pfn_t pfn, unsigned order)
{
	spin_lock(&buddy_lock);
	buddy_put(pfn, order);
	spin_unlock(&buddy_lock);
}

/* Takes one frame that an idle hart zeroed; the caller knows that there is one.  buddy_lock
 * held. */
static pfn_t prepared_take(void)
{
	struct frame *f = list_entry(prepared.next, struct frame, link);

	list_del(&f->link);
	nprepared--;
	return frame_pfn(f);
}

/* Fills a hart's empty stack from the buddies.  The stack's lock held. */
static void stack_refill(struct hart_frames *s)
{
	spin_lock(&buddy_lock);
	while (s->n < STACK_REFILL) {
		pfn_t pfn = buddy_take(0);

		if (!pfn)
			break;
		s->pfn[s->n++] = (u32)pfn;
	}
	spin_unlock(&buddy_lock);
	if (unlikely(buddy_free < total_frames / RESERVE_SHARE))
		mm_low();
}

/* Fills a hart's stack of zeroed frames from `prepared`.  The stack's lock held. */
static void zeroed_refill(struct hart_frames *s)
{
	spin_lock(&buddy_lock);
	while (nprepared && s->nzeroed < ZEROED_MAX)
		s->zeroed[s->nzeroed++] = (u32)prepared_take();
	spin_unlock(&buddy_lock);
}

bool frames_prepare(void)
{
	pfn_t pfn = 0;

	spin_lock(&buddy_lock);
	if (nprepared < total_frames / PREPARED_SHARE && buddy_free > total_frames / 8)
		pfn = buddy_take(0);
	spin_unlock(&buddy_lock);
	if (!pfn)
		return false;
	page_zero(pfn_to_virt(pfn));
	spin_lock(&buddy_lock);
	list_add_tail(&prepared, &frame_of(pfn)->link);
	nprepared++;
	spin_unlock(&buddy_lock);
	return true;
}

/* Gives all but `keep` frames of a stack back to the buddies.  The stack's lock held. */
static void stack_drain(struct hart_frames *s, unsigned keep)
{
	spin_lock(&buddy_lock);
	while (s->n > keep)
		buddy_put(s->pfn[--s->n], 0);
	spin_unlock(&buddy_lock);
}

/* Memory is out, or no large block is free: gives all free frames that harts keep back to the
 * buddies. */
static void drain_all(void)
{
	spin_lock(&buddy_lock);
	while (nprepared)
		buddy_put(prepared_take(), 0);
	spin_unlock(&buddy_lock);
	for (unsigned h = 0; h < MAX_HARTS; h++) {
		struct hart_frames *s = &stacks[h];

		spin_lock(&s->lock);
		spin_lock(&buddy_lock);
		while (s->nzeroed)
			buddy_put(s->zeroed[--s->nzeroed], 0);
		spin_unlock(&buddy_lock);
		stack_drain(s, 0);
		spin_unlock(&s->lock);
	}
}

/* Marks a free frame as allocated, and an allocated one as free. */
static inline void frame_begin(struct frame *f, enum frame_kind kind, unsigned order)
{
	f->refs = 1;
	f->kind = (u8)kind;
	f->order = (u8)order;
	f->flags = 0;
}
static inline void frame_end(struct frame *f)
{
	f->refs = 0;
	f->kind = FRAME_FREE;
	f->flags = 0;
}

pfn_t frame_alloc(unsigned order, enum frame_kind kind, unsigned flags)
{
	struct hart_frames *s = &stacks[hart_index()];
	pfn_t pfn = 0;
	struct frame *f;

	if (mm_fail_now())
		return 0;
	if (likely(order == 0)) {
		spin_lock(&s->lock);
		if ((flags & FRAME_ZERO) && !s->nzeroed && READ_ONCE(nprepared))
			zeroed_refill(s);
		if ((flags & FRAME_ZERO) && s->nzeroed) {
			pfn = s->zeroed[--s->nzeroed];
			flags = 0;
		} else {
			if (unlikely(!s->n))
				stack_refill(s);
			if (likely(s->n))
				pfn = s->pfn[--s->n];
		}
		spin_unlock(&s->lock);
	}
	if (unlikely(!pfn)) {
		assert(order < FRAME_ORDERS);
		pfn = take_block(order);
		if (unlikely(!pfn)) {
			drain_all();
			pfn = take_block(order);
			mm_low();
		}
		if (!pfn)
			return 0;
	}
	f = frame_of(pfn);
	assert(f->kind == FRAME_FREE && f->refs == 0);
	frame_begin(f, kind, order);
	f->owner = NULL;
	f->used = f->pages = 0;
	s->used[kind] += 1l << order;
	if (flags & FRAME_ZERO)
		for (unsigned i = 0; i < 1u << order; i++)
			page_zero(pfn_to_virt(pfn + i));
	return pfn;
}

void frame_free(pfn_t pfn, unsigned order)
{
	struct hart_frames *s = &stacks[hart_index()];
	struct frame *f = frame_of(pfn);

	assert(frame_is_ram(pfn) && f->kind != FRAME_FREE && f->kind != FRAME_RESERVED);
	assert(f->refs <= 1 && f->order == order);
	s->used[f->kind] -= 1l << order;
	frame_end(f);
	if (likely(order == 0)) {
		spin_lock(&s->lock);
		if (unlikely(s->n == STACK_MAX))
			stack_drain(s, STACK_MAX - STACK_REFILL);
		s->pfn[s->n++] = (u32)pfn;
		spin_unlock(&s->lock);
		return;
	}
	put_block(pfn, order);
}

pfn_t frame_alloc_block(unsigned order)
{
	pfn_t pfn = mm_fail_now() ? 0 : take_block(order);

	if (!pfn)
		return 0;
	stacks[hart_index()].used[FRAME_USER] += 1l << order;
	for (struct frame *f = frame_of(pfn), *end = f + (1ul << order); f < end; f++) {
		assert(f->kind == FRAME_FREE && f->refs == 0);
		frame_begin(f, FRAME_USER, 0);
	}
	return pfn;
}

void frame_free_block(pfn_t pfn, unsigned order)
{
	for (struct frame *f = frame_of(pfn), *end = f + (1ul << order); f < end; f++) {
		assert(f->kind == FRAME_USER && f->refs == 1 && f->order == 0);
		frame_end(f);
	}
	stacks[hart_index()].used[FRAME_USER] -= 1l << order;
	put_block(pfn, order);
}

void frame_free_zeroed(pfn_t pfn)
{
	struct hart_frames *s = &stacks[hart_index()];
	struct frame *f = frame_of(pfn);

	if (s->nzeroed == ZEROED_MAX) {
		frame_free(pfn, 0);
		return;
	}
	assert(f->refs <= 1 && f->order == 0 && f->kind != FRAME_FREE);
	s->used[f->kind]--;
	frame_end(f);
	spin_lock(&s->lock);
	s->zeroed[s->nzeroed++] = (u32)pfn;
	spin_unlock(&s->lock);
}

void frame_get(pfn_t pfn)
{
	assert(frame_of(pfn)->refs);
	__atomic_fetch_add(&frame_of(pfn)->refs, 1, __ATOMIC_RELAXED);
}

void frame_put(pfn_t pfn)
{
	struct frame *f = frame_of(pfn);

	assert(f->refs);
	/* With one reference, the caller's, nobody else can take another: no atomic decrement is
	 * needed. */
	if (__atomic_load_n(&f->refs, __ATOMIC_ACQUIRE) == 1 ||
	    __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0)
		frame_free(pfn, 0);
}

/* ---- start-up ---- */

/* The lowest page-aligned address in the range `ram` where n bytes meet nothing reserved; 0:
 * none. */
static pa_t find_room(const struct phys_range *ram, const struct phys_range *res, unsigned nres,
		      u64 n)
{
	pa_t at = PAGE_UP(ram->start);
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned i = 0; i < nres; i++)
			if (at < res[i].end && res[i].start < at + n) {
				at = PAGE_UP(res[i].end);
				moved = true;
			}
	}
	return at + n <= ram->end ? at : 0;
}

static bool frame_overlaps(pa_t start, pa_t end, const struct phys_range *res, unsigned nres)
{
	for (unsigned i = 0; i < nres; i++)
		if (start < res[i].end && res[i].start < end)
			return true;
	return false;
}

void frames_init(const struct phys_range *ram, unsigned nram, const struct phys_range *reserved,
		 unsigned nreserved)
{
	struct phys_range self = { 0, 0 };
	u64 bytes;

	assert(nram > 0);
	memset(stacks, 0, sizeof(stacks));
	memset(free_blocks, 0, sizeof(free_blocks));
	buddy_free = total_frames = nprepared = 0;
	list_init(&prepared);
	for (unsigned o = 0; o < FRAME_ORDERS; o++)
		list_init(&free_list[o]);
	frame_base = ~0ul;
	frame_limit = 0;
	for (unsigned i = 0; i < nram; i++) {
		frame_base = MIN(frame_base, PAGE_UP(ram[i].start) >> PAGE_SHIFT);
		frame_limit = MAX(frame_limit, ram[i].end >> PAGE_SHIFT);
	}
	bytes = PAGE_UP((frame_limit - frame_base) * sizeof(struct frame));
	for (unsigned i = 0; i < nram && !self.start; i++)
		self.start = find_room(&ram[i], reserved, nreserved, bytes);
	if (!self.start)
		panic("frames: no room for %lu bytes of descriptions", (unsigned long)bytes);
	self.end = self.start + bytes;
	frames = phys_to_virt(self.start);
	memset(frames, 0, bytes); /* so that every frame is FRAME_RESERVED at first */
	for (unsigned i = 0; i < nram; i++)
		for (pa_t pa = PAGE_UP(ram[i].start); pa + PAGE_SIZE <= ram[i].end; pa += PAGE_SIZE) {
			total_frames++;
			if (frame_overlaps(pa, pa + PAGE_SIZE, reserved, nreserved) ||
			    frame_overlaps(pa, pa + PAGE_SIZE, &self, 1))
				continue;
			frame_of(pa >> PAGE_SHIFT)->kind = FRAME_FREE;
			buddy_put(pa >> PAGE_SHIFT, 0);
		}
	kernel_share = total_frames * (PAGE_SIZE / 8);
}

void frames_adopt(pa_t start, pa_t end)
{
	for (pfn_t pfn = start >> PAGE_SHIFT; pfn < end >> PAGE_SHIFT; pfn++) {
		struct frame *f = frame_of(pfn);

		assert(frame_is_ram(pfn) && f->kind == FRAME_RESERVED);
		frame_begin(f, FRAME_USER, 0);
		stacks[hart_index()].used[FRAME_USER]++;
	}
}

/* ---- figures ---- */

u64 frames_total(void) { return total_frames; }

void frames_promise(s64 n) { __atomic_fetch_add(&promised, n, __ATOMIC_RELAXED); }

bool frames_scarce(unsigned share)
{
	return READ_ONCE(buddy_free) + READ_ONCE(nprepared) <
	       total_frames / share + (u64)READ_ONCE(promised);
}

void frame_stats(struct tern_frame_stats *v)
{
	u64 used[FRAME_USER + 1] = { 0 };

	v->total = total_frames;
	v->reserve = total_frames / RESERVE_SHARE;
	v->free = READ_ONCE(buddy_free) + READ_ONCE(nprepared);
	for (unsigned h = 0; h < MAX_HARTS; h++) {
		v->free += READ_ONCE(stacks[h].n) + READ_ONCE(stacks[h].nzeroed);
		for (unsigned k = 0; k <= FRAME_USER; k++)
			used[k] += (u64)READ_ONCE(stacks[h].used[k]);
	}
	v->kernel = used[FRAME_KERNEL];
	v->slab = used[FRAME_SLAB];
	v->table = used[FRAME_TABLE];
	v->user = used[FRAME_USER];
	for (unsigned o = 0; o < FRAME_ORDERS; o++)
		v->free_blocks[o] = READ_ONCE(free_blocks[o]);
}
