/* The files under /proc/sys, which show settings of the system and let some be changed.
 *
 * A value with a range (min to max) can be written, but nothing acts on it, as Tern does not
 * have what it would tune (core files, swap, caches).  The host and domain name can be written
 * as well; they are those that uname(2) tells. */
#include "proc_priv.h"
#include <stdlib.h>
#include <string.h>
#include <server/inotify.h>
#include <server/proc.h>

#define LONGEST 128 /* bytes of the longest text, which is core_pattern */

static struct setting {
	int number; /* enum tern_proc_file */
	int64_t value, min, max;
} settings[] = {
	{ TERN_PROC_SYS_PID_MAX, TERN_PID_MAX, 0, 0 },
	{ TERN_PROC_SYS_CORE_USES_PID, 0, 0, 1 },
	{ TERN_PROC_SYS_CAP_LAST, CAP_LAST_CAP, 0, 0 },
	{ TERN_PROC_SYS_NGROUPS_MAX, sizeof((struct tern_cred *)0)->groups / sizeof(uint32_t), 0, 0 },
	{ TERN_PROC_SYS_OVERFLOW_UID, 65534, 0, 0 },
	{ TERN_PROC_SYS_OVERFLOW_GID, 65534, 0, 0 },
	{ TERN_PROC_SYS_PANIC, 0, 0, 0 },
	{ TERN_PROC_SYS_TAINTED, 0, 0, 0 },
	{ TERN_PROC_SYS_THREADS_MAX, TERN_PID_MAX, 0, 0 },
	{ TERN_PROC_SYS_ENTROPY, 256, 0, 0 },
	{ TERN_PROC_SYS_POOL, 256, 0, 0 },
	{ TERN_PROC_SYS_OVERCOMMIT, 0, 0, 0 },
	{ TERN_PROC_SYS_OVERCOMMIT_RATIO, 50, 0, 0 },
	{ TERN_PROC_SYS_DROP_CACHES, 0, 1, 4 },
	{ TERN_PROC_SYS_MAP_COUNT, INT32_MAX, 0, 0 },
	{ TERN_PROC_SYS_MMAP_MIN, 65536, 0, 0 },
	{ TERN_PROC_SYS_SWAPPINESS, 60, 0, 200 },
	{ TERN_PROC_SYS_CACHE_PRESSURE, 100, 0, INT32_MAX },
	{ TERN_PROC_SYS_PIPE_MAX, TERN_PIPE_MAX_SIZE, 0, 0 },
	{ TERN_PROC_SYS_PIPE_SOFT, TERN_PIPE_USER_PAGES, 0, 0 },
	{ TERN_PROC_SYS_PIPE_HARD, 0, 0, 0 }, /* 0: there is no such limit */
	{ TERN_PROC_SYS_INOTIFY_USERS, INOTIFY_INSTANCES_MAX, 0, 0 },
	{ TERN_PROC_SYS_INOTIFY_WATCHES, INOTIFY_WATCHES_MAX, 0, 0 },
	{ TERN_PROC_SYS_INOTIFY_EVENTS, INOTIFY_EVENTS_MAX, 0, 0 },
	{ TERN_PROC_SYS_FILE_MAX, INT64_MAX, 0, 0 },
	{ TERN_PROC_SYS_NR_OPEN, NR_OPEN, 0, 0 },
	{ TERN_PROC_SYS_LEASE_BREAK, 45, 0, 0 },
	{ TERN_PROC_SYS_HARD_LINKS, 0, 0, 0 },
	{ TERN_PROC_SYS_SYMLINKS, 0, 0, 0 },
	{ TERN_PROC_SYS_FIFOS, 0, 0, 0 },
	{ TERN_PROC_SYS_REGULAR, 0, 0, 0 },
	{ TERN_PROC_SYS_SUID_DUMPABLE, 0, 0, 0 },
};
static char core_pattern[LONGEST] = "core";

static struct setting *find(int number)
{
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		if (settings[i].number == number)
			return &settings[i];
	return NULL;
}

/* Makes a random UUID (version 4). */
static void uuid_make(uint8_t u[16])
{
	tern_syscall(278, TERN_PTR(u), 16, 0, 0, 0, 0); /* getrandom */
	u[6] = (u[6] & 15) | 0x40;
	u[8] = (u[8] & 63) | 0x80;
}

static void uuid(struct text *t, bool of_boot)
{
	static uint8_t boot[16];
	uint8_t u[16];

	if (!of_boot || !boot[6])
		uuid_make(u);
	if (of_boot && !boot[6])
		memcpy(boot, u, sizeof boot);
	for (int i = 0; i < 16; i++)
		text_printf(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			    of_boot ? boot[i] : u[i]);
	text_printf(t, "\n");
}

/* Finds where the text of a file lies, and the room it has there; NULL: the file shows no text. */
static char *text_of(int number, size_t *room)
{
	*room = number == TERN_PROC_SYS_CORE_PATTERN ? sizeof core_pattern : UTS_LENGTH;
	switch (number) {
	case TERN_PROC_SYS_HOSTNAME:
		return system_names()->nodename;
	case TERN_PROC_SYS_DOMAINNAME:
		return system_names()->domain;
	case TERN_PROC_SYS_OSRELEASE:
		return system_names()->release;
	case TERN_PROC_SYS_OSTYPE:
		return system_names()->sysname;
	case TERN_PROC_SYS_KVERSION:
		return system_names()->version;
	case TERN_PROC_SYS_CORE_PATTERN:
		return core_pattern;
	default:
		return NULL;
	}
}

void sysctl_text(struct text *t, int number)
{
	struct setting *s = find(number);
	size_t room;
	char *text = text_of(number, &room);

	if (s)
		text_printf(t, "%ld\n", (long)s->value);
	else if (text)
		text_printf(t, "%s\n", text);
	else if (number == TERN_PROC_SYS_RANDOMIZE)
		text_printf(t, "%d\n", strstr(pm.boot.bootargs, "norandmaps") ? 0 : 2);
	else if (number == TERN_PROC_SYS_PRINTK)
		text_printf(t, "7\t4\t1\t7\n");
	else if (number == TERN_PROC_SYS_BOOT_ID || number == TERN_PROC_SYS_UUID)
		uuid(t, number == TERN_PROC_SYS_BOOT_ID);
}

static long set_text(int number, const char *from, size_t n)
{
	size_t room;
	char *to = text_of(number, &room);

	if (!to || number == TERN_PROC_SYS_OSRELEASE || number == TERN_PROC_SYS_OSTYPE ||
	    number == TERN_PROC_SYS_KVERSION)
		return -EINVAL;
	n = strcspn(from, "\n") < n ? strcspn(from, "\n") : n;
	if (n > room - 1)
		n = room - 1;
	memset(to, 0, room);
	memcpy(to, from, n);
	return 0;
}

long sysctl_write(int number, const char *from, size_t n)
{
	struct setting *s = find(number);
	int64_t v;
	char *end;

	if (!s)
		return set_text(number, from, n);
	v = strtol(from, &end, 0);
	if (end == from || (*end && *end != '\n' && *end != ' ') || v < s->min || v > s->max ||
	    s->min == s->max)
		return -EINVAL;
	s->value = v;
	return 0;
}
