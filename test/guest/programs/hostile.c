/* Hostile calls: every system call number with random and boundary arguments, from several processes at
 * once.  The kernel and the others must go on, and nothing may be left behind.
 *
 * usage: hostile [-n CALLS] [-s SEED] [-p PROCESSES] [-c NUMBER] [-w WORKER -i INDEX] [-q]    timeout: 300
 *
 * Call number INDEX of a worker is made from (SEED, WORKER, INDEX) alone; -w and -i print one and make
 * only that; -c makes one system call only; -q looks for no leak.  Workers live for LIFE calls, then a new one goes on; a worker that dies or stops is
 * replaced, and one that makes no progress is sent a signal, then killed.  Odd workers are an
 * ordinary user, even ones root in a root directory of their own.  Left out is only what would harm
 * any system: signals to others, power-off, the clock, mounts, real-time priority, and memory beyond
 * a limit.  Beside them a witness forks and talks through pipes all the time.
 *
 * On Tern the numbers of /proc/tern/objects must be the same before and after (objects.h). */
#define _GNU_SOURCE
#include "objects.h"
#include "random.h"
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <tern/abi.h>
#include <unistd.h>

#define WORKERS_MAX 16
#define LIFE	    2000 /* calls of one process */
#define STUCK_MS    150	 /* without progress: a signal; twice that: the end */
#define NUMBERS	    2048 /* system calls 0…2047, and METHODS from METHOD on */
#define METHOD	    0x1000
#define METHODS	    0x210
#define PAGE	    4096ul

struct worker {
	volatile uint64_t index; /* of the call being made */
	volatile uint64_t succeeded;
	volatile uint64_t life; /* this process's last call */
	uint64_t seen, end;
	uint64_t seen_at;
	pid_t pid;
	int told;
};

static struct shared {
	struct worker worker[WORKERS_MAX];
	struct witness witness;
} *shared;

static uint64_t seed = 1;
static long only = -1; /* the one system call to make */
static char folder[40];

/* ---- memory that the calls point at ---- */

#define BASE	 ((char *)0x20000000ul)
#define STRADDLE (BASE + 17 * PAGE) /* the end of what is mapped */
#define READONLY (BASE + 18 * PAGE)
#define NOTHING	 (BASE + 19 * PAGE)
#define TEXTS	 (BASE + 20 * PAGE)
#define STRUCTS	 (BASE + 24 * PAGE)
#define SHARED	 (BASE + 28 * PAGE)
#define END	 (BASE + 32 * PAGE)

static const char *const texts[] = {
	"a", "b", "c", "d", "d/x", "d/y", "l", "loop", "", ".", "..", "/", "a/", "d/../a", "./d/./x",
	"nowhere/x", "/dev/null", "/dev/zero", "/dev/full", "/proc/self/maps", "/proc/self/status",
	"/proc/1/stat", "/proc/self/fd/5", "/proc/self/pagemap", "/bin/true", "/etc/passwd", "fifo",
	"\xff\xfe", "security.x", "user.x", "tmpfs",
};
#define NTEXTS (sizeof texts / sizeof texts[0])

static void fill_memory(void)
{
	uint64_t *words = (uint64_t *)(void *)BASE, *s = (uint64_t *)(void *)STRUCTS;

	mmap(BASE, END - BASE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	mmap(SHARED, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	for (size_t i = 0; i < 17 * PAGE / 8; i++)
		words[i] = below(4) ? below(8) : rnd() >> below(64);
	for (size_t i = 0; i < NTEXTS; i++)
		strcpy(TEXTS + i * 32, texts[i]);
	memset(TEXTS + PAGE, 'n', 2 * PAGE);
	TEXTS[PAGE + 255] = 0;		/* the longest name */
	TEXTS[PAGE + 256 + 300] = 0;	/* one too long */
	TEXTS[3 * PAGE] = 0;		/* a path too long */
	/* Structures: iovecs, times, sets, vectors of strings, at steps of 256 bytes. */
	for (int i = 0; i < 16; i++, s += 32)
		for (int k = 0; k < 32; k++) {
			static const uint64_t values[] = { 0, 1, 8, 4096, ~0ull, 1ull << 63, 999999999 };

			if (i < 4) /* {pointer, length} */
				s[k] = k & 1 ? below(5000) : (uint64_t)BASE + below(16 * PAGE);
			else if (i < 6) /* some of them bad */
				s[k] = k & 1 ? PICK(values) : below(2) ? (uint64_t)STRADDLE - 8 : rnd();
			else if (i < 10) /* {0, some nanoseconds} */
				s[k] = k & 1 ? below(2000000) : 0;
			else if (i < 12) /* NULL-ended pointers to texts */
				s[k] = k < 5 ? (uint64_t)TEXTS + below(NTEXTS) * 32 : 0;
			else
				s[k] = PICK(values);
		}
	munmap(STRADDLE, PAGE);
	mprotect(READONLY, PAGE, PROT_READ);
	mprotect(NOTHING, PAGE, PROT_NONE);
}

static uint64_t pointer(void)
{
	switch (below(16)) {
	case 0:
		return 0;
	case 1:
		return (uint64_t)STRADDLE - below(40);
	case 2:
		return (uint64_t)READONLY + below(64);
	case 3:
		return below(2) ? (uint64_t)NOTHING : (uint64_t)STRADDLE + below(64);
	case 4:
		return 0xffffffc000000000ull + below(1 << 24);
	case 5:
		return below(2) ? 0x4000000000ull - below(3) * 8 : rnd();
	case 6:
		return (uint64_t)BASE + below(16 * PAGE); /* at any alignment */
	case 7:
		return (uint64_t)SHARED + below(512) * 8;
	case 8:
	case 9:
	case 10:
		return (uint64_t)STRUCTS + below(16) * 256;
	case 11:
		return (uint64_t)TEXTS + below(NTEXTS) * 32;
	default:
		return (uint64_t)BASE + below(2 * PAGE) * 8;
	}
}

static uint64_t path(void)
{
	if (below(10) == 0)
		return pointer();
	if (below(20) == 0)
		return (uint64_t)TEXTS + PAGE + (below(2) ? 0 : 256);
	return (uint64_t)TEXTS + below(NTEXTS) * 32;
}

static uint64_t descriptor(void)
{
	static const uint64_t odd[] = { ~0ull, 0xffffff9c, (uint64_t)-100, 1023, 1024, 1 << 20, 1u << 31,
					0x7fffffff, 0xabcd00000000ull, 0xabcd00000003ull };

	return below(8) ? below(28) : PICK(odd);
}

static uint64_t size(void)
{
	static const uint64_t odd[] = { 0, 1, 4, 7, 8, 16, 24, 64, 128, 4095, 4096, 4097, 65536, 1 << 20,
					1 << 30, 0x7fffffff, 0x80000000, 1ull << 32, 1ull << 38,
					1ull << 63, ~0ull, ~0ull - 4095 };

	return below(3) ? PICK(odd) : below(10000);
}

static uint64_t integer(void)
{
	switch (below(6)) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return 1ull << below(64);
	case 3:
		return rnd() & rnd() & 0xffffff; /* flags */
	case 4:
		return rnd();
	default:
		return below(70);
	}
}

static uint64_t address(void)
{
	return below(4) ? (uint64_t)BASE + below(40) * PAGE : pointer();
}

/* A process: this one, its group, or none at all. */
static uint64_t process(void)
{
	static const int64_t none[] = { 0, 0x7fffffff, 4999999, -4999999 };
	uint64_t me = (uint64_t)getpid();

	return below(2) ? me : (uint64_t)PICK(none);
}

/* What the arguments of known calls are: f descriptor, p path, b pointer, s size, a address,
 * P process, i integer. */
static const struct {
	uint16_t nr;
	const char *shape;
} shapes[] = {
	{ 17, "bs" }, { 19, "ii" }, { 20, "i" }, { 21, "fifb" }, { 22, "fbiibs" }, { 23, "f" },
	{ 24, "ffi" }, { 25, "fii" }, { 29, "fib" }, { 32, "fi" }, { 33, "fpii" }, { 34, "fpi" },
	{ 35, "fpi" }, { 36, "pfp" }, { 37, "fpfpi" }, { 43, "pb" }, { 44, "fb" }, { 45, "ps" },
	{ 46, "fs" }, { 47, "fiss" }, { 48, "fpi" }, { 49, "p" }, { 50, "f" }, { 52, "fi" },
	{ 53, "fpi" }, { 54, "fpiii" }, { 55, "fii" }, { 56, "fpii" }, { 57, "f" }, { 59, "bi" },
	{ 61, "fbs" }, { 62, "fsi" }, { 63, "fbs" }, { 64, "fbs" }, { 65, "fbi" }, { 66, "fbi" },
	{ 67, "fbss" }, { 68, "fbss" }, { 69, "fbis" }, { 70, "fbis" }, { 71, "ffbs" }, { 72, "ibbbbb" },
	{ 73, "bibbs" }, { 76, "fbfbsi" }, { 78, "fpbs" }, { 79, "fpbi" }, { 80, "fb" }, { 82, "f" },
	{ 86, "fibb" }, { 88, "fpbi" }, { 95, "iPbib" }, { 96, "b" }, { 98, "biibbi" }, { 99, "bs" },
	{ 101, "bb" }, { 103, "ibb" }, { 107, "ibb" }, { 110, "iibb" }, { 113, "ib" }, { 115, "iibb" },
	{ 122, "Psb" }, { 123, "Psb" }, { 129, "Pi" }, { 131, "PPi" }, { 132, "bb" }, { 134, "ibbs" },
	{ 135, "ibbs" }, { 137, "bbbs" }, { 153, "b" }, { 158, "sb" }, { 160, "b" }, { 165, "ib" },
	{ 167, "iiiii" }, { 179, "b" }, { 214, "a" }, { 215, "as" }, { 216, "assia" }, { 220, "ibbbb" },
	{ 221, "pbb" }, { 222, "asiifs" }, { 226, "asi" }, { 227, "asi" }, { 232, "asb" }, { 233, "asi" },
	{ 258, "bisbi" }, { 260, "Pbib" }, { 261, "Pibb" }, { 276, "fpfpi" }, { 278, "bsi" },
	{ 279, "pi" }, { 281, "fpbbi" }, { 285, "fbfbsi" }, { 286, "fbissi" }, { 287, "fbissi" },
	{ 291, "fpiib" }, { 434, "Pi" }, { 435, "bs" }, { 436, "iii" }, { 437, "fpbs" }, { 439, "fpii" },
	{ 441, "fbibbs" }, { 449, "biibi" },
};
#define NSHAPES (sizeof shapes / sizeof shapes[0])

struct call {
	uint64_t nr, a[7]; /* a0…a6 */
};

static uint64_t argument(char kind)
{
	switch (kind) {
	case 'f':
		return descriptor();
	case 'p':
		return path();
	case 'b':
		return pointer();
	case 's':
		return size();
	case 'a':
		return address();
	case 'P':
		return process();
	case 'i':
		return integer();
	default:
		return argument("fpbsaii"[below(7)]);
	}
}

/* ---- what is left out ---- */

static uint64_t harmless_process(uint64_t pid)
{
	int32_t p = (int32_t)pid;

	if (p == 0 || p == getpid() || p >= 4999999 || p <= -4999999)
		return pid;
	return (uint64_t)getpid();
}

/* Changes or drops what would harm any system. */
static bool harmless(struct call *c, bool root)
{
	static const uint16_t for_root[] = {
		30, 39, 40, 41, 51, 58, 89, 104, 105, 106, 112, 116, 118, 119, 140, 142, 161, 162, 164,
		170, 171, 224, 225, 261, 266, 273, 274, 294, 428, 429, 430, 431, 432, 433, 442,
	};

	for (unsigned i = 0; root && i < sizeof for_root / sizeof for_root[0]; i++)
		if (c->nr == for_root[i])
			return false;
	switch (c->nr) {
	case 26: /* the kernel's own waiting lists of other users' limits */
	case 186: /* System V objects outlive their makers */
	case 190:
	case 194:
	case 180: /* and so do message queues */
	case 217: /* and keys */
	case 218:
	case 219:
		return false;
	case 129: /* signals, limits and priorities of others */
	case 130:
	case 138:
	case 117:
	case 118:
	case 119:
	case 122:
	case 154:
	case 261:
	case 270:
	case 271:
	case 274:
	case 434:
		c->a[0] = harmless_process(c->a[0]);
		if (c->nr == 117) /* nor traced by the watchdog */
			c->a[0] = 9999;
		return true;
	case 131:
	case 240:
		c->a[0] = (uint64_t)getpid();
		c->a[1] = harmless_process(c->a[1]);
		return true;
	case 140:
		c->a[0] = 0;
		c->a[1] = harmless_process(c->a[1]);
		return true;
	case 25: /* F_SETOWN, F_SETOWN_EX: SIGIO to others */
		return (uint32_t)c->a[1] != 8 && (uint32_t)c->a[1] != 15;
	case 222: /* what is called and counted with stays: MAP_FIXED elsewhere only */
		if (c->a[0] - (uint64_t)BASE > (uint64_t)(END - BASE))
			c->a[3] &= ~(uint64_t)MAP_FIXED;
		return true;
	}
	return true;
}

static void make_call(struct call *c, int worker, uint64_t index, bool root)
{
	const char *shape = "";
	uint64_t n;

	state = seed * 0x2545f4914f6cdd1d + (uint64_t)worker * 0x9e3779b97f4a7c15;
	state += index * 0xd1342543de82ef95;
	state = rnd();
	do {
		n = below(4);
		if (n == 0)
			c->nr = below(NUMBERS);
		else if (n == 1)
			c->nr = below(12) ? below(470) : METHOD + below(METHODS);
		else
			c->nr = shapes[below(NSHAPES)].nr;
		if (only >= 0)
			c->nr = (uint64_t)only;
		for (unsigned i = 0; i < NSHAPES; i++)
			if (shapes[i].nr == c->nr && below(8))
				shape = shapes[i].shape;
		for (unsigned i = 0; i < 6; i++)
			c->a[i] = argument(i < strlen(shape) ? shape[i] : '?');
		c->a[6] = descriptor();
		shape = "";
	} while (!harmless(c, root));
}

/* The call itself.  Native receive calls clobber every register but sp, gp and tp; a child of clone
 * ends at once, on whatever stack it has. */
long hostile_call(const struct call *c);
__asm__(".text\n.globl hostile_call\nhostile_call:\n"
	"addi sp, sp, -112\n"
	"sd ra, 0(sp)\nsd s0, 8(sp)\nsd s1, 16(sp)\nsd s2, 24(sp)\nsd s3, 32(sp)\nsd s4, 40(sp)\n"
	"sd s5, 48(sp)\nsd s6, 56(sp)\nsd s7, 64(sp)\nsd s8, 72(sp)\nsd s9, 80(sp)\nsd s10, 88(sp)\n"
	"sd s11, 96(sp)\n"
	"mv t0, a0\n"
	"ld a7, 0(t0)\nld a0, 8(t0)\nld a1, 16(t0)\nld a2, 24(t0)\nld a3, 32(t0)\nld a4, 40(t0)\n"
	"ld a5, 48(t0)\nld a6, 56(t0)\n"
	"li t1, 220\nbeq a7, t1, 1f\nli t1, 435\nbeq a7, t1, 1f\n"
	"ecall\nj 2f\n"
	"1: ecall\nbnez a0, 2f\nli a7, 93\necall\n"
	"2: ld ra, 0(sp)\nld s0, 8(sp)\nld s1, 16(sp)\nld s2, 24(sp)\nld s3, 32(sp)\nld s4, 40(sp)\n"
	"ld s5, 48(sp)\nld s6, 56(sp)\nld s7, 64(sp)\nld s8, 72(sp)\nld s9, 80(sp)\nld s10, 88(sp)\n"
	"ld s11, 96(sp)\naddi sp, sp, 112\nret\n");

/* ---- a worker ---- */

static void nothing(int sig)
{
	(void)sig;
}

static void limit(int what, rlim_t value)
{
	struct rlimit r = { value, value };

	setrlimit(what, &r);
}

/* Descriptors 0…: one of every kind. */
static void open_some(void)
{
	int p[2];

	syscall(SYS_close_range, 0, ~0u, 0);
	open("/dev/null", O_RDWR);
	open("a", O_RDWR | O_CREAT, 0666);
	open("b", O_RDWR | O_CREAT | O_APPEND, 0666);
	if (pipe(p) || pipe2(p, O_NONBLOCK))
		return;
	mkdir("d", 0777);
	open("d", O_RDONLY);
	open(".", O_PATH);
	mkfifo("fifo", 0666);
	open("fifo", O_RDWR | O_NONBLOCK);
	open("a", O_RDONLY);
	open("/dev/zero", O_RDWR);
	epoll_create1(0);
	eventfd(1, EFD_NONBLOCK);
	timerfd_create(CLOCK_MONOTONIC, 0);
	memfd_create("m", MFD_ALLOW_SEALING);
	open("/proc/self/status", O_RDONLY);
	syscall(SYS_pidfd_open, getpid(), 0);
	if (symlink("a", "l") || symlink("loop", "loop"))
		return;
}

static _Noreturn void work(int number)
{
	struct worker *w = &shared->worker[number];
	struct sigaction sa = { .sa_handler = nothing };
	bool root = number % 2 == 0;
	uint64_t last = w->index + LIFE;
	char name[60];

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	limit(RLIMIT_AS, 48 << 20);
	limit(RLIMIT_FSIZE, 256 << 10);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 64);
	snprintf(name, sizeof name, "%s/%d", folder, number);
	if (chdir(name))
		_exit(1);
	if (root && chroot(".") < 0)
		root = false;
	if (root)
		prctl(TERN_PR_SERVE, 1, 0, 0, 0); /* Tern's own operations are not refused at once */
	if (!root && (setgid(1000) || setuid(1000)))
		_exit(1);
	state = seed ^ w->index;
	open_some();
	fill_memory();
	if (last > w->end)
		last = w->end;
	w->life = last;
	while (w->index < last) {
		struct call c;

		make_call(&c, number, w->index, root);
		w->succeeded += hostile_call(&c) >= 0;
		w->index++;
	}
	_exit(0);
}

/* ---- the watchdog ---- */

static pid_t start(int number)
{
	pid_t pid;

	fflush(stdout);
	while ((pid = fork()) < 0)
		usleep(10000);
	if (pid == 0)
		work(number);
	return pid;
}

static void remove_folder(void)
{
	char command[140];

	snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", folder, folder);
	if (system(command))
		printf("cannot remove %s\n", folder);
}

/* Makes `calls` calls with `workers` processes.  False when the witness failed. */
static bool run(uint64_t calls, int workers)
{
	uint64_t started = now_ms(), made = 0, succeeded = 0, lives = 0, stuck = 0, killed = 0;
	uint64_t told_at = started, ms;
	int left = workers, status;
	pid_t pid, watched;
	bool good = true;

	if (mkdir(folder, 0755) && errno != EEXIST)
		return false;
	memset(shared, 0, sizeof *shared);
	fflush(stdout);
	watched = fork();
	if (watched == 0)
		witness_run(&shared->witness);
	for (int i = 0; i < workers; i++) {
		char name[60];

		snprintf(name, sizeof name, "%s/%d", folder, i);
		if (mkdir(name, 0777) || chmod(name, 0777))
			return false;
		shared->worker[i].end = calls / (unsigned)workers;
		shared->worker[i].seen_at = started;
		shared->worker[i].pid = start(i);
	}
	while (left) {
		uint64_t now = now_ms();

		while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
			struct worker *w = shared->worker;

			if (pid == watched) {
				good = false;
				left = 0;
				break;
			}
			if (WIFSTOPPED(status)) {
				kill(pid, SIGKILL);
				continue;
			}
			while (w < shared->worker + workers && w->pid != pid)
				w++;
			if (w == shared->worker + workers)
				continue; /* an orphan of a worker's */
			lives++;
			killed += WIFSIGNALED(status);
			if (w->index < w->life || status)
				w->index++; /* not the deadly call again */
			w->told = 0;
			w->seen_at = now;
			w->pid = 0;
			if (w->index < w->end)
				w->pid = start((int)(w - shared->worker));
			else
				left--;
		}
		for (int i = 0; i < workers; i++) {
			struct worker *w = &shared->worker[i];

			if (!w->pid)
				continue;
			if (w->index > w->end) { /* a return from a signal that never came may change anything */
				w->index = w->end;
				kill(w->pid, SIGKILL);
			} else if (w->index != w->seen) {
				w->seen = w->index;
				w->seen_at = now;
				w->told = 0;
			} else if (now - w->seen_at > STUCK_MS && !w->told) {
				w->told = 1;
				stuck++;
				kill(w->pid, SIGUSR1);
			} else if (now - w->seen_at > 2 * STUCK_MS && w->told == 1) {
				w->told = 2;
				kill(w->pid, SIGKILL);
			} else if (now - w->seen_at > 20000) {
				printf("worker %d, pid %d, does not die by SIGKILL in call %lu\n", i,
				       (int)w->pid, w->index);
				return false;
			}
		}
		if (!witness_moves(&shared->witness, now))
			return false;
		if (now - told_at > 30000) {
			uint64_t sum = 0;

			for (int i = 0; i < workers; i++)
				sum += shared->worker[i].index;
			printf("%lu calls after %lu s\n", sum, (now - started) / 1000);
			fflush(stdout);
			told_at = now;
		}
		usleep(5000);
	}
	shared->witness.stop = true;
	if (good)
		good = waitpid(watched, &status, 0) == watched && status == 0 && shared->witness.rounds > 0;
	while ((pid = waitpid(-1, &status, WUNTRACED)) > 0)
		if (WIFSTOPPED(status))
			kill(pid, SIGKILL);
	for (int i = 0; i < workers; i++) {
		made += shared->worker[i].index;
		succeeded += shared->worker[i].succeeded;
	}
	ms = now_ms() - started + 1;
	printf("%lu calls, %lu a second, %lu of them succeeded\n", made, made * 1000 / ms, succeeded);
	printf("%lu lives, %lu ended by a signal, %lu calls had to be interrupted\n", lives, killed, stuck);
	witness_print(&shared->witness);
	fflush(stdout);
	remove_folder();
	return good;
}

static void show_one(int worker, uint64_t index)
{
	struct call c;

	char name[60];

	snprintf(name, sizeof name, "%s/%d", folder, worker);
	if (mkdir(folder, 0755) || mkdir(name, 0777) || chmod(name, 0777))
		exit(1);
	make_call(&c, worker, index, worker % 2 == 0);
	printf("call %lu (%#lx):", c.nr, c.nr);
	for (int i = 0; i < 7; i++)
		printf(" %#lx", c.a[i]);
	printf("\n");
	fflush(stdout);
	shared->worker[worker].index = index;
	shared->worker[worker].end = index + 1;
	work(worker);
}

int main(int argc, char **argv)
{
	static struct objects before, after;
	uint64_t calls = 60000;
	long index = -1;
	int workers = 4, worker = 0, o;
	bool good, same = true, quick = false;

	while ((o = getopt(argc, argv, "n:s:p:w:i:c:q")) > 0)
		switch (o) {
		case 'n':
			calls = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			workers = atoi(optarg);
			break;
		case 'w':
			worker = atoi(optarg);
			break;
		case 'c':
			only = atol(optarg);
			break;
		case 'q':
			quick = true;
			break;
		case 'i':
			index = atol(optarg);
			break;
		default:
			return 2;
		}
	if (workers < 1 || workers > WORKERS_MAX || worker >= WORKERS_MAX)
		return 2;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(folder, sizeof folder, "/tmp/hostile.%d", (int)getpid());
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (index >= 0)
		show_one(worker, (uint64_t)index);
	if (quick)
		return !run(calls, workers);
	good = run(20000, workers); /* fills caches, and has done all that follows once */
	usleep(100000);
	objects_read(&after); /* so that all memory of ours is there */
	objects_read(&before);
	for (int round = 0; good && round < ROUNDS_OF_A_LEAK; round++) {
		bool again = false;

		good = run(calls, workers);
		same = !good || objects_settled(&before, &after, &again);
		if (same || !again)
			break;
		/* Servers keep the memory of their busiest moment; a leak grows every time. */
		printf("perhaps servers keep memory, or somebody ended: once more\n");
		before = after;
	}
	if (good && same && before.n)
		printf("no leak: the numbers of /proc/tern/objects are as before\n");
	printf("hostile: %s\n", !good ? "FAILED" : same ? "ok" : "FAILED: a leak");
	return !(good && same);
}
