/* Drives a ring of system calls that it may have inherited. */
#include "act.h"
#ifndef SYS_io_uring_enter
#define SYS_io_uring_enter 426
#endif
static int act(void) { return outcome(syscall(SYS_io_uring_enter, 0, 1, 0, 0, NULL, 0)); }
