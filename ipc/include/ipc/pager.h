/* Objects whose pages a server brings (ipc/pager.c).  Kernel lock held unless it says otherwise. */
#pragma once

#include <ipc/call.h>
#include <kernel/lib/types.h>

struct endpoint;
struct memobj;
struct pager;
struct thread;

/* An object without pages; what is missing is asked of ep with this badge.  NULL: no memory. */
struct memobj *must_check pager_create(struct endpoint *ep, u64 size, u64 ident, u64 badge);
/* Pages have come to a paged object, or its size has changed: who waited for them goes on. */
void pager_supplied(struct memobj *m);
/* The same without the lock, and of any object. */
void pager_changed(struct memobj *m);
bool must_check pagers_endpoint_died(struct endpoint *ep);
/* PAGE_IN into the receiver's registers. */
void pager_load(struct thread *r, struct ipc_node *n);
/* t no longer waits for a page. */
void page_wait_end(struct thread *t);
/* A copy for a held, pinned call could do nothing at va of its caller's: EFAULT; or EAGAIN, and the
 * page is on its way (PAGED).  No lock held. */
s64 pager_copy_short(struct call *c, va_t va);
