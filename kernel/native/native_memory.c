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

/* A counted reference, or NULL. */
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
	if (a[2] & ~(u64)TERN_MEMOBJ_PAGED || (a[2] && !t->endpoint))
		return -EINVAL;
	if (!a[2])
		return add_memobj(t, memobj_create(a[0], a[1]));
	kernel_lock();
	m = pager_create(t->endpoint, a[0], a[1], a[3]);
	kernel_unlock();
	return add_memobj(t, m);
}

s64 native_memobj_phys(struct thread *t, u64 *a)
{
	if ((a[0] & PAGE_MASK) || !a[1] || a[1] > MAX_SIZE)
		return -EINVAL;
	return add_memobj(t, memobj_create_phys(a[0], PAGE_UP(a[1])));
}

s64 native_memobj_resize(struct thread *t, u64 *a)
{
	struct memobj *m = memobj_of(t, a[0], TERN_R_WRITE);
	s64 r;

	if (!m)
		return -EBADF;
	r = a[1] > MAX_SIZE ? -EFBIG : memobj_resize(m, a[1]);
	pager_changed(m);
	memobj_put(m);
	return r;
}

s64 native_memobj_supply(struct thread *t, u64 *a)
{
	struct memobj *dst = memobj_of(t, a[0], TERN_R_WRITE);
	struct memobj *src = memobj_of(t, a[2], TERN_R_WRITE);
	s64 r = -EBADF;

	if (dst && src)
		r = dst == src || ((a[1] | a[3]) & PAGE_MASK) ?
			    -EINVAL :
			    memobj_supply(dst, a[1], src, a[3], a[4]);
	if (r > 0)
		pager_changed(dst);
	if (dst)
		memobj_put(dst);
	if (src)
		memobj_put(src);
	return r;
}

s64 native_memobj_punch(struct thread *t, u64 *a)
{
	struct memobj *m = memobj_of(t, a[0], TERN_R_WRITE);
	s64 r;

	if (!m)
		return -EBADF;
	r = memobj_punch(m, a[1], a[2]);
	memobj_put(m);
	return r;
}

s64 native_memobj_count(struct thread *t, u64 *a)
{
	struct memobj *m = memobj_of(t, a[0], 0);
	struct tern_memobj_info v;

	if (!m)
		return -EBADF;
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
	memobj_put(m);
	return put_user(t, a[1], &v, sizeof v);
}

s64 native_memobj_withdraw(struct thread *t, u64 *a)
{
	struct memobj *m = memobj_of(t, a[0], TERN_R_MANAGE);

	if (!m)
		return -EBADF;
	file_withdraw(m);
	memobj_put(m);
	return 0;
}

s64 native_memobj_watch(struct thread *t, u64 *a)
{
	struct memobj *m = handle_object(t->process->handles, (u32)a[0], HANDLE_MEMOBJ, TERN_R_MANAGE);
	struct note *n;

	if (!m)
		return -EBADF;
	if (!t->endpoint)
		return -EINVAL;
	if (m->watch)
		return -EBUSY;
	n = note_create(t->endpoint, a[1]);
	WRITE_ONCE(m->watch, n);
	return n ? 0 : -ENOMEM;
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

/* A server's operation on a space that nobody else changes, or on its own: done in one go. */
static int finish(struct mm_work *w, int r)
{
	while (r == MM_MORE) {
		arch_poll_interrupts();
		r = mm_work_step(w);
	}
	return r == MM_BUSY ? -EAGAIN : r;
}

s64 native_aspace_map(struct thread *t, u64 *a)
{
	unsigned prot = a[3] & 0xff, max_prot = (a[3] >> 8) & 0xff;
	unsigned flags = (unsigned)(a[3] >> 16);
	struct aspace *as = aspace_of(t, a[0]);
	struct memobj *m = NULL;
	struct mm_work w = { 0 };
	va_t out = 0;
	int r;

	if (!as)
		return -EBADF;
	if ((s32)a[4] != -1) {
		m = memobj_of(t, a[4], TERN_R_MAP);
		if (!m) {
			aspace_put(as);
			return -EBADF;
		}
	} else {
		flags |= MAP_ANONYMOUS;
	}
	r = aspace_map(as, a[1], a[2], prot, max_prot, flags, m, a[5], &w, &out);
	r = finish(&w, r);
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
	r = finish(&w, aspace_unmap(as, a[1], a[2], &w));
	aspace_put(as);
	return r;
}

/* What is told of a space in elements of `size`, as many as fit into a page. */
static s64 look(struct thread *t, u64 *a, size_t size, bool pagemap)
{
	s64 r;
	struct aspace *as = aspace_of_handle(t, (u32)a[0], HANDLE_PROCESS, &r);
	unsigned n = (unsigned)MIN(a[3], PAGE_SIZE / size);
	void *v;

	if (!as)
		return r;
	v = kmalloc(PAGE_SIZE);
	r = -ENOMEM;
	if (v) {
		if (pagemap)
			aspace_pagemap(as, a[1], v, n);
		else
			n = aspace_query(as, a[1], v, n);
		r = put_user(t, a[2], v, n * size);
		if (!r)
			r = n;
		kfree(v);
	}
	aspace_put(as);
	return r;
}

s64 native_aspace_query(struct thread *t, u64 *a)
{
	return look(t, a, sizeof(struct tern_region_info), false);
}

s64 native_aspace_pagemap(struct thread *t, u64 *a) { return look(t, a, sizeof(u64), true); }

s64 native_aspace_walk(struct thread *t, u64 *a)
{
	s64 err;
	struct aspace *as = aspace_of_handle(t, (u32)a[0], HANDLE_PROCESS, &err);
	struct tern_walk w;

	if (!as)
		return err;
	memset(&w, 0, sizeof w);
	aspace_walk(as, a[1], &w);
	aspace_put(as);
	return put_user(t, a[2], &w, sizeof w);
}
