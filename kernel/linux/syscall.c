/*
 * The system call door: from a number to its line, and to who answers it.
 */
#include <arch/trap.h>
#include <ipc/call.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/linux/sys.h>
#include <tern/linux/errno.h>

u32 enosys_counts[NR_SYSCALLS];

/* The vocabulary of syscalls.def. */
#define ANY TERN_R_IO
#define PATH_OK 0 /* also on an O_PATH handle */
#define A0 0, 1, 0
#define A1 1, 1, 0
#define A2 2, 1, 0
#define A3 3, 1, 0
#define A4 4, 1, 0
#define A5 5, 1, 0
#define A0_TIMES(k) 0, k, 0
#define A1_TIMES(k) 1, k, 0
#define A2_TIMES(k) 2, k, 0
#define A2_PLUS(k) 2, 1, k
/* A length is either three numbers (A<n>…) or one. */
#define LEN_3(a, b, c) a, b, c
#define LEN_1(n) LEN_CONST, 0, n
#define LEN_N(x1, x2, x3, name, ...) name
#define LENGTH(...) LEN_N(__VA_ARGS__, LEN_3, LEN_BAD, LEN_1)(__VA_ARGS__)
#define IN(p, ...) { WIN_IN, p, LENGTH(__VA_ARGS__) }
#define OUT(p, ...) { WIN_OUT, p, LENGTH(__VA_ARGS__) }
#define IO(p, ...) { WIN_IO, p, LENGTH(__VA_ARGS__) }
#define STR(p) { WIN_STR, p, LEN_CONST, 0, 4096 }
#define STRV(p) { WIN_STRV, p, LEN_CONST, 0, 0 }
#define IOV_IN(p, n) { WIN_IOV_IN, p, n, 1, 0 }
#define IOV_OUT(p, n) { WIN_IOV_OUT, p, n, 1, 0 }
#define IOC(r, p) { WIN_IOC, r, p, 1, 0 }
#define ANYWHERE { WIN_ANY, 0, LEN_CONST, 0, 0 }
#define NO_WIN .nwin = 0
#define WIN1(...) .nwin = 1, .win = { __VA_ARGS__ }
#define WIN2(...) .nwin = 2, .win = { __VA_ARGS__ }
#define WIN3(...) .nwin = 3, .win = { __VA_ARGS__ }
#define WIN4(...) .nwin = 4, .win = { __VA_ARGS__ }
#define R (TERN_R_READ | TERN_R_IO)
#define W (TERN_R_WRITE | TERN_R_IO)
#define NO_FD .fd_mode = FD_MODE_NONE
#define FD(n) .fd_mode = FD_MODE_ONE, .fd_arg = n
#define FD2(n) .fd_mode = FD_MODE_TWO, .fd_arg = n
#define FD_CLOEXEC .fd_mode = FD_MODE_CLOEXEC
#define FD_PLAIN .fd_mode = FD_MODE_PLAIN
#define FD_BIT0(n) .fd_mode = FD_MODE_BIT0, .fd_arg = n
#define FD_STRUCT(n) .fd_mode = FD_MODE_STRUCT, .fd_arg = n
#define TO_NONE .route = ROUTE_NONE
#define TO_K .route = ROUTE_K
#define TO_K_H(n) .route = ROUTE_H, .arg = n
#define TO_K_S(s) .route = ROUTE_S, .service = TERN_SVC_##s, .arg = ARG_NONE
#define TO_H(n) .route = ROUTE_H, .arg = n
#define TO_M(n) .route = ROUTE_M, .arg = n
#define CWD ARG_CWD
#define TO_V(n) .route = ROUTE_V, .service = TERN_SVC_VFS, .arg = n, .arg2 = ARG_NONE
#define TO_V2(n, m) .route = ROUTE_V, .service = TERN_SVC_VFS, .arg = n, .arg2 = m
#define TO_S(s) .route = ROUTE_S, .service = TERN_SVC_##s, .arg = ARG_NONE
#define TO_S_REF(s, n) .route = ROUTE_S, .service = TERN_SVC_##s, .arg = n
#define FN_SYS(name) sys_##name
#define FN_NULL(name) NULL
#define FN_NONE FN_NULL
#define FN_K FN_SYS
#define FN_K_H(n) FN_SYS
#define FN_K_S(s) FN_SYS
#define FN_H(n) FN_NULL
#define FN_M(n) FN_NULL
#define FN_V(n) FN_NULL
#define FN_V2(n, m) FN_NULL
#define FN_S(s) FN_NULL
#define FN_S_REF(s, n) FN_NULL

#define CALL(nr, name_, to, right, fd, windows, els, intr)                                       \
	[nr] = { TO_##to, .fn = FN_##to(name_), .rights = right, fd, windows, .otherwise = els,   \
		 .restart = WHEN_##intr, .name = #name_ },
#define WHEN_NEVER RESTART_NEVER
#define WHEN_RESTART RESTART_RESTART
#define WHEN_NOHAND RESTART_NOHAND
#define WHEN_EINTR RESTART_EINTR
#define WHEN_BLOCK RESTART_BLOCK

const struct syscall_line syscalls[NR_SYSCALLS] = {
#include "syscalls.def"
};

const struct syscall_line method_line = {
	.route = ROUTE_METHOD, .rights = TERN_R_IO, .arg = ARG_NONE, .otherwise = ENOSYS,
	.restart = RESTART_RESTART, .name = "method",
};
static const struct syscall_line method_window_line = {
	.route = ROUTE_METHOD, .rights = TERN_R_IO, .arg = ARG_NONE, WIN2(IN(0, A1), OUT(2, A3)),
	.otherwise = ENOSYS, .restart = RESTART_RESTART, .name = "method",
};
static const struct syscall_line exec_open_line = {
	TO_V(0), WIN2(STR(1), OUT(3, sizeof(struct tern_exec_owner))), .otherwise = ENOSYS,
	.restart = RESTART_NEVER, .name = "exec_open",
};

const struct syscall_line *syscall_line(u32 op)
{
	if (op < NR_SYSCALLS)
		return &syscalls[op];
	if (op == TERN_VFS_EXEC_OPEN)
		return &exec_open_line;
	if (op >= TERN_METHOD_WIN && op < TERN_VFS_EXEC_OPEN)
		return &method_window_line;
	if (op >= TERN_METHOD && op < TERN_METHOD_WIN)
		return &method_line;
	return NULL;
}

static struct thread *no_such_call(struct thread *t, u64 nr)
{
	s64 err = ENOSYS;

	if (nr < NR_SYSCALLS) {
		__atomic_fetch_add(&enosys_counts[nr], 1, __ATOMIC_RELAXED);
		if (syscalls[nr].otherwise)
			err = syscalls[nr].otherwise;
	}
	t->regs.x[REG_A0] = (u64)-err;
	return t;
}

/* A K function blocked the thread, changed its registers, or passes the call on. */
struct thread *trap_result(struct thread *t, s64 r)
{
	u64 nr = t->regs.x[REG_A7];

	switch (r) {
	case SYS_BLOCKED:
		return sched_after_block();
	case SYS_SWITCH:
		kernel_lock();
		return sched_next();
	case SYS_DONE:
		return THREAD_RELOAD(t);
	case SYS_PASS:
		return route_call(t, &syscalls[nr], (u32)nr, syscalls[nr].route);
	case SYS_PASS_META:
		return route_call(t, &syscalls[nr], (u32)nr, ROUTE_M);
	}
	t->regs.x[REG_A0] = (u64)r;
	return t;
}

/* Numbers that have no line or are nobody's, and Tern's own. */
struct thread *trap_syscall(struct thread *t)
{
	u64 nr = t->regs.x[REG_A7];
	const struct syscall_line *line;

	if (nr < TERN_OP_END && nr >= TERN_OP_FIRST)
		return native_call(t, (u32)nr);
	/* exec_open is for pm's asynchronous calls only */
	line = nr >= NR_SYSCALLS && nr < TERN_METHOD_END ? syscall_line((u32)nr) : NULL;
	if (!line || line->route != ROUTE_METHOD)
		return no_such_call(t, nr);
	return route_call(t, line, (u32)nr, ROUTE_METHOD);
}
