/*
 * What a program asks about itself, where a message to pm would cost more than the answer.
 */
#include <arch/cpu.h>
#include <kernel/sched.h>
#include <kernel/linux/sys.h>

s64 sys_getpid(struct thread *t, u64 *a) { return (void)a, t->process->pid; }
s64 sys_getppid(struct thread *t, u64 *a) { return (void)a, t->process->ppid; }
s64 sys_gettid(struct thread *t, u64 *a) { return (void)a, t->tid; }
s64 sys_getuid(struct thread *t, u64 *a) { return (void)a, t->cred->c.uid; }
s64 sys_geteuid(struct thread *t, u64 *a) { return (void)a, t->cred->c.euid; }
s64 sys_getgid(struct thread *t, u64 *a) { return (void)a, t->cred->c.gid; }
s64 sys_getegid(struct thread *t, u64 *a) { return (void)a, t->cred->c.egid; }

s64 sys_getpgid(struct thread *t, u64 *a)
{
	s32 pid = (s32)a[0];

	return !pid || (u32)pid == t->process->pid ? (s64)t->process->pgid : SYS_PASS;
}

s64 sys_getsid(struct thread *t, u64 *a)
{
	s32 pid = (s32)a[0];

	return !pid || (u32)pid == t->process->pid ? (s64)t->process->sid : SYS_PASS;
}

s64 sys_umask(struct thread *t, u64 *a)
{
	struct name_context *n = t->process->names;
	u32 old;

	kernel_lock();
	old = n->umask;
	n->umask = (u32)a[0] & 0777;
	kernel_unlock();
	return old;
}

s64 sys_personality(struct thread *t, u64 *a)
{
	u32 old = t->process->personality;

	if ((u32)a[0] != 0xffffffff)
		t->process->personality = (u32)a[0];
	return old;
}

s64 sys_getcpu(struct thread *t, u64 *a)
{
	u32 cpu = hart_index(), node = 0;

	if (a[0] && put_user(t, a[0], &cpu, 4))
		return -EFAULT;
	return a[1] ? put_user(t, a[1], &node, 4) : 0;
}

s64 sys_sched_yield(struct thread *t, u64 *a)
{
	(void)a;
	t->regs.x[REG_A0] = 0;
	kernel_lock();
	sched_yield_current(t);
	kernel_unlock();
	return SYS_SWITCH;
}
