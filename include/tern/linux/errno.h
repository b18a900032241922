/* Linux error numbers: the only ones Tern speaks.  The C library of the servers numbers its own
 * differently, so servers include this and never <errno.h>. */
#pragma once
#include <asm-generic/errno.h>

#undef errno
#define ENOTSUP EOPNOTSUPP

/* Never seen by a program: how an interrupted call is to go on (kernel/linux/signal.c). */
#define ERESTARTSYS 512          /* restart if SA_RESTART or no handler, else EINTR (class s) */
#define ERESTARTNOINTR 513       /* always restart */
#define ERESTARTNOHAND 514       /* EINTR if a handler runs, else restart (class n) */
#define ERESTART_RESTARTBLOCK 516 /* EINTR if a handler runs, else restart_syscall (class b) */
