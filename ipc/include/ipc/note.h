/* Notifications (bits that arrive at an endpoint) and interrupts as such.  Kernel lock. */
#pragma once

#include <ipc/call.h>

struct account;
struct endpoint;
struct thread;

struct note {
	u32 refs;
	struct ipc_node node;
	u64 badge, bits;
	struct endpoint *endpoint; /* referenced */
	struct account *payer;
};
/* At the endpoint that t has bound; t's process pays. */
struct note *must_check note_create(struct thread *t, u64 badge);
void note_get(struct note *n);
void note_put(struct note *n);
/* More bits for it, which its endpoint hears of once until they are received. */
void note_signal(struct note *n, u64 bits);
void note_load(struct thread *r, struct ipc_node *n);

/* One interrupt source: bound to a notification, masked from its arrival until the ack. */
struct irq {
	u32 refs, number;
	struct note *note;
};
struct irq *must_check irq_create(u32 number); /* NULL: no memory; taken already */
void irq_get(struct irq *i);
void irq_put(struct irq *i);
s64 irq_bind(struct irq *i, struct thread *t, u64 badge);
void irq_ack(struct irq *i);
