/* /dev: its nodes, and the devices that need no driver; /dev/pts.
 *
 * null, zero, full, random, urandom and kmsg are read and written here.  Everything with a
 * terminal behind it goes to tty with its device number and a meta session.  Opening ptmx makes
 * a pty: its terminal's name is there until the meta session of its master goes.
 */
#include "vfs.h"

#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEV_NULL = 3, DEV_ZERO = 5, DEV_FULL = 7, DEV_RANDOM = 8, DEV_URANDOM = 9, DEV_KMSG = 11 };
#define MEM_MAJOR 1
#define PTS_MAJOR 136
#define PTS_MAX 256 /* tty has as many */
#define PTS_MODE 0620
#define PTS_GROUP 5 /* the group tty */

static const struct {
	const char *name;
	uint32_t mode;
	unsigned major, minor;
} devices[] = {
	{ "null", 0666, 1, DEV_NULL },	     { "zero", 0666, 1, DEV_ZERO },
	{ "full", 0666, 1, DEV_FULL },	     { "random", 0666, 1, DEV_RANDOM },
	{ "urandom", 0666, 1, DEV_URANDOM }, { "console", 0600, 5, 1 },
	{ "kmsg", 0644, 1, DEV_KMSG },	     { "tty", 0666, 5, 0 },	     { "ptmx", 0666, 5, 2 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
};

static char zeros[16 * 1024];

static struct node *add(struct fs *fs, struct node *dir, const char *name, uint32_t mode)
{
	struct node *n = node_create(fs, mode, 0, 0);
	uint32_t len = (uint32_t)strlen(name);

	if (!n || dir_link(dir, name, len, name_hash(name, len), n) < 0)
		server_panic("no memory for /dev");
	return n;
}

struct node *dev_init(struct fs *fs, struct node *root)
{
	for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
		add(fs, root, devices[i].name, S_IFCHR | devices[i].mode)->rdev =
			TERN_MKDEV(devices[i].major, devices[i].minor);
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		struct node *n = add(fs, root, links[i].name, S_IFLNK | 0777);

		n->target = strdup(links[i].target);
		if (!n->target)
			server_panic("no memory for /dev");
		n->size = strlen(n->target);
	}
	add(fs, root, "shm", S_IFDIR | 01777);
	return add(fs, root, "pts", S_IFDIR | 0755);
}

/* ---- the terminals of ptys ---- */

static struct fs *pts_fs;
static struct node *pts_root;
static uint64_t pts_used[PTS_MAX / 64];

void pts_init(struct fs *fs, struct node *root)
{
	pts_fs = fs;
	pts_root = root;
	add(fs, root, "ptmx", S_IFCHR | 0666)->rdev = TERN_MKDEV(5, 2);
}

static uint32_t pts_name(uint64_t number, char name[8])
{
	return (uint32_t)snprintf(name, 8, "%u", (unsigned)number);
}

static long pts_add(uint64_t number, const struct tern_cred *c)
{
	struct node *n = node_create(pts_fs, S_IFCHR | PTS_MODE, c->fsuid, PTS_GROUP);
	char name[8];
	uint32_t len = pts_name(number, name);
	long err;

	if (!n)
		return -ENOMEM;
	n->rdev = TERN_MKDEV(PTS_MAJOR, number);
	err = dir_link(pts_root, name, len, name_hash(name, len), n);
	if (err < 0)
		node_mark(n);
	else
		pts_used[number / 64] |= 1ull << number % 64;
	return err;
}

void pts_remove(uint64_t number)
{
	char name[8];
	uint32_t len = pts_name(number, name);
	struct dentry *d = dir_find(pts_root, name, len, name_hash(name, len));

	pts_used[number / 64] &= ~(1ull << number % 64);
	if (d)
		dir_unlink(d);
}

static long pts_make(struct request *r, struct place at, uint32_t flags)
{
	uint64_t number = 0;
	struct file *f;
	long err;

	while (number < PTS_MAX && pts_used[number / 64] >> number % 64 & 1)
		number++;
	if (number == PTS_MAX)
		return -ENOSPC;
	f = file_create(at, flags & (O_ACCMODE | O_NONBLOCK));
	if (!f)
		return -ENOMEM;
	err = pts_add(number, r->cred);
	if (err < 0) {
		file_destroy(f);
		return err;
	}
	f->state = FILE_PTMX;
	f->offset = number;
	return forward_file(r, f, server_boot->tty, (uint64_t)number << 32 | 5 << 8 | 2, node_ident(at.node));
}

static unsigned major_of(const struct node *n) { return (unsigned)(n->rdev >> 8) & 0xfff; }
static unsigned minor_of(const struct node *n)
{
	return (unsigned)((n->rdev & 0xff) | (n->rdev >> 12 & 0xfff00));
}

bool dev_is_local(const struct node *n)
{
	switch (major_of(n) == MEM_MAJOR ? minor_of(n) : 0) {
	case DEV_NULL:
	case DEV_ZERO:
	case DEV_FULL:
	case DEV_RANDOM:
	case DEV_URANDOM:
	case DEV_KMSG:
		return true;
	default:
		return false;
	}
}

long dev_open(struct request *r, struct place at, uint32_t flags)
{
	unsigned major = major_of(at.node), minor = minor_of(at.node);
	struct file *f;

	if (dev_is_local(at.node)) {
		f = file_create(at, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK));
		return f ? file_give(f, 0) : -ENOMEM;
	}
	if (major == 5 && minor == 2 && server_boot->tty >= 0)
		return pts_make(r, at, flags);
	/* Majors 4 (ttys and serial lines), 5 (/dev/tty, /dev/console) and 136 (pty slaves) are
	 * tty's. */
	if (major == 4 || major == 5 || major == PTS_MAJOR)
		return forward_open(r, at, flags, server_boot->tty, (uint64_t)major << 8 | minor,
				    node_ident(at.node));
	return -ENXIO;
}

static long read_zero(struct tern_msg *m, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		size_t part = len - done < sizeof zeros ? (size_t)(len - done) : sizeof zeros;
		long r = tern_copy_out(m->token, 0, done, zeros, part);

		if (r <= 0)
			return done ? (long)done : r;
		done += (uint64_t)r;
		if ((size_t)r < part)
			break;
	}
	return (long)done;
}

static long read_random(struct tern_msg *m, uint64_t len)
{
	static char bytes[4096];
	uint64_t done = 0;

	while (done < len) {
		size_t part = len - done < sizeof bytes ? (size_t)(len - done) : sizeof bytes;
		long r = tern_syscall(278, TERN_PTR(bytes), part, 0, 0, 0, 0); /* getrandom */

		if (r > 0)
			r = tern_copy_out(m->token, 0, done, bytes, (size_t)r);
		if (r <= 0)
			return done ? (long)done : r;
		done += (uint64_t)r;
	}
	return (long)done;
}

/* ---- kmsg: the kernel's log, a record each read or write ---- */

#define RECORD_MAX 256

/* Copies the line of the log that is at *pos and moves *pos behind it.  Returns its length with
 * the NUL; 0: there is no more line. */
static long log_line(uint64_t *pos, char line[RECORD_MAX])
{
	long n = tern_log_read(*pos, line, RECORD_MAX - 1);
	char *end;

	if (n <= 0)
		return n;
	end = memchr(line, '\n', (size_t)n);
	n = end ? end - line : n;
	*pos += (uint64_t)n + (end ? 1 : 0);
	line[n] = '\0';
	return n + 1;
}

/* A record is "priority,sequence,microseconds,flags;text".  The log does not say when a line was
 * written, so the time is 0. */
static long kmsg_read(struct tern_msg *m, struct file *f, uint64_t len)
{
	char line[RECORD_MAX], record[RECORD_MAX + 64];
	uint64_t pos = f->resume_offset;
	long n = log_line(&pos, line);
	int k;

	if (n <= 0)
		return n < 0 ? n : -EAGAIN;
	k = snprintf(record, sizeof record, "6,%lu,0,-;%s\n", (unsigned long)f->resume_offset, line);
	if ((uint64_t)k > len)
		return -EINVAL;
	f->resume_offset = pos;
	return tern_copy_out(m->token, 0, 0, record, (size_t)k);
}

/* Writes a line to the kernel's log, without the priority "<N>" that it may begin with. */
static long kmsg_write(struct tern_msg *m, uint64_t len)
{
	char text[RECORD_MAX], *from = text, *end;
	size_t n = len < sizeof text - 2 ? (size_t)len : sizeof text - 2;

	if (!len)
		return 0;
	if (tern_copy_in(m->token, 0, 0, text, n) != (long)n)
		return -EFAULT;
	text[n] = '\0';
	if (text[0] == '<' && strtoul(text + 1, &end, 10) < 1000 && *end == '>')
		from = end + 1;
	n = strlen(from);
	if (!n || from[n - 1] != '\n')
		from[n++] = '\n';
	tern_log(from, n);
	return (long)len;
}

/* Longer reads return less than was asked for, so that one client does not stop the others for
 * seconds. */
#define TURN (1024 * 1024ull)

long dev_read(struct tern_msg *m, struct file *f, uint64_t len)
{
	switch (minor_of(f->at.node)) {
	case DEV_KMSG:
		return kmsg_read(m, f, len);
	case DEV_ZERO:
	case DEV_FULL:
		return read_zero(m, len < 16 * TURN ? len : 16 * TURN);
	case DEV_RANDOM:
	case DEV_URANDOM:
		return read_random(m, len < TURN ? len : TURN);
	default:
		return 0;
	}
}

long dev_write(struct tern_msg *m, const struct node *n, uint64_t len)
{
	if (minor_of(n) == DEV_KMSG)
		return kmsg_write(m, len);
	return minor_of(n) == DEV_FULL ? (len ? -ENOSPC : 0) : (long)len;
}

#define RNDGETENTCNT 0x80045200u
#define RNDADDTOENTCNT 0x40045201u
#define RNDADDENTROPY 0x40085203u
#define RNDZAPENTCNT 0x5204u
#define RNDCLEARPOOL 0x5206u
#define RNDRESEEDCRNG 0x5207u
#define ENTROPY_BITS 256 /* the same always, as the kernel's generator is seeded at boot */

/* The ioctls of random(4).  The kernel's generator takes nothing from programs, so those that
 * add entropy only succeed. */
long dev_ioctl(struct tern_msg *m, const struct node *n)
{
	int32_t bits = ENTROPY_BITS;

	if (minor_of(n) != DEV_RANDOM && minor_of(n) != DEV_URANDOM)
		return server_ioctl(m);
	switch ((uint32_t)m->args[1]) {
	case RNDGETENTCNT:
		return server_out(m, 0, &bits, sizeof bits, 0);
	case RNDADDTOENTCNT:
	case RNDADDENTROPY:
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG:
		return capable(cred_of(m), CAP_SYS_ADMIN) ? 0 : -EPERM;
	default:
		return -EINVAL;
	}
}

/* mmap of /dev/zero: each gets a new memory object, whose pages a shared mapping shares with its
 * children. */
long dev_mmap(struct tern_msg *m, const struct file *f, unsigned max_prot)
{
	long obj, r;

	if (minor_of(f->at.node) != DEV_ZERO)
		return -ENODEV;
	obj = tern_memobj_create((m->args[1] + m->args[5] + PAGE - 1) & ~(PAGE - 1),
				 node_ident(f->at.node));
	if (obj < 0)
		return obj;
	r = tern_reply_map(m->token, (int)obj, m->args[5], max_prot, 0);
	tern_close((int)obj);
	return r < 0 ? r : SERVER_NO_REPLY;
}
