/* Where the parts of a program's space lie: at random places, at fixed ones when it asks for that.
 * helper_pie is a static position-independent program, here also the interpreter of another. */
#include "test.h"
#include <elf.h>
#include <sys/personality.h>

#define RUNS 8

struct places {
	unsigned long heap, stack, mapping;
};

EXEC(tell)
{
	int fd = atoi(test_arg), here = 0;
	struct places p = {
		(unsigned long)(uintptr_t)sbrk(0),
		(unsigned long)(uintptr_t)&here,
		(unsigned long)(uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	};

	CHECK_EQ(write(fd, &p, sizeof p), sizeof p);
	exit(0);
}

static void ask(struct places *p, unsigned long persona)
{
	char number[12];
	int fds[2];
	pid_t pid;

	CHECK(pipe(fds) == 0);
	snprintf(number, sizeof number, "%d", fds[1]);
	pid = fork();
	if (pid == 0) {
		personality(persona);
		execv(test_program, test_exec_args("tell", number));
		_exit(1);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(fds[0], p, sizeof *p), sizeof *p);
	close(fds[0]);
	close(fds[1]);
}

TEST(places_are_random)
{
	struct places p[RUNS];
	bool heap = false, stack = false, mapping = false;

	for (int i = 0; i < RUNS; i++) {
		ask(&p[i], PER_LINUX);
		CHECK(p[i].heap < p[i].mapping && p[i].mapping < p[i].stack);
		CHECK(p[i].stack - p[i].mapping > 100ul << 20);
		heap |= p[i].heap != p[0].heap;
		stack |= p[i].stack >> 12 != p[0].stack >> 12;
		mapping |= p[i].mapping - p[i].stack != p[0].mapping - p[0].stack;
	}
	CHECK(heap && stack && mapping);
}

TEST(places_are_fixed_when_asked_for)
{
	struct places p[2];

	ask(&p[0], PER_LINUX | ADDR_NO_RANDOMIZE);
	for (int i = 1; i < RUNS; i++) {
		ask(&p[1], PER_LINUX | ADDR_NO_RANDOMIZE);
		CHECK_EQ(p[1].heap, p[0].heap);
		CHECK_EQ(p[1].stack, p[0].stack);
		CHECK_EQ(p[1].mapping, p[0].mapping);
	}
}

/* The address that helper_pie lies at, as a program or as the interpreter of one. */
static unsigned long run_pie(const char *path, unsigned long persona)
{
	unsigned long at = 0;
	int fds[2];
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		personality(persona);
		dup2(fds[1], 1);
		execl(path, path, NULL);
		_exit(1);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(read(fds[0], &at, sizeof at), sizeof at);
	close(fds[0]);
	close(fds[1]);
	return at;
}

static void check_moves(const char *path)
{
	unsigned long first = run_pie(path, PER_LINUX);
	unsigned long fixed = run_pie(path, PER_LINUX | ADDR_NO_RANDOMIZE);
	bool moved = false;

	for (int i = 1; i < RUNS; i++) {
		moved |= run_pie(path, PER_LINUX) != first;
		CHECK_EQ(run_pie(path, PER_LINUX | ADDR_NO_RANDOMIZE), fixed);
	}
	CHECK(moved);
}

TEST(position_independent_programs)
{
	check_moves("/test/helper_pie");
}

TEST(interpreters_of_programs)
{
	static const struct {
		Elf64_Ehdr head;
		Elf64_Phdr load, interp;
		char name[sizeof "/test/helper_pie"];
	} file = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_DYN,
			  .e_machine = EM_RISCV,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof file.head,
			  .e_ehsize = sizeof file.head,
			  .e_phentsize = sizeof file.load,
			  .e_phnum = 2 },
		.load = { .p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = sizeof file,
			  .p_memsz = sizeof file, .p_align = 4096 },
		.interp = { .p_type = PT_INTERP, .p_flags = PF_R,
			    .p_offset = sizeof file.head + 2 * sizeof file.load,
			    .p_filesz = sizeof file.name, .p_memsz = sizeof file.name },
		.name = "/test/helper_pie",
	};
	int fd = open("program", O_CREAT | O_WRONLY, 0755);

	CHECK_EQ(write(fd, &file, sizeof file), sizeof file);
	close(fd);
	check_moves("./program");
}
