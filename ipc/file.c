/*
 * Regular files: reads, writes and seeks that the kernel answers in place of the file's server.
 *
 * A server attaches a session to a memory object with a reply (TERN_REPLY_FILE).  From then on the session
 * owns the offset of the open file description, and the object knows the file's length and what the
 * kernel may do without asking (memobj.direct).  All that is not plain is asked of the server, as it is for
 * a session without an object: a write beyond the length, a page that is missing, a buffer that
 * faults.  The server takes the offset back for such a call (TERN_FILE_TAKE), and ends all direct access to
 * the file before it changes what the file is (TERN_MEMOBJ_WITHDRAW).
 *
 * The kernel lock guards what is said here of sessions and objects.  A copy runs without it, with a
 * reference of the object and counted in memobj.copies, which a withdrawal waits for.  Such a copy never
 * sleeps and is bounded by TERN_FILE_READ_MAX and TERN_FILE_WRITE_MAX, and so is the wait.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <asm/unistd.h>
#include <ipc/file.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/timer.h>
#include <mm/aspace.h>
#include <mm/memobj.h>
#include <tern/linux/errno.h>

#include "call_priv.h"

#define OFFSET_MAX ((u64)INT64_MAX)
#define OFFSET_NONE (~0ull)
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

static u64 real_time(void) { return arch_ticks_to_ns(arch_ticks()) + (u64)realtime_offset_ns; }

/* A read of the file through s: its access time moves if it is due. */
static inline void file_accessed(const struct session *s, struct memobj *m)
{
	if (likely(!(m->direct & TERN_FILE_DUE)) || s->direct & TERN_FILE_NOATIME)
		return;
	m->direct &= (u8)~TERN_FILE_DUE;
	WRITE_ONCE(m->accessed, real_time());
}

/* Kernel lock held, dropped. */
static inline struct thread *file_answer(struct thread *t, u64 result)
{
	kernel_unlock();
	t->regs.x[REG_A0] = result;
	return t;
}

/* Sends the call to the file's server after all.  The caller holds the kernel lock, which is
 * dropped here. */
static struct thread *file_ask(struct thread *t, const struct syscall_line *line, u32 op)
{
	return route_call_locked(t, line, op, ROUTE_H);
}

static inline bool file_moves(u32 op) { return op == __NR_read || op == __NR_write; }

/* The copy of a call that moved the offset to `end` came to `got` bytes of n only: part of a read is its result;
 * else the server is asked for the whole.  The descriptor may be another one's meanwhile. */
static __attribute__((noinline)) struct thread *file_fell_short(struct thread *t, u32 op, struct memobj *m, u64 end,
								u64 n, u64 got)
{
	const struct syscall_line *line = &syscalls[op];
	struct session *s;

	kernel_lock();
	s = handle_object(t->process->handles, (u32)t->regs.x[REG_A0], HANDLE_SESSION, line->rights);
	if (s && file_moves(op) && s->file == m && s->offset == end)
		s->offset = end - n + got;
	return got ? file_answer(t, got) : file_ask(t, line, op);
}

enum file_way { FILE_OUT, FILE_IN };

/* A read or write of n bytes at `off`, all of them within the length.  Kernel lock held, dropped. */
static inline __attribute__((always_inline)) struct thread *
file_copy(struct thread *t, u32 op, struct session *s, u64 off, u64 n, enum file_way way)
{
	u64 end = file_moves(op) ? off + n : 0;
	va_t va = t->regs.x[REG_A0 + 1];
	struct memobj *m = s->file;
	long got;

	if (file_moves(op))
		s->offset = end;
	memobj_get(m);
	__atomic_fetch_add(&m->copies, 1, __ATOMIC_RELAXED);
	kernel_unlock();
	if (way == FILE_OUT)
		got = memobj_copy_out(m, off, t->aspace, va, n);
	else
		got = memobj_copy_in_there(m, off, t->aspace, va, n) ? (long)n : 0;
	__atomic_fetch_sub(&m->copies, 1, __ATOMIC_RELEASE);
	if (likely(got == (long)n))
		t->regs.x[REG_A0] = n;
	else
		t = file_fell_short(t, op, m, end, n, got > 0 ? (u64)got : 0);
	memobj_put(m);
	return t;
}

static inline __attribute__((always_inline)) struct thread *
file_read(struct thread *t, const struct syscall_line *line, u32 op, struct session *s, u64 off)
{
	struct memobj *m = s->file;
	u64 n = t->regs.x[REG_A0 + 2];

	if (unlikely(!(s->direct & m->direct & TERN_FILE_READ) || off > OFFSET_MAX || n > TERN_FILE_READ_MAX))
		return file_ask(t, line, op);
	n = off < m->length ? MIN(n, m->length - off) : 0;
	if (unlikely(!n))
		return file_answer(t, 0);
	file_accessed(s, m);
	return file_copy(t, op, s, off, n, FILE_OUT);
}

/* One copy under the locks or none: writes to one file do not mix. */
static inline __attribute__((always_inline)) struct thread *
file_write(struct thread *t, const struct syscall_line *line, u32 op, struct session *s, u64 off)
{
	struct memobj *m = s->file;
	u64 n = t->regs.x[REG_A0 + 2];

	if (unlikely(!(s->direct & m->direct & TERN_FILE_WRITE) || n > TERN_FILE_WRITE_MAX ||
		     off > m->length || n > m->length - off || !n))
		return file_ask(t, line, op);
	WRITE_ONCE(m->modified, real_time());
	m->direct |= TERN_FILE_DUE;
	return file_copy(t, op, s, off, n, FILE_IN);
}

/* What is an error, and holes, the server answers. */
static struct thread *file_seek(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	const u64 *a = &t->regs.x[REG_A0];
	u64 base;

	switch ((u32)a[2]) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = s->offset;
		break;
	case SEEK_END:
		base = s->file->direct & TERN_FILE_READ ? s->file->length : OFFSET_NONE;
		break;
	default:
		base = OFFSET_NONE;
	}
	/* A sum above OFFSET_MAX went over it, or below 0. */
	if (unlikely(base > OFFSET_MAX || base + a[1] > OFFSET_MAX))
		return file_ask(t, line, op);
	s->offset = base + a[1];
	return file_answer(t, s->offset);
}

static struct thread *file_read_here(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	(void)op;
	return file_read(t, line, __NR_read, s, s->offset);
}

static struct thread *file_read_at(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	(void)op;
	return file_read(t, line, __NR_pread64, s, t->regs.x[REG_A0 + 3]);
}

static struct thread *file_write_here(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	(void)op;
	return file_write(t, line, __NR_write, s, s->offset);
}

static struct thread *file_write_at(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	(void)op;
	return file_write(t, line, __NR_pwrite64, s, t->regs.x[REG_A0 + 3]);
}

struct thread *file_call(struct thread *t, const struct syscall_line *line, u32 op, struct session *s)
{
	static struct thread *(*const answers[])(struct thread *t, const struct syscall_line *line, u32 op,
						 struct session *s) = {
		[__NR_lseek] = file_seek,	[__NR_read] = file_read_here,	[__NR_write] = file_write_here,
		[__NR_pread64] = file_read_at,	[__NR_pwrite64] = file_write_at,
	};

	/* A dead server's files are so, too: EIO, whatever is still there. */
	if (unlikely(op >= ARRAY_SIZE(answers) || !answers[op] || s->endpoint->dead))
		return file_ask(t, line, op);
	return answers[op](t, line, op, s);
}

void file_detach(struct session *s)
{
	struct memobj *m = s->file;

	s->file = NULL;
	memobj_put(m);
}

void file_attach(struct thread *t, struct call *c, const u64 *x)
{
	struct memobj *m = handle_object(t->process->handles, (u32)x[REPLY_MEMOBJ], HANDLE_MEMOBJ,
					 TERN_R_MANAGE | TERN_R_READ | TERN_R_WRITE);
	u64 offset = x[REPLY_RID1], length = x[REPLY_BITS1], flags = x[REPLY_RID2];
	struct session *s = c->session;

	if (unlikely(!m || m->kind != MEMOBJ_ANON || offset > OFFSET_MAX || length > OFFSET_MAX))
		return;
	if (s->file != m) {
		memobj_get(m);
		if (s->file)
			file_detach(s);
		s->file = m;
		s->offset = offset;
	}
	s->direct = (u8)(flags >> TERN_FILE_SESSION_SHIFT);
	if (!m->direct) {
		m->length = length;
		m->direct = flags & (TERN_FILE_READ | TERN_FILE_WRITE | TERN_FILE_DUE);
		m->accessed = 0;
	}
	if (!(x[REPLY_FLAGS] & TERN_REPLY_IN))
		file_accessed(s, m);
}

s64 native_file_take(struct thread *t, struct call *c, u64 *a)
{
	struct handle_table *handles = call_subject(c)->process->handles;
	struct session *s = c->session;

	if ((s32)a[1] != -1) {
		s = handles ? handle_object(handles, (u32)a[1], HANDLE_SESSION, 0) : NULL;
		if (!s || s->endpoint != t->endpoint || s->badge != a[2])
			return -EBADF;
	}
	if (!s->file)
		return -ENOENT;
	file_detach(s);
	return (s64)s->offset;
}

void file_withdraw(struct memobj *m)
{
	kernel_lock();
	m->direct = 0;
	kernel_unlock();
	while (__atomic_load_n(&m->copies, __ATOMIC_ACQUIRE))
		arch_spin_wait(&m->copies);
}
