/* Private to the tty server: terminals, their descriptions, waiting calls, the device's driver. */
#pragma once

#include <server/server.h>
#include <stdbool.h>

#include "ldisc.h"

/* A 16550 and what is known of it without asking (each register access is slow). */
struct uart {
	volatile uint8_t *reg;
	unsigned shift;	 /* register stride: 1 << shift */
	int irq;	 /* handle */
	uint8_t ier;	 /* as last written */
	bool break_seen; /* reading the line status took it off the device */
};

enum req_type {
	REQ_READ,
	REQ_WRITE,
	REQ_DRAIN,	/* TCSETSW, TCSETSF, TCSBRK: until all output has gone */
	REQ_BACKGROUND, /* pm is signalling the caller's group: start again, or EIO */
	REQ_SET_PGRP,	/* pm says whether that group is of the session */
	REQ_SET_TTY,	/* pm says whether the session that has the terminal still lives */
	REQ_OPEN,	/* the same, for an open */
};

struct desc;

/* A call that waits: in one of the tty's queues, or for pm's answer (queue NULL). */
struct req {
	struct req *next, *prev;
	struct queue *queue;
	struct tty *tty;
	struct desc *desc; /* REQ_OPEN: the new one */
	uint64_t token;
	uint64_t len, done;
	uint32_t type;
	uint32_t op;	/* REQ_DRAIN: the ioctl */
	uint32_t seen;	/* REQ_READ: input position when its timer was last set */
	uint32_t pgid, sid, pid; /* caller's, or asked for */
	int32_t meta;
	struct tern_termios termios;
};

struct queue {
	struct req *first, *last;
};

/* One terminal: the console, or what a pty's master is the line of. */
struct tty {
	struct ldisc l;
	struct tern_winsize size;
	uint32_t session, pgrp; /* 0: none */
	bool exclusive;
	uint32_t asked; /* reqs that wait for pm's answer */
	uint64_t rdev;
	int64_t rid; /* readiness of all opens */
	uint32_t bits;
	struct queue readers, writers, drainers;
	void (*kick)(struct tty *t); /* starts the transmission of what is there */
	void (*unthrottle)(struct tty *t); /* there is room for input again */
	struct uart uart;
	struct pty *pty; /* that it is part of; NULL: the console */
};

#define PTYS_MAX 256u
#define PTS_MAJOR 136u

struct pty {
	struct tty t;
	uint32_t index;
	uint32_t slaves; /* descriptions of the terminal */
	bool opened;	 /* it was, at least once */
	bool hung;	 /* the master is closed */
	bool locked, packet, was_stopped;
	uint8_t status; /* packet mode: TIOCPKT_… to be told */
	int64_t rid;	/* readiness of the master */
	uint32_t bits;
	struct queue readers, writers; /* of the master */
};

/* An open file description. */
struct desc {
	struct tty *tty;
	uint32_t flags; /* as F_GETFL shows them */
	uint64_t ident;
	bool master; /* of a pty: tty is the other side */
};

struct signal_out {
	uint32_t pgid, signal;
};

#define SIGNALS_KEPT 8
struct tty_server {
	struct pool descs, reqs;
	struct tty console;
	struct pty *ptys[PTYS_MAX]; /* whose master is open */
	struct signal_out kept[SIGNALS_KEPT]; /* pm could not be called just then */
	uint32_t nkept;
	uint8_t stage[4096]; /* on its way in or out */
	uint8_t reply[LDISC_IN]; /* goes with the running handler's reply */
};
extern struct tty_server *server;

/* uart.c */
#define UART_BADGE 1
bool uart_init(struct uart *u);
void uart_interrupt(struct tty *t);
void uart_kick(struct tty *t);
void uart_unthrottle(struct tty *t);

/* tty_ops.c */
/* With the word of its master, or 0: it has HUP while the terminal is open nowhere.  False: no memory. */
bool tty_init(struct tty *t, uint64_t master);
/* After anything has changed: signals, waiting calls, transmission, readiness. */
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
/* Whether the caller may go on with what only the foreground may do; if not, *result. */
bool tty_foreground(struct desc *d, struct tern_msg *m, uint32_t sig, long *result);
long tty_open(struct tern_msg *m);
long tty_set_pgrp(struct desc *d, struct tern_msg *m);
long tty_get_pgrp(struct desc *d, struct tern_msg *m);
long tty_get_session(struct desc *d, struct tern_msg *m);
long tty_take(struct desc *d, struct tern_msg *m);
long tty_leave(struct desc *d, struct tern_msg *m);
long tty_session_end(struct tern_msg *m);
/* The terminal of a session; NULL: it has none. */
struct tty *tty_of_session(uint32_t session);
/* It is nobody's controlling terminal any more; with a hang-up the session's leader is told. */
void tty_leave_session(struct tty *t);
void tty_hang_up(struct tty *t);
struct desc *desc_create(struct tty *t, uint64_t flags, uint64_t ident);
void desc_free(struct desc *d);

struct req *req_create(struct desc *d, struct tern_msg *m, enum req_type type);
void req_queue(struct queue *q, struct req *r);
void req_destroy(struct req *r);
void req_answer(struct req *r, long result); /* destroys it */

/* pty.c */
long pty_transfer(struct desc *d, struct tern_msg *m, uint64_t len, bool write, bool nonblock);
/* What only a master knows; SERVER_NO_REPLY: that is not it. */
long pty_ioctl(struct desc *d, struct tern_msg *m);
struct tty *pty_find(uint32_t index);
/* NULL: no memory. */
struct desc *pty_open_master(uint32_t index, uint64_t flags, uint64_t ident);
void pty_opened(struct pty *p); /* a description of the terminal was made */
void pty_closed(struct pty *p, bool master);
void pty_try_free(struct pty *p); /* when nobody has it any more */
