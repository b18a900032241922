/* open(2) and fcntl(2) of Linux. */
#pragma once
#include <linux/fcntl.h>

#ifndef F_DUPFD_QUERY /* since 6.10 */
#define F_DUPFD_QUERY 1027
#endif
