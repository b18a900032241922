/* The files under /proc/tern, which Linux does not have.
 *
 * objects    a line "name value" for each type of object, for tests to compare before and after
 * enosys     a line "number count" for each call that nobody answered
 * handles    a line for each descriptor of each process
 * kept       a line for each process: the bytes that the kernel and the servers keep for it
 * messages   how many messages were delivered to servers since the start
 * endpoints  a line for each server: its name, its pid, and whether it is up
 * log        the kernel's log */
#include "proc_priv.h"
#include <string.h>
#include <server/proc.h>

#define UL(x) ((unsigned long)(x))

static void objects(struct text *t)
{
	static const char *const names[TERN_NOBJECTS] = {
		[TERN_OBJ_CALL] = "call",	[TERN_OBJ_NOTIFICATION] = "notification",
		[TERN_OBJ_IRQ] = "irq",		[TERN_OBJ_WAITSET] = "waitset",
		[TERN_OBJ_HANDLE] = "handle",
	};
	static const char *const caches[] = { "process",  "thread",  "cred",  "aspace", "memobj",
					      "endpoint", "session", "ready", "region" };
	uint64_t counts[TERN_NOBJECTS] = { 0 };
	struct tern_memory_info m = { 0 };

	tern_system_info(TERN_INFO_OBJECTS, counts, sizeof counts);
	tern_system_info(TERN_INFO_MEMORY, &m, sizeof m);
	/* Objects are counted rather than the frames of their slabs: a slab keeps some free objects
	 * on purpose, so its frames vary even if nothing leaks. */
	static struct tern_slab_info slabs[96];
	long n = tern_system_info(TERN_INFO_SLABS, slabs, sizeof slabs);
	uint64_t used = 0;

	for (long i = 0; i < n / (long)sizeof slabs[0]; i++) {
		used += slabs[i].used;
		for (size_t k = 0; k < sizeof caches / sizeof caches[0]; k++)
			if (!strcmp(slabs[i].name, caches[k]))
				text_printf(t, "%s %lu\n", caches[k], UL(slabs[i].used));
	}
	for (int i = 0; i < TERN_NOBJECTS; i++)
		text_printf(t, "%s %lu\n", names[i], UL(counts[i]));
	text_printf(t, "slab_objects %lu\n", UL(used));
	text_printf(t, "frames_user %lu\nframes_table %lu\nframes_kernel %lu\n", UL(m.anon_pages + m.counters.object_pages),
		    UL(m.frames.table), UL(m.frames.kernel));
	text_printf(t, "frames_slab %lu\nfree_frames %lu\n", UL(m.frames.slab), UL(m.frames.free));
	text_printf(t, "pm_processes %u\npm_numbers %u\n", pm.tree.processes, pm.tree.used);
}

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = { "none",  "file",  "pipe",	 "fifo", "tty",	  "event",
					     "proc",  "socket", "mq",	 "service", "epoll", "object" };

	return kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

static void handles_of(struct text *t, struct proc *p)
{
	struct tern_handle_info v[32];
	unsigned first = 0;
	long n;

	while (!t->failed && (n = tern_process_handles(p->handle, first, v, 32)) > 0) {
		for (long i = 0; i < n; i++)
			text_printf(t, "%u %u %s %c%c%c%c%c%c %lx\n", p->pid, v[i].fd,
				    kind_name(v[i].kind), v[i].rights & TERN_R_READ ? 'r' : '-',
				    v[i].rights & TERN_R_WRITE ? 'w' : '-',
				    v[i].rights & TERN_R_IO ? 'i' : '-',
				    v[i].rights & TERN_R_MAP ? 'm' : '-',
				    v[i].rights & TERN_R_TRANSFER ? 't' : '-',
				    v[i].rights & TERN_R_MANAGE ? 'o' : '-', UL(v[i].ident));
		first = v[n - 1].fd + 1;
		if (n < 32)
			return;
	}
}

static void handles(struct text *t)
{
	text_printf(t, "pid fd kind rights ident\n");
	for (int64_t pid = PID_PM; pid <= PID_PIPE; pid++)
		if (proc_find(&pm.tree, pid))
			handles_of(t, proc_find(&pm.tree, pid));
	LINK_EACH(l, &pm.tree.all) {
		struct proc *p = LINK_OF(l, struct proc, all);

		if (p->state == PROC_ALIVE)
			handles_of(t, p);
	}
}

static void kept(struct text *t)
{
	struct tern_process_stat st;

	text_printf(t, "pid space descriptors threads objects limit memory\n");
	LINK_EACH(l, &pm.tree.all) {
		struct proc *p = LINK_OF(l, struct proc, all);

		if (p->state == PROC_ALIVE && tern_process_stat(p->handle, 0, &st) == 0)
			text_printf(t, "%u %lu %lu %lu %lu %lu %lu\n", p->pid, UL(st.kept.space),
				    UL(st.kept.descriptors), UL(st.kept.threads),
				    UL(st.kept.objects), UL(st.kept.limit), UL(st.kept.memory));
	}
}

static void endpoints(struct text *t)
{
	static const char *const names[] = { "pm", "vfs", "tty", "pipe" };

	text_printf(t, "endpoint owner state\n");
	for (int i = 0; i < 4; i++) {
		struct proc *p = proc_find(&pm.tree, PID_PM + i);

		text_printf(t, "%s %d %s\n", names[i], PID_PM + i,
			    p && p->state == PROC_SERVER ? "up" : "down");
	}
}

static void enosys(struct text *t)
{
	static uint32_t counts[512];
	long n = tern_system_info(TERN_INFO_ENOSYS, counts, sizeof counts);

	for (long i = 0; i < n / (long)sizeof counts[0]; i++)
		if (counts[i])
			text_printf(t, "%ld %u\n", i, counts[i]);
}

static void messages(struct text *t)
{
	uint64_t n = 0;

	tern_system_info(TERN_INFO_MESSAGES, &n, sizeof n);
	text_printf(t, "%lu\n", UL(n));
}

static void kernel_log(struct text *t)
{
	uint64_t at = 0;

	for (;;) {
		char *room = text_room(t, 4096);
		long r = room ? tern_log_read(at, room, 4096) : 0;

		if (r <= 0 || at > (1u << 20))
			return;
		t->length += (size_t)r;
		at += (uint64_t)r;
	}
}

void proc_text_tern(struct text *t, int number)
{
	switch (number) {
	case TERN_PROC_TERN_HANDLES:
		handles(t);
		break;
	case TERN_PROC_TERN_KEPT:
		kept(t);
		break;
	case TERN_PROC_TERN_ENDPOINTS:
		endpoints(t);
		break;
	case TERN_PROC_TERN_OBJECTS:
		objects(t);
		break;
	case TERN_PROC_TERN_MESSAGES:
		messages(t);
		break;
	case TERN_PROC_TERN_ENOSYS:
		enosys(t);
		break;
	case TERN_PROC_TERN_TRACE:
		trace_text(t);
		break;
	case TERN_PROC_TERN_LOG:
		kernel_log(t);
		break;
	}
}
