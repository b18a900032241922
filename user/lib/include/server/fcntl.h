/* open(2), fcntl(2), *at(2), access(2) and seek constants of riscv64 Linux. */
#pragma once
#include <linux/fs.h>
#include <linux/limits.h>
#include <tern/linux/fcntl.h>

#define O_ASYNC FASYNC
#define O_TMPFILE (__O_TMPFILE | O_DIRECTORY)
/* Newer than some headers. */
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif
#ifndef AT_HANDLE_MNT_ID_UNIQUE
#define AT_HANDLE_MNT_ID_UNIQUE 1
#endif

#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4
