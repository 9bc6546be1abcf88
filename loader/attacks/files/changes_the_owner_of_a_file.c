/* Gives a file to somebody else, which Landlock does not stop. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_fchownat, AT_FDCWD, TARGET, getuid(), getgid(), 0)); }
