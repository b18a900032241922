/* The smallest static executable: exit(0), no C library. The exec target of fork_exec_tiny. */
void _start(void);

void _start(void)
{
	register long a0 __asm__("a0") = 0;
	register long a7 __asm__("a7") = 93;

	__asm__ volatile("ecall" : : "r"(a0), "r"(a7));
	__builtin_unreachable();
}
