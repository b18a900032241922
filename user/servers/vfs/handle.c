/* File handles (name_to_handle_at(2)).  A handle is the node's ident, by which the node can be
 * opened without a path while it exists. */
#include "vfs.h"

#define HANDLE_MAX 128u /* MAX_HANDLE_SZ */
#define HANDLE_TYPE 1

struct file_handle {
	uint32_t bytes;
	int32_t type;
	uint32_t ident[2]; /* two halves, as the handle in user memory may be aligned to 4 only */
};
#define HEAD_SIZE 8u
#define IDENT_SIZE 8u

/* name_to_handle_at(dirfd, path, handle, mount_id, flags). */
long vfs_name_to_handle_at(struct tern_msg *m)
{
	unsigned flags = (unsigned)m->args[4];
	struct file_handle h;
	uint64_t ident, mount;
	size_t mount_size = flags & AT_HANDLE_MNT_ID_UNIQUE ? 8 : 4;
	struct request r;
	struct walk w;
	bool fits;
	long err;

	request_begin(&r, m);
	if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID | AT_HANDLE_MNT_ID_UNIQUE))
		return -EINVAL;
	err = walk_window(&r, 0, 0,
			  (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  &w);
	if (err < 0)
		return err;
	if (w.at.node->flags & NODE_PROC)
		return -EOPNOTSUPP;
	if (tern_copy_in(m->token, 1, 0, &h, HEAD_SIZE) != HEAD_SIZE)
		return -EFAULT;
	if (h.bytes > HANDLE_MAX)
		return -EINVAL;
	fits = h.bytes >= IDENT_SIZE;
	ident = node_ident(w.at.node);
	mount = w.at.mount->id;
	h = (struct file_handle){ IDENT_SIZE, HANDLE_TYPE, { (uint32_t)ident, (uint32_t)(ident >> 32) } };
	if (tern_copy_out(m->token, 2, 0, &mount, mount_size) != (long)mount_size)
		return -EFAULT;
	return server_out(m, 1, &h, fits ? sizeof h : HEAD_SIZE, 0) < 0 ? -EFAULT : fits ? 0 : -EOVERFLOW;
}

/* open_by_handle_at(mount_fd, handle, flags). */
long vfs_open_by_handle_at(struct tern_msg *m)
{
	struct file_handle h;
	struct request r;
	struct place at;
	struct node *n;
	long err;

	request_begin(&r, m);
	if (!capable(r.cred, CAP_DAC_READ_SEARCH))
		return -EPERM;
	err = request_start(&r, 0, &at);
	if (err < 0)
		return err;
	if (tern_copy_in(m->token, 0, 0, &h, HEAD_SIZE) != HEAD_SIZE)
		return -EFAULT;
	if (!h.bytes || h.bytes > HANDLE_MAX)
		return -EINVAL;
	if (h.bytes != IDENT_SIZE || h.type != HANDLE_TYPE)
		return -ESTALE;
	if (tern_copy_in(m->token, 0, 0, &h, sizeof h) != (long)sizeof h)
		return -EFAULT;
	n = pool_lookup(&nodes, (uint64_t)h.ident[1] << 32 | h.ident[0]);
	if (!n || n->fs != at.node->fs)
		return -ESTALE;
	at.node = n;
	return open_place(&r, at, (uint32_t)m->args[2] & ~(uint32_t)(O_CREAT | O_EXCL));
}
