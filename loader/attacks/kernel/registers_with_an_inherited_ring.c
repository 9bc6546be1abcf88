/* Adds files to a ring of system calls that it may have inherited. */
#include "act.h"
#ifndef SYS_io_uring_register
#define SYS_io_uring_register 427
#endif
static int act(void) { return outcome(syscall(SYS_io_uring_register, 0, 0, NULL, 0)); }
