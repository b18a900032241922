# vfs on the host: its own sources and user/lib's pool against a kernel that the test plays.
set(vfs ${TERN_TOP}/user/servers/vfs)
set(vfs_sources vfs/fake.c ${TERN_TOP}/user/lib/pool.c ${TERN_TOP}/user/lib/anonymous.c ${vfs}/attr.c ${vfs}/cpio.c ${vfs}/cred.c ${vfs}/dev.c ${vfs}/direct.c
	${vfs}/dir.c ${vfs}/handle.c ${vfs}/initrd.c ${vfs}/inotify.c ${vfs}/lock.c ${vfs}/main.c ${vfs}/mount.c ${vfs}/mount_flags.c ${vfs}/open.c
	${vfs}/proc.c ${vfs}/range.c ${vfs}/rw.c ${vfs}/tree.c ${vfs}/walk.c ${vfs}/xattr.c)
tern_host_test(NAME vfs_tree SOURCES vfs/test_tree.c ${vfs_sources} INCLUDES ${vfs} vfs)
tern_host_test(NAME vfs_random SOURCES vfs/test_random.c ${vfs_sources} INCLUDES ${vfs} vfs)
tern_host_test(NAME vfs_initrd SOURCES vfs/test_initrd.c ${vfs_sources} INCLUDES ${vfs} vfs)
tern_host_test(NAME vfs_cpio SOURCES vfs/test_cpio.c ${vfs}/cpio.c INCLUDES ${vfs})
tern_fuzz(NAME cpio SOURCES vfs/fuzz_cpio.c ${vfs}/cpio.c INCLUDES ${vfs} SECONDS 10)
