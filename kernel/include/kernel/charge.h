/* What the kernel and the servers keep for a process (kernel/charge.c). */
#pragma once

#include <kernel/lib/types.h>
#include <mm/account.h>

struct process;
struct tern_kept;

/* The process's account, with so much more in it; NULL: no memory, or it has too much, and nothing
 * is charged. */
struct account *must_check process_charge(struct process *p, u64 bytes);
void account_leave(struct process *p); /* p ends */
/* Memory that its process pays for, and that goes before the process does: NULL as above. */
void *must_check kmalloc_for(struct process *p, u64 size);
void kfree_for(struct process *p, void *v, u64 size);
void process_kept(const struct process *p, struct tern_kept *k);
