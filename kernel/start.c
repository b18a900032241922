/*
 * Start-up, after arch/: the kernel's own tables, the vDSO, the first process, the other harts.
 *
 * The first process is pm, from /boot/pm of the boot archive; handle 0 of its table is the archive
 * itself.  Everything else is started by pm.  A bad archive is one clear line and a stop.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <arch/vdso.h>
#include <kernel/boot.h>
#include <kernel/hart.h>
#include <kernel/lib/log.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/lib/string.h>
#include <kernel/timer.h>
#include <linux/elf.h>
#include <linux/mman.h>
#include <mm/aspace.h>
#include <mm/frame.h>
#include <mm/memobj.h>
#include <mm/slab.h>

#define PM_PID 2
#define PM_STACK_TOP 0x40000000ul
#define PM_STACK_SIZE (64ul << 10)

u64 vdso_sigreturn_offset;
static struct vdso_data *vdso_data;
static u32 released; /* the other harts may go on; atomic */

void kernel_set_realtime(s64 offset_ns)
{
	realtime_offset_ns = offset_ns;
	if (vdso_data)
		vdso_set_realtime(vdso_data, offset_ns);
}

/* Where the image has rt_sigreturn's two instructions: li a7, 139; ecall. */
static u64 vdso_find_sigreturn(void)
{
	static const u32 code[2] = { 0x08b00893, 0x00000073 };

	for (const char *p = vdso_start; p + sizeof code <= vdso_end; p += 2)
		if (!memcmp(p, code, sizeof code))
			return (u64)(p - vdso_start);
	cannot_start("the vDSO has no rt_sigreturn");
}

/* One object: the data page, then the image. */
static void make_vdso(void)
{
	size_t n = (size_t)(vdso_end - vdso_start);
	struct memobj *m = memobj_create(PAGE_SIZE + PAGE_UP(n), 0);
	pfn_t page = 0;

	if (m && memobj_write(m, PAGE_SIZE, vdso_start, n) == (long)n) {
		spin_lock(&m->lock);
		page = memobj_page_locked(m, 0, true);
		spin_unlock(&m->lock);
	}
	if (!page)
		cannot_start("no memory for the vDSO");
	vdso_data = pfn_to_virt(page);
	vdso_data_init(vdso_data, realtime_offset_ns);
	vdso_memobj = m;
	vdso_sigreturn_offset = vdso_find_sigreturn();
}

/* ---- pm ---- */

static int map_segment(struct aspace *as, const char *file, size_t size,
		       const Elf64_Phdr *h)
{
	va_t start = PAGE_DOWN(h->p_vaddr), end = PAGE_UP(h->p_vaddr + h->p_memsz), out;
	unsigned prot = (h->p_flags & PF_R ? PROT_READ : 0) | (h->p_flags & PF_W ? PROT_WRITE : 0) |
			(h->p_flags & PF_X ? PROT_EXEC : 0);
	struct mm_work w = { 0 };

	if (h->p_offset > size || h->p_filesz > size - h->p_offset || h->p_filesz > h->p_memsz ||
	    h->p_vaddr < USER_MIN || end > USER_MAX || end <= start)
		return -1;
	if (aspace_map(as, start, end - start, PROT_READ | PROT_WRITE, 7,
		       MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0, &w, &out))
		return -1;
	if (copy_to_user(as, h->p_vaddr, file + h->p_offset, h->p_filesz) != h->p_filesz)
		return -1;
	return aspace_protect(as, start, end - start, prot, &w);
}

static va_t load(struct aspace *as, const char *file, size_t size)
{
	const Elf64_Ehdr *e = (const void *)file;
	struct mm_work w = { 0 };
	va_t out;

	if (size < sizeof *e || memcmp(e->e_ident, "\177ELF\2\1\1", 7) || e->e_type != ET_EXEC ||
	    e->e_machine != EM_RISCV || e->e_phentsize != sizeof(Elf64_Phdr) ||
	    e->e_phoff % 8 || e->e_phoff > size || e->e_phnum * sizeof(Elf64_Phdr) > size - e->e_phoff)
		cannot_start("/boot/pm of the boot archive is not a RISC-V program");
	for (unsigned i = 0; i < e->e_phnum; i++) {
		const Elf64_Phdr *h = (const void *)(file + e->e_phoff);

		if (h[i].p_type == PT_LOAD && h[i].p_memsz && map_segment(as, file, size, &h[i]))
			cannot_start("/boot/pm has a bad segment, or memory is out");
	}
	if (aspace_map(as, PM_STACK_TOP - PM_STACK_SIZE, PM_STACK_SIZE, PROT_READ | PROT_WRITE, 7,
		       MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0, &w, &out))
		cannot_start("no memory for pm's stack");
	return e->e_entry;
}

static void start_pm(void)
{
	const char *archive = phys_to_virt(boot_facts.initrd.start);
	struct tern_cred root = { 0 };
	struct memobj *m;
	struct cred *cred;
	struct process *p;
	struct thread *t;
	size_t off, len;
	va_t entry;

	if (!boot_facts.info.initrd_size)
		cannot_start("no boot archive (QEMU's -initrd)");
	if (archive_find(archive, boot_facts.info.initrd_size, "boot/pm", &off, &len))
		cannot_start("the boot archive has no /boot/pm");
	root.cap_effective = root.cap_permitted = root.cap_bounding = ~0ull;
	p = process_create(PM_PID);
	if (!p)
		cannot_start("no memory for pm");
	p->authority = TERN_AUTH_SYSTEM | TERN_AUTH_INFO | TERN_AUTH_SERVER | TERN_AUTH_SERVE;
	p->pgid = p->sid = PM_PID;
	memset(p->limits, 0xff, sizeof p->limits); /* RLIM_INFINITY */
	p->aspace = aspace_create();
	p->handles = handle_table_create();
	p->names = name_context_create();
	p->sighand = sighand_create();
	if (!p->aspace || !p->handles || !p->names || !p->sighand)
		cannot_start("no memory for pm");
	p->aspace->limit_as = p->aspace->limit_data = ~0ull;
	p->aspace->limit_stack = 8u << 20;
	entry = load(p->aspace, archive + off, len);
	m = memobj_create_frames(boot_facts.initrd.start, boot_facts.info.initrd_size);
	cred = cred_create(&root);
	t = cred ? thread_create(p, PM_PID, cred) : NULL;
	if (!m || !t)
		cannot_start("no memory for pm");
	if (handle_add(p->handles, 16, HANDLE_MEMOBJ, m,
		       TERN_R_READ | TERN_R_WRITE | TERN_R_MAP | TERN_R_TRANSFER, true) != 0)
		cannot_start("no memory for pm");
	p->leader = t;
	t->regs.x[REG_PC] = entry;
	t->regs.x[REG_SP] = PM_STACK_TOP;
	memcpy(t->comm, "pm", 3);
	sched_ready(t);
}

static void make_idle(struct hart *h)
{
	static struct process idle_process = { .refs = 1 };
	struct thread *t = kmalloc(sizeof *t);

	if (!t)
		cannot_start("no memory for an idle thread");
	t->process = &idle_process;
	t->work = WORK_IDLE;
	t->state = THREAD_RUNNING;
	t->key = KEY_NONE;
	t->lent = PRIO_RT_COUNT;
	t->hart = h;
	timer_init(&t->timer, NULL);
	list_init(&t->entry.link);
	memcpy(t->comm, "idle", 5);
	h->idle = h->current = h->payer = t;
	h->last_switch = h->charged_at = arch_ticks();
}

_Noreturn void kernel_main(void)
{
	mm_init();
	random_init();
	sched_init();
	futex_init();
	for (unsigned i = 0; i < nharts; i++)
		make_idle(&harts[i]);
	kernel_set_realtime((s64)(arch_rtc_ns() - arch_now_ns()));
	make_vdso();
	kernel_lock();
	start_pm();
	kernel_unlock();
	arch_start_secondaries();
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	enter_first(this_hart()->idle);
}

_Noreturn void kernel_secondary(void)
{
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		;
	this_hart()->last_switch = this_hart()->charged_at = arch_ticks();
	enter_first(this_hart()->idle);
}
