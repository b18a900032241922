/*
 * Floating-point state of threads.
 *
 * sstatus.FS is Off when a thread gets a hart; its first floating-point instruction then traps, and
 * fpu_enable() loads its registers.  When the thread leaves the hart, fpu_switch() saves them, if
 * FS is Dirty.  They are loaded anew each time: to find them still in the unit, after other threads
 * ran, harts would have to share a word that says whose they are, which is not worth it.
 */
#include <arch/fpu.h>
#include <kernel/hart.h>
#include <kernel/lib/string.h>
#include <kernel/thread.h>

#define FS_MASK (3ul << 13)
#define FS_CLEAN (2ul << 13)
#define FS_DIRTY (3ul << 13)

void fpu_save(u64 *fpu);
void fpu_load(const u64 *fpu);

static inline u64 fs_read(void)
{
	u64 s;

	__asm__ volatile("csrr %0, sstatus" : "=r"(s));
	return s & FS_MASK;
}
static inline void fs_set(u64 fs)
{
	__asm__ volatile("csrc sstatus, %0\n\tcsrs sstatus, %1" : : "r"(FS_MASK), "r"(fs));
}

void fpu_save_current(struct thread *t)
{
	if (fs_read() == FS_DIRTY) {
		fpu_save(t->fpu);
		fs_set(FS_CLEAN);
	}
}

void fpu_discard(struct thread *t)
{
	t->fpu_used = 1;
	fs_set(0);
}

bool fpu_enable(struct thread *t)
{
	if (fs_read() != 0)
		return false;
	fs_set(FS_CLEAN);
	t->fpu_used = 1;
	fpu_load(t->fpu);
	fs_set(FS_CLEAN);
	return true;
}

void fpu_copy(struct thread *child, struct thread *parent)
{
	child->fpu_used = parent->fpu_used;
	memcpy(child->fpu, parent->fpu, sizeof child->fpu);
}

void fpu_forget(struct thread *t)
{
	memset(t->fpu, 0, sizeof t->fpu);
	t->fpu_used = 0;
	if (this_hart()->current == t) {
			fs_set(0);
	}
}
