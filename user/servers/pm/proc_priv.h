/* What the proc_*.c files share. */
#pragma once

#include "pm.h"

struct proc_file {
	int number;	  /* enum tern_proc_file */
	uint32_t pid, tid;
	uint64_t process; /* badge of the process, 0: a file of the system's */
	uint64_t pos;
	uint32_t flags; /* for F_GETFL */
	bool made;	/* text is there */
	bool va_set, walked; /* ptwalk */
	uint64_t va;
	struct text text;
};

#define PAGE_SHARE_SHIFT 12
enum page_kind { PRIVATE_CLEAN, PRIVATE_DIRTY, SHARED_CLEAN, SHARED_DIRTY, PAGE_KINDS };

/* Pages of a region; shared: somebody else maps the page, too. */
struct page_counts {
	uint64_t resident, anonymous, huge;
	uint64_t kind[PAGE_KINDS];
	uint64_t share; /* of their bytes, each page's divided by who maps it; << PAGE_SHARE_SHIFT */
};

/* A read that waits for vfs to name files. */
struct proc_job {
	uint64_t file; /* badge of the proc_file */
	uint64_t token;
	uint64_t off, n;
	bool advance;
	int number;
	struct text text;
	struct tern_region_info *regions;
	struct page_counts *counts; /* of each; NULL: nobody asks */
	uint32_t nregions, room;
	uint64_t *idents;
	uint32_t nidents;
	char *paths;
	size_t paths_size;
};

struct proc_file *proc_file_of(uint64_t badge);
struct proc *proc_file_process(const struct proc_file *f);
/* Collects the regions of p and asks for their paths.  < 0: failed, the job is still the caller's;
 * else proc_job_done() will be, or has been called. */
long proc_maps_start(struct proc_job *job, struct proc *p);
/* Installs the job's text, answers the read, frees the job. */
void proc_job_done(struct proc_job *job, long error);
/* aspace: the lines of the process and its space, and of each region. */
void proc_aspace_head(struct text *t, struct proc *p, uint32_t nregions);
void proc_aspace_region(struct text *t, const struct tern_region_info *r, uint64_t resident, const char *name,
			bool last);
/* smaps_rollup, without paths. */
void proc_text_rollup(struct text *t, struct proc *p);
/* /proc/sys (sysctl.c).  Writing: -EINVAL for what is not to be changed so. */
void sysctl_text(struct text *t, int number);
long sysctl_write(int number, const char *from, size_t n); /* `from` ends with a NUL */
