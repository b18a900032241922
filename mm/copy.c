/* Copying between the kernel and user memory, between spaces, and between objects and spaces.
 *
 * User memory is never accessed through user addresses: a copy walks the table under the space's
 * lock and reaches the page through the direct map.  The lock keeps the page where it is.  If a
 * page is missing or may not be written yet, the copy drops the lock, has the fault handled as if
 * the program had made it, and looks again.  Two spaces are locked in the order of their addresses,
 * objects after them. */
#include "mm_priv.h"

#define PARTS 4u /* how many parts, of a page at most, one hold of the locks copies */
#define TRIES 16 /* how often a page may be taken away again between fault and look */

/* Leaf entry e of va has the rights `need`: *p is where va lies in the direct map. */
static inline bool entry_page(pte_t e, va_t va, pte_t need, char **p)
{
	need |= PTE_V;
	if (unlikely((e & (need | PTE_SPECIAL)) != need) &&
	    (e & (need | PTE_SPECIAL | PTE_ANON)) != (need | PTE_SPECIAL | PTE_ANON))
		return false;
	*p = (char *)pfn_to_virt(pte_pfn(e)) + (va & PAGE_MASK);
	return true;
}

/* Finds va's leaf entry, in *entry, and, as entry_page() does, the place of va.  Lock held.  Every
 * message comes here, so the walk is written out: with pt_find() a slot that may be NULL would be
 * tested twice. */
static inline bool user_page_entry(const struct aspace *as, va_t va, pte_t need, char **p, const pte_t **entry)
{
	pte_t e = as->root[pt_index(va, 2)];

	if (unlikely(!pte_valid(e)))
		return false;
	e = pte_next_table(e)[pt_index(va, 1)];
	if (likely(pte_is_linked(e)))
		*entry = &pte_next_table(e)[pt_index(va, 0)];
	else if (pte_is_huge(e))
		*entry = &pt_leaf(e)[pt_index(va, 0)];
	else
		return false;
	return entry_page(**entry, va, need, p);
}

static inline bool user_page(const struct aspace *as, va_t va, pte_t need, char **p)
{
	const pte_t *entry;

	return user_page_entry(as, va, need, p, &entry);
}

/* Handles a fault at va for a copy, which makes do with a small page where a huge one could be. */
static bool fault_in(struct aspace *as, va_t va, enum fault_access access)
{
	enum fault_result res;

	do
		res = aspace_fault(as, va, access);
	while (unlikely(res == FAULT_AGAIN));
	return res == FAULT_OK || res == FAULT_MORE;
}

/* user_lock() where the page is not present, so it is faulted in first. */
static char *user_page_slow(struct aspace *as, va_t va, enum fault_access access)
{
	pte_t need = (pte_t)access << 1;
	char *p;

	for (unsigned i = 0; i < TRIES; i++) {
		if (!fault_in(as, va, access))
			return NULL;
		spin_lock(&as->lock);
		if (user_page(as, va, need, &p))
			return p;
		spin_unlock(&as->lock);
	}
	return NULL;
}

/* Where va lies in the direct map; the space's lock is held then.  NULL, without the lock: a fault
 * at va fails. */
static inline char *user_lock(struct aspace *as, va_t va, enum fault_access access)
{
	char *p;

	spin_lock(&as->lock);
	if (likely(user_page(as, va, (pte_t)access << 1, &p)))
		return p;
	spin_unlock(&as->lock);
	return user_page_slow(as, va, access);
}

/* The n bytes from va on lie in one page of the user half. */
static inline bool in_one_page(va_t va, size_t n)
{
	return va < USER_MAX && n <= PAGE_SIZE - (va & PAGE_MASK);
}

/* Copies n bytes into user memory (FAULT_WRITE) or out of it; both places are in the direct map. */
static inline void copy_move(char *user, char *kernel, size_t n, enum fault_access access)
{
	if (access == FAULT_WRITE)
		memcpy(user, kernel, n);
	else
		memcpy(kernel, user, n);
}

static __attribute__((noinline)) size_t user_in_parts(struct aspace *as, va_t va, char *kernel, size_t n,
						      enum fault_access access)
{
	size_t done = 0;

	if (unlikely(!user_range_ok(va, n)))
		n = va < USER_MAX ? USER_MAX - va : 0;
	while (done < n) {
		size_t part = MIN(n - done, PAGE_SIZE - (va & PAGE_MASK));
		char *p = user_lock(as, va, access);

		if (unlikely(!p))
			break;
		copy_move(p, kernel + done, part, access);
		spin_unlock(&as->lock);
		done += part;
		va += part;
	}
	return done;
}

/* The short way, which each copy tries before its loop: the n bytes lie in one page, which is
 * present.  False: they do not. */
static inline __attribute__((always_inline)) bool try_copy(struct aspace *as, va_t va, char *kernel,
							   size_t n, enum fault_access access)
{
	bool there = false;
	char *p;

	if (likely(in_one_page(va, n))) {
		spin_lock(&as->lock);
		there = user_page(as, va, (pte_t)access << 1, &p);
		if (likely(there))
			copy_move(p, kernel, n, access);
		spin_unlock(&as->lock);
	}
	return there;
}
static inline __attribute__((always_inline)) size_t user_copy(struct aspace *as, va_t va, char *kernel,
							      size_t n, enum fault_access access)
{
	return likely(try_copy(as, va, kernel, n, access)) ? n :
							     user_in_parts(as, va, kernel, n, access);
}

bool aspace_try_copy_in(struct aspace *as, void *to, va_t from, size_t n)
{
	return try_copy(as, from, to, n, FAULT_READ);
}

bool aspace_try_copy_out(struct aspace *as, va_t to, const void *from, size_t n)
{
	return try_copy(as, to, (char *)from, n, FAULT_WRITE);
}

size_t copy_from_user(struct aspace *as, void *to, va_t from, size_t n)
{
	return user_copy(as, from, to, n, FAULT_READ);
}

size_t copy_to_user(struct aspace *as, va_t to, const void *from, size_t n)
{
	return user_copy(as, to, (char *)from, n, FAULT_WRITE);
}

static inline void lock_both(struct aspace *a, struct aspace *b)
{
	if (a == b) {
		spin_lock(&a->lock);
	} else {
		spin_lock(a < b ? &a->lock : &b->lock);
		spin_lock(a < b ? &b->lock : &a->lock);
	}
}
static inline void unlock_both(struct aspace *a, struct aspace *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* Finds where `to` and `from` lie, and holds both locks then.  False, without the locks: a page is
 * not present. */
static inline bool try_pages(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from,
			     char **d, char **s)
{
	lock_both(to_as, from_as);
	if (likely(user_page(from_as, from, PTE_R, s) && user_page(to_as, to, PTE_W, d)))
		return true;
	unlock_both(to_as, from_as);
	return false;
}

/* The same, but faults the pages in.  False: a fault fails. */
static bool lock_pages(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from, char **d,
		       char **s)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (try_pages(to_as, to, from_as, from, d, s))
			return true;
		if (!fault_in(from_as, from, FAULT_READ) || !fault_in(to_as, to, FAULT_WRITE))
			return false;
	}
	return false;
}

static __attribute__((noinline)) size_t between_in_parts(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from,
			       size_t n)
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
		if (unlikely(!try_pages(to_as, to, from_as, from, &d, &s)) &&
		    !lock_pages(to_as, to, from_as, from, &d, &s))
			break;
		memmove(d, s, part);
		unlock_both(to_as, from_as);
		done += part;
		to += part;
		from += part;
	}
	return done;
}

size_t aspace_copy(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from, size_t n)
{
	char *d, *s;

	if (likely(in_one_page(to, n) && in_one_page(from, n)) &&
	    likely(try_pages(to_as, to, from_as, from, &d, &s))) {
		memmove(d, s, n);
		unlock_both(to_as, from_as);
		return n;
	}
	return between_in_parts(to_as, to, from_as, from, n);
}

#define BYTES(x) (~0ul / 255 * (x)) /* a word each byte of which is x */

/* The length of the string at s, at most n.  It reads aligned words, which never reach into another
 * page. */
static size_t string_length(const char *s, size_t n)
{
	size_t skip = (u64)s & 7, i;
	const u64 *w = (const u64 *)(const void *)(s - skip);
	u64 v = *w | (skip ? ~0ul >> (64 - 8 * skip) : 0);

	while (!((v - BYTES(1)) & ~v & BYTES(0x80))) {
		w++;
		if ((const char *)w >= s + n)
			return n;
		v = *w;
	}
	/* The word has a zero byte: look for the lowest one. */
	for (i = (size_t)((const char *)w - s); (v & 0xff) != 0; v >>= 8)
		i++;
	return MIN(i, n);
}

long aspace_copy_string(struct aspace *to_as, va_t to, struct aspace *from_as, va_t from, size_t size)
{
	size_t done = 0, part, len;
	char *d, *s;

	while (done < size) {
		if (unlikely(from >= USER_MAX || to >= USER_MAX))
			return -EFAULT;
		part = MIN(size - done, PAGE_SIZE - (from & PAGE_MASK));
		part = MIN(part, PAGE_SIZE - (to & PAGE_MASK));
		if (unlikely(!try_pages(to_as, to, from_as, from, &d, &s)) &&
		    !lock_pages(to_as, to, from_as, from, &d, &s))
			return -EFAULT;
		len = string_length(s, part);
		memmove(d, s, len);
		if (len < part)
			/* stored, not copied: another thread may just have overwritten the NUL */
			d[len] = 0;
		unlock_both(to_as, from_as);
		done += len;
		if (len < part)
			return (long)done;
		to += part;
		from += part;
	}
	return (long)size;
}

long aspace_try_string(struct aspace *as, char *to, va_t from, size_t size)
{
	size_t len;
	char *s;

	if (unlikely(from >= USER_MAX))
		return -1;
	size = MIN(size, PAGE_SIZE - (from & PAGE_MASK));
	len = size;
	spin_lock(&as->lock);
	if (likely(user_page(as, from, PTE_R, &s)))
		len = string_length(s, size);
	if (likely(len < size)) {
		memcpy(to, s, len);
		to[len] = 0;
	}
	spin_unlock(&as->lock);
	return likely(len < size) ? (long)len : -1;
}

pfn_t aspace_shared_page(struct aspace *as, va_t va)
{
	struct region *r;
	pfn_t pfn = 0;
	char *p;

	if ((va & PAGE_MASK) || va >= USER_MAX)
		return 0;
	spin_lock(&as->lock);
	r = region_find(as, va);
	if (r && r->memobj && r->memobj->kind == MEMOBJ_ANON && (r->flags & REGION_SHARED) &&
	    user_page(as, va, PTE_W, &p)) {
		pfn = virt_to_pfn(p);
		frame_get(pfn);
	}
	spin_unlock(&as->lock);
	return pfn;
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
		/* The object may be freed while a thread still waits.  So the key has its serial
		 * number, which is used once; the lowest bit makes it differ from any space. */
		key->object = r->memobj->serial << 1 | 1;
		key->offset = r->offset + (va - r->start);
	}
	spin_unlock(&as->lock);
	return 0;
}

/* ---- objects and user memory ---- */

/* Where the n bytes at off, which lie in one page, are in the direct map.  NULL: the page is
 * missing, or they reach beyond the object's end.  m->lock held. */
static inline char *object_place(const struct memobj *m, u64 off, size_t n)
{
	pfn_t pfn;

	if (unlikely(off >= m->size || n > m->size - off || m->kind != MEMOBJ_ANON))
		return NULL;
	pfn = radix_get(&m->pages, off >> PAGE_SHIFT);
	if (unlikely(!pfn))
		pfn = radix_get(&m->pages, off >> PAGE_SHIFT);
	return likely(pfn) ? (char *)pfn_to_virt(pfn) + (off & PAGE_MASK) : NULL;
}

/* Copies between two places in the direct map, one in user memory and one in an object.  They may
 * be the same page, if the space maps the object. */
static inline void object_move(char *user, char *object, size_t n, bool out)
{
	memmove(out ? user : object, out ? object : user, n);
	if (!out)
		frame_of(virt_to_pfn(object))->flags &= (u16)~FRAME_SYNCED;
}

/* Copies n bytes that lie in one page on each side, both present, and within the object.  False:
 * they are not so.  Both locks held. */
static inline bool object_copy_part(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n,
				    bool out)
{
	char *p, *q;

	if (unlikely(!user_page(as, va, out ? PTE_W : PTE_R, &p)))
		return false;
	q = object_place(m, off, n);
	if (unlikely(!q))
		return false;
	object_move(p, q, n, out);
	return true;
}

/* How many of n bytes lie in one page on either side. */
static inline size_t one_part(u64 off, va_t va, size_t n)
{
	return MIN(n, PAGE_SIZE - MAX(va & PAGE_MASK, off & PAGE_MASK));
}

/* Copies up to PARTS parts whose pages are present.  Returns the bytes. */
static inline size_t object_copy_there(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n,
				       bool out)
{
	size_t done = 0, part;

	spin_lock(&as->lock);
	spin_lock(&m->lock);
	for (unsigned i = 0; i < PARTS; i++) {
		part = one_part(off + done, va + done, n - done);
		if (unlikely(!object_copy_part(m, off + done, as, va + done, part, out)))
			break;
		done += part;
		if (likely(done == n))
			break;
	}
	spin_unlock(&m->lock);
	spin_unlock(&as->lock);
	return done;
}

/* Copies one part, and makes the pages that are missing.  Returns the bytes, fewer than n at the
 * object's end, or if a fault on the user's side fails; or ENOMEM. */
static long object_copy_slowly(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n,
			       bool out)
{
	char *p, *q;
	pfn_t pfn;

	p = user_lock(as, va, out ? FAULT_WRITE : FAULT_READ);
	if (unlikely(!p))
		return 0;
	spin_lock(&m->lock);
	n = off < m->size ? MIN(n, m->size - off) : 0;
	pfn = n ? memobj_page_locked(m, off >> PAGE_SHIFT, !out) : 0;
	q = pfn ? (char *)pfn_to_virt(pfn) + (off & PAGE_MASK) : NULL;
	if (out && !q && m->kind == MEMOBJ_PAGER)
		n = 0;
	else if (out && !q)
		memset(p, 0, n);
	else if (q)
		memmove(out ? p : q, out ? q : p, n);
	if (!out && pfn)
		frame_of(pfn)->flags &= (u16)~FRAME_SYNCED;
	spin_unlock(&m->lock);
	spin_unlock(&as->lock);
	return n && !out && !pfn ? -ENOMEM : (long)n;
}

static __attribute__((noinline)) long object_in_parts(struct memobj *m, u64 off, struct aspace *as, va_t va,
						      size_t n, bool out)
{
	size_t done = 0, part;
	long r;

	if (unlikely(m->kind == MEMOBJ_PHYS))
		return -EINVAL;
	if (unlikely(!user_range_ok(va, n)))
		n = va < USER_MAX ? USER_MAX - va : 0;
	if (unlikely(!n)) /* and va may be an address of the kernel's, whose entries are not looked at */
		return 0;
	for (;;) {
		done += object_copy_there(m, off + done, as, va + done, n - done, out);
		if (likely(done == n))
			return (long)done;
		part = one_part(off + done, va + done, n - done);
		r = object_copy_slowly(m, off + done, as, va + done, part, out);
		if (r < 0)
			return done ? (long)done : r;
		done += (size_t)r;
		if ((size_t)r < part || done == n)
			return (long)done;
	}
}

/* The short way: copies n bytes that lie in one page of the object and in one or two of user
 * memory, all present.  False: they are not so, and nothing was copied. */
static inline __attribute__((always_inline)) bool object_copy_simple(struct memobj *m, u64 off, struct aspace *as,
								     va_t va, size_t n, bool out)
{
	pte_t need = out ? PTE_W : PTE_R;
	size_t first = PAGE_SIZE - (va & PAGE_MASK);
	const pte_t *entry;
	char *p, *q, *more;

	if (unlikely(va >= USER_MAX - PAGE_SIZE || n > PAGE_SIZE - (off & PAGE_MASK)))
		return false;
	spin_lock(&as->lock);
	spin_lock(&m->lock);
	q = object_place(m, off, n);
	if (unlikely(!q || !user_page_entry(as, va, need, &p, &entry)))
		goto out_locks;
	if (n > first) {
		/* The second page's entry follows the first one's, unless that ends its table. */
		if (unlikely(!(pt_index(va + first, 0) ? entry_page(entry[1], va + first, need, &more) :
							 user_page(as, va + first, need, &more))))
			goto out_locks;
		object_move(p, q, first, out);
		object_move(more, q + first, n - first, out);
	} else {
		object_move(p, q, n, out);
	}
	spin_unlock(&m->lock);
	spin_unlock(&as->lock);
	return true;
out_locks:
	spin_unlock(&m->lock);
	spin_unlock(&as->lock);
	return false;
}

long memobj_copy_out(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n)
{
	if (likely(object_copy_simple(m, off, as, va, n, true)))
		return (long)n;
	return object_in_parts(m, off, as, va, n, true);
}

long memobj_copy_in(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n)
{
	if (likely(object_copy_simple(m, off, as, va, n, false)))
		return (long)n;
	return object_in_parts(m, off, as, va, n, false);
}

bool memobj_copy_in_there(struct memobj *m, u64 off, struct aspace *as, va_t va, size_t n)
{
	return likely(object_copy_simple(m, off, as, va, n, false)) ||
	       (user_range_ok(va, n) && object_copy_there(m, off, as, va, n, false) == n);
}
