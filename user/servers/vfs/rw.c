/* Reading, writing, sizes and mapping of files.
 *
 * A regular file's bytes are in a memory object; the kernel copies between it and the client's
 * window without a stop in vfs's memory.  Until others get the object (mmap, execve) it
 * may be larger than the file, so that appending seldom resizes it; bytes behind
 * the file's end are zero.  A plain read, or a write that does not make the file larger, is one
 * kernel entry: the reply carries the copy.  The offset is moved before; if the copy falls
 * short, it is put right (copy_fell_short).
 */
#include "vfs.h"

#include <asm-generic/ioctls.h>
#include <linux/mman.h>
#include <stdlib.h>
#include <tern/linux/signal.h>

#define GROW_STEP (64 * 1024ull)

static long no_memory(long err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE ? -ENOSPC : err;
}

/* Makes the memobj of n, if there is none, and makes it at least `size` bytes long. */
static long reserve(struct node *n, uint64_t size)
{
	uint64_t want = size;
	long r;

	if (n->memobj >= 0 && size <= n->capacity)
		return 0;
	if (!(n->flags & NODE_EXPOSED) && size < FILE_MAX - GROW_STEP)
		want = (size + GROW_STEP - 1) & ~(GROW_STEP - 1);
	if (n->memobj < 0) {
		r = tern_memobj_create(want, node_ident(n));
		if (r < 0)
			return no_memory(r);
		n->memobj = (int32_t)r;
	} else {
		r = tern_memobj_resize(n->memobj, want);
		if (r < 0)
			return r == -EINVAL ? -EFBIG : no_memory(r);
	}
	n->capacity = want;
	return 0;
}

long node_resize(struct node *n, uint64_t size)
{
	long r;

	node_withdraw(n);
	if (size > n->size) {
		r = reserve(n, size);
		if (r < 0)
			return r;
		n->flags |= NODE_SPARSE;
	} else if (n->memobj >= 0 && (size < n->size || n->capacity != size)) {
		r = tern_memobj_resize(n->memobj, size);
		if (r < 0)
			return r;
		n->capacity = size;
	}
	n->size = size;
	return 0;
}

long node_expose(struct node *n)
{
	long r;

	if (n->flags & NODE_EXPOSED)
		return 0;
	if (n->memobj < 0) {
		r = tern_memobj_create(n->size, node_ident(n));
		if (r < 0)
			return r;
		n->memobj = (int32_t)r;
	} else if (n->capacity != n->size) {
		r = tern_memobj_resize(n->memobj, n->size);
		if (r < 0)
			return r;
	}
	n->capacity = n->size;
	n->flags |= NODE_EXPOSED;
	return 0;
}

long node_write(struct node *n, uint64_t off, const void *data, size_t len)
{
	long r;

	if (off + len > n->size) {
		r = node_resize(n, off + len);
		if (r < 0)
			return r;
	}
	r = tern_memobj_write(n->memobj, off, data, len);
	return r < 0 ? no_memory(r) : r == (long)len ? 0 : -ENOSPC;
}

bool file_keeps_atime(const struct file *f)
{
	return f->flags & O_NOATIME || f->at.mount->flags & (MS_NOATIME | MS_RDONLY) ||
	       f->at.node->fs->readonly;
}

/* What a read of f does besides giving bytes: it moves the access time, if that is due. */
void read_time(struct file *f)
{
	struct node *n = f->at.node;

	if (file_keeps_atime(f))
		return;
	node_withdraw(n);
	if (access_due(n))
		n->atime = vfs_now();
}

static inline uint64_t clip(uint64_t n) { return n > COUNT_MAX ? COUNT_MAX : n; }

/* Answers a read of anything but a regular file's memobj: directories, text that vfs made,
 * devices.  *done false: it is a regular file, which the caller has to read. */
static long read_other(struct tern_msg *m, struct file *f, uint64_t off, uint64_t len, bool *done)
{
	struct node *n = f->at.node;

	*done = true;
	if (IS_DIR(n))
		return -EISDIR;
	if (f->text) {
		if (off >= f->text_size || !len)
			return 0;
		if (len > f->text_size - off)
			len = f->text_size - off;
		return tern_copy_out(m->token, 0, 0, f->text + off, len);
	}
	if (IS_CHR(n))
		return dev_read(m, f, len);
	if (!IS_REG(n))
		return -EINVAL;
	*done = false;
	return 0;
}

/* What the last reply with a copy did, which copy_fell_short() may have to put right. */
static struct {
	struct file *file; /* the description whose offset was moved from `off`, or NULL */
	uint64_t off;
} last;

/* Whether memory is (nearly) used up.  It is asked after a failed copy, because the kernel does
 * not say why a copy stopped. */
static bool memory_is_out(void)
{
	struct tern_memory_info info;

	return tern_system_info(TERN_INFO_MEMORY, &info, sizeof info) >= 0 &&
	       info.frames.free <= info.frames.reserve + 16;
}

/* The result of a write whose copy into the file came to n: a lack of memory is a lack of space. */
static long written(long n)
{
	return n == -ENOMEM || (n == -EFAULT && memory_is_out()) ? -ENOSPC : n;
}

/* The kernel reports (COPY_SHORT) that the copy of the last reply stopped after n bytes, or that
 * its caller was killed before it.  `last` still describes that reply, because this event is the
 * next message after it. */
void copy_fell_short(uint64_t token, long n)
{
	if (last.file) {
		last.file->offset = last.off + (n > 0 ? (uint64_t)n : 0);
		last.file->state &= ~(uint32_t)FILE_DIRECT;
	}
	tern_reply(token, n ? written(n) : -EFAULT);
}

/* Copies at most len bytes of f from `off` into window 0 of the call. */
static long read_at(struct tern_msg *m, struct file *f, uint64_t off, uint64_t len)
{
	struct node *n = f->at.node;
	bool done;
	long r = read_other(m, f, off, len, &done);

	if (done)
		return r;
	if (off >= n->size || !len)
		return 0;
	if (len > n->size - off)
		len = n->size - off;
	read_time(f);
	r = tern_memobj_out(m->token, 0, 0, n->memobj, off, len);
	if (r > 0)
		notify(n, IN_ACCESS);
	return r;
}

long vfs_read(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	uint64_t len = clip(m->args[2]), off;
	struct node *n;
	long r;

	if (!f)
		return vfs_no_file(m);
	n = f->at.node;
	file_take(m, f);
	off = f->offset;
	/* A watch is told only of bytes that were read, so vfs copies before it replies where
	 * there is one. */
	if (!IS_REG(n) || f->text || is_watched(n)) {
		r = read_at(m, f, off, len);
		if (r > 0)
			f->offset += (uint64_t)r;
		return r;
	}
	if (off >= n->size || !len)
		return 0;
	if (len > n->size - off)
		len = n->size - off;
	f->offset = off + len;
	last.file = f;
	last.off = off;
	server_reply_copy_memobj(0, n->memobj, off, len);
	server_reply_exact();
	if (!file_direct(f, len, TERN_FILE_READ_MAX))
		read_time(f);
	return (long)len;
}

long write_seals(const struct node *n, uint64_t off, uint64_t len)
{
	bool grows = off >= n->size || len > n->size - off;

	return n->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE) || (n->seals & SEAL_GROW && grows) ? -EPERM : 0;
}

uint64_t write_limit(struct tern_msg *m, uint64_t off, uint64_t len, long *err)
{
	static struct tern_caller caller;
	uint64_t limit = FILE_MAX;

	*err = -EFBIG;
	if (tern_caller(m->token, &caller) >= 0 && caller.limit_fsize < limit)
		limit = caller.limit_fsize;
	if (off >= limit) {
		if (limit != FILE_MAX)
			server_reply_signal(SIGXFSZ);
		return 0;
	}
	return len < limit - off ? len : limit - off;
}

void write_time(struct tern_msg *m, struct node *n)
{
	notify(n, IN_MODIFY);
	n->mtime = n->ctime = vfs_now();
	if (n->mode & (S_ISUID | S_ISGID))
		drop_set_ids(n, cred_of(m));
}

/* Makes the object large enough and copies a write that ends behind the file's end.  Returns how
 * many bytes were copied, or an errno.  If the file may be mapped (NODE_EXPOSED), the source may
 * be a mapping of its own pages behind the end, which must fault and not exist because of this
 * write: so a part is read first, and the object grows by what came. */
static long write_growing(struct tern_msg *m, struct node *n, uint64_t off, uint64_t len)
{
	static char bytes[16 * PAGE];
	uint64_t done = 0;
	long r = 0, err;

	if (!(n->flags & NODE_EXPOSED)) {
		err = reserve(n, off + len);
		return err < 0 ? err :
				 tern_memobj_in(m->token, 0, 0, n->memobj, off, len);
	}
	while (done < len) {
		r = tern_copy_in(m->token, 0, done, bytes,
				 len - done < sizeof bytes ? len - done : sizeof bytes);
		if (r <= 0)
			break;
		err = reserve(n, off + done + (uint64_t)r);
		r = err < 0 ? err : tern_memobj_write(n->memobj, off + done, bytes, (size_t)r);
		if (r <= 0)
			break;
		done += (uint64_t)r;
	}
	return done ? (long)done : r;
}

/* Writes len bytes of window 0 into f at `off`.  *end: the offset behind the last byte written.
 * *carried: no copy has been made yet, the reply carries it. */
static long write_at(struct tern_msg *m, struct file *f, uint64_t off, uint64_t len, uint64_t *end,
		     bool *carried)
{
	struct node *n = f->at.node;
	uint64_t old;
	long r, err;

	if (!IS_REG(n)) {
		if (IS_DIR(n))
			return -EBADF;
		return IS_CHR(n) ? dev_write(m, n, len) : -EINVAL;
	}
	if (f->text)
		return -EBADF;
	if (!len)
		return 0;
	node_withdraw(n);
	old = n->size;
	err = n->seals ? write_seals(n, off, len) : 0;
	if (err < 0)
		return err;
	if (off >= old || len > old - off) {
		len = write_limit(m, off, len, &err);
		if (!len)
			return err;
		r = write_growing(m, n, off, len);
	} else if (is_watched(n)) {
		r = tern_memobj_in(m->token, 0, 0, n->memobj, off, len);
	} else {
		/* All but the copy is done here, and the reply carries the copy. */
		write_time(m, n);
		last.file = NULL;
		server_reply_take_memobj(0, n->memobj, off, len);
		server_reply_exact();
		*end = off + len;
		*carried = true;
		return (long)len;
	}
	/* The copy fell short of what the object was made larger for.  An object that others may
	 * map must have exactly the size of the file, so it is cut. */
	if (r < (long)len && n->flags & NODE_EXPOSED && n->capacity > old) {
		uint64_t size = r > 0 && off + (uint64_t)r > old ? off + (uint64_t)r : old;

		tern_memobj_resize(n->memobj, size);
		n->capacity = size;
	}
	if (r <= 0)
		return written(r);
	if (off > old)
		n->flags |= NODE_SPARSE;
	if (off + (uint64_t)r > n->size)
		n->size = off + (uint64_t)r;
	write_time(m, n);
	*end = off + (uint64_t)r;
	return r;
}

/* Whether a write is one piece, after which the kernel may do the next ones (file_direct), or a
 * vector, which it leaves to vfs. */
enum pieces { ONE_PIECE, VECTOR };

static long write_here(struct tern_msg *m, struct file *f, uint64_t len, bool append, enum pieces pieces)
{
	bool carried = false;
	uint64_t off, end;
	long r;

	file_take(m, f);
	off = end = f->offset;
	if (IS_REG(f->at.node) && (append || f->flags & O_APPEND))
		off = f->at.node->size;
	r = write_at(m, f, off, len, &end, &carried);
	if (r > 0) {
		last.file = f;
		last.off = off;
		f->offset = end;
	}
	if (carried && pieces == ONE_PIECE)
		file_direct(f, len, TERN_FILE_WRITE_MAX);
	return r;
}

long vfs_write(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);

	return f ? write_here(m, f, clip(m->args[2]), false, ONE_PIECE) : vfs_no_file(m);
}

/* How many bytes the caller's iovec has, cut to COUNT_MAX. */
static long vector_length(struct tern_msg *m)
{
	long n = tern_window_length(m->token, 0);

	return n > (long)COUNT_MAX ? (long)COUNT_MAX : n;
}

static long readv_here(struct tern_msg *m, struct file *f)
{
	long n = vector_length(m), r;

	if (n < 0)
		return n;
	file_take(m, f);
	r = read_at(m, f, f->offset, (uint64_t)n);
	if (r > 0)
		f->offset += (uint64_t)r;
	return r;
}

long vfs_readv(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);

	return f ? readv_here(m, f) : vfs_no_file(m);
}

long vfs_writev(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	long n;

	if (!f)
		return vfs_no_file(m);
	n = vector_length(m);
	return n < 0 ? n : write_here(m, f, (uint64_t)n, false, VECTOR);
}

static long write_there(struct tern_msg *m, struct file *f, int64_t off, uint64_t len, bool append,
			enum pieces pieces)
{
	bool carried = false;
	uint64_t end;
	long r;

	if (IS_REG(f->at.node) && (append || f->flags & O_APPEND))
		off = (int64_t)f->at.node->size;
	r = write_at(m, f, (uint64_t)off, len, &end, &carried);
	if (carried && pieces == ONE_PIECE)
		file_direct(f, len, TERN_FILE_WRITE_MAX);
	return r;
}

long vfs_pread(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	int64_t off = (int64_t)m->args[3];
	uint64_t len = clip(m->args[2]);
	struct node *n;

	if (!f)
		return vfs_no_file(m);
	if (off < 0)
		return -EINVAL;
	n = f->at.node;
	if (!IS_REG(n) || f->text || is_watched(n))
		return read_at(m, f, (uint64_t)off, len);
	if ((uint64_t)off >= n->size || !len)
		return 0;
	if (len > n->size - (uint64_t)off)
		len = n->size - (uint64_t)off;
	server_reply_copy_memobj(0, n->memobj, (uint64_t)off, len);
	if (!file_direct(f, len, TERN_FILE_READ_MAX))
		read_time(f);
	return (long)len;
}

long vfs_pwrite(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	int64_t off = (int64_t)m->args[3];

	if (!f)
		return vfs_no_file(m);
	return off < 0 ? -EINVAL : write_there(m, f, off, clip(m->args[2]), false, ONE_PIECE);
}

long vfs_preadv(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	int64_t off = (int64_t)m->args[3];
	long n;

	if (!f)
		return vfs_no_file(m);
	if (off < 0)
		return -EINVAL;
	n = vector_length(m);
	return n < 0 ? n : read_at(m, f, (uint64_t)off, (uint64_t)n);
}

long vfs_pwritev(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	int64_t off = (int64_t)m->args[3];
	long n;

	if (!f)
		return vfs_no_file(m);
	if (off < 0)
		return -EINVAL;
	n = vector_length(m);
	return n < 0 ? n : write_there(m, f, off, (uint64_t)n, false, VECTOR);
}

long vfs_preadv2(struct tern_msg *m)
{
	if (m->args[5] & ~(uint64_t)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT))
		return -EOPNOTSUPP;
	return (int64_t)m->args[3] == -1 ? vfs_readv(m) : vfs_preadv(m);
}

long vfs_pwritev2(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	bool append = m->args[5] & RWF_APPEND;
	int64_t off = (int64_t)m->args[3];
	long n;

	if (!f)
		return vfs_no_file(m);
	if (m->args[5] & ~(uint64_t)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	if (off < -1)
		return -EINVAL;
	n = vector_length(m);
	if (n < 0)
		return n;
	return off == -1 ? write_here(m, f, (uint64_t)n, append, VECTOR)
			 : write_there(m, f, off, (uint64_t)n, append, VECTOR);
}

long vfs_lseek(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	int64_t off = (int64_t)m->args[1], base = 0;
	struct node *n;

	if (!f)
		return vfs_no_file(m);
	n = f->at.node;
	file_take(m, f);
	if ((uint32_t)m->args[2] > SEEK_HOLE)
		return -EINVAL;
	if (IS_CHR(n))
		return 0;
	if (!IS_REG(n) && !IS_DIR(n))
		return -ESPIPE;
	switch ((uint32_t)m->args[2]) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (int64_t)f->offset;
		break;
	case SEEK_END:
		if (IS_DIR(n))
			return -EINVAL;
		base = (int64_t)(f->text ? f->text_size : n->size);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (!IS_REG(n))
			return -EINVAL;
		base = (int64_t)(f->text ? f->text_size : n->size);
		if (off < 0 || off >= base)
			return -ENXIO;
		/* To SEEK_DATA and SEEK_HOLE every file is data up to its end and a hole behind
		 * it. */
		base = (uint32_t)m->args[2] == SEEK_HOLE ? base - off : 0;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &off))
		return -EOVERFLOW;
	if (off < 0)
		return -EINVAL;
	f->offset = (uint64_t)off;
	return (long)off;
}

/* ---- sizes ---- */

static long set_size(struct tern_msg *m, struct node *n, uint64_t size)
{
	long err;

	if ((n->seals & SEAL_SHRINK && size < n->size) || (n->seals & SEAL_GROW && size > n->size))
		return -EPERM;
	if (size > n->size && write_limit(m, n->size, size - n->size, &err) != size - n->size) {
		static struct tern_caller caller;

		/* The limit allows a part of the growth only: unlike a write, truncate fails
		 * then. */
		if (tern_caller(m->token, &caller) >= 0 && size > caller.limit_fsize)
			server_reply_signal(SIGXFSZ);
		return -EFBIG;
	}
	node_withdraw(n);
	err = node_resize(n, size);
	if (err < 0)
		return err;
	notify(n, IN_MODIFY);
	n->mtime = n->ctime = vfs_now();
	if (n->mode & (S_ISUID | S_ISGID))
		drop_set_ids(n, cred_of(m));
	return 0;
}

long vfs_ftruncate(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);

	if (!f)
		return vfs_no_file(m);
	if ((int64_t)m->args[1] < 0 || !IS_REG(f->at.node) || !file_writes(f) || f->text)
		return -EINVAL;
	return set_size(m, f->at.node, m->args[1]);
}

long vfs_truncate(struct tern_msg *m)
{
	struct request r;
	struct walk w;
	struct node *n;
	long err;

	request_begin(&r, m);
	if ((int64_t)m->args[1] < 0)
		return -EINVAL;
	err = walk_window(&r, 0, 0, WALK_FOLLOW, &w);
	if (err < 0)
		return err;
	n = w.at.node;
	if (IS_DIR(n))
		return -EISDIR;
	if (!IS_REG(n))
		return -EINVAL;
	err = mount_writable(w.at.mount);
	if (err == 0)
		err = node_access(n, 2, r.cred);
	if (err < 0)
		return err;
	if (n->flags & NODE_PROC)
		return -EINVAL;
	err = node_busy_text(n);
	return err < 0 ? err : set_size(m, n, m->args[1]);
}

#define FALLOC_KEEP_SIZE 1u
#define FALLOC_PUNCH_HOLE 2u

long vfs_fallocate(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	unsigned mode = (unsigned)m->args[1];
	int64_t off = (int64_t)m->args[2], len = (int64_t)m->args[3];
	struct node *n;
	long r;

	if (!f)
		return vfs_no_file(m);
	n = f->at.node;
	if (off < 0 || len <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE) || mode == FALLOC_PUNCH_HOLE)
		return -EOPNOTSUPP;
	if (IS_DIR(n))
		return -EISDIR;
	if (!IS_REG(n) || f->text)
		return -ENODEV;
	if (off > FILE_MAX || len > FILE_MAX - off)
		return -EFBIG;
	if (mode & FALLOC_PUNCH_HOLE) {
		uint64_t end = (uint64_t)(off + len) < n->size ? (uint64_t)(off + len) : n->size;

		if (n->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
			return -EPERM;
		if ((uint64_t)off >= end)
			return 0;
		/* Bytes behind the file's end are zero anyway, so the rest of its last page
		 * goes, too. */
		if (end == n->size)
			end = (end + PAGE - 1) & ~(PAGE - 1);
		node_withdraw(n);
		r = tern_memobj_punch(n->memobj, (uint64_t)off, end - (uint64_t)off);
		if (r < 0)
			return r;
		n->flags |= NODE_SPARSE;
		n->mtime = n->ctime = vfs_now();
		return 0;
	}
	/* No memory is reserved: pages come as they are written, and only the size changes here. */
	if (mode & FALLOC_KEEP_SIZE || (uint64_t)(off + len) <= n->size)
		return 0;
	return set_size(m, n, (uint64_t)(off + len));
}

/* mmap(addr, length, prot, flags, fd, offset): vfs gives the memory object, the kernel maps it. */
long vfs_mmap(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	unsigned prot = (unsigned)m->args[2], type = (unsigned)m->args[3] & MAP_TYPE;
	unsigned max = PROT_READ | PROT_EXEC;
	struct node *n;
	long r;

	if (!f)
		return vfs_no_file(m);
	n = f->at.node;
	if (!file_reads(f))
		return -EACCES;
	if (type != MAP_PRIVATE) {
		if (prot & PROT_WRITE && !file_writes(f))
			return -EACCES;
		if (file_writes(f))
			max |= PROT_WRITE;
	} else {
		max |= PROT_WRITE;
	}
	if (IS_CHR(n))
		return dev_mmap(m, f, max);
	if (!IS_REG(n) || f->text || n->flags & NODE_PROC)
		return -ENODEV;
	if (type != MAP_PRIVATE && n->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)) {
		if (prot & PROT_WRITE)
			return -EPERM;
		max &= ~(unsigned)PROT_WRITE;
	}
	if (f->at.mount->flags & MS_NOEXEC) {
		if (prot & PROT_EXEC)
			return -EPERM;
		max &= ~(unsigned)PROT_EXEC;
	}
	r = node_expose(n);
	if (r < 0)
		return r;
	if (type != MAP_PRIVATE && max & PROT_WRITE)
		n->flags |= NODE_SPARSE; /* stores make pages without a write call */
	read_time(f);
	r = tern_reply_map(m->token, n->memobj, m->args[5], max, 0);
	return r < 0 ? r : SERVER_NO_REPLY;
}

/* ---- calls that have nothing to do, as all files are in memory ---- */

long vfs_fsync(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);

	if (!f)
		return vfs_no_file(m);
	return IS_REG(f->at.node) || IS_DIR(f->at.node) ? 0 : -EINVAL;
}

/* sync_file_range(fd, offset, length, flags). */
long vfs_sync_file_range(struct tern_msg *m)
{
	int64_t off = (int64_t)m->args[1], len = (int64_t)m->args[2];
	struct file *f = file_of(m->badge);

	if (!f)
		return vfs_no_file(m);
	if (off < 0 || len < 0 || off > INT64_MAX - len || (uint32_t)m->args[3] & ~7u)
		return -EINVAL;
	return IS_REG(f->at.node) || IS_DIR(f->at.node) || IS_LNK(f->at.node) ? 0 : -ESPIPE;
}

long vfs_ok(struct tern_msg *m)
{
	(void)m;
	return 0;
}

long vfs_fadvise(struct tern_msg *m)
{
	if ((uint32_t)m->args[3] > 5 || (int64_t)m->args[2] < 0)
		return -EINVAL;
	return 0;
}

long vfs_ioctl(struct tern_msg *m)
{
	struct file *f = file_of(m->badge);
	int32_t value = 0;

	if (!f)
		return vfs_no_file(m);
	switch ((uint32_t)m->args[1]) {
	case FIONREAD:
		if (!IS_REG(f->at.node))
			return -ENOTTY;
		file_take(m, f);
		value = (int32_t)((f->text ? f->text_size : f->at.node->size) - f->offset);
		return server_out(m, 0, &value, sizeof value, 0);
	case FIONBIO:
	case FIOASYNC:
		if (tern_copy_in(m->token, 0, 0, &value, sizeof value) != sizeof value)
			return -EFAULT;
		if ((uint32_t)m->args[1] == FIOASYNC)
			return -ENOTTY;
		f->flags = value ? f->flags | O_NONBLOCK : f->flags & ~(uint32_t)O_NONBLOCK;
		return 0;
	default:
		return IS_CHR(f->at.node) ? dev_ioctl(m, f->at.node) : server_ioctl(m);
	}
}

/* Only memfds have seals; other files of a tmpfs show F_SEAL_SEAL, as they can never get one. */
static long get_seals(const struct node *n)
{
	if (n->flags & NODE_MEMFD)
		return (long)n->seals;
	return IS_REG(n) && n->fs->magic == TMPFS_MAGIC ? SEAL_SEAL : -EINVAL;
}

static long add_seals(struct file *f, uint64_t seals)
{
	struct node *n = f->at.node;

	if (!(n->flags & NODE_MEMFD))
		return get_seals(n) < 0 ? -EINVAL : -EPERM;
	if (!file_writes(f) || n->seals & SEAL_SEAL)
		return -EPERM;
	if (seals & ~(uint64_t)(SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE |
				SEAL_FUTURE_WRITE | SEAL_EXEC))
		return -EINVAL;
	if (seals & SEAL_WRITE && !(n->seals & SEAL_WRITE) && n->memobj >= 0) {
		struct tern_memobj_info info;
		long r = tern_memobj_count(n->memobj, &info);

		if (r < 0)
			return r;
		if (info.writable_regions)
			return -EBUSY;
	}
	node_withdraw(n);
	n->seals |= (uint32_t)seals;
	return 0;
}

long vfs_fcntl(struct tern_msg *m)
{
	const uint32_t settable = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;
	struct file *f = file_of(m->badge);
	int cmd = (int)m->args[1];
	uint32_t flags = (uint32_t)m->args[2];

	if (!f)
		return vfs_no_file(m);
	if (f->flags & O_PATH && cmd != F_GETFL)
		return -EBADF;
	switch (cmd) {
	case F_GETFL:
		if (f->flags & O_PATH)
			return f->flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
		return (long)(f->flags | O_LARGEFILE);
	case F_SETFL:
		if (flags & O_NOATIME && !(f->flags & O_NOATIME) &&
		    !is_owner(f->at.node, cred_of(m)))
			return -EPERM;
		file_take(m, f);
		f->flags = (f->flags & ~settable) | (flags & settable);
		return 0;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_fcntl(m, f, cmd);
	case F_ADD_SEALS:
		return add_seals(f, m->args[2]);
	case F_GET_SEALS:
		return get_seals(f->at.node);
	case F_CREATED_QUERY:
		return f->state & FILE_CREATED ? 1 : 0;
	case F_SETLEASE:
		return -EAGAIN;
	default:
		return server_fcntl(m);
	}
}
