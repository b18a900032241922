/* The page that a server and the kernel share: which it may be, what comes in it.    tern only */
#include "test.h"
#include <pthread.h>
#include <server/receive.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define PAGE 4096ul

static char *page;
static int fd;
static volatile uint64_t came; /* with the last write */
static volatile int same;      /* it was the bytes that were written */
static char data[2 * PAGE] __attribute__((aligned(PAGE)));
static pthread_barrier_t begun;

static long bind_page(long ep, const void *at)
{
	return TERN_OP3(TERN_BIND, ep, TERN_PTR(at), TERN_BIND_BYTES);
}

static void *serve(void *arg)
{
	long ep = tern_ep_create();
	struct tern_msg m;
	char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(ep >= 0);
	CHECK_EQ(bind_page(ep, page), -EFAULT); /* not there yet */
	*page = *private = 1;
	CHECK(*(volatile char *)read_only == 0);
	CHECK_EQ(bind_page(ep, page + 8), -EFAULT);
	CHECK_EQ(bind_page(ep, private), -EFAULT);
	CHECK_EQ(bind_page(ep, read_only), -EFAULT);
	CHECK_EQ(bind_page(ep, (void *)PAGE), -EFAULT);
	CHECK_EQ(bind_page(ep, (void *)-PAGE), -EFAULT);
	CHECK_EQ(bind_page(ep, page), 0);
	fd = (int)tern_session_handle(
		(uint64_t)tern_session_create((int)ep, 4711, TERN_KIND_NONE, 1, 0, -1),
		TERN_R_READ | TERN_R_WRITE | TERN_R_IO);
	CHECK(fd >= 0);
	pthread_barrier_wait(&begun);
	for (;;) {
		tern_receive(&m);
		if (TERN_MSG_OP(m.op) >= TERN_EV_FIRST)
			continue;
		came = m.word[0];
		same = came && page && !memcmp(page, (const char *)m.args[1], came);
		tern_reply(m.token, (long)m.args[2]);
	}
	return arg;
}

/* The server waits before each write, if it gets time to. */
static void writes(const void *from, uint64_t n, uint64_t comes)
{
	for (int i = 0;; i++) {
		CHECK_EQ(write(fd, from, n), (long)n);
		if (came == comes)
			break;
		CHECK(i < 100 && !came);
		test_sleep_ms(5);
	}
	CHECK(!page || same == !!comes);
}

TEST(short_bytes_come_along)
{
	pthread_t t;

	if (prctl(TERN_PR_SERVE, 1, 0, 0, 0) < 0)
		_exit(TEST_SKIP);
	CHECK_EQ(pthread_barrier_init(&begun, NULL, 2), 0);
	CHECK_EQ(pthread_create(&t, NULL, serve, NULL), 0);
	pthread_barrier_wait(&begun);
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 7);
	writes(data, 1, 1);
	writes(data + 3, 8, 8);
	writes(data + 1, TERN_PATH_MAX, TERN_PATH_MAX);
	writes(data, TERN_PATH_MAX + 1, 0);
	writes(data, 0, 0);
	writes(data + PAGE - 4, 8, 0); /* in two pages */
	CHECK_EQ(munmap(data + PAGE, PAGE), 0);
	writes(data + PAGE, 8, 0);
	/* The frame is the kernel's as well. */
	char *old = page;

	page = NULL;
	CHECK_EQ(munmap(old, PAGE), 0);
	writes(data, 8, 8);
}

