/* Leaves a symbolic link for the host to follow out of the granted directory. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, TARGET ".link")); }
