/* Stubs for Tern's native operations: one inline function an operation, same noun and verb.
 * Meaning, errors and authority: include/tern/abi.h.  Results are >= 0 or a negative Linux errno. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <tern/abi.h>
#if defined(__riscv) && !defined(TERN_SERVER)
#include <errno.h> /* a program linked with Linux's C library has its own */
#else
#include <tern/linux/errno.h>
#endif

#ifdef __riscv
static inline long tern_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
				uint64_t f)
{
	register uint64_t a0 __asm__("a0") = a;
	register uint64_t a1 __asm__("a1") = b;
	register uint64_t a2 __asm__("a2") = c;
	register uint64_t a3 __asm__("a3") = d;
	register uint64_t a4 __asm__("a4") = e;
	register uint64_t a5 __asm__("a5") = f;
	register long a7 __asm__("a7") = nr;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
			 : "memory");
	return (long)a0;
}
#else
/* Host tests define this function: it stands in for the kernel. */
long tern_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
#endif

#define TERN_PTR(p) ((uint64_t)(uintptr_t)(p))
#define TERN_OP6(nr, a, b, c, d, e, f)                                                   \
	tern_syscall(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d),      \
		     (uint64_t)(e), (uint64_t)(f))
#define TERN_OP5(nr, a, b, c, d, e) TERN_OP6(nr, a, b, c, d, e, 0)
#define TERN_OP4(nr, a, b, c, d) TERN_OP6(nr, a, b, c, d, 0, 0)
#define TERN_OP3(nr, a, b, c) TERN_OP6(nr, a, b, c, 0, 0, 0)
#define TERN_OP2(nr, a, b) TERN_OP6(nr, a, b, 0, 0, 0, 0)
#define TERN_OP1(nr, a) TERN_OP6(nr, a, 0, 0, 0, 0, 0)

static inline long tern_reply(uint64_t token, long result)
{
	return TERN_OP3(TERN_REPLY, token, result, 0);
}
/* Replies at once, with extras (native.c).  A handler that only returns its result uses the
 * server_reply_…() functions of server.h instead, which send extras with the loop's reply. */
long tern_reply_with(uint64_t token, long result, const struct tern_reply *extra);

static inline long tern_bind(int ep, void *message_page)
{
	return TERN_OP3(TERN_BIND, ep, TERN_PTR(message_page), 0);
}

static inline long tern_forward(uint64_t token, int session, uint64_t w0, uint64_t w1, int handle)
{
	return TERN_OP5(TERN_FORWARD, token, session, w0, w1, handle);
}
static inline long tern_forward_fd(uint64_t token, int fd, uint64_t w0, uint64_t w1)
{
	return TERN_OP4(TERN_FORWARD_FD, token, fd, w0, w1);
}
static inline long tern_call_async(uint64_t cookie, int session, uint32_t op, uint64_t subject,
				   const uint64_t args[6])
{
	return TERN_OP5(TERN_CALL_ASYNC, cookie, session, op, subject, TERN_PTR(args));
}
static inline long tern_copy(uint64_t from, uint64_t from_off, uint64_t to, uint64_t to_off, size_t n,
			     unsigned how)
{
	return TERN_OP6(TERN_COPY, from, from_off, to, to_off, n, how);
}
static inline long tern_copy_in(uint64_t token, unsigned win, uint64_t off, void *to, size_t n)
{
	return tern_copy(token, off, 0, TERN_PTR(to), n,
			 TERN_FROM(TERN_END_WINDOW, win) | TERN_TO(TERN_END_OWN, 0));
}
static inline long tern_copy_out(uint64_t token, unsigned win, uint64_t off, const void *from, size_t n)
{
	return tern_copy(0, TERN_PTR(from), token, off, n,
			 TERN_FROM(TERN_END_OWN, 0) | TERN_TO(TERN_END_WINDOW, win));
}
static inline long tern_memobj_in(uint64_t token, unsigned win, uint64_t off, int memobj,
				  uint64_t obj_off, size_t n)
{
	return tern_copy(token, off, memobj, obj_off, n,
			 TERN_FROM(TERN_END_WINDOW, win) | TERN_TO(TERN_END_MEMOBJ, 0));
}
static inline long tern_memobj_out(uint64_t token, unsigned win, uint64_t off, int memobj,
				   uint64_t obj_off, size_t n)
{
	return tern_copy(memobj, obj_off, token, off, n,
			 TERN_FROM(TERN_END_MEMOBJ, 0) | TERN_TO(TERN_END_WINDOW, win));
}
static inline long tern_move(uint64_t from, unsigned fwin, uint64_t foff, uint64_t to, unsigned twin,
			     uint64_t toff, size_t n)
{
	return tern_copy(from, foff, to, toff, n,
			 TERN_FROM(TERN_END_WINDOW, fwin) | TERN_TO(TERN_END_WINDOW, twin));
}
static inline long tern_copy_str(uint64_t token, unsigned win, char *buf, size_t size)
{
	return tern_copy(token, 0, 0, TERN_PTR(buf), size,
			 TERN_FROM(TERN_END_WINDOW, win) | TERN_TO(TERN_END_OWN, 0) | TERN_COPY_STRING);
}
static inline long tern_copy_strv(uint64_t token, unsigned win, char *buf, size_t size, uint64_t *count)
{
	long r = tern_copy_str(token, win, buf, size);

	*count = r < 0 ? 0 : (uint64_t)r >> 32;
	return r < 0 ? r : (long)(uint32_t)r;
}
/* The length of a window in bytes; for an iovec the sum of its buffers. */
static inline long tern_window_length(uint64_t token, unsigned win)
{
	return TERN_OP2(TERN_WINDOW_LENGTH, token, win);
}
/* Takes back from the kernel the offset that it keeps for the file of the call's session, or for
 * the server's own session `badge` behind the caller's descriptor `fd`: the offset; -ENOENT if
 * the kernel kept none; -EBADF. */
static inline long tern_file_take(uint64_t token, int fd, uint64_t badge)
{
	return TERN_OP3(TERN_FILE_TAKE, token, fd, badge);
}
static inline long tern_give_session(uint64_t token, unsigned slot, unsigned rights, enum tern_kind kind,
				     uint64_t badge, uint64_t ident, uint64_t rid, int meta)
{
	return TERN_OP6(TERN_GIVE_SESSION, token, slot | rights << 8 | (uint64_t)kind << 32, badge,
			ident, rid, meta);
}
static inline long tern_give(uint64_t token, unsigned slot, unsigned rights, int handle)
{
	return TERN_OP3(TERN_GIVE, token, slot | rights << 8, handle);
}
static inline long tern_give_hidden(uint64_t token, uint64_t ident, uint64_t badge)
{
	return TERN_OP3(TERN_GIVE_HIDDEN, token, ident, badge);
}
static inline long tern_reserve(uint64_t token) { return TERN_OP1(TERN_RESERVE, token); }
static inline long tern_give_of(uint64_t token, unsigned slot, int process, int fd)
{
	return TERN_OP4(TERN_GIVE_OF, token, slot, process, fd);
}
static inline long tern_park(uint64_t token, uint64_t deadline_ns)
{
	return TERN_OP2(TERN_PARK, token, deadline_ns);
}
static inline long tern_caller(uint64_t token, struct tern_caller *c)
{
	return TERN_OP2(TERN_CALLER, token, TERN_PTR(c));
}
static inline long tern_reply_map(uint64_t token, int memobj, uint64_t off, unsigned max_prot, long result)
{
	return TERN_OP5(TERN_REPLY_MAP, token, memobj, off, max_prot, result);
}
static inline long tern_caller_handles(uint64_t token, unsigned first, struct tern_handle_info *v, unsigned max)
{
	return TERN_OP4(TERN_CALLER_HANDLES, token, first, TERN_PTR(v), max);
}
static inline long tern_ep_create(void) { return TERN_OP1(TERN_EP_CREATE, 0); }
static inline long tern_session_create(int ep, uint64_t badge, enum tern_kind kind, uint64_t ident,
				       uint64_t rid, int meta)
{
	return TERN_OP6(TERN_SESSION_CREATE, ep, badge, kind, ident, rid, meta);
}
static inline long tern_session_handle(uint64_t sid, unsigned rights)
{
	return TERN_OP2(TERN_SESSION_HANDLE, sid, rights);
}
static inline long tern_close_later(int yes) { return TERN_OP1(TERN_CLOSE_LATER, yes); }
static inline long tern_ready_create(unsigned bits) { return TERN_OP4(TERN_READY_CREATE, bits, 0, 0, 0); }
static inline long tern_ready_create_ends(unsigned bits, unsigned no_reader, unsigned no_writer)
{
	return TERN_OP4(TERN_READY_CREATE, bits, no_reader, no_writer, 0);
}
/* Makes a readiness word that tells another one: while no session with the new word is left, the
 * word `other` has the bits `no_session` set. */
static inline long tern_ready_create_telling(unsigned bits, unsigned no_session, uint64_t other)
{
	return TERN_OP4(TERN_READY_CREATE, bits, no_session, 0, other);
}
static inline long tern_ready_set(uint64_t rid, unsigned set, unsigned clear)
{
	return TERN_OP3(TERN_READY_SET, rid, set, clear);
}
static inline long tern_ready_destroy(uint64_t rid) { return TERN_OP1(TERN_READY_DESTROY, rid); }
static inline long tern_charge(uint64_t token, uint64_t rid, uint64_t bytes)
{
	return TERN_OP3(TERN_CHARGE, token, rid, bytes);
}
static inline long tern_note_create(uint64_t badge) { return TERN_OP1(TERN_NOTE_CREATE, badge); }
static inline long tern_note_signal(int h, uint64_t bits) { return TERN_OP2(TERN_NOTE_SIGNAL, h, bits); }
static inline long tern_irq_create(unsigned irq) { return TERN_OP1(TERN_IRQ_CREATE, irq); }
static inline long tern_irq_bind(int h, uint64_t badge) { return TERN_OP2(TERN_IRQ_BIND, h, badge); }
static inline long tern_irq_ack(int h) { return TERN_OP1(TERN_IRQ_ACK, h); }

static inline long tern_timer(uint64_t ns, uint64_t cookie) { return TERN_OP2(TERN_TIMER, ns, cookie); }

static inline long tern_memobj_create(uint64_t size, uint64_t ident)
{
	return TERN_OP3(TERN_MEMOBJ_CREATE, size, ident, 0);
}
static inline long tern_memobj_phys(uint64_t pa, uint64_t size) { return TERN_OP2(TERN_MEMOBJ_PHYS, pa, size); }
static inline long tern_memobj_resize(int h, uint64_t size) { return TERN_OP2(TERN_MEMOBJ_RESIZE, h, size); }
static inline long tern_memobj_read(int h, uint64_t off, void *buf, size_t n)
{
	return tern_copy(h, off, 0, TERN_PTR(buf), n, TERN_FROM(TERN_END_MEMOBJ, 0) | TERN_TO(TERN_END_OWN, 0));
}
static inline long tern_memobj_write(int h, uint64_t off, const void *buf, size_t n)
{
	return tern_copy(0, TERN_PTR(buf), h, off, n, TERN_FROM(TERN_END_OWN, 0) | TERN_TO(TERN_END_MEMOBJ, 0));
}
static inline long tern_memobj_supply(int dst, uint64_t doff, int src, uint64_t soff, size_t n)
{
	return TERN_OP5(TERN_MEMOBJ_SUPPLY, dst, doff, src, soff, n);
}
static inline long tern_memobj_punch(int h, uint64_t off, size_t n) { return TERN_OP3(TERN_MEMOBJ_PUNCH, h, off, n); }
static inline long tern_memobj_count(int h, struct tern_memobj_info *i)
{
	return TERN_OP2(TERN_MEMOBJ_COUNT, h, TERN_PTR(i));
}
static inline long tern_memobj_withdraw(int h) { return TERN_OP1(TERN_MEMOBJ_WITHDRAW, h); }
static inline long tern_aspace_create(uint64_t mmap_top) { return TERN_OP1(TERN_ASPACE_CREATE, mmap_top); }
/* prot and max_prot are PROT_* bits, flags MAP_* bits; memobj -1 maps anonymous memory. */
static inline long tern_aspace_map(int as, uint64_t addr, uint64_t len, unsigned prot, unsigned max_prot,
				   unsigned flags, int memobj, uint64_t off)
{
	return TERN_OP6(TERN_ASPACE_MAP, as, addr, len,
			prot | max_prot << 8 | (uint64_t)flags << 16, memobj, off);
}
static inline long tern_aspace_unmap(int as, uint64_t addr, uint64_t len)
{
	return TERN_OP3(TERN_ASPACE_UNMAP, as, addr, len);
}
static inline long tern_aspace_write(int as, uint64_t addr, const void *buf, size_t n)
{
	return tern_copy(0, TERN_PTR(buf), as, addr, n, TERN_FROM(TERN_END_OWN, 0) | TERN_TO(TERN_END_SPACE, 0));
}
static inline long tern_aspace_query(int proc, uint64_t addr, struct tern_region_info *v, unsigned max)
{
	return TERN_OP4(TERN_ASPACE_QUERY, proc, addr, TERN_PTR(v), max);
}
static inline long tern_aspace_walk(int proc, uint64_t addr, struct tern_walk *w)
{
	return TERN_OP3(TERN_ASPACE_WALK, proc, addr, TERN_PTR(w));
}
static inline long tern_aspace_pagemap(int proc, uint64_t addr, uint64_t *v, unsigned count)
{
	return TERN_OP4(TERN_ASPACE_PAGEMAP, proc, addr, TERN_PTR(v), count);
}
static inline long tern_aspace_read(int proc, uint64_t addr, void *buf, size_t n)
{
	return tern_copy(proc, addr, 0, TERN_PTR(buf), n, TERN_FROM(TERN_END_SPACE, 0) | TERN_TO(TERN_END_OWN, 0));
}
static inline long tern_process_create(const struct tern_process_args *a)
{
	return TERN_OP1(TERN_PROCESS_CREATE, TERN_PTR(a));
}
static inline long tern_process_fork(uint64_t token, const struct tern_fork_args *a)
{
	return TERN_OP2(TERN_PROCESS_FORK, token, TERN_PTR(a));
}
static inline long tern_process_exec(uint64_t token, int as, const struct tern_exec_args *a)
{
	return TERN_OP3(TERN_PROCESS_EXEC, token, as, TERN_PTR(a));
}
static inline long tern_process_kill(int proc, int status) { return TERN_OP2(TERN_PROCESS_KILL, proc, status); }
struct siginfo;
static inline long tern_signal_send(int proc, uint32_t tid, const struct siginfo *si)
{
	return TERN_OP3(TERN_SIGNAL_SEND, proc, tid, TERN_PTR(si));
}
static inline long tern_signal_send_all(const int32_t *procs, uint32_t n, const struct siginfo *si)
{
	return TERN_OP3(TERN_SIGNAL_SEND_ALL, TERN_PTR(procs), n, TERN_PTR(si));
}
static inline long tern_process_set(int proc, enum tern_process_word w, uint64_t v, uint64_t v2)
{
	return TERN_OP4(TERN_PROCESS_SET, proc, w, v, v2);
}
static inline long tern_process_stat(int proc, uint32_t tid, struct tern_process_stat *st)
{
	return TERN_OP3(TERN_PROCESS_STAT, proc, tid, TERN_PTR(st));
}
static inline long tern_process_handles(int proc, unsigned first, struct tern_handle_info *v, unsigned max)
{
	return TERN_OP4(TERN_PROCESS_HANDLES, proc, first, TERN_PTR(v), max);
}
static inline long tern_cred_set(uint64_t token, const struct tern_cred *c)
{
	return TERN_OP2(TERN_CRED_SET, token, TERN_PTR(c));
}
static inline long tern_thread_sched(int proc, uint32_t tid, int policy, int rt_prio, int nice, uint64_t affinity)
{
	return TERN_OP6(TERN_THREAD_SCHED, proc, tid, policy, rt_prio, nice, affinity);
}
static inline long tern_process_unshare(int h, uint64_t flags)
{
	return TERN_OP2(TERN_PROCESS_UNSHARE, h, flags);
}
static inline long tern_process_open(uint32_t pid) { return TERN_OP1(TERN_PROCESS_OPEN, pid); }
static inline long tern_threads(int proc, uint32_t first, uint32_t *tids, unsigned max)
{
	return TERN_OP4(TERN_THREADS, proc, first, TERN_PTR(tids), max);
}
static inline long tern_system_info(enum tern_info what, void *buf, size_t n)
{
	return TERN_OP3(TERN_SYSTEM_INFO, what, TERN_PTR(buf), n);
}
static inline long tern_log(const char *text, size_t n) { return TERN_OP2(TERN_LOG, TERN_PTR(text), n); }
static inline long tern_log_read(uint64_t pos, char *buf, size_t n)
{
	return TERN_OP3(TERN_LOG_READ, pos, TERN_PTR(buf), n);
}
static inline long tern_trace(int on) { return TERN_OP1(TERN_TRACE, on); }
static inline long tern_trace_read(unsigned hart, uint64_t *at, struct tern_trace_event *v, unsigned max)
{
	return TERN_OP4(TERN_TRACE_READ, hart, TERN_PTR(at), TERN_PTR(v), max);
}
static inline long tern_clock_set(uint64_t realtime_ns) { return TERN_OP1(TERN_CLOCK_SET, realtime_ns); }
static inline long tern_power(uint64_t how) { return TERN_OP1(TERN_POWER, how); }

/* Linux's own calls that servers make. */
static inline long tern_close(int h) { return TERN_OP1(57, h); }
static inline long tern_munmap(void *p, size_t n) { return TERN_OP2(215, TERN_PTR(p), n); }
/* Maps anonymous private memory with all its pages present, so that using it never faults.  NULL:
 * memory is out. */
static inline void *tern_mmap(size_t n)
{
	long r = TERN_OP6(222, 0, n, 3, 0x22, -1, 0);

	if (r < 0)
		return (void *)0;
	if (TERN_OP3(233, r, (n + 4095) & ~(size_t)4095, 23) < 0) { /* MADV_POPULATE_WRITE */
		tern_munmap((void *)r, n);
		return (void *)0;
	}
	return (void *)r;
}
static inline uint64_t tern_clock_ns(int clock)
{
	int64_t ts[2] = { 0, 0 };
	TERN_OP2(113, clock, TERN_PTR(ts));
	return (uint64_t)ts[0] * 1000000000u + (uint64_t)ts[1];
}
