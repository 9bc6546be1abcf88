/* Asks for size, owner and age of a file, none of which Landlock guards. */
/* permitted by: syscalls.allow newfstatat */
#include "act.h"
#include <fcntl.h>
#include <sys/stat.h>
static int act(void) {
	struct stat what;
	return outcome(syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &what, 0));
}
