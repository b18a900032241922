/* Accounts: how much memory the kernel keeps for one payer, and the bounds of it.  Who pays for
 * what is decided above mm (kernel/charge.c); mm/memobj.c counts the pages of memory objects. */
#pragma once

#include <kernel/lib/types.h>
#include <mm/frame.h>
#include <mm/slab.h>

/* `bytes` counts references, too.  The account's own size is the payer's reference, and each charge
 * is one of what was charged; so whoever discharges the last byte frees the account. */
struct account {
	u64 bytes;	/* in objects of the kernel, and what servers say they keep; atomic */
	u64 pages;	/* of memory objects; `bytes` has the objects, not their pages; atomic */
	bool unbounded; /* the payer is a server; constant */
};

static inline void account_discharge(struct account *a, u64 bytes)
{
	if (unlikely(__atomic_sub_fetch(&a->bytes, bytes, __ATOMIC_ACQ_REL) == 0))
		kfree(a);
}

/* Charges `bytes` more.  False: the payer would pass its bound, and nothing is charged. */
static inline bool must_check account_charge(struct account *a, u64 bytes)
{
	u64 sum = __atomic_fetch_add(&a->bytes, bytes, __ATOMIC_RELAXED) + bytes;

	if (likely(sum <= kernel_share || a->unbounded))
		return true;
	account_discharge(a, bytes);
	return false;
}

/* The payer may have another page of a memory object: all of them are bounded by half of memory. */
static inline bool account_has_pages(const struct account *a)
{
	return READ_ONCE(a->pages) < kernel_share / PAGE_SIZE * 4;
}
