/* Waiting for readiness: ppoll, pselect6, epoll (ipc/poll.c, ipc/epoll.c). */
#pragma once

#include <ipc/session.h>
#include <kernel/handle.h>
#include <kernel/thread.h>

/* One watched word of a wait or of an epoll item, in ready->waiters.  Kernel lock. */
struct poll_entry {
	struct list link;
	struct ready *ready; /* not referenced: unlinked when its session goes */
	u32 events;
	void (*notify)(struct poll_entry *e, u32 bits);
	void *owner;
};
struct waitset;
void waitset_get(struct waitset *w);
void waitset_put(struct waitset *w);
/* A session is going (no handles left): its epoll items end. Kernel lock. */
void poll_session_gone(struct session *s);
struct signalfd;
void signalfd_get(struct signalfd *s);
void signalfd_put(struct signalfd *s);
/* read(2) of a signalfd, poll bits of kernel objects behind handles. */
u32 handle_poll_bits(struct thread *t, const struct handle *h);
