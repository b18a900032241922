/* The files of /proc that pm answers.  vfs lists and looks up these names and forwards an open of
 * one with word 0 = id << 16 | enum tern_proc_file and word 1 = the open flags, and with a handle
 * of its own session of the node, which becomes the meta session.  id is the process's pid; for a
 * file under task/<tid> the tid; 0 for the system's files.  A name may hold directories.
 *
 * PID_MOUNTS and PID_MOUNTINFO are listed here and answered by vfs itself.
 *
 * pid/pagemap   binary, Linux's format: 8 bytes a page, at offset (address / 4096) * 8.
 * pid/ptwalk    the walk of the three table levels for one address.  Either write the address in
 *               hexadecimal and then read the text, or pread at offset = address >> 12: each such
 *               read returns the text of that page's walk from its beginning.
 * pid/aspace    the objects behind it as a tree: process, space, regions, and what backs each.
 * tern/objects  one "name value" line for each kernel object type, and for the frames.
 * tern/handles  every descriptor of every process.  tern/kept: what is kept for each.  tern/endpoints: who serves whom.
 * tern/enosys   calls that nobody answered, with counts.  tern/log: the kernel's log.
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
	X(PID_PAGEMAP, "pagemap", 0400)                                                  \
	X(PID_PTWALK, "ptwalk", 0600)                                                    \
	X(PID_ASPACE, "aspace", 0444)

#define TERN_PROC_TASK_FILES(X)                                                          \
	X(TASK_STAT, "stat", 0444)                                                       \
	X(TASK_STATUS, "status", 0444)                                                   \
	X(TASK_COMM, "comm", 0444)

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
	X(SYS_HOSTNAME, "sys/kernel/hostname", 0444)                                     \
	X(SYS_OSRELEASE, "sys/kernel/osrelease", 0444)                                   \
	X(SYS_OSTYPE, "sys/kernel/ostype", 0444)                                         \
	X(SYS_KVERSION, "sys/kernel/version", 0444)                                      \
	X(SYS_PID_MAX, "sys/kernel/pid_max", 0444)                                       \
	X(SYS_OVERCOMMIT, "sys/vm/overcommit_memory", 0444)                              \
	X(SYS_PIPE_MAX, "sys/fs/pipe-max-size", 0444)                                    \
	X(SYS_PIPE_SOFT, "sys/fs/pipe-user-pages-soft", 0444)                            \
	X(SYS_PIPE_HARD, "sys/fs/pipe-user-pages-hard", 0444)                            \
	X(TERN_HANDLES, "tern/handles", 0400)                                            \
	X(TERN_KEPT, "tern/kept", 0444)                                                  \
	X(TERN_ENDPOINTS, "tern/endpoints", 0444)                                        \
	X(TERN_OBJECTS, "tern/objects", 0444)                                            \
	X(TERN_ENOSYS, "tern/enosys", 0444)                                              \
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
