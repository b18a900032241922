/* Locks that inherit priority (FUTEX_LOCK_PI): their waiters lend the owner their real-time priority, also along
 * a chain; a circle is refused; and a lock whose owner ends goes to the best waiter, with FUTEX_OWNER_DIED,
 * whether it is on a robust list with bit 0, without it, or on none. */
#include "test.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

static struct shared {
	uint32_t lock[3], tid[4];
	volatile int stage, ended, got[4];
	struct robust_list_head head;
	struct {
		struct robust_list list;
		uint32_t word;
	} entry;
} *s;

static void share(void)
{
	s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(s != MAP_FAILED);
}

static long pi(uint32_t *word, int op, const struct timespec *until)
{
	return syscall(SYS_futex, word, op, 0, until, NULL, 0);
}

static uint32_t tid(void) { return (uint32_t)syscall(SYS_gettid); }

static uint32_t load(uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

/* ---- the owner ends ---- */

enum how { THREAD_EXITS, PROCESS_EXITS, KILLED, EXECS };
enum list { NO_LIST, WITH_BIT, WITHOUT_BIT };

EXEC(nothing) { pause(); }

static void *owns(void *arg)
{
	enum list list = (enum list)((uintptr_t)arg >> 8);
	enum how how = (enum how)((uintptr_t)arg & 255);

	s->head.list.next = &s->entry.list;
	s->head.futex_offset = (long)((char *)&s->entry.word - (char *)&s->entry.list);
	s->entry.list.next = &s->head.list;
	if (list == WITH_BIT)
		s->head.list.next = (void *)((uintptr_t)s->head.list.next | 1);
	if (list != NO_LIST)
		CHECK_EQ(syscall(SYS_set_robust_list, &s->head, sizeof s->head), 0);
	CHECK_EQ(pi(&s->entry.word, FUTEX_LOCK_PI, NULL), 0);
	s->tid[0] = tid();
	s->stage = 1;
	while (s->stage == 1)
		test_sleep_ms(1);
	if (how == EXECS)
		execv(test_program, test_exec_args("nothing", NULL));
	if (how == THREAD_EXITS)
		syscall(SYS_exit, 0);
	if (how == PROCESS_EXITS)
		_exit(0);
	pause();
	return NULL;
}

static void owner_ends(enum how how, enum list list)
{
	void *arg = (void *)(uintptr_t)((unsigned)how | (unsigned)list << 8);
	pid_t owner, waiter[2];
	pthread_t t;

	memset(s, 0, sizeof *s);
	owner = fork();
	CHECK(owner >= 0);
	if (owner == 0) {
		if (how == THREAD_EXITS) {
			CHECK_EQ(pthread_create(&t, NULL, owns, arg), 0);
			pause();
		}
		owns(arg);
	}
	while (s->stage != 1)
		test_sleep_ms(1);
	for (int i = 0; i < 2; i++)
		TEST_BLOCKED_CHILD(waiter[i], {
			uint32_t word;

			CHECK_EQ(pi(&s->entry.word, FUTEX_LOCK_PI, NULL), 0);
			word = load(&s->entry.word);
			CHECK_EQ(word & FUTEX_TID_MASK, tid());
			/* The second gets it from the first, who has made it whole. */
			CHECK_EQ(word & FUTEX_OWNER_DIED, s->ended ? 0 : FUTEX_OWNER_DIED);
			CHECK(word & FUTEX_WAITERS || s->ended);
			s->ended++;
			CHECK_EQ(pi(&s->entry.word, FUTEX_UNLOCK_PI, NULL), 0);
			_exit(0);
		});
	s->stage = 2;
	if (how == KILLED)
		CHECK_EQ(kill(owner, SIGKILL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(test_wait(waiter[i]), 0);
	CHECK_EQ(load(&s->entry.word) & FUTEX_TID_MASK, 0);
	kill(owner, SIGKILL);
	test_wait(owner);
}

static void every_list(enum how how)
{
	share();
	for (enum list list = NO_LIST; list <= WITHOUT_BIT; list++)
		owner_ends(how, list);
}
TEST(of_a_thread_that_exits) { every_list(THREAD_EXITS); }
TEST(of_a_process_that_exits) { every_list(PROCESS_EXITS); }
TEST(of_a_process_that_is_killed) { every_list(KILLED); }
TEST(of_a_process_that_execs) { every_list(EXECS); }

/* ---- circles ---- */

static void *locks_two(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	long r;

	CHECK_EQ(pi(&s->lock[n], FUTEX_LOCK_PI, NULL), 0);
	s->tid[n] = tid();
	__atomic_fetch_add(&s->stage, 1, __ATOMIC_ACQ_REL);
	while (s->stage < 3)
		test_sleep_ms(1);
	if (n == 2)
		test_sleep_ms(200); /* the others wait by then: this closes the circle */
	r = pi(&s->lock[(n + 1) % 3], FUTEX_LOCK_PI, NULL);
	s->got[n] = r ? errno : 0;
	if (!r)
		CHECK_EQ(pi(&s->lock[(n + 1) % 3], FUTEX_UNLOCK_PI, NULL), 0);
	CHECK_EQ(pi(&s->lock[n], FUTEX_UNLOCK_PI, NULL), 0);
	return NULL;
}
TEST(a_circle_is_refused)
{
	pthread_t t[3];

	share();
	for (uintptr_t i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, locks_two, (void *)i), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(s->got[0], 0);
	CHECK_EQ(s->got[1], 0);
	CHECK_EQ(s->got[2], EDEADLK);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(load(&s->lock[i]), 0);
}

/* ---- priority ---- */

static void becomes(int policy, int prio)
{
	struct sched_param p = { .sched_priority = prio };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
	CHECK_EQ(sched_setscheduler(0, policy, &p), 0);
}

static void spin_ms(uint64_t ms)
{
	uint64_t end = test_now_ns() + ms * 1000000;

	while (test_now_ns() < end)
		;
}

static pid_t child(void (*body)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	return pid;
}

static int low_policy, low_prio;

/* Holds the first lock until the spinner below it has begun and the waiter waits. */
static void low(void)
{
	becomes(low_policy, low_prio);
	CHECK_EQ(pi(&s->lock[0], FUTEX_LOCK_PI, NULL), 0);
	s->stage = 1;
	while (s->stage < 2)
		; /* lets the others come: they are better */
	spin_ms(50);
	s->got[0] = s->ended; /* 0: the spinner has not ended yet */
	CHECK_EQ(pi(&s->lock[0], FUTEX_UNLOCK_PI, NULL), 0);
	s->got[1] = s->ended; /* 1: given back, so the spinner came first */
}
/* Between the two: holds the second lock and waits for the first. */
static void link_between(void)
{
	becomes(SCHED_FIFO, 3);
	CHECK_EQ(pi(&s->lock[1], FUTEX_LOCK_PI, NULL), 0);
	s->stage = 10;
	CHECK_EQ(pi(&s->lock[0], FUTEX_LOCK_PI, NULL), 0);
	CHECK_EQ(pi(&s->lock[0], FUTEX_UNLOCK_PI, NULL), 0);
	CHECK_EQ(pi(&s->lock[1], FUTEX_UNLOCK_PI, NULL), 0);
}
static void high(void)
{
	uint32_t *word = &s->lock[s->got[3]];

	becomes(SCHED_FIFO, 30);
	CHECK_EQ(pi(word, FUTEX_LOCK_PI, NULL), 0);
	s->got[2] = s->ended ? 2 : 1; /* 1: it had the lock before the spinner ended */
	CHECK_EQ(pi(word, FUTEX_UNLOCK_PI, NULL), 0);
}
static void spinner(void)
{
	becomes(SCHED_FIFO, 20);
	spin_ms(1000);
	s->ended = 1;
}

/* The first program decides the order by its own priority, the best. */
static void lending(bool chain)
{
	pid_t pid[4];

	share();
	becomes(SCHED_FIFO, 50);
	pid[0] = child(low);
	while (s->stage < 1)
		test_sleep_ms(10);
	if (chain) {
		pid[3] = child(link_between);
		while (s->stage < 10)
			test_sleep_ms(10);
		CHECK(test_await_state(pid[3], 'S'));
		s->got[3] = 1; /* high waits for the second lock */
	}
	pid[1] = child(high);
	CHECK(test_await_state(pid[1], 'S'));
	pid[2] = child(spinner);
	s->stage = 20;
	for (int i = 0; i < (chain ? 4 : 3); i++)
		CHECK_EQ(test_wait(pid[i]), 0);
	CHECK_EQ(s->got[0], 0);
	CHECK_EQ(s->got[2], 1);
	if (low_policy == SCHED_FIFO) /* Linux lets ordinary threads run beside a spinner now and then */
		CHECK_EQ(s->got[1], 1);
}
TEST(lends_to_a_real_time_owner)
{
	low_policy = SCHED_FIFO;
	low_prio = 2;
	lending(false);
}
TEST(lends_to_an_ordinary_owner) { lending(false); }
TEST(lends_along_a_chain)
{
	low_policy = SCHED_FIFO;
	low_prio = 2;
	lending(true);
}

static void gives_up(void)
{
	struct timespec t;

	becomes(SCHED_FIFO, 30);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec++;
	CHECK_ERR(pi(&s->lock[0], FUTEX_LOCK_PI, &t), ETIMEDOUT);
}
static void low_for_long(void)
{
	becomes(SCHED_FIFO, 2);
	CHECK_EQ(pi(&s->lock[0], FUTEX_LOCK_PI, NULL), 0);
	s->stage = 1;
	while (!s->ended) {
		s->got[0]++;
		sched_yield(); /* on Linux the waiter must run to take back what it lent */
	}
	CHECK_EQ(pi(&s->lock[0], FUTEX_UNLOCK_PI, NULL), 0);
}
static void counts_it(void)
{
	uint64_t end = test_now_ns() + 2000000000;
	int before = s->got[0];

	becomes(SCHED_FIFO, 20);
	while (test_now_ns() < end && before == s->got[0])
		;
	s->got[1] = before != s->got[0]; /* it runs while its waiter waits */
	test_sleep_ms(1500);
	before = s->got[0];
	spin_ms(300);
	s->got[2] = before != s->got[0]; /* and not afterwards */
	s->ended = 1;
}
TEST(takes_back_what_a_waiter_that_gave_up_had_lent)
{
	pid_t pid[3];

	share();
	becomes(SCHED_FIFO, 50);
	pid[0] = child(low_for_long);
	while (s->stage < 1)
		test_sleep_ms(10);
	pid[1] = child(gives_up);
	CHECK(test_await_state(pid[1], 'S'));
	pid[2] = child(counts_it);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(pid[i]), 0);
	CHECK_EQ(s->got[1], 1);
	CHECK_EQ(s->got[2], 0);
}

/* A word that names a server, or a stranger's thread that has never heard of it, harms nobody. */
TEST(a_false_owner)
{
	struct timespec t;

	share();
	clock_gettime(CLOCK_REALTIME, &t);
	s->lock[0] = 1; /* init */
	CHECK_ERR(pi(&s->lock[0], FUTEX_LOCK_PI, &t), ETIMEDOUT);
	s->lock[0] = 0x3ffffff0;
	CHECK_ERR(pi(&s->lock[0], FUTEX_LOCK_PI, &t), ESRCH);
}
