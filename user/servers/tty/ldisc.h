/* The line discipline: what a terminal makes of the characters that come and go.  Pure logic: no
 * IPC, no device.  termios(3) and n_tty's behaviour on Linux are the reference. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <server/termios.h>

#define LDISC_IN 4096u
#define LDISC_OUT 65536u
#define LDISC_ECHO_RESERVE 1024u /* of the output ring, for echo only */

/* Signals that input raised, until the tty sends them. */
#define LDISC_SIGINT 1u
#define LDISC_SIGQUIT 2u
#define LDISC_SIGTSTP 4u

/* Invariants: tail <= canon <= head <= tail + LDISC_IN (free-running); marks only in [tail, canon)
 * and, in canonical mode, none behind the last line's end. */
struct ldisc {
	struct tern_termios t;
	uint32_t tail, canon, head; /* input: to read, behind the last whole line, behind the last */
	uint32_t out_head, out_tail; /* output: free-running; bytes for the line in between */
	uint32_t column, canon_column; /* of the cursor; where the line being edited began */
	bool lnext;	 /* the next character is taken literally */
	bool stopped;	 /* by ^S or TCOOFF */
	bool throttled;	 /* STOP was sent for IXOFF */
	uint8_t xchar;	 /* START or STOP to be sent before all else; 0: none */
	uint32_t signals; /* LDISC_SIG… */
	uint8_t in[LDISC_IN];
	uint8_t mark[LDISC_IN]; /* of a line's end: enum ldisc_mark */
	uint8_t out[LDISC_OUT];
};

enum ldisc_mark {
	LDISC_NONE,
	LDISC_EOL, /* delivered with the line */
	LDISC_EOF, /* ends it, not delivered */
};

void ldisc_init(struct ldisc *l);
/* A character has come in. */
void ldisc_input(struct ldisc *l, uint8_t c);
void ldisc_break(struct ldisc *l);
/* Whether one more can be kept; if not, the device is to hold it back. */
bool ldisc_input_room(const struct ldisc *l);

/* Whether a read would find anything: a line, or `least` characters in raw mode. */
bool ldisc_readable(const struct ldisc *l, uint32_t least);
/* What a read of n bytes gives now, at most LDISC_IN, without taking it; *used: how many
 * characters it takes from the input (an end-of-file mark counts). */
uint32_t ldisc_peek(const struct ldisc *l, uint8_t *to, uint32_t n, uint32_t *used);
void ldisc_consume(struct ldisc *l, uint32_t used);
/* FIONREAD. */
uint32_t ldisc_count(const struct ldisc *l);

/* Output of a program through OPOST: how many of the n bytes were taken; less means full. */
uint32_t ldisc_output(struct ldisc *l, const uint8_t *from, uint32_t n);
uint32_t ldisc_output_room(const struct ldisc *l);
static inline uint32_t ldisc_output_used(const struct ldisc *l)
{
	return l->out_head - l->out_tail;
}
/* The next byte for the line, or -1. */
int ldisc_transmit(struct ldisc *l);
/* The next n bytes or fewer, without taking them; then how many of these the line took. */
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
