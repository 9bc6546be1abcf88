/* Moves the offset of inherited descriptors; the host, sharing them, would read elsewhere. */
/* harmless: the streams of a cell are the null device, which has no offset */
#include "act.h"
static int act(void) {
	for (int fd = 0; fd < 3; fd++)
		if (lseek(fd, 7, SEEK_SET) < 0) return -errno;
	return 0;
}
