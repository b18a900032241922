/* Linux's event and control bits of inotify(7). */
#pragma once
#include <linux/inotify.h>

/* Bounds of vfs's. */
#define INOTIFY_INSTANCES_MAX 128 /* of a user */
#define INOTIFY_WATCHES_MAX 65536 /* of an instance */
#define INOTIFY_EVENTS_MAX 16384  /* of an instance */
