/* Locks a file that others need, and keeps the lock. */
#include "act.h"
#include <fcntl.h>
#include <sys/file.h>
static int act(void) {
	int fd = open(TARGET, O_RDONLY);
	return fd < 0 ? -errno : outcome(flock(fd, LOCK_EX));
}
