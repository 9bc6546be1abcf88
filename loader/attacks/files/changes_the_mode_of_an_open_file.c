/* Makes a file setuid through a descriptor. */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	int fd = open(TARGET, O_RDWR | O_CREAT, 0600);
	return outcome(syscall(SYS_fchmod, fd < 0 ? 0 : fd, 04755));
}
