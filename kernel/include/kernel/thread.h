/* Threads.  A blocked thread is a state and its saved registers, never a stack. */
#pragma once

#include <kernel/call.h>
#include <kernel/lib/list.h>
#include <kernel/lock.h>
#include <kernel/runq.h>
#include <kernel/signal.h>
#include <kernel/timer.h>
#include <kernel/lib/types.h>
#include <mm/aspace.h>

struct process;
struct hart;
struct cred;

/* x[0] is the pc; x[1]…x[31] the registers. */
struct trapframe {
	u64 x[32];
};
#define REG_PC 0
#define REG_RA 1
#define REG_SP 2
#define REG_TP 4
#define REG_A0 10
#define REG_A7 17

enum thread_state {
	THREAD_NEW,
	THREAD_READY,	/* in a run queue */
	THREAD_RUNNING, /* on a hart */
	THREAD_BLOCKED, /* in `wait` */
	THREAD_STOPPED, /* by a stop signal */
	THREAD_DEAD,
};

/* What a blocked thread waits for. */
enum wait_kind {
	WAIT_NONE,
	WAIT_CALL,  /* its call's answer */
	WAIT_RECV,  /* a message */
	WAIT_SLEEP, /* a deadline */
	WAIT_FUTEX,
	WAIT_POLL,
	WAIT_SIGNAL, /* sigsuspend, sigtimedwait */
	WAIT_ASPACE, /* the space is busy */
	WAIT_OTHERS, /* exec: the other threads' end */
	WAIT_PAGER,  /* a page that a server is to bring */
};

/* Reasons to enter thread_exit_work() before going back to user mode: the lowest first. */
enum work {
	WORK_IDLE = 1u << 0,	 /* the hart's idle thread */
	WORK_MM = 1u << 1,	 /* t->mm_work goes on */
	WORK_REAP = 1u << 2,	 /* pages of objects that are no more: memobj_reap() */
	WORK_EXIT = 1u << 3,	 /* teardown goes on */
	WORK_FORK = 1u << 4,	 /* t->fork_child wants its space copied */
	WORK_KILLED = 1u << 5,	 /* the thread must end */
	WORK_EXEC = 1u << 6,	 /* t->exec waits for its turn */
	WORK_MAP = 1u << 7,	 /* a file mapping's memobj has come: place it */
	WORK_RESUME = 1u << 8,	 /* a kernel wait ended: t->resume makes its result */
	WORK_RETRY = 1u << 9,	 /* run the system call again: its space was busy */
	WORK_PAIR = 1u << 10,	 /* t->pair goes on */
	WORK_STOP = 1u << 11,	 /* the process is being stopped */
	WORK_SIGNAL = 1u << 12,	 /* one may be deliverable, or an interrupted call wants deciding */
	WORK_MEMORY = 1u << 13,	 /* memory is nearly out: somebody must end before t goes on */
	WORK_RESCHED = 1u << 14, /* someone better is ready, or the slice is over */
};

/* One word that a thread waits for; kernel/linux/futex.c. */
struct futex_waiter {
	struct list link; /* in a bucket; self-linked: woken */
	struct futex_key key;
	struct thread *thread;
	va_t at; /* the word, in the thread's space, and what it is to hold */
	u32 value, bitset;
	enum { WAITER_PLAIN, WAITER_LOCKS, WAITER_MOVES, WAITER_MOVED } kind; /* for PI locks */
	struct thread *owner; /* of the PI lock that it waits for, or NULL */
	struct list in_owner; /* owner->pi_waiters */
};

/* A page of a pager-backed object that a thread, or the server of its call, waits for;
 * ipc/pager.c. */
struct page_wait {
	struct list link; /* self-linked: none */
	struct pager *pager;
	u64 index;
	bool asked; /* PAGE_IN was delivered */
	u8 access;  /* WAIT_PAGER: enum fault_access, at: */
	va_t va;
};

struct thread {
	struct trapframe regs; /* first: entry.S */
	struct hart *hart;     /* where it runs, ran last or is queued; read by entry.S */
	u32 work;	       /* WORK_*; atomic */
	u32 on_hart;	       /* its registers are (partly) still in a machine; entry.S */
	u8 fpu_used;	       /* fpu[] is meaningful */
	u64 fpu[33]; /* f0…f31, fcsr */

	/* constant */
	struct process *process;
	struct aspace *aspace; /* the process's; changes only at exec and exit, by itself */
	u32 tid;

	/* kernel lock from here on */
	u32 refs; /* the process's list, events under way, whoever looks */
	struct list in_process;
	u8 state, wait;
	bool interruptible; /* the wait ends for a signal */

	/* scheduling */
	u8 policy, rt_prio;
	int8_t nice;
	bool slice_of_maker; /* the slice is half of its maker's, who gets back what is left */
	u64 key;	     /* when it runs: kernel/runq.h */
	struct runq_entry entry; /* queued: in hart's queue */
	u64 slice;		 /* ticks left */
	u64 affinity;
	u8 lent; /* the best level of those who wait for a PI lock of its; PRIO_RT_COUNT: none */
	bool pi_closed; /* it has given its PI locks away on its way out: nobody waits for it any more */
	struct list pi_waiters; /* struct futex_waiter: for a PI lock that it holds */
	u32 maker, maker_tid; /* who made it: call_thread()'s index, and to be sure the number */

	/* waiting */
	u64 orig_a0;		/* first argument of the call it is in, for restarting */
	s64 interrupted;	/* the wait's result if a signal comes; its cancel may set it */
	struct timer timer;	/* the wait's deadline */
	struct list wait_link;	/* futex queue, aspace waiters, … */
	void (*wait_cancel)(struct thread *t); /* undoes a kernel wait's links */
	union {
		struct {
			struct futex_waiter one;
			struct futex_waiter *many; /* futex_waitv: allocated */
			u32 count;
			s32 interrupted; /* the result if a signal comes, or 0: as the line says */
			struct futex_key target; /* WAITER_MOVES: the lock, and where it lies */
			va_t target_at;
		} futex;
		u64 sig_wanted; /* sigtimedwait */
	} wait_on;
	struct poll_wait *poll; /* entries of a poll, to be undone; NULL: none */
	s64 (*resume)(struct thread *t); /* WORK_RESUME: like a K function, with the call's a0 */
	/* restart_syscall: what to go on with */
	struct {
		s64 (*fn)(struct thread *t);
		u64 deadline_ns, args[4];
	} again;

	/* IPC */
	struct page_wait page;
	struct call call;	   /* the request it makes */
	struct endpoint *endpoint; /* it receives there; referenced */
	struct list async_made;	   /* struct call.made: asynchronous ones of its own */
	struct ipc_node exit_node; /* THREAD_EXITED on its way to pm */

	/* signals (signal.h) */
	u64 sig_mask;
	u64 sig_saved_mask; /* to be put back after sigsuspend, ppoll … */
	bool sig_restore_mask;
	struct sigpending sig_pending;
	struct tern_stack sig_stack;

	/* thread end */
	va_t clear_child_tid, robust_list;
	va_t parent_tid_at, child_tid_at; /* of a thread being made: where its number is wanted */

	/* long work of its own */
	struct mm_work mm_work;
	struct pair *pair;	   /* WORK_PAIR; kernel/linux/pair.c */
	struct memobj *map_memobj; /* WORK_MAP */
	u64 map_offset;
	u8 map_max_prot;
	struct thread *fork_child; /* WORK_FORK: not yet started, or (vfork) this thread itself */
	struct aspace *fork_from;  /* of a child: the space to copy; referenced */
	struct exec_request *exec;  /* WORK_EXEC */
	u32 exit_cursor, exit_phase; /* how far its end has come: thread.c */

	u64 who; /* pid, cred id << 32: what a server hears of it */
	const struct cred *cred; /* referenced; changes only by pm while it is in a call */

	/* accounting */
	u64 user_ticks, system_ticks;
	u64 nvcsw, nivcsw;
	char comm[16];
};

/* atomically: other harts set bits */
static inline void thread_add_work(struct thread *t, u32 bits)
{
	__atomic_fetch_or(&t->work, bits, __ATOMIC_RELAXED);
}
static inline void thread_clear_work(struct thread *t, u32 bits)
{
	__atomic_fetch_and(&t->work, ~bits, __ATOMIC_RELAXED);
}
/* Takes a reference of c and puts the old one. */
void thread_set_cred(struct thread *t, const struct cred *c);
static inline struct thread *current_thread(void) { return this_hart()->current; }

/* A new thread of p, state NEW, refs 1 (the process's list), not started; takes a reference of c.
 * NULL: out of memory. */
struct thread *must_check thread_create(struct process *p, u32 tid, const struct cred *c);
void thread_get(struct thread *t);
void thread_put(struct thread *t);

/* Blocks the current thread in a wait of the kernel's own: kernel lock held.  The caller has put
 * it on its queue, and may have set t->timer, which ends the wait with ETIMEDOUT (a sleep with 0);
 * `cancel` takes it off the queue again.  The system call then returns SYS_BLOCKED. A pending signal
 * ends an interruptible wait at once (the wait is entered and left again). */
void thread_block(struct thread *t, enum wait_kind wait, bool interruptible,
		  void (*cancel)(struct thread *t));
/* Ends a blocked thread's wait: result goes to a0 and it becomes ready.  Kernel lock held. */
void thread_wake(struct thread *t, s64 result);
/* A signal arrived: ends an interruptible wait with t->interrupted, the restart code of the line, or
 * sends CANCEL to the server that holds the call.  Kernel lock held. */
void thread_interrupt(struct thread *t);
/* The thread must end: as soon as it reaches thread_exit_work(). Kernel lock held. */
void thread_kill(struct thread *t);
/* -ERESTART… for an interrupted call of that class. */
s64 restart_code(unsigned restart_class);

/* Before user mode, with work set: does it in bounded steps; returns who runs next. entry.S. */
struct thread *thread_exit_work(struct thread *t);
