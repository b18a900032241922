/* The line discipline: what a terminal makes of the characters that come in and go out (editing of
 * lines, echo, signals, flow control).  It is pure logic, without IPC and device.  The reference is
 * termios(3), and Linux's n_tty where that is not precise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <server/termios.h>

#define LDISC_IN 4096u
#define LDISC_OUT 65536u
#define LDISC_ECHO_RESERVE 1024u /* bytes of the output ring that programs may not fill: for echo */

/* Bits of ldisc.signals: signals that an input character asked for and the tty is still to send. */
#define LDISC_SIGINT 1u
#define LDISC_SIGQUIT 2u
#define LDISC_SIGTSTP 4u

/* Invariants: tail <= canon <= head <= tail + LDISC_IN.  These positions only grow; a place in the
 * ring is the position modulo LDISC_IN.  Only characters in [tail, canon) have marks, and in
 * canonical mode the last of them is a line's end. */
struct ldisc {
	struct tern_termios t;
	/* Input: the next character to read; the end of the last whole line; the end of the
	 * input. */
	uint32_t tail, canon, head;
	uint32_t out_head, out_tail; /* output: the bytes in [out_tail, out_head) are to be sent */
	uint32_t column, canon_column; /* the cursor's; the one where the edited line began */
	bool lnext;	 /* VLNEXT (^V) was typed: the next character has no special meaning */
	bool stopped;	 /* output is stopped, by VSTOP (^S) or TCOOFF */
	bool throttled;	 /* IXOFF: the STOP character was sent, START is still to follow */
	uint8_t xchar;	 /* a START or STOP character to be sent before all output; 0: none */
	uint32_t signals; /* LDISC_SIG… bits */
	uint8_t in[LDISC_IN];
	uint8_t mark[LDISC_IN]; /* by place in the ring, enum ldisc_mark: does a line end here? */
	uint8_t out[LDISC_OUT];
};

enum ldisc_mark {
	LDISC_NONE,
	LDISC_EOL, /* this character ends a line and is read as its last byte */
	LDISC_EOF, /* this character (VEOF, ^D) ends a line and is not read */
};

void ldisc_init(struct ldisc *l);
/* Takes one character that has come in. */
void ldisc_input(struct ldisc *l, uint8_t c);
void ldisc_break(struct ldisc *l);
/* Tells whether one more character can be taken.  If not, the line has to hold it back. */
bool ldisc_input_room(const struct ldisc *l);

/* Tells whether a read would find a whole line, or in raw mode at least `least` characters. */
bool ldisc_readable(const struct ldisc *l, uint32_t least);
/* Copies to `to` what a read of n bytes (at most LDISC_IN) gives now, and returns how many bytes
 * that are.  The input stays until ldisc_consume(*used); *used may be larger than the result,
 * since an end-of-file character is consumed but not read. */
uint32_t ldisc_peek(const struct ldisc *l, uint8_t *to, uint32_t n, uint32_t *used);
void ldisc_consume(struct ldisc *l, uint32_t used);
/* Counts the bytes that could be read now (FIONREAD). */
uint32_t ldisc_count(const struct ldisc *l);

/* Puts a program's output into the ring, processed as c_oflag says.  Returns how many of the n
 * bytes were taken; fewer than n mean that the ring is full. */
uint32_t ldisc_output(struct ldisc *l, const uint8_t *from, uint32_t n);
uint32_t ldisc_output_room(const struct ldisc *l);
static inline uint32_t ldisc_output_used(const struct ldisc *l)
{
	return l->out_head - l->out_tail;
}
/* Takes the next byte that the line has to send; -1: there is none, or output is stopped. */
int ldisc_transmit(struct ldisc *l);
/* The same in two steps for many bytes: peek copies the next n bytes or fewer without taking them,
 * sent takes the first n of these. */
uint32_t ldisc_peek_output(const struct ldisc *l, uint8_t *to, uint32_t n);
void ldisc_sent(struct ldisc *l, uint32_t n);
static inline bool ldisc_transmittable(const struct ldisc *l)
{
	return l->xchar || (!l->stopped && l->out_head != l->out_tail);
}

void ldisc_set_termios(struct ldisc *l, const struct tern_termios *t);
void ldisc_flush_input(struct ldisc *l);
void ldisc_flush_output(struct ldisc *l);
void ldisc_stop(struct ldisc *l);
void ldisc_start(struct ldisc *l);
