/*
 * Notifications and interrupts for user space.
 *
 * A notification is a word of bits that arrives at its endpoint as one event, however often it was
 * signalled.  An interrupt is masked at the PLIC when it comes, signals its driver's notification,
 * and stays masked until the driver acknowledges it.
 * Kernel lock guards all of it.
 */
#include <arch/cpu.h>
#include <ipc/note.h>
#include <ipc/session.h>
#include <kernel/handle.h>
#include <kernel/lock.h>
#include <kernel/lib/log.h>
#include <kernel/thread.h>
#include <mm/memobj.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#include "call_priv.h"

#define MAX_IRQ 128
static struct irq *irqs[MAX_IRQ];

struct note *note_create(struct thread *t, u64 badge)
{
	struct note *n = kmalloc_for(t->process, sizeof *n);

	if (!n)
		return NULL;
	n->payer = t->process->account;
	n->refs = 1;
	n->badge = badge;
	n->endpoint = t->endpoint;
	endpoint_get(n->endpoint);
	n->node.kind = NODE_NOTE;
	list_init(&n->node.link);
	object_counts[TERN_OBJ_NOTIFICATION]++;
	return n;
}

void note_get(struct note *n) { n->refs++; }

void note_put(struct note *n)
{
	if (--n->refs > 0)
		return;
	endpoint_put(n->endpoint);
	account_discharge(n->payer, sizeof *n);
	kfree(n);
	object_counts[TERN_OBJ_NOTIFICATION]--;
}

void note_signal(struct note *n, u64 bits)
{
	bool was = n->bits != 0;

	n->bits |= bits;
	if (was || !bits || n->endpoint->dead)
		return;
	note_get(n); /* the reference of the endpoint's queue */
	endpoint_post(n->endpoint, &n->node);
}

void note_load(struct thread *r, struct ipc_node *node)
{
	struct note *n = container_of(node, struct note, node);

	message_event(r, TERN_EV_NOTE, n->badge, n->bits, 0);
	n->bits = 0;
	note_put(n);
}

void mm_unmapped(struct note *n)
{
	kernel_lock();
	note_signal(n, 1);
	kernel_unlock();
}

void mm_unwatch(struct note *n)
{
	kernel_lock();
	note_put(n);
	kernel_unlock();
}

struct irq *irq_create(u32 number)
{
	struct irq *i;

	if (number == 0 || number >= MAX_IRQ || irqs[number])
		return NULL;
	i = kmalloc(sizeof *i);
	if (!i)
		return NULL;
	i->refs = 1;
	i->number = number;
	irqs[number] = i;
	object_counts[TERN_OBJ_IRQ]++;
	return i;
}

void irq_get(struct irq *i) { i->refs++; }

void irq_put(struct irq *i)
{
	if (--i->refs > 0)
		return;
	arch_irq_disable(i->number);
	irqs[i->number] = NULL;
	if (i->note)
		note_put(i->note);
	kfree(i);
	object_counts[TERN_OBJ_IRQ]--;
}

s64 irq_bind(struct irq *i, struct thread *t, u64 badge)
{
	struct note *n = note_create(t, badge);

	if (!n)
		return -ENOMEM;
	if (i->note)
		note_put(i->note);
	i->note = n;
	arch_irq_enable(i->number);
	return 0;
}

void irq_ack(struct irq *i) { arch_irq_enable(i->number); }

void kernel_external_interrupt(unsigned number)
{
	struct hart *h = this_hart();

	kernel_lock();
	h->stat.interrupts++;
	if (number + 2 < TERN_NIRQ)
		h->irq_counts[number + 2]++;
	if (number < MAX_IRQ && irqs[number] && irqs[number]->note)
		note_signal(irqs[number]->note, 1);
	kernel_unlock();
}
