/*
 * The kernel's console, for its log only: polling output through the 16550's registers, and through
 * the firmware before they are mapped.  The terminal belongs to the tty server, which drives the
 * same device; the kernel only ever waits for room and stores a byte.  No lock: log.c has it.
 */
#include <arch/cpu.h>
#include <arch/sbi.h>
#include <kernel/boot.h>

#include "arch_priv.h"

#define THR 0
#define LSR 5
#define LSR_ROOM 0x20
#define PATIENCE 1000000 /* reads of LSR, so that a dead device cannot hang a panic */

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
