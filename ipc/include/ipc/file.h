/* Regular files that the kernel reads and writes itself (ipc/file.c). */
#pragma once

struct memobj;

/* The object's server is asked for every access from now on; what was under way is finished.  No lock
 * held. */
void file_withdraw(struct memobj *m);
