/* Address-space randomisation: the layout of a new program's space.
 *
 * From the top down come the vDSO, the stack, the room that it may grow into, and the mmap area;
 * far below lies a position-independent program with its heap.  Each part moves by a random number
 * of pages.  If the stack's limit is an ordinary one, the stack and the mmap area stay in the
 * uppermost GiB, so that a small program needs no more page tables than without randomisation; that
 * leaves 16 random bits for the stack and 17 for the mmap area, of the 18 that Linux has on Sv39.
 * personality(ADDR_NO_RANDOMIZE), or `norandmaps` on the kernel's command line, turns this off.
 */
#include "layout.h"
#include <tern/abi.h>

#define PAGE 4096ull
#define MIB (1ull << 20)
#define PIE_BASE 0x2aaaaaa000ull /* two thirds of the user half */
#define STACK_BITS 16
#define MMAP_BITS 17
#define PIE_BITS 17
#define BRK_BITS 13
#define STACK_ROOM_MAX (TERN_STACK_TOP / 6 * 5)

static uint64_t pages(uint64_t word, unsigned bits)
{
	return (word & ((1ull << bits) - 1)) * PAGE;
}

void layout_choose(struct layout *l, const uint64_t words[4], bool random, uint64_t stack_limit)
{
	uint64_t room = stack_limit < LAYOUT_STACK_ROOM ? LAYOUT_STACK_ROOM
			: stack_limit > STACK_ROOM_MAX  ? STACK_ROOM_MAX
							: stack_limit;

	l->stack_top = TERN_STACK_TOP - (random ? pages(words[0], STACK_BITS) : 0);
	l->mmap_top = (l->stack_top - room - (random ? pages(words[1], MMAP_BITS) : 0)) & ~(PAGE - 1);
	l->pie_base = PIE_BASE + (random ? pages(words[2], PIE_BITS) : 0);
	l->brk_shift = random ? pages(words[3], BRK_BITS) : 0;
}
