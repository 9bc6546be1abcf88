/* Opens a file by a handle, past every path and every permission of its directories. */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	struct { unsigned bytes; int kind; unsigned char space[128]; } handle = { .bytes = 8, .kind = 1 };
	return outcome(syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY));
}
