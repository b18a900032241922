/* /proc/<pid>/aspace: the kernel's objects behind a process's memory, drawn as a tree: the
 * process, the space that its threads share, the regions, and the memory object behind each
 * region. */
#include "proc_priv.h"
#include <linux/mman.h>
#include <string.h>
#include <server/proc.h>

#define UL(x) ((unsigned long)(x))

void proc_aspace_head(struct text *t, struct proc *p, uint32_t nregions)
{
	struct tern_process_stat st;
	struct tern_walk walk;

	memset(&walk, 0, sizeof walk);
	if (p->state == PROC_ZOMBIE || tern_process_stat(p->handle, 0, &st) < 0) {
		text_printf(t, "process %u: no space\n", p->pid);
		return;
	}
	tern_aspace_walk(p->handle, 0, &walk);
	text_printf(t, "process %u (%s)  threads %u  descriptors %u\n", p->pid, st.comm, st.nthreads,
		    st.nfds);
	text_printf(t, "`- aspace  root table %010lx  regions %u  size %lu kB  tables %lu kB\n",
		    UL(walk.level[0].table), nregions, UL(st.vsize / 1024), UL(st.size_pt / 1024));
}

void proc_aspace_region(struct text *t, const struct tern_region_info *r, uint64_t resident, const char *name,
			bool last)
{
	text_printf(t, "   %s region %010lx %c%c%c%c %lu of %lu kB  ", last ? "`-" : "|-", UL(r->start),
		    r->prot & PROT_READ ? 'r' : '-', r->prot & PROT_WRITE ? 'w' : '-',
		    r->prot & PROT_EXEC ? 'x' : '-', r->flags & TERN_REGION_SHARED ? 's' : 'p',
		    UL(resident * 4), UL((r->end - r->start) / 1024));
	if (r->ident)
		text_printf(t, "memobj %lx+%lx ", UL(r->ident), UL(r->offset));
	text_printf(t, "%s\n", name[0] ? name : "anonymous");
}
