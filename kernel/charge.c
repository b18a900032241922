/*
 * What processes make the kernel and the servers keep for them, so that none can take all memory.
 *
 * Each of four sums has the same bound, kernel_share: a space counts its tables and regions
 * (mm/aspace.c), a descriptor table its chunks (handle.c), a process its threads, and its account
 * is what else is made for it, from its making to its end: sessions, endpoints, readiness words,
 * notifications, asynchronous calls, memory objects, epoll sets and their items, what a wait needs,
 * queued signals, and what a server keeps (TERN_CHARGE).  The call that would pass a bound gets its
 * errno for want of memory.  The pages of memory objects that it made are a sum of their own, whose
 * bound is half of memory: an access that would pass it is SIGBUS.
 * The bounds are a process's, not a user's: a user with many processes can have as much of memory as
 * they find, as with pages of their own, and what they have counts in the choice of who must end
 * (kernel/oom.c), so it is his processes that end.  Nothing that is counted here comes from a pool of
 * fixed size, so others are refused nothing before memory itself is out.
 * Who pays is who asked.  What may outlive him or go to others (a session, an epoll set) names the
 * account, which then lives on.  Servers, who make things for others, are counted too and have no
 * bound.
 */
#include <kernel/process.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

static struct account *account_of(struct process *p)
{
	struct account *a, *none = NULL;

	if (likely(p->account))
		return p->account;
	a = kmalloc(sizeof *a);
	if (!a)
		return NULL;
	a->bytes = sizeof *a;
	a->unbounded = p->authority & TERN_AUTH_SERVER;
	if (__atomic_compare_exchange_n(&p->account, &none, a, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return a;
	kfree(a); /* another thread of p was first */
	return none;
}

struct account *process_charge(struct process *p, u64 bytes)
{
	struct account *a = account_of(p);

	return likely(a) && account_charge(a, bytes) ? a : NULL;
}

void account_leave(struct process *p) { account_discharge(p->account, sizeof *p->account); }

void *kmalloc_for(struct process *p, u64 size)
{
	struct account *a = process_charge(p, size);
	void *v;

	if (unlikely(!a))
		return NULL;
	v = kmalloc(size);
	if (unlikely(!v))
		account_discharge(a, size);
	return v;
}

void kfree_for(struct process *p, void *v, u64 size)
{
	if (!v)
		return;
	account_discharge(p->account, size);
	kfree(v);
}

void process_kept(const struct process *p, struct tern_kept *k)
{
	k->space = p->aspace ? aspace_kernel_bytes(p->aspace) : 0;
	k->descriptors = p->handles ? p->handles->bytes : 0;
	k->threads = p->nthreads * sizeof(struct thread);
	k->objects = p->account ? p->account->bytes : 0;
	k->memory = p->account ? p->account->pages * PAGE_SIZE : 0;
	k->limit = kernel_share;
}
