/* Makes a file in memory, into which code is written that is then mapped. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_memfd_create, "code", 0)); }
