/* struct stat, struct statx, dirent and mode bits as riscv64 Linux lays them out (stat(2)). */
#pragma once
#include <asm-generic/stat.h>
#include <stdint.h>

struct tern_statx_timestamp {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t pad;
};

struct tern_statx {
	uint32_t stx_mask;
	uint32_t stx_blksize;
	uint64_t stx_attributes;
	uint32_t stx_nlink;
	uint32_t stx_uid;
	uint32_t stx_gid;
	uint16_t stx_mode;
	uint16_t pad0;
	uint64_t stx_ino;
	uint64_t stx_size;
	uint64_t stx_blocks;
	uint64_t stx_attributes_mask;
	struct tern_statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	uint64_t stx_mnt_id;
	uint32_t stx_dio_mem_align, stx_dio_offset_align;
	uint64_t pad3[12];
};
_Static_assert(sizeof(struct tern_statx) == 256, "struct statx");

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define S_ISUID 0004000
#define S_ISGID 0002000
#define S_ISVTX 0001000

#define DT_UNKNOWN 0
#define DT_FIFO 1
#define DT_CHR 2
#define DT_DIR 4
#define DT_BLK 6
#define DT_REG 8
#define DT_LNK 10
#define DT_SOCK 12

/* The number of device (major, minor) as Linux encodes it in st_rdev and mknod's argument. */
#define TERN_MKDEV(ma, mi) \
	((((uint64_t)(ma)&0xfff) << 8) | ((uint64_t)(mi)&0xff) | (((uint64_t)(mi) & ~0xffull) << 12))

/* These stand in utimensat(2)'s tv_nsec for "the time of now" and "leave this time alone". */
#define TERN_UTIME_NOW 0x3fffffff
#define TERN_UTIME_OMIT 0x3ffffffe
