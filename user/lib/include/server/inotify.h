/* The event and control bits of inotify(7), from Linux's header, and the bounds that vfs sets
 * and pm shows in /proc/sys/fs/inotify. */
#pragma once
#include <linux/inotify.h>

#define INOTIFY_INSTANCES_MAX 128 /* inotify instances that one user may have */
#define INOTIFY_WATCHES_MAX 65536 /* watches that one instance may have */
#define INOTIFY_EVENTS_MAX 16384  /* events that one instance queues before it overflows */
