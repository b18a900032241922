/* Credentials as the kernel tells them (struct tern_cred): what a server asks of them. */
#pragma once
#include <linux/capability.h>
#include <stdbool.h>
#include <tern/abi.h>

/* Whether the capability (CAP_…) is effective. */
static inline bool cred_capable(const struct tern_cred *c, unsigned cap)
{
	return c->cap_effective >> cap & 1;
}
