/* vfs: all names, and the files behind most of them.
 *
 *	tree.c   nodes, names            walk.c   from paths to nodes, and back
 *	mount.c  what is seen where      cred.c   who may do what
 *	open.c   descriptions            rw.c     bytes, sizes, mappings
 *	dir.c    names made and removed  attr.c   stat and its relatives
 *	lock.c   flock, record locks     dev.c    /dev
 *	handle.c file handles
 *	xattr.c  extended attributes     inotify.c  who is told of changes
 *	proc.c   /proc's names           initrd.c, cpio.c  the root from the boot archive
 *
 * Badges: 0 and the servers' own are clients of the service; from TERN_BADGE_FIRST up a badge is a
 * description (struct file).  Handlers of a description's calls look it up by the badge and answer
 * EBADF where there is none.
 */
#include "vfs.h"

#include <linux/mman.h>

const char server_name[] = "vfs";

const server_handler vfs_calls[512] = {
	[5] = vfs_setxattr,
	[6] = vfs_lsetxattr,
	[7] = vfs_fsetxattr,
	[8] = vfs_getxattr,
	[9] = vfs_lgetxattr,
	[10] = vfs_fgetxattr,
	[11] = vfs_listxattr,
	[12] = vfs_llistxattr,
	[13] = vfs_flistxattr,
	[14] = vfs_removexattr,
	[15] = vfs_lremovexattr,
	[16] = vfs_fremovexattr,
	[17] = vfs_getcwd,
	[25] = vfs_fcntl,
	[26] = vfs_inotify_init1,
	[27] = vfs_inotify_add_watch,
	[28] = vfs_inotify_rm_watch,
	[29] = vfs_ioctl,
	[32] = vfs_flock,
	[33] = vfs_mknodat,
	[34] = vfs_mkdirat,
	[35] = vfs_unlinkat,
	[36] = vfs_symlinkat,
	[37] = vfs_linkat,
	[39] = vfs_umount2,
	[40] = vfs_mount,
	[43] = vfs_statfs,
	[44] = vfs_fstatfs,
	[45] = vfs_truncate,
	[46] = vfs_ftruncate,
	[47] = vfs_fallocate,
	[48] = vfs_faccessat,
	[49] = vfs_chdir,
	[50] = vfs_fchdir,
	[51] = vfs_chroot,
	[52] = vfs_fchmod,
	[53] = vfs_fchmodat,
	[54] = vfs_fchownat,
	[55] = vfs_fchown,
	[56] = vfs_openat,
	[61] = vfs_getdents,
	[62] = vfs_lseek,
	[63] = vfs_read,
	[64] = vfs_write,
	[65] = vfs_readv,
	[66] = vfs_writev,
	[67] = vfs_pread,
	[68] = vfs_pwrite,
	[69] = vfs_preadv,
	[70] = vfs_pwritev,
	[78] = vfs_readlinkat,
	[79] = vfs_newfstatat,
	[80] = vfs_fstat,
	[81] = vfs_ok, /* sync */
	[82] = vfs_fsync,
	[83] = vfs_fsync,
	[84] = vfs_sync_file_range,
	[88] = vfs_utimensat,
	[213] = vfs_fsync, /* readahead */
	[222] = vfs_mmap,
	[223] = vfs_fadvise,
	[264] = vfs_name_to_handle_at,
	[265] = vfs_open_by_handle_at,
	[267] = vfs_ok, /* syncfs */
	[276] = vfs_renameat2,
	[279] = vfs_memfd_create,
	[286] = vfs_preadv2,
	[287] = vfs_pwritev2,
	[291] = vfs_statx,
	[437] = vfs_openat2,
	[439] = vfs_faccessat2,
	[452] = vfs_fchmodat2,
};

long vfs_method(struct tern_msg *m)
{
	switch (TERN_MSG_OP(m->op)) {
	case TERN_VFS_EXEC_OPEN:
		return vfs_exec_open(m);
	case TERN_VFS_PATHS:
		return vfs_paths(m);
	default:
		return -ENOSYS;
	}
}

static void closed(uint64_t badge, uint64_t sid)
{
	struct file *f = file_of(badge);

	(void)sid;
	if (f)
		file_destroy(f);
	else
		inotify_closed(badge);
	node_reap();
}

static void cancel(uint64_t badge, uint64_t token)
{
	if (inotify_withdraw(badge, token))
		tern_reply(token, -TERN_ECANCELLED);
	else
		lock_cancel(badge, token);
}

static void gone(uint64_t badge, uint64_t token)
{
	if (!inotify_withdraw(badge, token))
		lock_gone(badge, token);
}

static void event(struct tern_msg *m)
{
	if (TERN_MSG_OP(m->op) == TERN_EV_COPY_SHORT)
		copy_fell_short(m->token, (long)m->args[0]);
}

const struct server_ops vfs_ops = {
	.calls = vfs_calls,
	.method = vfs_method,
	.closed = closed,
	.cancel = cancel,
	.gone = gone,
	.event = event,
};

static void map_pids(void)
{
	long at;

	if (server_boot->pidmap < 0)
		return;
	at = tern_aspace_map(-1, 0, TERN_PID_MAX * sizeof(struct tern_pid_entry), PROT_READ, PROT_READ,
			     MAP_SHARED, server_boot->pidmap, 0);
	if (at < 0)
		server_log("the table of processes cannot be mapped (error %ld)", -at);
	else
		pidmap = (const struct tern_pid_entry *)at;
}

void vfs_init(void)
{
	tree_init();
	pool_init(&files, sizeof(struct file));
	map_pids();
	mount_init();
	initrd_load();
}

#ifndef TERN_HOST
int main(void)
{
	vfs_init();
	server_run(&vfs_ops);
}
#endif
