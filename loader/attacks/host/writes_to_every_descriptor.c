/* Writes to every descriptor it could have inherited: files, sockets and pipes of the host. */
/* harmless: the streams of a cell are the null device */
#include "act.h"
static int act(void) {
	for (int fd = 0; fd < 1024; fd++)
		if (fd != 1 && fd != 2 && write(fd, "x", 1) == 1) return 0;
	return -EBADF;
}
