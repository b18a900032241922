/* Processes: an address space, a handle table, a name context, threads, and words that pm sets.
 * Kernel lock guards all that is not constant. */
#pragma once

#include <kernel/charge.h>
#include <kernel/handle.h>
#include <kernel/hooks.h>
#include <kernel/lib/list.h>
#include <kernel/signal.h>
#include <kernel/steps.h>
#include <kernel/thread.h>
#include <tern/abi.h>
#include <tern/linux/sched.h>

struct session;
struct endpoint;

struct cred {
	u32 refs; /* atomic */
	struct tern_cred c; /* immutable */
};
struct cred *must_check cred_create(const struct tern_cred *c); /* new id; refs 1 */
void cred_get(const struct cred *c);
void cred_put(const struct cred *c);

/* Root, working directory, umask, services: fork copies it, CLONE_FS shares it. */
struct name_context {
	u32 refs;
	u32 umask;
	struct session *root, *cwd; /* each counts as a handle of the session */
	struct session *service[TERN_NSERVICES];
};
struct name_context *must_check name_context_create(void);
struct name_context *must_check name_context_copy(const struct name_context *n);
void name_context_get(struct name_context *n);
void name_context_put(struct name_context *n);
/* Puts a session in *slot; the handle count is taken. */
void name_context_set(struct session **slot, struct session *s);

enum process_state {
	PROCESS_ALIVE,
	PROCESS_DYING, /* threads are ending */
	PROCESS_DEAD,  /* everything is given back; EXITED is queued or was delivered */
};

#define PROCESS_EV_STOPPED 1u
#define PROCESS_EV_CONTINUED 2u
#define PROCESS_EV_EXITED 4u

/* An event of a process on its way to pm; several kinds may be pending in one node. */
struct process_events {
	struct ipc_node node;
	u32 pending; /* PROCESS_EV_*: the lowest goes first */
	s32 status, stop_signal;
};

struct process {
	u32 refs; /* handles, threads, events under way */
	u32 pid;
	u32 authority; /* TERN_AUTH_* */
	u8 state;
	bool stopped; /* by a stop signal */
	bool never_ran;
	struct aspace *aspace;
	struct handle_table *handles;
	struct name_context *names;
	struct list endpoints; /* it owns: they die with it */
	struct list threads;
	u32 nthreads; /* not dead */
	struct thread *execing; /* it waits for the others' end */
	struct steps telling; /* all threads of what has changed: its end, a stop, an exec */
	struct list *told; /* the next of `threads` to be told, or their head */
	struct thread *leader; /* first thread, while alive */

	/* pm's words */
	u32 ppid, pgid, sid;
	u64 badge;
	struct endpoint *events_at; /* pm's */
	struct process_events events;
	s32 exit_status;

	/* signals */
	struct sighand *sighand;
	struct sigpending sig_pending;
	u32 sig_queued; /* entries charged */

	struct tern_rlimit limits[RLIM_NLIMITS];
	u32 personality;
	bool no_huge; /* prctl(PR_SET_THP_DISABLE) */
	u32 membarrier; /* registrations; atomic */
	struct account *account; /* NULL: nothing was charged yet; set once, atomically */

	/* accounting: of dead threads */
	u64 dead_user_ticks, dead_system_ticks, dead_nvcsw, dead_nivcsw;
	u64 dead_minflt, dead_majflt, dead_peak_rss;
	u64 start_ns;
	struct list all; /* every process */
};

#define for_each_thread(t, p) list_for_each_entry(t, &(p)->threads, struct thread, in_process)

extern struct list all_processes; /* kernel lock */

struct process *must_check process_create(u32 pid); /* refs 1, no space, no threads; NULL */
void process_free(struct process *p);
static inline void process_get(struct process *p) { p->refs++; }
static inline void process_put(struct process *p)
{
	if (--p->refs == 0)
		process_free(p);
}
/* Each thread does what the process's state asks of it. */
void process_tell(struct process *p);
/* Every thread must end, with this wait status (the first call's counts). */
void process_kill(struct process *p, s32 status);
/* Somebody is chosen to end, or is on his way (kernel/oom.c), and t yields to him; false: there is
 * nobody.  Takes the kernel lock. */
bool process_out_of_memory(struct thread *t);
/* Default action of a stop signal, and of SIGCONT: with the event to pm. */
void process_stop(struct process *p, int sig);
void process_continue(struct process *p);
struct thread *process_find_thread(struct process *p, u32 tid); /* alive; no reference taken */
struct thread *process_any_thread(struct process *p); /* the leader if it lives; NULL: none does */
/* The thread that calls ends; does not return to user mode (sets WORK_EXIT). */
void thread_exit_self(struct thread *t);
static inline u64 process_limit(const struct process *p, int resource)
{
	return p->limits[resource].cur;
}
void process_apply_limits(struct process *p); /* to its space */
/* Numbers that its descriptors stay below. */
static inline u32 process_fd_limit(const struct process *p)
{
	return p->authority & TERN_AUTH_SERVER ? HANDLES_MAX : (u32)MIN(process_limit(p, RLIMIT_NOFILE), HANDLES_MAX);
}
/* A handle table of its own, if it shares one: 0, ENOMEM, EINVAL (it has several threads), ESRCH.  The
 * lock is dropped on the way. */
int must_check process_unshare_handles(struct process *p);
/* WORK_FORK and WORK_EXEC of thread_exit_work(). */
struct thread *process_fork_step(struct thread *t);
/* The space that t copies is busy with a long operation: t waits for its end (kernel/mm_wait.c). */
struct thread *mm_wait(struct thread *t);
/* The same as a call's result; `cancel` takes t off the list (t->wait_link) when the wait ends.  The kernel
 * lock is held on entry and dropped. */
s64 mm_wait_for(struct thread *t, void (*cancel)(struct thread *t));
/* What an operation of t's own space answered, `value` being the call's result if it succeeds: the
 * result for now.  A busy space makes t wait and run its call, with arguments a, again. */
s64 must_check mm_result(struct thread *t, u64 *a, int r, s64 value);
struct thread *mm_work_run(struct thread *t); /* WORK_MM */
struct thread *process_exec_step(struct thread *t);
void process_exec_abort(struct thread *t);
extern struct memobj *vdso_memobj;
/* Maps the vDSO into a space that begins. 0 or an errno. */
int must_check process_map_vdso(struct aspace *as);
