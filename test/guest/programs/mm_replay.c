/* The steps of the property test of mm/ (test/host/mm_oracle.h) with system calls, against the same
 * oracle; on Linux, too.
 *
 * usage: mm_replay [-s SEED] [-r RUNS] [-n STEPS] [-u PAGES] [-t THREADS] [-v]    timeout: 240
 *
 * Processes: a leader makes the steps and puts them into the ring of the space's process, with what
 * is expected.  Each process performs its own ring's steps as fast as it can, so that up to four do
 * so at once, in spaces that share tables by fork.  Only where the steps of two meet at an
 * object (reads and writes of a page of it, its size) does one wait for the other.
 *
 * Threads (-t): each makes and performs its own steps in its own part of one space, and forks now and then.
 *
 * Checked are results, errnos, contents, the signals of bad accesses with code and address,
 * mincore, /proc/self/maps; and after each run that /proc/tern/objects is as before.
 * -u makes each page of the oracle so many pages.  Without -s, a few short runs of all kinds. */
#define _GNU_SOURCE
#include "../../host/mm_oracle.h"
#include "objects.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE ((size_t)ORACLE_PAGE)
#define SPACES ORACLE_SPACES
#define OBJECTS ORACLE_OBJECTS
#define PAGES ORACLE_PAGES
#define RING 64u
#define CHECK_EVERY 64
#define STUCK 60 /* seconds without a step */
#define MIB (1ul << 20)
#define GIB (1ul << 30)
#define LEAF (2 * MIB)	 /* what one leaf table maps */
#define BEFORE_LEAF 40u	 /* the pages of a window below the end of a leaf table */

/* ---- what a performer of steps has of its own ---- */

struct place {
	char *base;	   /* of its window */
	size_t unit;	   /* bytes of one of the oracle's pages */
	size_t byte;	   /* in it: what the oracle knows */
	int object[OBJECTS];
	int file, pipe[2]; /* for copies by the kernel */
	unsigned space;
	unsigned long number; /* of the step being done */
	const struct step *step;
	unsigned checks;
};

static bool on_tern, tracing;
static uint64_t seed;

static char *at_page(const struct place *c, uint32_t page)
{
	return c->base + page * c->unit;
}

static char *byte_of(const struct place *c, uint32_t page)
{
	return at_page(c, page) + c->byte;
}

/* ---- waiting for each other ---- */

struct counter {
	uint32_t value, waiters;
};

struct order {
	struct step step;
	unsigned long number;
	uint32_t first;		/* FORK: the child's first step in its ring */
	uint32_t after[SPACES]; /* steps of others that must be done */
};

static struct shared {
	uint32_t failed;
	struct slot {
		struct counter given, done;
		pid_t pid;
		struct order ring[RING];
	} slot[SPACES];
} *shared;

static void show_maps(const struct place *c)
{
	char text[4096];
	int fd = open("/proc/self/maps", O_RDONLY);
	int n = snprintf(text, sizeof text, "the window is %p, pages of %zu bytes\n", c->base, c->unit);
	ssize_t got = n;

	do
		if (write(1, text, (size_t)got) < 0)
			break;
	while ((got = read(fd, text, sizeof text)) > 0);
	close(fd);
}

static _Noreturn void fail(const struct place *c, const char *format, ...)
{
	static char text[900];
	int n = snprintf(text, sizeof text, "mm_replay: seed %lu, ", seed);
	va_list args;

	if (c) {
		n += snprintf(text + n, sizeof text - (size_t)n, "step %lu: ", c->number);
		if (c->step)
			n += oracle_print(c->step, text + n, sizeof text - (size_t)n);
		n += snprintf(text + n, sizeof text - (size_t)n, ": ");
	}
	va_start(args, format);
	n += vsnprintf(text + n, sizeof text - (size_t)n, format, args);
	va_end(args);
	text[n++] = '\n';
	if (!__atomic_exchange_n(&shared->failed, 1, __ATOMIC_SEQ_CST) && write(1, text, (size_t)n) == n && c)
		show_maps(c);
	_exit(1);
}

static void advance(struct counter *c, uint32_t value)
{
	__atomic_store_n(&c->value, value, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&c->waiters, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &c->value, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool reached(struct counter *c, uint32_t value)
{
	return (int32_t)(__atomic_load_n(&c->value, __ATOMIC_SEQ_CST) - value) >= 0;
}

static void await(struct counter *c, uint32_t value)
{
	const struct timespec second = { 1, 0 };

	for (int silent = 0; !reached(c, value);) {
		uint32_t seen = __atomic_load_n(&c->value, __ATOMIC_SEQ_CST);

		__atomic_add_fetch(&c->waiters, 1, __ATOMIC_SEQ_CST);
		if ((int32_t)(seen - value) < 0)
			syscall(SYS_futex, &c->value, FUTEX_WAIT, seen, &second, NULL, 0);
		__atomic_sub_fetch(&c->waiters, 1, __ATOMIC_SEQ_CST);
		silent = seen == __atomic_load_n(&c->value, __ATOMIC_SEQ_CST) ? silent + 1 : 0;
		if (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST))
			_exit(1);
		if (silent > STUCK)
			fail(NULL, "stuck: %u done, %u awaited (%u %u, %u %u, %u %u, %u %u)", seen, value,
			     shared->slot[0].done.value, shared->slot[0].given.value,
			     shared->slot[1].done.value, shared->slot[1].given.value,
			     shared->slot[2].done.value, shared->slot[2].given.value,
			     shared->slot[3].done.value, shared->slot[3].given.value);
	}
}

/* ---- accesses ---- */

static __thread sigjmp_buf escape;
static __thread volatile bool armed;
static __thread volatile int caught, caught_code;
static __thread void *volatile caught_at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	caught = sig;
	caught_code = info->si_code;
	caught_at = info->si_addr;
	if (!armed)
		fail(NULL, "signal %d, code %d, address %p", sig, info->si_code, info->si_addr);
	siglongjmp(escape, 1);
}

static void catch_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	for (int i = 0; i < 3; i++)
		sigaction(signals[i], &sa, NULL);
}

/* A page's words: what the oracle knows, what is written first, so that a write faults as one, and what is
 * never written and so no instruction. */
enum { WORD_KNOWN, WORD_WRITTEN, WORD_NO_CODE };

/* What an access gives, and the word that was there. */
static enum outcome touch(char *at, unsigned access, uint32_t *word)
{
	static const unsigned first[] = { [ORACLE_READ] = WORD_KNOWN,
					  [ORACLE_WRITE] = WORD_WRITTEN,
					  [ORACLE_EXEC] = WORD_NO_CODE };
	volatile uint32_t *words = (volatile uint32_t *)(void *)at;
	void *expected = (void *)(uintptr_t)&words[first[access]];
	uint32_t value = *word;

	caught = 0;
	if (!sigsetjmp(escape, 0)) {
		armed = true;
		if (access == ORACLE_EXEC)
			((void (*)(void))(uintptr_t)expected)();
		if (access == ORACLE_WRITE)
			words[WORD_WRITTEN] = value;
		*word = words[WORD_KNOWN];
		if (access == ORACLE_WRITE)
			words[WORD_KNOWN] = value;
	}
	armed = false;
	if (!caught || (caught == SIGILL && access == ORACLE_EXEC && caught_at == expected))
		return OUTCOME_OK;
	if (caught_at == expected && caught == SIGSEGV && caught_code == SEGV_MAPERR)
		return OUTCOME_MAPERR;
	if (caught_at == expected && caught == SIGSEGV && caught_code == SEGV_ACCERR)
		return OUTCOME_ACCERR;
	if (caught_at == expected && caught == SIGBUS && caught_code == BUS_ADRERR)
		return OUTCOME_BUS;
	return -1;
}

static bool is_value(const struct oracle_access *a, uint32_t got)
{
	/* Tern forgets at once what MADV_FREE named. */
	return got == a->old || (!on_tern && got == a->maybe);
}

static void access_page(struct place *c, const struct oracle_access *a)
{
	uint32_t word = a->value;
	enum outcome got = touch(byte_of(c, a->page), a->access, &word);

	if (got != a->want)
		fail(c, "page %u, access %u: %d, expected %d; signal %d, code %d, address %p", a->page,
		     a->access, (int)got, a->want, caught, caught_code, caught_at);
	if (got == OUTCOME_OK && a->access != ORACLE_EXEC && !is_value(a, word))
		fail(c, "page %u, access %u: %#x, expected %u", a->page, a->access, word, a->old);
}

/* ---- copies by the kernel ---- */

static void copied(struct place *c, const struct oracle_access *a, ssize_t n)
{
	if (n != (a->want == OUTCOME_OK ? 1 : -1) || (n < 0 && errno != EFAULT))
		fail(c, "copy at page %u, access %u: %zd, errno %d", a->page, a->access, n, errno);
}

static void copy_from(struct place *c, const struct oracle_access *a)
{
	char *at = byte_of(c, a->page);
	bool by_pipe = a->page & 1;
	uint8_t got = 0;

	copied(c, a, by_pipe ? write(c->pipe[1], at, 1) : pwrite(c->file, at, 1, 0));
	if (a->want != OUTCOME_OK)
		return;
	if ((by_pipe ? read(c->pipe[0], &got, 1) : pread(c->file, &got, 1, 0)) != 1 || !is_value(a, got))
		fail(c, "copied from page %u: %u, expected %u", a->page, got, a->old);
}

static void copy_to(struct place *c, const struct oracle_access *a)
{
	char *at = byte_of(c, a->page);
	bool by_pipe = a->page & 1;
	uint8_t value = a->want == OUTCOME_OK ? a->value : 1, kept = 0;

	if ((by_pipe ? write(c->pipe[1], &value, 1) : pwrite(c->file, &value, 1, 0)) != 1)
		fail(c, "errno %d of a plain write", errno);
	copied(c, a, by_pipe ? read(c->pipe[0], at, 1) : pread(c->file, at, 1, 0));
	/* A pipe keeps what could not be read out of it. */
	if (by_pipe && a->want != OUTCOME_OK && (read(c->pipe[0], &kept, 1) != 1 || kept != value))
		fail(c, "the pipe has lost a byte");
}

static void copy_page(struct place *c, const struct oracle_access *a)
{
	if (a->access == ORACLE_WRITE)
		copy_to(c, a);
	else
		copy_from(c, a);
}

/* ---- regions ---- */

static void returned(struct place *c, long got)
{
	if (got != (c->step->result ? -1 : 0) || (got && errno != -c->step->result))
		fail(c, "returned %ld, errno %d", got, errno);
}

static void do_map(struct place *c, const struct step *s)
{
	char *at = at_page(c, s->page);
	int fd = s->object >= 0 ? c->object[s->object] : -1;
	/* Without MAP_FIXED, the address is a hint. */
	char *got = mmap(at, s->n * c->unit, (int)s->prot, (int)s->flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd,
			 (off_t)(s->index * c->unit));

	if (got != MAP_FAILED && got != at)
		fail(c, "mapped at %p, expected %p", got, at);
	returned(c, got == MAP_FAILED ? -1 : 0);
}

static void move(struct place *c, uint32_t from, uint32_t n, uint32_t to, uint32_t m, unsigned flags)
{
	char *want = at_page(c, to), *got;

	got = mremap(at_page(c, from), n * c->unit, m * c->unit, (int)flags, want);
	if (got != MAP_FAILED && got != want && !(flags & MREMAP_FIXED) && to != from)
		got = mremap(got, m * c->unit, m * c->unit, MREMAP_MAYMOVE | MREMAP_FIXED, want);
	if (got != want)
		fail(c, "moved to %p, expected %p, errno %d", got, want, errno);
}

/* What is one region for Tern may be several for Linux, which moves no more than one at a time. */
static bool must_move_by_pages(struct place *c, const struct step *s)
{
	char *at = at_page(c, s->page);

	if (on_tern || s->n == 1 || (!s->fixed && s->m <= s->n))
		return false;
	return mremap(at, s->n * c->unit, s->n * c->unit + GIB * 256, 0) == MAP_FAILED && errno == EFAULT;
}

static void do_remap(struct place *c, const struct step *s)
{
	uint32_t last = (s->m < s->n ? s->m : s->n) - 1;
	unsigned flags = s->flags | (s->to != s->page ? MREMAP_FIXED : 0);

	if (!must_move_by_pages(c, s)) {
		move(c, s->page, s->n, s->to, s->m, s->flags);
		return;
	}
	for (uint32_t k = 0; k < last && s->to != s->page; k++)
		move(c, s->page + k, 1, s->to + k, 1, flags);
	move(c, s->page + last, 1, s->to + last, s->m - last, flags);
	if (s->m < s->n && munmap(at_page(c, s->page + s->m), (s->n - s->m) * c->unit))
		fail(c, "munmap: errno %d", errno);
}

static void do_brk(struct place *c, const struct step *s)
{
	char *got = (char *)syscall(SYS_brk, at_page(c, s->n));

	if (got != at_page(c, s->to))
		fail(c, "brk %p, expected %p", got, at_page(c, s->to));
}

/* ---- objects ---- */

static off_t scaled(const struct place *c, uint64_t size)
{
	return (off_t)(size / PAGE * c->unit + (size % PAGE ? c->byte + size % PAGE : 0));
}

static void do_object(struct place *c, const struct step *s)
{
	int fd = c->object[s->object];
	off_t at = (off_t)(s->index * c->unit), byte = at + (off_t)c->byte;
	uint8_t got = 0;

	switch (s->kind) {
	case STEP_RESIZE:
		returned(c, ftruncate(fd, scaled(c, s->size)));
		break;
	case STEP_PUNCH:
		returned(c, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
				      (off_t)(s->n * c->unit)));
		break;
	case STEP_WRITE: /* beyond the end it would grow */
		if (s->result && pwrite(fd, &s->access->value, 1, byte) != 1)
			fail(c, "pwrite: errno %d", errno);
		break;
	default:
		if (pread(fd, &got, 1, byte) != s->result || got != s->access->old)
			fail(c, "the file has %u, expected %u", got, s->access->old);
		break;
	}
}

/* ---- checks of a whole window ---- */

static void check_resident(struct place *c, const struct oracle_access *a)
{
	unsigned char there;
	bool mapped = a->region & ORACLE_MAPPED;

	if (mincore(byte_of(c, a->page), PAGE, &there) != (mapped ? 0 : -1) || (!mapped && errno != ENOMEM))
		fail(c, "mincore of page %u: errno %d, mapped %d", a->page, errno, mapped);
	/* What was just read is there. */
	if (mapped && a->want == OUTCOME_OK && !(a->region & ORACLE_FILE) && !(there & 1))
		fail(c, "mincore: page %u, just read, is not there", a->page);
}

/* A line of maps: what it says of each page of the window. */
static void check_line(struct place *c, const char *line, uint8_t *seen)
{
	unsigned long start, end;
	char p[5];

	if (sscanf(line, "%lx-%lx %4s", &start, &end, p) != 3)
		fail(c, "maps: %s", line);
	for (uint32_t k = 0; k < PAGES; k++) {
		unsigned long at = (unsigned long)at_page(c, k);

		if (at >= start && at < end)
			seen[k] = (uint8_t)(ORACLE_MAPPED | (p[0] == 'r' ? PROT_READ : 0) |
					    (p[1] == 'w' ? PROT_WRITE : 0) |
					    (p[2] == 'x' ? PROT_EXEC : 0) |
					    (p[3] == 's' ? ORACLE_SHARED : 0));
	}
}

static void check_maps(struct place *c, const struct step *s)
{
	static __thread char text[65536];
	uint8_t seen[PAGES] = { 0 };
	size_t used = 0;
	ssize_t n;
	int fd = open("/proc/self/maps", O_RDONLY);

	if (fd < 0)
		fail(c, "/proc/self/maps: errno %d", errno);
	while (used < sizeof text - 1 && (n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		check_line(c, line, seen);
	}
	for (uint32_t k = 0; k < PAGES; k++)
		if (seen[k] != (s->access[k].region & ~ORACLE_FILE))
			fail(c, "maps: page %u is %#x, expected %#x", k, seen[k], s->access[k].region);
}

static void do_check(struct place *c, const struct step *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct oracle_access *a = &s->access[i];
		bool due = i % 8 == c->checks % 8;

		if (a->want == OUTCOME_OK || due) /* signals take long */
			access_page(c, a);
		if (due)
			check_resident(c, a);
	}
	if (c->checks++ % 16 == 0)
		check_maps(c, s);
}

/* All but the ends and beginnings of spaces. */
static void perform(struct place *c, const struct step *s)
{
	char *at = at_page(c, s->page);
	size_t length = s->n * c->unit;

	switch (s->kind) {
	case STEP_ACCESS:
		for (uint32_t i = 0; i < s->count; i++)
			access_page(c, &s->access[i]);
		break;
	case STEP_COPY: copy_page(c, s->access); break;
	case STEP_TRANSFER:
		copy_from(c, &s->access[0]);
		if (s->access[0].want == OUTCOME_OK)
			copy_to(c, &s->access[1]);
		break;
	case STEP_MAP: do_map(c, s); break;
	case STEP_UNMAP: returned(c, munmap(at, length)); break;
	case STEP_PROTECT: returned(c, mprotect(at, length, (int)s->prot)); break;
	case STEP_BRK: do_brk(c, s); break;
	case STEP_ADVISE: returned(c, madvise(at, length, s->advice)); break;
	case STEP_REMAP: do_remap(c, s); break;
	case STEP_RESIZE:
	case STEP_PUNCH:
	case STEP_WRITE:
	case STEP_READ: do_object(c, s); break;
	case STEP_CHECK: do_check(c, s); break;
	default: break;
	}
}

/* ---- windows ---- */

/* The page above a window is mapped, so that nothing grows out of it. */
static void close_window(const struct place *c)
{
	char *end = at_page(c, PAGES);

	if (mmap(end, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != end)
		fail(NULL, "mmap: errno %d", errno);
}

/* Where a window lies across the end of a leaf table, with nothing else in its two tables; for odd
 * seeds also across the end of a table above. */
static char *choose_base(size_t unit)
{
	uintptr_t span = seed % 2 ? GIB : LEAF;
	uintptr_t low = (uintptr_t)sbrk(0) + LEAF + BEFORE_LEAF * unit;

	return (char *)((low + span - 1) / span * span - BEFORE_LEAF * unit);
}

/* Moves the heap's end there; it has no memory of its own.  From here on nobody may use malloc. */
static void move_heap(char *to)
{
	char *at = sbrk(0), *first = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));

	while (at < to) {
		at = to - at > (long)(16 * MIB) ? at + 16 * MIB : to;
		if (brk(at) || (at > first && munmap(first, (size_t)(at - first)) && errno != EINVAL))
			fail(NULL, "brk %p: errno %d", at, errno);
		first = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));
	}
}

static void open_files(struct place *c, const struct oracle *o)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		c->object[i] = memfd_create("object", 0);
		if (c->object[i] < 0 || ftruncate(c->object[i], scaled(c, o->object[i].size)))
			fail(NULL, "an object: errno %d", errno);
	}
}

static void open_ways(struct place *c)
{
	c->file = memfd_create("copies", 0);
	if (c->file < 0 || pipe(c->pipe))
		fail(NULL, "a file and a pipe: errno %d", errno);
}

/* ---- processes ---- */

/* Which space a process is, and its next step in that ring. */
struct follower {
	unsigned space;
	uint32_t at;
};

/* In the child, *me is the child's.  Its parent may be done with the order before it begins. */
static void do_fork(const struct place *c, const struct order *o, struct follower *me)
{
	struct follower child = { .space = o->step.other, .at = o->first };
	pid_t pid = fork();

	if (pid < 0)
		fail(c, "fork: errno %d", errno);
	if (pid == 0)
		*me = child;
}

/* Performs steps of a ring, up to a fork: then the child returns.  Those before are an earlier process's. */
static void follow_ring(struct place *places, struct follower *me)
{
	unsigned space = me->space;
	struct slot *slot = &shared->slot[space];
	struct place *c = &places[space];

	await(&slot->done, me->at);
	slot->pid = getpid();
	while (me->space == space) {
		const struct order *o = &slot->ring[me->at % RING];
		uint32_t at = me->at;
		bool ends;

		await(&slot->given, at + 1);
		for (unsigned k = 0; k < SPACES; k++)
			if (k != space)
				await(&shared->slot[k].done, o->after[k]);
		c->number = o->number;
		c->step = &o->step;
		me->at++;
		if (o->step.kind != STEP_FORK)
			perform(c, &o->step);
		else
			do_fork(c, o, me);
		if (me->space != space)
			return;
		ends = o->step.kind == STEP_EXIT;
		advance(&slot->done, at + 1); /* the ring's place may be used again at once */
		if (ends)
			_exit(0);
	}
}

static _Noreturn void follow(struct place *places, unsigned space, uint32_t at)
{
	struct follower me = { space, at };

	for (;;)
		follow_ring(places, &me);
}

/* For each object the step that wrote last, and each space's that read last. */
struct meetings {
	unsigned writer[OBJECTS];
	uint32_t written[OBJECTS], read[OBJECTS][SPACES];
};

static void later(uint32_t *after, uint32_t value)
{
	if ((int32_t)(value - *after) > 0)
		*after = value;
}

static void order_meetings(struct meetings *m, struct order *o, uint32_t number)
{
	unsigned space = o->step.space;

	for (unsigned i = 0; i < OBJECTS; i++) {
		bool writes = o->step.writes >> i & 1, reads = o->step.reads >> i & 1;

		if (!reads && !writes)
			continue;
		later(&o->after[m->writer[i]], m->written[i]);
		for (unsigned k = 0; k < SPACES && writes; k++)
			later(&o->after[k], m->read[i][k]);
		m->read[i][space] = number;
		if (writes) {
			m->writer[i] = space;
			m->written[i] = number;
		}
	}
}

static struct meetings meetings;
static unsigned long number;

static void give(const struct step *s, uint32_t first)
{
	struct slot *slot = &shared->slot[s->space];
	uint32_t at = slot->given.value;
	struct order *o = &slot->ring[at % RING];

	await(&slot->done, at + 1 - RING);
	o->step = *s;
	o->number = number;
	o->first = first;
	/* An ended space's counter goes on: nobody waits for less than there is. */
	for (unsigned k = 0; k < SPACES; k++)
		o->after[k] = shared->slot[k].done.value;
	order_meetings(&meetings, o, at + 1);
	advance(&slot->given, at + 1);
}

static void give_check(const struct oracle *o, unsigned space)
{
	static struct step s;

	oracle_check(o, space, &s);
	give(&s, 0);
}

/* Both halves of a transfer are copies; the second is due only if the first succeeds. */
static void give_transfer(struct step *s)
{
	s->kind = STEP_COPY;
	give(s, 0);
	if (s->access[0].want != OUTCOME_OK)
		return;
	s->access[0] = s->access[1];
	s->space = s->other;
	give(s, 0);
}

static void give_end(unsigned space)
{
	static struct step s;

	memset(&s, 0, sizeof s);
	s.kind = STEP_EXIT;
	s.space = (uint8_t)space;
	give(&s, 0);
}

static void lead_step(struct oracle *o, struct place *places)
{
	static struct step s;

	oracle_next(o, &s);
	if (tracing) {
		char text[300];
		int n = oracle_print(&s, text, sizeof text - 1);

		text[n] = '\n';
		if (write(1, text, (size_t)n + 1) < 0)
			_exit(3);
	}
	if (s.fresh) {
		uint32_t first = shared->slot[s.space].given.value;
		pid_t pid = fork();

		if (pid < 0)
			fail(NULL, "fork: errno %d", errno);
		if (pid == 0)
			follow(places, s.space, first);
	}
	if (s.kind == STEP_TRANSFER) {
		give_transfer(&s);
	} else if (s.kind == STEP_FORK) {
		if (s.kill_other)
			give_end(s.other);
		give(&s, shared->slot[s.other].given.value);
		give_check(o, s.other);
		give_check(o, s.space);
	} else {
		give(&s, 0);
	}
}

static void lead(unsigned long steps, size_t pages)
{
	static struct oracle o;
	static struct place places[SPACES];

	signal(SIGCHLD, SIG_IGN);
	oracle_start(&o, seed, NULL, 0);
	places[0].unit = pages * PAGE;
	places[0].byte = seed % pages * PAGE;
	places[0].base = choose_base(places[0].unit);
	open_files(&places[0], &o);
	for (unsigned k = 0; k < SPACES; k++) {
		places[k] = places[0];
		places[k].space = k;
		open_ways(&places[k]);
	}
	close_window(&places[0]);
	move_heap(places[0].base);
	for (number = 1; number <= steps; number++) {
		lead_step(&o, places);
		for (unsigned k = 0; k < SPACES && number % CHECK_EVERY == 0; k++)
			if (o.space[k].live)
				give_check(&o, k);
	}
	for (unsigned k = 0; k < SPACES; k++)
		if (o.space[k].live)
			give_end(k);
	for (unsigned k = 0; k < SPACES; k++)
		await(&shared->slot[k].done, shared->slot[k].given.value);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* ---- threads ---- */

struct worker {
	struct place place;
	struct oracle oracle;
	struct step step, check;
	unsigned long steps;
	pthread_t thread;
};

static void check_window(struct worker *w, unsigned space)
{
	oracle_check(&w->oracle, space, &w->check);
	w->place.step = &w->check;
	perform(&w->place, &w->check);
}

/* A child sees the window as its parent left it, whatever the other threads do. */
static void check_in_child(struct worker *w)
{
	int status;
	pid_t pid;

	oracle_fork(&w->oracle, 0, 1);
	pid = fork();
	if (pid == 0) {
		check_window(w, 1);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail(&w->place, "a child failed");
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct place *c = &w->place;

	for (c->number = 1; c->number <= w->steps && !shared->failed; c->number++) {
		oracle_next(&w->oracle, &w->step);
		c->step = &w->step;
		if (w->step.kind == STEP_EXIT)
			munmap(c->base, PAGES * c->unit);
		else
			perform(c, &w->step);
		if (c->number % CHECK_EVERY == 0)
			check_window(w, 0);
		if (c->number % (CHECK_EVERY / 2) == 0)
			check_in_child(w);
	}
	return NULL;
}

static void lead_threads(unsigned long steps, size_t pages, unsigned threads)
{
	static struct worker workers[8];

	for (unsigned i = 0; i < threads; i++) {
		struct worker *w = &workers[i];

		w->steps = steps;
		oracle_start(&w->oracle, seed * 8 + i, NULL, 0);
		w->oracle.nspaces = 1;
		w->oracle.has_brk = false;
		w->place.unit = pages * PAGE;
		w->place.byte = seed % pages * PAGE;
		w->place.base = i ? at_page(&workers[i - 1].place, PAGES) + 2 * PAGE :
				    choose_base(w->place.unit);
		open_files(&w->place, &w->oracle);
		open_ways(&w->place);
		close_window(&w->place);
	}
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			fail(NULL, "pthread_create");
	for (unsigned i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
}

/* ---- runs ---- */

/* One run in a process of its own; false if it failed. */
static bool run(unsigned long steps, size_t pages, unsigned threads)
{
	int status = -1;
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		catch_faults();
		if (threads)
			lead_threads(steps, pages, threads);
		else
			lead(steps, pages);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status == 0 && !shared->failed)
		return true;
	if (!shared->failed)
		printf("mm_replay: seed %lu: status %#x\n", seed, (unsigned)status);
	/* Those that wait see it, and end. */
	__atomic_store_n(&shared->failed, 1, __ATOMIC_SEQ_CST);
	return false;
}

static bool run_counted(unsigned long steps, size_t pages, unsigned threads)
{
	static struct objects before, after;
	bool good, again = false;

	for (int try = 0; try < 3; try++) {
		objects_steady(&before);
		good = run(steps, pages, threads);
		if (!good || objects_settled(&before, &after, &again))
			break;
		good = false;
		if (!again)
			break;
	}
	printf("seed %lu, %lu steps, %zu pages each, %u threads: %s%s\n", seed, steps, pages, threads,
	       good ? "ok" : "FAILED", good && before.n ? ", nothing left behind" : "");
	fflush(stdout);
	return good;
}

static bool run_some(void)
{
	static const struct {
		uint64_t seed;
		unsigned long steps;
		size_t pages;
		unsigned threads;
	} runs[] = { { 1, 1000, 1, 0 }, { 2, 1000, 1, 0 }, { 3, 400, 64, 0 }, { 4, 100, 1, 4 } };
	bool good = true;

	for (unsigned i = 0; i < sizeof runs / sizeof runs[0] && good; i++) {
		seed = runs[i].seed;
		good = run_counted(runs[i].steps, runs[i].pages, runs[i].threads);
	}
	return good;
}

int main(int argc, char **argv)
{
	unsigned long steps = 4000, runs = 1, pages = 1;
	unsigned threads = 0;
	bool good = true;
	int o;

	while ((o = getopt(argc, argv, "s:r:n:u:t:v")) > 0)
		switch (o) {
		case 's': seed = strtoul(optarg, NULL, 0); break;
		case 'r': runs = strtoul(optarg, NULL, 0); break;
		case 'n': steps = strtoul(optarg, NULL, 0); break;
		case 'u': pages = strtoul(optarg, NULL, 0); break;
		case 't': threads = (unsigned)atoi(optarg); break;
		case 'v': tracing = true; break;
		default: return 2;
		}
	if (threads > 8 || !pages || pages > 512)
		return 2;
	on_tern = access("/proc/tern/objects", F_OK) == 0;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	if (!run(100, 1, 0)) /* all memory of this process is there afterwards */
		return 1;
	if (!seed)
		return !run_some();
	for (; runs && good; runs--, seed++)
		good = run_counted(steps, pages, threads);
	return !good;
}
