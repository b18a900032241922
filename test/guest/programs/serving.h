/* A server in a thread of a test's own: what it answers the test decides.  On Linux such a test is skipped. */
#pragma once
#include "test.h"
#include <pthread.h>
#include <server/receive.h>
#include <sys/prctl.h>

#define SERVING_BADGE 4711
#define SERVING_RIGHTS (TERN_R_READ | TERN_R_WRITE | TERN_R_IO | TERN_R_TRANSFER)
#define SERVING_NO_REPLY (-100000)

struct serving {
	enum tern_kind kind;
	long (*answer)(struct tern_msg *m); /* the result of a call, or SERVING_NO_REPLY */
	int fd; /* of a session */
	pthread_barrier_t begun;
};

static void *serving_thread(void *arg)
{
	struct serving *s = arg;
	long ep = tern_ep_create(), sid;
	struct tern_msg m;

	CHECK(ep >= 0);
	CHECK_EQ(tern_bind((int)ep, NULL), 0);
	sid = tern_session_create((int)ep, SERVING_BADGE, s->kind, 1, 0, -1);
	CHECK(sid > 0);
	s->fd = (int)tern_session_handle((uint64_t)sid, SERVING_RIGHTS);
	pthread_barrier_wait(&s->begun);
	for (;;) {
		long r;

		tern_receive(&m);
		if (TERN_MSG_OP(m.op) >= TERN_EV_FIRST)
			continue;
		r = s->answer(&m);
		if (r != SERVING_NO_REPLY)
			tern_reply(m.token, r);
	}
	return NULL;
}

/* A descriptor of a session of this kind on a new server. */
static inline int serving_begin(enum tern_kind kind, long (*answer)(struct tern_msg *m))
{
	static struct serving all[4];
	static int n;
	struct serving *s = &all[n++];
	pthread_t t;

	if (prctl(TERN_PR_SERVE, 1, 0, 0, 0) < 0)
		_exit(TEST_SKIP);
	s->kind = kind;
	s->answer = answer;
	CHECK_EQ(pthread_barrier_init(&s->begun, NULL, 2), 0);
	CHECK_EQ(pthread_create(&t, NULL, serving_thread, s), 0);
	pthread_barrier_wait(&s->begun);
	CHECK(s->fd >= 0);
	return s->fd;
}
