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
#include "objects.h"
#include "replay/place.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SPACES ORACLE_SPACES
#define RING 64u
#define CHECK_EVERY 64
#define STUCK 60 /* seconds without a step */

static bool tracing;

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
		if (__atomic_load_n(failed, __ATOMIC_SEQ_CST))
			_exit(1);
		if (silent > STUCK)
			fail(NULL, "stuck: %u done, %u awaited (%u %u, %u %u, %u %u, %u %u)", seen, value,
			     shared->slot[0].done.value, shared->slot[0].given.value,
			     shared->slot[1].done.value, shared->slot[1].given.value,
			     shared->slot[2].done.value, shared->slot[2].given.value,
			     shared->slot[3].done.value, shared->slot[3].given.value);
	}
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
	place_window(&places[0], pages);
	open_objects(&places[0], &o);
	for (unsigned k = 0; k < SPACES; k++) {
		places[k] = places[0];
		open_ways(&places[k]);
	}
	close_window(&places[0]);
	move_heap(&places[0]);
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

	for (c->number = 1; c->number <= w->steps && !*failed; c->number++) {
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
		place_window(&w->place, pages);
		w->place.base += i * (PAGES * w->place.unit + 2 * PAGE);
		open_objects(&w->place, &w->oracle);
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
	if (status == 0 && !*failed)
		return true;
	if (!*failed)
		printf("mm_replay: seed %lu: status %#x\n", seed, (unsigned)status);
	/* Those that wait see it, and end. */
	__atomic_store_n(failed, 1, __ATOMIC_SEQ_CST);
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
	failed = &shared->failed;
	if (!run(100, 1, 0)) /* all memory of this process is there afterwards */
		return 1;
	if (!seed)
		return !run_some();
	for (; runs && good; runs--, seed++)
		good = run_counted(steps, pages, threads);
	return !good;
}
