/* Memory and strings, without a C library; arch/riscv/string.S has the fast ones. */
#pragma once

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* Zeroes a page; copies a page.  The addresses are page-aligned. */
void page_zero(void *page);
void page_copy(void *to, const void *from);
