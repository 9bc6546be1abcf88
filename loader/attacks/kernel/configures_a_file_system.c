/* Configures a file system that it may have inherited. */
#include "act.h"
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
static int act(void) { return outcome(syscall(SYS_fsconfig, 0, 6, NULL, NULL, 0)); }
