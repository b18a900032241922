/* capget and capset (capabilities(7)).  A header of version 2 or 3 comes with two words for each
 * set, one of version 1 with one word; for an unknown version the call writes the preferred one,
 * 3, into the header and fails with EINVAL. */
#include "pm.h"

#define VERSION_1 0x19980330u
#define VERSION_2 0x20071026u
#define VERSION_3 0x20080522u

struct header {
	uint32_t version;
	int32_t pid;
};
struct words {
	uint32_t effective, permitted, inheritable;
};

static long read_header(struct tern_msg *m, struct header *h, unsigned *n)
{
	if (tern_copy_in(m->token, 0, 0, h, sizeof *h) != (long)sizeof *h)
		return -EFAULT;
	if (h->version == VERSION_1) {
		*n = 1;
	} else if (h->version == VERSION_2 || h->version == VERSION_3) {
		*n = 2;
	} else {
		h->version = VERSION_3;
		if (tern_copy_out(m->token, 0, 0, &h->version, 4) != 4)
			return -EFAULT;
		return -EINVAL;
	}
	return 0;
}

long pm_capget(struct tern_msg *m)
{
	struct words w[2];
	struct header h;
	struct tern_cred c;
	struct proc *p;
	unsigned n;
	long r = read_header(m, &h, &n);

	if (r < 0)
		return r == -EINVAL && m->args[1] == 0 ? 0 : r;
	if (h.pid < 0)
		return -EINVAL;
	if (h.pid == 0 || (uint32_t)h.pid == TERN_MSG_PID(m->who)) {
		if (!caller_cred(m, &c))
			return -ESRCH;
	} else {
		struct tern_process_stat st;

		p = proc_of_tid(&pm.tree, h.pid);
		if (!p || p->handle < 0 || tern_process_stat(p->handle, 0, &st) < 0)
			return -ESRCH;
		c = st.cred;
	}
	for (unsigned i = 0; i < 2; i++) {
		w[i].effective = (uint32_t)(c.cap_effective >> (32 * i));
		w[i].permitted = (uint32_t)(c.cap_permitted >> (32 * i));
		w[i].inheritable = (uint32_t)(c.cap_inheritable >> (32 * i));
	}
	if (m->args[1] == 0)
		return 0;
	return server_out(m, 1, w, n * sizeof w[0], 0);
}

long pm_capset(struct tern_msg *m)
{
	struct words w[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	uint64_t effective = 0, permitted = 0, inheritable = 0;
	struct tern_cred c;
	struct header h;
	unsigned n;
	long r = read_header(m, &h, &n);

	if (r < 0)
		return r;
	if (h.pid != 0 && (uint32_t)h.pid != TERN_MSG_PID(m->who))
		return -EPERM;
	if (tern_copy_in(m->token, 1, 0, w, n * sizeof w[0]) != (long)(n * sizeof w[0]))
		return -EFAULT;
	if (!caller_cred(m, &c))
		return -ESRCH;
	for (unsigned i = 0; i < 2; i++) {
		effective |= (uint64_t)w[i].effective << (32 * i);
		permitted |= (uint64_t)w[i].permitted << (32 * i);
		inheritable |= (uint64_t)w[i].inheritable << (32 * i);
	}
	effective &= CAP_ALL;
	permitted &= CAP_ALL;
	inheritable &= CAP_ALL;
	if ((permitted & ~c.cap_permitted) || (effective & ~permitted))
		return -EPERM;
	if ((inheritable & ~(c.cap_inheritable | c.cap_permitted)) && !cred_capable(&c, CAP_SETPCAP))
		return -EPERM;
	if (inheritable & ~(c.cap_inheritable | c.cap_bounding))
		return -EPERM;
	c.cap_effective = effective;
	c.cap_permitted = permitted;
	c.cap_inheritable = inheritable;
	if (caller_of(m))
		caller_of(m)->ambient &= permitted & inheritable;
	return tern_cred_set(m->token, &c);
}
