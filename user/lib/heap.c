/* What picolibc's malloc grows by: sbrk over one range of addresses kept for the heap, mapped in
 * populated steps as it grows, so that want of memory is a NULL from malloc and never a fault. */
#include <server/server.h>
#include <tern/linux/mman.h>

#define HEAP_BASE 0x800000000ul
#define HEAP_MAX 0x40000000ul
#define HEAP_STEP 0x10000ul

void *sbrk(ptrdiff_t increment);

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
