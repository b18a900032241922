/*
 * The kernel's console, for its log only.  It writes to the 16550's registers without interrupts,
 * and through the firmware before they are mapped.  The tty server drives the same device for the
 * terminal; so the kernel does nothing with it but wait for room and store a byte.  log.c locks.
 */
#include <arch/cpu.h>
#include <arch/sbi.h>
#include <kernel/boot.h>

#include "arch_priv.h"

#define THR 0
#define LSR 5
#define LSR_ROOM 0x20
#define PATIENCE 1000000 /* reads of LSR before we give up, so that a dead device hangs no panic */

static volatile u8 *uart;

void console_init(void) { uart = kernel_map_device(boot_facts.info.uart_pa, boot_facts.info.uart_size); }

static void console_put(char c)
{
	if (!uart) {
		sbi_putchar(c);
		return;
	}
	for (int i = 0; i < PATIENCE && !(uart[LSR << boot_facts.info.uart_shift] & LSR_ROOM); i++)
		;
	uart[THR << boot_facts.info.uart_shift] = (u8)c;
}

void arch_console_write(const char *s, size_t n)
{
	while (n--) {
		if (*s == '\n')
			console_put('\r');
		console_put(*s++);
	}
}
