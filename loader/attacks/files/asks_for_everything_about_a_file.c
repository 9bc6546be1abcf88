/* Asks for everything about a file, none of which Landlock guards. */
/* permitted by: syscalls.allow statx */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	char what[256];
	return outcome(syscall(SYS_statx, AT_FDCWD, "/etc/passwd", 0, 0xfff, what));
}
