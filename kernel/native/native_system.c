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

static void fill_boot(struct tern_boot_info *b)
{
	b->uart_pa = boot_facts.uart;
	b->uart_size = boot_facts.uart_size;
	b->uart_irq = boot_facts.uart_irq;
	b->uart_shift = boot_facts.uart_shift;
	b->nharts = nharts;
	b->timebase_hz = boot_facts.timebase_hz;
	b->initrd_size = (u32)boot_facts.initrd_size;
	memcpy(b->bootargs, boot_facts.bootargs, sizeof b->bootargs);
	memcpy(b->isa, boot_facts.isa, sizeof b->isa);
}

static void fill_memory(struct tern_memory_info *m)
{
	struct frame_stats f;
	u64 mapped = 0, huge = 0;

	list_for_each(l, &all_processes) {
		const struct aspace *as = list_entry(l, struct process, all)->aspace;

		if (!as)
			continue;
		mapped += as->resident - as->resident_anon;
		huge += as->huge;
	}
	frame_stats(&f);
	m->total_pages = f.total;
	m->min_free_pages = f.reserve;
	m->free_pages = f.free;
	m->kernel_pages = f.kernel;
	m->slab_pages = f.slab;
	m->table_pages = f.table;
	m->object_pages = mm_counters.object_pages;
	m->anon_pages = f.user - MIN(f.user, m->object_pages);
	m->mapped_pages = MIN(mapped, m->object_pages); /* what several map counts once for each */
	m->committed_pages = mm_counters.committed;
	m->faults = mm_counters.faults;
	m->cow_copies = mm_counters.cow_copies;
	m->zero_fills = mm_counters.zero_fills;
	m->forks = mm_counters.forks;
	m->shootdowns = mm_counters.shootdowns;
	m->reclaimed = mm_counters.reclaimed;
	m->huge_pages = huge;
	m->huge_fills = mm_counters.huge_fills;
	m->huge_splits = mm_counters.huge_splits;
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

s64 native_system_info(struct thread *t, u64 *a)
{
	u64 n = 0;
	s64 r;
	struct frame_stats f;
	u8 *buf;

	buf = kmalloc(2 * PAGE_SIZE);
	if (!buf)
		return -ENOMEM;
	kernel_lock();
	switch (a[0]) {
	case TERN_INFO_BOOT:
		fill_boot((struct tern_boot_info *)buf);
		n = sizeof(struct tern_boot_info);
		break;
	case TERN_INFO_MEMORY:
		fill_memory((struct tern_memory_info *)buf);
		n = sizeof(struct tern_memory_info);
		break;
	case TERN_INFO_CPU:
		n = fill_cpus((struct tern_cpu_info *)buf);
		break;
	case TERN_INFO_IRQ:
		for (unsigned i = 0; i < nharts; i++, n += sizeof harts[i].irq_counts)
			memcpy(buf + n, harts[i].irq_counts, sizeof harts[i].irq_counts);
		break;
	case TERN_INFO_SLABS:
		n = slab_info((struct tern_slab_info *)buf,
			      2 * PAGE_SIZE / sizeof(struct tern_slab_info)) *
		    sizeof(struct tern_slab_info);
		break;
	case TERN_INFO_BUDDY:
		frame_stats(&f);
		n = sizeof f.free_blocks;
		memcpy(buf, f.free_blocks, n);
		break;
	case TERN_INFO_OBJECTS:
		n = sizeof object_counts;
		memcpy(buf, object_counts, n);
		break;
	case TERN_INFO_ENOSYS:
		for (u32 i = 0; i < NR_SYSCALLS && n + 8 <= 2 * PAGE_SIZE; i++)
			if (enosys_counts[i]) {
				u32 pair[2] = { i, enosys_counts[i] };

				memcpy(buf + n, pair, 8);
				n += 8;
			}
		break;
	case TERN_INFO_VMAP:
		n = kernel_mappings((struct tern_kernel_mapping *)buf,
				    2 * PAGE_SIZE / sizeof(struct tern_kernel_mapping)) *
		    sizeof(struct tern_kernel_mapping);
		break;
	default:
		kernel_unlock();
		kfree(buf);
		return -EINVAL;
	}
	kernel_unlock();
	n = MIN(n, a[2]);
	r = put_user(t, a[1], buf, n);
	kfree(buf);
	return r ? r : (s64)n;
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
