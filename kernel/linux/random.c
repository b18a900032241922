/*
 * Random numbers: ChaCha20 with fast key erasure.
 *
 * The pool is a key, which starts as the device tree's rng-seed mixed with the clocks.  Each request
 * takes one block of output: half of it is the next key, half a key of the request's own, so nothing
 * that was given out can be computed from what is kept.  Without a seed in the device tree only
 * clocks differ between boots.
 * Lock: random_lock, for the pool.
 */
#include <arch/cpu.h>
#include <kernel/boot.h>
#include <kernel/lib/spinlock.h>
#include <kernel/lib/string.h>
#include <kernel/linux/sys.h>
#include <linux/random.h>

#define KEY_SIZE 32u

static struct spinlock random_lock = SPINLOCK_INIT;
static u32 pool[KEY_SIZE / 4]; /* random_lock */

static inline u32 rotl(u32 v, unsigned n) { return v << n | v >> (32 - n); }

static inline void quarter(u32 *a, u32 *b, u32 *c, u32 *d)
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

/* One block (RFC 8439, 2.3) with a 64-bit counter and nonce 0. */
static void chacha20_block(const u32 key[8], u64 counter, u32 out[16])
{
	u32 in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(in + 4, key, KEY_SIZE);
	in[12] = (u32)counter;
	in[13] = (u32)(counter >> 32);
	memcpy(out, in, sizeof in);
	for (unsigned round = 0; round < 10; round++) {
#pragma GCC unroll 4
		for (unsigned i = 0; i < 4; i++)
			quarter(&out[i], &out[4 + i], &out[8 + i], &out[12 + i]);
#pragma GCC unroll 4
		for (unsigned i = 0; i < 4; i++)
			quarter(&out[i], &out[4 + (i + 1) % 4], &out[8 + (i + 2) % 4],
				&out[12 + (i + 3) % 4]);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] += in[i];
}

/* A key nobody has seen or will see again. */
static void take_key(u32 key[8])
{
	u32 block[16];

	spin_lock(&random_lock);
	pool[7] ^= (u32)arch_ticks();
	chacha20_block(pool, 0, block);
	memcpy(pool, block, KEY_SIZE);
	spin_unlock(&random_lock);
	memcpy(key, block + 8, KEY_SIZE);
	memset(block, 0, sizeof block);
}

void random_init(void)
{
	u64 clock = arch_rtc_ns();
	u32 key[8];

	for (u32 i = 0; i < boot_facts.rng_seed_len; i++) {
		((u8 *)pool)[i % KEY_SIZE] ^= boot_facts.rng_seed[i];
		if (i % KEY_SIZE == KEY_SIZE - 1)
			take_key(key);
	}
	pool[0] ^= (u32)clock;
	pool[1] ^= (u32)(clock >> 32);
	take_key(key);
	memset(boot_facts.rng_seed, 0, sizeof boot_facts.rng_seed);
}

#define RANDOM_PIECE 0x10000ull /* in one go */

/* t->again.args[0]: bytes done. */
static s64 random_fill(struct thread *t)
{
	u64 *a = &t->regs.x[REG_A0];
	u64 n = MIN(a[1], 0x7ffff000ull), done = t->again.args[0], counter = 0;
	u64 stop = MIN(n, done + RANDOM_PIECE);
	u32 key[8], block[16];
	bool fault = false;

	take_key(key);
	while (done < stop && !fault) {
		u64 piece = MIN(stop - done, sizeof block), copied;

		chacha20_block(key, counter++, block);
		copied = copy_to_user(t->aspace, a[0] + done, block, piece);
		done += copied;
		fault = copied < piece;
	}
	memset(key, 0, sizeof key);
	memset(block, 0, sizeof block);
	if (!done && fault)
		return -EFAULT;
	if (done == n || fault || READ_ONCE(t->work) & WORK_SIGNAL)
		return (s64)done;
	t->again.args[0] = done;
	t->orig_a0 = a[0];
	wait_resumes(t, random_fill);
	return 0;
}

s64 sys_getrandom(struct thread *t, u64 *a)
{
	u64 flags = (u32)a[2];

	if (flags & ~(u64)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & GRND_RANDOM && flags & GRND_INSECURE))
		return -EINVAL;
	t->again.args[0] = 0;
	return a[1] ? random_fill(t) : 0;
}
