/* For tests that serve: a thread becomes a server, and a descriptor is a session of its own. */
#pragma once

#include "test.h"
#include <server/receive.h>
#include <sys/prctl.h>

#define BADGE 4711
#define RIGHTS (TERN_R_READ | TERN_R_WRITE | TERN_R_IO | TERN_R_TRANSFER)

/* The right to serve, taken or given back. */
static inline long serve(int on)
{
	return prctl(TERN_PR_SERVE, on, 0, 0, 0);
}

static inline int session_descriptor(int ep, uint64_t badge)
{
	long sid = tern_session_create(ep, badge, TERN_KIND_NONE, 0, 0, -1), fd;

	CHECK(sid > 0);
	fd = tern_session_handle((uint64_t)sid, RIGHTS);
	CHECK(fd >= 0);
	return (int)fd;
}

/* A descriptor of a session on this thread's own endpoint. */
static inline int become_server(void)
{
	long ep;

	CHECK_EQ(serve(1), 0);
	ep = tern_ep_create();
	CHECK(ep >= 0);
	CHECK_EQ(tern_bind((int)ep, NULL), 0);
	return session_descriptor((int)ep, BADGE);
}

/* The next call; events are passed over. */
static inline uint64_t next_call(struct tern_msg *m)
{
	do
		tern_receive(m);
	while (TERN_MSG_OP(m->op) >= TERN_EV_FIRST);
	return m->token;
}
