/*
 * The doors to memory objects and address spaces as objects with handles.
 */
#include <ipc/file.h>
#include <ipc/note.h>
#include <ipc/pager.h>
#include <kernel/lib/log.h>
#include <kernel/native.h>
#include <kernel/process.h>
#include <kernel/lib/string.h>
#include <kernel/syscall.h>
#include <linux/mman.h>
#include <mm/aspace.h>
#include <mm/memobj.h>
#include <mm/slab.h>
#include <tern/linux/errno.h>

#define ALL_RIGHTS (TERN_R_READ | TERN_R_WRITE | TERN_R_MAP | TERN_R_TRANSFER | TERN_R_MANAGE)
#define MAX_SIZE (1ull << 46)
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

static s64 add_memobj(struct thread *t, struct memobj *m)
{
	s64 r;

	if (!m)
		return -ENOMEM;
	kernel_lock();
	r = handle_add(t->process->handles, process_fd_limit(t->process), HANDLE_MEMOBJ, m, ALL_RIGHTS, true);
	kernel_unlock();
	return r;
}

/* t's process pays for m and for its pages.  Servers do not: they make objects for others. */
static struct memobj *memobj_charged(struct thread *t, struct memobj *m)
{
	if (!m || t->process->authority & TERN_AUTH_SERVER)
		return m;
	m->payer = process_charge(t->process, MEMOBJ_BYTES);
	if (m->payer)
		return m;
	memobj_put(m);
	return NULL;
}

/* The memory object of t's handle h, with a reference for the caller; NULL: t has no such handle
 * with these rights. */
struct memobj *memobj_of(struct thread *t, u64 h, unsigned rights)
{
	struct memobj *m;

	kernel_lock();
	m = handle_object(t->process->handles, (u32)h, HANDLE_MEMOBJ, rights);
	if (m)
		memobj_get(m);
	kernel_unlock();
	return m;
}

s64 native_memobj_create(struct thread *t, u64 *a)
{
	struct memobj *m;

	if (a[0] > MAX_SIZE)
		return -EFBIG;
	if (a[2] & ~(u64)TERN_MEMOBJ_PAGED)
		return -EINVAL;
	if (!a[2])
		return add_memobj(t, memobj_charged(t, memobj_create(a[0], a[1])));
	if (!(t->process->authority & TERN_AUTH_SERVE))
		return -EPERM;
	if (!t->endpoint)
		return -EINVAL;
	kernel_lock();
	m = pager_create(t->endpoint, a[0], a[1], a[3]);
	kernel_unlock();
	return add_memobj(t, memobj_charged(t, m));
}

s64 native_memobj_phys(struct thread *t, u64 *a)
{
	if ((a[0] & PAGE_MASK) || !a[1] || a[1] > MAX_SIZE)
		return -EINVAL;
	return add_memobj(t, memobj_create_phys(a[0], PAGE_UP(a[1])));
}

s64 native_memobj_resize(struct thread *t, struct memobj *m, u64 *a)
{
	s64 r = a[1] > MAX_SIZE ? -EFBIG : memobj_resize(m, a[1]);

	(void)t;
	pager_changed(m);
	return r;
}

s64 native_memobj_supply(struct thread *t, struct memobj *m, u64 *a)
{
	struct memobj *src = memobj_of(t, a[2], TERN_R_WRITE);
	s64 r;

	if (!src)
		return -EBADF;
	r = memobj_supply(m, a[1], src, a[3], a[4]);
	memobj_put(src);
	if (r > 0)
		pager_changed(m);
	return r;
}

s64 native_memobj_punch(struct thread *t, struct memobj *m, u64 *a)
{
	(void)t;
	return memobj_punch(m, a[1], a[2]);
}

s64 native_memobj_count(struct thread *t, struct memobj *m, u64 *a)
{
	struct tern_memobj_info v;

	memset(&v, 0, sizeof v);
	spin_lock(&m->lock);
	v.size = m->size;
	v.resident = m->resident;
	if (m->written)
		v.written = arch_ticks_to_ns(m->written) + (u64)realtime_offset_ns;
	v.written = MAX(v.written, READ_ONCE(m->modified));
	v.accessed = READ_ONCE(m->accessed);
	v.regions = m->nregions;
	v.writable_regions = m->nwritable;
	v.exec_spaces = m->nexec;
	spin_unlock(&m->lock);
	return put_user(t, a[1], &v, sizeof v);
}

s64 native_memobj_withdraw(struct thread *t, struct memobj *m, u64 *a)
{
	(void)t, (void)a;
	file_withdraw(m);
	return 0;
}

s64 native_memobj_watch(struct thread *t, struct memobj *m, u64 *a)
{
	s64 r = -EBUSY;
	struct note *n;

	if (!t->endpoint)
		return -EINVAL;
	kernel_lock();
	if (!m->watch) {
		n = note_create(t, a[1]);
		WRITE_ONCE(m->watch, n);
		r = n ? 0 : -ENOMEM;
	}
	kernel_unlock();
	return r;
}

/* ---- spaces ---- */

s64 native_aspace_create(struct thread *t, u64 *a)
{
	struct aspace *as = aspace_create();
	s64 r;

	if (!as)
		return -ENOMEM;
	if (a[0])
		as->mmap_top = MIN(PAGE_DOWN(a[0]), USER_MAX);
	kernel_lock();
	r = handle_add(t->process->handles, process_fd_limit(t->process), HANDLE_ASPACE, as, ALL_RIGHTS, true);
	kernel_unlock();
	return r;
}

s64 native_space(struct thread *t, u32 h, enum handle_type type, struct aspace **as)
{
	void *object = handle_object(t->process->handles, h, type, 0);
	struct process *p = object;

	if (!object)
		return -EBADF;
	*as = type == HANDLE_ASPACE ? object : p->state == PROCESS_ALIVE ? p->aspace : NULL;
	if (!*as)
		return -ESRCH;
	aspace_get(*as);
	return 0;
}

struct aspace *aspace_of_handle(struct thread *t, u32 h, enum handle_type type, s64 *err)
{
	struct aspace *as = NULL;

	kernel_lock();
	*err = native_space(t, h, type, &as);
	kernel_unlock();
	return as;
}

/* The same, -1 being the caller's own. */
static struct aspace *aspace_of(struct thread *t, u64 h)
{
	s64 err;

	if ((s32)h != -1)
		return aspace_of_handle(t, (u32)h, HANDLE_ASPACE, &err);
	aspace_get(t->aspace);
	return t->aspace;
}

/* Where a long operation on a space goes on: t's own before t returns to user mode (WORK_MM); one that is
 * being made, and that nobody else changes, at once. */
static struct mm_work *work_on(struct thread *t, const struct aspace *as, struct mm_work *w)
{
	return as == t->aspace ? &t->mm_work : w;
}

static int work_through(struct thread *t, struct mm_work *w, int r)
{
	if (r == MM_MORE && w == &t->mm_work) {
		thread_add_work(t, WORK_MM);
		return 0;
	}
	while (r == MM_MORE) {
		arch_poll_interrupts();
		r = mm_work_step(w);
	}
	return r == MM_BUSY ? -EAGAIN : r;
}

/* What the handle of an object must have to be mapped so. */
static unsigned rights_to_map(unsigned max_prot, unsigned flags)
{
	bool writes = max_prot & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE;

	return TERN_R_MAP | TERN_R_READ | (writes ? TERN_R_WRITE : 0);
}

s64 native_aspace_map(struct thread *t, u64 *a)
{
	unsigned prot = a[3] & PROT_ALL, max_prot = a[3] >> 8 & PROT_ALL;
	unsigned flags = (unsigned)(a[3] >> 16);
	struct aspace *as = aspace_of(t, a[0]);
	struct memobj *m = NULL;
	struct mm_work w = { 0 };
	va_t out = 0;
	int r;

	if (!as)
		return -EBADF;
	if ((s32)a[4] != -1) {
		m = memobj_of(t, a[4], rights_to_map(max_prot, flags));
		if (!m) {
			aspace_put(as);
			return -EBADF;
		}
	} else {
		flags |= MAP_ANONYMOUS;
	}
	r = aspace_map(as, a[1], a[2], prot, max_prot, flags, m, a[5], work_on(t, as, &w), &out);
	r = work_through(t, work_on(t, as, &w), r);
	if (!r && (flags & MAP_STACK))
		as->stack_top = out + PAGE_UP(a[2]);
	if (m)
		memobj_put(m);
	aspace_put(as);
	return r ? r : (s64)out;
}

s64 native_aspace_unmap(struct thread *t, u64 *a)
{
	struct aspace *as = aspace_of(t, a[0]);
	struct mm_work w = { 0 };
	int r;

	if (!as)
		return -EBADF;
	r = aspace_unmap(as, a[1], a[2], work_on(t, as, &w));
	r = work_through(t, work_on(t, as, &w), r);
	aspace_put(as);
	return r;
}

/* What is told of a space in elements of `size`, as many as fit into a page. */
static s64 native_look(struct thread *t, struct aspace *as, u64 *a, size_t size, bool pagemap)
{
	unsigned n = (unsigned)MIN(a[3], PAGE_SIZE / size);
	void *v = kmalloc(PAGE_SIZE);
	s64 r;

	if (!v)
		return -ENOMEM;
	if (pagemap)
		aspace_pagemap(as, a[1], v, n);
	else
		n = aspace_query(as, a[1], v, n);
	r = put_user(t, a[2], v, n * size);
	kfree(v);
	return r ? r : n;
}

s64 native_aspace_query(struct thread *t, struct aspace *as, u64 *a)
{
	return native_look(t, as, a, sizeof(struct tern_region_info), false);
}

s64 native_aspace_pagemap(struct thread *t, struct aspace *as, u64 *a)
{
	return native_look(t, as, a, sizeof(u64), true);
}

s64 native_aspace_walk(struct thread *t, struct aspace *as, u64 *a)
{
	struct tern_walk w;

	memset(&w, 0, sizeof w);
	aspace_walk(as, a[1], &w);
	return put_user(t, a[2], &w, sizeof w);
}
