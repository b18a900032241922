/* fork and exec between pm's operation (kernel/sys_process.c) and the calling thread's own work
 * (kernel/exec.c). */
#pragma once

#include <kernel/process.h>

/* What execve's caller is about to become. */
struct exec_request {
	struct tern_exec_args args;
	struct aspace *aspace; /* referenced; NULL once it is the process's */
	struct aspace *old;    /* to be given back */
	struct sighand *sighand; /* spare, if the table is shared */
	struct cred *cred;	 /* new credentials, or NULL */
	bool released, committed, destroying;
};

void fork_abort(struct thread *child);
void fork_write_tids(struct thread *parent, struct thread *child);
void fork_start(struct thread *child);
