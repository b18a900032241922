/* What log.c offers to kernel/panic.c alone. */
#pragma once

#include <kernel/lib/log.h>
#include <stdarg.h>

void log_vprint(const char *fmt, va_list *ap);
