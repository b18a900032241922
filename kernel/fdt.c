/*
 * The flattened device tree (Devicetree Specification 0.4, chapter 5), read for what booting needs.
 *
 * One cursor over the structure block; a stack of open nodes keeps what children need of parents.
 * A node's properties come before its children, so it is judged when they are all read.  The tree is
 * walked twice: the interrupt controller names harts by phandles that may come later.
 * Pure: every offset and length is checked against the blocks, which are checked against `size`.
 */
#include <kernel/boot.h>
#include <kernel/lib/string.h>
#include <tern/linux/errno.h>

#define MAGIC 0xd00dfeedu
#define HEADER_SIZE 40
#define MAX_DEPTH 16
#define S_EXTERNAL 9 /* cause of an S-mode external interrupt */
#define NO_CONTEXT (~0u)

enum { BEGIN_NODE = 1, END_NODE, PROP, NOP, END = 9 };

struct prop {
	const u8 *data;
	u32 len;
};

enum place { OTHER, ROOT, CPUS, CPU, CHOSEN, RESERVED_MEMORY };

struct node {
	const char *name;
	enum place place;
	bool judged;
	u32 address_cells, size_cells; /* of its children */
	unsigned hart;		       /* CPU: index, or MAX_HARTS */
	struct prop reg, compatible, device_type, status, phandle, isa, timebase, interrupts,
		interrupts_extended, ndev, reg_shift, initrd_start, initrd_end, bootargs, rng_seed;
};

struct walk {
	const u8 *structs, *structs_end;
	const char *strings;
	u32 strings_size;
	struct boot_facts *f;
	int pass;
	u32 intc_phandle[MAX_HARTS];
	struct node stack[MAX_DEPTH];
	int depth; /* open nodes */
};

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static const struct {
	const char *name;
	size_t at;
} wanted[] = {
	{ "reg", offsetof(struct node, reg) },
	{ "compatible", offsetof(struct node, compatible) },
	{ "device_type", offsetof(struct node, device_type) },
	{ "status", offsetof(struct node, status) },
	{ "phandle", offsetof(struct node, phandle) },
	{ "riscv,isa", offsetof(struct node, isa) },
	{ "timebase-frequency", offsetof(struct node, timebase) },
	{ "interrupts", offsetof(struct node, interrupts) },
	{ "interrupts-extended", offsetof(struct node, interrupts_extended) },
	{ "riscv,ndev", offsetof(struct node, ndev) },
	{ "reg-shift", offsetof(struct node, reg_shift) },
	{ "linux,initrd-start", offsetof(struct node, initrd_start) },
	{ "linux,initrd-end", offsetof(struct node, initrd_end) },
	{ "bootargs", offsetof(struct node, bootargs) },
	{ "rng-seed", offsetof(struct node, rng_seed) },
};

/* ---- values ---- */

/* The property is the string, or a list that has it. */
static bool prop_has(const struct prop *p, const char *s)
{
	size_t n = strlen(s) + 1;

	for (u32 i = 0; i + n <= p->len; i++)
		if ((i == 0 || p->data[i - 1] == 0) && memcmp(p->data + i, s, n) == 0)
			return true;
	return false;
}

/* A number of one or two cells; false if there is none. */
static bool prop_number(const struct prop *p, u64 *v)
{
	if (p->len == 4)
		*v = be32(p->data);
	else if (p->len == 8)
		*v = (u64)be32(p->data) << 32 | be32(p->data + 4);
	else
		return false;
	return true;
}

static u32 prop_u32(const struct prop *p, u32 otherwise)
{
	return p->len == 4 ? be32(p->data) : otherwise;
}

static void prop_text(const struct prop *p, char *to, size_t size)
{
	size_t n = 0;

	while (n < p->len && n < size - 1 && p->data[n]) {
		to[n] = (char)p->data[n];
		n++;
	}
	to[n] = 0;
}

static u64 cells(const u8 *p, u32 n)
{
	u64 v = 0;

	for (u32 i = 0; i < n; i++)
		v = v << 32 | be32(p + i * 4);
	return v;
}

/* Entry i of a node's reg; false: there is none, or it makes no sense. */
static bool reg_entry(const struct walk *w, u32 i, u64 *start, u64 *size)
{
	const struct node *n = &w->stack[w->depth - 1];
	u32 ac = w->depth > 1 ? w->stack[w->depth - 2].address_cells : 2;
	u32 sc = w->depth > 1 ? w->stack[w->depth - 2].size_cells : 1;
	u64 stride = (ac + sc) * 4ul;

	if (ac == 0 || ac > 2 || sc > 2 || (i + 1) * stride > n->reg.len)
		return false;
	*start = cells(n->reg.data + i * stride, ac);
	*size = cells(n->reg.data + i * stride + ac * 4, sc);
	return *start + *size >= *start;
}

static bool name_is(const char *name, const char *base)
{
	size_t n = strlen(base);

	return strncmp(name, base, n) == 0 && (name[n] == 0 || name[n] == '@');
}

static bool enabled(const struct node *n)
{
	return n->status.len == 0 || prop_has(&n->status, "okay") || prop_has(&n->status, "ok");
}

/* The ISA string names the multi-letter extension. */
static bool isa_has(const char *isa, const char *ext)
{
	size_t n = strlen(ext);

	for (const char *p = isa; *p; p++)
		if (*p == '_' && strncmp(p + 1, ext, n) == 0 && (p[n + 1] == 0 || p[n + 1] == '_'))
			return true;
	return false;
}

/* ---- what nodes mean ---- */

static void add_ranges(const struct walk *w, struct phys_range *to, unsigned *count, unsigned max)
{
	u64 start, size;

	for (u32 i = 0; reg_entry(w, i, &start, &size); i++)
		if (size && *count < max)
			to[(*count)++] = (struct phys_range){ start, start + size };
}

static void see_cpu(struct walk *w, struct node *n)
{
	struct boot_facts *f = w->f;
	char isa[512];
	u64 id, size;

	n->hart = MAX_HARTS;
	if (!enabled(n) || !reg_entry(w, 0, &id, &size) || f->nharts == MAX_HARTS)
		return;
	prop_text(&n->isa, isa, sizeof(isa));
	if (f->nharts == 0) {
		prop_text(&n->isa, f->isa, sizeof(f->isa));
		f->sstc = true;
	}
	f->sstc = f->sstc && isa_has(isa, "sstc");
	n->hart = f->nharts;
	f->hartid[f->nharts++] = id;
}

static void see_chosen(struct walk *w, const struct node *n)
{
	struct boot_facts *f = w->f;
	u64 start, end;

	if (prop_number(&n->initrd_start, &start) && prop_number(&n->initrd_end, &end) &&
	    start < end && end <= ~0ul - PAGE_SIZE) {
		f->initrd = (struct phys_range){ start, PAGE_UP(end) };
		f->initrd_size = end - start;
	}
	prop_text(&n->bootargs, f->bootargs, sizeof(f->bootargs));
	f->rng_seed_len = MIN(n->rng_seed.len, (u32)sizeof(f->rng_seed));
	if (f->rng_seed_len)
		memcpy(f->rng_seed, n->rng_seed.data, f->rng_seed_len);
}

static void see_plic(struct walk *w, const struct node *n)
{
	const struct prop *x = &n->interrupts_extended;
	struct boot_facts *f = w->f;

	if (f->plic || !reg_entry(w, 0, &f->plic, &f->plic_size))
		return;
	f->plic_ndev = prop_u32(&n->ndev, 0);
	/* Pairs of a hart's interrupt controller and a cause; the n-th pair is context n. */
	for (u32 i = 0; (i + 1) * 8ul <= x->len; i++)
		for (unsigned h = 0; h < f->nharts; h++)
			if (be32(x->data + i * 8 + 4) == S_EXTERNAL && w->intc_phandle[h] &&
			    be32(x->data + i * 8) == w->intc_phandle[h])
				f->plic_context[h] = i;
}

static void see_device(struct walk *w, const struct node *n)
{
	struct boot_facts *f = w->f;
	u64 size;

	if (!enabled(n))
		return;
	if (prop_has(&n->compatible, "ns16550a") || prop_has(&n->compatible, "ns16550")) {
		if (f->uart || !reg_entry(w, 0, &f->uart, &f->uart_size))
			return;
		f->uart_irq = prop_u32(&n->interrupts, 0);
		f->uart_shift = prop_u32(&n->reg_shift, 0);
		if (f->uart_shift > 4)
			f->uart = 0;
	} else if (prop_has(&n->compatible, "sifive,test0")) {
		if (!f->sifive_test && !reg_entry(w, 0, &f->sifive_test, &size))
			f->sifive_test = 0;
	} else if (prop_has(&n->compatible, "google,goldfish-rtc")) {
		if (!f->rtc && !reg_entry(w, 0, &f->rtc, &size))
			f->rtc = 0;
	} else if (prop_has(&n->compatible, "riscv,plic0") ||
		   prop_has(&n->compatible, "sifive,plic-1.0.0")) {
		see_plic(w, n);
	}
}

/* All properties of the innermost node are read; pass 0: harts and memory; pass 1: devices. */
static void judge(struct walk *w)
{
	struct node *n = &w->stack[w->depth - 1];
	struct node *parent = w->depth > 1 ? n - 1 : NULL;
	struct boot_facts *f = w->f;

	if (n->judged)
		return;
	n->judged = true;
	if (w->pass == 1) {
		see_device(w, n);
		return;
	}
	if (n->place == CPUS) {
		f->timebase_hz = prop_u32(&n->timebase, f->timebase_hz);
	} else if (n->place == CPU) {
		see_cpu(w, n);
	} else if (n->place == CHOSEN) {
		see_chosen(w, n);
	} else if (parent && parent->place == RESERVED_MEMORY) {
		add_ranges(w, f->reserved, &f->nreserved, ARRAY_SIZE(f->reserved));
	} else if (parent && parent->place == ROOT && prop_has(&n->device_type, "memory")) {
		add_ranges(w, f->ram, &f->nram, ARRAY_SIZE(f->ram));
	} else if (parent && parent->place == CPU && parent->hart < MAX_HARTS &&
		   name_is(n->name, "interrupt-controller")) {
		w->intc_phandle[parent->hart] = prop_u32(&n->phandle, 0);
	}
}

static enum place place_of(const struct walk *w, const char *name)
{
	enum place parent = w->depth ? w->stack[w->depth - 1].place : OTHER;

	if (w->depth == 0)
		return ROOT;
	if (parent == CPUS && name_is(name, "cpu"))
		return CPU;
	if (parent != ROOT)
		return OTHER;
	if (name_is(name, "cpus"))
		return CPUS;
	if (name_is(name, "chosen"))
		return CHOSEN;
	return name_is(name, "reserved-memory") ? RESERVED_MEMORY : OTHER;
}

/* ---- the walk ---- */

/* Its length with the NUL, or 0 if it does not end before `end`. */
static size_t text_size(const void *text, const void *end)
{
	const char *s = text, *e = end;

	for (const char *p = s; p < e; p++)
		if (!*p)
			return (size_t)(p - s) + 1;
	return 0;
}

static const u8 *begin_node(struct walk *w, const u8 *p)
{
	size_t n = text_size(p, w->structs_end);
	struct node *node;
	enum place place;

	if (n == 0 || w->depth == MAX_DEPTH)
		return NULL;
	if (w->depth)
		judge(w);
	place = place_of(w, (const char *)p);
	node = &w->stack[w->depth++];
	memset(node, 0, sizeof(*node));
	node->name = (const char *)p;
	node->place = place;
	node->address_cells = 2;
	node->size_cells = 1;
	return p + ((n + 3) & ~3ul);
}

static const u8 *read_prop(struct walk *w, const u8 *p)
{
	struct prop v;
	struct node *n;
	u32 name;

	if (w->structs_end - p < 8 || w->depth == 0)
		return NULL;
	v.len = be32(p);
	name = be32(p + 4);
	v.data = p + 8;
	if (v.len > (u64)(w->structs_end - v.data) || name >= w->strings_size ||
	    !text_size(w->strings + name, w->strings + w->strings_size))
		return NULL;
	n = &w->stack[w->depth - 1];
	if (n->judged)
		return NULL; /* behind a child */
	if (strcmp(w->strings + name, "#address-cells") == 0)
		n->address_cells = prop_u32(&v, 0);
	else if (strcmp(w->strings + name, "#size-cells") == 0)
		n->size_cells = prop_u32(&v, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
		if (strcmp(w->strings + name, wanted[i].name) == 0)
			*(struct prop *)((char *)n + wanted[i].at) = v;
	return v.data + ((v.len + 3ul) & ~3ul);
}

static int walk(struct walk *w)
{
	const u8 *p = w->structs;

	w->depth = 0;
	while (p && p <= w->structs_end && w->structs_end - p >= 4) {
		u32 token = be32(p);

		p += 4;
		switch (token) {
		case BEGIN_NODE:
			p = begin_node(w, p);
			break;
		case END_NODE:
			if (w->depth == 0)
				return -EINVAL;
			judge(w);
			w->depth--;
			break;
		case PROP:
			p = read_prop(w, p);
			break;
		case NOP:
			break;
		case END:
			return w->depth == 0 ? 0 : -EINVAL;
		default:
			return -EINVAL;
		}
	}
	return -EINVAL;
}

/* The memory reservation block: pairs of 64-bit numbers, ended by zeroes. */
static int reservations(const u8 *p, const u8 *end, struct boot_facts *f)
{
	for (; end - p >= 16; p += 16) {
		u64 start = cells(p, 2), size = cells(p + 8, 2);

		if (size == 0)
			return 0;
		if (start + size < start || f->nreserved == ARRAY_SIZE(f->reserved))
			return -EINVAL;
		f->reserved[f->nreserved++] = (struct phys_range){ start, start + size };
	}
	return -EINVAL;
}

int fdt_parse(const void *fdt, size_t size, struct boot_facts *f)
{
	const u8 *base = fdt;
	u32 total, structs, structs_size, strings, strings_size, reserve;
	struct walk w = { .f = f };

	memset(f, 0, sizeof(*f));
	for (unsigned i = 0; i < MAX_HARTS; i++)
		f->plic_context[i] = NO_CONTEXT;
	if (size < HEADER_SIZE || be32(base) != MAGIC)
		return -EINVAL;
	total = be32(base + 4);
	structs = be32(base + 8);
	strings = be32(base + 12);
	reserve = be32(base + 16);
	strings_size = be32(base + 32);
	structs_size = be32(base + 36);
	/* Version 17, or one that is readable as it. */
	if (be32(base + 20) < 17 || be32(base + 24) > 17)
		return -EINVAL;
	if (total > size || structs % 4 || structs > total || structs_size > total - structs ||
	    strings > total || strings_size > total - strings || reserve > total)
		return -EINVAL;
	w.structs = base + structs;
	w.structs_end = w.structs + structs_size;
	w.strings = (const char *)base + strings;
	w.strings_size = strings_size;
	if (reservations(base + reserve, base + total, f) < 0)
		return -EINVAL;
	for (w.pass = 0; w.pass < 2; w.pass++)
		if (walk(&w) < 0)
			return -EINVAL;
	return f->nram && f->nharts && f->timebase_hz ? 0 : -EINVAL;
}
