/* Makes a file of a terabyte, which is empty and still breaks who copies it. */
/* alone: never */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	int fd = open(TARGET, O_WRONLY | O_CREAT, 0600);
	return fd < 0 ? -errno : outcome(ftruncate(fd, 1l << 40));
}
