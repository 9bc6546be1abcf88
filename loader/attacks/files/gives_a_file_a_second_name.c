/* Gives a file outside a second name inside the granted directory. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_linkat, AT_FDCWD, TARGET, AT_FDCWD, TARGET ".twin", 0)); }
