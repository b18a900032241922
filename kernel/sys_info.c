/*
 * What a program asks about itself and the machine: names, ids, limits, random numbers.
 *
 * Random numbers: ChaCha20 with fast key erasure.  The pool is a key; each request takes one block
 * of output for the next key and one for a key of its own, so nothing that was given out can be
 * computed from what is kept.  Entropy is mixed in at boot and again every so many requests.
 * random_lock guards the key; the kernel lock the rest.
 */
#include <arch/cpu.h>
#include <kernel/boot.h>
#include <kernel/sched.h>
#include <kernel/string.h>
#include <kernel/sys.h>
#include <mm/frame.h>

#define UTS_LENGTH 65

static struct {
	char sysname[UTS_LENGTH], nodename[UTS_LENGTH], release[UTS_LENGTH], version[UTS_LENGTH],
		machine[UTS_LENGTH], domainname[UTS_LENGTH];
} uts = {
	.sysname = "Linux",
	.nodename = "tern",
	.release = "6.12.0-tern",
	.version = "#1 SMP Tern",
	.machine = "riscv64",
	.domainname = "(none)",
};
_Static_assert(sizeof uts == 390, "struct utsname");

s64 sys_uname(struct thread *t, u64 *a) { return put_user(t, a[0], &uts, sizeof uts); }

static s64 name_set(struct thread *t, char *name, u64 *a)
{
	char buf[UTS_LENGTH] = { 0 };
	s64 len = (s32)a[1];

	if (!capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > UTS_LENGTH - 1)
		return -EINVAL;
	if (get_user(t, buf, a[0], (size_t)len))
		return -EFAULT;
	kernel_lock();
	memcpy(name, buf, UTS_LENGTH);
	kernel_unlock();
	return 0;
}

s64 sys_sethostname(struct thread *t, u64 *a) { return name_set(t, uts.nodename, a); }
s64 sys_setdomainname(struct thread *t, u64 *a) { return name_set(t, uts.domainname, a); }

/* ---- ids ---- */

s64 sys_getpid(struct thread *t, u64 *a) { return (void)a, t->process->pid; }
s64 sys_getppid(struct thread *t, u64 *a) { return (void)a, t->process->ppid; }
s64 sys_gettid(struct thread *t, u64 *a) { return (void)a, t->tid; }
s64 sys_getuid(struct thread *t, u64 *a) { return (void)a, t->cred->c.uid; }
s64 sys_geteuid(struct thread *t, u64 *a) { return (void)a, t->cred->c.euid; }
s64 sys_getgid(struct thread *t, u64 *a) { return (void)a, t->cred->c.gid; }
s64 sys_getegid(struct thread *t, u64 *a) { return (void)a, t->cred->c.egid; }

static s64 put_ids(struct thread *t, const u64 *a, u32 r, u32 e, u32 s)
{
	if (put_user(t, a[0], &r, 4) || put_user(t, a[1], &e, 4) || put_user(t, a[2], &s, 4))
		return -EFAULT;
	return 0;
}

s64 sys_getresuid(struct thread *t, u64 *a)
{
	return put_ids(t, a, t->cred->c.uid, t->cred->c.euid, t->cred->c.suid);
}

s64 sys_getresgid(struct thread *t, u64 *a)
{
	return put_ids(t, a, t->cred->c.gid, t->cred->c.egid, t->cred->c.sgid);
}

s64 sys_getgroups(struct thread *t, u64 *a)
{
	s32 size = (s32)a[0], n = (s32)t->cred->c.ngroups;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return n;
	if (size < n)
		return -EINVAL;
	return put_user(t, a[1], t->cred->c.groups, (size_t)n * 4) ? -EFAULT : n;
}

s64 sys_getpgid(struct thread *t, u64 *a)
{
	s32 pid = (s32)a[0];

	return !pid || (u32)pid == t->process->pid ? (s64)t->process->pgid : SYS_PASS;
}

s64 sys_getsid(struct thread *t, u64 *a)
{
	s32 pid = (s32)a[0];

	return !pid || (u32)pid == t->process->pid ? (s64)t->process->sid : SYS_PASS;
}

s64 sys_umask(struct thread *t, u64 *a)
{
	struct name_context *n = t->process->names;
	u32 old;

	kernel_lock();
	old = n->umask;
	n->umask = (u32)a[0] & 0777;
	kernel_unlock();
	return old;
}

s64 sys_personality(struct thread *t, u64 *a)
{
	u32 old = t->process->personality;

	if ((u32)a[0] != 0xffffffff)
		t->process->personality = (u32)a[0];
	return old;
}

/* ---- limits ---- */

#define NR_OPEN (1u << 20) /* fs.nr_open: the most that RLIMIT_NOFILE may say */

static s64 limit_set(struct thread *t, unsigned resource, const struct tern_rlimit *l)
{
	struct process *p = t->process;
	struct tern_rlimit *own = &p->limits[resource];

	if (l->cur > l->max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && l->max > NR_OPEN)
		return -EPERM;
	kernel_lock();
	if (l->max > own->max && !capable(t, CAP_SYS_RESOURCE)) {
		kernel_unlock();
		return -EPERM;
	}
	*own = *l;
	if (resource == RLIMIT_AS)
		t->aspace->limit_as = l->cur;
	else if (resource == RLIMIT_STACK)
		t->aspace->limit_stack = l->cur;
	else if (resource == RLIMIT_DATA)
		t->aspace->limit_data = l->cur;
	kernel_unlock();
	return 0;
}

s64 sys_prlimit64(struct thread *t, u64 *a)
{
	s32 pid = (s32)a[0];
	struct tern_rlimit new, old;
	s64 r = 0;

	if (pid && (u32)pid != t->process->pid)
		return SYS_PASS;
	if ((u32)a[1] >= TERN_NLIMITS)
		return -EINVAL;
	if (a[2] && get_user(t, &new, a[2], sizeof new))
		return -EFAULT;
	old = t->process->limits[(u32)a[1]];
	if (a[2])
		r = limit_set(t, (u32)a[1], &new);
	if (!r && a[3] && put_user(t, a[3], &old, sizeof old))
		r = -EFAULT;
	return r;
}

s64 sys_getrlimit(struct thread *t, u64 *a)
{
	if ((u32)a[0] >= TERN_NLIMITS)
		return -EINVAL;
	return put_user(t, a[1], &t->process->limits[(u32)a[0]], sizeof(struct tern_rlimit));
}

s64 sys_setrlimit(struct thread *t, u64 *a)
{
	struct tern_rlimit l;

	if (get_user(t, &l, a[1], sizeof l))
		return -EFAULT;
	if ((u32)a[0] >= TERN_NLIMITS)
		return -EINVAL;
	return limit_set(t, (u32)a[0], &l);
}

/* ---- the machine ---- */

struct sysinfo {
	s64 uptime;
	u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad0;
	u32 pad1;
	u64 totalhigh, freehigh;
	u32 mem_unit, pad2;
};
_Static_assert(sizeof(struct sysinfo) == 112, "sysinfo");

s64 sys_sysinfo(struct thread *t, u64 *a)
{
	struct sysinfo s = { .mem_unit = 1 };
	struct frame_stats f;

	frame_stats(&f);
	s.uptime = (s64)(arch_now_ns() / NSEC_PER_SEC);
	s.totalram = f.total * PAGE_SIZE;
	s.freeram = f.free * PAGE_SIZE;
	s.sharedram = mm_counters.object_pages * PAGE_SIZE;
	s.procs = (u16)MIN(object_count_threads, 0xffffull);
	return put_user(t, a[0], &s, sizeof s);
}

s64 sys_getcpu(struct thread *t, u64 *a)
{
	u32 cpu = hart_index(), node = 0;

	if (a[0] && put_user(t, a[0], &cpu, 4))
		return -EFAULT;
	return a[1] ? put_user(t, a[1], &node, 4) : 0;
}

s64 sys_sched_yield(struct thread *t, u64 *a)
{
	(void)a;
	t->regs.x[REG_A0] = 0;
	kernel_lock();
	sched_yield_current(t);
	kernel_unlock();
	return SYS_SWITCH;
}

static bool policy_valid(u64 policy)
{
	return (u32)policy <= SCHED_BATCH || (u32)policy == SCHED_IDLE;
}
static bool policy_rt(u64 policy) { return (u32)policy == SCHED_FIFO || (u32)policy == SCHED_RR; }

s64 sys_sched_get_priority_max(struct thread *t, u64 *a)
{
	(void)t;
	return !policy_valid(a[0]) ? -EINVAL : policy_rt(a[0]) ? 99 : 0;
}

s64 sys_sched_get_priority_min(struct thread *t, u64 *a)
{
	(void)t;
	return !policy_valid(a[0]) ? -EINVAL : policy_rt(a[0]) ? 1 : 0;
}

s64 sys_rseq(struct thread *t, u64 *a) { return (void)t, (void)a, -ENOSYS; }
s64 sys_kcmp(struct thread *t, u64 *a) { return (void)t, (void)a, -ENOSYS; }

/* riscv_hwprobe(2), Linux 6.12's keys. */
enum {
	HWPROBE_MVENDORID,
	HWPROBE_MARCHID,
	HWPROBE_MIMPID,
	HWPROBE_BASE_BEHAVIOR,
	HWPROBE_IMA_EXT_0,
	HWPROBE_CPUPERF_0,
	HWPROBE_ZICBOZ_BLOCK_SIZE,
	HWPROBE_HIGHEST_VIRT_ADDRESS,
	HWPROBE_TIME_CSR_FREQ,
	HWPROBE_MISALIGNED_SCALAR_PERF,
};
#define HWPROBE_WHICH_CPUS 1

struct hwprobe_pair {
	s64 key;
	u64 value;
};

static void hwprobe_one(struct hwprobe_pair *p)
{
	switch (p->key) {
	case HWPROBE_BASE_BEHAVIOR:
		p->value = 1; /* IMA */
		break;
	case HWPROBE_IMA_EXT_0:
		p->value = 1 | 2; /* FD, C */
		break;
	case HWPROBE_HIGHEST_VIRT_ADDRESS:
		p->value = USER_MAX - 1;
		break;
	case HWPROBE_TIME_CSR_FREQ:
		p->value = boot_facts.timebase_hz;
		break;
	case HWPROBE_MVENDORID:
	case HWPROBE_MARCHID:
	case HWPROBE_MIMPID:
	case HWPROBE_CPUPERF_0:
	case HWPROBE_ZICBOZ_BLOCK_SIZE:
	case HWPROBE_MISALIGNED_SCALAR_PERF:
		p->value = 0;
		break;
	default:
		p->key = -1;
		p->value = 0;
	}
}

/* The mask of harts named by (size, pointer): 0, EINVAL (none of them online), EFAULT. */
static s64 hwprobe_cpus(struct thread *t, u64 size, va_t va, u64 *mask)
{
	u64 all = (1ull << nharts) - 1;

	*mask = 0;
	if (!size && !va) {
		*mask = all;
		return 0;
	}
	if (get_user(t, mask, va, MIN(size, sizeof *mask)))
		return -EFAULT;
	*mask &= all;
	return 0;
}

s64 sys_riscv_hwprobe(struct thread *t, u64 *a)
{
	bool which = a[4] & HWPROBE_WHICH_CPUS, match = true;
	u64 mask;
	s64 r;

	if (a[4] & ~(u64)HWPROBE_WHICH_CPUS || (which && (!a[2] || !a[3])))
		return -EINVAL;
	r = hwprobe_cpus(t, a[2], a[3], &mask);
	if (r)
		return r;
	if (!mask) {
		if (!which)
			return -EINVAL;
		mask = (1ull << nharts) - 1;
	}
	for (u64 i = 0; i < a[1]; i++) {
		struct hwprobe_pair p;
		va_t va = a[0] + i * sizeof p;
		u64 asked;

		if (get_user(t, &p, va, sizeof p))
			return -EFAULT;
		asked = p.value;
		hwprobe_one(&p);
		if (which) {
			/* Bit sets match if all asked bits are there. */
			if (p.key < 0)
				match = false;
			else if (p.key == HWPROBE_BASE_BEHAVIOR || p.key == HWPROBE_IMA_EXT_0)
				match = match && (p.value & asked) == asked;
			else
				match = match && p.value == asked;
			if (p.key >= 0)
				continue;
		}
		if (put_user(t, va, &p, sizeof p))
			return -EFAULT;
	}
	if (which) {
		u8 zero = 0;

		if (!match)
			mask = 0;
		if (put_user(t, a[3], &mask, MIN(a[2], sizeof mask)))
			return -EFAULT;
		for (u64 i = sizeof mask; i < a[2] && i < 128; i++)
			if (put_user(t, a[3] + i, &zero, 1))
				return -EFAULT;
	}
	return 0;
}

/* ---- random numbers ---- */

static struct spinlock random_lock = SPINLOCK_INIT;
static u32 random_key[8];	/* random_lock */
static u64 random_requests;	/* random_lock */
#define RESEED_EVERY 1024

static inline u32 rotl(u32 v, unsigned n) { return v << n | v >> (32 - n); }

#define QUARTER(a, b, c, d)                                                                  \
	do {                                                                                 \
		x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 16);                                  \
		x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 12);                                  \
		x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 8);                                   \
		x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 7);                                   \
	} while (0)

/* One block (RFC 8439, 2.3) with a 64-bit counter and nonce 0. */
static void chacha20_block(const u32 key[8], u64 counter, u32 out[16])
{
	u32 in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	u32 x[16];

	memcpy(in + 4, key, 32);
	in[12] = (u32)counter;
	in[13] = (u32)(counter >> 32);
	memcpy(x, in, sizeof x);
	for (unsigned i = 0; i < 10; i++) {
		QUARTER(0, 4, 8, 12);
		QUARTER(1, 5, 9, 13);
		QUARTER(2, 6, 10, 14);
		QUARTER(3, 7, 11, 15);
		QUARTER(0, 5, 10, 15);
		QUARTER(1, 6, 11, 12);
		QUARTER(2, 7, 8, 13);
		QUARTER(3, 4, 9, 14);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] = x[i] + in[i];
}

/* A key nobody has seen or will see again. */
static void random_take_key(u32 key[8])
{
	u32 block[16];

	spin_lock(&random_lock);
	if (random_requests++ % RESEED_EVERY == 0)
		for (unsigned i = 0; i < 4; i++) {
			u64 e = arch_entropy();

			random_key[2 * i] ^= (u32)e;
			random_key[2 * i + 1] ^= (u32)(e >> 32);
		}
	random_key[7] ^= (u32)arch_ticks();
	chacha20_block(random_key, 0, block);
	memcpy(random_key, block, 32);
	spin_unlock(&random_lock);
	memcpy(key, block + 8, 32);
	memset(block, 0, sizeof block);
}

#define GRND_NONBLOCK 1
#define GRND_RANDOM 2
#define GRND_INSECURE 4
#define RANDOM_PIECE 0x10000ull /* in one go; a0 stays the buffer until all are done */

/* t->again.args[0]: bytes done. */
static s64 random_fill(struct thread *t)
{
	u64 *a = &t->regs.x[REG_A0];
	u64 n = MIN(a[1], 0x7ffff000ull), done = t->again.args[0], counter = 0;
	u64 stop = MIN(n, done + RANDOM_PIECE);
	u32 key[8], block[16];
	bool fault = false;

	random_take_key(key);
	while (done < stop && !fault) {
		u64 piece = MIN(stop - done, sizeof block), copied;

		chacha20_block(key, counter++, block);
		copied = copy_to_user(t->aspace, a[0] + done, block, piece);
		done += copied;
		fault = copied < piece;
	}
	memset(key, 0, sizeof key);
	memset(block, 0, sizeof block);
	if (!done && fault)
		return -EFAULT;
	if (done == n || fault || READ_ONCE(t->work) & WORK_SIGNAL)
		return (s64)done;
	t->again.args[0] = done;
	wait_resumes(t, random_fill);
	return (s64)a[0];
}

s64 sys_getrandom(struct thread *t, u64 *a)
{
	u64 flags = (u32)a[2];

	if (flags & ~7ull || (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	t->again.args[0] = 0;
	return a[1] ? random_fill(t) : 0;
}
