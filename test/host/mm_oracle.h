/* Random operations on spaces and objects, and what each of them must give.
 *
 * mm_property.c runs the steps on mm/ itself, on the adversarial machine; guest/programs/mm_replay.c runs
 * the same ones with system calls, on Tern and on Linux.  The oracle is naive: an array of pages
 * a space, with one byte of contents each, and an array of bytes an object.  It is never wrong for the
 * same reason as the kernel.
 *
 * oracle_next() makes one step out of random numbers and the state, with all that is expected of it, and
 * commits it to the state at once: so nothing that a run observes changes what comes next. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORACLE_PAGES 96u
#define ORACLE_SPACES 4u
#define ORACLE_OBJECTS 3u
#define ORACLE_OBJECT_PAGES 40u
#define ORACLE_PAGE 4096u

enum outcome { OUTCOME_OK, OUTCOME_MAPERR, OUTCOME_ACCERR, OUTCOME_BUS };
enum { ORACLE_READ = 1, ORACLE_WRITE = 2, ORACLE_EXEC = 4 };

struct oracle_page {
	bool mapped, shared, copied, dontfork, wipe, heap;
	uint8_t prot, value;
	uint8_t freed; /* MADV_FREE: the value it may still have; else 0 */
	uint8_t huge;  /* 1: MADV_HUGEPAGE, 2: MADV_NOHUGEPAGE */
	int object;    /* -1: anonymous */
	uint32_t index;
};
struct oracle_space {
	bool live;
	struct oracle_page page[ORACLE_PAGES];
	uint32_t brk; /* pages */
};
struct oracle_object {
	uint64_t size;
	uint8_t value[ORACLE_OBJECT_PAGES];
};

struct oracle {
	struct oracle_space space[ORACLE_SPACES];
	struct oracle_object object[ORACLE_OBJECTS];
	uint32_t nspaces; /* with one there is no fork */
	bool has_brk;
	bool few_objects; /* most mappings are anonymous, as fork shares only such tables */
	uint32_t huge;	  /* not 0: there are huge pages of so many, and many mappings are for them */
	uint32_t huge_at; /* the first page that one can begin at */
	uint64_t random;
	const uint8_t *fuzz; /* a fuzzer's random numbers, while they last */
	size_t fuzz_left;
};

/* One access or copy of one byte at a page's start: what is there before, what is stored. */
struct oracle_access {
	uint8_t page, access, want, old, maybe /* as good as old */, value;
	uint8_t region; /* of a STEP_CHECK: PROT_*, and the bits below */
};
#define ORACLE_MAPPED 8
#define ORACLE_SHARED 16
#define ORACLE_FILE 32

enum step_kind {
	STEP_NONE,
	STEP_ACCESS,   /* access[0…count-1] */
	STEP_COPY,     /* access[0], by the kernel */
	STEP_TRANSFER, /* a page: access[0] of the space to access[1] of `other`, if both are good */
	STEP_MAP,
	STEP_UNMAP,
	STEP_PROTECT,
	STEP_BRK, /* to n pages; `to` is where it is then */
	STEP_ADVISE,
	STEP_REMAP,
	STEP_FORK, /* to `other`, whose old life ends first */
	STEP_EXIT,
	STEP_RESIZE,
	STEP_PUNCH,
	STEP_WRITE, /* access[0].value to page n of the object; result: 1, 0 beyond its end */
	STEP_READ,  /* access[0].old likewise */
	STEP_CHECK, /* access[0…ORACLE_PAGES-1]: reads of all pages, made by oracle_check() */
};

struct step {
	enum step_kind kind;
	bool fresh;	/* the space begins with this step */
	bool kill_other;
	bool fixed;	/* MAP, REMAP: at that address */
	bool holes;	/* PROTECT, ADVISE: fails because of a hole or of a region that cannot do it */
	uint8_t space, other, reads, writes; /* bits: objects whose contents or size count or change */
	int result;	/* 0 or a negative errno */
	uint32_t page, n;
	uint32_t to, m; /* REMAP: the new place and length; the tables' choice unless `fixed` */
	int object;
	uint32_t index;
	unsigned prot, flags;
	int advice;
	uint64_t size;
	uint32_t count;
	struct oracle_access access[ORACLE_PAGES];
};

/* No space lives; objects have random sizes. */
void oracle_start(struct oracle *o, uint64_t seed, const uint8_t *fuzz, size_t size);
uint32_t oracle_random(struct oracle *o);
void oracle_next(struct oracle *o, struct step *s);
/* Makes `s` a STEP_CHECK of a space. */
void oracle_check(const struct oracle *o, unsigned space, struct step *s);
/* Space `to` becomes what a child of `from` has. */
void oracle_fork(struct oracle *o, unsigned from, unsigned to);
enum outcome oracle_expect(const struct oracle *o, unsigned space, uint32_t page, unsigned access);
uint8_t oracle_value(const struct oracle *o, unsigned space, uint32_t page);
/* MAP_POPULATE copies private pages as far as there is memory: this one was not. */
void oracle_not_copied(struct oracle *o, unsigned space, uint32_t page);
/* A step in words, for traces and failures. */
int oracle_print(const struct step *s, char *text, size_t size);
