/*
 * Memory calls: the address space's operations, which check as the man pages say.
 *
 * An operation over a long range goes on in t->mm_work before the thread returns to user mode
 * (WORK_MM); its success is already in a0 and a failure replaces it (kernel/mm_wait.c).  A file mapping goes to the file's session first, and what comes back
 * is placed by mmap_finish().
 */
#include <asm/unistd.h>
#include <kernel/handle.h>
#include <kernel/lib/log.h>
#include <kernel/sched.h>
#include <kernel/linux/sys.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/mman.h>

#define SHM_RDONLY 010000
#define SHM_RND 020000
#define SHM_REMAP 040000
#define SHM_EXEC 0100000

/* ---- mmap ---- */

static s64 map_file(struct thread *t, u64 *a)
{
	struct handle *h;
	s64 r = SYS_PASS;

	kernel_lock();
	h = handle_find(t->process->handles, (u32)a[4]);
	if (!h || (h->rights & TERN_R_PATH))
		r = -EBADF;
	else if (!a[1])
		r = -EINVAL;
	else if (!PAGE_UP(a[1]))
		r = -ENOMEM;
	else if (a[5] + PAGE_UP(a[1]) < a[5])
		r = -EOVERFLOW;
	else if (a[1] > USER_MAX)
		r = -ENOMEM;
	else if ((a[3] & MAP_TYPE) - 1 > 2)
		r = -EINVAL;
	else if (h->type != HANDLE_SESSION)
		r = -ENODEV;
	kernel_unlock();
	return r;
}

s64 sys_mmap(struct thread *t, u64 *a)
{
	u64 len = a[1], flags = (u32)a[3];
	unsigned prot = (unsigned)a[2] & (PROT_READ | PROT_WRITE | PROT_EXEC);
	va_t at;
	int r;

	if (unlikely(a[5] & PAGE_MASK))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS))
		return map_file(t, a);
	if (unlikely(!len))
		return -EINVAL;
	if (unlikely(len > USER_MAX || flags & MAP_HUGETLB))
		return -ENOMEM;
	if (unlikely((flags & MAP_TYPE) != MAP_PRIVATE && (flags & MAP_TYPE) != MAP_SHARED))
		return -EINVAL;
	r = aspace_map(t->aspace, a[0], len, prot, PROT_READ | PROT_WRITE | PROT_EXEC,
		       (unsigned)flags, NULL, 0, &t->mm_work, &at);
	return mm_result(t, a, r, (s64)at);
}

static s64 place(struct thread *t, struct memobj *m, u64 offset, unsigned max_prot, va_t *at)
{
	const u64 *a = &t->regs.x[REG_A0];
	unsigned prot, flags;
	va_t want = t->orig_a0;
	u64 len;
	int r;

	if (t->regs.x[REG_A7] == __NR_shmat) {
		prot = PROT_READ;
		if (!(a[2] & SHM_RDONLY))
			prot |= PROT_WRITE;
		if (a[2] & SHM_EXEC)
			prot |= PROT_EXEC;
		flags = MAP_SHARED;
		want = a[1];
		if (want & PAGE_MASK) {
			if (!(a[2] & SHM_RND))
				return -EINVAL;
			want = PAGE_DOWN(want);
		}
		if (want)
			flags |= a[2] & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
		else if (a[2] & SHM_REMAP)
			return -EINVAL;
		len = m->size;
	} else {
		prot = (unsigned)a[2] & (PROT_READ | PROT_WRITE | PROT_EXEC);
		flags = (u32)a[3];
		len = a[1];
		if (!(max_prot & PROT_READ))
			return -EACCES;
		if ((flags & MAP_TYPE) == MAP_PRIVATE)
			max_prot |= PROT_WRITE; /* of the copies */
	}
	r = aspace_map(t->aspace, want, len, prot, max_prot, flags, m, offset, &t->mm_work, at);
	return r == -EEXIST && t->regs.x[REG_A7] == __NR_shmat ? -EINVAL : r;
}

static void map_cancel(struct thread *t);

/* The space was busy when the file's answer came: again.  Consumes t->map_memobj. */
static s64 map_resume(struct thread *t)
{
	struct memobj *m = t->map_memobj;
	va_t at = 0;
	s64 r = place(t, m, t->map_offset, t->map_max_prot, &at);

	if (r == MM_BUSY) {
		kernel_lock();
		return mm_wait_for(t, map_cancel);
	}
	t->map_memobj = NULL;
	memobj_put(m);
	return mm_result(t, NULL, (int)r, (s64)at);
}

static void map_cancel(struct thread *t)
{
	list_del(&t->wait_link);
	wait_resumes(t, map_resume);
}

s64 mmap_finish(struct thread *t, struct memobj *m, u64 offset, unsigned max_prot)
{
	va_t at = 0;
	s64 r = place(t, m, offset, max_prot, &at);

	if (r == MM_BUSY) {
		memobj_get(m);
		t->map_memobj = m;
		t->map_offset = offset;
		t->map_max_prot = (u8)max_prot;
		wait_resumes(t, map_resume);
		return 0;
	}
	return mm_result(t, NULL, (int)r, (s64)at);
}

/* ---- the others ---- */

s64 sys_munmap(struct thread *t, u64 *a)
{
	return mm_result(t, a, aspace_unmap(t->aspace, a[0], a[1], &t->mm_work), 0);
}

s64 sys_brk(struct thread *t, u64 *a)
{
	va_t out;
	int r = aspace_brk(t->aspace, a[0], &t->mm_work, &out);

	return mm_result(t, a, r, (s64)out);
}

s64 sys_mremap(struct thread *t, u64 *a)
{
	va_t out;
	int r = aspace_remap(t->aspace, a[0], a[1], a[2], a[3], a[4], &t->mm_work, &out);

	return mm_result(t, a, r, (s64)out);
}

s64 sys_mprotect(struct thread *t, u64 *a)
{
	return mm_result(t, a, aspace_protect(t->aspace, a[0], a[1], a[2], &t->mm_work), 0);
}

s64 sys_madvise(struct thread *t, u64 *a)
{
	if ((u32)a[2] >= MADV_LOCK)
		return -EINVAL;
	return mm_result(t, a, aspace_advise(t->aspace, a[0], a[1], (int)a[2], &t->mm_work), 0);
}

s64 sys_msync(struct thread *t, u64 *a)
{
	return aspace_sync(t->aspace, a[0], a[1], (int)a[2]);
}

#define MINCORE_PIECE 256u

s64 sys_mincore(struct thread *t, u64 *a)
{
	u64 pages = PAGE_UP(a[1]) >> PAGE_SHIFT;
	u8 vec[MINCORE_PIECE];

	if (a[0] & PAGE_MASK)
		return -EINVAL;
	if (a[1] > USER_MAX || !user_range_ok(a[0], a[1]))
		return -ENOMEM;
	if (!user_range_ok(a[2], pages))
		return -EFAULT;
	for (u64 done = 0; done < pages;) {
		u64 n = MIN(pages - done, MINCORE_PIECE);
		int r = aspace_mincore(t->aspace, a[0] + done * PAGE_SIZE, n, vec);

		if (r)
			return r;
		if (put_user(t, a[2] + done, vec, n))
			return -EFAULT;
		done += n;
	}
	return 0;
}

/* ---- locking: nothing is ever swapped out, so it means making present within the limit ---- */

static bool may_lock(const struct thread *t)
{
	return process_limit(t->process, RLIMIT_MEMLOCK) || capable(t, CAP_IPC_LOCK);
}

static bool lock_exceeds(const struct thread *t, u64 len)
{
	u64 locked = READ_ONCE(t->aspace->locked) * PAGE_SIZE;

	return locked + len > process_limit(t->process, RLIMIT_MEMLOCK) && !capable(t, CAP_IPC_LOCK);
}

static s64 lock(struct thread *t, u64 *a, bool fault_in)
{
	va_t start = PAGE_DOWN(a[0]);
	u64 len = PAGE_UP(a[1] + (a[0] & PAGE_MASK));
	int r;

	if (!may_lock(t))
		return -EPERM;
	if (lock_exceeds(t, len))
		return -ENOMEM;
	if (start + len < start)
		return -EINVAL;
	if (!len)
		return 0;
	if (!user_range_ok(start, len))
		return -ENOMEM;
	r = aspace_advise(t->aspace, start, len, MADV_LOCK, &t->mm_work);
	if (r || !fault_in)
		return mm_result(t, a, r, 0);
	return mm_result(t, a, aspace_advise(t->aspace, start, len, MADV_POPULATE_LOCKED, &t->mm_work), 0);
}

s64 sys_mlock(struct thread *t, u64 *a) { return lock(t, a, true); }

s64 sys_mlock2(struct thread *t, u64 *a)
{
	if (a[2] & ~(u64)MLOCK_ONFAULT)
		return -EINVAL;
	return lock(t, a, !(a[2] & MLOCK_ONFAULT));
}

s64 sys_munlock(struct thread *t, u64 *a)
{
	va_t start = PAGE_DOWN(a[0]);
	u64 len = PAGE_UP(a[1] + (a[0] & PAGE_MASK));

	if (start + len < start)
		return -EINVAL;
	if (!user_range_ok(start, len))
		return -ENOMEM;
	return mm_result(t, a, aspace_advise(t->aspace, start, len, MADV_UNLOCK, &t->mm_work), 0);
}

/* All regions there are; that there is nothing between them is no error. */
static s64 advise_all(struct thread *t, u64 *a, int advice)
{
	int r = aspace_advise(t->aspace, 0, USER_MAX, advice, &t->mm_work);

	return r == -ENOMEM ? 0 : mm_result(t, a, r, 0);
}

s64 sys_mlockall(struct thread *t, u64 *a)
{
	u64 flags = (u32)a[0];

	if (!flags || flags & ~7ull || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!may_lock(t))
		return -EPERM;
	if (flags & MCL_CURRENT && !capable(t, CAP_IPC_LOCK) &&
	    t->aspace->mapped * PAGE_SIZE > process_limit(t->process, RLIMIT_MEMLOCK))
		return -ENOMEM;
	t->aspace->lock_future = flags & MCL_FUTURE;
	return flags & MCL_CURRENT ? advise_all(t, a, MADV_LOCK) : 0;
}

s64 sys_munlockall(struct thread *t, u64 *a)
{
	t->aspace->lock_future = false;
	return advise_all(t, a, MADV_UNLOCK);
}

/* ---- order between harts ---- */

/* Harts that do a fence.i pass through the firmware's trap: those of the space (the others fence as
 * they enter it), or all. */
static void harts_fence(struct aspace *as)
{
	__sync_synchronize();
	if (as)
		aspace_sync_icache(as);
	else
		mmu_sync_icache((1u << nharts) - 1);
	__sync_synchronize();
}

s64 sys_membarrier(struct thread *t, u64 *a)
{
	u32 cmd = (u32)a[0];

	if (a[1])
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return 0x7f;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		harts_fence(NULL);
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		__atomic_fetch_or(&t->process->membarrier, cmd, __ATOMIC_RELAXED);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		if (!(t->process->membarrier & cmd << 1))
			return -EPERM;
		harts_fence(t->aspace);
		return 0;
	}
	return -EINVAL;
}

s64 sys_riscv_flush_icache(struct thread *t, u64 *a)
{
	if (a[2] & ~1ull)
		return -EINVAL;
	aspace_sync_icache(t->aspace);
	return 0;
}
