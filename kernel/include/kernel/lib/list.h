/* Circular doubly linked lists.  An element is unlinked exactly when it points at itself. */
#pragma once

#include <kernel/lib/types.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }
#define list_entry(p, type, member) container_of(p, type, member)
#define list_for_each(p, head) for (struct list *p = (head)->next; p != (head); p = p->next)
#define list_for_each_entry(e, head, type, member) \
	for (type *e = list_entry((head)->next, type, member); &e->member != (head); \
	     e = list_entry(e->member.next, type, member))
#define list_for_each_safe(p, n, head) \
	for (struct list *p = (head)->next, *n = p->next; p != (head); p = n, n = p->next)

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_add_tail(struct list *head, struct list *e)
{
	e->prev = head->prev;
	e->next = head;
	head->prev->next = e;
	head->prev = e;
}
static inline void list_add_head(struct list *head, struct list *e)
{
	e->next = head->next;
	e->prev = head;
	head->next->prev = e;
	head->next = e;
}
/* Unlinks e, which then points at itself.  If it was not linked, nothing changes. */
static inline void list_del(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	e->next = e->prev = e;
}
