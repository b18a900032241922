/* copy_file_range(2): from one file's memory object to another's, through a buffer of vfs's.
 *
 * Both descriptors are arguments, so the call does not come by a session: it comes to vfs as a
 * service, and vfs looks the descriptors up in the caller's table.  Those of vfs's own sessions
 * show their badge there, and only between these can be copied.
 */
#include "vfs.h"

#define RANGE_MAX (16ull << 20) /* the most that one call copies; the rest takes another call */

struct range_end {
	struct tern_handle_info info;
	struct file *file; /* NULL: the descriptor is another server's */
	int64_t off;
	bool has_pointer;  /* the caller has passed an offset, which is in window `win` */
	unsigned win;
};

static long range_end_init(struct tern_msg *m, struct range_end *e, unsigned arg)
{
	uint32_t fd = (uint32_t)m->args[arg];

	if ((int32_t)fd < 0 || tern_caller_handles(m->token, fd, &e->info, 1) != 1 || e->info.fd != fd ||
	    !(e->info.rights & TERN_R_IO))
		return -EBADF;
	e->file = e->info.kind == TERN_KIND_FILE ? file_of(e->info.badge) : NULL;
	e->win = arg / 2;
	e->has_pointer = m->args[arg + 1];
	e->off = 0;
	if (e->has_pointer)
		return tern_copy_in(m->token, e->win, 0, &e->off, sizeof e->off) == (long)sizeof e->off ? 0 : -EFAULT;
	if (e->file && file_take_fd(m, e->file, (int)fd) < 0)
		return -EBADF;
	e->off = e->file ? (int64_t)e->file->offset : 0;
	return 0;
}

static bool range_is_regular(const struct range_end *e)
{
	return e->info.kind == TERN_KIND_PROC || (e->file && IS_REG(e->file->at.node));
}

/* Makes the checks that Linux makes, in Linux's order, and cuts *len to what can be copied. */
static long range_check(struct tern_msg *m, const struct range_end *in, const struct range_end *out,
			uint64_t *len)
{
	const struct node *from, *to;
	uint64_t size, most;
	long err;

	if (m->args[5])
		return -EINVAL;
	if ((in->file && IS_DIR(in->file->at.node)) || (out->file && IS_DIR(out->file->at.node)))
		return -EISDIR;
	if (!range_is_regular(in) || !range_is_regular(out))
		return -EINVAL;
	if (!(in->info.rights & TERN_R_READ) || !(out->info.rights & TERN_R_WRITE) ||
	    (out->file && out->file->flags & O_APPEND))
		return -EBADF;
	if (!in->file || !out->file || in->file->at.node->fs != out->file->at.node->fs)
		return -EXDEV;
	from = in->file->at.node;
	to = out->file->at.node;
	if ((from->flags ^ to->flags) & NODE_MEMFD)
		return -EXDEV;
	if ((uint64_t)in->off + *len < *len || (uint64_t)out->off + *len < *len)
		return -EOVERFLOW;
	size = in->file->text ? 0 : from->size;
	most = (uint64_t)in->off < size ? size - (uint64_t)in->off : 0;
	*len = *len < most ? *len : most;
	if (*len && out->off >= 0) {
		*len = write_limit(m, (uint64_t)out->off, *len, &err);
		if (!*len)
			return err;
	}
	if (from == to && (uint64_t)in->off < (uint64_t)out->off + *len &&
	    (uint64_t)out->off < (uint64_t)in->off + *len)
		return -EINVAL;
	if (in->off < 0 || out->off < 0)
		return -EINVAL;
	return *len ? write_seals(to, (uint64_t)out->off, *len) : 0;
}

/* Returns how many bytes were copied, or an errno. */
static long range_copy(const struct node *from, uint64_t at, struct node *to, uint64_t off, uint64_t len)
{
	static char bytes[16 * PAGE];
	uint64_t done = 0;
	long r = 0;

	node_withdraw(to);
	while (done < len) {
		uint64_t old = to->size, part = len - done < sizeof bytes ? len - done : sizeof bytes;

		r = tern_memobj_read(from->memobj, at + done, bytes, part);
		if (r <= 0)
			break;
		part = (uint64_t)r;
		r = node_write(to, off + done, bytes, part);
		if (r < 0) {
			if (to->size > old)
				(void)node_resize(to, old);
			break;
		}
		done += part;
	}
	return done ? (long)done : r;
}

static bool range_end_move(struct tern_msg *m, struct range_end *e, uint64_t by)
{
	e->off += (int64_t)by;
	if (e->has_pointer)
		return tern_copy_out(m->token, e->win, 0, &e->off, sizeof e->off) == (long)sizeof e->off;
	if (e->file)
		e->file->offset = (uint64_t)e->off;
	return true;
}

/* copy_file_range(in, in offset, out, out offset, length, flags). */
long vfs_copy_file_range(struct tern_msg *m)
{
	uint64_t len = m->args[4];
	struct range_end in, out;
	long r = range_end_init(m, &in, 0);

	if (r == 0)
		r = range_end_init(m, &out, 2);
	if (r == 0)
		r = range_check(m, &in, &out, &len);
	if (r < 0 || !len)
		return r;
	r = range_copy(in.file->at.node, (uint64_t)in.off, out.file->at.node, (uint64_t)out.off,
		       len < RANGE_MAX ? len : RANGE_MAX);
	if (r <= 0)
		return r;
	read_time(in.file);
	notify(in.file->at.node, IN_ACCESS);
	write_time(m, out.file->at.node);
	return range_end_move(m, &in, (uint64_t)r) & range_end_move(m, &out, (uint64_t)r) ? r : -EFAULT;
}
