/* What a mount allows: read-only, nosuid, nodev, noexec, and when access times are kept.
 *
 * These flags belong to a mount.  Read-only may also belong to the file system, and then all its
 * mounts are.  Every function that changes a file system asks mount_writable() first.
 */
#include "vfs.h"

#include <string.h>

#define ATIMES (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define KEPT (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME)
#define ST_VALID 0x20
#define ST_RELATIME 0x1000

uint32_t mount_flags_of(uint64_t flags)
{
	uint32_t kept = (uint32_t)flags & KEPT;

	if (!(flags & MS_NOATIME))
		kept |= MS_RELATIME;
	if (flags & MS_STRICTATIME)
		kept &= ~(MS_RELATIME | MS_NOATIME);
	return kept;
}

static bool fs_has_writers(const struct fs *fs)
{
	for (const struct mount *mt = mounts; mt; mt = mt->next)
		if (mt->fs == fs && mt->writers)
			return true;
	return false;
}

long mount_remount(struct mount *mt, uint64_t flags)
{
	bool alone = flags & MS_BIND;
	uint32_t to = mount_flags_of(flags);

	if (!(flags & ATIMES))
		to = (to & ~ATIMES) | (mt->flags & ATIMES);
	if (to & MS_RDONLY && (alone ? mt->writers != 0 : fs_has_writers(mt->fs)))
		return -EBUSY;
	if (!alone)
		mt->fs->readonly = to & MS_RDONLY;
	mt->flags = to;
	return 0;
}

const char *mount_flags_text(const struct mount *mt)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} names[] = {
		{ MS_NOSUID, ",nosuid" },	  { MS_NODEV, ",nodev" },
		{ MS_NOEXEC, ",noexec" },	  { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" }, { MS_RELATIME, ",relatime" },
	};
	static char text[64];

	text[0] = '\0';
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (mt->flags & names[i].flag)
			strcat(text, names[i].text);
	return text;
}

uint64_t mount_statfs_flags(const struct mount *mt)
{
	uint64_t st = mt->flags & (KEPT & ~MS_RELATIME);

	if (mt->flags & MS_RELATIME)
		st |= ST_RELATIME;
	return st | ST_VALID | (mount_writable(mt) < 0 ? MS_RDONLY : 0);
}
