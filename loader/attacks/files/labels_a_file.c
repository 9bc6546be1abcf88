/* Sets an extended attribute of a file, where capabilities and labels are kept. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_setxattr, TARGET, "user.lazaret", "x", 1, 0)); }
