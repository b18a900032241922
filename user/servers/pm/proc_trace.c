/* /proc/tern/trace: the events that the kernel has recorded on all harts, as text and in the
 * order of their times. */
#include "proc_priv.h"
#include <string.h>

#define UL(x) ((unsigned long)(x))
#define HARTS 8
#define CHUNK 32

static const char *const calls[512] = {
#define CALL(number, name, route, right, fds, windows, otherwise, interrupted) [number] = #name,
#include "../../../kernel/linux/syscalls.def"
#undef CALL
};
static const char *const natives[TERN_OP_END - TERN_OP_FIRST] = {
#define NATIVE(op, name, ...) [TERN_##op - TERN_OP_FIRST] = "tern_" #name,
#include "../../../kernel/native/native.def"
#undef NATIVE
};

/* One hart's events: those that were read and not yet printed are v[next] to v[n - 1]; the
 * kernel has the next ones from position `at` on. */
static struct cursor {
	uint64_t at;
	long n, next;
	struct tern_trace_event v[CHUNK];
} cursors[HARTS];

long trace_switch(const char *text, size_t n)
{
	if (n > 2 || (text[0] != '0' && text[0] != '1') || (n == 2 && text[1] != '\n'))
		return -EINVAL;
	return tern_trace(text[0] == '1');
}

static void print_call(struct text *t, uint64_t nr, uint64_t a)
{
	const char *name = NULL;

	if (nr < 512)
		name = calls[nr];
	else if (nr >= TERN_OP_FIRST && nr < TERN_OP_END)
		name = natives[nr - TERN_OP_FIRST];
	if (nr == TERN_RECV)
		text_printf(t, "%s\n", name);
	else if (nr == TERN_REPLY_RECV)
		text_printf(t, "%s = %ld\n", name, (long)a);
	else if (name)
		text_printf(t, "%s(%lx)\n", name, UL(a));
	else
		text_printf(t, "call %lx(%lx)\n", UL(nr), UL(a));
}

static void print_interrupt(struct text *t, uint64_t bits)
{
	text_printf(t, "interrupt:%s%s%s\n", bits & 2 ? " another hart" : "", bits & 32 ? " timer" : "",
		    bits & 512 ? " device" : "");
}

/* Finds the name of a thread's process; `-`: the hart was idle, or the process is gone. */
static const char *name_of(uint32_t tid)
{
	static const char *const servers[] = { "pm", "vfs", "tty", "pipe" };
	const struct proc *p = proc_of_tid(&pm.tree, tid);

	if (tid - PID_PM < sizeof servers / sizeof servers[0])
		return servers[tid - PID_PM];
	return p && p->comm[0] ? p->comm : "-";
}

static void print_event(struct text *t, const struct tern_trace_event *e)
{
	static const char *const what[] = {
		[TERN_TRACE_READ_FAULT] = "read fault at %lx, pc %lx\n",
		[TERN_TRACE_WRITE_FAULT] = "write fault at %lx, pc %lx\n",
		[TERN_TRACE_FETCH_FAULT] = "fetch fault at %lx, pc %lx\n",
		[TERN_TRACE_TRAP] = "trap %lx, pc %lx\n",
		[TERN_TRACE_COPY] = "page at %lx copied to frame %lx\n",
		[TERN_TRACE_SIGNAL] = "signal %lx goes to %lx\n",
	};
	text_printf(t, "%lu.%06lu %u %u %s ", UL(e->ns / 1000000000), UL(e->ns / 1000 % 1000000), e->hart,
		    e->tid, name_of(e->tid));
	if (e->kind == TERN_TRACE_CALL)
		print_call(t, e->a, e->b);
	else if (e->kind == TERN_TRACE_INTERRUPT)
		print_interrupt(t, e->a);
	else if (e->kind < sizeof what / sizeof what[0] && what[e->kind])
		text_printf(t, what[e->kind], UL(e->a), UL(e->b));
	else
		text_printf(t, "?\n");
}

/* Finds the hart whose next event is the earliest; NULL: no event is left. */
static struct cursor *earliest(void)
{
	struct cursor *best = NULL;

	for (unsigned i = 0; i < HARTS; i++) {
		struct cursor *c = &cursors[i];

		if (c->next == c->n) {
			c->next = 0;
			c->n = tern_trace_read(i, &c->at, c->v, CHUNK);
		}
		if (c->n <= 0)
			c->n = 0;
		else if (!best || c->v[c->next].ns < best->v[best->next].ns)
			best = c;
	}
	return best;
}

void trace_text(struct text *t)
{
	/* Later events are not shown: reading the trace makes events itself and would never end. */
	uint64_t now = tern_clock_ns(TERN_CLOCK_MONOTONIC);
	struct cursor *c;

	memset(cursors, 0, sizeof cursors);
	text_printf(t, "seconds hart thread name event\n");
	while (!t->failed && (c = earliest()) && c->v[c->next].ns < now)
		print_event(t, &c->v[c->next++]);
}
