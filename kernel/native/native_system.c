/*
 * The doors to what the system knows of itself: counts, log, power.
 */
#include <ipc/note.h>
#include <ipc/session.h>
#include <kernel/boot.h>
#include <kernel/lib/log.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/syscall.h>
#include <kernel/timer.h>
#include <mm/aspace.h>
#include <mm/frame.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

static u64 fill_memory(struct tern_memory_info *m)
{
	u64 mapped = 0;

	list_for_each(l, &all_processes) {
		const struct aspace *as = list_entry(l, struct process, all)->aspace;

		if (!as)
			continue;
		mapped += as->resident - as->resident_anon;
		m->huge_pages += as->huge;
	}
	frame_stats(&m->frames);
	m->counters = mm_counters;
	m->anon_pages = m->frames.user - MIN(m->frames.user, mm_counters.object_pages);
	m->mapped_pages = MIN(mapped, mm_counters.object_pages); /* what several map counts once for each */
	return sizeof *m;
}

static u64 fill_cpus(struct tern_cpu_info *v)
{
	for (unsigned i = 0; i < nharts; i++) {
		struct hart *h = &harts[i];

		v[i] = h->stat;
		v[i].busy_ns = arch_ticks_to_ns(h->stat.busy_ns);
		v[i].system_ns = arch_ticks_to_ns(h->stat.system_ns);
		v[i].idle_ns = arch_ticks_to_ns(h->stat.idle_ns);
		*(h->current == h->idle ? &v[i].idle_ns : &v[i].busy_ns) +=
			arch_ticks_to_ns(arch_ticks() - h->last_switch);
		v[i].hartid = (u32)h->hartid;
		v[i].running = h->runq.count + (h->current != h->idle);
	}
	return nharts * sizeof *v;
}

/* What is asked for into buf, which is zeroed: bytes, or EINVAL. */
static s64 system_info(enum tern_info what, u8 *buf, u64 size)
{
	u64 n = 0;

	switch (what) {
	case TERN_INFO_BOOT:
		memcpy(buf, &boot_facts.info, sizeof boot_facts.info);
		return sizeof boot_facts.info;
	case TERN_INFO_MEMORY:
		return (s64)fill_memory((struct tern_memory_info *)buf);
	case TERN_INFO_CPU:
		return (s64)fill_cpus((struct tern_cpu_info *)buf);
	case TERN_INFO_IRQ:
		for (unsigned i = 0; i < nharts; i++, n += sizeof harts[i].irq_counts)
			memcpy(buf + n, harts[i].irq_counts, sizeof harts[i].irq_counts);
		return (s64)n;
	case TERN_INFO_SLABS:
		n = slab_info((struct tern_slab_info *)buf, size / sizeof(struct tern_slab_info));
		return (s64)(n * sizeof(struct tern_slab_info));
	case TERN_INFO_OBJECTS:
		memcpy(buf, object_counts, sizeof object_counts);
		return sizeof object_counts;
	case TERN_INFO_ENOSYS:
		memcpy(buf, enosys_counts, sizeof enosys_counts);
		return sizeof enosys_counts;
	case TERN_INFO_VMAP:
		n = kernel_mappings((struct tern_kernel_mapping *)buf,
				    size / sizeof(struct tern_kernel_mapping));
		return (s64)(n * sizeof(struct tern_kernel_mapping));
	case TERN_INFO_MESSAGES:
		break; /* without the lock: native_system_info() */
	}
	return -EINVAL;
}

s64 native_system_info(struct thread *t, u64 *a)
{
	u64 size = 2 * PAGE_SIZE;
	u8 *buf = kmalloc(size);
	s64 n;

	if (!buf)
		return -ENOMEM;
	if (a[0] == TERN_INFO_MESSAGES) { /* takes the lock many times, for a little each */
		*(u64 *)(void *)buf = messages_counted();
		n = sizeof(u64);
	} else {
		kernel_lock();
		n = system_info((enum tern_info)a[0], buf, size);
		kernel_unlock();
	}
	if (n > 0) {
		n = (s64)MIN((u64)n, a[2]);
		n = put_user(t, a[1], buf, (u64)n) ? -EFAULT : n;
	}
	kfree(buf);
	return n;
}

s64 native_log(struct thread *t, u64 *a)
{
	char buf[256];
	u64 n = MIN(a[1], sizeof buf);

	if (get_user(t, buf, a[0], n))
		return -EFAULT;
	log_write(buf, n);
	return (s64)n;
}

s64 native_log_read(struct thread *t, u64 *a)
{
	char buf[256];
	u64 pos = a[0], n;
	s64 done = 0;

	while ((u64)done < a[2] && (n = log_read(&pos, buf, MIN(a[2] - (u64)done, sizeof buf))) > 0) {
		if (put_user(t, a[1] + (u64)done, buf, n))
			return -EFAULT;
		done += (s64)n;
	}
	return done;
}

s64 native_power(struct thread *t, u64 *a)
{
	(void)t;
	measure_report();
	if (a[0] == 0)
		arch_power(0, false);
	if (a[0] == 1)
		arch_power(0, true);
	arch_power((unsigned)(a[0] >> 8), false);
}
