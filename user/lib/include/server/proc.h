/* The files of /proc whose contents pm writes.  vfs knows their names from this list and forwards
 * an open of one to pm: word 0 is id << 16 | enum tern_proc_file, word 1 the open flags, and the
 * handle that comes along is vfs's own session of the file's node, which becomes the meta session
 * of what pm gives.  The id is the process's pid; for a file under task/<tid> the tid; 0 for the
 * system's files.  A name may hold directories ("sys/vm/swappiness").
 *
 * PID_MOUNTS and PID_MOUNTINFO are in the list for their names alone: vfs answers them itself.
 *
 * pid/pagemap   binary, Linux's format: 8 bytes a page, at offset (address / 4096) * 8.
 * pid/ptwalk    the walk of the three table levels for one address.  Either write the address in
 *               hexadecimal and then read the text, or pread at offset = address >> 12: each such
 *               read returns the text of that page's walk from its beginning.
 * pid/aspace    the objects behind the process's memory as a tree: process, space, regions, and
 *               what backs each region.
 * pid/oom_score_adj, pid/timerslack_ns, and most files under sys/ that can be written only show
 *               again what was written: nothing in Tern acts on it.
 * tern/objects  one "name value" line for each kernel object type, and for the frames.
 * tern/handles  every descriptor of every process.
 * tern/kept     the bytes that kernel and servers keep for each process (what it is charged for).
 * tern/endpoints  for each server its name, its pid, and whether it is up.
 * tern/enosys   the calls that got ENOSYS because nobody answers them, with counts.
 * tern/log      the kernel's log.
 * tern/trace    the event trace; writing 1 or 0 switches it on and off. */
#pragma once

#define TERN_PROC_PID_FILES(X)                                                           \
	X(PID_STATUS, "status", 0444)                                                    \
	X(PID_STAT, "stat", 0444)                                                        \
	X(PID_STATM, "statm", 0444)                                                      \
	X(PID_CMDLINE, "cmdline", 0444)                                                  \
	X(PID_COMM, "comm", 0644)                                                        \
	X(PID_MAPS, "maps", 0444)                                                        \
	X(PID_SMAPS, "smaps", 0444)                                                      \
	X(PID_SMAPS_ROLLUP, "smaps_rollup", 0444)                                        \
	X(PID_ENVIRON, "environ", 0400)                                                  \
	X(PID_LIMITS, "limits", 0444)                                                    \
	X(PID_MOUNTS, "mounts", 0444)                                                    \
	X(PID_MOUNTINFO, "mountinfo", 0444)                                              \
	X(PID_AUXV, "auxv", 0400)                                                        \
	X(PID_WCHAN, "wchan", 0444)                                                      \
	X(PID_CGROUP, "cgroup", 0444)                                                    \
	X(PID_OOM_SCORE, "oom_score", 0444)                                              \
	X(PID_OOM_SCORE_ADJ, "oom_score_adj", 0644)                                      \
	X(PID_TIMERSLACK, "timerslack_ns", 0666)                                         \
	X(PID_PAGEMAP, "pagemap", 0400)                                                  \
	X(PID_PTWALK, "ptwalk", 0600)                                                    \
	X(PID_ASPACE, "aspace", 0444)

#define TERN_PROC_TASK_FILES(X)                                                          \
	X(TASK_STAT, "stat", 0444)                                                       \
	X(TASK_STATUS, "status", 0444)                                                   \
	X(TASK_COMM, "comm", 0444)                                                       \
	X(TASK_STATM, "statm", 0444)                                                     \
	X(TASK_CMDLINE, "cmdline", 0444)                                                 \
	X(TASK_LIMITS, "limits", 0444)                                                   \
	X(TASK_CGROUP, "cgroup", 0444)                                                   \
	X(TASK_WCHAN, "wchan", 0444)                                                     \
	X(TASK_OOM_SCORE, "oom_score", 0444)                                             \
	X(TASK_CHILDREN, "children", 0444)

#define TERN_PROC_SYSTEM_FILES(X)                                                        \
	X(MEMINFO, "meminfo", 0444)                                                      \
	X(UPTIME, "uptime", 0444)                                                        \
	X(CPUINFO, "cpuinfo", 0444)                                                      \
	X(STAT, "stat", 0444)                                                            \
	X(LOADAVG, "loadavg", 0444)                                                      \
	X(VERSION, "version", 0444)                                                      \
	X(FILESYSTEMS, "filesystems", 0444)                                              \
	X(CMDLINE, "cmdline", 0444)                                                      \
	X(INTERRUPTS, "interrupts", 0444)                                                \
	X(BUDDYINFO, "buddyinfo", 0444)                                                  \
	X(SLABINFO, "slabinfo", 0400)                                                    \
	X(VMALLOCINFO, "vmallocinfo", 0400)                                              \
	X(VMSTAT, "vmstat", 0444)                                                        \
	X(SWAPS, "swaps", 0444)                                                          \
	X(DEVICES, "devices", 0444)                                                      \
	X(PARTITIONS, "partitions", 0444)                                                \
	X(SYS_HOSTNAME, "sys/kernel/hostname", 0644)                                     \
	X(SYS_DOMAINNAME, "sys/kernel/domainname", 0644)                                 \
	X(SYS_CORE_PATTERN, "sys/kernel/core_pattern", 0644)                             \
	X(SYS_CORE_USES_PID, "sys/kernel/core_uses_pid", 0644)                           \
	X(SYS_CAP_LAST, "sys/kernel/cap_last_cap", 0444)                                 \
	X(SYS_NGROUPS_MAX, "sys/kernel/ngroups_max", 0444)                               \
	X(SYS_OVERFLOW_UID, "sys/kernel/overflowuid", 0444)                              \
	X(SYS_OVERFLOW_GID, "sys/kernel/overflowgid", 0444)                              \
	X(SYS_PANIC, "sys/kernel/panic", 0444)                                           \
	X(SYS_PRINTK, "sys/kernel/printk", 0444)                                         \
	X(SYS_RANDOMIZE, "sys/kernel/randomize_va_space", 0444)                          \
	X(SYS_TAINTED, "sys/kernel/tainted", 0444)                                       \
	X(SYS_THREADS_MAX, "sys/kernel/threads-max", 0444)                               \
	X(SYS_BOOT_ID, "sys/kernel/random/boot_id", 0444)                                \
	X(SYS_UUID, "sys/kernel/random/uuid", 0444)                                      \
	X(SYS_ENTROPY, "sys/kernel/random/entropy_avail", 0444)                          \
	X(SYS_POOL, "sys/kernel/random/poolsize", 0444)                                  \
	X(SYS_OSRELEASE, "sys/kernel/osrelease", 0444)                                   \
	X(SYS_OSTYPE, "sys/kernel/ostype", 0444)                                         \
	X(SYS_KVERSION, "sys/kernel/version", 0444)                                      \
	X(SYS_PID_MAX, "sys/kernel/pid_max", 0444)                                       \
	X(SYS_OVERCOMMIT, "sys/vm/overcommit_memory", 0444)                              \
	X(SYS_OVERCOMMIT_RATIO, "sys/vm/overcommit_ratio", 0444)                         \
	X(SYS_DROP_CACHES, "sys/vm/drop_caches", 0200)                                   \
	X(SYS_MAP_COUNT, "sys/vm/max_map_count", 0444)                                   \
	X(SYS_MMAP_MIN, "sys/vm/mmap_min_addr", 0444)                                    \
	X(SYS_SWAPPINESS, "sys/vm/swappiness", 0644)                                     \
	X(SYS_CACHE_PRESSURE, "sys/vm/vfs_cache_pressure", 0644)                         \
	X(SYS_PIPE_MAX, "sys/fs/pipe-max-size", 0444)                                    \
	X(SYS_PIPE_SOFT, "sys/fs/pipe-user-pages-soft", 0444)                            \
	X(SYS_PIPE_HARD, "sys/fs/pipe-user-pages-hard", 0444)                            \
	X(SYS_INOTIFY_USERS, "sys/fs/inotify/max_user_instances", 0444)                  \
	X(SYS_INOTIFY_WATCHES, "sys/fs/inotify/max_user_watches", 0444)                  \
	X(SYS_INOTIFY_EVENTS, "sys/fs/inotify/max_queued_events", 0444)                  \
	X(SYS_FILE_MAX, "sys/fs/file-max", 0444)                                         \
	X(SYS_NR_OPEN, "sys/fs/nr_open", 0444)                                           \
	X(SYS_LEASE_BREAK, "sys/fs/lease-break-time", 0444)                              \
	X(SYS_HARD_LINKS, "sys/fs/protected_hardlinks", 0444)                            \
	X(SYS_SYMLINKS, "sys/fs/protected_symlinks", 0444)                               \
	X(SYS_FIFOS, "sys/fs/protected_fifos", 0444)                                     \
	X(SYS_REGULAR, "sys/fs/protected_regular", 0444)                                 \
	X(SYS_SUID_DUMPABLE, "sys/fs/suid_dumpable", 0444)                               \
	X(TERN_HANDLES, "tern/handles", 0400)                                            \
	X(TERN_KEPT, "tern/kept", 0444)                                                  \
	X(TERN_ENDPOINTS, "tern/endpoints", 0444)                                        \
	X(TERN_OBJECTS, "tern/objects", 0444)                                            \
	X(TERN_ENOSYS, "tern/enosys", 0444)                                              \
	X(TERN_MESSAGES, "tern/messages", 0444)                                          \
	X(TERN_TRACE, "tern/trace", 0600)                                                \
	X(TERN_LOG, "tern/log", 0400)

#define TERN_PROC_ENUM(id, name, mode) TERN_PROC_##id,
enum tern_proc_file {
	TERN_PROC_NONE,
	TERN_PROC_PID_FILES(TERN_PROC_ENUM)
	TERN_PROC_TASK_FILES(TERN_PROC_ENUM)
	TERN_PROC_SYSTEM_FILES(TERN_PROC_ENUM)
	TERN_PROC_NFILES,
};
#undef TERN_PROC_ENUM
