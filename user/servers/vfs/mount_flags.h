/* mount(2)'s flags. */
#pragma once

#include <linux/mount.h>

#define MS_SHARED_OR_PRIVATE (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
