/*
 * Random numbers: ChaCha20 under a key that starts as the device tree's rng-seed mixed with the
 * clocks, and is replaced by its own output at each refill, so that what was given out cannot be
 * computed from what is kept.  Without a seed in the device tree only clocks differ between boots.
 * Lock: entropy_lock.
 */
#include <arch/cpu.h>
#include <kernel/boot.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>

#include "arch_priv.h"

static struct spinlock entropy_lock = SPINLOCK_INIT;
static u32 key[8];
static u64 pool[4]; /* the other half of a block */
static unsigned left;
static u64 refills;

static u32 rotl(u32 x, int n) { return x << n | x >> (32 - n); }

static void quarter(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b;
	*d = rotl(*d ^ *a, 16);
	*c += *d;
	*b = rotl(*b ^ *c, 12);
	*a += *b;
	*d = rotl(*d ^ *a, 8);
	*c += *d;
	*b = rotl(*b ^ *c, 7);
}

/* One block (RFC 8439, 2.3) becomes the new key and four words of output. */
static void refill(void)
{
	u64 now = csr_read(time), cycles = csr_read(cycle);
	u32 in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, x[16];

	memcpy(&in[4], key, sizeof(key));
	in[12] = (u32)refills++;
	in[13] = (u32)now;
	in[14] = (u32)cycles;
	in[15] = (u32)(cycles >> 32) ^ (u32)(now >> 32);
	memcpy(x, in, sizeof(x));
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 4; j++)
			quarter(&x[j], &x[4 + j], &x[8 + j], &x[12 + j]);
		for (int j = 0; j < 4; j++)
			quarter(&x[j], &x[4 + (j + 1) % 4], &x[8 + (j + 2) % 4], &x[12 + (j + 3) % 4]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += in[i];
	memcpy(key, x, sizeof(key));
	memcpy(pool, x + 8, sizeof(pool));
	left = ARRAY_SIZE(pool);
}

void entropy_init(void)
{
	u64 clock = arch_rtc_ns();

	/* The seed goes in 32 bytes at a time, each time through a whole block. */
	for (u32 i = 0; i < boot_facts.rng_seed_len; i++) {
		((u8 *)key)[i % sizeof(key)] ^= boot_facts.rng_seed[i];
		if (i % sizeof(key) == sizeof(key) - 1)
			refill();
	}
	key[0] ^= (u32)clock;
	key[1] ^= (u32)(clock >> 32);
	refill();
	left = 0;
	memset(boot_facts.rng_seed, 0, sizeof(boot_facts.rng_seed));
}

u64 arch_entropy(void)
{
	u64 v;

	spin_lock(&entropy_lock);
	if (left == 0)
		refill();
	v = pool[--left];
	pool[left] = 0;
	spin_unlock(&entropy_lock);
	return v;
}
