/* A6: illegal accesses are stopped.
 *
 * A null pointer, one behind the end of a mapping, one to what was given back, a wild one, one behind
 * the end of a file.  Each raises a signal that says why and names the address; the handler jumps
 * back with siglongjmp, and the program goes on.
 */
#include "demo_fault.h"

static int sum(const volatile char *p, int n)
{
	int total = 0;

	for (int i = 0; i < n; i++)
		total += p[i];
	return total;
}

int main(int argc, char **argv)
{
	char name[] = "/tmp/a6.XXXXXX", *two, *gone, *file;
	int fd = mkstemp(name);

	demo_start(argc, argv, "A6", "illegal accesses are stopped",
		   "Follows five bad pointers and catches what comes.  Look at the reason that each\n"
		   "signal gives; the address that it names is checked, too.\n");
	demo_fault_catch();
	two = demo_map(4 * DEMO_PAGE);
	memset(two, 1, 2 * DEMO_PAGE);
	gone = demo_map(DEMO_PAGE);
	*gone = 1;
	if (fd < 0 || unlink(name) || write(fd, "x", 1) != 1)
		demo_give_up("no file");
	file = mmap(NULL, 2 * DEMO_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		demo_give_up("the file cannot be mapped");
	munmap(two + 2 * DEMO_PAGE, 2 * DEMO_PAGE);
	munmap(gone, DEMO_PAGE);

	demo_try_show("a null pointer", demo_fault_read, NULL, SIGSEGV, SEGV_MAPERR);
	demo_try_show("behind the end", demo_fault_write, two + 2 * DEMO_PAGE, SIGSEGV, SEGV_MAPERR);
	demo_try_show("after munmap", demo_fault_write, gone, SIGSEGV, SEGV_MAPERR);
	demo_try_show("a wild pointer", demo_fault_read, (void *)0xdeadbeef000, SIGSEGV, SEGV_MAPERR);
	demo_try_show("behind a file's end", demo_fault_read, file + DEMO_PAGE, SIGBUS, BUS_ADRERR);
	demo_try_show("within the file", demo_fault_read, file, 0, 0);
	demo_try_show("within the mapping", demo_fault_write, two + 2 * DEMO_PAGE - 1, 0, 0);
	demo_show("what was there is there", sum(two, 2 * DEMO_PAGE) == 2 * DEMO_PAGE, true);
	return demo_end();
}
