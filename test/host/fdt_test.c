/*
 * The device tree parser: QEMU's board with four harts as QEMU 7.2 describes it, small trees made
 * here with what that one lacks, and every prefix and every changed byte of the real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/boot.h>
#include <tern/linux/errno.h>

static u8 *real;
static size_t real_size;

static int load(void **state)
{
	FILE *f = fopen(VIRT_DTB, "rb");

	(void)state;
	assert_non_null(f);
	real = malloc(1 << 20);
	real_size = fread(real, 1, 1 << 20, f);
	fclose(f);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	free(real);
	return 0;
}

/* ---- a tree in the making ---- */

struct tree {
	u8 structs[8192];
	char strings[1024];
	size_t n, nstrings;
	u64 reserved[8][2];
	unsigned nreserved;
};

static void put32(u8 *p, u32 v)
{
	p[0] = v >> 24, p[1] = v >> 16, p[2] = v >> 8, p[3] = v;
}

static void cell(struct tree *t, u32 v)
{
	put32(t->structs + t->n, v);
	t->n += 4;
}

static void begin(struct tree *t, const char *name)
{
	cell(t, 1);
	strcpy((char *)t->structs + t->n, name);
	t->n += (strlen(name) + 4) & ~3ul;
}

static void end(struct tree *t) { cell(t, 2); }

static void prop(struct tree *t, const char *name, const void *data, size_t len)
{
	cell(t, 3);
	cell(t, (u32)len);
	cell(t, (u32)t->nstrings);
	strcpy(t->strings + t->nstrings, name);
	t->nstrings += strlen(name) + 1;
	if (len)
		memcpy(t->structs + t->n, data, len);
	t->n += (len + 3) & ~3ul;
}

static void prop_string(struct tree *t, const char *name, const char *s)
{
	prop(t, name, s, strlen(s) + 1);
}

static void prop_cells(struct tree *t, const char *name, unsigned n, const u32 *v)
{
	u8 data[64];

	for (unsigned i = 0; i < n; i++)
		put32(data + i * 4, v[i]);
	prop(t, name, data, n * 4);
}
#define CELLS(t, name, ...)                                                                  \
	prop_cells(t, name, sizeof((u32[]){ __VA_ARGS__ }) / 4, (u32[]){ __VA_ARGS__ })

static int parse(struct tree *t, struct boot_facts *f)
{
	size_t rsv = 40, structs = rsv + (t->nreserved + 1) * 16, strings = structs + t->n + 4;
	size_t total = strings + t->nstrings;
	u8 *p = calloc(1, total);
	u32 header[10] = { 0xd00dfeed, (u32)total, (u32)structs, (u32)strings, (u32)rsv, 17, 16, 0,
			   (u32)t->nstrings, (u32)t->n + 4 };
	int r;

	for (int i = 0; i < 10; i++)
		put32(p + i * 4, header[i]);
	for (unsigned i = 0; i < t->nreserved; i++)
		for (int k = 0; k < 2; k++) {
			put32(p + rsv + i * 16 + k * 8, (u32)(t->reserved[i][k] >> 32));
			put32(p + rsv + i * 16 + k * 8 + 4, (u32)t->reserved[i][k]);
		}
	memcpy(p + structs, t->structs, t->n);
	put32(p + structs + t->n, 9);
	memcpy(p + strings, t->strings, t->nstrings);
	r = fdt_parse(p, total, f);
	free(p);
	return r;
}

static void cpu(struct tree *t, u32 id, const char *isa, const char *status)
{
	char name[16];

	snprintf(name, sizeof name, "cpu@%x", id);
	begin(t, name);
	prop_string(t, "device_type", "cpu");
	CELLS(t, "reg", id);
	prop_string(t, "riscv,isa", isa);
	if (status)
		prop_string(t, "status", status);
	begin(t, "interrupt-controller");
	CELLS(t, "phandle", 100 + id);
	end(t);
	end(t);
}

static void cpus_begin(struct tree *t)
{
	begin(t, "cpus");
	CELLS(t, "#address-cells", 1);
	CELLS(t, "#size-cells", 0);
	CELLS(t, "timebase-frequency", 24000000);
}

static void root_begin(struct tree *t)
{
	begin(t, "");
	CELLS(t, "#address-cells", 2);
	CELLS(t, "#size-cells", 2);
}

static void memory(struct tree *t)
{
	begin(t, "memory@80000000");
	prop_string(t, "device_type", "memory");
	CELLS(t, "reg", 0, 0x80000000, 0, 0x2000000, 1, 0, 2, 0);
	end(t);
}

/* ---- tests ---- */

static void test_virt(void **state)
{
	struct boot_facts f;

	(void)state;
	assert_int_equal(fdt_parse(real, real_size, &f), 0);
	assert_int_equal(f.nram, 1);
	assert_int_equal(f.ram[0].start, 0x80000000);
	assert_int_equal(f.ram[0].end, 0x88000000);
	assert_int_equal(f.info.nharts, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(f.hartid[i], i);
		assert_int_equal(f.plic_context[i], 2 * i + 1);
	}
	assert_int_equal(f.plic_context[4], ~0u);
	assert_int_equal(f.info.timebase_hz, 10000000);
	assert_true(f.sstc);
	assert_int_equal(f.info.uart_pa, 0x10000000);
	assert_int_equal(f.info.uart_irq, 10);
	assert_int_equal(f.info.uart_shift, 0);
	assert_int_equal(f.plic, 0xc000000);
	assert_int_equal(f.plic_size, 0x600000);
	assert_int_equal(f.sifive_test, 0x100000);
	assert_int_equal(f.rtc, 0x101000);
	assert_int_equal(f.rng_seed_len, 32);
	assert_string_equal(f.info.bootargs, "console=ttyS0 quiet");
	assert_int_equal(f.initrd.start, 0x84200000);
	assert_int_equal(f.initrd.end & 4095, 0);
	assert_int_equal(PAGE_UP(f.info.initrd_size), f.initrd.end - f.initrd.start);
	assert_int_equal(strncmp(f.info.isa, "rv64ima", 7), 0);
}

static void test_prefixes(void **state)
{
	struct boot_facts f;

	(void)state;
	for (size_t n = 0; n < real_size; n++) {
		u8 *p = malloc(n ? n : 1);

		memcpy(p, real, n);
		assert_int_not_equal(fdt_parse(p, n, &f), 0);
		free(p);
	}
}

static void test_changed_bytes(void **state)
{
	struct boot_facts f;

	(void)state;
	for (size_t i = 0; i < real_size; i++)
		for (int v = 0; v < 3; v++) {
			u8 old = real[i];

			real[i] = v == 0 ? 0xff : v == 1 ? (u8)(old ^ 1) : 0x80;
			(void)!fdt_parse(real, real_size, &f);
			assert_in_range(f.info.nharts, 0, MAX_HARTS);
			assert_in_range(f.nram, 0, 8);
			real[i] = old;
		}
}

static void test_ranges_and_late_harts(void **state)
{
	static struct tree t;
	struct boot_facts f;

	(void)state;
	t = (struct tree){ .nreserved = 1, .reserved = { { 0x80000000, 0x40000 } } };
	root_begin(&t);
	/* devices before the harts they name */
	begin(&t, "soc");
	CELLS(&t, "#address-cells", 2);
	CELLS(&t, "#size-cells", 2);
	begin(&t, "plic@c000000");
	prop(&t, "compatible", "sifive,plic-1.0.0\0riscv,plic0", 30);
	CELLS(&t, "reg", 0, 0xc000000, 0, 0x600000);
	CELLS(&t, "riscv,ndev", 53);
	CELLS(&t, "interrupts-extended", 100, 11, 104, 11, 104, 9, 100, 9);
	end(&t);
	begin(&t, "serial@1");
	prop_string(&t, "compatible", "snps,dw-apb-uart");
	CELLS(&t, "reg", 0, 1, 0, 1);
	end(&t);
	begin(&t, "serial@2");
	prop_string(&t, "compatible", "ns16550a");
	CELLS(&t, "reg", 0, 0x10002000, 0, 0x100);
	CELLS(&t, "reg-shift", 2);
	CELLS(&t, "interrupts", 7);
	end(&t);
	end(&t);
	begin(&t, "reserved-memory");
	CELLS(&t, "#address-cells", 2);
	CELLS(&t, "#size-cells", 2);
	begin(&t, "mmode_resv0@90000000");
	CELLS(&t, "reg", 0, 0x90000000, 0, 0x1000);
	end(&t);
	end(&t);
	memory(&t);
	cpus_begin(&t);
	cpu(&t, 4, "rv64imac_sstc_zbb", NULL);
	cpu(&t, 3, "rv64imac", "disabled");
	cpu(&t, 0, "rv64imac_sstcx", NULL);
	end(&t);
	end(&t);
	assert_int_equal(parse(&t, &f), 0);
	assert_int_equal(f.nram, 2);
	assert_int_equal(f.ram[1].start, 0x100000000);
	assert_int_equal(f.ram[1].end, 0x300000000);
	assert_int_equal(f.nreserved, 2);
	assert_int_equal(f.reserved[0].end, 0x80040000);
	assert_int_equal(f.reserved[1].end, 0x90001000);
	assert_int_equal(f.info.nharts, 2);
	assert_int_equal(f.hartid[0], 4);
	assert_int_equal(f.plic_context[0], 2);
	assert_int_equal(f.plic_context[1], 3);
	assert_false(f.sstc); /* not every hart has it */
	assert_int_equal(f.info.timebase_hz, 24000000);
	assert_int_equal(f.info.uart_pa, 0x10002000);
	assert_int_equal(f.info.uart_shift, 2);
	assert_int_equal(f.info.uart_irq, 7);
	assert_int_equal(f.plic_ndev, 53);
	assert_int_equal(f.info.initrd_size, 0);
}

static void test_many_harts(void **state)
{
	static struct tree t;
	struct boot_facts f;

	(void)state;
	t = (struct tree){ 0 };
	root_begin(&t);
	memory(&t);
	cpus_begin(&t);
	for (u32 i = 0; i < 12; i++)
		cpu(&t, i, "rv64imac_sstc", NULL);
	end(&t);
	end(&t);
	assert_int_equal(parse(&t, &f), 0);
	assert_int_equal(f.info.nharts, MAX_HARTS);
	assert_true(f.sstc);
}

static void test_lacking(void **state)
{
	static struct tree t;
	struct boot_facts f;

	(void)state;
	for (int lack = 0; lack < 3; lack++) {
		t = (struct tree){ 0 };
		root_begin(&t);
		if (lack != 0)
			memory(&t);
		if (lack != 1) {
			cpus_begin(&t);
			if (lack != 2)
				cpu(&t, 0, "rv64imac", NULL);
			end(&t);
		}
		end(&t);
		assert_int_equal(parse(&t, &f), -EINVAL);
	}
}

static void test_shape(void **state)
{
	static struct tree t;
	struct boot_facts f;

	(void)state;
	t = (struct tree){ 0 }; /* too deep */
	for (int i = 0; i < 40; i++)
		begin(&t, "n");
	for (int i = 0; i < 40; i++)
		end(&t);
	assert_int_equal(parse(&t, &f), -EINVAL);
	t = (struct tree){ 0 }; /* not closed */
	begin(&t, "");
	assert_int_equal(parse(&t, &f), -EINVAL);
	t = (struct tree){ 0 }; /* closed too often */
	end(&t);
	assert_int_equal(parse(&t, &f), -EINVAL);
	t = (struct tree){ 0 }; /* a property of nothing, and one behind a child */
	CELLS(&t, "reg", 1);
	assert_int_equal(parse(&t, &f), -EINVAL);
	t = (struct tree){ 0 };
	root_begin(&t);
	memory(&t);
	CELLS(&t, "reg", 1);
	end(&t);
	assert_int_equal(parse(&t, &f), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virt),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_changed_bytes),
		cmocka_unit_test(test_ranges_and_late_harts),
		cmocka_unit_test(test_many_harts),
		cmocka_unit_test(test_lacking),
		cmocka_unit_test(test_shape),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
