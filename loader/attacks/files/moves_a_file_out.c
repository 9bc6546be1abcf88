/* Moves a file out of the granted directory. */
/* leaves: /tmp/lazaret-moved */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_renameat2, AT_FDCWD, TARGET, AT_FDCWD, "/tmp/lazaret-moved", 0)); }
