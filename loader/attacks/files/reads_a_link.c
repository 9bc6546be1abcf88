/* Reads where a symbolic link leads, which tells how the machine is set up. */
/* permitted by: syscalls.allow readlinkat */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	char where[256];
	return outcome(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", where, sizeof where));
}
