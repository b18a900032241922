/* Performing the oracle's steps (place.h). */
#define _GNU_SOURCE
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GIB (1ul << 30)
#define MIB (1ul << 20)
#define LEAF (2 * MIB)	/* what one leaf table maps */
#define BEFORE_LEAF 40u /* the pages of a window below the end of a leaf table */

bool on_tern;
uint64_t seed;
uint32_t *failed;

static char *at_page(const struct place *c, uint32_t page)
{
	return c->base + page * c->unit;
}

static char *byte_of(const struct place *c, uint32_t page)
{
	return at_page(c, page) + c->byte;
}

static void show_maps(const struct place *c)
{
	char text[4096];
	int fd = open("/proc/self/maps", O_RDONLY);
	int n = snprintf(text, sizeof text, "the window is %p, pages of %zu bytes\n", c->base, c->unit);
	ssize_t got = n;

	do
		if (write(1, text, (size_t)got) < 0)
			break;
	while ((got = read(fd, text, sizeof text)) > 0);
	close(fd);
}

_Noreturn void fail(const struct place *c, const char *format, ...)
{
	static char text[900];
	int n = snprintf(text, sizeof text, "mm_replay: seed %lu, ", seed);
	va_list args;

	if (c) {
		n += snprintf(text + n, sizeof text - (size_t)n, "step %lu: ", c->number);
		if (c->step)
			n += oracle_print(c->step, text + n, sizeof text - (size_t)n);
		n += snprintf(text + n, sizeof text - (size_t)n, ": ");
	}
	va_start(args, format);
	n += vsnprintf(text + n, sizeof text - (size_t)n, format, args);
	va_end(args);
	text[n++] = '\n';
	if (!__atomic_exchange_n(failed, 1, __ATOMIC_SEQ_CST) && write(1, text, (size_t)n) == n && c)
		show_maps(c);
	_exit(1);
}

/* ---- accesses ---- */

static __thread sigjmp_buf escape;
static __thread volatile bool armed;
static __thread volatile int caught, caught_code;
static __thread void *volatile caught_at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	caught = sig;
	caught_code = info->si_code;
	caught_at = info->si_addr;
	if (!armed)
		fail(NULL, "signal %d, code %d, address %p", sig, info->si_code, info->si_addr);
	siglongjmp(escape, 1);
}

void catch_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	for (int i = 0; i < 3; i++)
		sigaction(signals[i], &sa, NULL);
}

/* A page's words: what the oracle knows, what is written first, so that a write faults as one, and what is
 * never written and so no instruction. */
enum { WORD_KNOWN, WORD_WRITTEN, WORD_NO_CODE };

/* What an access gives, and the word that was there. */
static enum outcome touch(char *at, unsigned access, uint32_t *word)
{
	static const unsigned first[] = { [ORACLE_READ] = WORD_KNOWN,
					  [ORACLE_WRITE] = WORD_WRITTEN,
					  [ORACLE_EXEC] = WORD_NO_CODE };
	volatile uint32_t *words = (volatile uint32_t *)(void *)at;
	void *expected = (void *)(uintptr_t)&words[first[access]];
	uint32_t value = *word;

	caught = 0;
	if (!sigsetjmp(escape, 0)) {
		armed = true;
		if (access == ORACLE_EXEC)
			((void (*)(void))(uintptr_t)expected)();
		if (access == ORACLE_WRITE)
			words[WORD_WRITTEN] = value;
		*word = words[WORD_KNOWN];
		if (access == ORACLE_WRITE)
			words[WORD_KNOWN] = value;
	}
	armed = false;
	if (!caught || (caught == SIGILL && access == ORACLE_EXEC && caught_at == expected))
		return OUTCOME_OK;
	if (caught_at == expected && caught == SIGSEGV && caught_code == SEGV_MAPERR)
		return OUTCOME_MAPERR;
	if (caught_at == expected && caught == SIGSEGV && caught_code == SEGV_ACCERR)
		return OUTCOME_ACCERR;
	if (caught_at == expected && caught == SIGBUS && caught_code == BUS_ADRERR)
		return OUTCOME_BUS;
	return -1;
}

static bool is_value(const struct oracle_access *a, uint32_t got)
{
	/* Tern forgets at once what MADV_FREE named. */
	return got == a->old || (!on_tern && got == a->maybe);
}

static void access_page(struct place *c, const struct oracle_access *a)
{
	uint32_t word = a->value;
	enum outcome got = touch(byte_of(c, a->page), a->access, &word);

	if (got != a->want)
		fail(c, "page %u, access %u: %d, expected %d; signal %d, code %d, address %p", a->page,
		     a->access, (int)got, a->want, caught, caught_code, caught_at);
	if (got == OUTCOME_OK && a->access != ORACLE_EXEC && !is_value(a, word))
		fail(c, "page %u, access %u: %#x, expected %u", a->page, a->access, word, a->old);
}

/* ---- copies by the kernel ---- */

static void copied(struct place *c, const struct oracle_access *a, ssize_t n)
{
	if (n != (a->want == OUTCOME_OK ? 1 : -1) || (n < 0 && errno != EFAULT))
		fail(c, "copy at page %u, access %u: %zd, errno %d", a->page, a->access, n, errno);
}

static void copy_from(struct place *c, const struct oracle_access *a)
{
	char *at = byte_of(c, a->page);
	bool by_pipe = a->page & 1;
	uint8_t got = 0;

	copied(c, a, by_pipe ? write(c->pipe[1], at, 1) : pwrite(c->file, at, 1, 0));
	if (a->want != OUTCOME_OK)
		return;
	if ((by_pipe ? read(c->pipe[0], &got, 1) : pread(c->file, &got, 1, 0)) != 1 || !is_value(a, got))
		fail(c, "copied from page %u: %u, expected %u", a->page, got, a->old);
}

static void copy_to(struct place *c, const struct oracle_access *a)
{
	char *at = byte_of(c, a->page);
	bool by_pipe = a->page & 1;
	uint8_t value = a->want == OUTCOME_OK ? a->value : 1, kept = 0;

	if ((by_pipe ? write(c->pipe[1], &value, 1) : pwrite(c->file, &value, 1, 0)) != 1)
		fail(c, "errno %d of a plain write", errno);
	copied(c, a, by_pipe ? read(c->pipe[0], at, 1) : pread(c->file, at, 1, 0));
	/* A pipe keeps what could not be read out of it. */
	if (by_pipe && a->want != OUTCOME_OK && (read(c->pipe[0], &kept, 1) != 1 || kept != value))
		fail(c, "the pipe has lost a byte");
}

static void copy_page(struct place *c, const struct oracle_access *a)
{
	if (a->access == ORACLE_WRITE)
		copy_to(c, a);
	else
		copy_from(c, a);
}

/* ---- regions ---- */

static void returned(struct place *c, long got)
{
	if (got != (c->step->result ? -1 : 0) || (got && errno != -c->step->result))
		fail(c, "returned %ld, errno %d", got, errno);
}

static void do_map(struct place *c, const struct step *s)
{
	char *at = at_page(c, s->page);
	int fd = s->object >= 0 ? c->object[s->object] : -1;
	/* Without MAP_FIXED, the address is a hint. */
	char *got = mmap(at, s->n * c->unit, (int)s->prot, (int)s->flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd,
			 (off_t)(s->index * c->unit));

	if (got != MAP_FAILED && got != at)
		fail(c, "mapped at %p, expected %p", got, at);
	returned(c, got == MAP_FAILED ? -1 : 0);
}

static void move(struct place *c, uint32_t from, uint32_t n, uint32_t to, uint32_t m, unsigned flags)
{
	char *want = at_page(c, to), *got;

	got = mremap(at_page(c, from), n * c->unit, m * c->unit, (int)flags, want);
	if (got != MAP_FAILED && got != want && !(flags & MREMAP_FIXED) && to != from)
		got = mremap(got, m * c->unit, m * c->unit, MREMAP_MAYMOVE | MREMAP_FIXED, want);
	if (got != want)
		fail(c, "moved to %p, expected %p, errno %d", got, want, errno);
}

/* What is one region for Tern may be several for Linux, which moves no more than one at a time. */
static bool must_move_by_pages(struct place *c, const struct step *s)
{
	char *at = at_page(c, s->page);

	if (on_tern || s->n == 1 || (!s->fixed && s->m <= s->n))
		return false;
	return mremap(at, s->n * c->unit, s->n * c->unit + GIB * 256, 0) == MAP_FAILED && errno == EFAULT;
}

static void do_remap(struct place *c, const struct step *s)
{
	uint32_t last = (s->m < s->n ? s->m : s->n) - 1;
	unsigned flags = s->flags | (s->to != s->page ? MREMAP_FIXED : 0);

	if (!must_move_by_pages(c, s)) {
		move(c, s->page, s->n, s->to, s->m, s->flags);
		return;
	}
	for (uint32_t k = 0; k < last && s->to != s->page; k++)
		move(c, s->page + k, 1, s->to + k, 1, flags);
	move(c, s->page + last, 1, s->to + last, s->m - last, flags);
	if (s->m < s->n && munmap(at_page(c, s->page + s->m), (s->n - s->m) * c->unit))
		fail(c, "munmap: errno %d", errno);
}

static void do_brk(struct place *c, const struct step *s)
{
	char *got = (char *)syscall(SYS_brk, at_page(c, s->n));

	if (got != at_page(c, s->to))
		fail(c, "brk %p, expected %p", got, at_page(c, s->to));
}

/* ---- objects ---- */

static off_t scaled(const struct place *c, uint64_t size)
{
	return (off_t)(size / PAGE * c->unit + (size % PAGE ? c->byte + size % PAGE : 0));
}

static void do_object(struct place *c, const struct step *s)
{
	int fd = c->object[s->object];
	off_t at = (off_t)(s->index * c->unit), byte = at + (off_t)c->byte;
	uint8_t got = 0;

	switch (s->kind) {
	case STEP_RESIZE:
		returned(c, ftruncate(fd, scaled(c, s->size)));
		break;
	case STEP_PUNCH:
		returned(c, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
				      (off_t)(s->n * c->unit)));
		break;
	case STEP_WRITE: /* beyond the end it would grow */
		if (s->result && pwrite(fd, &s->access->value, 1, byte) != 1)
			fail(c, "pwrite: errno %d", errno);
		break;
	default:
		if (pread(fd, &got, 1, byte) != s->result || got != s->access->old)
			fail(c, "the file has %u, expected %u", got, s->access->old);
		break;
	}
}

/* ---- checks of a whole window ---- */

static void check_resident(struct place *c, const struct oracle_access *a)
{
	unsigned char there;
	bool mapped = a->region & ORACLE_MAPPED;

	if (mincore(byte_of(c, a->page), PAGE, &there) != (mapped ? 0 : -1) || (!mapped && errno != ENOMEM))
		fail(c, "mincore of page %u: errno %d, mapped %d", a->page, errno, mapped);
	/* What was just read is there. */
	if (mapped && a->want == OUTCOME_OK && !(a->region & ORACLE_FILE) && !(there & 1))
		fail(c, "mincore: page %u, just read, is not there", a->page);
}

/* A line of maps: what it says of each page of the window. */
static void check_line(struct place *c, const char *line, uint8_t *seen)
{
	unsigned long start, end;
	char p[5];

	if (sscanf(line, "%lx-%lx %4s", &start, &end, p) != 3)
		fail(c, "maps: %s", line);
	for (uint32_t k = 0; k < PAGES; k++) {
		unsigned long at = (unsigned long)at_page(c, k);

		if (at >= start && at < end)
			seen[k] = (uint8_t)(ORACLE_MAPPED | (p[0] == 'r' ? PROT_READ : 0) |
					    (p[1] == 'w' ? PROT_WRITE : 0) |
					    (p[2] == 'x' ? PROT_EXEC : 0) |
					    (p[3] == 's' ? ORACLE_SHARED : 0));
	}
}

static void check_maps(struct place *c, const struct step *s)
{
	static __thread char text[65536];
	uint8_t seen[PAGES] = { 0 };
	size_t used = 0;
	ssize_t n;
	int fd = open("/proc/self/maps", O_RDONLY);

	if (fd < 0)
		fail(c, "/proc/self/maps: errno %d", errno);
	while (used < sizeof text - 1 && (n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		check_line(c, line, seen);
	}
	for (uint32_t k = 0; k < PAGES; k++)
		if (seen[k] != (s->access[k].region & ~ORACLE_FILE))
			fail(c, "maps: page %u is %#x, expected %#x", k, seen[k], s->access[k].region);
}

static void do_check(struct place *c, const struct step *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct oracle_access *a = &s->access[i];
		bool due = i % 8 == c->checks % 8;

		if (a->want == OUTCOME_OK || due) /* signals take long */
			access_page(c, a);
		if (due)
			check_resident(c, a);
	}
	if (c->checks++ % 16 == 0)
		check_maps(c, s);
}

void perform(struct place *c, const struct step *s)
{
	char *at = at_page(c, s->page);
	size_t length = s->n * c->unit;

	switch (s->kind) {
	case STEP_ACCESS:
		for (uint32_t i = 0; i < s->count; i++)
			access_page(c, &s->access[i]);
		break;
	case STEP_COPY: copy_page(c, s->access); break;
	case STEP_TRANSFER:
		copy_from(c, &s->access[0]);
		if (s->access[0].want == OUTCOME_OK)
			copy_to(c, &s->access[1]);
		break;
	case STEP_MAP: do_map(c, s); break;
	case STEP_UNMAP: returned(c, munmap(at, length)); break;
	case STEP_PROTECT: returned(c, mprotect(at, length, (int)s->prot)); break;
	case STEP_BRK: do_brk(c, s); break;
	case STEP_ADVISE: returned(c, madvise(at, length, s->advice)); break;
	case STEP_REMAP: do_remap(c, s); break;
	case STEP_RESIZE:
	case STEP_PUNCH:
	case STEP_WRITE:
	case STEP_READ: do_object(c, s); break;
	case STEP_CHECK: do_check(c, s); break;
	default: break;
	}
}

/* ---- windows ---- */

void close_window(const struct place *c)
{
	char *end = at_page(c, PAGES);

	if (mmap(end, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != end)
		fail(NULL, "mmap: errno %d", errno);
}

void place_window(struct place *c, size_t pages)
{
	uintptr_t span = seed % 2 ? GIB : LEAF, low;

	c->unit = pages * PAGE;
	c->byte = seed % pages * PAGE;
	low = (uintptr_t)sbrk(0) + LEAF + BEFORE_LEAF * c->unit;
	c->base = (char *)((low + span - 1) / span * span - BEFORE_LEAF * c->unit);
}

void move_heap(const struct place *c)
{
	char *to = c->base, *at = sbrk(0), *first = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));

	while (at < to) {
		at = to - at > (long)(16 * MIB) ? at + 16 * MIB : to;
		if (brk(at) || (at > first && munmap(first, (size_t)(at - first)) && errno != EINVAL))
			fail(NULL, "brk %p: errno %d", at, errno);
		first = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));
	}
}

void open_objects(struct place *c, const struct oracle *o)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		c->object[i] = memfd_create("object", 0);
		if (c->object[i] < 0 || ftruncate(c->object[i], scaled(c, o->object[i].size)))
			fail(NULL, "an object: errno %d", errno);
	}
}

void open_ways(struct place *c)
{
	c->file = memfd_create("copies", 0);
	if (c->file < 0 || pipe(c->pipe))
		fail(NULL, "a file and a pipe: errno %d", errno);
}
