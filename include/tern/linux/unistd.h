/* riscv64 Linux's numbers of system calls (asm-generic's, also where a test is built for another
 * machine), with those that older headers lack. */
#pragma once

#ifdef TERN_HOST
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SET_GET_RLIMIT
#include <asm-generic/unistd.h>
#else
#include <asm/unistd.h>
#endif

#ifndef __NR_riscv_hwprobe
#define __NR_riscv_hwprobe 258
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
