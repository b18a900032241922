/* V14: what fork duplicates.
 *
 * For everything that a process has, three others change it: a child made by fork, a child made by
 * clone with one flag, and a thread.  Has the parent changed, too?  Then it is shared; else the other had a
 * copy, or its own.  fork shares nothing but the open files' positions; a thread nearly all.
 */
#define _GNU_SOURCE
#include "demo.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

static volatile int variable;
static int file;
static pid_t first_pid, first_tid;

static void handler(int signal)
{
	(void)signal;
}

static void set_memory(bool on) { variable = on; }
static bool has_memory(void) { return variable; }

static void set_position(bool on) { lseek(file, on ? 5 : 0, SEEK_SET); }
static bool has_position(void) { return lseek(file, 0, SEEK_CUR) == 5; }

static void set_files(bool on)
{
	if (on)
		dup2(file, 100);
	else
		close(100);
}
static bool has_files(void) { return fcntl(100, F_GETFD) >= 0; }

static void set_directory(bool on)
{
	if (chdir(on ? "/tmp" : "/"))
		demo_give_up("chdir failed");
}
static bool has_directory(void)
{
	char path[64];

	return getcwd(path, sizeof path) && !strcmp(path, "/tmp");
}

static void set_umask(bool on) { umask(on ? 077 : 022); }
static bool has_umask(void)
{
	mode_t old = umask(0);

	umask(old);
	return old == 077;
}

static void set_handlers(bool on) { signal(SIGUSR1, on ? handler : SIG_DFL); }
static bool has_handlers(void)
{
	struct sigaction a;

	return !sigaction(SIGUSR1, NULL, &a) && a.sa_handler == handler;
}

static void set_mask(bool on)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &s, NULL);
}
static bool has_mask(void)
{
	sigset_t s;

	sigprocmask(SIG_BLOCK, NULL, &s);
	return sigismember(&s, SIGUSR2);
}

static void set_timer(bool on)
{
	struct itimerval t = { .it_value = { on ? 1000 : 0, 0 } };

	setitimer(ITIMER_REAL, &t, NULL);
}
static bool has_timer(void)
{
	struct itimerval t;

	return !getitimer(ITIMER_REAL, &t) && t.it_value.tv_sec > 0;
}

static const struct row {
	const char *name, *flag_name;
	int flag; /* 0: no flag of clone shares it for a process */
	void (*set)(bool on);
	bool (*has)(void);
	bool fork_shares, thread_shares;
} rows[] = {
	{ "memory", "CLONE_VM", CLONE_VM, set_memory, has_memory, false, true },
	{ "descriptors", "CLONE_FILES", CLONE_FILES, set_files, has_files, false, true },
	{ "a file's position", NULL, 0, set_position, has_position, true, true },
	{ "directory", "CLONE_FS", CLONE_FS, set_directory, has_directory, false, true },
	{ "umask", "CLONE_FS", CLONE_FS, set_umask, has_umask, false, true },
	{ "signal handlers", "CLONE_SIGHAND", CLONE_SIGHAND | CLONE_VM, set_handlers, has_handlers, false,
	  true },
	{ "signal mask", NULL, 0, set_mask, has_mask, false, false },
	{ "timers", NULL, 0, set_timer, has_timer, false, true },
};

static int change_in_child(void *row)
{
	((const struct row *)row)->set(true);
	return 0;
}

static void *change_in_thread(void *row)
{
	((const struct row *)row)->set(true);
	return NULL;
}

/* Whether the change that another made has reached us; undoes it. */
static bool reached(const struct row *r)
{
	bool has = r->has();

	r->set(false);
	return has;
}

static bool by_clone(const struct row *r, int flags)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t child = clone(change_in_child, stack + sizeof stack, flags | SIGCHLD, (void *)(uintptr_t)r);

	if (child < 0)
		demo_give_up("no process");
	demo_reap(child);
	return reached(r);
}

static bool by_thread(const struct row *r)
{
	pthread_t t;

	if (pthread_create(&t, NULL, change_in_thread, (void *)(uintptr_t)r))
		demo_give_up("no thread");
	pthread_join(t, NULL);
	return reached(r);
}

static const char *word(bool shared)
{
	return shared ? "shared" : "own";
}

static void show(const struct row *r)
{
	bool f, c, t;

	r->set(false);
	f = by_clone(r, 0);
	c = r->flag ? by_clone(r, r->flag) : f;
	t = by_thread(r);
	printf("%-18s %-8s %-8s %s: %s\n", r->name, word(f), word(t), r->flag ? r->flag_name : "no flag",
	       word(c));
	demo_claim(f == r->fork_shares, "fork: %s is %s", r->name, word(f));
	demo_claim(c || !r->flag, "%s does not share", r->flag_name);
	demo_claim(t == r->thread_shares, "a thread: %s is %s", r->name, word(t));
}

static void *who(void *same)
{
	((bool *)same)[0] = getpid() == first_pid;
	((bool *)same)[1] = (pid_t)syscall(SYS_gettid) == first_tid;
	return NULL;
}

static void show_ids(void)
{
	bool same[2] = { false, true };
	pthread_t t;
	pid_t child = fork();

	if (child == 0)
		_exit(getpid() == first_pid || (pid_t)syscall(SYS_gettid) != getpid());
	demo_reap(child);
	if (pthread_create(&t, NULL, who, same))
		demo_give_up("no thread");
	pthread_join(t, NULL);
	printf("%-18s %-8s %s\n", "pid (tgid)", "own", word(same[0]));
	printf("%-18s %-8s %s\n", "tid", "own", word(same[1]));
	demo_claim(same[0] && !same[1], "a thread's pid or tid is wrong");
}

int main(int argc, char **argv)
{
	char name[] = "/tmp/v14.XXXXXX";

	demo_start(argc, argv, "V14", "what fork copies and a thread shares",
		   "A forked child, a thread, and a child of clone with one flag change each thing.\n"
		   "Look at which changes reach the process that made them: those things are shared.\n");
	file = mkstemp(name);
	first_pid = getpid();
	first_tid = (pid_t)syscall(SYS_gettid);
	if (file < 0 || unlink(name))
		demo_give_up("no file");
	printf("%-18s %-8s %-8s %s\n", "", "child", "thread", "child of clone with");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		show(&rows[i]);
	show_ids();
	return demo_end();
}
