/* Accounts: how much is kept for one payer, and its bounds.  Who pays for what is the affair of the rooms
 * above (kernel/charge.c); pages of memory objects are counted here (mm/memobj.c). */
#pragma once

#include <kernel/lib/types.h>
#include <mm/frame.h>
#include <mm/slab.h>

/* It begins with its own size in `bytes`, which is the payer's reference: whatever is charged keeps the
 * account, and who takes out the last byte frees it. */
struct account {
	u64 bytes; /* of the kernel's objects, and what servers keep; atomic */
	u64 pages; /* of memory objects, which count in `bytes` themselves; atomic */
	bool unbounded; /* a server's; constant */
};

static inline void account_discharge(struct account *a, u64 bytes)
{
	if (unlikely(__atomic_sub_fetch(&a->bytes, bytes, __ATOMIC_ACQ_REL) == 0))
		kfree(a);
}

/* False: that would be too much, and nothing is charged. */
static inline bool must_check account_charge(struct account *a, u64 bytes)
{
	u64 sum = __atomic_fetch_add(&a->bytes, bytes, __ATOMIC_RELAXED) + bytes;

	if (likely(sum <= kernel_share || a->unbounded))
		return true;
	account_discharge(a, bytes);
	return false;
}

/* Pages of memory objects are bounded by half of memory. */
static inline bool account_has_pages(const struct account *a)
{
	return READ_ONCE(a->pages) < kernel_share / PAGE_SIZE * 4;
}
