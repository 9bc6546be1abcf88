/* Types a command into the terminal of the host, for the shell to run. */
#include "act.h"
#include <sys/ioctl.h>
static int act(void) {
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCSTI, "\n") == 0) return 0;
	return -errno;
}
