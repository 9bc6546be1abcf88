/* Moves the offset of inherited descriptors; the host, sharing them, would read elsewhere. */
#include "act.h"
static int act(void) {
	for (int fd = 0; fd < 3; fd++)
		if (lseek(fd, 7, SEEK_SET) < 0) return -errno;
	return 0;
}
