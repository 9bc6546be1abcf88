/* Asks for all ports of the hardware. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { return outcome(syscall(SYS_iopl, 3)); }
#else
static int act(void) { return -ENOSYS; }
#endif
