/* Asks for a handle of a file, with which it could be opened past every path. */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	struct { unsigned bytes; int kind; unsigned char space[128]; } handle = { .bytes = 128 };
	int mount;
	return outcome(syscall(SYS_name_to_handle_at, AT_FDCWD, "/etc/passwd", &handle, &mount, 0));
}
