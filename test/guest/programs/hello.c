/* The smallest test: a static glibc program starts, prints and ends. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	printf("hello from pid %d\n", (int)getpid());
	return 0;
}
