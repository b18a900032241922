/* Calls by which programs ask about the system: uname (and those that set its names), sysinfo,
 * riscv_hwprobe. */
#include "pm.h"
#include <string.h>

static struct uts uts = {
	.sysname = "Linux",
	.nodename = "tern",
	.release = "6.12.0-tern",
	.version = "#1 SMP Tern",
	.machine = "riscv64",
	.domain = "(none)",
};
_Static_assert(sizeof uts == 390, "struct utsname");

struct uts *system_names(void)
{
	return &uts;
}

long pm_uname(struct tern_msg *m)
{
	return server_out(m, 0, &uts, sizeof uts, 0);
}

static long name_set(struct tern_msg *m, char *name)
{
	char text[UTS_LENGTH] = { 0 };
	int64_t length = (int32_t)m->args[1];
	struct tern_cred c;

	if (!caller_cred(m, &c))
		return -ESRCH;
	if (!cred_capable(&c, CAP_SYS_ADMIN))
		return -EPERM;
	if (length < 0 || length > UTS_LENGTH - 1)
		return -EINVAL;
	if (length && tern_copy_in(m->token, 0, 0, text, (size_t)length) != length)
		return -EFAULT;
	memcpy(name, text, UTS_LENGTH);
	return 0;
}

long pm_sethostname(struct tern_msg *m)
{
	return name_set(m, uts.nodename);
}

long pm_setdomainname(struct tern_msg *m)
{
	return name_set(m, uts.domain);
}

struct sysinfo {
	int64_t uptime;
	uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	uint16_t procs, pad0;
	uint32_t pad1;
	uint64_t totalhigh, freehigh;
	uint32_t mem_unit, pad2;
};
_Static_assert(sizeof(struct sysinfo) == 112, "sysinfo");

long pm_sysinfo(struct tern_msg *m)
{
	struct sysinfo s = { .mem_unit = 1 };
	struct tern_memory_info memory = { 0 };

	tern_system_info(TERN_INFO_MEMORY, &memory, sizeof memory);
	s.uptime = (int64_t)(tern_clock_ns(TERN_CLOCK_MONOTONIC) / NSEC);
	s.totalram = memory.frames.total * 4096;
	s.freeram = memory.frames.free * 4096;
	s.sharedram = memory.counters.object_pages * 4096;
	for (unsigned i = 0; i < 3; i++)
		s.loads[i] = loadavg(i) * (65536 / LOAD_ONE);
	s.procs = pm.tree.used < UINT16_MAX ? (uint16_t)pm.tree.used : UINT16_MAX;
	return server_out(m, 0, &s, sizeof s, 0);
}

/* The keys of riscv_hwprobe(2), as of Linux 6.12. */
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
	HWPROBE_KEYS,
};
#define HWPROBE_WHICH_CPUS 1
#define HWPROBE_IMA 1
#define HWPROBE_FD_C 3
#define PAIRS_MAX 64u /* pairs that one call may have, so that it does not keep pm from others */

struct hwprobe_pair {
	int64_t key;
	uint64_t value;
};

static void hwprobe_one(struct hwprobe_pair *p)
{
	switch (p->key) {
	case HWPROBE_BASE_BEHAVIOR:
		p->value = HWPROBE_IMA;
		break;
	case HWPROBE_IMA_EXT_0:
		p->value = HWPROBE_FD_C;
		break;
	case HWPROBE_HIGHEST_VIRT_ADDRESS:
		p->value = TERN_USER_TOP - 1;
		break;
	case HWPROBE_TIME_CSR_FREQ:
		p->value = pm.boot.timebase_hz;
		break;
	default:
		if (p->key < 0 || p->key >= HWPROBE_KEYS)
			p->key = -1;
		p->value = 0;
	}
}

/* Tells whether the harts have what the pair asks for (RISCV_HWPROBE_WHICH_CPUS). */
static bool hwprobe_matches(struct hwprobe_pair *p)
{
	uint64_t asked = p->value;

	hwprobe_one(p);
	if (p->key == HWPROBE_BASE_BEHAVIOR || p->key == HWPROBE_IMA_EXT_0)
		return (p->value & asked) == asked; /* the values are sets of bits */
	return p->key >= 0 && p->value == asked;
}

static long hwprobe_pairs(struct tern_msg *m, bool which, bool *match)
{
	struct hwprobe_pair pairs[PAIRS_MAX];
	uint64_t count = m->args[1], size = count * sizeof pairs[0];

	if (count > PAIRS_MAX)
		return -EINVAL;
	if (count && tern_copy_in(m->token, 0, 0, pairs, size) != (long)size)
		return -EFAULT;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t asked = pairs[i].value;

		if (!which)
			hwprobe_one(&pairs[i]);
		else if (!hwprobe_matches(&pairs[i]))
			*match = false;
		if (which && pairs[i].key >= 0)
			pairs[i].value = asked; /* only pairs with an unknown key are changed */
	}
	if (count && tern_copy_out(m->token, 0, 0, pairs, size) != (long)size)
		return -EFAULT;
	return 0;
}

#define SET_MAX 128u /* bytes of the caller's set of harts that pm looks at */

long pm_riscv_hwprobe(struct tern_msg *m)
{
	uint64_t all = (1ull << pm.boot.nharts) - 1, set[SET_MAX / 8] = { all };
	uint64_t size = m->args[2] < SET_MAX ? m->args[2] : SET_MAX;
	bool which = m->args[4] & HWPROBE_WHICH_CPUS, match = true;
	long r;

	if (m->args[4] & ~(uint64_t)HWPROBE_WHICH_CPUS || (which && (!m->args[2] || !m->args[3])))
		return -EINVAL;
	if (m->args[2] || m->args[3]) {
		set[0] = 0;
		if (size && tern_copy_in(m->token, 1, 0, set, size) != (long)size)
			return -EFAULT;
		set[0] &= all;
	}
	if (!set[0]) {
		if (!which)
			return -EINVAL;
		set[0] = all;
	}
	r = hwprobe_pairs(m, which, &match);
	if (r < 0 || !which)
		return r;
	memset(set + 1, 0, sizeof set - sizeof set[0]);
	if (!match)
		set[0] = 0;
	return server_out(m, 1, set, size, 0);
}
