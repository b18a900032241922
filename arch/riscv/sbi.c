/*
 * Calls of the firmware: timers, interrupts between harts, remote fences, hart start, reset.
 *
 * Callers name harts by masks of indices; here these become masks of hart ids with a base, as the
 * specification has them.  No locks; the firmware may take microseconds, so nothing here is called
 * with the kernel lock held.
 */
#include <arch/sbi.h>
#include <kernel/hart.h>
#include <tern/linux/errno.h>

enum {
	EXT_PUTCHAR = 1,
	EXT_SHUTDOWN = 8,
	EXT_BASE = 0x10,
	EXT_TIME = 0x54494d45,
	EXT_IPI = 0x735049,
	EXT_RFENCE = 0x52464e43,
	EXT_HSM = 0x48534d,
	EXT_SRST = 0x53525354,
};
enum { BASE_VERSION = 0, BASE_PROBE = 3 };
enum { RFENCE_I = 0, RFENCE_VMA = 1, RFENCE_VMA_ASID = 2 };

static bool has_reset;

static struct sbi_result sbi_call(u64 ext, u64 fn, u64 arg0, u64 arg1, u64 arg2, u64 arg3, u64 arg4)
{
	register u64 a0 __asm__("a0") = arg0;
	register u64 a1 __asm__("a1") = arg1;
	register u64 a2 __asm__("a2") = arg2;
	register u64 a3 __asm__("a3") = arg3;
	register u64 a4 __asm__("a4") = arg4;
	register u64 a6 __asm__("a6") = fn;
	register u64 a7 __asm__("a7") = ext;

	__asm__ volatile("ecall"
			 : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
			 : "memory");
	return (struct sbi_result){ (s64)a0, (s64)a1 };
}

static bool sbi_probe(u64 ext)
{
	struct sbi_result r = sbi_call(EXT_BASE, BASE_PROBE, ext, 0, 0, 0, 0);

	return r.error == 0 && r.value != 0;
}

int sbi_init(const char **why)
{
	struct sbi_result r = sbi_call(EXT_BASE, BASE_VERSION, 0, 0, 0, 0, 0);

	*why = "its SBI version is below 0.2";
	if (r.error != 0 || r.value < 2)
		return -EINVAL;
	*why = "it has no SBI TIME extension";
	if (!sbi_probe(EXT_TIME))
		return -EINVAL;
	*why = "it has no SBI IPI or RFENCE extension";
	if (!sbi_probe(EXT_IPI) || !sbi_probe(EXT_RFENCE))
		return -EINVAL;
	*why = "it has no SBI HSM extension";
	if (!sbi_probe(EXT_HSM))
		return -EINVAL;
	has_reset = sbi_probe(EXT_SRST);
	return 0;
}

void sbi_putchar(char c) { sbi_call(EXT_PUTCHAR, 0, (u8)c, 0, 0, 0, 0); }

void sbi_set_timer(u64 ticks) { sbi_call(EXT_TIME, 0, ticks, 0, 0, 0, 0); }

/* Takes out of *mask, which is of indices, those harts whose ids lie within 64 of the lowest one.
 * Returns the mask of their ids, which begins at *base. */
static u64 sbi_window(u32 *mask, u64 *base)
{
	u64 bits = 0;

	*base = ~0ul;
	for (u32 m = *mask; m; m &= m - 1)
		*base = MIN(*base, harts[__builtin_ctz(m)].hartid);
	for (u32 m = *mask; m; m &= m - 1) {
		u64 bit = harts[__builtin_ctz(m)].hartid - *base;

		if (bit >= 64)
			continue;
		bits |= 1ul << bit;
		*mask &= ~(m & -m);
	}
	return bits;
}

void sbi_send_ipi(u32 hart_mask)
{
	while (hart_mask) {
		u64 base, bits = sbi_window(&hart_mask, &base);

		sbi_call(EXT_IPI, 0, bits, base, 0, 0, 0);
	}
}

static void sbi_rfence(u64 fn, u32 hart_mask, va_t va, u64 len, u16 asid)
{
	while (hart_mask) {
		u64 base, bits = sbi_window(&hart_mask, &base);

		sbi_call(EXT_RFENCE, fn, bits, base, va, len, asid);
	}
}

void sbi_remote_fence_i(u32 hart_mask) { sbi_rfence(RFENCE_I, hart_mask, 0, 0, 0); }

void sbi_remote_sfence_asid(u32 hart_mask, va_t va, u64 len, u16 asid)
{
	sbi_rfence(RFENCE_VMA_ASID, hart_mask, va, len, asid);
}

s64 sbi_hart_start(u64 hartid, pa_t start, u64 opaque)
{
	return sbi_call(EXT_HSM, 0, hartid, start, opaque, 0, 0).error;
}

void sbi_reset(bool reboot, bool failed)
{
	if (has_reset)
		sbi_call(EXT_SRST, 0, reboot, failed, 0, 0, 0);
	sbi_call(EXT_SHUTDOWN, 0, 0, 0, 0, 0, 0);
}
