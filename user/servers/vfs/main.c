/* vfs: all names, and the files behind most of them.
 *
 *	tree.c   nodes, names            walk.c   from paths to nodes, and back
 *	mount.c  what is seen where      cred.c   who may do what
 *	open.c   descriptions            rw.c     bytes, sizes, mappings
 *	dir.c    names made and removed  attr.c   stat and its relatives
 *	lock.c   flock, record locks     dev.c    /dev
 *	handle.c file handles            range.c  copy_file_range
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
	[__NR_setxattr] = vfs_setxattr,
	[__NR_lsetxattr] = vfs_lsetxattr,
	[__NR_fsetxattr] = vfs_fsetxattr,
	[__NR_getxattr] = vfs_getxattr,
	[__NR_lgetxattr] = vfs_lgetxattr,
	[__NR_fgetxattr] = vfs_fgetxattr,
	[__NR_listxattr] = vfs_listxattr,
	[__NR_llistxattr] = vfs_llistxattr,
	[__NR_flistxattr] = vfs_flistxattr,
	[__NR_removexattr] = vfs_removexattr,
	[__NR_lremovexattr] = vfs_lremovexattr,
	[__NR_fremovexattr] = vfs_fremovexattr,
	[__NR_getcwd] = vfs_getcwd,
	[__NR_fcntl] = vfs_fcntl,
	[__NR_inotify_init1] = vfs_inotify_init1,
	[__NR_inotify_add_watch] = vfs_inotify_add_watch,
	[__NR_inotify_rm_watch] = vfs_inotify_rm_watch,
	[__NR_ioctl] = vfs_ioctl,
	[__NR_flock] = vfs_flock,
	[__NR_mknodat] = vfs_mknodat,
	[__NR_mkdirat] = vfs_mkdirat,
	[__NR_unlinkat] = vfs_unlinkat,
	[__NR_symlinkat] = vfs_symlinkat,
	[__NR_linkat] = vfs_linkat,
	[__NR_umount2] = vfs_umount2,
	[__NR_mount] = vfs_mount,
	[__NR_statfs] = vfs_statfs,
	[__NR_fstatfs] = vfs_fstatfs,
	[__NR_truncate] = vfs_truncate,
	[__NR_ftruncate] = vfs_ftruncate,
	[__NR_fallocate] = vfs_fallocate,
	[__NR_faccessat] = vfs_faccessat,
	[__NR_chdir] = vfs_chdir,
	[__NR_fchdir] = vfs_fchdir,
	[__NR_chroot] = vfs_chroot,
	[__NR_fchmod] = vfs_fchmod,
	[__NR_fchmodat] = vfs_fchmodat,
	[__NR_fchownat] = vfs_fchownat,
	[__NR_fchown] = vfs_fchown,
	[__NR_openat] = vfs_openat,
	[__NR_getdents64] = vfs_getdents,
	[__NR_lseek] = vfs_lseek,
	[__NR_read] = vfs_read,
	[__NR_write] = vfs_write,
	[__NR_readv] = vfs_readv,
	[__NR_writev] = vfs_writev,
	[__NR_pread64] = vfs_pread,
	[__NR_pwrite64] = vfs_pwrite,
	[__NR_preadv] = vfs_preadv,
	[__NR_pwritev] = vfs_pwritev,
	[__NR_readlinkat] = vfs_readlinkat,
	[__NR_newfstatat] = vfs_newfstatat,
	[__NR_fstat] = vfs_fstat,
	[__NR_sync] = vfs_ok,
	[__NR_fsync] = vfs_fsync,
	[__NR_fdatasync] = vfs_fsync,
	[__NR_sync_file_range] = vfs_sync_file_range,
	[__NR_utimensat] = vfs_utimensat,
	[__NR_readahead] = vfs_fsync,
	[__NR_mmap] = vfs_mmap,
	[__NR_fadvise64] = vfs_fadvise,
	[__NR_name_to_handle_at] = vfs_name_to_handle_at,
	[__NR_open_by_handle_at] = vfs_open_by_handle_at,
	[__NR_syncfs] = vfs_ok,
	[__NR_renameat2] = vfs_renameat2,
	[__NR_memfd_create] = vfs_memfd_create,
	[__NR_copy_file_range] = vfs_copy_file_range,
	[__NR_preadv2] = vfs_preadv2,
	[__NR_pwritev2] = vfs_pwritev2,
	[__NR_statx] = vfs_statx,
	[__NR_openat2] = vfs_openat2,
	[__NR_faccessat2] = vfs_faccessat2,
	[__NR_fchmodat2] = vfs_fchmodat2,
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
	tern_close_later(true);
	server_run(&vfs_ops);
}
#endif
