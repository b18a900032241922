/* What messages cost: instructions per operation of the native rows of `make bench`.
 *
 *   call_reply       call and reply between two address spaces, six words, all registers kept
 *   call_reply_busy  the same with other threads ready to run
 *   kernel_entry     the cheapest system call
 *   notify           from a signal to a notification until the server waiting for it runs
 *   pager_fault      a page that a server brings: from the access until it is done
 *
 * Under -icount shift=0 a tick of the time register is 100 instructions.  A row is the best of ROUNDS
 * rounds of TIMES operations, so that what a timer or another thread takes in between does not count;
 * notify is a mean.  The loops are in loops.S; they add three instructions a round trip, and the
 * server's own are counted in full.
 *
 * It is linked like a server and started like a program, without arguments.  An endpoint belongs to
 * the process that makes it, so the parent serves and its forked child, which inherits the handle of
 * the session, is the client and measures.
 */
#include <linux/mman.h>
#include <server/server.h>
#include <string.h>
#include <tern/linux/signal.h>

#define TIMES  200
#define ROUNDS 60
#define INSTRUCTIONS_PER_TICK 100
#define SPINNERS 4
#define NOTIFICATIONS 3000

#define SYS_WRITE 64
#define SYS_EXIT_GROUP 94
#define SYS_SCHED_SETSCHEDULER 119
#define SYS_YIELD 124
#define SYS_KILL 129
#define SYS_SETPRIORITY 140
#define SYS_PRCTL 167
#define SYS_CLONE 220
#define SYS_MMAP 222
#define SYS_WAIT4 260
#define CLONE_FILES 0x400
#define SCHED_FIFO 1

_Static_assert(TERN_RECV == 1025 && TERN_REPLY_RECV == 1027 && TERN_MEMOBJ_SUPPLY == 1077 &&
		       TERN_SUPPLY_RECV == 1064, "loops.S");
_Static_assert(TERN_METHOD == 0x1000 && TERN_EV_FIRST == 0x10000, "loops.S");

#define METHOD_SUM (TERN_METHOD + 1)
#define RIGHTS (TERN_R_READ | TERN_R_WRITE | TERN_R_IO)

void loop_entry(long times);
void loop_call(long times, long session);
long serve(void);
long receive_time(void);
void loop_pages(long times, long at);
long bring_pages(int object, int source, long count);

const char server_name[] = "native";

static inline uint64_t ticks(void)
{
	uint64_t t;

	__asm__ volatile("rdtime %0" : "=r"(t)::"memory");
	return t;
}

static void put(const char *text)
{
	TERN_OP3(SYS_WRITE, 1, TERN_PTR(text), strlen(text));
}

static _Noreturn void leave(int status)
{
	TERN_OP1(SYS_EXIT_GROUP, status);
	for (;;)
		;
}

static _Noreturn void fail(const char *what)
{
	put("native: FAILED: ");
	put(what);
	put("\n");
	leave(1);
}

/* `name figure` with one decimal. */
static void print_row(const char *name, uint64_t tenths)
{
	char line[64], digits[24];
	size_t n = strlen(name), k = 0;

	memcpy(line, name, n);
	do
		line[n++] = ' ';
	while (n < 20);
	digits[k++] = (char)('0' + tenths % 10);
	digits[k++] = '.';
	tenths /= 10;
	do
		digits[k++] = (char)('0' + tenths % 10);
	while ((tenths /= 10) != 0);
	while (k)
		line[n++] = digits[--k];
	line[n++] = '\n';
	line[n] = 0;
	put(line);
}

/* The best round of a loop. */
static void measure(const char *name, void (*loop)(long, long), long argument)
{
	uint64_t best = ~0ull;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = ticks(), took;

		loop(TIMES, argument);
		took = ticks() - start;
		if (took < best)
			best = took;
	}
	print_row(name, best * INSTRUCTIONS_PER_TICK * 10 / TIMES);
}

static void entry(long times, long unused)
{
	(void)unused;
	loop_entry(times);
}

static long fork_with(uint64_t flags)
{
	return TERN_OP5(SYS_CLONE, flags | SIGCHLD, 0, 0, 0, 0);
}

static int new_session(void)
{
	int ep = (int)tern_ep_create();
	long sid, h;

	if (ep < 0 || tern_bind(ep, NULL) < 0)
		fail("no endpoint to receive on");
	sid = tern_session_create(ep, TERN_BADGE_FIRST, TERN_KIND_NONE, 0, 0, -1);
	h = sid < 0 ? sid : tern_session_handle((uint64_t)sid, RIGHTS);
	if (h < 0)
		fail("no session");
	return (int)h;
}

static long call_sum(int session)
{
	register uint64_t a0 __asm__("a0") = 1;
	register uint64_t a1 __asm__("a1") = 20;
	register uint64_t a2 __asm__("a2") = 300;
	register uint64_t a3 __asm__("a3") = 4000;
	register uint64_t a4 __asm__("a4") = 50000;
	register uint64_t a5 __asm__("a5") = 600000;
	register uint64_t a6 __asm__("a6") = (uint64_t)session;
	register uint64_t a7 __asm__("a7") = METHOD_SUM;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
			 : "memory");
	return (long)a0;
}

static void reap(long pid)
{
	int status = -1;

	if (TERN_OP4(SYS_WAIT4, pid, TERN_PTR(&status), 0, 0) != pid || status)
		fail("a client's exit status");
}

/* A server and a client of one session; this process serves until the client is gone. */
static void calls(const char *name, int spinners)
{
	long spinner[SPINNERS], client;
	int session;

	for (int i = 0; i < spinners; i++) {
		spinner[i] = fork_with(0);
		if (spinner[i] < 0)
			fail("fork");
		if (spinner[i] == 0) {
			TERN_OP3(SYS_SETPRIORITY, 0, 0, 19);
			for (;;)
				__asm__ volatile("");
		}
	}
	/* An endpoint for life: the thread that serves is a process of its own. */
	client = fork_with(0);
	if (client == 0) {
		session = new_session();
		client = fork_with(0);
		if (client == 0) {
			if (call_sum(session) != 654321)
				fail("the six words of a call");
			measure(name, loop_call, session);
			leave(0);
		}
		tern_close(session);
		if (client < 0 || serve() != TERN_EV_CLOSED)
			fail("the server's last event");
		reap(client);
		leave(0);
	}
	if (client < 0)
		fail("fork");
	reap(client);
	for (int i = 0; i < spinners; i++) {
		TERN_OP2(SYS_KILL, spinner[i], SIGKILL);
		TERN_OP4(SYS_WAIT4, spinner[i], 0, 0, 0);
	}
}

struct watch {
	volatile uint64_t start; /* when the signal was given */
	volatile uint64_t total, turns;
};

/* A server of higher priority waits for notifications, its parent signals them.  The two share the
 * descriptor table, so that the parent has the server's handle, and a page with the watch.  What is
 * counted ends as the server's receive returns; the pauses between are of different lengths, so that
 * the ticks of the clock average out. */
static void notifications(const char *name)
{
	struct watch *w = (struct watch *)TERN_OP6(SYS_MMAP, 0, 4096, PROT_READ | PROT_WRITE,
						   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int first = (int)tern_ep_create(); /* the lowest number that is free */
	long server;

	if ((long)w < 0 || first < 0)
		fail("no page to share");
	tern_close(first);
	server = fork_with(CLONE_FILES);
	if (server == 0) {
		int ep = (int)tern_ep_create(), priority = 1;

		TERN_OP3(SYS_SCHED_SETSCHEDULER, 0, SCHED_FIFO, TERN_PTR(&priority));
		if (ep != first || tern_bind(ep, NULL) < 0 || tern_note_create(8) != ep + 1)
			fail("no notification");
		w->turns = 1;
		for (int i = 0; i < NOTIFICATIONS; i++) {
			w->total += (uint64_t)receive_time() - w->start;
			w->turns++;
		}
		leave(0);
	}
	if (server < 0)
		fail("clone");
	for (uint64_t i = 1; i <= NOTIFICATIONS; i++) {
		while (w->turns != i)
			TERN_OP1(SYS_YIELD, 0);
		for (uint64_t pause = i * 7 % 101; pause; pause--)
			__asm__ volatile("");
		w->start = ticks();
		tern_note_signal(first + 1, 1);
	}
	reap(server);
	print_row(name, w->total * INSTRUCTIONS_PER_TICK * 10 / NOTIFICATIONS);
}

/* The parent brings the pages of an object that its child has mapped, out of another object. */
static void pager(const char *name)
{
	enum { PAGES = TIMES * ROUNDS };
	int object, source;
	long at, client;

	if (new_session() < 0)
		fail("no endpoint");
	object = (int)TERN_OP4(TERN_MEMOBJ_CREATE, PAGES * 4096ul, 1, TERN_MEMOBJ_PAGED, 0);
	source = (int)TERN_OP4(TERN_MEMOBJ_CREATE, PAGES * 4096ul, 2, 0, 0);
	if (object < 0 || source < 0)
		fail("no objects");
	for (uint64_t i = 0; i < PAGES; i++)
		if (tern_memobj_write(source, i * 4096, &i, sizeof i) != sizeof i)
			fail("the pages");
	client = fork_with(0);
	if (client == 0) {
		at = TERN_OP6(TERN_ASPACE_MAP, -1, 0, PAGES * 4096ul,
			      PROT_READ * 0x101ul | (uint64_t)MAP_SHARED << 16, object, 0);
		if (at < 0)
			fail("no mapping");
		measure(name, loop_pages, (long)&at);
		leave(0);
	}
	if (client < 0)
		fail("fork");
	if (bring_pages(object, source, PAGES) != 4096)
		fail("the last page");
	reap(client);
}

int main(void)
{
	if (TERN_OP5(SYS_PRCTL, TERN_PR_SERVE, 1, 0, 0, 0) < 0)
		fail("no right to serve");
	measure("kernel_entry", entry, 0);
	calls("call_reply", 0);
	calls("call_reply_busy", SPINNERS);
	notifications("notify");
	pager("pager_fault");
	leave(0);
}
