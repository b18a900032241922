/* What pm's files share.  pm never waits: a request that needs another server's answer is a state
 * whose continuation async_call() runs when the answer comes. */
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
	struct pool procs;	    /* their badges are those of the process objects */
	struct proc *init;	    /* pid 1 once it exists */
	int vfs, tty, pipe;	    /* pm's own sessions */
	int service[TERN_NSERVICES]; /* for new processes */
	int root, console;	    /* sessions for pid 1: "/" and /dev/console, or -1 */
	int initrd;
	struct tern_pid_entry *pidmap;
	struct tern_boot_info boot;
	bool fixed_layout; /* `norandmaps` */
	bool cad_enabled;
	uint32_t reader; /* tid whose read of a /proc file is being answered */
};
extern struct pm pm;

/* ---- main.c ---- */
/* The caller's process; NULL if it is not known (the answer then is -ESRCH). */
struct proc *caller_of(const struct tern_msg *m);
/* tern_caller's cred; false: the caller is gone. */
bool caller_cred(const struct tern_msg *m, struct tern_cred *c);
bool cred_capable(const struct tern_cred *c, int cap);
typedef void (*async_fn)(void *arg, long result, int handle);
/* An asynchronous call; fn gets the answer and owns the handle (-1: none).  0 or a negative errno,
 * and then fn is not called. */
long async_call(int session, uint32_t op, uint64_t subject, const uint64_t args[6], async_fn fn,
		void *arg);
/* Keeps a process's line in the table that vfs maps. */
void pidmap_update(const struct proc *p);
void pidmap_clear(const struct proc *p);

#define CAP_ALL ((1ull << (CAP_LAST_CAP + 1)) - 1)

/* ---- boot.c, init.c ---- */
void boot(void);	/* endpoints, sessions, servers; returns to run the loop */
void init_start(void);	/* opens what pid 1 needs, then execs it */
extern const struct tern_cred root_cred;

/* ---- fork.c ---- */
/* A process in the tree and in the pool, still without a kernel object; NULL: no number or
 * memory.  n: its number, consumed (freed on failure). */
struct proc *process_new(struct number *n, struct proc *parent, bool server);
void process_destroy(struct proc *p); /* takes it out of tree and pool, closes its handle */
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
/* Starts pid 1 from the given path; done() gets 0 or why it could not be. */
void exec_init(const char *path, const char *envp, size_t envp_size, void (*done)(long result));
struct elf_image;
/* Maps a checked image into a space at `bias` added to its addresses. */
long load_segments(int aspace, int memobj, uint64_t file_offset, const struct elf_image *e,
		   uint64_t bias, bool copy);

/* ---- exit.c ---- */
void pm_event(struct tern_msg *m);
void process_reap(struct proc *p); /* a zombie: adds its times to its parent's and frees it */

/* ---- wait.c ---- */
long pm_wait4(struct tern_msg *m);
long pm_waitid(struct tern_msg *m);
void wait_cancel(uint64_t badge, uint64_t token);
void wait_gone(uint64_t badge, uint64_t token);
void wait_wake(struct proc *parent); /* a child of it changed */
void wait_drop_all(struct proc *p);

/* ---- usage.c ---- */
struct rusage {
	struct tern_timeval utime, stime;
	int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd,
		msgrcv, nsignals, nvcsw, nivcsw;
};
void usage_add(struct rusage_sum *to, const struct rusage_sum *from);
/* Of a process that lives, or of one thread; zeroes and the errno if the kernel knows none. */
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
/* Who sends, and what: the caller's credentials and process. */
struct sender {
	struct tern_cred cred;
	struct proc *proc;
	siginfo_t info;
};
/* A sender of sig for the caller: 0, ESRCH, EINVAL. */
long signal_sender(struct sender *s, struct tern_msg *m, int sig, int code);
/* With kill(2)'s permissions; signal 0 only asks. */
long signal_send_one(const struct sender *s, struct proc *p, uint32_t tid);
long signal_send_group(const struct sender *s, struct number *group);
/* From the system itself: SI_KERNEL.  Applies the rules of init and orphaned groups. */
void signal_process(struct proc *p, int sig);
void signal_group(struct number *group, int sig);
long signal_post(struct proc *p, uint32_t tid, const siginfo_t *si);
/* SIGCHLD and its kin to p's parent; true: the parent does not want zombies. */
bool signal_parent(struct proc *p, int code, int status);
/* SIGHUP and SIGCONT to a stopped group that has just become an orphan. */
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
long pm_fcntl(struct tern_msg *m); /* of all descriptors that are pm's */
void pm_closed(uint64_t badge, uint64_t sid);
/* waitid's: the pid that the caller's pidfd names, EINVAL, EBADF, ECHILD if the process is gone. */
long pidfd_wait_target(struct tern_msg *m, int fd, bool *nonblock);
long pidfd_of_child(struct tern_msg *m, struct proc *p, unsigned win, uint64_t at);
void pidfds_ended(struct proc *p); /* p is a zombie */
void pidfds_drop(struct proc *p);  /* p goes */

/* ---- limits.c ---- */
#define NR_OPEN 1048576 /* the most that RLIMIT_NOFILE can be */
long pm_prlimit64(struct tern_msg *m);
long pm_getrlimit(struct tern_msg *m);
long pm_setrlimit(struct tern_msg *m);

/* ---- prctl.c, misc.c ---- */
long pm_prctl(struct tern_msg *m);
long pm_reboot(struct tern_msg *m);
long pm_syslog(struct tern_msg *m);

/* ---- timer.c: one sorted list over the kernel's one timer ---- */
struct timer {
	struct link link;
	uint64_t when; /* monotonic ns; 0: not set */
	void (*fire)(struct timer *t);
};
void timer_init(void);
void timer_set(struct timer *t, uint64_t when); /* 0: off */
void timers_run(void);
bool timespec_valid(const struct tern_timespec *t);
uint64_t timespec_to_ns(const struct tern_timespec *t);
void timespec_of_ns(uint64_t ns, struct tern_timespec *t);

/* ---- loadavg.c ---- */
#define LOAD_ONE 2048u
void loadavg_init(void);
uint64_t loadavg(unsigned i); /* over 1, 5, 15 minutes, in LOAD_ONE-ths */

/* ---- proc_system.c ---- */
#define MAX_HARTS 64
uint32_t system_cpus(struct tern_cpu_info *cpus); /* how many of MAX_HARTS it filled */

/* ---- cputime.c ---- */
struct cpu_clock {
	uint32_t pid, tid; /* tid 0: of the whole process */
	bool user;	   /* without system time */
};
/* The CPU clock that the caller means by a clock id: 0, EINVAL, ESRCH. */
#define CLOCK_SGI_CYCLE 10 /* the one number below the last that is no clock's */
#define CLOCK_TAI 11
long cpu_clock_find(struct tern_msg *m, int32_t id, struct cpu_clock *c);
bool cpu_clock_now(const struct cpu_clock *c, uint64_t *ns); /* false: its process has ended */
void cpu_clock_arm(struct timer *t, uint64_t left); /* for when it may be so much further */
long pm_clock_nanosleep(struct tern_msg *m);
long pm_clock_gettime(struct tern_msg *m); /* the kernel answers for the clocks of the caller's own */
long pm_clock_getres(struct tern_msg *m);
long pm_gettimeofday(struct tern_msg *m);
bool sleeper_ends(uint64_t token, bool gone); /* false: it is no sleeper's */


/* ---- itimer.c, ptimer.c ---- */
long pm_getitimer(struct tern_msg *m);
long pm_setitimer(struct tern_msg *m);
void itimers_drop(struct proc *p);
/* What a child of parent needs for RLIMIT_CPU, before it is made; false: no memory. */
bool cpu_limit_reserve(struct proc *p, const struct proc *parent);
/* p's RLIMIT_CPU is another one now.  False: no memory. */
bool cpu_limit_changed(struct proc *p);
long pm_timer_create(struct tern_msg *m);
long pm_timer_settime(struct tern_msg *m);
long pm_timer_gettime(struct tern_msg *m);
long pm_timer_getoverrun(struct tern_msg *m);
long pm_timer_delete(struct tern_msg *m);
void ptimers_drop(struct proc *p);
void ptimers_clock_set(void); /* real time has jumped */

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
/* Writers of contents; p is the process, tid its thread or 0. */
void proc_text_process(struct text *t, int number, struct proc *p, uint32_t tid);
void proc_text_system(struct text *t, int number);
void proc_text_tern(struct text *t, int number);
void trace_text(struct text *t);
long trace_switch(const char *text, size_t n); /* what was written: 0, 1 */
void proc_text_ptwalk(struct text *t, struct proc *p, uint64_t va);
