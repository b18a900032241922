/*
 * Backtraces: where a hart is, as a list of return addresses with the names of functions.  The
 * names come from .ksyms, a table that the second link adds; before that, addresses are printed
 * alone.
 *
 * Debug builds have frame pointers, and a backtrace follows their chain: [fp - 8] is the return
 * address and [fp - 16] the caller's fp; a leaf function keeps only its caller's fp, at [fp - 8].
 * In release builds it searches the stack for words that point right behind a call in the text.
 * Callers are among these, but so are leftovers of earlier calls, so the lines say "?".  Nothing is
 * read but the kernel's stacks.  No locks.
 */
#include <arch/cpu.h>
#include <kernel/hart.h>
#include <kernel/lib/log.h>

#include "arch_priv.h"

#define MAX_LINES 32
#define MAX_WORDS 1024

extern const u64 ksyms_count __attribute__((weak));
extern const u64 ksyms_addr[] __attribute__((weak));
extern const u32 ksyms_name[] __attribute__((weak));
extern const char ksyms_names[] __attribute__((weak));

static bool in_text(u64 a) { return a >= (u64)_text_start && a < (u64)_text_end; }

/* The end of the stack of this hart in which address a lies; 0: it lies in none. */
static u64 stack_end(u64 a)
{
	u64 top = this_hart()->kernel_sp;

	if (a % 8)
		return 0;
	if (top && a >= top - STACK_SIZE && a < top)
		return top;
	/* The boot stack lies in the image's data. */
	if (a >= (u64)_data_start && a < (u64)_end_va)
		return (u64)_end_va;
	return 0;
}

const char *arch_symbol(u64 address, u64 *offset)
{
	u64 low = 0, high = &ksyms_count ? ksyms_count : 0;

	*offset = 0;
	if (!high || address < ksyms_addr[0])
		return "?";
	while (high - low > 1) {
		u64 middle = (low + high) / 2;

		if (ksyms_addr[middle] <= address)
			low = middle;
		else
			high = middle;
	}
	*offset = address - ksyms_addr[low];
	return ksyms_names + ksyms_name[low];
}

/* A return address is looked up as the byte before it, as a call may be the last instruction of its
 * function. */
static void print_line(u64 pc, bool is_return, const char *mark)
{
	u64 offset;
	const char *name = arch_symbol(pc - is_return, &offset);

	klog("  %s%016lx %s+0x%lx\n", mark, pc, name, offset + is_return);
}

#if TERN_DEBUG
static void backtrace_follow(u64 fp)
{
	for (int i = 0; i < MAX_LINES && stack_end(fp - 16); i++) {
		const u64 *frame = (const u64 *)fp;
		u64 ra = frame[-1];

		if (in_text(ra)) {
			print_line(ra, true, "");
			fp = frame[-2];
		} else {
			fp = ra; /* the frame of a leaf function, with its caller's fp there */
		}
	}
}
#else
/* Address a is right behind a call: jal or jalr, of 4 bytes, or c.jalr, of 2. */
static bool behind_call(u64 a)
{
	u16 half;
	u32 low;

	if (!in_text(a - 4) || a % 2)
		return false;
	half = *(const u16 *)(a - 2);
	low = *(const u16 *)(a - 4);
	if ((low & 0x7f) == 0x6f || (low & 0x7f) == 0x67)
		return true;
	return (half & 0xf07f) == 0x9002 && (half & 0x0f80);
}

static void backtrace_search(u64 sp)
{
	u64 end = stack_end(sp);
	int lines = 0;

	for (u64 a = sp; a < end && a < sp + MAX_WORDS * 8 && lines < MAX_LINES; a += 8) {
		u64 word = *(const u64 *)a;

		if (behind_call(word)) {
			print_line(word, true, "? ");
			lines++;
		}
	}
}
#endif

void arch_backtrace(u64 sp, u64 pc)
{
	u64 here = (u64)__builtin_frame_address(0);

	if (pc)
		print_line(pc, false, "");
#if TERN_DEBUG
	(void)sp;
	backtrace_follow(here);
#else
	u64 bottom = this_hart()->kernel_sp - STACK_SIZE;

	if (sp < bottom && bottom - sp < STACK_SIZE)
		sp = bottom; /* the stack overflowed into its guard */
	backtrace_search(stack_end(sp) ? sp : here);
#endif
}
