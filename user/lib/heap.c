/* What picolibc's malloc grows by: sbrk over one range of addresses kept for the heap, mapped in
 * populated steps as it grows, so that want of memory is a NULL from malloc and never a fault.
 *
 * What a server keeps may last, and no process's end gives it back: names, locks.  So a heap stops
 * growing while a share of memory is left for those who run; pm's does not, whom they all need. */
#include <linux/mman.h>
#include <server/server.h>

#define HEAP_BASE 0x800000000ul
#define HEAP_MAX 0x40000000ul
#define HEAP_STEP 0x10000ul

void *sbrk(ptrdiff_t increment);

/* Heaps leave a 12th of memory, as files do (mm/fault.c): twice what fork asks for. */
#define LEAVES 12

const bool server_heap_bounded __attribute__((weak)) = true;
const unsigned server_bind_flags __attribute__((weak)) = 0;

static bool scarce(void)
{
	struct tern_memory_info info;

	return server_heap_bounded && tern_system_info(TERN_INFO_MEMORY, &info, sizeof info) >= 0 &&
	       info.frames.free < info.frames.total / LEAVES;
}

static uintptr_t heap_end = HEAP_BASE;	  /* of what was handed out */
static uintptr_t heap_mapped = HEAP_BASE; /* of what is mapped */

void *sbrk(ptrdiff_t increment)
{
	uintptr_t old = heap_end;

	if (increment < 0) {
		if ((uintptr_t)-increment > heap_end - HEAP_BASE)
			return (void *)-1;
		heap_end -= (uintptr_t)-increment;
		return (void *)old;
	}
	if ((uintptr_t)increment > HEAP_BASE + HEAP_MAX - heap_end)
		return (void *)-1;
	if (heap_end + (uintptr_t)increment > heap_mapped) {
		uintptr_t need = heap_end + (uintptr_t)increment - heap_mapped;
		long r;

		if (scarce())
			return (void *)-1;
		need = (need + HEAP_STEP - 1) & ~(HEAP_STEP - 1);
		r = TERN_OP6(222, heap_mapped, need, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (r < 0)
			return (void *)-1;
		r = TERN_OP3(233, heap_mapped, need, MADV_POPULATE_WRITE);
		if (r < 0) {
			tern_munmap((void *)heap_mapped, need);
			return (void *)-1;
		}
		heap_mapped += need;
	}
	heap_end += (uintptr_t)increment;
	return (void *)old;
}
