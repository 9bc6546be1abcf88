/* Makes a device, which would be the disk itself. */
#include "act.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
static int act(void) { return outcome(syscall(SYS_mknodat, AT_FDCWD, TARGET ".device", S_IFBLK | 0600, makedev(8, 0))); }
