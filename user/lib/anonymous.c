/* Default answers for the calls that a server has no function of its own for.  The descriptor then
 * behaves like one of Linux's anonymous inodes (an eventfd's, say), or the call gets the errno that
 * its line of kernel/linux/syscalls.def names as `else`.
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

/* By call number: the `else` errno of the call's line in syscalls.def, plus one, so that 0 means
 * that the number has no line (ENOSYS) and 1 that the default answer is success. */
static const uint8_t else_errno[CALLS] = {
#define CALL(number, name, route, right, fds, windows, otherwise, interrupted) \
	[number] = (otherwise) + 1,
#include "../../kernel/linux/syscalls.def"
#undef CALL
};

void server_fill_stat(struct stat *st, uint32_t mode, uint64_t ino, uint32_t uid, uint32_t gid)
{
	memset(st, 0, sizeof *st);
	st->st_dev = 14; /* the device number that all anonymous inodes show */
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
	/* The words of Linux's struct statfs: [0] the type, [1] the block size, [2…7] counts of
	 * blocks and files and the file system's id, [8] the longest name, [9] the fragment
	 * size. */
	static const uint64_t statfs[15] = { [0] = 0x09041934 /* ANON_INODE_FS_MAGIC */,
					     [1] = 4096,
					     [8] = 255,
					     [9] = 4096 };

	return server_out(m, 0, statfs, sizeof statfs, 0);
}

/* Tern never sends SIGIO, so setting a descriptor's owner or signal does nothing, and asking for
 * them gives none. */
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
		return 2; /* F_UNLCK: nobody holds a lease */
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return -EBADF;
	default:
		return -EINVAL;
	}
}

/* Checks flock's operation: it has to be LOCK_SH (1), LOCK_EX (2) or LOCK_UN (8).  LOCK_MAND, which
 * once asked for mandatory locks, is accepted and does nothing, as on Linux. */
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

/* Checks the arguments that Linux checks before it looks at the kind of descriptor: the errno, or 0
 * if they are right. */
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

/* Answers the one ioctl that Linux answers for every inode: FIGETBSZ, which asks for the block
 * size. */
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
