/* The contents of the files in /proc that are about the system, in the formats of proc(5).
 * They are made at the moment of reading, from what the kernel answers to TERN_SYSTEM_INFO. */
#include "proc_priv.h"
#include <string.h>
#include <server/proc.h>

#define UL(x) ((unsigned long)(x))
#define MAX_SLABS 96
#define HUGE_PAGE 512 /* pages of 4 KiB in a page of 2 MiB */

static void row(struct text *t, const char *name, uint64_t pages)
{
	text_printf(t, "%-16s%8lu kB\n", name, UL(pages * 4));
}

static void meminfo(struct text *t)
{
	struct tern_memory_info m = { 0 };

	tern_system_info(TERN_INFO_MEMORY, &m, sizeof m);
	row(t, "MemTotal:", m.frames.total);
	row(t, "MemFree:", m.frames.free);
	row(t, "MemAvailable:", m.frames.free > m.frames.reserve ? m.frames.free - m.frames.reserve : 0);
	row(t, "Buffers:", 0);
	row(t, "Cached:", m.counters.object_pages);
	row(t, "SwapCached:", 0);
	row(t, "Active:", m.anon_pages + m.counters.object_pages);
	row(t, "Inactive:", 0);
	row(t, "Active(anon):", m.anon_pages + m.counters.object_pages);
	row(t, "Inactive(anon):", 0);
	row(t, "Active(file):", 0);
	row(t, "Inactive(file):", 0);
	row(t, "Unevictable:", 0);
	row(t, "Mlocked:", 0);
	row(t, "SwapTotal:", 0);
	row(t, "SwapFree:", 0);
	row(t, "Dirty:", 0);
	row(t, "Writeback:", 0);
	row(t, "AnonPages:", m.anon_pages);
	row(t, "Mapped:", m.mapped_pages);
	row(t, "Shmem:", m.counters.object_pages);
	row(t, "KReclaimable:", 0);
	row(t, "Slab:", m.frames.slab);
	row(t, "SReclaimable:", 0);
	row(t, "SUnreclaim:", m.frames.slab);
	row(t, "PageTables:", m.frames.table);
	row(t, "CommitLimit:", m.frames.total / 2);
	row(t, "Committed_AS:", m.counters.committed);
	row(t, "VmallocTotal:", 1024 * 1024 / 4);
	row(t, "VmallocUsed:", m.frames.kernel);
	row(t, "AnonHugePages:", m.huge_pages * HUGE_PAGE);
	row(t, "Hugepagesize:", HUGE_PAGE);
}

uint32_t system_cpus(struct tern_cpu_info *cpus)
{
	uint32_t n = pm.boot.nharts < MAX_HARTS ? pm.boot.nharts : MAX_HARTS;

	memset(cpus, 0, n * sizeof *cpus);
	tern_system_info(TERN_INFO_CPU, cpus, n * sizeof *cpus);
	return n;
}

static struct tern_cpu_info sum_of_cpus(const struct tern_cpu_info *cpus, uint32_t n)
{
	struct tern_cpu_info sum = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		sum.busy_ns += cpus[i].busy_ns;
		sum.system_ns += cpus[i].system_ns;
		sum.idle_ns += cpus[i].idle_ns;
		sum.switches += cpus[i].switches;
		sum.interrupts += cpus[i].interrupts;
		sum.running += cpus[i].running;
	}
	return sum;
}

static void uptime(struct text *t)
{
	static struct tern_cpu_info cpus[MAX_HARTS];
	uint64_t up = tern_clock_ns(TERN_CLOCK_MONOTONIC);
	uint64_t idle = sum_of_cpus(cpus, system_cpus(cpus)).idle_ns;

	text_printf(t, "%lu.%02lu %lu.%02lu\n", UL(up / NSEC), UL(up % NSEC / 10000000),
		    UL(idle / NSEC), UL(idle % NSEC / 10000000));
}

static void cpuinfo(struct text *t)
{
	static struct tern_cpu_info cpus[MAX_HARTS];
	uint32_t n = system_cpus(cpus);

	for (uint32_t i = 0; i < n; i++)
		text_printf(t, "processor\t: %u\nhart\t\t: %u\nisa\t\t: %s\nmmu\t\t: sv39\n\n", i,
			    cpus[i].hartid, pm.boot.isa[0] ? pm.boot.isa : "rv64imafdc");
}

static void cpu_row(struct text *t, const char *name, const struct tern_cpu_info *c)
{
	text_printf(t, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, UL(TICKS(c->busy_ns - c->system_ns)),
		    UL(TICKS(c->system_ns)), UL(TICKS(c->idle_ns)));
}

static void stat(struct text *t)
{
	static struct tern_cpu_info cpus[MAX_HARTS];
	static const char digits[] = "0123456789";
	struct tern_memory_info memory = { 0 };
	uint32_t n = system_cpus(cpus);
	struct tern_cpu_info sum = sum_of_cpus(cpus, n);
	uint64_t begun = tern_clock_ns(TERN_CLOCK_REALTIME) - tern_clock_ns(TERN_CLOCK_MONOTONIC);

	tern_system_info(TERN_INFO_MEMORY, &memory, sizeof memory);
	cpu_row(t, "cpu ", &sum);
	for (uint32_t i = 0; i < n; i++) {
		char name[] = "cpu\0\0";

		name[3] = digits[i < 10 ? i : i / 10];
		name[4] = i < 10 ? 0 : digits[i % 10];
		cpu_row(t, name, &cpus[i]);
	}
	text_printf(t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\n", UL(sum.interrupts),
		    UL(sum.switches), UL(begun / NSEC), UL(memory.counters.forks));
	text_printf(t, "procs_running %u\nprocs_blocked 0\nsoftirq 0\n", sum.running);
}

static void load(struct text *t)
{
	static struct tern_cpu_info cpus[MAX_HARTS];

	for (unsigned i = 0; i < 3; i++) {
		uint64_t v = loadavg(i) + LOAD_ONE / 200; /* rounds to the nearest hundredth */

		text_printf(t, "%lu.%02lu ", UL(v / LOAD_ONE), UL(v % LOAD_ONE * 100 / LOAD_ONE));
	}
	text_printf(t, "%u/%u %u\n", sum_of_cpus(cpus, system_cpus(cpus)).running,
		    pm.tree.used, pm.tree.last);
}

static void interrupts(struct text *t)
{
	static uint64_t counts[MAX_HARTS * TERN_NIRQ];
	uint32_t n = pm.boot.nharts < MAX_HARTS ? pm.boot.nharts : MAX_HARTS;

	memset(counts, 0, sizeof counts);
	tern_system_info(TERN_INFO_IRQ, counts, n * TERN_NIRQ * sizeof counts[0]);
	text_printf(t, "    ");
	for (uint32_t h = 0; h < n; h++)
		text_printf(t, "       CPU%-1u", h);
	text_printf(t, "\n");
	for (uint32_t i = 0; i < TERN_NIRQ; i++) {
		uint64_t sum = 0;

		for (uint32_t h = 0; h < n; h++)
			sum += counts[h * TERN_NIRQ + i];
		if (i >= 2 && !sum)
			continue;
		if (i == 1)
			text_printf(t, "IPI:");
		else
			text_printf(t, "%3u:", i == 0 ? 5 : i - 2);
		for (uint32_t h = 0; h < n; h++)
			text_printf(t, " %10lu", UL(counts[h * TERN_NIRQ + i]));
		text_printf(t, "  %s\n", i == 0	  ? "RISC-V INTC   5 Edge      riscv-timer"
					 : i == 1 ? "inter-processor interrupts"
					 : i - 2 == pm.boot.uart_irq ? "SiFive PLIC  Level  ttyS0"
								     : "SiFive PLIC  Level");
	}
}

static void buddyinfo(struct text *t)
{
	struct tern_memory_info m = { 0 };

	tern_system_info(TERN_INFO_MEMORY, &m, sizeof m);
	text_printf(t, "Node 0, zone    DMA32");
	for (int i = 0; i < TERN_FRAME_ORDERS; i++)
		text_printf(t, " %6lu", UL(m.frames.free_blocks[i]));
	text_printf(t, "\n");
}

static void slabinfo(struct text *t)
{
	static struct tern_slab_info v[MAX_SLABS];
	long n = tern_system_info(TERN_INFO_SLABS, v, sizeof v);

	text_printf(t, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
		       "<objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
		       "slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (long i = 0; i < n / (long)sizeof v[0]; i++)
		text_printf(t, "%-17.24s %6lu %6lu %6u %4u %4u : tunables    0    0    0 : slabdata %6lu %6lu      0\n",
			    v[i].name, UL(v[i].used), UL(v[i].total), v[i].size, v[i].per_slab,
			    (v[i].size * v[i].per_slab + 4095) / 4096, UL(v[i].slabs),
			    UL(v[i].slabs));
}

static void vmallocinfo(struct text *t)
{
	struct tern_kernel_mapping v[64];
	long n = tern_system_info(TERN_INFO_VMAP, v, sizeof v) / (long)sizeof v[0];

	for (long i = 0; i < n; i++)
		text_printf(t, "0x%016lx-0x%016lx %7lu phys=0x%016lx\n", UL(v[i].start),
			    UL(v[i].start + v[i].size), UL(v[i].size), UL(v[i].phys));
}

static void vmstat(struct text *t)
{
	struct tern_memory_info m = { 0 };

	tern_system_info(TERN_INFO_MEMORY, &m, sizeof m);
	text_printf(t, "nr_free_pages %lu\nnr_anon_pages %lu\nnr_mapped %lu\nnr_file_pages %lu\n",
		    UL(m.frames.free), UL(m.anon_pages), UL(m.mapped_pages), UL(m.counters.object_pages));
	text_printf(t, "nr_shmem %lu\nnr_slab_unreclaimable %lu\nnr_page_table_pages %lu\n",
		    UL(m.counters.object_pages), UL(m.frames.slab), UL(m.frames.table));
	text_printf(t, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault %lu\npgmajfault 0\n",
		    UL(m.counters.faults));
	text_printf(t, "cow_copies %lu\nzero_fills %lu\nforks %lu\ntlb_shootdowns %lu\npgsteal_direct %lu\n",
		    UL(m.counters.cow_copies), UL(m.counters.zero_fills), UL(m.counters.forks), UL(m.counters.shootdowns), UL(m.counters.reclaimed));
	text_printf(t, "nr_anon_transparent_hugepages %lu\nthp_fault_alloc %lu\nthp_split_pmd %lu\n",
		    UL(m.huge_pages), UL(m.counters.huge_fills), UL(m.counters.huge_splits));
}

void proc_text_system(struct text *t, int number)
{
	const struct uts *u = system_names();

	switch (number) {
	case TERN_PROC_MEMINFO:
		meminfo(t);
		break;
	case TERN_PROC_UPTIME:
		uptime(t);
		break;
	case TERN_PROC_CPUINFO:
		cpuinfo(t);
		break;
	case TERN_PROC_STAT:
		stat(t);
		break;
	case TERN_PROC_LOADAVG:
		load(t);
		break;
	case TERN_PROC_VERSION:
		text_printf(t, "%s version %s (tern) (gcc) %s\n", u->sysname, u->release, u->version);
		break;
	case TERN_PROC_FILESYSTEMS:
		text_printf(t, "nodev\tsysfs\nnodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tdevpts\nnodev\tramfs\n");
		break;
	case TERN_PROC_CMDLINE:
		text_printf(t, "%s\n", pm.boot.bootargs);
		break;
	case TERN_PROC_INTERRUPTS:
		interrupts(t);
		break;
	case TERN_PROC_BUDDYINFO:
		buddyinfo(t);
		break;
	case TERN_PROC_SLABINFO:
		slabinfo(t);
		break;
	case TERN_PROC_VMALLOCINFO:
		vmallocinfo(t);
		break;
	case TERN_PROC_VMSTAT:
		vmstat(t);
		break;
	case TERN_PROC_SWAPS:
		text_printf(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
		break;
	case TERN_PROC_DEVICES:
		text_printf(t, "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n"
			       "  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n");
		break;
	case TERN_PROC_PARTITIONS:
		text_printf(t, "major minor  #blocks  name\n\n");
		break;
	default:
		sysctl_text(t, number);
	}
}
