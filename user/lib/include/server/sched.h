/* Constants of clone(2), wait(2) and the scheduler that only pm needs. */
#pragma once
#include <linux/wait.h>
#include <tern/linux/sched.h>

#ifndef SCHED_EXT
#define SCHED_EXT 7
#endif
#define SCHED_ISO 4 /* Linux has reserved the number and never had the policy */
#define TERN_W_STOP(sig) (((sig) << 8) | 0x7f)
#define TERN_W_CONT 0xffff
#define TERN_W_COREFLAG 0x80
