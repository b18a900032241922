/*
 * Ending or resetting the machine, by the board's test device (which also gives QEMU its exit
 * status) or else by the firmware; and the board's clock, a Goldfish one.  No locks.
 */
#include <arch/cpu.h>
#include <arch/sbi.h>
#include <kernel/boot.h>

#include "arch_priv.h"

#define TEST_FAIL 0x3333u
#define TEST_PASS 0x5555u
#define TEST_RESET 0x7777u
#define RTC_LOW 0 /* is read first, as reading it latches the high word */
#define RTC_HIGH 1

static volatile u32 *test_device, *rtc;

void power_init(void)
{
	test_device = kernel_map_device(boot_facts.sifive_test, 4);
	rtc = kernel_map_device(boot_facts.rtc, 8);
}

_Noreturn void arch_power(unsigned code, bool reset)
{
	if (test_device)
		*test_device = reset ? TEST_RESET : code ? TEST_FAIL | code << 16 : TEST_PASS;
	sbi_reset(reset, code != 0);
	for (;;)
		__asm__ volatile("wfi");
}

u64 arch_rtc_ns(void)
{
	u64 low;

	if (!rtc)
		return 0;
	low = rtc[RTC_LOW];
	return low | (u64)rtc[RTC_HIGH] << 32;
}
