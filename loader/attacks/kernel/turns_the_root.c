/* Exchanges the root of the file system for another. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_pivot_root, "/tmp", "/tmp")); }
