/*
 * Long operations of a space, and who waits for their end.
 *
 * An operation over a long range goes on in t->mm_work before the thread returns to user mode
 * (WORK_MM); its success is already in a0 and a failure replaces it.  A space that is busy with
 * another thread's long operation makes its caller wait in a hashed list of its space; woken, it
 * executes the ecall again.
 * Kernel lock guards the lists of waiters.
 */
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

#define WAIT_BUCKETS 8
static struct list waiters[WAIT_BUCKETS];

static struct list *bucket_of(const struct aspace *as)
{
	struct list *b = &waiters[((u64)as >> 8 ^ (u64)as >> 12) % WAIT_BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

static void wait_unlink(struct thread *t) { list_del(&t->wait_link); }

/* The space that a thread in a list waits for: what it copies for a fork, else its own. */
static struct aspace *awaited(const struct thread *t)
{
	return t->fork_child ? t->fork_child->fork_from : t->aspace;
}

s64 mm_wait_for(struct thread *t, void (*cancel)(struct thread *))
{
	list_add_tail(bucket_of(awaited(t)), &t->wait_link);
	thread_block(t, WAIT_ASPACE, false, cancel);
	/* mm clears `busy` before it calls mm_wake: either it is seen here, or we are found there. */
	if (t->wait == WAIT_ASPACE && !READ_ONCE(awaited(t)->busy)) {
		cancel(t);
		thread_wake(t, (s64)t->orig_a0);
	}
	kernel_unlock();
	return SYS_BLOCKED;
}

struct thread *mm_wait(struct thread *t)
{
	kernel_lock();
	(void)mm_wait_for(t, wait_unlink);
	return sched_after_block();
}

void mm_wake(struct aspace *as)
{
	/* A space without references has nobody who waits; its end may be under the kernel lock. */
	if (!__atomic_load_n(&as->refs, __ATOMIC_RELAXED))
		return;
	struct list *b;

	kernel_lock();
	b = bucket_of(as);
	list_for_each_safe(p, n, b) {
		struct thread *t = list_entry(p, struct thread, wait_link);

		if (awaited(t) == as) {
			t->wait_cancel(t);
			thread_wake(t, (s64)t->orig_a0);
		}
	}
	kernel_unlock();
}

s64 mm_result(struct thread *t, u64 *a, int r, s64 value)
{
	if (likely(r == 0))
		return value;
	if (r < 0)
		return r;
	if (r == MM_BUSY) {
		kernel_lock();
		t->orig_a0 = a[0];
		t->regs.x[REG_PC] -= 4;
		return mm_wait_for(t, wait_unlink);
	}
	thread_add_work(t, WORK_MM);
	return value;
}

struct thread *mm_work_run(struct thread *t)
{
	int r;

	if (t->work & WORK_KILLED)
		mm_work_cut(&t->mm_work);
	r = mm_work_step(&t->mm_work);
	if (r == MM_MORE)
		return t;
	thread_clear_work(t, WORK_MM);
	if (r < 0)
		t->regs.x[REG_A0] = (u64)(s64)r;
	return t;
}
