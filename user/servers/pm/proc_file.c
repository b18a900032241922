/* Open files of /proc.  Each is a session whose reads are answered from a text, which the first
 * read makes.
 *
 * vfs forwards the open; the session's badge is the file's badge in the pool.  A read at offset 0
 * makes the text anew.  Texts with paths of files (maps, smaps, aspace) are made by proc_maps.c,
 * which asks vfs for the paths.  Meanwhile a struct proc_job stands for the read, as the file may
 * be read by others or closed.
 */
#include "proc_priv.h"
#include <stdlib.h>
#include <string.h>
#include <server/proc.h>

#define RWF_READ 7u /* RWF_HIPRI, DSYNC and SYNC are accepted in preadv2; they change nothing */

static struct pool files;

void proc_files_init(void)
{
	pool_init(&files, sizeof(struct proc_file));
}

static bool is_pid_file(int number)
{
	return number >= TERN_PROC_PID_STATUS && number < TERN_PROC_MEMINFO;
}

static bool is_private(int number)
{
	switch (number) {
	case TERN_PROC_PID_MAPS:
	case TERN_PROC_PID_SMAPS:
	case TERN_PROC_PID_SMAPS_ROLLUP:
	case TERN_PROC_PID_ENVIRON:
	case TERN_PROC_PID_AUXV:
	case TERN_PROC_PID_PAGEMAP:
	case TERN_PROC_PID_PTWALK:
	case TERN_PROC_PID_ASPACE:
	case TERN_PROC_PID_TIMERSLACK:
		return true;
	}
	return false;
}

/* Tells whether credentials c let their owner look into p: ptrace(2)'s "access mode checks" for
 * reading. */
static bool may_look(const struct tern_cred *c, const struct proc *p)
{
	if (cred_capable(c, CAP_SYS_PTRACE) || c->fsuid == 0)
		return true;
	return !p->undumpable && p->state != PROC_SERVER && c->fsuid == p->uid &&
	       c->fsuid == p->euid && c->fsuid == p->suid;
}

static long check_open(struct tern_msg *m, int number, uint32_t id, struct proc **p)
{
	struct tern_cred c;

	*p = NULL;
	if (number <= TERN_PROC_NONE || number >= TERN_PROC_NFILES)
		return -ENOENT;
	if (!is_pid_file(number))
		return 0;
	*p = proc_of_tid(&pm.tree, id);
	if (!*p)
		return -ENOENT;
	if (!is_private(number) && number != TERN_PROC_PID_COMM)
		return 0;
	if (!caller_cred(m, &c))
		return -ESRCH;
	if (number == TERN_PROC_PID_COMM && (m->word[1] & O_ACCMODE) == O_RDONLY)
		return 0;
	return may_look(&c, *p) ? 0 : -EACCES;
}

long proc_open(struct tern_msg *m)
{
	int number = (int)(m->word[0] & 0xffff);
	uint32_t id = (uint32_t)(m->word[0] >> 16);
	uint64_t flags = m->word[1];
	unsigned rights = TERN_R_IO | TERN_R_TRANSFER;
	struct proc_file *f;
	struct proc *p;
	long r;

	if (!(m->op & TERN_MSG_FORWARDED) || m->badge != TERN_BADGE_FROM_VFS) {
		if ((m->op & TERN_MSG_FORWARDED) && m->handle >= 0)
			tern_close((int)m->handle);
		return -ENOSYS;
	}
	r = check_open(m, number, id, &p);
	f = r < 0 ? NULL : pool_alloc(&files);
	if (r == 0 && !f)
		r = -ENOMEM;
	if (r < 0)
		goto out;
	f->number = number;
	f->pid = p ? p->pid : 0;
	f->process = p ? pool_badge(&pm.procs, p) : 0;
	f->tid = p ? id : 0;
	if (flags & O_PATH)
		rights = TERN_R_TRANSFER | TERN_R_PATH;
	if ((flags & O_ACCMODE) != O_WRONLY)
		rights |= TERN_R_READ;
	if ((flags & O_ACCMODE) != O_RDONLY)
		rights |= TERN_R_WRITE;
	f->flags = (uint32_t)flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	r = tern_give_session(m->token, 0, rights, TERN_KIND_PROC, pool_badge(&files, f),
			      m->word[0], 0, (int)m->handle);
	if (r < 0)
		pool_free(&files, f);
	else
		r = 0;
out:
	if (m->handle >= 0)
		tern_close((int)m->handle);
	return r;
}

void proc_closed(uint64_t badge, uint64_t sid)
{
	struct proc_file *f = pool_lookup(&files, badge);

	(void)sid;
	if (!f)
		return;
	text_free(&f->text);
	pool_free(&files, f);
}

struct proc_file *proc_file_of(uint64_t badge)
{
	return pool_lookup(&files, badge);
}

struct proc *proc_file_process(const struct proc_file *f)
{
	return f->process ? pool_lookup(&pm.procs, f->process) : NULL;
}

/* Copies at most n bytes of the file's text, from `off` on, to the caller; returns how many. */
static long copy_text(struct proc_file *f, uint64_t token, uint64_t off, uint64_t n)
{
	long r;

	if (off >= f->text.length)
		return 0;
	if (n > f->text.length - off)
		n = f->text.length - off;
	if (n == 0)
		return 0;
	r = tern_copy_out(token, 0, 0, f->text.p + off, n);
	return r > 0 ? r : -EFAULT;
}

void proc_job_done(struct proc_job *job, long error)
{
	struct proc_file *f = proc_file_of(job->file);
	long r = error;

	if (f && error == 0) {
		if (job->text.failed) {
			r = -ENOMEM;
		} else {
			text_free(&f->text);
			f->text = job->text;
			job->text = (struct text){ 0 };
			f->made = true;
			r = copy_text(f, job->token, job->off, job->n);
			if (r > 0 && job->advance)
				f->pos = job->off + (uint64_t)r;
		}
	}
	text_free(&job->text);
	if (job->token)
		tern_reply(job->token, f ? r : -EIO);
	free(job);
}

static long make_text(struct proc_file *f, const struct tern_msg *m)
{
	struct proc *p = proc_file_process(f);

	pm.reader = (uint32_t)m->tid;
	text_free(&f->text);
	f->made = false;
	if (f->process && !p)
		return -ESRCH;
	if (is_pid_file(f->number))
		proc_text_process(&f->text, f->number, p, f->tid);
	else if (f->number >= TERN_PROC_TERN_HANDLES)
		proc_text_tern(&f->text, f->number);
	else
		proc_text_system(&f->text, f->number);
	if (f->text.failed) {
		text_free(&f->text);
		return -ENOMEM;
	}
	f->made = true;
	return 0;
}

static long start_job(struct proc_file *f, struct tern_msg *m, uint64_t off, bool advance)
{
	struct proc *p = proc_file_process(f);
	struct proc_job *job;
	long r;

	if (!p)
		return -ESRCH;
	job = calloc(1, sizeof *job);
	if (!job)
		return -ENOMEM;
	job->file = m->badge;
	job->token = m->token;
	job->off = off;
	job->n = m->args[2];
	job->advance = advance;
	job->number = f->number;
	r = proc_maps_start(job, p);
	if (r < 0) {
		text_free(&job->text);
		free(job);
		return r;
	}
	return SERVER_NO_REPLY;
}

/* Reads /proc/<pid>/pagemap: eight bytes for each page, which come straight from the kernel.
 * Bits that are Tern's own are cleared. */
static long read_pagemap(struct proc_file *f, struct tern_msg *m, uint64_t off)
{
	static uint64_t words[512];
	struct proc *p = proc_file_process(f);
	uint64_t end = TERN_USER_TOP / 4096 * 8, n = m->args[2], done = 0;

	if ((off | n) & 7)
		return -EINVAL;
	if (!p)
		return -ESRCH;
	if (off >= end || p->state == PROC_ZOMBIE)
		return 0;
	if (n > end - off)
		n = end - off;
	if (n > 65536)
		n = 65536;
	while (done < n) {
		uint64_t k = n - done < sizeof words ? n - done : sizeof words;
		long r = tern_aspace_pagemap(p->handle, (off + done) / 8 * 4096, words,
					     (unsigned)(k / 8));

		if (r <= 0)
			break;
		for (long i = 0; i < r; i++)
			words[i] &= ~((uint64_t)TERN_PAGEMAP_MOST << TERN_PAGEMAP_COUNT |
				      TERN_PAGEMAP_DIRTY | TERN_PAGEMAP_HUGE);
		r = tern_copy_out(m->token, 0, done, words, (size_t)r * 8);
		if (r <= 0)
			return done ? (long)done : -EFAULT;
		done += (uint64_t)r;
	}
	return (long)done;
}

/* Reads /proc/<pid>/ptwalk.  If an address was written before, `off` is an offset in the text of
 * its walk.  Else `off` is the number of the page to walk for, and its text is read from the
 * beginning. */
static long read_ptwalk(struct proc_file *f, struct tern_msg *m, uint64_t off, bool advance)
{
	struct proc *p = proc_file_process(f);
	uint64_t va = f->va_set ? f->va : off << 12;
	long r;

	if (!p)
		return -ESRCH;
	if (!f->va_set && (va >= TERN_USER_TOP || (advance && f->walked)))
		return 0;
	if (!f->va_set || off == 0 || !f->made) {
		text_free(&f->text);
		proc_text_ptwalk(&f->text, p, va);
		if (f->text.failed) {
			text_free(&f->text);
			return -ENOMEM;
		}
		f->made = true;
	}
	r = copy_text(f, m->token, f->va_set ? off : 0, m->args[2]);
	if (r > 0 && advance) {
		if (f->va_set)
			f->pos = off + (uint64_t)r;
		else
			f->walked = true;
	}
	return r;
}

static long read_at(struct proc_file *f, struct tern_msg *m, uint64_t off, bool advance)
{
	long r;

	if (f->number == TERN_PROC_PID_PAGEMAP) {
		r = read_pagemap(f, m, off);
		if (r > 0 && advance)
			f->pos = off + (uint64_t)r;
		return r;
	}
	if (f->number == TERN_PROC_PID_PTWALK)
		return read_ptwalk(f, m, off, advance);
	if (off == 0 || !f->made) {
		if (f->number == TERN_PROC_PID_MAPS || f->number == TERN_PROC_PID_SMAPS ||
		    f->number == TERN_PROC_PID_ASPACE)
			return start_job(f, m, off, advance);
		r = make_text(f, m);
		if (r < 0)
			return r;
	}
	r = copy_text(f, m->token, off, m->args[2]);
	if (r > 0 && advance)
		f->pos = off + (uint64_t)r;
	return r;
}

long proc_read(struct tern_msg *m)
{
	struct proc_file *f = proc_file_of(m->badge);

	return f ? read_at(f, m, f->pos, true) : -EINVAL;
}

long proc_pread(struct tern_msg *m)
{
	struct proc_file *f = proc_file_of(m->badge);

	if (!f)
		return -EINVAL; /* the descriptor is a pidfd, from which nothing can be read */
	return (int64_t)m->args[3] < 0 ? -EINVAL : read_at(f, m, m->args[3], false);
}

/* Does a call with an iovec as one with a single buffer, since an iovec's buffers are one
 * window. */
static long vector(struct tern_msg *m, long (*how)(struct tern_msg *m))
{
	long n = tern_window_length(m->token, 0);

	if (n < 0)
		return n;
	m->args[2] = (uint64_t)n;
	return how(m);
}

long proc_readv(struct tern_msg *m) { return vector(m, proc_read); }
long proc_writev(struct tern_msg *m) { return vector(m, proc_write); }
long proc_preadv(struct tern_msg *m) { return vector(m, proc_pread); }

long proc_preadv2(struct tern_msg *m)
{
	if (m->args[5] & ~(uint64_t)RWF_READ)
		return -EOPNOTSUPP;
	return vector(m, (int64_t)m->args[3] == -1 ? proc_read : proc_pread);
}

long proc_lseek(struct tern_msg *m)
{
	struct proc_file *f = proc_file_of(m->badge);
	int64_t off = (int64_t)m->args[1];

	if (!f)
		return server_default(m);
	switch ((uint32_t)m->args[2]) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		if (__builtin_add_overflow(off, (int64_t)f->pos, &off))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (off < 0)
		return -EINVAL;
	f->pos = (uint64_t)off;
	f->walked = false;
	return off;
}

static long write_comm(struct proc_file *f, const char *text, size_t n)
{
	struct proc *p = proc_file_process(f);
	char name[16] = { 0 };
	uint64_t w[2];

	if (!p || p->state != PROC_ALIVE)
		return -ESRCH;
	if (n && text[n - 1] == '\n')
		n--;
	memcpy(name, text, n < 15 ? n : 15);
	memcpy(p->comm, name, sizeof name);
	memcpy(w, name, sizeof w);
	return tern_process_set(p->handle, TERN_PW_COMM, w[0], w[1]);
}

static long write_address(struct proc_file *f, const char *text)
{
	char *end;
	uint64_t va = strtoul(text, &end, 16);

	while (*end == ' ' || *end == '\n')
		end++;
	if (end == text || *end)
		return -EINVAL;
	f->va = va;
	f->va_set = true;
	f->made = false;
	f->pos = 0;
	return 0;
}

static long write_number(struct proc_file *f, struct tern_msg *m, const char *text)
{
	struct proc *p = proc_file_process(f);
	struct tern_cred c;
	char *end;
	long v = strtol(text, &end, 0);

	if (!p || p->state != PROC_ALIVE || !caller_cred(m, &c))
		return -ESRCH;
	while (*end == ' ' || *end == '\n')
		end++;
	if (end == text || *end)
		return -EINVAL;
	if (f->number == TERN_PROC_PID_TIMERSLACK) {
		p->number->slack = v > 0 ? (uint64_t)v : p->number->default_slack;
		return 0;
	}
	if (v < -1000 || v > 1000)
		return -EINVAL;
	if (v < p->oom_adj_min && !cred_capable(&c, CAP_SYS_RESOURCE))
		return -EACCES;
	p->oom_adj = (int16_t)v;
	if (cred_capable(&c, CAP_SYS_RESOURCE))
		p->oom_adj_min = p->oom_adj;
	return 0;
}

static long write_text(struct proc_file *f, struct tern_msg *m, const char *text, size_t n)
{
	switch (f->number) {
	case TERN_PROC_PID_COMM:
		return write_comm(f, text, n);
	case TERN_PROC_PID_PTWALK:
		return write_address(f, text);
	case TERN_PROC_PID_OOM_SCORE_ADJ:
	case TERN_PROC_PID_TIMERSLACK:
		return write_number(f, m, text);
	case TERN_PROC_TERN_TRACE:
		return trace_switch(text, n);
	default:
		return is_pid_file(f->number) ? -EINVAL : sysctl_write(f->number, text, n);
	}
}

long proc_write(struct tern_msg *m)
{
	struct proc_file *f = proc_file_of(m->badge);
	char text[160] = { 0 };
	uint64_t n = m->args[2];
	long r;

	if (!f)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (n >= sizeof text)
		n = sizeof text - 1;
	if (tern_copy_in(m->token, 0, 0, text, n) != (long)n)
		return -EFAULT;
	r = write_text(f, m, text, n);
	return r < 0 ? r : (long)m->args[2];
}

long proc_fcntl(struct tern_msg *m)
{
	struct proc_file *f = proc_file_of(m->badge);
	uint32_t settable = O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK;

	if (!f)
		return -EINVAL;
	switch ((int32_t)m->args[1]) {
	case F_GETFL:
		return (long)(f->flags | O_LARGEFILE);
	case F_SETFL:
		f->flags = (f->flags & ~settable) | ((uint32_t)m->args[2] & settable);
		return 0;
	}
	return server_fcntl(m);
}
