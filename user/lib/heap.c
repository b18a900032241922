/* sbrk, by which picolibc's malloc gets memory: one range of addresses is the heap's, and is mapped
 * in steps as the heap grows.  Each step brings all its pages at once (MADV_POPULATE_WRITE), so
 * when memory is out malloc returns NULL, and the server never faults on a page that cannot be had.
 *
 * What a server allocates (names, locks) may outlive the process that asked for it, so ending
 * processes would not give it back.  Therefore heaps stop growing while a 12th of memory is
 * still free for programs.  pm's heap may take the last (server_heap_bounded is false there),
 * because without pm nobody can fork, exit or wait. */
#include <linux/mman.h>
#include <server/server.h>

#define HEAP_BASE 0x800000000ul
#define HEAP_MAX 0x40000000ul
#define HEAP_STEP 0x10000ul

void *sbrk(ptrdiff_t increment);

/* A heap does not grow while less than a 12th of memory is free: the same bound as for the
 * growth of files (FILE_SHARE, mm/memobj.h), and twice what fork asks for, so that forks still
 * work then. */
#define LEAVES 12

const bool server_heap_bounded __attribute__((weak)) = true;
const unsigned server_bind_flags __attribute__((weak)) = 0;

static bool scarce(void)
{
	struct tern_memory_info info;

	return server_heap_bounded && tern_system_info(TERN_INFO_MEMORY, &info, sizeof info) >= 0 &&
	       info.frames.free < info.frames.total / LEAVES;
}

static uintptr_t heap_end = HEAP_BASE;	  /* the end of what sbrk has handed out */
static uintptr_t heap_mapped = HEAP_BASE; /* the end of what is mapped, never below heap_end */

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
