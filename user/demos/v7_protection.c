/* V7: protection between segments.
 *
 * Text may be read and executed, constants read, data and stack read and written.  What is not allowed
 * is tried: writing text and constants, executing data, heap and stack.  Each is stopped with "not
 * allowed", which is another code than that of an address where nothing is, and changes nothing.
 */
#include "demo_fault.h"
#include "demo_maps.h"

static const char constant[64] = "constant";
static volatile char data[64] = "data";

int main(int argc, char **argv)
{
	volatile char local[64] = "stack";
	char *heap = malloc(64);
	const volatile char *text = (char *)(uintptr_t)main, *words = constant;
	char first = *text;
	struct demo_region t, d;

	demo_start(argc, argv, "V7", "protection between segments",
		   "Tries to write text and constants and to execute data, heap and stack.\n"
		   "Look at the code of each signal: not allowed, rather than not mapped.\n");
	demo_fault_catch();
	if (!heap)
		demo_give_up("no memory");
	demo_try_show("write text", demo_fault_write, text, SIGSEGV, SEGV_ACCERR);
	demo_try_show("write a constant", demo_fault_write, words, SIGSEGV, SEGV_ACCERR);
	demo_try_show("execute data", demo_fault_jump, data, SIGSEGV, SEGV_ACCERR);
	demo_try_show("execute the heap", demo_fault_jump, heap, SIGSEGV, SEGV_ACCERR);
	demo_try_show("execute the stack", demo_fault_jump, local, SIGSEGV, SEGV_ACCERR);
	demo_try_show("read text", demo_fault_read, text, 0, 0);
	demo_try_show("write data", demo_fault_write, data, 0, 0);
	demo_show("text and constant are as before",
		  *text == first && words[0] == 'c', true);
	t = demo_region_of(text);
	d = demo_region_of(data);
	printf("text %s, data %s\n", t.perms, d.perms);
	printf("#   text %lx-%lx, data %lx-%lx: %lu pages between them\n", t.start, t.end, d.start, d.end,
	       (d.start - t.end) / DEMO_PAGE);
	demo_claim(t.perms[1] == '-' && d.perms[2] == '-', "a region is writable and executable");
	demo_show("no page is text and data", t.end <= d.start, true);
	return demo_end();
}
