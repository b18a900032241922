/* sendfile, splice, copy_file_range: a read and a write by turns (kernel/linux/pair.c).  No lock held. */
#pragma once

struct thread;

/* WORK_PAIR: the answer to the last message is in a0; the next one goes out.  Who runs next. */
struct thread *pair_step(struct thread *t);
void pair_forget(struct thread *t); /* t ends */
