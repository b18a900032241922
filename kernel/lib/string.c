/* Functions on memory and strings that need not be fast; arch/riscv/string.S has those that must.
 * They have no state.  The pragma below keeps the compiler from making a call of, say, memmove
 * out of the loop in memmove. */
#include <kernel/lib/string.h>
#include <kernel/lib/types.h>

#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memmove(void *to, const void *from, size_t n)
{
	const u8 *s = from;
	u8 *d = to;

	if (likely((u64)d - (u64)s >= n))
		return memcpy(to, from, n);
	/* The destination begins inside the source, so copy from the end backwards. */
	while (n--)
		d[n] = s[n];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}
