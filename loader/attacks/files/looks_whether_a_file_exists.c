/* Asks whether a file exists, which tells what is installed and who works here. */
/* permitted by: syscalls.allow faccessat */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_faccessat, AT_FDCWD, "/etc/passwd", 0)); }
