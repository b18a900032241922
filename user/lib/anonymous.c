/* The answers that a descriptor gives which its server knows nothing special about: those of an
 * anonymous inode of Linux's, where a line of kernel/linux/syscalls.def has no plainer errno.
 */
#include <server/server.h>
#include <string.h>
#include <server/fcntl.h>
#include <server/stat.h>

#define CALLS 512
#define NR_FCNTL 25
#define NR_IOCTL 29
#define NR_FLOCK 32
#define NR_FSTATFS 44
#define NR_FALLOCATE 47
#define NR_LSEEK 62
#define NR_PREAD64 67
#define NR_PWRITE64 68
#define NR_NEWFSTATAT 79
#define NR_FSTAT 80
#define NR_SYNC_FILE_RANGE 84
#define NR_FADVISE 223
#define NR_STATX 291
#define STATX_BASIC_STATS 0x7ff
#define ADVICE_LAST 5
#define FALLOC_KEEP_SIZE 1u
#define FALLOC_PUNCH_HOLE 2u

/* The errno of a line's `else`, plus one; 0 where there is no line. */
static const uint8_t else_errno[CALLS] = {
#define CALL(number, name, route, right, fds, windows, otherwise, interrupted) \
	[number] = (otherwise) + 1,
#include "../../kernel/linux/syscalls.def"
#undef CALL
};

void server_fill_stat(struct stat *st, uint32_t mode, uint64_t ino, uint32_t uid, uint32_t gid)
{
	memset(st, 0, sizeof *st);
	st->st_dev = 14; /* the anonymous file system */
	st->st_ino = ino;
	st->st_mode = mode;
	st->st_nlink = 1;
	st->st_uid = uid;
	st->st_gid = gid;
	st->st_blksize = 4096;
}

static long give_statx(struct tern_msg *m, const struct stat *st)
{
	struct tern_statx sx = { .stx_mask = STATX_BASIC_STATS };

	sx.stx_blksize = (uint32_t)st->st_blksize;
	sx.stx_nlink = st->st_nlink;
	sx.stx_uid = st->st_uid;
	sx.stx_gid = st->st_gid;
	sx.stx_mode = (uint16_t)st->st_mode;
	sx.stx_ino = st->st_ino;
	sx.stx_rdev_major = (uint32_t)(st->st_rdev >> 8);
	sx.stx_rdev_minor = (uint32_t)(st->st_rdev & 0xff);
	sx.stx_dev_minor = (uint32_t)st->st_dev;
	sx.stx_atime.tv_sec = st->st_atime;
	sx.stx_atime.tv_nsec = (uint32_t)st->st_atime_nsec;
	sx.stx_mtime = sx.stx_ctime = sx.stx_atime;
	return server_out(m, 1, &sx, sizeof sx, 0);
}

long server_give_stat(struct tern_msg *m, const struct stat *st)
{
	uint32_t nr = TERN_MSG_OP(m->op);

	return nr == NR_STATX ? give_statx(m, st) :
				server_out(m, nr == NR_FSTAT ? 0 : 1, st, sizeof *st, 0);
}

static long give_statfs(struct tern_msg *m)
{
	/* struct statfs: type, block size, seven counts and ids, name length, fragment size, flags */
	static const uint64_t statfs[15] = { [0] = 0x09041934 /* ANON_INODE_FS_MAGIC */,
					     [1] = 4096,
					     [8] = 255,
					     [9] = 4096 };

	return server_out(m, 0, statfs, sizeof statfs, 0);
}

/* No SIGIO is ever sent, so nobody owns anything. */
long server_fcntl(struct tern_msg *m)
{
	static const int32_t owner[2];

	switch ((uint32_t)m->args[1]) {
	case F_SETOWN:
	case F_GETOWN:
	case F_SETSIG:
	case F_GETSIG:
	case F_SETOWN_EX:
	case F_CREATED_QUERY:
		return 0;
	case F_GETOWN_EX:
		return server_out(m, 0, owner, sizeof owner, 0);
	case F_GETLEASE:
		return 2; /* F_UNLCK */
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return -EBADF;
	default:
		return -EINVAL;
	}
}

/* One of shared, exclusive, unlock.  Linux takes what once was a mandatory lock for nothing. */
static long flock_operation(unsigned op)
{
	op &= ~LOCK_NB;
	return op == 1 || op == 2 || op == 8 || op & LOCK_MAND ? 0 : -EINVAL;
}

static long fallocate_arguments(const struct tern_msg *m)
{
	uint32_t mode = (uint32_t)m->args[1];

	if ((int64_t)m->args[2] < 0 || (int64_t)m->args[3] <= 0)
		return -EINVAL;
	return mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE) || mode == FALLOC_PUNCH_HOLE ?
		       -EOPNOTSUPP :
		       0;
}

/* What is wrong with a call on whatever descriptor; 0 if nothing is. */
static long bad_arguments(const struct tern_msg *m, uint32_t nr)
{
	int64_t off = (int64_t)m->args[1], len = (int64_t)m->args[2];

	switch (nr) {
	case NR_FLOCK:
		return flock_operation((unsigned)m->args[1]);
	case NR_FADVISE:
		return (uint32_t)m->args[3] > ADVICE_LAST || len < 0 ? -EINVAL : 0;
	case NR_FALLOCATE:
		return fallocate_arguments(m);
	case NR_LSEEK:
		return (uint32_t)m->args[2] > SEEK_HOLE ? -EINVAL : 0;
	case NR_PREAD64:
	case NR_PWRITE64:
		return (int64_t)m->args[3] < 0 ? -EINVAL : 0;
	case NR_SYNC_FILE_RANGE:
		return off < 0 || len < 0 || off > INT64_MAX - len || (uint32_t)m->args[3] & ~7u ?
			       -EINVAL :
			       0;
	}
	return 0;
}

/* FIGETBSZ, which is as good as any inode's. */
long server_ioctl(struct tern_msg *m)
{
	static const int32_t block = 4096;

	return (uint32_t)m->args[1] == FIGETBSZ ? server_out(m, 0, &block, sizeof block, 0) : -ENOTTY;
}

long server_default(struct tern_msg *m)
{
	uint32_t nr = TERN_MSG_OP(m->op);
	long err = bad_arguments(m, nr);
	struct stat st;

	if (err)
		return err;
	switch (nr) {
	case NR_FSTAT:
	case NR_NEWFSTATAT:
	case NR_STATX:
		server_fill_stat(&st, 0600, m->badge, 0, 0);
		return server_give_stat(m, &st);
	case NR_FSTATFS:
		return give_statfs(m);
	case NR_IOCTL:
		return server_ioctl(m);
	case NR_FCNTL:
		return server_fcntl(m);
	}
	if (nr >= CALLS || else_errno[nr] == 0)
		return -ENOSYS;
	return -(long)(else_errno[nr] - 1);
}
