/* Makes a file everybody's, which Landlock does not stop. */
/* permitted by: syscalls.allow fchmodat */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_fchmodat, AT_FDCWD, TARGET, 0666)); }
