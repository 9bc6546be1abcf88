/* Opens a handle of the host, with which it could be signalled and its descriptors taken. */
#include "act.h"
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
static int act(void) { return outcome(syscall(SYS_pidfd_open, the_host(), 0)); }
