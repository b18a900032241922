/* pm's process tree: numbers, groups, sessions, waits, who may signal whom; and a seeded random
 * walk with the invariants of tree.c checked after each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <tern/linux/errno.h>
#include <server/sched.h>
#include <tern/linux/signal.h>
#include <tree.h>

static struct tree tree;

static struct proc *child_of(struct proc *parent)
{
	struct number *n = parent ? number_create(&tree) : number_create_at(&tree, 1);
	struct proc *p = calloc(1, sizeof *p);

	assert_non_null(n);
	assert_non_null(p);
	p->exit_signal = SIGCHLD;
	proc_insert(&tree, p, n, parent, false);
	return p;
}

static void drop(struct proc *p)
{
	proc_remove(&tree, p);
	free(p);
}

static int fresh(void **state)
{
	(void)state;
	tree_init(&tree);
	return 0;
}

static void test_numbers(void **state)
{
	struct proc *init = child_of(NULL), *a;
	struct number *n;

	(void)state;
	tree.last = TERN_PID_MAX - 2;
	a = child_of(init);
	assert_int_equal(a->pid, TERN_PID_MAX - 1);
	n = number_create(&tree);
	assert_int_equal(n->nr, PID_FIRST_RECYCLED);
	number_put(&tree, n);
	assert_null(number_find(&tree, PID_FIRST_RECYCLED));
	assert_null(number_find(&tree, -1));
	assert_null(number_find(&tree, 1ll << 40));
	drop(a);
	drop(init);
	assert_int_equal(tree.used, 0);
}

static void test_setpgid(void **state)
{
	struct proc *init = child_of(NULL), *sh = child_of(init), *a, *b, *other;

	(void)state;
	assert_int_equal(tree_setsid(&tree, sh), sh->pid);
	assert_int_equal(tree_setsid(&tree, sh), -EPERM);
	a = child_of(sh);
	b = child_of(sh);
	other = child_of(init);
	assert_int_equal(tree_setpgid(&tree, sh, a->pid, a->pid), 0);
	assert_int_equal(tree_setpgid(&tree, sh, b->pid, a->pid), 0);
	assert_int_equal(proc_pgid(b), a->pid);
	assert_int_equal(proc_sid(b), sh->pid);
	assert_int_equal(tree_setpgid(&tree, sh, 0, 0), -EPERM);	   /* a session leader */
	assert_int_equal(tree_setpgid(&tree, sh, a->pid, 9999), -EPERM);   /* no such group */
	assert_int_equal(tree_setpgid(&tree, sh, other->pid, 0), -ESRCH);  /* not a child */
	assert_int_equal(tree_setpgid(&tree, sh, 12345, 0), -ESRCH);
	assert_int_equal(tree_setpgid(&tree, sh, a->pid, -1), -EINVAL);
	assert_int_equal(tree_setpgid(&tree, b, 0, init->pid), -EPERM);	   /* another session's */
	b->execed = true;
	assert_int_equal(tree_setpgid(&tree, sh, b->pid, b->pid), -EACCES);
	assert_int_equal(tree_setpgid(&tree, b, 0, 0), 0);
	assert_int_equal(tree_setsid(&tree, b), -EPERM); /* now a group's leader */
	/* A group outlives its leader, and its number is not given out again meanwhile. */
	assert_int_equal(tree_setpgid(&tree, sh, b->pid, a->pid), -EACCES);
	assert_int_equal(tree_setpgid(&tree, b, 0, a->pid), 0);
	uint32_t group = a->pid;
	drop(a);
	assert_non_null(number_find(&tree, group));
	assert_null(proc_find(&tree, group));
	drop(b);
	assert_null(number_find(&tree, group));
	drop(other);
	drop(sh);
	drop(init);
	assert_int_equal(tree.used, 0);
}

static void test_orphans(void **state)
{
	struct proc *init = child_of(NULL), *sh = child_of(init), *job;

	(void)state;
	tree_setsid(&tree, sh);
	job = child_of(sh);
	tree_setpgid(&tree, sh, job->pid, 0);
	assert_false(group_orphaned(job->group, NULL));
	job->stopped = true;
	assert_true(group_has_stopped(job->group));
	assert_true(proc_reaper(sh, init) == init);
	proc_set_parent(job, init);
	assert_true(group_orphaned(job->group, NULL));
	proc_set_parent(job, sh);
	init->subreaper = sh->subreaper = true;
	assert_true(proc_reaper(job, init) == sh);
	drop(job);
	drop(sh);
	drop(init);
}

static void test_wait(void **state)
{
	struct proc *init = child_of(NULL), *a = child_of(init), *b = child_of(init), *c;
	enum wait_event e;
	bool any;

	(void)state;
	assert_null(wait_find(&tree, a, P_ALL, 0, WEXITED, &e, &any));
	assert_false(any);
	assert_null(wait_find(&tree, init, P_ALL, 0, WEXITED, &e, &any));
	assert_true(any);
	proc_make_zombie(b);
	assert_true(wait_find(&tree, init, P_ALL, 0, WEXITED, &e, &any) == b);
	assert_int_equal(e, WAIT_EXITED);
	assert_null(wait_find(&tree, init, P_PID, a->pid, WEXITED, &e, &any));
	assert_true(any);
	assert_null(wait_find(&tree, a, P_PID, b->pid, WEXITED, &e, &any));
	assert_false(any);
	a->stopped = a->report_stop = true;
	assert_null(wait_find(&tree, init, P_PID, a->pid, WEXITED, &e, &any));
	assert_true(wait_find(&tree, init, P_PID, a->pid, WEXITED | WUNTRACED, &e, &any) == a);
	assert_int_equal(e, WAIT_STOPPED);
	assert_true(wait_find(&tree, init, P_PGID, init->pid, WEXITED, &e, &any) == b);
	assert_null(wait_find(&tree, init, P_PGID, 77, WEXITED, &e, &any));
	assert_false(any);
	c = child_of(init);
	c->exit_signal = 0;
	proc_make_zombie(c);
	assert_null(wait_find(&tree, init, P_PID, c->pid, WEXITED, &e, &any));
	assert_false(any);
	assert_true(wait_find(&tree, init, P_PID, c->pid, WEXITED | WAIT_CLONE, &e, &any) == c);
	assert_true(wait_find(&tree, init, P_PID, c->pid, WEXITED | WAIT_ALL, &e, &any) == c);
	drop(c);
	drop(b);
	drop(a);
	drop(init);
}

static void test_kill(void **state)
{
	struct proc *init = child_of(NULL), *a = child_of(init);

	(void)state;
	a->uid = a->euid = a->suid = 1000;
	assert_true(kill_allowed(1000, 1000, false, 0, a, SIGTERM));
	assert_true(kill_allowed(0, 0, true, 0, a, SIGTERM));
	assert_false(kill_allowed(1001, 1001, false, 0, a, SIGTERM));
	assert_true(kill_allowed(1001, 1001, false, proc_sid(a), a, SIGCONT));
	assert_false(kill_allowed(1001, 1001, false, 4242, a, SIGCONT));
	a->state = PROC_SERVER;
	assert_false(kill_allowed(0, 0, true, 0, a, SIGTERM));
	drop(a);
	drop(init);
}

static void check_group(struct number *g)
{
	uint32_t groups = 0;

	if (!link_empty(&g->members)) {
		assert_non_null(g->session);
		assert_true(g->session->groups > 0);
	}
	for (uint32_t i = 0; i < TERN_PID_MAX; i++)
		if (tree.table[i] && tree.table[i]->session == g)
			groups++;
	assert_int_equal(groups, g->groups);
}

static void check(void)
{
	uint32_t used = 0, processes = 0;

	for (uint32_t i = 0; i < TERN_PID_MAX; i++) {
		struct number *n = tree.table[i];

		if (!n)
			continue;
		used++;
		assert_int_equal(n->nr, i);
		assert_true(n->proc || n->thread_of || n->groups || !link_empty(&n->members));
		if (n->proc) {
			processes++;
			assert_true(n->proc->group->session != NULL);
		}
	}
	assert_int_equal(used, tree.used);
	assert_int_equal(processes, tree.processes);
}

#define MAX 64
static void test_random(void **state)
{
	struct proc *init = child_of(NULL), *v[MAX] = { init };
	unsigned n = 1;

	(void)state;
	srand(20);
	for (int step = 0; step < 4000; step++) {
		struct proc *p = v[(unsigned)rand() % n];
		unsigned i = (unsigned)rand() % n;

		switch (rand() % 6) {
		case 0:
		case 1:
			if (n < MAX)
				v[n++] = child_of(p);
			break;
		case 2:
			if (i == 0)
				break;
			p = v[i];
			LINK_EACH_SAFE (l, &p->children)
				proc_set_parent(LINK_OF(l, struct proc, sibling), init);
			drop(p);
			v[i] = v[--n];
			break;
		case 3:
			tree_setpgid(&tree, p, v[i]->pid, v[(unsigned)rand() % n]->pid);
			break;
		case 4:
			tree_setsid(&tree, p);
			break;
		case 5: {
			struct number *t = number_create(&tree);

			assert_non_null(t);
			thread_insert(p, t);
			assert_true(proc_of_tid(&tree, t->nr) == p);
			if (rand() & 1)
				thread_remove(&tree, t);
			break;
		}
		}
		if (step % 50 == 0) {
			check();
			check_group(v[0]->group);
		}
	}
	while (n--) {
		LINK_EACH_SAFE (l, &v[n]->children)
			proc_set_parent(LINK_OF(l, struct proc, sibling), NULL);
		drop(v[n]);
	}
	assert_int_equal(tree.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_numbers, fresh), cmocka_unit_test_setup(test_setpgid, fresh),
		cmocka_unit_test_setup(test_orphans, fresh), cmocka_unit_test_setup(test_wait, fresh),
		cmocka_unit_test_setup(test_kill, fresh),    cmocka_unit_test_setup(test_random, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
