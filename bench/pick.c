/*
 * pick: the cost of picking the next thread by how many are ready.
 *
 * One op: a thread yields and another one of its priority runs.  Prints, as posixbench does,
 *
 *	pick_of_2 ns_per_op
 *
 * for 2, 100 and 10,000 threads that do nothing but yield; SKIP errno where there cannot be so many.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MOST 10000
#define YIELDS 60000

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t yields; /* one hart, one at a time: a lost count does not matter */
static volatile int stop;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void yield(void)
{
	sched_yield();
	yields++;
}

static void *yielder(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	while (!stop)
		yield();
	return NULL;
}

/* This thread is one of the n. */
static void measure(int n)
{
	static pthread_t other[MOST];
	pthread_attr_t small;
	uint64_t start, before;
	int made = 0, err = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
	stop = 0;
	pthread_mutex_lock(&gate);
	while (made < n - 1 && !(err = pthread_create(&other[made], &small, yielder, NULL)))
		made++;
	pthread_mutex_unlock(&gate);
	if (!err) {
		/* All are past the gate and have run before it counts. */
		for (before = yields; yields - before < 4u * (unsigned)n;)
			yield();
		start = now_ns();
		for (before = yields; yields - before < YIELDS;)
			yield();
		printf("pick_of_%-11d %.1f\n", n, (double)(now_ns() - start) / (double)(yields - before));
	} else {
		printf("pick_of_%-11d SKIP %d\n", n, err);
	}
	stop = 1;
	while (made)
		pthread_join(other[--made], NULL);
}

int main(void)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NPROC, &none);
	measure(2);
	measure(100);
	measure(MOST);
	return 0;
}
