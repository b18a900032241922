/* execve, execveat, and the start of pid 1: from a path to a running image.
 *
 * struct exec holds the request while vfs opens files for it: first the program, for "#!" scripts
 * the interpreters in turn, then an ELF interpreter.  Every file is opened with the caller as
 * subject, so permissions, root and working directory are the caller's.  When all files are there,
 * pm builds a new space and asks the kernel to commit.  Until then the caller has lost nothing, and
 * any failure is its errno.  If the caller was killed meanwhile, the commit fails with ESRCH.
 */
#include "exec_priv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ull
#define PAGE_UP(x) (((x) + PAGE - 1) & ~(PAGE - 1))
#define MAX_DEPTH 5
#define HEAD 1024
#define ARGS_MAX 0x600000ul /* three quarters of the default stack limit */
#define ARGS_MIN 0x20000ul

static void opened(void *arg, long result, int memobj);

void packed_free(struct packed *k)
{
	if (k->p && k->room > ARGS_FIRST)
		tern_munmap(k->p, k->room);
	else
		free(k->p);
	*k = (struct packed){ 0 };
}

bool packed_alloc(struct packed *k, size_t room)
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

/* Ends the request: answers the caller if it failed, and tells done(). */
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

/* Reads the vector of strings in window `win`, each time into a larger buffer, until it fits or
 * exceeds the limit. */
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

/* Makes an empty argv one empty string, as Linux does. */
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

static size_t args_limit(uint64_t stack_limit)
{
	uint64_t limit = stack_limit / 4;

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
	struct tern_exec_owner *owner = x->opening_interp ? &x->interp_owner : &x->owner;
	uint64_t args[6] = { (uint64_t)(int64_t)dirfd, TERN_PTR(path), flags, TERN_PTR(owner), 0, 0 };

	owner->mode = 0;
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
	x->stack_limit = x->caller.limit_stack;
	x->limit = args_limit(x->stack_limit);
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
	x->stack_limit = 8u << 20;
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

/* Goes on with the interpreter of a "#!" line.  The interpreter's path and argument are put
 * before the arguments; for the first such line, the script's path takes the place of argv[0]. */
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

/* Checks the file header and the program headers; head holds the file's first n bytes. */
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
	r = exec_commit(x);
	return r < 0 ? r : 1;
}

static long got_interp(struct exec *x, const char *head, size_t n)
{
	long r = read_image(x->interp, head, n, &x->interp_image);

	if (r < 0)
		return r == -ENOEXEC ? -80 /* ELIBBAD */ : r;
	r = exec_commit(x);
	return r < 0 ? r : 1;
}

/* vfs has opened a file: result is its ident.  got_program() and got_interp() return < 0 if the
 * execve has failed, 0 if the next file is being opened, 1 if the program runs. */
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
