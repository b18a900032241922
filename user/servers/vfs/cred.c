/* Who may do what: permission bits, sticky directories, capabilities.
 *
 * Credentials are immutable objects with an id that is never used again, so they are kept in a
 * small cache by id and the kernel is asked once per object.
 */
#include "vfs.h"

struct tern_cred cred_cache[CRED_CACHE];

const struct tern_cred *cred_ask(const struct tern_msg *m)
{
	static const struct tern_cred nobody = { .uid = 65534, .euid = 65534, .fsuid = 65534,
						 .gid = 65534, .egid = 65534, .fsgid = 65534 };
	static struct tern_caller caller;
	uint32_t id = TERN_MSG_CRED(m->who);
	struct tern_cred *c = &cred_cache[id % CRED_CACHE];

	/* It fails only for a call that has ended meanwhile, whose result nobody gets; so it may
	 * do nothing. */
	if (tern_caller(m->token, &caller) < 0)
		return &nobody;
	*c = caller.cred;
	c->id = id;
	if (c->ngroups > 32)
		c->ngroups = 32;
	/* Credentials without any capability sets come from a server that does not set them: root
	 * gets all then, others none. */
	if (!c->cap_bounding && !c->cap_permitted)
		c->cap_effective = c->cap_permitted = c->euid == 0 ? ~0ull : 0;
	return c;
}

bool in_group(const struct tern_cred *c, uint32_t gid)
{
	if (c->fsgid == gid)
		return true;
	for (uint32_t i = 0; i < c->ngroups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

long access_slow(const struct node *n, unsigned mask, const struct tern_cred *c)
{
	unsigned bits = n->mode;

	if (c->fsuid == n->uid)
		bits >>= 6;
	else if (in_group(c, n->gid))
		bits >>= 3;
	if ((bits & mask) == mask)
		return 0;
	if (capable(c, CAP_DAC_OVERRIDE) && (!(mask & 1) || IS_DIR(n) || n->mode & 0111))
		return 0;
	if (capable(c, CAP_DAC_READ_SEARCH) && (mask == 4 || (IS_DIR(n) && !(mask & 2))))
		return 0;
	return -EACCES;
}

bool is_owner(const struct node *n, const struct tern_cred *c)
{
	return c->fsuid == n->uid || capable(c, CAP_FOWNER);
}

long may_create(const struct node *dir, const struct tern_cred *c)
{
	long r = node_access(dir, 3, c);

	if (r < 0)
		return r;
	if (dir->flags & NODE_PROC || dir->fs->magic == DEVPTS_MAGIC)
		return -EPERM;
	return dir->nlink ? 0 : -ENOENT;
}

long may_delete(const struct node *dir, const struct node *n, const struct tern_cred *c)
{
	long r = node_access(dir, 3, c);

	if (r < 0)
		return r;
	if (dir->flags & NODE_PROC || dir->fs->magic == DEVPTS_MAGIC)
		return -EPERM;
	if (dir->mode & S_ISVTX && c->fsuid != n->uid && c->fsuid != dir->uid &&
	    !capable(c, CAP_FOWNER))
		return -EPERM;
	return 0;
}

void drop_set_ids(struct node *n, const struct tern_cred *c)
{
	if (capable(c, CAP_FSETID))
		return;
	n->mode &= ~(uint32_t)S_ISUID;
	if (n->mode & 0010)
		n->mode &= ~(uint32_t)S_ISGID;
}
