/* The process tree: numbers, processes, threads, groups, sessions.  Pure: no IPC, builds anywhere.
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

#define TIMER_SLACK 50000 /* ns */

struct number {
	uint32_t nr;
	struct proc *proc;	/* the process with this pid, zombies too */
	struct proc *thread_of; /* the process whose further thread has this tid */
	struct link thread;	/* in that process's threads */
	char comm[16];		/* that thread's own name, if it set one */
	uint64_t slack, default_slack; /* PR_SET_TIMERSLACK: that thread's; without effect */
	bool reset_on_fork;	/* SCHED_RESET_ON_FORK of that thread */
	struct link members;	/* as a group: processes, by proc.in_group */
	struct number *session; /* as a group with members */
	uint32_t groups;	/* as a session: groups with members */
	uint32_t terminal, foreground; /* as a session: device number, 0: none; group */
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
	int handle; /* of the kernel's process object, until reaped */
	int status; /* wait status, once a zombie */
	struct number *number, *group;
	struct proc *parent;	      /* NULL: pid 1 and servers */
	struct link children, sibling; /* zombies come first */
	struct link in_group;
	struct link threads; /* numbers of all threads but the first */
	struct link all;     /* every process but servers */
	struct link waiters; /* its own parked waits */
	struct link ptimers; /* its POSIX timers */
	struct link pidfds;  /* that name it */
	uint8_t exit_signal;
	uint8_t stop_signal;
	uint8_t pdeathsig;
	bool stopped, report_stop, report_continue;
	bool execed, subreaper, no_new_privs, keep_caps, undumpable, no_huge;
	uint32_t uid, euid, suid, gid, egid;
	uint64_t ambient; /* capabilities that execve keeps */
	uint64_t exe; /* vfs ident of the program */
	char comm[16]; /* as last set; the kernel's is gone with the threads */
	uint64_t auxv, auxv_size;
	uint64_t vfork_token; /* of the parent's clone, held until exec or exit; 0: none */
	struct rusage_sum self, reaped; /* of a zombie; of the children it waited for */
	struct itimers *itimers;
	uint32_t next_timer_id, ioprio;
	int16_t oom_adj, oom_adj_min; /* oom_score_adj, and the least it had from who may lower it */
	uint32_t user_slot;
};

struct tree {
	struct number *table[TERN_PID_MAX];
	uint32_t last, used;
	struct link all;
	uint32_t processes;
};

void tree_init(struct tree *t);
/* A free number, the next after the last one made; NULL: none left or no memory. */
struct number *number_create(struct tree *t);
/* A given number for start-up; NULL if in use or no memory. */
struct number *number_create_at(struct tree *t, uint32_t nr);
/* Frees the number unless it is still used as something. */
void number_put(struct tree *t, struct number *n);
struct number *number_find(struct tree *t, int64_t nr);
struct proc *proc_find(struct tree *t, int64_t pid);
/* The process of a pid or of any thread's tid. */
struct proc *proc_of_tid(struct tree *t, int64_t tid);

/* Puts p into the tree as parent's child, in its group; parent NULL: a group and session of its
 * own number.  p's links are initialised here; server: not listed among the processes. */
void proc_insert(struct tree *t, struct proc *p, struct number *n, struct proc *parent, bool server);
/* Takes a childless, threadless p out and frees its number's uses. */
void proc_remove(struct tree *t, struct proc *p);
void thread_insert(struct proc *p, struct number *n);
void thread_remove(struct tree *t, struct number *n);
void proc_set_parent(struct proc *p, struct proc *parent);
/* Who gets the children of p: the nearest living ancestor that is a subreaper, else init. */
struct proc *proc_reaper(struct proc *p, struct proc *init);
void proc_make_zombie(struct proc *p);

uint32_t proc_pgid(const struct proc *p);
uint32_t proc_sid(const struct proc *p);
/* setpgid(2): caller sets p's group to pgid.  0 or -EPERM, -EACCES, -ESRCH, -EINVAL. */
long tree_setpgid(struct tree *t, struct proc *caller, int64_t pid, int64_t pgid);
/* setsid(2): the new session's number or -EPERM. */
long tree_setsid(struct tree *t, struct proc *p);
/* Whether no member's parent is in another group of the same session (`without` not counted). */
bool group_orphaned(const struct number *group, const struct proc *without);
bool group_has_stopped(const struct number *group);

#define WAIT_ALL 0x40000000
#define WAIT_CLONE 0x80000000u
#define WAIT_NOTHREAD 0x20000000
/* Whether child is one that wait(idtype P_*, id, options) speaks of. */
bool wait_eligible(const struct proc *child, int idtype, uint32_t id, uint32_t options);
enum wait_event { WAIT_NOTHING, WAIT_EXITED, WAIT_STOPPED, WAIT_CONTINUED };
enum wait_event wait_ready(const struct proc *child, uint32_t options);
/* The first eligible child that has something to report, or NULL; *any: there is an eligible one. */
struct proc *wait_find(struct tree *t, struct proc *parent, int idtype, uint32_t id,
		       uint32_t options, enum wait_event *event, bool *any);

/* kill(2): may a sender with these ids and CAP_KILL or not signal p? */
bool kill_allowed(uint32_t euid, uint32_t uid, bool privileged, uint32_t sid, const struct proc *p,
		  int sig);
