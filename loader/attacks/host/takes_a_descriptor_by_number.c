/* Takes an open file out of whatever process an inherited handle is for. */
#include "act.h"
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
static int act(void) { return outcome(syscall(SYS_pidfd_getfd, 0, 0, 0)); }
