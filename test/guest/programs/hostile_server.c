/* Hostile servers: programs with the right to serve that answer, forward, copy, give, move, park and die at
 * random, with hostile clients.  The kernel and everybody else must go on, nothing may be left behind, and
 * whoever calls them gets an errno, a signal or an answer.    tern only    timeout: 300
 *
 * usage: hostile_server [-n CALLS] [-s SEED] [-p GROUPS]
 *
 * A group is one server with two threads, each with an endpoint of its own and sessions of every sort on
 * it, and CLIENTS processes that have inherited descriptors of those.  What a group does follows from
 * (SEED, group, life) and from who comes first.  A life ends after LIFE messages, or by one of the deaths;
 * then the next one goes on.  Clients that make no progress are sent a signal, then killed: a
 * server need not answer.  Counted are the clients' calls and the servers' operations. */
#define _GNU_SOURCE
#include "objects.h"
#include "random.h"
#include "serve.h"
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <tern/abi.h>

#define GROUPS_MAX 8
#define CLIENTS 3
#define LIFE 400     /* operations of a server thread */
#define CALLS_LIFE 600 /* of a client */
#define STUCK_MS 40
#define PAGE 4096ul
#define HELD 24
#define NSESSIONS 6
#define FIRST_FD 20 /* the sessions', in servers and clients */

struct progress {
	volatile uint64_t count;
	uint64_t seen, seen_at;
	volatile pid_t pid;
	int told;
};

static struct shared {
	struct group {
		struct progress server, client[CLIENTS];
		volatile uint64_t lives, killed;
	} group[GROUPS_MAX];
	struct witness witness;
	volatile uint64_t answered; /* clients' calls that ended with an answer >= 0 */
} *shared;

static uint64_t seed = 1;
static char folder[48];
static struct group *mine;
static char memory[64 * PAGE] __attribute__((aligned(4096)));

static uint64_t pointer(void)
{
	switch (below(12)) {
	case 0:
		return 0;
	case 1:
		return 0xffffffc000000000ull + below(1 << 24);
	case 2:
		return rnd();
	case 3:
		return 0x4000000000ull - below(64);
	default:
		return (uint64_t)memory + below(sizeof memory - PAGE);
	}
}

static uint64_t length(void)
{
	static const uint64_t odd[] = { 0, 1, 7, 8, 4095, 4096, 4097, 65536, 1 << 20, 0x7fffffff, 0x80000000,
					1ull << 32, 1ull << 63, ~0ull, ~0ull - 4095 };

	return below(4) ? below(9000) : PICK(odd);
}

static uint64_t offset(void)
{
	return below(5) ? below(3) * PAGE + below(2) * below(5000) : length();
}

static uint64_t word(void)
{
	switch (below(5)) {
	case 0:
		return ~0ull;
	case 1:
		return 1ull << below(64);
	case 2:
		return rnd();
	default:
		return below(40);
	}
}

/* ---- a server ---- */

struct server {
	uint64_t held[HELD];
	int ep, object, paged;
	uint64_t sid[NSESSIONS], rid[4];
	unsigned nth; /* thread 0 or 1 of the process */
	int handle[8], nhandles;
	char *page; /* the message page */
} servers[2];

static long op(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	__atomic_fetch_add(&mine->server.count, 1, __ATOMIC_RELAXED);
	return serve_op(nr, a, b, c, d, e, f);
}

/* Mostly a token of this thread's; some of the other thread's, old ones, or none. */
static uint64_t token(struct server *s)
{
	switch (below(12)) {
	case 0:
		return servers[!s->nth].held[below(HELD)];
	case 1:
		return rnd();
	default:
		return s->held[below(HELD)];
	}
}

static uint64_t some_handle(struct server *s)
{
	switch (below(5)) {
	case 0:
		return word();
	case 1:
		return (uint64_t)(below(2) ? s->object : s->paged);
	case 2:
		return FIRST_FD + below(2 * NSESSIONS);
	case 3:
		return s->nhandles ? (uint64_t)s->handle[below((uint64_t)s->nhandles)] : 0;
	default:
		return below(12); /* files, pipes, a terminal perhaps */
	}
}

static void keep_handle(struct server *s, long h)
{
	if (h < 0)
		return;
	if (s->nhandles < 8) {
		s->handle[s->nhandles++] = (int)h;
	} else {
		int *at = &s->handle[below(8)];

		close(*at);
		*at = (int)h;
	}
}

static void hold(struct server *s, uint64_t t)
{
	s->held[below(HELD)] = t;
}

/* One end of a copy: its reference, with its offset in *at and its word for TERN_FROM and TERN_TO. */
static uint64_t end(struct server *s, uint64_t *at, uint64_t *kind)
{
	*kind = below(20) ? below(3) : below(16);
	*kind |= (below(4) ? 0 : below(6)) << 4;
	*at = (*kind & 15) == TERN_END_OWN ? pointer() : offset();
	if ((*kind & 15) == TERN_END_OWN)
		return 0;
	if ((*kind & 15) == TERN_END_WINDOW)
		return token(s);
	return (uint64_t)(below(2) ? s->object : s->paged);
}

static void copy(struct server *s)
{
	uint64_t from_at, to_at, from_kind, to_kind, from = end(s, &from_at, &from_kind),
		 to = end(s, &to_at, &to_kind);

	op(TERN_COPY, from, from_at, to, to_at, length(),
	   from_kind | to_kind << 8 | (below(8) ? 0 : TERN_COPY_STRING) | (below(30) ? 0 : word()));
}

/* One operation that answers nobody. */
static void play(struct server *s)
{
	uint64_t t = token(s), args[6];
	struct tern_caller who;

	switch (below(34)) {
	case 0:
		op(TERN_FORWARD, t, some_handle(s), rnd(), rnd(), below(2) ? some_handle(s) : ~0ull, 0);
		break;
	case 1:
		op(TERN_FORWARD_FD, t, below(3) ? FIRST_FD + below(2 * NSESSIONS) : below(16), rnd(), rnd(), 0, 0);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		copy(s);
		break;
	case 11:
	case 12: {
		static const uint64_t slots[] = { 0, 1, 2, TERN_SLOT_CWD, TERN_SLOT_ROOT };

		op(TERN_GIVE_SESSION, t, PICK(slots) | below(256) << 8 | below(16) << 32, rnd(), below(20),
		   below(2) ? s->rid[below(4)] : 0, below(3) ? ~0ull : some_handle(s));
		break;
	}
	case 13:
		op(TERN_GIVE, t, below(3) | below(256) << 8, some_handle(s), 0, 0, 0);
		break;
	case 14:
		op(TERN_GIVE_HIDDEN, t, below(5), below(3), 0, 0, 0);
		break;
	case 15:
		op(TERN_PARK, t, below(2) ? 0 : now_ms() * 1000000 + below(3000000), 0, 0, 0, 0);
		break;
	case 16:
		if (op(TERN_CALLER, t, below(8) ? (uint64_t)&who : pointer(), 0, 0, 0, 0) == 0 && below(2))
			op(TERN_CALLER_HANDLES, t, below(40), pointer(), below(100), 0, 0);
		break;
	case 17:
		op(TERN_REPLY_MAP, t, (uint64_t)(below(2) ? s->object : s->paged), offset(), below(8), word(), 0);
		break;
	case 18:
		keep_handle(s, op(TERN_EP_CREATE, 0, 0, 0, 0, 0, 0));
		break;
	case 19: {
		long sid = op(TERN_SESSION_CREATE, below(4) ? ~0ull : some_handle(s), rnd(), below(16), below(20),
			      below(2) ? s->rid[below(4)] : 0, below(3) ? ~0ull : some_handle(s));

		if (sid > 0)
			s->sid[below(NSESSIONS)] = (uint64_t)sid;
		break;
	}
	case 20:
		keep_handle(s, op(TERN_SESSION_HANDLE, s->sid[below(NSESSIONS)], below(256), 0, 0, 0, 0));
		break;
	case 21: {
		long rid = op(TERN_READY_CREATE, word(), word(), below(2) ? s->rid[below(4)] : word(), 0, 0, 0);

		if (rid > 0)
			s->rid[below(4)] = (uint64_t)rid;
		break;
	}
	case 22:
	case 23:
		op(TERN_READY_SET, below(8) ? s->rid[below(4)] : rnd(), below(64), below(64), 0, 0, 0);
		break;
	case 24:
		op(TERN_READY_DESTROY, s->rid[below(4)], 0, 0, 0, 0, 0);
		break;
	case 25: {
		long h = op(TERN_NOTE_CREATE, rnd(), 0, 0, 0, 0, 0);

		if (h >= 0 && below(2))
			op(TERN_NOTE_SIGNAL, (uint64_t)h, word(), 0, 0, 0, 0);
		keep_handle(s, h);
		break;
	}
	case 26:
		op(TERN_TIMER, below(2) ? 0 : now_ms() * 1000000 + below(2000000), rnd(), 0, 0, 0, 0);
		break;
	case 27:
		op(TERN_WINDOW_LENGTH, t, below(6), 0, 0, 0, 0);
		break;
	case 28: {
		long h = op(TERN_MEMOBJ_CREATE, below(3) ? below(40) * PAGE : length(), below(9), below(3), rnd(), 0, 0);

		if (h >= 0) {
			int *at = below(2) ? &s->object : &s->paged;

			close(*at);
			*at = (int)h;
		}
		break;
	}
	case 29:
		op(below(3) ? TERN_MEMOBJ_RESIZE : below(2) ? TERN_MEMOBJ_WITHDRAW : TERN_MEMOBJ_COUNT,
		   (uint64_t)(below(2) ? s->object : s->paged), below(2) ? below(50) * PAGE : pointer(), rnd(), 0, 0, 0);
		if (below(20) == 0)
			munmap(s->page, PAGE);
		break;
	case 30:
		op(TERN_MEMOBJ_PUNCH, (uint64_t)(below(2) ? s->object : s->paged), offset(), length(), 0, 0, 0);
		break;
	case 31:
		op(TERN_MEMOBJ_SUPPLY, (uint64_t)s->paged, below(40) * PAGE, (uint64_t)s->object, below(40) * PAGE,
		   below(20) * PAGE, 0);
		break;
	case 32:
		for (int i = 0; i < 6; i++)
			args[i] = below(3) ? below(4096) : below(2) ? pointer() : some_handle(s);
		op(TERN_CALL_ASYNC, rnd(), some_handle(s), below(4) ? 56 + below(30) : word(), below(2) ? t : 0,
		   below(8) ? (uint64_t)args : pointer(), 0);
		break;
	default: { /* any operation with anything; those that would wait here are made elsewhere */
		uint64_t nr = TERN_OP_FIRST + below(TERN_OP_END - TERN_OP_FIRST);

		if (nr != TERN_RECV && nr != TERN_REPLY_RECV && nr != TERN_BIND && nr != TERN_SUPPLY_RECV)
			op((long)nr, below(2) ? t : some_handle(s), below(2) ? some_handle(s) : length(),
			   below(2) ? pointer() : word(), length(), below(2) ? pointer() : word(), word());
	}
	}
}

/* The end, in one of its ways. */
static void die(void)
{
	switch (below(6)) {
	case 0:
		_exit(0);
	case 1:
		kill(getpid(), SIGKILL);
		break;
	case 2:
		raise(SIGSEGV);
		break;
	case 3:
		execl("/bin/true", "true", NULL);
		break;
	case 4:
		syscall(SYS_exit, 0); /* this thread alone, with its endpoint */
		break;
	default:
		raise(SIGTERM);
	}
	_exit(1);
}

/* x holds the registers of the answer and then those of the next message. */
static void answer_and_receive(struct server *s, uint64_t *x)
{
	uint64_t t = x[MSG_TOKEN], call = TERN_MSG_OP(x[MSG_OP]), len = x[MSG_ARGS + 2];

	memset(x, 0, 32 * sizeof *x);
	x[CALL_OP] = TERN_REPLY_RECV;
	x[REPLY_TOKEN] = below(10) ? t : token(s);
	switch (below(8)) {
	case 0:
		x[REPLY_RESULT] = -below(600);
		break;
	case 1:
		x[REPLY_RESULT] = length();
		break;
	case 2:
		x[REPLY_RESULT] = word();
		break;
	default: /* what the call could well have as its result */
		x[REPLY_RESULT] = call == SYS_read || call == SYS_write ? below(len + 1) : 0;
	}
	if (below(3) == 0) {
		x[REPLY_FLAGS] = below(2) ? rnd() & 0xffff : 0x100u << below(8) | (below(9) ? 0 : below(256));
		if (below(6) == 0)
			x[REPLY_FLAGS] = TERN_REPLY_FILE | TERN_REPLY_COPY_MEMOBJ | (below(2) ? TERN_REPLY_IN : 0);
		x[REPLY_FROM] = x[REPLY_FLAGS] & TERN_REPLY_COPY_MEMOBJ ? offset() :
				below(2) ? (uint64_t)s->page + below(PAGE) : pointer();
		x[REPLY_LENGTH] = below(4) ? below(len % 70000 + 1) : length();
		x[REPLY_WIN] = below(4) ? 0 : word();
		x[REPLY_MEMOBJ] = (uint64_t)(below(2) ? s->object : s->paged);
		x[REPLY_RID1] = s->rid[below(4)];
		x[REPLY_BITS1] = below(3) ? rnd() : length();
		x[REPLY_RID2] = below(2) ? s->rid[below(4)] : word();
		if (x[REPLY_FLAGS] & TERN_REPLY_FILE)
			x[REPLY_RID1] = offset();
		x[REPLY_BITS2] = rnd();
	}
	serve_raw(x);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	uint64_t x[32] = { 0 };

	state = seed * 0x2545f4914f6cdd1d + mine->lives * 77 + s->nth + (uint64_t)(mine - shared->group) * 1000003;
	s->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s->page[0] = 0;
	if (op(TERN_BIND, (uint64_t)s->ep, below(4) ? (uint64_t)s->page : 0, below(2) ? TERN_BIND_BYTES : 0, 0, 0,
	       0) < 0)
		_exit(3);
	x[CALL_OP] = TERN_RECV;
	serve_raw(x);
	for (int n = 0; n < LIFE; n++) {
		uint64_t event = TERN_MSG_OP(x[MSG_OP]);

		__atomic_fetch_add(&mine->server.count, 1, __ATOMIC_RELAXED);
		if (event < TERN_EV_FIRST)
			hold(s, x[MSG_TOKEN]);
		if (event < TERN_EV_FIRST && (int64_t)x[MSG_HANDLE] >= 0)
			keep_handle(s, (long)x[MSG_HANDLE]);
		for (uint64_t i = below(4); i; i--)
			play(s);
		if (event == TERN_EV_PAGE_IN && below(4))
			op(TERN_COPY, 0, (uint64_t)memory, (uint64_t)s->paged, x[MSG_ARGS], PAGE,
			   TERN_FROM(TERN_END_OWN, 0) | TERN_TO(TERN_END_MEMOBJ, 0));
		if (event == TERN_EV_CANCEL && below(4))
			op(TERN_REPLY, x[MSG_TOKEN], below(2) ? (uint64_t)-TERN_ECANCELLED : word(), 0, 0, 0, 0);
		if (below(40) == 0) /* all that waits */
			for (int i = 0; i < HELD; i++)
				op(TERN_REPLY, s->held[i], below(3) ? 0 : (uint64_t)-EIO, 0, 0, 0, 0);
		if (below(250) == 0)
			die();
		if (event == TERN_EV_PAGE_IN && below(2)) { /* the page and the next message in one */
			uint64_t at = x[MSG_ARGS];

			memset(x, 0, sizeof x);
			x[CALL_OP] = TERN_SUPPLY_RECV;
			x[CALL_ARGS] = (uint64_t)s->paged;
			x[CALL_ARGS + 1] = below(8) ? at : offset();
			x[CALL_ARGS + 2] = (uint64_t)s->object;
			x[CALL_ARGS + 3] = below(16) * PAGE;
			x[CALL_ARGS + 4] = below(4) ? PAGE : length();
			serve_raw(x);
		} else if (event < TERN_EV_FIRST && below(10)) {
			answer_and_receive(s, x);
		} else { /* not answered, or answered by and by */
			memset(x, 0, sizeof x);
			x[CALL_OP] = TERN_RECV;
			serve_raw(x);
		}
	}
	die();
	return NULL;
}

/* ---- a client ---- */

static void nothing(int sig)
{
	(void)sig;
}

/* SIGKILL when the parent ends, if it has not ended already. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

static int descriptor(void)
{
	return below(6) ? FIRST_FD + (int)below(2 * NSESSIONS) : (int)below(12);
}

static long client_call(void)
{
	int fd = descriptor(), other = descriptor();
	struct iovec v[3] = { { memory, below(5000) }, { memory + 8 * PAGE, below(9000) }, { (void *)pointer(), below(99) } };
	struct pollfd p[3] = { { fd, (short)below(64), 0 }, { other, (short)below(64), 0 }, { descriptor(), POLLIN, 0 } };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | (below(2) ? EPOLLET : 0) };
	loff_t at = (loff_t)below(9000);
	char *map;

	switch (below(30)) {
	case 0:
	case 1:
	case 2:
	case 3:
		return syscall(SYS_read, fd, pointer(), length());
	case 4:
	case 5:
	case 6:
	case 7:
		return syscall(SYS_write, fd, pointer(), length());
	case 8:
		return readv(fd, v, (int)below(4));
	case 9:
		return writev(fd, v, (int)below(4));
	case 10:
		return syscall(SYS_pread64, fd, pointer(), length(), offset());
	case 11:
		return syscall(SYS_pwrite64, fd, pointer(), length(), offset());
	case 12:
		return syscall(SYS_ioctl, fd, below(2) ? 0x5400 + below(64) : rnd(), pointer());
	case 13:
		return syscall(SYS_fcntl, fd, below(16), word());
	case 14:
		return syscall(SYS_fstat, fd, pointer());
	case 15:
		return syscall(SYS_openat, fd, below(2) ? "x" : "", O_RDWR | (below(2) ? O_CREAT : 0), 0600);
	case 16:
		return poll(p, below(4), (int)below(3));
	case 17:
		syscall(SYS_epoll_ctl, 8, 1 + below(3), fd, &e);
		return epoll_wait(8, &e, 1, (int)below(3));
	case 18:
		return sendfile(other, fd, below(2) ? &at : NULL, below(70000));
	case 19:
		return splice(fd, below(2) ? &at : NULL, other, NULL, below(70000), (unsigned)below(16));
	case 20:
		return copy_file_range(fd, NULL, other, below(2) ? &at : NULL, below(9000), 0);
	case 21:
		map = mmap(NULL, (1 + below(8)) * PAGE, PROT_READ | (below(2) ? PROT_WRITE : 0),
			   below(2) ? MAP_SHARED : MAP_PRIVATE, fd, (off_t)(below(4) * PAGE));
		if (map == MAP_FAILED)
			return -1;
		if (below(3))
			return write(1, map, PAGE) + munmap(map, PAGE * 8);
		map[0] = map[below(PAGE)] + 1; /* may wait for the server's page, or be SIGBUS */
		return munmap(map, PAGE * 8);
	case 22:
		return syscall(SYS_lseek, fd, offset(), below(5));
	case 23:
		return fchdir(fd);
	case 24:
		return syscall(SYS_getdents64, fd, pointer(), length());
	case 25: {
		int again = fcntl(fd, F_DUPFD_CLOEXEC, 40);

		return again < 0 ? -1 : close(again);
	}
	case 26: {
		pid_t me = getpid(), pid = fork();

		if (pid == 0) {
			die_with(me);
			_exit(read(fd, memory, 64) < 0);
		}
		usleep((unsigned)below(300));
		kill(pid, SIGKILL);
		return pid < 0 ? -1 : waitpid(pid, NULL, 0);
	}
	case 27:
		return syscall(SYS_flock, fd, below(8) | 4);
	case 28:
		return syscall(SYS_ftruncate, fd, length());
	default:
		return syscall(TERN_METHOD + (long)below(0x210), pointer(), length(), pointer(), length(), word(), word());
	}
}

static _Noreturn void client(int number, uint64_t life, pid_t parent)
{
	struct progress *me = &mine->client[number];
	struct sigaction sa = { .sa_handler = nothing };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } };

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	state = seed ^ (life * 131 + (uint64_t)number * 7 + (uint64_t)(mine - shared->group) * 9973);
	if (number % 2 && (setgid(1000) || setuid(1000)))
		_exit(1);
	die_with(parent); /* other ids take that back */
	for (int i = 0; i < CALLS_LIFE; i++) {
		if (client_call() >= 0)
			__atomic_fetch_add(&shared->answered, 1, __ATOMIC_RELAXED);
		me->count++;
	}
	_exit(0);
}

/* ---- a group's life ---- */

static void limit(int what, rlim_t value)
{
	struct rlimit r = { value, value };

	setrlimit(what, &r);
}

/* Files and pipes as 0…11, an epoll set as 8. */
static void open_some(void)
{
	int p[2], null;

	syscall(SYS_close_range, 3, ~0u, 0);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	open("a", O_RDWR | O_CREAT, 0666);
	if (pipe(p) || pipe2(p, O_NONBLOCK))
		_exit(3);
	dup2(epoll_create1(0), 8);
	open("/dev/zero", O_RDWR);
	open(".", O_RDONLY | O_DIRECTORY);
}

static void make_endpoint(struct server *s, unsigned nth)
{
	s->nth = nth;
	s->ep = (int)op(TERN_EP_CREATE, 0, 0, 0, 0, 0, 0);
	s->object = (int)op(TERN_MEMOBJ_CREATE, 16 * PAGE, 5, 0, 0, 0, 0);
	for (int i = 0; i < NSESSIONS; i++) {
		static const int kinds[] = { TERN_KIND_FILE, TERN_KIND_PIPE, TERN_KIND_TTY, TERN_KIND_PROC,
					     TERN_KIND_EVENT, TERN_KIND_FIFO };
		long h;

		s->sid[i] = (uint64_t)op(TERN_SESSION_CREATE, (uint64_t)s->ep, (uint64_t)i, (uint64_t)kinds[i],
					 (uint64_t)i, 0, ~0ull);
		h = op(TERN_SESSION_HANDLE, s->sid[i], 0x7f, 0, 0, 0, 0);
		if (h >= 0) {
			dup2((int)h, FIRST_FD + (int)nth * NSESSIONS + i);
			close((int)h);
		}
	}
}

/* The server's process; its clients are its children. */
static _Noreturn void group_life(uint64_t life)
{
	pid_t me = getpid();
	pthread_t second;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	limit(RLIMIT_AS, 96 << 20);
	limit(RLIMIT_FSIZE, 256 << 10);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 64);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	if (chdir(folder))
		_exit(3);
	state = seed + life;
	open_some();
	make_endpoint(&servers[0], 0);
	make_endpoint(&servers[1], 1);
	for (int i = 0; i < CLIENTS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			client(i, life, me);
		mine->client[i].pid = pid < 0 ? 0 : pid;
	}
	/* Some servers keep descriptors of their own sessions; with others the clients' are the last ones. */
	if (life & 1)
		syscall(SYS_close_range, FIRST_FD, ~0u, 0);
	if (pthread_create(&second, NULL, serve, &servers[1]))
		_exit(3);
	serve(&servers[0]);
	_exit(0);
}

/* ---- the watchdog ---- */

static pid_t start(struct group *g)
{
	pid_t pid;

	mine = g;
	memset(g->client, 0, sizeof g->client);
	fflush(stdout);
	while ((pid = fork()) < 0)
		usleep(10000);
	if (pid == 0)
		group_life(g->lives);
	g->server.pid = pid;
	g->server.told = 0;
	g->server.seen_at = now_ms();
	return pid;
}

/* Whoever stands still: clients are woken, then killed; so are servers, later. */
static void nudge(struct progress *p, uint64_t now, uint64_t patience, struct group *g)
{
	if (!p->pid)
		return;
	if (p->count != p->seen) {
		p->seen = p->count;
		p->seen_at = now;
		p->told = 0;
	} else if (!p->seen_at) {
		p->seen_at = now;
	} else if (now - p->seen_at > patience && !p->told) {
		p->told = 1;
		kill(p->pid, SIGUSR1);
	} else if (now - p->seen_at > 2 * patience && p->told == 1) {
		p->told = 2;
		g->killed++;
		kill(p->pid, SIGKILL);
	}
}

static uint64_t made(int groups)
{
	uint64_t sum = 0;

	for (int i = 0; i < groups; i++) {
		sum += shared->group[i].server.count;
		for (int c = 0; c < CLIENTS; c++)
			sum += shared->group[i].client[c].count;
	}
	return sum;
}

static bool run(uint64_t calls, int groups)
{
	uint64_t started = now_ms(), told_at = started, done = 0, ms, lives = 0, killed = 0;
	char command[80];
	int status;
	pid_t pid, watched;
	bool good = true;

	if (mkdir(folder, 0777) || chmod(folder, 0777))
		return false;
	memset(shared, 0, sizeof *shared);
	fflush(stdout);
	watched = fork();
	if (watched == 0)
		witness_run(&shared->witness);
	for (int i = 0; i < groups; i++)
		start(&shared->group[i]);
	while (good && done + made(groups) < calls) {
		uint64_t now = now_ms();

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == watched)
				good = false;
			for (int i = 0; i < groups; i++) {
				struct group *g = &shared->group[i];

				if (g->server.pid != pid)
					continue;
				g->lives++;
				for (int c = 0; c < CLIENTS; c++)
					done += g->client[c].count;
				start(g);
			}
		}
		for (int i = 0; i < groups; i++) {
			struct group *g = &shared->group[i];

			for (int c = 0; c < CLIENTS; c++)
				nudge(&g->client[c], now, STUCK_MS, g);
			nudge(&g->server, now, 4 * STUCK_MS, g);
		}
		good = good && witness_moves(&shared->witness, now);
		if (now - told_at > 30000) {
			printf("%lu calls after %lu s\n", done + made(groups), (now - started) / 1000);
			fflush(stdout);
			told_at = now;
		}
		usleep(5000);
	}
	done += made(groups);
	for (int i = 0; i < groups; i++) {
		kill(shared->group[i].server.pid, SIGKILL);
		lives += shared->group[i].lives;
		killed += shared->group[i].killed;
	}
	shared->witness.stop = true;
	if (good)
		good = waitpid(watched, &status, 0) == watched && status == 0 && shared->witness.rounds > 0;
	started = now_ms() - started + 1;
	ms = now_ms();
	while ((pid = waitpid(-1, &status, WNOHANG)) >= 0) {
		if (pid == 0)
			usleep(5000);
		if (now_ms() - ms > 20000) {
			printf("somebody does not die by SIGKILL\n");
			fflush(stdout);
			if (system("ps -o pid,ppid,stat,comm; for p in /proc/[1-9]*; do echo $p $(cat $p/stat); done"))
				return false;
			return false;
		}
	}
	printf("%lu calls, %lu a second, %lu of clients' answered well\n", done, done * 1000 / started,
	       shared->answered);
	printf("%lu lives of servers, %lu processes had to be killed\n", lives, killed);
	witness_print(&shared->witness);
	fflush(stdout);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 && good;
}

int main(int argc, char **argv)
{
	static struct objects before, after;
	uint64_t calls = 20000;
	int groups = 2, o;
	bool good, same = true;

	while ((o = getopt(argc, argv, "n:s:p:")) > 0)
		switch (o) {
		case 'n':
			calls = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			groups = atoi(optarg);
			break;
		default:
			return 2;
		}
	if (groups < 1 || groups > GROUPS_MAX)
		return 2;
	serve_take();
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(folder, sizeof folder, "/tmp/hostile_server.%d", (int)getpid());
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	good = run(5000, groups); /* fills caches */
	usleep(100000);
	objects_read(&after);
	objects_steady(&before);
	for (int round = 0; good && round < ROUNDS_OF_A_LEAK; round++) {
		bool again = false;

		good = run(calls, groups);
		same = !good || objects_settled(&before, &after, &again);
		if (same || !again)
			break;
		printf("perhaps servers keep memory, or somebody ended: once more\n");
		before = after;
	}
	if (good && same && before.n)
		printf("no leak: the numbers of /proc/tern/objects are as before\n");
	printf("hostile_server: %s\n", !good ? "FAILED" : same ? "ok" : "FAILED: a leak");
	return !(good && same);
}
