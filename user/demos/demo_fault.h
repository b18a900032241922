/* Trying what is not allowed: the access is made, the signal is caught and told of, and the program
 * goes on behind it. */
#pragma once

#include "demo.h"

#include <setjmp.h>
#include <signal.h>

struct demo_fault {
	int signal, code; /* 0: the access was allowed */
	uintptr_t address;
};

static sigjmp_buf demo_fault_back;
static volatile struct demo_fault demo_fault_last;

static inline void demo_fault_handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	demo_fault_last.signal = signal;
	demo_fault_last.code = info->si_code;
	demo_fault_last.address = (uintptr_t)info->si_addr;
	siglongjmp(demo_fault_back, 1);
}

/* The handler runs on a stack of its own: the fault may be that there is no more stack. */
static inline void demo_fault_catch(void)
{
	static char stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction action = { .sa_sigaction = demo_fault_handler,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

static inline void demo_fault_read(volatile char *at)
{
	(void)*at;
}

static inline void demo_fault_write(volatile char *at)
{
	*at = 1;
}

static inline void demo_fault_jump(volatile char *at)
{
	((void (*)(void))(uintptr_t)at)();
}

static inline struct demo_fault demo_try(void (*access)(volatile char *), const volatile void *at)
{
	demo_fault_last.signal = demo_fault_last.code = 0;
	demo_fault_last.address = 0;
	if (sigsetjmp(demo_fault_back, 1) == 0)
		access((volatile char *)(uintptr_t)at);
	return (struct demo_fault){ demo_fault_last.signal, demo_fault_last.code,
				    demo_fault_last.address };
}

static inline const char *demo_fault_name(const struct demo_fault *f)
{
	if (f->signal == SIGSEGV)
		return f->code == SEGV_MAPERR	? "SIGSEGV, SEGV_MAPERR"
		       : f->code == SEGV_ACCERR ? "SIGSEGV, SEGV_ACCERR"
						: "SIGSEGV";
	if (f->signal == SIGBUS)
		return f->code == BUS_ADRERR ? "SIGBUS, BUS_ADRERR" : "SIGBUS";
	return f->signal == SIGILL ? "SIGILL" : f->signal ? "another signal" : "nothing";
}

static inline const char *demo_fault_reason(const struct demo_fault *f)
{
	if (f->signal == SIGSEGV)
		return f->code == SEGV_MAPERR	? " (nothing is mapped)"
		       : f->code == SEGV_ACCERR ? " (not allowed)"
						: "";
	return f->signal == SIGBUS && f->code == BUS_ADRERR ? " (no such page)" : "";
}

/* Tries it, prints what came of it, and claims that it was this signal (0: none) with this code, for
 * just this address. */
static inline void demo_try_show(const char *what, void (*access)(volatile char *),
				 const volatile void *at, int signal, int code)
{
	struct demo_fault f = demo_try(access, at);

	printf("%-24s %s%s\n", what, demo_fault_name(&f), demo_fault_reason(&f));
	demo_claim(f.signal == signal && f.code == code, "%s: %s", what, demo_fault_name(&f));
	demo_claim(!signal || f.address == (uintptr_t)at, "%s: the signal names %#lx instead of %p", what,
		   (unsigned long)f.address, at);
}
