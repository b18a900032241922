/* What the kernel and the servers keep for a process (kernel/charge.c). */
#pragma once

#include <kernel/lib/types.h>
#include <mm/frame.h>

struct process;
struct tern_kept;

/* Made at the first charge; ends with its process, or with the last object that outlives that. */
struct account {
	u64 bytes; /* atomic */
	bool unbounded; /* a server's */
	bool orphan;	/* its process is no more; kernel lock */
};

/* The process's account, with so much more in it; NULL: no memory, or it has too much, and nothing
 * is charged. */
struct account *must_check process_charge(struct process *p, u64 bytes);
bool account_is_over(struct account *a, u64 bytes);
static inline bool must_check account_charge(struct account *a, u64 bytes)
{
	u64 sum = __atomic_fetch_add(&a->bytes, bytes, __ATOMIC_RELAXED) + bytes;

	return likely(sum <= kernel_share) || !account_is_over(a, bytes);
}
/* The kernel lock, or a thread of the account's process. */
void account_discharge(struct account *a, u64 bytes);
void account_leave(struct process *p); /* p ends; kernel lock */
/* Memory that its process pays for, and that goes before the process does: NULL as above. */
void *must_check kmalloc_for(struct process *p, u64 size);
void kfree_for(struct process *p, void *v, u64 size);
void process_kept(const struct process *p, struct tern_kept *k);
