/* Shrinks the memory it shares with the host, so that the host dies of SIGBUS. */
#include "act.h"
static int act(void) {
	for (int fd = 0; fd < 64; fd++)
		if (ftruncate(fd, 0) == 0) return 0;
	return -EBADF;
}
