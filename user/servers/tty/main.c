/* The tty server: the console's UART, pseudo-terminals, their line discipline, job control.
 *
 * uart.c drives the device.  ldisc.c is the line discipline (pure logic).  tty_ops.c has read,
 * write and the table of operations, tty_ioctl.c the ioctls of terminals.  tty_job.c has
 * controlling terminals, foreground groups and open; pty.c has the masters of pseudo-terminals.
 * All state hangs on `server`.
 */
#include "tty_priv.h"

const char server_name[] = "tty";
struct tty_server *server;

int main(void)
{
	tty_server_init();
	server->console.kick = uart_kick;
	server->console.unthrottle = uart_unthrottle;
	if (!uart_init(&server->console.uart))
		server_panic("no UART to drive");
	server_run(&tty_server_ops);
}
