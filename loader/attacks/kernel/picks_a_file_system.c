/* Takes hold of a mounted file system to change its options. */
#include "act.h"
#include <fcntl.h>
#ifndef SYS_fspick
#define SYS_fspick 433
#endif
static int act(void) { return outcome(syscall(SYS_fspick, AT_FDCWD, "/", 0)); }
