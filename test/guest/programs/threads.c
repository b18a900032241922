/* Threads: futex calls themselves, then what pthreads makes of them: mutexes, conditions, barriers,
 * joins, robust mutexes, many threads; and what exec, exit and fork do to threads. */
#include "test.h"
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sched.h>

static long futex(volatile uint32_t *word, int op, uint32_t value, const struct timespec *timeout,
		  volatile uint32_t *word2, uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

TEST(futex_rules)
{
	volatile uint32_t w = 5, w2 = 0;
	struct timespec t = { 0, 20000000 };
	uint64_t start = test_now_ns();

	CHECK_ERR(futex(&w, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&w, FUTEX_WAIT, 5, &t, NULL, 0), ETIMEDOUT);
	CHECK(test_now_ns() - start >= 20000000);
	CHECK_EQ(futex(&w, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_ERR(futex((void *)((char *)&w + 1), FUTEX_WAIT, 5, &t, NULL, 0), EINVAL);
	CHECK_ERR(futex((void *)64, FUTEX_WAIT, 5, &t, NULL, 0), EFAULT);
	CHECK_ERR(futex(&w, 99, 5, &t, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&w, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 5, &t, NULL, 0), ENOSYS);
	t.tv_nsec = 1000000000;
	CHECK_ERR(futex(&w, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 5, &t, NULL, 0), EINVAL);
	CHECK_ERR(futex(&w, FUTEX_WAIT, 5, &t, NULL, 0), EINVAL);
	CHECK_ERR(futex(&w, FUTEX_CMP_REQUEUE, 1, (void *)1, &w2, 6), EAGAIN);
	CHECK_ERR(futex((void *)8, FUTEX_CMP_REQUEUE, -1, (void *)1, &w2, 6), EINVAL);
	CHECK_ERR(futex((void *)8, FUTEX_CMP_REQUEUE, 1, (void *)1, &w2, 6), EFAULT);
	CHECK_ERR(futex(&w, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0), EINVAL);
	clock_gettime(CLOCK_MONOTONIC, &t);
	CHECK_ERR(futex(&w, FUTEX_WAIT_BITSET, 5, &t, NULL, ~0u), ETIMEDOUT);
}

TEST(futex_between_processes)
{
	volatile uint32_t *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	TEST_BLOCKED_CHILD(pid, {
		while (*w == 0)
			futex(w, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(0);
	});
	*w = 1;
	CHECK_EQ(futex(w, FUTEX_WAKE, 10, NULL, NULL, 0), 1);
	CHECK_EQ(test_wait(pid), 0);
	/* Private memory of two processes is not one futex. */
	static volatile uint32_t mine;
	TEST_BLOCKED_CHILD(pid, futex(&mine, FUTEX_WAIT, 0, NULL, NULL, 0));
	CHECK_EQ(futex(&mine, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
	kill(pid, SIGKILL);
	test_wait(pid);
}

static volatile uint32_t gate, second;

static void *wait_at_gate(void *unused)
{
	(void)unused;
	while (futex(&gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) < 0 && errno == EINTR)
		;
	return NULL;
}

TEST(futex_wakes_as_many_as_told)
{
	pthread_t t[6];
	long woken = 0;

	for (int i = 0; i < 6; i++)
		CHECK(pthread_create(&t[i], NULL, wait_at_gate, NULL) == 0);
	test_sleep_ms(60);
	CHECK_EQ(futex(&gate, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
	/* One is woken, the other three move to the second word. */
	woken = futex(&gate, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &second, 0);
	CHECK_EQ(woken, 4);
	CHECK_EQ(futex(&gate, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 3);
	for (int i = 0; i < 6; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

static void *wait_to_be_moved(void *result)
{
	*(long *)result = futex(&gate, FUTEX_WAIT_REQUEUE_PI, 7, NULL, &second, 0);
	if (*(long *)result == 0 && (second & FUTEX_TID_MASK) != (uint32_t)gettid())
		*(long *)result = -2;
	if (*(long *)result == 0)
		*(long *)result = futex(&second, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
	return NULL;
}

TEST(futex_moves_waiters_to_a_lock)
{
	pthread_t t[3];
	long result[3];

	gate = 7;
	second = 0;
	CHECK_ERR(futex(&gate, FUTEX_CMP_REQUEUE_PI, 2, (void *)0, &second, 7), EINVAL);
	CHECK_ERR(futex(&gate, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, &second, 6), EAGAIN);
	CHECK_ERR(futex(&gate, FUTEX_WAIT_REQUEUE_PI, 6, NULL, &second, 0), EAGAIN);
	CHECK_EQ(futex(&gate, FUTEX_CMP_REQUEUE_PI, 1, (void *)9, &second, 7), 0);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&t[i], NULL, wait_to_be_moved, &result[i]) == 0);
	test_sleep_ms(60);
	/* The lock is free: the first one gets it, and hands it over by and by. */
	CHECK_EQ(futex(&gate, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, &second, 7), 1);
	test_sleep_ms(20);
	CHECK_EQ(futex(&second, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&gate, FUTEX_CMP_REQUEUE_PI, 1, (void *)9, &second, 7), 2);
	CHECK(second & FUTEX_WAITERS);
	CHECK_EQ(futex(&second, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	for (int i = 0; i < 3; i++) {
		CHECK(pthread_join(t[i], NULL) == 0);
		CHECK_EQ(result[i], 0);
	}
	CHECK_EQ(second, 0);
}

static void *take_lock(void *result)
{
	struct timespec past = { 1, 0 };
	long r = futex(&second, FUTEX_LOCK_PI, 0, &past, NULL, 0) == -1 && errno == ETIMEDOUT;

	if (r)
		r = futex(&second, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EAGAIN;
	if (r)
		r = futex(&second, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EPERM;
	if (r)
		r = futex(&second, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 &&
		    (second & FUTEX_TID_MASK) == (uint32_t)gettid();
	if (r)
		r = futex(&second, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0;
	*(long *)result = r;
	return NULL;
}

TEST(futex_locks)
{
	pthread_t t[3];
	long result[3];

	second = 0;
	CHECK_EQ(futex(&second, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(second, (uint32_t)gettid());
	CHECK_ERR(futex(&second, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&t[i], NULL, take_lock, &result[i]) == 0);
	test_sleep_ms(100);
	CHECK_EQ(futex(&second, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	for (int i = 0; i < 3; i++) {
		CHECK(pthread_join(t[i], NULL) == 0);
		CHECK_EQ(result[i], 1);
	}
	CHECK_EQ(second, 0);
	second = 0x3ffffff0; /* nobody's number */
	CHECK_ERR(futex(&second, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
}

TEST(futex_wake_op_changes_and_compares)
{
	gate = 5;
	second = 12;
	/* add 3; wake the second's if the old value was above 20 */
	CHECK_EQ(futex(&gate, FUTEX_WAKE_OP, 1, (void *)1, &second,
		       FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 20)), 0);
	CHECK_EQ(second, 15);
	futex(&gate, FUTEX_WAKE_OP, 1, (void *)1, &second, FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_EQ, 0));
	CHECK_EQ(second, 12);
	futex(&gate, FUTEX_WAKE_OP, 1, (void *)1, &second,
	      FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 8, FUTEX_OP_CMP_EQ, 0));
	CHECK_EQ(second, 0x10c);
	futex(&gate, FUTEX_WAKE_OP, 1, (void *)1, &second, FUTEX_OP(FUTEX_OP_SET, -1, FUTEX_OP_CMP_EQ, 0));
	CHECK_EQ(second, ~0u);
	CHECK_ERR(futex(&gate, FUTEX_WAKE_OP, 1, (void *)1, &second, FUTEX_OP(7, 0, 0, 0)), ENOSYS);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter;

static void *count_up(void *times)
{
	for (long i = 0; i < (long)times; i++) {
		pthread_mutex_lock(&mutex);
		long v = counter;
		if (i % 64 == 0)
			sched_yield();
		counter = v + 1;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)pthread_self();
}

TEST(mutexes)
{
	pthread_t t[8];
	void *result;

	for (int i = 0; i < 8; i++)
		CHECK(pthread_create(&t[i], NULL, count_up, (void *)1000) == 0);
	for (int i = 0; i < 8; i++) {
		CHECK(pthread_join(t[i], &result) == 0);
		CHECK(result == (void *)t[i]);
	}
	CHECK_EQ(counter, 8000);
}

static int turn;

static void *take_turns(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 4 != me)
			pthread_cond_wait(&cond, &mutex);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(conditions)
{
	struct timespec t;
	pthread_t p[4];

	for (long i = 0; i < 4; i++)
		CHECK(pthread_create(&p[i], NULL, take_turns, (void *)i) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(p[i], NULL) == 0);
	CHECK_EQ(turn, 800);
	clock_gettime(CLOCK_REALTIME, &t);
	pthread_mutex_lock(&mutex);
	CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &t), ETIMEDOUT);
}

static sem_t items;

static void *produce(void *unused)
{
	(void)unused;
	for (int i = 0; i < 500; i++)
		sem_post(&items);
	return NULL;
}

TEST(semaphores)
{
	pthread_t t[2];

	CHECK(sem_init(&items, 0, 0) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, produce, NULL) == 0);
	for (int i = 0; i < 1000; i++)
		CHECK(sem_wait(&items) == 0);
	CHECK_ERR(sem_trywait(&items), EAGAIN);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

static __thread int own;

static void *thread_local_storage(void *arg)
{
	own = (int)(long)arg;
	sched_yield();
	return (void *)(long)own;
}

TEST(many_threads)
{
	enum { N = 64 };
	pthread_t t[N];
	pthread_attr_t a;
	void *result;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (int round = 0; round < 4; round++) {
		for (long i = 0; i < N; i++)
			CHECK_EQ(pthread_create(&t[i], &a, thread_local_storage, (void *)i), 0);
		for (long i = 0; i < N; i++) {
			CHECK(pthread_join(t[i], &result) == 0);
			CHECK_EQ((long)result, i);
		}
	}
	CHECK_EQ(own, 0);
}

static void *detached(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

TEST(detached_threads)
{
	int done = 0;
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(pthread_create(&t, &a, detached, &done), 0);
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < 50)
		test_sleep_ms(1);
}

static void *die_with_it(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

TEST(robust_mutexes)
{
	struct shared {
		pthread_mutex_t m;
		volatile bool locked;
	} *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;
	pthread_t t;
	pid_t pid;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutex_init(&s->m, &a), 0);
	CHECK_EQ(pthread_create(&t, NULL, die_with_it, &s->m), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(pthread_mutex_lock(&s->m), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&s->m), 0);
	CHECK_EQ(pthread_mutex_unlock(&s->m), 0);
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(&s->m);
		s->locked = true;
		for (;;)
			pause();
	}
	while (!s->locked)
		test_sleep_ms(1);
	kill(pid, SIGKILL);
	CHECK_EQ(pthread_mutex_lock(&s->m), EOWNERDEAD);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
}

static pthread_barrier_t barrier;

static void *meet(void *sum)
{
	for (int i = 0; i < 50; i++) {
		__atomic_add_fetch((long *)sum, 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&barrier);
		if (*(long *)sum != (i + 1) * 4)
			return (void *)1;
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

TEST(barriers)
{
	pthread_t t[4];
	long sum = 0;
	void *bad;

	CHECK(pthread_barrier_init(&barrier, NULL, 4) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, meet, &sum) == 0);
	for (int i = 0; i < 4; i++) {
		CHECK(pthread_join(t[i], &bad) == 0);
		CHECK(bad == NULL);
	}
}

static void *sleep_forever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

TEST(cancellation)
{
	pthread_t t;
	void *result;

	CHECK(pthread_create(&t, NULL, sleep_forever, NULL) == 0);
	test_sleep_ms(20);
	CHECK_EQ(pthread_cancel(t), 0);
	CHECK_EQ(pthread_join(t, &result), 0);
	CHECK(result == PTHREAD_CANCELED);
}

/* ---- threads and the process they are in ---- */

static void *spin(void *unused)
{
	(void)unused;
	for (;;)
		;
	return NULL;
}

TEST(exit_ends_all_threads)
{
	pthread_t t;
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, i & 1 ? spin : sleep_forever, NULL);
		test_sleep_ms(10);
		exit(12);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 12);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, i & 1 ? spin : sleep_forever, NULL);
		for (;;)
			pause();
	}
	test_sleep_ms(30);
	kill(pid, SIGKILL);
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
}

static void *exit_from_a_thread(void *unused)
{
	(void)unused;
	exit(13);
	return NULL;
}

static void *end_last(void *unused)
{
	(void)unused;
	test_sleep_ms(30);
	return NULL;
}

TEST(any_thread_may_exit)
{
	pthread_t t;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_create(&t, NULL, exit_from_a_thread, NULL);
		for (;;)
			pause();
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 13);
	/* The first thread ends alone; the process goes on until the last. */
	pid = fork();
	if (pid == 0) {
		pthread_create(&t, NULL, end_last, NULL);
		pthread_exit(NULL);
	}
	CHECK_EQ(test_wait(pid), 0);
}

EXEC(alone)
{
	exit(getpid() == gettid() ? 14 : 1);
}

static void *exec_from_a_thread(void *unused)
{
	(void)unused;
	execv(test_program, test_exec_args("alone", NULL));
	_exit(100);
	return NULL;
}

TEST(exec_ends_the_other_threads)
{
	pthread_t t;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_create(&t, NULL, spin, NULL);
		pthread_create(&t, NULL, sleep_forever, NULL);
		execv(test_program, test_exec_args("alone", NULL));
		_exit(100);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 14);
	pid = fork();
	if (pid == 0) {
		pthread_create(&t, NULL, exec_from_a_thread, NULL);
		for (;;)
			pause();
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 14);
}

/* Threads that exec at the same time: one of them does, the others end. */
TEST(threads_that_exec_together)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		pthread_t t;

		if (pid == 0) {
			for (int n = 0; n < 4; n++)
				pthread_create(&t, NULL, exec_from_a_thread, NULL);
			exec_from_a_thread(NULL);
		}
		CHECK_EQ(WEXITSTATUS(test_wait(pid)), 14);
	}
}

static void *fork_and_wait(void *bad)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(3);
		if (pid < 0 || WEXITSTATUS(test_wait(pid)) != 3)
			*(int *)bad = 1;
	}
	return NULL;
}

TEST(threads_that_fork)
{
	pthread_t t[4];
	int bad = 0;

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, fork_and_wait, &bad) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	CHECK_EQ(bad, 0);
}

static volatile bool stop;

static void *fill_and_unmap(void *unused)
{
	(void)unused;
	while (!stop) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (p == MAP_FAILED || munmap(p, 1 << 20))
			return (void *)1;
	}
	return NULL;
}

/* A fork meets another thread's long operation: it waits, though it may be the one with the higher
 * priority. */
TEST(a_fork_waits_for_a_busy_space)
{
	struct sched_param p = { .sched_priority = 1 };
	pthread_t t;
	void *bad;

	stop = false;
	CHECK(pthread_create(&t, NULL, fill_and_unmap, NULL) == 0);
	CHECK(sched_setscheduler(0, SCHED_FIFO, &p) == 0);
	for (int i = 0; i < 12; i++) {
		pid_t pid;

		usleep(1500);
		pid = fork();
		if (pid == 0)
			_exit(0);
		CHECK_EQ(test_wait(pid), 0);
	}
	stop = true;
	CHECK(pthread_join(t, &bad) == 0);
	CHECK(bad == NULL);
}

/* One thread changes the space under the others' feet. */

static void *map_and_unmap(void *unused)
{
	(void)unused;
	while (!stop) {
		char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return (void *)1;
		memset(p, 1, 65536);
		if (mprotect(p, 16384, PROT_READ) || p[5000] != 1 || munmap(p, 65536))
			return (void *)1;
	}
	return NULL;
}

TEST(threads_that_map)
{
	pthread_t t[4];
	void *bad;

	stop = false;
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, map_and_unmap, NULL) == 0);
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		CHECK_EQ(test_wait(pid), 0);
	}
	stop = true;
	for (int i = 0; i < 4; i++) {
		CHECK(pthread_join(t[i], &bad) == 0);
		CHECK(bad == NULL);
	}
}
