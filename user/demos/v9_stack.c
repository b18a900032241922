/* V9: the stack.
 *
 * It grows on demand: calls that go deeper fault in a page at a time, and the region grows with them.
 * At its limit the next page is refused: SIGSEGV, handled on another stack, as there is no more room on
 * this one; and the program goes on.
 */
#include "demo_fault.h"
#include "demo_maps.h"

#include <sys/resource.h>

#define KIB 1024l
#define LIMIT (2048 * KIB)

static uintptr_t top, deepest; /* lowest address reached */

/* One page of stack a call. */
static int __attribute__((noinline)) deeper(int calls)
{
	volatile char page[DEMO_PAGE - 64];
	int below;

	page[0] = (char)calls;
	deepest = (uintptr_t)page;
	below = calls > 1 ? deeper(calls - 1) : 0;
	return below + (page[0] == (char)calls);
}

static void step(int calls)
{
	long faults = demo_faults(), taken;
	int came_back = deeper(calls);
	struct demo_region r;

	taken = demo_faults() - faults;
	r = demo_region_of((void *)deepest);
	printf("%4d calls: every page kept its value: %s, the region covers them: %s\n", calls,
	       came_back == calls ? "yes" : "no", r.start <= deepest && r.end >= top ? "yes" : "no");
	printf("#   %s is %lu KiB, reached %lu KiB down, faults %ld\n", r.name, (r.end - r.start) / KIB,
	       (top - deepest) / KIB, taken);
	demo_claim(came_back == calls, "a call lost its page");
	demo_claim(!strcmp(r.name, "[stack]") && r.start <= deepest, "the stack has not grown");
	demo_claim(r.end - r.start <= top - deepest + 512 * KIB, "the stack grew too far");
}

static void endlessly(volatile char *at)
{
	(void)at;
	deeper(1 << 30);
}

int main(int argc, char **argv)
{
	struct rlimit limit = { LIMIT, RLIM_INFINITY };
	struct demo_fault f;
	long faults;

	demo_start(argc, argv, "V9", "the stack grows on demand",
		   "Goes 64, 128, 256 calls deep, a page each.  Look at the region and the faults;\n"
		   "then recurses without end: SIGSEGV at the limit, and the program goes on.\n");
	top = (uintptr_t)__builtin_frame_address(0);
	demo_fault_catch();
	step(64);
	step(128);
	step(256);
	faults = demo_faults();
	deeper(256);
	printf("256 calls once more: faults %ld\n", demo_faults() - faults);
	demo_claim(demo_faults() == faults, "pages that are there fault again");
	getrlimit(RLIMIT_STACK, &limit);
	limit.rlim_cur = LIMIT;
	if (setrlimit(RLIMIT_STACK, &limit))
		demo_give_up("no limit");
	f = demo_try(endlessly, NULL);
	printf("without end, limit %ld KiB: %s%s\n", LIMIT / KIB, demo_fault_name(&f),
	       demo_fault_reason(&f));
	printf("#   at %#lx, %lu KiB down\n", f.address, (top - f.address) / KIB);
	demo_claim(f.signal == SIGSEGV && f.code == SEGV_MAPERR, "not SIGSEGV");
	demo_show("stopped at the limit",
		  top - f.address <= LIMIT + DEMO_PAGE && top - f.address >= LIMIT - 256 * KIB, true);
	demo_show("and the program goes on", deeper(256) == 256, true);
	return demo_end();
}
