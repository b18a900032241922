/* A7: permissions are in the table.
 *
 * One page, one frame, and what mprotect makes of it: read-only, nothing, all again.  What the
 * permission forbids is stopped at the access, and nothing is lost.
 */
#include "demo_fault.h"
#include "demo_maps.h"
#include "demo_walk.h"

static void protect(char *page, int prot, const char *text)
{
	struct demo_region r;
	struct demo_walk w;

	if (mprotect(page, DEMO_PAGE, prot))
		demo_give_up("mprotect failed");
	r = demo_region_of(page);
	printf("mprotect %-18s maps says %s\n", text, r.perms);
	printf("#   frame %#lx\n", (unsigned long)demo_frame(page));
	demo_claim((r.perms[0] == 'r') == !!(prot & PROT_READ) &&
		   (r.perms[1] == 'w') == !!(prot & PROT_WRITE), "maps says %s", r.perms);
	if (!demo_walk(getpid(), page, &w))
		return;
	printf("#   tern: the table allows %s\n", w.access);
	/* A page that may be written may still be mapped without w until the next write. */
	demo_claim(w.access[1] != 'w' || prot & PROT_WRITE, "the table still allows writing");
	demo_claim(w.access[0] != 'r' || prot & PROT_READ, "the table still allows reading");
}

int main(int argc, char **argv)
{
	char *page;
	uint64_t frame;

	demo_start(argc, argv, "A7", "permissions are in the table",
		   "Takes access to a page away and gives it back with mprotect.  Look at what each\n"
		   "access comes to, and that the frame stays the same.\n");
	demo_fault_catch();
	page = demo_map(DEMO_PAGE);
	*page = 42;
	frame = demo_frame(page);
	demo_show("frame known", frame != 0, true);
	protect(page, PROT_READ, "read");
	demo_try_show("  write", demo_fault_write, page, SIGSEGV, SEGV_ACCERR);
	demo_try_show("  read", demo_fault_read, page, 0, 0);
	protect(page, PROT_NONE, "none");
	demo_try_show("  write", demo_fault_write, page, SIGSEGV, SEGV_ACCERR);
	demo_try_show("  read", demo_fault_read, page, SIGSEGV, SEGV_ACCERR);
	protect(page, PROT_READ | PROT_WRITE, "read and write");
	demo_show("the value is still there", *(volatile char *)page == 42, true);
	demo_try_show("  write", demo_fault_write, page, 0, 0);
	demo_show("the write succeeded", *(volatile char *)page == 1, true);
	demo_show("the same frame at the end", demo_frame(page) == frame, true);
	return demo_end();
}
