/*
 * The event trace: what each hart did last, for who wants to see it (/proc/tern/trace,
 * docs/trace.md).
 *
 * Off, it costs nothing where calls pass: while it is on, the trap vector is another one
 * (arch/riscv/entry.S), which notes each call and each fault before all goes on as ever.  Copies on
 * write, signals and interrupts look at trace_on.  Each hart writes a ring of its own, without a
 * lock.  The rings are made when the trace is first switched on, and stay.
 */
#include <kernel/hart.h>
#include <arch/cpu.h>
#include <kernel/lib/log.h>
#include <kernel/native.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>
#include <kernel/lib/trace.h>
#include <mm/slab.h>
#include <tern/abi.h>
#include <tern/linux/errno.h>

#define EVENTS 1024ul /* a hart's */
#define LAST 8	      /* in a panic */

bool trace_on;
static struct tern_trace_event *rings[MAX_HARTS];
static u64 noted[MAX_HARTS]; /* so many ever */

void trace_note(unsigned kind, u64 a, u64 b)
{
	struct hart *h = this_hart();
	struct tern_trace_event *ring = rings[h->index];

	if (!ring)
		return;
	ring[noted[h->index] % EVENTS] = (struct tern_trace_event){
		.ns = arch_now_ns(),
		.tid = h->current ? h->current->tid : 0,
		.hart = (u16)h->index,
		.kind = (u16)kind,
		.a = a,
		.b = b,
	};
	__atomic_store_n(&noted[h->index], noted[h->index] + 1, __ATOMIC_RELEASE);
}

static u64 oldest(unsigned hart)
{
	u64 n = __atomic_load_n(&noted[hart], __ATOMIC_ACQUIRE);

	return n > EVENTS ? n - EVENTS : 0;
}

void trace_print_last(void)
{
	unsigned h = this_hart()->index;

	for (u64 i = MAX(oldest(h), noted[h] - MIN(noted[h], LAST)); i < noted[h]; i++) {
		const struct tern_trace_event *e = &rings[h][i % EVENTS];

		klog("  trace %lu ns, thread %u, event %u: %lx %lx\n", e->ns, e->tid, e->kind,
		     e->a, e->b);
	}
}

s64 native_trace(struct thread *t, u64 *a)
{
	u32 others = 0;

	(void)t;
	for (unsigned i = 0; i < nharts && a[0]; i++) {
		if (!rings[i])
			rings[i] = kmalloc(EVENTS * sizeof *rings[i]);
		if (!rings[i])
			return -ENOMEM;
	}
	WRITE_ONCE(trace_on, a[0] != 0);
	for (unsigned i = 0; i < nharts; i++)
		others |= i == hart_index() ? 0 : 1u << i;
	arch_trace_vector();
	arch_ipi(others);
	return 0;
}

/* What is overwritten meanwhile may be of two events. */
s64 native_trace_read(struct thread *t, u64 *a)
{
	u64 hart = a[0], at, n;

	if (hart >= nharts || !rings[hart])
		return 0;
	if (get_user(t, &at, a[1], sizeof at))
		return -EFAULT;
	at = MAX(at, oldest((unsigned)hart));
	n = __atomic_load_n(&noted[hart], __ATOMIC_ACQUIRE) - at;
	n = MIN(n, MIN(a[3], EVENTS - at % EVENTS));
	if (put_user(t, a[2], &rings[hart][at % EVENTS], n * sizeof *rings[hart]))
		return -EFAULT;
	at += n;
	return put_user(t, a[1], &at, sizeof at) ? -EFAULT : (s64)n;
}
