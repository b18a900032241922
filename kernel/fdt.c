/*
 * The flattened device tree (Devicetree Specification 0.4, chapter 5), read for what booting needs.
 *
 * First the structure block is checked as a whole: its tokens, lengths, names and nesting.  All that
 * reads it later relies on that and checks nothing again.  Then one walk visits each node, with the
 * nodes that are open above it at hand; properties are looked up by name.  The interrupt
 * controller names harts by phandles that may come later, so its contexts are made out at the end.
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

struct walk {
	const u8 *structs;
	const char *strings;
	u32 strings_size;
	const u8 *open[MAX_DEPTH]; /* the nodes from the root to the one that is visited: their tokens */
	int depth;		   /* how many those are */
	struct boot_facts *facts;
	unsigned hart; /* index of the cpu node visited last; MAX_HARTS: it is not used */
	u32 intc_phandle[MAX_HARTS];
	struct prop plic_contexts;
};

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

/* ---- tokens ---- */

static const char *node_name(const u8 *node) { return (const char *)node + 4; }

/* The token behind the one at p. */
static const u8 *token_next(const u8 *p)
{
	switch (be32(p)) {
	case BEGIN_NODE:
		return p + 4 + ((strlen(node_name(p)) + 4) & ~3ul);
	case PROP:
		return p + 12 + ((be32(p + 4) + 3ul) & ~3ul);
	}
	return p + 4;
}

static bool text_ends(const void *text, const void *end)
{
	for (const char *p = text; p < (const char *)end; p++)
		if (!*p)
			return true;
	return false;
}

static bool token_ok(const struct walk *w, const u8 *p, const u8 *end)
{
	u32 name;

	if (be32(p) == BEGIN_NODE)
		return text_ends(p + 4, end);
	if (be32(p) != PROP)
		return be32(p) == END_NODE || be32(p) == NOP || be32(p) == END;
	if (end - p < 12 || be32(p + 4) > end - p - 12)
		return false;
	name = be32(p + 8);
	return name < w->strings_size &&
	       text_ends(w->strings + name, w->strings + w->strings_size);
}

static bool structs_ok(const struct walk *w, const u8 *end)
{
	bool props = false; /* a property may follow: a node has begun, and none of its children */
	int depth = 0;

	for (const u8 *p = w->structs; end - p >= 4 && token_ok(w, p, end); p = token_next(p)) {
		switch (be32(p)) {
		case BEGIN_NODE:
			if (++depth > MAX_DEPTH)
				return false;
			props = true;
			break;
		case END_NODE:
			if (--depth < 0)
				return false;
			props = false;
			break;
		case PROP:
			if (!props)
				return false;
			break;
		case END:
			return depth == 0;
		}
	}
	return false;
}

/* ---- properties ---- */

/* The node's property; of length 0 if it has none of that name. */
static struct prop prop_of(const struct walk *w, const u8 *node, const char *name)
{
	for (const u8 *p = token_next(node); be32(p) == PROP || be32(p) == NOP; p = token_next(p))
		if (be32(p) == PROP && strcmp(w->strings + be32(p + 8), name) == 0)
			return (struct prop){ p + 12, be32(p + 4) };
	return (struct prop){ NULL, 0 };
}

/* The open node `up` levels above the visited one. */
static const u8 *node_above(const struct walk *w, int up) { return w->open[w->depth - 1 - up]; }

static struct prop prop(const struct walk *w, const char *name)
{
	return prop_of(w, node_above(w, 0), name);
}

static u64 cells(const u8 *p, u32 n)
{
	u64 v = 0;

	for (u32 i = 0; i < n; i++)
		v = v << 32 | be32(p + i * 4);
	return v;
}

/* A number of one or two cells. */
static u64 prop_number(struct prop p, u64 otherwise)
{
	return p.len == 4 || p.len == 8 ? cells(p.data, p.len / 4) : otherwise;
}

/* The visited node's property is the string, or a list that has it. */
static bool prop_has(const struct walk *w, const char *name, const char *s)
{
	struct prop p = prop(w, name);
	size_t n = strlen(s) + 1;

	for (u32 i = 0; i + n <= p.len; i++)
		if ((i == 0 || p.data[i - 1] == 0) && memcmp(p.data + i, s, n) == 0)
			return true;
	return false;
}

static void prop_text(struct prop p, char *to, size_t size)
{
	size_t n = 0;

	for (; n < p.len && n < size - 1 && p.data[n]; n++)
		to[n] = (char)p.data[n];
	to[n] = 0;
}

/* Entry i of the visited node's reg; false: there is none, or it makes no sense. */
static bool reg_entry(const struct walk *w, u32 i, u64 *start, u64 *size)
{
	const u8 *parent = node_above(w, 1);
	u64 ac = prop_number(prop_of(w, parent, "#address-cells"), 2);
	u64 sc = prop_number(prop_of(w, parent, "#size-cells"), 1);
	struct prop reg = prop(w, "reg");
	u64 stride = (ac + sc) * 4, at, n;

	if (ac == 0 || ac > 2 || sc > 2 || (i + 1) * stride > reg.len)
		return false;
	at = cells(reg.data + i * stride, (u32)ac);
	n = cells(reg.data + i * stride + ac * 4, (u32)sc);
	if (at + n < at)
		return false;
	*start = at;
	*size = n;
	return true;
}

/* ---- what nodes mean ---- */

static bool is_named(const u8 *node, const char *base)
{
	size_t n = strlen(base);
	const char *name = node_name(node);

	return strncmp(name, base, n) == 0 && (name[n] == 0 || name[n] == '@');
}

static bool enabled(const struct walk *w)
{
	return !prop(w, "status").len || prop_has(w, "status", "okay") || prop_has(w, "status", "ok");
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

static void add_ranges(const struct walk *w, struct phys_range *to, unsigned *count, unsigned max)
{
	u64 start, size;

	for (u32 i = 0; reg_entry(w, i, &start, &size); i++)
		if (size && *count < max)
			to[(*count)++] = (struct phys_range){ start, start + size };
}

static void visit_cpu(struct walk *w)
{
	struct boot_facts *f = w->facts;
	char isa[512];
	u64 id, size;

	w->hart = MAX_HARTS;
	if (!enabled(w) || f->info.nharts == MAX_HARTS || !reg_entry(w, 0, &id, &size))
		return;
	prop_text(prop(w, "riscv,isa"), isa, sizeof isa);
	if (!f->info.nharts)
		prop_text(prop(w, "riscv,isa"), f->info.isa, sizeof f->info.isa);
	f->sstc = (!f->info.nharts || f->sstc) && isa_has(isa, "sstc");
	w->hart = f->info.nharts;
	f->hartid[f->info.nharts++] = id;
}

static void visit_chosen(const struct walk *w)
{
	struct boot_facts *f = w->facts;
	u64 start = prop_number(prop(w, "linux,initrd-start"), ~0ul);
	u64 end = prop_number(prop(w, "linux,initrd-end"), 0);
	struct prop seed = prop(w, "rng-seed");

	if (start < end && end <= ~0ul - PAGE_SIZE) {
		f->initrd = (struct phys_range){ start, PAGE_UP(end) };
		f->info.initrd_size = end - start;
	}
	prop_text(prop(w, "bootargs"), f->info.bootargs, sizeof f->info.bootargs);
	f->rng_seed_len = MIN(seed.len, (u32)sizeof f->rng_seed);
	if (f->rng_seed_len)
		memcpy(f->rng_seed, seed.data, f->rng_seed_len);
}

/* The visited node is the first of that kind of device: where its registers are. */
static bool is_device(const struct walk *w, const char *compatible, u64 *at, u64 *size)
{
	return !*at && prop_has(w, "compatible", compatible) && enabled(w) && reg_entry(w, 0, at, size);
}

static void visit_device(struct walk *w)
{
	struct boot_facts *f = w->facts;
	u64 shift = prop_number(prop(w, "reg-shift"), 0), size;

	if (shift <= 4 && (is_device(w, "ns16550a", &f->info.uart_pa, &f->info.uart_size) ||
			   is_device(w, "ns16550", &f->info.uart_pa, &f->info.uart_size))) {
		f->info.uart_irq = (u32)prop_number(prop(w, "interrupts"), 0);
		f->info.uart_shift = (u32)shift;
	}
	if (is_device(w, "riscv,plic0", &f->plic, &f->plic_size) ||
	    is_device(w, "sifive,plic-1.0.0", &f->plic, &f->plic_size)) {
		f->plic_ndev = (u32)prop_number(prop(w, "riscv,ndev"), 0);
		w->plic_contexts = prop(w, "interrupts-extended");
	}
	(void)is_device(w, "sifive,test0", &f->sifive_test, &size);
	(void)is_device(w, "google,goldfish-rtc", &f->rtc, &size);
}

static void visit(struct walk *w)
{
	struct boot_facts *f = w->facts;
	const u8 *node = node_above(w, 0);

	if (w->depth == 2 && is_named(node, "cpus"))
		f->info.timebase_hz = (u32)prop_number(prop(w, "timebase-frequency"), 0);
	else if (w->depth == 2 && is_named(node, "chosen"))
		visit_chosen(w);
	else if (w->depth == 2 && prop_has(w, "device_type", "memory"))
		add_ranges(w, f->ram, &f->nram, ARRAY_SIZE(f->ram));
	else if (w->depth == 3 && is_named(node_above(w, 1), "reserved-memory"))
		add_ranges(w, f->reserved, &f->nreserved, ARRAY_SIZE(f->reserved));
	else if (w->depth == 3 && is_named(node_above(w, 1), "cpus") && is_named(node, "cpu"))
		visit_cpu(w);
	else if (w->depth == 4 && is_named(node_above(w, 2), "cpus") &&
		 is_named(node, "interrupt-controller") && w->hart < MAX_HARTS)
		w->intc_phandle[w->hart] = (u32)prop_number(prop(w, "phandle"), 0);
	else if (w->depth > 1)
		visit_device(w);
}

static void visit_all(struct walk *w)
{
	for (const u8 *p = w->structs; be32(p) != END; p = token_next(p)) {
		if (be32(p) == BEGIN_NODE) {
			w->open[w->depth++] = p;
			visit(w);
		} else if (be32(p) == END_NODE) {
			w->depth--;
		}
	}
}

/* Pairs of a hart's interrupt controller and a cause; the n-th pair is context n. */
static void find_contexts(const struct walk *w)
{
	const struct prop *x = &w->plic_contexts;
	struct boot_facts *f = w->facts;

	for (unsigned h = 0; h < MAX_HARTS; h++) {
		f->plic_context[h] = NO_CONTEXT;
		for (u32 i = 0; (i + 1) * 8ul <= x->len && w->intc_phandle[h]; i++)
			if (be32(x->data + i * 8) == w->intc_phandle[h] &&
			    be32(x->data + i * 8 + 4) == S_EXTERNAL)
				f->plic_context[h] = i;
	}
}

/* The memory reservation block: pairs of 64-bit numbers, ended by zeroes. */
static bool add_reservations(const u8 *p, const u8 *end, struct boot_facts *f)
{
	for (; end - p >= 16; p += 16) {
		u64 start = cells(p, 2), size = cells(p + 8, 2);

		if (size == 0)
			return true;
		if (start + size < start || f->nreserved == ARRAY_SIZE(f->reserved))
			return false;
		f->reserved[f->nreserved++] = (struct phys_range){ start, start + size };
	}
	return false;
}

int fdt_parse(const void *fdt, size_t size, struct boot_facts *f)
{
	const u8 *base = fdt;
	u32 total, structs, structs_size, strings, reserve;
	struct walk w = { .facts = f };

	memset(f, 0, sizeof *f);
	if (size < HEADER_SIZE || be32(base) != MAGIC)
		return -EINVAL;
	total = be32(base + 4);
	structs = be32(base + 8);
	strings = be32(base + 12);
	reserve = be32(base + 16);
	w.strings_size = be32(base + 32);
	structs_size = be32(base + 36);
	/* Version 17, or one that is readable as it. */
	if (be32(base + 20) < 17 || be32(base + 24) > 17)
		return -EINVAL;
	if (total > size || structs % 4 || structs > total || structs_size > total - structs ||
	    strings > total || w.strings_size > total - strings || reserve > total)
		return -EINVAL;
	w.structs = base + structs;
	w.strings = (const char *)base + strings;
	if (!structs_ok(&w, w.structs + structs_size) ||
	    !add_reservations(base + reserve, base + total, f))
		return -EINVAL;
	visit_all(&w);
	find_contexts(&w);
	return f->nram && f->info.nharts && f->info.timebase_hz ? 0 : -EINVAL;
}
