/* Constants of riscv64 Linux for open(2), fcntl(2), the …at(2) calls, access(2) and lseek(2). */
#pragma once
#include <linux/fs.h>
#include <linux/limits.h>
#include <tern/linux/fcntl.h>

#define O_ASYNC FASYNC
#define O_TMPFILE (__O_TMPFILE | O_DIRECTORY)
/* The cross compiler's Linux headers may be too old to have these. */
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
