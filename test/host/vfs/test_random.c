/* Random calls on a small set of names against a tree kept the simple way: an array of paths. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NAMES 3
#define DEPTH 3
#define STEPS 200000

/* Every path of up to DEPTH components out of NAMES letters, by its number in base NAMES + 1. */
enum kind { ABSENT, DIRECTORY, REGULAR };
static struct {
	enum kind kind;
	int file; /* regular: which, for hard links */
} model[64];
static uint32_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* path: up to three digits 1…3; parent is path / 4 */
static int random_path(void)
{
	int p = 0;

	for (uint32_t depth = 1 + rnd(DEPTH); depth; depth--)
		p = p * 4 + 1 + (int)rnd(NAMES);
	return p;
}

static char *text(int p, char *buf)
{
	char *at = buf + 15;

	*at = '\0';
	for (; p; p /= 4) {
		*--at = (char)('a' + p % 4 - 1);
		*--at = '/';
	}
	return at;
}

/* 0, or what a walk to p's parent gives. */
static int parent_error(int p)
{
	int up = p / 4, err;

	if (!up)
		return 0;
	err = parent_error(up);
	if (err)
		return err;
	return model[up].kind == ABSENT ? -ENOENT : model[up].kind == REGULAR ? -ENOTDIR : 0;
}

static bool empty(int p)
{
	if (p >= 16)
		return true;
	for (int i = 1; i <= NAMES; i++)
		if (model[p * 4 + i].kind)
			return false;
	return true;
}

static bool under(int p, int dir)
{
	for (; p; p /= 4)
		if (p == dir)
			return true;
	return false;
}

static int levels(int p)
{
	int n = 0;

	for (; p; p /= 4)
		n++;
	return n;
}

static int height(int p)
{
	int h = 1, sub;

	if (p >= 16)
		return 1;
	for (int i = 1; i <= NAMES; i++)
		if (model[p * 4 + i].kind && (sub = height(p * 4 + i)) + 1 > h)
			h = sub + 1;
	return h;
}

static void move_tree(int from, int to)
{
	model[to] = model[from];
	model[from].kind = ABSENT;
	if (from < 16 && to < 16)
		for (int i = 1; i <= NAMES; i++)
			move_tree(from * 4 + i, to * 4 + i);
}

static long expect_rename(int a, int b)
{
	int err = parent_error(a);

	if (!err)
		err = parent_error(b);
	if (err)
		return err;
	if (model[a].kind == ABSENT)
		return -ENOENT;
	if (model[a].kind == DIRECTORY && b != a && under(b, a))
		return -EINVAL;
	if (model[b].kind == DIRECTORY && a != b && under(a, b))
		return -ENOTEMPTY;
	if (a == b)
		return 0;
	if (model[b].kind == REGULAR && model[a].kind == REGULAR && model[a].file == model[b].file)
		return 0;
	if (model[b].kind && model[a].kind == DIRECTORY && model[b].kind != DIRECTORY)
		return -ENOTDIR;
	if (model[b].kind == DIRECTORY && model[a].kind != DIRECTORY)
		return -EISDIR;
	if (model[b].kind == DIRECTORY && !empty(b))
		return -ENOTEMPTY;
	move_tree(a, b);
	return 0;
}

static void compare(void)
{
	struct stat st;
	char buf[16];

	for (int p = 1; p < 64; p++) {
		bool valid = true;
		long r;

		for (int q = p; q; q /= 4)
			valid &= q % 4 != 0;
		if (!valid)
			continue;
		r = c_stat(text(p, buf), &st);
		if (model[p].kind == ABSENT) {
			assert_true(r == -ENOENT || r == -ENOTDIR);
			continue;
		}
		assert_int_equal(r, 0);
		if (model[p].kind == DIRECTORY) {
			uint32_t subdirs = 0;

			assert_int_equal(st.st_mode & S_IFMT, S_IFDIR);
			for (int i = 1; p < 16 && i <= NAMES; i++)
				subdirs += model[p * 4 + i].kind == DIRECTORY;
			assert_int_equal(st.st_nlink, 2 + subdirs);
		} else {
			uint32_t links = 0;

			for (int q = 1; q < 64; q++)
				links += model[q].kind == REGULAR && model[q].file == model[p].file;
			assert_int_equal(st.st_mode & S_IFMT, S_IFREG);
			assert_int_equal(st.st_nlink, links);
			assert_int_equal(st.st_size, model[p].file);
		}
	}
}

static void step(int *next_file)
{
	char ba[16], bb[16];
	int a = random_path(), b = random_path();
	const char *pa = text(a, ba), *pb = text(b, bb);
	long r, want;

	switch (rnd(6)) {
	case 0:
		want = parent_error(a);
		if (!want)
			want = model[a].kind ? -EEXIST : 0;
		assert_int_equal(c_mkdir(pa, 0755), want);
		if (!want)
			model[a].kind = DIRECTORY;
		break;
	case 1:
		want = parent_error(a);
		if (!want)
			want = model[a].kind ? -EEXIST : 0;
		r = c_open(pa, O_CREAT | O_EXCL | O_RDWR, 0644);
		if (want) {
			assert_int_equal(r, want);
			break;
		}
		assert_true(r >= 0);
		model[a].kind = REGULAR;
		model[a].file = ++*next_file;
		assert_int_equal(call(46, (uint64_t)r, (uint64_t)*next_file, 0, 0, 0, 0), 0);
		/* Some stay open a while. */
		if (rnd(2) || r > 20)
			fake_close((int)r);
		break;
	case 2:
		want = parent_error(a);
		if (!want)
			want = !model[a].kind ? -ENOENT : model[a].kind == DIRECTORY ? -EISDIR : 0;
		assert_int_equal(c_unlink(pa), want);
		if (!want)
			model[a].kind = ABSENT;
		break;
	case 3:
		want = parent_error(a);
		if (!want)
			want = !model[a].kind		     ? -ENOENT
			       : model[a].kind == REGULAR ? -ENOTDIR
			       : empty(a)		     ? 0
							     : -ENOTEMPTY;
		assert_int_equal(c_rmdir(pa), want);
		if (!want)
			model[a].kind = ABSENT;
		break;
	case 4:
		/* The model has no room below its depth. */
		if (!parent_error(a) && levels(b) + height(a) - 1 > DEPTH)
			break;
		want = expect_rename(a, b);
		assert_int_equal(c_rename(pa, pb, 0), want);
		break;
	default:
		want = parent_error(a);
		if (!want && !model[a].kind)
			want = -ENOENT;
		if (!want)
			want = parent_error(b);
		if (!want && model[b].kind)
			want = -EEXIST;
		if (!want && model[a].kind == DIRECTORY)
			want = -EPERM;
		assert_int_equal(c_link(pa, pb), want);
		if (!want)
			model[b] = model[a];
		break;
	}
	if (rnd(8) == 0) {
		int fd = (int)rnd(FAKE_FDS);

		if (fake_fds[fd].used)
			fake_close(fd);
	}
}

static void random_calls(void **state)
{
	int next_file = 0;

	(void)state;
	fake_init(NULL, 0);
	for (int i = 0; i < STEPS; i++) {
		step(&next_file);
		if (i % 64 == 0) {
			compare();
			tree_check(root_mount->root);
		}
	}
	for (int fd = 0; fd < FAKE_FDS; fd++)
		if (fake_fds[fd].used)
			fake_close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_calls) };

	return cmocka_run_group_tests_name("vfs random", tests, NULL, NULL);
}
