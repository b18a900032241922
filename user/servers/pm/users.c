/* How many processes each real user has, for RLIMIT_NPROC: a small hash of counters. */
#include "pm.h"
#include <stdlib.h>

struct user {
	struct user *next;
	uint32_t uid, count;
};
#define BUCKETS 64
static struct user *users[BUCKETS];

static struct user **user_at(uint32_t uid)
{
	struct user **u = &users[uid % BUCKETS];

	while (*u && (*u)->uid != uid)
		u = &(*u)->next;
	return u;
}

bool user_add(uint32_t uid)
{
	struct user **at = user_at(uid);

	if (!*at) {
		*at = calloc(1, sizeof **at);
		if (!*at)
			return false;
		(*at)->uid = uid;
	}
	(*at)->count++;
	return true;
}

void user_remove(uint32_t uid)
{
	struct user **at = user_at(uid), *u = *at;

	if (!u || --u->count)
		return;
	*at = u->next;
	free(u);
}

uint32_t user_count(uint32_t uid)
{
	struct user *u = *user_at(uid);

	return u ? u->count : 0;
}
