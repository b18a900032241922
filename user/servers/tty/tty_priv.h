/* What the files of the tty server share: terminals, open file descriptions, calls that wait, and
 * the state of the UART's driver. */
#pragma once

#include <server/server.h>
#include <stdbool.h>

#include "ldisc.h"

/* A UART of the 16550 kind.  What the driver can remember of it is kept here, since each access
 * to a device register is slow. */
struct uart {
	volatile uint8_t *reg;
	unsigned shift;	 /* the registers are 1 << shift bytes apart */
	int irq;	 /* handle of the UART's interrupt */
	uint8_t ier;	 /* the interrupt-enable register as last written */
	bool break_seen; /* the line status reported a break; reading it clears it in the device */
};

enum req_type {
	REQ_READ,
	REQ_WRITE,
	REQ_DRAIN,	/* TCSETSW, TCSETSF, TCSBRK: wait until all output has been sent */
	REQ_BACKGROUND, /* a background group's call waits while pm signals that group */
	REQ_SET_PGRP,	/* TIOCSPGRP waits for pm to say of which session the group is */
	REQ_SET_TTY,	/* TIOCSCTTY waits for pm to say if the terminal's session still lives */
	REQ_OPEN,	/* an open waits for pm to say so, too */
};

struct desc;

/* A call that waits, in one of the terminal's queues; or, with queue NULL, for pm's answer. */
struct req {
	struct req *next, *prev;
	struct queue *queue;
	struct tty *tty;
	struct desc *desc; /* the description that the call came by; of REQ_OPEN: the new one */
	uint64_t token;
	uint64_t len, done; /* bytes asked for, and those already transferred */
	uint32_t type;
	uint32_t op;	/* of REQ_DRAIN: the ioctl's number */
	uint32_t seen;	/* of REQ_READ: ldisc.head when the read's timer was last set */
	/* The group and session that the terminal gets if pm agrees; pid: the leader of the session
	 * that has the terminal now. */
	uint32_t pgid, sid, pid;
	int32_t meta; /* of REQ_OPEN: handle of the meta session */
	struct tern_termios termios;
};

struct queue {
	struct req *first, *last;
};

/* One terminal: the console, or the slave side of a pty (its line is the master's descriptor). */
struct tty {
	struct ldisc l;
	struct tern_winsize size;
	/* The session whose controlling terminal it is, and its foreground group; 0: none. */
	uint32_t session, pgrp;
	bool exclusive;
	uint32_t asked; /* how many reqs wait for pm's answer: the tty is not freed before */
	uint64_t rdev;
	int64_t rid; /* the readiness word, which all opens of the terminal share */
	uint32_t bits; /* the poll bits that the word has now */
	struct queue readers, writers, drainers;
	void (*kick)(struct tty *t); /* has the line transmit what the output ring holds */
	void (*unthrottle)(struct tty *t); /* tells the line that there may be room for input */
	struct uart uart;
	struct pty *pty; /* the pty that the terminal belongs to; NULL: it is the console */
};

#define PTYS_MAX 256u
#define PTS_MAJOR 136u

struct pty {
	struct tty t;
	uint32_t index;
	uint32_t slaves; /* open file descriptions of the terminal, the slave side */
	bool opened;	 /* the terminal has been opened at least once */
	bool hung;	 /* the master has been closed */
	/* TIOCSPTLCK forbids opening the terminal; TIOCPKT switched packet mode on; the output was
	 * stopped when the master's reader was last told of that. */
	bool locked, packet, was_stopped;
	uint8_t status; /* in packet mode: the TIOCPKT_… byte that the master's next read gets */
	int64_t rid;	/* the readiness word of the master */
	uint32_t bits;	/* the poll bits that the word has now */
	struct queue readers, writers; /* calls that wait at the master */
};

/* An open file description. */
struct desc {
	struct tty *tty;
	uint32_t flags; /* as F_GETFL shows them */
	uint64_t ident;
	bool master; /* it is the master of a pty, and tty the terminal at the other side */
};

struct signal_out {
	uint32_t pgid, signal;
};

#define SIGNALS_KEPT 8
struct tty_server {
	struct pool descs, reqs;
	struct tty console;
	struct pty *ptys[PTYS_MAX]; /* by number: the ptys whose master is open */
	/* Signals that pm is still to be asked to send: calling it failed for want of memory. */
	struct signal_out kept[SIGNALS_KEPT];
	uint32_t nkept;
	uint8_t stage[4096]; /* bytes that one handler has just copied in or is about to copy out */
	uint8_t reply[LDISC_IN]; /* what the reply of the running handler copies to the caller */
};
extern struct tty_server *server;

/* uart.c */
#define UART_BADGE 1
bool uart_init(struct uart *u);
void uart_interrupt(struct tty *t);
void uart_kick(struct tty *t);
void uart_unthrottle(struct tty *t);

/* tty_ops.c */
/* Makes the terminal's state and readiness word.  `master` is the readiness word of the pty's
 * master, or 0: the kernel sets HUP there while no session of the terminal is left.  False: no
 * memory. */
bool tty_init(struct tty *t, uint64_t master);
/* Is called after anything has changed: sends the signals that input raised, starts transmission,
 * answers the waiting calls that can go on, and sets the readiness word. */
void tty_update(struct tty *t);
void tty_server_init(void);
extern const struct server_ops tty_server_ops;

/* tty_ioctl.c */
long tty_ioctl(struct tern_msg *m);
void tty_drained(struct req *r);
void tty_answered(struct req *r, long result);

/* tty_job.c */
void tty_signal(struct tty *t, uint32_t pgid, uint32_t sig);
void tty_signals_retry(void);
/* Tells whether the caller may do now what only the foreground group may.  If not, *result is what
 * the handler returns: the group is being sent `sig`, or the call fails. */
bool tty_foreground(struct desc *d, struct tern_msg *m, uint32_t sig, long *result);
long tty_open(struct tern_msg *m);
long tty_set_pgrp(struct desc *d, struct tern_msg *m);
long tty_get_pgrp(struct desc *d, struct tern_msg *m);
long tty_get_session(struct desc *d, struct tern_msg *m);
long tty_take(struct desc *d, struct tern_msg *m);
long tty_leave(struct desc *d, struct tern_msg *m);
long tty_session_end(struct tern_msg *m);
/* Finds the controlling terminal of a session; NULL: it has none. */
struct tty *tty_of_session(uint32_t session);
/* Both make the terminal nobody's controlling terminal; a hang-up also signals the session's
 * leader. */
void tty_leave_session(struct tty *t);
void tty_hang_up(struct tty *t);
struct desc *desc_create(struct tty *t, uint64_t flags, uint64_t ident);
void desc_free(struct desc *d);

struct req *req_create(struct desc *d, struct tern_msg *m, enum req_type type);
void req_queue(struct queue *q, struct req *r);
void req_destroy(struct req *r);
void req_answer(struct req *r, long result); /* replies, and destroys r */

/* pty.c */
long pty_transfer(struct desc *d, struct tern_msg *m, uint64_t len, bool write, bool nonblock);
/* Does the ioctls that mean something else at a master; SERVER_NO_REPLY: this is none of them. */
long pty_ioctl(struct desc *d, struct tern_msg *m);
struct tty *pty_find(uint32_t index);
/* Makes the pty of this number and a description of its master.  NULL: no memory. */
struct desc *pty_open_master(uint32_t index, uint64_t flags, uint64_t ident);
void pty_opened(struct pty *p); /* counts a new description of the terminal */
void pty_closed(struct pty *p, bool master);
void pty_try_free(struct pty *p); /* frees p if no description and no question to pm names it */
