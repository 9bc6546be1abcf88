/* Makes memory that the kernel itself cannot look at. */
#include "act.h"
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
static int act(void) { return outcome(syscall(SYS_memfd_secret, 0)); }
