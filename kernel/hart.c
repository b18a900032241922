/*
 * The harts' own data and the kernel lock.
 */
#include <kernel/hart.h>
#include <kernel/lock.h>

struct hart harts[MAX_HARTS];
unsigned nharts = 1;
struct spinlock the_kernel_lock = SPINLOCK_INIT;

void kernel_send_ipis(void)
{
	struct hart *h = this_hart();
	u32 mask = h->ipi_wanted;

	h->ipi_wanted = 0;
	arch_ipi(mask);
}
