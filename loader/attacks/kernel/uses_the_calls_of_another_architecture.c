/* Makes 32-bit system calls, whose numbers mean something else to a careless filter. */
#include "act.h"
static int act(void) {
#ifdef __x86_64__
	int result;
	/* i386 getpid, through the gate that ignores the 64-bit table. */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	return result < 0 ? result : 0;
#else
	return -ENOSYS;
#endif
}
