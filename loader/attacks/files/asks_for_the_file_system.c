/* Asks what file system a path is on, and how full it is. */
/* permitted by: syscalls.allow statfs */
#include "act.h"
static int act(void) {
	char what[256];
	return outcome(syscall(SYS_statfs, "/", what));
}
