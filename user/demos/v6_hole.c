/* V6: the hole between user and kernel.
 *
 * Sv39 has 39 bits of address; bits 63 to 39 must repeat bit 38.  So there are two halves of 256 GiB,
 * below the user's and at the very top the kernel's, and a hole between them.  Touching the hole or
 * the kernel's half from user mode ends in SIGSEGV.  On Tern the kernel's half of the root table can be
 * seen: it is the same in every process.
 */
#include "demo_fault.h"
#include "demo_walk.h"

/* Entries 256 to 511 of the root table of a process, those of the kernel's half; how many are in use,
 * or -1. */
static int kernel_half(pid_t pid, uint64_t *entry)
{
	struct demo_walk w;
	int used = 0;

	for (uint64_t i = 0; i < 256; i++) {
		if (!demo_walk(pid, (void *)((i + 256) << 30 | ~0ull << 39), &w))
			return -1;
		entry[i] = w.level[0].entry;
		used += entry[i] != 0;
	}
	return used;
}

static void compare_halves(void)
{
	static uint64_t ours[256], childs[256], inits[256];
	struct demo_line line;
	int used = kernel_half(getpid(), ours);
	pid_t child;
	char go;

	if (used < 0)
		return;
	demo_line_open(&line);
	child = fork();
	if (child < 0)
		demo_give_up("no process");
	if (child == 0) {
		demo_receive(line.to_child[0], &go, 1);
		_exit(0);
	}
	demo_claim(kernel_half(child, childs) == used, "the child's kernel half differs");
	demo_claim(kernel_half(1, inits) == used, "init's kernel half differs");
	demo_send(line.to_child[1], "g", 1);
	demo_reap(child);
	printf("#   tern: kernel's half: %d root entries in use; our child's and init's: %s\n", used,
	       memcmp(ours, childs, sizeof ours) || memcmp(ours, inits, sizeof ours)
			     ? "others" : "the same");
	demo_claim(used > 0, "no kernel half");
	demo_claim(!memcmp(ours, childs, sizeof ours), "a child has another kernel half");
	demo_claim(!memcmp(ours, inits, sizeof ours), "init has another kernel half");
}

/* Reads and writes at an address. */
static void try_both(const char *what, const void *at)
{
	struct demo_fault r = demo_try(demo_fault_read, at), w = demo_try(demo_fault_write, at);

	printf("0x%016lx %-19s read, write: %s\n", (unsigned long)at, what, demo_fault_name(&r));
	demo_claim(r.signal == SIGSEGV && r.code == SEGV_MAPERR, "%s read: %s", what, demo_fault_name(&r));
	demo_claim(w.signal == r.signal && w.code == r.code, "%s written: %s", what, demo_fault_name(&w));
	demo_claim(r.address == (uintptr_t)at && w.address == r.address,
		   "%s: the signals name %#lx and %#lx", what, r.address, w.address);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *what;
		uint64_t address;
	} places[] = {
		{ "first of the hole", 0x4000000000 },
		{ "middle of the hole", 0x8000000000000000 },
		{ "last of the hole", 0xffffffbfffffffff },
		{ "first of the kernel", 0xffffffc000000000 },
		{ "within the kernel", 0xffffffff80000000 },
		{ "last of all", 0xffffffffffffffff },
	};
	char local = 0;

	demo_start(argc, argv, "V6", "the hole between user and kernel",
		   "Reads and writes addresses that are no user's: in the hole of Sv39 and in the\n"
		   "kernel's half.  Look at the signals, and on Tern at the kernel's half of tables.\n");
	demo_fault_catch();
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		try_both(places[i].what, (void *)places[i].address);
	printf("#   a variable of main: %p\n", (void *)&local);
	compare_halves();
	return demo_end();
}
