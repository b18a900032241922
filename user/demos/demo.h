/* What the demos share: options, claims and their verdict, and looking at one's own memory.
 *
 * A demo prints two kinds of lines.  Plain ones say what was found out; they are the same on every
 * system.  Lines that begin with '#' hold raw numbers (addresses, frames, table entries): they
 * differ from run to run, and those marked `tern:` can be had on Tern only.  The last line is the
 * verdict, `NAME: ok` or `NAME: FAILED: the first claim that did not hold`. */
#pragma once

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEMO_PAGE 4096

/* A variable on a page that it shares with nothing else. */
#define DEMO_ALONE __attribute__((aligned(DEMO_PAGE)))

static const char *demo_name;
static char demo_failure[200];

/* The start of a demo that takes `most` arguments: says what is shown and what to look at.  That is all
 * for -h, and for too many arguments.  Pages are of 4 KiB only, on Linux and on Tern (but V15's). */
static inline void demo_start_with(int most, int argc, char **argv, const char *name,
				   const char *title, const char *help)
{
	demo_name = name;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s: %s\n%s", name, title, help);
	if (argc > 1 && (!strcmp(argv[1], "-h") || argc - 1 > most))
		exit(strcmp(argv[1], "-h") != 0);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static inline void demo_start(int argc, char **argv, const char *name, const char *title,
			      const char *help)
{
	demo_start_with(0, argc, argv, name, title, help);
}

/* Keeps the first claim that does not hold for the verdict. */
static inline bool __attribute__((format(printf, 2, 3))) demo_claim(bool holds, const char *fmt, ...)
{
	va_list ap;

	if (!holds && !demo_failure[0]) {
		va_start(ap, fmt);
		vsnprintf(demo_failure, sizeof demo_failure, fmt, ap);
		va_end(ap);
	}
	return holds;
}

/* Prints `text: yes` or `text: no` and claims that it is as it should be. */
static inline void demo_show(const char *text, bool is, bool should_be)
{
	printf("%s: %s\n", text, is ? "yes" : "no");
	demo_claim(is == should_be, "%s: %s", text, is ? "yes" : "no");
}

static inline int demo_end(void)
{
	if (demo_failure[0])
		printf("%s: FAILED: %s\n", demo_name, demo_failure);
	else
		printf("%s: ok\n", demo_name);
	return demo_failure[0] != 0;
}

static inline _Noreturn void demo_give_up(const char *what)
{
	printf("%s: FAILED: %s\n", demo_name, what);
	exit(1);
}

/* The word of /proc/PID/pagemap (PID 0: self) for the page of an address. */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_ONCE	(1ull << 56) /* only this process maps the frame */
#define PAGEMAP_FRAME	((1ull << 55) - 1)

static inline uint64_t demo_pagemap(const volatile void *address)
{
	uint64_t word = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd >= 0) {
		if (pread(fd, &word, 8, (off_t)((uintptr_t)address / DEMO_PAGE * 8)) != 8)
			word = 0;
		close(fd);
	}
	return word;
}

/* The number of the frame behind an address; 0: no page there, or not for us to see. */
static inline uint64_t demo_frame(const volatile void *address)
{
	uint64_t word = demo_pagemap(address);

	return word & PAGEMAP_PRESENT ? word & PAGEMAP_FRAME : 0;
}

/* A value of /proc/tern/objects, -1 where there is no such file or name. */
static inline long demo_objects(const char *name)
{
	char text[4096], *at;
	int fd = open("/proc/tern/objects", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	size_t len = strlen(name);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	for (at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (!strncmp(at, name, len) && at[len] == ' ')
			return atol(at + len);
	return -1;
}

/* A number behind `name` in a file of "name number" lines; -1 where there is none. */
static inline long demo_file_value(const char *path, const char *name)
{
	char line[256];
	size_t len = strlen(name);
	long value = -1;
	FILE *f = fopen(path, "r");

	while (f && value < 0 && fgets(line, sizeof line, f))
		if (!strncmp(line, name, len))
			value = atol(line + len);
	if (f)
		fclose(f);
	return value;
}

/* Minor faults so far: pages that came without any reading from a device. */
static inline long demo_faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt;
}

/* Memory of one's own, nothing of it touched yet. */
static inline char *demo_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		demo_give_up("no memory to map");
	return p;
}

/* How many of the pages from an address on, at most 256 MiB, are in memory; -1: some are not mapped. */
static inline long demo_resident(const void *from, size_t size)
{
	static unsigned char in[65536];
	long count = 0;

	if (size > sizeof in * DEMO_PAGE || mincore((void *)(uintptr_t)from, size, in))
		return -1;
	for (size_t i = 0; i < size / DEMO_PAGE; i++)
		count += in[i] & 1;
	return count;
}

/* Two processes in step: each side waits for a word of the other's. */
struct demo_line {
	int to_child[2], to_parent[2];
};

static inline void demo_line_open(struct demo_line *line)
{
	if (pipe(line->to_child) || pipe(line->to_parent))
		demo_give_up("no pipe");
}

static inline void demo_send(int fd, const void *what, size_t size)
{
	if (write(fd, what, size) != (ssize_t)size)
		demo_give_up("a pipe is broken");
}

static inline void demo_receive(int fd, void *what, size_t size)
{
	if (read(fd, what, size) != (ssize_t)size)
		demo_give_up("a pipe ended early");
}

/* Waits for a child; claims that it exited with 0. */
static inline void demo_reap(pid_t child)
{
	int status = -1;

	demo_claim(waitpid(child, &status, 0) == child && status == 0,
		   "a child ended with status %#x", (unsigned)status);
}
