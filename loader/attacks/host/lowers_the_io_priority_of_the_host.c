/* Lets the host read and write only when nobody else does. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_ioprio_set, 1, the_host(), 3 << 13)); }
