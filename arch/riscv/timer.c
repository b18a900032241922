/*
 * Time: the time CSR, its conversion to and from nanoseconds, this hart's one-shot timer.
 *
 * A conversion is a multiplication, with a 128-bit product, by a factor that is computed once.  It
 * rounds down to nanoseconds and up to ticks, so that a wait for the tick of a time never ends
 * before that time.  The timer is stimecmp if the device tree names Sstc, else the firmware's.
 * No locks.
 */
#include <arch/cpu.h>
#include <arch/sbi.h>
#include <arch/vdso.h>
#include <kernel/boot.h>
#include <kernel/lib/string.h>

#include "arch_priv.h"

#define NS_PER_S 1000000000ul
#define SPIN_SLEEP_NS 50000
#define NS_SHIFT 32   /* 10^9 << 32 is below 2^62, so any frequency fits */
#define TICK_SHIFT 60 /* a 32-bit frequency << 60 / 10^9 is below 2^63 */

typedef unsigned __int128 u128;

static u64 ns_mult, tick_mult;
static bool sstc;
/* the longest sleep of spin.S, in ticks; 0: there is no Sstc, so it does not sleep */
u64 spin_sleep;

/* (a << shift) / b, without a division of 128 bits; the result fits 64. */
static u64 timer_scaled(u64 a, unsigned shift, u64 b)
{
	u64 q = a / b, r = a % b;

	while (shift--) {
		r <<= 1;
		q <<= 1;
		if (r >= b) {
			r -= b;
			q |= 1;
		}
	}
	return q;
}

void timer_init_boot(void)
{
	ns_mult = timer_scaled(NS_PER_S, NS_SHIFT, boot_facts.info.timebase_hz);
	tick_mult = timer_scaled(boot_facts.info.timebase_hz, TICK_SHIFT, NS_PER_S);
	sstc = boot_facts.sstc;
	if (sstc)
		spin_sleep = arch_ns_to_ticks(SPIN_SLEEP_NS);
}

void timer_init_hart(void) { arch_timer_arm(~0ul); }

u64 arch_ticks_to_ns(u64 ticks)
{
	u128 p = (u128)ticks * ns_mult;

	if (unlikely((u64)(p >> 64) >> NS_SHIFT))
		return ~0ul;
	return (u64)(p >> NS_SHIFT);
}

u64 arch_ns_to_ticks(u64 ns)
{
	/* One more, to round up: as tick_mult is rounded down, even an exact result comes out just
	 * below. */
	return (u64)((u128)ns * tick_mult >> TICK_SHIFT) + (ns != 0);
}

void arch_timer_arm(u64 ticks)
{
	if (likely(sstc)) {
		csr_write(0x14d, ticks); /* stimecmp */
		return;
	}
	sbi_set_timer(ticks);
	csr_set(sie, SIP_TIMER);
}

void vdso_data_init(struct vdso_data *d, s64 realtime_offset_ns)
{
	memset(d, 0, sizeof(*d));
	d->mult = ns_mult;
	d->shift = NS_SHIFT;
	d->resolution_ns = (u32)MAX(1ul, NS_PER_S / boot_facts.info.timebase_hz);
	d->realtime_offset_ns = realtime_offset_ns;
}

void vdso_set_realtime(struct vdso_data *d, s64 realtime_offset_ns)
{
	WRITE_ONCE(d->realtime_offset_ns, realtime_offset_ns);
}
