/* Questions that servers ask about a caller's credentials (struct tern_cred, from tern_caller). */
#pragma once
#include <linux/capability.h>
#include <stdbool.h>
#include <tern/abi.h>

/* Tells whether the capability `cap` (CAP_…) is in the effective set. */
static inline bool cred_capable(const struct tern_cred *c, unsigned cap)
{
	return c->cap_effective >> cap & 1;
}
