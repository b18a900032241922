/* The load: every five seconds the number of threads that run or are ready is taken, and
 * averaged over 1, 5 and 15 minutes. */
#include "pm.h"

#define EVERY (5 * NSEC)

static struct timer timer;
static uint64_t load[3]; /* in LOAD_ONE-ths */

/* What remains of a load after 5 s, for averages over 1, 5 and 15 minutes (e^(-5 s / 1 min) and
 * so on); LOAD_ONE stands for 1. */
static const uint64_t decay[3] = { 1884, 2014, 2037 };

static void sample(struct timer *t)
{
	static struct tern_cpu_info cpus[MAX_HARTS];
	uint64_t running = 0;
	uint32_t n = system_cpus(cpus);

	for (uint32_t i = 0; i < n; i++)
		running += cpus[i].running;
	running = running ? running - 1 : 0; /* pm's own thread does not count */
	for (int i = 0; i < 3; i++) {
		uint64_t now = running * LOAD_ONE, sum = load[i] * decay[i] + now * (LOAD_ONE - decay[i]);

		/* Rounded towards `now`, so that a constant load is reached exactly in the end. */
		load[i] = (sum + (now >= load[i] ? LOAD_ONE - 1 : 0)) / LOAD_ONE;
	}
	timer_set(t, tern_clock_ns(TERN_CLOCK_MONOTONIC) + EVERY);
}

void loadavg_init(void)
{
	timer.fire = sample;
	timer_set(&timer, tern_clock_ns(TERN_CLOCK_MONOTONIC) + EVERY);
}

uint64_t loadavg(unsigned i)
{
	return load[i];
}
