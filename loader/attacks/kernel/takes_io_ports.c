/* Asks for the ports of the hardware. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { return outcome(syscall(SYS_ioperm, 0x80, 1, 1)); }
#else
static int act(void) { return -ENOSYS; }
#endif
