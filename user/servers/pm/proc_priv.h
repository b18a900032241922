/* What the proc_*.c files share. */
#pragma once

#include "pm.h"

/* An open file of /proc. */
struct proc_file {
	int number;	  /* enum tern_proc_file */
	uint32_t pid, tid;
	uint64_t process; /* the process's badge in pm.procs; 0: the file is about the system */
	uint64_t pos;
	uint32_t flags; /* as F_GETFL shows them */
	bool made;	/* `text` holds the file's contents */
	/* Of ptwalk: an address, `va`, was written; a read without one has given the whole text. */
	bool va_set, walked;
	uint64_t va;
	struct text text;
};

#define PAGE_SHARE_SHIFT 12
enum page_kind { PRIVATE_CLEAN, PRIVATE_DIRTY, SHARED_CLEAN, SHARED_DIRTY, PAGE_KINDS };

/* Counts of a region's pages.  A page is shared if it is mapped in another place, too. */
struct page_counts {
	uint64_t resident, anonymous, huge;
	uint64_t kind[PAGE_KINDS];
	/* The sum over the pages of 4096 bytes divided by the number of the page's mappings (Pss),
	 * shifted left by PAGE_SHARE_SHIFT. */
	uint64_t share;
};

/* A read that waits for vfs to tell the paths of files. */
struct proc_job {
	uint64_t file; /* badge of the proc_file, which may be closed meanwhile */
	uint64_t token;
	uint64_t off, n;
	bool advance;
	int number;
	struct text text;
	struct tern_region_info *regions;
	struct page_counts *counts; /* one for each region; NULL: the file does not show them */
	uint32_t nregions, room;
	uint64_t *idents;
	uint32_t nidents;
	char *paths;
	size_t paths_size;
};

struct proc_file *proc_file_of(uint64_t badge);
struct proc *proc_file_process(const struct proc_file *f);
/* Collects the regions of p and asks vfs for the paths of their files.  0: proc_job_done() has been
 * called or will be.  An errno: the caller still owns the job. */
long proc_maps_start(struct proc_job *job, struct proc *p);
/* Makes the job's text the file's, answers the read, and frees the job. */
void proc_job_done(struct proc_job *job, long error);
/* Write the lines of /proc/<pid>/aspace: those of the process and its space, that of a region. */
void proc_aspace_head(struct text *t, struct proc *p, uint32_t nregions);
void proc_aspace_region(struct text *t, const struct tern_region_info *r, uint64_t resident, const char *name,
			bool last);
/* Writes smaps_rollup, which needs no paths. */
void proc_text_rollup(struct text *t, struct proc *p);
/* The files under /proc/sys (sysctl.c).  A write gets -EINVAL if the value cannot be changed to
 * that. */
void sysctl_text(struct text *t, int number);
long sysctl_write(int number, const char *from, size_t n); /* a NUL follows the n bytes */
