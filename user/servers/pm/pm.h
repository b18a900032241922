/* What pm's files share.  pm never waits: what a request still needs after another server's answer
 * is kept in memory, and the function given to async_call() goes on when the answer comes. */
#pragma once

#include "text.h"
#include "tree.h"
#include <server/server.h>
#include <server/fcntl.h>
#include <server/sched.h>
#include <linux/capability.h>
#include <tern/linux/signal.h>
#include <tern/linux/time.h>

#define PID_INIT 1
#define PID_PM 2
#define PID_VFS 3
#define PID_TTY 4
#define PID_PIPE 5

#define TICKS(ns) ((ns) / 10000000) /* clock ticks of 1/100 s */
#define NSEC 1000000000ull

struct pm {
	struct tree tree;
	struct pool procs;	    /* the badge here is also that of the kernel's process object */
	struct proc *init;	    /* pid 1 once it exists */
	int vfs, tty, pipe;	    /* pm's own sessions with the other servers */
	int service[TERN_NSERVICES]; /* the sessions that pid 1, and so every program, gets */
	int root, console;	    /* what pid 1 starts with: "/" and /dev/console, or -1 */
	int initrd;
	struct tern_pid_entry *pidmap;
	struct tern_boot_info boot;
	bool fixed_layout; /* `norandmaps`: programs are not laid out at random */
	bool cad_enabled;
	uint32_t reader; /* the thread whose read of a /proc file is being answered */
};
extern struct pm pm;

/* ---- main.c ---- */
/* Finds the caller's process; NULL if it is no living one that pm knows: the caller gets ESRCH. */
struct proc *caller_of(const struct tern_msg *m);
/* Asks the kernel for the caller's credentials; false: the caller is gone. */
bool caller_cred(const struct tern_msg *m, struct tern_cred *c);
bool cred_capable(const struct tern_cred *c, int cap);
typedef void (*async_fn)(void *arg, long result, int handle);
/* Calls another server without waiting.  fn will get the answer, and the handle that comes with it
 * (or -1) is fn's to close.  0; or a negative errno, and fn is not called. */
long async_call(int session, uint32_t op, uint64_t subject, const uint64_t args[6], async_fn fn,
		void *arg);
/* Write and clear a process's entry in the table of pids that vfs maps. */
void pidmap_update(const struct proc *p);
void pidmap_clear(const struct proc *p);

#define CAP_ALL ((1ull << (CAP_LAST_CAP + 1)) - 1)

/* ---- boot.c, init.c ---- */
void boot(void);	/* makes the endpoints and sessions and starts the other servers */
void init_start(void);	/* begins to open what pid 1 needs; then executes it */
extern const struct tern_cred root_cred;

/* ---- fork.c ---- */
/* Makes a process in the pool and the tree, which has no kernel object yet; NULL: no memory.
 * Consumes its number n, which is freed on failure. */
struct proc *process_new(struct number *n, struct proc *parent, bool server);
void process_destroy(struct proc *p); /* takes p out of tree and pool, closes its handle */
long pm_clone(struct tern_msg *m);
long pm_clone3(struct tern_msg *m);
long pm_unshare(struct tern_msg *m);
void vfork_release(struct proc *p);

/* ---- users.c: processes of each real user, for RLIMIT_NPROC ---- */
bool user_add(uint32_t uid); /* false: out of memory */
void user_remove(uint32_t uid);
uint32_t user_count(uint32_t uid);

/* ---- exec.c, load.c ---- */
long pm_execve(struct tern_msg *m);
long pm_execveat(struct tern_msg *m);
/* Starts pid 1 from the program at `path`; done() gets 0, or the errno why that failed. */
void exec_init(const char *path, const char *envp, size_t envp_size, void (*done)(long result));
struct elf_image;
/* Maps a checked image into a space, with `bias` added to its addresses.  file_offset: where the
 * program begins in the memory object; copy: its data lie on no page boundaries there (load.c). */
long load_segments(int aspace, int memobj, uint64_t file_offset, const struct elf_image *e,
		   uint64_t bias, bool copy);

/* ---- exit.c ---- */
void pm_event(struct tern_msg *m);
void process_reap(struct proc *p); /* adds the zombie's times to its parent's and frees it */

/* ---- wait.c ---- */
long pm_wait4(struct tern_msg *m);
long pm_waitid(struct tern_msg *m);
void wait_cancel(uint64_t badge, uint64_t token);
void wait_gone(uint64_t badge, uint64_t token);
void wait_wake(struct proc *parent); /* a child has changed: answers the parent's waits */
void wait_drop_all(struct proc *p);

/* ---- usage.c ---- */
struct rusage {
	struct tern_timeval utime, stime;
	int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd,
		msgrcv, nsignals, nvcsw, nivcsw;
};
void usage_add(struct rusage_sum *to, const struct rusage_sum *from);
/* Asks the kernel what a living process, or its thread `tid` if that is not 0, has used.  If the
 * kernel does not know it: zeroes, and the errno. */
long usage_now(const struct proc *p, uint32_t tid, struct rusage_sum *sum);
void usage_fill(struct rusage *u, const struct rusage_sum *sum);
long pm_getrusage(struct tern_msg *m);
long pm_times(struct tern_msg *m);

/* ---- clock.c ---- */
long pm_clock_settime(struct tern_msg *m);
long pm_settimeofday(struct tern_msg *m);
long pm_adjtimex(struct tern_msg *m);
long pm_clock_adjtime(struct tern_msg *m);

/* ---- system.c ---- */
#define UTS_LENGTH 65
struct uts {
	char sysname[UTS_LENGTH], nodename[UTS_LENGTH], release[UTS_LENGTH], version[UTS_LENGTH],
		machine[UTS_LENGTH], domain[UTS_LENGTH];
};
struct uts *system_names(void);
long pm_uname(struct tern_msg *m);
long pm_sethostname(struct tern_msg *m);
long pm_setdomainname(struct tern_msg *m);
long pm_sysinfo(struct tern_msg *m);
long pm_riscv_hwprobe(struct tern_msg *m);

/* ---- policy.c ---- */
long pm_set_mempolicy(struct tern_msg *m);
long pm_get_mempolicy(struct tern_msg *m);
long pm_mbind(struct tern_msg *m);

/* ---- signal.c ---- */
long pm_kill(struct tern_msg *m);
long pm_tkill(struct tern_msg *m);
long pm_tgkill(struct tern_msg *m);
long pm_rt_sigqueueinfo(struct tern_msg *m);
long pm_rt_tgsigqueueinfo(struct tern_msg *m);
long signal_group_method(struct tern_msg *m);
/* A signal to send, and who sends it: the caller's credentials and process. */
struct sender {
	struct tern_cred cred;
	struct proc *proc;
	siginfo_t info;
};
/* Fills *s for a signal `sig` from the caller: 0, ESRCH, EINVAL. */
long signal_sender(struct sender *s, struct tern_msg *m, int sig, int code);
/* These send if kill(2) permits it; signal 0 only asks whether it would. */
long signal_send_one(const struct sender *s, struct proc *p, uint32_t tid);
long signal_send_group(const struct sender *s, struct number *group);
/* These send in the system's own name (SI_KERNEL), without permissions.  Signals that pid 1 or an
 * orphaned group is not to get are dropped (signal.c). */
void signal_process(struct proc *p, int sig);
void signal_group(struct number *group, int sig);
long signal_post(struct proc *p, uint32_t tid, const siginfo_t *si);
/* Sends p's exit signal (SIGCHLD) to p's parent.  True: p has ended, and the parent wants no
 * zombie. */
bool signal_parent(struct proc *p, int code, int status);
/* Sends SIGHUP and SIGCONT to the group if it is an orphan, `without` not counted, and has stopped
 * processes.  Is called where it may just have become an orphan. */
void signal_if_orphaned(struct number *group, const struct proc *without);

/* ---- groups.c ---- */
long pm_setpgid(struct tern_msg *m);
long pm_getpgid(struct tern_msg *m);
long pm_setsid(struct tern_msg *m);
long pm_getsid(struct tern_msg *m);
long session_terminal(struct tern_msg *m);

/* ---- ids.c, caps.c ---- */
long pm_setuid(struct tern_msg *m);
long pm_setgid(struct tern_msg *m);
long pm_setreuid(struct tern_msg *m);
long pm_setregid(struct tern_msg *m);
long pm_setresuid(struct tern_msg *m);
long pm_setresgid(struct tern_msg *m);
long pm_setfsuid(struct tern_msg *m);
long pm_setfsgid(struct tern_msg *m);
long pm_setgroups(struct tern_msg *m);
long pm_getresuid(struct tern_msg *m);
long pm_getresgid(struct tern_msg *m);
long pm_getgroups(struct tern_msg *m);
long pm_capget(struct tern_msg *m);
long pm_capset(struct tern_msg *m);

/* ---- sched.c ---- */
long pm_setpriority(struct tern_msg *m);
long pm_getpriority(struct tern_msg *m);
long pm_sched_setparam(struct tern_msg *m);
long pm_sched_setscheduler(struct tern_msg *m);
long pm_sched_getscheduler(struct tern_msg *m);
long pm_sched_getparam(struct tern_msg *m);
long pm_sched_setaffinity(struct tern_msg *m);
long pm_sched_getaffinity(struct tern_msg *m);
long pm_sched_rr_get_interval(struct tern_msg *m);
long pm_sched_get_priority_max(struct tern_msg *m);
long pm_sched_get_priority_min(struct tern_msg *m);
long pm_sched_setattr(struct tern_msg *m);
long pm_sched_getattr(struct tern_msg *m);
long pm_ioprio_set(struct tern_msg *m);
long pm_ioprio_get(struct tern_msg *m);

/* ---- pidfd.c ---- */
long pm_pidfd_open(struct tern_msg *m);
long pm_pidfd_getfd(struct tern_msg *m);
long pm_pidfd_send_signal(struct tern_msg *m);
long pm_fcntl(struct tern_msg *m); /* for pidfds and files of /proc */
void pm_closed(uint64_t badge, uint64_t sid);
/* For waitid: the pid that the caller's pidfd names; EINVAL; EBADF; ECHILD: the process is gone. */
long pidfd_wait_target(struct tern_msg *m, int fd, bool *nonblock);
long pidfd_of_child(struct tern_msg *m, struct proc *p, unsigned win, uint64_t at);
void pidfds_ended(struct proc *p); /* p has become a zombie: its pidfds are readable */
void pidfds_drop(struct proc *p);  /* p goes for good: its pidfds name nothing any more */

/* ---- limits.c ---- */
#define NR_OPEN 1048576 /* the most that RLIMIT_NOFILE can be */
long pm_prlimit64(struct tern_msg *m);
long pm_getrlimit(struct tern_msg *m);
long pm_setrlimit(struct tern_msg *m);

/* ---- prctl.c, misc.c ---- */
long pm_prctl(struct tern_msg *m);
long pm_reboot(struct tern_msg *m);
long pm_syslog(struct tern_msg *m);

/* ---- timer.c: many timers, over the one that the kernel gives an endpoint ---- */
struct timer {
	struct link link;
	uint64_t when; /* monotonic time in ns; 0: the timer is off */
	void (*fire)(struct timer *t);
};
void timer_init(void);
void timer_set(struct timer *t, uint64_t when); /* when 0: switches it off */
void timers_run(void);
bool timespec_valid(const struct tern_timespec *t);
uint64_t timespec_to_ns(const struct tern_timespec *t);
void timespec_of_ns(uint64_t ns, struct tern_timespec *t);

/* ---- loadavg.c ---- */
#define LOAD_ONE 2048u
void loadavg_init(void);
uint64_t loadavg(unsigned i); /* i 0, 1, 2: over 1, 5, 15 minutes; LOAD_ONE is one thread */

/* ---- proc_system.c ---- */
#define MAX_HARTS 64
uint32_t system_cpus(struct tern_cpu_info *cpus); /* fills up to MAX_HARTS entries; how many */

/* ---- cputime.c ---- */
struct cpu_clock {
	uint32_t pid, tid; /* tid 0: the clock of the whole process */
	bool user;	   /* it counts user time alone, without system time */
};
#define CLOCK_SGI_CYCLE 10 /* among Linux's clock numbers 0…11 the one that is no clock's */
#define CLOCK_TAI 11
/* Finds the CPU clock that the caller means by a clock id: 0, EINVAL, ESRCH. */
long cpu_clock_find(struct tern_msg *m, int32_t id, struct cpu_clock *c);
bool cpu_clock_now(const struct cpu_clock *c, uint64_t *ns); /* false: its process has ended */
/* Sets t to the earliest moment at which a CPU clock may have gone on by `left` ns. */
void cpu_clock_arm(struct timer *t, uint64_t left);
long pm_clock_nanosleep(struct tern_msg *m);
long pm_clock_gettime(struct tern_msg *m); /* the kernel answers it for a caller's own CPU clocks */
long pm_clock_getres(struct tern_msg *m);
long pm_gettimeofday(struct tern_msg *m);
/* Ends the clock_nanosleep with this token, as interrupted or because its caller is gone.
 * False: the token is no sleeper's. */
bool sleeper_ends(uint64_t token, bool gone);


/* ---- itimer.c, ptimer.c ---- */
long pm_getitimer(struct tern_msg *m);
long pm_setitimer(struct tern_msg *m);
void itimers_drop(struct proc *p);
/* Allocates what the child p of `parent` will need to keep RLIMIT_CPU; false: no memory. */
bool cpu_limit_reserve(struct proc *p, const struct proc *parent);
/* Acts on a change of p's RLIMIT_CPU.  False: no memory. */
bool cpu_limit_changed(struct proc *p);
long pm_timer_create(struct tern_msg *m);
long pm_timer_settime(struct tern_msg *m);
long pm_timer_gettime(struct tern_msg *m);
long pm_timer_getoverrun(struct tern_msg *m);
long pm_timer_delete(struct tern_msg *m);
void ptimers_drop(struct proc *p);
void ptimers_clock_set(void); /* the real-time clock was set: arms its timers anew */

/* ---- proc_*.c ---- */
void proc_files_init(void);
long proc_open(struct tern_msg *m);
long proc_read(struct tern_msg *m);
long proc_pread(struct tern_msg *m);
long proc_readv(struct tern_msg *m);
long proc_writev(struct tern_msg *m);
long proc_preadv(struct tern_msg *m);
long proc_preadv2(struct tern_msg *m);
long proc_lseek(struct tern_msg *m);
long proc_write(struct tern_msg *m);
long proc_fcntl(struct tern_msg *m);
void proc_closed(uint64_t badge, uint64_t sid);
/* Write the contents of the file of that number (enum tern_proc_file); tid: a thread of p, or 0. */
void proc_text_process(struct text *t, int number, struct proc *p, uint32_t tid);
void proc_text_system(struct text *t, int number);
void proc_text_tern(struct text *t, int number);
void trace_text(struct text *t);
long trace_switch(const char *text, size_t n); /* "1" switches the event trace on, "0" off */
void proc_text_ptwalk(struct text *t, struct proc *p, uint64_t va);
