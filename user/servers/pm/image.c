/* Builds the new space of an execve, with program, interpreter and first stack, and commits it.
 *
 * The stack is mapped first, so that the kernel places the interpreter below it.  The space is
 * complete before the kernel is asked to give it to the process.  The start of pid 1 goes the same
 * way, but ends with tern_process_create().
 */
#include "exec_priv.h"
#include "layout.h"
#include "stack.h"
#include <linux/mman.h>
#include <string.h>
#include <server/stat.h>

#define PAGE 4096ull
#define ADDR_NO_RANDOMIZE 0x0040000
#define STACK_ROOM 0x20000ull /* bytes of stack mapped below the first stack image */

static long map_at(int aspace, int memobj, const struct elf_image *e, uint64_t bias, uint64_t stack_top)
{
	if (bias + e->high > stack_top - LAYOUT_STACK_ROOM)
		return -ENOMEM;
	return load_segments(aspace, memobj, 0, e, bias, false);
}

/* Gives random bytes.  They come from a block that pm asks the kernel for when it is used up; no
 * byte is given twice. */
static void random_bytes(void *to, size_t n)
{
	static uint8_t block[256];
	static size_t left;

	if (left < n) {
		if (tern_syscall(278, TERN_PTR(block), sizeof block, 0, 0, 0, 0) != sizeof block)
			server_log("no random numbers");
		left = sizeof block;
	}
	left -= n;
	memcpy(to, block + left, n);
	memset(block + left, 0, n);
}

static void choose_layout(const struct exec *x, struct layout *l)
{
	uint64_t words[4];

	random_bytes(words, sizeof words);
	layout_choose(l, words, !pm.fixed_layout && !(x->caller.personality & ADDR_NO_RANDOMIZE),
		      x->stack_limit);
}

/* Finds a place for the interpreter: a position-independent one goes where the kernel finds
 * room, and *bias is what its addresses move by; others keep their own addresses. */
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

/* Changes *c to the credentials that the new image runs with: the file's set-id bits count, the
 * saved ids become the effective ones, and without uid 0 only the ambient capabilities stay,
 * which are cleared if the effective ids differ from the real ones.  True if *c has changed. */
static bool exec_cred(const struct exec *x, bool no_new_privs, uint64_t *ambient, struct tern_cred *c)
{
	struct tern_cred old = *c;

	if (x->owner.mode & S_ISUID && !no_new_privs)
		c->euid = x->owner.uid;
	if (x->owner.mode & S_ISGID && !no_new_privs)
		c->egid = x->owner.gid;
	if (c->euid != old.uid || c->egid != old.gid)
		*ambient = 0;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (c->uid == 0 || c->euid == 0) {
		c->cap_permitted = c->cap_inheritable | c->cap_bounding;
		c->cap_effective = c->euid == 0 ? c->cap_permitted : *ambient;
	} else {
		c->cap_permitted = c->cap_effective = *ambient;
	}
	return memcmp(&old, c, sizeof old) != 0;
}

/* Tells whether the program runs with rights that its user does not have.  Then the user may
 * neither look into it nor influence it (AT_SECURE, not dumpable). */
static bool privileged(const struct tern_cred *c)
{
	return c->uid != c->euid || c->gid != c->egid;
}

/* Maps the stack's region. */
static long map_stack(const struct exec *x, int aspace, const struct stack_input *in, uint64_t top)
{
	uint64_t low = (top - stack_size(in) - STACK_ROOM) & ~(PAGE - 1);
	uint32_t prot = PROT_READ | PROT_WRITE | (x->image.stack_exec ? PROT_EXEC : 0);

	return tern_aspace_map(aspace, low, top - low, prot,
			       PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, -1,
			       0);
}

static long write_stack(int aspace, const struct stack_input *in, uint64_t top,
			struct stack_output *out)
{
	size_t size = stack_size(in);
	struct packed k;
	long r;

	if (!packed_alloc(&k, size))
		return -ENOMEM;
	stack_build(in, top, k.p, out);
	r = tern_aspace_write(aspace, out->sp, k.p, size);
	packed_free(&k);
	return r == (long)size ? 0 : -ENOMEM;
}

/* Fills the range of the program's code: from its first to its last executable byte that is the
 * file's. */
static void code_range(const struct elf_image *e, uint64_t bias, struct tern_layout *l)
{
	for (uint32_t i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];

		if (!(s->prot & PROT_EXEC))
			continue;
		if (!l->code_end)
			l->code_start = s->vaddr + bias;
		l->code_end = s->vaddr + s->filesz + bias;
	}
}

/* Builds the whole space, and fills *a with what the kernel has to know to start the program in
 * it. */
static long build(struct exec *x, int aspace, const struct layout *l, struct tern_exec_args *a,
		  struct stack_output *stack)
{
	uint64_t bias = x->image.dynamic ? l->pie_base - x->image.low : 0, interp_bias = 0;
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
		.vdso = TERN_VDSO_BASE + PAGE, /* the vDSO's code lies behind its data page */
		.uid = c->uid,
		.euid = c->euid,
		.gid = c->gid,
		.egid = c->egid,
		.secure = privileged(c),
	};
	long r = stack_check(&in, x->limit);

	if (r < 0)
		return r;
	in.phdr = x->image.phdr ? x->image.phdr + bias : 0;
	r = map_stack(x, aspace, &in, l->stack_top);
	if (r >= 0)
		r = map_at(aspace, x->program, &x->image, bias, l->stack_top);
	if (r >= 0 && x->interp >= 0) {
		r = place_interp(aspace, &x->interp_image, &interp_bias);
		if (r >= 0)
			r = map_at(aspace, x->interp, &x->interp_image, interp_bias,
				   l->stack_top);
	}
	if (r < 0)
		return r;
	a->image.pc = in.entry;
	if (x->interp >= 0) {
		a->image.pc = x->interp_image.entry + interp_bias;
		in.base = interp_bias;
	}
	random_bytes(in.random, sizeof in.random);
	r = write_stack(aspace, &in, l->stack_top, stack);
	if (r < 0)
		return r;
	a->image.layout.brk_start = x->image.high + bias + l->brk_shift;
	a->image.sp = a->image.layout.stack_start = stack->sp;
	code_range(&x->image, bias, &a->image.layout);
	a->image.layout.arg_start = stack->arg_start;
	a->image.layout.arg_end = stack->arg_end;
	a->image.layout.env_start = stack->env_start;
	a->image.layout.env_end = stack->env_end;
	memcpy(a->image.comm, x->comm, sizeof a->image.comm);
	return 0;
}

/* Writes what pm and the table of pids say of the new program.  The kernel is ready for it, but its
 * thread still waits for the answer, so this is done before the program runs. */
static void exec_publish(struct exec *x, struct proc *p, const struct tern_exec_args *a,
		      const struct stack_output *stack)
{
	struct number *n = x->tid != p->pid ? number_find(&pm.tree, x->tid) : NULL;

	if (n && n->thread_of == p)
		thread_remove(&pm.tree, n); /* the calling thread has become the first one */
	p->execed = true;
	p->exe = x->ident;
	memcpy(p->comm, x->comm, sizeof p->comm);
	p->auxv = stack->auxv;
	p->auxv_size = stack->auxv_size;
	p->keep_caps = false;
	p->euid = a->cred.euid;
	p->suid = a->cred.suid;
	p->egid = a->cred.egid;
	p->undumpable = privileged(&a->cred);
	if (p->undumpable)
		p->pdeathsig = 0;
	ptimers_drop(p);
	pidmap_update(p);
}

/* Fills the limits that pid 1 starts with.  They are Linux's; those that depend on the size of
 * memory there (NPROC, SIGPENDING) are fixed numbers here. */
static void first_limits(uint64_t v[][2])
{
	static const struct {
		unsigned which;
		uint64_t cur, max;
	} other[] = {
		{ RLIMIT_STACK, 8u << 20, RLIM_INFINITY },
		{ RLIMIT_CORE, 0, RLIM_INFINITY },
		{ RLIMIT_NPROC, 4096, 4096 },
		{ RLIMIT_NOFILE, 1024, 4096 },
		{ RLIMIT_MEMLOCK, 8u << 20, 8u << 20 },
		{ RLIMIT_SIGPENDING, 512, 512 },
		{ RLIMIT_MSGQUEUE, 819200, 819200 },
		{ RLIMIT_NICE, 0, 0 },
		{ RLIMIT_RTPRIO, 0, 0 },
	};

	memset(v, 0xff, RLIM_NLIMITS * sizeof *v); /* RLIM_INFINITY */
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		v[other[i].which][0] = other[i].cur;
		v[other[i].which][1] = other[i].max;
	}
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
	a.image = e->image;
	a.root = a.cwd = pm.root;
	memcpy(a.service, pm.service, sizeof a.service);
	a.nfds = pm.console >= 0 ? 3 : 0;
	a.fds[0] = a.fds[1] = a.fds[2] = pm.console;
	a.cred = root_cred;
	first_limits(a.limits);
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
	memcpy(p->comm, x->comm, sizeof p->comm);
	p->auxv = stack->auxv;
	p->auxv_size = stack->auxv_size;
	pidmap_update(p);
	if (pm.console >= 0)
		tern_close(pm.console);
	pm.console = -1;
	return 0;
}

long exec_commit(struct exec *x)
{
	struct tern_exec_args a = { .cred = x->caller.cred };
	struct stack_output stack;
	struct layout l;
	struct proc *p = pool_lookup(&pm.procs, x->badge);
	uint64_t ambient = p ? p->ambient : 0;
	long r;
	int aspace;

	if (x->token)
		a.set_cred = exec_cred(x, p && p->no_new_privs, &ambient, &a.cred);
	choose_layout(x, &l);
	r = tern_aspace_create(l.mmap_top);
	if (r < 0)
		return r;
	aspace = (int)r;
	r = build(x, aspace, &l, &a, &stack);
	if (r >= 0 && !x->token) {
		r = start_init(x, aspace, &a, &stack);
	} else if (r >= 0) {
		r = tern_process_exec(x->token, aspace, &a);
		if (r >= 0 && p) {
			exec_publish(x, p, &a, &stack);
			p->ambient = ambient;
		}
		if (r >= 0)
			tern_reply(x->token, 0);
		if (r >= 0 && p)
			vfork_release(p);
		/* Another thread's execve came first and ends this thread, so no answer is
		 * needed. */
		if (r == -EBUSY)
			r = 0;
	}
	tern_close(aspace);
	return r;
}
