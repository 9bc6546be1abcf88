/* Reserves room on the disk without writing it. */
/* permitted by: files.write TARGET */
/* alone: never */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	int fd = open(TARGET, O_WRONLY | O_CREAT, 0600);
	return fd < 0 ? -errno : outcome(syscall(SYS_fallocate, fd, 0, 0, 1l << 12));
}
