/* maps, smaps and smaps_rollup: the regions of a process as Linux prints them; and the data for
 * aspace.
 *
 * Regions come from the kernel, 32 at a time.  pm knows the files behind them by their idents and
 * asks vfs once for the paths of all; the read waits for that answer.  The present pages of a
 * region are counted by its pagemap words, one leaf table at a time; a page-table walk tells which
 * tables there are, so that empty ranges are passed over.
 */
#include "proc_priv.h"
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <server/proc.h>

#define BATCH 32
#define MAX_REGIONS 65536
#define PATH_ROOM 160 /* vfs's answer gets room for this many bytes a path, on average */
#define NAME_COLUMN 73
#define PAGEMAP_FILE (1ull << 61)

#define PAGE 4096ull
#define TABLE (512 * PAGE)   /* bytes that a leaf table maps */
#define TABLES (512 * TABLE) /* bytes that a table of the level above maps */

static void count_word(uint64_t word, struct page_counts *c)
{
	uint64_t n = word >> TERN_PAGEMAP_COUNT & TERN_PAGEMAP_MOST;

	c->huge += !!(word & TERN_PAGEMAP_HUGE);
	if (!n) /* no page is present, or it is a device's */
		return;
	c->resident++;
	c->anonymous += !(word & PAGEMAP_FILE);
	c->kind[(n > 1 ? SHARED_CLEAN : PRIVATE_CLEAN) + !!(word & TERN_PAGEMAP_DIRTY)]++;
	c->share += (PAGE << PAGE_SHARE_SHIFT) / n;
}

static void count_pages(struct proc *p, const struct tern_region_info *r, struct page_counts *c)
{
	static uint64_t words[512];
	struct tern_walk walk;

	for (uint64_t at = r->start, stop; at < r->end; at = stop) {
		if (tern_aspace_walk(p->handle, at, &walk) < 0)
			return;
		stop = (at & ~(TABLE - 1)) + TABLE;
		if (!walk.levels)
			stop = (at & ~(TABLES - 1)) + TABLES;
		if (stop > r->end)
			stop = r->end;
		if (walk.levels < 2)
			continue;
		long n = tern_aspace_pagemap(p->handle, at, words, (unsigned)((stop - at) / PAGE));

		for (long i = 0; i < n; i++)
			count_word(words[i], c);
	}
}

static void job_release(struct proc_job *job)
{
	free(job->regions);
	free(job->counts);
	free(job->idents);
	free(job->paths);
	job->regions = NULL;
	job->counts = NULL;
	job->idents = NULL;
	job->paths = NULL;
}

static long collect(struct proc_job *job, struct proc *p)
{
	uint64_t at = 0;

	for (;;) {
		long n;

		if (job->nregions + BATCH > job->room) {
			uint32_t room = job->room ? job->room * 2 : BATCH;
			void *more = realloc(job->regions, room * sizeof *job->regions);

			if (!more)
				return -ENOMEM;
			job->regions = more;
			job->room = room;
		}
		n = tern_aspace_query(p->handle, at, job->regions + job->nregions, BATCH);
		if (n <= 0)
			return 0;
		job->nregions += (uint32_t)n;
		at = job->regions[job->nregions - 1].end;
		if (n < BATCH || job->nregions > MAX_REGIONS)
			return 0;
	}
}

/* Counts the pages of all regions, for files that show them.  This is done before vfs is asked
 * for the paths, since the process may have ended when its answer comes. */
static long count_all(struct proc_job *job, struct proc *p)
{
	if (job->number != TERN_PROC_PID_SMAPS && job->number != TERN_PROC_PID_ASPACE)
		return 0;
	job->counts = calloc(job->nregions ? job->nregions : 1, sizeof *job->counts);
	if (!job->counts)
		return -ENOMEM;
	for (uint32_t i = 0; i < job->nregions; i++)
		count_pages(p, &job->regions[i], &job->counts[i]);
	return 0;
}

static uint32_t ident_index(const struct proc_job *job, uint64_t ident)
{
	uint32_t i = 0;

	while (i < job->nidents && job->idents[i] != ident)
		i++;
	return i;
}

static long collect_idents(struct proc_job *job)
{
	job->idents = calloc(job->nregions ? job->nregions : 1, sizeof *job->idents);
	if (!job->idents)
		return -ENOMEM;
	for (uint32_t i = 0; i < job->nregions; i++) {
		uint64_t ident = job->regions[i].ident;

		if (ident && ident_index(job, ident) == job->nidents)
			job->idents[job->nidents++] = ident;
	}
	return 0;
}

static const char *path_of(const struct proc_job *job, uint64_t ident)
{
	uint32_t index = ident_index(job, ident);
	const char *p = job->paths, *end = p + job->paths_size;

	if (!p || index == job->nidents)
		return "";
	for (; index && p < end; index--)
		p += strlen(p) + 1;
	return p < end ? p : "";
}

static const char *region_name(const struct proc_job *job, const struct tern_region_info *r)
{
	if (r->flags & TERN_REGION_HEAP)
		return "[heap]";
	if (r->flags & TERN_REGION_STACK)
		return "[stack]";
	if (r->flags & TERN_REGION_VDSO)
		return "[vdso]";
	return r->ident ? path_of(job, r->ident) : "";
}

static void map_line(struct text *t, const struct tern_region_info *r, const char *name)
{
	char line[128];
	int n = snprintf(line, sizeof line, "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ",
			 (unsigned long)r->start, (unsigned long)r->end,
			 r->prot & PROT_READ ? 'r' : '-', r->prot & PROT_WRITE ? 'w' : '-',
			 r->prot & PROT_EXEC ? 'x' : '-', r->flags & TERN_REGION_SHARED ? 's' : 'p',
			 (unsigned long)r->offset, r->ident ? 1u : 0u,
			 (unsigned long)r->ident);

	text_append(t, line, (size_t)n);
	if (name[0]) {
		for (; n < NAME_COLUMN; n++)
			text_append(t, " ", 1);
		text_append(t, name, strlen(name));
	}
	text_append(t, "\n", 1);
}

static void field_kb(struct text *t, const char *name, uint64_t kb)
{
	text_printf(t, "%-16s%8lu kB\n", name, (unsigned long)kb);
}

static void field(struct text *t, const char *name, uint64_t pages)
{
	field_kb(t, name, pages * 4);
}

static void counters(struct text *t, const struct page_counts *c, uint64_t size_pages, bool locked)
{
	uint64_t share = (c->share >> PAGE_SHARE_SHIFT) / 1024; /* kB */

	if (size_pages) {
		field(t, "Size:", size_pages);
		field(t, "KernelPageSize:", 1);
		field(t, "MMUPageSize:", 1);
	}
	field(t, "Rss:", c->resident);
	field_kb(t, "Pss:", share);
	field(t, "Shared_Clean:", c->kind[SHARED_CLEAN]);
	field(t, "Shared_Dirty:", c->kind[SHARED_DIRTY]);
	field(t, "Private_Clean:", c->kind[PRIVATE_CLEAN]);
	field(t, "Private_Dirty:", c->kind[PRIVATE_DIRTY]);
	field(t, "Referenced:", c->resident);
	field(t, "Anonymous:", c->anonymous);
	field(t, "AnonHugePages:", c->huge);
	field(t, "Swap:", 0);
	field_kb(t, "Locked:", locked ? share : 0);
}

static void smaps_entry(struct text *t, const struct tern_region_info *r, const struct page_counts *c,
			const char *name)
{
	map_line(t, r, name);
	counters(t, c, (r->end - r->start) / PAGE, r->flags & TERN_REGION_LOCKED);
	text_printf(t, "VmFlags:%s%s%s%s%s%s%s%s%s%s\n", r->prot & PROT_READ ? " rd" : "",
		    r->prot & PROT_WRITE ? " wr" : "", r->prot & PROT_EXEC ? " ex" : "",
		    r->flags & TERN_REGION_SHARED ? " sh" : "", r->max_prot & PROT_READ ? " mr" : "",
		    r->max_prot & PROT_WRITE ? " mw" : "", r->max_prot & PROT_EXEC ? " me" : "",
		    r->flags & TERN_REGION_GROWSDOWN ? " gd" : "",
		    r->flags & TERN_REGION_HUGE ? " hg" : "", r->flags & TERN_REGION_NOHUGE ? " nh" : "");
}

static void write_all(struct proc_job *job)
{
	for (uint32_t i = 0; i < job->nregions && !job->text.failed; i++) {
		const struct tern_region_info *r = &job->regions[i];

		if (job->number == TERN_PROC_PID_SMAPS)
			smaps_entry(&job->text, r, &job->counts[i], region_name(job, r));
		else if (job->number == TERN_PROC_PID_ASPACE)
			proc_aspace_region(&job->text, r, job->counts[i].resident, region_name(job, r),
					   i + 1 == job->nregions);
		else
			map_line(&job->text, r, region_name(job, r));
	}
}

static void got_paths(void *arg, long result, int handle)
{
	struct proc_job *job = arg;

	if (handle >= 0)
		tern_close(handle);
	if (result < 0)
		job->paths[0] = 0;
	write_all(job);
	job_release(job);
	proc_job_done(job, 0);
}

long proc_maps_start(struct proc_job *job, struct proc *p)
{
	uint64_t args[6] = { 0 };
	long r = p->state == PROC_ZOMBIE ? 0 : collect(job, p);

	if (r == 0 && job->number == TERN_PROC_PID_ASPACE)
		proc_aspace_head(&job->text, p, job->nregions);
	if (r == 0)
		r = count_all(job, p);
	if (r == 0)
		r = collect_idents(job);
	if (r == 0 && job->nidents) {
		job->paths_size = job->nidents * PATH_ROOM + 4096;
		job->paths = calloc(1, job->paths_size + 1);
		r = job->paths ? 0 : -ENOMEM;
	}
	if (r == 0 && job->nidents) {
		args[0] = TERN_PTR(job->idents);
		args[1] = job->nidents * sizeof *job->idents;
		args[2] = TERN_PTR(job->paths);
		args[3] = job->paths_size;
		r = async_call(pm.vfs, TERN_VFS_PATHS, 0, args, got_paths, job);
		if (r == 0)
			return 0;
	}
	if (r < 0) {
		job_release(job);
		return r;
	}
	write_all(job);
	job_release(job);
	proc_job_done(job, 0);
	return 0;
}

void proc_text_rollup(struct text *t, struct proc *p)
{
	struct tern_region_info v[BATCH], whole = { 0 };
	struct page_counts sum = { 0 };
	long n;

	do {
		n = tern_aspace_query(p->handle, whole.end, v, BATCH);
		for (long i = 0; i < n; i++) {
			if (!whole.end)
				whole.start = v[i].start;
			whole.end = v[i].end;
			count_pages(p, &v[i], &sum);
		}
	} while (n == BATCH);
	map_line(t, &whole, "[rollup]");
	counters(t, &sum, 0, false);
}
