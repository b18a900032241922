/* Copying between the kernel and user memory, and between spaces.
 *
 * User memory is never accessed through user addresses: the table is walked under the space's lock
 * and the page is reached through the direct map.  The lock keeps the page; a page that is missing
 * or may not be written yet is resolved as a fault of the program's would be, without the lock,
 * and looked at again.  Two spaces are locked in the order of their addresses, objects after them. */
#include "mm_priv.h"

#define TRIES 16 /* a page may be taken away again between fault and look; not for ever */

/* The place of va if its entry has the rights; NULL otherwise. Lock held. */
static inline char *user_page(const struct aspace *as, va_t va, pte_t need)
{
	pte_t *slot = pt_find(as, va), e;

	if (unlikely(!slot))
		return NULL;
	e = *slot;
	need |= PTE_V;
	if (unlikely((e & (need | PTE_SPECIAL)) != need) &&
	    (e & (need | PTE_SPECIAL | PTE_ANON)) != (need | PTE_SPECIAL | PTE_ANON))
		return NULL;
	return (char *)pfn_to_virt(pte_pfn(e)) + (va & PAGE_MASK);
}

/* Returns with the lock held; NULL, without it: the page cannot be had. */
static char *user_page_slow(struct aspace *as, va_t va, enum fault_access access)
{
	pte_t need = (pte_t)access << 1;
	char *p;

	for (unsigned i = 0; i < TRIES; i++) {
		if (aspace_fault(as, va, access) != FAULT_OK)
			return NULL;
		spin_lock(&as->lock);
		p = user_page(as, va, need);
		if (p)
			return p;
		spin_unlock(&as->lock);
	}
	return NULL;
}

/* The place of va with the lock held, or NULL without it. */
static inline char *user_lock(struct aspace *as, va_t va, enum fault_access access)
{
	char *p;

	spin_lock(&as->lock);
	p = user_page(as, va, (pte_t)access << 1);
	if (likely(p))
		return p;
	spin_unlock(&as->lock);
	return user_page_slow(as, va, access);
}

size_t copy_from_user(struct aspace *as, void *to, va_t from, size_t n)
{
	size_t done = 0;

	if (unlikely(!user_range_ok(from, n)))
		n = from < USER_MAX ? USER_MAX - from : 0;
	while (done < n) {
		size_t part = MIN(n - done, PAGE_SIZE - (from & PAGE_MASK));
		char *p = user_lock(as, from, FAULT_READ);

		if (unlikely(!p))
			break;
		memcpy((char *)to + done, p, part);
		spin_unlock(&as->lock);
		done += part;
		from += part;
	}
	return done;
}

size_t copy_to_user(struct aspace *as, va_t to, const void *from, size_t n)
{
	size_t done = 0;

	if (unlikely(!user_range_ok(to, n)))
		n = to < USER_MAX ? USER_MAX - to : 0;
	while (done < n) {
		size_t part = MIN(n - done, PAGE_SIZE - (to & PAGE_MASK));
		char *p = user_lock(as, to, FAULT_WRITE);

		if (unlikely(!p))
			break;
		memcpy(p, (const char *)from + done, part);
		spin_unlock(&as->lock);
		done += part;
		to += part;
	}
	return done;
}

static void lock_both(struct aspace *a, struct aspace *b)
{
	if (a == b) {
		spin_lock(&a->lock);
	} else {
		spin_lock(a < b ? &a->lock : &b->lock);
		spin_lock(a < b ? &b->lock : &a->lock);
	}
}
static void unlock_both(struct aspace *a, struct aspace *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* Finds both places, with both locks held; false: without, one cannot be had. */
static bool lock_pages(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from, char **d,
		       char **s)
{
	for (unsigned i = 0; i < TRIES; i++) {
		lock_both(to_as, from_as);
		*s = user_page(from_as, from, PTE_R);
		*d = user_page(to_as, to, PTE_W);
		if (likely(*s && *d))
			return true;
		unlock_both(to_as, from_as);
		if (!*s && aspace_fault(from_as, from, FAULT_READ) != FAULT_OK)
			return false;
		if (!*d && aspace_fault(to_as, to, FAULT_WRITE) != FAULT_OK)
			return false;
	}
	return false;
}

size_t aspace_copy(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from, size_t n)
{
	size_t done = 0;
	char *d, *s;

	if (unlikely(!user_range_ok(to, n)))
		n = to < USER_MAX ? USER_MAX - to : 0;
	if (unlikely(!user_range_ok(from, n)))
		n = from < USER_MAX ? USER_MAX - from : 0;
	while (done < n) {
		size_t part = MIN(n - done, PAGE_SIZE - (from & PAGE_MASK));

		part = MIN(part, PAGE_SIZE - (to & PAGE_MASK));
		if (unlikely(!lock_pages(to_as, to, from_as, from, &d, &s)))
			break;
		if (part == PAGE_SIZE && d != s)
			page_copy(d, s);
		else if (to_as != from_as)
			memcpy(d, s, part);
		else
			memmove(d, s, part);
		unlock_both(to_as, from_as);
		done += part;
		to += part;
		from += part;
	}
	return done;
}

long copy_string_from_user(struct aspace *as, char *to, va_t from, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t part = MIN(size - done, PAGE_SIZE - (from & PAGE_MASK));
		char *p = from < USER_MAX ? user_lock(as, from, FAULT_READ) : NULL;

		if (!p)
			return -EFAULT;
		for (size_t i = 0; i < part; i++) {
			to[done + i] = p[i];
			if (!p[i]) {
				spin_unlock(&as->lock);
				return (long)(done + i);
			}
		}
		spin_unlock(&as->lock);
		done += part;
		from += part;
	}
	return (long)size;
}

/* ---- words ---- */

int user_read_u32(struct aspace *as, va_t va, u32 *v)
{
	char *p = (va & 3) || va >= USER_MAX ? NULL : user_lock(as, va, FAULT_READ);

	if (unlikely(!p))
		return -EFAULT;
	*v = __atomic_load_n((u32 *)(void *)p, __ATOMIC_ACQUIRE);
	spin_unlock(&as->lock);
	return 0;
}

int user_read_u64(struct aspace *as, va_t va, u64 *v)
{
	char *p = (va & 7) || va >= USER_MAX ? NULL : user_lock(as, va, FAULT_READ);

	if (unlikely(!p))
		return -EFAULT;
	*v = __atomic_load_n((u64 *)(void *)p, __ATOMIC_ACQUIRE);
	spin_unlock(&as->lock);
	return 0;
}

int user_write_u32(struct aspace *as, va_t va, u32 v)
{
	char *p = (va & 3) || va >= USER_MAX ? NULL : user_lock(as, va, FAULT_WRITE);

	if (unlikely(!p))
		return -EFAULT;
	__atomic_store_n((u32 *)(void *)p, v, __ATOMIC_RELEASE);
	spin_unlock(&as->lock);
	return 0;
}

int user_cmpxchg_u32(struct aspace *as, va_t va, u32 expect, u32 want, u32 *seen)
{
	char *p = (va & 3) || va >= USER_MAX ? NULL : user_lock(as, va, FAULT_WRITE);

	if (unlikely(!p))
		return -EFAULT;
	*seen = expect;
	__atomic_compare_exchange_n((u32 *)(void *)p, seen, want, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	spin_unlock(&as->lock);
	return 0;
}

int aspace_futex_key(struct aspace *as, va_t va, bool shared, struct futex_key *key)
{
	struct region *r;
	char *p;

	if (va & 3)
		return -EINVAL;
	if (va >= USER_MAX)
		return -EFAULT;
	key->object = (u64)(uintptr_t)as;
	key->offset = va;
	if (!shared)
		return 0;
	p = user_lock(as, va, FAULT_READ);
	if (!p)
		return -EFAULT;
	r = region_find(as, va);
	if (r && r->memobj && (r->flags & REGION_SHARED)) {
		key->object = (u64)(uintptr_t)r->memobj;
		key->offset = r->offset + (va - r->start);
	}
	spin_unlock(&as->lock);
	return 0;
}

/* ---- objects and user memory ---- */

/* The place of one object page's byte, with both locks held.  *mem NULL: reads as zero. */
static long object_copy(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n, bool out)
{
	size_t done = 0, part, room;
	char *p, *q;
	pfn_t pfn;

	if (m->kind == MEMOBJ_PHYS)
		return -EINVAL;
	if (unlikely(!user_range_ok(va, n)))
		n = va < USER_MAX ? USER_MAX - va : 0;
	while (done < n) {
		part = MIN(n - done, PAGE_SIZE - (va & PAGE_MASK));
		part = MIN(part, PAGE_SIZE - (off & PAGE_MASK));
		if (off >= READ_ONCE(m->size))
			break;
		p = user_lock(as, va, out ? FAULT_WRITE : FAULT_READ);
		if (unlikely(!p))
			break;
		spin_lock(&m->lock);
		room = off < m->size ? m->size - off : 0;
		part = MIN(part, room);
		pfn = part ? memobj_page_locked(m, off >> PAGE_SHIFT, !out) : 0;
		q = pfn ? (char *)pfn_to_virt(pfn) + (off & PAGE_MASK) : NULL;
		if (out && !q)
			memset(p, 0, part);
		else if (out && part == PAGE_SIZE && p != q)
			page_copy(p, q);
		else if (out)
			memmove(p, q, part); /* the same page, if the space maps the object */
		else if (q && part == PAGE_SIZE && p != q)
			page_copy(q, p);
		else if (q)
			memmove(q, p, part);
		if (!out && pfn)
			frame_of(pfn)->flags &= (u16)~FRAME_SYNCED;
		spin_unlock(&m->lock);
		spin_unlock(&as->lock);
		if (!part)
			break;
		if (!out && !pfn)
			return done ? (long)done : -ENOMEM;
		done += part;
		va += part;
		off += part;
	}
	return (long)done;
}

long memobj_copy_out(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n)
{
	return object_copy(m, off, as, va, n, true);
}

long memobj_copy_in(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n)
{
	return object_copy(m, off, as, va, n, false);
}
