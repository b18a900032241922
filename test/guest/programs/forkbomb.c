/* Fork bombs that only memory ends: fork fails with EAGAIN or ENOMEM, the others go on, and afterwards
 * everything is as before.    timeout: 200 */
#include "test.h"
#include <sys/resource.h>

struct bomb {
	volatile long alive;
	volatile int error;
};

static struct bomb *new_bomb(void)
{
	struct bomb *b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(b != MAP_FAILED);
	return b;
}

static bool out_of_something(int error)
{
	return error == EAGAIN || error == ENOMEM;
}

/* Life goes on: a child can be made and talks. */
static void still_works(void)
{
	char c = 0;
	int p[2];
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(write(p[1], "w", 1) != 1);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(test_wait(pid), 0);
	close(p[0]);
	close(p[1]);
}

/* One process makes children that wait, as many as there can be. */
TEST(children_until_none_can_be_made)
{
	long made = 0, before[2];
	int error, ended = 0;
	pid_t pid, group = 0;

	alarm(150);
	still_works();
	test_settle();
	before[0] = test_objects("process");
	before[1] = test_objects("handle");
	while ((pid = fork()) >= 0) {
		if (pid == 0)
			for (;;)
				pause();
		if (!group)
			group = pid;
		setpgid(pid, group);
		made++;
	}
	error = errno;
	CHECK(made > 50);
	CHECK(out_of_something(error));
	kill(-group, SIGKILL);
	while ((pid = waitpid(-1, NULL, 0)) > 0)
		ended++;
	CHECK_EQ(ended, made);
	still_works();
	CHECK_EQ(test_objects("process"), before[0]);
	CHECK_EQ(test_objects("handle"), before[1]);
}

/* Every process doubles until no fork succeeds. */
static _Noreturn void explode(struct bomb *b)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			__atomic_add_fetch(&b->alive, 1, __ATOMIC_RELAXED);
		} else if (pid < 0) {
			b->error = errno;
			for (;;)
				pause();
		}
	}
}

TEST(a_bomb)
{
	struct bomb *b = new_bomb();
	pid_t leader;
	long seen;

	alarm(150);
	leader = fork();
	CHECK(leader >= 0);
	if (leader == 0) {
		setpgid(0, 0);
		explode(b);
	}
	setpgid(leader, leader);
	/* A while after the first failure there is no more growth. */
	while (!b->error)
		test_sleep_ms(20);
	do {
		seen = b->alive;
		test_sleep_ms(300);
	} while (b->alive != seen);
	CHECK(b->alive > 50);
	CHECK(out_of_something(b->error));
	while (kill(-leader, SIGKILL) == 0) {
		waitpid(-1, NULL, WNOHANG);
		test_sleep_ms(20);
	}
	still_works();
}
