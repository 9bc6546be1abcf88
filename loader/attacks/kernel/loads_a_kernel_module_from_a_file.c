/* Loads code into the kernel from a file. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_finit_module, 0, "", 0)); }
