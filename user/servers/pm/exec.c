/* execve, execveat, and the start of pid 1: from a path to a running image.
 *
 * struct exec is the request while vfs opens files for it: first the program, for "#!" scripts the
 * interpreters in turn, then an ELF interpreter.  Every opening is done with the caller as subject,
 * so permissions, root and working directory are the caller's. When all files are there, a new
 * space is built and the kernel is asked to commit; until then the caller has lost nothing and
 * any failure is its errno. A caller killed meanwhile shows as ESRCH of the commit.
 */
#include "elf.h"
#include "pm.h"
#include "stack.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/linux/mman.h>

#define PAGE 4096ull
#define PAGE_UP(x) (((x) + PAGE - 1) & ~(PAGE - 1))
#define PIE_BASE 0x2aaaaaa000ull
#define STACK_ROOM 0x20000ull /* mapped at once below the first stack image */
#define MAX_DEPTH 5
#define HEAD 1024
#define ARGS_FIRST 0x4000ul
#define ARGS_MAX 0x600000ul /* three quarters of the default stack limit */
#define ARGS_MIN 0x20000ul

struct packed {
	char *p;
	size_t size, room;
};

struct exec {
	uint64_t token; /* 0: pid 1's start */
	uint64_t badge; /* of the process */
	uint32_t tid;
	int depth;
	int program, interp; /* memobjs, -1 */
	bool opening_interp;
	uint64_t ident;
	size_t limit;
	struct packed argv, envp, prefix;
	struct elf_image image, interp_image;
	void (*done)(long result);
	struct tern_caller caller;
	char comm[16];
	char execfn[PATH_MAX + 32];
	char path[PATH_MAX];
};

static void opened(void *arg, long result, int memobj);

static void packed_free(struct packed *k)
{
	if (k->p && k->room > ARGS_FIRST)
		tern_munmap(k->p, k->room);
	else
		free(k->p);
	*k = (struct packed){ 0 };
}

static bool packed_alloc(struct packed *k, size_t room)
{
	k->p = room > ARGS_FIRST ? tern_mmap(room) : malloc(room);
	k->room = room;
	k->size = 0;
	return k->p != NULL;
}

static void exec_free(struct exec *x)
{
	if (x->program >= 0)
		tern_close(x->program);
	if (x->interp >= 0)
		tern_close(x->interp);
	packed_free(&x->argv);
	packed_free(&x->envp);
	packed_free(&x->prefix);
	free(x);
}

/* Ends the request: the result to whoever waits for it. */
static void finish(struct exec *x, long result)
{
	void (*done)(long) = x->done;

	if (x->token && result < 0)
		tern_reply(x->token, result);
	exec_free(x);
	if (done)
		done(result);
}

static struct exec *exec_new(void)
{
	struct exec *x = calloc(1, sizeof *x);

	if (x)
		x->program = x->interp = -1;
	return x;
}

/* A strv window, read with more room until it fits or exceeds the limit. */
static long read_vector(struct exec *x, unsigned win, struct packed *k)
{
	size_t room = ARGS_FIRST;

	for (;;) {
		uint64_t count = 0;
		long r;

		if (!packed_alloc(k, room)) {
			k->p = NULL;
			return -ENOMEM;
		}
		r = tern_copy_strv(x->token, win, k->p, room, &count);
		if (r >= 0) {
			k->size = (size_t)r;
			return 0;
		}
		packed_free(k);
		if (r != -E2BIG || room >= x->limit + PAGE)
			return r;
		room = room * 4 > x->limit + PAGE ? PAGE_UP(x->limit + PAGE) : room * 4;
	}
}

/* An empty vector becomes one empty string, as Linux has it. */
static long fix_argv(struct packed *k)
{
	if (k->size)
		return 0;
	if (!k->p && !packed_alloc(k, ARGS_FIRST))
		return -ENOMEM;
	k->p[0] = 0;
	k->size = 1;
	return 0;
}

static size_t args_limit(const struct proc *p)
{
	struct tern_process_stat st;
	uint64_t limit;

	if (tern_process_stat(p->handle, 0, &st) < 0)
		return ARGS_MAX;
	limit = st.limits[RLIMIT_STACK][0] / 4;
	return limit > ARGS_MAX ? ARGS_MAX : limit < ARGS_MIN ? ARGS_MIN : limit;
}

static void set_comm(struct exec *x, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strlen(name);

	memcpy(x->comm, name, n < sizeof x->comm ? n : sizeof x->comm - 1);
}

static long open_file(struct exec *x, int dirfd, const char *path, uint64_t flags)
{
	uint64_t args[6] = { (uint64_t)(int64_t)dirfd, TERN_PTR(path), flags, 0, 0, 0 };

	return async_call(pm.vfs, TERN_VFS_EXEC_OPEN, x->token, args, opened, x);
}

static long exec_start(struct tern_msg *m, int dirfd, unsigned first_win, uint64_t flags)
{
	struct proc *p = caller_of(m);
	struct exec *x;
	long r;

	if (!p)
		return -ESRCH;
	if (flags & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	x = exec_new();
	if (!x)
		return -ENOMEM;
	x->token = m->token;
	x->tid = (uint32_t)m->tid;
	x->badge = pool_badge(&pm.procs, p);
	r = tern_copy_str(x->token, first_win, x->path, sizeof x->path);
	if (r == 0 && !(flags & AT_EMPTY_PATH))
		r = -ENOENT;
	if (r >= 0)
		r = tern_caller(x->token, &x->caller);
	if (r < 0)
		goto out;
	x->limit = args_limit(p);
	r = read_vector(x, first_win + 1, &x->argv);
	if (r >= 0)
		r = fix_argv(&x->argv);
	if (r >= 0)
		r = read_vector(x, first_win + 2, &x->envp);
	if (r < 0)
		goto out;
	if (dirfd == AT_FDCWD || x->path[0] == '/')
		snprintf(x->execfn, sizeof x->execfn, "%s", x->path);
	else
		snprintf(x->execfn, sizeof x->execfn, "/dev/fd/%d%s%s", dirfd,
			 x->path[0] ? "/" : "", x->path);
	set_comm(x, x->execfn);
	r = open_file(x, dirfd, x->path, flags);
	if (r < 0)
		goto out;
	return SERVER_NO_REPLY;
out:
	exec_free(x);
	return r;
}

long pm_execve(struct tern_msg *m)
{
	return exec_start(m, AT_FDCWD, 0, 0);
}

long pm_execveat(struct tern_msg *m)
{
	return exec_start(m, (int)m->args[0], 0, (uint32_t)m->args[4]);
}

void exec_init(const char *path, const char *envp, size_t envp_size, void (*done)(long result))
{
	struct exec *x = exec_new();
	long r = -ENOMEM;

	if (!x) {
		done(r);
		return;
	}
	x->done = done;
	x->limit = ARGS_MAX;
	x->caller.cred = root_cred;
	snprintf(x->path, sizeof x->path, "%s", path);
	snprintf(x->execfn, sizeof x->execfn, "%s", path);
	set_comm(x, path);
	if (packed_alloc(&x->argv, ARGS_FIRST) && packed_alloc(&x->envp, ARGS_FIRST)) {
		x->argv.size = strlen(path) + 1;
		memcpy(x->argv.p, x->path, x->argv.size);
		memcpy(x->envp.p, envp, envp_size);
		x->envp.size = envp_size;
		r = open_file(x, AT_FDCWD, x->path, 0);
	}
	if (r < 0)
		finish(x, r);
}

/* A "#!" line: its interpreter and argument go before what is there, and the script's name takes
 * the place of argv[0]. */
static long push_script(struct exec *x, const char *interp, const char *arg)
{
	size_t a = strlen(interp) + 1, b = arg[0] ? strlen(arg) + 1 : 0;
	size_t rest = x->prefix.size;
	struct packed k;

	if (++x->depth > MAX_DEPTH)
		return -ELOOP;
	if (!rest) {
		size_t first = strlen(x->argv.p) + 1;

		rest = strlen(x->execfn) + 1;
		if (!packed_alloc(&k, a + b + rest))
			return -ENOMEM;
		memcpy(k.p + a + b, x->execfn, rest);
		memmove(x->argv.p, x->argv.p + first, x->argv.size - first);
		x->argv.size -= first;
	} else {
		if (!packed_alloc(&k, a + b + rest))
			return -ENOMEM;
		memcpy(k.p + a + b, x->prefix.p, rest);
	}
	memcpy(k.p, interp, a);
	memcpy(k.p + a, arg, b);
	k.size = a + b + rest;
	packed_free(&x->prefix);
	x->prefix = k;
	tern_close(x->program);
	x->program = -1;
	memcpy(x->path, interp, a);
	return open_file(x, AT_FDCWD, x->path, 0);
}

/* Reads and checks the program headers; head holds the file's first n bytes. */
static long read_image(int memobj, const char *head, size_t n, struct elf_image *e)
{
	struct tern_memobj_info info;
	size_t size;
	char *more;
	long r = elf_header(e, head, n);

	if (r < 0)
		return r;
	r = tern_memobj_count(memobj, &info);
	if (r < 0)
		return r;
	size = (size_t)e->phnum * ELF_PHENT;
	if (e->phoff + size <= n)
		return elf_segments(e, head + e->phoff, info.size);
	more = malloc(size);
	if (!more)
		return -ENOMEM;
	r = tern_memobj_read(memobj, e->phoff, more, size);
	r = r == (long)size ? elf_segments(e, more, info.size) : -ENOEXEC;
	free(more);
	return r;
}

static long map_at(int aspace, int memobj, const struct elf_image *e, uint64_t bias)
{
	if (bias + e->high > TERN_STACK_TOP)
		return -ENOMEM;
	return load_segments(aspace, memobj, 0, e, bias, false);
}

/* Where the interpreter goes: its own addresses, or a place that the kernel finds. */
static long place_interp(int aspace, const struct elf_image *e, uint64_t *bias)
{
	long r;

	*bias = 0;
	if (!e->dynamic)
		return 0;
	r = tern_aspace_map(aspace, 0, e->high - e->low, PROT_NONE, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r < 0)
		return r;
	*bias = (uint64_t)r - e->low;
	return 0;
}

/* The credentials the new image runs with: saved ids follow the effective ones, and without uid 0
 * no capability stays.  True if they differ. */
static bool exec_cred(struct tern_cred *c)
{
	struct tern_cred old = *c;

	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (c->uid == 0 || c->euid == 0) {
		c->cap_permitted = c->cap_inheritable | c->cap_bounding;
		c->cap_effective = c->euid == 0 ? c->cap_permitted : 0;
	} else {
		c->cap_permitted = c->cap_effective = 0;
	}
	return memcmp(&old, c, sizeof old) != 0;
}

/* The stack's region, mapped before anything that the kernel places itself. */
static long map_stack(const struct exec *x, int aspace, const struct stack_input *in)
{
	uint64_t low = (TERN_STACK_TOP - stack_size(in) - STACK_ROOM) & ~(PAGE - 1);
	uint32_t prot = PROT_READ | PROT_WRITE | (x->image.stack_exec ? PROT_EXEC : 0);

	return tern_aspace_map(aspace, low, TERN_STACK_TOP - low, prot,
			       PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, -1,
			       0);
}

static long write_stack(int aspace, const struct stack_input *in, struct stack_output *out)
{
	size_t size = stack_size(in);
	struct packed k;
	long r;

	if (!packed_alloc(&k, size))
		return -ENOMEM;
	stack_build(in, TERN_STACK_TOP, k.p, out);
	r = tern_aspace_write(aspace, out->sp, k.p, size);
	packed_free(&k);
	return r == (long)size ? 0 : -ENOMEM;
}

/* Builds the whole space; a describes where to start. */
static long build(struct exec *x, int aspace, struct tern_exec_args *a, struct stack_output *stack)
{
	uint64_t bias = x->image.dynamic ? PIE_BASE - x->image.low : 0, interp_bias = 0;
	const struct tern_cred *c = &a->cred;
	struct stack_input in = {
		.prefix = x->prefix.p,
		.prefix_size = x->prefix.size,
		.argv = x->argv.p,
		.argv_size = x->argv.size,
		.envp = x->envp.p,
		.envp_size = x->envp.size,
		.execfn = x->execfn,
		.phnum = x->image.phnum,
		.entry = x->image.entry + bias,
		.vdso = TERN_VDSO_BASE,
		.uid = c->uid,
		.euid = c->euid,
		.gid = c->gid,
		.egid = c->egid,
	};
	long r = stack_check(&in, x->limit);

	if (r < 0)
		return r;
	in.phdr = x->image.phdr ? x->image.phdr + bias : 0;
	r = map_stack(x, aspace, &in);
	if (r >= 0)
		r = map_at(aspace, x->program, &x->image, bias);
	if (r >= 0 && x->interp >= 0) {
		r = place_interp(aspace, &x->interp_image, &interp_bias);
		if (r >= 0)
			r = map_at(aspace, x->interp, &x->interp_image, interp_bias);
	}
	if (r < 0)
		return r;
	a->pc = in.entry;
	if (x->interp >= 0) {
		a->pc = x->interp_image.entry + interp_bias;
		in.base = interp_bias;
	}
	if (tern_syscall(278, TERN_PTR(in.random), sizeof in.random, 0, 0, 0, 0) < 0)
		return -EAGAIN;
	r = write_stack(aspace, &in, stack);
	if (r < 0)
		return r;
	a->brk_start = x->image.high + bias;
	a->sp = stack->sp;
	a->arg_start = stack->arg_start;
	a->arg_end = stack->arg_end;
	a->env_start = stack->env_start;
	a->env_end = stack->env_end;
	memcpy(a->comm, x->comm, sizeof a->comm);
	return 0;
}

static void committed(struct exec *x, struct proc *p, const struct tern_exec_args *a,
		      const struct stack_output *stack)
{
	struct number *n = x->tid != p->pid ? number_find(&pm.tree, x->tid) : NULL;

	if (n && n->thread_of == p)
		thread_remove(&pm.tree, n); /* the calling thread has become the first one */
	p->execed = true;
	p->exe = x->ident;
	p->auxv = stack->auxv;
	p->auxv_size = stack->auxv_size;
	p->suid = a->cred.suid;
	p->undumpable = false;
	ptimers_drop(p);
	pidmap_update(p);
	vfork_release(p);
}

static long start_init(struct exec *x, int aspace, const struct tern_exec_args *e,
		       const struct stack_output *stack)
{
	struct tern_process_args a = { .pid = PID_INIT, .pgid = PID_INIT, .sid = PID_INIT, .umask = 022 };
	struct number *n = number_create_at(&pm.tree, PID_INIT);
	struct proc *p = n ? process_new(n, NULL, false) : NULL;
	long r;

	if (!p)
		return -ENOMEM;
	a.badge = pool_badge(&pm.procs, p);
	a.aspace = aspace;
	a.pc = e->pc;
	a.sp = e->sp;
	a.root = a.cwd = pm.root;
	memcpy(a.service, pm.service, sizeof a.service);
	a.nfds = pm.console >= 0 ? 3 : 0;
	a.fds[0] = a.fds[1] = a.fds[2] = pm.console;
	memcpy(a.comm, e->comm, sizeof a.comm);
	a.cred = root_cred;
	pm.init = p;
	r = tern_process_create(&a);
	if (r < 0) {
		pm.init = NULL;
		process_destroy(p);
		return r;
	}
	p->handle = (int)r;
	p->exe = x->ident;
	p->execed = true;
	p->auxv = stack->auxv;
	p->auxv_size = stack->auxv_size;
	pidmap_update(p);
	if (pm.console >= 0)
		tern_close(pm.console);
	pm.console = -1;
	return 0;
}

static long commit(struct exec *x)
{
	struct tern_exec_args a = { .cred = x->caller.cred };
	struct stack_output stack;
	struct proc *p;
	long r;
	int aspace;

	if (x->token)
		a.set_cred = exec_cred(&a.cred);
	r = tern_aspace_create();
	if (r < 0)
		return r;
	aspace = (int)r;
	r = build(x, aspace, &a, &stack);
	if (r >= 0 && !x->token) {
		r = start_init(x, aspace, &a, &stack);
	} else if (r >= 0) {
		r = tern_process_exec(x->token, aspace, &a);
		p = pool_lookup(&pm.procs, x->badge);
		if (r >= 0 && p)
			committed(x, p, &a, &stack);
	}
	tern_close(aspace);
	return r;
}

static long open_interp(struct exec *x)
{
	long r = tern_memobj_read(x->program, x->image.interp_offset, x->path, x->image.interp_size);

	if (r != (long)x->image.interp_size)
		return -ENOEXEC;
	if (x->path[r - 1] != 0)
		return -ENOEXEC;
	x->opening_interp = true;
	return open_file(x, AT_FDCWD, x->path, 0);
}

static long got_program(struct exec *x, const char *head, size_t n)
{
	char interp[256], arg[256];
	long r = script_parse(head, n, interp, arg);

	if (r < 0)
		return r;
	if (r > 0)
		return push_script(x, interp, arg);
	r = read_image(x->program, head, n, &x->image);
	if (r < 0)
		return r;
	if (x->image.interp_size)
		return open_interp(x);
	r = commit(x);
	return r < 0 ? r : 1;
}

static long got_interp(struct exec *x, const char *head, size_t n)
{
	long r = read_image(x->interp, head, n, &x->interp_image);

	if (r < 0)
		return r == -ENOEXEC ? -80 /* ELIBBAD */ : r;
	r = commit(x);
	return r < 0 ? r : 1;
}

/* vfs's answer: the file's ident and memobj.  Each step returns < 0: failed, 0: waits again, 1: the
 * program runs. */
static void opened(void *arg, long result, int memobj)
{
	static char head[HEAD];
	struct exec *x = arg;
	long r = result, n;

	if (x->opening_interp)
		x->interp = memobj;
	else
		x->program = memobj;
	if (r >= 0 && memobj < 0)
		r = -EACCES;
	if (r < 0) {
		finish(x, r);
		return;
	}
	n = tern_memobj_read(memobj, 0, head, sizeof head);
	if (n < 0)
		r = n;
	else if (x->opening_interp)
		r = got_interp(x, head, (size_t)n);
	else {
		x->ident = (uint64_t)result;
		r = got_program(x, head, (size_t)n);
	}
	if (r < 0)
		finish(x, r);
	else if (r > 0)
		finish(x, 0);
}
