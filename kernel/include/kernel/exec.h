/* fork and exec between pm's operation (kernel/native/native_process.c) and the calling thread's own work
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
	bool others_told, released, committed;
};
void exec_request_free(struct exec_request *q); /* no lock held */

/* A step of giving up a space: empties it if this is its last reference.  True when aspace_put() has
 * nothing long to do any more.  w->kind is 0 at first. */
bool must_check aspace_empty_step(struct aspace *as, struct mm_work *w);

void fork_abort(struct thread *child);
/* Writes the thread numbers that clone's flags ask for: the parent's into `from`. No lock held. */
void fork_write_tids(struct aspace *from, struct thread *child);
void fork_start(struct thread *child);
/* t's registers, name and space begin anew. */
void thread_start_image(struct thread *t, const struct tern_image *i);
