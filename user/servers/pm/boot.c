/* Start-up: pm makes the endpoints and sessions of all servers, then starts the servers from the
 * boot archive, each with its struct server_boot on its stack.
 *
 * The kernel starts pm alone, with the archive's memory object as handle 0.  pm makes every session
 * before any other server runs, so none of them ever sees the others half made.  If anything fails
 * here, the system stops with one line on the console.
 */
#include "cpio.h"
#include "elf.h"
#include "pm.h"
#include <linux/mman.h>
#include <stdio.h>
#include <string.h>

#define PAGE 4096ull

enum { S_PM, S_VFS, S_TTY, S_PIPE, NSERVERS };

#define STACK_BYTES 0x40000ull
#define SESSION_RIGHTS (TERN_R_READ | TERN_R_WRITE | TERN_R_IO | TERN_R_MAP | TERN_R_TRANSFER)

static const char *const names[NSERVERS] = { "pm", "vfs", "tty", "pipe" };
static const uint32_t badges[NSERVERS] = { TERN_BADGE_FROM_PM, TERN_BADGE_FROM_VFS,
					   TERN_BADGE_FROM_TTY, TERN_BADGE_FROM_PIPE };
static int endpoint[NSERVERS];
static int session[NSERVERS][NSERVERS]; /* [from][to]: handles in pm, until the servers have them */
static int pidmap_object, uart_object = -1, uart_irq = -1;

const struct tern_cred root_cred = {
	.cap_effective = CAP_ALL,
	.cap_permitted = CAP_ALL,
	.cap_bounding = CAP_ALL,
};

static _Noreturn void fatal(const char *what, long r)
{
	server_log("PANIC: cannot start: %s (error %ld)", what, -r);
	tern_power(1 << 8 | 2);
	for (;;)
		;
}

static int must(long r, const char *what)
{
	if (r < 0)
		fatal(what, r);
	return (int)r;
}

static int make_session(int to, uint64_t badge)
{
	long sid = tern_session_create(endpoint[to], badge, TERN_KIND_SERVICE, 0, 0, -1);

	if (sid < 0)
		fatal("a session", sid);
	return must(tern_session_handle((uint64_t)sid, SESSION_RIGHTS), "a session's handle");
}

static long archive_read(void *arg, uint64_t off, void *buf, size_t n)
{
	(void)arg;
	return tern_memobj_read(pm.initrd, off, buf, n);
}

static void load_server(int aspace, const char *name, struct elf_image *e)
{
	static char head[4096];
	char path[32];
	struct cpio_file f;
	long n;

	snprintf(path, sizeof path, "boot/%s", name);
	n = cpio_find(archive_read, NULL, pm.boot.initrd_size, path, &f);
	if (n < 0) {
		server_log("the boot archive has no /%s", path);
		fatal(path, n);
	}
	n = tern_memobj_read(pm.initrd, f.offset, head, f.size < sizeof head ? f.size : sizeof head);
	if (n < 0 || elf_header(e, head, (size_t)n) < 0 || e->dynamic ||
	    e->phoff + (uint64_t)e->phnum * ELF_PHENT > (uint64_t)n ||
	    elf_segments(e, head + e->phoff, f.size) < 0 || e->interp_size)
		fatal(path, -ENOEXEC);
	must(load_segments(aspace, pm.initrd, f.offset, e, 0, true), path);
}

/* Fills the server's struct server_boot and the handles that it starts with.  It gets them in
 * the order of a->fds, so their numbers in its table are the indices there. */
static void fill_boot(int which, struct server_boot *b, struct tern_process_args *a)
{
	int32_t *own[] = { &b->pm, &b->vfs, &b->tty, &b->pipe };

	memset(b, 0, sizeof *b);
	b->boot = pm.boot;
	b->initrd_size = pm.boot.initrd_size;
	b->uart_shift = (int32_t)pm.boot.uart_shift;
	b->initrd = b->pidmap = b->uart = b->uart_irq = -1;
	a->fds[0] = endpoint[which];
	b->endpoint = 0;
	a->nfds = 1;
	for (int i = 0; i < NSERVERS; i++) {
		*own[i] = -1;
		if (i == which)
			continue;
		*own[i] = (int32_t)a->nfds;
		a->fds[a->nfds++] = session[which][i];
	}
	if (which == S_VFS) {
		b->initrd = (int32_t)a->nfds;
		a->fds[a->nfds++] = pm.initrd;
		b->pidmap = (int32_t)a->nfds;
		a->fds[a->nfds++] = pidmap_object;
	}
	if (which == S_TTY && uart_object >= 0) {
		b->uart = (int32_t)a->nfds;
		a->fds[a->nfds++] = uart_object;
		b->uart_irq = (int32_t)a->nfds;
		a->fds[a->nfds++] = uart_irq;
	}
}

static struct proc *register_server(uint32_t pid)
{
	struct number *n = number_create_at(&pm.tree, pid);
	struct proc *p = n ? process_new(n, NULL, true) : NULL;

	if (!p)
		fatal("out of memory", -ENOMEM);
	p->handle = -1;
	pidmap_update(p);
	return p;
}

static void start_server(int which, uint32_t pid, uint32_t authority)
{
	struct tern_process_args a = { .pid = pid, .ppid = 0, .pgid = pid, .sid = pid, .umask = 022 };
	struct proc *p = register_server(pid);
	struct server_boot b;
	struct elf_image e;
	uint64_t sp = TERN_STACK_TOP - ((sizeof b + 15) & ~15ull);

	a.authority = authority | TERN_AUTH_SERVER | TERN_AUTH_SERVE;
	a.badge = pool_badge(&pm.procs, p);
	a.aspace = must(tern_aspace_create(0), "a space");
	load_server(a.aspace, names[which], &e);
	must(tern_aspace_map(a.aspace, TERN_STACK_TOP - STACK_BYTES, STACK_BYTES,
			     PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_STACK, -1, 0),
	     "a stack");
	fill_boot(which, &b, &a);
	if (tern_aspace_write(a.aspace, sp, &b, sizeof b) != (long)sizeof b)
		fatal("a stack", -ENOMEM);
	a.image.pc = e.entry;
	a.image.sp = sp;
	memset(a.limits, 0xff, sizeof a.limits); /* RLIM_INFINITY */
	a.a0 = sp;
	a.root = a.cwd = -1;
	for (int i = 0; i < TERN_NSERVICES; i++)
		a.service[i] = -1;
	snprintf(a.image.comm, sizeof a.image.comm, "%s", names[which]);
	a.cred = root_cred;
	p->handle = must(tern_process_create(&a), names[which]);
	tern_close(a.aspace);
}

static void make_objects(void)
{
	uint64_t size = TERN_PID_MAX * sizeof(struct tern_pid_entry);
	long r;

	pidmap_object = must(tern_memobj_create(size, 0), "the table of pids");
	r = tern_aspace_map(-1, 0, size, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    pidmap_object, 0);
	if (r < 0)
		fatal("the table of pids", r);
	pm.pidmap = (struct tern_pid_entry *)r;
	/* Touches all pages of this table and of pm's own table of numbers now, so that the memory
	 * in use does not depend on how many pids have been given out. */
	for (uint64_t i = 0; i < size; i += PAGE)
		*(volatile char *)((char *)pm.pidmap + i) = 0;
	for (uint64_t i = 0; i < sizeof pm.tree.table; i += PAGE)
		*(volatile char *)((char *)pm.tree.table + i) = *((char *)pm.tree.table + i);
	if (pm.boot.uart_size) {
		uart_object = must(tern_memobj_phys(pm.boot.uart_pa, pm.boot.uart_size), "the UART");
		uart_irq = must(tern_irq_create(pm.boot.uart_irq), "the UART's interrupt");
	}
}

void boot(void)
{
	long r = tern_system_info(TERN_INFO_BOOT, &pm.boot, sizeof pm.boot);

	if (r < 0)
		fatal("boot information", r);
	pm.boot.bootargs[sizeof pm.boot.bootargs - 1] = 0;
	pm.boot.isa[sizeof pm.boot.isa - 1] = 0;
	pm.initrd = 0; /* the one handle that the kernel gave pm */
	for (int i = 0; i < NSERVERS; i++)
		endpoint[i] = must(tern_ep_create(), "an endpoint");
	must(server_bind(endpoint[S_PM]), "binding pm's endpoint");
	for (int from = 0; from < NSERVERS; from++)
		for (int to = 0; to < NSERVERS; to++)
			session[from][to] = from == to ? -1 : make_session(to, badges[from]);
	pm.vfs = session[S_PM][S_VFS];
	pm.tty = session[S_PM][S_TTY];
	pm.pipe = session[S_PM][S_PIPE];
	for (int i = 0; i < TERN_NSERVICES; i++)
		pm.service[i] = -1;
	pm.service[TERN_SVC_PM] = make_session(S_PM, TERN_BADGE_SERVICE);
	pm.service[TERN_SVC_VFS] = make_session(S_VFS, TERN_BADGE_SERVICE);
	pm.service[TERN_SVC_PIPE] = make_session(S_PIPE, TERN_BADGE_SERVICE);
	make_objects();
	register_server(PID_PM);
	start_server(S_TTY, PID_TTY, TERN_AUTH_INFO);
	start_server(S_PIPE, PID_PIPE, 0);
	/* vfs is the last one, since it moves pages out of the archive as soon as it runs, and the
	 * other servers are read from there. */
	start_server(S_VFS, PID_VFS, TERN_AUTH_INFO);
	for (int i = S_VFS; i < NSERVERS; i++)
		for (int to = 0; to < NSERVERS; to++)
			if (i != to)
				tern_close(session[i][to]);
}
