/* Turns a prepared file system into a mount. */
#include "act.h"
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif
static int act(void) { return outcome(syscall(SYS_fsmount, 0, 0, 0)); }
