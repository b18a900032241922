/* Registers: every one that the convention keeps is kept over system calls, faults, preemption and a
 * signal's handler, integer and floating point alike, while other processes compute as well. */
#include "test.h"
#include <sys/time.h>
#include <ucontext.h>

/* Fills all registers but those named with values made from `seed`, runs what `middle` says and
 * returns the number of registers that have changed. */
#define ROUND(name, middle)                                                              \
	long name(long seed);                                                            \
	__asm__(".text\n.globl " #name "\n" #name ":\n"                                  \
		"addi sp, sp, -208\n"                                                    \
		"sd ra, 0(sp)\nsd s0, 8(sp)\nsd s1, 16(sp)\nsd s2, 24(sp)\nsd s3, 32(sp)\n" \
		"sd s4, 40(sp)\nsd s5, 48(sp)\nsd s6, 56(sp)\nsd s7, 64(sp)\nsd s8, 72(sp)\n" \
		"sd s9, 80(sp)\nsd s10, 88(sp)\nsd s11, 96(sp)\nsd gp, 104(sp)\nsd tp, 112(sp)\n" \
		"fsd fs0, 120(sp)\nfsd fs1, 128(sp)\nfsd fs11, 136(sp)\nsd a0, 144(sp)\n"  \
		"addi ra, a0, 1\naddi t0, a0, 5\naddi t1, a0, 6\naddi t2, a0, 7\n"         \
		"addi s0, a0, 8\naddi s1, a0, 9\naddi a1, a0, 11\naddi a2, a0, 12\n"       \
		"addi a3, a0, 13\naddi a4, a0, 14\naddi a5, a0, 15\naddi a6, a0, 16\n"     \
		"addi s2, a0, 18\naddi s3, a0, 19\naddi s4, a0, 20\naddi s5, a0, 21\n"     \
		"addi s6, a0, 22\naddi s7, a0, 23\naddi s8, a0, 24\naddi s9, a0, 25\n"     \
		"addi s10, a0, 26\naddi s11, a0, 27\naddi t3, a0, 28\naddi t4, a0, 29\n"   \
		"addi t5, a0, 30\naddi t6, a0, 31\n"                                       \
		"fmv.d.x ft0, t0\nfmv.d.x ft7, t1\nfmv.d.x fs0, t2\nfmv.d.x fs1, a1\n"      \
		"fmv.d.x fa0, a2\nfmv.d.x fa7, a3\nfmv.d.x fs11, a4\nfmv.d.x ft11, a5\n"    \
		middle                                                                    \
		"ld a0, 144(sp)\nli a7, 0\n"                                              \
		KEPT("ra", 1) KEPT("t0", 5) KEPT("t1", 6) KEPT("t2", 7) KEPT("s0", 8)      \
		KEPT("s1", 9) KEPT("a1", 11) KEPT("a2", 12) KEPT("a3", 13) KEPT("a4", 14)  \
		KEPT("a5", 15) KEPT("a6", 16) KEPT("s2", 18) KEPT("s3", 19) KEPT("s4", 20) \
		KEPT("s5", 21) KEPT("s6", 22) KEPT("s7", 23) KEPT("s8", 24) KEPT("s9", 25) \
		KEPT("s10", 26) KEPT("s11", 27) KEPT("t3", 28) KEPT("t4", 29)              \
		KEPT("t5", 30) KEPT("t6", 31)                                              \
		KEPT_F("ft0", 5) KEPT_F("ft7", 6) KEPT_F("fs0", 7) KEPT_F("fs1", 11)       \
		KEPT_F("fa0", 12) KEPT_F("fa7", 13) KEPT_F("fs11", 14) KEPT_F("ft11", 15)  \
		"ld t0, 104(sp)\nsub t0, t0, gp\nsnez t0, t0\nadd a7, a7, t0\n"            \
		"ld t0, 112(sp)\nsub t0, t0, tp\nsnez t0, t0\nadd a7, a7, t0\n"            \
		"mv a0, a7\n"                                                             \
		"ld ra, 0(sp)\nld s0, 8(sp)\nld s1, 16(sp)\nld s2, 24(sp)\nld s3, 32(sp)\n" \
		"ld s4, 40(sp)\nld s5, 48(sp)\nld s6, 56(sp)\nld s7, 64(sp)\nld s8, 72(sp)\n" \
		"ld s9, 80(sp)\nld s10, 88(sp)\nld s11, 96(sp)\n"                          \
		"fld fs0, 120(sp)\nfld fs1, 128(sp)\nfld fs11, 136(sp)\n"                  \
		"addi sp, sp, 208\nret\n")
/* Uses only the register itself and a0 (the seed); a7 counts. */
#define KEPT(reg, n) "sub " reg ", " reg ", a0\naddi " reg ", " reg ", -" #n "\nsnez " reg ", " reg \
		     "\nadd a7, a7, " reg "\n"
#define KEPT_F(reg, n) "fmv.x.d t0, " reg "\n" KEPT("t0", n)

/* sched_yield, getpid with what is in the registers as arguments. */
ROUND(over_yield, "li a7, 124\necall\n");
ROUND(over_getpid, "li a7, 172\necall\n");
ROUND(over_nothing_there, "li a7, 500\necall\n");
/* A long loop in a0: interrupts and signals come in it. */
ROUND(over_time, "li a0, 300000\n1: addi a0, a0, -1\nbnez a0, 1b\n");
/* A page that is not there yet: demand zero. */
ROUND(over_fault, "la a0, fresh_page\nld a0, 0(a0)\nsd zero, 8(a0)\n");
ROUND(over_break, "ebreak\n");

void *fresh_page;

TEST(over_system_calls)
{
	for (long i = 0; i < 300; i++) {
		CHECK_EQ(over_yield(i * 1000003), 0);
		CHECK_EQ(over_getpid(-i * 77777), 0);
		CHECK_EQ(over_nothing_there(i << 40), 0);
	}
}

TEST(over_faults)
{
	char *p = mmap(NULL, 200 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long i = 0; i < 200; i++) {
		fresh_page = p + i * 4096;
		CHECK_EQ(over_fault(i * 12345678), 0);
	}
}

static volatile sig_atomic_t handled;

/* Spoils every register that a handler may. */
static void spoil(int sig, siginfo_t *si, void *context)
{
	(void)si;
	handled++;
	__asm__ volatile("li ra, -1\nli t0, -1\nli t1, -1\nli t2, -1\nli a1, -1\nli a3, -1\nli a4, -1\n"
			 "li a5, -1\nli a6, -1\nli a7, -1\nli t3, -1\nli t4, -1\nli t5, -1\nli t6, -1\n"
			 "fmv.d.x ft0, t0\nfmv.d.x ft7, t0\nfmv.d.x fa0, t0\nfmv.d.x fa7, t0\n"
			 "fmv.d.x ft11, t0\nfmv.d.x fs0, t0\nfmv.d.x fs1, t0\nfmv.d.x fs11, t0\n"
			 "csrwi fcsr, 0x1f\n" ::
				 : "ra", "t0", "t1", "t2", "a1", "a3", "a4", "a5", "a6", "a7", "t3", "t4",
				   "t5", "t6", "ft0", "ft7", "fa0", "fa7", "ft11", "fs0", "fs1", "fs11");
	if (sig == SIGTRAP)
		((ucontext_t *)context)->uc_mcontext.__gregs[0] +=
			(*(uint16_t *)((ucontext_t *)context)->uc_mcontext.__gregs[0] & 3) == 3 ? 4 : 2;
}

static void on(int sig)
{
	struct sigaction sa = { .sa_sigaction = spoil, .sa_flags = SA_SIGINFO | SA_RESTART };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

TEST(over_a_handler)
{
	on(SIGTRAP);
	for (long i = 0; i < 200; i++)
		CHECK_EQ(over_break(i * 99991), 0);
	CHECK_EQ(handled, 200);
}

TEST(over_handlers_at_any_time)
{
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };

	on(SIGALRM);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	for (long i = 0; handled < 60; i++)
		CHECK_EQ(over_time(i * 424243), 0);
}

/* fcsr: rounding mode (UP, DOWN), flags (INEXACT, DIVIDE). */
#define UP      (3 << 5)
#define DOWN    (2 << 5)
#define INEXACT 1
#define DIVIDE  8

static unsigned long fcsr(void)
{
	unsigned long v;

	__asm__ volatile("frcsr %0" : "=r"(v));
	return v;
}

static void set_fcsr(unsigned long v)
{
	__asm__ volatile("fscsr %0" ::"r"(v));
}

/* Rounding mode and flags belong to a thread. */
TEST(floating_point_control)
{
	pid_t pid;

	set_fcsr(UP);
	pid = fork();
	if (pid == 0) {
		if (fcsr() != UP)
			_exit(1);
		set_fcsr(DOWN | INEXACT | DIVIDE);
		for (int i = 0; i < 100; i++)
			syscall(SYS_sched_yield);
		_exit(fcsr() != (DOWN | INEXACT | DIVIDE));
	}
	for (int i = 0; i < 100; i++)
		syscall(SYS_sched_yield);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(fcsr(), UP);
}

EXEC(fresh_floating_point)
{
	double z;

	__asm__ volatile("fmv.d %0, fs5" : "=f"(z));
	exit(fcsr() == 0 && z == 0 ? 0 : 1);
}

TEST(exec_clears_floating_point)
{
	pid_t pid = fork();

	if (pid == 0) {
		set_fcsr(UP);
		__asm__ volatile("fmv.d.x fs5, %0" ::"r"(-1l) : "fs5");
		execv(test_program, test_exec_args("fresh_floating_point", NULL));
		_exit(100);
	}
	CHECK_EQ(test_wait(pid), 0);
}

static double series(int who)
{
	double x = 1.0 + who / 16.0, sum = 0;

	for (int i = 1; i < 200000; i++) {
		sum += x / i;
		x = x * 0.99999 + 0.00001 * who;
		if (i % 20000 == 0)
			syscall(SYS_sched_yield);
	}
	return sum;
}

TEST(many_compute_at_once)
{
	double want[6];
	pid_t pid[6];

	for (int i = 0; i < 6; i++)
		want[i] = series(i);
	for (int i = 0; i < 6; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i] == 0) {
			for (int k = 0; k < 3; k++)
				if (series(i) != want[i])
					_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		CHECK_EQ(test_wait(pid[i]), 0);
}
