/* setuid and its like: the rules of credentials(7), applied to the calling thread's credentials.
 *
 * The kernel keeps the credentials; new ones take effect at once, for the calling thread alone
 * (glibc has the other threads make the same call).  pm has a copy of a process's ids for the rules
 * of kill and for RLIMIT_NPROC, which is that of the last change by any of its threads.
 * Capabilities follow the user ids as capabilities(7) says.  An id of -1 means "leave it".
 */
#include "pm.h"

#define KEEP 0xffffffffu

struct change {
	struct tern_cred old, new;
	struct proc *proc;
};

static long change_begin(struct change *c, struct tern_msg *m)
{
	c->proc = caller_of(m);
	if (!c->proc || !caller_cred(m, &c->old))
		return -ESRCH;
	c->new = c->old;
	return 0;
}

static void follow_capabilities(struct change *c)
{
	struct tern_cred *n = &c->new;
	const struct tern_cred *o = &c->old;
	bool had_root = o->uid == 0 || o->euid == 0 || o->suid == 0;
	bool has_root = n->uid == 0 || n->euid == 0 || n->suid == 0;

	if (had_root && !has_root && !c->proc->keep_caps)
		n->cap_permitted = n->cap_effective = 0;
	if (had_root && !has_root)
		c->proc->ambient = 0;
	if (o->euid == 0 && n->euid != 0)
		n->cap_effective = 0;
	if (o->euid != 0 && n->euid == 0)
		n->cap_effective = n->cap_permitted;
}

/* As the file-system user id (fsuid) becomes 0 or ceases to be 0, the capabilities that are
 * about files become effective or are dropped: capabilities(7). */
static void follow_fsuid(struct change *c)
{
	const uint64_t files = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH |
			       1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_LINUX_IMMUTABLE |
			       1ull << CAP_MKNOD | 1ull << CAP_MAC_OVERRIDE;

	if (c->old.fsuid == 0 && c->new.fsuid != 0)
		c->new.cap_effective &= ~files;
	if (c->old.fsuid != 0 && c->new.fsuid == 0)
		c->new.cap_effective |= c->new.cap_permitted & files;
}

static long change_commit(struct change *c, struct tern_msg *m)
{
	struct proc *p = c->proc;
	long r;

	follow_capabilities(c);
	if (c->new.uid != p->uid && !user_add(c->new.uid))
		return -EAGAIN;
	r = tern_cred_set(m->token, &c->new);
	if (r < 0) {
		if (c->new.uid != p->uid)
			user_remove(c->new.uid);
		return r;
	}
	if (c->new.uid != p->uid)
		user_remove(p->uid);
	if (c->new.euid != c->old.euid || c->new.egid != c->old.egid)
		p->pdeathsig = 0;
	p->uid = c->new.uid;
	p->euid = c->new.euid;
	p->suid = c->new.suid;
	p->gid = c->new.gid;
	p->egid = c->new.egid;
	pidmap_update(p);
	return 0;
}

long pm_setuid(struct tern_msg *m)
{
	uint32_t uid = (uint32_t)m->args[0];
	struct change c;
	long r = change_begin(&c, m);

	if (r < 0)
		return r;
	if (uid == KEEP)
		return -EINVAL;
	if (cred_capable(&c.old, CAP_SETUID))
		c.new.uid = c.new.suid = uid;
	else if (uid != c.old.uid && uid != c.old.suid)
		return -EPERM;
	c.new.euid = c.new.fsuid = uid;
	return change_commit(&c, m);
}

long pm_setgid(struct tern_msg *m)
{
	uint32_t gid = (uint32_t)m->args[0];
	struct change c;
	long r = change_begin(&c, m);

	if (r < 0)
		return r;
	if (gid == KEEP)
		return -EINVAL;
	if (cred_capable(&c.old, CAP_SETGID))
		c.new.gid = c.new.sgid = gid;
	else if (gid != c.old.gid && gid != c.old.sgid)
		return -EPERM;
	c.new.egid = c.new.fsgid = gid;
	return change_commit(&c, m);
}

long pm_setreuid(struct tern_msg *m)
{
	uint32_t uid = (uint32_t)m->args[0], euid = (uint32_t)m->args[1];
	struct change c;
	long r = change_begin(&c, m);
	bool able;

	if (r < 0)
		return r;
	able = cred_capable(&c.old, CAP_SETUID);
	if (uid != KEEP) {
		if (!able && uid != c.old.uid && uid != c.old.euid)
			return -EPERM;
		c.new.uid = uid;
	}
	if (euid != KEEP) {
		if (!able && euid != c.old.uid && euid != c.old.euid && euid != c.old.suid)
			return -EPERM;
		c.new.euid = euid;
	}
	if (uid != KEEP || (euid != KEEP && euid != c.old.uid))
		c.new.suid = c.new.euid;
	c.new.fsuid = c.new.euid;
	return change_commit(&c, m);
}

long pm_setregid(struct tern_msg *m)
{
	uint32_t gid = (uint32_t)m->args[0], egid = (uint32_t)m->args[1];
	struct change c;
	long r = change_begin(&c, m);
	bool able;

	if (r < 0)
		return r;
	able = cred_capable(&c.old, CAP_SETGID);
	if (gid != KEEP) {
		if (!able && gid != c.old.gid && gid != c.old.egid)
			return -EPERM;
		c.new.gid = gid;
	}
	if (egid != KEEP) {
		if (!able && egid != c.old.gid && egid != c.old.egid && egid != c.old.sgid)
			return -EPERM;
		c.new.egid = egid;
	}
	if (gid != KEEP || (egid != KEEP && egid != c.old.gid))
		c.new.sgid = c.new.egid;
	c.new.fsgid = c.new.egid;
	return change_commit(&c, m);
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == KEEP || id == a || id == b || id == c;
}

long pm_setresuid(struct tern_msg *m)
{
	uint32_t id[3] = { (uint32_t)m->args[0], (uint32_t)m->args[1], (uint32_t)m->args[2] };
	struct change c;
	long r = change_begin(&c, m);

	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		if (!cred_capable(&c.old, CAP_SETUID) &&
		    !one_of(id[i], c.old.uid, c.old.euid, c.old.suid))
			return -EPERM;
	if (id[0] != KEEP)
		c.new.uid = id[0];
	if (id[1] != KEEP)
		c.new.euid = id[1];
	if (id[2] != KEEP)
		c.new.suid = id[2];
	c.new.fsuid = c.new.euid;
	return change_commit(&c, m);
}

long pm_setresgid(struct tern_msg *m)
{
	uint32_t id[3] = { (uint32_t)m->args[0], (uint32_t)m->args[1], (uint32_t)m->args[2] };
	struct change c;
	long r = change_begin(&c, m);

	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		if (!cred_capable(&c.old, CAP_SETGID) &&
		    !one_of(id[i], c.old.gid, c.old.egid, c.old.sgid))
			return -EPERM;
	if (id[0] != KEEP)
		c.new.gid = id[0];
	if (id[1] != KEEP)
		c.new.egid = id[1];
	if (id[2] != KEEP)
		c.new.sgid = id[2];
	c.new.fsgid = c.new.egid;
	return change_commit(&c, m);
}

/* setfsuid and setfsgid answer with the old id, whether they have changed it or not. */
long pm_setfsuid(struct tern_msg *m)
{
	uint32_t id = (uint32_t)m->args[0];
	struct change c;
	long r = change_begin(&c, m);

	if (r < 0)
		return r;
	if (id == KEEP || (!cred_capable(&c.old, CAP_SETUID) && id != c.old.fsuid &&
			   !one_of(id, c.old.uid, c.old.euid, c.old.suid)))
		return (long)c.old.fsuid;
	c.new.fsuid = id;
	follow_fsuid(&c);
	change_commit(&c, m);
	return (long)c.old.fsuid;
}

long pm_setfsgid(struct tern_msg *m)
{
	uint32_t id = (uint32_t)m->args[0];
	struct change c;
	long r = change_begin(&c, m);

	if (r < 0)
		return r;
	if (id == KEEP || (!cred_capable(&c.old, CAP_SETGID) && id != c.old.fsgid &&
			   !one_of(id, c.old.gid, c.old.egid, c.old.sgid)))
		return (long)c.old.fsgid;
	c.new.fsgid = id;
	change_commit(&c, m);
	return (long)c.old.fsgid;
}

/* setgroups(2).  There can be as many supplementary groups as struct tern_cred has room for. */
long pm_setgroups(struct tern_msg *m)
{
	uint32_t count = (uint32_t)m->args[0];
	struct change c;
	long r = change_begin(&c, m);

	if (r < 0)
		return r;
	if (!cred_capable(&c.old, CAP_SETGID))
		return -EPERM;
	if (count > sizeof c.new.groups / sizeof c.new.groups[0])
		return -EINVAL;
	c.new.ngroups = count;
	if (count && tern_copy_in(m->token, 0, 0, c.new.groups, count * 4) != (long)count * 4)
		return -EFAULT;
	for (uint32_t i = 0; i < count; i++)
		if (c.new.groups[i] == ~0u)
			return -EINVAL;
	return change_commit(&c, m);
}

static long put_ids(struct tern_msg *m, const uint32_t ids[3])
{
	for (unsigned i = 0; i < 3; i++)
		if (tern_copy_out(m->token, i, 0, &ids[i], 4) != 4)
			return -EFAULT;
	return 0;
}

long pm_getresuid(struct tern_msg *m)
{
	struct tern_cred c;

	if (!caller_cred(m, &c))
		return -ESRCH;
	return put_ids(m, (uint32_t[]){ c.uid, c.euid, c.suid });
}

long pm_getresgid(struct tern_msg *m)
{
	struct tern_cred c;

	if (!caller_cred(m, &c))
		return -ESRCH;
	return put_ids(m, (uint32_t[]){ c.gid, c.egid, c.sgid });
}

long pm_getgroups(struct tern_msg *m)
{
	int64_t size = (int32_t)m->args[0];
	struct tern_cred c;

	if (!caller_cred(m, &c))
		return -ESRCH;
	if (size < 0 || (size && size < (int64_t)c.ngroups))
		return -EINVAL;
	return size ? server_out(m, 0, c.groups, c.ngroups * 4, (long)c.ngroups) : (long)c.ngroups;
}
