/* The system call table and what K functions return. */
#pragma once

#include <kernel/thread.h>
#include <kernel/lib/types.h>

/* kernel/linux/syscalls.def: every system call, one line a call: the whole map from number to who answers it.
 *
 *	CALL(number, name, route, right, descriptors, windows, else, when interrupted)
 *
 * route        K        the kernel's own: sys_<name>()
 *              K_H(n)   sys_<name>() looks first, and may pass it on as H(n); K_S(s) likewise
 *              H(n)     to the session that the handle in argument n names
 *              M(n)     the same, but to that session's meta session if it has one
 *              V(n), V(CWD), V2(n, m)  path call: to vfs, directory arguments as references
 *              S(s)     to service s of the caller's name context; S_REF(s, n): argument n as a reference
 *              NONE     nobody: the errno of `else`, counted in /proc/tern/enosys
 * right        R, W or ANY: what the handle of H and M must allow (EBADF), besides the right IO,
 *              which O_PATH handles lack; PATH_OK: nothing, not even that
 * descriptors  FD(n): one is reserved before delivery, close-on-exec by O_CLOEXEC in argument n;
 *              FD2(n): two; FD_CLOEXEC, FD_PLAIN: always, never; FD_BIT0(n): by bit 0;
 *              FD_STRUCT(n): by the flags word that argument n points at
 * windows      WINk(…): the caller's memory that the server may touch while it holds the call.
 *              IN, OUT, IO(pointer, length): length a number, A<n>, A<n>_TIMES(k), A<n>_PLUS(k);
 *              STR(pointer), STRV(pointer), IOV_IN, IOV_OUT(pointer, count), IOC(request, pointer),
 *              ANYWHERE: pointers inside structures (pm and socket only)
 * else         the errno where a server's table lacks the call or the object is of another kind,
 *              and where the service does not exist; 0: the server library succeeds by default
 * interrupted  RESTART if SA_RESTART or no handler runs, else EINTR; NOHAND: EINTR if a handler
 *              runs, else restart; EINTR always; BLOCK: EINTR if a handler runs, else
 *              restart_syscall with the time left; NEVER sleeps interruptibly
 *
 * Included with CALL defined: kernel/linux/syscall.c (the table), user/lib/server.c (default errnos).
 */

/* A K function gets the thread and its saved arguments a0…a5 and returns the result, or: */
#define SYS_BLOCKED ((s64)0x8000000000000001ll) /* thread_block() was called */
#define SYS_SWITCH ((s64)0x8000000000000002ll)	/* someone else should run; a0 is already set */
#define SYS_DONE ((s64)0x8000000000000003ll)	/* every register is as it is to be in t->regs */
#define SYS_PASS ((s64)0x8000000000000004ll)	/* K_H, K_S: pass it on by the line's route */
#define SYS_PASS_META ((s64)0x8000000000000006ll) /* pass it on to argument 0's meta session */
/* The kernel lock is held neither on entry nor on return. */
#define SYS_LAST_SPECIAL SYS_PASS_META
typedef s64 (*sys_fn)(struct thread *t, u64 *a);

enum route { ROUTE_NONE, ROUTE_K, ROUTE_H, ROUTE_M, ROUTE_V, ROUTE_S, ROUTE_METHOD };

/* The two low bits are the directions in which a server may copy: WINDOW_IN, WINDOW_OUT. */
enum window_kind {
	WIN_NONE, WIN_IN = 1, WIN_OUT = 2, WIN_IO = 3, WIN_STRV = 4, WIN_STR = 5,
	WIN_IOV_IN = 9, WIN_IOV_OUT = 10, WIN_IOC = 15, WIN_ANY = 19,
};
struct window {
	u8 kind;
	u8 arg;	  /* the pointer */
	u8 len;	  /* argument of the length, or LEN_CONST */
	u8 times; /* length = arg * times + plus */
	u32 plus;
};
#define LEN_CONST 0xff

struct syscall_line {
	sys_fn fn;    /* ROUTE_K, and K_H/K_S first */
	u8 route;     /* ROUTE_*: where it goes if fn is NULL or passes */
	u8 arg, arg2; /* H, M: the handle; V: directory arguments (ARG_CWD, ARG_NONE); S_REF */
	u8 service;
	u8 rights;    /* TERN_R_* */
	u8 fd_mode, fd_arg;
	u8 restart; /* enum restart_class */
	s16 otherwise; /* positive errno */
	u8 nwin;
	u8 pad;
	struct window win[4];
	const char *name;
};
_Static_assert(TERN_METHOD == 0x1000 && TERN_METHOD_WIN == 0x1100, "entry.S shifts by 8");
_Static_assert(sizeof(struct syscall_line) == 64, "entry.S shifts by 6");
#define ARG_CWD 0xfe
#define ARG_NONE 0xff
enum fd_mode {
	FD_MODE_NONE, FD_MODE_ONE, FD_MODE_TWO, FD_MODE_CLOEXEC,
	FD_MODE_PLAIN, FD_MODE_BIT0, FD_MODE_STRUCT,
};

#define NR_SYSCALLS 512
extern const struct syscall_line syscalls[NR_SYSCALLS];
extern const struct syscall_line method_line; /* TERN_METHOD… without windows */
extern u32 enosys_counts[NR_SYSCALLS];
/* The line of a Linux call or of a method; NULL: no such. */
const struct syscall_line *syscall_line(u32 op);
/* Sends a call by its line's route: who runs next (the caller, with an errno in a0, or another). */
struct thread *route_call(struct thread *t, const struct syscall_line *line, u32 op, unsigned route);

/* The caller's memory, for K functions: 0 or -EFAULT, in t's space. */
static inline s64 must_check get_user(struct thread *t, void *to, va_t from, size_t n)
{
	return copy_from_user(t->aspace, to, from, n) == n ? 0 : -14;
}
static inline s64 must_check put_user(struct thread *t, va_t to, const void *from, size_t n)
{
	return copy_to_user(t->aspace, to, from, n) == n ? 0 : -14;
}
