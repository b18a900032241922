/* The kernel and user/lib as vfs needs them, in a few hundred lines: windows made from the lines of
 * kernel/linux/syscalls.def, memory objects as plain memory, one program with its descriptors.
 *
 * A call is made as the kernel makes it: rights are checked, references resolved, descriptors
 * reserved; given sessions are committed by a result >= 0 and closed by an error.
 */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { W_NONE, W_STR, W_IN, W_OUT, W_IO, W_IOV_IN, W_IOV_OUT, W_ANY };
enum { A0 = 0x10000, A1, A2, A3, A4, A5, TIMES = 0x100000 };

struct window {
	int kind, pointer, length;
};
struct line {
	char route;
	int arg, arg2, right, fd;
	struct window win[4];
};

#define STR(p) { W_STR, p, 0 }
#define STRV(p) { W_STR, p, 0 }
#define IN(p, n) { W_IN, p, n }
#define OUT(p, n) { W_OUT, p, n }
#define IO(p, n) { W_IO, p, n }
#define IOV_IN(p, n) { W_IOV_IN, p, n }
#define IOV_OUT(p, n) { W_IOV_OUT, p, n }
#define IOC(r, p) { W_IO, p, 128 }
#define A0_TIMES(k) TIMES
#define A1_TIMES(k) TIMES
#define A2_TIMES(k) TIMES
#define A3_TIMES(k) TIMES
#define A4_TIMES(k) TIMES
#define A2_PLUS(k) TIMES
#define A1_PLUS(k) TIMES
#define A0_PLUS(k) TIMES
#define NO_WIN { { 0, 0, 0 } }
#define WIN1(a) { a }
#define WIN2(a, b) { a, b }
#define WIN3(a, b, c) { a, b, c }
#define WIN4(a, b, c, d) { a, b, c, d }
#define ANYWHERE { W_ANY, 0, 0 }
#define R TERN_R_READ
#define W TERN_R_WRITE
#define NO_FD 0
#define FD(n) 1
#define FD2(n) 2
#define FD_CLOEXEC_LINE 1
#define FD_PLAIN 1
#define FD_BIT0(n) 1
#define FD_STRUCT(n) 1
#define CWD_ARG (-2)
#define V(n) 'V', n, -1
#define V2(n, m) 'V', n, m
#define H(n) 'H', n, -1
#define M(n) 'M', n, -1
#define K_H(n) 'H', n, -1
#define K_S(s) 'K', -1, -1
#define K 'K', -1, -1
#define S(s) 'S', -1, -1
#define S_REF(s, n) 'S', -1, -1
#define NONE 'K', -1, -1
#undef CWD
#undef FD_CLOEXEC

enum { CWD = -2, ANY = 0, PATH_OK = 0, FD_CLOEXEC = 1 };

#define CALL(nr, name, route, right, fd, windows, otherwise, intr) \
	[nr] = { route, right, fd, windows },
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-braces"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct line lines[512] = {
#include "../../../kernel/linux/syscalls.def"
};
#pragma GCC diagnostic pop
static const struct line exec_line = { 'V', 0, -1, 0, 0, { { W_STR, 1, 0 } } };
static const struct line paths_line = { 'S', -1, -1, 0, 0, { { W_IN, 0, A1 }, { W_OUT, 2, A3 } } };

struct object {
	bool used;
	char *data;
	uint64_t size, room;
};
#define OBJECTS 4096
static struct object objects[OBJECTS];
#define HANDLE_BASE 1000 /* of memobjs; others are below */

struct tern_caller fake_caller;
struct fake_fd fake_fds[FAKE_FDS];
uint64_t fake_cwd, fake_root;
uint32_t fake_tid = 100;
struct tern_pid_entry fake_pids[TERN_PID_MAX];
int fake_signal, fake_forwarded, fake_mapped = -1, fake_fail_after = -1;
uint64_t fake_words[2], fake_token, fake_late_token;
long fake_late_result;

static struct server_boot boot = { .endpoint = 1, .pm = 2, .vfs = 3, .tty = 4, .pipe = 5,
				   .initrd = -1, .pidmap = 6 };
const struct server_boot *server_boot = &boot;

static const struct line *now_line;
static uint64_t *now_args;
static struct {
	bool set;
	unsigned slot;
	struct fake_fd fd;
} given;
static struct tern_reply extra;
static int64_t now_seconds = 1000;
static uint64_t meta_badge[64];
static int metas;

static bool fails(void)
{
	if (fake_fail_after < 0)
		return false;
	if (fake_fail_after == 0)
		return true;
	fake_fail_after--;
	return false;
}

unsigned fake_memobjs(void)
{
	unsigned n = 0;

	for (int i = 0; i < OBJECTS; i++)
		n += objects[i].used;
	return n;
}

static struct object *object(uint64_t h)
{
	if (h < HANDLE_BASE || h >= HANDLE_BASE + OBJECTS || !objects[h - HANDLE_BASE].used)
		return NULL;
	return &objects[h - HANDLE_BASE];
}

static long object_resize(struct object *o, uint64_t size)
{
	if (size > o->room) {
		o->data = realloc(o->data, size);
		if (!o->data && size)
			abort();
		memset(o->data + o->room, 0, size - o->room);
		o->room = size;
	}
	if (size < o->size)
		memset(o->data + size, 0, o->size - size);
	o->size = size;
	return 0;
}

static long object_create(uint64_t size)
{
	if (fails())
		return -ENOMEM;
	for (int i = 0; i < OBJECTS; i++) {
		if (objects[i].used)
			continue;
		objects[i] = (struct object){ .used = true };
		object_resize(&objects[i], size);
		return HANDLE_BASE + i;
	}
	return -ENFILE;
}

/* Directions, or'ed to a window's index. */
#define COPY_IN 0x100
#define COPY_OUT 0x200

/* The piece of window `win` at `off`: its address, and its length in *len. */
static char *piece(unsigned win, unsigned dir, uint64_t off, uint64_t *len)
{
	const struct window *w = &now_line->win[win];
	uint64_t at;

	if (win > 3 || !w->kind || w->kind == W_STR)
		abort();
	if ((dir == COPY_IN && (w->kind == W_OUT || w->kind == W_IOV_OUT)) ||
	    (dir == COPY_OUT && (w->kind == W_IN || w->kind == W_IOV_IN)))
		abort();
	at = now_args[w->pointer];
	if (w->kind == W_IOV_IN || w->kind == W_IOV_OUT) {
		const uint64_t *iov = (const uint64_t *)at;

		for (uint64_t i = 0; i < now_args[w->length]; i++) {
			if (off < iov[2 * i + 1]) {
				*len = iov[2 * i + 1] - off;
				return (char *)iov[2 * i] + off;
			}
			off -= iov[2 * i + 1];
		}
		*len = 0;
		return NULL;
	}
	*len = w->length >= A0 ? now_args[w->length - A0] : (uint64_t)w->length;
	if (off >= *len) {
		*len = 0;
		return NULL;
	}
	*len -= off;
	return (char *)at + off;
}

static long copy_window(uint64_t win_dir, uint64_t off, char *local, uint64_t n)
{
	uint64_t done = 0, len;

	while (done < n) {
		unsigned dir = win_dir & (COPY_IN | COPY_OUT);
		char *p = piece((unsigned)win_dir & 0xff, dir, off + done, &len);

		if (!len)
			break;
		if (P(p) < 4096) /* the NULL page: a fault */
			return done ? (long)done : -EFAULT;
		if (len > n - done)
			len = n - done;
		if (dir == COPY_IN)
			memcpy(local + done, p, len);
		else
			memcpy(p, local + done, len);
		done += len;
	}
	return (long)done;
}

static long copy_memobj(uint64_t win_dir, uint64_t off, uint64_t h, uint64_t at, uint64_t n)
{
	struct object *o = object(h);

	if (!o)
		abort();
	if (at >= o->size)
		return 0;
	return copy_window(win_dir, off, o->data + at, n < o->size - at ? n : o->size - at);
}

static long caller_handles(unsigned first, struct tern_handle_info *v, unsigned max)
{
	unsigned n = 0;

	if (first >= TERN_FD_CWD) {
		*v = (struct tern_handle_info){ .fd = first, .kind = TERN_KIND_FILE,
						.badge = first == TERN_FD_CWD ? fake_cwd : fake_root };
		return 1;
	}
	for (unsigned fd = first; fd < FAKE_FDS && n < max; fd++) {
		if (!fake_fds[fd].used)
			continue;
		v[n] = (struct tern_handle_info){ .fd = fd, .kind = fake_fds[fd].kind,
						  .rights = fake_fds[fd].rights,
						  .ident = fake_fds[fd].ident,
						  .badge = fake_fds[fd].badge };
		n++;
	}
	return n;
}

static long supply(struct object *dst, uint64_t doff, struct object *src, uint64_t soff, uint64_t n)
{
	if (!dst || !src || (doff | soff | n) % PAGE || doff + n > dst->size || soff + n > src->size)
		abort();
	memcpy(dst->data + doff, src->data + soff, n);
	memset(src->data + soff, 0, n);
	return (long)n;
}

/* The hidden sessions of each process's descriptor table. */
static struct {
	uint32_t pid;
	uint64_t ident, badge;
} hidden[8];

static long give_hidden(uint64_t ident, uint64_t badge)
{
	size_t n = sizeof hidden / sizeof hidden[0], at = n;

	for (size_t i = 0; i < n; i++) {
		if (!hidden[i].badge)
			at = i;
		else if (hidden[i].pid == fake_caller.pid && hidden[i].ident == ident)
			return (long)hidden[i].badge;
	}
	if (!badge)
		return -ENOENT;
	if (fails() || at == n)
		return -ENOMEM;
	hidden[at].pid = fake_caller.pid;
	hidden[at].ident = ident;
	hidden[at].badge = badge;
	return (long)badge;
}

void fake_drop_hidden(uint32_t pid)
{
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
		uint64_t badge = hidden[i].badge;

		if (!badge || hidden[i].pid != pid)
			continue;
		hidden[i].badge = 0;
		vfs_ops.closed(badge, 0);
	}
}

static void give(uint64_t how, uint64_t badge, uint64_t ident)
{
	given.set = true;
	given.slot = how & 0xff;
	given.fd = (struct fake_fd){ true, (uint32_t)(how >> 8) & 0xffffff, (uint32_t)(how >> 32), badge,
				     ident };
}

static long copy_string(unsigned win, char *to, uint64_t size)
{
	const char *s = (const char *)now_args[now_line->win[win].pointer];
	size_t n;

	if (now_line->win[win].kind != W_STR)
		abort();
	if (!s)
		return -EFAULT;
	n = strlen(s);
	if (n >= size)
		return -ENAMETOOLONG;
	memcpy(to, s, n + 1);
	return (long)n;
}

static long copy_object(uint64_t h, uint64_t off, char *local, uint64_t n, bool write)
{
	struct object *o = object(h);

	if (off >= o->size)
		return 0;
	n = n < o->size - off ? n : o->size - off;
	if (write)
		memcpy(o->data + off, local, n);
	else
		memcpy(local, o->data + off, n);
	return (long)n;
}

/* TERN_COPY. */
static long copy_ends(uint64_t from, uint64_t from_off, uint64_t to, uint64_t to_off, uint64_t n, unsigned how)
{
	unsigned from_win = how >> 4 & 15, to_win = how >> 12 & 15;

	if (how & TERN_COPY_STRING)
		return copy_string(from_win, (char *)to_off, n);
	switch (how & 0xf0f) {
	case TERN_FROM(TERN_END_WINDOW, 0) | TERN_TO(TERN_END_OWN, 0):
		return copy_window(from_win | COPY_IN, from_off, (char *)to_off, n);
	case TERN_FROM(TERN_END_OWN, 0) | TERN_TO(TERN_END_WINDOW, 0):
		return copy_window(to_win | COPY_OUT, to_off, (char *)from_off, n);
	case TERN_FROM(TERN_END_WINDOW, 0) | TERN_TO(TERN_END_MEMOBJ, 0):
		return copy_memobj(from_win | COPY_IN, from_off, to, to_off, n);
	case TERN_FROM(TERN_END_MEMOBJ, 0) | TERN_TO(TERN_END_WINDOW, 0):
		return copy_memobj(to_win | COPY_OUT, to_off, from, from_off, n);
	case TERN_FROM(TERN_END_MEMOBJ, 0) | TERN_TO(TERN_END_OWN, 0):
		return copy_object(from, from_off, (char *)to_off, n, false);
	case TERN_FROM(TERN_END_OWN, 0) | TERN_TO(TERN_END_MEMOBJ, 0):
		return copy_object(to, to_off, (char *)from_off, n, true);
	}
	abort();
}

long tern_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct object *o;

	switch (nr) {
	case 57:
		o = object(a);
		if (o) {
			free(o->data);
			*o = (struct object){ 0 };
		} else if (a >= 500 && a < 500 + 64) {
			vfs_ops.closed(meta_badge[a - 500], 0);
		}
		return 0;
	case 113:
		((struct tern_timespec *)b)->tv_sec = now_seconds++;
		((struct tern_timespec *)b)->tv_nsec = 0;
		return 0;
	case 278:
		memset((void *)a, 0x5a, b);
		return (long)b;
	case TERN_CALLER:
		*(struct tern_caller *)b = fake_caller;
		return 0;
	case TERN_COPY:
		return copy_ends(a, b, c, d, e, (unsigned)f);
	case TERN_WINDOW_LENGTH: {
		const uint64_t *iov = (const uint64_t *)now_args[now_line->win[b].pointer];
		long sum = 0;

		for (uint64_t i = 0; i < now_args[now_line->win[b].length]; i++)
			sum += (long)iov[2 * i + 1];
		return sum;
	}
	case TERN_GIVE_SESSION:
		if (fails())
			return -ENOMEM;
		give(b, c, d);
		return 0;
	case TERN_GIVE_HIDDEN:
		return give_hidden(b, c);
	case TERN_SESSION_CREATE:
		if (fails())
			return -ENOMEM;
		meta_badge[metas % 64] = b;
		return metas++ % 64;
	case TERN_SESSION_HANDLE:
		return 500 + (long)a;
	case TERN_FORWARD:
		fake_forwarded = (int)b;
		fake_words[0] = c;
		fake_words[1] = d;
		vfs_ops.closed(meta_badge[e - 500], 0); /* the callee drops it at once */
		return 0;
	case TERN_FORWARD_FD:
		fake_forwarded = -(int)b - 1;
		fake_words[0] = c;
		fake_words[1] = d;
		return 0;
	case TERN_REPLY:
		fake_late_token = a;
		fake_late_result = (long)b;
		return 0;
	case TERN_REPLY_MAP:
		fake_mapped = (int)b;
		return 0;
	case TERN_CLOSE_LATER:
	case TERN_PARK:
		return 0;
	case TERN_CALLER_HANDLES:
		return caller_handles((unsigned)b, (struct tern_handle_info *)c, (unsigned)d);
	case TERN_PROCESS_OPEN: /* each process is like the caller */
		return fake_pids[a].state ? 100 : -ESRCH;
	case TERN_PROCESS_HANDLES:
		return caller_handles((unsigned)b, (struct tern_handle_info *)c, (unsigned)d);
	case TERN_MEMOBJ_CREATE:
		return object_create(a);
	case TERN_MEMOBJ_RESIZE:
		return fails() && b > object(a)->size ? -ENOMEM : object_resize(object(a), b);
	case TERN_MEMOBJ_SUPPLY:
		return supply(object(a), b, object(c), d, e);
	case TERN_MEMOBJ_PUNCH:
		o = object(a);
		if (b < o->size)
			memset(o->data + b, 0, c < o->size - b ? c : o->size - b);
		return 0;
	case TERN_MEMOBJ_COUNT:
		*(struct tern_memobj_info *)b = (struct tern_memobj_info){ .size = object(a)->size };
		return 0;
	case TERN_MEMOBJ_WITHDRAW:
		return 0;
	case TERN_FILE_TAKE: /* this kernel answers no call without vfs */
		return -ENOENT;
	case TERN_ASPACE_MAP:
		if (e == (uint64_t)boot.pidmap)
			return (long)(uintptr_t)fake_pids;
		return (long)(uintptr_t)object(e)->data;
	case TERN_ASPACE_UNMAP:
		return 0;
	case TERN_SYSTEM_INFO:
		memset((void *)b, 0, c);
		((struct tern_memory_info *)b)->frames.total = 32768;
		((struct tern_memory_info *)b)->frames.free = 30000;
		return (long)c;
	default:
		fprintf(stderr, "fake kernel: operation %ld\n", nr);
		abort();
	}
}

/* ---- user/lib ---- */

static char message_page[TERN_PATH_MAX];
char *server_page = message_page;

void server_reply_signal(int sig) { fake_signal = sig; }

void server_reply_copy(unsigned win, const void *from, size_t n)
{
	extra = (struct tern_reply){ TERN_REPLY_COPY, P(from), n, win, 0, 0, 0, 0, 0 };
}

void server_reply_copy_memobj(unsigned win, int memobj, uint64_t off, size_t n)
{
	extra = (struct tern_reply){ TERN_REPLY_COPY_MEMOBJ, off, n, win, (uint64_t)memobj, 0, 0, 0, 0 };
}

void server_reply_take_memobj(unsigned win, int memobj, uint64_t off, size_t n)
{
	server_reply_copy_memobj(win, memobj, off, n);
	extra.flags |= TERN_REPLY_IN;
}

void server_reply_file(uint64_t offset, uint64_t length, unsigned flags)
{
	(void)offset, (void)length, (void)flags;
}

void server_reply_give(unsigned slot, unsigned rights, enum tern_kind kind, uint64_t badge,
		       uint64_t ident)
{
	extra = (struct tern_reply){ TERN_REPLY_GIVE, badge, ident, slot | rights << 8 | (uint64_t)kind << 32,
				     0, 0, 0, 0, 0 };
}

void server_reply_exact(void) { extra.flags |= TERN_REPLY_EXACT; }

long server_out(struct tern_msg *m, unsigned win, const void *from, size_t n, long result)
{
	if (result < 0)
		return result;
	return tern_copy_out(m->token, win, 0, from, n) == (long)n ? result : -EFAULT;
}

long server_out_kept(unsigned win, const void *from, size_t n, long result)
{
	return server_out(&(struct tern_msg){ .token = fake_token }, win, from, n, result);
}

static void say(const char *fmt, va_list ap)
{
	fputs("vfs: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void server_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void server_panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	abort();
}

/* ---- the program ---- */

static uint64_t reference(int64_t arg)
{
	if (arg == AT_FDCWD || arg == CWD)
		return fake_cwd;
	if (arg < 0 || arg >= FAKE_FDS || !fake_fds[arg].used)
		return TERN_REF_BAD;
	return fake_fds[arg].kind == TERN_KIND_FILE ? fake_fds[arg].badge : TERN_REF_FOREIGN;
}

static void commit(long *result)
{
	if (!given.set)
		return;
	given.set = false;
	if (*result < 0) {
		vfs_ops.closed(given.fd.badge, 0);
	} else if (given.slot == TERN_SLOT_CWD || given.slot == TERN_SLOT_ROOT) {
		uint64_t *slot = given.slot == TERN_SLOT_CWD ? &fake_cwd : &fake_root, old = *slot;

		*slot = given.fd.badge;
		if (old < TERN_REF_FOREIGN)
			vfs_ops.closed(old, 0);
	} else {
		long fd = 0;

		while (fake_fds[fd].used)
			fd++;
		fake_fds[fd] = given.fd;
		*result = fd;
	}
}

long call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct tern_msg m = { .args = { a0, a1, a2, a3, a4, a5 }, .handle = -1, .tid = fake_tid };
	const struct line *l = nr == TERN_VFS_EXEC_OPEN ? &exec_line
			       : nr == TERN_VFS_PATHS	? &paths_line
							: &lines[nr];
	long r;

	m.op = (uint64_t)nr | (uint64_t)fake_caller.umask << 48;
	m.token = ++fake_token;
	m.who = fake_caller.pid | (uint64_t)fake_caller.cred.id << 32;
	m.root = fake_root;
	if (nr >= TERN_METHOD) {
		m.badge = TERN_BADGE_FROM_PM;
		m.op |= TERN_MSG_ASYNC;
	}
	if (l->route == 'H' || l->route == 'M') {
		int32_t fd = (int32_t)m.args[l->arg];

		if (nr == 222)
			fd = (int32_t)a4;
		if (fd < 0 || fd >= FAKE_FDS || !fake_fds[fd].used)
			return -EBADF;
		if ((fake_fds[fd].rights & (uint32_t)l->right) != (uint32_t)l->right)
			return -EBADF;
		m.badge = fake_fds[fd].badge;
	} else if (l->route == 'V') {
		m.ref[0] = reference(l->arg == CWD ? AT_FDCWD : (int32_t)m.args[l->arg]);
		m.ref[1] = l->arg2 < 0 ? TERN_REF_BAD : reference((int32_t)m.args[l->arg2]);
	}
	if (nr == 222)
		m.badge = fake_fds[a4].badge;
	now_line = l;
	now_args = m.args;
	/* Every other short path comes with the message. */
	if (l->route == 'V' && l->win[0].kind == W_STR && m.token % 2) {
		const char *path = (const char *)m.args[l->win[0].pointer];
		size_t n = path ? strnlen(path, sizeof message_page) : sizeof message_page;

		if (n < sizeof message_page) {
			memcpy(server_page, path, n + 1);
			m.word[0] = n + 1;
		}
	}
	extra.flags = 0;
	fake_signal = fake_forwarded = 0;
	fake_mapped = -1;
	r = nr >= TERN_METHOD ? vfs_ops.method(&m) : vfs_calls[nr] ? vfs_calls[nr](&m) : -ENOSYS;
	if (r == SERVER_NO_REPLY)
		return r;
	if (extra.flags & TERN_REPLY_COPY)
		r = copy_window(extra.win | COPY_OUT, 0, (char *)extra.from, extra.length);
	else if (extra.flags & TERN_REPLY_COPY_MEMOBJ)
		r = copy_memobj(extra.win | (extra.flags & TERN_REPLY_IN ? COPY_IN : COPY_OUT), 0,
				extra.memobj, extra.from, extra.length);
	if (extra.flags & TERN_REPLY_GIVE && fails()) {
		vfs_ops.closed(extra.from, 0);
		r = -ENOMEM;
	} else if (extra.flags & TERN_REPLY_GIVE) {
		give(extra.win, extra.from, extra.length);
	}
	if (extra.flags & TERN_REPLY_EXACT && r != (long)extra.length) {
		struct tern_msg e = { .op = TERN_EV_COPY_SHORT, .token = m.token, .args = { (uint64_t)r } };

		vfs_ops.event(&e);
		r = fake_late_result;
	}
	commit(&r);
	return r;
}

void fake_close(int fd)
{
	if (!fake_fds[fd].used)
		abort();
	fake_fds[fd].used = false;
	vfs_ops.closed(fake_fds[fd].badge, 0);
}

void fake_cred(uint32_t uid, uint32_t gid)
{
	static uint32_t id = 1;
	struct tern_cred *c = &fake_caller.cred;

	*c = (struct tern_cred){ .id = ++id, .uid = uid, .euid = uid, .suid = uid, .fsuid = uid,
				 .gid = gid, .egid = gid, .sgid = gid, .fsgid = gid };
	c->cap_bounding = ~0ull;
	c->cap_permitted = c->cap_effective = uid ? 0 : ~0ull;
}

void fake_init(const void *archive, size_t size)
{
	fake_caller = (struct tern_caller){ .pid = 100, .tid = 100, .umask = 022,
					    .limit_fsize = ~0ull, .limit_nofile = 1024 };
	fake_cred(0, 0);
	fake_pids[1].state = fake_pids[100].state = 1;
	fake_pids[101].state = 1;
	fake_pids[101].uid = 1000;
	fake_cwd = fake_root = TERN_REF_BAD;
	if (size) {
		boot.initrd = (int32_t)object_create(size);
		boot.initrd_size = size;
		memcpy(object((uint64_t)boot.initrd)->data, archive, size);
	}
	vfs_init();
	/* The first places, as pm makes them. */
	{
		struct file *f = file_create((struct place){ root_mount->root, root_mount }, O_PATH);
		struct file *g = file_create((struct place){ root_mount->root, root_mount }, O_PATH);

		fake_cwd = pool_badge(&files, f);
		fake_root = pool_badge(&files, g);
	}
}
