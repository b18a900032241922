/* The process tree: numbers, processes, threads, groups, sessions.  It makes no calls of the kernel
 * or of other servers, so host tests can build it.
 *
 * A number (pid) may be in use as a process, a thread, a process group and a session at once; it
 * is free again when it is none of them.  All rules here are those of setpgid(2), setsid(2),
 * wait(2), kill(2) and _exit(2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <server/methods.h>

#define PID_FIRST_RECYCLED 300

struct link {
	struct link *next, *prev;
};

static inline void link_init(struct link *l)
{
	l->next = l->prev = l;
}
static inline bool link_empty(const struct link *l)
{
	return l->next == l;
}
static inline void link_insert(struct link *after, struct link *l)
{
	l->next = after->next;
	l->prev = after;
	after->next->prev = l;
	after->next = l;
}
static inline void link_append(struct link *list, struct link *l)
{
	link_insert(list->prev, l);
}
static inline void link_remove(struct link *l)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	link_init(l);
}
#define LINK_OF(l, type, member) ((type *)(void *)((char *)(l)-offsetof(type, member)))
#define LINK_EACH(l, list) for (struct link *l = (list)->next; l != (list); l = l->next)
#define LINK_EACH_SAFE(l, list)                                                          \
	for (struct link *l = (list)->next, *l##_next = l->next; l != (list);            \
	     l = l##_next, l##_next = l->next)

struct proc;

#define TIMER_SLACK 50000 /* ns: what every thread has until it sets another */

struct number {
	uint32_t nr;
	struct proc *proc;	/* the process with this pid, also while it is a zombie */
	struct proc *thread_of; /* the process one of whose threads, not the first, has this tid */
	struct link thread;	/* in that process's list of threads */
	char comm[16];		/* that thread's own name, if it has set one */
	uint64_t slack, default_slack; /* the thread's PR_SET_TIMERSLACK, which changes nothing */
	bool reset_on_fork;	/* the thread's SCHED_RESET_ON_FORK */
	struct link members;	/* of the group with this number: its processes (proc.in_group) */
	struct number *session; /* of the group: the session that it belongs to */
	uint32_t groups;	/* of the session with this number: how many groups it has */
	/* Of the session: the device number of its terminal (0: none), the foreground group. */
	uint32_t terminal, foreground;
};

enum proc_state {
	PROC_ALIVE,
	PROC_ZOMBIE,
	PROC_SERVER,
};

struct rusage_sum {
	uint64_t user_ns, system_ns, minflt, majflt, nvcsw, nivcsw, maxrss_pages;
};

struct proc {
	uint32_t pid;
	enum proc_state state;
	int handle; /* the kernel's process object; it stays until the zombie is reaped */
	int status; /* of a zombie: its wait status */
	struct number *number, *group;
	struct proc *parent;	      /* NULL for pid 1 and servers */
	struct link children, sibling; /* zombies come first */
	struct link in_group;
	struct link threads; /* the numbers of all its threads but the first */
	struct link all;     /* in tree.all, which has every process but servers */
	struct link waiters; /* the calls of wait4 and waitid that its threads wait in */
	struct link ptimers; /* its POSIX timers */
	struct link pidfds;  /* the pidfds that name this process */
	uint8_t exit_signal;
	uint8_t stop_signal;
	uint8_t pdeathsig;
	bool stopped, report_stop, report_continue;
	bool execed, subreaper, no_new_privs, keep_caps, undumpable, no_huge;
	uint32_t uid, euid, suid, gid, egid;
	uint64_t ambient; /* the ambient set: capabilities that survive execve without uid 0 */
	uint64_t exe; /* vfs's ident of the program's file */
	char comm[16]; /* the name as last set: of a zombie the kernel has none any more */
	uint64_t auxv, auxv_size; /* address and length of the auxiliary vector in its memory */
	/* After vfork: the token of the parent's clone, whose answer waits until this process execs
	 * or exits; 0: none. */
	uint64_t vfork_token;
	struct rusage_sum self, reaped; /* of a zombie; of the children it has waited for */
	struct itimers *itimers;
	uint32_t next_timer_id, ioprio;
	/* oom_score_adj; and the value last set with CAP_SYS_RESOURCE, below which others may
	 * not go. */
	int16_t oom_adj, oom_adj_min;
	uint32_t user_slot;
};

struct tree {
	struct number *table[TERN_PID_MAX];
	uint32_t last, used;
	struct link all;
	uint32_t processes;
};

void tree_init(struct tree *t);
/* Makes the next free number after the last one made; NULL: none is free, or no memory. */
struct number *number_create(struct tree *t);
/* Makes the number nr; NULL: it is in use, or no memory. */
struct number *number_create_at(struct tree *t, uint32_t nr);
/* Frees the number unless it is still used as something. */
void number_put(struct tree *t, struct number *n);
struct number *number_find(struct tree *t, int64_t nr);
struct proc *proc_find(struct tree *t, int64_t pid);
/* Finds the process with this pid or with a thread of this tid. */
struct proc *proc_of_tid(struct tree *t, int64_t tid);

/* Puts p, whose number is n, into the tree as a child of `parent` and into the parent's group;
 * with parent NULL it gets a group and session of its own number.  Initialises p's links.  A
 * server is not put into tree.all. */
void proc_insert(struct tree *t, struct proc *p, struct number *n, struct proc *parent, bool server);
/* Takes p, which has no children any more, out of the tree, and its threads, and frees their
 * numbers as far as nothing else uses them. */
void proc_remove(struct tree *t, struct proc *p);
void thread_insert(struct proc *p, struct number *n);
void thread_remove(struct tree *t, struct number *n);
void proc_set_parent(struct proc *p, struct proc *parent);
/* Finds who gets the children of p: the nearest living ancestor that is a subreaper, else init. */
struct proc *proc_reaper(struct proc *p, struct proc *init);
void proc_make_zombie(struct proc *p);

uint32_t proc_pgid(const struct proc *p);
uint32_t proc_sid(const struct proc *p);
/* setpgid(2): `caller` moves process `pid` to group `pgid`.  0, -EPERM, -EACCES, -ESRCH,
 * -EINVAL. */
long tree_setpgid(struct tree *t, struct proc *caller, int64_t pid, int64_t pgid);
/* setsid(2): the new session's number or -EPERM. */
long tree_setsid(struct tree *t, struct proc *p);
/* Tells whether the group is orphaned: no member, `without` aside, has a parent in another group of
 * the same session. */
bool group_orphaned(const struct number *group, const struct proc *without);
bool group_has_stopped(const struct number *group);

#define WAIT_ALL 0x40000000
#define WAIT_CLONE 0x80000000u
#define WAIT_NOTHREAD 0x20000000
/* Tells whether the child is one that waitid(idtype P_*, id, options) asks for. */
bool wait_eligible(const struct proc *child, int idtype, uint32_t id, uint32_t options);
enum wait_event { WAIT_NOTHING, WAIT_EXITED, WAIT_STOPPED, WAIT_CONTINUED };
enum wait_event wait_ready(const struct proc *child, uint32_t options);
/* Finds the first child that a wait asks for and that has something to report, *event; or NULL.
 * *any: there is a child that the wait asks for, so it may wait for it. */
struct proc *wait_find(struct tree *t, struct proc *parent, int idtype, uint32_t id,
		       uint32_t options, enum wait_event *event, bool *any);

/* Tells whether kill(2) lets a sender with these ids, session `sid`, and CAP_KILL (`privileged`) or
 * not, send `sig` to p. */
bool kill_allowed(uint32_t euid, uint32_t uid, bool privileged, uint32_t sid, const struct proc *p,
		  int sig);
