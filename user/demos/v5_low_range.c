/* V5: the reserved low range.
 *
 * Nothing is ever mapped in the first 64 KiB, so that a null pointer, and a member or element behind
 * one, hits nothing.  Every page of the range is read and written: each time a SIGSEGV that says
 * "not mapped" and names the address.
 */
#include "demo_fault.h"
#include "demo_maps.h"

#define LOW 0x10000ul

int main(int argc, char **argv)
{
	static struct demo_region r[DEMO_REGIONS];
	int tried = 0, stopped = 0, named = 0;

	demo_start(argc, argv, "V5", "the reserved low range",
		   "Reads and writes addresses from 0 to 64 KiB and catches the signal.  Look at the\n"
		   "counts: every access is stopped, and the lowest region begins above.\n");
	demo_fault_catch();
	for (uintptr_t at = 0; at < LOW; at += DEMO_PAGE / 2)
		for (int write = 0; write < 2; write++) {
			struct demo_fault f = demo_try(write ? demo_fault_write : demo_fault_read,
						       (void *)at);

			tried++;
			stopped += f.signal == SIGSEGV && f.code == SEGV_MAPERR;
			named += f.address == at;
		}
	demo_try_show("reading address 0", demo_fault_read, NULL, SIGSEGV, SEGV_MAPERR);
	demo_try_show("writing address 0", demo_fault_write, NULL, SIGSEGV, SEGV_MAPERR);
	demo_try_show("jumping to address 0", demo_fault_jump, NULL, SIGSEGV, SEGV_MAPERR);
	demo_try_show("writing byte 65535", demo_fault_write, (void *)(LOW - 1), SIGSEGV,
		      SEGV_MAPERR);
	printf("accesses from 0 to 64 KiB: %d, stopped %d, address named %d\n", tried, stopped, named);
	demo_claim(tried == 64 && stopped == tried && named == tried, "an access was not stopped");
	demo_claim(demo_regions(getpid(), r) > 0, "no /proc/self/maps");
	printf("#   the lowest region begins at %#lx\n", r[0].start);
	demo_show("the lowest region begins at 64 KiB or above", r[0].start >= LOW, true);
	return demo_end();
}
