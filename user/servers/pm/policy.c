/* Memory policies (set_mempolicy and its like).  There is one node of memory, 0, so a policy is
 * checked and changes nothing. */
#include "pm.h"

#define PAGE 4096ull
#define MODE_FLAGS 0xe000u
enum { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY,
       MPOL_WEIGHTED_INTERLEAVE, MPOL_MAX };
#define MPOL_F_NODE 1
#define MPOL_F_ADDR 2
#define MPOL_F_MEMS_ALLOWED 4
#define MPOL_MF_MOVE_ALL 4

/* Reads the mask of nodes at an address of the caller's; *empty tells whether it names no node. */
static long nodes_get(struct tern_msg *m, uint64_t at, uint64_t bits, bool *empty)
{
	*empty = true;
	if (bits)
		bits--; /* Linux's calls take one more than the number of bits that they use */
	if (!at || !bits)
		return 0;
	if (bits > PAGE * 8)
		return -EINVAL;
	for (uint64_t i = 0; i < bits; i += 64) {
		uint64_t word;

		if (tern_copy_in(m->token, 0, at + i / 8, &word, sizeof word) != (long)sizeof word)
			return -EFAULT;
		if (bits - i < 64)
			word &= (1ull << (bits - i)) - 1;
		if (word & ~(i ? 0ull : 1ull))
			return -EINVAL;
		if (word)
			*empty = false;
	}
	return 0;
}

static long policy_check(struct tern_msg *m, uint64_t mode, uint64_t at, uint64_t bits)
{
	bool empty;
	long r;

	mode = (uint32_t)mode & ~MODE_FLAGS;
	if (mode >= MPOL_MAX)
		return -EINVAL;
	r = nodes_get(m, at, bits, &empty);
	if (r < 0)
		return r;
	if (mode == MPOL_DEFAULT || mode == MPOL_LOCAL)
		return empty ? 0 : -EINVAL;
	return empty && mode != MPOL_PREFERRED ? -EINVAL : 0;
}

/* Tells whether the caller has all of [start, end) mapped. */
static bool is_mapped(struct tern_msg *m, uint64_t start, uint64_t end)
{
	struct proc *p = caller_of(m);

	while (start < end) {
		struct tern_region_info r;

		if (!p || tern_aspace_query(p->handle, start, &r, 1) != 1 || r.start > start)
			return false;
		start = r.end;
	}
	return true;
}

long pm_set_mempolicy(struct tern_msg *m)
{
	return policy_check(m, m->args[0], m->args[1], m->args[2]);
}

long pm_mbind(struct tern_msg *m)
{
	uint64_t start = m->args[0], length = (m->args[1] + PAGE - 1) & ~(PAGE - 1);
	struct tern_cred c;
	long r;

	if (m->args[5] & ~7ull || start & (PAGE - 1))
		return -EINVAL;
	if (m->args[5] & MPOL_MF_MOVE_ALL && (!caller_cred(m, &c) || !cred_capable(&c, CAP_SYS_NICE)))
		return -EPERM;
	r = policy_check(m, m->args[2], m->args[3], m->args[4]);
	if (r < 0)
		return r;
	if (start + length < start)
		return -EINVAL;
	return is_mapped(m, start, start + length) ? 0 : -EFAULT;
}

long pm_get_mempolicy(struct tern_msg *m)
{
	uint64_t flags = m->args[4], bytes = (m->args[2] + 63) / 64 * 8;
	uint64_t mask[PAGE / 8] = { 0 };
	uint32_t mode = MPOL_DEFAULT;

	if (flags & ~7ull || (m->args[1] && !m->args[2]))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		mask[0] = 1;
	} else if (flags & MPOL_F_ADDR) {
		if (!is_mapped(m, m->args[3], m->args[3] + 1))
			return -EFAULT;
	} else if (m->args[3] || flags & MPOL_F_NODE) {
		return -EINVAL;
	}
	if (m->args[0] &&
	    tern_copy_out(m->token, 0, m->args[0], &mode, sizeof mode) != (long)sizeof mode)
		return -EFAULT;
	if (bytes > sizeof mask)
		bytes = sizeof mask;
	if (m->args[1] && tern_copy_out(m->token, 0, m->args[1], mask, bytes) != (long)bytes)
		return -EFAULT;
	return 0;
}
