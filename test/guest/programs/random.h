/* Seeded random choices for hostile tests: a counter, mixed; and the time in milliseconds. */
#pragma once
#include <stdint.h>
#include <time.h>

static uint64_t state;

static inline uint64_t rnd(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint64_t below(uint64_t n)
{
	return rnd() % n;
}

#define PICK(array) ((array)[below(sizeof(array) / sizeof((array)[0]))])

static inline uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
