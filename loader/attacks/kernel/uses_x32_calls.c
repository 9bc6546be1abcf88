/* Makes system calls with the x32 bit, whose numbers a careless filter does not know. */
#include "act.h"
static int act(void) {
#ifdef __x86_64__
	return outcome(syscall(0x40000000 | SYS_getpid));
#else
	return -ENOSYS;
#endif
}
