/* mount(2)'s flags. */
#pragma once

#define MS_RDONLY 1u
#define MS_NOSUID 2u
#define MS_NODEV 4u
#define MS_NOEXEC 8u
#define MS_REMOUNT 32u
#define MS_NOATIME 1024u
#define MS_NODIRATIME 2048u
#define MS_BIND 4096u
#define MS_MOVE 8192u
#define MS_SHARED_OR_PRIVATE (1u << 20 | 1u << 18 | 1u << 19 | 1u << 17)
#define MS_RELATIME (1u << 21)
#define MS_STRICTATIME (1u << 24)
