/* The driver of the 16550 UART.  It works by interrupts and never polls.
 *
 * Received characters go to the line discipline one by one.  While that has no room, the receive
 * interrupt is off and the device's own flow control holds the sender back.  To transmit, the
 * driver fills the device's FIFO if that is empty; if more is left, the transmitter-empty interrupt
 * is on until the output ring is empty.  As register accesses are slow, a transmission reads the
 * line status once for each filled FIFO, not once for each byte.
 */
#include <linux/mman.h>

#include "tty_priv.h"

enum { RBR = 0, THR = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
#define IER_RX 1u
#define IER_TX 2u
#define FCR_ENABLE 1u
#define LCR_8N1 3u
#define MCR_ON 0x0bu /* DTR and RTS on; OUT2, which lets interrupts out of the device */
#define LSR_DR 1u
#define LSR_BREAK 0x10u
#define LSR_THRE 0x20u
#define FIFO 16
#define RX_TURN 256 /* characters that one interrupt takes at most */
#define TX_TURN 8   /* how many times one interrupt fills the FIFO at most */

static uint8_t get(const struct uart *u, unsigned r)
{
	return u->reg[r << u->shift];
}

static void set(const struct uart *u, unsigned r, uint8_t v)
{
	u->reg[r << u->shift] = v;
}

static void set_ier(struct uart *u, uint8_t v)
{
	if (v != u->ier) {
		u->ier = v;
		set(u, IER, v);
	}
}

bool uart_init(struct uart *u)
{
	uint64_t size;
	long at;

	if (!server_boot || server_boot->uart < 0 || server_boot->uart_irq < 0)
		return false;
	u->shift = (unsigned)server_boot->uart_shift;
	u->irq = server_boot->uart_irq;
	size = ((8ull << u->shift) + 4095) & ~4095ull;
	at = tern_aspace_map(-1, 0, size, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
			     MAP_SHARED, server_boot->uart, 0);
	if (at < 0)
		return false;
	u->reg = (volatile uint8_t *)at + (server_boot->boot.uart_pa & 4095);
	if (tern_irq_bind(u->irq, UART_BADGE) < 0)
		return false;
	set(u, FCR, FCR_ENABLE);
	set(u, LCR, LCR_8N1);
	set(u, MCR, MCR_ON);
	u->ier = IER_RX;
	set(u, IER, u->ier);
	return true;
}

static uint8_t status(struct uart *u)
{
	uint8_t lsr = get(u, LSR);

	if (lsr & LSR_BREAK)
		u->break_seen = true;
	return lsr;
}

static void fill(struct tty *t)
{
	for (int i = 0; i < FIFO; i++) {
		int c = ldisc_transmit(&t->l);

		if (c < 0)
			return;
		set(&t->uart, THR, (uint8_t)c);
	}
}

static void transmit_by_interrupt(struct tty *t)
{
	struct uart *u = &t->uart;

	set_ier(u, ldisc_transmittable(&t->l) ? u->ier | IER_TX : u->ier & (uint8_t)~IER_TX);
}

static uint8_t receive(struct tty *t)
{
	struct uart *u = &t->uart;
	uint8_t lsr = status(u);

	for (int n = 0; (lsr & LSR_DR) && n < RX_TURN; n++) {
		uint8_t c;

		if (!ldisc_input_room(&t->l)) {
			set_ier(u, u->ier & (uint8_t)~IER_RX);
			break;
		}
		c = get(u, RBR);
		if (u->break_seen) {
			u->break_seen = false;
			ldisc_break(&t->l);
		} else {
			ldisc_input(&t->l, c);
		}
		lsr = status(u);
	}
	return lsr;
}

void uart_interrupt(struct tty *t)
{
	struct uart *u = &t->uart;
	uint8_t lsr = receive(t);

	for (int n = 0; (lsr & LSR_THRE) && ldisc_transmittable(&t->l) && n < TX_TURN; n++) {
		fill(t);
		lsr = status(u);
	}
	transmit_by_interrupt(t);
	tern_irq_ack(u->irq);
}

void uart_kick(struct tty *t)
{
	if ((t->uart.ier & IER_TX) || !ldisc_transmittable(&t->l))
		return;
	if (status(&t->uart) & LSR_THRE)
		fill(t);
	transmit_by_interrupt(t);
}

void uart_unthrottle(struct tty *t)
{
	if (!(t->uart.ier & IER_RX) && ldisc_input_room(&t->l))
		set_ier(&t->uart, t->uart.ier | IER_RX);
}
